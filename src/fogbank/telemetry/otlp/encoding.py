"""Spans as ExportTraceServiceRequest in protobuf. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fogbank.telemetry.model import Kind, Span, Status
from fogbank.telemetry.otlp.decoding import KINDS
from fogbank.telemetry.otlp.wire import put_bytes, put_double, put_fixed64, put_number, put_text
from fogbank.telemetry.resources import node_of

SCOPE_NAME = "fogbank"
_HIDDEN = frozenset({"document", "events", "message"})
_SPAN_KINDS = {
    Kind.API: 2,
    Kind.INVOCATION: 2,
    Kind.EXECUTION: 2,
    Kind.DELIVERY: 4,
    Kind.QUEUE: 5,
    Kind.POLL: 5,
}
"""SpanKind: server, producer, consumer; others are internal."""
_MAX_DEPTH = 10


def encode(spans: Sequence[Span]) -> bytes:
    """A request with the spans, each under the resource of what did the work."""
    groups: dict[tuple[str, str, str], list[Span]] = {}
    for span in spans:
        groups.setdefault((_service(span), span.scope.account, span.scope.region), []).append(span)
    out = bytearray()
    for (service, account, region), members in groups.items():
        resource = b"".join(
            put_bytes(1, _pair(key, value))
            for key, value in (
                ("service.name", service),
                ("cloud.provider", "aws"),
                ("cloud.account.id", account),
                ("cloud.region", region),
            )
        )
        scope = put_bytes(1, put_text(1, SCOPE_NAME)) + b"".join(put_bytes(2, encode_span(span)) for span in members)
        out += put_bytes(1, put_bytes(1, resource) + put_bytes(2, scope))
    return bytes(out)


def _service(span: Span) -> str:
    if span.kind is Kind.SPAN:
        return span.service
    service, name = node_of(span)
    return name or service


def encode_span(span: Span) -> bytes:
    """One span."""
    kind = KINDS.index(span.operation) if span.kind is Kind.SPAN and span.operation in KINDS else None
    out = bytearray(put_bytes(1, trace_id(span.trace)) + put_bytes(2, _span_id(span.id)))
    if span.parent:
        out += put_bytes(4, _span_id(span.parent))
    out += put_text(5, span.name)
    out += put_number(6, _SPAN_KINDS.get(span.kind, 1) if kind is None else kind)
    out += put_fixed64(7, round(span.start * 1e9)) + put_fixed64(8, round(span.end * 1e9))
    for key, value in _attributes(span).items():
        out += put_bytes(9, _pair(key, value))
    for event in span.attributes.get("events", ()):
        out += put_bytes(11, _event(event))
    for link in span.links:
        out += put_bytes(13, put_bytes(1, trace_id(link.trace)) + put_bytes(2, _span_id(link.span)))
    if span.status is not Status.OK:
        text = str(span.attributes.get("message") or span.error)
        out += put_bytes(15, put_text(2, text) + put_number(3, 2))
    return bytes(out)


def _attributes(span: Span) -> dict[str, Any]:
    found = {key: value for key, value in span.attributes.items() if key not in _HIDDEN}
    if span.kind is Kind.SPAN:
        return found
    found = {f"fogbank.{key}": value for key, value in found.items()}
    found["fogbank.kind"] = span.kind.value
    if span.kind is Kind.API:
        found |= {"rpc.system": "aws-api", "rpc.service": span.service, "rpc.method": span.operation}
    if span.resource:
        found["aws.resource"] = span.resource
    if span.error:
        found["error.type"] = span.error
    return found


def trace_id(trace: str) -> bytes:
    """The 16 bytes of a trace's id."""
    return bytes.fromhex(trace[2:10] + trace[11:])


def _span_id(name: str) -> bytes:
    return bytes.fromhex(name)


def _event(event: Mapping[str, Any]) -> bytes:
    out = put_fixed64(1, round(float(event.get("time") or 0) * 1e9)) + put_text(2, str(event.get("name") or ""))
    return out + b"".join(put_bytes(3, _pair(key, value)) for key, value in (event.get("attributes") or {}).items())


def _pair(key: str, value: Any) -> bytes:
    return put_text(1, key) + put_bytes(2, _any(value, 0))


def _any(value: Any, depth: int) -> bytes:
    if depth > _MAX_DEPTH:
        return put_text(1, "…")
    match value:
        case bool():
            return put_number(2, int(value))
        case int() if -(1 << 63) <= value < 1 << 63:
            return put_number(3, value)
        case float():
            return put_double(4, value)
        case list() | tuple():
            return put_bytes(5, b"".join(put_bytes(1, _any(each, depth + 1)) for each in value))
        case Mapping():
            pairs = (put_text(1, str(k)) + put_bytes(2, _any(v, depth + 1)) for k, v in value.items())
            return put_bytes(6, b"".join(put_bytes(1, pair) for pair in pairs))
        case None:
            return b""
        case _:
            return put_text(1, str(value))
