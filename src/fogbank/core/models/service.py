"""One service's model: its metadata, operations, shapes and errors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fogbank.core.models.names import snake_case
from fogbank.core.models.shapes import (
    Member,
    Shape,
    StructureShape,
    XmlNamespace,
    build_member,
    build_shape,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Protocol(StrEnum):
    """How a service's requests and replies are written."""

    JSON = "json"
    QUERY = "query"
    EC2 = "ec2"
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    CBOR = "smithy-rpc-v2-cbor"


class UnknownOperationNameError(KeyError):
    """The model has no operation of this name."""


_BY_LINK = frozenset({("sns", "ConfirmSubscription"), ("sns", "Unsubscribe")})
"""Operations that need no signature, which the model does not say: SNS puts links to them into its messages."""


@dataclass(frozen=True, slots=True)
class HttpBinding:
    """The method, URI template (`/2015-03-31/functions/{FunctionName}`) and success status."""

    method: str
    uri: str
    status: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OperationModel:
    """One operation; the same object whenever it is asked for, so it can key a cache.

    `input` and `output` are `None` where it takes or gives nothing; `method_name` is its Python name
    (`send_message`); `input_member` is the reference to the input, with what it says of the document element
    (S3); `result_wrapper` names the element around a query protocol's result; `host_prefix` is what clients
    put before the host (`sync-`); `errors` are the names of error shapes.
    """

    service: str
    name: str
    method_name: str
    http: HttpBinding
    input: StructureShape | None
    output: StructureShape | None
    input_member: Member | None
    result_wrapper: str | None
    host_prefix: str | None
    errors: tuple[str, ...]
    checksum: Mapping[str, Any]
    unsigned: bool
    deprecated: bool

    def __repr__(self) -> str:
        return f"<operation {self.service}.{self.name}>"


class ServiceModel:
    """A service, as botocore's model describes it. Everything in it is built once, when first asked for."""

    def __init__(self, name: str, document: Mapping[str, Any]) -> None:
        metadata = document["metadata"]
        self.name = name
        """botocore's name: `sqs`, `lambda`, `stepfunctions`."""
        self.metadata: Mapping[str, Any] = metadata
        self.endpoint_prefix: str = metadata["endpointPrefix"]
        self.signing_name: str = metadata.get("signingName", metadata["endpointPrefix"])
        self.target_prefix: str | None = metadata.get("targetPrefix")
        self.json_version: str = metadata.get("jsonVersion", "1.0")
        self.protocol = Protocol(metadata["protocol"])
        self.protocols = tuple(map(Protocol, metadata.get("protocols") or [metadata["protocol"]]))
        self.api_version: str = metadata.get("apiVersion", "")
        self.query_compatible = "awsQueryCompatible" in metadata
        uri = metadata.get("xmlNamespace")
        self.xml_namespace: XmlNamespace | None = XmlNamespace(uri) if isinstance(uri, str) else None
        self._operations: Mapping[str, Any] = document["operations"]
        self._documents: Mapping[str, Any] = document["shapes"]
        self._shapes: dict[str, Shape] = {}
        self._built: dict[str, OperationModel] = {}

    @property
    def operation_names(self) -> tuple[str, ...]:
        """Every operation, in the model's order."""
        return tuple(self._operations)

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Every shape, in the model's order."""
        return tuple(self._documents)

    def operation(self, name: str) -> OperationModel:
        """The operation of this name; `UnknownOperationNameError` if there is none."""
        found = self._built.get(name)
        if found is None:
            found = self._built[name] = self._build_operation(name)
        return found

    def shape(self, name: str) -> Shape:
        """The shape of this name; `KeyError` if there is none."""
        found = self._shapes.get(name)
        if found is None:
            found = self._shapes[name] = build_shape(name, self._documents[name], self)
        return found

    def resolve(self, name: str, constraints: Mapping[str, Any], /) -> Shape:
        """The shape that a member refers to, narrowed by constraints that the reference itself adds."""
        if not constraints:
            return self.shape(name)
        return build_shape(name, {**self._documents[name], **constraints}, self)

    def error(self, code: str) -> StructureShape | None:
        """The error with this shape name or, failing that, this wire code; `None` if the model has none."""
        return self._errors.get(code)

    @cached_property
    def _errors(self) -> Mapping[str, StructureShape]:
        named: dict[str, StructureShape] = {}
        coded: dict[str, StructureShape] = {}
        for name, document in self._documents.items():
            if not document.get("exception"):
                continue
            shape = self.shape(name)
            if isinstance(shape, StructureShape):
                named[name] = shape
                if shape.error.code:
                    coded.setdefault(shape.error.code, shape)
        return {**coded, **named}

    def _build_operation(self, name: str) -> OperationModel:
        document = self._operations.get(name)
        if document is None:
            raise UnknownOperationNameError(name)
        http = document.get("http", {})
        given, result = document.get("input"), document.get("output")
        return OperationModel(
            service=self.name,
            name=name,
            method_name=snake_case(name),
            http=HttpBinding(http.get("method", "POST"), http.get("requestUri", "/"), http.get("responseCode", 200)),
            input=self._structure(given),
            output=self._structure(result),
            input_member=build_member("input", given, self) if given else None,
            result_wrapper=result.get("resultWrapper") if result else None,
            host_prefix=document.get("endpoint", {}).get("hostPrefix"),
            errors=tuple(ref["shape"] for ref in document.get("errors", ())),
            checksum=document.get("httpChecksum", {}),
            unsigned=document.get("authtype") == "none" or (self.name, name) in _BY_LINK,
            deprecated=bool(document.get("deprecated")),
        )

    def _structure(self, ref: Mapping[str, Any] | None) -> StructureShape | None:
        if ref is None:
            return None
        shape = self.shape(ref["shape"])
        if not isinstance(shape, StructureShape):
            raise TypeError(f"{self.name}: expected a structure, got {shape.type} {shape.name}")
        return shape
