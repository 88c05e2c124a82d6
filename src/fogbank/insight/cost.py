"""Uses and prices put together: what a run cost, what one order costs, what a month would. Pure functions.

A run is priced at list prices, without free tiers: what it would have added to a bill. A month is priced as AWS does
it: with free tiers, with tiers, and with what is billed for being there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from fogbank.insight.overheads import share_out
from fogbank.insight.prices import PriceBook
from fogbank.insight.units import OBSERVED, service_of
from fogbank.telemetry.usage import TraceUse, Used

MONTH_HOURS = 730.0
"""Hours of a month, as AWS's calculator counts."""
_BY_THE_CLOCK = frozenset({"scheduler.invocations", "events.scheduled"})
"""A trace that begins with one of these comes by the clock, however much traffic there is."""


@dataclass(frozen=True, slots=True)
class Line:
    """So much of a unit by a resource, and what it costs in dollars."""

    unit: str
    resource: str
    quantity: float
    dollars: float


@dataclass(frozen=True, slots=True)
class Entry:
    """Traces that begin alike: with the same unit, at the same resource. An order is such a trace."""

    unit: str
    resource: str
    traces: int
    mean: float
    p50: float
    p95: float
    total: float
    dearest: str
    """The root of the one that cost most."""
    by_the_clock: bool
    lines: tuple[Line, ...]
    """What one of them uses, on average."""

    @property
    def name(self) -> str:
        """How a person names it."""
        return f"{self.unit} {self.resource}".strip()


@dataclass(frozen=True, slots=True)
class Run:
    """What a run would have cost, at list prices and without free tiers."""

    region: str
    seconds: float
    lines: tuple[Line, ...]
    entries: tuple[Entry, ...]
    unpriced: tuple[str, ...]
    """Units that no price book knows."""
    borrowed: tuple[str, ...]
    """Units whose price is that of another region."""

    @property
    def total(self) -> float:
        """Dollars."""
        return sum(line.dollars for line in self.lines)

    def by_service(self) -> dict[str, float]:
        """Dollars for each service, dearest first."""
        return _summed((service_of(line.unit), line.dollars) for line in self.lines)

    def by_resource(self) -> dict[str, float]:
        """Dollars for each resource, dearest first."""
        return _summed((line.resource, line.dollars) for line in self.lines)


@dataclass(frozen=True, slots=True)
class Month:
    """What a month would cost at a traffic of `traces` a month."""

    traces: float
    lines: tuple[Line, ...]
    free: float
    """Dollars that the free tiers save; they are taken off already."""

    @property
    def total(self) -> float:
        """Dollars."""
        return sum(line.dollars for line in self.lines)

    def by_service(self) -> dict[str, float]:
        """Dollars for each service, dearest first."""
        return _summed((service_of(line.unit), line.dollars) for line in self.lines)


def _summed(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for name, dollars in pairs:
        sums[name] += dollars
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


def run_cost(book: PriceBook, totals: Sequence[Used], traces: Sequence[TraceUse], *, seconds: float) -> Run:
    """Price a run."""
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for used in totals:
        if used.unit.startswith(OBSERVED):
            continue
        sums[used.unit, used.resource] += used.quantity
    lines = tuple(
        Line(unit, resource, quantity, list_price(book, unit, quantity))
        for (unit, resource), quantity in sorted(sums.items())
    )
    units = {line.unit for line in lines}
    return Run(
        book.region,
        seconds,
        tuple(sorted(lines, key=lambda line: -line.dollars)),
        entries(book, traces),
        tuple(sorted(unit for unit in units if unit not in book.prices)),
        tuple(sorted(units & book.missing)),
    )


def list_price(book: PriceBook, unit: str, quantity: float) -> float:
    """Dollars at the first tier's price; nothing for what no book knows (`Run.unpriced` names it)."""
    price = book.prices.get(unit)
    return 0.0 if price is None else price.list_price(quantity)


def entries(book: PriceBook, traces: Sequence[TraceUse]) -> tuple[Entry, ...]:
    """Traces put together by what they begin with, those that cost most first."""
    groups: dict[tuple[str, str], list[TraceUse]] = defaultdict(list)
    for trace in share_out(traces):
        first = next((used for used in trace.uses if not used.unit.startswith(OBSERVED)), None)
        if first is not None:
            groups[first.unit, first.resource].append(trace)
    found = [_entry(book, unit, resource, group) for (unit, resource), group in groups.items()]
    return tuple(sorted(found, key=lambda entry: -entry.total))


def _entry(book: PriceBook, unit: str, resource: str, group: Sequence[TraceUse]) -> Entry:
    sums: dict[tuple[str, str], float] = defaultdict(float)
    costs = []
    for trace in group:
        for used in trace.uses:
            if not used.unit.startswith(OBSERVED):
                sums[used.unit, used.resource] += used.quantity
        costs.append((sum(list_price(book, used.unit, used.quantity) for used in trace.uses), trace.root))
    costs.sort()
    dollars = [cost for cost, _ in costs]
    lines = [
        Line(name, at, quantity / len(group), list_price(book, name, quantity / len(group)))
        for (name, at), quantity in sums.items()
    ]
    return Entry(
        unit,
        resource,
        len(group),
        mean(dollars),
        _percentile(dollars, 0.50),
        _percentile(dollars, 0.95),
        sum(dollars),
        costs[-1][1],
        unit in _BY_THE_CLOCK,
        tuple(sorted(lines, key=lambda line: -line.dollars)),
    )


def _percentile(ordered: Sequence[float], fraction: float) -> float:
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]


