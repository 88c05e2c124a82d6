"""Alarms: what they are, what may be put, and how the API shows them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.scope import Scope
from fogbank.services.cloudwatch._evaluation import COMPARISONS, Condition, Missing, State
from fogbank.services.cloudwatch._queries import MetricQuery, Plan
from fogbank.services.cloudwatch._rules import compile_rule
from fogbank.services.cloudwatch._statistics import compile_statistic, is_percentile
from fogbank.services.cloudwatch._suppression import Suppression, check
from fogbank.services.cloudwatch.errors import RuleError
from fogbank.services.cloudwatch.model import DAY, HOUR, Metric

INITIAL = "Unchecked: Initial alarm creation"
MAX_TAGS = 50
MIN_SAMPLES = 10
"""Samples from which a percentile of a period counts, times what it leaves out: documented as 10 / (1 - percentile)."""
_FAST = frozenset({10, 20, 30})
_LISTS = ("OKActions", "AlarmActions", "InsufficientDataActions")
ACTIONS = {State.OK: "OKActions", State.ALARM: "AlarmActions", State.UNKNOWN: "InsufficientDataActions"}
"""Which actions a state has."""
_SINGLE = (
    "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit",
)  # fmt: skip
_ABSENT_METRIC = (
    "ThresholdMetricId", "EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria", "EvaluationInterval",
    "ActionConfiguration",
)  # fmt: skip
_ABSENT_COMPOSITE = ("ActionConfiguration",)
_CALLABLE = frozenset({"lambda", "sns"})
_ABSENT_ACTIONS = frozenset({"autoscaling", "automate", "ssm", "ssm-incidents", "swf", "aiops"})


class Kind(StrEnum):
    """Types of alarms."""

    METRIC = "MetricAlarm"
    COMPOSITE = "CompositeAlarm"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm. `settings` are the members of the request; times are milliseconds."""

    scope: Scope
    name: str
    kind: Kind
    settings: Mapping[str, Any]
    state: State
    reason: str
    reason_data: str
    configured: int
    updated: int
    transitioned: int
    tags: Mapping[str, str]
    suppression: Suppression | None = None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("cloudwatch", f"alarm:{self.name}")

    @property
    def pace(self) -> int:
        """Seconds between evaluations."""
        period = self.settings.get("Period", 60)
        return 10 if period in _FAST else 60

    def document(self) -> dict[str, Any]:
        """As DescribeAlarms shows it."""
        shown = {
            **self.settings,
            "AlarmName": self.name,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": self.configured / 1000,
            "StateValue": self.state.value,
            "StateReason": self.reason,
            "StateUpdatedTimestamp": self.updated / 1000,
            "StateTransitionedTimestamp": self.transitioned / 1000,
        }
        shown.pop("MetricId", None)
        if self.reason_data:
            shown["StateReasonData"] = self.reason_data
        if self.suppression is not None:
            shown["ActionsSuppressedBy"] = self.suppression.by.value
            shown["ActionsSuppressedReason"] = self.suppression.reason
        return shown


# -- what may be put --------------------------------------------------------------------------------------


