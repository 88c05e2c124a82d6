"""SendMessage and SendMessageBatch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.services.sqs._api.base import SqsBase, queue_key, sender_of
from fogbank.services.sqs._messages import check_batch
from fogbank.services.sqs._sending import batch_shape, check_message, check_messages, sent_shape
from fogbank.services.sqs.errors import SqsError
from fogbank.services.sqs.model import Outgoing, Queue, sequence_number
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import SendMessageBatchRequestTypeDef, SendMessageRequestTypeDef

_Batch = tuple[list[tuple[str, Outgoing]], list[tuple[str, SqsError]], list[tuple[str, str | None]]]
"""The entries that were sent, those that were not, and id and sequence number of each that was."""


class SendingOperations(SqsBase):
    """What producers call."""

    async def send_message(self, call: Call, request: SendMessageRequestTypeDef) -> Reply:
        """Add a message to a queue."""
        key = queue_key(call.scope, request["QueueUrl"])
        message_id = self.kit.ids.uuid()
        now = self.clock.millis()
        context = self.recorder.context(call)

        async def body(tx: Tx) -> tuple[Outgoing, str, str | None]:
            queue = await self.store.get(tx, key)
            message = check_message(queue, request, context)
            known, number = await self._store_message(tx, call, queue, message, message_id, now)
            tx.wake(queue.topic)
            return message, known, number

        sent = await self.kit.storage.transact(body)
        self.counts.sent(key, sent[0].size)
        return sent_shape(*sent)

    async def send_message_batch(self, call: Call, request: SendMessageBatchRequestTypeDef) -> Reply:
        """Add up to ten messages; each succeeds or fails on its own."""
        entries = request["Entries"]
        check_batch(entries, "SendMessageBatchRequestEntry")
        key = queue_key(call.scope, request["QueueUrl"])
        ids = [self.kit.ids.uuid() for _ in entries]
        now = self.clock.millis()
        context = self.recorder.context(call)

        async def body(tx: Tx) -> _Batch:
            queue = await self.store.get(tx, key)
            good, bad = check_messages(queue, entries, context)
            known = await self._store_messages(tx, call, queue, [message for _, message in good], ids, now)
            tx.wake(queue.topic)
            return good, bad, known

        good, bad, known = await self.kit.storage.transact(body)
        self.counts.sent_many(key, [message for _, message in good])
        successful: list[dict[str, Any]] = [
            {"Id": entry_id, **sent_shape(message, message_id, number)}
            for (entry_id, message), (message_id, number) in zip(good, known, strict=True)
        ]
        return batch_shape(successful, bad)

    async def _store_message(
        self, tx: Tx, call: Call, queue: Queue, message: Outgoing, message_id: str, now: int
    ) -> tuple[str, str | None]:
        """Store one message; the id (of the original, if it is a duplicate) and number under which it is known."""
        sender = sender_of(call, queue.key)
        if not queue.fifo:
            await self.store.send(tx, queue, message, message_id, sender, now)
            return message_id, None
        known, sequence = await self.fifo.send(tx, queue, message, message_id, sender, now)
        return known, sequence_number(sequence)

    async def _store_messages(
        self, tx: Tx, call: Call, queue: Queue, messages: list[Outgoing], ids: list[str], now: int
    ) -> list[tuple[str, str | None]]:
        pairs = list(zip(messages, ids[: len(messages)], strict=True))
        if queue.fifo:
            return [await self._store_message(tx, call, queue, message, each, now) for message, each in pairs]
        await self.store.send_many(tx, queue, pairs, sender_of(call, queue.key), now)
        return [(each, None) for _, each in pairs]
