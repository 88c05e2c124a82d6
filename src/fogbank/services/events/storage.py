"""The rows of EventBridge: one method for each question. Times are milliseconds."""

# ruff: noqa: S608 - the column lists put into statements are constants of this file
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.events.model import (
    DEFAULT_BUS,
    Archive,
    Bus,
    BusKey,
    Replay,
    ReplayState,
    Rule,
    RuleState,
    Target,
)
from fogbank.storage import Tx

_BUS = "name, description, policy, dead_letter, tags, created, modified"
_RULE = (
    "id, account, region, bus, name, pattern, schedule, state, description, role_arn, managed_by, created_by, "
    "tags, anchor"
)
_ARCHIVE = "account, region, name, bus, rule, description, pattern, retention_days, created, event_count, size_bytes"
_REPLAY = (
    "account, region, name, description, archive, rule, bus, filters, state, starts, ends, "
    "cursor_time, cursor_id, last_replayed, started, finished"
)

GET_BUS = f"SELECT {_BUS} FROM events_buses WHERE account = $1 AND region = $2 AND name = $3"
LIST_BUSES = f"SELECT {_BUS} FROM events_buses WHERE account = $1 AND region = $2 AND name >= $3 ORDER BY name LIMIT $4"
COUNT_BUSES = "SELECT COUNT(*) FROM events_buses WHERE account = $1 AND region = $2"
PUT_BUS = """
INSERT INTO events_buses (account, region, name, description, policy, dead_letter, tags, created, modified)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (account, region, name) DO UPDATE SET description = excluded.description, policy = excluded.policy,
    dead_letter = excluded.dead_letter, tags = excluded.tags, modified = excluded.modified
"""
DELETE_BUS = "DELETE FROM events_buses WHERE account = $1 AND region = $2 AND name = $3"

GET_RULE = f"SELECT {_RULE} FROM events_rules WHERE account = $1 AND region = $2 AND bus = $3 AND name = $4"
GET_RULE_BY_ID = f"SELECT {_RULE} FROM events_rules WHERE id = $1"
LIST_RULES = (
    f"SELECT {_RULE} FROM events_rules WHERE account = $1 AND region = $2 AND bus = $3 AND name >= $4 "
    "ORDER BY name LIMIT $5"
)
BUS_RULES = f"SELECT {_RULE} FROM events_rules WHERE account = $1 AND region = $2 AND bus = $3"
COUNT_RULES = "SELECT COUNT(*) FROM events_rules WHERE account = $1 AND region = $2 AND bus = $3"
PUT_RULE = """
INSERT INTO events_rules (account, region, bus, name, pattern, schedule, state, description, role_arn, managed_by,
    created_by, tags, anchor, next_fire)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (account, region, bus, name) DO UPDATE SET pattern = excluded.pattern, schedule = excluded.schedule,
    state = excluded.state, description = excluded.description, role_arn = excluded.role_arn,
    tags = excluded.tags, anchor = excluded.anchor, next_fire = excluded.next_fire
RETURNING id
"""
SET_RULE_TAGS = "UPDATE events_rules SET tags = $2 WHERE id = $1"
DELETE_RULE = "DELETE FROM events_rules WHERE id = $1"
DUE_RULES = (
    f"SELECT {_RULE}, next_fire FROM events_rules WHERE next_fire <= $1 ORDER BY next_fire LIMIT $2 "
    "FOR UPDATE SKIP LOCKED"
)
SET_NEXT_FIRE = "UPDATE events_rules SET next_fire = $2 WHERE id = $1"
NEXT_FIRE = "SELECT next_fire FROM events_rules WHERE next_fire IS NOT NULL ORDER BY next_fire LIMIT 1"

