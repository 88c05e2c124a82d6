"""Checking a request against its operation's model, twice: quickly whether, and then, if not, what.

`_compile` makes of each shape a function that only says yes or no; it allocates nothing and follows the
value. Only when that says no does `explain` walk value and model together and collect the problems.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fogbank.core.models import (
    BlobShape,
    BooleanShape,
    ListShape,
    MapShape,
    NumberShape,
    Shape,
    StringShape,
    StructureShape,
    TimestampShape,
)
from fogbank.core.validation.explain import explain
from fogbank.core.validation.regex import compile_pattern

if TYPE_CHECKING:
    from fogbank.core.models import OperationModel
    from fogbank.core.validation.problem import Problem

Valid = Callable[[Any], bool]

_NOTHING: tuple[Problem, ...] = ()
_checkers: dict[OperationModel, Valid] = {}
_compiled: dict[Shape, Valid] = {}


def check(operation: OperationModel, request: Mapping[str, Any]) -> Sequence[Problem]:
    """What is wrong with a request: nothing, as a rule.

    The request is in Python's types, as `fogbank.core.call` describes. Members that are `None` count as
    absent.
    """
    valid = _checkers.get(operation)
    if valid is None:
        valid = _checkers[operation] = _compile_operation(operation)
    if valid(request):
        return _NOTHING
    return explain(operation, request)


def _compile_operation(operation: OperationModel) -> Valid:
    if operation.input is None:
        return _anything
    return _compile(operation.input)


def _anything(value: Any) -> bool:  # noqa: ARG001 - an operation without input has nothing to check
    return True


def _compile(shape: Shape) -> Valid:
    found = _compiled.get(shape)
    if found is not None:
        return found
    if isinstance(shape, StructureShape):
        return _anything if shape.document else _compile_structure(shape)
    if isinstance(shape, ListShape):
        return _compile_list(shape)
    if isinstance(shape, MapShape):
        return _compile_map(shape)
    valid = _compiled[shape] = _compile_leaf(shape)
    return valid


def _compile_structure(shape: StructureShape) -> Valid:
    members: dict[str, Valid] = {}
    required = shape.required
    union = shape.union and not shape.event_stream

    def valid(value: Any) -> bool:
        if type(value) is not dict and not isinstance(value, Mapping):
            return False
        for name in required:
            if value.get(name) is None:
                return False
        for name, item in value.items():
            if item is None:
                continue
            fits = members.get(name)
            if fits is None or not fits(item):
                return False
        return not union or sum(item is not None for item in value.values()) == 1

    # Known before its members are compiled: structures may contain themselves.
    _compiled[shape] = valid
    members.update({name: _compile(member.shape) for name, member in shape.members.items()})
    return valid


def _compile_list(shape: ListShape) -> Valid:
    low, high = _bounds(shape.minimum, shape.maximum)
    element: Valid = _never

    def valid(value: Any) -> bool:
        if not isinstance(value, list | tuple) or not low <= len(value) <= high:
            return False
        return all(map(element, value))

    _compiled[shape] = valid
    element = _compile(shape.member.shape)
    return valid


def _compile_map(shape: MapShape) -> Valid:
    low, high = _bounds(shape.minimum, shape.maximum)
    key: Valid = _never
    element: Valid = _never

    def valid(value: Any) -> bool:
        if not isinstance(value, Mapping) or not low <= len(value) <= high:
            return False
        return all(map(key, value)) and all(map(element, value.values()))

    _compiled[shape] = valid
    key = _compile(shape.key.shape)
    element = _compile(shape.value.shape)
    return valid


def _never(value: Any) -> bool:  # noqa: ARG001 - stands in until the element's shape is compiled
    return False


def _compile_leaf(shape: Shape) -> Valid:
    if isinstance(shape, StringShape):
        return _compile_string(shape)
    if isinstance(shape, BlobShape):
        return _compile_blob(shape)
    if isinstance(shape, NumberShape):
        return _compile_number(shape)
    if isinstance(shape, BooleanShape):
        return _is_boolean
    if isinstance(shape, TimestampShape):
        return _is_number
    raise TypeError(f"expected a leaf shape, got {shape.type} {shape.name}")


def _compile_string(shape: StringShape) -> Valid:
    low, high = _bounds(shape.minimum, shape.maximum)
    if shape.enum:
        values = frozenset(shape.enum)
        return lambda value: isinstance(value, str) and value in values
    if shape.pattern is not None:
        matches = compile_pattern(shape.pattern).fullmatch
        return lambda value: isinstance(value, str) and low <= len(value) <= high and matches(value) is not None
    if shape.minimum is None and shape.maximum is None:
        return _is_string
    return lambda value: isinstance(value, str) and low <= len(value) <= high


def _compile_blob(shape: BlobShape) -> Valid:
    low, high = _bounds(shape.minimum, shape.maximum)

    def valid(value: Any) -> bool:
        if isinstance(value, bytes | bytearray | memoryview):
            return low <= len(value) <= high
        return isinstance(value, AsyncIterable)

    return valid


def _compile_number(shape: NumberShape) -> Valid:
    low = -math.inf if shape.minimum is None else shape.minimum
    high = math.inf if shape.maximum is None else shape.maximum
    if shape.whole:
        return lambda value: (
            isinstance(value, int) and value is not True and value is not False and low <= value <= high
        )
    if shape.minimum is None and shape.maximum is None:
        return _is_number
    return lambda value: _is_number(value) and low <= value <= high


def _bounds(minimum: int | None, maximum: int | None) -> tuple[float, float]:
    return (0 if minimum is None else minimum), (math.inf if maximum is None else maximum)


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_boolean(value: Any) -> bool:
    return value is True or value is False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and value is not True and value is not False
