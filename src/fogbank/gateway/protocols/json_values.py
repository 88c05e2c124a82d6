"""JSON values to and from the model's shapes, compiled once for each shape.

A reader takes what `msgspec.json.decode` made and gives Python's types for the model's: it checks types, drops
members that are unknown or null, and converts blobs and timestamps. A writer does the reverse. Shapes that JSON
holds as they are (no renamed members, no timestamps with a format of their own) are handed to msgspec whole,
which writes bytes as base64 itself; only if there is a null in the result are they taken through the writer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from fogbank.core.models import (
    BlobShape,
    BooleanShape,
    ListShape,
    MapShape,
    Member,
    NumberShape,
    Shape,
    ShapeType,
    StringShape,
    StructureShape,
    TimestampFormat,
    TimestampShape,
)
from fogbank.gateway.protocols.faults import SerializationError
from fogbank.gateway.protocols.text import INTEGER_BITS, read_base64, timestamp_format
from fogbank.gateway.protocols.timestamps import format_timestamp, parse_timestamp

Convert = Callable[[Any], Any]

_TOKENS = {bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE", str: "STRING_VALUE"}


def parse_json(body: bytes) -> Any:
    """A JSON document; `SerializationError` if it is malformed, nested too deeply or not UTF-8."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise SerializationError(f"Malformed JSON: {error}") from None
    except RecursionError:
        raise SerializationError("Malformed JSON: nested too deeply") from None
    except UnicodeDecodeError:
        raise SerializationError("Malformed JSON: not UTF-8") from None


def _unexpected(value: Any, wanted: str) -> SerializationError:
    """The error for a value of another type, in the words of AWS's JSON parser."""
    if isinstance(value, dict):
        return SerializationError("Start of structure or map found where not expected.")
    if isinstance(value, list):
        return SerializationError(f"Unrecognized collection type class java.lang.{wanted}")
    token = "FALSE_VALUE" if value is False else _TOKENS.get(type(value), "NULL_VALUE")
    return SerializationError(f"{token} cannot be converted to {wanted}")


# Reading


class JsonReaders:
    """Compiles readers; one for a service and protocol, so that recursive shapes meet themselves."""

    def __init__(self) -> None:
        self._made: dict[Shape, Convert] = {}

    def of(self, shape: Shape) -> Convert:
        """The reader of a shape."""
        if isinstance(shape, TimestampShape):
            return _read_timestamp
        found = self._made.get(shape)
        if found is not None:
            return found
        if isinstance(shape, StructureShape):
            return self.structure(shape, shape.members)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        reader = self._made[shape] = _leaf_reader(shape)
        return reader

    def structure(self, shape: StructureShape, members: Mapping[str, Member]) -> Convert:
        """The reader of a structure, or of those of its members that the body carries."""
        if shape.document:
            return _as_is
        fields: dict[str, tuple[str, Convert]] = {}

        def read(value: Any) -> Any:
            if type(value) is not dict:
                if type(value) is list:
                    raise SerializationError(f"Unrecognized collection type class {shape.name}")
                raise SerializationError("Unexpected field type")
            result = {}
            for key, item in value.items():
                if item is not None:
                    field = fields.get(key)
                    if field is not None:
                        result[field[0]] = field[1](item)
            return result

        if members is shape.members:
            self._made[shape] = read
        for name, member in members.items():
            fields[member.wire_name] = (name, self.of(member.shape))
        return read

    def _list(self, shape: ListShape) -> Convert:
        element: Convert = _as_is

        def read(value: Any) -> Any:
            if type(value) is not list:
                if type(value) is dict:
                    raise SerializationError("Start of structure or map found where not expected.")
                raise SerializationError("Unexpected field type")
            return [None if item is None else element(item) for item in value]

        self._made[shape] = read
        element = self.of(shape.member.shape)
        return read

    def _map(self, shape: MapShape) -> Convert:
        element: Convert = _as_is

        def read(value: Any) -> Any:
            if type(value) is not dict:
                if type(value) is list:
                    raise SerializationError("Unrecognized collection type java.util.Map")
                raise SerializationError("Unexpected field type")
            return {key: None if item is None else element(item) for key, item in value.items()}

        self._made[shape] = read
        element = self.of(shape.value.shape)
        return read


def _as_is(value: Any) -> Any:
    return value


def _leaf_reader(shape: Shape) -> Convert:
    if isinstance(shape, StringShape):
        return _read_string
    if isinstance(shape, BooleanShape):
        return _read_boolean
    if isinstance(shape, BlobShape):
        return _read_blob
    if isinstance(shape, NumberShape):
        return _integer_reader(shape) if shape.whole else _read_float
    raise TypeError(f"{shape.type} {shape.name} is no leaf")


