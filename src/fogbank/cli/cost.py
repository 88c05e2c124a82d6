"""`fogbank cost`: what this run would have cost on AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from fogbank.cli import costing
from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.logs import parse_since
from fogbank.cli.output import Output
from fogbank.cli.standing import on_demand, standing
from fogbank.cli.used import read_usage
from fogbank.core.clock import SystemClock
from fogbank.insight.cost import Entry, Line, Run, changes, curve, document, list_price, month_cost, run_cost
from fogbank.insight.plots import svg_of
from fogbank.insight.prices import PriceBook, PriceBookError, price_book
from fogbank.insight.resources import name_of
from fogbank.telemetry.usage import TraceUse, UsageReport, Used

_CAPACITY = frozenset({"dynamodb.read-units", "dynamodb.write-units"})

EXAMPLES = """
\b
Examples:
  fogbank cost                                what this run would have cost
  fogbank cost --by trace                     what one order costs, and of what that is made
  fogbank cost --per-month 1000000            a month at a million orders, with a plot
  fogbank cost --save before.json             keep a run …
  fogbank cost --compare before.json          … and compare this one with it
"""


@click.command("cost", cls=ServerCommand, epilog=EXAMPLES)
@click.option("--since", help="From when: 30s, 10m, 2h, 1d ago, or an ISO 8601 time; else everything.")
@click.option(
    "--by", type=click.Choice(("service", "resource", "trace")), default="service", show_default=True,
    help="How to break it down.",
)  # fmt: skip
@click.option("--trace", "root", metavar="ID", help="What this one trace cost.")
@click.option(
    "--per-month", type=click.FloatRange(min=0, min_open=True), metavar="N", help="A month with N such traces."
)
@click.option("--entry", metavar="NAME", help="Which traces --per-month means: a part of their name in --by trace.")
@click.option("--no-free-tier", is_flag=True, help="Price a month without AWS's free tiers.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the month's plot to this file.")
@click.option(
    "--prices", type=click.Path(dir_okay=False, exists=True, path_type=Path), help="Prices of your own (TOML)."
)
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the run to this file, as JSON.")
@click.option(
    "--compare", "others", type=click.Path(dir_okay=False, exists=True, path_type=Path), multiple=True, metavar="FILE",
    help="Compare with a saved run; given twice, compare the first with the second.",
)  # fmt: skip
@click.pass_context
def command(
    context: click.Context, *, since: str | None, by: str, root: str | None, per_month: float | None,
    entry: str | None, no_free_tier: bool, svg: Path | None, prices: Path | None, save: Path | None,
    others: tuple[Path, ...],
) -> None:  # fmt: skip
    """Show what this run would have cost on AWS, at public list prices.

    A run is priced without free tiers: what it would have added to a bill. A month is priced as AWS does it, with
    free tiers, tiers, and what is billed for being there.
    """
    connection, output = connected(context, billed=False)
    if len(others) == 2:
        _compared(output, _saved(others[0]), _saved(others[1]))
        return
    if len(others) > 2:
        raise click.UsageError("--compare takes one file, or two")
    book = _book(connection.region, prices)
    began = None if since is None else parse_since(since, SystemClock().time()) / 1000
    report = billed(connection, read_usage(connection, since=began or 0.0, root=root))
    if root is not None:
        _one_trace(output, book, report, root)
        return
    run = run_cost(book, report.totals, report.traces, seconds=report.until - report.since)
    there = [
        Line(line.unit, line.resource, line.quantity, list_price(book, line.unit, line.quantity))
        for line in standing(connection)
    ]
    if others:
        _compared(output, _saved(others[0]), document(run, there))
        return
    chosen = _entry(run, entry) if per_month is not None or entry is not None else None
    if per_month is None or chosen is None:
        _shown(output, run, there, by, report, save)
        return
    _month(output, book, run, there, chosen, per_month, free_tier=not no_free_tier, svg=svg, save=save)


def billed(connection: Connection, report: UsageReport) -> UsageReport:
    """What was used and is billed by use: reads of provisioned tables are not."""
    demanded = on_demand(connection)

    def counts(used: Used) -> bool:
        return used.unit not in _CAPACITY or name_of(used.resource).partition("/")[0] in demanded

    return UsageReport(
        report.since,
        report.until,
        tuple(used for used in report.totals if counts(used)),
        tuple(
            TraceUse(trace.root, trace.began, tuple(used for used in trace.uses if counts(used)))
            for trace in report.traces
        ),
        report.unfollowed,
    )


def _book(region: str, prices: Path | None) -> PriceBook:
    book = price_book(region)
    if prices is None:
        return book
    try:
        return book.with_file(prices.read_text(encoding="utf-8"), str(prices))
    except PriceBookError as error:
        raise Failure(Exit.INVALID, str(error), do="see docs/reference/cost.md for the form of a price file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(Exit.INVALID, f"the price file cannot be read: {error}", where=str(prices)) from None


def _saved(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(Exit.INVALID, f"the saved run cannot be read: {error}", where=str(path)) from None
    if not isinstance(found, dict) or "services" not in found:
        raise Failure(
            Exit.INVALID, "this is no saved run", where=str(path), do="make one with: fogbank cost --save FILE"
        )
    return found


def _entry(run: Run, name: str | None) -> Entry:
    """The traces that are meant: those that `name` fits, else those that cost most and do not come by the clock."""
    fitting = [each for each in run.entries if name is None or name.lower() in each.name.lower()]
    usual = [each for each in fitting if not each.by_the_clock] or fitting
    if usual:
        return usual[0]
    there = ", ".join(sorted(costing.entry_name(each) for each in run.entries)) or "none: nothing has run yet"
    raise Failure(
        Exit.NOT_FOUND, f"no trace begins with {name!r}" if name else "there is no trace", do=f"there are: {there}"
    )


def _shown(output: Output, run: Run, there: list[Line], by: str, report: UsageReport, save: Path | None) -> None:
    found = document(run, there)
    _keep(save, found, output)
    if output.json:
        output.document(found)
        return
    if not run.lines:
        output.line("nothing was used yet; publish an event or invoke a function, and ask again")
        return
    costing.show_run(output, run, there, by, unfollowed=report.unfollowed)


def _keep(save: Path | None, found: dict[str, Any], output: Output) -> None:
    if save is not None:
        save.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        output.progress(f"saved to {save}")


def _one_trace(output: Output, book: PriceBook, report: UsageReport, root: str) -> None:
    trace = next((each for each in report.traces if each.root == root), None)
    if trace is None:
        raise Failure(
            Exit.NOT_FOUND,
            f"nothing is known of what trace {root} used",
            do="list traces with: fogbank cost --by trace",
        )
    lines = [
        Line(used.unit, used.resource, used.quantity, list_price(book, used.unit, used.quantity)) for used in trace.uses
    ]
    if output.json:
        total = sum(line.dollars for line in lines)
        shown = [
            {"unit": line.unit, "resource": line.resource, "quantity": line.quantity, "dollars": line.dollars}
            for line in lines
        ]
        output.document({"trace": root, "total": total, "lines": shown})
        return
    costing.show_lines(output, lines, title=f"trace {root}")


def _month(
    output: Output, book: PriceBook, run: Run, there: list[Line], entry: Entry, traces: float,
    *, free_tier: bool, svg: Path | None, save: Path | None,
) -> None:  # fmt: skip
    month = month_cost(book, run, entry, there, traces=traces, free_tier=free_tier)
    months = curve(book, run, entry, there, traces=traces, free_tier=free_tier)
    found = document(run, there, month)
    found["entry"] = costing.entry_name(entry)
    found["curve"] = [{"traces": each.traces, "total": each.total, "services": each.by_service()} for each in months]
    _keep(save, found, output)
    if svg is not None:
        title = f"A month on AWS ({book.region}): {costing.entry_name(entry)}"
        svg.write_text(svg_of(months, title=title), encoding="utf-8")
        output.progress(f"plot written to {svg}")
    if output.json:
        output.document(found)
        return
    costing.show_month(output, entry, month, months, book, free_tier=free_tier)


def _compared(output: Output, before: dict[str, Any], after: dict[str, Any]) -> None:
    parts = {
        "services": changes(before["services"], after["services"]),
        "resources": changes(before.get("resources", {}), after.get("resources", {})),
        "traces": changes(_means(before), _means(after)),
    }
    if output.json:
        shown = {
            part: [{"name": c.name, "before": c.before, "after": c.after, "percent": c.percent} for c in found]
            for part, found in parts.items()
        }
        output.document({"before": before["total"], "after": after["total"], **shown})
        return
    costing.show_changes(output, before["total"], after["total"], parts)


def _means(saved: dict[str, Any]) -> dict[str, float]:
    return {f"{e['unit']} {name_of(e['resource'])}".strip(): e["mean"] for e in saved.get("entries", ())}
