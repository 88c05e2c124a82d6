"""A definition as TableDescription, and its other shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogbank.services.dynamodb.model import (
    BillingMode,
    IndexDefinition,
    IndexStatus,
    ProjectionType,
    Table,
    Throughput,
)

Statistics = Mapping[int, tuple[int, int]]
"""Number of items and their bytes, by index number; 0 is the table itself."""

_NOTHING = (0, 0)
_WARM_ON_DEMAND = (12_000, 4_000)
"""Read and write units that a table in on-demand mode can take at once without preparation."""


def describe(table: Table, statistics: Statistics, status: str = "ACTIVE") -> dict[str, Any]:
    """TableDescription. With `status` CREATING the global indexes are being created too."""
    definition = table.definition
    if definition.restoring and status == "ACTIVE":
        status = "CREATING"
    items, size = statistics.get(0, _NOTHING)
    shown: dict[str, Any] = {
        "AttributeDefinitions": [
            {"AttributeName": part.name, "AttributeType": part.kind} for part in definition.attributes
        ],
        "TableName": definition.name,
        "KeySchema": definition.keys.describe(),
        "TableStatus": status,
        "CreationDateTime": definition.created,
        "ProvisionedThroughput": throughput(definition.throughput),
        "TableSizeBytes": size,
        "ItemCount": items,
        "TableArn": table.arn,
        "TableId": definition.uid,
        "DeletionProtectionEnabled": definition.protected,
        "WarmThroughput": _warm(definition.warm, definition.throughput, definition.billing, status),
    }
    if definition.billing is BillingMode.PAY_PER_REQUEST or definition.billing_changed is not None:
        shown["BillingModeSummary"] = {"BillingMode": definition.billing.value}
        if definition.billing_changed is not None:
            shown["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] = definition.billing_changed
    if definition.locals:
        shown["LocalSecondaryIndexes"] = [_local(table, one, statistics) for one in definition.locals]
    if definition.globals:
        shown["GlobalSecondaryIndexes"] = [_global(table, one, statistics, status) for one in definition.globals]
    shown.update(_options(table))
    return shown


def _options(table: Table) -> dict[str, Any]:
    """The parts of a description that only some tables have."""
    definition = table.definition
    shown: dict[str, Any] = {}
    if definition.on_demand is not None:
        shown["OnDemandThroughput"] = definition.on_demand
    if definition.restored is not None:
        shown["RestoreSummary"] = {**definition.restored, "RestoreInProgress": definition.restoring}
    if definition.stream is not None:
        if definition.stream.enabled:
            shown["StreamSpecification"] = {
                "StreamEnabled": True,
                "StreamViewType": definition.stream.view,
            }
        shown["LatestStreamLabel"] = definition.stream.label
        shown["LatestStreamArn"] = stream_arn(table.arn, definition.stream.label)
    if definition.encryption_key is not None:
        shown["SSEDescription"] = {
            "Status": "ENABLED",
            "SSEType": "KMS",
            "KMSMasterKeyArn": definition.encryption_key,
        }
    if definition.table_class is not None:
        shown["TableClassSummary"] = {"TableClass": definition.table_class}
        if definition.table_class_changed is not None:
            shown["TableClassSummary"]["LastUpdateDateTime"] = definition.table_class_changed
    return shown


def stream_arn(table: str, label: str) -> str:
    """The ARN of a table's stream."""
    return f"{table}/stream/{label}"


def throughput(given: Throughput) -> dict[str, Any]:
    """ProvisionedThroughputDescription."""
    shown: dict[str, Any] = {
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": given.read,
        "WriteCapacityUnits": given.write,
    }
    if given.increased is not None:
        shown["LastIncreaseDateTime"] = given.increased
    if given.decreased is not None:
        shown["LastDecreaseDateTime"] = given.decreased
    return shown


def _warm(
    given: Mapping[str, int] | None, provisioned: Throughput, billing: BillingMode, status: str
) -> dict[str, Any]:
    read, write = _WARM_ON_DEMAND
    if billing is BillingMode.PROVISIONED:
        read, write = provisioned.read, provisioned.write
    given = given or {}
    return {
        "ReadUnitsPerSecond": max(read, given.get("ReadUnitsPerSecond", 0)),
        "WriteUnitsPerSecond": max(write, given.get("WriteUnitsPerSecond", 0)),
        "Status": "UPDATING" if status == "CREATING" else "ACTIVE",
    }


def projection(index: IndexDefinition) -> dict[str, Any]:
    """Projection."""
    shown: dict[str, Any] = {"ProjectionType": index.projection.value}
    if index.projection is ProjectionType.INCLUDE:
        shown["NonKeyAttributes"] = list(index.included)
    return shown


def _local(table: Table, index: IndexDefinition, statistics: Statistics) -> dict[str, Any]:
    items, size = statistics.get(index.number, _NOTHING)
    return {
        "IndexName": index.name,
        "KeySchema": index.keys.describe(),
        "Projection": projection(index),
        "IndexSizeBytes": size,
        "ItemCount": items,
        "IndexArn": f"{table.arn}/index/{index.name}",
    }


def _global(table: Table, index: IndexDefinition, statistics: Statistics, status: str) -> dict[str, Any]:
    creating = status == "CREATING" or index.status is IndexStatus.CREATING
    units = index.throughput or Throughput(0, 0)
    shown = _local(table, index, statistics)
    shown["IndexStatus"] = "CREATING" if creating else "ACTIVE"
    shown["ProvisionedThroughput"] = throughput(units)
    shown["WarmThroughput"] = _warm(index.warm, units, table.definition.billing, shown["IndexStatus"])
    if index.status is IndexStatus.CREATING:
        shown["Backfilling"] = True
    if index.on_demand is not None:
        shown["OnDemandThroughput"] = index.on_demand
    return shown
