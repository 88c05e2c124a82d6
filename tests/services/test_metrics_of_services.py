"""The standard metrics of the services, by AWS's names and dimensions; embedded metrics and metric filters."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope

SCOPE = Scope()
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
URL = "http://localhost/000000000000/q"
Caller = Callable[..., Awaitable[Any]]


def caller(cloud: LocalCloud, service: str) -> Caller:
    async def call(operation: str, **request: Any) -> Any:
        return await cloud.call(SCOPE, service, operation, request)

    return call


class Watch:
    """Reads metrics."""

    def __init__(self, cloud: LocalCloud, clock: VirtualClock) -> None:
        self._call = caller(cloud, "cloudwatch")
        self._clock = clock

    async def __call__(self, namespace: str, name: str, stat: str = "Sum", **dimensions: str) -> float | None:
        now = self._clock.time()
        pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        kind = "Statistics" if stat[0].isupper() else "ExtendedStatistics"
        reply = await self._call(
            "GetMetricStatistics", Namespace=namespace, MetricName=name, Dimensions=pairs, Period=7200,
            StartTime=now - 7000, EndTime=now + 60, **{kind: [stat]},
        )  # fmt: skip
        points = reply["Datapoints"]
        if not points:
            return None
        (point,) = points
        value: float = point.get("ExtendedStatistics", point)[stat]
        return value

    async def names(self, namespace: str) -> set[str]:
        reply = await self._call("ListMetrics", Namespace=namespace)
        return {metric["MetricName"] for metric in reply["Metrics"]}


@pytest.fixture
def watch(cloud: LocalCloud, clock: VirtualClock) -> Watch:
    return Watch(cloud, clock)


async def test_queues_tell_what_goes_through_them_and_how_long_they_are(
    cloud: LocalCloud, clock: VirtualClock, watch: Watch
) -> None:
    """Counters as things happen; lengths and the oldest message's age at the minute."""
    sqs = caller(cloud, "sqs")
    await sqs("CreateQueue", QueueName="q")
    await sqs("SendMessage", QueueUrl=URL, MessageBody="hello")
    await sqs("SendMessageBatch", QueueUrl=URL, Entries=[{"Id": str(n), "MessageBody": "hi"} for n in range(3)])
    (message,) = (await sqs("ReceiveMessage", QueueUrl=URL))["Messages"]
    await clock.advance(100)
    await sqs("DeleteMessage", QueueUrl=URL, ReceiptHandle=message["ReceiptHandle"])
    for _ in range(2):
        await sqs("ReceiveMessage", QueueUrl=URL, MaxNumberOfMessages=10)
    q = {"QueueName": "q"}
    assert await watch("AWS/SQS", "NumberOfMessagesSent", **q) == 4
    assert await watch("AWS/SQS", "SentMessageSize", **q) == 11
    assert await watch("AWS/SQS", "SentMessageSize", "Maximum", **q) == 5
    assert await watch("AWS/SQS", "NumberOfMessagesReceived", **q) == 4
    assert await watch("AWS/SQS", "NumberOfMessagesDeleted", **q) == 1
    assert await watch("AWS/SQS", "NumberOfEmptyReceives", **q) == 1
    assert await watch("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", **q) == 4
    assert await watch("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Maximum", **q) == 0
    assert await watch("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", **q) == 100
    assert await watch("AWS/SQS", "ApproximateNumberOfMessagesDelayed", "Maximum", **q) == 0


