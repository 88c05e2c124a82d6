"""Simple values as text: in headers, query strings, paths, forms and XML."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Any

from fogbank.core.models import (
    BlobShape,
    BooleanShape,
    Member,
    NumberShape,
    Shape,
    ShapeType,
    StringShape,
    TimestampFormat,
    TimestampShape,
)
from fogbank.gateway.protocols.faults import SerializationError
from fogbank.gateway.protocols.timestamps import format_timestamp, parse_timestamp

ReadText = Callable[[str], Any]
WriteText = Callable[[Any], str]

INTEGER_BITS = {ShapeType.INTEGER: 31, ShapeType.LONG: 63}
_INTEGER = re.compile(r"[+-]?\d{1,400}", re.ASCII)


def timestamp_format(member: Member | None, shape: Shape, default: TimestampFormat) -> TimestampFormat:
    """How a timestamp is written: as its reference says, else its shape, else the protocol."""
    if member is not None and member.timestamp_format is not None:
        return member.timestamp_format
    if isinstance(shape, TimestampShape) and shape.format is not None:
        return shape.format
    return default


def text_reader(shape: Shape) -> ReadText:
    """The function that reads a simple shape from text; it raises `SerializationError`."""
    if isinstance(shape, StringShape):
        return _read_string
    if isinstance(shape, BooleanShape):
        return _read_boolean
    if isinstance(shape, NumberShape):
        return integer_reader(shape) if shape.whole else read_float
    if isinstance(shape, BlobShape):
        return read_base64
    if isinstance(shape, TimestampShape):
        return _read_timestamp
    raise TypeError(f"{shape.type} {shape.name} cannot be read from text")


def text_writer(shape: Shape, form: TimestampFormat) -> WriteText:
    """The function that writes a simple shape as text."""
    if isinstance(shape, BooleanShape):
        return lambda value: "true" if value else "false"
    if isinstance(shape, NumberShape) and not shape.whole:
        return write_float
    if isinstance(shape, BlobShape):
        return lambda value: base64.b64encode(value).decode("ascii")
    if isinstance(shape, TimestampShape):
        return lambda value: format_timestamp(value, form)
    return str


def _read_string(text: str) -> str:
    return text


def _read_boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered == "true":
        return True
    if lowered == "false":
        return False
    raise SerializationError("STRING_VALUE cannot be converted to Boolean")


def integer_reader(shape: NumberShape) -> Callable[[str], int]:
    """The function that reads an integer of the shape's width from text."""
    bits = INTEGER_BITS.get(shape.type)
    name = "Long" if shape.type is ShapeType.LONG else "Integer"

    def read(text: str) -> int:
        if _INTEGER.fullmatch(text) is None:
            raise SerializationError(f"STRING_VALUE cannot be converted to {name}")
        value = int(text)
        if bits is not None and not -(1 << bits) <= value < 1 << bits:
            raise SerializationError(f"STRING_VALUE cannot be converted to {name}")
        return value

    return read


_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def read_float(text: str) -> float:
    """A float, or one of the names that JSON has no number for."""
    special = _SPECIAL_FLOATS.get(text)
    if special is not None:
        return special
    try:
        value = float(text)
    except ValueError:
        raise SerializationError("STRING_VALUE cannot be converted to Double") from None
    if not math.isfinite(value):
        raise SerializationError("STRING_VALUE cannot be converted to Double")
    return value


def write_float(value: float) -> str:
    """A float; whole ones are written without a fraction."""
    if math.isnan(value):
        return "NaN"
    if value in {math.inf, -math.inf}:
        return "Infinity" if value > 0 else "-Infinity"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def read_base64(text: str) -> bytes:
    """Bytes from base64; `SerializationError` in the words of AWS's parser."""
    if len(text) % 4:
        raise SerializationError(f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(text)}")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SerializationError("Invalid Base64 text") from None


def _read_timestamp(text: str) -> float:
    try:
        return parse_timestamp(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        raise SerializationError(f"Invalid timestamp: {text[:100]}") from None
