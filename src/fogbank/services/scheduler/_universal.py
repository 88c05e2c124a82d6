"""Universal targets: any API operation, `arn:aws:scheduler:::aws-sdk:sqs:sendMessage`.

The service is named by its SDK identifier (`sfn`, `eventbridge`, `cloudwatchlogs`), the operation in camel case, and
the schedule's Input is its request. Read-only operations are refused, as documented in
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.models import (
    ListShape,
    MapShape,
    OperationModel,
    Shape,
    ShapeType,
    StructureShape,
    UnknownOperationNameError,
    service_model,
    service_names,
)
from fogbank.services.scheduler.errors import ValidationError

PREFIX = ":scheduler:::aws-sdk:"
_ARN = re.compile(r"arn:aws[a-z-]*:scheduler:::aws-sdk:([A-Za-z0-9\-]+):([A-Za-z0-9]+)")
_READ_ONLY = (
    "get", "describe", "list", "poll", "receive", "search", "scan", "query", "select", "read", "lookup", "discover",
    "validate", "batchGet", "batchDescribe", "batchRead", "transactGet", "adminGet", "adminList", "testMigration",
    "retrieve", "testConnection", "translateDocument", "isAuthorized", "invokeModel",
)  # fmt: skip

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class UniversalCall:
    """What a universal target calls: botocore's name of the service, and the operation."""

    service: str
    operation: OperationModel

    def request(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The operation's request from the schedule's Input, in Python's types."""
        if self.operation.input is None:
            return {}
        return _structure(self.operation.input, document)


@lru_cache(maxsize=1)
def _services() -> Mapping[str, str]:
    """Botocore's names by the SDKs' identifiers."""
    found = {}
    for name in service_names():
        identifier = str(service_model(name).metadata.get("serviceId", name))
        found[identifier.replace(" ", "").lower()] = name
    return found


def parse_universal(arn: str) -> UniversalCall:
    """Read a universal target's ARN; an error of the caller's or, for what Fogbank lacks, one that names it."""
    found = _ARN.fullmatch(arn)
    if found is None:
        raise ValidationError(
            f"{arn} is not a valid universal target: expected arn:aws:scheduler:::aws-sdk:service:apiAction."
        )
    identifier, action = found.groups()
    if any(re.match(prefix + r"(?![a-z])", action) for prefix in _READ_ONLY):
        raise ValidationError(f"{arn} is not a valid universal target: read-only API actions are not supported.")
    name = _services().get(identifier.lower())
    if name is None:
        raise NotImplementedByFogbank(f"Fogbank does not know the service {identifier} of {arn}")
    try:
        return UniversalCall(name, service_model(name).operation(action[0].upper() + action[1:]))
    except UnknownOperationNameError:
        raise ValidationError(f"{arn} is not a valid universal target: {identifier} has no such API action.") from None


def _structure(shape: StructureShape, document: Mapping[str, Any]) -> dict[str, Any]:
    """Members may be named as the API names them, or with a capital first letter."""
    names = {name[0].upper() + name[1:]: name for name in shape.members} | {name: name for name in shape.members}
    request = {}
    for given, value in document.items():
        name = names.get(given, given)
        member = shape.members.get(name)
        request[name] = value if member is None or value is None else _value(member.shape, value)
    return request


def _value(shape: Shape, value: Any) -> Any:
    match shape.type:
        case ShapeType.BLOB:
            return value.encode() if isinstance(value, str) else _encode(value)
        case ShapeType.TIMESTAMP:
            return _seconds(value)
        case ShapeType.STRING if isinstance(value, dict | list):
            return _encode(value).decode()
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return _structure(shape, value)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_value(shape.member.shape, element) for element in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _value(shape.value.shape, element) for key, element in value.items()}
    return value


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
