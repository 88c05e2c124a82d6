"""The rows of CloudWatch Logs: one method for each question that the API asks."""

# ruff: noqa: S608 - statements are put together from constants of this file

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from fogbank.services.logs.model import Event, Group, GroupClass, Position, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fogbank.core.scope import Scope
    from fogbank.storage import Tx

_GROUP = "id, name, created_at, class, retention_days, deletion_protected, metric_filters, subscriptions, tags"
_STREAM = "id, name, created_at, first_event, last_event, last_ingestion"
_EVENT = "id, stream_id, timestamp, ingested_at, message"

INSERT_GROUP = """
INSERT INTO logs_groups (account, region, name, created_at, class, deletion_protected, tags)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
"""
FIND_GROUP = f"SELECT {_GROUP} FROM logs_groups WHERE account = $1 AND region = $2 AND name = $3"
LIST_GROUPS = f"""
SELECT {_GROUP} FROM logs_groups WHERE account = $1 AND region = $2 AND name > $3 AND name >= $4 AND name < $5
ORDER BY name LIMIT $6
"""
GROUP_BYTES = "SELECT COALESCE(SUM(stored_bytes), 0) FROM logs_streams WHERE group_id = $1"
EXPIRING_GROUPS = "SELECT id, retention_days FROM logs_groups WHERE retention_days IS NOT NULL"
DELETE_GROUP = "DELETE FROM logs_groups WHERE id = $1"
SET_RETENTION = "UPDATE logs_groups SET retention_days = $2 WHERE id = $1"
SET_PROTECTION = "UPDATE logs_groups SET deletion_protected = $2 WHERE id = $1"
SET_TAGS = "UPDATE logs_groups SET tags = $2 WHERE id = $1"

INSERT_STREAM = "INSERT INTO logs_streams (group_id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
FIND_STREAM = f"SELECT {_STREAM} FROM logs_streams WHERE group_id = $1 AND name = $2"
STREAM_NAME = "SELECT name FROM logs_streams WHERE id = $1"
LIST_STREAMS = f"""
SELECT {_STREAM} FROM logs_streams WHERE group_id = $1 AND name > $2 AND name >= $3 AND name < $4
ORDER BY name LIMIT $5
"""
LIST_STREAMS_BACK = f"""
SELECT {_STREAM} FROM logs_streams WHERE group_id = $1 AND name < $2 AND name >= $3 AND name < $4
ORDER BY name DESC LIMIT $5
"""
LIST_STREAMS_BY_TIME = f"""
SELECT {_STREAM} FROM logs_streams WHERE group_id = $1 AND (last_event, name) > ($2, $3)
ORDER BY last_event, name LIMIT $4
"""
LIST_STREAMS_BY_TIME_BACK = f"""
SELECT {_STREAM} FROM logs_streams WHERE group_id = $1 AND (last_event, name) < ($2, $3)
ORDER BY last_event DESC, name DESC LIMIT $4
"""
STREAMS_OF_GROUP = "SELECT id FROM logs_streams WHERE group_id = $1"
DELETE_STREAM = "DELETE FROM logs_streams WHERE id = $1"
DELETE_STREAMS = "DELETE FROM logs_streams WHERE group_id = $1"
ADD_DELETED_STREAM = "INSERT INTO logs_deleted_streams (stream_id) VALUES ($1)"
ADD_DELETED_STREAMS = """
INSERT INTO logs_deleted_streams (stream_id) SELECT id FROM logs_streams WHERE group_id = $1
"""
NEXT_DELETED_STREAM = "SELECT stream_id FROM logs_deleted_streams ORDER BY stream_id LIMIT 1"
FORGET_DELETED_STREAM = "DELETE FROM logs_deleted_streams WHERE stream_id = $1"

