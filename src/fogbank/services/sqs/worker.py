"""What SQS does on its own: sweeping away what nobody can see any more, and moving messages for move tasks.

Neither polls. The sweeper wakes when queues change and at the next moment at which something may be due; what it has
not swept yet is invisible already. The mover wakes when a task is started or cancelled, and when a task's rate allows
the next step; a task goes on after a restart where its last transaction left it.
"""

from __future__ import annotations

from dataclasses import replace

from fogbank.services.kit import Kit
from fogbank.services.sqs._fifo.storage import FifoStorage
from fogbank.services.sqs._moves.model import FailureReason, MoveTask, Status, pause_after, queue_of
from fogbank.services.sqs._moves.storage import MoveStorage
from fogbank.services.sqs.model import DEDUPLICATION_INTERVAL, Queue
from fogbank.services.sqs.storage import START, SqsStorage
from fogbank.storage import Tx

QUEUES_TOPIC = "sqs.queues"
MOVES_TOPIC = "sqs.moves"

_CHUNK = 500
_PAGE = 5_000
_SHORTEST_PAUSE = 60_000
"""Milliseconds between two sweeps of expired messages, at the least."""


class Sweeper:
    """Deletes messages past their retention, what purged and deleted queues held, and expired deduplication ids."""

    def __init__(self, kit: Kit, store: SqsStorage, fifo: FifoStorage) -> None:
        self._kit = kit
        self._store = store
        self._fifo = fifo
        self._retention_due: int | None = None

    async def run(self) -> None:
        """Sweep whenever there is a reason to."""
        with self._kit.storage.subscribe(QUEUES_TOPIC) as wakeup:
            while True:
                due = await self.sweep()
                await wakeup.wait(None if due is None else due / 1000)

    async def sweep(self) -> int | None:
        """Sweep what there is; when to sweep again, in milliseconds, or `None` if only a change can give cause."""
        await self._sweep_dropped()
        shortest = await self._kit.storage.read(self._store.shortest_retention)
        if shortest is None:
            self._retention_due = None
            return None
        now = self._kit.clock.millis()
        if self._retention_due is not None and now >= self._retention_due:
            for queue in await self._queues():
                await self._sweep_expired(queue)
            self._retention_due = None
        # A quarter of the shortest retention keeps what is swept late to a quarter of what is kept anyway.
        pause = max(_SHORTEST_PAUSE, shortest // 4)
        self._retention_due = min(self._retention_due or now + pause, now + pause)
        if not await self._kit.storage.read(self._store.any_fifo):
            return self._retention_due
        while await self._kit.storage.transact(lambda tx: self._fifo.sweep(tx, now, _CHUNK)):
            pass
        return min(self._retention_due, now + DEDUPLICATION_INTERVAL)

    async def _queues(self) -> list[Queue]:
        found: list[Queue] = []
        while True:
            after = found[-1].id if found else 0
            page = await self._kit.storage.read(lambda tx: self._store.queues(tx, after, _PAGE))  # noqa: B023
            found += page
            if len(page) < _PAGE:
                return found

    async def _sweep_dropped(self) -> None:
        while backlogs := await self._kit.storage.read(self._store.dropped_backlogs):
            for backlog in backlogs:
                while not await self._kit.storage.transact(
                    lambda tx: self._store.sweep_dropped(tx, backlog, _CHUNK)  # noqa: B023
                ):
                    pass

    async def _sweep_expired(self, queue: Queue) -> None:
        cutoff = self._kit.clock.millis() - queue.retention
        place = START
        while True:
            page = await self._kit.storage.read(lambda tx: self._store.ages(tx, queue, place, _PAGE))  # noqa: B023
            expired = [sequence for _, sequence, sent_at in page if sent_at <= cutoff]
            for start in range(0, len(expired), _CHUNK):
                await self._delete_expired(queue, expired[start : start + _CHUNK], cutoff)
            if len(page) < _PAGE:
                return
            place = page[-1][:2]
            await self._kit.clock.sleep(0)

    async def _delete_expired(self, queue: Queue, sequences: list[int], cutoff: int) -> None:
        async def body(tx: Tx) -> None:
            groups = await self._store.delete_expired(tx, sequences, cutoff)
            await self._fifo.refresh(tx, queue, groups)

        await self._kit.storage.transact(body)


class Mover:
    """Carries out move tasks, one step of one task at a time."""

    def __init__(self, kit: Kit, store: SqsStorage, fifo: FifoStorage, moves: MoveStorage) -> None:
        self._kit = kit
        self._store = store
        self._fifo = fifo
        self._moves = moves

    async def run(self) -> None:
        """Step whenever a task's turn has come."""
        with self._kit.storage.subscribe(MOVES_TOPIC) as wakeup:
            while True:
                task = await self._kit.storage.read(self._moves.next)
                if task is None:
                    await wakeup.wait()
                elif task.next_at > self._kit.clock.millis():
                    await wakeup.wait(task.next_at / 1000)
                else:
                    await self._kit.storage.transact(self._step)

    async def _step(self, tx: Tx) -> None:
        """One step of the task whose turn it is; everything is read anew, for it may have been cancelled."""
        now = self._kit.clock.millis()
        task = await self._moves.next(tx)
        if task is None or task.next_at > now:
            return
        if task.status is Status.CANCELLING:
            await self._moves.update(tx, replace(task, status=Status.CANCELLED))
            return
        source = await self._store.find(tx, queue_of("SourceArn", task.source_arn))
        if source is None:
            await self._fail(tx, task, FailureReason.NO_QUEUE)
            return
        await self._move(tx, task, source, now)

    async def _move(self, tx: Tx, task: MoveTask, source: Queue, now: int) -> None:
        messages = await self._moves.visible(tx, source, task.step, now) if task.step else []
        moved, groups = 0, set()
        failure: FailureReason | None = None
        for sequence, came_from, group in messages:
            arn = task.destination_arn or came_from
            if arn is None:
                failure = FailureReason.NO_SOURCE
                break
            destination = await self._store.find(tx, queue_of("DestinationArn", arn))
            if destination is None:
                failure = FailureReason.NO_QUEUE
                break
            await self._moves.move(tx, sequence, group, destination, self._kit.ids.uuid(), now)
            tx.wake(destination.topic)
            moved += 1
            if group is not None:
                groups.add(group)
        await self._fifo.refresh(tx, source, groups)
        task = replace(task, moved=task.moved + moved, next_at=now + pause_after(moved, task.rate))
        if failure is not None:
            await self._fail(tx, task, failure)
            return
        finished = task.moved >= task.to_move or not messages
        await self._moves.update(tx, replace(task, status=Status.COMPLETED) if finished else task)

    async def _fail(self, tx: Tx, task: MoveTask, reason: FailureReason) -> None:
        await self._moves.update(tx, replace(task, status=Status.FAILED, failure=reason.value))
