"""Taking messages out of a queue, within one transaction: retention, redrive, FIFO order, the limit in flight."""

from __future__ import annotations

from dataclasses import dataclass

from fogbank.core.arn import Arn
from fogbank.services.sqs._fifo.storage import FifoStorage
from fogbank.services.sqs.errors import OverLimitError, invalid_value
from fogbank.services.sqs.model import MAXIMUM_IN_FLIGHT, Message, Queue, QueueKey, is_spent
from fogbank.services.sqs.storage import SqsStorage
from fogbank.storage import Tx

_MAXIMUM_GAUGES = 10_000


@dataclass(frozen=True, slots=True)
class Demand:
    """What one receive wants: up to `limit` messages, hidden for `visibility` milliseconds, else the queue's own."""

    limit: int
    visibility: int | None
    attempt: str | None
    """A FIFO queue's ReceiveRequestAttemptId."""
    long_poll: bool


class Receiver:
    """Takes messages. It keeps, for each backlog, an upper bound of how many are in flight.

    Each receive raises the bound; only when it reaches the limit are the messages counted, so that counting 120,000
    rows is paid for by having received as many.
    """

    def __init__(self, store: SqsStorage, fifo: FifoStorage) -> None:
        self._store = store
        self._fifo = fifo
        self._in_flight: dict[int, int] = {}

    def forget(self) -> None:
        """Drop the bounds: the tables were emptied."""
        self._in_flight.clear()

    async def receive(self, tx: Tx, queue: Queue, demand: Demand, now: int) -> list[Message]:
        """Take what is visible, as it stands after the receive."""
        visibility = queue.visibility_timeout if demand.visibility is None else demand.visibility
        if queue.fifo and demand.attempt is not None:
            repeated = await self._repeat(tx, queue, demand.attempt, visibility, now)
            if repeated:
                return repeated
        limit = await self._room(tx, queue, demand, now)
        if limit <= 0:
            return []
        if not queue.fifo:
            found = await self._standard(tx, queue, limit, visibility, now)
        else:
            found = await self._in_order(tx, queue, limit, visibility, now)
            if found and demand.attempt is not None:
                await self._fifo.keep_attempt(tx, queue, demand.attempt, found, now + visibility, now)
        self._in_flight[queue.backlog] += len(found)
        return found

    async def next_due(self, tx: Tx, queue: Queue, now: int) -> int | None:
        """When something becomes visible, if nothing else happens; milliseconds."""
        if queue.fifo:
            return await self._fifo.next_open(tx, queue, now)
        return await self._store.next_due(tx, queue, now)

    async def _room(self, tx: Tx, queue: Queue, demand: Demand, now: int) -> int:
        """How many messages may be taken without passing the limit in flight.

        At the limit a standard queue refuses a short poll and lets a long poll wait; a FIFO queue says nothing.
        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
        """
        bound = self._in_flight.get(queue.backlog)
        if bound is None or bound + demand.limit > MAXIMUM_IN_FLIGHT:
            bound = await self._store.in_flight(tx, queue, now)
            if len(self._in_flight) >= _MAXIMUM_GAUGES:
                self._in_flight.clear()
            self._in_flight[queue.backlog] = bound
        room = MAXIMUM_IN_FLIGHT - bound
        if room <= 0 and not queue.fifo and not demand.long_poll:
            raise OverLimitError(
                f"The maximum number of in flight messages ({MAXIMUM_IN_FLIGHT}) is reached for {queue.key.name}; "
                "delete messages after they are processed."
            )
        return min(demand.limit, room)

    # -- standard queues ----------------------------------------------

    async def _standard(self, tx: Tx, queue: Queue, limit: int, visibility: int, now: int) -> list[Message]:
        found: list[Message] = []
        while len(found) < limit:
            visible = await self._store.visible(tx, queue, limit - len(found), now)
            if not visible:
                break
            good = await self._sort_out(tx, queue, visible, now)
            if good:
                await self._store.take(tx, good, now + visibility, now)
                found += [_after_receive(message, now) for message in good]
            if len(good) == len(visible) or (found and visibility == 0):
                break  # there is no more; or what was taken is still visible and would be taken again
        return found

    async def _sort_out(self, tx: Tx, queue: Queue, visible: list[Message], now: int) -> list[Message]:
        """Of visible messages those to hand out; the expired are deleted, those received too often already moved."""
        cutoff, redrive = now - queue.retention, queue.redrive
        good, spent, expired = [], [], []
        for message in visible:
            if message.sent_at <= cutoff:
                expired.append(message.sequence)
            elif is_spent(message.receives, redrive):
                spent.append(message)
            else:
                good.append(message)
        if expired:
            await self._store.delete_sequences(tx, expired)
        if spent:
            target = await self._dead_letter_queue(tx, queue)
            if target is None:
                return sorted(good + spent)
            if queue.fifo:
                await self._fifo.dead_letter(tx, target, spent, queue.arn, now)
            else:
                await self._store.dead_letter(tx, target, [m.sequence for m in spent], queue.arn, now)
            tx.wake(target.topic)
        return good

    async def _dead_letter_queue(self, tx: Tx, queue: Queue) -> Queue | None:
        """Where spent messages go; `None` if that queue is gone, in which case they stay."""
        if queue.redrive is None:
            return None
        arn = Arn.parse(queue.redrive.target)
        target = await self._store.find(tx, QueueKey(arn.account, arn.region, arn.resource))
        return target if target is not None and target.fifo == queue.fifo else None

    # -- FIFO queues ----------------------------------------------

    async def _in_order(self, tx: Tx, queue: Queue, limit: int, visibility: int, now: int) -> list[Message]:
        found: list[Message] = []
        while len(found) < limit:
            groups = await self._fifo.open_groups(tx, queue, limit - len(found), now)
            if not groups:
                break
            for group in groups:
                if len(found) < limit:
                    found += await self._from_group(tx, queue, group, limit - len(found), visibility, now)
            if found and visibility == 0:
                break  # the groups are still open and would be received from again
        return found

    async def _from_group(
        self, tx: Tx, queue: Queue, group: str, limit: int, visibility: int, now: int
    ) -> list[Message]:
        """Take from the head of an open group; whatever comes of it, the group's opening is right afterwards."""
        head = await self._sort_out(tx, queue, await self._fifo.head(tx, queue, group, limit, now), now)
        if not head:
            await self._fifo.refresh(tx, queue, [group], now)
            return []
        await self._store.take(tx, head, now + visibility, now)
        await self._fifo.close_group(tx, queue, group, now + visibility)
        return [_after_receive(message, now) for message in head]

    async def _repeat(self, tx: Tx, queue: Queue, attempt: str, visibility: int, now: int) -> list[Message]:
        """The messages of an earlier receive with the same attempt id, hidden anew; none if it must be made afresh.

        It can be repeated while its messages are hidden and nothing was done to them.
        """
        earlier = await self._fifo.attempt(tx, queue, attempt, now)
        if earlier is None or earlier[0] <= now:
            return []
        until, taken = earlier
        messages = []
        for sequence, receives in taken:
            state = await self._fifo.message(tx, queue, sequence)
            if state is None or state[0] != until or state[1].receives != receives:
                raise invalid_value(
                    "ReceiveRequestAttemptId",
                    attempt,
                    "The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.",
                )
            messages.append(state[1])
        for message in messages:
            await self._store.hide(tx, message.sequence, now + visibility)
        await self._fifo.refresh(tx, queue, {m.group for m in messages if m.group is not None}, now)
        await self._fifo.keep_attempt(tx, queue, attempt, messages, now + visibility, now)
        return messages


def _after_receive(message: Message, now: int) -> Message:
    first = now if message.first_received_at is None else message.first_received_at
    return message._replace(receives=message.receives + 1, first_received_at=first)
