"""Move tasks in a table, and the moving of messages."""

from __future__ import annotations

from fogbank.services.sqs._fifo.storage import OPEN_GROUP
from fogbank.services.sqs._moves.model import MAXIMUM_LISTED, MoveTask, Status
from fogbank.services.sqs.model import Queue
from fogbank.services.sqs.storage import DELETE_SEQUENCE
from fogbank.storage import Row, Tx

_COLUMNS = "id, handle, source_arn, destination_arn, rate, status, moved, to_move, next_at, failure, started_at"
FIND_TASK = f"SELECT {_COLUMNS} FROM sqs_move_tasks WHERE handle = $1"  # noqa: S608
LIST_TASKS = f"""
SELECT {_COLUMNS} FROM sqs_move_tasks WHERE source_arn = $1 ORDER BY id DESC LIMIT $2
"""  # noqa: S608 - the columns are a constant
NEXT_TASK = f"""
SELECT {_COLUMNS} FROM sqs_move_tasks WHERE status IN ('RUNNING', 'CANCELLING') ORDER BY next_at LIMIT 1
FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - the columns are a constant
ACTIVE_TASK = """
SELECT 1 FROM sqs_move_tasks WHERE source_arn = $1 AND status IN ('RUNNING', 'CANCELLING') LIMIT 1
"""
INSERT_TASK = """
INSERT INTO sqs_move_tasks (handle, source_arn, destination_arn, rate, status, moved, to_move, next_at, started_at)
VALUES ($1, $2, $3, $4, 'RUNNING', 0, $5, $6, $6)
"""
UPDATE_TASK = "UPDATE sqs_move_tasks SET status = $2, moved = $3, next_at = $4, failure = $5 WHERE id = $1"
FORGET_OLD = """
DELETE FROM sqs_move_tasks WHERE source_arn = $1 AND id NOT IN (
    SELECT id FROM sqs_move_tasks WHERE source_arn = $1 ORDER BY id DESC LIMIT $2
)
"""
COUNT_VISIBLE = """
SELECT COUNT(*) FROM sqs_messages WHERE backlog = $1 AND visible_at <= $2 AND sent_at > $3
"""
VISIBLE = """
SELECT sequence, source, fifo_group FROM sqs_messages WHERE backlog = $1 AND visible_at <= $2 AND sent_at > $3
ORDER BY visible_at, sequence LIMIT $4 FOR UPDATE SKIP LOCKED
"""
COPY_MOVED = """
INSERT INTO sqs_messages (backlog, visible_at, receives, sent_at, message_id, body_md5, sender, trace, tenant,
    fifo_group, deduplication, attributes, body)
SELECT $2, $3, 0, $4, $5, body_md5, sender, trace, tenant, fifo_group, deduplication, attributes, body
FROM sqs_messages WHERE sequence = $1
"""


def _task(row: Row) -> MoveTask:
    values = list(row)
    values[5] = Status(values[5])
    return MoveTask(*values)


class MoveStorage:
    """The table of move tasks."""

    async def find(self, tx: Tx, handle: str) -> MoveTask | None:
        """The task of this handle."""
        row = await tx.fetch_one(FIND_TASK, handle)
        return _task(row) if row else None

    async def latest(self, tx: Tx, source_arn: str, limit: int) -> list[MoveTask]:
        """A source queue's tasks, the newest first."""
        return [_task(row) for row in await tx.fetch(LIST_TASKS, source_arn, limit)]

    async def next(self, tx: Tx) -> MoveTask | None:
        """The active task whose turn is next."""
        row = await tx.fetch_one(NEXT_TASK)
        return _task(row) if row else None

    async def is_active(self, tx: Tx, source_arn: str) -> bool:
        """Whether messages of this queue are being moved."""
        return await tx.fetch_one(ACTIVE_TASK, source_arn) is not None

    async def start(
        self, tx: Tx, handle: str, source: Queue, destination_arn: str | None, rate: int | None, now: int
    ) -> None:
        """Begin a task, and forget those that are too old to be listed."""
        row = await tx.fetch_one(COUNT_VISIBLE, source.backlog, now, now - source.retention)
        to_move = row[0] if row else 0
        await tx.execute(INSERT_TASK, handle, source.arn, destination_arn, rate, to_move, now)
        await tx.execute(FORGET_OLD, source.arn, MAXIMUM_LISTED)

    async def update(self, tx: Tx, task: MoveTask) -> None:
        """Write what changes of a task."""
        await tx.execute(UPDATE_TASK, task.id, task.status.value, task.moved, task.next_at, task.failure)

    async def visible(self, tx: Tx, source: Queue, limit: int, now: int) -> list[tuple[int, str | None, str | None]]:
        """Messages that can be moved: sequence, the queue they came from, FIFO group."""
        rows = await tx.fetch(VISIBLE, source.backlog, now, now - source.retention, limit)
        return [(row[0], row[1], row[2]) for row in rows]

    async def move(
        self, tx: Tx, sequence: int, group: str | None, destination: Queue, message_id: str, now: int
    ) -> None:
        """Move a message: in its destination it is a new one."""
        visible_at = now + destination.delay
        await tx.execute(COPY_MOVED, sequence, destination.backlog, visible_at, now, message_id)
        await tx.execute(DELETE_SEQUENCE, sequence)
        if group is not None:
            await tx.execute(OPEN_GROUP, destination.backlog, group, visible_at)
