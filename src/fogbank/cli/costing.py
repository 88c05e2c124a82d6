"""How costs are shown to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fogbank.cli.output import Output
from fogbank.insight.cost import Change, Entry, Line, Month, Run
from fogbank.insight.plots import bar
from fogbank.insight.prices import PriceBook
from fogbank.insight.resources import name_of
from fogbank.insight.units import UNITS, service_of

_BAR = 32


def dollars(amount: float) -> str:
    """An amount with the digits that matter: $12.34, $0.0123, $0.0000042."""
    if amount == 0:
        return "$0"
    if abs(amount) >= 0.995:
        return f"${amount:,.2f}"
    text = f"{amount:.12f}"
    digits = next((place for place, digit in enumerate(text.split(".")[1]) if digit != "0"), 0)
    return f"${amount:.{min(12, digits + 3)}f}"


def quantity(amount: float) -> str:
    """A quantity with four digits that matter, never in powers of ten."""
    if amount >= 1000:
        return f"{amount:,.0f}"
    return f"{amount:.10f}".rstrip("0").rstrip(".") if amount < 0.001 else f"{amount:.4g}"


def entry_name(entry: Entry) -> str:
    """`events.custom OrderBus`."""
    return f"{entry.unit} {name_of(entry.resource)}".strip()


def show_run(output: Output, run: Run, standing: Sequence[Line], by: str, *, unfollowed: int) -> None:
    """A run, broken down."""
    if by == "service":
        _shares(output, "service", run.by_service())
        show_lines(output, run.lines, title="in detail")
    elif by == "resource":
        _shares(output, "resource", {name_of(name) or "–": value for name, value in run.by_resource().items()})
    else:
        show_entries(output, run.entries)
    output.line(
        f"\n{dollars(run.total)} in {run.seconds:.0f} s at list prices of {run.region}, without free tiers", "bold"
    )
    there = [line for line in standing if line.dollars]
    if there:
        each_hour = sum(line.dollars for line in there)
        output.line(f"and {dollars(each_hour)} an hour for being there: --per-month N adds it up", "dim")
    _doubts(output, run, unfollowed)


def _doubts(output: Output, run: Run, unfollowed: int) -> None:
    if run.unpriced:
        output.line(f"not priced, as no price book knows them: {', '.join(run.unpriced)}", "yellow")
    if run.borrowed:
        output.line(
            f"priced as in us-east-1, as the book of {run.region} lacks them: {', '.join(run.borrowed)}", "yellow"
        )
    if unfollowed:
        output.line(f"{unfollowed} traces began too quickly to be followed one by one; the totals have them", "yellow")


def _shares(output: Output, what: str, sums: Mapping[str, float]) -> None:
    most = max(sums.values(), default=0.0)
    output.table(
        (what, "dollars", ""), [(name, dollars(amount), bar(amount, most, _BAR)) for name, amount in sums.items()]
    )


def show_lines(output: Output, lines: Sequence[Line], *, title: str) -> None:
    """Uses one by one."""
    output.line("")
    output.table(
        ("service", "resource", "quantity", "of", "dollars"),
        [
            (
                service_of(line.unit),
                name_of(line.resource) or "–",
                quantity(line.quantity),
                _title(line.unit),
                dollars(line.dollars),
            )
            for line in lines
            if line.quantity
        ],
        title=title,
    )


def _title(unit: str) -> str:
    known = UNITS.get(unit)
    return known.title if known is not None else unit


def show_entries(output: Output, entries: Sequence[Entry]) -> None:
    """What one trace costs, by what it begins with; and what the dearest kind is made of."""
    output.table(
        ("begins with", "traces", "one costs", "p50", "p95", "all", "dearest"),
        [
            (
                entry_name(e) + ("  (by the clock)" if e.by_the_clock else ""),
                e.traces,
                dollars(e.mean),
                dollars(e.p50),
                dollars(e.p95),
                dollars(e.total),
                e.dearest,
            )
            for e in entries
        ],
    )
    usual = [entry for entry in entries if not entry.by_the_clock]
    if usual:
        show_lines(output, usual[0].lines, title=f"one {entry_name(usual[0])}, on average")


def show_month(
    output: Output, entry: Entry, month: Month, months: Sequence[Month], book: PriceBook, *, free_tier: bool
) -> None:
    """A month, and how it grows with the traffic."""
    _shares(output, "service", month.by_service())
    tier = f"after free tiers, which save {dollars(month.free)}" if free_tier else "without free tiers"
    output.line(
        f"\n{dollars(month.total)} a month at {month.traces:,.0f} × {entry_name(entry)} ({book.region}, {tier})\n",
        "bold",
    )
    most = max((each.total for each in months), default=0.0)
    output.table(
        ("traces a month", "dollars", "each", ""),
        [
            (f"{each.traces:,.0f}", dollars(each.total), dollars(each.total / each.traces), bar(each.total, most, _BAR))
            for each in months
        ],
    )


def show_changes(output: Output, before: float, after: float, parts: Mapping[str, Sequence[Change]]) -> None:
    """What differs between two runs."""
    for part, found in parts.items():
        differing = [change for change in found if change.difference]
        if differing:
            output.table(
                (part, "before", "after", "difference", ""),
                [
                    (name_of(c.name), dollars(c.before), dollars(c.after), _signed(c.difference), _percent(c.percent))
                    for c in differing[:20]
                ],
            )
            output.line("")
    output.line(f"{dollars(before)} before, {dollars(after)} after: {_signed(after - before)}", "bold")


def _signed(amount: float) -> str:
    return ("+" if amount > 0 else "-" if amount < 0 else "") + dollars(abs(amount))


def _percent(value: float | None) -> str:
    return "new" if value is None else f"{value:+.0f}%"
