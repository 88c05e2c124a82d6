"""Checking, normalising and measuring attribute values.

Sizes are those of the developer guide: names and strings count their UTF-8 bytes, numbers about half a byte a
digit, lists and maps three bytes and one more for each element.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from fogbank.services.dynamodb._values import numbers

Value = dict[str, Any]
"""An attribute value: one member, the type's letter."""
Item = dict[str, Value]
"""An item, or a key: values by attribute name."""

MAX_ITEM_SIZE = 400 * 1024
MAX_NESTING = 32
"""Levels of lists and maps in an item."""

EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
SEVERAL = "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
_INVALID = "One or more parameter values were invalid: "


class ValueFault(ValueError):  # noqa: N818 - a value's, not an operation's: callers say where it stands
    """A value that DynamoDB refuses; the message is DynamoDB's, without saying where the value stands."""


def text_size(text: str) -> int:
    """UTF-8 bytes of a string."""
    return len(text) if text.isascii() else len(text.encode())


def checked_item(item: Mapping[str, Mapping[str, Any]]) -> tuple[Item, int]:
    """The item with every value canonical, and its size in bytes; `ValueFault` for a value that is refused.

    The argument is left as it is.
    """
    result: Item = {}
    total = 0
    for name, value in item.items():
        text = value.get("S")
        if text is not None and len(value) == 1:  # the commonest kind, without a call
            result[name] = value  # type: ignore[assignment]
            total += len(text) if text.isascii() else len(text.encode())
        else:
            result[name], length = checked_value(value)
            total += length
        total += len(name) if name.isascii() else len(name.encode())
    return result, total


def checked_value(value: Mapping[str, Any], depth: int = 0) -> tuple[Value, int]:
    """The value, canonical, and its size in bytes; `depth` is how many lists and maps it stands in."""
    if len(value) != 1:
        if "N" in value:
            _canonical(value["N"])  # a number that is none is told first
        raise ValueFault(SEVERAL if value else EMPTY)
    ((kind, content),) = value.items()
    check = _CHECKS.get(kind)
    if check is None:
        raise ValueFault(EMPTY)
    return check(content, depth)


def item_size(item: Mapping[str, Value]) -> int:
    """The size of a canonical item in bytes."""
    return sum(text_size(name) + value_size(value) for name, value in item.items())


def value_size(value: Value) -> int:
    """The size of a canonical value in bytes."""
    return checked_value(value)[1]


def _string(content: str, _depth: int) -> tuple[Value, int]:
    return {"S": content}, text_size(content)


def _number(content: str, _depth: int) -> tuple[Value, int]:
    number = _canonical(content)
    return {"N": number}, numbers.size(number)


def _binary(content: bytes, _depth: int) -> tuple[Value, int]:
    return {"B": content}, len(content)


def _boolean(content: bool, _depth: int) -> tuple[Value, int]:
    return {"BOOL": content}, 1


def _null(content: bool, _depth: int) -> tuple[Value, int]:
    if not content:
        raise ValueFault(_INVALID + "Null attribute value types must have the value of true")
    return {"NULL": True}, 1


def _list(content: list[Mapping[str, Any]], depth: int) -> tuple[Value, int]:
    _check_depth(depth)
    result = []
    total = 3 + len(content)
    for element in content:
        value, length = checked_value(element, depth + 1)
        result.append(value)
        total += length
    return {"L": result}, total


def _map(content: Mapping[str, Mapping[str, Any]], depth: int) -> tuple[Value, int]:
    _check_depth(depth)
    result = {}
    total = 3 + len(content)
    for name, element in content.items():
        result[name], length = checked_value(element, depth + 1)
        total += length + text_size(name)
    return {"M": result}, total


def _check_depth(depth: int) -> None:
    if depth >= MAX_NESTING:
        raise ValueFault("Nesting Levels have exceeded supported limits")


def _string_set(content: list[str], _depth: int) -> tuple[Value, int]:
    if not content:
        raise ValueFault(_INVALID + "An string set  may not be empty")
    if len(set(content)) != len(content):
        raise ValueFault(_INVALID + f"Input collection [{', '.join(content)}] contains duplicates.")
    return {"SS": sorted(content)}, sum(map(text_size, content))


def _number_set(content: list[str], _depth: int) -> tuple[Value, int]:
    if not content:
        raise ValueFault(_INVALID + "An number set  may not be empty")
    members = [_canonical(number) for number in content]
    if len(set(members)) != len(members):
        raise ValueFault("Input collection contains duplicates")
    return {"NS": sorted_set("NS", members)}, sum(map(numbers.size, members))


def _binary_set(content: list[bytes], _depth: int) -> tuple[Value, int]:
    if not content:
        raise ValueFault(_INVALID + "Binary sets should not be empty")
    if len(set(content)) != len(content):
        shown = ", ".join(base64.b64encode(member).decode() for member in content)
        raise ValueFault(_INVALID + f"Input collection [{shown}]of type BS contains duplicates.")
    return {"BS": sorted(content)}, sum(map(len, content))


def _canonical(number: str) -> str:
    try:
        return numbers.canonical(number)
    except numbers.NumberError as error:
        raise ValueFault(str(error)) from None


_CHECKS: Mapping[str, Callable[[Any, int], tuple[Value, int]]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "L": _list,
    "M": _map,
    "SS": _string_set,
    "NS": _number_set,
    "BS": _binary_set,
}

TYPES = tuple(_CHECKS)
"""The letters of the types."""


def sorted_set(kind: str, members: list[Any]) -> list[Any]:
    """The members of a set of type SS, NS or BS in their canonical order."""
    return sorted(members, key=Decimal) if kind == "NS" else sorted(members)
