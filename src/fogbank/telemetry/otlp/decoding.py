"""ExportTraceServiceRequest, in protobuf or in JSON, as spans. Pure functions.

A span that cannot be one (its ids are not of their length, its times are none) is rejected by itself and counted.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fogbank.core.scope import Scope
from fogbank.telemetry.model import Kind, Link, Span, Status
from fogbank.telemetry.otlp.wire import Value, WireError, double, fields, signed

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
"""The names of SpanKind, by its numbers; the `operation` of such a span."""
_MAX_DEPTH = 20
_ERROR = 2
_FARTHEST = 1 << 63


class DecodeError(ValueError):
    """A body that is no ExportTraceServiceRequest."""


@dataclass(slots=True)
class _Raw:
    """A span as it came: ids in hex, times in nanoseconds."""

    trace: str = ""
    id: str = ""
    parent: str = ""
    name: str = ""
    kind: int = 0
    start: int = 0
    end: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    message: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class Decoded:
    """The spans of a request, and how many were rejected."""

    spans: list[Span]
    rejected: int


def decode_protobuf(data: bytes, scope: Scope) -> Decoded:
    """A request in protobuf. `scope` is whose spans they are, where their resource does not say; `DecodeError`."""
    spans: list[Span] = []
    rejected = 0
    try:
        for number, value in fields(data):
            if number == 1:
                resource, raws = _resource_spans(_message(value))
                good = [span for raw in raws if (span := _span(raw, resource, scope)) is not None]
                rejected += len(raws) - len(good)
                spans += good
    except (WireError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"the body is no ExportTraceServiceRequest: {error}") from None
    return Decoded(spans, rejected)


def _message(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise WireError("a number stands where a message should")
    return value


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise WireError("a message stands where a number should")
    return value


def _text(value: Value) -> str:
    return _message(value).decode()


def _resource_spans(data: bytes) -> tuple[dict[str, Any], list[_Raw]]:
    resource: dict[str, Any] = {}
    raws: list[_Raw] = []
    for number, value in fields(data):
        if number == 1:
            resource |= _attributes(v for n, v in fields(_message(value)) if n == 1)
        elif number == 2:
            raws += [_raw(_message(v)) for n, v in fields(_message(value)) if n == 2]
    return resource, raws


def _attributes(values: Iterable[Value]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in values:
        key, value = "", None
        for number, part in fields(_message(each)):
            if number == 1:
                key = _text(part)
            elif number == 2:
                value = _any(_message(part), 0)
        found[key] = value
    return found


def _any(data: bytes, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise WireError("a value is nested too deeply")
    found: Any = None
    for number, value in fields(data):
        match number:
            case 1:
                found = _text(value)
            case 2:
                found = bool(_number(value))
            case 3:
                found = signed(_number(value))
            case 4:
                found = double(_number(value))
            case 5:
                found = [_any(_message(v), depth + 1) for n, v in fields(_message(value)) if n == 1]
            case 6:
                found = _attributes_within(_message(value), depth + 1)
            case 7:
                found = base64.b64encode(_message(value)).decode()
    return found


def _attributes_within(data: bytes, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise WireError("a value is nested too deeply")
    found: dict[str, Any] = {}
    for number, each in fields(data):
        if number != 1:
            continue
        key, value = "", None
        for part_number, part in fields(_message(each)):
            if part_number == 1:
                key = _text(part)
            elif part_number == 2:
                value = _any(_message(part), depth + 1)
        found[key] = value
    return found


def _raw(data: bytes) -> _Raw:
    raw = _Raw()
    attributes: list[Value] = []
    for number, value in fields(data):
        match number:
            case 1:
                raw.trace = _message(value).hex()
            case 2:
                raw.id = _message(value).hex()
            case 4:
                raw.parent = _message(value).hex()
            case 5:
                raw.name = _text(value)
            case 6:
                raw.kind = _number(value)
            case 7:
                raw.start = _number(value)
            case 8:
                raw.end = _number(value)
            case 9:
                attributes.append(value)
            case 11:
                raw.events.append(_event(_message(value)))
            case 13:
                found = dict(fields(_message(value)))
                raw.links.append((_message(found.get(1, b"")).hex(), _message(found.get(2, b"")).hex()))
            case 15:
                found = dict(fields(_message(value)))
                raw.message, raw.code = _text(found.get(2, b"")), _number(found.get(3, 0))
    raw.attributes = _attributes(attributes)
    return raw


def _event(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    attributes: list[Value] = []
    for number, value in fields(data):
        if number == 1:
            found["time"] = _number(value) / 1e9
        elif number == 2:
            found["name"] = _text(value)
        elif number == 3:
            attributes.append(value)
    if attributes:
        found["attributes"] = _attributes(attributes)
    return found


# -- JSON --------------------------------------------------------------------------------------------------------


def decode_json(data: bytes, scope: Scope) -> Decoded:
    """A request in JSON: ids in hex, 64-bit numbers as text or as numbers; `DecodeError`."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DecodeError(f"the body is not JSON: {error}") from None
    spans: list[Span] = []
    rejected = 0
    try:
        for group in _list(document, "resourceSpans"):
            resource = _json_attributes(_list(_object(group.get("resource")), "attributes"))
            for part in _list(group, "scopeSpans"):
                for each in _list(part, "spans"):
                    span = _span(_json_raw(each), resource, scope)
                    if span is None:
                        rejected += 1
                    else:
                        spans.append(span)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DecodeError(f"the body is no ExportTraceServiceRequest: {error}") from None
    return Decoded(spans, rejected)


