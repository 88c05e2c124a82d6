"""Lambda's standard metrics, and Powertools Metrics unmodified inside a function, over a real socket."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from prometheus_client.parser import text_string_to_metric_families
from tests.conftest import ServerProcess
from tests.services.lambda_code import create, with_powertools

Aws = Callable[..., Any]
POWERTOOLS = """
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

metrics = Metrics(namespace="Shop", service="orders")

@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    metrics.add_dimension(name="kind", value=event["kind"])
    metrics.add_metric(name="placed", unit=MetricUnit.Count, value=1)
    metrics.add_metric(name="placed", unit=MetricUnit.Count, value=3)
"""
FAILING = "def handler(event, context):\n    if event.get('fail'):\n        raise ValueError('no')\n"


def read(client: Any, namespace: str, name: str, stat: str = "Sum", **dimensions: str) -> float | None:
    now = datetime.now(UTC)
    reply = client.get_metric_statistics(
        Namespace=namespace, MetricName=name, Period=7200, StartTime=now - timedelta(minutes=60),
        EndTime=now + timedelta(minutes=1), Statistics=[stat],
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
    )  # fmt: skip
    return reply["Datapoints"][0][stat] if reply["Datapoints"] else None


@pytest.mark.slow
def test_functions_tell_of_their_invocations(aws: Aws) -> None:
    """Invocations, errors, durations and throttles: by function, by resource, and of all."""
    lam, client = aws("lambda"), aws("cloudwatch")
    create(lam, FAILING)
    lam.publish_version(FunctionName="f")
    lam.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    for payload, name in (({}, "f"), ({"fail": True}, "f"), ({}, "f:live")):
        lam.invoke(FunctionName=name, Payload=json.dumps(payload))
    lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequests"):
        lam.invoke(FunctionName="f")
    f = {"FunctionName": "f"}
    assert read(client, "AWS/Lambda", "Invocations", **f) == 3
    assert read(client, "AWS/Lambda", "Invocations") == 3
    assert read(client, "AWS/Lambda", "Errors", **f) == 1
    assert read(client, "AWS/Lambda", "Errors", "SampleCount", **f) == 3
    assert read(client, "AWS/Lambda", "Throttles", **f) == 1
    assert 0.1 < (read(client, "AWS/Lambda", "Duration", "Maximum", **f) or 0) < 3000
    assert read(client, "AWS/Lambda", "Invocations", FunctionName="f", Resource="f:live") == 1
    versioned = {"FunctionName": "f", "Resource": "f:live", "ExecutedVersion": "1"}
    assert read(client, "AWS/Lambda", "Invocations", **versioned) == 1
    assert read(client, "AWS/Lambda", "ConcurrentExecutions", "Maximum", **f) == 1


@pytest.mark.slow
def test_powertools_metrics_work_unmodified(aws: Aws) -> None:
    """What the function prints in embedded metric format is in CloudWatch, with its dimensions and units."""
    lam, client = aws("lambda"), aws("cloudwatch")
    create(lam, Code={"ZipFile": with_powertools(POWERTOOLS)}, Timeout=30)
    for kind in ("new", "new", "old"):
        reply = lam.invoke(FunctionName="f", Payload=json.dumps({"kind": kind}))
        assert "FunctionError" not in reply, reply["Payload"].read()
    found: float | None = None
    for _ in range(400):
        found = read(client, "Shop", "placed", service="orders", kind="new")
        if found == 8:
            break
    assert found == 8
    assert read(client, "Shop", "placed", "SampleCount", service="orders", kind="new") == 4
    (cold,) = client.list_metrics(Namespace="Shop", MetricName="ColdStart")["Metrics"]
    assert cold["Dimensions"] == [{"Name": "function_name", "Value": "f"}, {"Name": "service", "Value": "orders"}]


def test_prometheus_reads_what_is_counted(server: ServerProcess) -> None:
    """At /_fogbank/metrics, by the parser of its own client; queue lengths are sampled for it."""
    sqs = server.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    with urllib.request.urlopen(f"{server.endpoint}/_fogbank/metrics", timeout=10) as reply:
        assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        page = reply.read().decode()
    values = {s.name: s.value for f in text_string_to_metric_families(page) for s in f.samples}
    assert values["aws_sqs_sent_message_size_sum"] == 5
    assert values["aws_sqs_number_of_messages_sent_count"] == 1
    assert values["process_cpu_seconds_total"] > 0


@pytest.mark.slow
def test_an_alarm_invokes_a_function(server: ServerProcess) -> None:
    """With the payload that the real service was recorded to send; the history tells of it."""
    lam, client, sqs = server.client("lambda"), server.client("cloudwatch"), server.client("sqs")
    url = sqs.create_queue(QueueName="done")["QueueUrl"]
    arn = create(lam, "def handler(event, context):\n    return event\n")["FunctionArn"]
    destination = {"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:000000000000:done"}}
    lam.put_function_event_invoke_config(FunctionName="f", DestinationConfig=destination)
    client.put_metric_alarm(
        AlarmName="a", AlarmDescription="testing", Namespace="N", MetricName="m", Statistic="Average", Period=10,
        EvaluationPeriods=2, Threshold=2.0, ComparisonOperator="GreaterThanThreshold", AlarmActions=[arn],
        TreatMissingData="ignore",
    )  # fmt: skip
    client.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="testing alarm")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    payload = json.loads(message["Body"])["requestPayload"]
    data = payload.pop("alarmData")
    assert payload.pop("time") == data["state"].pop("timestamp")
    assert payload == {
        "source": "aws.cloudwatch",
        "alarmArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a",
        "accountId": "000000000000",
        "region": "us-east-1",
    }
    data["previousState"].pop("timestamp")
    (metric,) = data["configuration"].pop("metrics")
    assert metric.pop("id")
    stat = {"metric": {"namespace": "N", "name": "m", "dimensions": {}}, "period": 10, "stat": "Average"}
    assert metric == {"metricStat": stat, "returnData": True}
    assert data == {
        "alarmName": "a",
        "state": {"value": "ALARM", "reason": "testing alarm"},
        "previousState": {"value": "INSUFFICIENT_DATA", "reason": "Unchecked: Initial alarm creation"},
        "configuration": {"description": "testing"},
    }
    found: list[str] = []
    for _ in range(200):
        items = client.describe_alarm_history(AlarmName="a", HistoryItemType="Action")["AlarmHistoryItems"]
        found = [item["HistorySummary"] for item in items]
        if found:
            break
    assert found == [f"Successfully executed action {arn}"]
