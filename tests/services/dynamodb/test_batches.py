"""BatchGetItem, BatchWriteItem, TransactWriteItems, TransactGetItems over the wire."""

# ruff: noqa: E501 - one row of a table is one line
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.dynamodb.shapes import make, plain, put, refusal

TOKEN_TEXT = (
    "DynamoDB rejected the request because you retried a request with a different payload but with an idempotent "
    "token that was already used."
)


@pytest.fixture
def client(aws: Callable[..., Any]) -> Any:
    client = aws("dynamodb")
    make(client)
    make(client, "second")
    return client


def key(name: str) -> dict[str, Any]:
    return {"id": {"S": name}}


def ids(client: Any, table: str = "table") -> list[str]:
    return sorted(item["id"]["S"] for item in client.scan(TableName=table)["Items"])


# -- batches --------------------------------------------------------------------------------------------------


def test_a_batch_writes_to_several_tables(client: Any) -> None:
    put(client, id="gone")
    reply = client.batch_write_item(
        RequestItems={
            "table": [{"PutRequest": {"Item": key("a")}}, {"DeleteRequest": {"Key": key("gone")}}],
            "second": [{"PutRequest": {"Item": key("b")}}],
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert (ids(client), ids(client, "second")) == (["a"], ["b"])
    assert reply["UnprocessedItems"] == {}
    units = {one["TableName"]: one["CapacityUnits"] for one in reply["ConsumedCapacity"]}
    assert units == {"table": 2.0, "second": 1.0}


def test_a_batch_gets_from_several_tables(client: Any) -> None:
    put(client, id="a", x="1", y="2")
    put(client, "second", id="b")
    reply = client.batch_get_item(
        RequestItems={
            "table": {"Keys": [key("a"), key("none")], "ProjectionExpression": "#x", "ExpressionAttributeNames": {"#x": "x"}},
            "second": {"Keys": [key("b")], "ConsistentRead": True},
        },
        ReturnConsumedCapacity="TOTAL",
    )  # fmt: skip
    assert reply["Responses"] == {"table": [plain({"x": "1"})], "second": [key("b")]}
    assert reply["UnprocessedKeys"] == {}
    units = {one["TableName"]: one["CapacityUnits"] for one in reply["ConsumedCapacity"]}
    assert units == {"table": 1.0, "second": 1.0}


@pytest.mark.slow
def test_a_batch_of_gets_ends_at_sixteen_megabytes(client: Any) -> None:
    names = [f"{number:02}" for number in range(45)]
    for name in names:
        put(client, id=name, x="x" * 390_000)
    reply = client.batch_get_item(RequestItems={"table": {"Keys": [key(name) for name in names]}})
    got = [item["id"]["S"] for item in reply["Responses"]["table"]]
    left = [one["id"]["S"] for one in reply["UnprocessedKeys"]["table"]["Keys"]]
    assert (len(got), got + left) == (43, names)


@pytest.mark.parametrize(
    ("writes", "message"),
    [
        ([{"PutRequest": {"Item": key("a")}}, {"DeleteRequest": {"Key": key("a")}}], "Provided list of item keys contains duplicates"),
        ([{"PutRequest": {"Item": key("ok")}}, {"PutRequest": {"Item": {"x": {"S": "a"}}}}], "The provided key element does not match the schema"),
        ([{"PutRequest": {"Item": key("ok")}}, {"DeleteRequest": {"Key": {"id": {"N": "1"}}}}], "The provided key element does not match the schema"),
        ([{}], "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"),
        ([{"PutRequest": {"Item": key("a")}, "DeleteRequest": {"Key": key("b")}}], "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"),
        ([{"PutRequest": {"Item": {**key("a"), "x": {"S": "a" * 409_600}}}}], "Item size has exceeded the maximum allowed size"),
    ],
)  # fmt: skip
def test_a_batch_that_is_refused_writes_nothing(client: Any, writes: list[dict[str, Any]], message: str) -> None:
    assert refusal(client.batch_write_item, RequestItems={"table": writes}) == ("ValidationException", message)
    assert ids(client) == []


def test_batches_are_bounded(client: Any) -> None:
    deletes = [{"DeleteRequest": {"Key": key(str(number))}} for number in range(26)]
    code, message = refusal(client.batch_write_item, RequestItems={"table": deletes})
    assert code == "ValidationException"
    assert message.startswith("1 validation error detected: Value '{table=[{")
    assert "}]}' at 'requestItems' failed to satisfy constraint: " in message
    assert message.endswith(
        "Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length "
        "greater than or equal to 1]"
    )
    halves = {"table": deletes[:13], "second": deletes[13:]}
    assert refusal(client.batch_write_item, RequestItems=halves)[1] == (
        "Too many items requested for the BatchWriteItem call"
    )
    keys = [key(str(number)) for number in range(101)]
    assert refusal(client.batch_get_item, RequestItems={"table": {"Keys": keys}})[1] == (
        "1 validation error detected: Value at 'RequestItems.table.member.Keys' failed to satisfy constraint: Member must have length less than or equal to 100"
    )
    both = {"table": {"Keys": keys[:51]}, "second": {"Keys": keys[51:]}}
    assert refusal(client.batch_get_item, RequestItems=both)[1] == (
        "Too many items requested for the BatchGetItem call"
    )
    assert refusal(client.batch_get_item, RequestItems={"table": {"Keys": [key("a"), key("a")]}})[1] == (
        "Provided list of item keys contains duplicates"
    )
    assert refusal(client.batch_get_item, RequestItems={})[1] == (
        "1 validation error detected: Value at 'RequestItems' failed to satisfy constraint: Member must have length greater than or equal to 1"
    )
    assert refusal(client.batch_write_item, RequestItems={})[1] == (
        "The requestItems parameter is required for BatchWriteItem"
    )
    assert refusal(client.batch_get_item, RequestItems={"absent": {"Keys": [key("a")]}}) == (
        "ResourceNotFoundException",
        "Requested resource not found",
    )


# -- transactions ---------------------------------------------------------------------------------------------


def put_action(name: str, table: str = "table", **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": key(name), **more}}


def check_action(name: str, condition: str = "attribute_exists(id)", **more: Any) -> dict[str, Any]:
    return {"ConditionCheck": {"TableName": "table", "Key": key(name), "ConditionExpression": condition, **more}}


def cancelled(client: Any, *actions: dict[str, Any]) -> list[dict[str, Any]]:
    """The reasons for which a transaction is cancelled."""
    with pytest.raises(client.exceptions.TransactionCanceledException) as caught:
        client.transact_write_items(TransactItems=list(actions))
    response: Any = caught.value.response
    codes = ", ".join(reason["Code"] for reason in response["CancellationReasons"])
    assert response["Error"]["Message"] == (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    )
    return list(response["CancellationReasons"])


def test_a_transaction_does_all_of_its_actions(client: Any) -> None:
    put(client, id="there", n=1)
    put(client, id="gone")
    client.transact_write_items(
        TransactItems=[
            put_action("new"),
            put_action("new", "second"),
            {"Delete": {"TableName": "table", "Key": key("gone")}},
            {
                "Update": {
                    "TableName": "table",
                    "Key": key("there"),
                    "UpdateExpression": "SET n = n + :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            },
            check_action("absent", "attribute_not_exists(id)"),
        ]
    )
    assert (ids(client), ids(client, "second")) == (["new", "there"], ["new"])
    assert client.get_item(TableName="table", Key=key("there"))["Item"] == plain({"id": "there", "n": 2})


def test_a_transaction_does_nothing_if_one_action_fails_and_says_why(client: Any) -> None:
    put(client, id="a", x="kept")
    reasons = cancelled(
        client,
        put_action("b"),
        put_action("a", ConditionExpression="attribute_not_exists(id)", ReturnValuesOnConditionCheckFailure="ALL_OLD"),
        check_action("none"),
        {"Update": {"TableName": "table", "Key": key("c"), "UpdateExpression": "SET x = y"}},
    )
    assert reasons == [
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": plain({"id": "a", "x": "kept"})},
        {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
        {"Code": "ValidationError", "Message": "The provided expression refers to an attribute that does not exist in the item"},
    ]  # fmt: skip
    assert ids(client) == ["a"]


def test_a_key_of_the_wrong_type_is_a_reason_to_cancel(client: Any) -> None:
    wrong = {"Delete": {"TableName": "table", "Key": {"id": {"N": "1"}}}}
    assert cancelled(client, put_action("a"), wrong) == [
        {"Code": "None"},
        {"Code": "ValidationError", "Message": "The provided key element does not match the schema"},
    ]
    with pytest.raises(ClientError) as caught:
        client.transact_get_items(TransactItems=[{"Get": {"TableName": "table", "Key": {"id": {"N": "1"}}}}])
    response: Any = caught.value.response
    assert response["CancellationReasons"][0]["Code"] == "ValidationError"


@pytest.mark.parametrize(
    ("actions", "error"),
    [
        ([put_action("a"), check_action("a")], ("ValidationException", "Transaction request cannot include multiple operations on one item")),
        ([{}], ("ValidationException", "TransactItems can only contain one of Check, Put, Update or Delete")),
        ([put_action("a") | check_action("a")], ("ValidationException", "TransactItems can only contain one of Check, Put, Update or Delete")),
        ([put_action("a", "absent")], ("ResourceNotFoundException", "Requested resource not found")),
        ([put_action("")], ("ValidationException", "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id")),
        ([check_action("a", "name = :v")], ("ValidationException", "Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: name")),
    ],
)  # fmt: skip
def test_a_transaction_that_is_refused(client: Any, actions: list[dict[str, Any]], error: tuple[str, str]) -> None:
    assert refusal(client.transact_write_items, TransactItems=actions) == error
    assert ids(client) == []


def test_names_without_an_expression_are_no_error_in_a_transaction(client: Any) -> None:
    names: dict[str, Any] = {"ExpressionAttributeNames": {"#a": "a"}}
    client.transact_write_items(TransactItems=[put_action("a", **names)])
    reply = client.transact_get_items(TransactItems=[{"Get": {"TableName": "table", "Key": key("a"), **names}}])
    assert reply["Responses"] == [{"Item": key("a")}]


def test_a_token_makes_a_transaction_happen_once(client: Any) -> None:
    add = {
        "Update": {
            "TableName": "table",
            "Key": key("counter"),
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    for _ in range(3):
        client.transact_write_items(TransactItems=[add], ClientRequestToken="token")
    assert client.get_item(TableName="table", Key=key("counter"))["Item"]["n"] == {"N": "1"}
    assert refusal(client.transact_write_items, TransactItems=[put_action("x")], ClientRequestToken="token") == (
        "IdempotentParameterMismatchException",
        TOKEN_TEXT,
    )


def test_a_transaction_that_failed_does_not_use_its_token_up(client: Any) -> None:
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=[check_action("a")], ClientRequestToken="token")
    client.transact_write_items(TransactItems=[put_action("a")], ClientRequestToken="token")
    assert ids(client) == ["a"]


def test_a_transaction_gets_items_in_order(client: Any) -> None:
    put(client, id="a", x="1")
    put(client, "second", id="b", x="2")
    reply = client.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": "second", "Key": key("b"), "ProjectionExpression": "x"}},
            {"Get": {"TableName": "table", "Key": key("none")}},
            {"Get": {"TableName": "table", "Key": key("a")}},
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    assert reply["Responses"] == [{"Item": plain({"x": "2"})}, {}, {"Item": plain({"id": "a", "x": "1"})}]
    units = {one["TableName"]: one["ReadCapacityUnits"] for one in reply["ConsumedCapacity"]}
    assert units == {"second": 2.0, "table": 4.0}


def test_a_transaction_costs_twice(client: Any) -> None:
    reply = client.transact_write_items(
        TransactItems=[put_action("a"), check_action("b", "attribute_not_exists(id)")], ReturnConsumedCapacity="TOTAL"
    )
    assert reply["ConsumedCapacity"] == [{"TableName": "table", "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}]
