"""Finding every problem of a request that was found to have some."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterator, Mapping
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
from fogbank.core.validation.problem import Constraint, Path, Problem
from fogbank.core.validation.regex import compile_pattern

if TYPE_CHECKING:
    from fogbank.core.models import OperationModel


def explain(operation: OperationModel, request: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Every problem, in the order of the model's members, outer ones before those inside."""
    if operation.input is None:
        return ()
    return tuple(_explain(operation.input, request, ()))


def _explain(shape: Shape, value: Any, path: Path) -> Iterator[Problem]:
    if isinstance(shape, StructureShape) and shape.document:
        return
    if not fits_type(shape, value):
        yield Problem(Constraint.TYPE, path, value, shape, shape.sensitive)
        return
    if isinstance(shape, StructureShape):
        yield from _explain_structure(shape, value, path)
        return
    for constraint in broken_constraints(shape, value):
        yield Problem(constraint, path, value, shape, shape.sensitive)
    if isinstance(shape, ListShape):
        yield from _explain_list(shape, value, path)
    elif isinstance(shape, MapShape):
        yield from _explain_map(shape, value, path)


def _explain_structure(shape: StructureShape, value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for name, member in shape.members.items():
        item = value.get(name)
        if item is not None:
            yield from _explain(member.shape, item, (*path, name))
        elif name in shape.required:
            yield Problem(Constraint.REQUIRED, (*path, name), None, member.shape, member.shape.sensitive)
    for name, item in value.items():
        if name not in shape.members and item is not None:
            yield Problem(Constraint.UNKNOWN, (*path, name), item, shape, shape.sensitive)
    if shape.union and not shape.event_stream and sum(item is not None for item in value.values()) != 1:
        yield Problem(Constraint.UNION, path, value, shape, shape.sensitive)


def _explain_list(shape: ListShape, value: list[Any], path: Path) -> Iterator[Problem]:
    member = shape.member.shape
    for index, item in enumerate(value):
        cause = _first_own(member, item, (*path, index))
        if cause is not None:
            yield Problem(Constraint.ELEMENT, path, value, member, shape.sensitive or member.sensitive, cause)
            break
    for index, item in enumerate(value):
        yield from _explain_inside(member, item, (*path, index))


def _explain_map(shape: MapShape, value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    key, member = shape.key.shape, shape.value.shape
    sensitive = shape.sensitive or member.sensitive
    for name in value:
        cause = _first_own(key, name, (*path, name))
        if cause is not None:
            yield Problem(Constraint.MAP_KEY, path, value, key, sensitive, cause)
            break
    for name, item in value.items():
        cause = _first_own(member, item, (*path, name))
        if cause is not None:
            yield Problem(Constraint.MAP_VALUE, path, value, member, sensitive, cause)
            break
    for name, item in value.items():
        yield from _explain_inside(member, item, (*path, name))


def _first_own(shape: Shape, value: Any, path: Path) -> Problem | None:
    """The first constraint of an element's own that it breaks, leaving out what is inside it."""
    if value is None:
        return Problem(Constraint.REQUIRED, path, None, shape, shape.sensitive)
    if not fits_type(shape, value):
        return Problem(Constraint.TYPE, path, value, shape, shape.sensitive)
    for constraint in broken_constraints(shape, value):
        return Problem(constraint, path, value, shape, shape.sensitive)
    return None


def _explain_inside(shape: Shape, value: Any, path: Path) -> Iterator[Problem]:
    """The problems inside an element; those of its own were reported with the container."""
    if value is None or not fits_type(shape, value):
        return
    if isinstance(shape, StructureShape) and not shape.document:
        yield from _explain_structure(shape, value, path)
    elif isinstance(shape, ListShape):
        yield from _explain_list(shape, value, path)
    elif isinstance(shape, MapShape):
        yield from _explain_map(shape, value, path)


def fits_type(shape: Shape, value: Any) -> bool:
    """Whether a value is of the Python type that stands for the shape's."""
    if isinstance(shape, StructureShape) and shape.document:
        return True
    if isinstance(shape, StringShape):
        return isinstance(value, str)
    if isinstance(shape, BlobShape):
        return isinstance(value, bytes | bytearray | memoryview | AsyncIterable)
    if isinstance(shape, BooleanShape):
        return isinstance(value, bool)
    if isinstance(shape, NumberShape | TimestampShape):
        whole = isinstance(shape, NumberShape) and shape.whole
        return isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if isinstance(shape, ListShape):
        return isinstance(value, list | tuple)
    return isinstance(value, Mapping)


def broken_constraints(shape: Shape, value: Any) -> Iterator[Constraint]:
    """Which of its own shape's constraints a value of the right type breaks, in AWS's order."""
    if isinstance(shape, StringShape):
        if shape.enum:
            if value not in shape.enum:
                yield Constraint.ENUM
            return
        if shape.pattern is not None and compile_pattern(shape.pattern).fullmatch(value) is None:
            yield Constraint.PATTERN
    if isinstance(shape, NumberShape):
        if shape.maximum is not None and value > shape.maximum:
            yield Constraint.MAXIMUM
        if shape.minimum is not None and value < shape.minimum:
            yield Constraint.MINIMUM
    if isinstance(shape, StringShape | BlobShape | ListShape | MapShape) and hasattr(value, "__len__"):
        if shape.maximum is not None and len(value) > shape.maximum:
            yield Constraint.MAX_LENGTH
        if shape.minimum is not None and len(value) < shape.minimum:
            yield Constraint.MIN_LENGTH
