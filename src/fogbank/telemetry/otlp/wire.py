"""Protobuf's encoding, as far as OTLP needs it: numbered fields in, numbered fields out.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

Value = int | bytes
"""A varint or a fixed number as it is (unsigned), or the bytes of a length-delimited field."""


class WireError(ValueError):
    """Bytes that are no message."""


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """The fields of a message: number and value."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise WireError("a field has the number 0")
        value: Value
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            length, at = _varint(data, at)
            value = data[at : at + length]
            if len(value) != length:
                raise WireError("a field is cut off")
            at += length
        elif kind in {1, 5}:
            width = 8 if kind == 1 else 4
            piece = data[at : at + width]
            if len(piece) != width:
                raise WireError("a field is cut off")
            value = int.from_bytes(piece, "little")
            at += width
        else:
            raise WireError(f"a field has the wire type {kind}")
        yield number, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise WireError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7


def signed(value: int) -> int:
    """An int64 of its varint."""
    return value - (1 << 64) if value >= 1 << 63 else value


def double(value: int) -> float:
    """A double of its fixed number."""
    found: float = struct.unpack("<d", value.to_bytes(8, "little"))[0]
    return found


def varint(value: int) -> bytes:
    """A number; a negative one as an int64 of ten bytes."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_number(number: int, value: int) -> bytes:
    """A varint field."""
    return varint(number << 3) + varint(value)


def put_bytes(number: int, value: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def put_text(number: int, value: str) -> bytes:
    """A string field."""
    return put_bytes(number, value.encode("utf-8", "replace"))


def put_fixed64(number: int, value: int) -> bytes:
    """A fixed64 field."""
    return varint(number << 3 | 1) + (value & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "little")


def put_double(number: int, value: float) -> bytes:
    """A double field."""
    return varint(number << 3 | 1) + struct.pack("<d", value)
