"""What metric filters make of log events: a datum for each match, a default where none matched. Pure.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fogbank.services.logs._emf import Data
from fogbank.services.logs._patterns import InvalidPattern, compile_pattern
from fogbank.services.logs._patterns.document import Selector

MAX_VALUES = 150
"""Values in one datum (PutMetricData)."""
_MINUTE = 60_000


def data_of(filters: Sequence[tuple[str, Mapping[str, Any]]], events: Sequence[tuple[int, str]]) -> Data:
    """The data of (pattern, transformation) pairs for (timestamp, message) pairs."""
    data: Data = {}
    for text, transformation in filters:
        entries = _apply(text, transformation, events)
        if entries:
            data.setdefault(transformation["metricNamespace"], []).extend(entries)
    return data


def _apply(text: str, transformation: Mapping[str, Any], events: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    """The data of one filter: values by minute and dimensions, with how often each came."""
    pattern = compile_pattern(text)
    found: dict[tuple[int, tuple[tuple[str, str], ...]], dict[float, float]] = {}
    for timestamp, message in events:
        fields = pattern.extract(message)
        if fields is None:
            continue
        value = _value(transformation["metricValue"], fields, message)
        dimensions = _dimensions(transformation.get("dimensions") or {}, fields, message)
        if value is None or dimensions is None:
            continue
        spread = found.setdefault((timestamp // _MINUTE * 60, dimensions), {})
        spread[value] = spread.get(value, 0.0) + 1.0
    default = transformation.get("defaultValue")
    if default is not None:
        matched = {moment for moment, _ in found}
        for moment in {timestamp // _MINUTE * 60 for timestamp, _ in events} - matched:
            found[moment, ()] = {float(default): 1.0}
    return [
        entry
        for (moment, dimensions), spread in found.items()
        for entry in _entries(transformation, moment, dimensions, spread)
    ]


def _entries(
    transformation: Mapping[str, Any],
    moment: int,
    dimensions: tuple[tuple[str, str], ...],
    spread: Mapping[float, float],
) -> list[dict[str, Any]]:
    values = list(spread)
    return [
        {
            "MetricName": transformation["metricName"],
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
            "Timestamp": float(moment),
            "Unit": transformation.get("unit", "None"),
            "Values": values[at : at + MAX_VALUES],
            "Counts": [spread[value] for value in values[at : at + MAX_VALUES]],
        }
        for at in range(0, len(values), MAX_VALUES)
    ]


def _value(given: str, fields: Mapping[str, str], message: str) -> float | None:
    """The number that a filter publishes: its own, or a field's; `None` where the field is none."""
    text = _field(given, fields, message) if given.startswith("$") else given
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _dimensions(
    wanted: Mapping[str, str], fields: Mapping[str, str], message: str
) -> tuple[tuple[str, str], ...] | None:
    """The dimensions of a match; `None` if a field is missing: then nothing is published."""
    found = []
    for name, source in wanted.items():
        value = _field(source, fields, message)
        if value is None or not value.strip() or not value.isascii():
            return None
        found.append((name, value[:1024]))
    return tuple(sorted(found))


def _field(name: str, fields: Mapping[str, str], message: str) -> str | None:
    """A field by its selector: what the pattern extracted, or else what the JSON message has there."""
    if name in fields:
        return fields[name]
    if not name.startswith("$.") and not name.startswith("$["):
        return None
    try:
        value = next(Selector.parse(name).find(json.loads(message)), None)
    except (InvalidPattern, ValueError, RecursionError):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)
