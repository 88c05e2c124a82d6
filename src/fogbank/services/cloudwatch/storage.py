"""The rows of CloudWatch: one function for each question. Points' times are seconds, all others milliseconds."""
# ruff: noqa: S608 - statements are put together from constants of this file

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.cloudwatch._alarms import Alarm, Kind
from fogbank.services.cloudwatch._evaluation import State
from fogbank.services.cloudwatch._statistics import Summary
from fogbank.services.cloudwatch._suppression import Suppression, read
from fogbank.services.cloudwatch.model import Datum, Metric, Point, check_series
from fogbank.storage import Tx

_OF = "account = $1 AND region = $2"
_POINT = "moment, period, unit, samples, total, low, high, spread"

FIND_METRIC = f"""
SELECT id, updated FROM cloudwatch_metrics WHERE {_OF} AND namespace = $3 AND name = $4 AND dimensions = $5
"""
LAST_METRIC = "SELECT COALESCE(MAX(id), 0) FROM cloudwatch_metrics"
INSERT_METRIC = """
INSERT INTO cloudwatch_metrics (account, region, namespace, name, dimensions, updated) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id
"""
TOUCH_METRIC = "UPDATE cloudwatch_metrics SET updated = $2 WHERE id = $1"
LIST_METRICS = f"""
SELECT namespace, name, dimensions, updated FROM cloudwatch_metrics
WHERE {_OF} AND (namespace, name, dimensions) > ($3, $4, $5) ORDER BY namespace, name, dimensions LIMIT $6
"""
FIND_POINT = f"""
SELECT {_POINT} FROM cloudwatch_points WHERE metric = $1 AND moment = $2 AND period = $3 AND unit = $4
"""
PUT_POINT = """
INSERT INTO cloudwatch_points (metric, moment, period, unit, samples, total, low, high, spread)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (metric, moment, period, unit) DO UPDATE SET samples = excluded.samples, total = excluded.total,
    low = excluded.low, high = excluded.high, spread = excluded.spread
"""
POINTS = f"""
SELECT {_POINT} FROM cloudwatch_points WHERE metric = $1 AND moment >= $2 AND moment < $3 ORDER BY moment
"""
OLD_POINTS = f"""
SELECT metric, {_POINT} FROM cloudwatch_points WHERE period = $1 AND moment < $2 ORDER BY moment LIMIT $3
"""
DELETE_POINT = "DELETE FROM cloudwatch_points WHERE metric = $1 AND moment = $2 AND period = $3 AND unit = $4"

_encode = msgspec.msgpack.Encoder().encode
_spread = msgspec.msgpack.Decoder(dict[float, float] | None).decode
_pairs = msgspec.json.Decoder(tuple[tuple[str, str], ...]).decode

STALE = 300_000
"""Milliseconds by which the time of a metric's last data may be behind."""


class Directory:
    """Which rows metrics have, remembered: what is put again and again needs no look-up. Bounded."""

    MAX = 50_000

    def __init__(self) -> None:
        self._rows: dict[Metric, tuple[int, int]] = {}

    def clear(self) -> None:
        """Forget all: the tables were emptied."""
        self._rows.clear()

    def find(self, metric: Metric) -> tuple[int, int] | None:
        """(id, when data last came) of a metric, if it is remembered."""
        return self._rows.get(metric)

    def keep(self, metric: Metric, row: tuple[int, int]) -> None:
        """Remember a row that is committed."""
        if len(self._rows) >= self.MAX:
            self._rows.pop(next(iter(self._rows)))
        self._rows[metric] = row


def _dimensions(metric: Metric) -> str:
    return msgspec.json.encode(metric.dimensions).decode()


async def find_metric(tx: Tx, metric: Metric) -> tuple[int, int] | None:
    """(id, when data last came) of a metric."""
    scope = metric.scope
    row = await tx.fetch_one(
        FIND_METRIC, scope.account, scope.region, metric.namespace, metric.name, _dimensions(metric)
    )
    return (row[0], row[1]) if row else None


async def _row_of(tx: Tx, directory: Directory, metric: Metric, now: int) -> int:
    """The row of a metric that gets data now; it is added if it is new."""
    known = directory.find(metric) or await find_metric(tx, metric)
    if known is None:
        last = await tx.fetch_one(LAST_METRIC)
        check_series(int(last[0]) if last else 0)
        scope = metric.scope
        row = await tx.fetch_one(
            INSERT_METRIC, scope.account, scope.region, metric.namespace, metric.name, _dimensions(metric), now
        )
        assert row is not None, "RETURNING gives a row"
        known = (row[0], now)
    elif known[1] < now - STALE:
        await tx.execute(TOUCH_METRIC, known[0], now)
        known = (known[0], now)
    kept = known
    tx.after_commit(lambda: directory.keep(metric, kept))
    return known[0]


