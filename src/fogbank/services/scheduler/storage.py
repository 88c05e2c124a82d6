"""The rows of EventBridge Scheduler: one function for each question. Times are milliseconds."""
# ruff: noqa: S105, S608 - statements are constants, and so are the column lists put into them

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.scheduler.model import Firing, Group, Schedule
from fogbank.storage import Tx

_GROUP = "name, tags, created, modified"
_SCHEDULE = "id, account, region, group_name, name, settings, created, modified, anchor"
_OF = "account = $1 AND region = $2"

GET_GROUP = f"SELECT {_GROUP} FROM scheduler_groups WHERE {_OF} AND name = $3"
LIST_GROUPS = f"SELECT {_GROUP} FROM scheduler_groups WHERE {_OF} AND name >= $3 ORDER BY name LIMIT $4"
COUNT_GROUPS = f"SELECT COUNT(*) FROM scheduler_groups WHERE {_OF}"
PUT_GROUP = """
INSERT INTO scheduler_groups (account, region, name, tags, created, modified) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, region, name) DO UPDATE SET tags = excluded.tags, modified = excluded.modified
"""
DELETE_GROUP = f"DELETE FROM scheduler_groups WHERE {_OF} AND name = $3"
DELETE_GROUPS_SCHEDULES = f"DELETE FROM scheduler_schedules WHERE {_OF} AND group_name = $3"

GET_SCHEDULE = f"SELECT {_SCHEDULE} FROM scheduler_schedules WHERE {_OF} AND group_name = $3 AND name = $4"
LIST_GROUPS_SCHEDULES = (
    f"SELECT {_SCHEDULE} FROM scheduler_schedules WHERE {_OF} AND group_name = $3 AND name >= $4 ORDER BY name LIMIT $5"
)
LIST_SCHEDULES = (
    f"SELECT {_SCHEDULE} FROM scheduler_schedules WHERE {_OF} "
    "AND (group_name > $3 OR (group_name = $3 AND name >= $4)) ORDER BY group_name, name LIMIT $5"
)
INSERT_SCHEDULE = """
INSERT INTO scheduler_schedules (account, region, group_name, name, settings, state, created, modified, anchor,
    moment, due)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
UPDATE_SCHEDULE = """
UPDATE scheduler_schedules SET settings = $2, state = $3, modified = $4, anchor = $5, moment = $6, due = $7
WHERE id = $1
"""
SET_FIRING = "UPDATE scheduler_schedules SET moment = $2, due = $3 WHERE id = $1"
DELETE_SCHEDULE = "DELETE FROM scheduler_schedules WHERE id = $1"
DUE = (
    f"SELECT {_SCHEDULE}, moment FROM scheduler_schedules WHERE due <= $1 ORDER BY due LIMIT $2 FOR UPDATE SKIP LOCKED"
)
NEXT_DUE = "SELECT due FROM scheduler_schedules WHERE due IS NOT NULL ORDER BY due LIMIT 1"

GET_TOKEN = f"SELECT fingerprint, reply FROM scheduler_tokens WHERE {_OF} AND token = $3 AND expires > $4"
PUT_TOKEN = """
INSERT INTO scheduler_tokens (account, region, token, fingerprint, reply, expires) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, region, token) DO UPDATE SET fingerprint = excluded.fingerprint, reply = excluded.reply,
    expires = excluded.expires
