"""Idle environments do not run: their processes are stopped between events, and go on just before the next one.

As on Lambda, a thread or a process that a function left in the background gets no time between events. It is stopped
by signal, which needs no rights and costs about ten microseconds; control groups would freeze as well, but moving a
process into one takes milliseconds out of every cold start. Environments that are used again within `GRACE` are
never stopped: a busy function does not pay at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Protocol

from fogbank.runtime.memory import descendants

GRACE = 0.01
"""Seconds, of the machine's clock, that an environment is idle before it is frozen."""
_ROUNDS = 4


class Processes:
    """A process with all that it started: they are stopped and go on together."""

    __slots__ = ("_first", "_leader", "_strayed", "frozen")

    def __init__(self) -> None:
        self._leader = 0
        self._first = 0
        self._strayed: list[int] = []
        self.frozen = False

    def watch(self, leader: int, first: int = 0) -> None:
        """Begin: `leader` is the process id of a group's leader, `first` that of the first process of its sandbox."""
        self._leader = leader
        self._first = first

    def freeze(self) -> None:
        """Stop them: the group, and whatever has left it."""
        if self.frozen or not self._leader:
            return
        self.frozen = True
        _signal_group(self._leader, signal.SIGSTOP)
        for _ in range(_ROUNDS):  # until none is new: one that was not yet stopped may have started another
            started = descendants(self._leader) + (descendants(self._first) if self._first else [])
            found = [pid for pid in started if pid not in self._strayed and self._has_left(pid)]
            if not found:
                return
            for pid in found:
                _signal(pid, signal.SIGSTOP)
            self._strayed += found

    def thaw(self) -> None:
        """Let them go on."""
        if not self.frozen:
            return
        self.frozen = False
        _signal_group(self._leader, signal.SIGCONT)
        for pid in self._strayed:
            _signal(pid, signal.SIGCONT)
        self._strayed.clear()

    def gone(self) -> None:
        """The leader has ended: its number may be another's."""
        self._leader = 0
        self._strayed.clear()

    def _has_left(self, pid: int) -> bool:
        try:
            return os.getpgid(pid) != self._leader
        except ProcessLookupError:
            return False


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


class Freezable(Protocol):
    """An environment, as far as it matters here."""

    def freeze(self) -> None:
        """Stop it if it is idle."""
        ...


class Freezer:
    """Freezes what has been idle for `GRACE`. One timer for all: being used again costs two dictionary operations."""

    def __init__(self) -> None:
        self._resting: dict[Freezable, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def rests(self, environment: Freezable) -> None:
        """It has become idle."""
        loop = asyncio.get_running_loop()
        self._resting[environment] = loop.time() + GRACE
        if self._timer is None:
            self._timer = loop.call_later(GRACE, self._freeze)

    def wakes(self, environment: Freezable) -> None:
        """It is used, or has ended."""
        self._resting.pop(environment, None)

    def stop(self) -> None:
        """Freeze nothing more."""
        self._resting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _freeze(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        for environment, due in list(self._resting.items()):
            if due > loop.time():
                self._timer = loop.call_at(due, self._freeze)
                return
            del self._resting[environment]
            environment.freeze()
