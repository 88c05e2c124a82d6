"""Time, handed in: nobody reads the clock or sleeps but through a `Clock`.

Wall time is in seconds since the epoch, as a float; `millis` is the same in whole milliseconds, which is
what tables store. A clock can be moved forward (`advance`): `SystemClock` adds the step to the machine's
time and wakes whoever was waiting for a moment that is now past; `VirtualClock` only ever moves that way.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from abc import ABC, abstractmethod
from typing import Protocol


class Alarm(Protocol):
    """A promise to complete a future at a moment; it can be taken back."""

    def cancel(self) -> None: ...


class Clock(ABC):
    """Wall time, and waiting for it."""

    @abstractmethod
    def time(self) -> float:
        """Now, in seconds since the epoch."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds since some fixed moment, for durations: never moved by `advance` or by the operator."""

    def machine_time(self) -> float:
        """The machine's own wall time, which other processes see: no `advance` moves it."""
        return time.time()

    def machine_monotonic(self) -> float:
        """The machine's own count of seconds, for how long something outside this process took."""
        return time.perf_counter()

    @abstractmethod
    def alarm(self, when: float, future: asyncio.Future[None]) -> Alarm:
        """Complete `future` at `when` (seconds since the epoch), unless it is done by then."""

    @abstractmethod
    async def advance(self, seconds: float) -> None:
        """Move the clock forward and wake whoever waited for a moment that is now past."""

    def millis(self) -> int:
        """Now, in whole milliseconds since the epoch."""
        return int(self.time() * 1000)

    async def sleep_until(self, when: float) -> None:
        """Wait until `when` (seconds since the epoch)."""
        if when <= self.time():
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self.wait(future, when)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await self.sleep_until(self.time() + seconds)

    async def wait(self, future: asyncio.Future[None], until: float | None) -> bool:
        """Wait for `future`, at the longest until `until`; whether it was done before that moment came.

        The future belongs to this wait: at the deadline it is completed by the clock.
        """
        if until is None:
            await future
            return True
        alarm = self.alarm(until, future)
        try:
            await future
        finally:
            alarm.cancel()
        return self.time() < until


def complete(future: asyncio.Future[None]) -> None:
    """Complete a future, unless it is done: its waiter may have been cancelled, or woken by another."""
    if not future.done():
        future.set_result(None)


class _SystemAlarm:
    """One waiter of the machine's clock; armed anew whenever the clock is moved."""

    __slots__ = ("_clock", "_future", "_handle", "_when")

    def __init__(self, clock: SystemClock, when: float, future: asyncio.Future[None]) -> None:
        self._clock = clock
        self._when = when
        self._future = future
        self._handle: asyncio.TimerHandle | None = None
        self.arm()

    def arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        delay = max(0.0, self._when - self._clock.time())
        self._handle = self._future.get_loop().call_later(min(delay, 86_400.0), self._ring)

    def _ring(self) -> None:
        if self._when - self._clock.time() > 0.0005:
            self.arm()  # a wait of more than a day, or one that the loop's coarse timer ended early
            return
        self.ring()

    def ring(self) -> None:
        self.cancel()
        complete(self._future)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._clock.forget(self)


class SystemClock(Clock):
    """The machine's clock, plus what a person has advanced it by."""

    def __init__(self, *, offset: float = 0.0) -> None:
        self._offset = offset
        self._alarms: set[_SystemAlarm] = set()

    @property
    def offset(self) -> float:
        """Seconds that this clock is ahead of the machine's."""
        return self._offset

    def time(self) -> float:
        return time.time() + self._offset

    def monotonic(self) -> float:
        return time.monotonic()

    def alarm(self, when: float, future: asyncio.Future[None]) -> Alarm:
        alarm = _SystemAlarm(self, when, future)
        self._alarms.add(alarm)
        return alarm

    def forget(self, alarm: _SystemAlarm) -> None:
        self._alarms.discard(alarm)

    async def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"a clock moves forward only; expected seconds >= 0, got {seconds}")
        self._offset += seconds
        for alarm in list(self._alarms):
            alarm.arm()
        await asyncio.sleep(0)

    async def restart(self) -> None:
        """Go back to the machine's time, for when nothing is stored that knows of a later one.

        Whoever waits is woken, before its time, to look anew: its moment was of the time that is no more.
        """
        if self._offset == 0:
            return
        self._offset = 0.0
        for alarm in list(self._alarms):
            alarm.ring()
        await asyncio.sleep(0)


class _VirtualAlarm:
    __slots__ = ("future",)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future: asyncio.Future[None] | None = future

    def cancel(self) -> None:
        self.future = None


class VirtualClock(Clock):
    """A clock for tests: it stands still until `advance`, and then rings each alarm at its own moment."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._start = start
        self._heap: list[tuple[float, int, _VirtualAlarm]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - self._start

    def alarm(self, when: float, future: asyncio.Future[None]) -> Alarm:
        alarm = _VirtualAlarm(future)
        heapq.heappush(self._heap, (when, next(self._order), alarm))
        return alarm

    async def advance(self, seconds: float) -> None:
        """Move forward, stopping at each alarm on the way so that what it wakes runs at its own time."""
        target = self._now + seconds
        await self.settle()
        while self._heap and self._heap[0][0] <= target:
            when, _, alarm = heapq.heappop(self._heap)
            if alarm.future is None or alarm.future.done():
                continue
            self._now = max(self._now, when)
            complete(alarm.future)
            await self.settle()
        self._now = target
        await self.settle()

    @staticmethod
    async def settle(turns: int = 50) -> None:
        """Let every task that can run do so: `turns` rounds of the event loop."""
        for _ in range(turns):
            await asyncio.sleep(0)
