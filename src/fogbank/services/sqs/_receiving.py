"""Taking messages out of a queue, within one transaction: retention, redrive, FIFO order, the limit in flight."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from fogbank.core.arn import Arn
from fogbank.services.sqs._fifo.storage import FifoStorage
from fogbank.services.sqs._messages import MAXIMUM_BATCH
from fogbank.services.sqs.errors import OverLimitError, invalid_value
from fogbank.services.sqs.model import MAXIMUM_IN_FLIGHT, Message, Queue, QueueKey, is_spent
from fogbank.services.sqs.storage import SqsStorage
from fogbank.storage import Tx

_MAXIMUM_GAUGES = 10_000
_ROUNDS = 100
"""How often one receive looks again because what it found was expired or went to the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What one receive wants: up to `limit` messages, hidden for `visibility` milliseconds, else the queue's own."""

    limit: int
    visibility: int | None
    attempt: str | None
    """A FIFO queue's ReceiveRequestAttemptId."""
    long_poll: bool


class Taken(NamedTuple):
    """What a receive took, each message as it stands afterwards, and whether there may be more."""

    messages: list[Message]
    more: bool


OnSpent = Callable[[Queue, Sequence[Message], Queue], None]
"""Is told of messages that were moved from a queue to its dead-letter queue."""


class Receiver:
    """Takes messages. It keeps, for each backlog, an upper bound of how many are in flight.

    Each receive raises the bound; only when it reaches the limit are the messages counted, so that counting 120,000
    rows is paid for by having received as many.
    """

    def __init__(self, store: SqsStorage, fifo: FifoStorage, on_spent: OnSpent) -> None:
        self._on_spent = on_spent
        self._store = store
        self._fifo = fifo
        self._in_flight: dict[int, int] = {}

    def forget(self) -> None:
        """Drop the bounds: the tables were emptied."""
        self._in_flight.clear()

    async def receive(self, tx: Tx, queue: Queue, demand: Demand, now: int) -> Taken:
        """Take what is visible."""
        visibility = queue.visibility_timeout if demand.visibility is None else demand.visibility
        if queue.fifo and demand.attempt is not None:
            repeated = await self._repeat(tx, queue, demand.attempt, visibility, now)
            if repeated:
                return Taken(repeated, more=False)
        limit = await self._room(tx, queue, demand, now)
        if limit <= 0:
            return Taken([], more=False)
        if not queue.fifo:
            taken = await self._standard(tx, queue, limit, visibility, now)
        else:
            taken = await self._in_order(tx, queue, limit, visibility, now)
            if taken.messages and demand.attempt is not None:
                await self._fifo.keep_attempt(tx, queue, demand.attempt, taken.messages, now + visibility, now)
        self._in_flight[queue.backlog] += len(taken.messages)
        return taken

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
                "Too many messages have been received without being deleted.\n"
                "Please delete your received messages or let them timeout before receiving more."
            )
        return min(demand.limit, room)

    # -- standard queues ----------------------------------------------

    async def _standard(self, tx: Tx, queue: Queue, limit: int, visibility: int, now: int) -> Taken:
        async def look(width: int) -> list[Message]:
            return await self._store.visible(tx, queue, width, now)

        good, more = await self._good(tx, queue, limit, look, now)
        if good:
            await self._store.take(tx, good, now + visibility, now)
        return Taken([_after_receive(message, now) for message in good], more)

    async def _good(
        self, tx: Tx, queue: Queue, limit: int, look: Callable[[int], Awaitable[list[Message]]], now: int
    ) -> tuple[list[Message], bool]:
        """Up to `limit` messages to hand out, and whether there may be more.

        What is not to be handed out leaves the queue, so looking again finds what was behind it; after some rounds the
        receive ends, so that a long row of expired messages does not hold everybody up.
        """
        width = limit
        for _ in range(_ROUNDS):
            visible = await look(width)
            good, have_left = await self._sort_out(tx, queue, visible, limit, now)
            if len(good) >= limit or not have_left:
                return good[:limit], len(good) >= limit
            width = MAXIMUM_BATCH
        return good[:limit], True

    async def _sort_out(
        self, tx: Tx, queue: Queue, visible: list[Message], limit: int, now: int
    ) -> tuple[list[Message], bool]:
        """Of visible messages the first `limit` to hand out, and whether any before them left the queue.

        The expired are deleted, those received too often already moved; what lies behind is not looked at.
        """
        cutoff, redrive = now - queue.retention, queue.redrive
        good: list[Message] = []
        spent: list[Message] = []
        expired: list[int] = []
        for message in visible:
            if len(good) == limit:
                break
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
                return sorted(good + spent), bool(expired)
            if queue.fifo:
                await self._fifo.dead_letter(tx, target, spent, queue.arn, now)
            else:
                await self._store.dead_letter(tx, target, [m.sequence for m in spent], queue.arn, now)
            tx.wake(target.topic)
            tx.after_commit(partial(self._on_spent, queue, spent, target))
        return good, bool(expired or spent)

    async def _dead_letter_queue(self, tx: Tx, queue: Queue) -> Queue | None:
        """Where spent messages go; `None` if that queue is gone, in which case they stay."""
        if queue.redrive is None:
            return None
        arn = Arn.parse(queue.redrive.target)
        target = await self._store.find(tx, QueueKey(arn.account, arn.region, arn.resource))
        return target if target is not None and target.fifo == queue.fifo else None

    # -- FIFO queues ----------------------------------------------

    async def _in_order(self, tx: Tx, queue: Queue, limit: int, visibility: int, now: int) -> Taken:
        found: list[Message] = []
        seen: set[str] = set()
        while len(found) < limit:
            some = await self._fifo.open_groups(tx, queue, limit - len(found) + len(seen), now)
            groups = [group for group in some if group not in seen]  # with a timeout of 0 groups stay open
            if not groups:
                return Taken(found, more=False)
            for group in groups:
                if len(found) < limit:
                    taken = await self._from_group(tx, queue, group, limit - len(found), visibility, now)
                    found += taken.messages
                    if taken.more:
                        return Taken(found, more=True)
            seen.update(groups)
        return Taken(found, more=True)

    async def _from_group(self, tx: Tx, queue: Queue, group: str, limit: int, visibility: int, now: int) -> Taken:
        """Take from the head of an open group; whatever comes of it, the group's opening is right afterwards."""

        async def look(width: int) -> list[Message]:
            return await self._fifo.head(tx, queue, group, width, now)

        good, more = await self._good(tx, queue, limit, look, now)
        if good:
            await self._store.take(tx, good, now + visibility, now)
            await self._fifo.close_group(tx, queue, group, now + visibility)
        else:
            await self._fifo.refresh(tx, queue, [group])
        return Taken([_after_receive(message, now) for message in good], more)

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
        await self._fifo.refresh(tx, queue, {m.group for m in messages if m.group is not None})
        await self._fifo.keep_attempt(tx, queue, attempt, messages, now + visibility, now)
        return messages


def _after_receive(message: Message, now: int) -> Message:
    first = now if message.first_received_at is None else message.first_received_at
    return message._replace(receives=message.receives + 1, first_received_at=first)
