"""CBOR (RFC 8949), as far as Smithy's RPC protocol uses it.

Reading understands everything well-formed: all lengths of integers and floats, indefinite lengths, tags (only
tag 1, a moment, and bignums keep their meaning). Writing uses definite lengths.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from fogbank.gateway.protocols.faults import SerializationError

DEEPEST = 100
"""Containers may be nested this deep."""

_BREAK = object()


class Moment(float):
    """A number that was tagged, or is to be tagged, as seconds since the epoch."""

    __slots__ = ()


def parse_cbor(data: bytes) -> Any:
    """The one value that the bytes hold; `SerializationError` if they do not hold exactly one."""
    reader = _Reader(data)
    value = reader.value(0)
    if value is _BREAK or reader.at != len(data):
        raise SerializationError("Malformed CBOR: expected one value and the end of the body")
    return value


class _Reader:
    """Walks over the bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def value(self, depth: int) -> Any:
        """The next value, or `_BREAK`."""
        if depth > DEEPEST:
            raise SerializationError(f"Malformed CBOR: nested more than {DEEPEST} levels deep")
        first = self._take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            return self._simple(info)
        if major == 0:
            return self._number(info)
        if major == 1:
            return -1 - self._number(info)
        if major in (2, 3):
            raw = self._string(major, info)
            return raw if major == 2 else _text(raw)
        if major == 4:
            return self._array(info, depth)
        if major == 5:
            return self._map(info, depth)
        return self._tagged(self._number(info), depth)

    def _take(self, n: int) -> bytes:
        end = self.at + n
        if end > len(self._data):
            raise SerializationError("Malformed CBOR: the body ends within a value")
        piece = self._data[self.at : end]
        self.at = end
        return piece

    def _number(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise SerializationError("Malformed CBOR: reserved or misplaced length")
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def _string(self, major: int, info: int) -> bytes:
        if info != 31:
            return self._take(self._number(info))
        pieces: list[bytes] = []
        while True:
            first = self._take(1)[0]
            if first == 0xFF:
                return b"".join(pieces)
            if first >> 5 != major or first & 31 == 31:
                raise SerializationError("Malformed CBOR: a piece of a string is of another type")
            pieces.append(self._take(self._number(first & 31)))

    def _array(self, info: int, depth: int) -> list[Any]:
        items = []
        if info == 31:
            while (item := self.value(depth + 1)) is not _BREAK:
                items.append(item)
            return items
        return [self._definite(depth) for _ in range(self._bounded(info))]

    def _map(self, info: int, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        remaining = math.inf if info == 31 else self._bounded(info)
        while remaining > 0:
            key = self.value(depth + 1)
            if key is _BREAK and info == 31:
                break
            if not isinstance(key, str):
                raise SerializationError("Malformed CBOR: a map's key is no text")
            result[key] = self._definite(depth)
            remaining -= 1
        return result

    def _definite(self, depth: int) -> Any:
        item = self.value(depth + 1)
        if item is _BREAK:
            raise SerializationError("Malformed CBOR: misplaced break")
        return item

    def _bounded(self, info: int) -> int:
        """A count; it cannot be more than there are bytes left, as each item takes one."""
        count = self._number(info)
        if count > len(self._data) - self.at:
            raise SerializationError("Malformed CBOR: the body ends within a value")
        return count

    def _simple(self, info: int) -> Any:
        if info == 20:
            return False
        if info == 21:
            return True
        if info in (22, 23):
            return None
        if info == 25:
            return struct.unpack(">e", self._take(2))[0]
        if info == 26:
            return struct.unpack(">f", self._take(4))[0]
        if info == 27:
            return struct.unpack(">d", self._take(8))[0]
        if info == 31:
            return _BREAK
        raise SerializationError(f"Malformed CBOR: unknown simple value {info}")

    def _tagged(self, tag: int, depth: int) -> Any:
        value = self._definite(depth)
        if tag == 1:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise SerializationError("Malformed CBOR: a moment is no number")
            try:
                return Moment(value)
            except OverflowError:
                raise SerializationError("Malformed CBOR: a moment is out of range") from None
        if tag in (2, 3) and isinstance(value, bytes):
            number = int.from_bytes(value, "big")
            return number if tag == 2 else -1 - number
        return value


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise SerializationError("Malformed CBOR: text is not UTF-8") from None


def format_cbor(value: Any) -> bytes:
    """The bytes of a value made of Python's simple types and `Moment`."""
    out = bytearray()
    _write(value, out)
    return bytes(out)


def _head(major: int, number: int, out: bytearray) -> None:
    if number < 24:
        out.append(major << 5 | number)
        return
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * width):
            out.append(major << 5 | info)
            out += number.to_bytes(width, "big")
            return
    raise ValueError(f"{number} does not fit CBOR's 64 bits")


def _write(value: Any, out: bytearray) -> None:
    if isinstance(value, str):
        raw = value.encode()
        _head(3, len(raw), out)
        out += raw
    elif value is None:
        out.append(0xF6)
    elif isinstance(value, bool):
        out.append(0xF5 if value else 0xF4)
    elif isinstance(value, int):
        _write_integer(value, out)
    elif isinstance(value, Moment):
        out.append(0xC1)
        _write_float(float(value), out)
    elif isinstance(value, float):
        _write_float(value, out)
    elif isinstance(value, dict):
        _head(5, len(value), out)
        for key, item in value.items():
            _write(key, out)
            _write(item, out)
    elif isinstance(value, list | tuple):
        _head(4, len(value), out)
        for item in value:
            _write(item, out)
    else:
        _head(2, len(value), out)
        out += value


def _write_integer(value: int, out: bytearray) -> None:
    if -(1 << 64) <= value < 1 << 64:
        _head(0 if value >= 0 else 1, value if value >= 0 else -1 - value, out)
        return
    number = value if value >= 0 else -1 - value
    out.append(0xC2 if value >= 0 else 0xC3)
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    _head(2, len(raw), out)
    out += raw


def _write_float(value: float, out: bytearray) -> None:
    out.append(0xFB)
    out += struct.pack(">d", value)
