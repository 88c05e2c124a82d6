"""`fogbank top`: what is going on, live."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlencode

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.drawing import failed, rate
from fogbank.cli.traces import STYLES, moment, seconds


@click.command("top", cls=ServerCommand)
@click.option(
    "--interval", type=click.FloatRange(0.2, 60), default=2.0, show_default=True, help="Seconds between looks."
)
@click.option("--window", type=click.IntRange(1, 60), default=5, show_default=True, help="Minutes that are shown.")
@click.option("--once", is_flag=True, help="Look once, and end.")
@click.pass_context
def command(context: click.Context, *, interval: float, window: int, once: bool) -> None:
    """Show the busiest resources and the newest failures, again and again; Ctrl-C ends it.

    With --json one document a look.
    """
    connection, output = connected(context)
    pause = threading.Event()
    if output.json or once:
        while True:
            seen = look(connection, window)
            if output.json:
                output.document(seen)
            else:
                output.console.print(picture(seen))
            if once:
                return
            pause.wait(interval)
    with Live(picture(look(connection, window)), console=output.console, auto_refresh=False) as live:
        while True:
            pause.wait(interval)
            live.update(picture(look(connection, window)), refresh=True)


def look(connection: Connection, window: int) -> dict[str, Any]:
    """What went on in the last minutes: nodes by their calls, and the newest traces that failed."""
    now = float(connection.get("/_fogbank/clock")["time"])
    graph = connection.get(f"/_fogbank/map?{urlencode({'since': now - window * 60})}")
    wrong = connection.get(f"/_fogbank/traces?{urlencode({'since': now - window * 60, 'errors': 1, 'limit': 10})}")
    nodes = sorted((n for n in graph["nodes"] if not n["client"]), key=lambda n: (-n["calls"], n["name"]))
    return {"time": now, "minutes": window, "nodes": nodes, "failed": wrong["traces"], "dropped": wrong["dropped"]}


def picture(seen: dict[str, Any]) -> Group:
    """The same for people."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("resource", "calls", "rate", "failed", "p50", "p95"):
        table.add_column(name, header_style="dim", justify="left" if name == "resource" else "right")
    for node in seen["nodes"][:30]:
        wrong = failed(node)
        table.add_row(
            Text(node["name"]),
            str(node["calls"]),
            rate(node["rate"]),
            Text(str(wrong or ""), style="red" if wrong else ""),
            seconds(node["p50"]),
            seconds(node["p95"]),
        )
    lines: list[Text | Table] = [
        Text(f"{moment(seen['time'])}  the last {seen['minutes']} minutes", style="bold"),
        table,
    ]
    if seen["failed"]:
        lines.append(Text("\nfailed", style="bold"))
    for trace in seen["failed"]:
        text = f"{moment(trace['start'])}  {trace['trace']}  {trace['name']}  {seconds(trace['duration'])}"
        lines.append(Text(text, style=STYLES[trace["status"]]))
    return Group(*lines)
