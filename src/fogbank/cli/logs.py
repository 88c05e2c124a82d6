"""`fogbank logs`: the log of a function or a log group, or what every function printed for one event."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click
from rich.text import Text

from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.log_lines import LEVELS, InvocationTail, annotate, reaches
from fogbank.cli.output import Output
from fogbank.cli.resolving import FUNCTION, named
from fogbank.core.clock import SystemClock

POLL = 0.25
"""Seconds between two looks of `--follow`."""
_SEEN = 10_000
_FUNCTIONS = "/aws/lambda/"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.command("logs", cls=ServerCommand)
@click.argument("name", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes; Ctrl-C ends it.")
@click.option("--since", default="10m", show_default=True, help="From when: 30s, 10m, 2h, 1d ago, or an ISO 8601 time.")
@click.option("--until", help="Until when; as --since.")
@click.option("--filter", "pattern", help="A CloudWatch Logs filter pattern: ERROR, '{ $.level = \"ERROR\" }'.")
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="Only lines of this level or worse.")
@click.option("--trace", metavar="ID", help="Only what the invocations of a trace printed, of all functions.")
@click.option("--correlation-id", metavar="ID", help="The same of the traces with an event's correlation id.")
@click.option("--request-id", metavar="ID", help="The same of one invocation.")
@click.pass_context
def command(
    context: click.Context,
    name: str | None,
    *,
    follow: bool,
    since: str,
    until: str | None,
    pattern: str | None,
    level: str | None,
    trace: str | None,
    correlation_id: str | None,
    request_id: str | None,
) -> None:
    """Show the log of NAME: a function's name or logical id, or a log group (it begins with a slash).

    By the id of a trace, a request or an event it shows what every function printed for it; NAME is then not needed.
    """
    ids = [each for each in (trace, correlation_id, request_id) if each]
    if len(ids) > 1 or not (ids or name):
        raise Failure(Exit.USAGE, "give a NAME, or one of --trace, --correlation-id and --request-id")
    now = SystemClock().time()
    start = parse_since(since, now)
    end = parse_since(until, now) if until else None
    connection, output = connected(context)
    group = log_group(connection, name) if name else None
    tail: Tail | InvocationTail
    if ids:
        key = None if trace else f"={ids[0]}"
        tail = InvocationTail(connection, key=key, trace=trace, group=group, pattern=pattern)
    else:
        assert group is not None, "a name was given"
        tail = Tail(connection, group, start, pattern, annotated=output.json)
    pause = threading.Event()
    while True:
        for event in tail.read():
            late = end is not None and event["timestamp"] > end
            other = request_id is not None and event.get("requestId") != request_id
            if not late and not other and (level is None or reaches(event["message"], level.upper())):
                show(output, event, label=event.get("group"))
        if not follow:
            return
        pause.wait(POLL)


def parse_since(given: str, now: float) -> int:
    """Milliseconds since the epoch of `10m` (ago) or of an ISO 8601 time."""
    if ago := re.fullmatch(r"(\d+)\s*([smhd])", given.strip()):
        return int((now - int(ago[1]) * _UNITS[ago[2]]) * 1000)
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise Failure(Exit.USAGE, f"--since: expected 30s, 10m, 2h, 1d or an ISO 8601 time, got {given!r}") from None
    return int(moment.timestamp() * 1000)


def log_group(connection: Connection, name: str) -> str:
    """The log group of a function, or the group of that name."""
    if name.startswith("/"):
        return name

    def of_function(function: str) -> str:
        found = connection.client("lambda").get_function_configuration(FunctionName=function)
        return str(found.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{found['FunctionName']}")

    def groups() -> Iterator[str]:
        for page in connection.client("logs").get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                yield group["logGroupName"]

    try:
        return named(connection, FUNCTION, name, of_function, others=groups)
    except Failure as missing:
        if missing.code is Exit.NOT_FOUND and name in groups():
            return name
        raise


class Tail:
    """Reads a log group from a moment on; each event once."""

    def __init__(
        self, connection: Connection, group: str, start: int, pattern: str | None = None, *, annotated: bool = False
    ) -> None:
        self._connection = connection
        self._annotated = annotated
        self._logs = connection.client("logs")
        self.group = group
        self._request: dict[str, Any] = {"logGroupName": group}
        if pattern:
            self._request["filterPattern"] = pattern
        self._start = start
        self._seen: OrderedDict[str, None] = OrderedDict()

    def read(self) -> list[dict[str, Any]]:
        """What is new, in the order of its time. A group that is not there yet has nothing."""
        found = []
        try:
            pages = self._logs.get_paginator("filter_log_events").paginate(**self._request, startTime=self._start)
            for page in pages:
                found += [event for event in page["events"] if event["eventId"] not in self._seen]
        except self._logs.exceptions.ResourceNotFoundException:
            if self._request["logGroupName"].startswith(_FUNCTIONS):  # made by the function's first line
                return []
            raise Failure(Exit.NOT_FOUND, f"there is no log group {self.group!r}") from None
        found.sort(key=lambda event: (event["timestamp"], event.get("ingestionTime", 0)))
        if self._annotated and found and self.group.startswith(_FUNCTIONS):
            found = annotate(self._connection, self.group.removeprefix(_FUNCTIONS), found)
        for event in found:
            self._seen[event["eventId"]] = None
            # events of several streams come a little out of order: look back a second
            self._start = max(self._start, event["timestamp"] - 1000)
        while len(self._seen) > _SEEN:
            self._seen.popitem(last=False)
        return found


def show(output: Output, event: dict[str, Any], *, label: str | None = None) -> None:
    """Print a log event: its time, and its text as it was written."""
    if output.json:
        output.document({"group": label, **event} if label else event)
        return
    moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).astimezone()
    line = Text(moment.strftime("%H:%M:%S.%f")[:-3] + " ", style="dim")
    if label:
        line.append(f"{label} ", style="cyan")
    text = event["message"].rstrip("\n")
    line.append(text, style="not dim" + _style(text))
    output.console.print(line)


def _style(text: str) -> str:
    if text.startswith(("START ", "END ", "REPORT ", "INIT_START")):
        return " grey50"
    if "ERROR" in text[:60] or "Traceback" in text[:40]:
        return " red"
    return ""
