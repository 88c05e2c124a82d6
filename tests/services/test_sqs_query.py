"""SQS in the query protocol, which older SDKs and a browser's address bar still speak."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest

NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"
CREDENTIAL = "AWS4-HMAC-SHA256 Credential=test/20261123/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"

Ask = Callable[..., ET.Element]


@pytest.fixture
def ask(server: Any) -> Ask:
    """Makes a query request: `ask("SendMessage", {...})`; errors are answers, too."""

    def make(
        action: str, parameters: dict[str, str] | None = None, *, path: str = "/", get: bool = False
    ) -> ET.Element:
        form = urlencode({"Action": action, "Version": "2012-11-05", **(parameters or {})})
        url = server.endpoint + path + (f"?{form}" if get else "")
        headers = {"authorization": CREDENTIAL, "content-type": "application/x-www-form-urlencoded"}
        request = urllib.request.Request(url, data=None if get else form.encode(), headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                answer = ET.fromstring(reply.read())
        except urllib.error.HTTPError as error:
            answer = ET.fromstring(error.read())
            answer.set("status", str(error.code))
        assert answer.find(f".//{NAMESPACE}RequestId") is not None
        return answer

    return make


def text(answer: ET.Element, *names: str) -> str:
    found = answer.findtext(".//" + "/".join(NAMESPACE + name for name in names))
    assert found is not None, ET.tostring(answer)
    return found


def texts(answer: ET.Element, name: str) -> list[str | None]:
    return [element.text for element in answer.iter(NAMESPACE + name)]


def entries(answer: ET.Element, element: str, key: str = "Name") -> dict[str, str]:
    return {text(item, key): text(item, "Value") for item in answer.iter(NAMESPACE + element)}


def test_a_message_goes_through_a_queue(ask: Ask) -> None:
    """With attributes of both kinds, in the protocol's own names."""
    url = text(
        ask("CreateQueue", {"QueueName": "q", "Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "0"}), "QueueUrl"
    )
    sent = ask(
        "SendMessage",
        {
            "QueueUrl": url,
            "MessageBody": "<ü & co>",
            "MessageAttribute.1.Name": "a",
            "MessageAttribute.1.Value.DataType": "String",
            "MessageAttribute.1.Value.StringValue": "x",
            "MessageAttribute.2.Name": "b",
            "MessageAttribute.2.Value.DataType": "Binary",
            "MessageAttribute.2.Value.BinaryValue": "AAH/",
            "MessageSystemAttribute.1.Name": "AWSTraceHeader",
            "MessageSystemAttribute.1.Value.DataType": "String",
            "MessageSystemAttribute.1.Value.StringValue": "Root=1",
        },
    )
    assert sent.tag == f"{NAMESPACE}SendMessageResponse"
    assert text(sent, "SendMessageResult", "MD5OfMessageBody") == hashlib.md5("<ü & co>".encode()).hexdigest()
    received = ask(
        "ReceiveMessage",
        {"QueueUrl": url, "AttributeName.1": "All", "MessageAttributeName.1": "All", "MaxNumberOfMessages": "10"},
    )
    (message,) = received.iter(f"{NAMESPACE}Message")
    assert text(message, "Body") == "<ü & co>"
    assert entries(message, "Attribute")["AWSTraceHeader"] == "Root=1"
    assert set(texts(message, "Name")) >= {"a", "b", "SentTimestamp"}
    assert text(message, "Value", "BinaryValue") == "AAH/"
    deleted = ask("DeleteMessage", {"QueueUrl": url, "ReceiptHandle": text(message, "ReceiptHandle")})
    assert deleted.tag == f"{NAMESPACE}DeleteMessageResponse"


def test_batches_and_lists(ask: Ask) -> None:
    """Numbered entries in, repeated elements out."""
    url = text(ask("CreateQueue", {"QueueName": "q", "Tag.1.Key": "k", "Tag.1.Value": "v"}), "QueueUrl")
    assert entries(ask("ListQueueTags", {"QueueUrl": url}), "Tag", "Key") == {"k": "v"}
    sent = ask(
        "SendMessageBatch",
        {
            "QueueUrl": url,
            "SendMessageBatchRequestEntry.1.Id": "one",
            "SendMessageBatchRequestEntry.1.MessageBody": "1",
            "SendMessageBatchRequestEntry.2.Id": "two",
            "SendMessageBatchRequestEntry.2.MessageBody": "2",
            "SendMessageBatchRequestEntry.2.DelaySeconds": "901",
        },
    )
    (good,) = sent.iter(f"{NAMESPACE}SendMessageBatchResultEntry")
    (bad,) = sent.iter(f"{NAMESPACE}BatchResultErrorEntry")
    assert (text(good, "Id"), text(bad, "Id")) == ("one", "two")
    assert (text(bad, "Code"), text(bad, "SenderFault")) == ("InvalidParameterValue", "true")
    found = ask("GetQueueAttributes", {"QueueUrl": url, "AttributeName.1": "ApproximateNumberOfMessages"})
    assert entries(found, "Attribute") == {"ApproximateNumberOfMessages": "1"}
    assert texts(ask("ListQueues"), "QueueUrl") == [url]
    ask("AddPermission", {"QueueUrl": url, "Label": "l", "AWSAccountId.1": "111122223333", "ActionName.1": "*"})
    ask("UntagQueue", {"QueueUrl": url, "TagKey.1": "k"})


def test_a_queues_own_url_can_be_asked(ask: Ask) -> None:
    """With GET or POST, without a QueueUrl."""
    ask("CreateQueue", {"QueueName": "q"})
    ask("SendMessage", {"MessageBody": "x"}, path="/000000000000/q", get=True)
    assert texts(ask("ReceiveMessage", path="/000000000000/q"), "Body") == ["x"]


@pytest.mark.parametrize(
    ("action", "parameters", "code", "status"),
    [
        ("SendMessage", {"QueueUrl": "nope", "MessageBody": "x"}, "AWS.SimpleQueueService.NonExistentQueue", 400),
        ("SendMessage", {"QueueUrl": "q"}, "MissingParameter", 400),
        ("DeleteMessage", {"QueueUrl": "q", "ReceiptHandle": "x"}, "ReceiptHandleIsInvalid", 404),
        ("ReceiveMessage", {"QueueUrl": "q", "MaxNumberOfMessages": "11"}, "InvalidParameterValue", 400),
        ("SendMessageBatch", {"QueueUrl": "q"}, "AWS.SimpleQueueService.EmptyBatchRequest", 400),
        (
            "StartMessageMoveTask",
            {"SourceArn": "arn:aws:sqs:us-east-1:000000000000:x"},
            "ResourceNotFoundException",
            404,
        ),
        ("PurgeQueue", {"QueueUrl": "q"}, "AWS.SimpleQueueService.PurgeQueueInProgress", 403),
        ("Nonsense", {}, "InvalidAction", 400),
    ],
)
def test_errors_have_the_protocols_codes_and_status(
    ask: Ask, action: str, parameters: dict[str, str], code: str, status: int
) -> None:
    """Which differ from those of JSON."""
    ask("CreateQueue", {"QueueName": "q"})
    ask("PurgeQueue", {"QueueUrl": "q"})
    answer = ask(action, parameters)
    assert answer.tag == f"{NAMESPACE}ErrorResponse"
    assert (text(answer, "Error", "Code"), answer.get("status")) == (code, str(status))
    assert text(answer, "Error", "Type") == "Sender"
    assert text(answer, "Error", "Message")


def test_the_query_protocol_keeps_its_old_words_for_a_missing_queue(ask: Ask) -> None:
    """Recorded of the real service; over JSON the message ends with "exist."."""
    answer = ask("GetQueueUrl", {"QueueName": "nope"})
    message = answer.findtext(f".//{NAMESPACE}Message")
    assert message == "The specified queue does not exist for this wsdl version."
