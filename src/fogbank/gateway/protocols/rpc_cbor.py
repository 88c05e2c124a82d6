"""Smithy's RPC v2 CBOR: a POST to `/service/<name>/operation/<operation>` with CBOR both ways.

Source: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.models import OperationModel, ServiceModel
from fogbank.gateway.protocols.cbor import format_cbor, parse_cbor
from fogbank.gateway.protocols.cbor_values import CborValues
from fogbank.gateway.protocols.codec import Decode, Encode, ProtocolCodec

_PROTOCOL = ("smithy-protocol", "rpc-v2-cbor")
_TYPE = ("content-type", "application/cbor")


class RpcCborCodec(ProtocolCodec):
    """A service in RPC v2 CBOR."""

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)
        self._readers = CborValues(writing=False)
        self._writers = CborValues(writing=True)

    def decoder(self, operation: OperationModel) -> Decode:
        if operation.input is None:
            return lambda _request, _labels: {}
        read = self._readers.of(operation.input)

        def decode(request: HttpRequest, _labels: Mapping[str, str]) -> dict[str, Any]:
            if not request.body:
                return {}
            result: dict[str, Any] = read(parse_cbor(request.body))
            return result

        return decode

    def encoder(self, operation: OperationModel) -> Encode:
        if operation.output is None:
            return lambda _reply, request_id: HttpResponse(200, (_PROTOCOL, ("x-amzn-requestid", request_id)), b"")
        write = self._writers.of(operation.output)

        def encode(reply: Reply, request_id: str) -> HttpResponse:
            return _answer(200, format_cbor(write(reply)), request_id)

        return encode

    def encode_error(self, error: ApiError, request: HttpRequest, request_id: str) -> HttpResponse:
        facts = self.facts(error)
        document: dict[str, Any] = {"__type": facts.name}
        if facts.shape is not None:
            document |= self._writers.of(facts.shape)(facts.members(error))
        if error.message and facts.message_member() is None:
            document["message"] = error.message
        more = []
        if self.model.query_compatible and "x-amzn-query-mode" in request.headers:
            fault = "Sender" if facts.sender else "Receiver"
            more.append(("x-amzn-query-error", f"{facts.code};{fault}"))
        return _answer(facts.status, format_cbor(document), request_id, *more)


def _answer(status: int, body: bytes, request_id: str, *more: tuple[str, str]) -> HttpResponse:
    return HttpResponse(status, (_PROTOCOL, _TYPE, ("x-amzn-requestid", request_id), *more), body)
