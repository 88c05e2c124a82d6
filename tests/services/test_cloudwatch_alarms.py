"""Alarms in virtual time: states by the clock, actions, events, history, composite alarms; retention of points."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.core.scope import Scope

pytestmark = pytest.mark.slow

SCOPE = Scope()
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
Caller = Callable[..., Awaitable[Any]]


def caller(cloud: LocalCloud, service: str) -> Caller:
    async def call(operation: str, **request: Any) -> Any:
        return await cloud.call(SCOPE, service, operation, request)

    return call


@pytest.fixture
def watch(cloud: LocalCloud) -> Caller:
    return caller(cloud, "cloudwatch")


async def put_alarm(watch: Caller, **changes: Any) -> None:
    await watch(
        "PutMetricAlarm",
        **{
            "AlarmName": "a", "Namespace": "N", "MetricName": "m", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching", **changes,
        },
    )  # fmt: skip


async def put(watch: Caller, value: float, **more: Any) -> None:
    await watch("PutMetricData", Namespace="N", MetricData=[{"MetricName": "m", "Value": value, **more}])


async def state(watch: Caller, name: str = "a", kind: str = "MetricAlarm") -> dict[str, Any]:
    reply = await watch("DescribeAlarms", AlarmNames=[name], AlarmTypes=[kind])
    found: dict[str, Any] = reply[f"{kind}s"][0]
    return found


async def messages(cloud: LocalCloud) -> list[dict[str, Any]]:
    await cloud.delivery.quiet()
    sqs = caller(cloud, "sqs")
    reply = await sqs("ReceiveMessage", QueueUrl=QUEUE_URL, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in reply.get("Messages") or ()]


QUEUE_URL = "http://localhost/000000000000/q"


async def test_an_alarm_rises_and_falls_by_the_clock(watch: Caller, clock: VirtualClock) -> None:
    """Unchecked at first, then by its metric; when data ends, as it treats what is missing."""
    await put_alarm(watch)
    assert (await state(watch))["StateReason"] == "Unchecked: Initial alarm creation"
    await put(watch, 9.0)
    await clock.advance(120)
    found = await state(watch)
    assert found["StateValue"] == "ALARM"
    assert found["StateReason"].startswith("Threshold Crossed: 1 datapoint [9.0 (14/11/23 22:13:00)] was greater than")
    data = json.loads(found["StateReasonData"])
    assert data["evaluatedDatapoints"] == [
        {"timestamp": "2023-11-14T22:13:00.000+0000", "sampleCount": 1.0, "value": 9.0}
    ]
    await clock.advance(300)
    assert (await state(watch))["StateReason"] == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
        "[NonBreaching]."
    )


async def test_m_of_n_datapoints_must_breach(watch: Caller, clock: VirtualClock) -> None:
    """Two of three here; a quiet minute between them does not matter."""
    await put_alarm(watch, EvaluationPeriods=3, DatapointsToAlarm=2)
    for value in (9.0, 1.0):
        await put(watch, value)
        await clock.advance(60)
    assert (await state(watch))["StateValue"] == "OK"
    await put(watch, 9.0)
    await clock.advance(62)
    found = await state(watch)
    assert found["StateValue"] == "ALARM"
    assert "2 out of the last 3 datapoints" in found["StateReason"]
    assert found["StateReason"].endswith("(minimum 2 datapoints for OK -> ALARM transition).")


async def test_short_periods_are_evaluated_every_ten_seconds(watch: Caller, clock: VirtualClock) -> None:
    """Of metrics that are stored by the second."""
    await put_alarm(watch, Period=10)
    await put(watch, 9.0, StorageResolution=1)
    await clock.advance(21)
    assert (await state(watch))["StateValue"] == "ALARM"


async def test_an_alarm_watches_an_expression(watch: Caller, clock: VirtualClock) -> None:
    """The one query that returns data."""
    metrics = [
        {
            "Id": "m1",
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"},
            "ReturnData": False,
        },
        {"Id": "e1", "Expression": "m1 * 2", "Label": "double", "ReturnData": True},
    ]
    await watch(
        "PutMetricAlarm", AlarmName="a", Metrics=metrics, EvaluationPeriods=1, Threshold=5.0,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    await put(watch, 3.0)
    await clock.advance(120)
    found = await state(watch)
    assert found["StateValue"] == "ALARM"
    assert "[6.0 " in found["StateReason"]
    assert found["Metrics"] == metrics


async def test_a_change_of_state_is_an_event(cloud: LocalCloud, watch: Caller, clock: VirtualClock) -> None:
    """On the default bus, as documented; rules match it."""
    await caller(cloud, "sqs")("CreateQueue", QueueName="q")
    events = caller(cloud, "events")
    pattern = {"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}}
    await events("PutRule", Name="r", EventPattern=json.dumps(pattern))
    await events("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": QUEUE}])
    await put_alarm(watch, AlarmDescription="too many", Dimensions=[{"Name": "D", "Value": "v"}], Unit="Count")
    await watch("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="try", StateReasonData='{"a": 1}')
    event = next(each for each in await messages(cloud) if each["detail-type"] == "CloudWatch Alarm State Change")
    arn = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a"
    assert (event["source"], event["resources"]) == ("aws.cloudwatch", [arn])
    detail = event["detail"]
    assert detail["alarmName"] == "a"
    assert detail["state"] == {
        "value": "ALARM", "reason": "try", "reasonData": '{"a": 1}', "timestamp": "2023-11-14T22:13:20.000+0000",
    }  # fmt: skip
    assert detail["previousState"]["value"] == "INSUFFICIENT_DATA"
    (metric,) = detail["configuration"]["metrics"]
    assert detail["configuration"]["description"] == "too many"
    assert metric["metricStat"] == {
        "metric": {"namespace": "N", "name": "m", "dimensions": {"D": "v"}},
        "period": 60,
        "stat": "Sum",
        "unit": "Count",
    }
    assert metric["returnData"] is True


async def test_a_failed_action_is_in_the_history(cloud: LocalCloud, watch: Caller) -> None:
    """As on AWS: the state changes, and the history says what became of the action."""
    await put_alarm(watch, AlarmActions=[TOPIC])
    await watch("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="try")
    await cloud.delivery.quiet()
    items = (await watch("DescribeAlarmHistory", AlarmName="a"))["AlarmHistoryItems"]
    assert sorted(item["HistoryItemType"] for item in items) == ["Action", "ConfigurationUpdate", "StateUpdate"]
    action = next(item for item in items if item["HistoryItemType"] == "Action")
    assert action["HistorySummary"].startswith(f"Failed to execute action {TOPIC}")
    data = json.loads(action["HistoryData"])
    assert (data["actionState"], data["notificationResource"]) == ("Failed", TOPIC)
    (change,) = (await watch("DescribeAlarmHistory", HistoryItemType="StateUpdate"))["AlarmHistoryItems"]
    assert json.loads(change["HistoryData"])["oldState"]["stateValue"] == "INSUFFICIENT_DATA"


async def test_disabled_actions_are_not_called(cloud: LocalCloud, watch: Caller) -> None:
    """Until they are enabled again."""
    await put_alarm(watch, AlarmActions=[TOPIC], OKActions=[TOPIC])
    await watch("DisableAlarmActions", AlarmNames=["a", "gone"])
    await watch("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="try")
    await cloud.delivery.quiet()
    assert not (await watch("DescribeAlarmHistory", HistoryItemType="Action"))["AlarmHistoryItems"]
    await watch("EnableAlarmActions", AlarmNames=["a"])
    await watch("SetAlarmState", AlarmName="a", StateValue="OK", StateReason="try")
    await cloud.delivery.quiet()
    assert len((await watch("DescribeAlarmHistory", HistoryItemType="Action"))["AlarmHistoryItems"]) == 1


async def test_composite_alarms_follow_their_children(watch: Caller, clock: VirtualClock) -> None:
    """In the transaction of the child's change, through any number of alarms; a child in use stays."""
    await put_alarm(watch)
    await put_alarm(watch, AlarmName="b")
    await watch("PutCompositeAlarm", AlarmName="both", AlarmRule="ALARM(a) AND ALARM(b)")
    await watch("PutCompositeAlarm", AlarmName="not", AlarmRule="NOT ALARM(both)")
    await watch("SetAlarmState", AlarmName="a", StateValue="ALARM", StateReason="try")
    await clock.advance(2)
    assert (await state(watch, "not", "CompositeAlarm"))["StateValue"] == "ALARM"
    await watch("SetAlarmState", AlarmName="b", StateValue="ALARM", StateReason="try")
    both = await state(watch, "both", "CompositeAlarm")
    assert both["StateReason"] == (
        "arn:aws:cloudwatch:us-east-1:000000000000:alarm:b transitioned to ALARM at "
        "Tuesday 14 November, 2023 22:13:22 UTC"
    )
    assert json.loads(both["StateReasonData"])["triggeringAlarms"][0]["state"]["value"] == "ALARM"
    assert (await state(watch, "not", "CompositeAlarm"))["StateValue"] == "OK"
    children = await watch("DescribeAlarms", ChildrenOfAlarmName="both")
    assert [alarm["AlarmName"] for alarm in children["MetricAlarms"]] == ["a", "b"]
    with pytest.raises(ApiError, match="composite alarms"):
        await watch("DeleteAlarms", AlarmNames=["a"])
    await watch("DeleteAlarms", AlarmNames=["not"])
    await watch("DeleteAlarms", AlarmNames=["both"])
    await watch("DeleteAlarms", AlarmNames=["a", "b", "gone"])
    assert (await watch("DescribeAlarms"))["MetricAlarms"] == []


