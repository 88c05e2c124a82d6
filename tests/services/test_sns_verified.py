"""SNS where signatures are checked, and in loops."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.endpoint import endpoint
from tests.services.lambda_code import create
from tests.services.topics import queue, subscribe, topic

Aws = Callable[..., Any]
LOOP = """
import os, boto3
sns, sqs = boto3.client("sns"), boto3.client("sqs")
def handler(event, context):
    turn = int(event["Records"][0]["Sns"]["Message"])
    sqs.send_message(QueueUrl=os.environ["COUNT"], MessageBody=str(turn))
    sns.publish(TopicArn=os.environ["TOPIC"], Message=str(turn + 1))
"""


@pytest.mark.slow
def test_links_need_no_signature_and_all_else_does(new_server: Callable[..., ServerProcess]) -> None:
    """With --auth verify a subscription is still confirmed and ended by the links in its messages."""
    server = new_server()
    iam = server.client("iam")
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    assert server.stop() == 0
    server = new_server("--auth", "verify", data=server.data)
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    sns = server.client("sns", **keys)
    with endpoint() as web:
        target = topic(sns)
        sns.subscribe(TopicArn=target, Protocol="http", Endpoint=web.url)
        urllib.request.urlopen(web.next().document["SubscribeURL"], timeout=10).close()
        sns.publish(TopicArn=target, Message="m")
        leave = web.next().document["UnsubscribeURL"]
        with urllib.request.urlopen(leave, timeout=10) as reply:
            assert reply.status == 200
        assert sns.list_subscriptions()["Subscriptions"] == []
    with pytest.raises(urllib.error.HTTPError) as info:
        urllib.request.urlopen(f"{server.endpoint}/?Action=ListTopics&Version=2010-03-31", timeout=10)
    info.value.close()
    assert info.value.code == 403


@pytest.mark.slow
def test_a_loop_through_a_topic_is_stopped(aws: Aws) -> None:
    """The function is not run for the 17th time: what would have been handled goes to its dead letters."""
    lam, sns, sqs = aws("lambda"), aws("sns"), aws("sqs")
    count, _ = queue(sqs, "count")
    dead, dead_arn = queue(sqs, "dead")
    target = topic(sns)
    made = create(
        lam, LOOP, Timeout=20, Environment={"Variables": {"TOPIC": target, "COUNT": count}},
        DeadLetterConfig={"TargetArn": dead_arn},
    )  # fmt: skip
    subscribe(sns, target, made["FunctionArn"], "lambda")
    sns.publish(TopicArn=target, Message="1")
    pause = threading.Event()
    found: list[Any] = []
    while not found:
        found = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5).get("Messages", [])
        pause.wait(0.01)
    rounds = sqs.get_queue_attributes(QueueUrl=count, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert rounds["ApproximateNumberOfMessages"] == "16"
