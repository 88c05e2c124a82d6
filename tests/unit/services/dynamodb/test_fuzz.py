"""Whatever text comes as an expression, a statement or a token is taken, or refused as a validation error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fogbank.core.errors import ValidationError
from fogbank.core.scope import Scope
from fogbank.services.dynamodb._expressions.conditions import condition
from fogbank.services.dynamodb._expressions.keyconditions import key_condition
from fogbank.services.dynamodb._expressions.placeholders import Placeholders
from fogbank.services.dynamodb._expressions.projections import projection
from fogbank.services.dynamodb._expressions.tokens import Kind
from fogbank.services.dynamodb._expressions.updates import update
from fogbank.services.dynamodb._partiql.parser import parse as parse_statement
from fogbank.services.dynamodb._rows.catalog import resolve
from fogbank.services.dynamodb._streams.iterators import parse as parse_iterator

WORDS = [
    "a", "b.c", "#n", ":v", ":w", "and", "OR", "not", "between", "in", "set", "remove", "add", "delete", "size",
    "begins_with", "contains", "attribute_exists", "if_not_exists", "list_append", "=", "<>", "<", ">=", "+", "-", "(",
    ")", "[", "]", "0", "99999999999999999999", ",", ".", "#", ":", "_", "é", "'x'", '"y"', "?", "{", "}", "<<", ">>",
    "SELECT", "*", "FROM", "WHERE", "INSERT", "INTO", "VALUE", "UPDATE", "EXISTS", "IS", "MISSING", "NULL", "true",
    "ORDER", "BY", "DESC", "RETURNING", "ALL", "OLD", ";", "1e5", "\n", "\x00",
]  # fmt: skip
TEXTS = st.one_of(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join), st.text(max_size=60))
VALUES: dict[str, Any] = {":v": {"N": "1"}, ":w": {"S": "x"}}


def placeholders() -> Placeholders:
    return Placeholders({"#n": "name"}, VALUES)


PARSERS: dict[str, Callable[[str], object]] = {
    "condition": lambda text: condition(Kind.CONDITION, text, placeholders()).test({"a": {"N": "1"}}, VALUES),
    "key condition": lambda text: key_condition(text, placeholders()),
    "projection": lambda text: projection(text, placeholders()).of({"a": {"L": []}}),
    "update": lambda text: update(text, placeholders()).changes({"a": {"N": "1"}}),
    "statement": lambda text: parse_statement(text, [{"S": "x"}]),
    "iterator": parse_iterator,
    "table": lambda text: resolve(Scope(), text),
}


@pytest.mark.parametrize("name", PARSERS)
@given(TEXTS)
@example("(" * 4000)
@example("NOT " * 1000 + "a = :v")
@example("SELECT * FROM a WHERE " + "NOT " * 1000 + "b = 1")
@example("INSERT INTO a VALUE {'x': " + "[" * 500)
@example("a" + "[0]" * 300 + " = :v")
@example("size(" * 500)
@settings(max_examples=60, deadline=None)
def test_any_text_is_taken_or_refused(name: str, text: str) -> None:
    with contextlib.suppress(ValidationError):
        PARSERS[name](text)
