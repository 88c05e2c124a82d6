"""SNS over the wire: publishing to queues, functions and web servers, filters, FIFO topics."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.services.endpoint import Endpoint, endpoint
from tests.services.lambda_code import ROLE, RUNTIME, package
from tests.services.topics import CONFIRMATION, NOTIFICATION, bodies, queue, received, refused, subscribe, topic, verify

Aws = Callable[..., Any]
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.fixture
def sns(aws: Aws) -> Any:
    return aws("sns")


@pytest.fixture
def sqs(aws: Aws) -> Any:
    return aws("sqs")


@pytest.fixture(name="web")
def _web() -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


def test_a_queue_gets_the_notification_as_aws_lays_it_out(sns: Any, sqs: Any) -> None:
    """The envelope, member by member and line by line, signed with a certificate that this server shows."""
    url, arn = queue(sqs)
    target = topic(sns)
    subscription = subscribe(sns, target, arn)
    assert subscription.startswith(f"{target}:")
    sent = sns.publish(
        TopicArn=target,
        Message='He said "hé"',
        Subject="S",
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "x"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    (message,) = received(sqs, url)
    document = json.loads(message["Body"])
    base = sns.meta.endpoint_url
    assert list(document) == [
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
        "SigningCertURL", "UnsubscribeURL", "MessageAttributes",
    ]  # fmt: skip
    assert document["MessageId"] == sent["MessageId"]
    assert (document["Type"], document["Message"], document["Subject"]) == ("Notification", 'He said "hé"', "S")
    assert document["UnsubscribeURL"] == f"{base}/?Action=Unsubscribe&SubscriptionArn={subscription}"
    assert document["MessageAttributes"]["raw"] == {"Type": "Binary", "Value": "AAE="}
    assert message["Body"].startswith('{\n  "Type" : "Notification",\n  "MessageId" : "')
    assert message["Body"].endswith(
        '  "MessageAttributes" : {\n    "kind" : {"Type":"String","Value":"x"},\n'
        '    "raw" : {"Type":"Binary","Value":"AAE="}\n  }\n}'
    )
    assert "MessageAttributes" not in message
    verify(base, document, *NOTIFICATION)


def test_version_two_of_signatures_is_sha_256(sns: Any, sqs: Any) -> None:
    """SignatureVersion 2, set later, and a message without a subject."""
    url, arn = queue(sqs)
    target = topic(sns)
    subscribe(sns, target, arn)
    sns.set_topic_attributes(TopicArn=target, AttributeName="SignatureVersion", AttributeValue="2")
    sns.publish(TopicArn=target, Message="m")
    (body,) = bodies(sqs, url)
    document = json.loads(body)
    assert document["SignatureVersion"] == "2"
    verify(sns.meta.endpoint_url, document, *NOTIFICATION)


def test_raw_delivery_hands_over_the_message_and_its_attributes(sns: Any, sqs: Any) -> None:
    """Body and attributes are the publisher's; binary ones stay bytes; the trace header travels."""
    url, arn = queue(sqs)
    target = topic(sns)
    subscribe(sns, target, arn, RawMessageDelivery="true")
    sns.meta.events.register_first(
        "before-sign.sns.Publish", lambda request, **_: request.headers.add_header("X-Amzn-Trace-Id", TRACE)
    )
    attributes = {
        "a": {"DataType": "Number", "StringValue": "1.5"},
        "b": {"DataType": "Binary", "BinaryValue": b"\xff"},
    }
    sns.publish(TopicArn=target, Message="plain", MessageAttributes=attributes, MessageGroupId="fair")
    (message,) = received(sqs, url)
    assert message["Body"] == "plain"
    assert message["MessageAttributes"] == attributes
    assert message["Attributes"]["AWSTraceHeader"] == TRACE
    assert message["Attributes"]["MessageGroupId"] == "fair"


