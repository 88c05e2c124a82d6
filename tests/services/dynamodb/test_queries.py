"""Query and Scan over the wire: order, ranges, filters, pages, indexes, segments."""

# ruff: noqa: E501 - one row of a table is one line
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.dynamodb.shapes import COMPOSITE, attributes, index, key_schema, make, plain, put, refusal, simple

INVALID = "One or more parameter values were invalid: "
NUMBERS = [-100, -5, -1, 0, 1, 2, 10, 33]


@pytest.fixture
def client(aws: Callable[..., Any]) -> Any:
    """A client, and in its table eight items of partition `a` and two of `b`."""
    client = aws("dynamodb")
    make(client, shape=COMPOSITE)
    for number in NUMBERS:
        put(client, pk="a", sk=number, color="red" if number < 0 else "blue", rank=-number, extra="e", spare="o")
    put(client, pk="b", sk=1, color="red", rank=7)
    put(client, pk="b", sk=2)
    return client


def query(client: Any, condition: str, /, **request: Any) -> Any:
    """A query of partition `a` (or `pk`), and perhaps more of a condition; n0 and n1 are the values :n0 and :n1."""
    values: dict[str, Any] = {":pk": {"S": request.pop("pk", "a")}}
    values.update({f":{name}": {"N": str(request.pop(name))} for name in ("n0", "n1") if name in request})
    values.update(request.pop("ExpressionAttributeValues", {}))
    text = f"pk = :pk {condition}"
    return client.query(
        TableName="table", KeyConditionExpression=text, ExpressionAttributeValues=values, **request
    )  # fmt: skip


def found(reply: Any, name: str = "sk") -> list[int]:
    return [simple(item)[name] for item in reply["Items"]]


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("", {}, NUMBERS),
        ("AND sk = :n0", {"n0": 1}, [1]),
        ("AND sk < :n0", {"n0": 1}, [-100, -5, -1, 0]),
        ("AND sk <= :n0", {"n0": 1}, [-100, -5, -1, 0, 1]),
        ("AND sk > :n0", {"n0": -5}, [-1, 0, 1, 2, 10, 33]),
        ("AND sk >= :n0", {"n0": -5}, [-5, -1, 0, 1, 2, 10, 33]),
        ("AND sk BETWEEN :n0 AND :n1", {"n0": -1, "n1": 10}, [-1, 0, 1, 2, 10]),
        ("AND (sk >= :n0)", {"n0": 33}, [33]),
        ("AND sk > :n0", {"n0": 33}, []),
        ("AND :n0 > sk", {"n0": -5}, [-100]),
    ],
)
def test_items_come_in_the_order_of_their_sort_keys(
    client: Any, condition: str, values: dict[str, int], expected: list[int]
) -> None:
    assert found(query(client, condition, **values)) == expected
    assert found(query(client, condition, **values, ScanIndexForward=False)) == expected[::-1]


def test_strings_order_as_their_bytes_and_begin_with(client: Any) -> None:
    make(
        client, "words", AttributeDefinitions=attributes(pk="S", sk="S"), shape={},
        KeySchema=key_schema("pk", "sk"), BillingMode="PAY_PER_REQUEST",
    )  # fmt: skip
    words = ["a", "a\x00", "a\x00b", "ab", "b", "é", "\uffff", "\U00010000"]
    for word in reversed(words):
        put(client, "words", pk="p", sk=word)

    def ask(condition: str, value: str) -> list[str]:
        values = {":p": {"S": "p"}, ":v": {"S": value}}
        text = f"pk = :p AND {condition}"
        reply = client.query(TableName="words", KeyConditionExpression=text, ExpressionAttributeValues=values)
        return [item["sk"]["S"] for item in reply["Items"]]

    assert ask("sk >= :v", "a") == words
    assert ask("begins_with(sk, :v)", "a") == words[:4]
    assert ask("begins_with(sk, :v)", "a\x00") == words[1:3]
    assert ask("sk > :v", "b") == words[5:]


