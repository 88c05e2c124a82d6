"""GetMetricData: many metrics at once, with math over them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from fogbank.core.paging import encode_token
from fogbank.services.cloudwatch._api.frame import CloudWatchService, position_of
from fogbank.services.cloudwatch._math import Line
from fogbank.services.cloudwatch._queries import Plan, Result
from fogbank.services.cloudwatch._reading import run
from fogbank.services.cloudwatch.errors import RuleError
from fogbank.services.cloudwatch.model import MAX_DATAPOINTS

if TYPE_CHECKING:
    from types_boto3_cloudwatch import type_defs as t

    from fogbank.core.call import Call, Reply

_ZONE = re.compile(r"([+-])(\d{2})(\d{2})")
_DYNAMIC = re.compile(r"\$\{([A-Z_]+)(?:\('([^']*)'\))?\}")


class DataOperations(CloudWatchService):
    """The operation that reads many metrics."""

    async def get_metric_data(self, call: Call, request: t.GetMetricDataInputTypeDef) -> Reply:
        """Read metrics and evaluate expressions over them, a page of datapoints at a time."""
        wanted: Mapping[str, Any] = request
        start, end = wanted["StartTime"], wanted["EndTime"]
        if start >= end:
            raise RuleError("The parameter StartTime must be less than the parameter EndTime.")
        limit = request.get("MaxDatapoints") or MAX_DATAPOINTS
        if not 0 < limit <= MAX_DATAPOINTS:
            raise RuleError(f"The parameter MaxDatapoints must be between 1 and {MAX_DATAPOINTS}.")
        zone = _zone((request.get("LabelOptions") or {}).get("Timezone", "+0000"))
        plan = Plan.of(call.scope, request["MetricDataQueries"])
        skipped = position_of(request.get("NextToken"), int) or 0
        await self._flusher.flush()
        now = self.kit.clock.time()
        results = await self.kit.storage.read(lambda tx: run(tx, plan, start, end, now))
        descending = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        page = _Page(skipped, limit)
        shown = [_show(result, page, descending=descending, zone=zone) for result in results]
        token = encode_token(skipped + limit) if page.more else None
        return {"MetricDataResults": shown, "NextToken": token, "Messages": []}


@dataclass(slots=True)
class _Page:
    """How many datapoints are still to be skipped, and how many may still be shown."""

    skip: int
    room: int
    more: bool = field(default=False)

    def cut(self, count: int) -> tuple[int, int]:
        """Which of `count` datapoints are on the page, from and to."""
        first = min(self.skip, count)
        self.skip -= first
        last = min(count, first + self.room)
        self.room -= last - first
        self.more = self.more or last < count
        return first, last


def _show(result: Result, page: _Page, *, descending: bool, zone: timezone) -> Reply:
    pairs = sorted(result.line.values.items(), reverse=descending)
    first, last = page.cut(len(pairs))
    shown: Reply = {
        "Id": result.id,
        "Label": _label(result.label, result.line, zone),
        "Timestamps": [float(moment) for moment, _ in pairs[first:last]],
        "Values": [value for _, value in pairs[first:last]],
        "StatusCode": "PartialData" if last < len(pairs) else "Complete",
    }
    if result.messages:
        shown["Messages"] = [{"Code": code, "Value": text} for code, text in result.messages]
    return shown


def _zone(text: str) -> timezone:
    match = _ZONE.fullmatch(text)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise RuleError(f"The value {text} for parameter LabelOptions.Timezone is invalid.")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(offset if match[1] == "+" else -offset)


def _label(label: str, line: Line, zone: timezone) -> str:
    """The label with its dynamic parts: `${MAX}`, `${LAST_TIME}`, …

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/graph-dynamic-labels.html
    """
    if "${" not in label:
        return label
    values = list(line.values.items())
    return _DYNAMIC.sub(lambda match: _dynamic(match[1], match[0], values, zone), label)


def _dynamic(name: str, text: str, values: Sequence[tuple[int, float]], zone: timezone) -> str:
    kind, _, part = name.partition("_")
    if part and part not in ("TIME", "TIME_RELATIVE"):
        return text
    if kind not in {"AVG", "FIRST", "LAST", "MAX", "MIN", "SUM", "DATAPOINT"}:
        return text
    if not values:
        return "--"
    if name == "AVG":
        return _round(math.fsum(value for _, value in values) / len(values))
    if name == "SUM":
        return _round(math.fsum(value for _, value in values))
    chosen = {
        "FIRST": values[0],
        "LAST": values[-1],
        "MAX": max(values, key=lambda pair: pair[1]),
        "MIN": min(values, key=lambda pair: pair[1]),
    }.get(kind)
    if chosen is None:
        return text
    if part:
        return datetime.fromtimestamp(chosen[0], UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S UTC")
    return _round(chosen[1])


def _round(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
