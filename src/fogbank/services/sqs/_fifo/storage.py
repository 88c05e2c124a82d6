"""Message groups, deduplication ids and receive attempts in tables.

`sqs_groups` holds a row for each group that has messages, with the moment from which it can be received from; whatever
changes a group's first messages calls `refresh`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from fogbank.services.sqs.model import (
    DEDUPLICATION_INTERVAL,
    Message,
    Outgoing,
    Queue,
    deduplication_key,
)
from fogbank.services.sqs.storage import DELETE_SEQUENCE, MESSAGE_COLUMNS
from fogbank.storage import Tx

_decode_sequences = msgspec.json.Decoder(list[tuple[int, int]]).decode
_encode = msgspec.json.encode

FIND_DUPLICATE = """
SELECT message_id, sequence FROM sqs_deduplications WHERE backlog = $1 AND key = $2 AND expires_at > $3
"""
REMEMBER = """
INSERT INTO sqs_deduplications (backlog, key, expires_at, message_id, sequence) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (backlog, key) DO UPDATE SET expires_at = excluded.expires_at, message_id = excluded.message_id,
    sequence = excluded.sequence
"""
INSERT_MESSAGE = """
INSERT INTO sqs_messages (backlog, visible_at, receives, sent_at, message_id, body_md5, sender, trace, fifo_group,
    deduplication, attributes, body)
VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING sequence
"""
OPEN_GROUP = """
INSERT INTO sqs_groups (backlog, name, open_at) VALUES ($1, $2, $3) ON CONFLICT (backlog, name) DO NOTHING
"""
SET_GROUP = """
INSERT INTO sqs_groups (backlog, name, open_at) VALUES ($1, $2, $3)
ON CONFLICT (backlog, name) DO UPDATE SET open_at = excluded.open_at
"""
FORGET_GROUP = "DELETE FROM sqs_groups WHERE backlog = $1 AND name = $2"
OPEN_GROUPS = """
SELECT name FROM sqs_groups WHERE backlog = $1 AND open_at <= $2 ORDER BY open_at, name LIMIT $3
FOR UPDATE SKIP LOCKED
"""
NEXT_OPEN = "SELECT open_at FROM sqs_groups WHERE backlog = $1 AND open_at > $2 ORDER BY open_at LIMIT 1"
GROUP_HEAD = """
SELECT visible_at FROM sqs_messages WHERE backlog = $1 AND fifo_group = $2 ORDER BY sequence LIMIT 1
"""
GROUP_MESSAGES = f"""
SELECT visible_at, {MESSAGE_COLUMNS} FROM sqs_messages WHERE backlog = $1 AND fifo_group = $2 ORDER BY sequence LIMIT $3
"""  # noqa: S608 - the columns are a constant
MESSAGES_BY_SEQUENCE = f"""
SELECT visible_at, {MESSAGE_COLUMNS} FROM sqs_messages WHERE sequence = $1 AND backlog = $2
"""  # noqa: S608 - the columns are a constant
COPY_DEAD_LETTER = """
INSERT INTO sqs_messages (backlog, visible_at, receives, sent_at, received_at, first_received_at, message_id, body_md5,
    sender, trace, tenant, fifo_group, deduplication, source, attributes, body)
SELECT $2, $3, receives, $3, received_at, first_received_at, message_id, body_md5, sender, trace, tenant, fifo_group,
    deduplication, $4, attributes, body
FROM sqs_messages WHERE sequence = $1
"""
FIND_ATTEMPT = """
SELECT visible_at, sequences FROM sqs_receive_attempts WHERE backlog = $1 AND attempt = $2 AND expires_at > $3
"""
KEEP_ATTEMPT = """
INSERT INTO sqs_receive_attempts (backlog, attempt, expires_at, visible_at, sequences) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (backlog, attempt) DO UPDATE SET expires_at = excluded.expires_at, visible_at = excluded.visible_at,
    sequences = excluded.sequences
