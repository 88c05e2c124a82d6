"""Metric data queries, of GetMetricData and of alarms: checked, put in order; what they give, and its labels."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.scope import Scope
from fogbank.services.cloudwatch._math import Expression, Line, MathError, World, compile_expression
from fogbank.services.cloudwatch._math.values import Value
from fogbank.services.cloudwatch._statistics import Statistic, Summary, compile_statistic
from fogbank.services.cloudwatch.errors import RuleError
from fogbank.services.cloudwatch.model import MAX_DATAPOINTS, Metric, is_period

MAX_QUERIES = 500
_ID = re.compile(r"[a-z][A-Za-z0-9_]*")
_PROPERTY = re.compile(r"\$\{PROP\('([^']+)'\)\}")
DEFAULT_PERIOD = 300


@dataclass(frozen=True, slots=True)
class Result:
    """One series of the answer."""

    id: str
    label: str
    line: Line
    messages: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """A query for a metric's statistic."""

    metric: Metric
    statistic: Statistic
    statistic_name: str
    period: int
    unit: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a request: for a metric, or an expression."""

    id: str
    label: str | None
    shown: bool
    period: int | None
    metric: MetricQuery | None = None
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Queries in the order of the request, and in the order in which they can be evaluated."""

    scope: Scope
    queries: Sequence[Query]
    order: Sequence[Query]

    @classmethod
    def of(cls, scope: Scope, queries: Sequence[Mapping[str, Any] | Any]) -> Plan:
        """Check the queries of a request."""
        if not queries:
            raise RuleError("The parameter MetricDataQueries is required.")
        if len(queries) > MAX_QUERIES:
            raise RuleError(f"The collection MetricDataQueries must not have a size greater than {MAX_QUERIES}.")
        read = [_read(scope, f"MetricDataQueries.member.{n}", query) for n, query in enumerate(queries, 1)]
        by_id = {query.id: query for query in read}
        if len(by_id) < len(read):
            raise RuleError("The values for parameter id in MetricDataQueries are not unique.")
        return cls(scope, read, _sort(by_id))

    @property
    def metrics(self) -> list[MetricQuery]:
        """The metrics that are read."""
        return [query.metric for query in self.queries if query.metric is not None]

    @property
    def longest(self) -> int:
        """The longest period of the metrics."""
        periods = [query.period for query in self.metrics]
        periods += [query.period for query in self.queries if query.period is not None]
        return max(periods, default=DEFAULT_PERIOD)


