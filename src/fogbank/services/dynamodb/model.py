"""Tables and indexes: what they are, and what their keys mean for an item.

A table's life:

    CreateTable            UpdateTable             DeleteTable
        │                      │                       │
    CREATING ──(at once)──► ACTIVE ◄──(at once)── UPDATING      DELETING ──► gone, its rows purged by the worker
                               │
                a new global index: CREATING, Backfilling ──(the worker has copied every item)──► ACTIVE

The answer to CreateTable says CREATING and the next look at the table says ACTIVE: the states that waiters and
infrastructure tools expect, without the wait.

`Definition` is what is stored; `Table` is a definition with its keys ready to be computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fogbank.core.errors import ValidationError
from fogbank.core.scope import Scope
from fogbank.services.dynamodb._values import keys
from fogbank.services.dynamodb._values.attributes import Item, Value
from fogbank.services.dynamodb._values.comparison import kind_of
from fogbank.services.dynamodb.errors import invalid_parameter

MAX_HASH_KEY = 2048
MAX_RANGE_KEY = 1024
KEY_MISMATCH = "The provided key element does not match the schema"


class BillingMode(StrEnum):
    """How capacity is paid for."""

    PROVISIONED = "PROVISIONED"
    PAY_PER_REQUEST = "PAY_PER_REQUEST"


class ProjectionType(StrEnum):
    """Which attributes an index has beside its keys."""

    ALL = "ALL"
    KEYS_ONLY = "KEYS_ONLY"
    INCLUDE = "INCLUDE"


class IndexStatus(StrEnum):
    """The state of a global secondary index."""

    CREATING = "CREATING"
    ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class KeyPart:
    """A key attribute: its name and its type, S, N or B."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class KeySchema:
    """Partition key attributes and sort key attributes, in order. Only a global index may have several of each."""

    hash: tuple[KeyPart, ...]
    range: tuple[KeyPart, ...] = ()

    @property
    def parts(self) -> tuple[KeyPart, ...]:
        """All of them, the partition key's first."""
        return self.hash + self.range

    def describe(self) -> list[dict[str, str]]:
        """As the API shows it."""
        hashes = [{"AttributeName": part.name, "KeyType": "HASH"} for part in self.hash]
        return hashes + [{"AttributeName": part.name, "KeyType": "RANGE"} for part in self.range]


@dataclass(frozen=True, slots=True)
class Throughput:
    """Provisioned capacity and when it was last changed (seconds since the epoch)."""

    read: int
    write: int
    increased: float | None = None
    decreased: float | None = None


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """A secondary index. `number` is its identity within the table: never used again after it is deleted."""

    number: int
    name: str
    is_global: bool
    keys: KeySchema
    projection: ProjectionType
    included: tuple[str, ...] = ()
    """NonKeyAttributes of an INCLUDE projection."""
    throughput: Throughput | None = None
    on_demand: dict[str, int] | None = None
    warm: dict[str, int] | None = None
    status: IndexStatus = IndexStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class Stream:
    """A table's stream; `label` is the time of its beginning, part of its ARN."""

    view: str
    label: str
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Definition:
    """Everything that is known of a table but its items. Times are seconds since the epoch."""

    name: str
    uid: str
    created: float
    attributes: tuple[KeyPart, ...]
    """AttributeDefinitions, in the order in which they were given."""
    keys: KeySchema
    billing: BillingMode
    throughput: Throughput
    indexes: tuple[IndexDefinition, ...] = ()
    next_index: int = 1
    on_demand: dict[str, int] | None = None
    warm: dict[str, int] | None = None
    billing_changed: float | None = None
    """When it last became PAY_PER_REQUEST."""
    protected: bool = False
    table_class: str | None = None
    table_class_changed: float | None = None
    encryption_key: str | None = None
    """The ARN of the KMS key, for a table with SSE type KMS."""
    stream: Stream | None = None
    ttl_attribute: str | None = None
    ttl_changed: float = 0.0
    recovery_days: int | None = None
    """Point-in-time recovery is on, for so many days back."""
    recovery_since: float = 0.0
    tags: dict[str, str] = field(default_factory=dict)
    policy: str | None = None
    policy_revision: str = ""
    restoring: bool = False
    """A restored table cannot be used until its indexes are filled."""
    restored: dict[str, str | float] | None = None
    """SourceBackupArn, SourceTableArn and RestoreDateTime of a table that was restored."""

    @property
    def locals(self) -> tuple[IndexDefinition, ...]:
        """The local secondary indexes."""
        return tuple(index for index in self.indexes if not index.is_global)

    @property
    def globals(self) -> tuple[IndexDefinition, ...]:
        """The global secondary indexes."""
        return tuple(index for index in self.indexes if index.is_global)


