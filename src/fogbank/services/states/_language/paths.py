"""JSONPath as Step Functions understands it, and reference paths.

A path begins with `$` (the state's data), `$$` (the context object) or `$name` (a variable). It is definite when each
step names one member or index; then it gives a value or fails. Otherwise it gives a list, which may be empty.
Source: https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec

from fogbank.services.states._language.failures import PathError

Json = Any
MISSING: Final = object()

INPUT = "$"
CONTEXT = "$$"

_NAME = re.compile(r"[^\s.\[\]()'\"*,:?@=<>!&|]+")
_VARIABLE = re.compile(r"[^\W\d]\w*")
_INDEX = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_FUNCTIONS: Mapping[str, Callable[[list[Any]], Any]] = {
    "min": min,
    "max": max,
    "sum": sum,
    "avg": lambda v: sum(v) / len(v),
}


MAX_VISITS = 300_000
"""Nodes that the paths of one step look at. No document of 256 KiB has as many; `$..*..*` sees each many times."""


class InvalidPathError(ValueError):
    """A text that is not a path."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: how it selects children of a node, and whether it selects at most one."""

    select: Callable[[Json, Json], Iterator[Json]]
    key: str | int | None = None
    """The member or index of a definite step."""


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path. `root` is `$`, `$$` or a variable's name."""

    text: str
    root: str
    steps: tuple[Step, ...]
    definite: bool
    function: str | None = None

    @property
    def is_reference(self) -> bool:
        """Whether it names one place, so that a result can be put there."""
        return self.definite and self.function is None

    @property
    def keys(self) -> tuple[str | int, ...]:
        """The members and indexes of a definite path."""
        return tuple(step.key for step in self.steps if step.key is not None)

    def find(self, node: Json) -> Json:
        """The value at this path, a list of them if it is not definite, or `MISSING`."""
        if not self.definite:
            found = self._matches(node)
            return found if self.function is None else self._apply(found)
        for step in self.steps:
            key = step.key
            if isinstance(key, str):
                if not isinstance(node, dict) or key not in node:
                    return MISSING
                node = node[key]
            elif isinstance(node, list) and isinstance(key, int) and -len(node) <= key < len(node):
                node = node[key]
            else:
                return MISSING
        return node if self.function is None else self._apply(node)

    def _matches(self, root: Json) -> list[Json]:
        outermost = begin_step()
        try:
            nodes = [root]
            for step in self.steps:
                nodes = [child for node in nodes for child in step.select(node, root)]
            return nodes
        finally:
            if outermost:
                end_step()

    def _apply(self, value: Json) -> Json:
        if self.function == "length":
            return len(value) if isinstance(value, list | dict | str) else MISSING
        numbers = [v for v in value if isinstance(v, int | float)] if isinstance(value, list) else []
        return _FUNCTIONS[self.function or ""](numbers) if numbers else MISSING

    def why_missing(self, node: Json) -> str:
        """Why `find` gave nothing, in the words of AWS's implementation."""
        shown = "$"
        for index, step in enumerate(self.steps):
            last = index == len(self.steps) - 1
            key = step.key
            shown += f"['{key}']" if isinstance(key, str) else f"[{key}]"
            inside = isinstance(node, dict) if isinstance(key, str) else isinstance(node, list)
            if not inside:
                return f"Expected to find an object with property {shown.rpartition('[')[2].rstrip(']')} in path {shown.rpartition('[')[0]} but found '{_kind(node)}'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JsonSmartJsonProvider'."  # noqa: E501
            found = Path("", INPUT, (step,), definite=True).find(node)
            if found is MISSING:
                return f"No results for path: {shown}" if last else f"Missing property in path {shown}"
            node = found
        return f"No results for path: {shown}"


class _Visits(threading.local):
    """How many more nodes may be looked at: by the paths of one step, or by one path with those in its filters."""

    left: int | None = None


_visits = _Visits()


def begin_step() -> bool:
    """Count the nodes that paths look at from here on together. Not if that is done already."""
    if _visits.left is not None:
        return False
    _visits.left = MAX_VISITS
    return True


def end_step() -> int:
    """How many nodes the paths of the step looked at."""
    left, _visits.left = _visits.left, None
    return MAX_VISITS - (left or 0)


