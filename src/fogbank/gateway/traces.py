"""The server's own paths for traces, which `fogbank traces`, `trace`, `map` and `top` read.

GET /_fogbank/traces?since=&until=&limit=&errors=1&duration=&key=     the newest traces; times in clock seconds
GET /_fogbank/traces/ID                                               one trace, with those that it is linked with
GET /_fogbank/invocations?since=&key= or ?trace=ID                    invocations, and where their logs are
GET /_fogbank/map?since=&until=                                       the service graph: nodes and edges
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote

from fogbank.core.clock import Clock
from fogbank.core.http import HttpResponse
from fogbank.gateway.answers import answer, problem
from fogbank.storage import StorageError, Tx
from fogbank.telemetry import Kind, Span, Status, Telemetry
from fogbank.telemetry import storage as rows
from fogbank.telemetry.graph import CLIENT, Edge, Graph
from fogbank.telemetry.resources import node_of

TRACE_PATHS = ("/_fogbank/traces", "/_fogbank/map", "/_fogbank/invocations")
MAX_TRACES = 1_000
"""Traces of one answer."""
MAX_INVOKED = 200
"""Traces whose invocations one answer tells."""
_MAX_LINKED = 10
_FOREVER = 9e12
_W3C = re.compile(r"[0-9a-f]{32}")


class TracePages:
    """Answers them."""

    def __init__(self, telemetry: Telemetry, graph: Graph, clock: Clock) -> None:
        self._telemetry = telemetry
        self._graph = graph
        self._clock = clock

    async def handle(self, path: str, query: str) -> HttpResponse:
        """Answer a GET."""
        if not self._telemetry.on:
            return problem(409, "this server records no telemetry: it was started with --no-telemetry")
        given = dict(parse_qsl(query))
        try:
            if path == "/_fogbank/traces":
                return await self._list(given)
            if path == "/_fogbank/invocations":
                return await self._invocations(given)
            if path == "/_fogbank/map":
                return await self._map(given)
            if path.startswith("/_fogbank/traces/"):
                return await self._one(unquote(path.removeprefix("/_fogbank/traces/")))
        except ValueError:
            return problem(400, f"expected numbers for since, until, duration and limit, got {given}")
        except StorageError as error:
            return problem(503, f"the telemetry database cannot be read: {error}")
        return problem(404, f"there is nothing at {path[:300]}")

    async def _list(self, given: Mapping[str, str]) -> HttpResponse:
        find = partial(
            rows.find_traces,
            since=float(given.get("since", 0)),
            until=float(given.get("until", _FOREVER)),
            limit=max(1, min(int(given.get("limit", 20)), MAX_TRACES)),
            status=Status.ERROR if given.get("errors") else Status.OK,
            duration=float(given.get("duration", 0)),
            key=given.get("key"),
        )
        found = await self._telemetry.read(find)
        return answer(
            200, {"traces": [_summary(row) for row in found], "dropped": self._telemetry.dropped, **self._now()}
        )

    async def _one(self, name: str) -> HttpResponse:
        root = xray_form(name)

        async def body(tx: Tx) -> list[tuple[rows.TraceRow, list[Span]]]:
            found = []
            wanted = [root]
            for trace in wanted:
                row = await rows.find_trace(tx, trace)
                if row is None:
                    continue
                spans = await rows.spans_of(tx, trace)
                found.append((row, spans))
                linked = {link.trace for span in spans for link in span.links}
                wanted += [each for each in sorted(linked) if each not in wanted][: _MAX_LINKED - len(wanted) + 1]
            return found

        found = await self._telemetry.read(body)
        if not found or found[0][0].trace != root:
            return problem(404, f"there is no trace {root}")
        documents = [{**_summary(row), "spans": [span_document(span) for span in spans]} for row, spans in found]
        return answer(200, {**documents[0], "linked": documents[1:], **self._now()})

    async def _invocations(self, given: Mapping[str, str]) -> HttpResponse:
        """The invocations of the newest traces that have a key, or of one trace: where each wrote its log."""
        since = float(given.get("since", 0))

        async def body(tx: Tx) -> list[Span]:
            if "trace" in given:
                traces = [xray_form(given["trace"])]
            else:
                found = await rows.find_traces(
                    tx, since=0.0, until=_FOREVER, limit=MAX_INVOKED, key=given.get("key", "")
                )
                traces = [row.trace for row in found if row.ended >= since]
            return [span for trace in traces for span in await rows.spans_of(tx, trace)]

        spans = [s for s in await self._telemetry.read(body) if s.kind is Kind.INVOCATION and s.end >= since]
        spans.sort(key=lambda span: span.start)
        return answer(200, {"invocations": [invocation_document(span) for span in spans], **self._now()})

    async def _map(self, given: Mapping[str, str]) -> HttpResponse:
        until = float(given.get("until", self._clock.time()))
        since = float(given.get("since", until - 3600))
        return answer(200, graph_document(await self._graph.edges(since, until), since, until) | self._now())

    def _now(self) -> dict[str, float]:
        return {"time": self._clock.time()}


def xray_form(name: str) -> str:
    """A trace's id as it is stored, from X-Ray's or W3C's form of it."""
    return f"1-{name[:8]}-{name[8:]}" if _W3C.fullmatch(name) else name


