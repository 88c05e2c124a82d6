"""How much memory an environment uses: the resident size of its process and of what that started.

Read from /proc, since control groups are not writable everywhere and a limit on address space breaks Node.js.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MAX_PROCESSES = 256


class Memory:
    """The resident size of one process, by an open /proc/<pid>/statm: a number that is given anew cannot mislead it."""

    __slots__ = ("_fd", "_pid", "largest")

    def __init__(self) -> None:
        self._fd = -1
        self._pid = 0
        self.largest = 0

    def watch(self, pid: int) -> None:
        """Begin."""
        self._pid = pid
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
        """The same with every process that it started."""
        size = self.sample()
        if size == 0:
            return 0
        for pid in descendants(self._pid):
            with contextlib.suppress(OSError, IndexError, ValueError):
                size += int(Path(f"/proc/{pid}/statm").read_bytes().split(b" ", 2)[1]) * _PAGE
        self.largest = max(self.largest, size)
        return size

    def close(self) -> None:
        """End."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def descendants(pid: int) -> list[int]:
    """All that a process started and that still runs, at most 256 of them."""
    found: list[int] = []
    waiting = [pid]
    while waiting and len(found) < _MAX_PROCESSES:
        current = waiting.pop()
        try:
            text = Path(f"/proc/{current}/task/{current}/children").read_text()
        except OSError:
            continue
        children = [int(child) for child in text.split()]
        found += children
        waiting += children
    return found
