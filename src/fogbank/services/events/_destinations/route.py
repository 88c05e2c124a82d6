"""Delivers events to API destinations.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html (five seconds, headers that
are set and that are removed, which statuses are tried again, Retry-After), eb-rule-dlq.html (error codes).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from urllib.parse import quote

import msgspec

from fogbank.core.arn import Arn
from fogbank.core.call import Cloud
from fogbank.core.clock import Clock
from fogbank.core.http.client import HttpError, HttpReply, HttpTimeoutError, send
from fogbank.delivery import Attempt, Delivery, PermanentError
from fogbank.delivery.connections import (
    RESERVED_HEADERS,
    ConnectionUnusableError,
    Credentials,
    merge_headers,
    with_query,
)
from fogbank.delivery.message import Message, RetryLaterError
from fogbank.delivery.targets import TargetRoute
from fogbank.services.events._destinations import storage as rows
from fogbank.services.events._destinations.model import Destination
from fogbank.services.events._destinations.tokens import Keeper
from fogbank.services.events.model import billed_pieces
from fogbank.storage import Storage
from fogbank.telemetry.usage import Usage, Use

ROUTE = "events.api-destination"
TIMEOUT = 5.0
LIMIT = 1_048_576
"""Bytes of an answer that are read."""
_RETRIED = frozenset({401, 407, 409, 429})
_BODILESS = frozenset({"GET", "HEAD"})
_DEFAULTS = (
    ("User-Agent", "Amazon/EventBridge/ApiDestinations"),
    ("Range", f"bytes=0-{LIMIT - 1}"),
    ("Content-Type", "application/json; charset=utf-8"),
)
_KEPT = 2_000


class DestinationRoute(TargetRoute):
    """Calls API destinations, each at its own rate."""

    def __init__(
        self, cloud: Cloud, delivery: Delivery, clock: Clock, storage: Storage, keeper: Keeper, usage: Usage
    ) -> None:
        super().__init__(cloud, delivery, clock)
        self._usage = usage
        self._time = clock
        self._storage = storage
        self._keeper = keeper
        self._slots: OrderedDict[str, float] = OrderedDict()

    async def attempt(self, attempt: Attempt) -> Any:
        message = attempt.message
        arn = Arn.parse(message.target)
        name = arn.resource.removeprefix("api-destination/").partition("/")[0]
        destination = await self._storage.read(lambda tx: rows.get_destination(tx, arn.scope, name))
        if destination is None or destination.arn != message.target:
            raise PermanentError("NO_RESOURCE", f"API destination {message.target} does not exist.")
        await self._take_turn(destination)
        try:
            credentials = await self._keeper.credentials(destination.connection)
        except ConnectionUnusableError as error:
            if error.reason == "AuthInProgress":
                raise RetryLaterError("CONNECTION_NOT_AUTHORIZED", error.message) from None
            raise PermanentError("CONNECTION_NOT_AUTHORIZED", error.message) from None
        try:
            reply = await _call(destination, message, credentials)
        except HttpTimeoutError as error:
            raise RetryLaterError("TIMEOUT", str(error)) from None
        except HttpError as error:
            raise RetryLaterError("CONNECTION_FAILURE", str(error)) from None
        use = Use("events.api-destination", destination.arn, billed_pieces(message.payload))
        self._usage.add(arn.scope, message.trace.root, (use,))
        if reply.status in {401, 407} and credentials.renewable:
            self._keeper.forget(destination.connection)
        _check(reply)

    async def _take_turn(self, destination: Destination) -> None:
        """Wait until the destination's rate lets another call go."""
        now = self._time.time()
        turn = max(now, self._slots.get(destination.arn, 0.0))
        self._slots[destination.arn] = turn + 1 / destination.rate
        self._slots.move_to_end(destination.arn)
        if len(self._slots) > _KEPT:
            self._slots.popitem(last=False)
        if turn > now:
            await self._time.sleep_until(turn)


async def _call(destination: Destination, message: Message, credentials: Credentials) -> HttpReply:
    given = message.parameters
    url = destination.endpoint
    for value in given.get("path", ()):
        url = url.replace("*", quote(value, safe=""), 1)
    url = with_query(url, (*given.get("query", {}).items(), *credentials.query))
    headers = merge_headers(_DEFAULTS, _sent(given.get("headers", {}).items()))
    headers = merge_headers(headers, _sent(credentials.headers))
    body = b"" if destination.method in _BODILESS else _with(message.payload, credentials)
    return await send(destination.method, url, headers, body, within=TIMEOUT, limit=LIMIT)


def _sent(headers: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in RESERVED_HEADERS]


def _with(payload: bytes, credentials: Credentials) -> bytes:
    """The payload with the connection's body parameters, where it is a JSON object."""
    if not credentials.body or not payload.startswith(b"{"):
        return payload
    try:
        document = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return payload
    return msgspec.json.encode({**document, **dict(credentials.body)})


def _check(reply: HttpReply) -> None:
    """Raise what an answer's status asks for: nothing, another try, or none."""
    status = reply.status
    if 200 <= status < 300:
        return
    text = f"The API destination answered with status {status}"
    if status in _RETRIED or status >= 500:
        after = reply.header("retry-after")
        code = "THROTTLING" if status == 429 else "SDK_CLIENT_ERROR" if status < 500 else "INTERNAL_ERROR"
        raise RetryLaterError(code, text, float(after) if after.isdecimal() else 0.0)
    raise PermanentError("SDK_CLIENT_ERROR", text)