PLACE = """
SELECT g.id, s.id, g.retention_days, g.subscriptions, g.metric_filters
FROM logs_groups g LEFT JOIN logs_streams s ON s.group_id = g.id AND s.name = $4
WHERE g.account = $1 AND g.region = $2 AND g.name = $3
"""
INSERT_EVENT = """
INSERT INTO logs_events (group_id, stream_id, timestamp, ingested_at, message) VALUES ($1, $2, $3, $4, $5)
"""
TOUCH_STREAM = """
UPDATE logs_streams SET
    first_event = CASE WHEN first_event = 0 OR first_event > $2 THEN $2 ELSE first_event END,
    last_event = CASE WHEN last_event < $3 THEN $3 ELSE last_event END,
    last_ingestion = $4,
    stored_bytes = stored_bytes + $5
WHERE id = $1
"""
SHRINK_STREAM = "UPDATE logs_streams SET stored_bytes = stored_bytes - $2 WHERE id = $1"
LAST_EVENT = "SELECT COALESCE(MAX(id), 0) FROM logs_events"
GROUP_EVENTS = f"""
SELECT {_EVENT} FROM logs_events WHERE group_id = $1 AND (timestamp, id) > ($2, $3) AND timestamp <= $4
ORDER BY timestamp, id LIMIT $5
"""
GROUP_EVENTS_BACK = f"""
SELECT {_EVENT} FROM logs_events WHERE group_id = $1 AND (timestamp, id) < ($2, $3) AND timestamp >= $4
ORDER BY timestamp DESC, id DESC LIMIT $5
"""
INSERT_EVENT_FOR_ID = INSERT_EVENT + " RETURNING id"
STREAM_EVENTS = GROUP_EVENTS.replace("group_id", "stream_id")
STREAM_EVENTS_BACK = GROUP_EVENTS_BACK.replace("group_id", "stream_id")
EVENTS_SINCE = f"SELECT group_id, {_EVENT} FROM logs_events WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3"
EXPIRED_EVENTS = """
SELECT id, stream_id, message FROM logs_events WHERE group_id = $1 AND timestamp < $2
ORDER BY timestamp, id LIMIT $3
"""
EVENTS_OF_DELETED = "SELECT id FROM logs_events WHERE stream_id = $1 ORDER BY timestamp, id LIMIT $2"
DELETE_EVENT = "DELETE FROM logs_events WHERE id = $1"

FIND_METRIC_FILTER = "SELECT 1 FROM logs_metric_filters WHERE group_id = $1 AND name = $2"
PUT_METRIC_FILTER = """
INSERT INTO logs_metric_filters
    (group_id, name, pattern, created_at, transformation, metric_namespace, metric_name)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (group_id, name) DO UPDATE SET pattern = excluded.pattern, created_at = excluded.created_at,
    transformation = excluded.transformation, metric_namespace = excluded.metric_namespace,
    metric_name = excluded.metric_name
"""
LIST_METRIC_FILTERS = """
SELECT f.name, f.pattern, f.created_at, f.transformation, g.name, f.metric_namespace, f.metric_name
FROM logs_metric_filters f JOIN logs_groups g ON g.id = f.group_id
WHERE g.account = $1 AND g.region = $2
"""
FILTERS_OF_GROUP = "SELECT pattern, transformation FROM logs_metric_filters WHERE group_id = $1 ORDER BY name"
DELETE_METRIC_FILTER = "DELETE FROM logs_metric_filters WHERE group_id = $1 AND name = $2"
DELETE_METRIC_FILTERS = "DELETE FROM logs_metric_filters WHERE group_id = $1"
COUNT_METRIC_FILTERS = "UPDATE logs_groups SET metric_filters = metric_filters + $2 WHERE id = $1"

PUT_SUBSCRIPTION = """
INSERT INTO logs_subscriptions (group_id, name, pattern, created_at, destination) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (group_id, name) DO UPDATE SET pattern = excluded.pattern, destination = excluded.destination
"""
LIST_SUBSCRIPTIONS = """
SELECT name, pattern, created_at, destination FROM logs_subscriptions WHERE group_id = $1 ORDER BY name
"""
DELETE_SUBSCRIPTION = "DELETE FROM logs_subscriptions WHERE group_id = $1 AND name = $2"
DELETE_SUBSCRIPTIONS = "DELETE FROM logs_subscriptions WHERE group_id = $1"
COUNT_SUBSCRIPTIONS = "UPDATE logs_groups SET subscriptions = subscriptions + $2 WHERE id = $1"

