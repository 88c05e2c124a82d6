"""The rows of Secrets Manager: one function for each question that the API asks."""

# ruff: noqa: S608 - statements are put together from constants of this file

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from fogbank.services.secretsmanager.model import Rotation, Secret, SecretKey, Version
from fogbank.storage import Row, Tx

_COLUMNS = (
    "id, account, region, name, arn, description, kms_key, tags, policy, created_at, changed_at, accessed_on, "
    "deleted_at, purged_at, rotating, rotation_function, rotation_rules, rotated_at, rotation_due"
)
FIND = f"SELECT {_COLUMNS} FROM secretsmanager_secrets WHERE account = $1 AND region = $2 AND name = $3"
LIST = f"""
SELECT {_COLUMNS} FROM secretsmanager_secrets WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4
"""
COUNTS = """
SELECT account, region, COUNT(*) FROM secretsmanager_secrets WHERE account > '' GROUP BY account, region
"""
INSERT = """
INSERT INTO secretsmanager_secrets (account, region, name, arn, description, kms_key, tags, policy, created_at,
    changed_at, accessed_on, deleted_at, purged_at, rotating, rotation_function, rotation_rules, rotated_at,
    rotation_due)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) RETURNING id
"""
UPDATE = """
UPDATE secretsmanager_secrets SET description = $2, kms_key = $3, tags = $4, policy = $5, changed_at = $6,
    accessed_on = $7, deleted_at = $8, purged_at = $9, rotating = $10, rotation_function = $11, rotation_rules = $12,
    rotated_at = $13, rotation_due = $14
WHERE id = $1
"""
TOUCH = "UPDATE secretsmanager_secrets SET accessed_on = $2 WHERE id = $1"
DELETE = "DELETE FROM secretsmanager_secrets WHERE id = $1"
PURGED = f"""
SELECT {_COLUMNS} FROM secretsmanager_secrets WHERE purged_at IS NOT NULL AND purged_at <= $1
ORDER BY purged_at LIMIT $2
"""
NEXT_PURGE = """
SELECT purged_at FROM secretsmanager_secrets WHERE purged_at IS NOT NULL ORDER BY purged_at LIMIT 1
"""
DUE = f"""
SELECT {_COLUMNS} FROM secretsmanager_secrets WHERE rotation_due IS NOT NULL AND rotation_due <= $1
ORDER BY rotation_due LIMIT $2
"""
NEXT_DUE = """
SELECT rotation_due FROM secretsmanager_secrets WHERE rotation_due IS NOT NULL ORDER BY rotation_due LIMIT 1
"""

_VERSION = "version, stages, value, is_binary, created_at, accessed_on"
VERSIONS = f"SELECT {_VERSION} FROM secretsmanager_versions WHERE secret = $1 ORDER BY created_at, version"
PUT_VERSION = """
INSERT INTO secretsmanager_versions (secret, version, stages, value, is_binary, created_at, accessed_on)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (secret, version) DO UPDATE SET stages = excluded.stages, value = excluded.value,
    is_binary = excluded.is_binary, accessed_on = excluded.accessed_on
"""
TOUCH_VERSION = "UPDATE secretsmanager_versions SET accessed_on = $3 WHERE secret = $1 AND version = $2"
DELETE_VERSION = "DELETE FROM secretsmanager_versions WHERE secret = $1 AND version = $2"
DELETE_VERSIONS = "DELETE FROM secretsmanager_versions WHERE secret = $1"

_stages = msgspec.json.Decoder(tuple[str, ...]).decode


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _secret(row: Row) -> Secret:
    number, account, region, name, arn, description, kms_key, tags, policy, created, changed, accessed = row[:12]
    deleted, purged, rotating, function, rules, rotated, due = row[12:]
    return Secret(
        number,
        SecretKey(account, region, name),
        arn,
        description,
        kms_key,
        msgspec.json.decode(tags),
        policy,
        created,
        changed,
        accessed,
        deleted,
        purged,
        Rotation(bool(rotating), function, msgspec.json.decode(rules), rotated, due),
    )


def _rotation(rotation: Rotation) -> tuple[Any, ...]:
    return int(rotation.enabled), rotation.function, _json(rotation.rules), rotation.rotated, rotation.due


async def find(tx: Tx, key: SecretKey) -> Secret | None:
    """A secret by its name."""
    row = await tx.fetch_one(FIND, *key)
    return None if row is None else _secret(row)


async def list_after(tx: Tx, account: str, region: str, after: str, limit: int) -> list[Secret]:
    """An account's secrets by name that come after one."""
    return [_secret(row) for row in await tx.fetch(LIST, account, region, after, limit)]


async def counts(tx: Tx) -> list[tuple[str, str, int]]:
    """How many secrets each account has in each region."""
    return [(row[0], row[1], int(row[2])) for row in await tx.fetch(COUNTS)]


async def insert(tx: Tx, secret: Secret) -> int:
    """Add a secret; its number."""
    s = secret
    row = await tx.fetch_one(
        INSERT,
        *(*s.key, s.arn, s.description, s.kms_key, _json(s.tags), s.policy, s.created, s.changed, s.accessed),
        *(s.deleted, s.purged, *_rotation(s.rotation)),
    )
    assert row is not None, "INSERT … RETURNING gives a row"
    return int(row[0])


async def update(tx: Tx, secret: Secret) -> None:
    """Store all of a secret that can change."""
    s = secret
    await tx.execute(
        UPDATE,
        *(s.id, s.description, s.kms_key, _json(s.tags), s.policy, s.changed, s.accessed, s.deleted, s.purged),
        *_rotation(s.rotation),
    )


async def touch(tx: Tx, secret: Secret, version: Version, day: int) -> None:
    """Note the day on which a secret was last read."""
    await tx.execute(TOUCH, secret.id, day)
    await tx.execute(TOUCH_VERSION, secret.id, version.id, day)


async def delete(tx: Tx, secret: Secret) -> None:
    """Remove a secret with its versions."""
    await tx.execute(DELETE_VERSIONS, secret.id)
    await tx.execute(DELETE, secret.id)


async def purged(tx: Tx, now: int, limit: int) -> list[Secret]:
    """Secrets whose recovery window has ended."""
    return [_secret(row) for row in await tx.fetch(PURGED, now, limit)]


async def next_purge(tx: Tx) -> int | None:
    """When the next recovery window ends."""
    row = await tx.fetch_one(NEXT_PURGE)
    return None if row is None else int(row[0])


async def due(tx: Tx, now: int, limit: int) -> list[Secret]:
    """Secrets that are to be rotated."""
    return [_secret(row) for row in await tx.fetch(DUE, now, limit)]


async def next_due(tx: Tx) -> int | None:
    """When the next secret is to be rotated."""
    row = await tx.fetch_one(NEXT_DUE)
    return None if row is None else int(row[0])


async def versions(tx: Tx, secret: int) -> list[Version]:
    """A secret's versions, oldest first."""
    return [
        Version(name, _stages(stages), None if value is None else bytes(value), bool(binary), created, accessed)
        for name, stages, value, binary, created, accessed in await tx.fetch(VERSIONS, secret)
    ]


async def put_versions(tx: Tx, secret: int, changed: Iterable[Version]) -> None:
    """Add or change versions."""
    await tx.execute_many(
        PUT_VERSION,
        [(secret, v.id, _json(v.stages), v.sealed, int(v.binary), v.created, v.accessed) for v in changed],
    )


async def drop_versions(tx: Tx, secret: int, dropped: Iterable[Version]) -> None:
    """Remove versions."""
    await tx.execute_many(DELETE_VERSION, [(secret, version.id) for version in dropped])
