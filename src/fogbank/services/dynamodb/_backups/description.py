"""A backup as the API shows it."""

from __future__ import annotations

from typing import Any

from fogbank.core.scope import Scope
from fogbank.services.dynamodb._backups.storage import Backup
from fogbank.services.dynamodb._tables.description import projection, throughput
from fogbank.services.dynamodb.model import IndexDefinition, Throughput


def details(backup: Backup, status: str = "AVAILABLE") -> dict[str, Any]:
    """BackupDetails."""
    return {
        "BackupArn": backup.arn,
        "BackupName": backup.name,
        "BackupSizeBytes": backup.size,
        "BackupStatus": status,
        "BackupType": "USER",
        "BackupCreationDateTime": backup.created,
    }


def summary(backup: Backup, scope: Scope) -> dict[str, Any]:
    """BackupSummary."""
    table = backup.definition
    return {
        "TableName": table.name,
        "TableId": table.uid,
        "TableArn": scope.arn("dynamodb", f"table/{table.name}"),
        **details(backup),
    }


def description(backup: Backup, scope: Scope, status: str = "AVAILABLE") -> dict[str, Any]:
    """BackupDescription: the backup, and the table as it was."""
    table = backup.definition
    features: dict[str, Any] = {}
    if table.locals:
        features["LocalSecondaryIndexes"] = [_index(index) for index in table.locals]
    if table.globals:
        features["GlobalSecondaryIndexes"] = [
            {**_index(index), "ProvisionedThroughput": _units(index.throughput or Throughput(0, 0))}
            for index in table.globals
        ]
    if table.stream is not None and table.stream.enabled:
        features["StreamDescription"] = {"StreamEnabled": True, "StreamViewType": table.stream.view}
    if table.ttl_attribute is not None:
        features["TimeToLiveDescription"] = {"TimeToLiveStatus": "ENABLED", "AttributeName": table.ttl_attribute}
    if table.encryption_key is not None:
        features["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": table.encryption_key}
    return {
        "BackupDetails": details(backup, status),
        "SourceTableDetails": {
            "TableName": table.name,
            "TableId": table.uid,
            "TableArn": scope.arn("dynamodb", f"table/{table.name}"),
            "TableSizeBytes": backup.size,
            "KeySchema": table.keys.describe(),
            "TableCreationDateTime": table.created,
            "ProvisionedThroughput": _units(table.throughput),
            "ItemCount": backup.items,
            "BillingMode": table.billing.value,
        },
        "SourceTableFeatureDetails": features,
    }


def _units(given: Throughput) -> dict[str, Any]:
    shown = throughput(given)
    return {name: shown[name] for name in ("ReadCapacityUnits", "WriteCapacityUnits")}


def _index(index: IndexDefinition) -> dict[str, Any]:
    return {
        "IndexName": index.name,
        "KeySchema": index.keys.describe(),
        "Projection": projection(index),
    }