PUT_POLICY = """
INSERT INTO logs_resource_policies (account, region, name, document, updated_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, region, name) DO UPDATE SET document = excluded.document, updated_at =
excluded.updated_at
"""
LIST_POLICIES = """
SELECT name, document, updated_at FROM logs_resource_policies WHERE account = $1 AND region = $2 ORDER BY name
"""
DELETE_POLICY = "DELETE FROM logs_resource_policies WHERE account = $1 AND region = $2 AND name = $3"


def _group(row: tuple[Any, ...]) -> Group:
    key, name, created_at, group_class, retention, protected, metric_filters, subscriptions, tags = row
    return Group(
        key, name, created_at, GroupClass(group_class), retention, bool(protected),
        metric_filters, subscriptions, msgspec.json.decode(tags),
    )  # fmt: skip


def end_of_prefix(prefix: str) -> str:
    """A text that comes after every text with this prefix."""
    return prefix + "\U0010ffff"


# -- groups
# ---------------------------------------------------------------------------------------------------


async def insert_group(
    tx: Tx,
    scope: Scope,
    name: str,
    *,
    now: int,
    group_class: GroupClass,
    protected: bool,
    tags: Mapping[str, str],
) -> bool:
    """Add a group; whether there was none of this name."""
    added = await tx.execute(
        INSERT_GROUP, scope.account, scope.region, name, now, group_class.value, int(protected), _json(tags)
    )
    return added > 0


async def find_group(tx: Tx, scope: Scope, name: str) -> Group | None:
    """The group of a name."""
    row = await tx.fetch_one(FIND_GROUP, scope.account, scope.region, name)
    return _group(row) if row else None


async def list_groups(tx: Tx, scope: Scope, *, after: str, prefix: str, limit: int) -> list[Group]:
    """Groups in the order of their names that come after one name."""
    end = end_of_prefix(prefix)
    rows = await tx.fetch(LIST_GROUPS, scope.account, scope.region, after, prefix, end, limit)
    return [_group(row) for row in rows]


async def group_bytes(tx: Tx, group_id: int) -> int:
    """The bytes of all events of a group."""
    row = await tx.fetch_one(GROUP_BYTES, group_id)
    return int(row[0]) if row else 0


async def expiring_groups(tx: Tx) -> list[tuple[int, int]]:
    """(id, days) of the groups that have a retention policy."""
    return [(key, days) for key, days in await tx.fetch(EXPIRING_GROUPS)]


async def delete_group(tx: Tx, group_id: int) -> None:
    """Remove a group and all that belongs to it; its events are left to the sweeper, and no one can see them."""
    await tx.execute(ADD_DELETED_STREAMS, group_id)
    for statement in (DELETE_STREAMS, DELETE_METRIC_FILTERS, DELETE_SUBSCRIPTIONS, DELETE_GROUP):
        await tx.execute(statement, group_id)


async def set_retention(tx: Tx, group_id: int, days: int | None) -> None:
    """Set or remove the retention policy."""
    await tx.execute(SET_RETENTION, group_id, days)


async def set_protection(tx: Tx, group_id: int, *, protected: bool) -> None:
    """Set or remove the protection from deletion."""
    await tx.execute(SET_PROTECTION, group_id, int(protected))


async def set_tags(tx: Tx, group_id: int, tags: Mapping[str, str]) -> None:
    """Replace the tags."""
    await tx.execute(SET_TAGS, group_id, _json(tags))


# -- streams
# --------------------------------------------------------------------------------------------------


async def insert_stream(tx: Tx, group_id: int, name: str, now: int) -> bool:
    """Add a stream; whether there was none of this name."""
    return await tx.execute(INSERT_STREAM, group_id, name, now) > 0


async def find_stream(tx: Tx, group_id: int, name: str) -> Stream | None:
    """The stream of a name."""
    row = await tx.fetch_one(FIND_STREAM, group_id, name)
    return Stream(*row) if row else None


