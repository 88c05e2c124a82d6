"""Which variables each state refers to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fogbank.services.states._language.intrinsics import InvalidIntrinsicError, parse_intrinsic
from fogbank.services.states._language.jsonata import JsonataSyntaxError, expression_text, parse_expression
from fogbank.services.states._language.paths import CONTEXT, INPUT, InvalidPathError, parse_path

Json = Any


def variable_references(document: Json, *, jsonata: bool = False) -> dict[str, list[str]]:
    """By state: the variables that its fields refer to, as `DescribeStateMachine` lists them."""
    found: dict[str, list[str]] = {}
    jsonata = document.get("QueryLanguage", "JSONata" if jsonata else "JSONPath") == "JSONata"
    for name, state in document.get("States", {}).items():
        mine = state.get("QueryLanguage", "JSONata" if jsonata else "JSONPath") == "JSONata"
        inner = [b for b in [*state.get("Branches", ()), state.get("ItemProcessor"), state.get("Iterator")] if b]
        own = {k: v for k, v in state.items() if k not in {"Branches", "ItemProcessor", "Iterator"}}
        names = sorted(set(_references(own, "", jsonata=mine)))
        if names:
            found[name] = names
        for branch in inner:
            found.update(variable_references(branch, jsonata=mine))
    return found


def _references(value: Json, name: str, *, jsonata: bool) -> Iterable[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _references(item, key, jsonata=jsonata)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item, name, jsonata=jsonata)
    elif isinstance(value, str):
        yield from _in_text(value, name, jsonata=jsonata)


def _in_text(value: str, name: str, *, jsonata: bool) -> Iterable[str]:
    if jsonata:
        text = expression_text(value)
        if text is not None:
            try:
                yield from parse_expression(text).variables
            except JsonataSyntaxError:
                return
        return
    if not (name.endswith((".$", "Path")) or name == "Variable"):
        return
    try:
        paths = [parse_path(value)] if value.startswith("$") else parse_intrinsic(value).paths()
    except (InvalidPathError, InvalidIntrinsicError):
        return
    yield from (path.root for path in paths if path.root not in {INPUT, CONTEXT})