"""
EXPIRE_TOKENS = "DELETE FROM scheduler_tokens WHERE expires <= $1"

_encode = msgspec.json.Encoder().encode
_tags = msgspec.json.Decoder(dict[str, str]).decode
_document = msgspec.json.Decoder(dict[str, Any]).decode


def _text(value: object) -> str:
    return _encode(value).decode()


class Due(NamedTuple):
    """A schedule that is due, and the moment that it is due for."""

    schedule: Schedule
    moment: int


# -- groups -----------------------------------------------------------------------------------------------


def _group(scope: Scope, row: Sequence[Any]) -> Group:
    name, tags, created, modified = row
    return Group(scope, name, _tags(tags), created, modified)


async def get_group(tx: Tx, scope: Scope, name: str) -> Group | None:
    """One group; the default one too is a row once something was asked of it."""
    row = await tx.fetch_one(GET_GROUP, scope.account, scope.region, name)
    return None if row is None else _group(scope, row)


async def list_groups(tx: Tx, scope: Scope, *, start: str, limit: int) -> list[Group]:
    """The groups from a name on, by name."""
    return [_group(scope, row) for row in await tx.fetch(LIST_GROUPS, scope.account, scope.region, start, limit)]


async def count_groups(tx: Tx, scope: Scope) -> int:
    """How many groups there are."""
    row = await tx.fetch_one(COUNT_GROUPS, scope.account, scope.region)
    return int(row[0]) if row else 0


async def put_group(tx: Tx, group: Group) -> None:
    """Add or change a group."""
    scope = group.scope
    await tx.execute(
        PUT_GROUP, scope.account, scope.region, group.name, _text(group.tags), group.created, group.modified
    )


async def delete_group(tx: Tx, group: Group) -> None:
    """Remove a group with its schedules."""
    scope = group.scope
    await tx.execute(DELETE_GROUPS_SCHEDULES, scope.account, scope.region, group.name)
    await tx.execute(DELETE_GROUP, scope.account, scope.region, group.name)


# -- schedules --------------------------------------------------------------------------------------------


def _schedule(row: Sequence[Any]) -> Schedule:
    key, account, region, group, name, settings, created, modified, anchor = row
    return Schedule(key, Scope(account, region), group, name, _document(settings), created, modified, anchor)


async def get_schedule(tx: Tx, scope: Scope, group: str, name: str) -> Schedule | None:
    """One schedule."""
    row = await tx.fetch_one(GET_SCHEDULE, scope.account, scope.region, group, name)
    return None if row is None else _schedule(row)


async def list_schedules(
    tx: Tx, scope: Scope, group: str | None, *, start: tuple[str, str], limit: int
) -> list[Schedule]:
    """The schedules of a group (or of all), from a group and name on, by group and name."""
    if group is None:
        rows = await tx.fetch(LIST_SCHEDULES, scope.account, scope.region, *start, limit)
    else:
        rows = await tx.fetch(LIST_GROUPS_SCHEDULES, scope.account, scope.region, group, start[1], limit)
    return [_schedule(row) for row in rows]


async def insert_schedule(tx: Tx, schedule: Schedule, firing: Firing | None) -> None:
    """Add a schedule."""
    scope = schedule.scope
    await tx.execute(
        INSERT_SCHEDULE,
        *(scope.account, scope.region, schedule.group, schedule.name),
        *(_text(schedule.settings), schedule.settings["State"], schedule.created, schedule.modified),
        *(schedule.anchor, *_firing(firing)),
    )


async def update_schedule(tx: Tx, schedule: Schedule, firing: Firing | None) -> None:
    """Change all of a schedule."""
    await tx.execute(
        UPDATE_SCHEDULE,
        *(schedule.id, _text(schedule.settings), schedule.settings["State"], schedule.modified),
        *(schedule.anchor, *_firing(firing)),
    )


async def set_firing(tx: Tx, schedule: int, firing: Firing | None) -> None:
    """When a schedule comes next."""
    await tx.execute(SET_FIRING, schedule, *_firing(firing))


async def delete_schedule(tx: Tx, schedule: int) -> None:
    """Remove a schedule."""
    await tx.execute(DELETE_SCHEDULE, schedule)


async def due_schedules(tx: Tx, now: int, limit: int) -> list[Due]:
    """Schedules that are due."""
    return [Due(_schedule(row[:-1]), row[-1]) for row in await tx.fetch(DUE, now, limit)]


async def next_due(tx: Tx) -> int | None:
    """When the first of all schedules is due."""
    row = await tx.fetch_one(NEXT_DUE)
    return None if row is None else int(row[0])


def _firing(firing: Firing | None) -> tuple[int | None, int | None]:
    return (None, None) if firing is None else (firing.moment, firing.due)


# -- client tokens ----------------------------------------------------------------------------------------


async def get_token(tx: Tx, scope: Scope, token: str, now: int) -> tuple[str, dict[str, Any]] | None:
    """What a client token was used for, and the answer."""
    row = await tx.fetch_one(GET_TOKEN, scope.account, scope.region, token, now)
    return None if row is None else (row[0], _document(row[1]))


async def put_token(
    tx: Tx, scope: Scope, token: str, fingerprint: str, reply: Mapping[str, Any], *, now: int, expires: int
) -> None:
    """Remember a client token, and forget those that are old."""
    await tx.execute(EXPIRE_TOKENS, now)
    await tx.execute(PUT_TOKEN, scope.account, scope.region, token, fingerprint, _text(reply), expires)