def _visit(count: int) -> None:
    left = MAX_VISITS if _visits.left is None else _visits.left
    if left < count:
        raise PathError(f"The paths of one state look at more than {MAX_VISITS} nodes")
    _visits.left = left - count


def _kind(node: Json) -> str:
    if node is None:
        return "null"
    return {
        bool: "java.lang.Boolean",
        int: "java.lang.Integer",
        float: "java.lang.Double",
        str: "java.lang.String",
    }.get(type(node), "net.minidev.json.JSONArray")


# -- parsing ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """Compile a path; `InvalidPathError` if it is none."""
    parser = _Parser(text, 0)
    path = parser.path()
    if parser.at != len(text):
        raise InvalidPathError(f"unexpected {text[parser.at :]!r}")
    return path


class _Parser:
    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    def take(self, token: str) -> bool:
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def need(self, token: str) -> None:
        if not self.take(token):
            raise InvalidPathError(f"expected {token!r} at {self.at}")

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1

    def match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise InvalidPathError(f"unexpected text at {self.at}")
        self.at = found.end()
        return found[0]

    def path(self) -> Path:
        start = self.at
        root = INPUT
        if self.take("@"):
            root = "@"
        else:
            self.need("$")
            if self.take("$"):
                root = CONTEXT
            elif self.at < len(self.text) and _VARIABLE.match(self.text, self.at):
                root = self.match(_VARIABLE)
        steps: list[Step] = []
        function = None
        while self.at < len(self.text) and self.text[self.at] in ".[":
            if len(steps) > 1000:
                raise InvalidPathError("too many steps")
            if self.take(".."):
                steps.append(_descend(self.bracket() if self.take("[") else self.member()))
            elif self.take("."):
                name = self.member()
                if self.take("()"):
                    if name.key not in {"length", *_FUNCTIONS}:
                        raise InvalidPathError(f"unknown function {name.key}")
                    function = str(name.key)
                    break
                steps.append(name)
            else:
                self.need("[")
                steps.append(self.bracket())
        definite = all(step.key is not None for step in steps)
        return Path(self.text[start : self.at], root, tuple(steps), definite, function)

    def member(self) -> Step:
        if self.take("*"):
            return Step(lambda node, _: _children(node))
        return _named(self.match(_NAME))

    def bracket(self) -> Step:
        self.space()
        if self.take("*"):
            step = Step(lambda node, _: _children(node))
        elif self.take("?("):
            test = self.disjunction()
            self.space()
            self.need(")")
            step = Step(lambda node, root: (child for child in _children(node) if test(child, root)))
        elif self.at < len(self.text) and self.text[self.at] in "'\"":
            step = self.names()
        else:
            step = self.indexes()
        self.space()
        self.need("]")
        return step

    def names(self) -> Step:
        names = [self.quoted()]
        self.space()
        while self.take(","):
            self.space()
            names.append(self.quoted())
            self.space()
        if len(names) == 1:
            return _named(names[0])
        return Step(lambda node, _: (node[n] for n in names if isinstance(node, dict) and n in node))

    def quoted(self) -> str:
        quote = self.text[self.at : self.at + 1]
        if quote not in {"'", '"'}:
            raise InvalidPathError(f"expected a quoted name at {self.at}")
        self.at += 1
        out: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == quote:
                return "".join(out)
            if char == "\\" and self.text[self.at : self.at + 1] in {"'", "\\"}:
                char = self.text[self.at]
                self.at += 1
            out.append(char)
        raise InvalidPathError("a quote is not closed")

    def index(self) -> int | None:
        self.space()
        found = _INDEX.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        self.space()
        return int(found[0])

    def indexes(self) -> Step:
        first = self.index()
        if self.take(":"):
            last = self.index()
            pace = self.index() if self.take(":") else None
            if pace == 0:
                raise InvalidPathError("a slice's step is not 0")
            part = slice(first, last, pace)
            return Step(lambda node, _: _children(node[part]) if isinstance(node, list) else iter(()))
        if first is None:
            raise InvalidPathError(f"expected an index at {self.at}")
        if not self.take(","):
            return _numbered(first)
        wanted = [first]
        while True:
            more = self.index()
            if more is None:
                raise InvalidPathError(f"expected an index at {self.at}")
            wanted.append(more)
            if not self.take(","):
                break
        return Step(lambda node, _: (node[i] for i in wanted if isinstance(node, list) and -len(node) <= i < len(node)))

    # -- filters

    def disjunction(self) -> Callable[[Json, Json], bool]:
        parts = [self.conjunction()]
        self.space()
        while self.take("||"):
            parts.append(self.conjunction())
            self.space()
        return parts[0] if len(parts) == 1 else lambda n, r: any(part(n, r) for part in parts)

    def conjunction(self) -> Callable[[Json, Json], bool]:
        parts = [self.comparison()]
        self.space()
        while self.take("&&"):
            parts.append(self.comparison())
            self.space()
        return parts[0] if len(parts) == 1 else lambda n, r: all(part(n, r) for part in parts)

    def comparison(self) -> Callable[[Json, Json], bool]:
        self.space()
        if self.take("!"):
            negated = self.comparison()
            return lambda n, r: not negated(n, r)
        if self.take("("):
            inner = self.disjunction()
            self.space()
            self.need(")")
            return inner
        left = self.operand()
        self.space()
        for sign, test in _COMPARISONS:
            if self.take(sign):
                self.space()
                right = self.operand()
                return lambda n, r, left=left, right=right, test=test: test(left(n, r), right(n, r))  # type: ignore[misc]
        return lambda n, r: left(n, r) is not MISSING

    def operand(self) -> Callable[[Json, Json], Json]:
        if self.at < len(self.text) and self.text[self.at] in "@$":
            path = self.path()
            return lambda n, r: path.find(n if path.root == "@" else r)
        if self.at < len(self.text) and self.text[self.at] in "'\"":
            text = self.quoted()
            return lambda n, r: text  # noqa: ARG005
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self.take(word):
                return lambda n, r, value=value: value  # type: ignore[misc]  # noqa: ARG005
        number = msgspec.json.decode(self.match(_NUMBER))
        return lambda n, r: number  # noqa: ARG005


