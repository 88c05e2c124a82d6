"""UpdateTable's request as a new definition, and what is to be done for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fogbank.core.errors import ValidationError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.dynamodb._tables import schemas
from fogbank.services.dynamodb._tables.creation import encryption_key, refuse, stream
from fogbank.services.dynamodb._tables.schemas import Given
from fogbank.services.dynamodb.errors import (
    LimitExceededError,
    ResourceNotFoundError,
    invalid_parameter,
)
from fogbank.services.dynamodb.model import (
    BillingMode,
    Definition,
    IndexDefinition,
    IndexStatus,
    KeyPart,
    Throughput,
)

_ABSENT = (
    "ReplicaUpdates",
    "MultiRegionConsistency",
    "GlobalTableWitnessUpdates",
    "GlobalTableSettingsReplicationMode",
    "DisassociationProtectionEnabled",
    "VectorIndexUpdates",
)
_CHANGES = (
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexUpdates",
    "StreamSpecification",
    "SSESpecification",
    "TableClass",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "WarmThroughput",
)

_ONE_INDEX_AT_A_TIME = (
    "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
)


@dataclass(frozen=True, slots=True)
class Change:
    """What an UpdateTable does to a table."""

    definition: Definition
    filled: tuple[int, ...] = ()
    """Numbers of new indexes, to be filled with the items that are there."""
    purged: tuple[int, ...] = ()
    """Numbers of indexes that are gone."""
    begins_stream: bool = False
    ends_stream: bool = False


def check_request(request: Given) -> None:
    """What is judged of an UpdateTable before the table is looked for."""
    refuse(request, _ABSENT, "UpdateTable")
    if not any(request.get(name, []) != [] for name in _CHANGES):
        raise ValidationError(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates "
            "or SSESpecification or ReplicaUpdates is required"
        )
    if "ProvisionedThroughput" in request:
        schemas.check_units(request["ProvisionedThroughput"])
    updates = request.get("GlobalSecondaryIndexUpdates", ())
    if any(len(update) != 1 for update in updates):
        raise invalid_parameter(
            "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
            "GlobalSecondaryIndexUpdate.Delete must not be null"
        )
    _check_once(updates)


def changed(request: Given, old: Definition, scope: Scope, now: float, ids: Ids) -> Change:
    """What the request makes of a table."""
    new = _capacity(request, old, now)
    if "DeletionProtectionEnabled" in request:
        new = replace(new, protected=request["DeletionProtectionEnabled"])
    if "TableClass" in request:
        new = replace(new, table_class=request["TableClass"], table_class_changed=now)
    if "OnDemandThroughput" in request:
        new = replace(new, on_demand=schemas.on_demand(request["OnDemandThroughput"]))
    if "WarmThroughput" in request:
        new = replace(new, warm=request["WarmThroughput"])
    if "SSESpecification" in request:
        new = replace(new, encryption_key=encryption_key(request["SSESpecification"], scope, ids))
    change = Change(new)
    if "GlobalSecondaryIndexUpdates" in request:
        change = _index_updates(request, new, now)
    if "StreamSpecification" in request:
        change = _stream_update(request["StreamSpecification"], change, now)
    return change


def _capacity(request: Given, old: Definition, now: float) -> Definition:
    """Billing mode and provisioned throughput."""
    billing = BillingMode(request.get("BillingMode", old.billing))
    given = request.get("ProvisionedThroughput")
    if billing is BillingMode.PAY_PER_REQUEST:
        if given is not None:
            raise invalid_parameter(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        if old.billing is billing:
            return old
        indexes = tuple(
            replace(index, throughput=Throughput(0, 0)) if index.is_global else index for index in old.indexes
        )
        return replace(old, billing=billing, billing_changed=now, throughput=Throughput(0, 0), indexes=indexes)
    if given is None:
        if old.billing is not billing:
            raise invalid_parameter(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
            )
        return old
    units = schemas.throughput(given, old.throughput, now)
    current = old.throughput
    if old.billing is billing and (units.read, units.write) == (current.read, current.write):
        raise _unchanged("table", current)
    return replace(old, billing=billing, throughput=units)


def _unchanged(what: str, current: Throughput) -> ValidationError:
    return ValidationError(
        f"The provisioned throughput for the {what} will not change. The requested value equals the current value. "
        f"Current ReadCapacityUnits provisioned for the {what}: {current.read}. "
        f"Requested ReadCapacityUnits: {current.read}. "
        f"Current WriteCapacityUnits provisioned for the {what}: {current.write}. "
        f"Requested WriteCapacityUnits: {current.write}. "
        "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
    )


def _index_updates(request: Given, old: Definition, now: float) -> Change:
    updates = request["GlobalSecondaryIndexUpdates"]
    _check_free(updates, old)
    given = schemas.attributes(request.get("AttributeDefinitions", ()))
    new = replace(old, attributes=_merged(old.attributes, given))
    filled: list[int] = []
    purged: list[int] = []
    for update in updates:
        if "Create" in update:
            new = _created(new, update["Create"], given, now)
            filled.append(new.indexes[-1].number)
        elif "Delete" in update:
            index = _existing(new, update["Delete"]["IndexName"])
            purged.append(index.number)
            new = replace(new, indexes=tuple(one for one in new.indexes if one is not index))
        else:
            new = _updated(new, update["Update"], now)
    schemas.check_indexes(new.indexes)
    return Change(_without_unused(new), tuple(filled), tuple(purged))


def _check_free(updates: list[Given], old: Definition) -> None:
    """While an index is being filled no other is created or deleted."""
    kinds = [kind for update in updates for kind in update]
    if kinds.count("Create") + kinds.count("Delete") > 1:
        raise LimitExceededError(_ONE_INDEX_AT_A_TIME)
    filling = next((index for index in old.indexes if index.status is not IndexStatus.ACTIVE), None)
    if filling is None:
        return
    for update in updates:
        if "Create" in update or ("Delete" in update and update["Delete"]["IndexName"] != filling.name):
            raise LimitExceededError(_ONE_INDEX_AT_A_TIME)


def _check_once(updates: Sequence[Given]) -> None:
    names: set[str] = set()
    for update in updates:
        for details in update.values():
            if details["IndexName"] in names:
                raise invalid_parameter(
                    "Only one global secondary index update per index is allowed simultaneously. "
                    f"Index: {details['IndexName']}"
                )
            names.add(details["IndexName"])


def _merged(old: tuple[KeyPart, ...], given: tuple[KeyPart, ...]) -> tuple[KeyPart, ...]:
    kinds = {part.name: part.kind for part in old}
    for part in given:
        if kinds.get(part.name, part.kind) != part.kind:
            raise invalid_parameter(f"Attribute type of {part.name} cannot be changed")
    return old + tuple(part for part in given if part.name not in kinds)


def _created(old: Definition, given: Given, attributes: tuple[KeyPart, ...], now: float) -> Definition:
    """With a new index; the request itself must define the index's keys, even those that the table knows."""
    if any(index.name == given["IndexName"] for index in old.indexes):
        raise ValidationError("Attempting to create an index which already exists")
    kinds = {part.name: part.kind for part in attributes}
    provisioned = old.billing is BillingMode.PROVISIONED
    index = schemas.global_index(given, old.next_index, kinds, provisioned=provisioned, now=now)
    index = replace(index, status=IndexStatus.CREATING)
    return replace(old, indexes=(*old.indexes, index), next_index=old.next_index + 1)


