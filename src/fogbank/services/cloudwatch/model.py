"""The semantics of metrics: what may be put, how long it is kept and how finely, what a period's points are.

    metric = namespace, name, dimensions ──┬── points of 1 s    for 3 hours (high resolution only)
                                           ├── points of 60 s   for 15 days
                                           ├── points of 300 s  for 63 days
                                           └── points of 3600 s for 455 days

A point is the summary of the samples of one unit that fell into its period. Points whose time is over are put together
to the next longer period. Times are whole seconds since the epoch. Pure: no I/O, no clock.
Source: the API references of PutMetricData, GetMetricStatistics and GetMetricData.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fogbank.core.scope import Scope
from fogbank.services.cloudwatch._numbers import java_double
from fogbank.services.cloudwatch._statistics import Spread, Summary
from fogbank.services.cloudwatch.errors import (
    InvalidCombinationError,
    InvalidValueError,
    LimitExceededError,
    MissingParameterError,
)

HOUR = 3600
DAY = 86_400
MAX_METRICS = 1000
MAX_VALUES = 150
MAX_DIMENSIONS = 30
MAX_MAGNITUDE = 2.0**360
MAX_DATAPOINTS = 100_800
MAX_STATISTICS_POINTS = 1440
MAX_SERIES = 1_000_000
"""Different metrics in all: a bound of ours, so that a dimension that never repeats cannot fill the disk."""
TOO_OLD = 14 * DAY
TOO_NEW = 2 * HOUR
RECENT = 3 * HOUR
LISTED = 14 * DAY
"""Seconds after its last data for which ListMetrics tells of a metric."""
RETENTION = ((1, 3 * HOUR, 60), (60, 15 * DAY, 300), (300, 63 * DAY, 3600), (3600, 455 * DAY, None))
"""(period, how long its points are kept, the period that they are put together to)."""
_FINE_PERIODS = frozenset({1, 5, 10, 20, 30})
_ASCII = re.compile(r"[\x20-\x7e]*")

UNITS = (
    "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits",
    "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second",
    "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second",
    "Gigabits/Second", "Terabits/Second", "Count/Second", "None",
)  # fmt: skip


class Metric(NamedTuple):
    """A metric. Dimensions are (name, value) pairs by name."""

    scope: Scope
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, scope: Scope, request: Mapping[str, Any], namespace: str | None = None) -> Metric:
        """The metric that a request names."""
        pairs = dimension_pairs(request.get("Dimensions") or ())
        return cls(scope, namespace or request["Namespace"], request["MetricName"], pairs)

    def document(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "Namespace": self.namespace,
            "MetricName": self.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions],
        }


def dimension_pairs(dimensions: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """The API's dimensions as pairs by name."""
    return tuple(sorted((each["Name"], each["Value"]) for each in dimensions))


class Datum(NamedTuple):
    """What is put: samples of one metric in one period."""

    metric: Metric
    moment: int
    period: int
    unit: str
    summary: Summary


class Point(NamedTuple):
    """A stored point."""

    moment: int
    period: int
    unit: str
    summary: Summary


# -- PutMetricData ----------------------------------------------------------------------------------------


def check_namespace(namespace: str) -> None:
    """What begins with `AWS/` is put by AWS's services only."""
    if namespace.startswith(("AWS/", ":")) or not _ASCII.fullmatch(namespace) or not namespace.strip():
        raise InvalidValueError(f"The value {namespace} for parameter Namespace is invalid.")


def read_data(scope: Scope, request: Mapping[str, Any], now: float) -> list[Datum]:
    """The data of a PutMetricData request; an error of the whole request if any is not in order."""
    entries = [(f"MetricData.member.{n}", each) for n, each in enumerate(request.get("MetricData") or (), 1)]
    if not entries:
        raise MissingParameterError("The parameter MetricData is required.")
    if len(entries) > MAX_METRICS:
        raise InvalidValueError(f"The collection MetricData must not have a size greater than {MAX_METRICS}.")
    return [_read_datum(scope, request["Namespace"], where, each, now) for where, each in entries]


def _read_datum(scope: Scope, namespace: str, where: str, entry: Mapping[str, Any], now: float) -> Datum:
    check_dimensions(entry.get("Dimensions") or (), where)
    if not _ASCII.fullmatch(entry["MetricName"]) or not entry["MetricName"].strip():
        raise InvalidValueError(f"The value {entry['MetricName']} for parameter {where}.MetricName is invalid.")
    moment = entry.get("Timestamp", now)
    if moment < now - TOO_OLD:
        raise InvalidValueError(f"The parameter {where}.Timestamp must specify a time within the past two weeks.")
    if moment > now + TOO_NEW:
        raise InvalidValueError(
            f"The parameter {where}.Timestamp must specify a time no more than two hours in the future."
        )
    resolution = entry.get("StorageResolution", 60)
    if resolution not in (1, 60):
        raise InvalidValueError(f"The parameter {where}.StorageResolution must be a value in the set [ 1, 60 ].")
    metric = Metric.of(scope, entry, namespace)
    return Datum(
        metric, math.floor(moment / resolution) * resolution, resolution, entry.get("Unit", "None"),
        _read_summary(entry, where),
    )  # fmt: skip


