"""SNS over the wire: topics and subscriptions, their attributes, permissions and tags."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_code import ROLE
from tests.services.topics import bodies, queue, refused, subscribe, topic

Aws = Callable[..., Any]


@pytest.fixture
def sns(aws: Aws) -> Any:
    return aws("sns")


@pytest.fixture
def sqs(aws: Aws) -> Any:
    return aws("sqs")


def test_the_life_of_a_topic(sns: Any) -> None:
    """Made once, described, changed, listed, deleted; deleting again is no error."""
    target = topic(sns, "t", DisplayName="d")
    assert topic(sns, "t", DisplayName="d") == target
    assert sns.create_topic(Name="t")["TopicArn"] == target
    with refused(
        "InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
    ):
        topic(sns, "t", DisplayName="e")
    with refused("InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags"):
        sns.create_topic(Name="t", Tags=[{"Key": "a", "Value": "b"}])
    attributes = sns.get_topic_attributes(TopicArn=target)["Attributes"]
    policy = json.loads(attributes.pop("Policy"))
    assert policy["Id"] == "__default_policy_ID"
    assert json.loads(attributes.pop("EffectiveDeliveryPolicy"))["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3
    assert attributes == {
        "TopicArn": target, "Owner": "000000000000", "DisplayName": "d", "SubscriptionsConfirmed": "0",
        "SubscriptionsPending": "0", "SubscriptionsDeleted": "0",
    }  # fmt: skip
    assert sns.list_topics()["Topics"] == [{"TopicArn": target}]
    sns.delete_topic(TopicArn=target)
    sns.delete_topic(TopicArn=target)
    with refused("NotFound", "Topic does not exist"):
        sns.get_topic_attributes(TopicArn=target)


def test_topics_come_in_pages_of_a_hundred(sns: Any) -> None:
    """And a token leads to the next; one that is none is refused."""
    names = [f"t{number:03}" for number in range(101)]
    for name in names:
        topic(sns, name)
    pages = list(sns.get_paginator("list_topics").paginate())
    assert [len(page["Topics"]) for page in pages] == [100, 1]
    with refused("InvalidParameter", "Invalid parameter: NextToken"):
        sns.list_topics(NextToken="nonsense!")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"Name": "a b"}, "Topic Name"),
        ({"Name": "t.fifo"}, "Topic Name"),
        (
            {"Name": "t", "Attributes": {"FifoTopic": "true"}},
            (
                "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII "
                "letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
            ),
        ),
        ({"Name": "t", "Attributes": {"Unknown": "x"}}, "AttributeName"),
        (
            {"Name": "t", "Attributes": {"MaximumMessageSize": "100"}},
            "MaximumMessageSize Reason: must be an integer between 1024 and 1048576",
        ),
        (
            {
                "Name": "t",
                "Attributes": {"DeliveryPolicy": '{"http":{"defaultHealthyRetryPolicy":{"numRetries":101}}}'},
            },
            "DeliveryPolicy: defaultHealthyRetryPolicy.numRetries must be less than or equal to 100",
        ),
    ],
)
def test_topics_that_are_refused(sns: Any, request_: dict[str, Any], message: str) -> None:
    """InvalidParameter, with what was expected."""
    with refused("InvalidParameter", f"Invalid parameter: {message}"):
        sns.create_topic(**request_)


@pytest.mark.parametrize(
    "attributes", [{"HTTPSuccessFeedbackRoleArn": ROLE}, {"ArchivePolicy": "{}", "FifoTopic": "true"}]
)
def test_what_topics_lack_is_refused_by_name(sns: Any, attributes: dict[str, str]) -> None:
    """Never accepted and ignored."""
    with refused("NotImplemented"):
        topic(sns, "t.fifo" if "FifoTopic" in attributes else "t", **attributes)


def test_large_messages_need_a_topic_that_takes_them(sns: Any, sqs: Any) -> None:
    """MaximumMessageSize up to 1 MiB, for queues and functions."""
    url, arn = queue(sqs)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MaximumMessageSize": "1048576"})
    target = topic(sns, MaximumMessageSize="1048576")
    subscribe(sns, target, arn, RawMessageDelivery="true")
    sns.publish(TopicArn=target, Message="x" * 1_000_000)
    assert [len(body) for body in bodies(sqs, url)] == [1_000_000]
    with pytest.raises(ClientError) as info:
        subscribe(sns, target, "http://localhost/", "http")
    assert "above 256 KiB" in str(info.value)


def test_the_life_of_a_subscription(sns: Any, sqs: Any) -> None:
    """Found again, described, changed, listed, ended."""
    target, (_, arn) = topic(sns), queue(sqs)
    subscription = subscribe(sns, target, arn, RawMessageDelivery="true")
    assert subscribe(sns, target, arn, RawMessageDelivery="true") == subscription
    with refused(
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Subscription already exists with different attributes",
    ):
        subscribe(sns, target, arn, RawMessageDelivery="false")
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert attributes == {
        "SubscriptionArn": subscription, "TopicArn": target, "Protocol": "sqs", "Endpoint": arn,
        "Owner": "000000000000", "PendingConfirmation": "false", "ConfirmationWasAuthenticated": "true",
        "RawMessageDelivery": "true", "SubscriptionPrincipal": "arn:aws:iam::000000000000:root",
    }  # fmt: skip
    sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue='{"a":["b"]}'
    )
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert (attributes["FilterPolicy"], attributes["FilterPolicyScope"]) == ('{"a":["b"]}', "MessageAttributes")
    row = {
        "SubscriptionArn": subscription, "Owner": "000000000000", "Protocol": "sqs", "Endpoint": arn, "TopicArn": target
    }  # fmt: skip
    assert sns.list_subscriptions()["Subscriptions"] == [row]
    assert sns.list_subscriptions_by_topic(TopicArn=target)["Subscriptions"] == [row]
    sns.unsubscribe(SubscriptionArn=subscription)
    sns.unsubscribe(SubscriptionArn=subscription)
    with refused("NotFound", "Subscription does not exist"):
        sns.get_subscription_attributes(SubscriptionArn=subscription)
    counts = sns.get_topic_attributes(TopicArn=target)["Attributes"]
    assert (counts["SubscriptionsConfirmed"], counts["SubscriptionsDeleted"]) == ("0", "1")


@pytest.mark.parametrize(
    ("protocol", "target", "message"),
    [
        ("sqs", "http://localhost/q", "SQS endpoint ARN"),
        ("lambda", "f", "Lambda endpoint ARN"),
        ("http", "https://example.com", "Endpoint must match the specified protocol"),
        ("pigeon", "x", "Amazon SNS does not support this protocol string: pigeon"),
    ],
)
def test_endpoints_that_are_refused(sns: Any, protocol: str, target: str, message: str) -> None:
    """InvalidParameter with AWS's words."""
    with refused("InvalidParameter", f"Invalid parameter: {message}"):
        subscribe(sns, topic(sns), target, protocol)


