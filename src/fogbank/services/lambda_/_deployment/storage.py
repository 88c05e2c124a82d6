"""Rows of code signing configurations and of runtime updates."""

from __future__ import annotations

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.lambda_._deployment.model import RuntimeUpdates, SigningConfig
from fogbank.services.lambda_._names import FunctionRef
from fogbank.storage import Row, Tx

_encode = msgspec.json.encode
_decode = msgspec.json.decode
_COLUMNS = "id, config, tags, modified"
FIND = f"SELECT {_COLUMNS} FROM lambda_signing WHERE account = $1 AND region = $2 AND id = $3"  # noqa: S608
LIST = f"SELECT {_COLUMNS} FROM lambda_signing WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4"  # noqa: S608
PUT = """
INSERT INTO lambda_signing (account, region, id, config, tags, modified) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, region, id) DO UPDATE SET config = excluded.config, tags = excluded.tags,
    modified = excluded.modified
"""
DELETE = "DELETE FROM lambda_signing WHERE account = $1 AND region = $2 AND id = $3"
SIGNED = "SELECT id FROM lambda_signed WHERE account = $1 AND region = $2 AND name = $3"
SIGN = """
INSERT INTO lambda_signed (account, region, name, id) VALUES ($1, $2, $3, $4)
ON CONFLICT (account, region, name) DO UPDATE SET id = excluded.id
"""
UNSIGN = "DELETE FROM lambda_signed WHERE account = $1 AND region = $2 AND name = $3"
SIGNED_BY = """
SELECT name FROM lambda_signed WHERE account = $1 AND region = $2 AND id = $3 AND name > $4 ORDER BY name LIMIT $5
"""
UPDATES = (
    "SELECT mode, arn FROM lambda_runtime_updates WHERE account = $1 AND region = $2 AND name = $3 AND number = $4"
)
PUT_UPDATES = """
INSERT INTO lambda_runtime_updates (account, region, name, number, mode, arn) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, region, name, number) DO UPDATE SET mode = excluded.mode, arn = excluded.arn
"""


def _config(scope: Scope, row: Row) -> SigningConfig:
    return SigningConfig(scope, row[0], _decode(row[1]), row[3], _decode(row[2]))


async def find(tx: Tx, scope: Scope, config_id: str) -> SigningConfig | None:
    """A configuration by its identifier."""
    row = await tx.fetch_one(FIND, scope.account, scope.region, config_id)
    return None if row is None else _config(scope, row)


async def listed(tx: Tx, scope: Scope, *, after: str, limit: int) -> list[SigningConfig]:
    """An account's configurations."""
    return [_config(scope, row) for row in await tx.fetch(LIST, scope.account, scope.region, after, limit)]


async def put(tx: Tx, config: SigningConfig) -> None:
    """Add or change a configuration."""
    where = (config.scope.account, config.scope.region, config.id)
    text, tags = _encode(dict(config.config)).decode(), _encode(dict(config.tags)).decode()
    await tx.execute(PUT, *where, text, tags, config.modified)


async def delete(tx: Tx, config: SigningConfig) -> None:
    """Remove a configuration."""
    await tx.execute(DELETE, config.scope.account, config.scope.region, config.id)


async def of_function(tx: Tx, ref: FunctionRef) -> SigningConfig | None:
    """The configuration that a function has."""
    row = await tx.fetch_one(SIGNED, ref.scope.account, ref.scope.region, ref.name)
    return None if row is None else await find(tx, ref.scope, row[0])


async def sign(tx: Tx, ref: FunctionRef, config: SigningConfig) -> None:
    """Give a function a configuration."""
    await tx.execute(SIGN, ref.scope.account, ref.scope.region, ref.name, config.id)


async def unsign(tx: Tx, ref: FunctionRef) -> None:
    """Take a function's configuration away."""
    await tx.execute(UNSIGN, ref.scope.account, ref.scope.region, ref.name)


async def signed_by(tx: Tx, config: SigningConfig, *, after: str, limit: int) -> list[str]:
    """The names of the functions that have a configuration."""
    rows = await tx.fetch(SIGNED_BY, config.scope.account, config.scope.region, config.id, after, limit)
    return [row[0] for row in rows]


async def updates(tx: Tx, ref: FunctionRef, number: int) -> RuntimeUpdates:
    """When the runtime of a version is updated."""
    row = await tx.fetch_one(UPDATES, ref.scope.account, ref.scope.region, ref.name, number)
    return RuntimeUpdates() if row is None else RuntimeUpdates(*row)


async def put_updates(tx: Tx, ref: FunctionRef, number: int, wanted: RuntimeUpdates) -> None:
    """Set it."""
    await tx.execute(PUT_UPDATES, ref.scope.account, ref.scope.region, ref.name, number, wanted.mode, wanted.arn)
