"""Which service, operation, account and region a request is for.

What a request says of its service, in the order in which it is believed: the credential scope of its signature,
the prefix of `X-Amz-Target`, the path of Smithy's RPC protocol, the host's name, the API version of a form.
Several services sign with one name (DynamoDB and its streams, both API Gateways); among those the target or the
path decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from fogbank.core.errors import ApiError, NotImplementedByFogbank, UnknownOperationError
from fogbank.core.http import HttpRequest
from fogbank.core.models import (
    Protocol,
    ServiceCard,
    UnknownOperationNameError,
    service_cards,
    wire_model,
)
from fogbank.gateway.protocols import AwsJsonCodec, OperationCodec, ProtocolCodec, RestCodec, make_codec
from fogbank.gateway.protocols.query_values import parse_form
from fogbank.gateway.signature_v2 import is_signed_so

_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d{1,2}|[a-z0-9-]{1,32}")
_RPC_PATH = re.compile(r"/service/([\w.]+)/operation/(\w+)")
_VERSION = re.compile(r"application/x-amz-json-(1\.[01])")
_S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-](?:[a-z0-9-]+))*\.(?:amazonaws\.com|localhost\S*)")
_BUCKET_HOST = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.localhost(?:\.localstack\.cloud)?")
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class CredentialScope:
    """What a signature's credential says: `AKIA…/20261123/us-east-1/sqs/aws4_request`."""

    access_key: str
    date: str
    region: str
    service: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """A request's operation and how it is written; `labels` is what its path names."""

    codec: OperationCodec
    labels: Mapping[str, str]


class UnrecognisedError(Exception):
    """The operation cannot be found; `error` is to be answered in the form of `codec`."""

    def __init__(self, error: ApiError, codec: ProtocolCodec) -> None:
        super().__init__(error.message)
        self.error = error
        self.codec = codec


_NO_LABELS: Mapping[str, str] = {}
_CREDENTIAL = "Credential="


