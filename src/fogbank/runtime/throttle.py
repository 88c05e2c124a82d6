"""A share of a processor: what a function with little memory gets on Lambda.

Lambda gives processor time in proportion to memory: one virtual processor at 1,769 MB. Control groups are not writable
everywhere (and moving a process into one takes milliseconds), so the share is kept by signals: every few milliseconds
the processor time that the process has used is compared with what it may have, and past that it is stopped until its
time has come. Waiting costs nothing: a function that waits for others is not slowed down, as on Lambda.

    budget = share × time that has passed, never more than one PERIOD's worth, less processor time that was used
    budget ≤ 0 ──▶ stopped ──▶ budget > 0 ──▶ goes on

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fogbank.core.clock import Clock
from fogbank.runtime.freezing import Processes

VCPU_MEMORY = 1769
"""MB with which a function has one whole virtual processor."""
PERIOD = 0.02
"""Seconds for which unused budget is kept."""
TICK = 0.002
"""Seconds of the machine's time between two looks."""


def share_of(memory: int) -> float:
    """The virtual processors that a function with `memory` MB has."""
    return memory / VCPU_MEMORY


class Budget:
    """How much processor time is left: pure arithmetic, in seconds."""

    __slots__ = ("_left", "_most", "_share", "_then", "_used")

    def __init__(self, share: float, now: float, used: float) -> None:
        self._share = share
        self._most = share * PERIOD
        self._left = self._most
        self._then = now
        self._used = used

    def spent(self, now: float, used: float) -> bool:
        """Whether nothing is left at `now`, when `used` seconds of processor time were used in all."""
        self._left += (now - self._then) * self._share - (used - self._used)
        self._left = min(self._left, self._most)
        self._then, self._used = now, used
        return self._left <= 0


class Throttle:
    """Holds one process, and what it starts, to its share; from `start` to `stop`."""

    def __init__(self, pid: int, share: float, clock: Clock) -> None:
        self._pid = pid
        self._clock = clock
        self._processes = Processes()
        self._processes.watch(pid)
        self._budget = Budget(share, clock.machine_monotonic(), processor_time(pid))
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        self._timer = asyncio.get_running_loop().call_later(TICK, self._look)

    def _look(self) -> None:
        if self._budget.spent(self._clock.machine_monotonic(), processor_time(self._pid)):
            self._processes.freeze()
        else:
            self._processes.thaw()
        self.start()

    def stop(self) -> None:
        """Let it go on without limit."""
        if self._timer is not None:
            self._timer.cancel()
        self._processes.thaw()


def processor_time(pid: int) -> float:
    """Seconds of processor time that the threads of a process have used; 0 if it has gone."""
    total = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_bytes().split(b" ", 1)[0])
    return total / 1e9


@contextmanager
def held_to(share: float | None, pid: int, clock: Clock) -> Iterator[None]:
    """Hold a process to a share of a processor for a while; `None` is no limit."""
    if share is None:
        yield
        return
    throttle = Throttle(pid, share, clock)
    throttle.start()
    try:
        yield
    finally:
        throttle.stop()