def _object(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return value


def _list(document: Any, name: str) -> list[Any]:
    value = _object(document).get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"{name}: expected a list, got {type(value).__name__}")
    return value


def _json_attributes(given: list[Any]) -> dict[str, Any]:
    return {str(_object(each).get("key", "")): _json_any(_object(_object(each).get("value"))) for each in given}


_SIMPLE: Mapping[str, Callable[[Any], Any]] = {
    "stringValue": str,
    "boolValue": bool,
    "intValue": int,
    "doubleValue": float,
    "bytesValue": str,
}


def _json_any(value: Mapping[str, Any]) -> Any:
    for name, inner in value.items():
        if name in _SIMPLE:
            return _SIMPLE[name](inner)
        if name == "arrayValue":
            return [_json_any(_object(each)) for each in _list(inner, "values")]
        if name == "kvlistValue":
            return _json_attributes(_list(inner, "values"))
    return None


def _json_raw(given: Any) -> _Raw:
    value = _object(given)
    status = _object(value.get("status"))
    return _Raw(
        trace=_hex(value.get("traceId")),
        id=_hex(value.get("spanId")),
        parent=_hex(value.get("parentSpanId")),
        name=str(value.get("name") or ""),
        kind=_enum(value.get("kind"), [f"SPAN_KIND_{name.upper()}" for name in KINDS]),
        start=int(value.get("startTimeUnixNano") or 0),
        end=int(value.get("endTimeUnixNano") or 0),
        attributes=_json_attributes(_list(value, "attributes")),
        events=[_json_event(_object(each)) for each in _list(value, "events")],
        links=[(_hex(_object(e).get("traceId")), _hex(_object(e).get("spanId"))) for e in _list(value, "links")],
        message=str(status.get("message") or ""),
        code=_enum(status.get("code"), ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]),
    )


def _json_event(event: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"time": int(event.get("timeUnixNano") or 0) / 1e9, "name": str(event.get("name") or "")}
    attributes = _list(event, "attributes")
    if attributes:
        found["attributes"] = _json_attributes(attributes)
    return found


def _enum(value: Any, names: list[str]) -> int:
    if value is None:
        return 0
    return names.index(value) if isinstance(value, str) else int(value)


def _hex(value: Any) -> str:
    """An id in hex; some clients write protobuf's base64 instead."""
    text = str(value or "").lower()
    if len(text) in {0, 16, 32}:
        return text
    try:
        return base64.b64decode(str(value), validate=True).hex()
    except (binascii.Error, ValueError):
        return text


# -- both --------------------------------------------------------------------------------------------------------


def _span(raw: _Raw, resource: Mapping[str, Any], scope: Scope) -> Span | None:
    if not _is_id(raw.trace, 32) or not _is_id(raw.id, 16) or (raw.parent and not _is_id(raw.parent, 16)):
        return None
    if not 0 < raw.start <= raw.end < _FARTHEST:
        return None
    failed = raw.code == _ERROR
    attributes = {key: _plain(value) for key, value in raw.attributes.items()}
    exception = next((event for event in raw.events if event.get("name") == "exception"), None)
    kind = str((exception or {}).get("attributes", {}).get("exception.type", "")) if failed else ""
    if raw.events:
        attributes["events"] = [_plain(event) for event in raw.events]
    if raw.message:
        attributes["message"] = raw.message
    account = str(resource.get("cloud.account.id") or scope.account)
    region = str(resource.get("cloud.region") or scope.region)
    return Span(
        trace=f"1-{raw.trace[:8]}-{raw.trace[8:]}",
        id=raw.id,
        parent=raw.parent,
        kind=Kind.SPAN,
        name=raw.name or "span",
        service=str(resource.get("service.name") or "unknown_service"),
        operation=KINDS[raw.kind] if 0 <= raw.kind < len(KINDS) else KINDS[0],
        resource="",
        scope=Scope(account, region),
        start=raw.start / 1e9,
        end=raw.end / 1e9,
        status=Status.FAULT if failed else Status.OK,
        error=(kind or "error") if failed else "",
        attributes=attributes,
        links=tuple(Link(f"1-{t[:8]}-{t[8:]}", s) for t, s in raw.links if _is_id(t, 32) and _is_id(s, 16)),
    )


def _is_id(text: str, length: int) -> bool:
    return len(text) == length and text.strip("0") != "" and all(c in "0123456789abcdef" for c in text)


def _plain(value: Any) -> Any:
    """A value that JSON has: numbers that are none become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