def test_every_protocol_has_its_text(sns: Any, sqs: Any) -> None:
    """MessageStructure json: the queue gets `sqs`, what has no entry gets `default`; other keys are ignored."""
    url, arn = queue(sqs)
    target = topic(sns)
    subscribe(sns, target, arn, RawMessageDelivery="true")
    for document in ({"default": "d", "sqs": "s", "email": 4}, {"default": "d", "x": {}}):
        sns.publish(TopicArn=target, Message=json.dumps(document), MessageStructure="json")
    assert bodies(sqs, url) == ["s", "d"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"Message": ""}, "Empty message"),
        ({"Message": "x" * 262_145}, "Message too long"),
        ({"Message": "x", "Subject": "a\nb"}, "Subject"),
        ({"Message": "x", "Subject": "s" * 101}, "Subject"),
        ({"Message": "{", "MessageStructure": "json"}, "Message Structure - JSON message body failed to parse"),
        (
            {"Message": '{"default":"a","default":"b"}', "MessageStructure": "json"},
            "Message Structure - JSON message body failed to parse",
        ),
        ({"Message": "{}", "MessageStructure": "json"}, "Message Structure - No default entry in JSON message body"),
        (
            {"Message": "x", "MessageDeduplicationId": "d"},
            (
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not "
                "valid for this topic type"
            ),
        ),
    ],
)
def test_messages_that_are_refused(sns: Any, request_: dict[str, Any], message: str) -> None:
    """InvalidParameter with AWS's words."""
    with refused("InvalidParameter", f"Invalid parameter: {message}"):
        sns.publish(TopicArn=topic(sns), **request_)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"DataType": "String", "StringValue": ""},
            (
                "The message attribute 'a' must contain non-empty message attribute value for message attribute type "
                "'String'."
            ),
        ),
        (
            {"DataType": "Text", "StringValue": "x"},
            (
                "The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes "
                "is Binary, Number, and String."
            ),
        ),
        ({"DataType": "Number", "StringValue": "one"}, "Could not cast message attribute 'a' value to number."),
    ],
)
def test_message_attributes_that_are_refused(sns: Any, value: dict[str, Any], message: str) -> None:
    """ParameterValueInvalid with AWS's words."""
    with refused("ParameterValueInvalid", message):
        sns.publish(TopicArn=topic(sns), Message="m", MessageAttributes={"a": value})


def test_targets_that_are_refused(sns: Any) -> None:
    """A topic that is not there, an ARN that is none, nothing at all, and what Fogbank does not do."""
    with refused("NotFound", "Topic does not exist"):
        sns.publish(TopicArn="arn:aws:sns:us-east-1:000000000000:none", Message="m")
    with refused("InvalidParameter", "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1"):
        sns.publish(TopicArn="none", Message="m")
    with refused("InvalidParameter", "Invalid parameter: TopicArn"):
        sns.publish(TopicArn="arn:aws:sns:eu-west-1:000000000000:t", Message="m")
    with refused(
        "InvalidParameter", "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter"
    ):
        sns.publish(Message="m")
    for request in (
        {"PhoneNumber": "+15555550100"},
        {"TargetArn": "arn:aws:sns:us-east-1:000000000000:endpoint/APNS/a/b"},
    ):
        with refused("NotImplemented"):
            sns.publish(Message="m", **request)


def test_a_batch_is_answered_entry_by_entry(sns: Any, sqs: Any) -> None:
    """What is in order goes; what is not says why."""
    url, arn = queue(sqs)
    target = topic(sns)
    subscribe(sns, target, arn, RawMessageDelivery="true")
    reply = sns.publish_batch(
        TopicArn=target,
        PublishBatchRequestEntries=[
            {"Id": "1", "Message": "one"},
            {"Id": "2", "Message": "two", "Subject": "\n"},
            {"Id": "3", "Message": "three", "MessageAttributes": {"a": {"DataType": "X", "StringValue": "x"}}},
        ],
    )
    assert [entry["Id"] for entry in reply["Successful"]] == ["1"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in reply["Failed"]] == [
        ("2", "InvalidParameter", True),
        ("3", "ParameterValueInvalid", True),
    ]
    assert bodies(sqs, url) == ["one"]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([("a", "m"), ("a", "n")], "BatchEntryIdsNotDistinct"),
        ([("a b", "m")], "InvalidBatchEntryId"),
        ([(str(number), "m") for number in range(11)], "TooManyEntriesInBatchRequest"),
        ([("a", "x" * 200_000), ("b", "x" * 100_000)], "BatchRequestTooLong"),
    ],
)
def test_batches_that_are_refused(sns: Any, entries: list[tuple[str, str]], code: str) -> None:
    """The whole batch."""
    listed = [{"Id": name, "Message": text} for name, text in entries]
    with refused(code):
        sns.publish_batch(TopicArn=topic(sns), PublishBatchRequestEntries=listed)


# -- FIFO -----------------------------------------------------------------------------------------------------------


