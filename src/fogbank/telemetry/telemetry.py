"""`Telemetry`: takes spans, hands them to observers, writes them down in batches, forgets the old."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from fogbank.core.clock import Clock
from fogbank.core.config import Config
from fogbank.core.lifecycle import Actor
from fogbank.storage import Migrations, SqliteStorage, StorageError, Tx
from fogbank.telemetry import storage as rows
from fogbank.telemetry.model import Span
from fogbank.telemetry.recorder import MAX_BUFFER, Sampler

_log = logging.getLogger("fogbank.telemetry")
T = TypeVar("T")

Observer = Callable[[Sequence[Span]], None]
"""Is given every span once, in batches, on the event loop; it must be quick and must not raise."""

FLUSH_AFTER = 0.5
"""Seconds of the machine's time between the first span of a batch and its writing."""
CHUNK = 256
"""Spans in one transaction: bounds for how long a request may wait for one."""
MAX_WAITING = 20_000
"""Spans that wait to be written; more are left out, unless they failed."""
PRUNE_EVERY = 60.0
"""Seconds of the machine's time between two looks at age and size."""
_QUIET = 3 * FLUSH_AFTER
"""Seconds without a span after which there is no pressure any more."""
_FILE = "telemetry.db"
_DAY = 86_400.0
_SHARE = 0.1
"""The part of the spans that goes when the file is too large."""


