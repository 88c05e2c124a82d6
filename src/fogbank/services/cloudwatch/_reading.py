"""Reading what metric data queries ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.services.cloudwatch import storage
from fogbank.services.cloudwatch._math import Expression, Line, MathError, World, parse_search
from fogbank.services.cloudwatch._math.values import Value
from fogbank.services.cloudwatch._queries import (
    DEFAULT_PERIOD,
    MetricQuery,
    Plan,
    Result,
    check_size,
    evaluate,
    label_of,
    label_parts,
    results_of,
    values_of,
)
from fogbank.services.cloudwatch._statistics import Summary, compile_statistic
from fogbank.services.cloudwatch.errors import RuleError
from fogbank.services.cloudwatch.model import Metric, collect, is_period, window

if TYPE_CHECKING:
    from fogbank.core.scope import Scope
    from fogbank.storage import Tx

MAX_FOUND = 100
"""Time series that one SEARCH gives (documented)."""
_SCAN = 1000


async def run(tx: Tx, plan: Plan, start: float, end: float, now: float) -> list[Result]:
    """Read the metrics in [start, end) and evaluate the expressions; what is not to be returned is left out."""
    results: dict[str, Value] = {}
    lines: list[tuple[str, Line]] = []
    messages: dict[str, list[tuple[str, str]]] = {}
    parts = label_parts(plan.metrics)
    for query in plan.queries:
        if query.metric is None:
            continue
        found, told = await read_periods(tx, query.metric, start, end, now)
        line = Line(label_of(query, parts), values_of(found, query.metric), query.metric.period)
        results[query.id] = line
        messages[query.id] = told
        lines.append((query.id, line))
    check_size(lines)
    longest = max((line.period for _, line in lines), default=DEFAULT_PERIOD)
    for query in plan.order:
        if query.expression is None:
            continue
        period = query.period or longest
        first, last = window(start, end, period, now)
        searches = await _searches(tx, plan.scope, query.expression, period, (start, end, now))
        world = World(first, last, period, results, lines, searches)
        results[query.id] = evaluate(query, world)
    return [each for query in plan.queries if query.shown for each in results_of(query, results, messages)]


async def read_periods(
    tx: Tx, query: MetricQuery, start: float, end: float, now: float
) -> tuple[dict[int, Summary], list[tuple[str, str]]]:
    """A metric's summaries by period, and what is to be told of them.

    Data of several units is not mixed: where none was asked for, the first by name is taken, as AWS was recorded to do.
    """
    first, last = window(start, end, query.period, now)
    by_unit = collect(await storage.points(tx, query.metric, first, last), first, last, query.period)
    if query.unit is not None:
        return by_unit.get(query.unit, {}), []
    units = sorted(by_unit)
    if not units:
        return {}, []
    told = [("MultipleUnits", f"Multiple units returned: '[{', '.join(units)}]'")] if len(units) > 1 else []
    return by_unit[units[0]], told


async def _searches(
    tx: Tx, scope: Scope, expression: Expression, default: int, when: tuple[float, float, float]
) -> dict[tuple[str, str, int], list[Line]]:
    """What each SEARCH of an expression finds."""
    found: dict[tuple[str, str, int], list[Line]] = {}
    for text, name, given in expression.searches:
        period = given or default
        statistic = compile_statistic(name)
        if statistic is None or not is_period(period):
            raise RuleError(f"Error in expression [SEARCH by statistic {name} and period {period}]")
        lines = []
        for metric in await _search(tx, scope, text):
            query = MetricQuery(metric, statistic, name, period, None)
            summaries, _ = await read_periods(tx, query, *when)
            label = " ".join([value for _, value in metric.dimensions] + [metric.name])
            lines.append(Line(label, values_of(summaries, query), period))
        found[text, name, period] = lines
    return found


async def _search(tx: Tx, scope: Scope, text: str) -> list[Metric]:
    try:
        search = parse_search(text)
    except MathError as error:
        raise RuleError(f"Error in expression [{error}]") from None
    found: list[Metric] = []
    place = ("", "", "")
    while len(found) < MAX_FOUND:
        batch = await storage.list_metrics(tx, scope, after=place, limit=_SCAN)
        found += [m for m, _, _ in batch if search.matches(m.namespace, m.name, dict(m.dimensions))]
        if len(batch) < _SCAN:
            break
        place = batch[-1][1]
    return found[:MAX_FOUND]
