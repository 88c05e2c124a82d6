"""House rules of the code. What still breaks one is counted in ratchet.toml, each with its reason; it only shrinks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from tests.tidy.source import ROOT, Finding, check, dotted, find, functions, place, python_files, tree

# One worker, so that every file is parsed once; even so that takes seconds.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tidy")]

MAX_FILE = 600
MAX_FUNCTION = 60
CLOCKS = {
    "datetime.datetime.now",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "os.environ",
    "os.getenv",
    "os.urandom",
    "time.monotonic",
    "time.monotonic_ns",
    "time.perf_counter",
    "time.sleep",
    "time.time",
    "time.time_ns",
}
SOURCES_OF_CHANCE = ("random.", "secrets.", "uuid.")
VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
MACHINE_PATH = re.compile(r"(?<![\w.~])/(root|home|work|Users)/\w")


def test_tests_do_not_sleep() -> None:
    """A test waits for a signal or for virtual time; `asyncio.sleep(0)` lets others run and takes none."""

    def rule(module: ast.Module) -> Iterator[tuple[int, str]]:
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and dotted(node.func) in {"time.sleep", "asyncio.sleep"}:
                is_turn = len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
                if not is_turn:
                    yield node.lineno, dotted(node.func)

    check("sleeping tests", find(rule, "tests"))


def test_no_test_is_skipped() -> None:
    """A test that does not run proves nothing."""

    def rule(module: ast.Module) -> Iterator[tuple[int, str]]:
        for node in ast.walk(module):
            name = dotted(node)
            if name.startswith("pytest.") and name.rpartition(".")[2] in {"skip", "skipif", "xfail", "importorskip"}:
                yield getattr(node, "lineno", 0), name

    check("skipped tests", find(rule, "tests"))


def test_time_chance_and_environment_come_through_core() -> None:
    """No one else reads the clock, sleeps, draws randomness or looks at the environment (law 5)."""

    def rule(module: ast.Module) -> Iterator[tuple[int, str]]:
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and dotted(node.func) == "asyncio.sleep" and not _is_zero(node):
                yield node.lineno, "asyncio.sleep"
            if isinstance(node, ast.Attribute):
                name = dotted(node)
                if name in CLOCKS or (name.startswith(SOURCES_OF_CHANCE) and name != "random.Random"):
                    yield node.lineno, name
            if isinstance(node, ast.Call) and dotted(node.func) == "random.Random" and not node.args:
                yield node.lineno, "random.Random without a seed"

    findings = [found for found in find(rule, "src") if "/core/" not in found[0]]
    check("time, chance and environment outside core", findings)


def _is_zero(node: ast.Call) -> bool:
    return len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0


def test_imports_stand_at_the_top() -> None:
    """An import within a function hides what a module needs."""

    def rule(module: ast.Module) -> Iterator[tuple[int, str]]:
        for function in functions(module):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield node.lineno, f"import within {function.name}"

    check("imports within functions", find(rule, "src", "tests", "tools"))


def test_only_supervisors_catch_everything() -> None:
    """A request, a worker's task and a delivery have each one who catches all; everyone else names what is expected."""

    def rule(module: ast.Module) -> Iterator[tuple[int, str]]:
        for node in ast.walk(module):
            if isinstance(node, ast.ExceptHandler) and _catches_all(node.type):
                yield node.lineno, "catches everything"

    check("broad excepts", find(rule, "src"))


def _catches_all(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(each is None or dotted(each) in {"Exception", "BaseException"} for each in kinds)


def test_files_hold_one_idea() -> None:
    """A file past 600 lines holds two."""
    findings: list[Finding] = []
    for path in python_files("src", "tests", "tools", "benchmarks"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_FILE:
            findings.append((place(path), lines, f"{lines} lines"))
    check("long files", findings)


def test_functions_are_short() -> None:
    """A function past 60 lines wants names for its parts."""

    def rule(module: ast.Module) -> Iterator[tuple[int, str]]:
        for function in functions(module):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > MAX_FUNCTION:
                yield function.lineno, f"{function.name} has {length} lines"

    check("long functions", find(rule, "src", "tools"))


def test_names_say_something() -> None:
    """A file is a concept, and is named for it."""
    findings = [
        (place(path), 1, "a name that fits anything")
        for path in python_files("src", "tests", "tools", "benchmarks")
        if path.stem.strip("_") in VAGUE
    ]
    check("vague names", findings)


def test_no_file_names_a_machine() -> None:
    """Paths of whose machine it was written on help nobody."""
    findings: list[Finding] = []
    here = place(ROOT / "tests" / "tidy" / "test_source.py")
    for path in python_files("src", "tests", "tools", "benchmarks", "examples"):
        if place(path) == here:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if MACHINE_PATH.search(line):
                findings.append((place(path), number, line.strip()))
    check("machine paths", findings)


def test_every_file_begins_with_what_it_is() -> None:
    """Modules, public functions and public classes have a docstring (methods: test_documentation.py)."""
    findings: list[Finding] = []
    for path in python_files("src", "tools"):
        module = tree(path)
        if ast.get_docstring(module) is None and path.read_text(encoding="utf-8").strip():
            findings.append((place(path), 1, "the module"))
        for node in module.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("_") and ast.get_docstring(node) is None:
                findings.append((place(path), node.lineno, node.name))
    check("undocumented", findings)
