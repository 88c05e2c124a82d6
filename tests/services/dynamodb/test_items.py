"""Items over the wire: put, get, update, delete, conditions, what is given back and what it costs."""

# ruff: noqa: E501 - one row of a table is one line
from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError
from tests.conftest import ServerProcess
from tests.services.dynamodb.shapes import COMPOSITE, make, plain, put, refusal

INVALID = "One or more parameter values were invalid: "
EMPTY_KEY = (
    "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty "
    "string value. Key: id"
)
MISMATCH = "The provided key element does not match the schema"


@pytest.fixture
def client(aws: Callable[..., Any]) -> Any:
    client = aws("dynamodb")
    make(client)
    return client


@pytest.fixture
def table(client: Any, server: ServerProcess) -> Any:
    """The table `table` as boto3's resource."""
    resource: Any = boto3.resource(
        "dynamodb", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test",
    )  # fmt: skip
    return resource.Table("table")


def test_every_type_of_value_comes_back_as_it_was(client: Any) -> None:
    item = {
        "id": {"S": "a"},
        "s": {"S": "é𝄞\x00"},
        "empty": {"S": ""},
        "n": {"N": "-12.5"},
        "b": {"B": b"\x00\xff"},
        "t": {"BOOL": False},
        "z": {"NULL": True},
        "l": {"L": [{"S": "x"}, {"L": []}]},
        "m": {"M": {"k": {"M": {"": {"N": "0"}}}}},
        "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["-1", "2"]},
        "bs": {"BS": [b"", b"\x01"]},
    }
    client.put_item(TableName="table", Item=item)
    assert client.get_item(TableName="table", Key={"id": {"S": "a"}})["Item"] == item


def test_numbers_come_back_in_their_plain_form(client: Any) -> None:
    numbers = {"1E+2": "100", "007.50": "7.5", "-0": "0", "1e-3": "0.001"}
    for given, expected in numbers.items():
        client.put_item(TableName="table", Item={"id": {"S": "n"}, "n": {"N": given}})
        assert client.get_item(TableName="table", Key={"id": {"S": "n"}})["Item"]["n"] == {"N": expected}


def test_the_resource_interface_works_with_decimals_and_sets(table: Any) -> None:
    item = {"id": "a", "price": Decimal("19.90"), "tags": {"x", "y"}, "nested": {"list": [1, None, True, "s"]}}
    table.put_item(Item=item)
    found = table.get_item(Key={"id": "a"})["Item"]
    assert found == item | {"price": Decimal("19.9")}
    table.update_item(
        Key={"id": "a"}, UpdateExpression="ADD price :more SET nested.#l[0] = :one",
        ExpressionAttributeNames={"#l": "list"}, ExpressionAttributeValues={":more": Decimal("0.10"), ":one": 11},
        ConditionExpression=Attr("tags").contains("x") & Attr("price").lt(20),
    )  # fmt: skip
    found = table.get_item(Key={"id": "a"}, ConsistentRead=True)["Item"]
    assert (found["price"], found["nested"]["list"][0]) == (Decimal(20), 11)
    assert table.query(KeyConditionExpression=Key("id").eq("a"))["Count"] == 1


def test_a_missing_item_is_no_error(client: Any) -> None:
    assert "Item" not in client.get_item(TableName="table", Key={"id": {"S": "none"}})
    assert "Attributes" not in client.delete_item(TableName="table", Key={"id": {"S": "none"}}, ReturnValues="ALL_OLD")


def test_put_replaces_and_gives_the_old_item_back(client: Any) -> None:
    put(client, id="a", x="old", y="gone")
    reply = client.put_item(TableName="table", Item=plain({"id": "a", "x": "new"}), ReturnValues="ALL_OLD")
    assert reply["Attributes"] == plain({"id": "a", "x": "old", "y": "gone"})
    assert client.get_item(TableName="table", Key={"id": {"S": "a"}})["Item"] == plain({"id": "a", "x": "new"})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("NONE", None),
        ("ALL_OLD", {"id": "a", "n": 1, "x": "same"}),
        ("UPDATED_OLD", {"n": 1}),
        ("ALL_NEW", {"id": "a", "n": 3, "x": "same", "fresh": "f"}),
        ("UPDATED_NEW", {"n": 3, "fresh": "f"}),
    ],
)
def test_update_gives_back_what_is_asked_for(client: Any, wanted: str, expected: dict[str, Any] | None) -> None:
    put(client, id="a", n=1, x="same")
    reply = client.update_item(
        TableName="table", Key={"id": {"S": "a"}}, UpdateExpression="SET fresh = :f ADD n :two",
        ExpressionAttributeValues={":two": {"N": "2"}, ":f": {"S": "f"}}, ReturnValues=wanted,
    )  # fmt: skip
    assert reply.get("Attributes") == (None if expected is None else plain(expected))


