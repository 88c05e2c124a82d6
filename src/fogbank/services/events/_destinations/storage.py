"""The rows of connections and API destinations."""
# ruff: noqa: S608 - statements are constants, and so are the column lists put into them

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.events._destinations.model import Connection, Destination
from fogbank.storage import Tx

_CONNECTION = "account, region, name, id, description, kind, auth, state, reason, created, modified, authorized"
_DESTINATION = "account, region, name, id, description, connection, endpoint, method, rate, created, modified"

GET_CONNECTION = f"SELECT {_CONNECTION} FROM events_connections WHERE account = $1 AND region = $2 AND name = $3"
LIST_CONNECTIONS = (
    f"SELECT {_CONNECTION} FROM events_connections WHERE account = $1 AND region = $2 AND name >= $3 "
    "AND ($4 = '' OR state = $4) ORDER BY name LIMIT $5"
)
COUNT_CONNECTIONS = "SELECT COUNT(*) FROM events_connections WHERE account = $1 AND region = $2"
AUTHORIZING_CONNECTIONS = f"SELECT {_CONNECTION} FROM events_connections WHERE state = 'AUTHORIZING'"
PUT_CONNECTION = (
    f"INSERT INTO events_connections ({_CONNECTION}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
    "ON CONFLICT (account, region, name) DO UPDATE SET description = excluded.description, kind = excluded.kind, "
    "auth = excluded.auth, state = excluded.state, reason = excluded.reason, modified = excluded.modified, "
    "authorized = excluded.authorized"
)
DELETE_CONNECTION = "DELETE FROM events_connections WHERE account = $1 AND region = $2 AND name = $3"
GET_DESTINATION = f"SELECT {_DESTINATION} FROM events_destinations WHERE account = $1 AND region = $2 AND name = $3"
LIST_DESTINATIONS = (
    f"SELECT {_DESTINATION} FROM events_destinations WHERE account = $1 AND region = $2 AND name >= $3 "
    "AND ($4 = '' OR connection = $4) ORDER BY name LIMIT $5"
)
COUNT_DESTINATIONS = "SELECT COUNT(*) FROM events_destinations WHERE account = $1 AND region = $2"
PUT_DESTINATION = (
    f"INSERT INTO events_destinations ({_DESTINATION}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
    "ON CONFLICT (account, region, name) DO UPDATE SET description = excluded.description, "
    "connection = excluded.connection, endpoint = excluded.endpoint, method = excluded.method, rate = excluded.rate, "
    "modified = excluded.modified"
)
DELETE_DESTINATION = "DELETE FROM events_destinations WHERE account = $1 AND region = $2 AND name = $3"

_decode = msgspec.json.Decoder(dict).decode


def _connection(row: Sequence[Any]) -> Connection:
    account, region, name, key, description, kind, auth, *rest = row
    return Connection(Scope(account, region), name, key, description, kind, _decode(auth), *rest)


async def get_connection(tx: Tx, scope: Scope, name: str) -> Connection | None:
    """One connection."""
    row = await tx.fetch_one(GET_CONNECTION, scope.account, scope.region, name)
    return None if row is None else _connection(row)


async def list_connections(tx: Tx, scope: Scope, *, start: str, state: str, limit: int) -> list[Connection]:
    """The connections from a name on, of a state if one is given."""
    return [_connection(r) for r in await tx.fetch(LIST_CONNECTIONS, scope.account, scope.region, start, state, limit)]


async def count_connections(tx: Tx, scope: Scope) -> int:
    """How many connections there are."""
    row = await tx.fetch_one(COUNT_CONNECTIONS, scope.account, scope.region)
    return int(row[0]) if row else 0


async def authorizing(tx: Tx) -> list[Connection]:
    """Every connection whose token is still to be had."""
    return [_connection(row) for row in await tx.fetch(AUTHORIZING_CONNECTIONS)]


async def put_connection(tx: Tx, c: Connection) -> None:
    """Add or change a connection."""
    await tx.execute(
        PUT_CONNECTION,
        *(c.scope.account, c.scope.region, c.name, c.id, c.description, c.kind, msgspec.json.encode(c.auth).decode()),
        *(c.state, c.reason, c.created, c.modified, c.authorized),
    )


async def delete_connection(tx: Tx, scope: Scope, name: str) -> None:
    """Remove a connection."""
    await tx.execute(DELETE_CONNECTION, scope.account, scope.region, name)


def _destination(row: Sequence[Any]) -> Destination:
    account, region, *rest = row
    return Destination(Scope(account, region), *rest)


async def get_destination(tx: Tx, scope: Scope, name: str) -> Destination | None:
    """One API destination."""
    row = await tx.fetch_one(GET_DESTINATION, scope.account, scope.region, name)
    return None if row is None else _destination(row)


async def list_destinations(tx: Tx, scope: Scope, *, start: str, connection: str, limit: int) -> list[Destination]:
    """The API destinations from a name on, of a connection if one is given."""
    found = await tx.fetch(LIST_DESTINATIONS, scope.account, scope.region, start, connection, limit)
    return [_destination(row) for row in found]


async def count_destinations(tx: Tx, scope: Scope) -> int:
    """How many API destinations there are."""
    row = await tx.fetch_one(COUNT_DESTINATIONS, scope.account, scope.region)
    return int(row[0]) if row else 0


async def put_destination(tx: Tx, d: Destination) -> None:
    """Add or change an API destination."""
    await tx.execute(
        PUT_DESTINATION,
        *(d.scope.account, d.scope.region, d.name, d.id, d.description, d.connection, d.endpoint, d.method, d.rate),
        *(d.created, d.modified),
    )


async def delete_destination(tx: Tx, scope: Scope, name: str) -> None:
    """Remove an API destination."""
    await tx.execute(DELETE_DESTINATION, scope.account, scope.region, name)