def _read_string(value: Any) -> str:
    if type(value) is str:
        return value
    raise _unexpected(value, "String")


def _read_boolean(value: Any) -> bool:
    if value is True or value is False:
        return value
    raise _unexpected(value, "Boolean")


def _read_blob(value: Any) -> bytes:
    if type(value) is str:
        return read_base64(value)
    raise SerializationError("only base-64-encoded strings are convertible to bytes")


def _integer_reader(shape: NumberShape) -> Convert:
    bits = INTEGER_BITS.get(shape.type, 127)
    low, high = -(1 << bits), 1 << bits
    name = "Long" if shape.type is ShapeType.LONG else "Integer"

    def read(value: Any) -> int:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and low <= value < high:
            return value
        raise _unexpected(value, name)

    return read


_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _read_float(value: Any) -> float:
    if type(value) is float or type(value) is int:
        return value
    if type(value) is str and value in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[value]
    raise _unexpected(value, "Double")


def _read_timestamp(value: Any) -> float:
    if type(value) is float or type(value) is int:
        return value
    if type(value) is str:
        try:
            return parse_timestamp(value)
        except (ValueError, TypeError, OverflowError, IndexError):
            pass
    raise _unexpected(value, "Timestamp")


# Writing


class JsonWriters:
    """Compiles writers; one for a service and protocol."""

    def __init__(self) -> None:
        self._made: dict[Shape, Convert] = {}

    def of(self, shape: Shape, member: Member | None = None) -> Convert:
        """The writer of a shape: it gives what `msgspec.json.encode` takes."""
        if isinstance(shape, TimestampShape):
            form = timestamp_format(member, shape, TimestampFormat.UNIX)
            if form is TimestampFormat.UNIX:
                return _whole_if_it_is
            return lambda value: format_timestamp(value, form)
        found = self._made.get(shape)
        if found is not None:
            return found
        if isinstance(shape, StructureShape):
            return self.structure(shape, shape.members)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        whole = not isinstance(shape, NumberShape) or shape.whole
        writer = self._made[shape] = _as_is if whole else _write_float
        return writer

    def structure(self, shape: StructureShape, members: Mapping[str, Member]) -> Convert:
        """The writer of a structure, or of those of its members that the body carries."""
        if shape.document:
            return _as_is
        fields: dict[str, tuple[str, Convert]] = {}

        def write(value: Any) -> Any:
            result = {}
            for name, item in value.items():
                if item is not None:
                    field = fields.get(name)
                    if field is not None:
                        result[field[0]] = field[1](item)
            return result

        if members is shape.members:
            self._made[shape] = write
        for name, member in members.items():
            fields[name] = (member.wire_name, self.of(member.shape, member))
        return write

    def _list(self, shape: ListShape) -> Convert:
        element: Convert = _as_is

        def write(value: Any) -> Any:
            return [None if item is None else element(item) for item in value]

        self._made[shape] = write
        element = self.of(shape.member.shape, shape.member)
        return write

    def _map(self, shape: MapShape) -> Convert:
        element: Convert = _as_is

        def write(value: Any) -> Any:
            return {key: element(item) for key, item in value.items() if item is not None}

        self._made[shape] = write
        element = self.of(shape.value.shape, shape.value)
        return write

    def encoder(self, shape: StructureShape, members: Mapping[str, Member]) -> Callable[[Any], bytes]:
        """The function from a structure to the bytes of its JSON."""
        write = self.structure(shape, members)
        encode = msgspec.json.encode
        if shape.document or not _all_plain(members.values()):
            return lambda value: encode(write(value))

        def encode_plain(value: Any) -> bytes:
            body = encode(value)
            return encode(write(value)) if b"null" in body else body

        return encode_plain


def _all_plain(members: Iterable[Member]) -> bool:
    """Whether JSON holds everything that these members can hold as Python does."""
    pending = list(members)
    seen: set[Shape] = set()
    while pending:
        member = pending.pop()
        shape = member.shape
        if member.location_name not in {None, member.name}:
            return False
        if isinstance(shape, TimestampShape):
            if timestamp_format(member, shape, TimestampFormat.UNIX) is not TimestampFormat.UNIX:
                return False
        elif shape not in seen:
            seen.add(shape)
            if isinstance(shape, StructureShape):
                pending.extend(shape.members.values())
            elif isinstance(shape, ListShape):
                pending.append(shape.member)
            elif isinstance(shape, MapShape):
                pending.append(shape.value)
    return True


def _whole_if_it_is(value: float) -> float:
    return int(value) if value == int(value) else value


def _write_float(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if value in {math.inf, -math.inf}:
        return "Infinity" if value > 0 else "-Infinity"
    return value