async def test_an_expression_that_fails_is_missing_data(watch: Caller, clock: VirtualClock) -> None:
    """It holds up no other alarm."""
    stat = {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "m1", "MetricStat": stat, "ReturnData": False},
        {"Id": "e1", "Expression": "FIRST(REMOVE_EMPTY(METRICS()))"},
    ]
    common = {"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
    await watch("PutMetricAlarm", AlarmName="a", Metrics=metrics, **common)
    await put_alarm(watch, AlarmName="b")
    await clock.advance(120)
    assert (await state(watch))["StateValue"] == "INSUFFICIENT_DATA"
    assert (await state(watch, "b"))["StateValue"] == "OK"
    search = [{"Id": "e1", "Expression": "SEARCH('{N}', 'Sum', 60)"}]
    with pytest.raises(ApiError, match="SEARCH is not supported"):
        await watch("PutMetricAlarm", AlarmName="c", Metrics=search, **common)


async def test_alarms_of_tables_ignore_missing_data(watch: Caller, clock: VirtualClock) -> None:
    """Documented of the namespace AWS/DynamoDB, whatever the alarm says."""
    await put_alarm(watch, Namespace="AWS/DynamoDB", TreatMissingData="breaching")
    await clock.advance(300)
    assert (await state(watch))["StateValue"] == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Period": 45}, "Period"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"EvaluationPeriods": 2000}, "86400"),
        ({"ExtendedStatistic": "p99"}, "Statistic"),
        ({"TreatMissingData": "never"}, "Supported values are [breaching, notBreaching, ignore, missing]"),
        ({"AlarmActions": ["nope"]}, "Invalid arn syntax: nope"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, "percentile"),
        ({"Metrics": [{"Id": "m", "Expression": "1"}]}, "mutually exclusive"),
    ],
)
async def test_what_contradicts_itself_is_refused(watch: Caller, changes: dict[str, Any], text: str) -> None:
    """With ValidationError, and no alarm."""
    with pytest.raises(ApiError) as caught:
        await put_alarm(watch, **changes)
    assert caught.value.code == "ValidationError"
    assert text in caught.value.message
    assert (await watch("DescribeAlarms"))["MetricAlarms"] == []


