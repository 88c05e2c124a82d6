"""Connections and API destinations, without I/O.

    AUTHORIZED ◀── BASIC, API_KEY at once; OAUTH_CLIENT_CREDENTIALS when a token was had: AUTHORIZING ──▶ AUTHORIZED
    DEAUTHORIZED ◀── DeauthorizeConnection, or no token was to be had

Sources: the service model (CreateConnection, ConnectionHttpParameters);
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-auth.html, eb-api-destinations.html.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fogbank.core.http.client import HttpReply
from fogbank.core.scope import Scope
from fogbank.delivery.connections import Credentials

MAX_CONNECTIONS = 3_000
MAX_DESTINATIONS = 3_000
DEFAULT_RATE = 300
"""Invocations a second."""
AUTHORIZED = "AUTHORIZED"
AUTHORIZING = "AUTHORIZING"
DEAUTHORIZED = "DEAUTHORIZED"
OAUTH = "OAUTH_CLIENT_CREDENTIALS"
PARAMETERS = {"BASIC": "BasicAuthParameters", "API_KEY": "ApiKeyAuthParameters", OAUTH: "OAuthParameters"}
"""The member of AuthParameters that goes with each type."""
_GROUPS = ("HeaderParameters", "QueryStringParameters", "BodyParameters")


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection. `auth` is what the request gave, secrets and all; times are milliseconds."""

    scope: Scope
    name: str
    id: str
    description: str | None
    kind: str
    auth: Mapping[str, Any]
    state: str
    reason: str | None
    created: int
    modified: int
    authorized: int | None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("events", f"connection/{self.name}/{self.id}")

    @property
    def secret_arn(self) -> str:
        """The ARN of the secret that AWS would keep the credentials in; here they are with the connection."""
        return self.scope.arn("secretsmanager", f"secret:events!connection/{self.name}/{self.id}")


@dataclass(frozen=True, slots=True)
class Destination:
    """An API destination. `rate` is invocations a second."""

    scope: Scope
    name: str
    id: str
    description: str | None
    connection: str
    endpoint: str
    method: str
    rate: int
    created: int
    modified: int

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("events", f"api-destination/{self.name}/{self.id}")


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and when it is no good any more (seconds)."""

    value: str
    expires: float


def shown(auth: Mapping[str, Any]) -> dict[str, Any]:
    """Authorization parameters without their secrets, as DescribeConnection shows them."""
    out: dict[str, Any] = {}
    if "BasicAuthParameters" in auth:
        out["BasicAuthParameters"] = {"Username": auth["BasicAuthParameters"]["Username"]}
    if "ApiKeyAuthParameters" in auth:
        out["ApiKeyAuthParameters"] = {"ApiKeyName": auth["ApiKeyAuthParameters"]["ApiKeyName"]}
    if "OAuthParameters" in auth:
        given = auth["OAuthParameters"]
        out["OAuthParameters"] = {
            "ClientParameters": {"ClientID": given["ClientParameters"]["ClientID"]},
            "AuthorizationEndpoint": given["AuthorizationEndpoint"],
            "HttpMethod": given["HttpMethod"],
            "OAuthHttpParameters": _without_secrets(given.get("OAuthHttpParameters")),
        }
    out["InvocationHttpParameters"] = _without_secrets(auth.get("InvocationHttpParameters"))
    return {name: value for name, value in out.items() if value is not None}


def _without_secrets(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return {
        group: [
            {name: value for name, value in entry.items() if not (name == "Value" and entry.get("IsValueSecret"))}
            for entry in given[group]
        ]
        for group in _GROUPS
        if group in given
    }


def merged(before: Mapping[str, Any], changes: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Authorization parameters after an update: what it leaves out stays, but not that of another type."""
    after: dict[str, Any] = {}
    for name in (PARAMETERS[kind], "InvocationHttpParameters"):
        old, new = before.get(name), changes.get(name)
        if new is None:
            if old is not None:
                after[name] = old
        elif name == "InvocationHttpParameters" or old is None:
            after[name] = new
        else:
            after[name] = {**old, **new}
            if "ClientParameters" in new and "ClientParameters" in old:
                after[name]["ClientParameters"] = {**old["ClientParameters"], **new["ClientParameters"]}
    return after


