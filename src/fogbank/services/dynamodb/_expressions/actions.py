"""Doing the actions of an update to an item.

Every operand is read from the item as it was; then values are set (those past a list's end in the order of their
indices), numbers and sets added to, sets subtracted from, and at last parts removed, the last elements of a list
first, so that an index means what it meant before. The item given is left as it is: containers on the way to a
change are copied.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions.naming import Steps
from fogbank.services.dynamodb._values import numbers
from fogbank.services.dynamodb._values.attributes import Item, Value, sorted_set
from fogbank.services.dynamodb._values.comparison import kind_of


class Verb(StrEnum):
    """What is done to a path."""

    SET = "SET"
    ADD = "ADD"
    DELETE = "DELETE"
    REMOVE = "REMOVE"


@dataclass(frozen=True, slots=True)
class Change:
    """A verb, the path it is done to, and with which value; REMOVE has none."""

    verb: Verb
    path: Steps
    value: Value | None = None
    mismatch: str = "An operand in the update expression has an incorrect data type"
    """What is said when the attribute has a type that the value cannot be added to or deleted from."""


def wrong_type() -> ValidationError:
    """An operand that has another type in this item than the update needs."""
    return ValidationError("An operand in the update expression has an incorrect data type")


def invalid_path() -> ValidationError:
    """A path whose parent is not in the item, or is no map or list."""
    return ValidationError("The document path provided in the update expression is invalid for update")


def apply(item: Item, changes: Iterable[Change]) -> Item:
    """The item after all the changes."""
    result = dict(item)
    ordered = list(changes)
    for change in sorted(
        (change for change in ordered if change.verb is Verb.SET), key=lambda change: _order(change.path)
    ):
        _replace(result, change.path, change.value)
    for change in ordered:
        if change.verb is Verb.ADD:
            _replace(result, change.path, _sum(_find(result, change.path), change))
        elif change.verb is Verb.DELETE:
            _delete(result, change)
    removed = [change.path for change in ordered if change.verb is Verb.REMOVE]
    for path in sorted(removed, key=_order, reverse=True):
        _remove(result, path)
    return result


def _order(path: Steps) -> tuple[tuple[int, str], ...]:
    return tuple((step, "") if isinstance(step, int) else (-1, step) for step in path)


def _find(item: Item, path: Steps) -> Value | None:
    """The value at a path whose parent must be there."""
    value: Value = {"M": item}
    for at, step in enumerate(path):
        below = _child(value, step)
        if below is None:
            if at < len(path) - 1:
                raise invalid_path()
            if isinstance(step, int) and "L" not in value:
                raise invalid_path()
            if isinstance(step, str) and "M" not in value:
                raise invalid_path()
            return None
        value = below
    return value


def _child(value: Value, step: Any) -> Value | None:
    found: Value | None
    if isinstance(step, str):
        found = value.get("M", {}).get(step)
        return found
    elements = value.get("L", ())
    return elements[step] if step < len(elements) else None


def _container(item: Item, path: Steps) -> Any:
    """The map's dict or list's list that holds a path's last step, copied together with all on the way to it."""
    holder: Any = item
    for at, step in enumerate(path[:-1]):
        value = _step_into(holder, step)
        kind = "L" if isinstance(path[at + 1], int) else "M"
        if value is None or kind not in value:
            raise invalid_path()
        copy: Any = list(value["L"]) if kind == "L" else dict(value["M"])
        holder[step] = {kind: copy}
        holder = copy
    return holder


def _step_into(holder: Any, step: Any) -> Value | None:
    found: Value | None
    if isinstance(holder, dict):
        found = holder.get(step)
        return found
    return holder[step] if step < len(holder) else None


def _replace(item: Item, path: Steps, value: Value | None) -> None:
    holder, last = _container(item, path), path[-1]
    if isinstance(holder, list) and isinstance(last, int) and last >= len(holder):
        holder.append(value)
    else:
        holder[last] = value


def _remove(item: Item, path: Steps) -> None:
    holder, last = _container(item, path), path[-1]
    if isinstance(holder, dict):
        holder.pop(last, None)
    elif isinstance(last, int) and last < len(holder):
        del holder[last]


def _sum(old: Value | None, change: Change) -> Value:
    added = change.value
    if added is None:
        raise AssertionError("ADD has a value")
    if old is None:
        return added
    kind = kind_of(added)
    if kind_of(old) != kind:
        raise ValidationError(change.mismatch)
    if kind == "N":
        return {"N": plus(old["N"], added["N"])}
    members = old[kind] + [member for member in added[kind] if member not in old[kind]]
    return {kind: sorted_set(kind, members)}


def _delete(item: Item, change: Change) -> None:
    old = _find(item, change.path)
    if old is None or change.value is None:
        return
    kind = kind_of(change.value)
    if kind_of(old) != kind:
        raise ValidationError(change.mismatch)
    members = [member for member in old[kind] if member not in change.value[kind]]
    if members:
        _replace(item, change.path, {kind: members})
    else:
        _remove(item, change.path)


def plus(left: str, right: str) -> str:
    """The sum; out of range is a validation error."""
    try:
        return numbers.add(left, right)
    except numbers.NumberError as error:
        raise ValidationError(str(error)) from None


def minus(left: str, right: str) -> str:
    """The difference; out of range is a validation error."""
    try:
        return numbers.subtract(left, right)
    except numbers.NumberError as error:
        raise ValidationError(str(error)) from None
