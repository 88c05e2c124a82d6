"""The rows of groups and sampling rules. Segments are with the telemetry."""

from __future__ import annotations

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.xray.model import Group, Rule
from fogbank.storage import Tx

GROUPS = "SELECT name, arn, filter, tags FROM xray_groups WHERE account = $1 AND region = $2 ORDER BY name"
PUT_GROUP = """
INSERT INTO xray_groups (account, region, name, arn, filter, tags) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, region, name) DO UPDATE SET filter = excluded.filter, tags = excluded.tags
"""
DELETE_GROUP = "DELETE FROM xray_groups WHERE account = $1 AND region = $2 AND name = $3"
RULES = "SELECT settings, tags, created, modified FROM xray_rules WHERE account = $1 AND region = $2 ORDER BY name"
PUT_RULE = """
INSERT INTO xray_rules (account, region, name, settings, tags, created, modified) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (account, region, name) DO UPDATE
SET settings = excluded.settings, tags = excluded.tags, modified = excluded.modified
"""
DELETE_RULE = "DELETE FROM xray_rules WHERE account = $1 AND region = $2 AND name = $3"

_decode = msgspec.json.decode


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


async def groups(tx: Tx, scope: Scope) -> list[Group]:
    """The groups of an account and region, by their names."""
    return [
        Group(row[0], row[1], row[2], _decode(row[3])) for row in await tx.fetch(GROUPS, scope.account, scope.region)
    ]


async def put_group(tx: Tx, scope: Scope, group: Group) -> None:
    """Store a group."""
    await tx.execute(PUT_GROUP, scope.account, scope.region, group.name, group.arn, group.filter, _text(group.tags))


async def delete_group(tx: Tx, scope: Scope, name: str) -> None:
    """Remove a group."""
    await tx.execute(DELETE_GROUP, scope.account, scope.region, name)


async def rules(tx: Tx, scope: Scope) -> list[Rule]:
    """The sampling rules of an account and region that were made or changed."""
    rows = await tx.fetch(RULES, scope.account, scope.region)
    return [Rule(_decode(row[0]), _decode(row[1]), row[2], row[3]) for row in rows]


async def put_rule(tx: Tx, scope: Scope, rule: Rule) -> None:
    """Store a rule."""
    settings, tags = _text(rule.settings), _text(rule.tags)
    await tx.execute(PUT_RULE, scope.account, scope.region, rule.name, settings, tags, rule.created, rule.modified)


async def delete_rule(tx: Tx, scope: Scope, name: str) -> None:
    """Remove a rule."""
    await tx.execute(DELETE_RULE, scope.account, scope.region, name)