def month_cost(
    book: PriceBook, run: Run, entry: Entry, standing: Sequence[Line], *, traces: float, free_tier: bool = True
) -> Month:
    """What a month would cost with `traces` like those of `entry`.

    What comes by the clock goes on as it did in the run; `standing` has quantities for each hour.
    """
    sums: dict[tuple[str, str], float] = defaultdict(float)
    for line in entry.lines:
        sums[line.unit, line.resource] += line.quantity * traces
    hours = max(run.seconds, 60.0) / 3600
    for other in run.entries:
        if other.by_the_clock and other != entry:
            for line in other.lines:
                sums[line.unit, line.resource] += line.quantity * other.traces / hours * MONTH_HOURS
    for line in standing:
        sums[line.unit, line.resource] += line.quantity * MONTH_HOURS
    return _bill(book, sums, traces, free_tier=free_tier)


def _bill(book: PriceBook, sums: Mapping[tuple[str, str], float], traces: float, *, free_tier: bool) -> Month:
    """Free tiers and tiers apply to a unit as a whole; its resources share the amount by what they used."""
    totals: dict[str, float] = defaultdict(float)
    for (unit, _), quantity in sums.items():
        totals[unit] += quantity
    shares: dict[str, float] = {}
    amounts: dict[str, float] = {}
    full = 0.0
    for unit in sorted(totals, key=lambda name: -list_price(book, name, totals[name])):
        price = book.prices.get(unit)
        if price is None:
            amounts[unit] = 0.0
            continue
        left = shares.setdefault(price.share, price.free if free_tier else 0.0)
        used = min(left, totals[unit])
        shares[price.share] = left - used
        amounts[unit] = price.month(totals[unit], used)
        full += price.month(totals[unit])
    lines = [
        Line(unit, resource, quantity, amounts[unit] * quantity / totals[unit] if totals[unit] else 0.0)
        for (unit, resource), quantity in sums.items()
    ]
    ordered = tuple(sorted(lines, key=lambda line: -line.dollars))
    return Month(traces, ordered, full - sum(amounts.values()))


def curve(
    book: PriceBook, run: Run, entry: Entry, standing: Sequence[Line], *, traces: float, free_tier: bool = True
) -> list[Month]:
    """Months at a tenth of a traffic to ten times it: what a plot shows."""
    factors = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    return [month_cost(book, run, entry, standing, traces=traces * f, free_tier=free_tier) for f in factors]


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two runs: dollars before and after."""

    name: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        """Dollars more (or less)."""
        return self.after - self.before

    @property
    def percent(self) -> float | None:
        """Of what it was; `None` if it was nothing."""
        return None if self.before == 0 else 100 * self.difference / self.before


def changes(before: Mapping[str, float], after: Mapping[str, float]) -> list[Change]:
    """Each name of either, the largest differences first."""
    found = [Change(name, before.get(name, 0.0), after.get(name, 0.0)) for name in {**before, **after}]
    return sorted(found, key=lambda change: (-abs(change.difference), change.name))


def document(run: Run, standing: Sequence[Line], month: Month | None = None) -> dict[str, Any]:
    """A run as `fogbank cost --json` prints it and `--compare` reads it."""
    shown: dict[str, Any] = {
        "region": run.region,
        "currency": "USD",
        "seconds": round(run.seconds, 3),
        "total": run.total,
        "services": run.by_service(),
        "resources": run.by_resource(),
        "lines": [_line(line) for line in run.lines],
        "entries": [_entry_document(entry) for entry in run.entries],
        "standing_per_hour": [_line(line) for line in standing],
        "unpriced": list(run.unpriced),
        "priced_as_us_east_1": list(run.borrowed),
    }
    if month is not None:
        shown["month"] = {
            "traces": month.traces,
            "total": month.total,
            "free_tiers_save": month.free,
            "services": month.by_service(),
            "lines": [_line(line) for line in month.lines],
        }
    return shown


def _line(line: Line) -> dict[str, Any]:
    return {"unit": line.unit, "resource": line.resource, "quantity": line.quantity, "dollars": line.dollars}


def _entry_document(entry: Entry) -> dict[str, Any]:
    return {
        "unit": entry.unit,
        "resource": entry.resource,
        "traces": entry.traces,
        "mean": entry.mean,
        "p50": entry.p50,
        "p95": entry.p95,
        "total": entry.total,
        "dearest": entry.dearest,
        "by_the_clock": entry.by_the_clock,
        "lines": [_line(line) for line in entry.lines],
    }
