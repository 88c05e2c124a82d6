"""Queues and messages in tables: one method for each question that the operations ask.

Queues are cached (they are looked up by every call). The cache is kept right thus: who changes a queue calls
`changed` as the last step of its transaction; from then until the commit the queue is read from the table by whoever
needs it (bodies of the same batch already see the change) and not cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from fogbank.services.sqs.errors import QueueDoesNotExistError
from fogbank.services.sqs.model import Counts, Message, Outgoing, Queue, QueueKey
from fogbank.storage import Row, Tx

MAX_CACHED_QUEUES = 10_000
COUNT_PAGE = 20_000
"""Messages that are counted in one go; more are counted in several, with others' work between."""

_decode_map = msgspec.json.Decoder(dict[str, str]).decode
_encode = msgspec.json.encode

_QUEUE_COLUMNS = "id, backlog, account, region, name, attributes, tags, created_at, modified_at, purged_at"
FIND_QUEUE = f"SELECT {_QUEUE_COLUMNS} FROM sqs_queues WHERE account = $1 AND region = $2 AND name = $3"  # noqa: S608
LIST_QUEUES = """
SELECT name FROM sqs_queues WHERE account = $1 AND region = $2 AND name >= $3 AND name < $4 AND name > $5
ORDER BY name LIMIT $6
"""
LIST_SOURCES = """
SELECT account, region, name FROM sqs_queues WHERE dead_letter_arn = $1 AND account = $2 AND region = $3 AND name > $4
ORDER BY name LIMIT $5
"""
ALL_QUEUES = f"SELECT {_QUEUE_COLUMNS} FROM sqs_queues WHERE id > $1 ORDER BY id LIMIT $2"  # noqa: S608
INSERT_QUEUE = """
INSERT INTO sqs_queues (account, region, name, backlog, attributes, tags, dead_letter_arn, fifo, retention, created_at,
    modified_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
"""
UPDATE_QUEUE = """
UPDATE sqs_queues SET attributes = $2, dead_letter_arn = $3, retention = $4, modified_at = $5 WHERE id = $1
"""
SHORTEST_RETENTION = "SELECT MIN(retention) FROM sqs_queues"
ANY_FIFO = "SELECT 1 FROM sqs_queues WHERE fifo = 1 LIMIT 1"
UPDATE_TAGS = "UPDATE sqs_queues SET tags = $2 WHERE id = $1"
UPDATE_BACKLOG = "UPDATE sqs_queues SET backlog = $2, purged_at = $3 WHERE id = $1"
DELETE_QUEUE = "DELETE FROM sqs_queues WHERE id = $1"

INSERT_BACKLOG = "INSERT INTO sqs_backlogs (dropped_at) VALUES (NULL) RETURNING id"
DROP_BACKLOG = "UPDATE sqs_backlogs SET dropped_at = $2 WHERE id = $1"

INSERT_MESSAGE = """
INSERT INTO sqs_messages (backlog, visible_at, receives, sent_at, message_id, body_md5, sender, trace, tenant,
    attributes, body)
VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9, $10)
"""
MESSAGE_COLUMNS = (
    "sequence, message_id, body, body_md5, receives, sent_at, first_received_at, sender, attributes, trace, "
    "COALESCE(fifo_group, tenant), deduplication, source"
)
# A SELECT and an UPDATE by key cost two thirds of one UPDATE … WHERE sequence IN (SELECT …) RETURNING.
VISIBLE = f"""
SELECT {MESSAGE_COLUMNS} FROM sqs_messages WHERE backlog = $1 AND visible_at <= $2
ORDER BY visible_at, sequence LIMIT $3 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - the columns are a constant
TAKE = """
UPDATE sqs_messages SET visible_at = $2, receives = receives + 1, received_at = $3,
    first_received_at = COALESCE(first_received_at, $3)
