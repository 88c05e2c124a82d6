"""What real botocore serializes is decoded to what it was given, and what is encoded it parses to the reply.

Every operation of every shipped service takes part; the values are drawn from the models.
"""

from __future__ import annotations

import string
from functools import cache
from typing import Any

import botocore.loaders
import botocore.model
from botocore.awsrequest import HeadersDict
from botocore.parsers import PROTOCOL_PARSERS
from botocore.serialize import create_serializer
from botocore.utils import parse_timestamp, percent_encode_sequence
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fogbank.core.http import HttpRequest
from fogbank.core.models import (
    BlobShape,
    BooleanShape,
    ListShape,
    Location,
    MapShape,
    Member,
    NumberShape,
    Protocol,
    Shape,
    StringShape,
    StructureShape,
    TimestampShape,
    service_model,
    service_names,
)
from fogbank.gateway.recognise import CredentialScope, Recogniser

RECOGNISER = Recogniser()
LOADER = botocore.loaders.Loader(include_default_extras=False)
PRINTABLE = st.text(string.ascii_letters + string.digits + "-_.:/ +&=%?'()~!*;@", min_size=1).map(
    lambda text: text.strip() or "x"
)
HEADER_ITEM = st.text(string.ascii_letters + string.digits + "-.", min_size=1)
LABEL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda t: t not in {".", ".."})
XML_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
        lambda c: c >= " " or c in "\t\n\r"
    )
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MOMENT = st.integers(0, 4_000_000_000)
FLOAT = st.integers(-4000, 4000).map(lambda n: n / 4)


def streams(shape: StructureShape | None) -> bool:
    """Whether events take part, which have tests of their own."""
    if shape is None:
        return False
    targets = [member.shape for member in shape.members.values()]
    return any(isinstance(target, StructureShape) and target.event_stream for target in targets)


def operations() -> list[tuple[str, str]]:
    found = []
    for service in sorted(service_names()):
        model = service_model(service)
        for name in model.operation_names:
            operation = model.operation(name)
            if operation.deprecated or name == "ListDirectoryBuckets":
                continue  # S3 has newer ones at the same paths, and one that only another host tells apart
            if not streams(operation.input) and not streams(operation.output):
                found.append((service, name))
    return found


@cache
def reference(service: str) -> botocore.model.ServiceModel:
    return botocore.model.ServiceModel(LOADER.load_service_model(service, "service-2"), service)


class Values:
    """Draws values of shapes. `text` is what strings in documents are made of."""

    def __init__(self, draw: Any, text: st.SearchStrategy[str]) -> None:
        self._draw = draw
        self._text = text

    def structure(self, shape: StructureShape, depth: int = 0) -> dict[str, Any]:
        optional = [name for name in shape.members if name not in shape.required]
        if shape.union:
            chosen = [self._draw(st.sampled_from(optional))] if optional else []
        elif depth > 3:
            chosen = []
        else:
            chosen = self._draw(st.lists(st.sampled_from(optional), unique=True, max_size=4)) if optional else []
        names = [*shape.required, *chosen]
        found = {name: self.member(shape.members[name], depth) for name in shape.members if name in names}
        payload = shape.members[shape.payload].shape if shape.payload in found else None
        if isinstance(payload, BlobShape | StringShape) and shape.payload is not None:
            text = self._draw(PRINTABLE)  # no body and an empty one are the same
            found[shape.payload] = text.encode() if isinstance(payload, BlobShape) else text
        return found

    def member(self, member: Member, depth: int) -> Any:
        shape = member.shape
        if member.location in {Location.HEADER, Location.HEADERS}:
            return self.value(shape, depth, HEADER_ITEM)
        if member.location is Location.URI:
            return self.value(shape, depth, LABEL)
        if member.location is Location.STATUS:
            return 200
        if member.xml_attribute:
            return self.value(shape, depth, PRINTABLE)
        return self.value(shape, depth, self._text)

    def value(self, shape: Shape, depth: int, text: st.SearchStrategy[str]) -> Any:
        draw = self._draw
        if isinstance(shape, StructureShape):
            return self.structure(shape, depth + 1)
        if isinstance(shape, ListShape):
            size = draw(st.integers(0 if depth > 2 else 1, 1 if depth > 2 else 3))
            return [self.value(shape.member.shape, depth + 1, text) for _ in range(size)]
        if isinstance(shape, MapShape):
            names = draw(st.lists(HEADER_ITEM.map(str.lower), unique=True, max_size=1 if depth > 2 else 3))
            return {name: self.value(shape.value.shape, depth + 1, text) for name in names}
        if isinstance(shape, BooleanShape):
            return draw(st.booleans())
        if isinstance(shape, TimestampShape):
            return draw(MOMENT)
        if isinstance(shape, BlobShape):
            return draw(st.binary(max_size=20))
        if isinstance(shape, NumberShape):
            return draw(st.integers(-(2**31), 2**31 - 1)) if shape.whole else draw(FLOAT)
        assert isinstance(shape, StringShape)
        return draw(st.sampled_from(shape.enum)) if shape.enum else draw(text)


