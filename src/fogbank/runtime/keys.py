"""The credentials of functions with SnapStart: fetched by their clients over HTTP, and renewed by them in time.

What is in a variable when the snapshot is taken would be in every environment for ever.
Source: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html#snapstart-credentials, and the container
credential provider of the SDKs.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable

import msgspec

from fogbank.core.clock import Clock
from fogbank.runtime.api import ApiRequest, Connection
from fogbank.runtime.model import Credentials
from fogbank.runtime.records import timestamp

_LIFETIME = 12 * 3600.0
"""Seconds that keys without an end are said to be good for."""


class Keys:
    """Answers with the keys of now, to whoever has the token."""

    def __init__(self, token: str, clock: Clock, fetch: Callable[[], Awaitable[Credentials]]) -> None:
        self.token = token
        self._clock = clock
        self._fetch = fetch
        self._answering: set[asyncio.Task[None]] = set()

    def answer(self, connection: Connection, request: ApiRequest) -> None:
        """Answer one request."""
        given = request.headers.get(b"authorization", b"")
        if request.method != b"GET" or not hmac.compare_digest(given, self.token.encode()):
            connection.refuse(403, "AccessDenied", "expected GET with the token of the environment")
            return
        task = asyncio.get_running_loop().create_task(self._reply(connection))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _reply(self, connection: Connection) -> None:
        keys = await self._fetch()
        expires = keys.expires if keys.expires is not None else self._clock.time() + _LIFETIME
        shown = {
            "AccessKeyId": keys.access_key,
            "SecretAccessKey": keys.secret_key,
            "Token": keys.session_token,
            "Expiration": timestamp(int(expires * 1000)),
        }
        connection.answer(200, msgspec.json.encode(shown))
