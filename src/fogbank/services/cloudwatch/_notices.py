"""What an alarm sends when its state changes: an event to the default bus, and what each kind of action gets.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html; the payload of
functions and the message of topics as recorded by the LocalStack project's validated suite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.core.arn import Arn
from fogbank.core.trace import Trace
from fogbank.delivery import Message, RetryPolicy
from fogbank.services.cloudwatch._alarms import Alarm, Kind, json_text
from fogbank.services.cloudwatch._evaluation import moment_text

ROUTE = "cloudwatch.action"
"""The route of actions: what came of them is written into the alarm's history."""
SOURCE = "aws.cloudwatch"
"""The source of the events."""
_FUNCTIONS = "lambda.alarms.cloudwatch.amazonaws.com"
_SERVICE = "cloudwatch.amazonaws.com"
_POLICY = RetryPolicy(max_retries=3, delays=(1.0, 5.0, 30.0))
_REGIONS = {
    "us-east-1": "US East (N. Virginia)", "us-east-2": "US East (Ohio)", "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)", "ca-central-1": "Canada (Central)", "eu-west-1": "EU (Ireland)",
    "eu-west-2": "EU (London)", "eu-west-3": "EU (Paris)", "eu-central-1": "EU (Frankfurt)",
    "eu-north-1": "EU (Stockholm)", "eu-south-1": "EU (Milan)", "ap-northeast-1": "Asia Pacific (Tokyo)",
    "ap-northeast-2": "Asia Pacific (Seoul)", "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-southeast-2": "Asia Pacific (Sydney)", "ap-south-1": "Asia Pacific (Mumbai)",
    "sa-east-1": "South America (Sao Paulo)",
}  # fmt: skip


def _state(alarm: Alarm) -> dict[str, Any]:
    shown = {
        "value": alarm.state.value,
        "reason": alarm.reason,
        "timestamp": moment_text(alarm.updated / 1000),
    }
    if alarm.reason_data:
        shown["reasonData"] = alarm.reason_data
    return shown


def configuration(alarm: Alarm) -> dict[str, Any]:
    """The part of an alarm's settings that events show."""
    settings = alarm.settings
    shown: dict[str, Any] = {}
    if "AlarmDescription" in settings:
        shown["description"] = settings["AlarmDescription"]
    if alarm.kind is Kind.COMPOSITE:
        return {**shown, "alarmRule": settings["AlarmRule"]}
    if "Metrics" in settings:
        return {**shown, "metrics": [_query(query) for query in settings["Metrics"]]}
    stat = {
        "Metric": {name: settings.get(name) for name in ("Namespace", "MetricName", "Dimensions")},
        "Period": settings["Period"],
        "Stat": settings.get("Statistic") or settings["ExtendedStatistic"],
        "Unit": settings.get("Unit"),
    }
    return {**shown, "metrics": [_query({"Id": settings["MetricId"], "MetricStat": stat, "ReturnData": True})]}