def _point(row: Sequence[Any]) -> Point:
    moment, period, unit, samples, total, low, high, spread = row
    return Point(moment, period, unit, Summary(samples, total, low, high, _spread(spread) if spread else None))


def _values(metric: int, point: Point) -> tuple[Any, ...]:
    summary = point.summary
    spread = None if summary.spread is None else _encode(summary.spread)
    return (
        metric, point.moment, point.period, point.unit,
        float(summary.samples), float(summary.total), float(summary.low), float(summary.high), spread,
    )  # fmt: skip


async def put_data(tx: Tx, directory: Directory, data: Sequence[Datum], now: int) -> None:
    """Add samples to the points of their periods."""
    merged: dict[tuple[int, int, int, str], Summary] = {}
    for datum in data:
        key = (await _row_of(tx, directory, datum.metric, now), datum.moment, datum.period, datum.unit)
        before = merged.get(key)
        if before is None:
            row = await tx.fetch_one(FIND_POINT, *key)
            before = _point(row).summary if row else None
        merged[key] = datum.summary if before is None else before.merge(datum.summary)
    await tx.execute_many(PUT_POINT, [_values(key[0], Point(*key[1:], summary)) for key, summary in merged.items()])


async def points(tx: Tx, metric: Metric, start: int, end: int) -> list[Point]:
    """The points of a metric in [start, end), by time."""
    found = await find_metric(tx, metric)
    if found is None:
        return []
    return [_point(row) for row in await tx.fetch(POINTS, found[0], start, end)]


async def list_metrics(
    tx: Tx, scope: Scope, *, after: tuple[str, str, str], limit: int
) -> list[tuple[Metric, tuple[str, str, str], int]]:
    """Metrics in the order of their names that come after one: each with its place and when data last came."""
    rows = await tx.fetch(LIST_METRICS, scope.account, scope.region, *after, limit)
    return [(Metric(scope, row[0], row[1], _pairs(row[2])), (row[0], row[1], row[2]), row[3]) for row in rows]


