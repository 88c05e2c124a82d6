"""What a definition probably does not mean: warnings, which forbid nothing.

Source: the list of warning codes of the API reference, ValidateStateMachineDefinitionDiagnostic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fogbank.services.states._language.definition import Problem

Json = Any
_PATH = re.compile(r"\$\$?(?:[.\[].*)?", re.DOTALL)
_CALL = re.compile(r"States\.[A-Z]\w*\(.*\)", re.DOTALL)
_TEMPLATES = ("Parameters", "ResultSelector", "ItemSelector", "Assign")
_NO_OPERATORS = frozenset({"Variable", "Next", "Comment", "Condition", "Output", "Assign"})
_INNER = ("ItemProcessor", "Iterator")


def _looks_dynamic(value: Json) -> bool:
    return isinstance(value, str) and bool(_PATH.fullmatch(value) or _CALL.fullmatch(value))


def warnings(document: Mapping[str, Json], at: str = "", *, jsonata: bool = False) -> Iterable[Problem]:
    """The warnings of a definition, also of one that has errors."""
    jsonata = document.get("QueryLanguage", "JSONata" if jsonata else "JSONPath") == "JSONata"
    states = document.get("States")
    for name, state in states.items() if isinstance(states, dict) else ():
        place = f"{at}/States/{name}"
        if not isinstance(state, dict):
            continue
        mine = state.get("QueryLanguage", "JSONata" if jsonata else "JSONPath") == "JSONata"
        if not mine:
            yield from _of_state(state, place)
        for index, branch in enumerate(_list(state.get("Branches"))):
            if isinstance(branch, dict):
                yield from warnings(branch, f"{place}/Branches[{index}]", jsonata=mine)
        for inner in _INNER:
            if isinstance(state.get(inner), dict):
                yield from warnings(state[inner], f"{place}/{inner}", jsonata=mine)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _of_state(state: Mapping[str, Json], at: str) -> Iterable[Problem]:
    if state.get("Type") == "Pass" and _looks_dynamic(state.get("Result")):
        yield _warning("PASS_RESULT_IS_STATIC", 'Attempt to use a path in the "Result" of a Pass state', f"{at}/Result")
    for field in _TEMPLATES:
        yield from _of_template(state.get(field), f"{at}/{field}")
    batcher = state.get("ItemBatcher")
    if isinstance(batcher, dict):
        yield from _of_template(batcher.get("BatchInput"), f"{at}/ItemBatcher/BatchInput")
    for field in ("Error", "Cause"):
        if _looks_dynamic(state.get(field)):
            yield _no_path(field, f"{at}/{field}")
    for index, rule in enumerate(_list(state.get("Choices"))):
        yield from _of_rule(rule, f"{at}/Choices[{index}]")


def _of_template(value: Json, at: str) -> Iterable[Problem]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _of_template(item, f"{at}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            if not name.endswith(".$") and _looks_dynamic(item):
                message = f'No ".$" on the field "{name}", which appears to be a JSONPath or Intrinsic Function'
                yield _warning("NO_DOLLAR", message, f"{at}/{name}")
            yield from _of_template(item, f"{at}/{name}")


def _of_rule(rule: Json, at: str) -> Iterable[Problem]:
    if not isinstance(rule, dict):
        return
    yield from _of_template(rule.get("Assign"), f"{at}/Assign")
    for name, value in rule.items():
        if name in {"And", "Or"} and isinstance(value, list):
            for index, item in enumerate(value):
                yield from _of_rule(item, f"{at}/{name}[{index}]")
        elif name == "Not":
            yield from _of_rule(value, f"{at}/{name}")
        elif name not in _NO_OPERATORS and not name.endswith("Path") and _looks_dynamic(value):
            yield _no_path(name, f"{at}/{name}")


def _no_path(name: str, at: str) -> Problem:
    return _warning("NO_PATH", f'The value of "{name}" looks like a path, but its name does not end with "Path"', at)


def _warning(code: str, message: str, at: str) -> Problem:
    return Problem(code, message, at, "WARNING")
