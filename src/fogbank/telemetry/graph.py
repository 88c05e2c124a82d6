"""The service graph: who asked what of whom, how often, with what success, how quickly.

It is counted from every span that is made and written down by the minute; under pressure, when not every request gets a
span, each stands for those beside it. A node is a resource of a service
(`sqs/orders`, `lambda/take-order`); what asks from outside is `client`. An edge's work is counted where it is done: an
invocation for a function, an execution for a state machine, an API request for anything else. What lies between (a
delivery, a wait, a state) is looked through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import msgspec

from fogbank.core.clock import Clock
from fogbank.storage import Tx
from fogbank.telemetry.histogram import Histogram, bucket_of, merge, percentile
from fogbank.telemetry.model import Kind, Span, Status
from fogbank.telemetry.resources import name_of, node_of
from fogbank.telemetry.telemetry import Telemetry

CLIENT = "client"
PUT_EDGE = """
INSERT INTO telemetry_edges (minute, run, source, target, calls, errors, throttles, faults, seconds, histogram)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (minute, run, source, target) DO UPDATE SET
    calls = excluded.calls, errors = excluded.errors, throttles = excluded.throttles, faults = excluded.faults,
    seconds = excluded.seconds, histogram = excluded.histogram
"""
EDGES = """
SELECT source, target, calls, errors, throttles, faults, seconds, histogram FROM telemetry_edges
WHERE minute >= $1 AND minute < $2
"""
FORGET = "DELETE FROM telemetry_edges WHERE minute < $1"

_REMEMBERED = 20_000
"""Spans whose place in the graph is remembered, so that what they caused is put under them."""
_MAX_PENDING = 10_000
_MAX_STEPS = 64
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[int, int]).decode

_WORK: Mapping[str, frozenset[str]] = {
    "sqs": frozenset({"SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch"}),
    "events": frozenset({"PutEvents"}),
    "sns": frozenset({"Publish", "PublishBatch"}),
    "dynamodb": frozenset(
        {
            "PutItem", "GetItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem", "BatchWriteItem",
            "TransactGetItems", "TransactWriteItems", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
        }
    ),
    "kinesis": frozenset({"PutRecord", "PutRecords", "GetRecords"}),
    "firehose": frozenset({"PutRecord", "PutRecordBatch"}),
    "s3": frozenset({"PutObject", "GetObject", "DeleteObject", "HeadObject", "ListObjectsV2", "CopyObject"}),
    "ssm": frozenset({"GetParameter", "GetParameters", "GetParametersByPath"}),
    "secretsmanager": frozenset({"GetSecretValue"}),
    "kms": frozenset({"Encrypt", "Decrypt", "GenerateDataKey"}),
}  # fmt: skip
"""The requests that are an application's work; others set things up, or look."""
_SAMPLED = frozenset({Kind.API, Kind.INVOCATION})
"""The kinds of work of which under pressure only some spans are made."""
_THROUGH = frozenset({Kind.WAIT, Kind.DELIVERY, Kind.DEAD_LETTER, Kind.PHASE, Kind.STATE, Kind.SEGMENT, Kind.SPAN})
_REFUSED_WORK = {"lambda": "Invoke", "stepfunctions": "StartExecution"}
"""What is counted as a request only if it did not become an invocation or an execution."""


class Place(NamedTuple):
    """Where a span stands: its parent, and its node (empty where it is looked through)."""

    parent: str
    node: str


@dataclass(slots=True)
class Edge:
    """What went from one node to another: counts, seconds altogether, durations."""

    source: str
    target: str
    calls: int = 0
    errors: int = 0
    throttles: int = 0
    faults: int = 0
    seconds: float = 0.0
    histogram: Histogram = field(default_factory=dict)

    def add(self, status: Status, duration: float, count: int = 1) -> None:
        """Count one, or so many of the same."""
        self.calls += count
        self.seconds += duration * count
        bucket = bucket_of(duration)
        self.histogram[bucket] = self.histogram.get(bucket, 0) + count
        if status is Status.ERROR:
            self.errors += 1
        elif status is Status.THROTTLE:
            self.throttles += 1
        elif status is Status.FAULT:
            self.faults += 1

    def merge(self, other: Edge) -> None:
        """Add another's counts."""
        self.calls += other.calls
        self.errors += other.errors
        self.throttles += other.throttles
        self.faults += other.faults
        self.seconds += other.seconds
        merge(self.histogram, other.histogram)

    def percentile(self, share: float) -> float:
        """Seconds within which `share` of the calls were done."""
        return percentile(self.histogram, share)


class _Pending(NamedTuple):
    """Work whose cause has not been seen yet."""

    trace: str
    parent: str
    target: str
    minute: int
    status: Status
    duration: float
    weight: int


def place_of(span: Span) -> Place:
    """Where a span stands in the graph."""
    if span.kind in _THROUGH:
        return Place(span.parent, "")
    if span.kind is Kind.RULE:
        return Place(span.parent, f"events/{_bus_of(span.resource)}")
    if span.kind is Kind.API and span.service in _REFUSED_WORK:
        return Place(span.parent, "")
    service, name = node_of(span)
    return Place(span.parent, f"{service}/{name}" if name else service)


