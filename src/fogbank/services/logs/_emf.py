"""Embedded metric format: metrics in the text of a log event. Pure.

    {"_aws": {"Timestamp": 1700000000000, "CloudWatchMetrics": [
        {"Namespace": "Shop", "Dimensions": [["service"]], "Metrics": [{"Name": "orders", "Unit": "Count"}]}]},
     "service": "web", "orders": [1, 2]}

Each directive makes, for each set of dimensions, a datum of each metric that the document has a number for.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

MAX_METRICS = 100
MAX_VALUES = 100
MAX_DIMENSIONS = 30
_MARK = '"CloudWatchMetrics"'
_decode = msgspec.json.Decoder(dict[str, Any]).decode

Data = dict[str, list[dict[str, Any]]]
"""MetricData of PutMetricData, by namespace."""


class Found(NamedTuple):
    """What a log event has: its data, and whether it is broken (it is logged all the same)."""

    data: Data
    broken: bool


def is_embedded(message: str) -> bool:
    """Whether a message may hold metrics: told without reading it."""
    return message.startswith("{") and _MARK in message


def read(message: str, timestamp: int) -> Found:
    """The metrics in a message that `is_embedded`; `timestamp` is the event's, for one without its own."""
    try:
        document = _decode(message)
    except (msgspec.DecodeError, RecursionError):
        return Found({}, broken=True)
    about = document.get("_aws")
    if not isinstance(about, dict):
        return Found({}, broken=False)
    directives = about.get("CloudWatchMetrics")
    moment = about.get("Timestamp", timestamp)
    if not isinstance(directives, list) or not isinstance(moment, int):
        return Found({}, broken=True)
    data: Data = {}
    try:
        for directive in directives:
            data.setdefault(directive["Namespace"], []).extend(_data(document, directive, moment / 1000))
    except (LookupError, TypeError, ValueError):
        return Found({}, broken=True)
    return Found({namespace: entries for namespace, entries in data.items() if entries}, broken=False)


def _data(document: Mapping[str, Any], directive: Mapping[str, Any], moment: float) -> Iterator[dict[str, Any]]:
    """The data of a directive; an error of Python's where it is not as the specification has it."""
    metrics = directive["Metrics"]
    if not isinstance(directive["Namespace"], str) or not isinstance(metrics, list) or len(metrics) > MAX_METRICS:
        raise TypeError
    if directive["Namespace"].startswith("AWS/"):
        raise ValueError
    for names in directive.get("Dimensions") or [[]]:
        if len(names) > MAX_DIMENSIONS:
            raise ValueError
        dimensions = [{"Name": name, "Value": _text(document[name])} for name in names]
        for metric in metrics:
            values = _values(document.get(metric["Name"]))
            if values:
                yield {
                    "MetricName": metric["Name"],
                    "Dimensions": dimensions,
                    "Timestamp": moment,
                    "Unit": metric.get("Unit", "None"),
                    "StorageResolution": metric.get("StorageResolution", 60),
                    **values,
                }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _values(value: Any) -> dict[str, Any]:
    """The members of a datum for a number, or for a list of numbers; none for a metric without a value."""
    numbers = value if isinstance(value, list) else [] if value is None else [value]
    if len(numbers) > MAX_VALUES:
        raise ValueError
    spread: dict[float, float] = {}
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise TypeError
        spread[float(number)] = spread.get(float(number), 0.0) + 1.0
    return {"Values": list(spread), "Counts": list(spread.values())} if spread else {}
