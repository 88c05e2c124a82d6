"""What the two REST protocols have in common: members in paths, queries, headers and payloads.

They differ in how a document in the body is written, which the subclasses say.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from fogbank.core.call import Reply
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.models import (
    BlobShape,
    Member,
    OperationModel,
    ServiceModel,
    StringShape,
    StructureShape,
)
from fogbank.gateway.protocols.codec import Decode, Encode, ProtocolCodec, input_body, output_body
from fogbank.gateway.protocols.event_stream import CONTENT_TYPE, EventStreamWriter
from fogbank.gateway.protocols.faults import SerializationError
from fogbank.gateway.protocols.http_bindings import BindingReader, BindingWriter, HeaderPairs
from fogbank.gateway.protocols.http_routes import HttpRoutes, Match

ReadBody = Callable[[bytes], dict[str, Any]]
Body = bytes | AsyncIterator[bytes]
WriteBody = Callable[[Reply], tuple[str | None, Body]]
"""From a reply to the content type, `None` if there is no content, and the body."""


class RestCodec(ProtocolCodec):
    """A service in one of the REST protocols."""

    document_type: str
    """The content type of a document."""
    request_id_header = "x-amzn-requestid"

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)
        self._routes: HttpRoutes | None = None

    def match(self, request: HttpRequest) -> Match | None:
        """The operation that a request means."""
        if self._routes is None:
            self._routes = HttpRoutes(self.model)
        return self._routes.match(request.method, request.path, request.query, request.headers)

    @abstractmethod
    def document_reader(self, shape: StructureShape, members: Mapping[str, Member]) -> ReadBody:
        """The reader of a document that holds these members of a structure."""

    @abstractmethod
    def document_writer(
        self, shape: StructureShape, members: Mapping[str, Member], reference: Member | None
    ) -> Callable[[Mapping[str, Any]], bytes]:
        """The writer of the same; `reference` says how the document's element is named, where it matters."""

    # Reading

    def decoder(self, operation: OperationModel) -> Decode:
        shape = operation.input
        if shape is None:
            return lambda _request, _labels: {}
        bindings = BindingReader(shape, operation.http.uri)
        read_body = self._body_reader(shape)

        def decode(request: HttpRequest, labels: Mapping[str, str]) -> dict[str, Any]:
            result = bindings.read(labels, request.query, request.headers)
            if read_body is not None:
                result.update(read_body(request.body))
            return result

        return decode

    def _body_reader(self, shape: StructureShape) -> ReadBody | None:
        if shape.payload is not None:
            return self._payload_reader(shape.payload, shape.members[shape.payload])
        members = input_body(shape)
        if not members:
            return None
        read = self.document_reader(shape, members)
        return lambda body: read(body) if body else {}

    def _payload_reader(self, name: str, member: Member) -> ReadBody:
        shape = member.shape
        if isinstance(shape, BlobShape):
            streaming = shape.streaming or member.streaming
            return lambda body: {name: body} if body or streaming else {}
        if isinstance(shape, StringShape):
            return lambda body: {name: _text(body)} if body else {}
        if isinstance(shape, StructureShape):
            read = self.document_reader(shape, shape.members)
            return lambda body: {name: read(body)} if body else {}
        return self.other_payload_reader(name, member)

    def other_payload_reader(self, name: str, member: Member) -> ReadBody:
        """The reader of a payload that is a list or a map; only JSON has such."""
        raise TypeError(f"{name}: a payload of type {member.shape.type}")

    # Writing

    def encoder(self, operation: OperationModel) -> Encode:
        shape = operation.output
        default = operation.http.status
        if shape is None:
            return lambda _reply, request_id: HttpResponse(default, [(self.request_id_header, request_id)], b"")
        bindings = BindingWriter(shape)
        write_body = self._body_writer(operation, shape)

        def encode(reply: Reply, request_id: str) -> HttpResponse:
            headers = bindings.headers(reply)
            content_type, body = write_body(reply)
            status = reply.get(bindings.status) if bindings.status else None
            return self.answer(status or default, headers, content_type, body, request_id)

        return encode

    def answer(
        self, status: int, headers: HeaderPairs, content_type: str | None, body: Body, request_id: str
    ) -> HttpResponse:
        """Put an answer together; a status without content drops the body."""
        headers.append((self.request_id_header, request_id))
        if status == 204:
            return HttpResponse(status, headers, b"")
        if content_type is not None and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("content-type", content_type))
        return HttpResponse(status, headers, body)

    def _body_writer(self, operation: OperationModel, shape: StructureShape) -> WriteBody:
        if shape.payload is not None:
            return self._payload_writer(operation, shape.payload, shape.members[shape.payload])
        members = output_body(shape)
        if not members:
            return lambda _reply: self.empty_body
        write = self.document_writer(shape, members, None)
        document_type = self.document_type
        return lambda reply: (document_type, write(reply))

    @property
    def empty_body(self) -> tuple[str | None, bytes]:
        """The body of an output that has no members in it."""
        return None, b""

    def _payload_writer(self, operation: OperationModel, name: str, member: Member) -> WriteBody:
        shape = member.shape
        if isinstance(shape, StructureShape) and shape.event_stream:
            return self._stream_writer(name, shape)
        if isinstance(shape, BlobShape | StringShape):
            kind = self.payload_type(operation, shape)
            return lambda reply: _raw(kind, reply.get(name))
        if isinstance(shape, StructureShape):
            write = self.document_writer(shape, shape.members, member)
            document_type = self.document_type

            def write_payload(reply: Reply) -> tuple[str | None, bytes]:
                value = reply.get(name)
                return (document_type, write(value)) if value is not None else (None, b"")

            return write_payload
        return self.other_payload_writer(name, member)

    def payload_type(self, operation: OperationModel, shape: BlobShape | StringShape) -> str:  # noqa: ARG002
        """The content type of a payload that is text or bytes."""
        return "text/plain" if isinstance(shape, StringShape) else "application/octet-stream"

    def other_payload_writer(self, name: str, member: Member) -> WriteBody:
        """The writer of a payload that is a list or a map; only JSON has such."""
        raise TypeError(f"{name}: a payload of type {member.shape.type}")

    def _stream_writer(self, name: str, shape: StructureShape) -> WriteBody:
        def encode_members(event: StructureShape, members: Mapping[str, Member], values: Mapping[str, Any]) -> bytes:
            return self.document_writer(event, members, None)(values)

        writer = EventStreamWriter(shape, self.document_type, encode_members)
        return lambda reply: (CONTENT_TYPE, writer.stream(reply[name]))


def _raw(kind: str, value: Any) -> tuple[str | None, Body]:
    if value is None:
        return None, b""
    if isinstance(value, str):
        return kind, value.encode()
    return kind, bytes(value) if isinstance(value, bytearray | memoryview) else value


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise SerializationError("The body is not UTF-8") from None