@dataclass(frozen=True, slots=True)
class Location:
    """Where an item is: its stored partition and sort key."""

    partition: bytes
    sort: bytes


class KeyReader:
    """Finds the keys of a schema in items and in `Key` parameters, checks them, and makes their bytes."""

    __slots__ = ("_count", "_hash", "_parts", "_range", "schema")

    def __init__(self, schema: KeySchema) -> None:
        self.schema = schema
        self._hash = tuple((part.name, part.kind) for part in schema.hash)
        self._range = tuple((part.name, part.kind) for part in schema.range)
        self._parts = self._hash + self._range
        self._count = len(self._parts)

    def of_item(self, item: Item) -> Location:
        """Where an item to be put belongs; every key must be there, of its type, not empty, not too long."""
        for name, kind in self._parts:
            value = item.get(name)
            if value is None:
                raise invalid_parameter(f"Missing the key {name} in the item")
            if kind not in value:
                raise invalid_parameter(f"Type mismatch for key {name} expected: {kind} actual: {kind_of(value)}")
            if not value[kind]:
                raise _empty_key(name, kind)
        return self._located(item)

    def of_key(self, key: Mapping[str, Value]) -> Location:
        """Where a `Key` parameter points; it must have just the key attributes."""
        if len(key) != self._count:
            raise ValidationError(KEY_MISMATCH)
        for name, kind in self._parts:
            value = key.get(name)
            if value is None or kind not in value:
                raise ValidationError(KEY_MISMATCH)
            if not value[kind]:
                raise _empty_key(name, kind)
        return self._located(key)

    def of_stored(self, item: Item) -> Location:
        """Where an item that was checked is."""
        return self._location(item)

    def of_indexed(self, item: Item) -> Location | None:
        """Where an item is in an index; `None` if it lacks one of the index's keys and so is not in it."""
        for name, kind in self._parts:
            value = item.get(name)
            if value is None or kind not in value:
                return None
        return self._location(item)

    def key_of(self, item: Mapping[str, Value]) -> Item:
        """Just the key attributes of an item."""
        return {name: item[name] for name, _ in self._parts}

    def names(self) -> frozenset[str]:
        """The names of the key attributes."""
        return frozenset(name for name, _ in self._parts)

    def _located(self, item: Mapping[str, Value]) -> Location:
        for name, kind in self._hash:
            if kind != "N" and key_length(item[name]) > MAX_HASH_KEY:
                raise invalid_parameter(f"Size of hashkey has exceeded the maximum size limit of{MAX_HASH_KEY} bytes")
        for name, kind in self._range:
            if kind != "N" and key_length(item[name]) > MAX_RANGE_KEY:
                raise invalid_parameter(
                    f"Aggregated size of all range keys has exceeded the size limit of {MAX_RANGE_KEY} bytes"
                )
        return self._location(item)

    def _location(self, item: Mapping[str, Value]) -> Location:
        partition = b"".join([keys.component(kind, item[name][kind]) for name, kind in self._hash])
        if not self._range:
            return Location(keys.partition(partition), b"")
        sort = b"".join([keys.component(kind, item[name][kind]) for name, kind in self._range])
        return Location(keys.partition(partition), sort)


def key_length(value: Value) -> int:
    """Bytes of a string or binary key."""
    content = value.get("S")
    if content is None:
        return len(value.get("B", b""))
    return len(content) if content.isascii() else len(content.encode())


def _empty_key(name: str, kind: str) -> ValidationError:
    sort = "string" if kind == "S" else "binary"
    return ValidationError(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
        f"empty {sort} value. Key: {name}"
    )