def _same(left: Json, right: Json) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left is not MISSING and right is not MISSING and left == right)


def _ordered(left: Json, right: Json) -> bool:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return numbers or (isinstance(left, str) and isinstance(right, str))


_COMPARISONS: tuple[tuple[str, Callable[[Json, Json], bool]], ...] = (
    ("==", _same),
    ("!=", lambda a, b: not _same(a, b)),
    ("<=", lambda a, b: _ordered(a, b) and a <= b),
    (">=", lambda a, b: _ordered(a, b) and a >= b),
    ("<", lambda a, b: _ordered(a, b) and a < b),
    (">", lambda a, b: _ordered(a, b) and a > b),
)


def _children(node: Json) -> Iterator[Json]:
    if isinstance(node, dict):
        _visit(len(node))
        return iter(node.values())
    if isinstance(node, list):
        _visit(len(node))
        return iter(node)
    return iter(())


def _named(name: str) -> Step:
    def select(node: Json, _: Json) -> Iterator[Json]:
        if isinstance(node, dict) and name in node:
            yield node[name]

    return Step(select, name)


def _numbered(index: int) -> Step:
    def select(node: Json, _: Json) -> Iterator[Json]:
        if isinstance(node, list) and -len(node) <= index < len(node):
            yield node[index]

    return Step(select, index)


def _descend(step: Step) -> Step:
    def select(node: Json, root: Json) -> Iterator[Json]:
        stack = [node]
        while stack:
            current = stack.pop()
            yield from step.select(current, root)
            stack.extend(reversed(list(_children(current))))

    return Step(select)


# -- putting a result in place ------------------------------------------------------------------------------


def put(document: Json, path: Path, value: Json) -> Json:
    """A copy of `document` with `value` at a reference path; what is not on the way is shared.

    Raises `PathError` where the path leads through something that is no object.
    """
    return _put(document, path.keys, value)


def _put(node: Json, keys: tuple[str | int, ...], value: Json) -> Json:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if isinstance(key, str):
        if node is None:
            node = {}
        if not isinstance(node, dict):
            raise PathError(f'Unable to apply step "{key}" to input {msgspec.json.encode(node).decode()}')
        return {**node, key: _put(node.get(key), rest, value)}
    if not isinstance(node, list) or not -len(node) <= key < len(node):
        raise PathError(f'Unable to apply step "{key}" to input {msgspec.json.encode(node).decode()}')
    copy = list(node)
    copy[key] = _put(copy[key], rest, value)
    return copy