async def test_an_alarm_watches_the_age_of_a_message(cloud: LocalCloud, clock: VirtualClock) -> None:
    """The alarm that everybody has: nobody takes what lies in the queue."""
    sqs, cloudwatch = caller(cloud, "sqs"), caller(cloud, "cloudwatch")
    await sqs("CreateQueue", QueueName="q")
    await cloudwatch(
        "PutMetricAlarm", AlarmName="old", Namespace="AWS/SQS", MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": "q"}], Statistic="Maximum", Period=60, EvaluationPeriods=1,
        Threshold=300.0, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    await sqs("SendMessage", QueueUrl=URL, MessageBody="x")
    for minutes, state in ((4, "OK"), (5, "ALARM")):
        await clock.advance(minutes * 60)
        (alarm,) = (await cloudwatch("DescribeAlarms"))["MetricAlarms"]
        assert alarm["StateValue"] == state


async def test_rules_tell_what_they_matched_and_what_failed(
    cloud: LocalCloud, clock: VirtualClock, watch: Watch
) -> None:
    """By rule, and of all rules; on another bus by bus and rule."""
    events, sqs = caller(cloud, "events"), caller(cloud, "sqs")
    await sqs("CreateQueue", QueueName="q")
    await events("CreateEventBus", Name="b")
    gone = QUEUE + "-gone"
    for bus, rule, arn in (("default", "r", QUEUE), ("b", "other", gone)):
        await events("PutRule", Name=rule, EventBusName=bus, EventPattern='{"source": ["s"]}')
        target = {"Id": "1", "Arn": arn, "DeadLetterConfig": {"Arn": QUEUE}, "RetryPolicy": {"MaximumRetryAttempts": 0}}
        await events("PutTargets", Rule=rule, EventBusName=bus, Targets=[target])
    for bus in ("default", "default", "b"):
        await events("PutEvents", Entries=[{"Source": "s", "DetailType": "t", "Detail": "{}", "EventBusName": bus}])
    await cloud.delivery.quiet()
    assert await watch("AWS/Events", "MatchedEvents", RuleName="r") == 2
    assert await watch("AWS/Events", "Invocations", RuleName="r") == 2
    assert await watch("AWS/Events", "TriggeredRules") == 3
    other = {"EventBusName": "b", "RuleName": "other"}
    assert await watch("AWS/Events", "FailedInvocations", **other) == 1
    assert await watch("AWS/Events", "InvocationsSentToDlq", **other) == 1
    assert await watch("AWS/Events", "FailedInvocations", RuleName="r") is None


async def test_schedules_tell_of_their_attempts(cloud: LocalCloud, clock: VirtualClock, watch: Watch) -> None:
    """By schedule group."""
    await caller(cloud, "sqs")("CreateQueue", QueueName="q")
    for name, arn in (("s", QUEUE), ("t", QUEUE + "-gone")):
        target = {"Arn": arn, "RoleArn": "arn:aws:iam::000000000000:role/r", "RetryPolicy": {"MaximumRetryAttempts": 0}}
        await caller(cloud, "scheduler")(
            "CreateSchedule", Name=name, ScheduleExpression="rate(10 minutes)", FlexibleTimeWindow={"Mode": "OFF"},
            Target=target,
        )  # fmt: skip
    await clock.advance(1)
    await cloud.delivery.quiet()
    group = {"ScheduleGroup": "default"}
    assert await watch("AWS/Scheduler", "InvocationAttemptCount", **group) == 2
    assert await watch("AWS/Scheduler", "TargetErrorCount", **group) == 1
    assert await watch("AWS/Scheduler", "InvocationDroppedCount", **group) == 1


async def test_tables_tell_their_capacity_and_refusals(cloud: LocalCloud, watch: Watch) -> None:
    """By table, latency by table and operation, mistakes of the caller by account."""
    dynamodb = caller(cloud, "dynamodb")
    await dynamodb(
        "CreateTable", TableName="orders", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )  # fmt: skip
    item = {"k": {"S": "1"}}
    await dynamodb("PutItem", TableName="orders", Item=item)
    await dynamodb("GetItem", TableName="orders", Key=item, ConsistentRead=True)
    await dynamodb("Scan", TableName="orders")
    with pytest.raises(ApiError):
        await dynamodb("PutItem", TableName="orders", Item=item, ConditionExpression="attribute_not_exists(k)")
    with pytest.raises(ApiError):
        await dynamodb("PutItem", TableName="orders", Item={})
    assert await watch("AWS/DynamoDB", "ConsumedWriteCapacityUnits", TableName="orders") == 2
    assert await watch("AWS/DynamoDB", "ConsumedReadCapacityUnits", TableName="orders") == 1.5
    assert await watch("AWS/DynamoDB", "ConditionalCheckFailedRequests", TableName="orders") == 1
    assert await watch("AWS/DynamoDB", "UserErrors") == 1
    get = {"TableName": "orders", "Operation": "GetItem"}
    assert await watch("AWS/DynamoDB", "SuccessfulRequestLatency", "SampleCount", **get) == 1
    assert await watch("AWS/DynamoDB", "ReturnedItemCount", TableName="orders", Operation="Scan") == 1


async def test_state_machines_tell_how_executions_ended(cloud: LocalCloud, clock: VirtualClock, watch: Watch) -> None:
    """By state machine."""
    states = caller(cloud, "stepfunctions")
    definition = {
        "StartAt": "C",
        "States": {
            "C": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.ok", "BooleanEquals": True, "Next": "W"}],
                "Default": "F",
            },
            "W": {"Type": "Wait", "Seconds": 5, "End": True},
            "F": {"Type": "Fail"},
        },
    }
    machine = await states(
        "CreateStateMachine",
        name="m",
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::000000000000:role/r",
    )
    arn = machine["stateMachineArn"]
    for ok in (True, False, True):
        last = await states("StartExecution", stateMachineArn=arn, input=json.dumps({"ok": ok}))
    await clock.advance(1)
    await states("StopExecution", executionArn=last["executionArn"])
    await clock.advance(10)
    counted = {
        name: await watch("AWS/States", name, StateMachineArn=arn)
        for name in ("ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsAborted")
    }
    assert counted == {"ExecutionsStarted": 3, "ExecutionsSucceeded": 1, "ExecutionsFailed": 1, "ExecutionsAborted": 1}
    longest = await watch("AWS/States", "ExecutionTime", "Maximum", StateMachineArn=arn)
    assert longest == pytest.approx(5000, abs=50)


