"""What becomes of received messages: DeleteMessage, ChangeMessageVisibility and their batches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.services.sqs._api.base import SqsBase, queue_key
from fogbank.services.sqs._attributes import MAXIMUM_VISIBILITY_TIMEOUT
from fogbank.services.sqs._messages import check_batch, check_visibility
from fogbank.services.sqs._receipts import Receipt, read_receipt
from fogbank.services.sqs._sending import batch_shape
from fogbank.services.sqs.errors import (
    MessageNotInflightError,
    MissingParameterError,
    ReceiptHandleIsInvalidError,
    SqsError,
    invalid_value,
)
from fogbank.services.sqs.model import Queue
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestTypeDef,
        ChangeMessageVisibilityRequestTypeDef,
        DeleteMessageBatchRequestTypeDef,
        DeleteMessageRequestTypeDef,
    )

_Entry = Mapping[str, Any]
_Outcome = tuple[list[dict[str, Any]], list[tuple[str, SqsError]]]
"""Of a batch: the entries that succeeded, and those that failed with why."""
_SettleOne = Callable[[Tx, Queue, _Entry], Awaitable[None]]
_SettleMany = Callable[[Tx, Queue, Sequence[_Entry]], Awaitable[_Outcome]]


class SettlingOperations(SqsBase):
    """What consumers call when they have received messages."""

    async def delete_message(self, call: Call, request: DeleteMessageRequestTypeDef) -> Reply:
        """Delete a received message. Deleting what is already gone succeeds."""
        await self._settle_one(call, request, self._delete)
        self.counts.deleted(queue_key(call.scope, request["QueueUrl"]), 1)
        return {}

    async def delete_message_batch(self, call: Call, request: DeleteMessageBatchRequestTypeDef) -> Reply:
        """Delete up to ten received messages; each succeeds or fails on its own."""
        check_batch(request["Entries"], "DeleteMessageBatchRequestEntry")
        reply = await self._settle_many(call, request["QueueUrl"], request["Entries"], self._delete_all)
        self.counts.deleted(queue_key(call.scope, request["QueueUrl"]), len(reply.get("Successful", ())))
        return reply

    async def change_message_visibility(self, call: Call, request: ChangeMessageVisibilityRequestTypeDef) -> Reply:
        """Set anew for how long from now a message in flight stays hidden."""
        await self._settle_one(call, request, self._change)
        return {}

    async def change_message_visibility_batch(
        self, call: Call, request: ChangeMessageVisibilityBatchRequestTypeDef
    ) -> Reply:
        """The same for up to ten messages; each succeeds or fails on its own."""
        check_batch(request["Entries"], "ChangeMessageVisibilityBatchRequestEntry")
        for number, entry in enumerate(request["Entries"], 1):
            if entry.get("VisibilityTimeout") is None:
                raise MissingParameterError(f"ChangeMessageVisibilityBatchRequestEntry.{number}.VisibilityTimeout")
        return await self._settle_many(call, request["QueueUrl"], request["Entries"], self._change_all)

    async def _settle_one(self, call: Call, request: _Entry, settle: _SettleOne) -> None:
        key = queue_key(call.scope, request["QueueUrl"])

        async def body(tx: Tx) -> None:
            await settle(tx, await self.store.get(tx, key), request)

        await self.kit.storage.transact(body)

    async def _settle_many(self, call: Call, url: str, entries: Sequence[_Entry], settle: _SettleMany) -> Reply:
        key = queue_key(call.scope, url)

        async def body(tx: Tx) -> _Outcome:
            return await settle(tx, await self.store.get(tx, key), entries)

        return batch_shape(*await self.kit.storage.transact(body))

    async def _each(self, tx: Tx, queue: Queue, entries: Sequence[_Entry], settle: _SettleOne) -> _Outcome:
        """Settle entry by entry. A settlement checks before it writes, so one that fails has changed nothing."""
        good: list[dict[str, Any]] = []
        bad: list[tuple[str, SqsError]] = []
        for entry in entries:
            try:
                await settle(tx, queue, entry)
            except MissingParameterError:
                raise
            except SqsError as error:
                bad.append((entry["Id"], error))
            else:
                good.append({"Id": entry["Id"]})
        return good, bad

    async def _delete_all(self, tx: Tx, queue: Queue, entries: Sequence[_Entry]) -> _Outcome:
        if queue.fifo:
            return await self._each(tx, queue, entries, self._delete)
        receipts: list[Receipt] = []

        async def collect(tx: Tx, queue: Queue, entry: _Entry) -> None:  # noqa: ARG001 - has a settlement's form
            receipts.append(_receipt(queue, entry["ReceiptHandle"]))

        outcome = await self._each(tx, queue, entries, collect)
        await self.store.delete_messages(tx, queue, [(r.sequence, r.message_id) for r in receipts])
        return outcome

    async def _change_all(self, tx: Tx, queue: Queue, entries: Sequence[_Entry]) -> _Outcome:
        return await self._each(tx, queue, entries, self._change)

    async def _delete(self, tx: Tx, queue: Queue, entry: _Entry) -> None:
        handle = entry["ReceiptHandle"]
        receipt = _receipt(queue, handle)
        if not queue.fifo:
            await self.store.delete_message(tx, queue, receipt.sequence, receipt.message_id)
            return
        now = self.clock.millis()
        state = await self.store.message_state(tx, queue, receipt.sequence, receipt.message_id, now)
        if state is None:
            return
        visible_at, receives, _, group = state
        if receives != receipt.receive or visible_at <= now:
            raise invalid_value("ReceiptHandle", handle, "The receipt handle has expired.")
        await self.store.delete_message(tx, queue, receipt.sequence, receipt.message_id)
        await self.fifo.refresh(tx, queue, [group] if group is not None else [])
        tx.wake(queue.topic)

    async def _change(self, tx: Tx, queue: Queue, entry: _Entry) -> None:
        seconds, handle = check_visibility(entry["VisibilityTimeout"]), entry["ReceiptHandle"]
        receipt = _receipt(queue, handle)
        now = self.clock.millis()
        state = await self.store.message_state(tx, queue, receipt.sequence, receipt.message_id, now)
        if state is None:
            raise invalid_value(
                "ReceiptHandle",
                handle,
                "Message does not exist or is not available for visibility timeout change.",
            )
        visible_at, receives, received_at, group = state
        if queue.fifo and (receives != receipt.receive or visible_at <= now):
            raise invalid_value("ReceiptHandle", handle, "The receipt handle has expired.")
        if visible_at <= now and receives != receipt.receive:
            raise MessageNotInflightError
        until = now + seconds * 1000
        if received_at is not None and until > received_at + MAXIMUM_VISIBILITY_TIMEOUT * 1000:
            raise invalid_value(
                "VisibilityTimeout",
                seconds,
                f"Total VisibilityTimeout for the message is beyond the limit [{MAXIMUM_VISIBILITY_TIMEOUT} seconds]",
            )
        await self.store.hide(tx, receipt.sequence, until)
        if group is not None:
            await self.fifo.refresh(tx, queue, [group])
        tx.wake(queue.topic)


def _receipt(queue: Queue, handle: str) -> Receipt:
    """What a receipt handle says; refuses what is none, and one of another queue."""
    if not handle:
        raise MissingParameterError("ReceiptHandle")
    receipt = read_receipt(handle)
    if receipt is None or receipt.queue != queue.id:
        raise ReceiptHandleIsInvalidError(f'The input receipt handle "{handle}" is not a valid receipt handle.')
    return receipt
