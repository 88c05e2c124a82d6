"""What was used, in the units that AWS bills: added up in memory, written down with the telemetry.

Whoever does something that AWS would bill says so with one call of `Usage.add`: the door between services for
requests, the runtime for invocations, the tables for capacity, the state machines for transitions. What a unit is
called and what it costs is `fogbank.insight`'s business; here are only quantities.

    add ──▶ totals by (account, region, unit, resource) ──┐
        └─▶ the same for each trace, of a bounded number ─┴─ at every flush ──▶ the telemetry database

Usage is a record of what happened, not a promise to a client: a crash loses the last half second of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from fogbank.core.clock import Clock, SystemClock
from fogbank.core.scope import Scope
from fogbank.core.trace import UNBILLED
from fogbank.storage import Tx
from fogbank.telemetry.telemetry import NO_TELEMETRY, Telemetry

MAX_KEYS = 20_000
"""Different (account, region, unit, resource) between two writes; what comes beyond is kept without its resource."""
MAX_NEW_TRACES = 100
"""Traces that may begin to be followed between two writes; what further ones use is in the totals alone."""
MAX_OPEN_TRACES = 50_000
"""Traces whose beginning is remembered, so that they are followed to their end."""
MAX_ROWS = 500_000
"""Rows of traces that are kept; the oldest go first."""
MAX_MINUTES = 24 * 60
"""Minutes that are kept apart; what is older is kept as one sum."""

ADD_TOTAL = """
INSERT INTO usage_totals (minute, account, region, unit, resource, quantity) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (minute, account, region, unit, resource) DO UPDATE SET quantity = usage_totals.quantity + excluded.quantity
"""
ADD_TRACE = """
INSERT INTO usage_traces (root, account, region, unit, resource, quantity, began, seq)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (root, account, region, unit, resource) DO UPDATE SET quantity = usage_traces.quantity + excluded.quantity
"""
GATHER_OLD = """
INSERT INTO usage_totals (minute, account, region, unit, resource, quantity)
SELECT 0, account, region, unit, resource, SUM(quantity) FROM usage_totals WHERE minute > 0 AND minute < $1
GROUP BY account, region, unit, resource
ON CONFLICT (minute, account, region, unit, resource) DO UPDATE SET quantity = usage_totals.quantity + excluded.quantity
"""
DELETE_OLD = "DELETE FROM usage_totals WHERE minute > 0 AND minute < $1"
COUNT_TRACES = "SELECT COUNT(*) FROM usage_traces"
NTH_OLDEST = "SELECT began FROM usage_traces ORDER BY began LIMIT 1 OFFSET $1"
DELETE_TRACES = "DELETE FROM usage_traces WHERE began <= $1"
TOTALS = """
SELECT account, region, unit, resource, SUM(quantity) FROM usage_totals WHERE minute >= $1
GROUP BY account, region, unit, resource ORDER BY account, region, unit, resource
"""
SPAN = "SELECT MIN(minute), MAX(minute) FROM usage_totals WHERE minute > 0"
NEWEST_TRACES = """
SELECT root, MIN(began) FROM usage_traces WHERE began >= $1 GROUP BY root ORDER BY MIN(began) DESC LIMIT $2
"""
ONE_TRACE = "SELECT root, MIN(began) FROM usage_traces WHERE root = $1 GROUP BY root"
TRACE = "SELECT account, region, unit, resource, quantity FROM usage_traces WHERE root = $1 ORDER BY seq"


class Use(NamedTuple):
    """So much of a unit, by a resource: an ARN, or what a request calls it (a queue's URL, a table's name)."""

    unit: str
    resource: str
    quantity: float


Key = tuple[str, str, str, str]
"""Account, region, unit, resource."""


@dataclass(frozen=True, slots=True)
class Used:
    """A sum of uses."""

    account: str
    region: str
    unit: str
    resource: str
    quantity: float


@dataclass(frozen=True, slots=True)
class TraceUse:
    """What one trace used, first things first; `began` is in clock seconds."""

    root: str
    began: float
    uses: tuple[Used, ...]


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What was used since `since` (clock seconds); `unfollowed` traces began too quickly to be followed one by one."""

    since: float
    until: float
    totals: tuple[Used, ...]
    traces: tuple[TraceUse, ...]
    unfollowed: int


