"""Sites: what a service serves under host names of its own, such as a function's URL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from fogbank.core.call import Principal
from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who signed a request to a site: the account and region of the keys, and the principal."""

    scope: Scope
    principal: Principal


@dataclass(frozen=True, slots=True)
class NotSigned:
    """Why nobody can be said to have signed a request. `error` is absent where there was no signature at all."""

    error: ApiError | None = None


Identify = Callable[[], Awaitable[Visitor | NotSigned]]
"""Finds out who signed a request; asked only by sites that want to know."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request to a site. `host` is its name in lower case, without the port."""

    request: HttpRequest
    host: str
    request_id: str
    trace: Trace | None
    identify: Identify


@runtime_checkable
class Sites(Protocol):
    """Who serves hosts of its own: a service, and the cloud that asks its services."""

    async def visit(self, visit: Visit) -> HttpResponse | None:
        """Answer a request; `None` if the host is not of this service."""
        ...
