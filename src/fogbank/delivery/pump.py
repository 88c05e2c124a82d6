"""The pump: takes what was enqueued, attempts it, and settles it.

What can arrive within the sender's own transaction does: a message for a queue of this same storage needs no hop.
What else a transaction enqueues is handed to the pump in memory as soon as it is committed, already leased to this
node; the table is read only for what was postponed, what was over the pump's capacity, and what another node or an
earlier run of this one left behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fogbank.core import faults
from fogbank.core.clock import Clock, complete
from fogbank.core.ids import Ids
from fogbank.core.lifecycle import Actor
from fogbank.core.scope import Scope
from fogbank.delivery import outbox
from fogbank.delivery.connections import Connections, NoConnections
from fogbank.delivery.message import Attempt, Exhaustion, Failure, Message, error_code, next_delay
from fogbank.delivery.recording import Recorder
from fogbank.storage import Migrations, Storage, Tx
from fogbank.telemetry import NO_TELEMETRY, Telemetry

_log = logging.getLogger("fogbank.delivery")

TOPIC = "outbox"
LEASE = 60.0
"""Seconds that a claimed row is ours unless we renew; a dead node's rows are taken over after this."""
MAX_CONCURRENT = 1_000
"""Attempts of one route under way at once."""
MAX_READY = 2_000
"""Messages of one route that wait in memory for a free place; more stay in the table."""
MAX_CLAIM = 500
"""Rows that are claimed in one transaction."""


class Route:
    """Who makes the attempts of a kind of message. A service that has its own extends this."""

    async def join(self, tx: Tx, message: Message) -> bool:  # noqa: ARG002
        """Let it arrive in the sender's transaction, where that can be done without waiting; whether it did."""
        return False

    async def attempt(self, attempt: Attempt) -> Any:
        """Try once. Return anything for `succeeded`; raise to fail (`PermanentError`: never try again)."""
        raise NotImplementedError

    async def succeeded(self, tx: Tx, attempt: Attempt, result: Any) -> None:
        """In the transaction that removes the message: what follows from its arrival."""

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        """In the transaction that removes the message: what follows from its never arriving."""


class _Lane:
    """A route, what waits for it in memory, and what it is at. Lanes are apart: a slow route holds up no other."""

    __slots__ = ("has_sequel", "joins", "name", "ready", "route", "under_way")

    def __init__(self, name: str, route: Route) -> None:
        self.name = name
        self.route = route
        self.ready: deque[Attempt] = deque()
        self.under_way: dict[int, Attempt] = {}
        self.joins = type(route).join is not Route.join
        self.has_sequel = type(route).succeeded is not Route.succeeded

    @property
    def room(self) -> int:
        """How many more may wait in memory."""
        return MAX_READY - len(self.ready)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not (self.ready or self.under_way)