RULE_TARGETS = "SELECT id, arn, settings FROM events_targets WHERE rule = $1 AND id >= $2 ORDER BY id LIMIT $3"
BUS_TARGETS = """
SELECT t.rule, t.id, t.arn, t.settings FROM events_targets t JOIN events_rules r ON r.id = t.rule
WHERE r.account = $1 AND r.region = $2 AND r.bus = $3 ORDER BY t.rule, t.id
"""
COUNT_TARGETS = "SELECT COUNT(*) FROM events_targets WHERE rule = $1"
PUT_TARGET = """
INSERT INTO events_targets (rule, id, arn, settings) VALUES ($1, $2, $3, $4)
ON CONFLICT (rule, id) DO UPDATE SET arn = excluded.arn, settings = excluded.settings
"""
DELETE_TARGET = "DELETE FROM events_targets WHERE rule = $1 AND id = $2"
RULES_OF_TARGET = """
SELECT DISTINCT r.name FROM events_targets t JOIN events_rules r ON r.id = t.rule
WHERE t.arn = $1 AND r.account = $2 AND r.region = $3 AND r.bus = $4 AND r.name >= $5 ORDER BY r.name LIMIT $6
"""

GET_ARCHIVE = f"SELECT {_ARCHIVE} FROM events_archives WHERE account = $1 AND region = $2 AND name = $3"
LIST_ARCHIVES = (
    f"SELECT {_ARCHIVE} FROM events_archives WHERE account = $1 AND region = $2 AND name >= $3 ORDER BY name LIMIT $4"
)
BUS_ARCHIVES = f"SELECT {_ARCHIVE} FROM events_archives WHERE account = $1 AND region = $2 AND bus = $3"
PUT_ARCHIVE = """
INSERT INTO events_archives (account, region, name, bus, rule, description, pattern, retention_days, created,
    event_count, size_bytes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)
ON CONFLICT (account, region, name) DO UPDATE SET description = excluded.description, pattern = excluded.pattern,
    retention_days = excluded.retention_days
"""
DELETE_ARCHIVE = "DELETE FROM events_archives WHERE account = $1 AND region = $2 AND name = $3"
DELETE_ARCHIVED = "DELETE FROM events_archived WHERE rule = $1"
ARCHIVE_EVENT = "INSERT INTO events_archived (rule, time, expires, event) VALUES ($1, $2, $3, $4)"
GROW_ARCHIVE = """
UPDATE events_archives SET event_count = event_count + $2, size_bytes = size_bytes + $3 WHERE rule = $1
"""
EXPIRED = "SELECT id, rule, LENGTH(event) FROM events_archived WHERE expires <= $1 ORDER BY expires LIMIT $2"
REMOVE_ARCHIVED = "DELETE FROM events_archived WHERE id = $1"
NEXT_EXPIRY = "SELECT expires FROM events_archived WHERE expires IS NOT NULL ORDER BY expires LIMIT 1"
ARCHIVED = """
SELECT id, time, event FROM events_archived
WHERE rule = $1 AND time >= $2 AND time < $3 AND (time > $4 OR (time = $4 AND id > $5)) ORDER BY time, id LIMIT $6
"""

GET_REPLAY = f"SELECT {_REPLAY} FROM events_replays WHERE account = $1 AND region = $2 AND name = $3"
LIST_REPLAYS = (
    f"SELECT {_REPLAY} FROM events_replays WHERE account = $1 AND region = $2 AND name >= $3 ORDER BY name LIMIT $4"
)
ACTIVE_REPLAYS = (
    f"SELECT {_REPLAY} FROM events_replays WHERE state IN ('STARTING', 'RUNNING', 'CANCELLING') "
    "ORDER BY started LIMIT $1 FOR UPDATE SKIP LOCKED"
)
COUNT_ACTIVE_REPLAYS = (
    "SELECT COUNT(*) FROM events_replays WHERE account = $1 AND region = $2 "
    "AND state IN ('STARTING', 'RUNNING', 'CANCELLING')"
)
PUT_REPLAY = """
INSERT INTO events_replays (account, region, name, description, archive, rule, bus, filters, state, starts, ends,
    cursor_time, cursor_id, last_replayed, started, finished)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (account, region, name) DO UPDATE SET state = excluded.state, cursor_time = excluded.cursor_time,
    cursor_id = excluded.cursor_id, last_replayed = excluded.last_replayed, finished = excluded.finished
"""