def test_a_page_ends_at_its_limit_and_the_next_begins_after_it(client: Any) -> None:
    first = query(client, "", Limit=3)
    assert (found(first), first["LastEvaluatedKey"]) == ([-100, -5, -1], plain({"pk": "a", "sk": -1}))
    second = query(client, "", Limit=3, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert found(second) == [0, 1, 2]
    last = query(client, "", Limit=3, ExclusiveStartKey=second["LastEvaluatedKey"])
    assert (found(last), "LastEvaluatedKey" in last) == ([10, 33], False)
    back = query(client, "", Limit=2, ScanIndexForward=False, ExclusiveStartKey=plain({"pk": "a", "sk": 10}))
    assert found(back) == [2, 1]


def test_a_page_that_is_just_full_has_a_key_to_go_on_from(client: Any) -> None:
    full = query(client, "", Limit=8)
    assert full["LastEvaluatedKey"] == plain({"pk": "a", "sk": 33})
    assert query(client, "", Limit=8, ExclusiveStartKey=full["LastEvaluatedKey"])["Items"] == []


def test_a_page_holds_a_megabyte(client: Any) -> None:
    for number in range(5):
        put(client, pk="big", sk=number, x="x" * 300_000)
    first = query(client, "", pk="big")
    assert (found(first), first["LastEvaluatedKey"]) == ([0, 1, 2], plain({"pk": "big", "sk": 2}))
    rest = query(client, "", pk="big", ExclusiveStartKey=first["LastEvaluatedKey"])
    assert (found(rest), "LastEvaluatedKey" in rest) == ([3, 4], False)
    counted = query(client, "", pk="big", Select="COUNT")
    assert (counted["Count"], "Items" in counted) == (3, False)


def test_a_filter_is_applied_after_the_limit(client: Any) -> None:
    reply = query(
        client, "", Limit=4, FilterExpression="color = :c AND #r > :n0", n0=1,
        ExpressionAttributeNames={"#r": "rank"}, ExpressionAttributeValues={":c": {"S": "red"}},
    )  # fmt: skip
    assert (found(reply), reply["Count"], reply["ScannedCount"]) == ([-100, -5], 2, 4)
    assert reply["LastEvaluatedKey"] == plain({"pk": "a", "sk": 0})


def test_only_what_is_projected_comes_back(client: Any) -> None:
    reply = query(client, "AND sk = :n0", n0=0, ProjectionExpression="sk, extra")
    assert reply["Items"] == [plain({"sk": 0, "extra": "e"})]


# -- indexes --------------------------------------------------------------------------------------------------


def by_color(client: Any, color: str, **request: Any) -> Any:
    request = {"IndexName": "by-color", "KeyConditionExpression": "color = :c"} | request
    values = {":c": {"S": color}} | request.pop("ExpressionAttributeValues", {})
    return client.query(TableName="table", ExpressionAttributeValues=values, **request)


def test_a_global_index_has_the_items_with_its_keys_in_its_order(client: Any) -> None:
    assert found(by_color(client, "red"), "rank") == [1, 5, 7, 100]
    assert found(by_color(client, "red", ScanIndexForward=False), "rank") == [100, 7, 5, 1]
    reply = by_color(
        client, "red", KeyConditionExpression="color = :c AND #r < :n", ExpressionAttributeNames={"#r": "rank"},
        ExpressionAttributeValues={":n": {"N": "6"}},
    )  # fmt: skip
    assert found(reply, "rank") == [1, 5]


def test_an_index_follows_its_items(client: Any) -> None:
    key = plain({"pk": "a", "sk": -1})
    client.update_item(
        TableName="table", Key=key, UpdateExpression="SET color = :c", ExpressionAttributeValues={":c": {"S": "blue"}}
    )
    assert found(by_color(client, "red"), "rank") == [5, 7, 100]
    assert 1 in found(by_color(client, "blue"), "rank")
    client.update_item(TableName="table", Key=key, UpdateExpression="REMOVE color")
    assert 1 not in found(by_color(client, "blue"), "rank")
    client.delete_item(TableName="table", Key=plain({"pk": "b", "sk": 1}))
    assert found(by_color(client, "red"), "rank") == [5, 100]


def test_pages_of_an_index_go_on_among_items_with_the_same_index_key(client: Any) -> None:
    for number in range(7):
        put(client, pk=f"same-{number}", sk=0, color="gold", rank=1)
    for forward in (True, False):
        seen: list[str] = []
        start: dict[str, Any] = {}
        while True:
            reply = by_color(client, "gold", Limit=2, ScanIndexForward=forward, **start)
            seen += [item["pk"]["S"] for item in reply["Items"]]
            if "LastEvaluatedKey" not in reply:
                break
            assert sorted(reply["LastEvaluatedKey"]) == ["color", "pk", "rank", "sk"]
            start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}
        assert sorted(seen) == [f"same-{number}" for number in range(7)]


def test_an_index_gives_what_it_has(client: Any) -> None:
    reply = by_color(client, "red", IndexName="colors", Limit=1)
    assert sorted(reply["Items"][0]) == ["color", "pk", "sk"]
    request = {"IndexName": "colors", "KeyConditionExpression": "color = :c"}
    assert refusal(by_color, client=client, color="red", **request, Select="ALL_ATTRIBUTES") == (
        "ValidationException",
        INVALID + "Select type ALL_ATTRIBUTES is not supported for global secondary index colors because its "
        "projection type is not ALL",
    )
    assert refusal(by_color, client=client, color="red", **request, ProjectionExpression="sk, extra") == (
        "ValidationException",
        INVALID + "Global secondary index colors does not project [extra]",
    )
    assert refusal(by_color, client=client, color="red", ConsistentRead=True) == (
        "ValidationException",
        "Consistent reads are not supported on global secondary indexes",
    )


