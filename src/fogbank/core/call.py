"""A call: what a service method is told beside the request itself, and the one door between services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from fogbank.core.scope import Scope
from fogbank.core.trace import Trace


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the access key that signed the request, or the service that made it (`events.amazonaws.com`)."""

    access_key: str = ""
    service: str = ""


ANONYMOUS = Principal()


class Call(NamedTuple):
    """One API call under way. A tuple, not a frozen dataclass: one is made for every call, at a third of the cost."""

    scope: Scope
    service: str
    operation: str
    request_id: str
    trace: Trace
    principal: Principal = ANONYMOUS


Request = Mapping[str, Any]
"""A request as the service model describes it, in Python's types: blobs are `bytes`, timestamps are floats
(seconds since the epoch), streaming bodies are `bytes`, everything else is what JSON has."""

Reply = dict[str, Any]
"""A reply in the same types. Members that are `None` are left out on the wire. A streaming blob or an event
stream may be an asynchronous iterator."""


class Cloud(Protocol):
    """The only door between services; `fogbank.cloud` implements it."""

    async def call(
        self,
        scope: Scope,
        service: str,
        operation: str,
        request: Request,
        *,
        trace: Trace | None = None,
        principal: Principal = ANONYMOUS,
        request_id: str | None = None,
    ) -> Reply:
        """Make an API call as any client would: checked against the model, then answered by the service.

        `service` is botocore's name of it (`sqs`, `lambda`, `stepfunctions`), `operation` the model's
        (`SendMessage`). Raises `ApiError`.
        """
        ...
