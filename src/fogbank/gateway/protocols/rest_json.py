"""The REST protocol with JSON documents: Lambda, Scheduler, API Gateway, X-Ray."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.models import (
    BlobShape,
    Member,
    OperationModel,
    ServiceModel,
    StringShape,
    StructureShape,
)
from fogbank.gateway.protocols.codec import output_body
from fogbank.gateway.protocols.http_bindings import BindingWriter
from fogbank.gateway.protocols.json_values import JsonReaders, JsonWriters, parse_json
from fogbank.gateway.protocols.rest import ReadBody, RestCodec, WriteBody

_PAYLOAD_TYPES = {("lambda", "Invoke"): "application/json", ("lambda", "InvokeAsync"): "application/json"}
"""Blobs that the service is known to send as JSON."""


class RestJsonCodec(RestCodec):
    """A service in REST with JSON."""

    document_type = "application/json"

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)
        self._readers = JsonReaders()
        self._writers = JsonWriters()

    def document_reader(self, shape: StructureShape, members: Mapping[str, Member]) -> ReadBody:
        read = self._readers.structure(shape, members)

        def read_document(body: bytes) -> dict[str, Any]:
            result: dict[str, Any] = read(parse_json(body))
            return result

        return read_document

    def document_writer(
        self,
        shape: StructureShape,
        members: Mapping[str, Member],
        reference: Member | None,  # noqa: ARG002 - a JSON document has no name
    ) -> Callable[[Mapping[str, Any]], bytes]:
        return self._writers.encoder(shape, members)

    @property
    def empty_body(self) -> tuple[str | None, bytes]:
        return self.document_type, b"{}"

    def payload_type(self, operation: OperationModel, shape: BlobShape | StringShape) -> str:
        known = _PAYLOAD_TYPES.get((operation.service, operation.name))
        return known or super().payload_type(operation, shape)

    def other_payload_reader(self, name: str, member: Member) -> ReadBody:
        read = self._readers.of(member.shape)
        return lambda body: {name: read(parse_json(body))} if body else {}

    def other_payload_writer(self, name: str, member: Member) -> WriteBody:
        write = self._writers.of(member.shape, member)
        return lambda reply: (self.document_type, msgspec.json.encode(write(reply.get(name))))

    def encode_error(self, error: ApiError, request: HttpRequest, request_id: str) -> HttpResponse:  # noqa: ARG002
        facts = self.facts(error)
        headers = [("x-amzn-errortype", facts.name)]
        document: dict[str, Any] = {}
        if facts.shape is not None:
            members = facts.members(error)
            headers += BindingWriter(facts.shape).headers(members)
            document = self._writers.structure(facts.shape, output_body(facts.shape))(members)
        if error.message and facts.message_member() is None:
            document["message"] = error.message
        return self.answer(facts.status, headers, self.document_type, msgspec.json.encode(document), request_id)