def _query(query: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": query["Id"]}
    stat = query.get("MetricStat")
    if stat is not None:
        metric = stat["Metric"]
        shown["metricStat"] = {
            "metric": {
                "namespace": metric["Namespace"],
                "name": metric["MetricName"],
                "dimensions": {each["Name"]: each["Value"] for each in metric.get("Dimensions") or ()},
            },
            "period": stat["Period"],
            "stat": stat["Stat"],
            **({"unit": stat["Unit"]} if stat.get("Unit") else {}),
        }
    else:
        shown["expression"] = query["Expression"]
        shown |= {"label": query["Label"]} if query.get("Label") else {}
    shown["returnData"] = query.get("ReturnData", True)
    return shown


def change_event(before: Alarm, after: Alarm, trace: Trace) -> Message:
    """The event of a change of state."""
    detail = {
        "alarmName": after.name,
        "state": _state(after),
        "previousState": _state(before),
        "configuration": configuration(after),
    }
    return _event(after, "CloudWatch Alarm State Change", detail, trace)


def configuration_event(alarm: Alarm, operation: str, trace: Trace) -> Message:
    """The event of an alarm that was created, updated or deleted."""
    detail = {
        "alarmName": alarm.name,
        "operation": operation,
        "state": {"value": alarm.state.value, "timestamp": moment_text(alarm.updated / 1000)},
        "configuration": {**configuration(alarm), **_actions(alarm)},
    }
    return _event(alarm, "CloudWatch Alarm Configuration Change", detail, trace)


def _actions(alarm: Alarm) -> dict[str, Any]:
    settings = alarm.settings
    shown = {
        "alarmName": alarm.name,
        "actionsEnabled": settings["ActionsEnabled"],
        "okActions": settings["OKActions"],
        "alarmActions": settings["AlarmActions"],
        "insufficientDataActions": settings["InsufficientDataActions"],
        "timestamp": moment_text(alarm.configured / 1000),
    }
    for name in ("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData"):
        if name in settings:
            shown[name[0].lower() + name[1:]] = settings[name]
    return shown


def _event(alarm: Alarm, kind: str, detail: Mapping[str, Any], trace: Trace) -> Message:
    return Message(
        target=alarm.scope.arn("events", "event-bus/default"),
        payload=json_text(detail).encode(),
        scope=alarm.scope,
        trace=trace,
        source=_SERVICE,
        policy=_POLICY,
        parameters={"Source": SOURCE, "DetailType": kind, "Resources": [alarm.arn]},
    )


def action(before: Alarm, after: Alarm, target: str, trace: Trace) -> Message:
    """What an action gets."""
    to_topic = Arn.parse(target).service == "sns"
    document = _topic_message(before, after) if to_topic else _function_payload(before, after)
    subject = f'{after.state.value}: "{after.name}" in {_REGIONS.get(after.scope.region, after.scope.region)}'
    return Message(
        target=target,
        payload=json_text(document).encode(),
        scope=after.scope,
        trace=trace,
        route=ROUTE,
        source=_SERVICE if to_topic else _FUNCTIONS,
        policy=_POLICY,
        parameters={"Subject": subject[:100]} if to_topic else {},
    )


def _function_payload(before: Alarm, after: Alarm) -> dict[str, Any]:
    return {
        "source": "aws.cloudwatch",
        "alarmArn": after.arn,
        "accountId": after.scope.account,
        "time": moment_text(after.updated / 1000),
        "region": after.scope.region,
        "alarmData": {
            "alarmName": after.name,
            "state": _state(after),
            "previousState": _state(before),
            "configuration": configuration(after),
        },
    }


def _topic_message(before: Alarm, after: Alarm) -> dict[str, Any]:
    settings = after.settings
    message: dict[str, Any] = {
        "AlarmName": after.name,
        "AlarmDescription": settings.get("AlarmDescription"),
        "AWSAccountId": after.scope.account,
        "AlarmConfigurationUpdatedTimestamp": moment_text(after.configured / 1000),
        "NewStateValue": after.state.value,
        "NewStateReason": after.reason,
        "StateChangeTime": moment_text(after.updated / 1000),
        "Region": _REGIONS.get(after.scope.region, after.scope.region),
        "AlarmArn": after.arn,
        "OldStateValue": before.state.value,
        "OKActions": settings["OKActions"],
        "AlarmActions": settings["AlarmActions"],
        "InsufficientDataActions": settings["InsufficientDataActions"],
    }
    if after.kind is Kind.COMPOSITE:
        return {**message, "AlarmRule": settings["AlarmRule"]}
    return {**message, "Trigger": _trigger(settings)}


def _trigger(settings: Mapping[str, Any]) -> dict[str, Any]:
    shared = {
        "EvaluationPeriods": settings["EvaluationPeriods"],
        "ComparisonOperator": settings["ComparisonOperator"],
        "Threshold": settings["Threshold"],
        "TreatMissingData": settings.get("TreatMissingData", ""),
        "EvaluateLowSampleCountPercentile": settings.get("EvaluateLowSampleCountPercentile", ""),
    }
    if "DatapointsToAlarm" in settings:
        shared["DatapointsToAlarm"] = settings["DatapointsToAlarm"]
    if "Metrics" in settings:
        return {"Metrics": list(settings["Metrics"]), **shared}
    statistic = settings.get("Statistic")
    kind = (
        {"StatisticType": "Statistic", "Statistic": _STATISTICS[statistic]}
        if statistic
        else {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": settings["ExtendedStatistic"]}
    )
    return {
        "MetricName": settings["MetricName"],
        "Namespace": settings["Namespace"],
        **kind,
        "Unit": settings.get("Unit"),
        "Dimensions": [{"value": each["Value"], "name": each["Name"]} for each in settings["Dimensions"]],
        "Period": settings["Period"],
        **shared,
    }


_STATISTICS = {
    "SampleCount": "SAMPLE_COUNT", "Average": "AVERAGE", "Sum": "SUM", "Minimum": "MINIMUM", "Maximum": "MAXIMUM",
}  # fmt: skip


def change_data(before: Alarm, after: Alarm) -> dict[str, Any]:
    """What the history says of a change of state."""
    return {"version": "1.0", "oldState": _told(before), "newState": _told(after)}


def _told(alarm: Alarm) -> dict[str, Any]:
    shown: dict[str, Any] = {"stateValue": alarm.state.value, "stateReason": alarm.reason}
    if alarm.reason_data:
        shown["stateReasonData"] = msgspec.json.decode(alarm.reason_data)
    return shown