WHERE sequence = $1
"""
NEXT_DUE = "SELECT visible_at FROM sqs_messages WHERE backlog = $1 AND visible_at > $2 ORDER BY visible_at LIMIT 1"
DELETE_MESSAGE = "DELETE FROM sqs_messages WHERE sequence = $1 AND backlog = $2 AND message_id = $3"
DELETE_SEQUENCE = "DELETE FROM sqs_messages WHERE sequence = $1"
FIND_MESSAGE = """
SELECT visible_at, receives, received_at, fifo_group FROM sqs_messages
WHERE sequence = $1 AND backlog = $2 AND message_id = $3 AND sent_at > $4
"""
HIDE_MESSAGE = "UPDATE sqs_messages SET visible_at = $2 WHERE sequence = $1"
RELEASE_MESSAGE = """
UPDATE sqs_messages SET visible_at = $2, receives = receives - 1 WHERE sequence = $1 AND receives = $3
"""
DEAD_LETTER = "UPDATE sqs_messages SET backlog = $2, visible_at = $3, source = $4 WHERE sequence = $1"
OLDEST = """
SELECT MIN(sent_at) FROM (
    SELECT sent_at FROM sqs_messages WHERE backlog = $1 ORDER BY visible_at, sequence LIMIT 1000
)
"""
FIRST_QUEUES = """
SELECT account, region, name FROM sqs_queues WHERE account > '' ORDER BY account, region, name LIMIT $1
"""
COUNT_IN_FLIGHT = "SELECT COUNT(*) FROM sqs_messages WHERE backlog = $1 AND visible_at > $2 AND receives > 0"
COUNT = """
SELECT COUNT(*), COUNT(*) FILTER (WHERE visible_at <= $2 AND sent_at > $3),
    COUNT(*) FILTER (WHERE visible_at > $2 AND receives > 0 AND sent_at > $3),
    COUNT(*) FILTER (WHERE visible_at > $2 AND receives = 0 AND sent_at > $3)
