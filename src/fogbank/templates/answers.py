"""Answers that steps wait for: what custom resources PUT to the URL that they are given."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from fogbank.core.clock import Clock

PATH = "/_fogbank/cloudformation/"
"""Where answers are put; the step's token follows."""


class Expected:
    """An answer that is waited for."""

    def __init__(self) -> None:
        self.body: str | None = None
        self.arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait(self, clock: Clock, limit: float) -> str | None:
        """The answer, or `None` if none came within `limit` seconds."""
        await clock.wait(self.arrived, clock.time() + limit)
        return self.body


class Answers:
    """Brings answers to the steps that wait for them. They are stored before they come here."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._expected: dict[str, Expected] = {}

    def url(self, token: str) -> str:
        """Where the answer to a step is put."""
        return f"{self._endpoint}{PATH}{token}"

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
        if expected is not None and not expected.arrived.done():
            expected.body = body
            expected.arrived.set_result(None)
