"""`fogbank trace ID`: one trace as a tree and a waterfall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import click
from rich.text import Text

from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.output import Output
from fogbank.cli.traces import STYLES, moment, seconds
from fogbank.cli.waterfall import bar, title, tree_of

_BAR = 40


@click.command("trace", cls=ServerCommand)
@click.argument("name", metavar="ID")
@click.option("--details", is_flag=True, help="Every attribute of every span.")
@click.pass_context
def command(context: click.Context, name: str, *, details: bool) -> None:
    """Show the trace ID: what caused what, when, and how long it took.

    ID is a trace's, in X-Ray's form or W3C's, or any id by which `fogbank traces --correlation-id` finds it: of an
    event, a message, a request, an execution, or the correlation id in the event. Traces that it is linked with (by a
    batch that joined many) are shown below it.
    """
    connection, output = connected(context)
    found = find(connection, name)
    if output.json:
        output.document(found)
        return
    show(output, found, details=details)
    for linked in found["linked"]:
        output.line("")
        show(output, linked, details=details)


def find(connection: Connection, name: str) -> dict[str, Any]:
    """A trace by its id, or by one that it is known by."""
    if not name.startswith("1-") and len(name) != 32:
        known = connection.get(f"/_fogbank/traces?{urlencode({'key': f'={name}', 'limit': 1})}")["traces"]
        if not known:
            raise Failure(Exit.NOT_FOUND, f"no trace is known by {name}", do="see: fogbank traces")
        name = known[0]["trace"]
    try:
        return connection.get(f"/_fogbank/traces/{quote(name)}")
    except Failure as error:
        if "404" not in error.what:
            raise
        raise Failure(Exit.NOT_FOUND, f"there is no trace {name}", do="see: fogbank traces") from None


def show(output: Output, trace: Mapping[str, Any], *, details: bool) -> None:
    """Print one trace."""
    took, count = seconds(trace["duration"]), len(trace["spans"])
    output.line(f"{trace['trace']}  {trace['name']}", "bold")
    output.line(f"{moment(trace['start'])}  {took}  {count} spans  {trace['status']}", STYLES[trace["status"]])
    rows = tree_of(trace["spans"])
    width = max((len(row.branch) + len(title(row.span)) for row in rows), default=0)
    for row in rows:
        span = row.span
        line = Text.assemble((row.branch, "dim"), title(span), " " * (width - len(row.branch) - len(title(span))))
        drawn = bar(span["start"], span["duration"], trace["start"], trace["duration"], _BAR)
        style = STYLES[span["status"]]
        line.append(f"  {seconds(span['duration']):>10}  ")
        line.append(drawn.ljust(_BAR), style=style)
        if span.get("error"):
            line.append(f"  {span['error']}", style=style)
        output.console.print(line, soft_wrap=True)
        if details:
            indent = " " * (len(row.branch) + 2)
            for key, value in {**span["attributes"], "span": span["id"]}.items():
                output.console.print(Text(f"{indent}{key}: {value}", style="dim"), soft_wrap=True)