def read_metric_alarm(scope: Scope, request: Mapping[str, Any], metric_id: str) -> dict[str, Any]:
    """The settings of a PutMetricAlarm request."""
    _refuse("PutMetricAlarm", request, _ABSENT_METRIC)
    comparison = request.get("ComparisonOperator")
    for name in ("EvaluationPeriods", "ComparisonOperator"):
        if request.get(name) is None:
            raise RuleError(f"The parameter {name} is required.")
    if comparison not in COMPARISONS:
        raise NotImplementedByFogbank(f"Fogbank does not implement alarms with {comparison} (anomaly detection) yet")
    if request.get("Threshold") is None:
        raise RuleError("The parameter Threshold is required.")
    if request.get("DatapointsToAlarm", 1) > request["EvaluationPeriods"]:
        raise RuleError("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    _check_option(request, "TreatMissingData", [each.value for each in Missing])
    _check_low_samples(request)
    if request.get("Metrics"):
        _check_metrics(scope, request)
    else:
        _check_single(request)
    settings = _settings(scope, request)
    settings["Threshold"] = float(request["Threshold"])
    if not request.get("Metrics"):
        settings.setdefault("Dimensions", [])
        settings["MetricId"] = metric_id
    return settings


def read_composite_alarm(scope: Scope, request: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a PutCompositeAlarm request."""
    _refuse("PutCompositeAlarm", request, _ABSENT_COMPOSITE)
    rule = compile_rule(request["AlarmRule"])
    if request["AlarmName"] in rule.children:
        raise RuleError("Error in AlarmRule [The alarm refers to itself]")
    check(request)
    return _settings(scope, request)


def _settings(scope: Scope, request: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in request.items() if name not in ("AlarmName", "Tags")}
    settings.setdefault("ActionsEnabled", True)
    for name in _LISTS:
        actions = settings.setdefault(name, [])
        for action in actions:
            _check_action(scope, action)
        if len(set(actions)) < len(actions):
            raise RuleError(f"The collection {name} must not hold an action twice.")
    return settings


def _refuse(operation: str, request: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if request.get(name) is not None:
            raise NotImplementedByFogbank(
                f"Fogbank does not implement the parameter {name} of cloudwatch.{operation} yet"
            )


def _check_action(scope: Scope, text: str) -> None:
    try:
        arn = Arn.parse(text)
    except MalformedArnError:
        raise RuleError(f"Invalid arn syntax: {text}") from None
    if arn.service in _ABSENT_ACTIONS:
        raise NotImplementedByFogbank(f"Fogbank does not implement alarm actions of {arn.service} ({text}) yet")
    if arn.service not in _CALLABLE:
        raise RuleError(f"Unsupported service for alarm action: {text}")
    if arn.region != scope.region:
        raise RuleError(f"Invalid region {arn.region} specified. Only {scope.region} is supported.")


def _check_option(request: Mapping[str, Any], name: str, allowed: Sequence[str]) -> None:
    value = request.get(name)
    if value is not None and value not in allowed:
        raise RuleError(
            f"The value {value} is unsupported for the {name} parameter. Supported values are [{', '.join(allowed)}]."
        )


def _check_low_samples(request: Mapping[str, Any]) -> None:
    value = request.get("EvaluateLowSampleCountPercentile")
    if value is None:
        return
    if value not in ("evaluate", "ignore"):
        raise RuleError(
            f"Option {value} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are "
            "evaluate and ignore."
        )
    if not is_percentile(request.get("ExtendedStatistic", "")):
        raise RuleError("EvaluateLowSampleCountPercentile can be used only with a percentile as ExtendedStatistic.")


def _check_metrics(scope: Scope, request: Mapping[str, Any]) -> None:
    given = [name for name in _SINGLE if request.get(name) not in (None, [])]
    if given:
        raise RuleError(f"The parameters Metrics and {given[0]} are mutually exclusive and you have specified both.")
    plan = Plan.of(scope, request["Metrics"])
    if sum(query.shown for query in plan.queries) != 1:
        raise RuleError("Exactly one element of the metrics list should return data.")
    if any(query.expression is not None and query.expression.searches for query in plan.queries):
        raise RuleError("SEARCH is not supported in metric alarms.")
    _check_span(request["EvaluationPeriods"], plan.longest)


def _check_single(request: Mapping[str, Any]) -> None:
    for name in ("MetricName", "Namespace", "Period"):
        if request.get(name) is None:
            raise RuleError(f"The parameter {name} is required.")
    simple, extended = request.get("Statistic"), request.get("ExtendedStatistic")
    if (simple is None) == (extended is None):
        raise RuleError("Exactly one of the parameters Statistic and ExtendedStatistic must be specified.")
    if extended is not None and compile_statistic(extended) is None:
        raise RuleError(f"The value {extended} for parameter ExtendedStatistic is not supported.")
    period = request["Period"]
    if period not in _FAST and period % 60:
        raise RuleError("The parameter Period must be 10, 20, 30, or a multiple of 60.")
    _check_span(request["EvaluationPeriods"], period)


def _check_span(periods: int, period: int) -> None:
    longest = 7 * DAY if period >= HOUR else DAY
    if periods * period > longest:
        raise RuleError(
            f"Metrics cannot be checked across more than {'seven days' if longest > DAY else 'a day'} "
            f"(EvaluationPeriods * Period must be <= {longest})."
        )


# -- what is evaluated ------------------------------------------------------------------------------------


def condition_of(alarm: Alarm) -> Condition:
    """What a metric alarm compares."""
    settings = alarm.settings
    missing = Missing(settings.get("TreatMissingData", Missing.MISSING))
    if settings.get("Namespace") == "AWS/DynamoDB":
        missing = Missing.IGNORE  # documented: whatever the alarm says
    periods = settings["EvaluationPeriods"]
    return Condition(
        settings["ComparisonOperator"], settings["Threshold"], periods,
        settings.get("DatapointsToAlarm", periods), missing, "DatapointsToAlarm" in settings,
    )  # fmt: skip


def query_of(alarm: Alarm) -> MetricQuery:
    """The metric that a single metric's alarm watches."""
    settings = alarm.settings
    name = settings.get("Statistic") or settings["ExtendedStatistic"]
    statistic = compile_statistic(name)
    assert statistic is not None, "checked when it was put"
    metric = Metric.of(alarm.scope, settings)
    return MetricQuery(metric, statistic, name, settings["Period"], settings.get("Unit"))


def least_samples(alarm: Alarm) -> float:
    """How many samples a period must have to count, where few samples of a percentile are to be ignored."""
    if alarm.settings.get("EvaluateLowSampleCountPercentile") != "ignore":
        return 0.0
    percent = float(alarm.settings["ExtendedStatistic"][1:])
    if percent >= 50:
        return MIN_SAMPLES / (1 - percent / 100) if percent < 100 else 0.0
    return MIN_SAMPLES / (percent / 100) if percent else 0.0


def about(alarm: Alarm) -> dict[str, Any]:
    """What the data of a reason says of the metric."""
    settings = alarm.settings
    if "Metrics" in settings:
        return {"period": Plan.of(alarm.scope, settings["Metrics"]).longest}
    found: dict[str, Any] = {"unit": settings["Unit"]} if "Unit" in settings else {}
    found["statistic"] = settings.get("Statistic") or settings["ExtendedStatistic"]
    found["period"] = settings["Period"]
    return found


def json_text(value: Any) -> str:
    """A document as JSON, as AWS writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
