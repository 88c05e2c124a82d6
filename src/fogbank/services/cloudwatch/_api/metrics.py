"""Metrics: put, list, statistics of one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fogbank.core.paging import encode_token
from fogbank.services.cloudwatch import storage
from fogbank.services.cloudwatch._api.frame import CloudWatchService, position_of, refuse_parameters
from fogbank.services.cloudwatch._statistics import Statistic, Summary, compile_statistic
from fogbank.services.cloudwatch.errors import InvalidCombinationError, InvalidValueError
from fogbank.services.cloudwatch.model import (
    LISTED,
    MAX_STATISTICS_POINTS,
    RECENT,
    Metric,
    Point,
    check_dimensions,
    check_namespace,
    collect,
    is_period,
    read_data,
    window,
)

if TYPE_CHECKING:
    from types_boto3_cloudwatch import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_PAGE = 500
_FIRST = ("", "", "")


class MetricOperations(CloudWatchService):
    """The operations on metrics."""

    async def put_metric_data(self, call: Call, request: t.PutMetricDataInputTypeDef) -> Reply:
        """Add samples to metrics; all of the request or nothing."""
        refuse_parameters("PutMetricData", request, ["EntityMetricData", "StrictEntityValidation"])
        if not call.principal.service:
            check_namespace(request["Namespace"])
        data = read_data(call.scope, request, self.kit.clock.time())
        now = self.kit.clock.millis()
        await self.kit.storage.transact(lambda tx: storage.put_data(tx, self._directory, data, now))
        return {}

    async def list_metrics(self, call: Call, request: t.ListMetricsInputTypeDef) -> Reply:
        """List the metrics that had data in the last two weeks, or three hours, by name."""
        refuse_parameters("ListMetrics", request, ["IncludeLinkedAccounts", "OwningAccount"])
        await self._flusher.flush()
        after = position_of(request.get("NextToken"), tuple[str, str, str], old_words=True) or _FIRST
        age = RECENT if "RecentlyActive" in request else LISTED
        since = (self.kit.clock.time() - age) * 1000 - storage.STALE

        async def body(tx: Tx) -> tuple[list[Metric], str | None]:
            found: list[tuple[Metric, tuple[str, str, str]]] = []
            place = after
            while len(found) <= _PAGE:
                batch = await storage.list_metrics(tx, call.scope, after=place, limit=_PAGE)
                found += [(m, at) for m, at, updated in batch if updated >= since and _fits(m, request)]
                if len(batch) < _PAGE:
                    break
                place = batch[-1][1]
            token = encode_token(found[_PAGE - 1][1]) if len(found) > _PAGE else None
            return [metric for metric, _ in found[:_PAGE]], token

        metrics, token = await self.kit.storage.read(body)
        return {"Metrics": [metric.document() for metric in metrics], "NextToken": token}

    async def get_metric_statistics(self, call: Call, request: t.GetMetricStatisticsInputTypeDef) -> Reply:
        """Statistics of one metric by period; the units of its data are kept apart."""
        statistics, extended = _statistics(request)
        check_dimensions(request.get("Dimensions") or (), "")
        period = request["Period"]
        start, end = self._window(request, period)
        await self._flusher.flush()
        metric = Metric.of(call.scope, request)
        unit = request.get("Unit")

        async def body(tx: Tx) -> list[Point]:
            return await storage.points(tx, metric, start, end)

        by_unit = collect(await self.kit.storage.read(body), start, end, period)
        points = [
            _datapoint(moment, each, summary, statistics, extended)
            for each, periods in by_unit.items()
            if unit is None or each == unit
            for moment, summary in periods.items()
        ]
        return {"Label": request["MetricName"], "Datapoints": [point for point in points if point is not None]}

    def _window(self, request: Mapping[str, Any] | Any, period: int) -> tuple[int, int]:
        first, last = request["StartTime"], request["EndTime"]
        if first >= last:
            raise InvalidValueError("The parameter StartTime must be less than the parameter EndTime.")
        if not is_period(period):
            raise InvalidValueError("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
        start, end = window(first, last, period, self.kit.clock.time())
        asked = math.ceil((last - first) / period)
        if asked > MAX_STATISTICS_POINTS:
            raise InvalidCombinationError(
                f"You have requested up to {asked} datapoints, which exceeds the limit of {MAX_STATISTICS_POINTS}. "
                "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
        return start, end


def _fits(metric: Metric, request: Mapping[str, Any] | Any) -> bool:
    if request.get("Namespace") not in (None, metric.namespace) or request.get("MetricName") not in (None, metric.name):
        return False
    dimensions = dict(metric.dimensions)
    return all(
        each["Name"] in dimensions and each.get("Value") in (None, dimensions[each["Name"]])
        for each in request.get("Dimensions") or ()
    )


def _statistics(request: Mapping[str, Any] | Any) -> tuple[dict[str, Statistic], dict[str, Statistic]]:
    """The statistics that a request asks for: the simple, and the extended ones."""
    simple, extended = request.get("Statistics") or (), request.get("ExtendedStatistics") or ()
    if not simple and not extended:
        raise InvalidCombinationError("Must specify either Statistics or ExtendedStatistics")
    found: tuple[dict[str, Statistic], dict[str, Statistic]] = ({}, {})
    for kind, names in enumerate((simple, extended)):
        for name in names:
            statistic = compile_statistic(name)
            if statistic is None or (kind == 1 and name in found[0]):
                raise InvalidValueError(f"The value {name} for parameter ExtendedStatistics is not supported.")
            found[kind][name] = statistic
    return found


def _datapoint(
    moment: int, unit: str, summary: Summary, statistics: Mapping[str, Statistic], extended: Mapping[str, Statistic]
) -> Reply | None:
    """One datapoint; `None` where none of what was asked for can be told."""
    point: Reply = {name: statistic(summary) for name, statistic in statistics.items()}
    told = {name: value for name, statistic in extended.items() if (value := statistic(summary)) is not None}
    if not point and not told:
        return None
    return {"Timestamp": float(moment), "Unit": unit, **point, **({"ExtendedStatistics": told} if told else {})}