class Recogniser:
    """Recognises requests. It keeps what it has found out, so that a usual request costs two look-ups."""

    def __init__(self) -> None:
        self._codecs: dict[tuple[str, Protocol, str], ProtocolCodec] = {}
        self._targets: dict[tuple[str, str | None], Recognised] = {}
        self._scopes: dict[str, CredentialScope | None] = {}

    def scope(self, request: HttpRequest) -> CredentialScope | None:
        """The credential scope of a request's signature, in its header or its query string, if it has one."""
        header = request.headers.get("authorization")
        if header is not None:
            start = header.find(_CREDENTIAL)
            if start < 0:
                return None
            end = header.find(",", start)
            text = header[start + len(_CREDENTIAL) : end if end >= 0 else len(header)]
        elif "X-Amz-Credential=" in request.query:
            rest = request.query.partition("X-Amz-Credential=")[2]
            text = unquote(rest.partition("&")[0])
        elif request.query and is_signed_so(request.query):
            key = unquote(request.query.partition("AWSAccessKeyId=")[2].partition("&")[0])
            return CredentialScope(key, "", "", "s3")
        else:
            return None
        found = self._scopes.get(text, ...)
        if found is ...:
            if len(self._scopes) >= _KEPT:
                self._scopes.clear()
            found = self._scopes[text] = _parse_credential(text)
        return found

    def recognise(self, request: HttpRequest, scope: CredentialScope | None) -> Recognised:
        """The operation that a request is for; `UnrecognisedError` if there is none."""
        target = request.headers.get("x-amz-target")
        if target is not None:
            key = (target, request.headers.get("content-type"))
            found = self._targets.get(key)
            if found is None:
                found = self._by_target(target, request, scope)
                if len(self._targets) < _KEPT:
                    self._targets[key] = found
            return found
        rpc = _RPC_PATH.fullmatch(request.path) if request.path.startswith("/service/") else None
        if rpc is not None:
            return self._by_rpc_path(rpc[1], rpc[2])
        card = self._card(request, scope)
        if Protocol.REST_JSON in card.protocols or Protocol.REST_XML in card.protocols:
            return self._by_path(card, request)
        return self._by_action(card, request)

    def neutral(self, request: HttpRequest) -> ProtocolCodec:
        """A codec for the error of a request whose operation is not known."""
        return self._guess(request)

    def s3(self) -> ProtocolCodec:
        """S3's codec, for what is refused before the request is read."""
        return self._codec("s3", Protocol.REST_XML)

    # The ways of naming an operation

    def _by_target(self, target: str, request: HttpRequest, scope: CredentialScope | None) -> Recognised:
        prefix, _, operation = target.rpartition(".")
        version = _VERSION.match(request.headers.get("content-type", ""))
        card = self._index.by_target.get(prefix)
        if card is None:
            codec = self._json_for(scope, version[1] if version else "1.0")
            raise UnrecognisedError(_unknown_operation(target), codec)
        codec = self._codec(card.name, Protocol.JSON, version[1] if version else "")
        return Recognised(self._operation(codec, operation), _NO_LABELS)

    def _by_rpc_path(self, service: str, operation: str) -> Recognised:
        card = self._index.by_target.get(service)
        if card is None or Protocol.CBOR not in card.protocols:
            codec = self._codec("cloudwatch", Protocol.CBOR)
            raise UnrecognisedError(_unknown_operation(f"{service}.{operation}"), codec)
        return Recognised(self._operation(self._codec(card.name, Protocol.CBOR), operation), _NO_LABELS)

    def _by_path(self, card: ServiceCard, request: HttpRequest) -> Recognised:
        codec = self._codec(card.name, card.protocols[0])
        assert isinstance(codec, RestCodec)
        found = codec.match(request)
        if found is None:
            error = NoSuchPathError(f"No operation is known for {request.method} {request.path[:300]}")
            raise UnrecognisedError(error, codec)
        return Recognised(codec.operation(found.operation), found.labels)

    def _by_action(self, card: ServiceCard, request: HttpRequest) -> Recognised:
        if Protocol.QUERY not in card.protocols:
            codec = self._codec(card.name, card.protocols[0])
            what = "neither X-Amz-Target nor a path that names an operation"
            raise UnrecognisedError(_unknown_operation(what), codec)
        codec = self._codec(card.name, Protocol.QUERY)
        form = _form(request)
        action = form.get("Action")
        if not action:
            raise UnrecognisedError(MissingActionError("The request must contain the parameter Action."), codec)
        try:
            return Recognised(codec.operation(action), _NO_LABELS)
        except UnknownOperationNameError:
            error = InvalidActionError(f"The action {action[:200]} is not valid for this web service.")
            raise UnrecognisedError(error, codec) from None

    # Services

    def _card(self, request: HttpRequest, scope: CredentialScope | None) -> ServiceCard:
        """The service of a request that has no target."""
        if scope is not None:
            cards = self._index.by_signing_name.get(scope.service)
            if cards is None:
                raise UnrecognisedError(_unknown_service(scope.service), self._guess(request))
            return _narrowed(cards, request.path)
        card = self._by_host(request.headers.get("host", "")) or self._by_version(request)
        if card is not None:
            return _narrowed(self._index.by_signing_name[card.signing_name], request.path)
        raise UnrecognisedError(
            MissingTokenError(
                "The request is not signed, and neither its headers, its host nor its parameters name a service"
            ),
            self._guess(request),
        )

    def _by_host(self, host: str) -> ServiceCard | None:
        name = host.partition(":")[0].lower()
        if not name.endswith(".amazonaws.com") and ".localhost" not in name:
            return None
        labels = name.split(".")
        for width in (2, 1):
            for at in range(min(3, len(labels))):
                card = self._index.by_endpoint.get(".".join(labels[at : at + width]))
                if card is not None:
                    return card
        return None

    def _by_version(self, request: HttpRequest) -> ServiceCard | None:
        form = _form(request)
        if "Action" not in form:
            return self._index.by_first_segment.get(request.path.partition("/")[2].partition("/")[0])
        return self._index.by_version.get(form.get("Version", "")) or self._index.by_action.get(form["Action"])

    # Codecs

    def _operation(self, codec: ProtocolCodec, name: str) -> OperationCodec:
        try:
            return codec.operation(name)
        except UnknownOperationNameError:
            raise UnrecognisedError(_unknown_operation(f"{codec.model.name}.{name}"), codec) from None

    def _codec(self, service: str, protocol: Protocol, version: str = "") -> ProtocolCodec:
        key = (service, protocol, version)
        found = self._codecs.get(key)
        if found is None:
            model = wire_model(service, protocol)
            found = AwsJsonCodec(model, version) if version else make_codec(model, protocol)
            self._codecs[key] = found
        return found

    def _json_for(self, scope: CredentialScope | None, version: str) -> ProtocolCodec:
        """JSON for an unknown target: the signed service's if it speaks it, else a neutral one."""
        for card in self._index.by_signing_name.get(scope.service, ()) if scope else ():
            if Protocol.JSON in card.protocols:
                return self._codec(card.name, Protocol.JSON, version)
        return self._codec("events", Protocol.JSON, version)

    def _guess(self, request: HttpRequest) -> ProtocolCodec:
        """A protocol for an error without a service: forms are answered in XML, all else in JSON."""
        if "x-amz-target" in request.headers:
            return self._codec("events", Protocol.JSON)
        if "form-urlencoded" in request.headers.get("content-type", "") or "Action=" in request.query:
            return self._codec("sts", Protocol.QUERY)
        return self._codec("lambda", Protocol.REST_JSON)

    @cached_property
    def _index(self) -> _Index:
        return _Index(service_cards())


