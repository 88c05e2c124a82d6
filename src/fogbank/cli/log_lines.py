"""Log lines by what they belong to: their level, and the invocation that wrote them.

An environment runs one event at a time and has a log stream of its own; so what stands in a stream between the
beginning and the end of an invocation is that invocation's, whether the line says so or not.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fogbank.cli.connection import Connection
from fogbank.cli.failures import Failure

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""From the least to the worst."""
_ALIASES = {"WARNING": "WARN", "CRITICAL": "FATAL", "NOTICE": "INFO", "SEVERE": "ERROR"}
_FIELDS = ("level", "levelname", "severity", "log_level", "log.level")
_PLAIN = re.compile(r"\[?\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|FATAL|CRITICAL)\b")
_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_BEGUN = re.compile(rf"START RequestId: ({_ID})")
_BEGUN_JSON = re.compile(rf'\{{"time":"[^"]*","type":"platform\.start","record":\{{"requestId":"({_ID})"')
_TOLD = re.compile(rf"(?:END|REPORT) RequestId: ({_ID})")
_HEAD = 120
"""Characters of a plain line in which its level is looked for."""
_BEFORE, _AFTER = 50, 60_000
"""Milliseconds around an invocation in which its lines are looked for: they travel through a pipe."""


def level_of(message: str) -> str | None:
    """The level that a line names: by a field of a JSON line, or by a word at a plain one's beginning."""
    if message.startswith("{"):
        try:
            document = json.loads(message)
        except ValueError:
            document = {}
        for name in _FIELDS:
            value = document.get(name) if isinstance(document, dict) else None
            if isinstance(value, str):
                return _canonical(value)
        return None
    found = _PLAIN.search(message[:_HEAD])
    if found:
        return _canonical(found[1])
    return "ERROR" if message.startswith("Traceback ") else None


def _canonical(name: str) -> str | None:
    upper = name.upper()
    upper = _ALIASES.get(upper, upper)
    return upper if upper in LEVELS else None


def reaches(message: str, least: str) -> bool:
    """Whether a line is at least of a level; one that names none is not, unless all are wanted."""
    level = level_of(message)
    return level is not None and LEVELS.index(level) >= LEVELS.index(least)


@dataclass(frozen=True, slots=True)
class Invocation:
    """When an invocation had a stream for itself; times are milliseconds."""

    group: str
    stream: str
    request: str
    trace: str
    correlation: tuple[str, ...]
    start: int
    end: int

    def wrote(self, event: dict[str, Any], owner: str | None) -> bool:
        """Whether an event is the invocation's: it is the one that the stream was in, or that had the stream then."""
        if event.get("logStreamName") != self.stream:
            return False
        return owner == self.request if owner is not None else self.start <= event["timestamp"] <= self.end

    @property
    def about(self) -> dict[str, Any]:
        """What is added to its lines."""
        return {"requestId": self.request, "traceId": self.trace, "correlationIds": list(self.correlation)}


def owners(events: Sequence[dict[str, Any]]) -> list[str | None]:
    """The request that each event belongs to, as the platform's lines in its stream tell; `None` before the first."""
    current: dict[str, str] = {}
    found: list[str | None] = []
    for event in events:
        stream, message = event.get("logStreamName", ""), event["message"]
        begun = _BEGUN.match(message) or _BEGUN_JSON.match(message)
        if begun:
            current[stream] = begun[1]
        told = begun or _TOLD.match(message)
        found.append(told[1] if told else current.get(stream))
    return found


def invocations(
    connection: Connection, *, since: int = 0, key: str | None = None, trace: str | None = None
) -> list[Invocation]:
    """The invocations that a key (`=id`, `lambda/NAME`) or a trace leads to, from a moment on (milliseconds)."""
    wanted = {"since": since / 1000, **({"trace": trace} if trace is not None else {"key": key or ""})}
    found = connection.get(f"/_fogbank/invocations?{urlencode(wanted)}")["invocations"]
    return [
        Invocation(
            each["group"], each["stream"], each["request"], each["trace"], tuple(each["correlation"]),
            int(each["start"] * 1000), int(each["end"] * 1000),
        )
        for each in found
        if each["group"] and each["stream"]
    ]  # fmt: skip


class InvocationTail:
    """Reads the logs of the invocations that an id leads to; each event once, with what it belongs to."""

    def __init__(
        self, connection: Connection, *, key: str | None, trace: str | None, group: str | None, pattern: str | None
    ) -> None:
        self._connection = connection
        self._key = key
        self._trace = trace
        self._group = group
        self._pattern = pattern
        self._seen: set[str] = set()

    def read(self) -> list[dict[str, Any]]:
        """What is new, in the order of its time."""
        found = []
        for each in invocations(self._connection, key=self._key, trace=self._trace):
            if self._group in (None, each.group):
                found += [{**event, "group": each.group, **each.about} for event in self._lines(each)]
        return sorted(found, key=lambda event: event["timestamp"])

    def _lines(self, invocation: Invocation) -> Iterator[dict[str, Any]]:
        wanted = None
        if self._pattern:
            wanted = {event["eventId"] for event in self._read(invocation, filterPattern=self._pattern)}
        events = self._read(invocation)
        for event, owner in zip(events, owners(events), strict=True):
            key = event["eventId"]
            if key in self._seen or not invocation.wrote(event, owner) or (wanted is not None and key not in wanted):
                continue
            self._seen.add(key)
            yield event

    def _read(self, invocation: Invocation, **more: str) -> list[dict[str, Any]]:
        """The events of the invocation's stream around its time."""
        logs = self._connection.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=invocation.group, logStreamNames=[invocation.stream],
            startTime=max(0, invocation.start - _BEFORE), endTime=invocation.end + _AFTER, **more,
        )  # fmt: skip
        try:
            return [event for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []


def annotate(connection: Connection, function: str, events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events with the request, trace and correlation ids of the invocations that wrote them, where those are known."""
    known: list[Invocation] = []
    with contextlib.suppress(Failure):  # a server that records no telemetry knows nothing of them
        known = invocations(connection, since=events[0]["timestamp"] - 1000, key=f"lambda/{function}")
    return [
        next(({**event, **each.about} for each in known if each.wrote(event, owner)), event)
        for event, owner in zip(events, owners(events), strict=True)
    ]