"""
SWEEP = (
    (
        "DELETE FROM sqs_deduplications WHERE (backlog, key) IN "
        "(SELECT backlog, key FROM sqs_deduplications WHERE expires_at <= $1 LIMIT $2)"
    ),
    (
        "DELETE FROM sqs_receive_attempts WHERE (backlog, attempt) IN "
        "(SELECT backlog, attempt FROM sqs_receive_attempts WHERE expires_at <= $1 LIMIT $2)"
    ),
)


class FifoStorage:
    """The tables of FIFO queues."""

    async def send(
        self, tx: Tx, queue: Queue, message: Outgoing, message_id: str, sender: str | None, now: int
    ) -> tuple[str, int]:
        """Add a message unless it is a duplicate; the id and sequence under which it, or its original, is known."""
        assert message.group is not None and message.deduplication is not None, "checked before"  # noqa: PT018
        key = deduplication_key(queue, message.deduplication, message.group)
        original = await tx.fetch_one(FIND_DUPLICATE, queue.backlog, key, now)
        if original is None and key != message.deduplication:  # sent before the scope became the message group
            original = await tx.fetch_one(FIND_DUPLICATE, queue.backlog, message.deduplication, now)
        if original is not None:
            return original[0], original[1]
        visible_at = now + queue.delay
        row = await tx.fetch_one(
            INSERT_MESSAGE,
            queue.backlog,
            visible_at,
            now,
            message_id,
            message.body_md5,
            sender,
            message.trace,
            message.group,
            message.deduplication,
            message.attributes,
            message.body,
        )
        assert row is not None, "RETURNING gives the row"
        await tx.execute(OPEN_GROUP, queue.backlog, message.group, visible_at)
        await tx.execute(REMEMBER, queue.backlog, key, now + DEDUPLICATION_INTERVAL, message_id, row[0])
        return message_id, row[0]

    async def open_groups(self, tx: Tx, queue: Queue, limit: int, now: int) -> list[str]:
        """Groups that can be received from, the longest open first."""
        return [name for (name,) in await tx.fetch(OPEN_GROUPS, queue.backlog, now, limit)]

    async def next_open(self, tx: Tx, queue: Queue, now: int) -> int | None:
        """When the next group opens, if nothing else happens."""
        row = await tx.fetch_one(NEXT_OPEN, queue.backlog, now)
        return row[0] if row else None

    async def head(self, tx: Tx, queue: Queue, group: str, limit: int, now: int) -> list[Message]:
        """The first messages of an open group that are visible, in their order."""
        visible = []
        for row in await tx.fetch(GROUP_MESSAGES, queue.backlog, group, limit):
            if row[0] > now:
                break
            visible.append(Message(*row[1:]))
        return visible

    async def close_group(self, tx: Tx, queue: Queue, group: str, until: int) -> None:
        """Close a group from which messages were taken, until a moment."""
        await tx.execute(SET_GROUP, queue.backlog, group, until)

    async def refresh(self, tx: Tx, queue: Queue, groups: Iterable[str]) -> None:
        """Work out anew when groups open: their first messages have changed."""
        for group in groups:
            head = await tx.fetch_one(GROUP_HEAD, queue.backlog, group)
            if head is None:
                await tx.execute(FORGET_GROUP, queue.backlog, group)
            else:
                await tx.execute(SET_GROUP, queue.backlog, group, head[0])

    async def dead_letter(self, tx: Tx, target: Queue, messages: Sequence[Message], source_arn: str, now: int) -> None:
        """Move messages to a FIFO dead-letter queue: to the end of their groups there, with a new enqueue time."""
        for message in messages:
            await tx.execute(COPY_DEAD_LETTER, message.sequence, target.backlog, now, source_arn)
            await tx.execute(DELETE_SEQUENCE, message.sequence)
            await tx.execute(OPEN_GROUP, target.backlog, message.group, now)

    async def attempt(self, tx: Tx, queue: Queue, attempt: str, now: int) -> tuple[int, list[tuple[int, int]]] | None:
        """What an earlier receive with this attempt id took: until when, and each message's sequence and receives."""
        row = await tx.fetch_one(FIND_ATTEMPT, queue.backlog, attempt, now)
        return (row[0], _decode_sequences(row[1])) if row else None

    async def keep_attempt(
        self, tx: Tx, queue: Queue, attempt: str, messages: Sequence[Message], until: int, now: int
    ) -> None:
        """Remember what a receive with an attempt id took."""
        taken = _encode([(message.sequence, message.receives) for message in messages]).decode()
        await tx.execute(KEEP_ATTEMPT, queue.backlog, attempt, now + DEDUPLICATION_INTERVAL, until, taken)

    async def message(self, tx: Tx, queue: Queue, sequence: int) -> tuple[int, Message] | None:
        """A message and its visible_at."""
        row = await tx.fetch_one(MESSAGES_BY_SEQUENCE, sequence, queue.backlog)
        return (row[0], Message(*row[1:])) if row else None

    async def sweep(self, tx: Tx, now: int, limit: int) -> int:
        """Forget some expired deduplication ids and receive attempts; how many."""
        return sum([await tx.execute(statement, now, limit) for statement in SWEEP])