async def test_what_is_lacking_is_refused_by_name(watch: Caller) -> None:
    """Actions that nobody would carry out, and anomaly detection."""
    for changes in (
        {"AlarmActions": ["arn:aws:autoscaling:us-east-1:0:scalingPolicy:x"]},
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
        {"EvaluationInterval": 60},
    ):
        with pytest.raises(NotImplementedByFogbank):
            await put_alarm(watch, **changes)


@pytest.mark.slow
async def test_points_are_put_together_as_they_age(watch: Caller, clock: VirtualClock) -> None:
    """By the second for three hours, by the minute for fifteen days, then by five minutes; the sum stays."""
    base = clock.time() // 3600 * 3600
    for second in (0, 1, 70):
        await put(watch, 1.0, Timestamp=base + second, StorageResolution=1)
    seen = []
    for days in (0, 1, 20, 70):
        clock._now = base + days * 86_400 + 7200  # a jump: who waits wakes once, late
        await clock.advance(3600)
        counts = {}
        for period in (1, 60, 300, 3600):
            query = {
                "Id": "m",
                "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": period, "Stat": "Sum"},
            }
            reply = await watch("GetMetricData", MetricDataQueries=[query], StartTime=base, EndTime=base + 3600)
            counts[period] = reply["MetricDataResults"][0]["Values"]
        seen.append(counts)
    assert seen == [
        {1: [1.0, 1.0, 1.0], 60: [1.0, 2.0], 300: [3.0], 3600: [3.0]},
        {1: [1.0, 2.0], 60: [1.0, 2.0], 300: [3.0], 3600: [3.0]},
        {1: [], 60: [], 300: [3.0], 3600: [3.0]},
        {1: [], 60: [], 300: [], 3600: [3.0]},
    ]


