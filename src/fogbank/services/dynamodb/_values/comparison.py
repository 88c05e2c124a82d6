"""Comparing canonical values: equality, order, membership. Values of different types are never equal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fogbank.services.dynamodb._values.attributes import Value

_ELEMENT = {"SS": "S", "NS": "N", "BS": "B"}


def kind_of(value: Value) -> str:
    """The letter of a value's type."""
    for kind in value:
        return kind
    raise ValueError("expected a value with one type, got none")


def ordering(left: Value, right: Value) -> int | None:
    """Negative, zero or positive as `left` is less than, equal to or greater than `right`.

    `None` if the two have no order: types that differ, or that are not string, number or binary. Strings order
    as their UTF-8 bytes do, which is the order of Python's.
    """
    for kind, content in left.items():
        other: Any = right.get(kind)
        if other is None or kind not in ("S", "N", "B"):
            return None
        if content == other:
            return 0
        if kind == "N":
            return -1 if Decimal(content) < Decimal(other) else 1
        return -1 if content < other else 1
    return None


def begins_with(value: Value, prefix: Value) -> bool:
    """Whether a string or binary value begins with another of its type."""
    for kind in ("S", "B"):
        if kind in value and kind in prefix:
            return bool(value[kind].startswith(prefix[kind]))
    return False


def contains(container: Value, operand: Value) -> bool:
    """Whether a string has a substring, a binary value a part, a set a member or a list an element."""
    for kind, content in container.items():
        if kind in ("S", "B"):
            return kind in operand and operand[kind] in content
        if kind in _ELEMENT:
            return operand.get(_ELEMENT[kind]) in content
        if kind == "L":
            return operand in content
    return False


def length(value: Value) -> int | None:
    """What the function `size` gives, or `None` for a type without size.

    A string has its UTF-16 code units (as recorded of DynamoDB), binary its bytes, a set, list or map its members.
    """
    for kind, content in value.items():
        if kind == "S":
            return len(content) if content.isascii() else len(content.encode("utf-16-le")) // 2
        if kind in ("B", "SS", "NS", "BS", "L", "M"):
            return len(content)
    return None
