"""ReceiveMessage: at once, or after waiting for messages to come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fogbank.core.call import Call, Reply
from fogbank.services.sqs._api.base import SqsBase, queue_key
from fogbank.services.sqs._lines import Look
from fogbank.services.sqs._messages import check_receive, check_token
from fogbank.services.sqs._receiving import Demand, Taken
from fogbank.services.sqs.errors import InvalidAttributeNameError, invalid_value
from fogbank.services.sqs.model import Message, Queue, QueueKey, Selection, received_shape
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import ReceiveMessageRequestTypeDef

SYSTEM_ATTRIBUTES = frozenset(
    {
        "All",
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "SequenceNumber",
        "MessageDeduplicationId",
        "MessageGroupId",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
    }
)
_Found = tuple[Queue, list[Message]] | None


class ReceivingOperations(SqsBase):
    """What consumers call to get messages."""

    async def receive_message(self, call: Call, request: ReceiveMessageRequestTypeDef) -> Reply:
        """Take up to ten messages, waiting for the first if it is asked to."""
        key = queue_key(call.scope, request["QueueUrl"])
        limit, visibility = request.get("MaxNumberOfMessages"), request.get("VisibilityTimeout")
        wait, attempt = request.get("WaitTimeSeconds"), request.get("ReceiveRequestAttemptId")
        check_receive(limit, visibility, wait)
        selection = _selection(request)
        queue = await self.find_queue(key)
        if attempt is not None:
            _check_attempt(queue, attempt)
        seconds = queue.wait_seconds if wait is None else wait
        milliseconds = None if visibility is None else visibility * 1000
        demand = Demand(1 if limit is None else limit, milliseconds, attempt, seconds > 0)
        if seconds:
            found = await self.lines.wait(
                queue.topic, self.clock.time() + seconds, lambda: self._look(key, demand, due=True)
            )
        else:
            look = await self._look(key, demand, due=False)
            while look.found is None and look.more:
                look = await self._look(key, demand, due=False)
            found = look.found
        self.counts.received(key, 0 if found is None else len(found[1]))
        if found is None:
            return {}
        queue, messages = found
        self.recorder.received(queue, messages)
        return {"Messages": [received_shape(queue, message, selection) for message in messages]}

    async def _look(self, key: QueueKey, demand: Demand, *, due: bool) -> Look[_Found]:
        """Take what is there; with `due` also find out when more becomes visible, if this was all."""
        taken = Taken([], more=False)

        async def body(tx: Tx) -> tuple[Queue, int | None]:
            nonlocal taken
            queue = await self.store.get(tx, key)
            now = self.clock.millis()
            taken = await self.receiver.receive(tx, queue, demand, now)
            return queue, await self.receiver.next_due(tx, queue, now) if due and not taken.more else None

        try:
            queue, next_due = await self.kit.storage.transact(body)
        except asyncio.CancelledError:
            if taken.messages and demand.attempt is None:  # else the client can ask for the same messages again
                self.spawn(self._give_back(key, taken.messages))
            raise
        if not taken.messages:
            return Look(None, taken.more, None if next_due is None else next_due / 1000)
        hidden = queue.visibility_timeout if demand.visibility is None else demand.visibility
        self.lines.expect(queue.topic, (self.clock.millis() + hidden) / 1000)
        return Look((queue, taken.messages), taken.more, None if next_due is None else next_due / 1000)

    async def _give_back(self, key: QueueKey, messages: list[Message]) -> None:
        """Make messages visible again that were taken for a client that has gone in the meantime."""

        async def body(tx: Tx) -> None:
            queue = await self.store.find(tx, key)
            if queue is None:
                return
            now = self.clock.millis()
            await self.store.release(tx, messages, now)
            if queue.fifo:
                await self.fifo.refresh(tx, queue, {m.group for m in messages if m.group is not None})
            tx.wake(queue.topic)

        await self.kit.storage.transact(body)


def _selection(request: ReceiveMessageRequestTypeDef) -> Selection:
    """What the consumer wants to see. `AttributeNames` is the older name of `MessageSystemAttributeNames`."""
    names: list[str] = [*request.get("AttributeNames", ()), *request.get("MessageSystemAttributeNames", ())]
    for name in names:
        if name not in SYSTEM_ATTRIBUTES and name != "SqsManagedSseEnabled":
            raise InvalidAttributeNameError(name)
    return Selection(tuple(names), tuple(request.get("MessageAttributeNames", ())))


def _check_attempt(queue: Queue, attempt: str) -> None:
    if not queue.fifo:
        raise invalid_value(
            "ReceiveRequestAttemptId",
            attempt,
            "The request include parameter that is not valid for this queue type.",
        )
    check_token("ReceiveRequestAttemptId", attempt)
