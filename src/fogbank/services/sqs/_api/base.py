"""What the operations share."""

from __future__ import annotations

import re
from typing import ClassVar
from urllib.parse import urlsplit

from fogbank.core.call import Call
from fogbank.core.scope import Scope
from fogbank.services.kit import Kit, Service
from fogbank.services.sqs._fifo.storage import FifoStorage
from fogbank.services.sqs._lines import Lines
from fogbank.services.sqs._metrics import QueueMetrics
from fogbank.services.sqs._receiving import Receiver
from fogbank.services.sqs._recording import Recorder
from fogbank.services.sqs.errors import QueueDoesNotExistError
from fogbank.services.sqs.model import Queue, QueueKey
from fogbank.services.sqs.storage import SqsStorage

_ACCOUNT = re.compile(r"\d{12}")


class SqsBase(Service):
    """The parts of the service that its operations work with."""

    name: ClassVar[str] = "sqs"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.clock = kit.clock
        self.store = SqsStorage()
        self.fifo = FifoStorage()
        self.recorder = Recorder(kit)
        self.receiver = Receiver(self.store, self.fifo, self.recorder.spent)
        self.counts = QueueMetrics(kit, self.store)
        self.lines = Lines(kit.storage, kit.clock)

    async def find_queue(self, key: QueueKey) -> Queue:
        """The queue, from the cache where it is there; `QueueDoesNotExistError` if there is none."""
        queue = self.store.cached(key)
        if queue is None:
            queue = await self.kit.storage.read(lambda tx: self.store.get(tx, key))
        return queue

    def queue_url(self, key: QueueKey) -> str:
        """`http://host:port/account/name`."""
        return f"{self.kit.config.endpoint}/{key.account}/{key.name}"


def queue_key(scope: Scope, url: str) -> QueueKey:
    """The queue that a URL names by its last two segments, whatever its host; its bare name will do as well.

    The region is the caller's. AWS answers any other text as a queue that does not exist.
    """
    parts = url.rsplit("/", 2)
    if len(parts) == 3 and len(parts[1]) == 12 and parts[1].isdigit():
        return QueueKey(parts[1], scope.region, parts[2])
    if len(parts) == 1 and url:
        return QueueKey(scope.account, scope.region, url)
    segments = [segment for segment in urlsplit(url).path.split("/") if segment]
    if len(segments) >= 2 and _ACCOUNT.fullmatch(segments[-2]):
        return QueueKey(segments[-2], scope.region, segments[-1])
    raise QueueDoesNotExistError


def sender_of(call: Call, key: QueueKey) -> str | None:
    """Who sends, where that is not the queue's own account: kept with the message for `SenderId`."""
    return None if call.scope.account == key.account else call.scope.account
