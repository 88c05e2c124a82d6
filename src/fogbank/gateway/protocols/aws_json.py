"""AWS's JSON protocols 1.0 and 1.1: everything is a POST to `/` with the operation in `X-Amz-Target`."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.models import Member, OperationModel, ServiceModel, StructureShape
from fogbank.gateway.protocols.codec import Decode, Encode, ProtocolCodec, event_stream_member
from fogbank.gateway.protocols.event_stream import CONTENT_TYPE, EventStreamWriter
from fogbank.gateway.protocols.json_values import JsonReaders, JsonWriters, parse_json

_NAMESPACES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#",
    "dynamodbstreams": "com.amazonaws.dynamodb.v20120810#",
    "sqs": "com.amazonaws.sqs#",
}
"""Before the name of an error, for services whose errors are known to have one; clients drop it."""
_VALIDATE = "com.amazon.coral.validate#"
_SERVICE = "com.amazon.coral.service#"
_CHECKSUMMED = frozenset({"dynamodb", "dynamodbstreams"})
"""Services whose answers have a checksum, which the SDKs verify."""


class AwsJsonCodec(ProtocolCodec):
    """A service in JSON 1.0 or 1.1; the two differ in their content type alone."""

    def __init__(self, model: ServiceModel, version: str | None = None) -> None:
        super().__init__(model)
        self._readers = JsonReaders()
        self._writers = JsonWriters()
        self.content_type = f"application/x-amz-json-{version or model.json_version}"
        self._type_header = ("content-type", self.content_type)
        self._checksummed = model.name in _CHECKSUMMED

    def decoder(self, operation: OperationModel) -> Decode:
        if operation.input is None:
            return lambda _request, _labels: {}
        read = self._readers.structure(operation.input, operation.input.members)

        def decode(request: HttpRequest, _labels: Mapping[str, str]) -> dict[str, Any]:
            body = request.body
            if not body:
                return {}
            result: dict[str, Any] = read(parse_json(body))
            return result

        return decode

    def encoder(self, operation: OperationModel) -> Encode:
        stream = event_stream_member(operation.output)
        if stream is not None:
            return self._stream_encoder(operation, *stream)
        if operation.output is None:
            return lambda _reply, request_id: self._answer(200, b"", request_id)
        encode_body = self._writers.encoder(operation.output, operation.output.members)
        type_header = self._type_header
        if self._checksummed:
            return lambda reply, request_id: self._answer(200, encode_body(reply), request_id)

        def encode(reply: Reply, request_id: str) -> HttpResponse:
            return HttpResponse(200, (type_header, ("x-amzn-requestid", request_id)), encode_body(reply))

        return encode

    def _stream_encoder(self, operation: OperationModel, name: str, _member: Member, shape: StructureShape) -> Encode:
        output = operation.output
        assert output is not None
        writer = EventStreamWriter(shape, "application/json", self.encode_members)

        def encode(reply: Reply, request_id: str) -> HttpResponse:
            first = writer.initial_response(output, reply, without=name)
            headers = (("content-type", CONTENT_TYPE), ("x-amzn-requestid", request_id))
            return HttpResponse(200, headers, writer.stream(reply[name], first))

        return encode

    def encode_members(self, shape: StructureShape, members: Mapping[str, Member], values: Mapping[str, Any]) -> bytes:
        """Some members of a structure as a JSON document."""
        return msgspec.json.encode(self._writers.structure(shape, members)(values))

    def _answer(self, status: int, body: bytes, request_id: str, *more: tuple[str, str]) -> HttpResponse:
        headers = [self._type_header, ("x-amzn-requestid", request_id), *more]
        if self._checksummed:
            headers.append(("x-amz-crc32", str(zlib.crc32(body))))
        return HttpResponse(status, headers, body)

    def encode_error(self, error: ApiError, request: HttpRequest, request_id: str) -> HttpResponse:
        facts = self.facts(error)
        document: dict[str, Any] = {"__type": self._qualified(facts.name, known=facts.shape is not None)}
        if facts.shape is not None:
            document |= self._writers.of(facts.shape)(facts.members(error))
        if error.message and facts.message_member() is None:
            document["message"] = error.message
        more = []
        if self.model.query_compatible and "x-amzn-query-mode" in request.headers:
            code, fault = error.query_code or facts.code, "Sender" if facts.sender else "Receiver"
            more.append(("x-amzn-query-error", f"{code};{fault}"))
        return self._answer(facts.status, msgspec.json.encode(document), request_id, *more)

    def _qualified(self, name: str, *, known: bool) -> str:
        namespace = _NAMESPACES.get(self.model.name)
        if namespace is None:
            return name
        if known:
            return namespace + name
        return (_VALIDATE if name == "ValidationException" else _SERVICE) + name