def is_work(span: Span) -> bool:
    """Whether a span counts as a call of its node."""
    if span.kind in {Kind.INVOCATION, Kind.EXECUTION}:
        return True
    if span.kind is not Kind.API or (not span.parent and "caller" in span.attributes):
        return False
    if _REFUSED_WORK.get(span.service) == span.operation:
        return bool(span.status)
    return span.operation in _WORK.get(span.service, ())


def _bus_of(rule: str) -> str:
    parts = rule.rpartition(":")[2].split("/")
    return parts[1] if len(parts) > 2 else "default"


class Graph:
    """Counts the edges."""

    def __init__(self, telemetry: Telemetry, clock: Clock, run: str) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._run = run
        self._places: dict[str, Place] = {}
        self._running: dict[str, str] = {}
        """By trace: the function or execution that began last."""
        self._pending: deque[_Pending] = deque()
        self._edges: dict[tuple[int, str, str], Edge] = {}
        self._changed: set[tuple[int, str, str]] = set()
        telemetry.begun = self.begun
        telemetry.observe(self.take)
        telemetry.on_flush(self._write)
        telemetry.on_reset(self._forget)
        telemetry.on_prune(self._prune)

    def begun(self, trace: str, span: str, parent: str, node: str) -> None:
        """A long span has begun: what it causes will be seen before its end is."""
        self._places[span] = Place(parent, node)
        if node:
            self._running[trace] = node
            if len(self._running) > _REMEMBERED:
                del self._running[next(iter(self._running))]

    def take(self, spans: Sequence[Span]) -> None:
        """Count what is work."""
        places = self._places
        for span in spans:
            places[span.id] = place_of(span)
        waiting, self._pending = self._pending, deque()
        for pending in waiting:  # its cause had until now to be seen
            self._settle(pending)
        for span in spans:
            if is_work(span):
                target = f"{span.service}/{name_of(span.service, span.resource)}" if span.resource else span.service
                self._work(span, target)
        while len(places) > _REMEMBERED:
            del places[next(iter(places))]

    def _work(self, span: Span, target: str) -> None:
        sampled = span.kind in _SAMPLED and not span.status and self._telemetry.wants(span.trace)
        count = round(self._telemetry.weight) if sampled else 1  # a cold start's span is made in any case
        pending = _Pending(
            span.trace, span.parent, target, int(span.end // 60), span.status, span.end - span.start, count
        )
        source = self._source(span.parent, target) if span.parent else CLIENT
        if source is None and len(self._pending) < _MAX_PENDING:
            self._pending.append(pending)
        else:
            self._count(pending, source or CLIENT)

    def _settle(self, pending: _Pending) -> None:
        """Count work whose cause had time to be seen.

        One that nobody knows is the running function's, if there is one: a span of its own that it has not told of
        yet. Else it is a client's.
        """
        source = self._source(pending.parent, pending.target) or self._running.get(pending.trace, CLIENT)
        self._count(pending, CLIENT if source == pending.target else source)

    def _source(self, parent: str, target: str) -> str | None:
        """The node that caused something, going up from its parent; `None` if that is not known (yet)."""
        for _ in range(_MAX_STEPS):
            place = self._places.get(parent)
            if place is None:
                return None
            if place.node and place.node != target:
                return place.node
            if not place.parent:
                return CLIENT
            parent = place.parent
        return None

    def _count(self, pending: _Pending, source: str) -> None:
        key = (pending.minute, source, pending.target)
        edge = self._edges.get(key)
        if edge is None:
            edge = self._edges[key] = Edge(source, pending.target)
        edge.add(pending.status, pending.duration, pending.weight)
        self._changed.add(key)

    # -- its rows -----------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        if self._changed:
            changed, self._changed = self._changed, set()
            rows = [
                (minute, self._run, e.source, e.target, e.calls, e.errors, e.throttles, e.faults, e.seconds,
                 _encode(e.histogram))
                for minute, e in ((key[0], self._edges[key]) for key in changed)
            ]  # fmt: skip
            await self._telemetry.transact(lambda tx: tx.execute_many(PUT_EDGE, rows))
        past = int(self._clock.time() // 60) - 2
        for key in [key for key in self._edges if key[0] < past]:
            del self._edges[key]

    def _forget(self) -> None:
        self._places.clear()
        self._running.clear()
        self._pending.clear()
        self._edges.clear()
        self._changed.clear()

    async def _prune(self, moment: float) -> None:
        await self._telemetry.transact(lambda tx: tx.execute(FORGET, int(moment // 60)))

    async def edges(self, since: float, until: float) -> list[Edge]:
        """What went on between two moments (clock seconds), by whole minutes."""
        if not self._telemetry.on:
            return []
        await self._telemetry.flush()
        if self._pending:
            self.take(())
            await self._write()
        found = await self._telemetry.read(partial(_edges, since=int(since // 60), until=int(until // 60) + 1))
        total: dict[tuple[str, str], Edge] = {}
        for edge in found:
            known = total.setdefault((edge.source, edge.target), Edge(edge.source, edge.target))
            known.merge(edge)
        return sorted(total.values(), key=lambda e: (e.source != CLIENT, e.source, e.target))


async def _edges(tx: Tx, *, since: int, until: int) -> list[Edge]:
    rows = await tx.fetch(EDGES, since, until)
    return [Edge(row[0], row[1], row[2], row[3], row[4], row[5], row[6], _decode(row[7])) for row in rows]