def test_a_fifo_topic_keeps_order_and_delivers_once(sns: Any, sqs: Any) -> None:
    """Groups and deduplication ids go on to the FIFO queue; a duplicate is answered as its original."""
    url, arn = queue(sqs, "q.fifo")
    plain_url, plain_arn = queue(sqs)
    target = topic(sns, "t.fifo")
    subscribe(sns, target, arn)
    subscribe(sns, target, plain_arn, RawMessageDelivery="true")
    first = sns.publish(TopicArn=target, Message="a", MessageGroupId="g", MessageDeduplicationId="1")
    second = sns.publish(TopicArn=target, Message="b", MessageGroupId="g", MessageDeduplicationId="2")
    again = sns.publish(TopicArn=target, Message="c", MessageGroupId="g", MessageDeduplicationId="1")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    assert len(first["SequenceNumber"]) == 20
    assert first["SequenceNumber"] < second["SequenceNumber"]
    messages = received(sqs, url)
    documents = [json.loads(message["Body"]) for message in messages]
    assert [(each["Message"], each["SequenceNumber"]) for each in documents] == [
        ("a", first["SequenceNumber"]),
        ("b", second["SequenceNumber"]),
    ]
    assert [message["Attributes"]["MessageDeduplicationId"] for message in messages] == ["1", "2"]
    assert messages[0]["Attributes"]["MessageGroupId"] == "g"
    assert bodies(sqs, plain_url) == ["a", "b"]


def test_what_a_fifo_topic_asks_for(sns: Any, sqs: Any) -> None:
    """A group, and a deduplication id unless the body stands in for it; only queues subscribe."""
    target = topic(sns, "t.fifo")
    missing = "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
    with refused("InvalidParameter", missing):
        sns.publish(TopicArn=target, Message="m")
    entries = [
        {"Id": "1", "Message": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d"},
        {"Id": "2", "Message": "n"},
    ]
    with refused("InvalidParameter", missing):
        sns.publish_batch(TopicArn=target, PublishBatchRequestEntries=entries)
    with refused(
        "InvalidParameter",
        "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
        "provided explicitly",
    ):
        sns.publish(TopicArn=target, Message="m", MessageGroupId="g")
    sns.set_topic_attributes(TopicArn=target, AttributeName="ContentBasedDeduplication", AttributeValue="true")
    first, again = (sns.publish(TopicArn=target, Message="m", MessageGroupId=g)["MessageId"] for g in "gh")
    assert first == again
    sns.set_topic_attributes(TopicArn=target, AttributeName="FifoThroughputScope", AttributeValue="MessageGroup")
    other, another = (sns.publish(TopicArn=target, Message="n", MessageGroupId=g)["MessageId"] for g in "gh")
    assert other != another
    with refused("InvalidParameter", "Invalid parameter: Invalid protocol type: lambda"):
        subscribe(sns, target, "arn:aws:lambda:us-east-1:000000000000:function:f", "lambda")
    with refused(
        "InvalidParameter",
        "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS "
        "topics",
    ):
        subscribe(sns, topic(sns), queue(sqs, "q.fifo")[1])


# -- filters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "attributes", "passes"),
    [
        ({"a": ["x"]}, {"a": ("String", "x")}, True),
        ({"a": ["x"]}, {"a": ("String", "y")}, False),
        ({"a": ["x"]}, {}, False),
        ({"a": ["x", "z"]}, {"a": ("String.Array", '["y","z"]')}, True),
        ({"a": [True]}, {"a": ("String.Array", "[true]")}, True),
        ({"a": [{"numeric": [">=", 3, "<", 5]}]}, {"a": ("Number", "4")}, True),
        ({"a": [{"numeric": [">=", 3]}]}, {"a": ("String", "4")}, False),
        ({"a": [{"anything-but": ["x"]}]}, {"a": ("String", "y")}, True),
        ({"a": [{"prefix": "or"}], "b": [{"exists": False}]}, {"a": ("String", "order")}, True),
        ({"a": [{"equals-ignore-case": "X"}]}, {"a": ("String", "x")}, True),
        ({"a": [{"cidr": "10.0.0.0/8"}]}, {"a": ("String", "10.1.2.3")}, True),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": ("String", "y")}, True),
    ],
)
def test_filter_policies_over_attributes(
    sns: Any, sqs: Any, policy: dict[str, Any], attributes: dict[str, tuple[str, str]], passes: bool
) -> None:
    """Every operator of the documentation."""
    url, arn = queue(sqs)
    target = topic(sns)
    subscribe(sns, target, arn, FilterPolicy=json.dumps(policy))
    sns.publish(
        TopicArn=target,
        Message="m",
        MessageAttributes={name: {"DataType": kind, "StringValue": text} for name, (kind, text) in attributes.items()},
    )
    assert bool(received(sqs, url)) is passes


