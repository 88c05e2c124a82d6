"""AWS's query protocol, and EC2's variant: forms in, XML out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.models import OperationModel, ServiceModel
from fogbank.gateway.protocols.codec import Decode, Encode, ErrorFacts, ProtocolCodec
from fogbank.gateway.protocols.query_values import QueryReaders, fold, parse_form
from fogbank.gateway.protocols.xml_tree import escape
from fogbank.gateway.protocols.xml_values import XmlWriters, attributes_of

_DECLARATION = '<?xml version="1.0"?>\n'


class AwsQueryCodec(ProtocolCodec):
    """A service in the query protocol."""

    content_type = "text/xml"

    def __init__(self, model: ServiceModel, *, ec2: bool = False) -> None:
        super().__init__(model)
        self._readers = QueryReaders(ec2=ec2)
        self._writers = XmlWriters()
        self._namespace = attributes_of(model.xml_namespace)

    def decoder(self, operation: OperationModel) -> Decode:
        if operation.input is None:
            return lambda _request, _labels: {}
        read = self._readers.structure(operation.input)
        named_by_path = "QueueUrl" in operation.input.members  # SQS: what a queue's own URL is asked is about it

        def decode(request: HttpRequest, _labels: Mapping[str, str]) -> dict[str, Any]:
            pairs = parse_form(request.body)
            if request.query:
                pairs += parse_form(request.query)
            result: dict[str, Any] = read(fold(pairs))
            if named_by_path and request.path != "/":
                result.setdefault("QueueUrl", request.path)
            return result

        return decode

    def encoder(self, operation: OperationModel) -> Encode:
        output = operation.output
        write = self._writers.members(output.members) if output is not None else None
        start = f"<{operation.name}Response{self._namespace}>"
        end = f"</{operation.name}Response>"
        wrapper = operation.result_wrapper or (f"{operation.name}Result" if output is not None else None)

        def encode(reply: Reply, request_id: str) -> HttpResponse:
            out = [_DECLARATION, start]
            if wrapper is not None:
                out.append(f"<{wrapper}>")
            if write is not None:
                write(reply, out)
            if wrapper is not None:
                out.append(f"</{wrapper}>")
            out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>")
            out.append(end)
            return self.answer(200, "".join(out), request_id)

        return encode

    def answer(self, status: int, text: str, request_id: str) -> HttpResponse:
        """An answer with a document."""
        headers = (("content-type", self.content_type), ("x-amzn-requestid", request_id))
        return HttpResponse(status, headers, text.encode())

    def encode_error(self, error: ApiError, request: HttpRequest, request_id: str) -> HttpResponse:  # noqa: ARG002
        facts = self.facts(error)
        out = [_DECLARATION, f"<ErrorResponse{self._namespace}><Error>"]
        out.append(f"<Type>{'Sender' if facts.sender else 'Receiver'}</Type>")
        out += self.error_members(error, facts)
        out.append(f"</Error><RequestId>{request_id}</RequestId></ErrorResponse>")
        return self.answer(facts.status, "".join(out), request_id)

    def error_members(self, error: ApiError, facts: ErrorFacts) -> list[str]:
        """The code, the message and the further members of an error, as elements."""
        code = error.query_code or facts.code
        message = error.query_message or error.message
        out = [f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"]
        if facts.shape is not None:
            members = facts.members(error)
            members.pop(facts.message_member() or "", None)
            if "Type" not in error.members:
                members.pop("Type", None)
            self._writers.members(facts.shape.members)(members, out)
        return out


class Ec2QueryCodec(AwsQueryCodec):
    """A service in EC2's variant: no wrapper around results, another form of errors."""

    content_type = "text/xml;charset=UTF-8"

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model, ec2=True)

    def encoder(self, operation: OperationModel) -> Encode:
        output = operation.output
        write = self._writers.members(output.members) if output is not None else None
        start = f"<{operation.name}Response{self._namespace}>"
        end = f"</{operation.name}Response>"

        def encode(reply: Reply, request_id: str) -> HttpResponse:
            out = [_DECLARATION, start]
            if write is not None:
                write(reply, out)
            out.append(f"<requestId>{request_id}</requestId>{end}")
            return self.answer(200, "".join(out), request_id)

        return encode

    def encode_error(self, error: ApiError, request: HttpRequest, request_id: str) -> HttpResponse:  # noqa: ARG002
        facts = self.facts(error)
        out = [_DECLARATION, "<Response><Errors><Error>", *self.error_members(error, facts)]
        out.append(f"</Error></Errors><RequestID>{request_id}</RequestID></Response>")
        return self.answer(facts.status, "".join(out), request_id)