_encode = msgspec.json.Encoder().encode
_tags = msgspec.json.Decoder(dict[str, str]).decode
_settings = msgspec.json.Decoder(dict[str, Any]).decode
_names = msgspec.json.Decoder(tuple[str, ...]).decode


def _text(value: object) -> str:
    return _encode(value).decode()


class Due(NamedTuple):
    """A rule whose schedule is due, and the moment that it is due for."""

    rule: Rule
    moment: int


class Archived(NamedTuple):
    """An event in an archive."""

    id: int
    time: int
    event: bytes


# -- buses ------------------------------------------------------------------------------------------------


def _bus(account: str, region: str, row: Sequence[Any]) -> Bus:
    name, description, policy, dead_letter, tags, created, modified = row
    key = BusKey(account, region, name)
    return Bus(key, description, policy, dead_letter, _tags(tags), created, modified)


async def get_bus(tx: Tx, key: BusKey) -> Bus | None:
    """One bus; the default bus too is a row once something was asked of it."""
    row = await tx.fetch_one(GET_BUS, key.account, key.region, key.name)
    return None if row is None else _bus(key.account, key.region, row)


async def list_buses(tx: Tx, scope: Scope, *, start: str, limit: int) -> list[Bus]:
    """The buses from a name on, by name."""
    rows = await tx.fetch(LIST_BUSES, scope.account, scope.region, start, limit)
    return [_bus(scope.account, scope.region, row) for row in rows]


async def count_buses(tx: Tx, scope: Scope) -> int:
    """How many buses there are."""
    row = await tx.fetch_one(COUNT_BUSES, scope.account, scope.region)
    return int(row[0]) if row else 0


async def put_bus(tx: Tx, bus: Bus) -> None:
    """Add or change a bus."""
    key = bus.key
    await tx.execute(
        PUT_BUS,
        *(key.account, key.region, key.name),
        *(bus.description, bus.policy, bus.dead_letter, _text(bus.tags), bus.created, bus.modified),
    )


async def delete_bus(tx: Tx, key: BusKey) -> None:
    """Remove a bus."""
    await tx.execute(DELETE_BUS, key.account, key.region, key.name)


async def bus_exists(tx: Tx, key: BusKey) -> bool:
    """Whether there is such a bus; the default one always is."""
    return key.name == DEFAULT_BUS or await tx.fetch_one(GET_BUS, key.account, key.region, key.name) is not None


# -- rules ------------------------------------------------------------------------------------------------


def _rule(row: Sequence[Any]) -> Rule:
    key, account, region, bus, name, pattern, schedule, state, description, role, managed, creator, tags, anchor = row
    return Rule(
        key, BusKey(account, region, bus), name, pattern, schedule, RuleState(state), description, role, managed,
        creator, _tags(tags), anchor,
    )  # fmt: skip


async def get_rule(tx: Tx, bus: BusKey, name: str) -> Rule | None:
    """One rule of a bus."""
    row = await tx.fetch_one(GET_RULE, bus.account, bus.region, bus.name, name)
    return None if row is None else _rule(row)


async def list_rules(tx: Tx, bus: BusKey, *, start: str, limit: int) -> list[Rule]:
    """The rules of a bus from a name on, by name."""
    rows = await tx.fetch(LIST_RULES, bus.account, bus.region, bus.name, start, limit)
    return [_rule(row) for row in rows]


async def rules_of(tx: Tx, bus: BusKey) -> list[Rule]:
    """All rules of a bus."""
    return [_rule(row) for row in await tx.fetch(BUS_RULES, bus.account, bus.region, bus.name)]


async def count_rules(tx: Tx, bus: BusKey) -> int:
    """How many rules a bus has."""
    row = await tx.fetch_one(COUNT_RULES, bus.account, bus.region, bus.name)
    return int(row[0]) if row else 0


