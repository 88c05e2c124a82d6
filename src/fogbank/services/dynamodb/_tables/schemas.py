"""Keys, attributes and indexes of a request, checked together.

Source: the documentation of CreateTable in the service model, and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb.errors import invalid_parameter
from fogbank.services.dynamodb.model import (
    IndexDefinition,
    KeyPart,
    KeySchema,
    ProjectionType,
    Throughput,
)

MAX_LOCAL_INDEXES = 5
MAX_GLOBAL_INDEXES = 20
MAX_INCLUDED = 100
"""NonKeyAttributes, summed over the indexes of a table."""
MAX_INDEX_KEYS = 4
"""Partition key attributes, and sort key attributes, of a global index."""
MAX_UNITS = 1_000_000_000_000

Given = Mapping[str, Any]
Kinds = Mapping[str, str]
"""Attribute types by attribute name."""


def attributes(given: Sequence[Given]) -> tuple[KeyPart, ...]:
    """AttributeDefinitions."""
    names = [one["AttributeName"] for one in given]
    if len(set(names)) != len(names):
        raise ValidationError("Cannot have two attributes with the same name")
    return tuple(KeyPart(one["AttributeName"], one["AttributeType"]) for one in given)


def table_keys(given: Sequence[Given], kinds: Kinds) -> KeySchema:
    """The key schema of a table: a partition key, and perhaps a sort key."""
    _check_length(given)
    if len(kinds) < len(given):
        raise ValidationError("Invalid KeySchema: Some index key attribute have no definition")
    return _simple_keys(given, kinds)


def _check_length(given: Sequence[Given]) -> None:
    if len(given) > 2:
        shown = ", ".join(
            f"KeySchemaElement(attributeName={one['AttributeName']}, keyType={one['KeyType']})" for one in given
        )
        raise ValidationError(
            f"1 validation error detected: Value '[{shown}]' at 'keySchema' failed to satisfy constraint: "
            "Member must have length less than or equal to 2"
        )


def _simple_keys(given: Sequence[Given], kinds: Kinds) -> KeySchema:
    """One attribute or two; that they are defined is judged first, then that they differ, and then their order."""
    _check_defined(given, kinds)
    if len(given) == 2 and given[0]["AttributeName"] == given[1]["AttributeName"]:
        raise ValidationError("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    _check_order(given)
    return _schema(given, kinds)


def _check_defined(given: Sequence[Given], kinds: Kinds) -> None:
    names = [one["AttributeName"] for one in given]
    if any(name not in kinds for name in names):
        raise invalid_parameter(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(kinds)}]"
        )


def global_keys(given: Sequence[Given], kinds: Kinds) -> KeySchema:
    """The key schema of a global index: one to four partition key attributes, then up to four for the sort key."""
    hashes = [one for one in given if one["KeyType"] == "HASH"]
    if len(given) <= 2 and (len(hashes) <= 1 or given[0]["AttributeName"] == given[1]["AttributeName"]):
        return _simple_keys(given, kinds)
    _check_defined(given, kinds)
    if list(given[: len(hashes)]) != hashes or not hashes:
        raise ValidationError(
            "Invalid KeySchema: The KeySchemaElements of key type HASH must come before those of key type RANGE"
        )
    if len(hashes) > MAX_INDEX_KEYS or len(given) - len(hashes) > MAX_INDEX_KEYS:
        raise invalid_parameter(
            f"A global secondary index supports up to {MAX_INDEX_KEYS} partition key attributes and up to "
            f"{MAX_INDEX_KEYS} sort key attributes"
        )
    names = [one["AttributeName"] for one in given]
    if len(set(names)) != len(names):
        raise ValidationError("Invalid KeySchema: An attribute can be used only once in a KeySchema")
    return _schema(given, kinds)


def _check_order(given: Sequence[Given]) -> None:
    if given[0]["KeyType"] != "HASH":
        raise ValidationError("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(given) == 2 and given[1]["KeyType"] != "RANGE":
        raise ValidationError("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")


def _schema(given: Sequence[Given], kinds: Kinds) -> KeySchema:
    parts = [(one["KeyType"], KeyPart(one["AttributeName"], kinds[one["AttributeName"]])) for one in given]
    return KeySchema(
        tuple(part for kind, part in parts if kind == "HASH"),
        tuple(part for kind, part in parts if kind == "RANGE"),
    )


def check_attributes(defined: Sequence[KeyPart], keys: KeySchema, indexes: Sequence[IndexDefinition]) -> None:
    """Every defined attribute must be a key of something."""
    names = [part.name for part in defined]
    shown = f"[{', '.join(names)}]"
    used = {part.name for part in keys.parts}
    used.update(part.name for index in indexes for part in index.keys.parts)
    if used == set(names):
        return
    if not indexes:
        raise invalid_parameter(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions"
        )
    raise invalid_parameter(
        f"Some AttributeDefinitions are not used. AttributeDefinitions: {shown}, "
        f"keys used: [{', '.join(name for name in names if name in used)}]"
    )


def local_index(given: Given, number: int, table: KeySchema, kinds: Kinds) -> IndexDefinition:
    """A local secondary index: the table's partition key, and a sort key of its own."""
    name = given["IndexName"]
    if not table.range:
        raise invalid_parameter(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    _check_length(given["KeySchema"])
    keys = _simple_keys(given["KeySchema"], kinds)
    if not keys.range:
        raise invalid_parameter(f"Index KeySchema does not have a range key for index: {name}")
    if keys.hash != table.hash:
        raise invalid_parameter(
            f"Index KeySchema does not have the same leading hash key as table KeySchema for index: {name}. "
            f"index hash key: {keys.hash[0].name}, table hash key: {table.hash[0].name}"
        )
    projection, included = _projection(given["Projection"])
    return IndexDefinition(number, name, is_global=False, keys=keys, projection=projection, included=included)


def global_index(given: Given, number: int, kinds: Kinds, *, provisioned: bool, now: float) -> IndexDefinition:
    """A global secondary index."""
    name = given["IndexName"]
    keys = global_keys(given["KeySchema"], kinds)
    projection, included = _projection(given["Projection"])
    units = given.get("ProvisionedThroughput")
    if provisioned and units is None:
        raise invalid_parameter(f"ProvisionedThroughput is not specified for index: {name}")
    if not provisioned and units is not None:
        raise invalid_parameter(
            f"ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST"
        )
    return IndexDefinition(
        number,
        name,
        is_global=True,
        keys=keys,
        projection=projection,
        included=included,
        throughput=throughput(units, None, now) if units is not None else Throughput(0, 0),
        on_demand=on_demand(given.get("OnDemandThroughput")),
        warm=given.get("WarmThroughput"),
    )


def _projection(given: Given) -> tuple[ProjectionType, tuple[str, ...]]:
    kind, names = given.get("ProjectionType"), given.get("NonKeyAttributes")
    if kind is None:
        raise invalid_parameter("Unknown ProjectionType: null")
    if kind == "INCLUDE" and names is None:
        raise invalid_parameter("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    if kind != "INCLUDE" and names is not None:
        raise invalid_parameter(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    included = tuple(names or ())
    if len(set(included)) != len(included):
        raise invalid_parameter("Duplicate values in NonKeyAttributes")
    return ProjectionType(kind), included


def check_indexes(indexes: Sequence[IndexDefinition]) -> None:
    """Names are unique in a table, and there are not too many of anything."""
    names: set[str] = set()
    for index in indexes:
        if index.name in names:
            raise invalid_parameter(f"Duplicate index name: {index.name}")
        names.add(index.name)
    locals_ = sum(not index.is_global for index in indexes)
    if locals_ > MAX_LOCAL_INDEXES:
        raise invalid_parameter(f"Number of LocalSecondaryIndexes exceeds per-table limit of {MAX_LOCAL_INDEXES}")
    if len(indexes) - locals_ > MAX_GLOBAL_INDEXES:
        raise invalid_parameter(f"GlobalSecondaryIndex count exceeds the per-table limit of {MAX_GLOBAL_INDEXES}")
    if sum(len(index.included) for index in indexes) > MAX_INCLUDED:
        raise invalid_parameter(
            f"Total number of projected NonKeyAttributes exceeds the per-table limit of {MAX_INCLUDED}"
        )


def check_units(given: Given) -> None:
    """There is a bound to what may be provisioned."""
    for name in ("ReadCapacityUnits", "WriteCapacityUnits"):
        if given[name] > MAX_UNITS:
            raise ValidationError(f"Given value {given[name]} for {name} is out of bounds")


def throughput(given: Given, current: Throughput | None, now: float) -> Throughput:
    """Provisioned capacity, and when it went up or down."""
    check_units(given)
    read, write = given["ReadCapacityUnits"], given["WriteCapacityUnits"]
    if current is None:
        return Throughput(read, write)
    rises = read > current.read or write > current.write
    falls = read < current.read or write < current.write
    return Throughput(read, write, now if rises else current.increased, now if falls else current.decreased)


def on_demand(given: Given | None) -> dict[str, int] | None:
    """OnDemandThroughput: at least one of its limits must be there; -1 takes a limit away."""
    if given is None:
        return None
    if not given:
        raise invalid_parameter(
            "At least one of MaxReadRequestUnits or MaxWriteRequestUnits must be specified in OnDemandThroughput"
        )
    for name, units in given.items():
        if units < 1 and units != -1:
            raise invalid_parameter(f"{name} must be greater than 0, or -1")
    return dict(given)