def test_updated_values_of_nested_paths_come_in_their_places(client: Any) -> None:
    item = {"id": {"S": "a"}, "m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}, "l": {"L": [{"N": "1"}, {"N": "2"}]}}
    client.put_item(TableName="table", Item=item)
    reply = client.update_item(
        TableName="table", Key={"id": {"S": "a"}}, UpdateExpression="SET m.x = :v, l[1] = :v", ReturnValues="UPDATED_NEW",
        ExpressionAttributeValues={":v": {"S": "new"}},
    )  # fmt: skip
    assert reply["Attributes"] == {"m": {"M": {"x": {"S": "new"}}}, "l": {"L": [{"S": "new"}]}}


def test_what_is_removed_or_appended_is_not_among_the_updated_values(client: Any) -> None:
    item = {"id": {"S": "a"}, "l": {"L": [{"N": "1"}, {"N": "2"}]}, "x": {"S": "gone"}}
    client.put_item(TableName="table", Item=item)

    def update(text: str, wanted: str) -> Any:
        values = {"ExpressionAttributeValues": {":v": {"S": "new"}}} if ":v" in text else {}
        reply = client.update_item(
            TableName="table", Key={"id": {"S": "a"}}, UpdateExpression=text, ReturnValues=wanted, **values
        )
        return reply.get("Attributes")

    assert update("SET l[2] = :v", "UPDATED_NEW") is None
    assert update("REMOVE x", "UPDATED_NEW") is None
    # What has moved to the place of what was removed is. Source: recorded by scylladb/scylladb, test_returnvalues.
    assert update("REMOVE l[0]", "UPDATED_NEW") == {"l": {"L": [{"N": "2"}]}}
    assert update("REMOVE l[0]", "UPDATED_OLD") == {"l": {"L": [{"N": "2"}]}}


def test_update_makes_an_item_unless_it_only_removes(client: Any) -> None:
    def update(name: str, **request: Any) -> bool:
        client.update_item(TableName="table", Key={"id": {"S": name}}, **request)
        return "Item" in client.get_item(TableName="table", Key={"id": {"S": name}})

    assert update("bare")
    assert update("set", UpdateExpression="SET a = :v", ExpressionAttributeValues={":v": {"N": "1"}})
    assert not update("remove", UpdateExpression="REMOVE a")
    assert not update("old-delete", AttributeUpdates={"a": {"Action": "DELETE"}})
    assert update("old-put", AttributeUpdates={"a": {"Value": {"N": "1"}}})


def test_a_condition_that_fails_changes_nothing_and_shows_the_item_if_asked(client: Any) -> None:
    put(client, id="a", x="kept")
    request: dict[str, Any] = {"TableName": "table", "Item": plain({"id": "a"})}
    condition = {"ConditionExpression": "attribute_not_exists(id)"}
    assert refusal(client.put_item, **request, **condition) == (
        "ConditionalCheckFailedException",
        "The conditional request failed",
    )
    with pytest.raises(ClientError) as caught:
        client.put_item(**request, **condition, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    response: Any = caught.value.response
    assert response["Item"] == plain({"id": "a", "x": "kept"})
    assert refusal(
        client.delete_item, TableName="table", Key={"id": {"S": "a"}}, ConditionExpression="x = :v",
        ExpressionAttributeValues={":v": {"S": "other"}},
    )[0] == "ConditionalCheckFailedException"  # fmt: skip
    assert refusal(
        client.update_item, TableName="table", Key={"id": {"S": "b"}}, ConditionExpression="attribute_exists(id)",
    )[0] == "ConditionalCheckFailedException"  # fmt: skip
    assert client.scan(TableName="table")["Items"] == [plain({"id": "a", "x": "kept"})]


def test_the_older_parameters_work_and_do_not_mix_with_expressions(client: Any) -> None:
    put(client, id="a", n=1)
    key = {"TableName": "table", "Key": {"id": {"S": "a"}}}
    expected = {"n": {"ComparisonOperator": "LT", "AttributeValueList": [{"N": "5"}]}}
    client.update_item(**key, AttributeUpdates={"n": {"Action": "ADD", "Value": {"N": "1"}}}, Expected=expected)
    assert client.get_item(**key, AttributesToGet=["n"])["Item"] == {"n": {"N": "2"}}
    code, message = refusal(
        client.update_item, **key, AttributeUpdates={"n": {"Action": "DELETE"}}, Expected=expected,
        UpdateExpression="REMOVE n", ConditionExpression="attribute_exists(n)",
    )  # fmt: skip
    assert (code, message) == (
        "ValidationException",
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {AttributeUpdates, Expected} Expression parameters: {UpdateExpression, ConditionExpression}",
    )


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        ("put_item", {"Item": {"x": {"S": "a"}}}, INVALID + "Missing the key id in the item"),
        ("put_item", {"Item": {"id": {"N": "1"}}}, INVALID + "Type mismatch for key id expected: S actual: N"),
        ("put_item", {"Item": {"id": {"S": ""}}}, EMPTY_KEY),
        ("put_item", {"Item": {"id": {"S": "a" * 2049}}}, INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
        ("put_item", {"Item": {"id": {"S": "a"}, "x": {"S": "a" * 400 * 1024}}}, "Item size has exceeded the maximum allowed size"),
        ("put_item", {"Item": {"id": {"S": "a"}, "x": {"NS": []}}}, INVALID + "An number set  may not be empty"),
        ("put_item", {"Item": {"id": {"S": "a"}, "x": {}}}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        ("put_item", {"Item": {"id": {"S": "a"}}, "ReturnValues": "ALL_NEW"}, "ReturnValues can only be ALL_OLD or NONE"),
        ("put_item", {"Item": {"id": {"S": "a"}}, "ExpressionAttributeNames": {"#a": "a"}}, "ExpressionAttributeNames can only be specified when using expressions"),
        ("put_item", {"Item": {"id": {"S": "a"}}, "ExpressionAttributeValues": {":a": {"S": "a"}}}, "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null"),
        ("put_item", {"Item": {"id": {"S": "a"}}, "ConditionalOperator": "OR"}, "ConditionalOperator cannot be used without Filter or Expected"),
        ("get_item", {"Key": {"x": {"S": "a"}}}, MISMATCH),
        ("get_item", {"Key": {"id": {"N": "1"}}}, MISMATCH),
        ("get_item", {"Key": {"id": {"S": "a"}, "x": {"S": "b"}}}, MISMATCH),
        ("get_item", {"Key": {"id": {"S": ""}}}, EMPTY_KEY),
        ("get_item", {"Key": {"id": {"S": "a"}}, "ProjectionExpression": "name"}, "Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: name"),
        ("get_item", {"Key": {"id": {"S": "a"}}, "ExpressionAttributeNames": {"#a": "a"}}, "ExpressionAttributeNames can only be specified when using expressions"),
        ("get_item", {"Key": {"id": {"S": "a"}}, "ProjectionExpression": "b", "ExpressionAttributeNames": {"#a": "a"}}, "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}"),
        ("delete_item", {"Key": {"id": {"BOOL": True}}}, MISMATCH),
        ("delete_item", {"Key": {"id": {"S": "a"}}, "ReturnValues": "UPDATED_OLD"}, "ReturnValues can only be ALL_OLD or NONE"),
        ("update_item", {"Key": {"id": {"S": "a"}}, "UpdateExpression": "SET id = :v", "ExpressionAttributeValues": {":v": {"S": "b"}}}, INVALID + "Cannot update attribute id. This attribute is part of the key"),
        ("update_item", {"Key": {"id": {"S": "a"}}, "UpdateExpression": "SET x = y"}, "The provided expression refers to an attribute that does not exist in the item"),
        ("update_item", {"Key": {"id": {"S": "a"}}, "UpdateExpression": ""}, "Invalid UpdateExpression: The expression can not be empty;"),
        ("update_item", {"Key": {"id": {"S": "a"}}, "UpdateExpression": "REMOVE x", "ExpressionAttributeValues": {":v": {"S": "b"}}}, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"),
        ("update_item", {"Key": {"id": {"S": "a"}}, "ExpressionAttributeValues": {":v": {"S": "b"}}}, "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression are null"),
    ],
)  # fmt: skip
def test_a_request_that_is_refused(client: Any, operation: str, request_: dict[str, Any], message: str) -> None:
    call = getattr(client, operation)
    assert refusal(call, TableName="table", **request_) == ("ValidationException", message)


def test_a_request_is_judged_before_its_table_is_looked_for(client: Any) -> None:
    bad = {"Item": {"id": {"S": "a"}}, "ConditionExpression": "name = :v"}
    assert refusal(client.put_item, TableName="absent", **bad)[0] == "ValidationException"
    assert refusal(client.put_item, TableName="absent", Item={"id": {"S": "a"}}) == (
        "ResourceNotFoundException",
        "Requested resource not found",
    )


def test_an_update_may_not_make_an_item_too_large(client: Any) -> None:
    put(client, id="a", x="a" * 300_000)
    assert refusal(
        client.update_item, TableName="table", Key={"id": {"S": "a"}}, UpdateExpression="SET y = :v",
        ExpressionAttributeValues={":v": {"S": "a" * 200_000}},
    ) == ("ValidationException", "Item size to update has exceeded the maximum allowed size")  # fmt: skip


def test_keys_of_an_index_have_the_indexs_types(client: Any) -> None:
    make(client, "wide", COMPOSITE)
    item = plain({"pk": "a", "sk": 1})
    assert refusal(client.put_item, TableName="wide", Item={**item, "color": {"N": "1"}}) == (
        "ValidationException",
        INVALID + "Type mismatch for Index Key color Expected: S Actual: N IndexName: by-color",
    )
    code, message = refusal(client.put_item, TableName="wide", Item={**item, "color": {"S": ""}})
    assert (code, message.endswith("empty string value. IndexName: by-color, IndexKey: color")) == (
        "ValidationException",
        True,
    )
    assert refusal(
        client.update_item, TableName="wide", Key=item, UpdateExpression="SET color = :v",
        ExpressionAttributeValues={":v": {"N": "1"}},
    ) == (
        "ValidationException",
        INVALID + "Type mismatch for Index Key color Expected: S Actual: N IndexName: by-color",
    )  # fmt: skip


def test_capacity_is_reported_as_asked(client: Any) -> None:
    make(client, "wide", COMPOSITE)
    item = plain({"pk": "a", "sk": 1, "color": "red", "rank": 2, "x": "y" * 2000})
    reply = client.put_item(TableName="wide", Item=item, ReturnConsumedCapacity="INDEXES")
    assert reply["ConsumedCapacity"] == {
        "TableName": "wide",
        "CapacityUnits": 6.0,
        "Table": {"CapacityUnits": 2.0},
        "LocalSecondaryIndexes": {"by-rank": {"CapacityUnits": 1.0}},
        "GlobalSecondaryIndexes": {"by-color": {"CapacityUnits": 2.0}, "colors": {"CapacityUnits": 1.0}},
    }
    key = plain({"pk": "a", "sk": 1})
    small = client.get_item(TableName="wide", Key=key, ReturnConsumedCapacity="TOTAL")
    assert small["ConsumedCapacity"] == {"TableName": "wide", "CapacityUnits": 0.5}
    strong = client.get_item(TableName="wide", Key=key, ReturnConsumedCapacity="TOTAL", ConsistentRead=True)
    assert strong["ConsumedCapacity"]["CapacityUnits"] == 1.0
    gone = client.delete_item(TableName="wide", Key=key, ReturnConsumedCapacity="TOTAL")
    assert gone["ConsumedCapacity"]["CapacityUnits"] == 6.0
    assert "ConsumedCapacity" not in client.get_item(TableName="wide", Key=key, ReturnConsumedCapacity="NONE")


def test_collections_are_measured_where_there_are_local_indexes(client: Any) -> None:
    make(client, "wide", COMPOSITE)
    item = plain({"pk": "a", "sk": 1})
    reply = client.put_item(TableName="wide", Item=item, ReturnItemCollectionMetrics="SIZE")
    assert reply["ItemCollectionMetrics"] == {
        "ItemCollectionKey": {"pk": {"S": "a"}},
        "SizeEstimateRangeGB": [0.0, 1.0],
    }
    reply = client.put_item(TableName="table", Item=plain({"id": "a"}), ReturnItemCollectionMetrics="SIZE")
    assert "ItemCollectionMetrics" not in reply