@pytest.mark.parametrize("protocol", ["sms", "email", "email-json", "application", "firehose"])
def test_protocols_that_are_left_out_say_so(sns: Any, protocol: str) -> None:
    """By name."""
    with pytest.raises(ClientError) as info:
        subscribe(sns, topic(sns), "x@example.com", protocol)
    assert info.value.response["Error"]["Code"] == "NotImplemented"
    assert protocol in str(info.value)


def test_a_queue_of_another_account_confirms_first(server: Any, sns: Any, sqs: Any) -> None:
    """Its owner finds the token in the queue."""
    other = server.client("sqs", aws_access_key_id="111111111111")
    url = other.create_queue(QueueName="theirs")["QueueUrl"]
    target = topic(sns)
    sns.subscribe(TopicArn=target, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:111111111111:theirs")
    (message,) = other.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    link = parse_qs(urlsplit(json.loads(message["Body"])["SubscribeURL"]).query)
    with refused("InvalidParameter", "Invalid parameter: Token"):
        sns.confirm_subscription(TopicArn=target, Token="0" * 20)
    sns.confirm_subscription(TopicArn=link["TopicArn"][0], Token=link["Token"][0])
    sns.publish(TopicArn=target, Message="m")
    assert other.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]


def test_permissions_are_statements_of_the_policy(sns: Any) -> None:
    """AddPermission and RemovePermission."""
    target = topic(sns)
    sns.add_permission(TopicArn=target, Label="l", AWSAccountId=["111111111111"], ActionName=["Publish"])
    policy = json.loads(sns.get_topic_attributes(TopicArn=target)["Attributes"]["Policy"])
    assert policy["Statement"][1] == {
        "Sid": "l", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": "SNS:Publish", "Resource": target,
    }  # fmt: skip
    with refused("InvalidParameter", "Invalid parameter: Statement already exists"):
        sns.add_permission(TopicArn=target, Label="l", AWSAccountId=["111111111111"], ActionName=["Publish"])
    with refused("InvalidParameter", "Invalid parameter: Policy statement action out of service scope!"):
        sns.add_permission(TopicArn=target, Label="m", AWSAccountId=["111111111111"], ActionName=["Fly"])
    sns.remove_permission(TopicArn=target, Label="l")
    policy = json.loads(sns.get_topic_attributes(TopicArn=target)["Attributes"]["Policy"])
    assert len(policy["Statement"]) == 1


def test_tags(sns: Any) -> None:
    """Set, replaced, removed, listed; at most 50."""
    target = sns.create_topic(Name="t", Tags=[{"Key": "a", "Value": "1"}])["TopicArn"]
    sns.tag_resource(ResourceArn=target, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    sns.untag_resource(ResourceArn=target, TagKeys=["b", "c"])
    assert sns.list_tags_for_resource(ResourceArn=target)["Tags"] == [{"Key": "a", "Value": "2"}]
    with refused("InvalidParameter", "Invalid parameter: Duplicated keys are not allowed."):
        sns.tag_resource(ResourceArn=target, Tags=[{"Key": "a", "Value": "2"}, {"Key": "a", "Value": "3"}])
    with refused("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded"):
        sns.tag_resource(ResourceArn=target, Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    with refused("ResourceNotFound", "Resource does not exist"):
        sns.list_tags_for_resource(ResourceArn=f"{target}x")
