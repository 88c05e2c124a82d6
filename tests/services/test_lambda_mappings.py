"""Queues that feed functions, through boto3."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ServerProcess
from tests.services.lambda_code import create, package

pytestmark = pytest.mark.slow

Aws = Callable[..., Any]
PREFIX = "arn:aws:sqs:us-east-1:000000000000:"

TELL = """
import boto3, json
sqs = boto3.client("sqs")
def handler(event, context):
    failures = []
    for record in event["Records"]:
        if "bad" in record["body"]:
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        sqs.send_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/000000000000/told",
            MessageBody=json.dumps({"record": record, "size": len(event["Records"]), "id": context.aws_request_id}))
    return {"batchItemFailures": failures}
"""


@pytest.fixture
def lam(aws: Aws) -> Any:
    return aws("lambda")


@pytest.fixture
def sqs(aws: Aws) -> Any:
    client = aws("sqs")
    client.create_queue(QueueName="told")
    client.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "30"})
    return client


def url(name: str) -> str:
    return f"https://sqs.us-east-1.amazonaws.com/000000000000/{name}"


def told(sqs: Any, count: int, *, name: str = "told") -> list[Any]:
    """The next `count` messages that functions sent."""
    found: list[Any] = []
    deadline = time.monotonic() + 30
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} came: {found}"
        reply = sqs.receive_message(QueueUrl=url(name), MaxNumberOfMessages=10, WaitTimeSeconds=5)
        for message in reply.get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url(name), ReceiptHandle=message["ReceiptHandle"])
    return found


def left(sqs: Any, name: str) -> int:
    attributes = sqs.get_queue_attributes(QueueUrl=url(name), AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"]) + int(attributes["ApproximateNumberOfMessagesNotVisible"])


def empty(sqs: Any, name: str) -> None:
    """Wait until a queue holds nothing, in flight or not."""
    deadline = time.monotonic() + 30
    while left(sqs, name):
        assert time.monotonic() < deadline


def connect(lam: Any, **more: Any) -> str:
    """A mapping from `q` to `f`; its identifier."""
    made = lam.create_event_source_mapping(**{"FunctionName": "f", "EventSourceArn": f"{PREFIX}q", **more})
    uuid: str = made["UUID"]
    return uuid


def test_a_message_becomes_an_event(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    made = lam.create_event_source_mapping(FunctionName="f", EventSourceArn=f"{PREFIX}q")
    assert (made["State"], made["BatchSize"], made["MaximumBatchingWindowInSeconds"]) == ("Creating", 10, 0)
    assert made["EventSourceMappingArn"].endswith(f":event-source-mapping:{made['UUID']}")
    assert lam.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled"
    attributes = {"k": {"DataType": "String", "StringValue": "v"}}
    sent = sqs.send_message(QueueUrl=url("q"), MessageBody="hello", MessageAttributes=attributes)
    record = told(sqs, 1)[0]["record"]
    assert record["messageId"] == sent["MessageId"]
    assert record["body"] == "hello"
    assert record["md5OfBody"] == sent["MD5OfMessageBody"]
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == f"{PREFIX}q"
    assert record["awsRegion"] == "us-east-1"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"]["k"]["stringValue"] == "v"
    empty(sqs, "q")


@pytest.mark.slow
def test_many_messages_are_all_handled_once(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    connect(lam, BatchSize=5)
    for start in range(0, 60, 10):
        entries = [{"Id": str(n), "MessageBody": str(start + n)} for n in range(10)]
        sqs.send_message_batch(QueueUrl=url("q"), Entries=entries)
    found = told(sqs, 60)
    assert sorted(int(one["record"]["body"]) for one in found) == list(range(60))
    assert max(one["size"] for one in found) <= 5
    empty(sqs, "q")


def test_what_fails_in_part_comes_back_and_ends_in_the_dead_letter_queue(
    lam: Any, sqs: Any, server: ServerProcess
) -> None:
    """A poison message delays nobody, is tried as often as the redrive policy says, and is then put aside."""
    sqs.create_queue(QueueName="dead")
    redrive = json.dumps({"deadLetterTargetArn": f"{PREFIX}dead", "maxReceiveCount": 2})
    sqs.set_queue_attributes(QueueUrl=url("q"), Attributes={"RedrivePolicy": redrive})
    create(lam, TELL, Timeout=20)
    connect(lam, FunctionResponseTypes=["ReportBatchItemFailures"])
    for body in ("one", "bad", "two", "three"):
        sqs.send_message(QueueUrl=url("q"), MessageBody=body)
    assert sorted(one["record"]["body"] for one in told(sqs, 3)) == ["one", "three", "two"]
    deadline = time.monotonic() + 30
    while left(sqs, "dead") == 0:
        assert time.monotonic() < deadline
        server.post("/_fogbank/clock", {"seconds": 31})
    message = sqs.receive_message(QueueUrl=url("dead"), AttributeNames=["All"])["Messages"][0]
    assert message["Body"] == "bad"
    empty(sqs, "q")


def test_filters_choose_and_delete_the_rest(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    pattern = json.dumps({"body": {"kind": ["order"]}})
    connect(lam, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    for kind in ("order", "other", "order"):
        sqs.send_message(QueueUrl=url("q"), MessageBody=json.dumps({"kind": kind}))
    found = told(sqs, 2)
    assert [json.loads(one["record"]["body"])["kind"] for one in found] == ["order", "order"]
    empty(sqs, "q")


@pytest.mark.slow
def test_a_batching_window_gathers(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    connect(lam, BatchSize=25, MaximumBatchingWindowInSeconds=2)
    for start in range(2):
        entries = [{"Id": str(n), "MessageBody": f"{start}{n}"} for n in range(10)]
        sqs.send_message_batch(QueueUrl=url("q"), Entries=entries)
    assert max(one["size"] for one in told(sqs, 20)) > 10


def test_a_disabled_mapping_waits_until_it_is_enabled(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    uuid = connect(lam, Enabled=False)
    assert lam.get_event_source_mapping(UUID=uuid)["State"] == "Disabled"
    sqs.send_message(QueueUrl=url("q"), MessageBody="kept")
    assert lam.update_event_source_mapping(UUID=uuid, Enabled=True)["State"] == "Enabling"
    assert told(sqs, 1)[0]["record"]["body"] == "kept"
    assert lam.update_event_source_mapping(UUID=uuid, Enabled=False)["State"] == "Disabling"
    assert lam.update_event_source_mapping(UUID=uuid, BatchSize=3)["State"] == "Updating"
    assert lam.get_event_source_mapping(UUID=uuid)["BatchSize"] == 3
    assert lam.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"
    with pytest.raises(ClientError, match="The resource you requested does not exist"):
        lam.get_event_source_mapping(UUID=uuid)


def test_mappings_are_listed(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    create(lam, TELL, name="g", Timeout=20)
    sqs.create_queue(QueueName="q2")
    uuids = {connect(lam), connect(lam, FunctionName="g"), connect(lam, EventSourceArn=f"{PREFIX}q2")}
    assert {one["UUID"] for one in lam.list_event_source_mappings()["EventSourceMappings"]} == uuids
    assert len(lam.list_event_source_mappings(FunctionName="g")["EventSourceMappings"]) == 1
    assert len(lam.list_event_source_mappings(EventSourceArn=f"{PREFIX}q")["EventSourceMappings"]) == 2


@pytest.mark.slow
def test_a_throttled_function_slows_the_queue_and_loses_nothing(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    connect(lam, BatchSize=1)
    for number in range(10):
        sqs.send_message(QueueUrl=url("q"), MessageBody=str(number))
    found = told(sqs, 10)
    assert sorted(int(one["record"]["body"]) for one in found) == list(range(10))
    assert {one["record"]["attributes"]["ApproximateReceiveCount"] for one in found} == {"1"}


@pytest.mark.slow
def test_a_mapping_polls_again_after_a_crash(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    lam, sqs = server.client("lambda"), server.client("sqs")
    for name in ("told", "q"):
        sqs.create_queue(QueueName=name)
    create(lam, TELL, Timeout=20)
    connect(lam)
    sqs.send_message(QueueUrl=url("q"), MessageBody="before")
    assert told(sqs, 1)[0]["record"]["body"] == "before"
    server.kill()
    server = new_server(data=server.data)
    sqs = server.client("sqs")
    sqs.send_message(QueueUrl=url("q"), MessageBody="after")
    assert told(sqs, 1)[0]["record"]["body"] == "after"
    assert server.stop() == 0


@pytest.mark.slow
def test_a_function_of_a_mapping_can_change(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    connect(lam)
    sqs.send_message(QueueUrl=url("q"), MessageBody="one")
    told(sqs, 1)
    lam.update_function_code(FunctionName="f", ZipFile=package(app=TELL.replace('"id":', '"new": 1, "id":')))
    sqs.send_message(QueueUrl=url("q"), MessageBody="two")
    assert told(sqs, 1)[0]["new"] == 1


def test_messages_for_a_function_that_is_gone_stay_in_the_queue(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    connect(lam)
    sqs.send_message(QueueUrl=url("q"), MessageBody="first")
    told(sqs, 1)
    empty(sqs, "q")
    lam.delete_function(FunctionName="f")
    sqs.send_message(QueueUrl=url("q"), MessageBody="second")
    sqs.send_message(QueueUrl=url("q"), MessageBody="third")
    assert left(sqs, "q") >= 1


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"FunctionName": "nope"}, "InvalidParameterValueException", "Function does not exist"),
        ({"EventSourceArn": f"{PREFIX}nope"}, "InvalidParameterValueException", "Error occurred while ReceiveMessage."),
        ({"EventSourceArn": "arn:aws:s3:::bucket"}, "InvalidParameterValueException", "Unrecognized event source"),
        (
            {"BatchSize": 11},
            "InvalidParameterValueException",
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ),
        (
            {"StartingPosition": "LATEST"},
            "InvalidParameterValueException",
            "StartingPosition is not valid for SQS event",
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}},
            "InvalidParameterValueException",
            "Invalid filter pattern definition.",
        ),
    ],
)
def test_mappings_that_cannot_be(lam: Any, sqs: Any, request_: dict[str, Any], code: str, message: str) -> None:
    create(lam, TELL, Timeout=20)
    with pytest.raises(ClientError) as raised:
        connect(lam, **request_)
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["Error"]["Message"].startswith(message)
    assert lam.list_event_source_mappings()["EventSourceMappings"] == []


def test_a_queue_must_hide_messages_for_as_long_as_the_function_may_take(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=31)
    with pytest.raises(ClientError, match="Queue visibility timeout: 30 seconds is less than Function timeout: 31"):
        connect(lam)


def test_a_source_and_a_function_are_joined_once(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    uuid = connect(lam)
    with pytest.raises(ClientError, match=rf"provided mapping already exists.*UUID {uuid}") as raised:
        connect(lam)
    assert raised.value.response["Error"]["Code"] == "ResourceConflictException"


def test_sources_that_come_later_are_refused_by_name(lam: Any, sqs: Any) -> None:
    create(lam, TELL, Timeout=20)
    with pytest.raises(ClientError, match="Fogbank does not poll Kinesis streams yet"):
        connect(lam, EventSourceArn="arn:aws:kinesis:us-east-1:000000000000:stream/s", StartingPosition="LATEST")
