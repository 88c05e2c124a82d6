"""CBOR values to and from the model's shapes: as JSON's, but for blobs, floats and timestamps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from fogbank.core.models import (
    BlobShape,
    BooleanShape,
    ListShape,
    MapShape,
    Member,
    NumberShape,
    Shape,
    StringShape,
    StructureShape,
    TimestampShape,
)
from fogbank.gateway.protocols.cbor import Moment
from fogbank.gateway.protocols.faults import SerializationError
from fogbank.gateway.protocols.text import INTEGER_BITS

Convert = Callable[[Any], Any]


def _wrong(value: Any, shape: Shape) -> SerializationError:
    return SerializationError(f"Expected a {shape.type}, got {type(value).__name__}")


class CborValues:
    """Compiles readers (`writing` false) or writers; one for a service, so that recursive shapes meet themselves.

    Both walk alike and differ at the leaves, so one class does for both.
    """

    def __init__(self, *, writing: bool) -> None:
        self._leaf = _leaf_writer if writing else _leaf_reader
        self._made: dict[Shape, Convert] = {}

    def of(self, shape: Shape) -> Convert:
        """The function that converts a value of this shape."""
        found = self._made.get(shape)
        if found is not None:
            return found
        if isinstance(shape, StructureShape):
            return self.structure(shape, shape.members)
        if isinstance(shape, ListShape):
            return self._list(shape)
        if isinstance(shape, MapShape):
            return self._map(shape)
        convert = self._made[shape] = self._leaf(shape)
        return convert

    def structure(self, shape: StructureShape, members: Mapping[str, Member]) -> Convert:
        """The function for a structure; members that are unknown or null are dropped."""
        fields: dict[str, Convert] = {}

        def convert_structure(value: Any) -> Any:
            if not isinstance(value, Mapping):
                raise _wrong(value, shape)
            result = {}
            for name, item in value.items():
                convert = fields.get(name)
                if convert is not None and item is not None:
                    result[name] = convert(item)
            return result

        self._made[shape] = convert_structure
        for name, member in members.items():
            fields[name] = self.of(member.shape)
        return convert_structure

    def _list(self, shape: ListShape) -> Convert:
        convert: Convert

        def convert_list(value: Any) -> Any:
            if not isinstance(value, list | tuple):
                raise _wrong(value, shape)
            return [None if item is None else convert(item) for item in value]

        self._made[shape] = convert_list
        convert = self.of(shape.member.shape)
        return convert_list

    def _map(self, shape: MapShape) -> Convert:
        convert: Convert

        def convert_map(value: Any) -> Any:
            if not isinstance(value, Mapping):
                raise _wrong(value, shape)
            return {key: None if item is None else convert(item) for key, item in value.items()}

        self._made[shape] = convert_map
        convert = self.of(shape.value.shape)
        return convert_map


def _leaf_reader(shape: Shape) -> Convert:
    if isinstance(shape, StringShape):
        return lambda value: _checked(value, str, shape)
    if isinstance(shape, BlobShape):
        return lambda value: _checked(value, bytes, shape)
    if isinstance(shape, BooleanShape):
        return lambda value: _checked(value, bool, shape)
    if isinstance(shape, TimestampShape):
        return lambda value: _read_moment(value, shape)
    if isinstance(shape, NumberShape):
        return _number_reader(shape)
    raise TypeError(f"{shape.type} {shape.name} is no leaf")


def _checked(value: Any, kind: type, shape: Shape) -> Any:
    if type(value) is not kind:
        raise _wrong(value, shape)
    return value


def _number_reader(shape: NumberShape) -> Convert:
    bits = INTEGER_BITS.get(shape.type, 127)
    low, high = -(1 << bits), 1 << bits

    def read(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(value, shape)
        if not shape.whole:
            return value
        if isinstance(value, float):
            if not value.is_integer():
                raise _wrong(value, shape)
            value = int(value)
        if not low <= value < high:
            raise _wrong(value, shape)
        return value

    return read


def _read_moment(value: Any, shape: Shape) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise _wrong(value, shape)
    plain = float(value)
    return int(plain) if plain.is_integer() else plain


def _leaf_writer(shape: Shape) -> Convert:
    if isinstance(shape, TimestampShape):
        return Moment
    if isinstance(shape, NumberShape) and not shape.whole:
        return float
    return lambda value: value
