"""Spans out to a collector: in batches, tried again while it does not answer, within bounds.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp: what is answered 429, 502, 503 or 504 is tried again, after
the time that Retry-After says or ever longer waits; any other refusal is final.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections import deque
from collections.abc import Sequence

from fogbank.core.clock import Clock, complete
from fogbank.core.http.client import HttpError, send
from fogbank.core.lifecycle import Actor
from fogbank.telemetry.model import Span
from fogbank.telemetry.otlp.encoding import encode

_log = logging.getLogger("fogbank.telemetry")
MAX_WAITING = 20_000
"""Spans that wait for the collector; past them the oldest go."""
BATCH = 512
"""Spans of one request."""
WITHIN = 10.0
"""Seconds that the collector has to answer."""
ATTEMPTS = 8
"""How often a batch is tried."""
_LONGEST = 60.0
_RETRYABLE = frozenset({429, 502, 503, 504})
_LIMIT = 64 * 1024
_LAST_CHANCE = 2.0
"""Seconds that a stop gives to what still waits."""


class Exporter(Actor):
    """Sends every span that it is given to `endpoint`/v1/traces. `take` is an observer of `Telemetry`."""

    def __init__(self, endpoint: str, headers: Sequence[tuple[str, str]], clock: Clock) -> None:
        super().__init__()
        self._url = endpoint.rstrip("/") + "/v1/traces"
        self._headers = [("Content-Type", "application/x-protobuf"), ("Content-Encoding", "gzip"), *headers]
        self._clock = clock
        self._waiting: deque[Span] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._told = False
        self.sent = 0
        """Spans that a collector took."""
        self.lost = 0
        """Spans that were given up, or for which there was no room."""

    def take(self, spans: Sequence[Span]) -> None:
        """Send these, some time soon."""
        self._waiting.extend(spans)
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self.lost += 1
        if self._wake is not None:
            complete(self._wake)

    async def on_start(self) -> None:
        self.spawn(self._run(), name="otlp-export")

    async def on_stop(self) -> None:
        """Try once what still waits."""
        try:
            async with asyncio.timeout(_LAST_CHANCE):
                while self._waiting:
                    batch = self._batch()
                    if await self._try(batch) is not None:
                        self.lost += len(batch) + len(self._waiting)
                        return
        except TimeoutError:
            self.lost += len(self._waiting)

    async def _run(self) -> None:
        while True:
            while self._waiting:
                await self._deliver(self._batch())
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
            self._wake = None

    def _batch(self) -> list[Span]:
        return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    async def _deliver(self, batch: list[Span]) -> None:
        """Send a batch, with waits between the attempts."""
        for attempt in range(ATTEMPTS):
            wait = await self._try(batch)
            if wait is None:
                return
            if wait < 0:
                break
            await self._clock.sleep(min(_LONGEST, wait or 2.0**attempt))
        self.lost += len(batch)

    async def _try(self, batch: Sequence[Span]) -> float | None:
        """Try once: `None` if it is done, a negative number if it never will be, else seconds to wait (0: choose)."""
        try:
            body = gzip.compress(encode(batch), 1)
            reply = await send("POST", self._url, self._headers, body, within=WITHIN, limit=_LIMIT, clear=True)
        except HttpError as error:
            self._complain(str(error))
            return 0.0
        if 200 <= reply.status < 300:
            self.sent += len(batch)
            self._told = False
            return None
        self._complain(f"{reply.status} {reply.reason}")
        if reply.status not in _RETRYABLE:
            return -1.0
        after = reply.header("retry-after")
        return float(after) if after.isdigit() else 0.0

    def _complain(self, text: str) -> None:
        """Say it once, until it works again."""
        if not self._told:
            self._told = True
            _log.warning("spans are not taken by %s: %s", self._url, text)