class Delivery(Actor):
    """Enqueue messages in a transaction; they arrive, or their dead letter does."""

    def __init__(self, storage: Storage, clock: Clock, ids: Ids, telemetry: Telemetry = NO_TELEMETRY) -> None:
        super().__init__()
        self._telemetry = telemetry
        self._recorder = Recorder(telemetry, clock, ids)
        self._storage = storage
        self._clock = clock
        self._ids = ids
        self._lanes: dict[str, _Lane] = {}
        self._arrived: list[int] = []
        self._flushing = False
        self._quiet: list[asyncio.Future[None]] = []
        self._heard: Callable[[Scope, str], bool] = lambda _scope, _source: False
        self.connections: Connections = NoConnections()
        """Who keeps the credentials for calls to HTTP endpoints."""

    @classmethod
    def migrations(cls) -> Migrations:
        """The outbox's table."""
        return Migrations.load("delivery", Path(__file__).parent / "migrations")

    def route(self, name: str, route: Route) -> None:
        """Register who attempts the messages whose `route` is `name`."""
        if name in self._lanes:
            raise ValueError(f"route {name!r} is registered already")
        self._lanes[name] = _Lane(name, route)

    def listen(self, heard: Callable[[Scope, str], bool]) -> None:
        """Register who knows whether a rule may match the events that a service sends about itself."""
        self._heard = heard

    def heard(self, scope: Scope, source: str) -> bool:
        """Whether an event of a source (`aws.states`) may interest a rule of an account's default bus.

        Services ask before they enqueue such an event: most accounts have no rule for it.
        """
        return self._heard(scope, source)

    async def enqueue(self, tx: Tx, message: Message) -> None:
        """Add a message in the sender's transaction: it arrives with the commit, or is attempted at once after it.

        One with a delay is attempted after that. `KeyError` if nobody has registered its route.
        """
        lane = self._lanes[message.route]
        if lane.joins and message.delay <= 0 and await lane.route.join(tx, message):
            return
        now = self._clock.millis()
        take = self.running and message.delay <= 0 and lane.room > 0
        leased_until = now + int(LEASE * 1000) if take else 0
        key = await outbox.insert(tx, message, now=now, leased_until=leased_until)
        if take:
            attempt = Attempt(key, message, 1, now / 1000, message.trace.child(self._ids))
            tx.after_commit(lambda: self._offer(lane, attempt))
        else:
            tx.wake(TOPIC)

    async def waiting(self) -> bool:
        """Whether any message has not arrived: is under way, or to be tried again later."""
        if not self._is_quiet:
            return True

        async def body(tx: Tx) -> bool:
            return any([await outbox.next_due(tx, name) is not None for name in self._lanes])

        return await self._storage.read(body)

    async def quiet(self) -> None:
        """Wait until nothing is under way or ready: for tests, and for a stop."""
        while not self._is_quiet:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._quiet.append(future)
            await future

    def forget(self) -> None:
        """Drop what waits in memory: the tables were emptied."""
        for lane in self._lanes.values():
            lane.ready.clear()
        self._storage.wake(TOPIC)

    # -- life ---------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        if self._storage.exclusive:
            await self._storage.transact(outbox.release_all)
        self.spawn(self._scan(), name="delivery-scan")
        self.spawn(self._renew(), name="delivery-renew")

    async def on_stop(self) -> None:
        for lane in self._lanes.values():
            lane.ready.clear()  # they are in the table

    async def _scan(self) -> None:
        """Claim what falls due, again and again; between two scans wait for a wake or for the next moment."""
        with self._storage.subscribe(TOPIC) as wakeup:
            while True:
                until = await self._storage.transact(self._claim)
                if until is None or until > self._clock.time():
                    await wakeup.wait(until)

    async def _claim(self, tx: Tx) -> float | None:
        """Take what is due, in lanes that have room; when to look again (`None`: when woken)."""
        moments = []
        now = self._clock.millis()
        for lane in self._lanes.values():
            if lane.room <= 0:
                continue  # it wakes the scan when it has worked off what it has
            limit = min(lane.room, MAX_CLAIM)
            rows = await outbox.claim(tx, lane.name, now=now, leased_until=now + int(LEASE * 1000), limit=limit)
            if rows:
                tx.after_commit(partial(self._offer_all, lane, rows))
            due = await outbox.next_due(tx, lane.name)
            if due is not None and len(rows) < lane.room:
                moments.append(due / 1000)
        return min(moments, default=None)

    def _offer_all(self, lane: _Lane, rows: Sequence[outbox.Claimed]) -> None:
        for row in rows:
            if row.id not in lane.under_way:
                trace = row.message.trace.child(self._ids)
                self._offer(lane, Attempt(row.id, row.message, row.attempts + 1, row.enqueued / 1000, trace))

    async def _renew(self) -> None:
        """Keep the leases of long attempts (an asynchronous invocation may take 15 minutes), and look for lost ones."""
        while True:
            await self._clock.sleep(LEASE / 3)
            self._storage.wake(TOPIC)
            keys = [key for lane in self._lanes.values() for key in lane.under_way]
            keys += [attempt.id for lane in self._lanes.values() for attempt in lane.ready]
            if not keys:
                continue
            until = self._clock.millis() + int(LEASE * 1000)
            await self._storage.transact(partial(outbox.renew, ids=keys, leased_until=until))

    # -- attempts -----------------------------------------------------------------------------------------

    def _offer(self, lane: _Lane, attempt: Attempt) -> None:
        """Start an attempt, or let it wait for a place."""
        if not self.running:
            return
        if len(lane.under_way) >= MAX_CONCURRENT:
            lane.ready.append(attempt)
            return
        lane.under_way[attempt.id] = attempt
        self.spawn(self._work(lane, attempt))

    async def _work(self, lane: _Lane, attempt: Attempt | None) -> None:
        """Attempt, settle, and go on with the next that waits."""
        while attempt is not None:
            try:
                await self._attempt(lane, attempt)
            finally:
                lane.under_way.pop(attempt.id, None)
            attempt = self._next(lane)
        self._tell_quiet()

    def _next(self, lane: _Lane) -> Attempt | None:
        if not lane.ready or not self.running:
            return None
        attempt = lane.ready.popleft()
        lane.under_way[attempt.id] = attempt
        if not lane.ready:
            self._storage.wake(TOPIC)  # more may be in the table
        return attempt

    async def _attempt(self, lane: _Lane, attempt: Attempt) -> None:
        faults.point("delivery.before-attempt")
        begin = self._clock.time()
        try:
            result = await lane.route.attempt(attempt)
        except Exception as error:  # noqa: BLE001 - the delivery supervisor: every failure is retried or dead-lettered
            if self._telemetry.on:
                self._recorder.failed(attempt, begin, error)
            await self._failed(lane.route, attempt, error)
            return
        if self._telemetry.on:
            self._recorder.arrived(attempt, begin)
        faults.point("delivery.after-attempt")
        if not lane.has_sequel:
            self._arrived.append(attempt.id)
            self._flush()
            return

        async def body(tx: Tx) -> None:
            await outbox.delete(tx, [attempt.id])
            await lane.route.succeeded(tx, attempt, result)

        await self._storage.transact(body)

    async def _failed(self, route: Route, attempt: Attempt, error: Exception) -> None:
        now = self._clock.time()
        message = attempt.message
        step = next_delay(
            message.policy,
            attempt=attempt.number,
            age=now - attempt.enqueued,
            error=error,
            fraction=self._ids.fraction(),
        )
        code, text = error_code(error), str(error)[:1000]
        _log.info("delivery to %s, attempt %d, failed: %s: %s", message.target, attempt.number, code, text)

        async def postpone(tx: Tx, delay: float) -> None:
            due = int((now + delay) * 1000)
            await outbox.postpone(tx, attempt.id, attempts=attempt.number, due=due, error=f"{code}: {text}")
            tx.wake(TOPIC)

        async def exhaust(tx: Tx, reason: Exhaustion) -> None:
            await outbox.delete(tx, [attempt.id])
            await route.exhausted(tx, attempt, Failure(code, text, reason, attempt.number - 1))

        if isinstance(step, Exhaustion):
            await self._storage.transact(lambda tx: exhaust(tx, step))
            if self._telemetry.on:
                self._recorder.given_up(attempt, now, code, step)
        else:
            await self._storage.transact(lambda tx: postpone(tx, step))

    def _flush(self) -> None:
        """Remove what arrived, many in one statement: what arrives meanwhile goes with the next."""
        if not self._flushing and self._arrived:
            self._flushing = True
            self.spawn(self._remove())

    async def _remove(self) -> None:
        try:
            while self._arrived:
                keys, self._arrived = self._arrived, []
                await self._storage.transact(partial(outbox.delete, ids=keys))
        finally:
            self._flushing = False
        self._tell_quiet()

    @property
    def _is_quiet(self) -> bool:
        return not self._flushing and all(lane.is_idle for lane in self._lanes.values())

    def _tell_quiet(self) -> None:
        if self._is_quiet:
            waiting, self._quiet = self._quiet, []
            for future in waiting:
                complete(future)
