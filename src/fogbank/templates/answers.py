"""Answers that steps wait for: what custom resources and wait conditions are told at the URLs that they give out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from fogbank.core.clock import Clock, complete

PATH = "/_fogbank/cloudformation/"
"""Where answers are put; the step's token follows."""
SIGNALS = PATH + "signals/"
"""Where the signals of a wait condition are put; the token of its handle follows."""


class Expected:
    """An answer that is waited for."""

    def __init__(self) -> None:
        self.body: str | None = None
        self.arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait(self, clock: Clock, limit: float) -> str | None:
        """The answer, or `None` if none came within `limit` seconds."""
        await clock.wait(self.arrived, clock.time() + limit)
        return self.body

    async def next(self, clock: Clock, until: float) -> str | None:
        """The answer as it stands after the next one has come; `None` if none comes until then (clock seconds)."""
        if not await clock.wait(self.arrived, until):
            return None
        self.arrived = asyncio.get_running_loop().create_future()
        return self.body


class Answers:
    """Brings answers to the steps that wait for them. They are stored before they come here."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._expected: dict[str, Expected] = {}

    def url(self, token: str) -> str:
        """Where the answer to a step is put."""
        return f"{self._endpoint}{PATH}{token}"

    def signal_url(self, token: str) -> str:
        """Where the signals of the handle with this token are put."""
        return f"{self._endpoint}{SIGNALS}{token}"

    @contextmanager
    def expect(self, token: str) -> Iterator[Expected]:
        """Wait for a token's answer within the block."""
        expected = self._expected[token] = Expected()
        try:
            yield expected
        finally:
            del self._expected[token]

    def arrive(self, token: str, body: str) -> None:
        """An answer has come; one that nobody waits for is for a later repetition of its step."""
        expected = self._expected.get(token)
        if expected is not None:
            expected.body = body
            complete(expected.arrived)
