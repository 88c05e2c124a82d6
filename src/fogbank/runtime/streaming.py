"""A response that a function streams: from the Runtime API to whoever reads it, bounded in between.

    runtime ──POST …/response, chunked──▶ ResponseStream ──pieces──▶ InvokeWithResponseStream, a function URL

Who reads too slowly closes the valve: the runtime's connection is not read until there is room again. Past the
first 6 MB the valve keeps to the rate that Lambda streams at.
Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

MAX_STREAMED = 200 * 1024 * 1024
"""Bytes of a streamed response."""
UNCAPPED = 6 * 1024 * 1024
"""Bytes that are streamed as fast as they can be."""
RATE = 2 * 1024 * 1024
"""Bytes a second for the rest."""
_HELD = 256 * 1024
"""Bytes that may wait for the reader."""


class ResponseStream:
    """One streamed response. The runtime's side calls `begin`, `write`, `end`; the reader `begun`, `next`, `abandon`.

    An event with a stream may still be answered whole, by a function that does not stream: then `begun` is false,
    and the answer is in the outcome. Limits can be set lower by tests.
    """

    def __init__(self, *, limit: int = MAX_STREAMED, uncapped: int = UNCAPPED, rate: float = RATE) -> None:
        self.content_type: str | None = None
        self.size = 0
        self._limit = limit
        self._uncapped = uncapped
        self._rate = rate
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self._abandoned = False
        self._waiter: asyncio.Future[None] | None = None
        self._valve: Callable[[bool], None] | None = None
        self._open = True
        self._pacing: asyncio.TimerHandle | None = None

    # -- the runtime's side -----------------------------------------------------------------------------------

    def begin(self, content_type: str, valve: Callable[[bool], None]) -> None:
        """The runtime begins to stream; `valve` opens and closes the flow."""
        self.content_type = content_type
        self._valve = valve
        self._wake()

    def write(self, piece: bytes) -> bool:
        """Take a piece; `False` if it would pass the limit, and is not taken."""
        if self.size + len(piece) > self._limit:
            return False
        self.size += len(piece)
        if not self._abandoned:
            self._pieces.append(piece)
            self._held += len(piece)
            self._wake()
        if self.size > self._uncapped and self._pacing is None:
            pause = min(len(piece), self.size - self._uncapped) / self._rate
            self._pacing = asyncio.get_running_loop().call_later(pause, self._paced)
        self._turn()
        return True

    def end(self) -> None:
        """Nothing follows."""
        self._ended = True
        if self._pacing is not None:
            self._pacing.cancel()
            self._pacing = None
        self._held = 0
        self._turn()  # the connection has more to say than this response
        self._valve = None
        self._wake()

    def _paced(self) -> None:
        self._pacing = None
        self._turn()

    def _turn(self) -> None:
        wanted = self._pacing is None and self._held <= _HELD
        if self._valve is not None and wanted is not self._open:
            self._open = wanted
            self._valve(wanted)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter
        self._waiter = None

    # -- the reader's side ------------------------------------------------------------------------------------

    async def begun(self) -> bool:
        """Wait until the function streams or has ended; whether it streams."""
        while self.content_type is None and not self._ended:
            await self._wait()
        return self.content_type is not None

    async def next(self) -> bytes | None:
        """The next piece; `None` after the last."""
        while not self._pieces:
            if self._ended:
                return None
            await self._wait()
        piece = self._pieces.popleft()
        self._held = max(0, self._held - len(piece))
        self._turn()
        return piece

    def abandon(self) -> None:
        """The reader has gone: the function goes on, and what it streams is dropped."""
        self._abandoned = True
        self._pieces.clear()
        self._held = 0
        self._turn()
