"""The rows of Parameter Store: one method for each question that the API asks."""

# ruff: noqa: S608 - statements are put together from constants of this file

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.services.ssm.model import Parameter, Tier, Type, Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fogbank.core.scope import Scope
    from fogbank.storage import Tx

_VERSION = """
v.version, v.type, v.value, v.sealed, v.key_id, v.description, v.allowed_pattern, v.tier, v.data_type, v.labels,
v.modified_at, v.modified_by
"""
FIND = f"""
SELECT p.id, p.name, p.latest, p.tags, {_VERSION}
FROM ssm_parameters p JOIN ssm_versions v ON v.parameter_id = p.id AND v.version = p.latest
WHERE p.account = $1 AND p.region = $2 AND p.name = $3
"""
LIST = f"""
SELECT p.id, p.name, p.latest, p.tags, {_VERSION}
FROM ssm_parameters p JOIN ssm_versions v ON v.parameter_id = p.id AND v.version = p.latest
WHERE p.account = $1 AND p.region = $2 AND p.name > $3 ORDER BY p.name LIMIT $4
"""
COUNT = "SELECT COUNT(*) FROM ssm_parameters WHERE account = $1 AND region = $2"
INSERT = """
INSERT INTO ssm_parameters (account, region, name, latest, tags) VALUES ($1, $2, $3, $4, $5) RETURNING id
"""
SET_LATEST = "UPDATE ssm_parameters SET latest = $2 WHERE id = $1"
SET_TAGS = "UPDATE ssm_parameters SET tags = $2 WHERE id = $1"
DELETE = "DELETE FROM ssm_parameters WHERE id = $1"
VERSIONS = f"SELECT {_VERSION} FROM ssm_versions v WHERE v.parameter_id = $1 ORDER BY v.version"
INSERT_VERSION = """
INSERT INTO ssm_versions (
    parameter_id, version, type, value, sealed, key_id, description, allowed_pattern, tier, data_type, labels,
    modified_at, modified_by
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
SET_LABELS = "UPDATE ssm_versions SET labels = $3 WHERE parameter_id = $1 AND version = $2"
DELETE_VERSION = "DELETE FROM ssm_versions WHERE parameter_id = $1 AND version = $2"
DELETE_VERSIONS = "DELETE FROM ssm_versions WHERE parameter_id = $1"


def _version(row: Sequence[Any]) -> Version:
    number, kind, value, sealed, key_id, description, pattern, tier, data_type, labels, at, by = row
    return Version(
        number,
        Type(kind),
        value,
        sealed,
        key_id,
        description,
        pattern,
        Tier(tier),
        data_type,
        msgspec.json.decode(labels),
        at,
        by,
    )


def _parameter(row: Sequence[Any]) -> Parameter:
    return Parameter(row[0], row[1], row[2], msgspec.json.decode(row[3]), _version(row[4:]))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def find(tx: Tx, scope: Scope, name: str) -> Parameter | None:
    """The parameter of a name with its latest version."""
    row = await tx.fetch_one(FIND, scope.account, scope.region, name)
    return _parameter(row) if row else None


async def list_after(tx: Tx, scope: Scope, after: str, limit: int) -> list[Parameter]:
    """Parameters in the order of their names that come after one name."""
    return [_parameter(row) for row in await tx.fetch(LIST, scope.account, scope.region, after, limit)]


async def count(tx: Tx, scope: Scope) -> int:
    """How many parameters there are."""
    row = await tx.fetch_one(COUNT, scope.account, scope.region)
    return int(row[0]) if row else 0


async def insert(tx: Tx, scope: Scope, name: str, version: Version, tags: Mapping[str, str]) -> None:
    """Add a parameter with its first version."""
    row = await tx.fetch_one(INSERT, scope.account, scope.region, name, version.number, _json(tags))
    if row is not None:
        await _insert_version(tx, row[0], version)


async def add_version(tx: Tx, parameter: Parameter, version: Version) -> None:
    """Add a version, which becomes the latest."""
    await _insert_version(tx, parameter.id, version)
    await tx.execute(SET_LATEST, parameter.id, version.number)


async def _insert_version(tx: Tx, parameter_id: int, version: Version) -> None:
    await tx.execute(
        INSERT_VERSION,
        parameter_id,
        version.number,
        version.type,
        version.value,
        version.sealed,
        version.key_id,
        version.description,
        version.allowed_pattern,
        version.tier,
        version.data_type,
        _json(version.labels),
        version.modified_at,
        version.modified_by,
    )


async def versions(tx: Tx, parameter_id: int) -> list[Version]:
    """The versions of a parameter, oldest first."""
    return [_version(row) for row in await tx.fetch(VERSIONS, parameter_id)]


async def drop_version(tx: Tx, parameter_id: int, number: int) -> None:
    """Remove a version."""
    await tx.execute(DELETE_VERSION, parameter_id, number)


async def set_labels(tx: Tx, parameter_id: int, version: Version) -> None:
    """Store the labels of a version."""
    await tx.execute(SET_LABELS, parameter_id, version.number, _json(version.labels))


async def set_tags(tx: Tx, parameter_id: int, tags: Mapping[str, str]) -> None:
    """Store the tags of a parameter."""
    await tx.execute(SET_TAGS, parameter_id, _json(tags))


async def delete(tx: Tx, parameter_id: int) -> None:
    """Remove a parameter with its versions."""
    await tx.execute(DELETE_VERSIONS, parameter_id)
    await tx.execute(DELETE, parameter_id)
