"""Each error of SQS over the wire: code, message and status, a row for each rule.

The messages are those that AWS documents or that users quote from it in public; where neither is known, the row says
nothing of the message.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
SOURCE = "arn:aws:sqs:us-east-1:000000000000:source"
MISSING = "arn:aws:sqs:us-east-1:000000000000:missing"
VALUE = {"DataType": "String", "StringValue": "v"}
QUEUE, FIFO, SOURCE_URL = "<queue>", "<fifo>", "<source>"
HANDLE, OTHER_HANDLE, USED_HANDLE = "<handle>", "<handle of another queue>", "<handle of a deleted message>"


@dataclass(frozen=True)
class Row:
    """A call, and the error that it gets."""

    operation: str
    request: dict[str, Any]
    code: str
    message: str | None
    status: int = 400
    shape: str = ""
    """The exception that boto3 raises, where the model has one."""
    before: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
VALUE_ERROR = "InvalidParameterValue"


def value(parameter: str, shown: object, reason: str) -> str:
    return f"Value {shown} for parameter {parameter} is invalid. Reason: {reason}"


def task_handle(source: str) -> str:
    return base64.b64encode(json.dumps({"taskId": "1", "sourceArn": source}).encode()).decode()


def redrive(target: str = DEAD, count: object = 1) -> dict[str, str]:
    return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": count})}


def compact(policy: dict[str, str]) -> str:
    return json.dumps(json.loads(policy["RedrivePolicy"]), separators=(",", ":"))


WRONG_TYPE = "The request include parameter that is not valid for this queue type."

ROWS = [
    # -- queues that do not exist
    *[
        Row(
            operation,
            {"QueueUrl": url, **more},
            NO_QUEUE,
            "The specified queue does not exist.",
            400,
            "QueueDoesNotExist",
        )
        for url in ("http://localhost:1/000000000000/nope", "nope", "http://whatever-incorrect-queue-address", "x/y")
        for operation, more in (
            ("send_message", {"MessageBody": "x"}),
            ("receive_message", {}),
            ("get_queue_attributes", {}),
            ("delete_queue", {}),
        )
    ],
    *[
        Row(operation, {"QueueUrl": "nope", **more}, NO_QUEUE, None)
        for operation, more in (
            ("send_message_batch", {"Entries": [{"Id": "1", "MessageBody": "x"}]}),
            ("delete_message", {"ReceiptHandle": "x"}),
            ("delete_message_batch", {"Entries": [{"Id": "1", "ReceiptHandle": "x"}]}),
            ("change_message_visibility", {"ReceiptHandle": "x", "VisibilityTimeout": 1}),
            ("purge_queue", {}),
            ("set_queue_attributes", {"Attributes": {"DelaySeconds": "1"}}),
            ("tag_queue", {"Tags": {"a": "b"}}),
            ("untag_queue", {"TagKeys": ["a"]}),
            ("list_queue_tags", {}),
            ("list_dead_letter_source_queues", {}),
            ("add_permission", {"Label": "l", "AWSAccountIds": ["111122223333"], "Actions": ["*"]}),
            ("remove_permission", {"Label": "l"}),
        )
    ],
    Row("get_queue_url", {"QueueName": "nope"}, NO_QUEUE, "The specified queue does not exist."),
    Row("get_queue_url", {"QueueName": "q", "QueueOwnerAWSAccountId": "111122223333"}, NO_QUEUE, None),
    # -- making queues
    Row(
        "create_queue",
        {"QueueName": "a b"},
        VALUE_ERROR,
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ),
    Row("create_queue", {"QueueName": "x" * 81}, VALUE_ERROR, None),
    Row("create_queue", {"QueueName": "q2.fifo"}, VALUE_ERROR, None),
    Row(
        "create_queue",
        {"QueueName": "q2", "Attributes": {"FifoQueue": "true"}},
        VALUE_ERROR,
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
        "must end with .fifo suffix and be 1 to 80 in length",
    ),
    Row(
        "create_queue",
        {"QueueName": "q2", "Attributes": {"FifoQueue": "false"}},
        "InvalidAttributeName",
        "Unknown Attribute FifoQueue.",
    ),
    Row(
        "create_queue",
        {"QueueName": "q2", "Attributes": {"Nonsense": "1"}},
        "InvalidAttributeName",
        "Unknown Attribute Nonsense.",
        400,
        "InvalidAttributeName",
    ),
    Row(
        "create_queue",
        {"QueueName": "q2", "Attributes": {"ContentBasedDeduplication": "true"}},
        "InvalidAttributeName",
        "Unknown Attribute ContentBasedDeduplication.",
    ),
    Row(
        "create_queue",
        {"QueueName": "q2", "Attributes": {"VisibilityTimeout": "43201"}},
        "InvalidAttributeValue",
        "Invalid value for the parameter VisibilityTimeout.",
    ),
    Row(
        "create_queue",
        {"QueueName": "q", "Attributes": {"VisibilityTimeout": "31"}},
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
        400,
        "QueueNameExists",
    ),
    Row(
        "create_queue",
        {"QueueName": "q2", "Attributes": redrive(MISSING)},
        VALUE_ERROR,
        value("RedrivePolicy", compact(redrive(MISSING)), "Dead letter target does not exist."),
    ),
    Row(
        "create_queue",
        {"QueueName": "q2.fifo", "Attributes": {"FifoQueue": "true", **redrive()}},
        VALUE_ERROR,
        value("RedrivePolicy", compact(redrive()), "Dead-letter queue must be same type of queue as the source."),
    ),
    Row("create_queue", {"QueueName": "q2", "tags": {"aws:x": "1"}}, VALUE_ERROR, None),
    # -- attributes
    Row(
        "get_queue_attributes",
        {"QueueUrl": QUEUE, "AttributeNames": ["Foo"]},
        "InvalidAttributeName",
        "Unknown Attribute Foo.",
    ),
    Row(
        "set_queue_attributes",
        {"QueueUrl": QUEUE, "Attributes": {"Foo": "1"}},
        "InvalidAttributeName",
        "Unknown Attribute Foo.",
    ),
    Row("set_queue_attributes", {"QueueUrl": QUEUE, "Attributes": {"QueueArn": "1"}}, "InvalidAttributeName", None),
    Row(
        "set_queue_attributes",
        {"QueueUrl": FIFO, "Attributes": {"FifoQueue": "false"}},
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    ),
    *[
        Row(
            "set_queue_attributes",
            {"QueueUrl": QUEUE, "Attributes": {"FifoQueue": value}},
            "InvalidAttributeName",
            "Unknown Attribute FifoQueue.",
        )
        for value in ("true", "false")
    ],
    *[
        Row(
            "create_queue",
            {"QueueName": "q2", "Attributes": {name: value}},
            "InvalidAttributeName",
            f"You can specify the {name} only when FifoQueue is set to true.",
        )
        for name, value in (("DeduplicationScope", "queue"), ("FifoThroughputLimit", "perQueue"))
    ],
    Row(
        "set_queue_attributes",
        {"QueueUrl": QUEUE, "Attributes": {"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"}},
        "InvalidAttributeName",
        "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
    ),
    Row(
        "set_queue_attributes", {"QueueUrl": QUEUE, "Attributes": {"DelaySeconds": "x"}}, "InvalidAttributeValue", None
    ),
    Row("set_queue_attributes", {"QueueUrl": QUEUE, "Attributes": {"Policy": "x"}}, "InvalidAttributeValue", None),
    Row("set_queue_attributes", {"QueueUrl": QUEUE, "Attributes": {}}, "MissingParameter", None),
    Row(
        "set_queue_attributes",
        {"QueueUrl": QUEUE, "Attributes": {"RedrivePolicy": "{}"}},
        VALUE_ERROR,
        value("RedrivePolicy", "{}", "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
    ),
    Row(
        "set_queue_attributes",
        {"QueueUrl": QUEUE, "Attributes": redrive()},
        VALUE_ERROR,
        None,
        before=[
            (
                "set_queue_attributes",
                {"QueueUrl": "dead", "Attributes": {"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'}},
            )
        ],
    ),
    # -- listing
    Row("list_queues", {"MaxResults": 0}, VALUE_ERROR, None),
    Row("list_queues", {"MaxResults": 1001}, VALUE_ERROR, None),
    Row("list_queues", {"MaxResults": 1, "NextToken": "?"}, VALUE_ERROR, "Invalid or expired next token."),
    Row("list_dead_letter_source_queues", {"QueueUrl": QUEUE, "MaxResults": 1001}, VALUE_ERROR, None),
    # -- purging
    Row(
        "purge_queue",
        {"QueueUrl": QUEUE},
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        "Only one PurgeQueue operation on q is allowed every 60 seconds.",
        403,
        "PurgeQueueInProgress",
        [("purge_queue", {"QueueUrl": QUEUE})],
    ),
    # -- sending
    Row("send_message", {"QueueUrl": QUEUE}, "MissingParameter", "The request must contain the parameter MessageBody."),
    Row("send_message", {"MessageBody": "x"}, "MissingParameter", "The request must contain the parameter QueueUrl."),
    Row(
        "send_message",
        {"QueueUrl": QUEUE, "MessageBody": ""},
        "MissingParameter",
        "The request must contain the parameter MessageBody.",
    ),
    Row(
        "send_message",
        {"QueueUrl": QUEUE, "MessageBody": "a\x07"},
        "InvalidMessageContents",
        "Invalid binary character '#x7' was found in the message body, the set of allowed characters is "
        "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].",
        400,
        "InvalidMessageContents",
    ),
    Row(
        "send_message",
        {"QueueUrl": QUEUE, "MessageBody": "x", "DelaySeconds": 901},
        VALUE_ERROR,
        value("DelaySeconds", 901, "DelaySeconds must be >= 0 and <= 900."),
    ),
    Row("send_message", {"QueueUrl": QUEUE, "MessageBody": "x", "DelaySeconds": -1}, VALUE_ERROR, None),
    Row(
        "send_message",
        {"QueueUrl": QUEUE, "MessageBody": "x", "MessageDeduplicationId": "d"},
        VALUE_ERROR,
        value("MessageDeduplicationId", "d", WRONG_TYPE),
    ),
    Row(
        "send_message",
        {"QueueUrl": QUEUE, "MessageBody": "x", "MessageAttributes": {"a": {"DataType": "text", "StringValue": "x"}}},
        VALUE_ERROR,
        "The type of message (user) attribute 'a' is invalid. You must use only the following supported type prefixes: "
        "Binary, Number, String.",
    ),
    Row("send_message", {"QueueUrl": QUEUE, "MessageBody": "x", "MessageGroupId": "a b"}, VALUE_ERROR, None),
    Row(
        "send_message",
        {"QueueUrl": FIFO, "MessageBody": "x", "MessageDeduplicationId": "d"},
        "MissingParameter",
        "The request must contain the parameter MessageGroupId.",
    ),
    Row(
        "send_message",
        {"QueueUrl": FIFO, "MessageBody": "x", "MessageGroupId": "g"},
        VALUE_ERROR,
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    ),
    Row(
        "send_message",
        {"QueueUrl": FIFO, "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 1},
        VALUE_ERROR,
        value("DelaySeconds", 1, WRONG_TYPE),
    ),
    # -- batches
    Row(
        "send_message_batch",
        {"QueueUrl": QUEUE, "Entries": []},
        "AWS.SimpleQueueService.EmptyBatchRequest",
        "There should be at least one SendMessageBatchRequestEntry in the request.",
        400,
        "EmptyBatchRequest",
    ),
    Row(
        "delete_message_batch",
        {"QueueUrl": QUEUE, "Entries": []},
        "AWS.SimpleQueueService.EmptyBatchRequest",
        "There should be at least one DeleteMessageBatchRequestEntry in the request.",
    ),
    Row(
        "change_message_visibility_batch",
        {"QueueUrl": QUEUE, "Entries": []},
        "AWS.SimpleQueueService.EmptyBatchRequest",
        "There should be at least one ChangeMessageVisibilityBatchRequestEntry in the request.",
    ),
    Row(
        "send_message_batch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": str(i), "MessageBody": "x"} for i in range(11)]},
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "Maximum number of entries per request are 10. You have sent 11.",
        400,
        "TooManyEntriesInBatchRequest",
    ),
    Row(
        "delete_message_batch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": str(i), "ReceiptHandle": "x"} for i in range(11)]},
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        None,
    ),
    Row(
        "send_message_batch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": "a", "MessageBody": "x"}] * 2},
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "Id a repeated.",
        400,
        "BatchEntryIdsNotDistinct",
    ),
    Row(
        "delete_message_batch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": "a!", "ReceiptHandle": "x"}]},
        "AWS.SimpleQueueService.InvalidBatchEntryId",
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
        "It can be at most 80 letters long.",
        400,
        "InvalidBatchEntryId",
    ),
    Row(
        "send_message_batch",
        {"QueueUrl": FIFO, "Entries": [{"Id": "a", "MessageBody": "x"}]},
        VALUE_ERROR,
        "The request must contain the parameter MessageGroupId.",
    ),
    Row(
        "send_message_batch",
        {"QueueUrl": FIFO, "Entries": [{"Id": "a", "MessageBody": "x", "MessageGroupId": "g"}]},
        VALUE_ERROR,
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    ),
    Row(
        "send_message_batch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": "a", "MessageBody": "x" * 2**20}, {"Id": "b", "MessageBody": "x"}]},
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
    ),
    # -- receiving
    Row(
        "receive_message",
        {"QueueUrl": QUEUE, "MaxNumberOfMessages": 11},
        VALUE_ERROR,
        value("MaxNumberOfMessages", 11, "Must be between 1 and 10, if provided."),
    ),
    Row("receive_message", {"QueueUrl": QUEUE, "MaxNumberOfMessages": 0}, VALUE_ERROR, None),
    Row(
        "receive_message",
        {"QueueUrl": QUEUE, "WaitTimeSeconds": 21},
        VALUE_ERROR,
        value("WaitTimeSeconds", 21, "Must be >= 0 and <= 20, if provided."),
    ),
    Row("receive_message", {"QueueUrl": QUEUE, "VisibilityTimeout": 43_201}, VALUE_ERROR, None),
    Row(
        "receive_message",
        {"QueueUrl": QUEUE, "AttributeNames": ["Foo"]},
        "InvalidAttributeName",
        "Unknown Attribute Foo.",
    ),
    Row("receive_message", {"QueueUrl": QUEUE, "MessageSystemAttributeNames": ["Foo"]}, "InvalidAttributeName", None),
    Row(
        "receive_message",
        {"QueueUrl": QUEUE, "ReceiveRequestAttemptId": "x"},
        VALUE_ERROR,
        value("ReceiveRequestAttemptId", "x", WRONG_TYPE),
    ),
    # -- settling
    Row(
        "delete_message",
        {"QueueUrl": QUEUE, "ReceiptHandle": "nonsense"},
        "ReceiptHandleIsInvalid",
        'The input receipt handle "nonsense" is not a valid receipt handle.',
        404,
        "ReceiptHandleIsInvalid",
    ),
    Row("delete_message", {"QueueUrl": QUEUE, "ReceiptHandle": OTHER_HANDLE}, "ReceiptHandleIsInvalid", None, 404),
    Row(
        "delete_message",
        {"QueueUrl": QUEUE},
        "MissingParameter",
        "The request must contain the parameter ReceiptHandle.",
    ),
    Row(
        "change_message_visibility",
        {"QueueUrl": QUEUE, "ReceiptHandle": "nonsense", "VisibilityTimeout": 1},
        "ReceiptHandleIsInvalid",
        None,
        404,
    ),
    Row(
        "change_message_visibility",
        {"QueueUrl": QUEUE, "ReceiptHandle": HANDLE, "VisibilityTimeout": 43_201},
        VALUE_ERROR,
        value("VisibilityTimeout", 43_201, "Must be between 0 and 43200."),
    ),
    Row(
        "change_message_visibility",
        {"QueueUrl": QUEUE, "ReceiptHandle": HANDLE, "VisibilityTimeout": -1},
        VALUE_ERROR,
        None,
    ),
    Row(
        "change_message_visibility",
        {"QueueUrl": QUEUE, "ReceiptHandle": USED_HANDLE, "VisibilityTimeout": 1},
        VALUE_ERROR,
        value(
            "ReceiptHandle", USED_HANDLE, "Message does not exist or is not available for visibility timeout change."
        ),
    ),
    Row(
        "change_message_visibility_batch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": "a", "ReceiptHandle": HANDLE}]},
        "MissingParameter",
        None,
    ),
    # -- permissions and tags
    Row(
        "add_permission",
        {"QueueUrl": QUEUE, "Label": "l", "AWSAccountIds": ["111122223333"], "Actions": ["CreateQueue"]},
        VALUE_ERROR,
        value("ActionName", "SQS:CreateQueue", "Only the queue owner is allowed to invoke this action."),
    ),
    Row(
        "add_permission",
        {"QueueUrl": QUEUE, "Label": "l", "AWSAccountIds": ["111122223333"], "Actions": ["*"] * 8},
        "OverLimit",
        "8 Actions were found, maximum allowed is 7.",
        403,
        "OverLimit",
    ),
    Row(
        "add_permission",
        {"QueueUrl": QUEUE, "Label": "l", "AWSAccountIds": ["111122223333"], "Actions": ["*"]},
        VALUE_ERROR,
        value("Label", "l", "Already exists."),
        before=[
            ("add_permission", {"QueueUrl": QUEUE, "Label": "l", "AWSAccountIds": ["111122223333"], "Actions": ["*"]})
        ],
    ),
    Row("remove_permission", {"QueueUrl": QUEUE, "Label": "l"}, VALUE_ERROR, value("Label", "l", "can't find label.")),
    Row("tag_queue", {"QueueUrl": QUEUE, "Tags": {"": "x"}}, VALUE_ERROR, None),
    Row("tag_queue", {"QueueUrl": QUEUE, "Tags": {}}, "MissingParameter", None),
    Row("untag_queue", {"QueueUrl": QUEUE, "TagKeys": []}, VALUE_ERROR, None),
    # -- move tasks
    Row(
        "start_message_move_task",
        {"SourceArn": MISSING},
        "ResourceNotFoundException",
        "The resource that you specified for the SourceArn parameter doesn't exist.",
        404,
        "ResourceNotFoundException",
    ),
    Row(
        "start_message_move_task",
        {"SourceArn": DEAD, "DestinationArn": MISSING},
        "ResourceNotFoundException",
        "The resource that you specified for the DestinationArn parameter doesn't exist.",
        404,
    ),
    Row(
        "start_message_move_task",
        {"SourceArn": SOURCE},
        VALUE_ERROR,
        "Source queue must be configured as a Dead Letter Queue.",
    ),
    Row("start_message_move_task", {"SourceArn": "dead"}, VALUE_ERROR, None),
    Row("start_message_move_task", {"SourceArn": DEAD, "DestinationArn": DEAD}, VALUE_ERROR, None),
    Row("start_message_move_task", {"SourceArn": DEAD, "MaxNumberOfMessagesPerSecond": 501}, VALUE_ERROR, None),
    Row("start_message_move_task", {"SourceArn": DEAD, "MaxNumberOfMessagesPerSecond": 0}, VALUE_ERROR, None),
    Row("list_message_move_tasks", {"SourceArn": MISSING}, "ResourceNotFoundException", None, 404),
    Row("list_message_move_tasks", {"SourceArn": DEAD, "MaxResults": 11}, VALUE_ERROR, None),
    Row("cancel_message_move_task", {"TaskHandle": "x"}, VALUE_ERROR, "Value for parameter TaskHandle is invalid."),
    Row(
        "cancel_message_move_task",
        {"TaskHandle": task_handle(DEAD)},
        "ResourceNotFoundException",
        "Task does not exist.",
        404,
    ),
    Row(
        "cancel_message_move_task",
        {"TaskHandle": task_handle(MISSING)},
        "ResourceNotFoundException",
        "The resource that you specified for the SourceArn parameter doesn't exist.",
        404,
    ),
]


@pytest.fixture
def names(aws: Callable[..., Any]) -> tuple[Any, dict[str, str]]:
    """A client that lets everything through to the server, and what the names in the table stand for."""
    config = Config(parameter_validation=False, retries={"max_attempts": 0, "mode": "standard"})
    sqs = aws("sqs", config=config)
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    fifo = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    sqs.create_queue(QueueName="dead")
    other = sqs.create_queue(QueueName="source", Attributes=redrive())["QueueUrl"]
    for url in (queue, queue, other):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    used = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=used)
    handle = sqs.receive_message(QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    other_handle = sqs.receive_message(QueueUrl=other)["Messages"][0]["ReceiptHandle"]
    return sqs, {
        QUEUE: queue,
        FIFO: fifo,
        SOURCE_URL: other,
        HANDLE: handle,
        OTHER_HANDLE: other_handle,
        USED_HANDLE: used,
    }


def filled(document: Any, names: dict[str, str]) -> Any:
    if isinstance(document, str):
        for name, meaning in names.items():
            document = document.replace(name, meaning)
        return document
    if isinstance(document, dict):
        return {key: filled(item, names) for key, item in document.items()}
    if isinstance(document, list):
        return [filled(item, names) for item in document]
    return document


@pytest.mark.parametrize("row", ROWS, ids=[f"{i}-{row.operation}-{row.code}" for i, row in enumerate(ROWS)])
def test_each_rule_has_its_error(row: Row, names: tuple[Any, dict[str, str]]) -> None:
    """Code, message, status and exception."""
    sqs, meanings = names
    for operation, request in row.before:
        getattr(sqs, operation)(**filled(request, meanings))
    with pytest.raises(ClientError) as caught:
        getattr(sqs, row.operation)(**filled(row.request, meanings))
    response: Any = caught.value.response
    assert response["Error"]["Code"] == row.code
    if row.message is not None:
        assert response["Error"]["Message"] == filled(row.message, meanings)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == row.status
    if row.shape:
        assert type(caught.value).__name__ == row.shape


def test_a_failed_batch_entry_names_the_same_errors(names: tuple[Any, dict[str, str]]) -> None:
    """An entry's code is the query protocol's, its message that of the single operation."""
    sqs, meanings = names
    reply = sqs.delete_message_batch(
        QueueUrl=meanings[QUEUE], Entries=[{"Id": "a", "ReceiptHandle": meanings[OTHER_HANDLE]}]
    )
    (failed,) = reply["Failed"]
    assert (failed["Code"], failed["SenderFault"]) == ("ReceiptHandleIsInvalid", True)
    assert failed["Message"] == f'The input receipt handle "{meanings[OTHER_HANDLE]}" is not a valid receipt handle.'
