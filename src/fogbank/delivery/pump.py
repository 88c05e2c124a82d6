"""The pump: takes what was enqueued, attempts it, and settles it.

What a transaction enqueues is handed to the pump in memory as soon as it is committed, already leased to this
node; the table is read only for what was postponed, what was over the pump's capacity, and what another node or an
earlier run of this one left behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any

from fogbank.core import faults
from fogbank.core.clock import Clock
from fogbank.core.ids import Ids
from fogbank.core.lifecycle import Actor
from fogbank.delivery import outbox
from fogbank.delivery.message import Attempt, Exhaustion, Failure, Message, error_code, next_delay
from fogbank.storage import Migrations, Storage, Tx

_log = logging.getLogger("fogbank.delivery")

TOPIC = "outbox"
LEASE = 60.0
"""Seconds that a claimed row is ours unless we renew; a dead node's rows are taken over after this."""
MAX_CONCURRENT = 256
"""Attempts under way at once."""
MAX_READY = 2_000
"""Messages that wait in memory for a free place; more stay in the table."""


class Route:
    """Who makes the attempts of a kind of message. A service that has its own extends this."""

    async def attempt(self, attempt: Attempt) -> Any:
        """Try once. Return anything for `succeeded`; raise to fail (`PermanentError`: never try again)."""
        raise NotImplementedError

    async def succeeded(self, tx: Tx, attempt: Attempt, result: Any) -> None:
        """In the transaction that removes the message: what follows from its arrival."""

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        """In the transaction that removes the message: what follows from its never arriving."""


class Delivery(Actor):
    """Enqueue messages in a transaction; they arrive, or their dead letter does."""

    def __init__(self, storage: Storage, clock: Clock, ids: Ids) -> None:
        super().__init__()
        self._storage = storage
        self._clock = clock
        self._ids = ids
        self._routes: dict[str, Route] = {}
        self._ready: deque[Attempt] = deque()
        self._under_way: dict[int, Attempt] = {}
        self._arrived: list[int] = []
        self._flushing = False
        self._quiet: list[asyncio.Future[None]] = []

    @classmethod
    def migrations(cls) -> Migrations:
        """The outbox's table."""
        return Migrations.load("delivery", Path(__file__).parent / "migrations")

    def route(self, name: str, route: Route) -> None:
        """Register who attempts the messages whose `route` is `name`."""
        if name in self._routes:
            raise ValueError(f"route {name!r} is registered already")
        self._routes[name] = route

    async def enqueue(self, tx: Tx, message: Message) -> int:
        """Add a message in the sender's transaction. It is attempted at once after the commit (or after its delay)."""
        now = self._clock.millis()
        take = self.running and message.delay <= 0 and len(self._ready) < MAX_READY
        leased_until = now + int(LEASE * 1000) if take else 0
        key = await outbox.insert(tx, message, now=now, leased_until=leased_until)
        if take:
            attempt = Attempt(key, message, 1, now / 1000)
            tx.after_commit(lambda: self._offer(attempt))
        else:
            tx.wake(TOPIC)
        return key

    async def quiet(self) -> None:
        """Wait until nothing is under way or ready: for tests, and for a stop."""
        while self._ready or self._under_way or self._flushing:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._quiet.append(future)
            await future

    def forget(self) -> None:
        """Drop what waits in memory: the tables were emptied."""
        self._ready.clear()
        self._storage.wake(TOPIC)

    # -- life ---------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        if self._storage.exclusive:
            await self._storage.transact(outbox.release_all)
        self.spawn(self._scan(), name="delivery-scan")
        self.spawn(self._renew(), name="delivery-renew")

    async def on_stop(self) -> None:
        self._ready.clear()  # they are in the table

    async def _scan(self) -> None:
        """Claim what falls due, again and again; between two scans wait for a wake or for the next moment."""
        with self._storage.subscribe(TOPIC) as wakeup:
            while True:
                until = await self._claim()
                if until is None or until > self._clock.time():
                    await wakeup.wait(until)

    async def _claim(self) -> float | None:
        """Take what is due; when to look again (`None`: when woken)."""
        room = MAX_READY - len(self._ready)
        now = self._clock.millis()
        if room <= 0:
            return now / 1000 + 0.05

        async def body(tx: Tx) -> tuple[list[outbox.Claimed], int | None]:
            taken = await outbox.claim(tx, now=now, leased_until=now + int(LEASE * 1000), limit=min(room, 500))
            return taken, await outbox.next_due(tx)

        claimed, due = await self._storage.transact(body)
        for row in claimed:
            if row.id not in self._under_way:
                self._offer(Attempt(row.id, row.message, row.attempts + 1, row.enqueued / 1000))
        return None if due is None else due / 1000

    async def _renew(self) -> None:
        """Keep the leases of long attempts (an asynchronous invocation may take 15 minutes), and look for lost ones."""
        while True:
            await self._clock.sleep(LEASE / 3)
            if not self._storage.exclusive:
                self._storage.wake(TOPIC)
            keys = [*self._under_way, *(attempt.id for attempt in self._ready)]
            if not keys:
                continue
            until = self._clock.millis() + int(LEASE * 1000)
            await self._storage.transact(partial(outbox.renew, ids=keys, leased_until=until))

    # -- attempts -----------------------------------------------------------------------------------------

    def _offer(self, attempt: Attempt) -> None:
        """Start an attempt, or let it wait for a place."""
        if not self.running:
            return
        if len(self._under_way) >= MAX_CONCURRENT:
            self._ready.append(attempt)
            return
        self._under_way[attempt.id] = attempt
        self.spawn(self._work(attempt))

    async def _work(self, attempt: Attempt | None) -> None:
        """Attempt, settle, and go on with the next that waits."""
        while attempt is not None:
            try:
                await self._attempt(attempt)
            finally:
                self._under_way.pop(attempt.id, None)
            attempt = self._ready.popleft() if self._ready and self.running else None
            if attempt is not None:
                self._under_way[attempt.id] = attempt
        self._tell_quiet()

    async def _attempt(self, attempt: Attempt) -> None:
        route = self._routes.get(attempt.message.route)
        faults.point("delivery.before-attempt")
        try:
            if route is None:
                raise LookupError(f"no route {attempt.message.route!r} is registered")  # noqa: TRY301
            result = await route.attempt(attempt)
        except Exception as error:  # noqa: BLE001 - the delivery supervisor: every failure is retried or dead-lettered
            await self._failed(route, attempt, error)
            return
        faults.point("delivery.after-attempt")
        if type(route).succeeded is Route.succeeded:
            self._arrived.append(attempt.id)
            self._flush()
            return

        async def body(tx: Tx) -> None:
            await outbox.delete(tx, [attempt.id])
            await route.succeeded(tx, attempt, result)

        await self._storage.transact(body)

    async def _failed(self, route: Route | None, attempt: Attempt, error: Exception) -> None:
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
            if route is not None:
                await route.exhausted(tx, attempt, Failure(code, text, reason, attempt.number - 1))

        if isinstance(step, Exhaustion):
            await self._storage.transact(lambda tx: exhaust(tx, step))
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

    def _tell_quiet(self) -> None:
        if not (self._ready or self._under_way or self._flushing):
            waiting, self._quiet = self._quiet, []
            for future in waiting:
                _complete(future)


def _complete(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
