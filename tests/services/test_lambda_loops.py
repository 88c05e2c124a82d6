"""Recursive loops are found and stopped after 16 rounds, unless the function may recur."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_code import create

Aws = Callable[..., Any]
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
SELF = """
import json, boto3
client = boto3.client("lambda")
def handler(event, context):
    if event["left"] == 0:
        return event["round"]
    event = {"left": event["left"] - 1, "round": event["round"] + 1}
    try:
        return json.loads(client.invoke(FunctionName="f", Payload=json.dumps(event))["Payload"].read())
    except client.exceptions.RecursiveInvocationException as error:
        return [event["round"], str(error)]
"""
QUEUE = """
import json, os, boto3
sqs = boto3.client("sqs")
def handler(event, context):
    round = int(event["Records"][0]["body"])
    sqs.send_message(QueueUrl=os.environ["COUNT"], MessageBody=str(round))
    sqs.send_message(QueueUrl=os.environ["LOOP"], MessageBody=str(round + 1))
"""


@pytest.fixture
def lam(aws: Aws) -> Any:
    return aws("lambda")


@pytest.mark.slow
def test_a_function_that_invokes_itself_is_stopped_at_the_17th_time(lam: Any) -> None:
    create(lam, SELF, Timeout=60)
    payload = json.dumps({"left": 30, "round": 1})
    found = json.loads(lam.invoke(FunctionName="f", Payload=payload)["Payload"].read())
    assert found[0] == 17
    assert "detected your function being invoked in a recursive loop" in found[1]
    assert lam.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Terminate"
    lam.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert lam.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Allow"
    payload = json.dumps({"left": 18, "round": 1})
    assert json.loads(lam.invoke(FunctionName="f", Payload=payload)["Payload"].read()) == 19


def test_what_a_client_says_of_a_lineage_counts(lam: Any) -> None:
    """A lineage at its end stops the next invocation; that of another function does not."""
    create(lam, "import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n")

    def invoke(lineage: str) -> Any:
        def sign(params: Any, **_: Any) -> None:
            params["headers"]["X-Amzn-Trace-Id"] = f"{ROOT};Lineage={lineage}"

        lam.meta.events.register_last("before-call.lambda.Invoke", sign, unique_id="trace")
        try:
            return json.loads(lam.invoke(FunctionName="f")["Payload"].read())
        finally:
            lam.meta.events.unregister("before-call.lambda.Invoke", unique_id="trace")

    first = invoke("00000000:99")
    own = first.rpartition("|")[2].partition(":")[0]
    assert first.endswith(f";Lineage=00000000:99|{own}:1")
    assert invoke(f"{own}:15").endswith(f"{own}:16")
    with pytest.raises(ClientError) as raised:
        invoke(f"{own}:16")
    assert raised.value.response["Error"]["Code"] == "RecursiveInvocationException"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_an_asynchronous_event_of_a_loop_goes_to_its_destination(aws: Aws, lam: Any) -> None:
    sqs = aws("sqs")
    queue = sqs.create_queue(QueueName="failed")["QueueUrl"]
    create(lam, "import os\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n")
    own = json.loads(lam.invoke(FunctionName="f")["Payload"].read()).rpartition("=")[2].partition(":")[0]
    destination = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:failed"}}
    lam.put_function_event_invoke_config(FunctionName="f", DestinationConfig=destination)

    def sign(params: Any, **_: Any) -> None:
        params["headers"]["X-Amzn-Trace-Id"] = f"{ROOT};Lineage={own}:16"

    lam.meta.events.register_last("before-call.lambda.Invoke", sign)
    lam.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"a": 1}')
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    record = json.loads(message["Body"])
    assert record["requestPayload"] == {"a": 1}
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record


@pytest.mark.slow
def test_a_loop_through_a_queue_is_stopped(aws: Aws, lam: Any) -> None:
    """The message that would be handled for the 17th time stays in the queue, and goes to its dead letters."""
    sqs = aws("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1}
    attributes = {"VisibilityTimeout": "3", "RedrivePolicy": json.dumps(redrive)}
    loop = sqs.create_queue(QueueName="loop", Attributes=attributes)["QueueUrl"]
    count = sqs.create_queue(QueueName="count")["QueueUrl"]
    create(lam, QUEUE, Timeout=3, Environment={"Variables": {"LOOP": loop, "COUNT": count}})
    lam.create_event_source_mapping(
        FunctionName="f", EventSourceArn="arn:aws:sqs:us-east-1:000000000000:loop", BatchSize=1
    )
    sqs.send_message(QueueUrl=loop, MessageBody="1")
    pause = threading.Event()
    found: list[Any] = []
    while not found:
        found = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5).get("Messages", [])
        pause.wait(0.01)
    assert found[0]["Body"] == "17"
    rounds = sqs.get_queue_attributes(QueueUrl=count, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert rounds["ApproximateNumberOfMessages"] == "16"
