"""Calls to HTTP endpoints with the credentials of a connection: what API destinations and HTTP tasks share.

EventBridge keeps the connections and registers itself here, so that no other service reads its tables.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote_plus, urlsplit, urlunsplit

Pairs = Sequence[tuple[str, str]]
RESERVED_HEADERS = frozenset(
    [
        "a-im",
        "accept-charset",
        "accept-datetime",
        "accept-encoding",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-md5",
        "date",
        "expect",
        "forwarded",
        "from",
        "host",
        "http2-settings",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "max-forwards",
        "origin",
        "pragma",
        "proxy-authorization",
        "range",
        "referer",
        "te",
        "trailer",
        "transfer-encoding",
        "user-agent",
        "upgrade",
        "via",
        "warning",
    ]
)
"""Headers that are not taken from those who configure requests, in lower case."""


class ConnectionUnusableError(Exception):
    """A connection cannot be used: `reason` is `ResourceNotFound`, `InvalidConnectionState` or `AuthInProgress`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a connection adds to each request: its authorization and its additional parameters."""

    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    body: tuple[tuple[str, str], ...] = ()
    renewable: bool = False
    """Whether other credentials can be had when these are refused: a token."""

    @property
    def secrets(self) -> frozenset[str]:
        """The values that are not to be shown."""
        return frozenset(value for _, value in (*self.headers, *self.query, *self.body))


class Connections(Protocol):
    """Who keeps the connections."""

    async def credentials(self, arn: str, *, renew: bool = False) -> Credentials:
        """A connection's credentials, a new token among them if `renew`.

        `ConnectionUnusableError` if it has none.
        """
        ...


class NoConnections:
    """Before anyone has registered."""

    async def credentials(self, arn: str, *, renew: bool = False) -> Credentials:  # noqa: ARG002
        """There are none."""
        raise ConnectionUnusableError("ResourceNotFound", f"Connection {arn} does not exist.")


def merge_headers(given: Iterable[tuple[str, str]], first: Pairs) -> list[tuple[str, str]]:
    """Headers, where those of `first` are put in the place of others of the same name."""
    taken = {name.lower() for name, _ in first}
    return [*((name, value) for name, value in given if name.lower() not in taken), *first]


def with_query(url: str, parameters: Iterable[tuple[str, Any]]) -> str:
    """A URL with more query parameters."""
    more = "&".join(f"{quote_plus(name)}={quote_plus(str(value))}" for name, value in parameters)
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, more) if part)
    return urlunsplit(parts._replace(query=query))