def missing(auth: Mapping[str, Any], kind: str) -> str | None:
    """What a connection of a type still needs, by name."""
    name = PARAMETERS[kind]
    given = auth.get(name)
    if given is None:
        return name
    needed = {
        "BASIC": ("Username", "Password"),
        "API_KEY": ("ApiKeyName", "ApiKeyValue"),
        OAUTH: ("ClientParameters", "AuthorizationEndpoint", "HttpMethod"),
    }[kind]
    for member in needed:
        if not given.get(member):
            return f"{name}.{member}"
    if kind == OAUTH:
        for member in ("ClientID", "ClientSecret"):
            if not given["ClientParameters"].get(member):
                return f"{name}.ClientParameters.{member}"
    return None


def _pairs(given: Mapping[str, Any] | None, group: str) -> tuple[tuple[str, str], ...]:
    entries: Sequence[Mapping[str, str]] = (given or {}).get(group, ())
    return tuple((entry["Key"], entry.get("Value", "")) for entry in entries if entry.get("Key"))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def credentials(connection: Connection, token: Token | None) -> Credentials:
    """What a connection adds to each request."""
    auth = connection.auth
    if connection.kind == "BASIC":
        given = auth["BasicAuthParameters"]
        own = ("Authorization", _basic(given["Username"], given["Password"]))
    elif connection.kind == "API_KEY":
        given = auth["ApiKeyAuthParameters"]
        own = (given["ApiKeyName"], given["ApiKeyValue"])
    else:
        own = ("Authorization", token.value if token is not None else "")
    more = auth.get("InvocationHttpParameters")
    return Credentials(
        (own, *_pairs(more, "HeaderParameters")),
        _pairs(more, "QueryStringParameters"),
        _pairs(more, "BodyParameters"),
        renewable=connection.kind == OAUTH,
    )


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """How a token is asked for."""

    method: str
    url: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes


def token_request(auth: Mapping[str, Any]) -> TokenRequest:
    """The request to an authorization endpoint: the client's id and secret as RFC 6749, 2.3.1 has them first.

    The additional parameters go where they say; a body is a form unless they give it another type.
    """
    given = auth["OAuthParameters"]
    more = given.get("OAuthHttpParameters")
    client = given["ClientParameters"]
    headers = {"authorization": ("Authorization", _basic(client["ClientID"], client["ClientSecret"]))}
    headers["content-type"] = ("Content-Type", "application/x-www-form-urlencoded")
    headers["accept"] = ("Accept", "application/json")
    headers |= {name.lower(): (name, value) for name, value in _pairs(more, "HeaderParameters")}
    fields = {"grant_type": "client_credentials", **dict(_pairs(more, "BodyParameters"))}
    body = b""
    query = _pairs(more, "QueryStringParameters")
    if given["HttpMethod"] == "GET":
        del headers["content-type"]
        query = (*query, *((name, value) for name, value in fields.items() if name not in dict(query)))
    elif "json" in headers["content-type"][1]:
        body = json.dumps(fields).encode()
    else:
        body = urlencode(fields).encode()
    return TokenRequest(given["HttpMethod"], given["AuthorizationEndpoint"], query, tuple(headers.values()), body)


def read_token(reply: HttpReply, now: float) -> Token | str:
    """The token of an answer, or why it has none."""
    if not 200 <= reply.status < 300:
        return f"The authorization endpoint answered with status {reply.status}"
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        document = None
    token = document.get("access_token") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(token, str) or not token:
        return "The authorization endpoint's answer has no access_token"
    try:
        seconds = float(document.get("expires_in") or 3600)
    except (TypeError, ValueError):
        seconds = 3600.0
    kind = document.get("token_type")
    kind = "Bearer" if not isinstance(kind, str) or kind.lower() == "bearer" else kind
    return Token(f"{kind} {token}", now + seconds)