async def put_rule(tx: Tx, rule: Rule, next_fire: int | None) -> int:
    """Add or change a rule (all but its maker); its id."""
    bus = rule.bus
    row = await tx.fetch_one(
        PUT_RULE,
        *(bus.account, bus.region, bus.name, rule.name, rule.pattern, rule.schedule, rule.state.value),
        *(rule.description, rule.role_arn, rule.managed_by, rule.created_by, _text(rule.tags)),
        *(rule.anchor, next_fire),
    )
    assert row is not None, "INSERT … RETURNING gives a row"
    return int(row[0])


async def set_rule_tags(tx: Tx, rule: int, tags: Mapping[str, str]) -> None:
    """Replace a rule's tags."""
    await tx.execute(SET_RULE_TAGS, rule, _text(tags))


async def delete_rule(tx: Tx, rule: int) -> None:
    """Remove a rule, which has no targets any more."""
    await tx.execute(DELETE_RULE, rule)


async def due_rules(tx: Tx, now: int, limit: int) -> list[Due]:
    """Rules whose schedule is due."""
    return [Due(_rule(row[:-1]), row[-1]) for row in await tx.fetch(DUE_RULES, now, limit)]


async def set_next_fire(tx: Tx, rule: int, moment: int | None) -> None:
    """When a rule's schedule comes next."""
    await tx.execute(SET_NEXT_FIRE, rule, moment)


async def next_fire(tx: Tx) -> int | None:
    """When the first of all schedules comes next."""
    row = await tx.fetch_one(NEXT_FIRE)
    return None if row is None else int(row[0])


# -- targets ----------------------------------------------------------------------------------------------


async def list_targets(tx: Tx, rule: int, *, start: str = "", limit: int = 1000) -> list[Target]:
    """The targets of a rule from an id on, by id."""
    rows = await tx.fetch(RULE_TARGETS, rule, start, limit)
    return [Target(key, arn, _settings(settings)) for key, arn, settings in rows]


async def targets_of(tx: Tx, bus: BusKey) -> dict[int, list[Target]]:
    """All targets of a bus's rules, by the rule's id."""
    found: dict[int, list[Target]] = {}
    for rule, key, arn, settings in await tx.fetch(BUS_TARGETS, bus.account, bus.region, bus.name):
        found.setdefault(rule, []).append(Target(key, arn, _settings(settings)))
    return found


async def count_targets(tx: Tx, rule: int) -> int:
    """How many targets a rule has."""
    row = await tx.fetch_one(COUNT_TARGETS, rule)
    return int(row[0]) if row else 0


async def put_target(tx: Tx, rule: int, target: Target) -> None:
    """Add or change a target."""
    await tx.execute(PUT_TARGET, rule, target.id, target.arn, _text(target.settings))


async def delete_target(tx: Tx, rule: int, key: str) -> bool:
    """Remove a target; whether there was one."""
    return await tx.execute(DELETE_TARGET, rule, key) > 0


async def rules_of_target(tx: Tx, bus: BusKey, arn: str, *, start: str, limit: int) -> list[str]:
    """The names of the rules of a bus that have a target."""
    rows = await tx.fetch(RULES_OF_TARGET, arn, bus.account, bus.region, bus.name, start, limit)
    return [name for (name,) in rows]


# -- archives and replays ---------------------------------------------------------------------------------


def _archive(row: Sequence[Any]) -> Archive:
    account, region, *rest = row
    return Archive(Scope(account, region), *rest)


async def get_archive(tx: Tx, scope: Scope, name: str) -> Archive | None:
    """One archive."""
    row = await tx.fetch_one(GET_ARCHIVE, scope.account, scope.region, name)
    return None if row is None else _archive(row)


async def list_archives(tx: Tx, scope: Scope, *, start: str, limit: int) -> list[Archive]:
    """The archives from a name on, by name."""
    rows = await tx.fetch(LIST_ARCHIVES, scope.account, scope.region, start, limit)
    return [_archive(row) for row in rows]