def _not_scalar(sort: str, name: str) -> ValidationError:
    return ValidationError(
        f"Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: {sort}: {name}"
    )


class Index:
    """A secondary index with its keys ready to be computed."""

    __slots__ = ("_attributes", "definition", "keys", "name", "number")

    def __init__(self, definition: IndexDefinition, table: KeyReader) -> None:
        self.definition = definition
        self.name = definition.name
        self.number = definition.number
        self.keys = KeyReader(definition.keys)
        self._attributes: frozenset[str] | None = None
        if definition.projection is not ProjectionType.ALL:
            self._attributes = table.names() | self.keys.names() | frozenset(definition.included)

    def project(self, item: Item) -> Item:
        """What of an item the index has."""
        attributes = self._attributes
        if attributes is None:
            return item
        return {name: value for name, value in item.items() if name in attributes}

    def lacks(self, attributes: frozenset[str]) -> frozenset[str]:
        """Which of `attributes` the index does not have."""
        return frozenset() if self._attributes is None else attributes - self._attributes

    def check(self, item: Item) -> None:
        """Whether an item to be put has, where it has them at all, keys of the index's types and lengths."""
        for part in self.definition.keys.parts:
            value = item.get(part.name)
            if value is None:
                continue
            if part.kind not in value:
                raise self.mismatch(part, kind_of(value))
            self._check_content(part, value)

    def mismatch(self, part: KeyPart, actual: str) -> ValidationError:
        """What is said to a key of another type than the index has."""
        return invalid_parameter(
            f"Type mismatch for Index Key {part.name} Expected: {part.kind} Actual: {actual} IndexName: {self.name}"
        )

    def _check_content(self, part: KeyPart, value: Value) -> None:
        if not value[part.kind]:
            sort = "string" if part.kind == "S" else "binary"
            raise ValidationError(
                "One or more parameter values are not valid. A value specified for a secondary index key is not "
                f"supported. The AttributeValue for a key attribute cannot contain an empty {sort} value. "
                f"IndexName: {self.name}, IndexKey: {part.name}"
            )
        if part.kind == "N":
            return
        if part in self.definition.keys.hash and key_length(value) > MAX_HASH_KEY:
            raise invalid_parameter(f"Size of hashkey has exceeded the maximum size limit of{MAX_HASH_KEY} bytes")
        if part in self.definition.keys.range and key_length(value) > MAX_RANGE_KEY:
            raise invalid_parameter(
                f"Aggregated size of all range keys has exceeded the size limit of {MAX_RANGE_KEY} bytes"
            )


class Table:
    """A table as it is used: its identity, its definition, its keys."""

    __slots__ = (
        "arn",
        "definition",
        "id",
        "indexes",
        "key_names",
        "keys",
        "name",
        "records",
        "scope",
        "ttl_attribute",
    )

    def __init__(self, identity: int, scope: Scope, definition: Definition) -> None:
        self.id = identity
        self.scope = scope
        self.definition = definition
        self.name = definition.name
        self.arn = scope.arn("dynamodb", f"table/{definition.name}")
        self.keys = KeyReader(definition.keys)
        self.key_names = self.keys.names()
        self.indexes = tuple(Index(index, self.keys) for index in definition.indexes)
        self.ttl_attribute = definition.ttl_attribute
        self.records = definition.stream is not None and definition.stream.enabled
        """Whether changes are recorded in a stream."""

    def index(self, name: str) -> Index | None:
        """The secondary index of that name."""
        return next((index for index in self.indexes if index.name == name), None)

    def check_scalars(self, nested: frozenset[str]) -> None:
        """An expression may not look into a key, of the table or of an index: keys are scalars."""
        for name in nested:
            if name in self.key_names:
                raise _not_scalar("Key", name)
            if any(name == part.name for index in self.definition.indexes for part in index.keys.parts):
                raise _not_scalar("IndexKey", name)

    def expiry(self, item: Item) -> int | None:
        """When an item expires (seconds since the epoch), if the table has a TTL attribute and the item has one."""
        if self.ttl_attribute is None:
            return None
        value = item.get(self.ttl_attribute)
        number = None if value is None else value.get("N")
        if number is None:
            return None
        whole = number.partition(".")[0]
        return int(whole) if len(whole) < 18 else None