def test_a_filter_policy_over_the_body(sns: Any, sqs: Any) -> None:
    """Nested members; what is no JSON does not pass; taking the policy away lets everything pass."""
    url, arn = queue(sqs)
    target = topic(sns)
    subscription = subscribe(
        sns, target, arn,
        FilterPolicy='{"o":{"id":[{"numeric":["<",3]}]}}', FilterPolicyScope="MessageBody", RawMessageDelivery="true",
    )  # fmt: skip
    for text in ('{"o":{"id":1}}', '{"o":{"id":5}}', "no JSON", "[]"):
        sns.publish(TopicArn=target, Message=text)
    assert bodies(sqs, url) == ['{"o":{"id":1}}']
    sns.set_subscription_attributes(SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue="")
    sns.publish(TopicArn=target, Message="no JSON")
    assert bodies(sqs, url) == ["no JSON"]


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"FilterPolicy": '{"a":{"b":["x"]}}'},
            "FilterPolicy: Filter policy scope MessageAttributes does not support nested filter policy",
        ),
        (
            {"FilterPolicy": json.dumps({str(n): ["x"] for n in range(6)})},
            "FilterPolicy: Filter policy can not have more than 5 keys",
        ),
        (
            {"FilterPolicy": json.dumps({"a": [str(n) for n in range(151)]})},
            "FilterPolicy: Filter policy is too complex",
        ),
        (
            {"FilterPolicyScope": "Body"},
            "FilterPolicyScope: Invalid value [Body]. Please use either MessageBody or MessageAttributes",
        ),
        ({"RawMessageDelivery": "maybe"}, "RawMessageDelivery: Invalid value [maybe]. Must be true or false."),
        ({"RedrivePolicy": '{"deadLetterTargetArn":"x"}'}, "RedrivePolicy: deadLetterTargetArn is an invalid arn"),
        ({"Something": "x"}, "AttributeName"),
    ],
)
def test_subscription_attributes_that_are_refused(sns: Any, sqs: Any, attributes: dict[str, str], message: str) -> None:
    """InvalidParameter, with what was expected."""
    with refused("InvalidParameter", f"Invalid parameter: {message}"):
        subscribe(sns, topic(sns), queue(sqs)[1], **attributes)


def test_a_policy_that_does_not_read_as_one_is_refused(sns: Any, sqs: Any) -> None:
    """The matcher's reason follows."""
    with pytest.raises(sns.exceptions.InvalidParameterException) as info:
        subscribe(sns, topic(sns), queue(sqs)[1], FilterPolicy='{"a":[{"unknown":"x"}]}')
    assert "FilterPolicy: " in str(info.value)
    assert "Unrecognized match type unknown" in str(info.value)


# -- functions and web servers --------------------------------------------------------------------------------------

