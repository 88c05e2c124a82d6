"""Shapes: the types of a service model.

    Shape
    ├── StructureShape   named members; also unions, errors, events and event streams
    ├── ListShape        one member type
    ├── MapShape         key and value types
    ├── StringShape      with length, pattern, enumeration
    ├── BlobShape        bytes
    ├── NumberShape      integer, long, float, double, with a range
    ├── BooleanShape
    └── TimestampShape

Structures refer to each other freely, in circles too, so a `Member` names its shape and the model resolves
the name when it is first asked for. A shape is one object, compared and hashed by identity, so that it can
key what is compiled from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class ShapeType(StrEnum):
    """What kind of value a shape describes."""

    STRUCTURE = "structure"
    LIST = "list"
    MAP = "map"
    STRING = "string"
    CHARACTER = "character"
    BLOB = "blob"
    INTEGER = "integer"
    LONG = "long"
    BIG_INTEGER = "biginteger"
    FLOAT = "float"
    DOUBLE = "double"
    BIG_DECIMAL = "bigdecimal"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"


class Location(StrEnum):
    """Where in an HTTP message a member travels; members without one travel in the body."""

    URI = "uri"
    QUERY = "querystring"
    HEADER = "header"
    HEADERS = "headers"
    """A map whose entries are headers with a common prefix (`x-amz-meta-`)."""
    STATUS = "statusCode"


class TimestampFormat(StrEnum):
    """How a timestamp is written."""

    ISO8601 = "iso8601"
    RFC822 = "rfc822"
    UNIX = "unixTimestamp"


class ShapeSource(Protocol):
    """Where members find their shapes: the model that they belong to."""

    def resolve(self, name: str, constraints: Mapping[str, Any], /) -> Shape:
        """The shape of this name, narrowed by what a reference to it adds."""
        ...


@dataclass(frozen=True, slots=True)
class XmlNamespace:
    """An XML namespace, with its prefix where it has one."""

    uri: str
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorTraits:
    """What the model says of an error beside its shape; `code` and `status` are `None` where it is silent."""

    code: str | None
    status: int | None
    sender_fault: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Shape:
    """What all shapes have. `sensitive` values are never shown in errors and logs."""

    name: str
    type: ShapeType
    sensitive: bool

    def __repr__(self) -> str:
        return f"<{self.type} {self.name}>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StringShape(Shape):
    """Text. `minimum` and `maximum` bound its length in characters."""

    minimum: int | None
    maximum: int | None
    pattern: str | None
    enum: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BlobShape(Shape):
    """Bytes. `minimum` and `maximum` bound their number. A streaming blob is the whole body."""

    minimum: int | None
    maximum: int | None
    streaming: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NumberShape(Shape):
    """A number; `minimum` and `maximum` bound its value."""

    minimum: float | None
    maximum: float | None

    @property
    def whole(self) -> bool:
        """Whether only integers fit."""
        return self.type in (ShapeType.INTEGER, ShapeType.LONG, ShapeType.BIG_INTEGER)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BooleanShape(Shape):
    """True or false."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TimestampShape(Shape):
    """A moment; in requests and replies a float of seconds since the epoch. `format` is set where it differs
    from what the protocol and the location prescribe.
    """

    format: TimestampFormat | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Member:
    """A member of a structure, a list or a map: the shape that it refers to, and how it travels."""

    name: str
    shape_name: str
    location: Location | None
    location_name: str | None
    flattened: bool
    xml_attribute: bool
    xml_namespace: XmlNamespace | None
    timestamp_format: TimestampFormat | None
    streaming: bool
    json_value: bool
    """A JSON document as text inside a header."""
    event_payload: bool
    event_header: bool
    idempotency_token: bool
    query_name: str | None
    constraints: Mapping[str, Any]
    source: ShapeSource

    def __repr__(self) -> str:
        return f"<member {self.name}: {self.shape_name}>"

    @property
    def shape(self) -> Shape:
        """The shape that this member refers to."""
        return self.source.resolve(self.shape_name, self.constraints)

    @property
    def wire_name(self) -> str:
        """The name on the wire: the location name, else the member's own."""
        return self.location_name or self.name


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ListShape(Shape):
    """A list; `minimum` and `maximum` bound the number of its elements."""

    member: Member
    flattened: bool
    minimum: int | None
    maximum: int | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MapShape(Shape):
    """A map; `minimum` and `maximum` bound the number of its entries."""

    key: Member
    value: Member
    flattened: bool
    minimum: int | None
    maximum: int | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StructureShape(Shape):
    """Named members, in the model's order.

    `payload` names the member that alone is the body. `exception` marks errors, `union` structures of which
    exactly one member is set, `event_stream` unions whose members are events, `document` any JSON value.
    """

    members: Mapping[str, Member]
    required: tuple[str, ...]
    payload: str | None
    exception: bool
    error: ErrorTraits
    union: bool
    event: bool
    event_stream: bool
    document: bool
    location_name: str | None
    xml_namespace: XmlNamespace | None


