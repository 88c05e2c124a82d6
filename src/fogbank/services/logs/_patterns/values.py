"""What a condition compares with: numbers, strings with wildcards, regular expressions.

A value of a message is a `str`; a number of a JSON message is a `Number`, which keeps the digits as they were
written, because a quoted pattern (`= "12.0"`) compares those and an unquoted one (`= 12`) the amount.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from fogbank.services.logs._patterns.pattern import InvalidPattern
from fogbank.services.logs._patterns.regex import compile_regex

Test = Callable[[str], bool]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Number(str):
    """A number of a JSON message, as it was written."""

    __slots__ = ()


class Operator(StrEnum):
    """How a condition compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    GREATER = ">"
    LESS = "<"
    AT_LEAST = ">="
    AT_MOST = "<="


class Form(StrEnum):
    """How an operand was written."""

    WORD = "word"
    QUOTED = "quoted"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class Operand:
    """The right side of a condition."""

    form: Form
    text: str


def number(text: str) -> float | None:
    """The amount that `text` writes, or `None` if it is no number."""
    return float(text) if _NUMBER.fullmatch(text) else None


def compile_test(operator: Operator, operand: Operand, *, typed: bool) -> Test:
    """A predicate over a value. `typed` values know whether they are numbers (JSON), others are tried as
    such.
    """
    if operator in (Operator.EQUAL, Operator.NOT_EQUAL):
        equal = _compile_equal(operand, typed=typed)
        if operator is Operator.EQUAL:
            return equal
        return lambda value: not equal(value)
    amount = number(operand.text) if operand.form is Form.WORD else None
    if amount is None:
        raise InvalidPattern.characters(f'"{operand.text}"')
    return _compile_order(operator, amount, typed=typed)


def _compile_equal(operand: Operand, *, typed: bool) -> Test:
    if operand.form is Form.REGEX:
        return compile_regex(operand.text).search
    text = operand.text
    amount = number(text) if operand.form is Form.WORD else None
    if amount is None:
        return compile_wildcard(text)

    def equal(value: str) -> bool:
        if value == text:
            return True
        if typed and not isinstance(value, Number):
            return False
        return number(value) == amount

    return equal


def _compile_order(operator: Operator, amount: float, *, typed: bool) -> Test:
    def order(value: str) -> bool:
        if typed and not isinstance(value, Number):
            return False
        found = number(value)
        if found is None:
            return False
        match operator:
            case Operator.GREATER:
                return found > amount
            case Operator.LESS:
                return found < amount
            case Operator.AT_LEAST:
                return found >= amount
            case _:
                return found <= amount

    return order


def compile_wildcard(text: str) -> Test:
    """A predicate for a string in which `*` stands for any characters.

    Each piece between stars is taken where it first occurs; nothing is tried again. So `*.111.111` matches
    `111.111.111` and `*111.111` does not, as TestMetricFilter was recorded to answer.
    """
    first, *rest = text.split("*")
    if not rest:
        return text.__eq__
    *middle, last = rest

    def match(value: str) -> bool:
        if not value.startswith(first):
            return False
        at = len(first)
        for piece in middle:
            found = value.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        if not last:
            return True
        found = value.find(last, at)
        return found >= 0 and found + len(last) == len(value)

    return match