async def roll_up(tx: Tx, period: int, before: int, into: int | None, limit: int) -> int:
    """Put up to `limit` points of a period that are older than `before` together to a longer one, or delete them.

    How many there were.
    """
    rows = await tx.fetch(OLD_POINTS, period, before, limit)
    if into is not None:
        merged: dict[tuple[int, int, int, str], Summary] = {}
        for metric, *rest in rows:
            point = _point(rest)
            key = (metric, point.moment // into * into, into, point.unit)
            known = merged.get(key)
            if known is None:
                row = await tx.fetch_one(FIND_POINT, *key)
                known = _point(row).summary if row else None
            merged[key] = point.summary if known is None else known.merge(point.summary)
        await tx.execute_many(PUT_POINT, [_values(key[0], Point(*key[1:], summary)) for key, summary in merged.items()])
    await tx.execute_many(DELETE_POINT, [(row[0], row[1], row[2], row[3]) for row in rows])
    return len(rows)


# -- dashboards -------------------------------------------------------------------------------------------

GET_DASHBOARD = "SELECT body, modified, tags FROM cloudwatch_dashboards WHERE account = $1 AND name = $2"
LIST_DASHBOARDS = """
SELECT name, modified, body FROM cloudwatch_dashboards WHERE account = $1 AND name > $2 ORDER BY name LIMIT $3
"""
PUT_DASHBOARD = """
INSERT INTO cloudwatch_dashboards (account, name, body, modified, tags) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, name) DO UPDATE SET body = excluded.body, modified = excluded.modified, tags = excluded.tags
"""
DELETE_DASHBOARD = "DELETE FROM cloudwatch_dashboards WHERE account = $1 AND name = $2"

_tags = msgspec.json.Decoder(dict[str, str]).decode


async def get_dashboard(tx: Tx, account: str, name: str) -> tuple[str, int, dict[str, str]] | None:
    """(body, when it was changed, tags) of a dashboard."""
    row = await tx.fetch_one(GET_DASHBOARD, account, name)
    return (row[0], row[1], _tags(row[2])) if row else None


async def list_dashboards(tx: Tx, account: str, *, after: str, limit: int) -> list[tuple[str, int, int]]:
    """(name, when it was changed, bytes) of the dashboards whose names come after one."""
    rows = await tx.fetch(LIST_DASHBOARDS, account, after, limit)
    return [(row[0], row[1], len(row[2].encode())) for row in rows]


async def put_dashboard(tx: Tx, account: str, name: str, *, body: str, now: int, tags: Mapping[str, str]) -> None:
    """Add or replace a dashboard."""
    await tx.execute(PUT_DASHBOARD, account, name, body, now, msgspec.json.encode(tags).decode())


async def delete_dashboard(tx: Tx, account: str, name: str) -> None:
    """Remove a dashboard."""
    await tx.execute(DELETE_DASHBOARD, account, name)


# -- alarms -----------------------------------------------------------------------------------------------

_ALARM = (
    "account, region, name, kind, settings, state, reason, reason_data, configured, updated, transitioned, tags, "
    "suppression"
)
GET_ALARM = f"SELECT {_ALARM} FROM cloudwatch_alarms WHERE {_OF} AND name = $3"
LIST_ALARMS = f"SELECT {_ALARM} FROM cloudwatch_alarms WHERE {_OF} AND name > $3 ORDER BY name LIMIT $4"
PUT_ALARM = """
INSERT INTO cloudwatch_alarms (account, region, name, kind, settings, state, reason, reason_data, configured, updated,
    transitioned, tags, due, suppression)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (account, region, name) DO UPDATE SET kind = excluded.kind, settings = excluded.settings,
    state = excluded.state, reason = excluded.reason, reason_data = excluded.reason_data,
    configured = excluded.configured, updated = excluded.updated, transitioned = excluded.transitioned,
    tags = excluded.tags, due = excluded.due, suppression = excluded.suppression
"""
SET_STATE = f"""
UPDATE cloudwatch_alarms SET state = $4, reason = $5, reason_data = $6, updated = $7, transitioned = $8
WHERE {_OF} AND name = $3
"""
SET_SUPPRESSION = f"UPDATE cloudwatch_alarms SET suppression = $4, due = $5 WHERE {_OF} AND name = $3"
SET_DUE = f"UPDATE cloudwatch_alarms SET due = $4 WHERE {_OF} AND name = $3"
DELETE_ALARM = f"DELETE FROM cloudwatch_alarms WHERE {_OF} AND name = $3"
DUE_ALARMS = f"SELECT {_ALARM} FROM cloudwatch_alarms WHERE due <= $1 ORDER BY due LIMIT $2"
NEXT_DUE = "SELECT due FROM cloudwatch_alarms WHERE due IS NOT NULL ORDER BY due LIMIT 1"
ADD_CHILD = """
INSERT INTO cloudwatch_children (account, region, child, parent) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
DELETE_CHILDREN = f"DELETE FROM cloudwatch_children WHERE {_OF} AND parent = $3"
PARENTS = f"SELECT parent FROM cloudwatch_children WHERE {_OF} AND child = $3 ORDER BY parent"
ADD_HISTORY = """
INSERT INTO cloudwatch_history (account, region, alarm, kind, moment, item, summary, data)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_HISTORY = "id, alarm, kind, moment, item, summary, data"
HISTORY = f"""
SELECT {_HISTORY} FROM cloudwatch_history WHERE {_OF} AND (moment, id) > ($3, $4) ORDER BY moment, id LIMIT $5
"""
HISTORY_BACK = f"""
SELECT {_HISTORY} FROM cloudwatch_history WHERE {_OF} AND (moment, id) < ($3, $4)
ORDER BY moment DESC, id DESC LIMIT $5
"""
ALARM_HISTORY = HISTORY.replace(_OF, f"{_OF} AND alarm = $6")
ALARM_HISTORY_BACK = HISTORY_BACK.replace(_OF, f"{_OF} AND alarm = $6")
OLD_HISTORY = "SELECT id FROM cloudwatch_history WHERE moment < $1 ORDER BY moment LIMIT $2"
DELETE_HISTORY = "DELETE FROM cloudwatch_history WHERE id = $1"

HISTORY_KEPT = 30 * 86_400_000
"""Milliseconds that an alarm's history is kept."""

_settings = msgspec.json.Decoder(dict[str, Any]).decode


class HistoryItem(NamedTuple):
    """One line of an alarm's history. `data` is JSON."""

    id: int
    alarm: str
    kind: str
    moment: int
    item: str
    summary: str
    data: str


def _alarm(row: Sequence[Any]) -> Alarm:
    account, region, name, kind, settings, state, reason, data, configured, updated, transitioned, tags, kept = row
    return Alarm(
        Scope(account, region), name, Kind(kind), _settings(settings), State(state), reason, data,
        configured, updated, transitioned, _tags(tags), read(kept),
    )  # fmt: skip


async def get_alarm(tx: Tx, scope: Scope, name: str) -> Alarm | None:
    """The alarm of a name."""
    row = await tx.fetch_one(GET_ALARM, scope.account, scope.region, name)
    return _alarm(row) if row else None


async def list_alarms(tx: Tx, scope: Scope, *, after: str, limit: int) -> list[Alarm]:
    """The alarms whose names come after one, by name."""
    return [_alarm(row) for row in await tx.fetch(LIST_ALARMS, scope.account, scope.region, after, limit)]


async def put_alarm(tx: Tx, alarm: Alarm, due: int | None) -> None:
    """Add or replace an alarm."""
    scope = alarm.scope
    await tx.execute(
        PUT_ALARM, scope.account, scope.region, alarm.name, alarm.kind.value,
        msgspec.json.encode(alarm.settings).decode(), alarm.state.value, alarm.reason, alarm.reason_data,
        alarm.configured, alarm.updated, alarm.transitioned, msgspec.json.encode(alarm.tags).decode(), due,
        alarm.suppression.text if alarm.suppression else "",
    )  # fmt: skip


async def set_state(tx: Tx, alarm: Alarm) -> None:
    """Store an alarm's state."""
    scope = alarm.scope
    await tx.execute(
        SET_STATE, scope.account, scope.region, alarm.name, alarm.state.value, alarm.reason, alarm.reason_data,
        alarm.updated, alarm.transitioned,
    )  # fmt: skip


async def set_suppression(tx: Tx, alarm: Alarm, suppression: Suppression | None) -> None:
    """Keep a composite alarm's actions back, or no more; it is looked at again when that ends."""
    scope = alarm.scope
    text, until = ("", None) if suppression is None else (suppression.text, suppression.until)
    await tx.execute(SET_SUPPRESSION, scope.account, scope.region, alarm.name, text, until)


async def set_due(tx: Tx, alarm: Alarm, due: int | None) -> None:
    """When an alarm is evaluated next."""
    await tx.execute(SET_DUE, alarm.scope.account, alarm.scope.region, alarm.name, due)


async def due_alarms(tx: Tx, now: int, limit: int) -> list[Alarm]:
    """Alarms that are to be evaluated."""
    return [_alarm(row) for row in await tx.fetch(DUE_ALARMS, now, limit)]


async def next_due(tx: Tx) -> int | None:
    """When the first of all alarms is to be evaluated."""
    row = await tx.fetch_one(NEXT_DUE)
    return None if row is None else int(row[0])


async def delete_alarm(tx: Tx, alarm: Alarm) -> None:
    """Remove an alarm; its history stays."""
    await set_children(tx, alarm, ())
    await tx.execute(DELETE_ALARM, alarm.scope.account, alarm.scope.region, alarm.name)


async def set_children(tx: Tx, alarm: Alarm, children: Sequence[str]) -> None:
    """Which alarms a composite alarm depends on."""
    scope = alarm.scope
    await tx.execute(DELETE_CHILDREN, scope.account, scope.region, alarm.name)
    await tx.execute_many(ADD_CHILD, [(scope.account, scope.region, child, alarm.name) for child in children])


async def parents(tx: Tx, scope: Scope, child: str) -> list[str]:
    """The composite alarms that depend on an alarm."""
    return [row[0] for row in await tx.fetch(PARENTS, scope.account, scope.region, child)]


async def add_history(tx: Tx, alarm: Alarm, now: int, item: str, summary: str, data: str) -> None:
    """Write a line of an alarm's history."""
    scope = alarm.scope
    kind = alarm.kind.value
    await tx.execute(ADD_HISTORY, scope.account, scope.region, alarm.name, kind, now, item, summary, data)


async def history(
    tx: Tx, scope: Scope, alarm: str | None, *, after: tuple[int, int], forward: bool, limit: int
) -> list[HistoryItem]:
    """Lines of the history of an alarm, or of all, from a place on."""
    if alarm is None:
        sql = HISTORY if forward else HISTORY_BACK
        rows = await tx.fetch(sql, scope.account, scope.region, *after, limit)
    else:
        sql = ALARM_HISTORY if forward else ALARM_HISTORY_BACK
        rows = await tx.fetch(sql, scope.account, scope.region, *after, limit, alarm)
    return [HistoryItem(*row) for row in rows]


async def expire_history(tx: Tx, now: int, limit: int) -> int:
    """Delete up to `limit` lines that are past their time; how many there were."""
    rows = await tx.fetch(OLD_HISTORY, now - HISTORY_KEPT, limit)
    await tx.execute_many(DELETE_HISTORY, rows)
    return len(rows)


SET_TAGS = f"UPDATE cloudwatch_alarms SET tags = $4 WHERE {_OF} AND name = $3"


async def set_tags(tx: Tx, alarm: Alarm) -> None:
    """Store an alarm's tags."""
    scope = alarm.scope
    await tx.execute(SET_TAGS, scope.account, scope.region, alarm.name, msgspec.json.encode(alarm.tags).decode())
