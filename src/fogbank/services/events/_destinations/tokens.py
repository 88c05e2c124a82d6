"""The credentials of connections: tokens are fetched, kept until they are about to expire, and fetched anew."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace

from fogbank.core.arn import Arn
from fogbank.core.clock import Clock
from fogbank.core.http.client import HttpError, send
from fogbank.delivery.connections import ConnectionUnusableError, Credentials, with_query
from fogbank.services.events._destinations import storage as rows
from fogbank.services.events._destinations.model import (
    AUTHORIZED,
    AUTHORIZING,
    DEAUTHORIZED,
    OAUTH,
    Connection,
    Token,
    credentials,
    read_token,
    token_request,
)
from fogbank.storage import Storage, Tx

_TIMEOUT = 10.0
_LIMIT = 65_536
_MARGIN = 60.0
"""Seconds before its end at which a token is not used any more."""
_KEPT = 1_000


class Keeper:
    """Knows the credentials of every connection."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._tokens: OrderedDict[str, Token] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    def forget(self, arn: str | None = None) -> None:
        """Drop the token of a connection, or all of them."""
        if arn is None:
            self._tokens.clear()
        else:
            self._tokens.pop(arn, None)

    async def credentials(self, arn: str, *, renew: bool = False) -> Credentials:
        """A connection's credentials, a new token among them if `renew`.

        `ConnectionUnusableError` if it is not there, or not authorized.
        """
        parsed = Arn.parse(arn)
        name = parsed.resource.removeprefix("connection/").partition("/")[0]
        connection = await self._storage.read(lambda tx: rows.get_connection(tx, parsed.scope, name))
        if connection is None or connection.arn != arn:
            raise ConnectionUnusableError("ResourceNotFound", f"Connection {arn} does not exist.")
        if connection.state == AUTHORIZING:
            raise ConnectionUnusableError("AuthInProgress", f"Connection {name} is being authorized.")
        if connection.state != AUTHORIZED:
            raise ConnectionUnusableError(
                "InvalidConnectionState", f"Connection {name} is in the state {connection.state}."
            )
        if connection.kind != OAUTH:
            return credentials(connection, None)
        token = await self._token(connection, renew=renew)
        if isinstance(token, str):
            raise ConnectionUnusableError("InvalidConnectionState", token)
        return credentials(connection, token)

    async def authorize(self, connection: Connection) -> None:
        """Fetch a first token, and note whether one was to be had."""
        self.forget(connection.arn)
        token = await self._token(connection, renew=True)
        now = self._clock.millis()

        async def body(tx: Tx) -> None:
            found = await rows.get_connection(tx, connection.scope, connection.name)
            if found is None or found.id != connection.id or found.modified != connection.modified:
                return
            if isinstance(token, str):
                await rows.put_connection(tx, replace(found, state=DEAUTHORIZED, reason=token))
            else:
                await rows.put_connection(tx, replace(found, state=AUTHORIZED, reason=None, authorized=now))

        await self._storage.transact(body)

    async def _token(self, connection: Connection, *, renew: bool) -> Token | str:
        arn = connection.arn
        before = self._tokens.get(arn)
        async with self._locks.setdefault(arn, asyncio.Lock()):
            known = self._tokens.get(arn)
            fresh = known is not None and known.expires - _MARGIN > self._clock.time()
            if known is not None and fresh and not (renew and known is before):
                return known
            found = await self._fetch(connection)
            if isinstance(found, Token):
                self._tokens[arn] = found
                if len(self._tokens) > _KEPT:
                    old, _ = self._tokens.popitem(last=False)
                    self._locks.pop(old, None)
            return found

    async def _fetch(self, connection: Connection) -> Token | str:
        request = token_request(connection.auth)
        url = with_query(request.url, request.query)
        try:
            reply = await send(request.method, url, request.headers, request.body, within=_TIMEOUT, limit=_LIMIT)
        except HttpError as error:
            return f"The authorization endpoint could not be called: {error}"
        return read_token(reply, self._clock.time())