async def logged(cloud: LocalCloud, clock: VirtualClock, *messages: str) -> None:
    now = clock.millis()
    events = [{"timestamp": now, "message": message} for message in messages]
    await caller(cloud, "logs")("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=events)


@pytest.fixture
async def logs(cloud: LocalCloud) -> Caller:
    call = caller(cloud, "logs")
    await call("CreateLogGroup", logGroupName="g")
    await call("CreateLogStream", logGroupName="g", logStreamName="s")
    return call


async def test_logs_tell_what_comes_in(cloud: LocalCloud, clock: VirtualClock, logs: Caller, watch: Watch) -> None:
    """By log group, and of all."""
    await logged(cloud, clock, "one", "two")
    assert await watch("AWS/Logs", "IncomingLogEvents", LogGroupName="g") == 2
    assert await watch("AWS/Logs", "IncomingBytes") == 58


async def test_embedded_metrics_become_metrics(
    cloud: LocalCloud, clock: VirtualClock, logs: Caller, watch: Watch
) -> None:
    """Each set of dimensions, each metric; several values; what is broken is only logged."""

    def embedded(**changes: Any) -> str:
        directive = {
            "Namespace": "Shop", "Dimensions": [["service"], []], "Metrics": [{"Name": "orders", "Unit": "Count"}],
        }  # fmt: skip
        about = {"Timestamp": clock.millis(), "CloudWatchMetrics": [directive | changes.pop("directive", {})]}
        return json.dumps({"_aws": about, "service": "web", "orders": [1, 2, 2], **changes})

    await logged(
        cloud, clock, embedded(), embedded(orders=5), embedded(orders="many"), embedded(service=7),
        embedded(directive={"Namespace": "AWS/Lambda"}), '{"_aws": {"CloudWatchMetrics": 1}', "plain",
    )  # fmt: skip
    report = await cloud.usage.report(since=0.0, traces=0)
    assert "cloudwatch.requests" not in {used.unit for used in report.totals}
    assert await watch("Shop", "orders", service="web") == 10
    assert await watch("Shop", "orders") == 10
    assert await watch("Shop", "orders", "p50", service="web") == 2
    assert await watch("Shop", "orders", "SampleCount", service="web") == 4
    assert await watch("AWS/Logs", "EMFValidationErrors", LogGroupName="g") == 4


async def test_metric_filters_publish(cloud: LocalCloud, clock: VirtualClock, logs: Caller, watch: Watch) -> None:
    """A number, a field of a JSON message or of a space-delimited one, with dimensions; a default where none match."""

    async def put(name: str, pattern: str, **transformation: Any) -> None:
        settings = {"metricName": name, "metricNamespace": "F", "metricValue": "1", **transformation}
        await logs(
            "PutMetricFilter", logGroupName="g", filterName=name, filterPattern=pattern,
            metricTransformations=[settings],
        )  # fmt: skip

    await put("errors", "ERROR", defaultValue=0.0)
    await put(
        "latency", "{ $.latency > 0 }", metricValue="$.latency", dimensions={"Path": "$.path"}, unit="Milliseconds"
    )
    await put("bytes", "[ip, user, size > 100]", metricValue="$size")
    await put("never", "NEVER", defaultValue=0.0)
    await logged(
        cloud, clock, "ERROR one", "ERROR two", '{"latency": 12.5, "path": "/a"}', '{"latency": 7.5, "path": "/a"}',
        '{"latency": 1}', "10.0.0.1 me 500", "10.0.0.1 me 50",
    )  # fmt: skip
    assert await watch("F", "errors") == 2
    assert await watch("F", "latency", Path="/a") == 20
    assert await watch("F", "latency") is None
    assert await watch("F", "bytes") == 500
    assert (await watch("F", "never"), await watch("F", "never", "SampleCount")) == (0, 1)
    await logs("DeleteMetricFilter", logGroupName="g", filterName="errors")
    await logged(cloud, clock, "ERROR three")
    assert await watch("F", "errors") == 2
