"""Tables over the wire: their life, their settings, and what becomes of wrong requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.dynamodb.shapes import COMPOSITE, SIMPLE, attributes, index, make, put, refusal


@pytest.fixture
def client(aws: Callable[..., Any]) -> Any:
    return aws("dynamodb")


def test_a_table_is_creating_then_active_then_gone(client: Any) -> None:
    created = client.create_table(TableName="orders", **SIMPLE)["TableDescription"]
    assert created["TableStatus"] == "CREATING"
    client.get_waiter("table_exists").wait(TableName="orders", WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    table = client.describe_table(TableName="orders")["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert table["TableId"] == created["TableId"]
    assert client.delete_table(TableName="orders")["TableDescription"]["TableStatus"] == "DELETING"
    client.get_waiter("table_not_exists").wait(TableName="orders", WaiterConfig={"Delay": 1, "MaxAttempts": 1})
    assert refusal(client.describe_table, TableName="orders") == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: orders not found",
    )


def test_a_name_is_used_once_and_is_free_again_after_deletion(client: Any) -> None:
    make(client)
    put(client, id="old")
    assert refusal(client.create_table, TableName="table", **SIMPLE) == (
        "ResourceInUseException",
        "Table already exists: table",
    )
    client.delete_table(TableName="table")
    make(client)
    assert client.scan(TableName="table")["Items"] == []


def test_regions_and_accounts_have_tables_of_their_own(aws: Callable[..., Any], client: Any) -> None:
    make(client)
    elsewhere = aws("dynamodb", region_name="eu-west-1")
    assert elsewhere.list_tables()["TableNames"] == []
    other = aws("dynamodb", aws_access_key_id="111111111111")
    assert other.list_tables()["TableNames"] == []
    make(other)
    arn = other.describe_table(TableName="table")["Table"]["TableArn"]
    assert arn == "arn:aws:dynamodb:us-east-1:111111111111:table/table"


def test_tables_are_listed_in_order_a_page_at_a_time(client: Any) -> None:
    for name in ("bbb", "aaa", "ddd", "ccc"):
        make(client, name)
    first = client.list_tables(Limit=3)
    assert (first["TableNames"], first["LastEvaluatedTableName"]) == (["aaa", "bbb", "ccc"], "ccc")
    rest = client.list_tables(ExclusiveStartTableName="ccc")
    assert rest["TableNames"] == ["ddd"]
    assert "LastEvaluatedTableName" not in rest
    names = [name for page in client.get_paginator("list_tables").paginate() for name in page["TableNames"]]
    assert names == ["aaa", "bbb", "ccc", "ddd"]


def test_items_are_counted_in_tables_and_indexes(client: Any) -> None:
    make(client, shape=COMPOSITE)
    put(client, pk="a", sk=1, color="red", rank=5)
    put(client, pk="a", sk=2)
    table = client.describe_table(TableName="table")["Table"]
    assert (table["ItemCount"], table["TableSizeBytes"]) == (2, 28)
    counts = {one["IndexName"]: one["ItemCount"] for one in table["GlobalSecondaryIndexes"]}
    assert counts == {"by-color": 1, "colors": 1}
    assert table["LocalSecondaryIndexes"][0]["ItemCount"] == 1


def test_a_protected_table_is_not_deleted(client: Any) -> None:
    make(client, DeletionProtectionEnabled=True)
    assert refusal(client.delete_table, TableName="table") == (
        "ValidationException",
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
    )
    client.update_table(TableName="table", DeletionProtectionEnabled=False)
    client.delete_table(TableName="table")


def test_an_index_that_is_added_later_has_the_items_that_were_there(client: Any) -> None:
    make(client)
    with_batches(client, 450)
    updated = client.update_table(
        TableName="table",
        AttributeDefinitions=attributes(id="S", group="S"),
        GlobalSecondaryIndexUpdates=[{"Create": index("by-group", "group", "id")}],
    )["TableDescription"]
    assert updated["TableStatus"] == "UPDATING"
    put(client, id="late", group="even")
    wait_for_index(client)
    found = count_in_group(client, "even")
    assert found == 226
    client.update_table(TableName="table", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-group"}}])
    assert refusal(client.scan, TableName="table", IndexName="by-group") == (
        "ValidationException",
        "The table does not have the specified index: by-group",
    )


def with_batches(client: Any, count: int) -> None:
    for start in range(0, count, 25):
        puts = [
            {"PutRequest": {"Item": {"id": {"S": f"{n:04}"}, "group": {"S": "odd" if n % 2 else "even"}}}}
            for n in range(start, min(start + 25, count))
        ]
        client.batch_write_item(RequestItems={"table": puts})


def wait_for_index(client: Any) -> None:
    """Ask until the index is active; the server fills it as fast as it can."""
    for _ in range(2000):
        described = client.describe_table(TableName="table")["Table"]["GlobalSecondaryIndexes"][0]
        if described["IndexStatus"] == "ACTIVE":
            return
        assert described["Backfilling"] is True
    raise AssertionError("the index never became active")


def count_in_group(client: Any, group: str) -> int:
    return int(
        client.query(
            TableName="table", IndexName="by-group", Select="COUNT", KeyConditionExpression="#g = :g",
            ExpressionAttributeNames={"#g": "group"}, ExpressionAttributeValues={":g": {"S": group}},
        )["Count"]
    )  # fmt: skip


def test_tags_are_added_changed_and_removed(client: Any) -> None:
    make(client, Tags=[{"Key": "team", "Value": "a"}])
    arn = client.describe_table(TableName="table")["Table"]["TableArn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "x", "Value": ""}])
    client.untag_resource(ResourceArn=arn, TagKeys=["x", "absent"])
    assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "b"}]
    code, _ = refusal(client.list_tags_of_resource, ResourceArn=arn + "2")
    assert code == "ResourceNotFoundException"


def test_a_table_is_found_by_its_arn_too(client: Any) -> None:
    make(client)
    arn = client.describe_table(TableName="table")["Table"]["TableArn"]
    client.put_item(TableName=arn, Item={"id": {"S": "a"}})
    assert client.get_item(TableName=arn, Key={"id": {"S": "a"}})["Item"] == {"id": {"S": "a"}}
    elsewhere = arn.replace("us-east-1", "eu-west-1")
    assert refusal(client.get_item, TableName=elsewhere, Key={"id": {"S": "a"}}) == (
        "ValidationException",
        f"1 validation error detected: Invalid AWS region in '{elsewhere}'",
    )


def test_time_to_live_is_turned_on_and_off(client: Any) -> None:
    make(client)
    off = {"TimeToLiveStatus": "DISABLED"}
    on = {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    assert client.describe_time_to_live(TableName="table")["TimeToLiveDescription"] == off

    def update(enabled: bool, name: str = "expires") -> dict[str, Any]:
        specification = {"Enabled": enabled, "AttributeName": name}
        return {"TableName": "table", "TimeToLiveSpecification": specification}

    assert refusal(client.update_time_to_live, **update(False)) == (
        "ValidationException",
        "TimeToLive is already disabled",
    )
    reply = client.update_time_to_live(**update(True))
    assert reply["TimeToLiveSpecification"] == {"Enabled": True, "AttributeName": "expires"}
    assert client.describe_time_to_live(TableName="table")["TimeToLiveDescription"] == on
    assert refusal(client.update_time_to_live, **update(True))[1] == "TimeToLive is already enabled"
    assert refusal(client.update_time_to_live, **update(True, "other"))[1] == (
        "TimeToLive is active on a different AttributeName: current AttributeName is expires"
    )
    client.update_time_to_live(**update(False))
    assert client.describe_time_to_live(TableName="table")["TimeToLiveDescription"] == off
    assert refusal(client.describe_time_to_live, TableName="none") == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: none not found",
    )


def test_continuous_backups_are_described(client: Any) -> None:
    make(client)
    described = client.describe_continuous_backups(TableName="table")["ContinuousBackupsDescription"]
    assert described == {
        "ContinuousBackupsStatus": "ENABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
    }
    on = client.update_continuous_backups(
        TableName="table", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert (on["PointInTimeRecoveryStatus"], on["RecoveryPeriodInDays"]) == ("ENABLED", 35)
    assert refusal(client.describe_continuous_backups, TableName="none") == (
        "TableNotFoundException",
        "Table not found: none",
    )


def test_resource_policies_are_kept_by_revision(client: Any) -> None:
    make(client)
    arn = client.describe_table(TableName="table")["Table"]["TableArn"]
    assert refusal(client.get_resource_policy, ResourceArn=arn)[0] == "PolicyNotFoundException"
    revision = client.put_resource_policy(ResourceArn=arn, Policy='{"Version":"2012-10-17"}')["RevisionId"]
    found = client.get_resource_policy(ResourceArn=arn)
    assert (found["Policy"], found["RevisionId"]) == ('{"Version":"2012-10-17"}', revision)
    assert (
        refusal(client.delete_resource_policy, ResourceArn=arn, ExpectedRevisionId="x")[0] == "PolicyNotFoundException"
    )
    assert client.delete_resource_policy(ResourceArn=arn)["RevisionId"] == revision
    assert refusal(client.get_resource_policy, ResourceArn=arn)[0] == "PolicyNotFoundException"


def test_limits_and_endpoints_are_described(client: Any) -> None:
    assert client.describe_limits()["TableMaxReadCapacityUnits"] == 40_000
    assert client.describe_endpoints()["Endpoints"][0]["Address"] == "dynamodb.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("name", "constraint"),
    [
        ("ab", "Member must have length greater than or equal to 3"),
        ("a" * 256, "Member must have length less than or equal to 255"),
        ("abc;", "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"),
    ],
)
def test_a_name_that_cannot_be(client: Any, name: str, constraint: str) -> None:
    message = f"1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: {constraint}"
    assert refusal(client.get_item, TableName=name, Key={"id": {"S": "a"}}) == ("ValidationException", message)
    if "length" in constraint:
        message = "TableName must be at least 3 characters long and at most 255 characters long"
    assert refusal(client.create_table, TableName=name, **SIMPLE) == ("ValidationException", message)


def test_what_is_not_implemented_says_so_by_name(client: Any) -> None:
    make(client)
    code, message = refusal(client.describe_global_table, GlobalTableName="table")
    assert (code, "dynamodb.DescribeGlobalTable" in message) == ("NotImplemented", True)
    replicas = [{"Create": {"RegionName": "eu-west-1"}}]
    code, message = refusal(client.update_table, TableName="table", ReplicaUpdates=replicas)
    assert (code, "ReplicaUpdates" in message) == ("NotImplemented", True)
