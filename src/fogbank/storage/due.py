"""A worker that acts when rows fall due: schedules, expiries, retentions.

It asks when the next row is due, waits for that moment or for a wake on its topic (a row was added or changed), and
acts again. What it did is in the tables, so a crash loses nothing: the next start finds what is due.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from fogbank.core.clock import Clock
from fogbank.core.lifecycle import Actor
from fogbank.storage.engine import Storage

_log = logging.getLogger("fogbank")
_PAUSE = 5.0
"""Seconds to wait after a failure."""

Act = Callable[[], Awaitable[float | None]]
"""Do what is due; when the next is (clock seconds), `None` if nothing is waiting."""


class DueWorker(Actor):
    """Calls `act` at the start, on every wake of `topic`, and whenever the moment comes that `act` has named."""

    def __init__(self, name: str, storage: Storage, clock: Clock, topic: str, act: Act) -> None:
        super().__init__()
        self._name = name
        self._storage = storage
        self._clock = clock
        self._topic = topic
        self._act = act

    async def on_start(self) -> None:
        self.spawn(self._run(), name=self._name)

    async def _run(self) -> None:
        with self._storage.subscribe(self._topic) as wakeup:
            while True:
                try:
                    until = await self._act()
                except Exception:  # noqa: BLE001 - the worker supervisor: a failure is told, and it goes on
                    _log.exception("%s failed; it tries again in %d seconds", self._name, _PAUSE)
                    until = self._clock.time() + _PAUSE
                if until is None or until > self._clock.time():
                    await wakeup.wait(until)