_CONSTRAINTS = frozenset({"enum", "max", "min", "pattern", "sensitive"})
_NO_CONSTRAINTS: Mapping[str, Any] = {}


def build_shape(name: str, document: Mapping[str, Any], source: ShapeSource) -> Shape:
    """The shape that a model's JSON describes."""
    kind = ShapeType(document["type"])
    common = (name, kind, bool(document.get("sensitive")))
    low, high = document.get("min"), document.get("max")
    match kind:
        case ShapeType.STRUCTURE:
            return _build_structure(common, document, source)
        case ShapeType.LIST:
            member = build_member("member", document["member"], source)
            return ListShape(*common, member, bool(document.get("flattened")), low, high)
        case ShapeType.MAP:
            key = build_member("key", document["key"], source)
            value = build_member("value", document["value"], source)
            return MapShape(*common, key, value, bool(document.get("flattened")), low, high)
        case ShapeType.STRING | ShapeType.CHARACTER:
            return StringShape(*common, low, high, document.get("pattern"), tuple(document.get("enum", ())))
        case ShapeType.BLOB:
            return BlobShape(*common, low, high, bool(document.get("streaming")))
        case ShapeType.BOOLEAN:
            return BooleanShape(*common)
        case ShapeType.TIMESTAMP:
            return TimestampShape(*common, _timestamp_format(document))
        case _:
            return NumberShape(*common, low, high)


def build_member(name: str, ref: Mapping[str, Any], source: ShapeSource) -> Member:
    """The member that a reference in a model's JSON describes."""
    location = ref.get("location")
    return Member(
        name=name,
        shape_name=ref["shape"],
        location=Location(location) if location else None,
        location_name=ref.get("locationName"),
        flattened=bool(ref.get("flattened")),
        xml_attribute=bool(ref.get("xmlAttribute")),
        xml_namespace=_xml_namespace(ref),
        timestamp_format=_timestamp_format(ref),
        streaming=bool(ref.get("streaming")),
        json_value=bool(ref.get("jsonvalue")),
        event_payload=bool(ref.get("eventpayload")),
        event_header=bool(ref.get("eventheader")),
        idempotency_token=bool(ref.get("idempotencyToken")),
        query_name=ref.get("queryName"),
        constraints={k: ref[k] for k in _CONSTRAINTS & ref.keys()} or _NO_CONSTRAINTS,
        source=source,
    )


def _build_structure(
    common: tuple[str, ShapeType, bool], document: Mapping[str, Any], source: ShapeSource
) -> StructureShape:
    error = document.get("error", {})
    fault = bool(document.get("fault"))
    status = error.get("httpStatusCode")
    return StructureShape(
        *common,
        members={name: build_member(name, ref, source) for name, ref in document.get("members", {}).items()},
        required=tuple(document.get("required", ())),
        payload=document.get("payload"),
        exception=bool(document.get("exception")),
        error=ErrorTraits(
            error.get("code"),
            status if status is not None else (500 if fault else None),
            bool(error.get("senderFault", not fault)),
        ),
        union=bool(document.get("union")),
        event=bool(document.get("event")),
        event_stream=bool(document.get("eventstream")),
        document=bool(document.get("document")),
        location_name=document.get("locationName"),
        xml_namespace=_xml_namespace(document),
    )


def _timestamp_format(document: Mapping[str, Any]) -> TimestampFormat | None:
    text = document.get("timestampFormat")
    return TimestampFormat(text) if text else None


def _xml_namespace(document: Mapping[str, Any]) -> XmlNamespace | None:
    value = document.get("xmlNamespace")
    if value is None:
        return None
    if isinstance(value, str):
        return XmlNamespace(value)
    return XmlNamespace(value["uri"], value.get("prefix"))
