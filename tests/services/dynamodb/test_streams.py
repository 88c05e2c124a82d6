"""DynamoDB Streams over the wire: what is recorded of changes, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.dynamodb.shapes import make, plain, put, refusal

Aws = Callable[..., Any]


@pytest.fixture
def client(aws: Aws) -> Any:
    return aws("dynamodb")


@pytest.fixture
def streams(aws: Aws) -> Any:
    return aws("dynamodbstreams")


def streamed(client: Any, view: str = "NEW_AND_OLD_IMAGES", name: str = "table") -> str:
    """Make a table with a stream; the stream's ARN."""
    make(client, name, StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
    return str(client.describe_table(TableName=name)["Table"]["LatestStreamArn"])


def iterator(streams: Any, arn: str, kind: str = "TRIM_HORIZON", **more: Any) -> str:
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    reply = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **more)
    return str(reply["ShardIterator"])


def records(streams: Any, arn: str) -> list[dict[str, Any]]:
    return list(streams.get_records(ShardIterator=iterator(streams, arn))["Records"])


def test_every_change_is_recorded_in_order(client: Any, streams: Any) -> None:
    arn = streamed(client)
    put(client, id="a", n=1)
    put(client, id="a", n=2)
    put(client, id="a", n=2)
    client.delete_item(TableName="table", Key={"id": {"S": "a"}})
    client.delete_item(TableName="table", Key={"id": {"S": "a"}})
    found = records(streams, arn)
    assert [record["eventName"] for record in found] == ["INSERT", "MODIFY", "REMOVE"], "what changes nothing is not"
    middle = found[1]
    assert (middle["eventSource"], middle["awsRegion"], middle["eventVersion"]) == ("aws:dynamodb", "us-east-1", "1.1")
    change = middle["dynamodb"]
    assert change["Keys"] == plain({"id": "a"})
    assert (change["OldImage"], change["NewImage"]) == (plain({"id": "a", "n": 1}), plain({"id": "a", "n": 2}))
    assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    numbers = [record["dynamodb"]["SequenceNumber"] for record in found]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_a_stream_shows_what_its_view_type_says(client: Any, streams: Any, view: str, images: set[str]) -> None:
    arn = streamed(client, view)
    put(client, id="a", n=1)
    put(client, id="a", n=2)
    change = records(streams, arn)[1]["dynamodb"]
    assert change.keys() & {"NewImage", "OldImage"} == images


def test_transactions_and_batches_are_recorded_too_and_what_failed_is_not(client: Any, streams: Any) -> None:
    arn = streamed(client)
    client.batch_write_item(RequestItems={"table": [{"PutRequest": {"Item": plain({"id": "a"})}}]})
    puts = [{"Put": {"TableName": "table", "Item": plain({"id": name})}} for name in ("b", "c")]
    client.transact_write_items(TransactItems=puts)
    failing = {
        "Put": {"TableName": "table", "Item": plain({"id": "a"}), "ConditionExpression": "attribute_not_exists(id)"}
    }
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(
            TransactItems=[failing, {"Delete": {"TableName": "table", "Key": plain({"id": "b"})}}]
        )
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in records(streams, arn)] == ["a", "b", "c"]


def test_a_stream_is_read_from_where_one_likes(client: Any, streams: Any) -> None:
    arn = streamed(client)
    for number in range(5):
        put(client, id=str(number))
    latest = iterator(streams, arn, "LATEST")
    third = records(streams, arn)[2]["dynamodb"]["SequenceNumber"]

    def read(token: str, **more: Any) -> list[str]:
        found = streams.get_records(ShardIterator=token, **more)["Records"]
        return [record["dynamodb"]["Keys"]["id"]["S"] for record in found]

    assert read(iterator(streams, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=third)) == ["2", "3", "4"]
    assert read(iterator(streams, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=third)) == ["3", "4"]
    assert read(latest) == []
    put(client, id="5")
    assert read(latest) == ["5"]
    first = streams.get_records(ShardIterator=iterator(streams, arn), Limit=4)
    assert len(first["Records"]) == 4
    assert read(first["NextShardIterator"]) == ["4", "5"]


def test_a_stream_that_ended_can_be_read_out(client: Any, streams: Any) -> None:
    arn = streamed(client)
    put(client, id="a")
    client.update_table(TableName="table", StreamSpecification={"StreamEnabled": False})
    put(client, id="b")
    described = streams.describe_stream(StreamArn=arn)["StreamDescription"]
    assert described["StreamStatus"] == "DISABLED"
    assert "EndingSequenceNumber" in described["Shards"][0]["SequenceNumberRange"]
    reply = streams.get_records(ShardIterator=iterator(streams, arn))
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in reply["Records"]] == ["a"]
    assert "NextShardIterator" not in streams.get_records(ShardIterator=reply["NextShardIterator"])


def test_streams_are_listed_and_outlive_their_tables(client: Any, streams: Any) -> None:
    arns = [streamed(client, name=name) for name in ("one", "two")]
    listed = streams.list_streams()["Streams"]
    assert [(one["TableName"], one["StreamArn"]) for one in listed] == list(zip(("one", "two"), arns, strict=True))
    first = streams.list_streams(Limit=1)
    assert first["LastEvaluatedStreamArn"] == arns[0]
    rest = streams.list_streams(ExclusiveStartStreamArn=arns[0])["Streams"]
    assert [one["StreamArn"] for one in rest] == arns[1:]
    client.delete_table(TableName="one")
    assert streams.describe_stream(StreamArn=arns[0])["StreamDescription"]["StreamStatus"] == "DISABLED"
    assert [one["StreamArn"] for one in streams.list_streams(TableName="two")["Streams"]] == arns[1:]


def test_what_is_not_there_is_not_found(client: Any, streams: Any) -> None:
    arn = streamed(client)
    assert refusal(streams.describe_stream, StreamArn=arn + "x") == (
        "ResourceNotFoundException",
        f"Requested resource not found: Stream: {arn}x not found",
    )
    missing = {"StreamArn": arn, "ShardId": "shardId-00000000000000000000-none", "ShardIteratorType": "LATEST"}
    assert refusal(streams.get_shard_iterator, **missing)[0] == "ResourceNotFoundException"
    assert refusal(streams.get_records, ShardIterator="not-ours") == ("ValidationException", "Invalid ShardIterator")
    kind = {"ShardIteratorType": "AT_SEQUENCE_NUMBER"}
    assert refusal(streams.get_shard_iterator, **{**missing, **kind})[0] == "ValidationException"
