"""Backups over the wire: a table as it was, and tables made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.dynamodb.shapes import COMPOSITE, make, plain, put, refusal


@pytest.fixture
def client(aws: Callable[..., Any]) -> Any:
    """A client, and in its table 450 items."""
    client = aws("dynamodb")
    make(client, shape=COMPOSITE)
    for start in range(0, 450, 25):
        items = [plain({"pk": f"p{n % 3}", "sk": n, "color": "red", "rank": n}) for n in range(start, start + 25)]
        client.batch_write_item(RequestItems={"table": [{"PutRequest": {"Item": item}} for item in items]})
    return client


def wait_for(client: Any, name: str) -> dict[str, Any]:
    """Ask until a table is active; the server restores it as fast as it can."""
    for _ in range(2000):
        table: dict[str, Any] = client.describe_table(TableName=name)["Table"]
        if table["TableStatus"] == "ACTIVE":
            return table
    raise AssertionError("the table never became active")


def reds(client: Any, name: str) -> int:
    return int(
        client.query(
            TableName=name, IndexName="by-color", Select="COUNT", KeyConditionExpression="color = :c",
            ExpressionAttributeValues={":c": {"S": "red"}},
        )["Count"]
    )  # fmt: skip


def test_a_backup_keeps_the_table_as_it_was(client: Any) -> None:
    backup = client.create_backup(TableName="table", BackupName="before")["BackupDetails"]
    assert (backup["BackupStatus"], backup["BackupType"]) == ("CREATING", "USER")
    put(client, pk="late", sk=1)
    client.delete_item(TableName="table", Key=plain({"pk": "p0", "sk": 0}))
    described = client.describe_backup(BackupArn=backup["BackupArn"])["BackupDescription"]
    assert described["BackupDetails"]["BackupStatus"] == "AVAILABLE"
    assert described["SourceTableDetails"]["ItemCount"] == 450
    assert len(described["SourceTableFeatureDetails"]["GlobalSecondaryIndexes"]) == 2
    target = client.restore_table_from_backup(TargetTableName="restored", BackupArn=backup["BackupArn"])
    assert target["TableDescription"]["RestoreSummary"]["RestoreInProgress"] is True
    table = wait_for(client, "restored")
    assert table["RestoreSummary"]["SourceBackupArn"] == backup["BackupArn"]
    assert table["RestoreSummary"]["RestoreInProgress"] is False
    assert table["ItemCount"] == 450
    assert reds(client, "restored") == 450
    assert "Item" in client.get_item(TableName="restored", Key=plain({"pk": "p0", "sk": 0}))
    assert "Item" not in client.get_item(TableName="restored", Key=plain({"pk": "late", "sk": 1}))


def test_a_backup_outlives_its_table(client: Any) -> None:
    arn = client.create_backup(TableName="table", BackupName="last")["BackupDetails"]["BackupArn"]
    client.delete_table(TableName="table")
    client.restore_table_from_backup(TargetTableName="table", BackupArn=arn, GlobalSecondaryIndexOverride=[])
    table = wait_for(client, "table")
    assert "GlobalSecondaryIndexes" not in table
    assert len(table["LocalSecondaryIndexes"]) == 1
    assert table["ItemCount"] == 450


def test_backups_are_listed_and_deleted(client: Any) -> None:
    make(client, "other")
    arns = [
        client.create_backup(TableName=name, BackupName=f"backup-{name}")["BackupDetails"]["BackupArn"]
        for name in ("table", "other", "table")
    ]
    listed = client.list_backups()["BackupSummaries"]
    assert [one["BackupArn"] for one in listed] == arns
    assert [one["BackupArn"] for one in client.list_backups(TableName="other")["BackupSummaries"]] == [arns[1]]
    first = client.list_backups(Limit=2)
    assert first["LastEvaluatedBackupArn"] == arns[1]
    rest = client.list_backups(ExclusiveStartBackupArn=arns[1])["BackupSummaries"]
    assert [one["BackupArn"] for one in rest] == arns[2:]
    deleted = client.delete_backup(BackupArn=arns[0])["BackupDescription"]
    assert deleted["BackupDetails"]["BackupStatus"] == "DELETED"
    assert refusal(client.describe_backup, BackupArn=arns[0]) == (
        "BackupNotFoundException",
        f"Backup not found: {arns[0]}",
    )


def test_a_table_is_restored_as_it_is_now_where_recovery_is_on(client: Any) -> None:
    request = {"SourceTableName": "table", "TargetTableName": "copy", "UseLatestRestorableTime": True}
    assert refusal(client.restore_table_to_point_in_time, **request) == (
        "PointInTimeRecoveryUnavailableException",
        "Point in time recovery is not enabled for table 'table'",
    )
    client.update_continuous_backups(
        TableName="table", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    client.restore_table_to_point_in_time(**request)
    assert wait_for(client, "copy")["ItemCount"] == 450
    assert refusal(client.restore_table_to_point_in_time, **request) == (
        "TableAlreadyExistsException",
        "Table already exists: copy",
    )
    earlier = {"SourceTableName": "table", "TargetTableName": "old", "RestoreDateTime": 1_700_000_000}
    code, message = refusal(client.restore_table_to_point_in_time, **earlier)
    assert (code, "RestoreDateTime" in message) == ("NotImplemented", True)


def test_what_is_not_there_cannot_be_backed_up(client: Any) -> None:
    assert refusal(client.create_backup, TableName="none", BackupName="backup") == (
        "TableNotFoundException",
        "Table not found: none",
    )