def read_metric(scope: Scope, where: str, stat: Mapping[str, Any]) -> MetricQuery:
    """The query of a MetricStat."""
    statistic = compile_statistic(stat["Stat"])
    if statistic is None:
        raise RuleError(f"The value {stat['Stat']} for parameter {where}.MetricStat.Stat is not a valid statistic.")
    if not is_period(stat["Period"]):
        raise RuleError(f"The parameter {where}.MetricStat.Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
    metric = stat["Metric"]
    for name in ("Namespace", "MetricName"):
        if not metric.get(name):
            raise RuleError(f"The parameter {where}.MetricStat.Metric.{name} is required.")
    return MetricQuery(Metric.of(scope, metric), statistic, stat["Stat"], stat["Period"], stat.get("Unit"))


def _read(scope: Scope, where: str, query: Mapping[str, Any]) -> Query:
    if not _ID.fullmatch(query["Id"]):
        raise RuleError(
            f"The value {query['Id']} for parameter {where}.Id is invalid. "
            "It must begin with a small letter and have only letters, digits and underscores."
        )
    account = query.get("AccountId")
    if account is not None and account != scope.account:
        raise NotImplementedByFogbank("Fogbank does not implement AccountId of other accounts in metric queries yet")
    stat, text = query.get("MetricStat"), query.get("Expression")
    if (stat is None) == (text is None):
        raise RuleError(f"Either the parameter {where}.MetricStat or {where}.Expression must be specified, not both.")
    if query.get("Period") is not None and not is_period(query["Period"]):
        raise RuleError(f"The parameter {where}.Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
    read = Query(query["Id"], query.get("Label"), query.get("ReturnData", True), query.get("Period"))
    if stat is not None:
        return replace(read, metric=read_metric(scope, where, stat))
    try:
        return replace(read, expression=compile_expression(text or ""))
    except MathError as error:
        raise RuleError(f"Error in expression '{read.id}' [{error}]") from None


def _sort(by_id: Mapping[str, Query]) -> list[Query]:
    """The queries so that each comes after those that it refers to."""
    order: list[Query] = []
    state: dict[str, bool] = {}

    def visit(key: str, origin: str) -> None:
        if key not in by_id:
            raise RuleError(f"Error in expression '{origin}' [there is no query {key}]")
        if key in state:
            if not state[key]:
                raise RuleError(f"Error in expression '{origin}' [it refers to itself]")
            return
        state[key] = False
        query = by_id[key]
        for other in sorted(query.expression.ids) if query.expression is not None else ():
            visit(other, key)
        state[key] = True
        order.append(query)

    for key in by_id:
        visit(key, key)
    return order


def values_of(summaries: Mapping[int, Summary], query: MetricQuery) -> dict[int, float]:
    """The values of a metric's statistic, by time."""
    values = ((moment, query.statistic(summaries[moment])) for moment in sorted(summaries))
    return {moment: value for moment, value in values if value is not None}


def check_size(lines: Sequence[tuple[str, Line]]) -> None:
    """A request reads at most so many datapoints."""
    total = sum(len(line.values) for _, line in lines)
    if total > MAX_DATAPOINTS:
        raise RuleError(f"The request asks for {total} datapoints, which exceeds the limit of {MAX_DATAPOINTS}.")


def evaluate(query: Query, world: World) -> Value:
    """The value of an expression; series where it is shown."""
    assert query.expression is not None, "asked for expressions only"
    try:
        return query.expression.evaluate(world) if query.shown else query.expression.value(world)
    except MathError as error:
        raise RuleError(f"Error in expression '{query.id}' [{error}]") from None


def results_of(
    query: Query, results: Mapping[str, Value], messages: Mapping[str, Sequence[tuple[str, str]]]
) -> list[Result]:
    """What the answer has of a query."""
    value = results[query.id]
    if isinstance(value, Line):
        label = value.label if query.metric is not None else query.label or query.id
        return [Result(query.id, label, value, messages.get(query.id, ()))]
    assert isinstance(value, list), "evaluated to series"
    return [Result(query.id, " ".join(filter(None, (query.label, line.label))), line) for line in value]


def label_parts(queries: Sequence[MetricQuery]) -> tuple[bool, bool, bool]:
    """What tells the metrics of a request apart: their dimensions, statistics, periods (so recorded)."""
    dimensions = {query.metric.dimensions for query in queries}
    names = {(query.metric.namespace, query.metric.name) for query in queries}
    return (
        len(dimensions) > len(names) and len(dimensions) > 1,
        len({query.statistic_name for query in queries}) > 1,
        len({query.period for query in queries}) > 1,
    )


def label_of(query: Query, parts: tuple[bool, bool, bool]) -> str:
    """The label of a metric."""
    metric = query.metric
    assert metric is not None, "asked for metrics only"
    if query.label is not None:
        return _PROPERTY.sub(lambda match: _property(metric, match[1], match[0]), query.label)
    by_dimension, by_statistic, by_period = parts
    words = [value for _, value in metric.metric.dimensions] if by_dimension else []
    words.append(metric.metric.name)
    words += [metric.statistic_name] if by_statistic else []
    words += [str(metric.period)] if by_period else []
    return " ".join(words)


def _property(query: MetricQuery, name: str, text: str) -> str:
    """A property of a metric in its label."""
    known = {
        "AccountId": query.metric.scope.account,
        "MetricName": query.metric.name,
        "Namespace": query.metric.namespace,
        "Period": str(query.period),
        "Region": query.metric.scope.region,
        "Stat": query.statistic_name,
        **{f"Dim.{key}": value for key, value in query.metric.dimensions},
    }
    return known.get(name, text)