async def stream_name(tx: Tx, stream_id: int) -> str | None:
    """The name of a stream."""
    row = await tx.fetch_one(STREAM_NAME, stream_id)
    return row[0] if row else None


async def list_streams(
    tx: Tx, group_id: int, *, after: str | None, prefix: str, descending: bool, limit: int
) -> list[Stream]:
    """Streams in the order of their names that come after one name."""
    end = end_of_prefix(prefix)
    if descending:
        rows = await tx.fetch(LIST_STREAMS_BACK, group_id, end if after is None else after, prefix, end, limit)
    else:
        rows = await tx.fetch(LIST_STREAMS, group_id, after or "", prefix, end, limit)
    return [Stream(*row) for row in rows]


async def list_streams_by_time(
    tx: Tx, group_id: int, *, after: tuple[int, str] | None, descending: bool, limit: int
) -> list[Stream]:
    """Streams in the order of their last event."""
    if descending:
        time, name = after or (1 << 62, "")
        rows = await tx.fetch(LIST_STREAMS_BY_TIME_BACK, group_id, time, name, limit)
    else:
        time, name = after or (-1, "")
        rows = await tx.fetch(LIST_STREAMS_BY_TIME, group_id, time, name, limit)
    return [Stream(*row) for row in rows]


async def delete_stream(tx: Tx, stream_id: int) -> None:
    """Remove a stream; its events are left to the sweeper."""
    await tx.execute(ADD_DELETED_STREAM, stream_id)
    await tx.execute(DELETE_STREAM, stream_id)


# -- events
# ---------------------------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where events go: the ids of group and stream (`None` if it is not there), and what the group does with them."""

    group_id: int
    stream_id: int | None
    retention_days: int | None
    subscriptions: int
    metric_filters: int


async def place(tx: Tx, scope: Scope, group: str, stream: str) -> Place | None:
    """Where events go."""
    row = await tx.fetch_one(PLACE, scope.account, scope.region, group, stream)
    return Place(*row) if row else None


async def insert_events(
    tx: Tx, group_id: int, stream_id: int, events: Sequence[tuple[int, str]], *, now: int, size: int
) -> None:
    """Add events, which are in chronological order, to a stream."""
    await tx.execute_many(INSERT_EVENT, [(group_id, stream_id, time, now, message) for time, message in events])
    await tx.execute(TOUCH_STREAM, stream_id, events[0][0], events[-1][0], now, size)


async def insert_events_for_ids(
    tx: Tx, group_id: int, stream_id: int, events: Sequence[tuple[int, str]], *, now: int, size: int
) -> list[Event]:
    """The same, telling their ids: what subscribers get has them."""
    stored = []
    for time, message in events:
        row = await tx.fetch_one(INSERT_EVENT_FOR_ID, group_id, stream_id, time, now, message)
        assert row is not None, "RETURNING gives a row"
        stored.append(Event(row[0], stream_id, time, now, message))
    await tx.execute(TOUCH_STREAM, stream_id, events[0][0], events[-1][0], now, size)
    return stored


async def last_event(tx: Tx) -> int:
    """The id of the newest event of all."""
    row = await tx.fetch_one(LAST_EVENT)
    return int(row[0]) if row else 0


async def group_events(tx: Tx, group_id: int, *, at: Position, until: int, forward: bool, limit: int) -> list[Event]:
    """Events of all streams of a group from a position on, to a timestamp that is included."""
    sql = GROUP_EVENTS if forward else GROUP_EVENTS_BACK
    return [Event(*row) for row in await tx.fetch(sql, group_id, at.timestamp, at.order, until, limit)]


async def stream_events(tx: Tx, stream_id: int, *, at: Position, until: int, forward: bool, limit: int) -> list[Event]:
    """The same of one stream."""
    sql = STREAM_EVENTS if forward else STREAM_EVENTS_BACK
    return [Event(*row) for row in await tx.fetch(sql, stream_id, at.timestamp, at.order, until, limit)]