def compact(value: Any) -> Any:
    """A value without empty lists, maps and structures, which forms and XML do not tell from absent ones."""
    if isinstance(value, dict):
        inner = {key: compact(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item not in ({}, [], None, b"")}
    if isinstance(value, list):
        items = [compact(item) for item in value]
        return [item for item in items if item not in ({}, [])]
    if isinstance(value, bytearray):
        return bytes(value)
    return value


def serialized(service: str, name: str, params: dict[str, Any]) -> HttpRequest:
    """The request that botocore makes."""
    model = reference(service)
    serializer = create_serializer(str(model.resolved_protocol), include_validation=False)
    wire = serializer.serialize_to_request(params, model.operation_model(name))
    body = wire["body"]
    if isinstance(body, dict):
        body = percent_encode_sequence(body)
    path, _, query = wire["url_path"].partition("?")
    if wire["query_string"]:
        given = wire["query_string"]
        more = given if isinstance(given, str) else percent_encode_sequence(given)
        query = f"{query}&{more}" if query else more
    headers = {key.lower(): str(value) for key, value in wire["headers"].items()}
    raw = body.encode() if isinstance(body, str) else bytes(body or b"")
    return HttpRequest(wire["method"], path, query, headers, raw)


@st.composite
def requests(draw: Any) -> tuple[str, str, dict[str, Any]]:
    service, name = draw(st.sampled_from(OPERATIONS))
    model = service_model(service)
    shape = model.operation(name).input
    sent = XML_TEXT.filter(lambda text: "\r" not in text)  # which botocore writes as it is, and XML reads as \n
    values = Values(draw, sent if model.protocol is Protocol.REST_XML else TEXT)
    return service, name, values.structure(shape) if shape else {}


OPERATIONS = operations()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests())
def test_requests_of_every_operation(case: tuple[str, str, dict[str, Any]]) -> None:
    """Operation and parameters come out as they were given to botocore."""
    service, name, params = case
    model = service_model(service)
    request = serialized(service, name, params)
    scope = CredentialScope("key", "20231114", "eu-west-1", model.signing_name)
    found = RECOGNISER.recognise(request, scope)
    assert (found.codec.operation.service, found.codec.operation.name) == (service, name)
    assert compact(found.codec.decode(request, found.labels)) == compact(params)


@st.composite
def replies(draw: Any) -> tuple[str, str, dict[str, Any]]:
    service, name = draw(st.sampled_from(OPERATIONS))
    model = service_model(service)
    shape = model.operation(name).output
    speaks_xml = model.protocol in {Protocol.QUERY, Protocol.REST_XML}
    return service, name, Values(draw, XML_TEXT if speaks_xml else TEXT).structure(shape) if shape else {}


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(replies())
def test_replies_of_every_operation(case: tuple[str, str, dict[str, Any]]) -> None:
    """botocore parses what was encoded."""
    service, name, reply = case
    model = service_model(service)
    output = model.operation(name).output
    codec = RECOGNISER._codec(service, model.protocol)
    answer = codec.operation(name).encode(reply, "id")
    make_parser: Any = PROTOCOL_PARSERS[str(model.protocol)]
    parser = make_parser(timestamp_parser=lambda value: parse_timestamp(value).timestamp())
    response = {
        "status_code": answer.status,
        "headers": HeadersDict(dict(answer.headers)),
        "body": answer.body,
        "context": {"operation_name": name},
    }
    shape = reference(service).operation_model(name).output_shape
    parsed = dict(parser.parse(response, shape))
    parsed.pop("ResponseMetadata")
    expected = dict(reply)
    if output is not None:
        if answer.status == 204:  # headers are all there is
            expected = {n: v for n, v in reply.items() if output.members[n].location is not None}
        expected |= {n: answer.status for n, m in output.members.items() if m.location is Location.STATUS}
        added = [n for n, m in output.members.items() if m.wire_name.lower() == "content-type" and n not in reply]
        if output.payload not in reply and parsed.get(output.payload or "") == "":
            added.append(output.payload or "")  # no body and an empty one are the same
        parsed = {n: value for n, value in parsed.items() if n not in added}
    assert compact(as_parsed(output, parsed)) == compact(expected)


def as_parsed(shape: Shape | None, value: Any) -> Any:
    """What botocore parsed in the types of a reply: a payload of text is text, a stream its bytes."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {key: as_parsed(shape.members[key].shape, item) for key, item in value.items()}
    if isinstance(shape, BlobShape) and isinstance(value, str):
        return value.encode()
    return value


def test_hundreds_of_operations_take_part() -> None:
    assert len(OPERATIONS) > 1500
