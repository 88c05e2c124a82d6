"""Streams of tables that feed functions, through boto3."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ServerProcess
from tests.services.lambda_code import create

Aws = Callable[..., Any]
QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/"
ARN = "arn:aws:sqs:us-east-1:000000000000:"
TELL = """
import boto3, json
sqs = boto3.client("sqs")
def handler(event, context):
    for record in event["Records"]:
        if "bad" in record["dynamodb"]["Keys"]["id"]["S"]:
            raise ValueError("bad")
    sqs.send_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/000000000000/told", MessageBody=json.dumps(event))
"""


@pytest.fixture
def lam(aws: Aws) -> Any:
    client = aws("lambda")
    create(client, TELL, Timeout=20)
    return client


@pytest.fixture
def sqs(aws: Aws) -> Any:
    client = aws("sqs")
    for name in ("told", "lost"):
        client.create_queue(QueueName=name)
    return client


@pytest.fixture
def ddb(aws: Aws) -> Any:
    client = aws("dynamodb")
    client.create_table(
        TableName="tab",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return client


def stream(ddb: Any) -> str:
    arn: str = ddb.describe_table(TableName="tab")["Table"]["LatestStreamArn"]
    return arn


def put(ddb: Any, *names: str) -> None:
    for name in names:
        ddb.put_item(TableName="tab", Item={"id": {"S": name}, "blob": {"B": b"foobar"}})


def connect(lam: Any, ddb: Any, **more: Any) -> Any:
    given = {"FunctionName": "f", "EventSourceArn": stream(ddb), "StartingPosition": "TRIM_HORIZON", **more}
    return lam.create_event_source_mapping(**given)


def received(sqs: Any, name: str) -> Any:
    """The next message of a queue, as JSON."""
    deadline = time.monotonic() + 30
    while True:
        assert time.monotonic() < deadline
        reply = sqs.receive_message(QueueUrl=QUEUE + name, WaitTimeSeconds=5)
        for message in reply.get("Messages", []):
            sqs.delete_message(QueueUrl=QUEUE + name, ReceiptHandle=message["ReceiptHandle"])
            return json.loads(message["Body"])


def told(sqs: Any, count: int) -> list[Any]:
    """The next `count` records that the function was given."""
    found: list[Any] = []
    while len(found) < count:
        found += received(sqs, "told")["Records"]
    return found


def test_changes_of_a_table_become_events_in_order(lam: Any, sqs: Any, ddb: Any) -> None:
    put(ddb, "before")
    made = connect(lam, ddb)
    for name, value in {
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "LastProcessingResult": "No records processed",
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "StartingPosition": "TRIM_HORIZON",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "TumblingWindowInSeconds": 0,
    }.items():
        assert made[name] == value, name
    put(ddb, "one", "one")
    ddb.delete_item(TableName="tab", Key={"id": {"S": "one"}})
    records = told(sqs, 3)
    assert [one["eventName"] for one in records] == ["INSERT", "INSERT", "REMOVE"]
    assert records[0]["dynamodb"]["NewImage"] == {"id": {"S": "before"}, "blob": {"B": "Zm9vYmFy"}}
    assert records[0]["eventSourceARN"] == stream(ddb)


def test_only_the_latest_and_only_what_fits_a_filter(lam: Any, sqs: Any, ddb: Any) -> None:
    put(ddb, "before")
    pattern = json.dumps({"dynamodb": {"Keys": {"id": {"S": [{"prefix": "w"}]}}}})
    connect(lam, ddb, StartingPosition="LATEST", FilterCriteria={"Filters": [{"Pattern": pattern}]})
    put(ddb, "other", "wanted")
    assert [one["dynamodb"]["Keys"]["id"]["S"] for one in told(sqs, 1)] == ["wanted"]


@pytest.mark.slow
def test_what_fails_is_halved_told_to_the_destination_and_passed(
    lam: Any, sqs: Any, ddb: Any, server: ServerProcess
) -> None:
    """One bad record costs no other: its batch is halved until it stands alone, tried again, and given up."""
    put(ddb, "one", "two", "bad", "three")
    made = connect(
        lam,
        ddb,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": f"{ARN}lost"}},
    )
    assert [one["dynamodb"]["Keys"]["id"]["S"] for one in told(sqs, 2)] == ["one", "two"]
    deadline = time.monotonic() + 30
    while "Messages" not in (reply := sqs.receive_message(QueueUrl=f"{QUEUE}lost", WaitTimeSeconds=1)):
        assert time.monotonic() < deadline
        server.post("/_fogbank/clock", {"seconds": 2})
    lost = json.loads(reply["Messages"][0]["Body"])
    assert lost["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert lost["requestContext"]["approximateInvokeCount"] == 2
    assert (lost["DDBStreamBatchInfo"]["batchSize"], lost["DDBStreamBatchInfo"]["streamArn"]) == (1, stream(ddb))
    assert told(sqs, 1)[0]["dynamodb"]["Keys"]["id"]["S"] == "three"
    assert lam.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled"


@pytest.mark.slow
def test_reading_goes_on_after_a_crash(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    sqs = server.client("sqs")
    sqs.create_queue(QueueName="told")
    ddb = server.client("dynamodb")
    ddb.create_table(
        TableName="tab",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    lam = server.client("lambda")
    create(lam, TELL, Timeout=20)
    connect(lam, ddb, StartingPosition="LATEST")
    server.kill()
    server = new_server(data=server.data)
    put(server.client("dynamodb"), "after")
    assert told(server.client("sqs"), 1)[0]["dynamodb"]["Keys"]["id"]["S"] == "after"
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1}, "Unsupported starting position for arn"),
        ({"StartingPositionTimestamp": 1}, "Timestamp only valid with StartingPosition AT_TIMESTAMP"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "x"}]}}, "Invalid filter pattern definition."),
        ({"EventSourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/no/stream/x"}, "Stream not found: arn:aws"),
        ({"TumblingWindowInSeconds": 30}, "Fogbank does not implement the TumblingWindowInSeconds"),
        ({"ParallelizationFactor": 2}, "Fogbank does not implement the ParallelizationFactor"),
        ({"MaximumRecordAgeInSeconds": 59}, "MaximumRecordAgeInSeconds must be"),
    ],
)
def test_mappings_that_cannot_be(lam: Any, ddb: Any, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError) as raised:
        connect(lam, ddb, **request_)
    assert raised.value.response["Error"]["Message"].startswith(message)
