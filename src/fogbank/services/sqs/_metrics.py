"""What SQS counts, under AWS's names: what goes through each queue, and once a minute how long it is and how old.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from fogbank.core.scope import Scope
from fogbank.services.sqs.model import Outgoing, Queue, QueueKey
from fogbank.services.sqs.storage import START, SqsStorage
from fogbank.telemetry.metrics import Panel, Panels, Series

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.storage import Tx

_ACTIVE = 6 * 3600.0
"""Seconds for which a queue is told of after it was last used, if it is empty (documented)."""
_MAX_KNOWN = 1_000
"""Queues that are told of from the start: those that were there before."""
_PAGES = 5
"""Pages of messages that are counted for one sample: what is longer is told of as being so long."""


class QueueMetrics:
    """Counts what goes through queues, and samples them."""

    def __init__(self, kit: Kit, store: SqsStorage) -> None:
        self._kit = kit
        self._store = store
        self._used: dict[QueueKey, float] = {}
        self._panels = Panels(kit.metrics, self._panel)
        self._sends: dict[QueueKey, tuple[Series, Series]] = {}
        self._began = False
        kit.metrics.on_reset += [self._used.clear, self._sends.clear]
        kit.metrics.every_minute(self.sample)

    def _panel(self, key: QueueKey) -> Panel:
        scope = Scope(key.account, key.region)
        self._used[key] = self._kit.clock.time()
        return self._kit.metrics.panel(scope, "AWS/SQS", (("QueueName", key.name),))

    def sent(self, key: QueueKey, size: int) -> None:
        """A message was added."""
        pair = self._sends.get(key) or self._send_series(key)
        pair[0].add()
        pair[1].add(size)

    def sent_many(self, key: QueueKey, messages: Sequence[Outgoing]) -> None:
        """A batch was added."""
        if messages:
            count, sizes = self._sends.get(key) or self._send_series(key)
            count.add(float(len(messages)))
            for message in messages:
                sizes.add(message.size)

    def _send_series(self, key: QueueKey) -> tuple[Series, Series]:
        """The two series that every send adds to, kept apart from the others: it is the hottest path."""
        panel = self._panels(key)
        found = (panel.series("NumberOfMessagesSent")[0], panel.series("SentMessageSize", "Bytes")[0])
        self._sends[key] = found
        return found

    def received(self, key: QueueKey, count: int) -> None:
        """A receive ended with so many messages."""
        panel = self._panels(key)
        if count:
            panel.add("NumberOfMessagesReceived", float(count))
        else:
            panel.add("NumberOfEmptyReceives")

    def deleted(self, key: QueueKey, count: int) -> None:
        """Messages were deleted."""
        if count:
            self._panels(key).add("NumberOfMessagesDeleted", float(count))

    async def sample(self) -> None:
        """How many messages there are in each queue that is in use, and how old the oldest is."""
        if not self._began:
            self._began = True
            for key in await self._kit.storage.read(lambda tx: self._store.first_queues(tx, _MAX_KNOWN)):
                self._panels(key)
        now = self._kit.clock.time()
        for key, used in list(self._used.items()):
            holds = await self._kit.storage.read(partial(self._sample, key=key, now=now))
            if holds is None or (not holds and now - used > _ACTIVE):
                del self._used[key]
                self._panels.drop(key)
                self._sends.pop(key, None)
            elif holds:
                self._used[key] = now

    async def _sample(self, tx: Tx, *, key: QueueKey, now: float) -> bool | None:
        """Sample one queue: whether it holds anything; `None` if it is gone."""
        queue = await self._store.find(tx, key)
        if queue is None:
            return None
        visible, in_flight, delayed = await self._count(tx, queue, int(now * 1000))
        panel = self._panels(key)
        panel.gauge("ApproximateNumberOfMessagesVisible", float(visible))
        panel.gauge("ApproximateNumberOfMessagesNotVisible", float(in_flight))
        panel.gauge("ApproximateNumberOfMessagesDelayed", float(delayed))
        sent_at = await self._store.oldest(tx, queue)
        age = 0.0 if sent_at is None else max(0.0, now - sent_at / 1000)
        panel.gauge("ApproximateAgeOfOldestMessage", float(int(age)), "Seconds")
        return sent_at is not None

    async def _count(self, tx: Tx, queue: Queue, now: int) -> tuple[int, int, int]:
        place: tuple[int, int] | None = START
        visible = in_flight = delayed = 0
        for _ in range(_PAGES):
            if place is None:
                break
            counts, place = await self._store.count(tx, queue, now, place)
            visible, in_flight, delayed = (
                visible + counts.visible, in_flight + counts.in_flight, delayed + counts.delayed,
            )  # fmt: skip
        return visible, in_flight, delayed