def test_a_local_index_fetches_what_it_lacks_from_the_table(client: Any) -> None:
    request = {"IndexName": "by-rank", "ConsistentRead": True, "Limit": 1}
    assert sorted(query(client, "", **request)["Items"][0]) == ["extra", "pk", "rank", "sk"]
    whole = query(client, "", **request, Select="ALL_ATTRIBUTES")["Items"][0]
    assert sorted(whole) == ["color", "extra", "pk", "rank", "sk", "spare"]
    assert query(client, "", **request, ProjectionExpression="spare")["Items"] == [plain({"spare": "o"})]
    assert found(query(client, "", IndexName="by-rank"), "rank") == sorted(-number for number in NUMBERS)


def test_an_index_with_several_keys_is_asked_from_left_to_right(client: Any) -> None:
    wide = {
        "IndexName": "wide",
        "Projection": {"ProjectionType": "ALL"},
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"} for name in "ab"]
        + [{"AttributeName": name, "KeyType": "RANGE"} for name in "xy"],
    }
    make(
        client, "several", shape={}, AttributeDefinitions=attributes(id="S", a="S", b="N", x="S", y="N"),
        KeySchema=key_schema("id"), BillingMode="PAY_PER_REQUEST", GlobalSecondaryIndexes=[wide],
    )  # fmt: skip
    for n, (x, y) in enumerate([("p", 1), ("p", 2), ("pq", -1), ("q", 0)]):
        put(client, "several", id=str(n), a="A", b=1, x=x, y=y)
    put(client, "several", id="without", a="A", b=1, x="p")

    def ask(text: str, **values: Any) -> list[str]:
        placeholders = {f":{name}": value for name, value in plain({"A": "A", "one": 1, **values}).items()}
        reply = client.query(
            TableName="several", IndexName="wide", KeyConditionExpression=f"a = :A AND b = :one {text}",
            ExpressionAttributeValues=placeholders,
        )  # fmt: skip
        return [item["id"]["S"] for item in reply["Items"]]

    assert ask("") == ["0", "1", "2", "3"]
    assert ask("AND x = :p", p="p") == ["0", "1"]
    assert ask("AND x = :p AND y > :one", p="p") == ["1"]
    assert ask("AND begins_with(x, :p)", p="p") == ["0", "1", "2"]
    assert refusal(ask, text="AND y > :one")[1] == "Query condition missed key schema element: x"


# -- scans ----------------------------------------------------------------------------------------------------


def test_a_scan_sees_every_item_once_over_its_pages_and_segments(client: Any) -> None:
    for number in range(50):
        put(client, pk=f"p{number}", sk=number)
    expected = sorted([("a", number) for number in NUMBERS] + [("b", 1), ("b", 2)] + [(f"p{n}", n) for n in range(50)])

    def keys(**request: Any) -> list[tuple[str, int]]:
        pages = client.get_paginator("scan").paginate(TableName="table", **request)
        items = [simple(item) for page in pages for item in page["Items"]]
        return [(item["pk"], item["sk"]) for item in items]

    assert sorted(keys()) == expected
    assert sorted(keys(PaginationConfig={"PageSize": 7})) == expected
    segments = [keys(Segment=n, TotalSegments=5, PaginationConfig={"PageSize": 3}) for n in range(5)]
    assert sorted(key for segment in segments for key in segment) == expected
    assert sum(bool(segment) for segment in segments) > 1, "the partitions are spread over the segments"


def test_a_scan_of_an_index_has_the_items_of_the_index(client: Any) -> None:
    reply = client.scan(TableName="table", IndexName="by-color")
    assert reply["Count"] == 9
    paged = client.get_paginator("scan").paginate(
        TableName="table", IndexName="by-color", PaginationConfig={"PageSize": 2}
    )
    assert sum(page["Count"] for page in paged) == 9


def test_a_scan_filters_in_either_form(client: Any) -> None:
    values = {":r": {"S": "red"}}
    new = client.scan(TableName="table", FilterExpression="color = :r", ExpressionAttributeValues=values)
    condition = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "red"}]}
    old = client.scan(TableName="table", ScanFilter={"color": condition})
    assert (new["Count"], new["ScannedCount"]) == (old["Count"], old["ScannedCount"]) == (4, 10)


def test_a_query_takes_the_older_parameters(client: Any) -> None:
    reply = client.query(
        TableName="table",
        KeyConditions={
            "pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]},
            "sk": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "0"}]},
        },
        QueryFilter={"rank": {"ComparisonOperator": "LT", "AttributeValueList": [{"N": "-1"}]}},
        AttributesToGet=["sk"],
    )
    assert reply["Items"] == [{"sk": {"N": "2"}}, {"sk": {"N": "10"}}, {"sk": {"N": "33"}}]