async def events_since(tx: Tx, since: int, until: int, limit: int) -> list[tuple[int, Event]]:
    """(group id, event) of what arrived after event `since` and up to event `until`, in order of arrival."""
    return [(row[0], Event(*row[1:])) for row in await tx.fetch(EVENTS_SINCE, since, until, limit)]


async def delete_expired(tx: Tx, group_id: int, before: int, limit: int) -> int:
    """Delete up to `limit` events that are older than `before`; how many they were."""
    rows = await tx.fetch(EXPIRED_EVENTS, group_id, before, limit)
    sizes: dict[int, int] = {}
    for _, stream_id, message in rows:
        sizes[stream_id] = sizes.get(stream_id, 0) + len(message.encode()) + 26
    await tx.execute_many(DELETE_EVENT, [(row[0],) for row in rows])
    await tx.execute_many(SHRINK_STREAM, list(sizes.items()))
    return len(rows)


async def delete_orphans(tx: Tx, limit: int) -> bool:
    """Delete up to `limit` events of a stream that was deleted; whether there may be more of any."""
    row = await tx.fetch_one(NEXT_DELETED_STREAM)
    if row is None:
        return False
    events = await tx.fetch(EVENTS_OF_DELETED, row[0], limit)
    await tx.execute_many(DELETE_EVENT, events)
    if len(events) < limit:
        await tx.execute(FORGET_DELETED_STREAM, row[0])
    return True


# -- filters and policies
# -------------------------------------------------------------------------------------


async def put_metric_filter(
    tx: Tx, group: Group, name: str, *, pattern: str, transformation: Mapping[str, Any], now: int
) -> None:
    """Add or replace a metric filter."""
    if await tx.fetch_one(FIND_METRIC_FILTER, group.id, name) is None:
        await tx.execute(COUNT_METRIC_FILTERS, group.id, 1)
    await tx.execute(
        PUT_METRIC_FILTER, group.id, name, pattern, now, _json(transformation),
        transformation["metricNamespace"], transformation["metricName"],
    )  # fmt: skip


async def has_metric_filter(tx: Tx, group_id: int, name: str) -> bool:
    """Whether a metric filter of this name is there."""
    return await tx.fetch_one(FIND_METRIC_FILTER, group_id, name) is not None


async def list_metric_filters(tx: Tx, scope: Scope) -> list[tuple[str, str, int, Mapping[str, Any], str]]:
    """(name, pattern, created at, transformation, group's name) of all metric filters, by filter and group
    name.
    """
    rows = await tx.fetch(LIST_METRIC_FILTERS, scope.account, scope.region)
    found = [(row[0], row[1], row[2], msgspec.json.decode(row[3]), row[4]) for row in rows]
    return sorted(found, key=lambda each: (each[0], each[4]))


async def filters_of(tx: Tx, group_id: int) -> list[tuple[str, Mapping[str, Any]]]:
    """(pattern, transformation) of a group's metric filters."""
    return [(row[0], msgspec.json.decode(row[1])) for row in await tx.fetch(FILTERS_OF_GROUP, group_id)]


async def delete_metric_filter(tx: Tx, group_id: int, name: str) -> bool:
    """Remove a metric filter; whether it was there."""
    if await tx.execute(DELETE_METRIC_FILTER, group_id, name) == 0:
        return False
    await tx.execute(COUNT_METRIC_FILTERS, group_id, -1)
    return True


async def list_subscriptions(tx: Tx, group_id: int) -> list[tuple[str, str, int, str]]:
    """(name, pattern, created at, destination) of a group's subscription filters, by name."""
    return [(row[0], row[1], row[2], row[3]) for row in await tx.fetch(LIST_SUBSCRIPTIONS, group_id)]


async def put_subscription(
    tx: Tx, group_id: int, name: str, *, pattern: str, destination: str, now: int, is_new: bool
) -> None:
    """Add or replace a subscription filter."""
    await tx.execute(PUT_SUBSCRIPTION, group_id, name, pattern, now, destination)
    if is_new:
        await tx.execute(COUNT_SUBSCRIPTIONS, group_id, 1)


