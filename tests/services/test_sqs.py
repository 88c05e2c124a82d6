"""SQS over the wire with boto3: every operation, as an application uses it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Make = Callable[..., Any]


@pytest.fixture
def sqs(aws: Callable[..., Any]) -> Any:
    return aws("sqs")


@pytest.fixture
def queue(sqs: Any) -> str:
    url: str = sqs.create_queue(QueueName="q")["QueueUrl"]
    return url


def arn_of(sqs: Any, url: str) -> str:
    found: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return found


def error_of(call: Callable[..., Any], **request: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    response: Any = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_message_goes_through_a_queue(sqs: Any, queue: str) -> None:
    """Send, receive, delete; boto3 checks the digests of body and attributes itself."""
    attributes = {
        "text": {"DataType": "String", "StringValue": "größer\n"},
        "number": {"DataType": "Number.int", "StringValue": "-17"},
        "bytes": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
    }
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    sent = sqs.send_message(
        QueueUrl=queue,
        MessageBody='{"order": "ü"}',
        MessageAttributes=attributes,
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace}},
    )
    assert sent["MD5OfMessageBody"] == hashlib.md5('{"order": "ü"}'.encode()).hexdigest()
    assert len(sent["MD5OfMessageSystemAttributes"]) == 32
    (message,) = sqs.receive_message(
        QueueUrl=queue, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5
    )["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], '{"order": "ü"}')
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["Attributes"]["AWSTraceHeader"] == trace
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert message["Attributes"]["SentTimestamp"].isdigit()
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_consumers_choose_what_they_see(sqs: Any, queue: str) -> None:
    """By the old and the new parameter, by name and by prefix."""
    value = {"DataType": "String", "StringValue": "v"}
    sqs.send_message(QueueUrl=queue, MessageBody="b", MessageAttributes={"a.x": value, "a.y": value, "b": value})

    def receive(**parameters: Any) -> Any:
        return sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0, **parameters)["Messages"][0]

    assert "Attributes" not in receive()
    assert "MessageAttributes" not in receive()
    assert set(receive(AttributeNames=["SentTimestamp"])["Attributes"]) == {"SentTimestamp"}
    assert set(receive(AttributeNames=["All"])["Attributes"]) == {
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
    }
    assert set(receive(MessageAttributeNames=["a.*"])["MessageAttributes"]) == {"a.x", "a.y"}
    assert set(receive(MessageAttributeNames=["b"])["MessageAttributes"]) == {"b"}
    assert set(receive(MessageAttributeNames=[".*"])["MessageAttributes"]) == {"a.x", "a.y", "b"}


def test_batches_answer_for_each_entry(sqs: Any, queue: str) -> None:
    """What can be done is done; a list that is empty is left out."""
    reply = sqs.send_message_batch(
        QueueUrl=queue,
        Entries=[
            {"Id": "good", "MessageBody": "1"},
            {"Id": "bad", "MessageBody": "\x01"},
            {"Id": "late", "MessageBody": "3", "DelaySeconds": 901},
        ],
    )
    assert [entry["Id"] for entry in reply["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in reply["Failed"]] == [
        ("bad", "InvalidMessageContents", True),
        ("late", "InvalidParameterValue", True),
    ]
    (message,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    handle = message["ReceiptHandle"]
    entries = [
        {"Id": "a", "ReceiptHandle": handle, "VisibilityTimeout": 60},
        {"Id": "b", "ReceiptHandle": "nonsense", "VisibilityTimeout": 60},
        {"Id": "c", "ReceiptHandle": handle, "VisibilityTimeout": 43_201},
    ]
    changed = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=entries)
    assert [entry["Id"] for entry in changed["Successful"]] == ["a"]
    assert [(entry["Id"], entry["Code"]) for entry in changed["Failed"]] == [
        ("b", "ReceiptHandleIsInvalid"),
        ("c", "InvalidParameterValue"),
    ]
    deleted = sqs.delete_message_batch(
        QueueUrl=queue, Entries=[{"Id": "a", "ReceiptHandle": handle}, {"Id": "b", "ReceiptHandle": "nonsense"}]
    )
    assert [entry["Id"] for entry in deleted["Successful"]] == ["a"]
    assert [entry["Code"] for entry in deleted["Failed"]] == ["ReceiptHandleIsInvalid"]
    again = sqs.delete_message_batch(QueueUrl=queue, Entries=[{"Id": "a", "ReceiptHandle": handle}])
    assert "Failed" not in again


def test_a_long_poll_is_answered_by_a_send(sqs: Any, aws: Make, queue: str) -> None:
    """From another connection, well before the wait is over."""
    received: list[Any] = []
    waiting = threading.Thread(
        target=lambda: received.append(aws_client.receive_message(QueueUrl=queue, WaitTimeSeconds=20))
    )
    aws_client = sqs
    waiting.start()
    sqs.send_message(QueueUrl=queue, MessageBody="now")
    waiting.join(10)
    assert received[0]["Messages"][0]["Body"] == "now"


def test_queues_are_made_found_listed_and_deleted(sqs: Any) -> None:
    """By name, prefix and page."""
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("b-2", "a-1", "b-1", "b_3")]
    assert sqs.create_queue(QueueName="a-1")["QueueUrl"] == urls[1]
    assert sqs.get_queue_url(QueueName="b-2")["QueueUrl"] == urls[0]
    assert sqs.list_queues()["QueueUrls"] == sorted(urls)
    assert sqs.list_queues(QueueNamePrefix="b-")["QueueUrls"] == [urls[2], urls[0]]
    first = sqs.list_queues(MaxResults=3)
    assert len(first["QueueUrls"]) == 3
    second = sqs.list_queues(MaxResults=3, NextToken=first["NextToken"])
    assert first["QueueUrls"] + second["QueueUrls"] == sorted(urls)
    assert "NextToken" not in second
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="zz")
    paged = sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1})
    assert [url for page in paged for url in page["QueueUrls"]] == sorted(urls)
    sqs.delete_queue(QueueUrl=urls[0])
    assert error_of(sqs.get_queue_url, QueueName="b-2")[0] == "AWS.SimpleQueueService.NonExistentQueue"
    assert sqs.create_queue(QueueName="b-2")["QueueUrl"] == urls[0]


def test_queues_belong_to_an_account_and_a_region(aws: Make) -> None:
    """The access key may be an account; a queue of another account is found by its owner."""
    mine = aws("sqs", region_name="eu-west-1")
    other = aws("sqs", region_name="eu-west-1", aws_access_key_id="111122223333")
    elsewhere = aws("sqs", region_name="us-west-2")
    url = mine.create_queue(QueueName="q")["QueueUrl"]
    assert arn_of(mine, url) == "arn:aws:sqs:eu-west-1:000000000000:q"
    assert "QueueUrls" not in elsewhere.list_queues()
    assert "QueueUrls" not in other.list_queues()
    assert other.get_queue_url(QueueName="q", QueueOwnerAWSAccountId="000000000000")["QueueUrl"] == url
    other.send_message(QueueUrl=url, MessageBody="from next door")
    (message,) = mine.receive_message(QueueUrl=url, AttributeNames=["SenderId"])["Messages"]
    assert message["Attributes"]["SenderId"] == "111122223333"


@pytest.mark.parametrize(
    "form",
    [
        "http://anything.example:1/{account}/{name}",
        "https://sqs.us-east-1.amazonaws.com/{account}/{name}",
        "http://localhost/queue/us-east-1/{account}/{name}",
        "{name}",
    ],
)
def test_a_queue_url_may_have_any_host(sqs: Any, queue: str, form: str) -> None:
    """Account and name count; the bare name will do."""
    sqs.send_message(QueueUrl=form.format(account="000000000000", name="q"), MessageBody="x")
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "x"


def test_attributes_are_set_and_read(sqs: Any, queue: str) -> None:
    """One, several or all."""
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "7", "VisibilityTimeout": "11"})
    everything = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert set(everything) == {
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
        "CreatedTimestamp",
        "DelaySeconds",
        "LastModifiedTimestamp",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "QueueArn",
        "ReceiveMessageWaitTimeSeconds",
        "SqsManagedSseEnabled",
        "VisibilityTimeout",
    }
    assert (everything["DelaySeconds"], everything["VisibilityTimeout"]) == ("7", "11")
    some = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["DelaySeconds", "Policy"])["Attributes"]
    assert some == {"DelaySeconds": "7"}
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue)


def test_policies_permissions_and_tags_are_kept(sqs: Any, queue: str) -> None:
    """And answered as they were given."""
    sqs.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=["111122223333"], Actions=["SendMessage"])
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    sqs.remove_permission(QueueUrl=queue, Label="one")
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
    tagged = sqs.create_queue(QueueName="tagged", tags={"a": "1"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=tagged, Tags={"b": "2", "a": "3"})
    assert sqs.list_queue_tags(QueueUrl=tagged)["Tags"] == {"a": "3", "b": "2"}
    sqs.untag_queue(QueueUrl=tagged, TagKeys=["a", "never there"])
    assert sqs.list_queue_tags(QueueUrl=tagged)["Tags"] == {"b": "2"}
    assert "Tags" not in sqs.list_queue_tags(QueueUrl=queue)


def test_a_poison_message_ends_in_the_dead_letter_queue_and_comes_back(sqs: Any) -> None:
    """Redrive policy, its sources, and a move task."""
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": "1"})
    source = sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"})[
        "QueueUrl"
    ]
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [source]
    assert sqs.list_dead_letter_source_queues(QueueUrl=source)["queueUrls"] == []
    sqs.send_message(QueueUrl=source, MessageBody="poison")
    sqs.receive_message(QueueUrl=source)
    assert "Messages" not in sqs.receive_message(QueueUrl=source)
    (message,) = sqs.receive_message(QueueUrl=dead, VisibilityTimeout=0, MessageSystemAttributeNames=["All"])[
        "Messages"
    ]
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == arn_of(sqs, source)
    handle = sqs.start_message_move_task(SourceArn=arn_of(sqs, dead))["TaskHandle"]
    assert handle
    (back,) = sqs.receive_message(QueueUrl=source, WaitTimeSeconds=10)["Messages"]
    assert back["Body"] == "poison"
    assert back["MessageId"] != message["MessageId"]
    (task,) = sqs.list_message_move_tasks(SourceArn=arn_of(sqs, dead))["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)


def test_a_fifo_queue_keeps_order_and_drops_duplicates(sqs: Any) -> None:
    """Over batches and connections."""
    url = sqs.create_queue(
        QueueName="orders.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    reply = sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": str(i % 3), "MessageGroupId": "g"} for i in range(5)]
    )
    numbers = [entry["SequenceNumber"] for entry in reply["Successful"]]
    assert numbers[:2] == numbers[3:]
    assert numbers[:3] == sorted(set(numbers))
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    assert [message["Body"] for message in messages] == ["0", "1", "2"]
    assert [message["Attributes"]["SequenceNumber"] for message in messages] == numbers[:3]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (found["FifoQueue"], found["DeduplicationScope"]) == ("true", "queue")


def test_a_purge_empties_a_queue(sqs: Any, queue: str) -> None:
    """And a second one within a minute is refused."""
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    sqs.purge_queue(QueueUrl=queue)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    assert error_of(sqs.purge_queue, QueueUrl=queue)[0] == "AWS.SimpleQueueService.PurgeQueueInProgress"


def test_the_largest_message_fits_and_no_larger_one(sqs: Any, queue: str) -> None:
    """1 MiB with attributes; a queue may allow less."""
    sqs.send_message(QueueUrl=queue, MessageBody="x" * 1_048_576)
    assert len(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"]) == 1_048_576
    value = {"DataType": "String", "StringValue": "v"}
    too_long = (
        "InvalidParameterValue",
        "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
        400,
    )
    assert error_of(sqs.send_message, QueueUrl=queue, MessageBody="x" * 1_048_577) == too_long
    request = {"QueueUrl": queue, "MessageBody": "x" * 1_048_568}
    sqs.send_message(**request, MessageAttributes={"a": value})
    assert error_of(sqs.send_message, **request, MessageAttributes={"ab": value}) == too_long
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
    assert error_of(sqs.send_message, QueueUrl=queue, MessageBody="ü" * 513)[0] == "InvalidParameterValue"


def test_an_entry_that_is_too_long_fails_alone(sqs: Any, queue: str) -> None:
    """A queue's maximum is that of each message; the batch may be longer (recorded by LocalStack's validated suite)."""
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
    entries = [{"Id": str(size), "MessageBody": "a" * size} for size in (1025, 1024, 1000)]
    reply = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert reply["Failed"] == [
        {
            "Id": "1025",
            "SenderFault": True,
            "Code": "InvalidParameterValue",
            "Message": "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
        }
    ]
    assert [sent["Id"] for sent in reply["Successful"]] == ["1024", "1000"]
    assert reply["Successful"][0]["MD5OfMessageBody"] == "c9a34cfc85d982698c6ac89f76071abd"


def test_a_wider_scope_still_knows_what_was_sent_in_the_narrower(sqs: Any) -> None:
    """Changing to high throughput forgets no duplicate.

    Recorded by LocalStack's suite in August 2025, known only from its copy in localemu/localemu. It sent at once after
    the change, so it does not tell whether AWS had applied it yet.
    """
    url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]

    def arrives(body: str, deduplication: str, group: str) -> bool:
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageDeduplicationId=deduplication, MessageGroupId=group)
        return [m["Body"] for m in sqs.receive_message(QueueUrl=url).get("Messages", [])] == [body]

    assert [arrives("1", "a", "g1"), arrives("2", "a", "g2")] == [True, False]
    scope = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=scope)
    assert [arrives("3", "a", "g3"), arrives("4", "b", "g4"), arrives("5", "b", "g4")] == [False, True, False]
    assert arrives("6", "b", "g5")


@pytest.mark.slow
def test_what_was_acknowledged_is_there_after_kill_9(new_server: Make) -> None:
    """Messages, receives and deletions."""
    server = new_server()
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    for number in range(20):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    gone = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=5)["Messages"]
    for message in gone:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    (hidden,) = sqs.receive_message(QueueUrl=url)["Messages"]
    server.kill()
    server.start()
    sqs = server.client("sqs")
    bodies = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in messages]
    assert sorted(map(int, bodies)) == sorted(set(range(20)) - {int(m["Body"]) for m in [*gone, hidden]})
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=hidden["ReceiptHandle"], VisibilityTimeout=0)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == hidden["Body"]