def test_reads_cost_by_what_they_evaluate(client: Any) -> None:
    for number in range(4):
        put(client, pk="big", sk=number, x="x" * 10_000)
    reply = query(client, "", pk="big", ReturnConsumedCapacity="TOTAL")
    assert reply["ConsumedCapacity"] == {"TableName": "table", "CapacityUnits": 5.0}
    reply = by_color(client, "red", ReturnConsumedCapacity="INDEXES")
    assert reply["ConsumedCapacity"]["GlobalSecondaryIndexes"] == {"by-color": {"CapacityUnits": 0.5}}


PK = {":pk": {"S": "a"}}
KEY = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": PK}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
        ({"KeyConditionExpression": "sk = :pk", "ExpressionAttributeValues": PK}, "Query condition missed key schema element: pk"),
        ({"KeyConditionExpression": "pk > :pk", "ExpressionAttributeValues": PK}, "Query key condition not supported"),
        ({"KeyConditionExpression": "pk = :pk AND color = :pk", "ExpressionAttributeValues": PK}, "Query condition missed key schema element: sk"),
        ({"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"N": "1"}}}, INVALID + "Condition parameter type does not match schema type"),
        ({"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": ""}}}, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"),
        ({**KEY, "FilterExpression": "sk = :pk"}, "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"),
        ({**KEY, "IndexName": "none"}, "The table does not have the specified index: none"),
        ({**KEY, "Select": "SPECIFIC_ATTRIBUTES"}, "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"),
        ({**KEY, "Select": "COUNT", "ProjectionExpression": "sk"}, "Cannot specify the ProjectionExpression when choosing to get only the Count"),
        ({**KEY, "Select": "ALL_PROJECTED_ATTRIBUTES"}, "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"),
        ({**KEY, "ExclusiveStartKey": {"pk": {"S": "a"}}}, "The provided starting key is invalid"),
        ({**KEY, "ExclusiveStartKey": plain({"pk": "b", "sk": 1})}, "The provided starting key is outside query boundaries based on provided conditions"),
        ({"KeyConditionExpression": "pk = :pk AND sk > :n", "ExpressionAttributeValues": {**PK, ":n": {"N": "5"}}, "ExclusiveStartKey": plain({"pk": "a", "sk": 1})}, "The provided starting key does not match the range key predicate"),
    ],
)  # fmt: skip
def test_a_query_that_is_refused(client: Any, request_: dict[str, Any], message: str) -> None:
    assert refusal(client.query, TableName="table", **request_) == ("ValidationException", message)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"Segment": 0}, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"),
        ({"TotalSegments": 2}, "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"),
        ({"Segment": 4, "TotalSegments": 4}, "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 4 is not less than TotalSegments: 4"),
        ({"IndexName": "by-color", "ConsistentRead": True}, "Consistent reads are not supported on global secondary indexes"),
        ({"ExclusiveStartKey": {"pk": {"S": "a"}}}, "The provided starting key is invalid: The provided key element does not match the schema"),
        ({"FilterExpression": "a =", "Select": "COUNT"}, 'Invalid FilterExpression: Syntax error; token: "<EOF>", near: "="'),
    ],
)  # fmt: skip
def test_a_scan_that_is_refused(client: Any, request_: dict[str, Any], message: str) -> None:
    assert refusal(client.scan, TableName="table", **request_) == ("ValidationException", message)


def test_a_start_key_belongs_to_its_segment(client: Any) -> None:
    pages = [client.scan(TableName="table", Segment=n, TotalSegments=2, Limit=1) for n in range(2)]
    owner, other = (0, 1) if pages[0]["Items"] else (1, 0)
    start = pages[owner]["LastEvaluatedKey"]
    code, message = refusal(client.scan, TableName="table", Segment=other, TotalSegments=2, ExclusiveStartKey=start)
    assert (code, "correct Segment" in message) == ("ValidationException", True)


def test_an_index_that_cannot_be_read_yet_says_so(client: Any) -> None:
    """The index of a table of one item is filled before anyone can ask; only its name is looked at here."""
    shape = index("late", "spare")
    client.update_table(
        TableName="table", AttributeDefinitions=attributes(spare="S"), GlobalSecondaryIndexUpdates=[{"Create": shape}]
    )
    for _ in range(2000):
        try:
            reply = client.scan(TableName="table", IndexName="late", Select="COUNT")
        except client.exceptions.ClientError as error:
            message = error.response["Error"]["Message"]
            if message != "Cannot read from backfilling global secondary index: late":
                raise
        else:
            assert reply["Count"] == 8
            return
    raise AssertionError("the index never became active")
