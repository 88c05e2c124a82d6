"""Key conditions and start keys as ranges of stored keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions.keyconditions import KeyTest
from fogbank.services.dynamodb._values import keys
from fogbank.services.dynamodb._values.attributes import Item, Value
from fogbank.services.dynamodb.errors import invalid_parameter
from fogbank.services.dynamodb.model import (
    KEY_MISMATCH,
    MAX_HASH_KEY,
    MAX_RANGE_KEY,
    Index,
    KeyPart,
    KeySchema,
    Location,
    Table,
    key_length,
)

_BAD_START = "The provided starting key is invalid"


@dataclass(frozen=True, slots=True)
class KeyRange:
    """One partition, and in it the sort keys from `low` up to, not including, `high` (`None`: to the end)."""

    partition: bytes
    low: bytes
    high: bytes | None

    def holds(self, sort: bytes) -> bool:
        """Whether a sort key is in the range."""
        return sort >= self.low and (self.high is None or sort < self.high)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a page begins: after this place of the table or index, which is that of the item at `home`."""

    place: Location
    home: Location


def key_range(schema: KeySchema, tests: Sequence[KeyTest]) -> KeyRange:
    """The range that the comparisons name.

    Every partition key attribute must be compared with `=`. Sort key attributes are compared in order, all but
    the last of those compared with `=`.
    """
    given = {test.attribute: test for test in tests}
    components = []
    for part in schema.hash:
        test = given.pop(part.name, None)
        if test is None:
            raise ValidationError(f"Query condition missed key schema element: {part.name}")
        if test.operator != "=":
            raise ValidationError("Query key condition not supported")
        components.append(_component(part, test.values[0], MAX_HASH_KEY))
    partition = keys.partition(b"".join(components))
    prefix = b""
    for part in schema.range:
        test = given.pop(part.name, None)
        if test is None:
            if given:
                raise ValidationError(f"Query condition missed key schema element: {part.name}")
            break
        if test.operator != "=":
            if given:
                raise ValidationError("Query key condition not supported")
            return KeyRange(partition, *_bounds(prefix, part, test))
        prefix += _component(part, test.values[0], MAX_RANGE_KEY)
    if given:
        raise ValidationError("Query key condition not supported")
    return KeyRange(partition, prefix, keys.after(prefix))


def _component(part: KeyPart, value: Value, limit: int) -> bytes:
    _check_type(part, value)
    if not value[part.kind]:
        sort = "string" if part.kind == "S" else "binary"
        raise ValidationError(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {sort} value. Key: {part.name}"
        )
    if part.kind != "N" and key_length(value) > limit:
        if limit == MAX_HASH_KEY:
            raise invalid_parameter(f"Size of hashkey has exceeded the maximum size limit of{limit} bytes")
        raise invalid_parameter(f"Aggregated size of all range keys has exceeded the size limit of {limit} bytes")
    return keys.component(part.kind, value[part.kind])


def _check_type(part: KeyPart, value: Value) -> None:
    if part.kind not in value:
        raise invalid_parameter("Condition parameter type does not match schema type")


def _bounds(prefix: bytes, part: KeyPart, test: KeyTest) -> tuple[bytes, bytes | None]:
    """The range of one comparison other than `=`."""
    if test.operator == "begins_with":
        value = test.values[0]
        _check_type(part, value)
        beginning = prefix + keys.beginning(part.kind, value[part.kind])
        return beginning, keys.after(beginning)
    found = [prefix + _component(part, value, MAX_RANGE_KEY) for value in test.values]
    first = found[0]
    match test.operator:
        case "<":
            return prefix, first
        case "<=":
            return prefix, keys.after(first)
        case ">":
            return keys.after(first) or first, keys.after(prefix)
        case ">=":
            return first, keys.after(prefix)
        case _:
            return first, keys.after(found[1])


def start_of(given: Mapping[str, Value], table: Table, index: Index | None, *, scans: bool) -> Start:
    """The place that an ExclusiveStartKey names: it must have the keys of the table, and of the index if any.

    Only the Scan of a table says more than that it is invalid.
    """
    message = f"{_BAD_START}: {KEY_MISMATCH}" if scans and index is None else _BAD_START
    item: Item = dict(given)
    expected = {part.name: part.kind for part in table.definition.keys.parts}
    if index is not None:
        expected.update({part.name: part.kind for part in index.definition.keys.parts})
    if item.keys() != expected.keys() or any(kind not in item[name] for name, kind in expected.items()):
        raise ValidationError(message)
    home = table.keys.of_key({name: item[name] for name in table.key_names})
    if index is None:
        return Start(home, home)
    place = index.keys.of_indexed(item)
    if place is None:
        raise ValidationError(message)
    return Start(place, home)


def check_start_in(start: Start, within: KeyRange) -> None:
    """A page of a Query must begin inside what the Query is for."""
    if start.place.partition != within.partition:
        raise ValidationError("The provided starting key is outside query boundaries based on provided conditions")
    if not within.holds(start.place.sort):
        raise ValidationError("The provided starting key does not match the range key predicate")


def check_start_in_segment(start: Start, segment: int, total: int) -> None:
    """A page of a parallel Scan must begin inside its own segment."""
    first, end = keys.segment(segment, total)
    if start.place.partition < first or (end is not None and start.place.partition >= end):
        raise ValidationError(
            f"{_BAD_START}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "
            f"TotalSegments: {total} Segment: {segment}"
        )