def _summary(row: rows.TraceRow) -> dict[str, Any]:
    return {
        "trace": row.trace,
        "name": row.name,
        "start": row.started,
        "duration": row.ended - row.started,
        "spans": row.spans,
        "status": row.status.name.lower(),
    }


def invocation_document(span: Span) -> dict[str, Any]:
    """An invocation for those who look for its log: the stream, and from when to when it had it for itself."""
    return {
        "function": span.name,
        "group": span.attributes.get("log_group"),
        "stream": span.attributes.get("log_stream"),
        "request": span.attributes.get("request_id"),
        "trace": span.trace,
        "correlation": span.attributes.get("correlation", []),
        "start": span.start,
        "end": span.end,
    }


def span_document(span: Span) -> dict[str, Any]:
    """A span for programs."""
    service, resource = node_of(span)
    found: dict[str, Any] = {
        "id": span.id,
        "parent": span.parent or None,
        "kind": span.kind.value,
        "name": span.name,
        "service": service,
        "operation": span.operation,
        "resource": resource,
        "account": span.scope.account,
        "region": span.scope.region,
        "start": span.start,
        "duration": span.duration,
        "status": span.status.name.lower(),
        "attributes": dict(span.attributes),
    }
    if span.error:
        found["error"] = span.error
    if span.links:
        found["links"] = [{"trace": link.trace, "span": link.span} for link in span.links]
    return found


def graph_document(edges: Sequence[Edge], since: float, until: float) -> dict[str, Any]:
    """The service graph: every node with all that was asked of it, every edge with its own."""
    nodes: dict[str, Edge] = {}
    for edge in edges:
        nodes.setdefault(edge.source, Edge("", edge.source))
        nodes.setdefault(edge.target, Edge("", edge.target)).merge(edge)
    seconds = max(until - since, 1.0)
    return {
        "since": since,
        "until": until,
        "nodes": [{"name": name, "client": name == CLIENT, **_numbers(node, seconds)} for name, node in nodes.items()],
        "edges": [{"source": e.source, "target": e.target, **_numbers(e, seconds)} for e in edges],
    }


def _numbers(edge: Edge, seconds: float) -> dict[str, Any]:
    return {
        "calls": edge.calls,
        "rate": edge.calls / seconds,
        "errors": edge.errors,
        "throttles": edge.throttles,
        "faults": edge.faults,
        "mean": edge.seconds / edge.calls if edge.calls else 0.0,
        "p50": edge.percentile(0.5),
        "p95": edge.percentile(0.95),
        "p99": edge.percentile(0.99),
    }
