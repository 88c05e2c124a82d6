"""Event streams: an answer that goes on, as messages of `application/vnd.amazon.eventstream`.

    total length · headers length · CRC of both · headers · payload · CRC of all        (lengths are 4 bytes)

Source: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from fogbank.core.errors import ApiError
from fogbank.core.models import (
    BlobShape,
    BooleanShape,
    Member,
    NumberShape,
    ShapeType,
    StringShape,
    StructureShape,
    TimestampShape,
)

CONTENT_TYPE = "application/vnd.amazon.eventstream"

EncodeBody = Callable[[StructureShape, Mapping[str, Member], Mapping[str, Any]], bytes]
"""Writes members of a structure as a document of the stream's protocol."""

_INTEGER_WIRE = {ShapeType.INTEGER: (4, ">i"), ShapeType.LONG: (5, ">q")}


def message(headers: Mapping[str, Any], payload: bytes) -> bytes:
    """One message. Header values are text, bytes, booleans, integers, or `(type, packed)` as they are."""
    packed = b"".join(_header(name, value) for name, value in headers.items())
    total = 16 + len(packed) + len(payload)
    prelude = struct.pack(">II", total, len(packed))
    head = prelude + struct.pack(">I", zlib.crc32(prelude))
    body = head + packed + payload
    return body + struct.pack(">I", zlib.crc32(body))


def _header(name: str, value: Any) -> bytes:
    raw = name.encode()
    start = struct.pack(">B", len(raw)) + raw
    if isinstance(value, tuple):
        kind, packed = value
        return start + bytes([kind]) + bytes(packed)
    if isinstance(value, bool):
        return start + (b"\0" if value else b"\1")
    if isinstance(value, int):
        return start + b"\5" + struct.pack(">q", value)
    if isinstance(value, bytes):
        return start + b"\6" + struct.pack(">H", len(value)) + value
    text = str(value).encode()
    return start + b"\7" + struct.pack(">H", len(text)) + text


class EventStreamWriter:
    """Writes the events of one stream shape."""

    def __init__(self, shape: StructureShape, content_type: str, encode_body: EncodeBody) -> None:
        self._shape = shape
        self._content_type = content_type
        self._encode_body = encode_body

    def initial_response(self, shape: StructureShape, values: Mapping[str, Any], *, without: str) -> bytes:
        """The message that carries an output's other members, in protocols that have no headers for them."""
        members = {name: member for name, member in shape.members.items() if name != without}
        present = {name: value for name, value in values.items() if name in members}
        headers = {
            ":event-type": "initial-response",
            ":content-type": self._content_type,
            ":message-type": "event",
        }
        return message(headers, self._encode_body(shape, members, present))

    def event(self, event: Mapping[str, Any]) -> bytes:
        """One event, `{"PayloadChunk": {...}}`, or an error of the stream by its member's name."""
        ((name, value),) = event.items()
        target = self._shape.members[name].shape
        if not isinstance(target, StructureShape):
            raise TypeError(f"{self._shape.name}.{name} is no event")
        kind = "exception" if target.exception else "event"
        headers: dict[str, Any] = {f":{kind}-type": name, ":message-type": kind}
        payload = b""
        rest: dict[str, Member] = {}
        for key, member in target.members.items():
            item = value.get(key)
            if member.event_header:
                if item is not None:
                    headers[key] = _header_value(member, item)
            elif member.event_payload:
                headers[":content-type"], payload = self._payload(member, item)
            else:
                rest[key] = member
        if rest:
            headers[":content-type"] = self._content_type
            payload = self._encode_body(target, rest, value)
        return message(headers, payload)

    def error(self, error: ApiError) -> bytes:
        """An error that ends the stream: one that the stream's shape has, else an unmodelled one."""
        for name, member in self._shape.members.items():
            target = member.shape
            if isinstance(target, StructureShape) and target.exception and target.name == error.code:
                return self.event({name: {"message": error.message, "Message": error.message, **error.members}})
        headers = {":message-type": "error", ":error-code": error.code, ":error-message": error.message}
        return message(headers, b"")

    def _payload(self, member: Member, item: Any) -> tuple[str, bytes]:
        shape = member.shape
        if isinstance(shape, BlobShape):
            return "application/octet-stream", bytes(item or b"")
        if isinstance(shape, StringShape):
            return "text/plain", (item or "").encode()
        if isinstance(shape, StructureShape):
            return self._content_type, self._encode_body(shape, shape.members, item or {})
        raise TypeError(f"{shape.name} cannot be an event's payload")

    async def stream(self, events: AsyncIterator[Mapping[str, Any]], first: bytes = b"") -> AsyncIterator[bytes]:
        """The messages of a stream, until its events end or one of them is an error."""
        try:
            if first:
                yield first
            async for event in events:
                yield self.event(event)
        except ApiError as error:
            yield self.error(error)
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()


def _header_value(member: Member, value: Any) -> Any:
    shape = member.shape
    if isinstance(shape, TimestampShape):
        return 8, struct.pack(">q", round(value * 1000))
    if isinstance(shape, NumberShape):
        kind, form = _INTEGER_WIRE.get(shape.type, (5, ">q"))
        return kind, struct.pack(form, int(value))
    if isinstance(shape, BooleanShape):
        return bool(value)
    return value
