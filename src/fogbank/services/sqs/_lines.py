"""Who waits for messages: one line for each queue, served in the order of arrival.

Only the first in a line looks for messages. It is woken by storage (a send, a visibility timeout set to 0, the release
of a FIFO group) or by the clock at the moment when the next hidden message becomes visible; nobody polls. When it
leaves, served or not, the next becomes first. What the last look found out (that nothing is left, and when something is
due) goes with the line, so that a new first looks only if there is reason to.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from fogbank.core.clock import Clock
from fogbank.storage import Storage, Wakeup

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """What a look into the queue found: something or nothing, whether more may be there, and when more is due (clock
    seconds; `None` if nothing is).
    """

    found: T
    more: bool
    due: float | None


class _Line:
    __slots__ = ("due", "first", "look_again", "waiting", "wakeup")

    def __init__(self, wakeup: Wakeup) -> None:
        self.wakeup = wakeup
        self.first: asyncio.Future[None] | None = None
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.look_again = True
        self.due: float | None = None


class Lines:
    """The lines of all queues, by the queue's topic. A line exists while somebody waits."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._lines: dict[str, _Line] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._lines)

    def waiting(self, topic: str) -> int:
        """How many wait for a queue."""
        line = self._lines.get(topic)
        return 0 if line is None else len(line.waiting) + (line.first is not None)

    def close(self) -> None:
        """Let everyone who waits go, empty-handed; from now on nobody waits."""
        self._closed = True
        self.look_again()

    def look_again(self) -> None:
        """Have the first of every line look: what they waited for may be gone."""
        for topic, line in self._lines.items():
            line.look_again = True
            self._storage.wake(topic)

    def expect(self, topic: str, due: float) -> None:
        """Something of a queue becomes visible at `due` (clock seconds): be sure that its line looks then."""
        line = self._lines.get(topic)
        if line is not None and (line.due is None or due < line.due):
            line.due = due
            self._storage.wake(topic)

    async def wait(self, topic: str, deadline: float, look: Callable[[], Awaitable[Look[T]]]) -> T:
        """Look until something is found or the deadline (clock seconds) has come; what the last look found."""
        line = self._lines.get(topic)
        if line is None:
            line = self._lines[topic] = _Line(self._storage.subscribe(topic))
            line.wakeup.__enter__()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            await self._stand(line, place, deadline)
            return await self._serve(line, deadline, look)
        finally:
            self._leave(topic, line, place)

    async def _stand(self, line: _Line, place: asyncio.Future[None], deadline: float) -> None:
        """Wait until this place is the first, or the deadline."""
        if line.first is None:
            line.first = place
            return
        line.waiting.append(place)
        await self._clock.wait(place, deadline)
        if place in line.waiting:  # the deadline came first
            line.waiting.remove(place)

    async def _serve(self, line: _Line, deadline: float, look: Callable[[], Awaitable[Look[T]]]) -> T:
        while True:
            if not (line.look_again or self._closed or self._past(line.due) or self._past(deadline)):
                until = deadline if line.due is None else min(deadline, line.due)
                line.look_again = await line.wakeup.wait(until)
                continue
            line.look_again = True  # should the look fail, the next in line looks too
            result = await look()
            line.look_again, line.due = result.more, result.due
            if result.found or self._closed or self._past(deadline):
                return result.found

    def _past(self, moment: float | None) -> bool:
        return moment is not None and moment <= self._clock.time()

    def _leave(self, topic: str, line: _Line, place: asyncio.Future[None]) -> None:
        if line.first is not place:
            if place in line.waiting:  # cancelled while it stood
                line.waiting.remove(place)
            return
        line.first = None
        while line.waiting:
            following = line.waiting.popleft()
            if not following.done():
                line.first = following
                following.set_result(None)
                return
        del self._lines[topic]
        line.wakeup.__exit__(None, None, None)
