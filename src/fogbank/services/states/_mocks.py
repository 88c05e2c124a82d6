"""Whether a mocked result is what the service that it stands for could have answered.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html
"""

from __future__ import annotations

from typing import Any

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
    UnknownOperationNameError,
    UnknownServiceError,
    service_model,
)
from fogbank.services.states import errors
from fogbank.services.states._integrations import OPTIMIZED, SDK
from fogbank.services.states._language._tasks import split_resource
from fogbank.services.states._language._threads import TaskKind

Json = Any


def check_mock(resource: str, result: Json, *, strict: bool) -> None:
    """Refuse a result with a member of the wrong type; if strict also one that lacks a required member."""
    kind, family, operation = split_resource(resource)
    names = SDK.get(family.removeprefix("aws-sdk:")) if family.startswith("aws-sdk:") else OPTIMIZED.get(family)
    if kind is not TaskKind.SERVICE or names is None or "." in operation:
        return
    name = operation[0].upper() + operation[1:]
    try:
        shape = service_model(names.service).operation(name).output
    except (UnknownServiceError, UnknownOperationNameError):
        return
    if shape is not None:
        free = frozenset({"Payload"}) if family == "lambda" else frozenset()
        _structure(shape, result, "", strict=strict, free=free)


def _wrong(message: str) -> errors.ValidationError:
    return errors.ValidationError(f"Mock result schema validation error: {message}")


def _structure(shape: StructureShape, value: Json, field: str, *, strict: bool, free: frozenset[str]) -> None:
    if not isinstance(value, dict):
        raise _wrong(f"Field '{field}' must be an object" if field else "The mock result must be an object")
    members = {name[0].upper() + name[1:]: (name, member) for name, member in shape.members.items()}
    for name, item in value.items():
        found = members.get(name)
        if found is not None and name not in free:
            _check(found[1].shape, item, name, strict=strict)
    if strict:
        for name in shape.required:
            title = name[0].upper() + name[1:]
            if title not in value:
                raise _wrong(f"Field '{title}' is required")


def _check(shape: Shape, value: Json, field: str, *, strict: bool) -> None:
    if value is None:
        return
    if isinstance(shape, StructureShape):
        _structure(shape, value, field, strict=strict, free=frozenset())
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            raise _wrong(f"Field '{field}' must be an array")
        for item in value:
            _check(shape.member.shape, item, field, strict=strict)
    elif isinstance(shape, MapShape):
        if not isinstance(value, dict):
            raise _wrong(f"Field '{field}' must be an object")
        for item in value.values():
            _check(shape.value.shape, item, field, strict=strict)
    else:
        _scalar(shape, value, field)


def _scalar(shape: Shape, value: Json, field: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(shape, NumberShape) and not number:
        raise _wrong(f"Field '{field}' must be a number")
    if isinstance(shape, BooleanShape) and not isinstance(value, bool):
        raise _wrong(f"Field '{field}' must be a boolean")
    if isinstance(shape, StringShape | BlobShape):
        if not isinstance(value, str):
            raise _wrong(f"Field '{field}' must be a string")
        if shape.minimum is not None and len(value) < shape.minimum:
            raise _wrong(f"Field '{field}' is smaller than the minimum length")
        if shape.maximum is not None and len(value) > shape.maximum:
            raise _wrong(f"Field '{field}' is larger than the maximum length")
    if isinstance(shape, TimestampShape) and not isinstance(value, str) and not number:
        raise _wrong(f"Field '{field}' must be a string")
