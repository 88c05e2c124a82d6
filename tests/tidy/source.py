"""The project's source as the house rules see it: files, syntax trees, and the ratchet of what is still allowed."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
RATCHET = ROOT / "tests" / "tidy" / "ratchet.toml"

Function = ast.FunctionDef | ast.AsyncFunctionDef
Finding = tuple[str, int, str]
"""A file, a line, and what is wrong there."""


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """The Python files below some of the project's folders."""
    return tuple(
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not {"build", "__pycache__"} & set(path.parts)
    )


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path) -> str:
    """A file's name from the project's folder."""
    return path.relative_to(ROOT).as_posix()


def dotted(node: ast.AST) -> str:
    """`a.b.c` for an attribute or a name; other things are `?`."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def functions(module: ast.Module) -> Iterator[Function]:
    """Every function and method."""
    return (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def find(rule: Callable[[ast.Module], Iterator[tuple[int, str]]], *folders: str) -> list[Finding]:
    """What a rule finds wrong in the files below some folders."""
    return [(place(path), line, what) for path in python_files(*folders) for line, what in rule(tree(path))]


def check(rule: str, findings: list[Finding]) -> None:
    """Fail for what goes beyond the ratchet, and for allowances that nothing needs any more."""
    allowed: dict[str, int] = tomllib.loads(RATCHET.read_text(encoding="utf-8")).get(rule, {})
    counts = Counter(name for name, _, _ in findings)
    over = [f"{name}:{line}: {what}" for name, line, what in findings if counts[name] > allowed.get(name, 0)]
    assert not over, "\n".join([f"{len(over)} times against the rule '{rule}':", *over])
    slack = [f"{name}: {count} are allowed, {counts[name]} are there" for name, count in allowed.items()
             if counts[name] < count]  # fmt: skip
    assert not slack, "\n".join(["lower these allowances in tests/tidy/ratchet.toml:", *slack])
