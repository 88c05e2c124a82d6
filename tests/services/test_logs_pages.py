"""Pages of log events, walked at random and compared with a list: nothing is skipped, repeated or out of order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from fogbank.core.clock import VirtualClock
from fogbank.core.scope import Scope

if TYPE_CHECKING:
    from fogbank.cloud import LocalCloud

SCOPE = Scope()
STREAMS = ("a", "b", "c")


class Log:
    """A group in the cloud, and what it should hold: (timestamp, order of arrival, stream, message)."""

    def __init__(self, cloud: LocalCloud, dice: random.Random) -> None:
        self.cloud = cloud
        self.dice = dice
        self.now = cloud.clock.millis()
        self.events: list[tuple[int, int, str, str]] = []

    async def call(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self.cloud.call(SCOPE, "logs", operation, request)

    async def create(self) -> None:
        await self.call("CreateLogGroup", logGroupName="g")
        for name in STREAMS:
            await self.call("CreateLogStream", logGroupName="g", logStreamName=name)

    async def put(self) -> None:
        """A batch at random times: many events share one."""
        stream = self.dice.choice(STREAMS)
        times = sorted(self.now - self.dice.randrange(40) for _ in range(self.dice.randrange(1, 12)))
        batch = []
        for at in times:
            message = f"{stream}{len(self.events)}"
            self.events.append((at, len(self.events), stream, message))
            batch.append({"timestamp": at, "message": message})
        await self.call("PutLogEvents", logGroupName="g", logStreamName=stream, logEvents=batch)

    def expected(self, stream: str | None, start: int, end: int) -> list[str]:
        """The messages of a range, `end` included."""
        found = [e for e in sorted(self.events) if stream in (None, e[2]) and start <= e[0] <= end]
        return [message for _, _, _, message in found]

    async def read_stream(self, stream: str, *, head: bool, start: int, end: int) -> list[str]:
        """All pages of GetLogEvents in one direction."""
        seen: list[str] = []
        token: dict[str, Any] = {}
        while True:
            page = await self.call(
                "GetLogEvents",
                logGroupName="g",
                logStreamName=stream,
                startFromHead=head,
                startTime=start,
                endTime=end + 1,
                limit=self.dice.randrange(1, 8),
                **token,
            )
            messages = [event["message"] for event in page["events"]]
            seen = seen + messages if head else messages + seen
            following = page["nextForwardToken" if head else "nextBackwardToken"]
            if token.get("nextToken") == following:
                return seen
            token = {"nextToken": following}

    async def search(self, *, forward: bool, start: int, end: int, **where: Any) -> list[str]:
        """All pages of FilterLogEvents."""
        seen: list[str] = []
        token: dict[str, Any] = {}
        while True:
            page = await self.call(
                "FilterLogEvents",
                logGroupName="g",
                startFromHead=forward,
                startTime=start,
                endTime=end,
                limit=self.dice.randrange(1, 8),
                **where,
                **token,
            )
            seen += [event["message"] for event in page["events"]]
            if page.get("nextToken") is None:
                return seen
            token = {"nextToken": page["nextToken"]}


@pytest.fixture
def clock() -> VirtualClock:
    """A day in 2025: what is before 2024 cannot be read backward."""
    return VirtualClock(1_750_000_000.0)


@pytest.mark.parametrize("seed", range(6))
async def test_every_walk_sees_what_was_stored(cloud: LocalCloud, seed: int) -> None:
    """Whole streams and groups, ranges of them, forward and backward, with pages of any size."""
    log = Log(cloud, random.Random(seed))
    await log.create()
    for _ in range(25):
        await log.put()
        first, last = log.now - log.dice.randrange(50), log.now - log.dice.randrange(50)
        start, end = min(first, last), max(first, last)
        stream = log.dice.choice(STREAMS)
        expected = log.expected(stream, start, end)
        assert await log.read_stream(stream, head=True, start=start, end=end) == expected
        assert await log.read_stream(stream, head=False, start=start, end=end) == expected
        everything = log.expected(None, start, end)
        assert await log.search(forward=True, start=start, end=end) == everything
        assert await log.search(forward=False, start=start, end=end) == everything[::-1]
        one = await log.search(forward=True, start=start, end=end, logStreamNames=[stream])
        assert one == expected
        digit = str(log.dice.randrange(10))
        found = await log.search(forward=True, start=start, end=end, filterPattern=f'"{digit}"')
        assert found == [message for message in everything if digit in message]