FORWARD = """
import boto3, json, os
def handler(event, context):
    boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).send_message(
        QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


@pytest.mark.slow
def test_a_function_gets_records(aws: Aws, sns: Any, sqs: Any) -> None:
    """The event that a function is invoked with."""
    url, _ = queue(sqs)
    arn = aws("lambda").create_function(
        FunctionName="f", Runtime=RUNTIME, Role=ROLE, Handler="app.handler", Code={"ZipFile": package(app=FORWARD)},
        Environment={"Variables": {"QUEUE": url}}, Timeout=30,
    )["FunctionArn"]  # fmt: skip
    target = topic(sns)
    subscription = subscribe(sns, target, arn, "lambda")
    sent = sns.publish(
        TopicArn=target, Message="m", MessageAttributes={"Test": {"DataType": "String", "StringValue": "v"}}
    )
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    (record,) = json.loads(message["Body"])["Records"]
    assert {name: value for name, value in record.items() if name != "Sns"} == {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription,
    }
    body = record["Sns"]
    assert set(body) == {
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
        "SigningCertUrl", "UnsubscribeUrl", "MessageAttributes",
    }  # fmt: skip
    assert (body["MessageId"], body["Subject"], body["Message"]) == (sent["MessageId"], None, "m")
    assert body["MessageAttributes"] == {"Test": {"Type": "String", "Value": "v"}}


def test_a_web_server_confirms_gets_messages_and_leaves(sns: Any, web: Endpoint) -> None:
    """The whole handshake, by the links in the messages, with their headers and signatures."""
    target = topic(sns)
    shown = sns.subscribe(TopicArn=target, Protocol="http", Endpoint=f"{web.url}/hook")["SubscriptionArn"]
    assert shown == "pending confirmation"
    (row,) = sns.list_subscriptions_by_topic(TopicArn=target)["Subscriptions"]
    assert row["SubscriptionArn"] == "PendingConfirmation"
    invited = web.next()
    assert (invited.method, invited.path) == ("POST", "/hook")
    assert invited.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert invited.headers["content-type"] == "text/plain; charset=UTF-8"
    assert invited.headers["user-agent"] == "Amazon Simple Notification Service Agent"
    document = invited.document
    assert document["Message"] == (
        f"You have chosen to subscribe to the topic {target}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    )
    verify(sns.meta.endpoint_url, document, *CONFIRMATION)
    sns.publish(TopicArn=target, Message="too early")
    with urllib.request.urlopen(document["SubscribeURL"], timeout=10) as reply:
        text = reply.read().decode()
    (row,) = sns.list_subscriptions_by_topic(TopicArn=target)["Subscriptions"]
    subscription = row["SubscriptionArn"]
    assert subscription in text
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert (attributes["PendingConfirmation"], attributes["ConfirmationWasAuthenticated"]) == ("false", "false")
    sent = sns.publish(TopicArn=target, Message="now")
    notified = web.next()
    assert notified.headers["x-amz-sns-message-type"] == "Notification"
    assert notified.headers["x-amz-sns-message-id"] == sent["MessageId"]
    assert notified.headers["x-amz-sns-subscription-arn"] == subscription
    assert "x-amz-sns-rawdelivery" not in notified.headers
    verify(sns.meta.endpoint_url, notified.document, *NOTIFICATION)
    urllib.request.urlopen(notified.document["UnsubscribeURL"], timeout=10).close()
    farewell = web.next()
    assert farewell.document["Type"] == "UnsubscribeConfirmation"
    verify(sns.meta.endpoint_url, farewell.document, *CONFIRMATION)
    assert sns.list_subscriptions()["Subscriptions"] == []
    urllib.request.urlopen(farewell.document["SubscribeURL"], timeout=10).close()
    (row,) = sns.list_subscriptions()["Subscriptions"]
    assert row["SubscriptionArn"] == subscription


def test_a_raw_web_server_gets_the_message_alone(sns: Any, web: Endpoint) -> None:
    """With its own content type, and a header that says so."""
    target = topic(sns)
    sns.subscribe(
        TopicArn=target, Protocol="http", Endpoint=web.url,
        Attributes={
            "RawMessageDelivery": "true",
            "DeliveryPolicy": '{"requestPolicy":{"headerContentType":"application/json"}}',
        },
    )  # fmt: skip
    token = web.next().document["Token"]
    arn = sns.confirm_subscription(TopicArn=target, Token=token, AuthenticateOnUnsubscribe="true")["SubscriptionArn"]
    sns.publish(TopicArn=target, Message='{"a":1}')
    sent = web.next()
    assert sent.body == '{"a":1}'
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["x-amz-sns-rawdelivery"] == "true"
    with pytest.raises(urllib.error.HTTPError) as info:
        urllib.request.urlopen(f"{sns.meta.endpoint_url}/?Action=Unsubscribe&SubscriptionArn={arn}", timeout=10)
    info.value.close()
    assert info.value.code == 403
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions()["Subscriptions"] == []


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(sns: Any, sqs: Any) -> None:
    """A queue that is gone is the subscriber's fault: no retry, and a dead letter with the reason."""
    target = topic(sns)
    url, arn = queue(sqs, "dead")
    gone_url, gone = queue(sqs)
    subscribe(sns, target, gone, RedrivePolicy=json.dumps({"deadLetterTargetArn": arn}))
    sqs.delete_queue(QueueUrl=gone_url)
    sent = sns.publish(TopicArn=target, Message="m")
    reply = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"])
    (message,) = reply["Messages"]
    document = json.loads(message["Body"])
    assert (document["MessageId"], document["Message"]) == (sent["MessageId"], "m")
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "QueueDoesNotExist"