async def actions(cloud: LocalCloud, watch: Caller) -> int:
    """How many actions of composite alarms were called."""
    await cloud.delivery.quiet()
    reply = await watch("DescribeAlarmHistory", AlarmTypes=["CompositeAlarm"], HistoryItemType="Action")
    return len(reply["AlarmHistoryItems"])


async def test_an_alarm_keeps_back_the_actions_of_another(
    cloud: LocalCloud, watch: Caller, clock: VirtualClock
) -> None:
    """While it waits for its suppressor, while that is in ALARM, and for a time after; then they are called."""
    for name in ("child", "quiet"):
        await put_alarm(watch, AlarmName=name, TreatMissingData="ignore")
    rule = {"AlarmName": "c", "AlarmRule": "ALARM(child)", "AlarmActions": [TOPIC], "ActionsSuppressor": "quiet"}
    with pytest.raises(ApiError, match="together"):
        await watch("PutCompositeAlarm", **rule)
    await watch(
        "PutCompositeAlarm", **rule, ActionsSuppressorWaitPeriod=60, ActionsSuppressorExtensionPeriod=30
    )  # fmt: skip
    await clock.advance(2)

    async def turn(name: str, value: str) -> None:
        await watch("SetAlarmState", AlarmName=name, StateValue=value, StateReason="try")

    async def suppressed() -> str | None:
        found: str | None = (await state(watch, "c", "CompositeAlarm")).get("ActionsSuppressedBy")
        return found

    await clock.advance(70)  # the first change, to OK, is past its waiting
    await turn("child", "ALARM")
    assert (await suppressed(), await actions(cloud, watch)) == ("WaitPeriod", 0)
    await turn("quiet", "ALARM")
    await clock.advance(500)
    assert (await suppressed(), await actions(cloud, watch)) == ("Alarm", 0)
    await turn("quiet", "OK")
    assert await suppressed() == "ExtensionPeriod"
    await clock.advance(29)
    assert await actions(cloud, watch) == 0
    await clock.advance(2)
    assert (await suppressed(), await actions(cloud, watch)) == (None, 1)
    await turn("child", "OK")
    await turn("child", "ALARM")
    await clock.advance(61)  # nobody kept it back, and it is as it was: nothing new to tell
    assert (await suppressed(), await actions(cloud, watch)) == (None, 1)
    with pytest.raises(ApiError, match="composite alarms"):
        await watch("DeleteAlarms", AlarmNames=["quiet"])
