"""`fogbank tune`: a function at several memory sizes, time against cost."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.costing import dollars
from fogbank.cli.documents import read_json
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.invoke import function_names
from fogbank.cli.output import Output
from fogbank.cli.resolving import FUNCTION, named
from fogbank.insight.plots import bar
from fogbank.insight.prices import PriceBookError, price_book
from fogbank.insight.tuning import (
    LEAST,
    MOST,
    SIZES,
    UNTOLD,
    Sample,
    Size,
    Strategy,
    reason,
    recommend,
    size_of,
    unsteady,
)

_BAR = 24

EXAMPLES = """
\b
Examples:
  fogbank tune HandleOrder @order-event.json
  fogbank tune HandleOrder @order-event.json --memory 256,512,1024 --runs 20
  fogbank tune HandleOrder @order-event.json --strategy speed --json
"""


@click.command("tune", cls=ServerCommand, epilog=EXAMPLES)
@click.argument("function")
@click.argument("payload", default="{}")
@click.option("--memory", default=",".join(map(str, SIZES)), show_default=True, help="The sizes to try, in MB.")
@click.option("--runs", type=click.IntRange(1, 1000), default=5, show_default=True, help="Warm runs at each size.")
@click.option(
    "--strategy", type=click.Choice([each.value for each in Strategy]), default=Strategy.BALANCED.value,
    show_default=True, help="What to recommend by.",
)  # fmt: skip
@click.option(
    "--prices", type=click.Path(dir_okay=False, exists=True, path_type=Path), help="Prices of your own (TOML)."
)
@click.pass_context
def command(
    context: click.Context, function: str, payload: str, *, memory: str, runs: int, strategy: str, prices: Path | None
) -> int:
    """Run FUNCTION with PAYLOAD at several memory sizes: JSON as text, @file, or - for standard input.

    At each size it has the share of a processor that Lambda gives it (1,769 MB: one). It runs for real, with all that
    it does: give it a payload that may be handled again. Its configuration stays as it is.
    """
    connection, output = connected(context, billed=False)
    sizes = _sizes(memory)
    _, text = read_json(payload, what="payload")
    lambda_ = connection.client("lambda")
    found: dict[str, Any] = named(
        connection,
        FUNCTION,
        function,
        lambda name: lambda_.get_function_configuration(FunctionName=name),
        others=lambda: function_names(connection),
    )
    book = price_book(connection.region)
    if prices is not None:
        try:
            book = book.with_file(prices.read_text(encoding="utf-8"), str(prices))
        except (PriceBookError, OSError, UnicodeDecodeError) as error:
            raise Failure(Exit.INVALID, str(error), do="see docs/reference/cost.md for the form") from None
    trials = _Trials(connection, found["FunctionArn"], text)
    try:
        tried = [size_of(size, trials.run(size, runs, output), book) for size in sizes]
    finally:
        trials.end(sizes)
    chosen = recommend(tried, Strategy(strategy))
    if output.json:
        output.document(_document(found, tried, chosen, strategy))
    else:
        _show(output, found, tried, chosen, strategy)
    return Exit.DONE if chosen is not None else Exit.FAILED


def _sizes(given: str) -> list[int]:
    try:
        sizes = sorted({int(part) for part in given.split(",")})
    except ValueError:
        raise click.UsageError(f"--memory: expected sizes in MB such as 256,512, got {given!r}") from None
    if not sizes or sizes[0] < LEAST or sizes[-1] > MOST:
        raise click.UsageError(f"--memory: expected sizes from {LEAST} to {MOST} MB, got {given!r}")
    return sizes


class _Trials:
    """Runs of one function."""

    def __init__(self, connection: Connection, arn: str, payload: str) -> None:
        self._connection = connection
        self._where = {"function": arn, "region": connection.region, "account": arn.split(":")[4]}
        self._payload = payload

    def run(self, memory: int, runs: int, output: Output) -> list[Sample]:
        """The warm runs at one size, with the init phase of the cold one before them."""
        output.progress(f"{memory} MB: a cold run, {runs} warm ones")
        cold = self._once(memory)
        warm = [self._once(memory) for _ in range(runs)]
        first = warm[0]
        return [Sample(first.duration, first.used, cold.init, first.error), *warm[1:]]

    def _once(self, memory: int) -> Sample:
        document = {**self._where, "payload": self._payload, "memory": memory}
        found = self._connection.post("/_fogbank/trials", document)
        return Sample(found["duration"], found["used"], found["init"], found["error"])

    def end(self, sizes: list[int]) -> None:
        """Let go of the environments."""
        self._connection.post("/_fogbank/trials", {**self._where, "end": sizes})


def _document(function: dict[str, Any], tried: list[Size], chosen: Size | None, strategy: str) -> dict[str, Any]:
    return {
        "function": function["FunctionName"],
        "memory": function["MemorySize"],
        "architecture": function.get("Architectures", ["x86_64"])[0],
        "sizes": [asdict(size) for size in tried],
        "strategy": strategy,
        "recommended": None if chosen is None else chosen.memory,
        "why": None if chosen is None else reason(chosen, tried, function["MemorySize"]),
        "unsteady": unsteady(tried),
        "not_told": list(UNTOLD),
    }


def _show(output: Output, function: dict[str, Any], tried: list[Size], chosen: Size | None, strategy: str) -> None:
    slowest = max(size.duration for size in tried)
    dearest = max(size.x86 for size in tried)
    output.table(
        ("MB", "median", "", "x86, a million", "", "Arm, a million", "used", "init", ""),
        [
            (
                f"{size.memory}{' *' if size.memory == function['MemorySize'] else ''}",
                f"{size.duration:.1f} ms",
                bar(size.duration, slowest, _BAR),
                dollars(size.x86),
                bar(size.x86, dearest, _BAR),
                dollars(size.arm),
                f"{size.used} MB",
                "–" if size.init is None else f"{size.init:.0f} ms",
                ", ".join(size.errors) or ("◀ recommended" if size is chosen else ""),
            )
            for size in tried
        ],
    )
    if chosen is None:
        output.line("\nit failed at every size: look at its log, and at the payload", "red")
        return
    output.line(f"\n{chosen.memory} MB by {strategy}; {reason(chosen, tried, function['MemorySize'])}", "bold")
    if unsteady(tried):
        output.line("the runs of one size differ much: this machine is busy; try again, with more --runs", "yellow")
    output.line("What a measurement on this machine cannot tell:", "dim")
    for each in UNTOLD:
        output.line(f"  - {each}", "dim")