class Telemetry(Actor):
    """What every part of the process records its spans with.

    `on` is false if nothing is recorded: ask before making a span. The database is opened when it is first needed.
    """

    def __init__(self, config: Config, clock: Clock, *, inline_commit: bool = False) -> None:
        super().__init__()
        self.on = config.telemetry
        self._config = config
        self._clock = clock
        self._inline = inline_commit
        self._sampler = Sampler(config.telemetry_rate)
        self.wants = self._sampler.wants
        """Whether a span of the trace with this root that did not fail is to be made.

        Always, but under pressure: then only those of some traces are. What is billed by its span asks as well, and has
        one that is not wanted counted (`count`). Every request asks, so this is the sampler's own method.
        """
        self._buffer: list[Span] = []
        self._armed = False
        self._relaxing = False
        self._waiting: list[Span] = []
        self._writing: asyncio.Task[None] | None = None
        self._storage: SqliteStorage | None = None
        self._flushed_at = clock.machine_monotonic()
        self._pruned_at = self._flushed_at
        self.begun: Callable[[str, str, str, str], None] = _unheard
        """Is told of long spans when they begin: trace, id, parent, node (`lambda/orders`)."""
        self._observers: list[Observer] = []
        self._counters: list[Observer] = []
        self._after_flush: list[Callable[[], Awaitable[None]]] = []
        self._after_reset: list[Callable[[], None]] = []
        self._after_prune: list[Callable[[float], Awaitable[None]]] = []

    # -- recording ----------------------------------------------------------------------------------------------

    def record(self, span: Span) -> None:
        """Take a span: an append to a list. What fills the buffer has it handed on first."""
        self._buffer.append(span)
        if not self._armed:
            self._arm()
        elif len(self._buffer) >= MAX_BUFFER:
            self._hand_on()

    def count(self, span: Span) -> None:
        """Take a span that is not wanted, but by which something is billed: only what counts is shown it."""
        one = (span,)
        for observer in self._counters:
            observer(one)

    @property
    def weight(self) -> float:
        """How many requests the span of one that did not fail stands for: more than 1 under pressure only."""
        return self._sampler.weight

    async def keep(self, spans: Sequence[Span]) -> None:
        """Take spans that a client reported: they are written down when this returns, and never left out."""
        for observer in self._observers:
            observer(spans)
        await self.transact(partial(rows.insert, spans=spans))

    @property
    def dropped(self) -> int:
        """Spans that were left out by sampling since the start."""
        return self._sampler.dropped

    def observe(self, observer: Observer, *, counts: bool = False) -> None:
        """Have every span handed to `observer`, in batches, before any is left out.

        One that `counts` is also given those that were made only to be counted.
        """
        self._observers.append(observer)
        if counts:
            self._counters.append(observer)

    def on_flush(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have a coroutine function called after every flush: the moment to write down what was counted."""
        self._after_flush.append(callback)

    def on_reset(self, callback: Callable[[], None]) -> None:
        """Have a function called when everything is emptied."""
        self._after_reset.append(callback)

    def on_prune(self, callback: Callable[[float], Awaitable[None]]) -> None:
        """Have a coroutine function called with the moment (clock seconds) before which all may be forgotten."""
        self._after_prune.append(callback)

    def touch(self) -> None:
        """Have a flush come soon although no span is recorded: for observers that count other things as well."""
        if not self._armed and self.on:
            self._arm()

    def _arm(self) -> None:
        self._armed = True
        asyncio.get_running_loop().call_later(FLUSH_AFTER, self._due)

    def _due(self) -> None:
        self._armed = False
        if self.running:
            self._begin_flush()

    def _begin_flush(self) -> asyncio.Task[None]:
        """The flush that is under way, or a new one; there is one at a time."""
        self._hand_on()
        if self._writing is None or self._writing.done():
            self._writing = self.spawn(self._write(), name="telemetry-flush")
        return self._writing

    def _hand_on(self) -> None:
        """Give what gathered to the observers, and what sampling keeps of it to the writer."""
        spans, self._buffer = self._buffer, []
        if not spans:
            return
        for observer in self._observers:
            observer(spans)
        now = self._clock.machine_monotonic()
        kept = self._sampler.keep(spans, now - self._flushed_at)
        self._flushed_at = now
        if not (self._relaxing or self._sampler.wants_all):
            self._relaxing = True
            asyncio.get_running_loop().call_later(_QUIET, self._relax)
        if len(self._waiting) + len(kept) > MAX_WAITING:
            failed = [span for span in kept if span.status]
            self._sampler.dropped += len(kept) - len(failed)
            kept = failed[: max(0, 2 * MAX_WAITING - len(self._waiting))]
        self._waiting += kept

    def _relax(self) -> None:
        """Want every trace again if there was no span for a while; else look again when there may have been none."""
        quiet = self._clock.machine_monotonic() - self._flushed_at
        if quiet < _QUIET and not self._sampler.wants_all and self.running:
            asyncio.get_running_loop().call_later(_QUIET - quiet, self._relax)
            return
        self._relaxing = False
        self._sampler.relax()

    # -- writing and reading ------------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Write down all that was recorded until now."""
        if not self.on or asyncio.current_task() is self._writing:
            return
        task = self._begin_flush()
        await asyncio.shield(task)
        if self._waiting or self._buffer:
            await asyncio.shield(self._begin_flush())

    async def _write(self) -> None:
        try:
            while self._waiting:
                chunk, self._waiting = self._waiting[:CHUNK], self._waiting[CHUNK:]
                await self.transact(partial(rows.insert, spans=chunk))
            for callback in self._after_flush:
                await callback()
            if self._clock.machine_monotonic() - self._pruned_at >= PRUNE_EVERY:
                await self.prune()
        except StorageError as error:
            self._waiting.clear()
            _log.warning("spans were not written: %s", error)

    async def transact(self, body: Callable[[Tx], Awaitable[T]]) -> T:
        """Run a transaction on the telemetry database, as `fogbank.storage.Storage` does; commits are not synced."""
        storage = self._storage or await self._open()
        return await storage.transact(body)

    async def read(self, body: Callable[[Tx], Awaitable[T]]) -> T:
        """Flush, then run a query on the telemetry database."""
        await self.flush()
        storage = self._storage or await self._open()
        return await storage.read(body)

    async def _open(self) -> SqliteStorage:
        storage = SqliteStorage(
            self._config.data, self._clock, inline_commit=self._inline, file=_FILE, synchronous="OFF"
        )
        self._storage = storage
        folder = Path(__file__).parent / "migrations"
        packages = [Migrations.load(f"telemetry-{part.name}", part) for part in sorted(folder.iterdir())]
        await storage.migrate(packages)
        return storage

    async def prune(self) -> None:
        """Forget what is past its age, and the oldest tenth if the file is past its size."""
        self._pruned_at = self._clock.machine_monotonic()
        await self._forget(self._clock.time() - self._config.telemetry_age * _DAY)
        storage = self._storage
        if storage is not None and _size(storage) > self._config.telemetry_size * 1024 * 1024:
            moment = await storage.transact(partial(rows.moment_of, fraction=_SHARE))
            if moment is not None:
                await self._forget(moment)

    async def _forget(self, moment: float) -> None:
        while await self.transact(partial(rows.drop_before, moment=moment)):  # noqa: ASYNC110 - it works, it does not wait
            await asyncio.sleep(0)  # others get their turn
        for callback in self._after_prune:
            await callback(moment)

    # -- life ---------------------------------------------------------------------------------------------------

    async def on_stop(self) -> None:
        self._hand_on()
        task = self._writing
        if task is not None and not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self.on:
            await self._write()
        if self._storage is not None:
            await self._storage.close()
            self._storage = None

    async def reset(self) -> None:
        """Forget everything."""
        self._buffer = []
        self._waiting = []
        if self._storage is not None:
            if self._writing is not None:
                await asyncio.wait([self._writing])
            await self._storage.reset()
        for callback in self._after_reset:
            callback()


def _unheard(trace: str, span: str, parent: str, node: str) -> None:
    """Nobody wants to know of beginnings."""


def _size(storage: SqliteStorage) -> int:
    """Bytes that the database uses of its file."""
    pages = int(storage.pragma("page_count")) - int(storage.pragma("freelist_count"))
    return pages * int(storage.pragma("page_size"))


class _NoTelemetry(Telemetry):
    """Takes nothing: for parts that stand alone, as in tests."""

    def __init__(self) -> None:
        self.on = False

    def record(self, span: Span) -> None:
        pass


NO_TELEMETRY: Telemetry = _NoTelemetry()
"""Records nothing."""
