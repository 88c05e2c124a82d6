"""`fogbank cold-starts`: the laboratory. Every function of a template, started fresh again and again."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from fogbank.cli.deploying import find_template, pairs
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.laboratory import Laboratory
from fogbank.cli.local_functions import LocalFunction, local_functions
from fogbank.cli.options import LocalCommand, Options
from fogbank.cli.output import Output
from fogbank.insight.cold_starts import Spread, Subject, document, parts_of, saving, spread
from fogbank.insight.cold_starts_plot import svg_of, text_of

_SHOWN_IMPORTS = 5
_SNAP_START = re.compile(r"python3\.(1[2-9]|[2-9]\d)")

EXAMPLES = """
\b
Examples:
  fogbank cold-starts                          the functions of the template in this folder
  fogbank cold-starts template.yaml --runs 50
  fogbank cold-starts --function Checkout --plot cold.svg
  fogbank cold-starts --json > cold.json
"""


@click.command("cold-starts", cls=LocalCommand, epilog=EXAMPLES)
@click.argument("template", required=False, type=click.Path(path_type=Path))
@click.option("--runs", type=click.IntRange(1, 1000), default=10, show_default=True, help="Fresh starts of each.")
@click.option("--function", "only", multiple=True, metavar="ID", help="These alone, by logical id; may be repeated.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write the picture to this file (SVG).")
@click.pass_context
def command(
    context: click.Context, template: Path | None, *, runs: int, only: tuple[str, ...], parameters: tuple[str, ...],
    plot: Path | None,
) -> int:  # fmt: skip
    """Start every function of TEMPLATE fresh, and show where the time goes and what would save it.

    Init code runs for real, handlers are not called, and no server is needed. TEMPLATE is a file or a folder, or else
    the template in this folder.
    """
    output = Output(json=context.ensure_object(Options).json)
    with tempfile.TemporaryDirectory(prefix="fogbank-cold-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        values = pairs(parameters, "--parameter")
        functions = local_functions(find_template(template), values, "us-east-1", place / "inline", output)
        subjects = asyncio.run(_examine(_chosen(functions, only), runs, place, output))
    if plot is not None:
        plot.write_text(svg_of(subjects), encoding="utf-8")
    if output.json:
        output.document(document(subjects, runs))
    else:
        _show(output, subjects)
        if plot is not None:
            output.line(f"The picture is in {plot}.")
    return Exit.FAILED if any(subject.problem for subject in subjects) else Exit.DONE


def _chosen(functions: Sequence[LocalFunction], only: Sequence[str]) -> list[LocalFunction]:
    names = [function.name for function in functions]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise Failure(Exit.USAGE, f"there is no function {unknown[0]}", do=f"there are {', '.join(names)}")
    return [function for function in functions if not only or function.name in only]


async def _examine(functions: Sequence[LocalFunction], runs: int, folder: Path, output: Output) -> list[Subject]:
    laboratory = Laboratory(folder)
    await laboratory.start()
    try:
        found = []
        for function in functions:
            output.progress(f"{function.name}: {runs} starts")
            found.append(await laboratory.examine(function, runs))
        return found
    finally:
        await laboratory.stop()


def _show(output: Output, subjects: Sequence[Subject]) -> None:
    columns = (
        "function",
        "runtime",
        "p50 / p99",
        "environment",
        "runtime",
        "imports",
        "init",
        "first event",
        "package",
    )
    output.table(columns, [_row(subject) for subject in subjects], title="Cold starts, ms")
    for line in text_of(subjects):
        output.line(line)
    for subject in subjects:
        _advise(output, subject)


def _row(subject: Subject) -> list[str]:
    if not subject.starts:
        return [subject.name, subject.runtime, "does not start", *[""] * 5, _megabytes(subject.package)]
    parts = [_pair(found) for found in parts_of(subject.starts).values()]
    return [subject.name, subject.runtime, _pair(subject.total), *parts, _megabytes(subject.package)]


def _advise(output: Output, subject: Subject) -> None:
    """What would save time, in a few lines."""
    output.line(f"\n{subject.name}", style="bold")
    for text in (subject.problem, subject.note):
        if text:
            output.line(f"  {text}", style="yellow")
    if not subject.starts:
        return
    totals = [start.total for start in subject.starts]
    if subject.restored:
        saved = _milliseconds(saving(totals, subject.restored))
        output.line(f"  SnapStart would save {saved} ms: a restore takes {_pair(spread(subject.restored))} ms.")
        if not _SNAP_START.fullmatch(subject.runtime):
            output.line("  (AWS takes snapshots from python3.12 on.)")
    elif subject.without_snapshot:
        output.line(f"  SnapStart is not possible: {subject.without_snapshot}")
    if subject.warm:
        saved = _milliseconds(saving(totals, subject.warm))
        output.line(
            f"  Provisioned concurrency would save {saved} ms: an event takes {_pair(spread(subject.warm))} ms."
        )
    dear = [f"{one.name} {_milliseconds(one.cumulative)}" for one in subject.imports[:_SHOWN_IMPORTS]]
    if dear:
        output.line(f"  Its dearest imports, ms in an interpreter that has nothing loaded: {', '.join(dear)}.")
    pruned = subject.pruned
    if pruned is None:
        return
    names = ", ".join(pruned.packages)
    if pruned.problem is not None:
        output.line(f"  {names} seem never imported, but it does not start without them: {pruned.problem}")
    elif pruned.total is not None:
        saved = _milliseconds(max(0.0, subject.total.median - pruned.total.median))
        output.line(
            f"  Never imported: {names}. Without them it is {_megabytes(pruned.size)} smaller, and it starts "
            f"{saved} ms sooner (tried: {_pair(pruned.total)} ms)."
        )


def _pair(found: Spread) -> str:
    return f"{_milliseconds(found.median)} / {_milliseconds(found.p99)}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
