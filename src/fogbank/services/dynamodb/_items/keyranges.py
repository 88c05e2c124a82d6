"""Key conditions and start keys as ranges of stored keys."""

from __future__ import annotations

from collections.abc import Sequence
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

BAD_START = "The provided starting key is invalid"
_OPERATORS = frozenset(("=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"))
_USUAL_KEYS = 2
"""Key attributes of a table, and of an index that has not several to a key."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """One partition, and in it the sort keys from `low` up to, not including, `high` (`None`: to the end)."""

    partition: bytes
    low: bytes
    high: bytes | None
    bounded: bool = False
    """Whether the sort key is compared with anything."""

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
    the last of those compared with `=`. That all are named is judged before how they are compared, that before
    the types, and what is compared with what last.
    """
    _check_hash_named(schema, tests)
    given = {test.attribute: test for test in tests}
    sorted_by = schema.range[: len(tests) - len(schema.hash)]
    for part in sorted_by:
        if part.name not in given:
            raise _missed(part)
    if any(test.operator not in _OPERATORS for test in tests):
        raise ValidationError("Attempted conditional constraint is not an indexable operation")
    used = schema.hash + sorted_by
    for part in used:
        for value in given[part.name].values:
            _check_type(part, value)
    if any(given[part.name].operator != "=" for part in used[: max(len(schema.hash), len(used) - 1)]):
        raise ValidationError("Query key condition not supported")
    partition = keys.partition(b"".join([_component(part, given[part.name], MAX_HASH_KEY) for part in schema.hash]))
    prefix = b""
    for part in sorted_by:
        test = given[part.name]
        if test.operator != "=":
            return KeyRange(partition, *_bounds(prefix, part, test), bounded=True)
        prefix += _component(part, test, MAX_RANGE_KEY)
    return KeyRange(partition, prefix, keys.after(prefix), bounded=bool(sorted_by))


def _check_hash_named(schema: KeySchema, tests: Sequence[KeyTest]) -> None:
    """Not more conditions than key attributes, and one for each attribute of the partition key."""
    if len(tests) > len(schema.parts):
        if len(tests) > _USUAL_KEYS:
            raise ValidationError("Conditions can be of length 1 or 2 only")
        raise ValidationError("Query key condition not supported")
    named = {test.attribute for test in tests}
    for part in schema.hash:
        if part.name not in named:
            raise _missed(part)


def _missed(part: KeyPart) -> ValidationError:
    return ValidationError(f"Query condition missed key schema element: {part.name}")


def _component(part: KeyPart, test: KeyTest, limit: int) -> bytes:
    return _bytes_of(part, test.values[0], limit)


def _bytes_of(part: KeyPart, value: Value, limit: int) -> bytes:
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
        beginning = prefix + keys.beginning(part.kind, value[part.kind])
        return beginning, keys.after(beginning)
    found = [prefix + _bytes_of(part, value, MAX_RANGE_KEY) for value in test.values]
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


def check_start(given: Item, table: Table, index: Index | None, tests: Sequence[KeyTest] | None) -> None:
    """Whether an ExclusiveStartKey has the keys that a Query, or the Scan of an index, goes by.

    The partition key is judged first, then whether the conditions of a Query name it too, then the sort key.
    """
    if index is None and tests is None:
        return
    schema = table.definition.keys if index is None else index.definition.keys
    if len(given) != _count(table, index):
        raise ValidationError(BAD_START)
    _check_start(given, schema.hash)
    if tests is not None:
        _check_hash_named(schema, tests)
    _check_start(given, schema.range)


def start_of(given: Item, table: Table, index: Index | None) -> Start:
    """The place that an ExclusiveStartKey names: it must have the keys of the table, too."""
    parts = table.definition.keys.parts
    if len(given) != _count(table, index) or any(part.kind not in given.get(part.name, {}) for part in parts):
        raise ValidationError(f"{BAD_START}: {KEY_MISMATCH}")
    home = table.keys.of_key({name: given[name] for name in table.key_names})
    if index is None:
        return Start(home, home)
    place = index.keys.of_indexed(given)
    if place is None:
        raise ValidationError(BAD_START)
    return Start(place, home)


def _count(table: Table, index: Index | None) -> int:
    return len(table.key_names if index is None else table.key_names | index.keys.names())


def _check_start(given: Item, parts: Sequence[KeyPart]) -> None:
    for part in parts:
        if part.name not in given:
            raise ValidationError(BAD_START)
    for part in parts:
        if part.kind not in given[part.name]:
            raise ValidationError(KEY_MISMATCH)


def check_start_in(start: Start, within: KeyRange) -> None:
    """A page of a Query must begin inside what the Query is for; the sort key is judged first."""
    if not within.holds(start.place.sort):
        raise ValidationError("The provided starting key does not match the range key predicate")
    if start.place.partition != within.partition:
        if within.bounded:
            raise ValidationError("The query can return at most one row and cannot be restarted")
        raise ValidationError("The provided starting key is outside query boundaries based on provided conditions")


def check_start_in_segment(start: Start, segment: int, total: int) -> None:
    """A page of a parallel Scan must begin inside its own segment."""
    first, end = keys.segment(segment, total)
    if start.place.partition < first or (end is not None and start.place.partition >= end):
        raise ValidationError(
            f"{BAD_START}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "
            f"TotalSegments: {total} Segment: {segment}"
        )
