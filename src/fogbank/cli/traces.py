"""`fogbank traces`: the newest traces."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import click
from rich.text import Text

from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.logs import parse_since

STYLES = {"ok": "green", "error": "yellow", "throttle": "yellow", "fault": "red"}
"""How a status is shown."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


@click.command("traces", cls=ServerCommand)
@click.option("--since", default="1h", show_default=True, help="From when: 30s, 10m, 2h, 1d ago, or an ISO 8601 time.")
@click.option("--errors", is_flag=True, help="Only traces in which something failed.")
@click.option("--duration", metavar="TIME", help="Only traces that took at least this: 250ms, 1.5s, 2m, 1h.")
@click.option("--function", metavar="NAME", help="Only traces that ran this function.")
@click.option("--resource", metavar="SERVICE/NAME", help="Only traces that touched this: sqs/orders, dynamodb/orders.")
@click.option(
    "--correlation-id", metavar="ID",
    help="Only traces known by this id: of an event, message, request or execution, or the event's correlation id.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@click.pass_context
def command(
    context: click.Context,
    *,
    since: str,
    errors: bool,
    duration: str | None,
    function: str | None,
    resource: str | None,
    correlation_id: str | None,
    limit: int,
) -> None:
    """List the newest traces: when, how long, how many spans, how it ended, what began it."""
    given = [name for name in (function, resource, correlation_id) if name]
    if len(given) > 1:
        raise Failure(Exit.USAGE, "give one of --function, --resource and --correlation-id")
    connection, output = connected(context)
    query: dict[str, Any] = {"since": server_since(connection, since), "limit": limit}
    if errors:
        query["errors"] = 1
    if duration:
        query["duration"] = parse_duration(duration)
    key = f"lambda/{function}" if function else resource or (f"={correlation_id}" if correlation_id else None)
    if key:
        query["key"] = key
    found = connection.get(f"/_fogbank/traces?{urlencode(query)}")
    if output.json:
        output.document(found)
        return
    if not found["traces"]:
        output.line("no such traces; see --since, and: fogbank traces --help")
        return
    output.table(
        ("began", "took", "spans", "ended", "trace", "what"),
        [
            (
                moment(trace["start"]),
                seconds(trace["duration"]),
                trace["spans"],
                Text(trace["status"], style=STYLES[trace["status"]]),
                trace["trace"],
                trace["name"],
            )
            for trace in found["traces"]
        ],
    )
    if found["dropped"]:
        output.line(
            f"{found['dropped']} spans were left out under pressure (--telemetry-rate); none that failed", "dim"
        )


def server_since(connection: Connection, since: str) -> float:
    """`10m` ago, by the server's clock; clock seconds."""
    return parse_since(since, float(connection.get("/_fogbank/clock")["time"])) / 1000


def parse_duration(text: str) -> float:
    """Seconds of `250ms`, `1.5s`, `2m`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)", text.strip())
    if found is None:
        raise Failure(Exit.USAGE, f"--duration: expected a time such as 250ms, 1.5s, 2m or 1h, got {text!r}")
    return float(found[1]) * _UNITS[found[2]]


def seconds(value: float) -> str:
    """A duration as people read it: `850 µs`, `12.3 ms`, `4.56 s`, `3 h 20 min`."""
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    if value < 1:
        return f"{value * 1000:.1f} ms"
    if value < 60:
        return f"{value:.2f} s"
    if value < 3600:
        return f"{int(value // 60)} min {int(value % 60)} s"
    if value < 86_400:
        return f"{int(value // 3600)} h {int(value % 3600 // 60)} min"
    return f"{int(value // 86_400)} d {int(value % 86_400 // 3600)} h"


def moment(value: float) -> str:
    """Clock seconds as local time, to the millisecond."""
    when = datetime.fromtimestamp(value, UTC).astimezone()
    return f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03d}"
