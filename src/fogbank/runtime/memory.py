"""How much memory an environment uses: the resident size of its process and of what that started.

Read from /proc, since control groups are not writable everywhere and a limit on address space breaks Node.js.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from fogbank.runtime.peers import Address, is_of

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOST = 4096
"""Processes that are looked at; what starts more is ended long before."""


class Memory:
    """The resident size of one process, by an open /proc/<pid>/statm: a number that is given anew cannot mislead it."""

    __slots__ = ("_fd", "_first", "_pid", "_started", "largest")

    def __init__(self) -> None:
        self._fd = -1
        self._pid = 0
        self._first = 0
        self._started: list[int] = []
        self.largest = 0

    def watch(self, pid: int, first: int = 0) -> None:
        """Begin. `first`: the first process of its sandbox, to which falls what the process's own leave behind."""
        self._pid = pid
        self._first = first
        with contextlib.suppress(OSError):
            self._fd = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)

    def saw(self, size: int) -> None:
        """Take note of a size that somebody else measured."""
        self.largest = max(self.largest, size)

    def sample(self) -> int:
        """The process's resident bytes now; 0 if it has gone."""
        if self._fd < 0:
            return 0
        try:
            pages = os.pread(self._fd, 128, 0).split(b" ", 2)[1]
        except (OSError, IndexError):
            return 0
        size = int(pages) * _PAGE
        self.largest = max(self.largest, size)
        return size

    def sample_all(self) -> int:
        """The same with every process that it started; what they share is counted more than once."""
        size = self.sample()
        if size == 0:
            return 0
        self._started = descendants(self._pid)
        if self._first:
            self._started += descendants(self._first)
        for pid in self._started:
            with contextlib.suppress(OSError, IndexError, ValueError):
                size += int(Path(f"/proc/{pid}/statm").read_bytes().split(b" ", 2)[1]) * _PAGE
        self.largest = max(self.largest, size)
        return size

    @property
    def processes(self) -> int:
        """How many processes `sample_all` found."""
        return 1 + len(self._started)

    def proportional(self) -> int:
        """What they use by their shares of what is shared. Slow with many processes: not for the event loop."""
        return sum(map(_proportional, [self._pid, *self._started]))

    def owns(self, there: Address, here: Address) -> bool | None:
        """Whether a connection is one of these processes'; `None` before any is known."""
        if not self._pid:
            return None
        if is_of([self._pid], there, here):
            return True
        started = descendants(self._pid) + (descendants(self._first) if self._first else [])
        return is_of(started, there, here)

    def close(self) -> None:
        """End."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _proportional(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def descendants(pid: int) -> list[int]:
    """All that a process started and that still runs."""
    found: list[int] = []
    waiting = [pid]
    while waiting and len(found) < _MOST:
        current = waiting.pop()
        try:
            text = Path(f"/proc/{current}/task/{current}/children").read_text()
        except OSError:
            continue
        children = [int(child) for child in text.split()]
        found += children
        waiting += children
    return found
