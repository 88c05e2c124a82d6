"""Alarms of executions, and the tasks of activities: what waits in memory for a moment or for a worker.

Both are made again from the journals after a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

from fogbank.core.clock import Clock

_KEPT = 10_000
"""Alarms that are kept before those that are not needed any more are looked for."""
Place = tuple[str, int]
"""An execution's ARN, and the number of one of its tasks or alarms."""


class Alarms:
    """Rings at moments. `expected` says whether a ringing would still mean anything, `ring` is told of it."""

    def __init__(
        self, clock: Clock, expected: Callable[[str, int], bool], ring: Callable[[str, int, int], None]
    ) -> None:
        self._clock = clock
        self._expected = expected
        self._ring = ring
        self._heap: list[tuple[int, int, str, int]] = []
        self._order = itertools.count()
        self._compact_at = _KEPT
        self._rearm: asyncio.Future[None] | None = None

    def clear(self) -> None:
        """Forget all of them."""
        self._heap.clear()

    def set(self, when: int, arn: str, number: int) -> None:
        """Ring at a moment (milliseconds)."""
        if len(self._heap) > self._compact_at:
            self._forget()
        heapq.heappush(self._heap, (when, next(self._order), arn, number))
        if self._heap[0][0] == when and self._rearm is not None and not self._rearm.done():
            self._rearm.set_result(None)

    def _forget(self) -> None:
        """Let go of the alarms that nothing waits for any more: of timeouts that were not needed."""
        self._heap = [alarm for alarm in self._heap if self._expected(alarm[2], alarm[3])]
        heapq.heapify(self._heap)
        self._compact_at = max(_KEPT, 2 * len(self._heap))

    async def run(self) -> None:
        """Ring when it is time, for ever."""
        while True:
            now = self._clock.millis()
            while self._heap and self._heap[0][0] <= now:
                _, _, arn, number = heapq.heappop(self._heap)
                if self._expected(arn, number):
                    self._ring(arn, number, now)
            self._rearm = asyncio.get_running_loop().create_future()
            until = (self._heap[0][0] + 1) / 1000 if self._heap else None
            await self._clock.wait(self._rearm, until)


class Activities:
    """Tasks that wait for a worker, and workers that wait for a task, by activity."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[str, deque[Place]] = {}
        self._pollers: dict[str, deque[asyncio.Future[Place]]] = {}

    def clear(self) -> None:
        """Forget the tasks."""
        self._tasks.clear()

    def offer(self, activity: str, place: Place) -> None:
        """A task is there: for a worker that waits, or for the next that comes."""
        pollers = self._pollers.get(activity)
        while pollers:
            poller = pollers.popleft()
            if not poller.done():
                poller.set_result(place)
                return
        self._tasks.setdefault(activity, deque()).append(place)

    async def next(self, activity: str, until: float) -> Place | None:
        """The next task, or `None` if none comes until a moment (seconds)."""
        waiting = self._tasks.get(activity)
        if waiting:
            return waiting.popleft()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pollers.setdefault(activity, deque()).append(future)
        alarm = self._clock.alarm(until, future)
        try:
            found: Place | None = await future
        finally:
            alarm.cancel()
            with contextlib.suppress(ValueError):
                self._pollers[activity].remove(future)
        return found
