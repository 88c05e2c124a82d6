"""What the door records: a span for every API request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fogbank.core.call import Call, Request
from fogbank.core.clock import Clock
from fogbank.core.errors import ApiError
from fogbank.core.models import OperationModel
from fogbank.telemetry import Kind, Span, Status, Telemetry
from fogbank.telemetry.model import NOTHING, status_of

_NAMING: Mapping[str, tuple[str, ...]] = {
    "cloudformation": ("StackName",),
    "dynamodb": ("TableName", "TableArn", "ResourceArn"),
    "dynamodbstreams": ("StreamArn",),
    "events": ("EventBusName", "Name", "Rule", "ArchiveName", "ReplayName", "ResourceARN"),
    "lambda": ("FunctionName", "EventSourceArn", "LayerName", "Resource"),
    "logs": ("logGroupName", "logGroupIdentifier", "resourceArn"),
    "scheduler": ("Name", "ResourceArn"),
    "sns": ("TopicArn", "TargetArn", "ResourceArn", "Name"),
    "sqs": ("QueueUrl", "QueueName", "SourceArn"),
    "stepfunctions": ("stateMachineArn", "executionArn", "resourceArn", "name"),
}
"""The members that say what a request is about, the most telling first. Others: the first member that ends so:"""
_ENDINGS = ("arn", "name", "identifier", "id", "bucket", "key")
_MAX_MESSAGE = 500


def resource_reader(operation: OperationModel) -> Callable[[Request], str]:
    """A function that reads what a request of `operation` is about: an ARN, a URL or a name, else nothing."""
    if (operation.service, operation.name) == ("events", "PutEvents"):
        return _bus
    if operation.input is None:
        return _nothing
    members = operation.input.members
    for name in _NAMING.get(operation.service, ()):
        if name in members:
            return _reader(name)
    for name in operation.input.required:
        if name.lower().endswith(_ENDINGS):
            return _reader(name)
    return _nothing


def _reader(member: str) -> Callable[[Request], str]:
    def read(request: Request) -> str:
        value = request.get(member)
        return value if isinstance(value, str) else ""

    return read


def _nothing(request: Request) -> str:  # noqa: ARG001 - a reader
    return ""


def _bus(request: Request) -> str:
    for entry in request["Entries"]:
        name: str = entry.get("EventBusName") or "default"
        return name
    return ""


class Recorder:
    """Makes the spans of API requests."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._readers: dict[OperationModel, Callable[[Request], str]] = {}

    def done(self, operation: OperationModel, call: Call, request: Request, parent: str, begin: float) -> None:
        """A request was answered."""
        attributes = {"caller": call.principal.service} if call.principal.service else NOTHING
        read = self._readers.get(operation) or self._reader(operation)
        self._telemetry.record(
            Span(
                call.trace.root,
                call.trace.parent,
                parent,
                Kind.API,
                call.operation,
                call.service,
                call.operation,
                read(request),
                call.scope,
                begin,
                self._clock.time(),
                Status.OK,
                "",
                attributes,
            )
        )

    def failed(
        self, operation: OperationModel, call: Call, request: Request, error: ApiError, parent: str, begin: float
    ) -> None:
        """A request was refused, or failed. It may break the model: nothing of it is taken for granted."""
        try:
            resource = (self._readers.get(operation) or self._reader(operation))(request)
        except (LookupError, TypeError, AttributeError):
            resource = ""
        attributes: dict[str, Any] = {"message": error.message[:_MAX_MESSAGE], "keys": [call.request_id]}
        if call.principal.service:
            attributes["caller"] = call.principal.service
        self._telemetry.record(
            Span(
                call.trace.root,
                call.trace.parent,
                parent,
                Kind.API,
                call.operation,
                call.service,
                call.operation,
                resource,
                call.scope,
                begin,
                self._clock.time(),
                status_of(error),
                error.code,
                attributes,
            )
        )

    def _reader(self, operation: OperationModel) -> Callable[[Request], str]:
        read = self._readers[operation] = resource_reader(operation)
        return read