async def archives_of(tx: Tx, bus: BusKey) -> list[Archive]:
    """All archives of a bus."""
    return [_archive(row) for row in await tx.fetch(BUS_ARCHIVES, bus.account, bus.region, bus.name)]


async def put_archive(tx: Tx, archive: Archive) -> None:
    """Add or change an archive."""
    scope = archive.scope
    await tx.execute(
        PUT_ARCHIVE,
        *(scope.account, scope.region, archive.name, archive.bus, archive.rule, archive.description),
        *(archive.pattern, archive.retention_days, archive.created),
    )


async def delete_archive(tx: Tx, archive: Archive) -> None:
    """Remove an archive and what is in it."""
    await tx.execute(DELETE_ARCHIVED, archive.rule)
    await tx.execute(DELETE_ARCHIVE, archive.scope.account, archive.scope.region, archive.name)


async def archive_event(tx: Tx, rule: int, *, time: int, expires: int | None, event: bytes) -> None:
    """Put an event into the archive of a rule."""
    await tx.execute(ARCHIVE_EVENT, rule, time, expires, event)
    await tx.execute(GROW_ARCHIVE, rule, 1, len(event))


async def expire_archived(tx: Tx, now: int, limit: int) -> int | None:
    """Remove up to `limit` events that are past their retention; when the next will be."""
    expired = await tx.fetch(EXPIRED, now, limit)
    await tx.execute_many(REMOVE_ARCHIVED, [(key,) for key, _, _ in expired])
    for rule in {rule for _, rule, _ in expired}:
        sizes = [size for _, owner, size in expired if owner == rule]
        await tx.execute(GROW_ARCHIVE, rule, -len(sizes), -sum(sizes))
    row = await tx.fetch_one(NEXT_EXPIRY)
    return None if row is None else int(row[0])


async def archived(tx: Tx, replay: Replay, limit: int) -> list[Archived]:
    """The next events that a replay is to send."""
    rows = await tx.fetch(
        ARCHIVED, replay.rule, replay.starts, replay.ends, replay.cursor_time, replay.cursor_id, limit
    )
    return [Archived(*row) for row in rows]


def _replay(row: Sequence[Any]) -> Replay:
    account, region, name, description, archive, rule, bus, filters, state, *times = row
    return Replay(
        Scope(account, region), name, description, archive, rule, bus, _names(filters), ReplayState(state), *times
    )


async def get_replay(tx: Tx, scope: Scope, name: str) -> Replay | None:
    """One replay."""
    row = await tx.fetch_one(GET_REPLAY, scope.account, scope.region, name)
    return None if row is None else _replay(row)


async def list_replays(tx: Tx, scope: Scope, *, start: str, limit: int) -> list[Replay]:
    """The replays from a name on, by name."""
    rows = await tx.fetch(LIST_REPLAYS, scope.account, scope.region, start, limit)
    return [_replay(row) for row in rows]


async def active_replays(tx: Tx, limit: int) -> list[Replay]:
    """Replays that have something left to do."""
    return [_replay(row) for row in await tx.fetch(ACTIVE_REPLAYS, limit)]


async def count_active_replays(tx: Tx, scope: Scope) -> int:
    """How many replays are under way."""
    row = await tx.fetch_one(COUNT_ACTIVE_REPLAYS, scope.account, scope.region)
    return int(row[0]) if row else 0


async def put_replay(tx: Tx, replay: Replay) -> None:
    """Add a replay, or change how far it is."""
    scope = replay.scope
    await tx.execute(
        PUT_REPLAY,
        *(scope.account, scope.region, replay.name, replay.description, replay.archive, replay.rule, replay.bus),
        *(_text(replay.filters), replay.state.value, replay.starts, replay.ends, replay.cursor_time),
        *(replay.cursor_id, replay.last_replayed, replay.started, replay.finished),
    )


def tags_of(pairs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Tags from the form in which requests have them."""
    return {pair["Key"]: pair["Value"] for pair in pairs}
