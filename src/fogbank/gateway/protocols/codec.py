"""What every protocol does: compile an operation into a decoder and an encoder, and write errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.models import Location, Member, OperationModel, ServiceModel, StructureShape

Decode = Callable[[HttpRequest, Mapping[str, str]], dict[str, Any]]
"""From a request, and what its path names, to the members of the operation's input. Raises `ApiError`."""
Encode = Callable[[Reply, str], HttpResponse]
"""From a reply and the request's id to the answer."""


@dataclass(frozen=True, slots=True, eq=False)
class OperationCodec:
    """An operation in one protocol."""

    operation: OperationModel
    protocol: ProtocolCodec
    decode: Decode
    encode: Encode


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """What goes on the wire of an error: its code, status, whose fault it is, and its shape if it has one."""

    code: str
    name: str
    status: int
    sender: bool
    shape: StructureShape | None

    def members(self, error: ApiError) -> dict[str, Any]:
        """The members of the error's shape, the message under the name that it has there."""
        values = {name: value for name, value in error.members.items() if value is not None}
        if self.shape is None:
            return values
        found = {name: values[name] for name in self.shape.members if name in values}
        name = self.message_member()
        if name is not None and error.message:
            found[name] = error.message
        if "Type" in self.shape.members and "Type" not in error.members:
            found["Type"] = "User" if self.sender else "Service"
        return found

    def message_member(self) -> str | None:
        """The member that holds the message: `message`, or as some models have it, `Message`."""
        if self.shape is None:
            return None
        for name in self.shape.members:
            if name.lower() == "message":
                return name
        return None


class ProtocolCodec(ABC):
    """A service in one protocol. Compiles each operation when it is first asked for."""

    def __init__(self, model: ServiceModel) -> None:
        self.model = model
        self._compiled: dict[str, OperationCodec] = {}

    def operation(self, name: str) -> OperationCodec:
        """The codec of an operation; `UnknownOperationNameError` if the model lacks it."""
        found = self._compiled.get(name)
        if found is None:
            operation = self.model.operation(name)
            found = OperationCodec(operation, self, self.decoder(operation), self.encoder(operation))
            self._compiled[name] = found
        return found

    @abstractmethod
    def decoder(self, operation: OperationModel) -> Decode:
        """Compile the decoder of an operation."""

    @abstractmethod
    def encoder(self, operation: OperationModel) -> Encode:
        """Compile the encoder of an operation."""

    @abstractmethod
    def encode_error(self, error: ApiError, request: HttpRequest, request_id: str) -> HttpResponse:
        """An error as this protocol writes it."""

    def facts(self, error: ApiError) -> ErrorFacts:
        """What the model says of an error; where it says nothing, what the error says itself."""
        shape = self.model.error(error.code)
        if shape is None:
            return ErrorFacts(error.code, error.code, error.status, error.sender_fault, None)
        status = shape.error.status or error.status
        return ErrorFacts(shape.error.code or shape.name, shape.name, status, status < 500, shape)


def input_body(shape: StructureShape) -> dict[str, Member]:
    """The members of an input that travel in the body, in the model's order."""
    return {name: member for name, member in shape.members.items() if member.location is None}


_IN_ANSWERS = frozenset({Location.HEADER, Location.HEADERS, Location.STATUS})


def output_body(shape: StructureShape) -> dict[str, Member]:
    """The members of an output or an error that travel in the body; an answer has no path and no query."""
    return {name: member for name, member in shape.members.items() if member.location not in _IN_ANSWERS}


def event_stream_member(shape: StructureShape | None) -> tuple[str, Member, StructureShape] | None:
    """The member of an output that is an event stream, if there is one."""
    if shape is None:
        return None
    for name, member in shape.members.items():
        target = member.shape
        if isinstance(target, StructureShape) and target.event_stream:
            return name, member, target
    return None