class Usage:
    """See the module. `add` is for the hot path: it costs about a microsecond."""

    def __init__(self, telemetry: Telemetry, clock: Clock) -> None:
        self.on = telemetry.on
        self._telemetry = telemetry
        self._clock = clock
        self._totals: dict[Key, float] = {}
        self._traces: OrderedDict[str, dict[Key, float] | None] = OrderedDict()
        self._began: dict[str, int] = {}
        self._dirty: dict[str, dict[Key, float]] = {}
        self._new = 0
        self.unfollowed = 0
        """Traces that began too quickly to be followed, since the start."""
        if self.on:
            telemetry.on_flush(self.flush)
            telemetry.on_reset(self.forget)
            telemetry.on_prune(self.prune)

    def add(self, scope: Scope, root: str, uses: Sequence[Use]) -> None:
        """Say that a trace (`root`, X-Ray's form; empty for one that is not followed) used something."""
        if not self.on or root == UNBILLED:
            return
        totals = self._totals
        if not totals:
            self._telemetry.touch()
        account, region = scope.account, scope.region
        trace = self._followed(root) if root else None
        for unit, resource, quantity in uses:
            key = (account, region, unit, resource)
            if key in totals:
                totals[key] += quantity
            else:
                if len(totals) >= MAX_KEYS:
                    key = (account, region, unit, "")
                totals[key] = totals.get(key, 0.0) + quantity
            if trace is not None:
                trace[key] = trace.get(key, 0.0) + quantity

    def _followed(self, root: str) -> dict[Key, float] | None:
        """Where to add what a trace uses; `None` if it is not followed."""
        trace = self._traces.get(root)
        if trace is None and self._telemetry.wants(root):
            trace = self._follow(root)
        if trace is not None and not trace:
            self._dirty[root] = trace
        return trace

    def _follow(self, root: str) -> dict[Key, float] | None:
        """Where to add what a trace uses that is not in memory; `None` if it is one too many."""
        if root in self._traces:
            return None  # it was one too many when it began
        if len(self._traces) >= MAX_OPEN_TRACES:
            self._forget_oldest()
        if self._new >= MAX_NEW_TRACES:
            self._traces[root] = None
            self.unfollowed += 1
            return None
        self._new += 1
        trace: dict[Key, float] = {}
        self._traces[root] = trace
        self._began[root] = self._clock.millis()
        return trace

    def _forget_oldest(self) -> None:
        """Make room for a trace; what was not written yet of the oldest still will be."""
        root, _ = self._traces.popitem(last=False)
        if root not in self._dirty:
            self._began.pop(root, None)

    # -- writing ------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Drop what is in memory: the tables were emptied."""
        self._totals.clear()
        self._traces.clear()
        self._began.clear()
        self._dirty.clear()
        self._new = self.unfollowed = 0

    async def prune(self, moment: float) -> None:
        """Forget the traces that began before `moment` (clock seconds); the totals keep what they used."""
        await self._telemetry.transact(partial(_forget, moment=int(moment * 1000)))

    async def flush(self) -> None:
        """Write what was added since the last time."""
        self._new = 0
        if not self._totals:
            return
        now = self._clock.millis()
        minute = now // 60_000
        totals, self._totals = self._totals, {}
        dirty, self._dirty = self._dirty, {}
        traced = [
            (root, *key, quantity, self._began[root], now * 1000 + place)
            for root, trace in dirty.items()
            for place, (key, quantity) in enumerate(trace.items())
        ]
        for root, trace in dirty.items():
            trace.clear()
            if root not in self._traces:
                self._began.pop(root, None)
        rows = [(minute, *key, quantity) for key, quantity in totals.items()]
        await self._telemetry.transact(partial(_write, minute=minute, rows=rows, traced=traced))

    # -- reading ------------------------------------------------------------------------------------------------

    async def report(self, *, since: float = 0.0, traces: int = 100, root: str | None = None) -> UsageReport:
        """What was used since a moment (clock seconds), with the newest traces, or with the one of `root`."""
        first, last, totals, roots = await self._telemetry.read(partial(_read, since=since, traces=traces, root=root))
        return UsageReport(
            since=max(since, first * 60.0),
            until=max(self._clock.time(), last * 60.0),
            totals=totals,
            traces=roots,
            unfollowed=self.unfollowed,
        )


NO_USAGE = Usage(NO_TELEMETRY, SystemClock())
"""Records nothing."""


Rows = Sequence[tuple[object, ...]]


async def _write(tx: Tx, *, minute: int, rows: Rows, traced: Rows) -> None:
    await tx.execute_many(ADD_TOTAL, rows)
    await tx.execute_many(ADD_TRACE, traced)
    await tx.execute(GATHER_OLD, minute - MAX_MINUTES)
    await tx.execute(DELETE_OLD, minute - MAX_MINUTES)


async def _forget(tx: Tx, *, moment: int) -> None:
    await tx.execute(DELETE_TRACES, moment)
    counted = await tx.fetch_one(COUNT_TRACES)
    if counted is None or counted[0] <= MAX_ROWS:
        return
    oldest = await tx.fetch_one(NTH_OLDEST, counted[0] - MAX_ROWS * 9 // 10)
    if oldest is not None:
        await tx.execute(DELETE_TRACES, oldest[0])


async def _read(
    tx: Tx, *, since: float, traces: int, root: str | None
) -> tuple[int, int, tuple[Used, ...], tuple[TraceUse, ...]]:
    totals = tuple(Used(*row) for row in await tx.fetch(TOTALS, int(since // 60)))
    span = await tx.fetch_one(SPAN)
    first, last = (span[0] or 0, span[1] or 0) if span is not None else (0, 0)
    if root is None:
        roots = await tx.fetch(NEWEST_TRACES, int(since * 1000), traces)
    else:
        roots = await tx.fetch(ONE_TRACE, root)
    found = []
    for each, began in roots:
        uses = tuple(Used(*row) for row in await tx.fetch(TRACE, each))
        found.append(TraceUse(each, began / 1000, uses))
    return first, last, totals, tuple(found)
