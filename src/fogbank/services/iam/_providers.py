"""Identity providers: what an account trusts to say who someone is, by OpenID Connect or by SAML.

Pure: no I/O, no clock. Times are milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from xml.parsers import expat

from fogbank.services.iam.errors import IamValidationError, InvalidInputError, NoSuchEntityError
from fogbank.services.iam.model import quota

MAX_PROVIDERS = 100
MAX_CLIENTS = 100
MAX_THUMBPRINTS = 5
_HUNDRED_YEARS = 100 * 365 * 86_400_000
_URL = re.compile(r"https://([^\s/?#@:]+\.[^\s/?#@:]+(?:/[^\s?#]*)?)")
_DESCRIPTOR = "urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"


class ProviderKind(StrEnum):
    """The protocol of an identity provider, as its ARN calls it."""

    OIDC = "oidc-provider"
    SAML = "saml-provider"


@dataclass(frozen=True, slots=True)
class ProviderDetails:
    """What the protocols differ in. `url` has no `https://`."""

    url: str = ""
    clients: Sequence[str] = ()
    thumbprints: Sequence[str] = ()
    document: str = ""
    uuid: str = ""
    valid_until: int = 0
    encryption: str = "Allowed"


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider."""

    arn: str
    account: str
    kind: ProviderKind
    created_at: int
    details: ProviderDetails
    tags: Mapping[str, str] = field(default_factory=dict)


def host_of(url: str) -> str:
    """An issuer's URL without its scheme; `IamValidationError` unless it is one of HTTPS without port or query."""
    match = _URL.fullmatch(url)
    if match is None:
        raise IamValidationError("Invalid Open ID Connect Provider URL")
    return match[1]


def check_clients(clients: Sequence[str]) -> None:
    """A provider has at most 100 client ids."""
    if len(clients) > MAX_CLIENTS:
        raise quota("ClientIdsPerOpenIdConnectProvider", MAX_CLIENTS)


def check_thumbprints(thumbprints: Sequence[str]) -> None:
    """A provider has at most five thumbprints; AWS's words for it were recorded by the LocalStack project's
    validated suite.
    """
    if len(thumbprints) > MAX_THUMBPRINTS:
        raise InvalidInputError("Thumbprint list must contain fewer than 5 entries.")


def missing_provider(kind: ProviderKind, arn: str) -> NoSuchEntityError:
    """The error for a provider that is not there."""
    if kind is ProviderKind.OIDC:
        return NoSuchEntityError(f"OpenIDConnect Provider not found for arn {arn}")
    return NoSuchEntityError(f"Manifest not found for arn {arn}")


def valid_until(document: str, now: int) -> int:
    """When a SAML metadata document ends: as it says, or else in a hundred years.

    `InvalidInputError` unless it is the XML of an entity descriptor. Entities cannot be declared: they could
    expand without end.
    """
    found: list[Mapping[str, str]] = []

    def start(name: str, attributes: Mapping[str, str]) -> None:
        if name == _DESCRIPTOR:
            found.append(attributes)

    def refuse(*_: object) -> None:
        raise InvalidInputError("Could not parse metadata: entities cannot be declared.")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(document.encode(), True)
    except expat.ExpatError as error:
        raise InvalidInputError(f"Could not parse metadata: {error}") from None
    if not found:
        raise InvalidInputError("Could not parse metadata: it has no EntityDescriptor.")
    return _millis(found[0].get("validUntil"), now + _HUNDRED_YEARS)


def _millis(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(f"Could not parse metadata: validUntil is no date: {text}") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
