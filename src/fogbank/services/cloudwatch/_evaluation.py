"""How the datapoints of a metric alarm make its state. Pure functions.

    newest … oldest:  X X -   0 0        M of the N newest must breach
                      └─ N ─┘ └ 2 more that are looked at where some are missing

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html (its two tables are
tests), and the reasons that AWS was recorded to give.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from fogbank.services.cloudwatch._numbers import java_double

EXTRA = 2
"""Periods before the N newest that are looked at, for where some of those are missing."""


class State(StrEnum):
    """The states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    UNKNOWN = "INSUFFICIENT_DATA"


class Missing(StrEnum):
    """TreatMissingData."""

    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"
    IGNORE = "ignore"
    MISSING = "missing"


COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


class Datapoint(NamedTuple):
    """A period of an alarm; `value` is `None` where data is missing, `samples` where they are not known."""

    moment: int
    value: float | None
    samples: float | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What an alarm compares, and how often it must breach."""

    comparison: str
    threshold: float
    periods: int
    to_alarm: int
    missing: Missing
    explicit: bool
    """Whether the number of datapoints to alarm was given: the reason then names it."""

    def breaches(self, value: float) -> bool:
        """Whether a value breaches."""
        return COMPARISONS[self.comparison][0](value, self.threshold)


class Verdict(NamedTuple):
    """A state, with the datapoints that it follows from (newest first) and how many missing ones were filled in."""

    state: State
    used: Sequence[Datapoint]
    filled: int


def decide(points: Sequence[Datapoint], condition: Condition) -> Verdict | None:
    """The state that datapoints (newest first, N and the extra ones) make; `None` leaves it as it is."""
    real = [point for point in points if point.value is not None]
    if len(real) >= condition.periods:
        used = real[: condition.periods]
        return Verdict(_by_count(_breaching(used, condition), condition), used, 0)
    lacking = condition.periods - len(real)
    if not real:
        state = _NOTHING[condition.missing]
        return None if state is None else Verdict(state, points[: condition.periods], condition.periods)
    breaching = _breaching(real, condition)
    if condition.missing is Missing.BREACHING:
        return Verdict(_by_count(breaching + lacking, condition), real, lacking)
    if condition.missing is Missing.NOT_BREACHING or breaching < len(real) or breaching >= condition.to_alarm:
        return Verdict(_by_count(breaching, condition), real, lacking)
    if condition.missing is Missing.MISSING and _is_settled(points, condition):
        return Verdict(State.ALARM, real, lacking)
    return None


_NOTHING = {
    Missing.MISSING: State.UNKNOWN,
    Missing.IGNORE: None,
    Missing.BREACHING: State.ALARM,
    Missing.NOT_BREACHING: State.OK,
}


def _breaching(points: Sequence[Datapoint], condition: Condition) -> int:
    return sum(point.value is not None and condition.breaches(point.value) for point in points)


def _by_count(breaching: int, condition: Condition) -> State:
    return State.ALARM if breaching >= condition.to_alarm else State.OK


def _is_settled(points: Sequence[Datapoint], condition: Condition) -> bool:
    """Whether the oldest breaching datapoint among the N newest is as old as the number to alarm: all after it breach
    or are missing, so no datapoint that is yet to come can say otherwise.
    """
    ages = [age for age, point in enumerate(points[: condition.periods], 1) if point.value is not None]
    return bool(ages) and ages[-1] >= condition.to_alarm


# -- wording ----------------------------------------------------------------------------------------------


def reason(verdict: Verdict, condition: Condition, before: State) -> str:
    """Why an alarm has its state, in CloudWatch's words."""
    count = len([point for point in verdict.used if point.value is not None])
    if verdict.state is State.UNKNOWN:
        return f"Insufficient Data: {_many(verdict.filled, 'datapoint')} {_was(verdict.filled)} unknown."
    treated = {Missing.BREACHING: "Breaching", Missing.NOT_BREACHING: "NonBreaching"}.get(condition.missing)
    filler = f"{_many(verdict.filled, 'missing datapoint')} {_was(verdict.filled)} treated as [{treated}]"
    if count == 0:
        periods = _many(verdict.filled, "period")
        return f"Threshold Crossed: no datapoints were received for {periods} and {filler}."
    return _crossed(verdict, condition, before, f" and {filler}" if verdict.filled and treated else "")


def _crossed(verdict: Verdict, condition: Condition, before: State, filler: str) -> str:
    is_alarm = verdict.state is State.ALARM
    telling = [
        point for point in verdict.used if point.value is not None and condition.breaches(point.value) == is_alarm
    ] or [point for point in verdict.used if point.value is not None]
    shown = ", ".join(f"{java_double(p.value or 0.0)} ({_stamp(p.moment)})" for p in telling)
    compared = f"{'' if is_alarm else 'not '}{COMPARISONS[condition.comparison][1]} the threshold"
    threshold = java_double(condition.threshold)
    if not condition.explicit:
        many = _many(len(telling), "datapoint")
        return f"Threshold Crossed: {many} [{shown}] {_was(len(telling))} {compared} ({threshold}){filler}."
    least = condition.to_alarm if is_alarm else condition.periods - condition.to_alarm + 1
    direction = "OK -> ALARM" if is_alarm else "ALARM -> OK"
    if before is State.UNKNOWN and not is_alarm:
        direction = "ALARM -> OK"
    return (
        f"Threshold Crossed: {len(telling)} out of the last {condition.periods} datapoints [{shown}] "
        f"{_was(len(telling))} {compared} ({threshold}){filler} "
        f"(minimum {_many(least, 'datapoint')} for {direction} transition)."
    )


def reason_data(verdict: Verdict, condition: Condition, about: dict[str, Any], now: float) -> dict[str, Any]:
    """The same for machines. `about` is what the alarm looks at: unit, statistic, period."""
    real = [point for point in verdict.used if point.value is not None]
    data: dict[str, Any] = {"version": "1.0", "queryDate": moment_text(now)}
    if real:
        data["startDate"] = moment_text(min(point.moment for point in real))
    data |= about
    data["recentDatapoints"] = [point.value for point in reversed(real)]
    data["threshold"] = condition.threshold
    data["evaluatedDatapoints"] = [
        {
            "timestamp": moment_text(point.moment),
            **({} if point.samples is None else {"sampleCount": point.samples}),
            **({} if point.value is None else {"value": point.value}),
        }
        for point in verdict.used
    ]
    return data


def moment_text(moment: float) -> str:
    """`2014-04-09T18:59:06.419+0000`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def _stamp(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d/%m/%y %H:%M:%S")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