async def delete_subscription(tx: Tx, group_id: int, name: str) -> bool:
    """Remove a subscription filter; whether it was there."""
    if await tx.execute(DELETE_SUBSCRIPTION, group_id, name) == 0:
        return False
    await tx.execute(COUNT_SUBSCRIPTIONS, group_id, -1)
    return True


async def put_policy(tx: Tx, scope: Scope, name: str, document: str, now: int) -> None:
    """Add or replace a resource policy."""
    await tx.execute(PUT_POLICY, scope.account, scope.region, name, document, now)


async def list_policies(tx: Tx, scope: Scope) -> list[tuple[str, str, int]]:
    """(name, document, updated at) of the resource policies, by name."""
    return [(row[0], row[1], row[2]) for row in await tx.fetch(LIST_POLICIES, scope.account, scope.region)]


async def delete_policy(tx: Tx, scope: Scope, name: str) -> bool:
    """Remove a resource policy; whether it was there."""
    return await tx.execute(DELETE_POLICY, scope.account, scope.region, name) > 0


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


# -- saved queries
# ----------------------------------------------------------------------------------------------

_DEFINITION = "id, name, settings, modified"
FIND_DEFINITION = f"""
SELECT {_DEFINITION} FROM logs_query_definitions WHERE account = $1 AND region = $2 AND id = $3
"""
DEFINITION_MADE_BY = "SELECT id FROM logs_query_definitions WHERE account = $1 AND region = $2 AND token = $3"
COUNT_DEFINITIONS = "SELECT COUNT(*) FROM logs_query_definitions WHERE account = $1 AND region = $2"
LIST_DEFINITIONS = f"""
SELECT {_DEFINITION} FROM logs_query_definitions WHERE account = $1 AND region = $2 AND (name, id) > ($3, $4)
ORDER BY name, id LIMIT $5
"""
PUT_DEFINITION = """
INSERT INTO logs_query_definitions (account, region, id, name, settings, modified, token)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (account, region, id) DO UPDATE SET name = excluded.name, settings = excluded.settings,
    modified = excluded.modified
"""
DELETE_DEFINITION = "DELETE FROM logs_query_definitions WHERE account = $1 AND region = $2 AND id = $3"


class Definition(NamedTuple):
    """A saved query. `settings` are the other members of the request."""

    id: str
    name: str
    settings: Mapping[str, Any]
    modified: int


async def find_definition(tx: Tx, scope: Scope, key: str) -> Definition | None:
    """The saved query of an id."""
    row = await tx.fetch_one(FIND_DEFINITION, scope.account, scope.region, key)
    return Definition(row[0], row[1], msgspec.json.decode(row[2]), row[3]) if row else None


async def definition_of_token(tx: Tx, scope: Scope, token: str) -> str | None:
    """The id of the saved query that a client token made."""
    row = await tx.fetch_one(DEFINITION_MADE_BY, scope.account, scope.region, token)
    return row[0] if row else None


async def count_definitions(tx: Tx, scope: Scope) -> int:
    """How many saved queries there are."""
    row = await tx.fetch_one(COUNT_DEFINITIONS, scope.account, scope.region)
    return int(row[0]) if row else 0


async def list_definitions(tx: Tx, scope: Scope, *, after: tuple[str, str], limit: int) -> list[Definition]:
    """Saved queries by name and id, from a place on."""
    rows = await tx.fetch(LIST_DEFINITIONS, scope.account, scope.region, *after, limit)
    return [Definition(row[0], row[1], msgspec.json.decode(row[2]), row[3]) for row in rows]


async def put_definition(
    tx: Tx, scope: Scope, key: str, *, name: str, settings: Mapping[str, Any], now: int, token: str | None
) -> None:
    """Add or replace a saved query."""
    await tx.execute(PUT_DEFINITION, scope.account, scope.region, key, name, _json(settings), now, token)


async def delete_definition(tx: Tx, scope: Scope, key: str) -> bool:
    """Remove a saved query; whether it was there."""
    return await tx.execute(DELETE_DEFINITION, scope.account, scope.region, key) > 0