def _existing(definition: Definition, name: str) -> IndexDefinition:
    for index in definition.globals:
        if index.name == name:
            return index
    raise ResourceNotFoundError("Requested resource not found")


def _updated(old: Definition, given: Given, now: float) -> Definition:
    index = _existing(old, given["IndexName"])
    new = index
    if "ProvisionedThroughput" in given:
        if old.billing is BillingMode.PAY_PER_REQUEST:
            raise invalid_parameter(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        current = index.throughput or Throughput(0, 0)
        units = schemas.throughput(given["ProvisionedThroughput"], current, now)
        if (units.read, units.write) == (current.read, current.write):
            raise _unchanged(f"index {index.name}", current)
        new = replace(new, throughput=units)
    if "OnDemandThroughput" in given:
        new = replace(new, on_demand=schemas.on_demand(given["OnDemandThroughput"]))
    if "WarmThroughput" in given:
        new = replace(new, warm=given["WarmThroughput"])
    if new is index:
        raise invalid_parameter(f"Nothing to update for index: {index.name}")
    return replace(old, indexes=tuple(new if one is index else one for one in old.indexes))


def _without_unused(definition: Definition) -> Definition:
    """Attributes that are no index's key any more are not defined any more."""
    used = {part.name for part in definition.keys.parts}
    used.update(part.name for index in definition.indexes for part in index.keys.parts)
    return replace(definition, attributes=tuple(part for part in definition.attributes if part.name in used))


def _stream_update(given: Given, change: Change, now: float) -> Change:
    old = change.definition
    enabled = old.stream is not None and old.stream.enabled
    begun = stream(given, now)
    if begun is not None:
        if enabled:
            raise ValidationError(f"Table already has an enabled stream: TableName: {old.name}")
        return replace(change, definition=replace(old, stream=begun), begins_stream=True)
    if not enabled or old.stream is None:
        raise ValidationError(f"Table has no stream to disable: TableName: {old.name}")
    ended = replace(old, stream=replace(old.stream, enabled=False))
    return replace(change, definition=ended, ends_stream=True)