def check_dimensions(dimensions: Sequence[Mapping[str, Any]], where: str) -> None:
    """The rules of dimensions that the model does not have."""
    for number, each in enumerate(dimensions, 1):
        name, value = each["Name"], each["Value"]
        at = f"{where}.Dimensions.member.{number}" if where else f"Dimensions.member.{number}"
        if not name.strip() or name.startswith(":") or not _ASCII.fullmatch(name):
            raise InvalidValueError(f"The value {name} for parameter {at}.Name is invalid.")
        if not value.strip() or not _ASCII.fullmatch(value):
            raise InvalidValueError(f"The value {value} for parameter {at}.Value is invalid.")
    if len({each["Name"] for each in dimensions}) < len(dimensions):
        raise InvalidValueError(f"The parameter {where}.Dimensions must not name a dimension twice.".replace(" .", " "))


def _read_summary(entry: Mapping[str, Any], where: str) -> Summary:
    ways = [name for name in ("Value", "Values", "StatisticValues") if entry.get(name) not in (None, [])]
    if not ways:
        raise InvalidCombinationError(
            f"At least one of the parameters {where}.Value, {where}.Values and {where}.StatisticValues "
            "must be specified."
        )
    if len(ways) > 1:
        raise _exclusive(where, *ways[:2])
    if entry.get("Counts") and ways[0] != "Values":
        raise _exclusive(where, ways[0], "Counts")
    if ways[0] == "Value":
        return Summary.of_values({_number(entry["Value"], f"{where}.Value"): 1.0})
    if ways[0] == "Values":
        return Summary.of_values(_read_values(entry, where))
    return _read_set(entry["StatisticValues"], f"{where}.StatisticValues")


def _exclusive(where: str, first: str, second: str) -> InvalidCombinationError:
    return InvalidCombinationError(
        f"The parameters {where}.{first} and {where}.{second} are mutually exclusive and you have specified both."
    )


def _read_values(entry: Mapping[str, Any], where: str) -> Spread:
    values, counts = entry["Values"], entry.get("Counts")
    if len(values) > MAX_VALUES:
        raise InvalidValueError(f"The collection {where}.Values must not have a size greater than {MAX_VALUES}.")
    if counts and len(counts) != len(values):
        raise InvalidValueError(f"The parameters {where}.Values and {where}.Counts must be of the same size.")
    spread: dict[float, float] = {}
    for number, value in enumerate(values):
        count = _number(counts[number], f"{where}.Counts.member.{number + 1}") if counts else 1.0
        if count < 0:
            raise InvalidValueError(f"The value {count} for parameter {where}.Counts.member.{number + 1} is invalid.")
        if count:
            key = _number(value, f"{where}.Values.member.{number + 1}")
            spread[key] = spread.get(key, 0.0) + count
    if not spread:
        raise InvalidValueError(f"The parameter {where}.Counts must hold at least one count that is not zero.")
    return spread


def _read_set(values: Mapping[str, float], where: str) -> Summary:
    samples, total, low, high = (
        _number(values[name], f"{where}.{name}") for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if samples <= 0:
        raise InvalidValueError(f"The value {samples} for parameter {where}.SampleCount is invalid.")
    if high < low:
        raise InvalidValueError(f"The parameter {where}.Maximum must be greater than {where}.Minimum.")
    known = samples == 1 or low == high
    return Summary(samples, total, low, high, {low if low == high else total: samples} if known else None)


def _number(value: float, where: str) -> float:
    if not math.isfinite(value) or abs(value) > MAX_MAGNITUDE:
        raise InvalidValueError(f"The value {java_double(value)} for parameter {where} is invalid.")
    return float(value)


def check_series(count: int) -> None:
    """There is room for one more metric."""
    if count >= MAX_SERIES:
        raise LimitExceededError(f"There are {count} different metrics; Fogbank keeps at most {MAX_SERIES}.")


# -- periods and windows ----------------------------------------------------------------------------------


def is_period(period: int) -> bool:
    """Whether statistics can be asked by such a period."""
    return period in _FINE_PERIODS or (period > 0 and period % 60 == 0)


def window(start: float, end: float, period: int, now: float) -> tuple[int, int]:
    """The seconds [start, end) that a request looks at, rounded as documented.

    The start goes down to the whole minute, 5 minutes or hour by how long ago it is; for periods under a minute to the
    period.
    """
    age = now - start
    if period < 60 and age <= 3 * HOUR:
        step = period
    elif age < 15 * DAY:
        step = 60
    else:
        step = 300 if age < 63 * DAY else HOUR
    return math.floor(start / step) * step, math.ceil(end)


def collect(points: Iterable[Point], start: int, end: int, period: int) -> dict[str, dict[int, Summary]]:
    """The points of a window put together by period, for each unit: {unit: {moment: summary}}.

    Periods count from the window's start. Points that stand for a longer time than the period are left out, but a
    minute's point is told of shorter ones too, as AWS was recorded to do.
    """
    found: dict[str, dict[int, Summary]] = {}
    longest = max(period, 60)
    for point in points:
        if point.period > longest or not start <= point.moment < end:
            continue
        moment = start + (point.moment - start) // period * period
        periods = found.setdefault(point.unit, {})
        known = periods.get(moment)
        periods[moment] = point.summary if known is None else known.merge(point.summary)
    return found
