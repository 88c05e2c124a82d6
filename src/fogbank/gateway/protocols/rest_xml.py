"""The REST protocol with XML documents. S3, which has ways of its own, is in `s3.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.models import Member, ServiceModel, StructureShape
from fogbank.gateway.protocols.codec import output_body
from fogbank.gateway.protocols.http_bindings import BindingWriter
from fogbank.gateway.protocols.rest import ReadBody, RestCodec
from fogbank.gateway.protocols.xml_tree import escape, parse_xml
from fogbank.gateway.protocols.xml_values import XmlReaders, XmlWriters, attributes_of

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
"""How every document begins."""


class RestXmlCodec(RestCodec):
    """A service in REST with XML."""

    document_type = "application/xml"

    def __init__(self, model: ServiceModel) -> None:
        super().__init__(model)
        self._readers = XmlReaders()
        self._writers = XmlWriters()

    def document_reader(self, shape: StructureShape, members: Mapping[str, Member]) -> ReadBody:
        read = self._readers.structure(shape, members)

        def read_document(body: bytes) -> dict[str, Any]:
            result: dict[str, Any] = read([parse_xml(body)])
            return result

        return read_document

    def document_writer(
        self, shape: StructureShape, members: Mapping[str, Member], reference: Member | None
    ) -> Callable[[Mapping[str, Any]], bytes]:
        name = shape.location_name or shape.name
        if reference is not None and reference.location_name:
            name = reference.location_name
        namespace = reference.xml_namespace if reference is not None else None
        extra = attributes_of(namespace or shape.xml_namespace or self.model.xml_namespace)
        return self.named_writer(shape, members, name, extra)

    def named_writer(
        self, shape: StructureShape, members: Mapping[str, Member], name: str, attributes: str
    ) -> Callable[[Mapping[str, Any]], bytes]:
        """The writer of a document of these members, whose element has this name and these attributes."""
        write = self._writers.structure(shape, members)

        def write_document(values: Mapping[str, Any]) -> bytes:
            out = [DECLARATION]
            write(values, name, attributes, out)
            return "".join(out).encode()

        return write_document

    def encode_error(self, error: ApiError, request: HttpRequest, request_id: str) -> HttpResponse:  # noqa: ARG002
        facts = self.facts(error)
        fields = [f"<Code>{escape(facts.code)}</Code><Message>{escape(error.message)}</Message>"]
        headers: list[tuple[str, str]] = []
        if facts.shape is not None:
            members = facts.members(error)
            headers += BindingWriter(facts.shape).headers(members)
            members.pop(facts.message_member() or "", None)
            self._writers.members(output_body(facts.shape))(members, fields)
        inner = "".join(fields)
        kind = "Sender" if facts.sender else "Receiver"
        text = (
            f"<ErrorResponse><Error><Type>{kind}</Type>{inner}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return self.answer(facts.status, headers, self.document_type, (DECLARATION + text).encode(), request_id)
