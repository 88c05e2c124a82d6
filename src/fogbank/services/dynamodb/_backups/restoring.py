"""The definition of a restored table: that of the source, with what the request overrides.

Tags, policies, streams, time to live, point-in-time recovery and protection do not come with it, as on DynamoDB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.dynamodb._tables import schemas
from fogbank.services.dynamodb._tables.creation import encryption_key, refuse
from fogbank.services.dynamodb.errors import invalid_parameter
from fogbank.services.dynamodb.model import BillingMode, Definition, IndexDefinition, IndexStatus, Throughput

_ABSENT = ("VectorIndexOverride",)
_INDEXES = {"GlobalSecondaryIndexOverride": True, "LocalSecondaryIndexOverride": False}


def restored(
    source: Definition, request: Mapping[str, Any], operation: str, scope: Scope, now: float, ids: Ids
) -> Definition:
    """What a restore makes of the source's definition."""
    refuse(request, _ABSENT, operation)
    billing = BillingMode(request.get("BillingModeOverride", source.billing))
    units = _units(source, request, billing, now)
    indexes = _indexes(source, request, billing)
    used = {part.name for part in source.keys.parts}
    used.update(part.name for index in indexes for part in index.keys.parts)
    key = source.encryption_key
    if "SSESpecificationOverride" in request:
        key = encryption_key(request["SSESpecificationOverride"], scope, ids)
    return Definition(
        name=request["TargetTableName"],
        uid=ids.uuid(),
        created=now,
        attributes=tuple(part for part in source.attributes if part.name in used),
        keys=source.keys,
        billing=billing,
        throughput=units,
        indexes=indexes,
        next_index=source.next_index,
        on_demand=schemas.on_demand(request.get("OnDemandThroughputOverride")) or source.on_demand,
        billing_changed=now if billing is BillingMode.PAY_PER_REQUEST else None,
        table_class=source.table_class,
        encryption_key=key,
        restoring=bool(indexes),
    )


def _units(source: Definition, request: Mapping[str, Any], billing: BillingMode, now: float) -> Throughput:
    given = request.get("ProvisionedThroughputOverride")
    if billing is BillingMode.PAY_PER_REQUEST:
        if given is not None:
            raise invalid_parameter(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        return Throughput(0, 0)
    if given is not None:
        return schemas.throughput(given, None, now)
    if source.billing is not billing:
        raise invalid_parameter(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    return Throughput(source.throughput.read, source.throughput.write)


def _indexes(source: Definition, request: Mapping[str, Any], billing: BillingMode) -> tuple[IndexDefinition, ...]:
    """The source's indexes, or those of them that the request names."""
    indexes = source.indexes
    for member, is_global in _INDEXES.items():
        if member not in request:
            continue
        wanted = {one["IndexName"] for one in request[member]}
        unknown = wanted - {index.name for index in indexes if index.is_global is is_global}
        if unknown:
            raise invalid_parameter(f"Index {min(unknown)} is not an index of the source table")
        indexes = tuple(index for index in indexes if index.is_global is not is_global or index.name in wanted)
    on_demand = billing is BillingMode.PAY_PER_REQUEST
    return tuple(
        replace(
            index,
            status=IndexStatus.ACTIVE,
            throughput=Throughput(0, 0) if on_demand and index.is_global else index.throughput,
        )
        for index in indexes
    )