class _Index:
    """The services by each thing that a request may say of them."""

    def __init__(self, cards: Mapping[str, ServiceCard]) -> None:
        self.by_target = {card.target_prefix: card for card in cards.values() if card.target_prefix}
        self.by_signing_name: dict[str, list[ServiceCard]] = {}
        self.by_endpoint: dict[str, ServiceCard] = {}
        self.by_version: dict[str, ServiceCard] = {}
        for card in cards.values():
            self.by_signing_name.setdefault(card.signing_name, []).append(card)
            self.by_endpoint.setdefault(card.endpoint_prefix, card)
            if Protocol.QUERY in card.protocols:
                self.by_version[card.api_version] = card
        self.by_action = {"ConfirmSubscription": cards["sns"], "Unsubscribe": cards["sns"]}
        """What the links in notifications name, which say neither a version nor who visits them."""
        self.by_first_segment = {
            "2015-03-31": cards["lambda"],
            "schedules": cards["scheduler"],
            "schedule-groups": cards["scheduler"],
        }
        """Paths that only one service has, for requests without a signature."""


class NoSuchPathError(UnknownOperationError):
    """A method and a path that mean no operation of a REST service."""

    status = 404


class MissingActionError(ApiError):
    """A form without an `Action`."""

    code = "MissingAction"


class InvalidActionError(ApiError):
    """A form whose `Action` the service does not have."""

    code = "InvalidAction"


class MissingTokenError(ApiError):
    """A request that is not signed and does not say which service it is for."""

    code = "MissingAuthenticationToken"
    status = 403


def _narrowed(cards: list[ServiceCard], path: str) -> ServiceCard:
    """The one of several services with one signing name that has the path: API Gateway's v2 paths."""
    if len(cards) == 1:
        return cards[0]
    newer = path.startswith("/v2/")
    for card in cards:
        if card.name.endswith("v2") is newer:
            return card
    return cards[0]


def _form(request: HttpRequest) -> Mapping[str, str]:
    """The parameters of a query request, from its body and its query string."""
    pairs = parse_form(request.query) if request.query else []
    if request.method == "POST" and not request.headers.get("content-type", "").startswith("application/json"):
        pairs += parse_form(request.body)
    return dict(pairs)


def _parse_credential(text: str) -> CredentialScope | None:
    parts = text.strip().split("/")
    if len(parts) < 5 or parts[-1] != "aws4_request":
        return None
    region, service = parts[-3], parts[-2]
    return CredentialScope("/".join(parts[:-4]), parts[-4], region, service)


def valid_region(region: str) -> bool:
    """Whether a credential scope's region can be one."""
    return _REGION.fullmatch(region) is not None


def _unknown_operation(what: str) -> ApiError:
    return UnknownOperationError(f"No operation is known for {what[:300]}")


def _unknown_service(name: str) -> ApiError:
    return NotImplementedByFogbank(f"Fogbank has no service that signs as {name[:100]!r}")


def virtual_bucket(host: str, *, signed: bool = True) -> str | None:
    """The bucket that a virtual-hosted S3 request names in its host.

    A request that is not signed for S3 must name it (`bucket.s3.localhost`): any name may stand before `.localhost`.
    """
    name = host.partition(":")[0].lower()
    found = _S3_HOST.fullmatch(name) or (_BUCKET_HOST.fullmatch(name) if signed else None)
    return found["bucket"] if found else None