FROM (
    SELECT visible_at, receives, sent_at FROM sqs_messages
    WHERE backlog = $1 AND (visible_at, sequence) > ($4, $5) ORDER BY visible_at, sequence LIMIT $6
) AS page
"""
COUNT_BOUNDARY = """
SELECT visible_at, sequence FROM sqs_messages WHERE backlog = $1 AND (visible_at, sequence) > ($2, $3)
ORDER BY visible_at, sequence LIMIT 1 OFFSET $4
"""

AGES = """
SELECT visible_at, sequence, sent_at FROM sqs_messages WHERE backlog = $1 AND (visible_at, sequence) > ($2, $3)
ORDER BY visible_at, sequence LIMIT $4
"""
DELETE_EXPIRED = "DELETE FROM sqs_messages WHERE sequence = $1 AND sent_at <= $2 RETURNING fifo_group"
DROPPED_BACKLOGS = "SELECT id FROM sqs_backlogs WHERE dropped_at IS NOT NULL ORDER BY id LIMIT 100"
SWEEP_DROPPED = (
    "DELETE FROM sqs_messages WHERE sequence IN (SELECT sequence FROM sqs_messages WHERE backlog = $1 LIMIT $2)",
    "DELETE FROM sqs_groups WHERE backlog = $1 AND name IN (SELECT name FROM sqs_groups WHERE backlog = $1 LIMIT $2)",
    (
        "DELETE FROM sqs_deduplications WHERE backlog = $1 AND key IN "
        "(SELECT key FROM sqs_deduplications WHERE backlog = $1 LIMIT $2)"
    ),
    (
        "DELETE FROM sqs_receive_attempts WHERE backlog = $1 AND attempt IN "
        "(SELECT attempt FROM sqs_receive_attempts WHERE backlog = $1 LIMIT $2)"
    ),
)
FORGET_BACKLOG = "DELETE FROM sqs_backlogs WHERE id = $1"

START = (-1, -1)
"""Where counting and listing begin."""
LAST_NAME = "\U0010ffff"
"""Greater than any queue name."""


def _queue(row: Row) -> Queue:
    queue_id, backlog, account, region, name, attributes, tags, created_at, modified_at, purged_at = row
    return Queue(
        queue_id,
        backlog,
        QueueKey(account, region, name),
        _decode_map(attributes),
        _decode_map(tags),
        created_at,
        modified_at,
        purged_at,
    )


class SqsStorage:
    """The tables of queues and messages, and the cache of queues."""

    def __init__(self) -> None:
        self._cache: dict[QueueKey, Queue] = {}
        self._changing: dict[QueueKey, int] = {}

    # -- queues ----------------------------------------------

    def forget(self) -> None:
        """Drop the cache: the tables were emptied."""
        self._cache.clear()
        self._changing.clear()

    def cached(self, key: QueueKey) -> Queue | None:
        """The queue if it is cached: as it stood at the last commit."""
        return self._cache.get(key)

    async def find(self, tx: Tx, key: QueueKey) -> Queue | None:
        """The queue, or `None`."""
        queue = self._cache.get(key)
        if queue is not None:
            return queue
        row = await tx.fetch_one(FIND_QUEUE, *key)
        if row is None:
            return None
        queue = _queue(row)
        if key not in self._changing:
            if len(self._cache) >= MAX_CACHED_QUEUES:
                self._cache.clear()
            self._cache[key] = queue
        return queue

    async def get(self, tx: Tx, key: QueueKey) -> Queue:
        """The queue; `QueueDoesNotExistError` if there is none."""
        queue = self._cache.get(key) or await self.find(tx, key)
        if queue is None:
            raise QueueDoesNotExistError
        return queue

    def changed(self, tx: Tx, key: QueueKey) -> None:
        """To be called last in a transaction that changed a queue: forget it, and do not cache it until the commit."""
        self._cache.pop(key, None)
        self._changing[key] = self._changing.get(key, 0) + 1
        tx.after_commit(lambda: self._settled(key))

    def _settled(self, key: QueueKey) -> None:
        left = self._changing.get(key, 0) - 1
        if left > 0:
            self._changing[key] = left
        else:
            self._changing.pop(key, None)

    async def create(
        self, tx: Tx, key: QueueKey, attributes: Mapping[str, str], tags: Mapping[str, str], now: int
    ) -> None:
        """Make a queue with an empty backlog."""
        queue = Queue(0, await self._new_backlog(tx), key, attributes, tags, now, now)
        await tx.execute(
            INSERT_QUEUE,
            *key,
            queue.backlog,
            _encode(attributes).decode(),
            _encode(tags).decode(),
            queue.redrive.target if queue.redrive else None,
            int(queue.fifo),
            queue.retention,
            now,
        )
        self.changed(tx, key)

    async def set_attributes(self, tx: Tx, queue: Queue, attributes: Mapping[str, str], now: int) -> None:
        """Replace a queue's attributes."""
        after = replace(queue, kept=attributes)
        target = after.redrive.target if after.redrive else None
        await tx.execute(UPDATE_QUEUE, queue.id, _encode(attributes).decode(), target, after.retention, now)
        self.changed(tx, queue.key)

    async def set_tags(self, tx: Tx, queue: Queue, tags: Mapping[str, str]) -> None:
        """Replace a queue's tags."""
        await tx.execute(UPDATE_TAGS, queue.id, _encode(tags).decode())
        self.changed(tx, queue.key)

    async def purge(self, tx: Tx, queue: Queue, now: int) -> None:
        """Give a queue an empty backlog; the old one is dropped, to be swept."""
        await tx.execute(UPDATE_BACKLOG, queue.id, await self._new_backlog(tx), now)
        await tx.execute(DROP_BACKLOG, queue.backlog, now)
        self.changed(tx, queue.key)

    async def delete(self, tx: Tx, queue: Queue, now: int) -> None:
        """Delete a queue; its backlog is dropped, to be swept."""
        await tx.execute(DELETE_QUEUE, queue.id)
        await tx.execute(DROP_BACKLOG, queue.backlog, now)
        self.changed(tx, queue.key)

    async def _new_backlog(self, tx: Tx) -> int:
        row = await tx.fetch_one(INSERT_BACKLOG)
        assert row is not None, "RETURNING gives the row"
        return int(row[0])

    async def names(self, tx: Tx, account: str, region: str, prefix: str, after: str, limit: int) -> list[str]:
        """Names of queues that begin with `prefix`, in their order, behind `after`."""
        rows = await tx.fetch(LIST_QUEUES, account, region, prefix, prefix + LAST_NAME, after, limit)
        return [name for (name,) in rows]

    async def sources(self, tx: Tx, queue: Queue, after: str, limit: int) -> list[QueueKey]:
        """The queues whose dead-letter queue this is, behind `after`. They are of its account and region."""
        rows = await tx.fetch(LIST_SOURCES, queue.arn, queue.key.account, queue.key.region, after, limit)
        return [QueueKey(*row) for row in rows]

    async def shortest_retention(self, tx: Tx) -> int | None:
        """The shortest retention period of any queue, in milliseconds; `None` if there is no queue."""
        row = await tx.fetch_one(SHORTEST_RETENTION)
        return row[0] if row else None

    async def any_fifo(self, tx: Tx) -> bool:
        """Whether there is a FIFO queue."""
        return await tx.fetch_one(ANY_FIFO) is not None

    async def queues(self, tx: Tx, after: int, limit: int) -> list[Queue]:
        """All queues there are, in pages by id."""
        return [_queue(row) for row in await tx.fetch(ALL_QUEUES, after, limit)]

    # -- messages ----------------------------------------------

    async def send(
        self, tx: Tx, queue: Queue, message: Outgoing, message_id: str, sender: str | None, now: int
    ) -> None:
        """Add a message to a standard queue."""
        await tx.execute(INSERT_MESSAGE, *_values(queue, message, message_id, sender, now))

    async def send_many(
        self, tx: Tx, queue: Queue, messages: Iterable[tuple[Outgoing, str]], sender: str | None, now: int
    ) -> None:
        """Add messages, each with its id, to a standard queue."""
        await tx.execute_many(
            INSERT_MESSAGE, [_values(queue, message, message_id, sender, now) for message, message_id in messages]
        )

    async def visible(self, tx: Tx, queue: Queue, limit: int, now: int) -> list[Message]:
        """Visible messages of a standard queue, the longest visible first."""
        return [Message(*row) for row in await tx.fetch(VISIBLE, queue.backlog, now, limit)]

    async def take(self, tx: Tx, messages: Sequence[Message], until: int, now: int) -> None:
        """Count a receive of visible messages, and hide them until a moment."""
        if len(messages) == 1:
            await tx.execute(TAKE, messages[0].sequence, until, now)
        else:
            await tx.execute_many(TAKE, [(message.sequence, until, now) for message in messages])

    async def next_due(self, tx: Tx, queue: Queue, now: int) -> int | None:
        """When the next message of a standard queue becomes visible, if nothing else happens."""
        row = await tx.fetch_one(NEXT_DUE, queue.backlog, now)
        return row[0] if row else None

    async def delete_message(self, tx: Tx, queue: Queue, sequence: int, message_id: str) -> None:
        """Delete a message if it is there."""
        await tx.execute(DELETE_MESSAGE, sequence, queue.backlog, message_id)

    async def delete_messages(self, tx: Tx, queue: Queue, keys: Iterable[tuple[int, str]]) -> None:
        """Delete messages, each by sequence and id, that are there."""
        await tx.execute_many(DELETE_MESSAGE, [(sequence, queue.backlog, each) for sequence, each in keys])

    async def delete_sequences(self, tx: Tx, sequences: Sequence[int]) -> None:
        """Delete messages."""
        await tx.execute_many(DELETE_SEQUENCE, [(sequence,) for sequence in sequences])

    async def message_state(
        self, tx: Tx, queue: Queue, sequence: int, message_id: str, now: int
    ) -> tuple[int, int, int | None, str | None] | None:
        """Of a message that is kept: visible_at, receives, when it was last received, its FIFO group."""
        row = await tx.fetch_one(FIND_MESSAGE, sequence, queue.backlog, message_id, now - queue.retention)
        return (row[0], row[1], row[2], row[3]) if row else None

    async def hide(self, tx: Tx, sequence: int, until: int) -> None:
        """Hide a message until a moment."""
        await tx.execute(HIDE_MESSAGE, sequence, until)

    async def release(self, tx: Tx, messages: Sequence[Message], now: int) -> None:
        """Undo a receive whose answer nobody will get, unless the messages were received again since."""
        await tx.execute_many(RELEASE_MESSAGE, [(m.sequence, now, m.receives) for m in messages])

    async def dead_letter(self, tx: Tx, target: Queue, sequences: Sequence[int], source_arn: str, now: int) -> None:
        """Move messages to a standard dead-letter queue, where they are visible at once."""
        await tx.execute_many(DEAD_LETTER, [(sequence, target.backlog, now, source_arn) for sequence in sequences])

    async def in_flight(self, tx: Tx, queue: Queue, now: int) -> int:
        """How many messages are in flight."""
        row = await tx.fetch_one(COUNT_IN_FLIGHT, queue.backlog, now)
        return int(row[0]) if row else 0

    async def count(
        self, tx: Tx, queue: Queue, now: int, after: tuple[int, int]
    ) -> tuple[Counts, tuple[int, int] | None]:
        """Count up to a page of messages behind `after`; the place to go on from, if there are more."""
        row = await tx.fetch_one(COUNT, queue.backlog, now, now - queue.retention, *after, COUNT_PAGE)
        total, visible, in_flight, delayed = row or (0, 0, 0, 0)
        counts = Counts(visible, in_flight, delayed)
        if total < COUNT_PAGE:
            return counts, None
        boundary = await tx.fetch_one(COUNT_BOUNDARY, queue.backlog, *after, COUNT_PAGE - 1)
        return counts, (boundary[0], boundary[1]) if boundary else None

    async def oldest(self, tx: Tx, queue: Queue) -> int | None:
        """When the oldest message was sent, of those that are visible next; `None` if there are none."""
        row = await tx.fetch_one(OLDEST, queue.backlog)
        return None if row is None or row[0] is None else int(row[0])

    async def first_queues(self, tx: Tx, limit: int) -> list[QueueKey]:
        """Queues of all accounts and regions, the first by name."""
        return [QueueKey(*row) for row in await tx.fetch(FIRST_QUEUES, limit)]

    # -- sweeping ----------------------------------------------

    async def ages(self, tx: Tx, queue: Queue, after: tuple[int, int], limit: int) -> list[tuple[int, int, int]]:
        """A page of messages behind `after`: visible_at and sequence (the place to go on from), and sent_at."""
        return [(row[0], row[1], row[2]) for row in await tx.fetch(AGES, queue.backlog, *after, limit)]

    async def delete_expired(self, tx: Tx, sequences: Sequence[int], cutoff: int) -> set[str]:
        """Delete those of the messages that were sent by `cutoff`; the FIFO groups they were in."""
        groups = set()
        for sequence in sequences:
            row = await tx.fetch_one(DELETE_EXPIRED, sequence, cutoff)
            if row is not None and row[0] is not None:
                groups.add(row[0])
        return groups

    async def dropped_backlogs(self, tx: Tx) -> list[int]:
        """Backlogs that belong to no queue any more."""
        return [backlog for (backlog,) in await tx.fetch(DROPPED_BACKLOGS)]

    async def sweep_dropped(self, tx: Tx, backlog: int, limit: int) -> bool:
        """Delete some of what a dropped backlog holds; whether nothing is left."""
        for statement in SWEEP_DROPPED:
            if await tx.execute(statement, backlog, limit):
                return False
        await tx.execute(FORGET_BACKLOG, backlog)
        return True


def _values(queue: Queue, message: Outgoing, message_id: str, sender: str | None, now: int) -> tuple[object, ...]:
    delay = queue.delay if message.delay is None else message.delay
    return (
        queue.backlog,
        now + delay,
        now,
        message_id,
        message.body_md5,
        sender,
        message.trace,
        message.group,
        message.attributes,
        message.body,
    )
