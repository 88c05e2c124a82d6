"""The rows of spans and traces. What is written here is sampled already, and is no acknowledged data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fogbank.core.scope import Scope
from fogbank.storage import Row, Tx
from fogbank.telemetry.model import NOTHING, Kind, Link, Span, Status
from fogbank.telemetry.resources import node_of

COLUMNS = (
    "trace, id, parent, kind, name, service, operation, resource, account, region, started, ended, status, error, "
    "attributes, links"
)
INSERT_SPAN = f"""
INSERT INTO telemetry_spans ({COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
"""  # noqa: S608 - a constant
PUT_TRACE = """
INSERT INTO telemetry_traces (trace, started, ended, spans, status, named, name) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (trace) DO UPDATE SET
    started = MIN(started, excluded.started), ended = MAX(ended, excluded.ended), spans = spans + excluded.spans,
    status = MAX(status, excluded.status),
    name = CASE WHEN excluded.named < named THEN excluded.name ELSE name END, named = MIN(named, excluded.named)
"""
INSERT_KEY = "INSERT INTO telemetry_keys (key, started, trace) VALUES ($1, $2, $3)"
SPANS_OF = f"SELECT {COLUMNS} FROM telemetry_spans WHERE trace = $1 ORDER BY seq LIMIT $2"  # noqa: S608 - a constant
TRACE = "SELECT trace, started, ended, spans, status, name FROM telemetry_traces WHERE trace = $1"
RECENT = """
SELECT trace, started, ended, spans, status, name FROM telemetry_traces
WHERE started >= $1 AND started < $2 AND status >= $3 AND ended - started >= $4
ORDER BY started DESC LIMIT $5
"""
RECENT_FAILED = """
SELECT trace, started, ended, spans, status, name FROM telemetry_traces
WHERE status > 0 AND started >= $1 AND started < $2 AND status >= $3 AND ended - started >= $4
ORDER BY started DESC LIMIT $5
"""
BY_KEY = """
SELECT DISTINCT t.trace, t.started, t.ended, t.spans, t.status, t.name
FROM telemetry_keys k JOIN telemetry_traces t ON t.trace = k.trace
WHERE k.key = $6 AND k.started >= $1 AND k.started < $2 AND t.status >= $3 AND t.ended - t.started >= $4
ORDER BY k.started DESC LIMIT $5
"""
DROP_SPANS = """
DELETE FROM telemetry_spans WHERE seq <= (SELECT MIN(seq) FROM telemetry_spans) + $2 AND ended < $1
"""
DROP_KEYS = "DELETE FROM telemetry_keys WHERE seq <= (SELECT MIN(seq) FROM telemetry_keys) + $2 AND started < $1"
DROP_TRACES = "DELETE FROM telemetry_traces WHERE started < $1 AND ended < $1"
RANGE = "SELECT (SELECT MIN(seq) FROM telemetry_spans), (SELECT MAX(seq) FROM telemetry_spans)"
ENDED_AT = "SELECT ended FROM telemetry_spans WHERE seq >= $1 ORDER BY seq LIMIT 1"

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.decode
MAX_SPANS = 10_000
"""Spans of one trace that are read."""
_CHUNK = 5_000
_MAX_KEYS = 64
"""Ids of one span under which its trace is found."""


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A trace, as a list of them shows it: times are clock seconds, `status` is its worst."""

    trace: str
    started: float
    ended: float
    spans: int
    status: Status
    name: str


@dataclass(slots=True)
class _Sum:
    """What the spans of one trace in a batch come to."""

    started: float
    ended: float
    spans: int
    status: int
    named: float
    name: str


async def insert(tx: Tx, spans: Sequence[Span]) -> None:
    """Write spans down, with the rows of their traces and the keys under which those are found."""
    await tx.execute_many(INSERT_SPAN, [_row(span) for span in spans])
    traces: dict[str, _Sum] = {}
    keys: dict[tuple[str, str], float] = {}
    for span in spans:
        total = traces.get(span.trace)
        named = span.start if span.parent else span.start - 1e9  # a root names its trace, else the first
        if total is None:
            traces[span.trace] = _Sum(span.start, span.end, 1, span.status, named, span.name)
        else:
            _add(total, span, named)
        service, name = node_of(span)
        if name:
            keys.setdefault((f"{service}/{name}", span.trace), span.start)
        for key in span.attributes.get("keys", ())[:_MAX_KEYS] if span.attributes else ():
            keys.setdefault((f"={key}", span.trace), span.start)
    await tx.execute_many(
        PUT_TRACE, [(k, t.started, t.ended, t.spans, t.status, t.named, t.name) for k, t in traces.items()]
    )
    if keys:
        await tx.execute_many(INSERT_KEY, [(key, started, trace) for (key, trace), started in keys.items()])


def _add(total: _Sum, span: Span, named: float) -> None:
    total.spans += 1
    total.started = min(total.started, span.start)
    total.ended = max(total.ended, span.end)
    total.status = max(total.status, span.status)
    if named < total.named:
        total.named, total.name = named, span.name


def _row(s: Span) -> tuple[Any, ...]:
    return (
        *(s.trace, s.id, s.parent, s.kind, s.name, s.service, s.operation, s.resource, s.scope.account, s.scope.region),
        *(s.start, s.end, int(s.status), s.error),
        _encode(s.attributes) if s.attributes else None,
        _encode(s.links) if s.links else None,
    )


async def spans_of(tx: Tx, trace: str, limit: int = MAX_SPANS) -> list[Span]:
    """The spans of a trace as they came."""
    return [_span(row) for row in await tx.fetch(SPANS_OF, trace, limit)]


def _span(row: Row) -> Span:
    return Span(
        row[0],
        row[1],
        row[2],
        Kind(row[3]),
        row[4],
        row[5],
        row[6],
        row[7],
        Scope(row[8], row[9]),
        row[10],
        row[11],
        Status(row[12]),
        row[13],
        _decode(row[14]) if row[14] else NOTHING,
        tuple(Link(*link) for link in _decode(row[15])) if row[15] else (),
    )


async def find_trace(tx: Tx, trace: str) -> TraceRow | None:
    """The row of one trace."""
    row = await tx.fetch_one(TRACE, trace)
    return None if row is None else _trace(row)


async def find_traces(
    tx: Tx,
    *,
    since: float,
    until: float,
    limit: int,
    status: Status = Status.OK,
    duration: float = 0.0,
    key: str | None = None,
) -> list[TraceRow]:
    """The newest traces that began in [`since`, `until`), at least as bad as `status` and as long as `duration`.

    `key` is a resource they touched (`lambda/orders`) or an id they are known by (`=id`).
    """
    if key is not None:
        rows = await tx.fetch(BY_KEY, since, until, int(status), duration, limit, key)
    else:
        rows = await tx.fetch(RECENT_FAILED if status else RECENT, since, until, int(status), duration, limit)
    return [_trace(row) for row in rows]


def _trace(row: Row) -> TraceRow:
    return TraceRow(row[0], row[1], row[2], row[3], Status(row[4]), row[5])


async def drop_before(tx: Tx, moment: float) -> bool:
    """Forget some of what ended before `moment`; whether there may be more."""
    dropped = await tx.execute(DROP_SPANS, moment, _CHUNK)
    dropped += await tx.execute(DROP_KEYS, moment, _CHUNK)
    dropped += await tx.execute(DROP_TRACES, moment)
    return dropped > 0


async def moment_of(tx: Tx, fraction: float) -> float | None:
    """The moment by which the oldest `fraction` of the spans had ended, roughly; `None` if there are none."""
    row = await tx.fetch_one(RANGE)
    if row is None or row[0] is None:
        return None
    found = await tx.fetch_one(ENDED_AT, row[0] + int((row[1] - row[0]) * fraction))
    return None if found is None else float(found[0])
