"""DynamoDB's rows. Each method is one question; each takes the transaction that it is asked in.

Ranges are half-open, from `low` up to, not including, `high`: see `_values/keys.py` for why that is enough. A
page of an index goes on after a position that has the item's own key in it, since index keys are not unique.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.dynamodb.model import Definition, Location, Table
from fogbank.storage import Row, Tx

END = b"\xff" * 2200
"""Greater than every stored key: longer than the longest that is nothing but FF."""

_encode = msgspec.json.Encoder().encode
_decode_definition = msgspec.json.Decoder(Definition).decode

_TABLE = "SELECT id, definition FROM dynamodb_tables WHERE account = $1 AND region = $2 AND name = $3"
_TABLE_BY_ID = "SELECT id, account, region, definition FROM dynamodb_tables WHERE id = $1"
_TABLE_NAMES = """
SELECT name FROM dynamodb_tables WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4
"""
_COUNT_TABLES = "SELECT COUNT(*) FROM dynamodb_tables WHERE account = $1 AND region = $2"
_INSERT_TABLE = """
INSERT INTO dynamodb_tables (account, region, name, definition) VALUES ($1, $2, $3, $4) RETURNING id
"""
_UPDATE_TABLE = "UPDATE dynamodb_tables SET definition = $1 WHERE id = $2"
_DELETE_TABLE = "DELETE FROM dynamodb_tables WHERE id = $1"

_GET = "SELECT item, size FROM dynamodb_items WHERE table_id = $1 AND partition_key = $2 AND sort_key = $3"
_PUT = """
INSERT INTO dynamodb_items (table_id, partition_key, sort_key, item, size, expires)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (table_id, partition_key, sort_key)
DO UPDATE SET item = excluded.item, size = excluded.size, expires = excluded.expires
"""
_DELETE = "DELETE FROM dynamodb_items WHERE table_id = $1 AND partition_key = $2 AND sort_key = $3"
_PUT_INDEXED = """
INSERT INTO dynamodb_index_items
    (table_id, index_number, partition_key, sort_key, item_partition, item_sort, item, size)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (table_id, index_number, partition_key, sort_key, item_partition, item_sort)
DO UPDATE SET item = excluded.item, size = excluded.size
"""
_DELETE_INDEXED = """
DELETE FROM dynamodb_index_items
WHERE table_id = $1 AND index_number = $2 AND partition_key = $3 AND sort_key = $4
  AND item_partition = $5 AND item_sort = $6
"""
_QUERY = """
SELECT item, size, partition_key, sort_key, partition_key, sort_key FROM dynamodb_items
WHERE table_id = $1 AND partition_key = $2 AND sort_key >= $3 AND sort_key < $4 ORDER BY sort_key LIMIT $5
"""
_QUERY_BACK = """
SELECT item, size, partition_key, sort_key, partition_key, sort_key FROM dynamodb_items
WHERE table_id = $1 AND partition_key = $2 AND sort_key >= $3 AND sort_key < $4 ORDER BY sort_key DESC LIMIT $5
"""
_QUERY_INDEX = """
SELECT item, size, partition_key, sort_key, item_partition, item_sort FROM dynamodb_index_items
WHERE table_id = $1 AND index_number = $2 AND partition_key = $3
  AND (sort_key, item_partition, item_sort) > ($4, $5, $6) AND sort_key < $7
ORDER BY sort_key, item_partition, item_sort LIMIT $8
"""
_QUERY_INDEX_BACK = """
SELECT item, size, partition_key, sort_key, item_partition, item_sort FROM dynamodb_index_items
WHERE table_id = $1 AND index_number = $2 AND partition_key = $3
  AND (sort_key, item_partition, item_sort) < ($4, $5, $6) AND sort_key >= $7
ORDER BY sort_key DESC, item_partition DESC, item_sort DESC LIMIT $8
"""
_SCAN = """
SELECT item, size, partition_key, sort_key, partition_key, sort_key FROM dynamodb_items
WHERE table_id = $1 AND (partition_key, sort_key) > ($2, $3) AND partition_key < $4
ORDER BY partition_key, sort_key LIMIT $5
"""
_SCAN_INDEX = """
SELECT item, size, partition_key, sort_key, item_partition, item_sort FROM dynamodb_index_items
WHERE table_id = $1 AND index_number = $2
  AND (partition_key, sort_key, item_partition, item_sort) > ($3, $4, $5, $6) AND partition_key < $7
ORDER BY partition_key, sort_key, item_partition, item_sort LIMIT $8
"""
_STATISTICS = "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM dynamodb_items WHERE table_id = $1"
_INDEX_STATISTICS = """
SELECT COUNT(*), COALESCE(SUM(size), 0) FROM dynamodb_index_items WHERE table_id = $1 AND index_number = $2
"""
_COLLECTION_SIZE = """
SELECT COALESCE(SUM(size), 0) FROM dynamodb_items WHERE table_id = $1 AND partition_key = $2
"""
_INDEX_COLLECTION_SIZE = """
SELECT COALESCE(SUM(size), 0) FROM dynamodb_index_items
WHERE table_id = $1 AND index_number = $2 AND partition_key = $3
"""
_NEXT_EXPIRY = "SELECT MIN(expires) FROM dynamodb_items WHERE expires > $1"
_EXPIRED = """
SELECT table_id, partition_key, sort_key, item FROM dynamodb_items
WHERE expires > $1 AND expires <= $2 ORDER BY expires LIMIT $3
"""
_SET_EXPIRY = """
UPDATE dynamodb_items SET expires = $1 WHERE table_id = $2 AND partition_key = $3 AND sort_key = $4
"""
_PURGE_ITEMS = """
DELETE FROM dynamodb_items WHERE table_id = $1 AND (partition_key, sort_key) <= ($2, $3)
"""
_NTH_ITEM = """
SELECT partition_key, sort_key FROM dynamodb_items WHERE table_id = $1
ORDER BY partition_key, sort_key LIMIT 1 OFFSET $2
"""
_NTH_INDEXED = """
SELECT partition_key, sort_key FROM dynamodb_index_items WHERE table_id = $1 AND index_number = $2
ORDER BY partition_key, sort_key LIMIT 1 OFFSET $3
"""
_PURGE_INDEXED = """
DELETE FROM dynamodb_index_items
WHERE table_id = $1 AND index_number = $2 AND (partition_key, sort_key) <= ($3, $4)
"""
_ADD_CHORE = """
INSERT INTO dynamodb_chores (kind, table_id, index_number, cursor_partition, cursor_sort)
VALUES ($1, $2, $3, $4, $4)
"""
_NEXT_CHORE = """
SELECT id, kind, table_id, index_number, cursor_partition, cursor_sort FROM dynamodb_chores ORDER BY id LIMIT 1
"""
_MOVE_CHORE = "UPDATE dynamodb_chores SET cursor_partition = $1, cursor_sort = $2 WHERE id = $3"
_END_CHORE = "DELETE FROM dynamodb_chores WHERE id = $1"
_DROP_CHORES = "DELETE FROM dynamodb_chores WHERE kind = $1 AND table_id = $2 AND index_number = $3"

_FIND_REPLY = """
SELECT digest, reply FROM dynamodb_tokens WHERE account = $1 AND region = $2 AND token = $3 AND expires > $4
"""
_KEEP_REPLY = """
INSERT INTO dynamodb_tokens (account, region, token, digest, reply, expires) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, region, token)
DO UPDATE SET digest = excluded.digest, reply = excluded.reply, expires = excluded.expires
"""
_FORGET_TOKENS = "DELETE FROM dynamodb_tokens WHERE expires <= $1"


@dataclass(frozen=True, slots=True)
class StoredItem:
    """A row of a table or an index: the item's bytes, its size, where it is, and where the item itself is."""

    item: bytes
    size: int
    place: Location
    home: Location


@dataclass(frozen=True, slots=True)
class Chore:
    """Something that the worker has to do, and how far it has come."""

    id: int
    kind: str
    table: int
    index: int
    cursor: Location


def _stored(rows: Sequence[Row]) -> list[StoredItem]:
    return [
        StoredItem(item, size, Location(partition, sort), Location(item_partition, item_sort))
        for item, size, partition, sort, item_partition, item_sort in rows
    ]


class Tables:
    """Table definitions."""

    async def find(self, tx: Tx, scope: Scope, name: str) -> Table | None:
        """The table of that name."""
        row = await tx.fetch_one(_TABLE, scope.account, scope.region, name)
        return None if row is None else Table(row[0], scope, _decode_definition(row[1]))

    async def by_id(self, tx: Tx, identity: int) -> Table | None:
        """The table with that identity, whatever its name."""
        row = await tx.fetch_one(_TABLE_BY_ID, identity)
        return None if row is None else Table(row[0], Scope(row[1], row[2]), _decode_definition(row[3]))

    async def names(self, tx: Tx, scope: Scope, after: str, limit: int) -> list[str]:
        """Names in order, those after `after`."""
        return [name for (name,) in await tx.fetch(_TABLE_NAMES, scope.account, scope.region, after, limit)]

    async def count(self, tx: Tx, scope: Scope) -> int:
        """How many tables the scope has."""
        row = await tx.fetch_one(_COUNT_TABLES, scope.account, scope.region)
        return 0 if row is None else int(row[0])

    async def insert(self, tx: Tx, scope: Scope, definition: Definition) -> Table:
        """Add a table; the name must be free."""
        data = _encode(definition)
        rows = await tx.fetch(_INSERT_TABLE, scope.account, scope.region, definition.name, data)
        return Table(rows[0][0], scope, definition)

    async def update(self, tx: Tx, table: Table, definition: Definition) -> Table:
        """Give a table another definition."""
        await tx.execute(_UPDATE_TABLE, _encode(definition), table.id)
        return Table(table.id, table.scope, definition)

    async def delete(self, tx: Tx, table: Table) -> None:
        """Remove a table; its items are the worker's to purge."""
        await tx.execute(_DELETE_TABLE, table.id)

    async def statistics(self, tx: Tx, table: Table) -> tuple[int, int]:
        """How many items a table has, and their size."""
        row = await tx.fetch_one(_STATISTICS, table.id)
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    async def index_statistics(self, tx: Tx, table: Table, index: int) -> tuple[int, int]:
        """How many items an index has, and their size."""
        row = await tx.fetch_one(_INDEX_STATISTICS, table.id, index)
        return (0, 0) if row is None else (int(row[0]), int(row[1]))


class Items:
    """Items, and what indexes have of them."""

    async def get(self, tx: Tx, table: int, at: Location) -> tuple[bytes, int] | None:
        """An item's bytes and size."""
        row = await tx.fetch_one(_GET, table, at.partition, at.sort)
        return None if row is None else (row[0], row[1])

    async def put(self, tx: Tx, table: int, at: Location, item: bytes, size: int, expires: int | None) -> None:
        """Store an item in the place of what may be there."""
        await tx.execute(_PUT, table, at.partition, at.sort, item, size, expires)

    async def delete(self, tx: Tx, table: int, at: Location) -> None:
        """Remove an item, if it is there."""
        await tx.execute(_DELETE, table, at.partition, at.sort)

    async def put_indexed(
        self, tx: Tx, table: int, index: int, at: Location, home: Location, item: bytes, size: int
    ) -> None:
        """Store what an index has of the item at `home`."""
        await tx.execute(_PUT_INDEXED, table, index, at.partition, at.sort, home.partition, home.sort, item, size)

    async def delete_indexed(self, tx: Tx, table: int, index: int, at: Location, home: Location) -> None:
        """Remove what an index has of the item at `home`."""
        await tx.execute(_DELETE_INDEXED, table, index, at.partition, at.sort, home.partition, home.sort)

    async def query(
        self, tx: Tx, table: int, partition: bytes, low: bytes, high: bytes, limit: int, *, forward: bool
    ) -> list[StoredItem]:
        """Items of one partition whose sort keys are in a range, in order or in reverse."""
        sql = _QUERY if forward else _QUERY_BACK
        return _stored(await tx.fetch(sql, table, partition, low, high, limit))

    async def query_index(
        self, tx: Tx, table: int, index: int, partition: bytes, start: tuple[bytes, bytes, bytes],
        bound: bytes, limit: int, *, forward: bool,
    ) -> list[StoredItem]:  # fmt: skip
        """What an index has in one partition, from after `start` to `bound` (forward: excluded, else included)."""
        sql = _QUERY_INDEX if forward else _QUERY_INDEX_BACK
        return _stored(await tx.fetch(sql, table, index, partition, *start, bound, limit))

    async def scan(self, tx: Tx, table: int, start: Location, end: bytes, limit: int) -> list[StoredItem]:
        """Items after `start` whose partitions are below `end`, in stored order."""
        rows = await tx.fetch(_SCAN, table, start.partition, start.sort, end, limit)
        return _stored(rows)

    async def scan_index(
        self, tx: Tx, table: int, index: int, start: tuple[bytes, bytes, bytes, bytes], end: bytes, limit: int
    ) -> list[StoredItem]:
        """What an index has after `start` in partitions below `end`, in stored order."""
        return _stored(await tx.fetch(_SCAN_INDEX, table, index, *start, end, limit))

    async def collection_size(self, tx: Tx, table: int, partition: bytes, indexes: Sequence[int]) -> int:
        """Bytes of all items with one partition key, in the table and in the given local indexes."""
        row = await tx.fetch_one(_COLLECTION_SIZE, table, partition)
        total = 0 if row is None else int(row[0])
        for index in indexes:
            row = await tx.fetch_one(_INDEX_COLLECTION_SIZE, table, index, partition)
            total += 0 if row is None else int(row[0])
        return total


class Upkeep:
    """What the worker asks: expiry, chores, tokens."""

    async def next_expiry(self, tx: Tx, after: int) -> int | None:
        """The earliest moment (seconds), later than `after`, at which an item expires."""
        row = await tx.fetch_one(_NEXT_EXPIRY, after)
        return None if row is None else row[0]

    async def expired(self, tx: Tx, oldest: int, now: int, limit: int) -> list[tuple[int, Location, bytes]]:
        """Items that expired after `oldest` and by `now`: table, place and bytes."""
        rows = await tx.fetch(_EXPIRED, oldest, now, limit)
        return [(table, Location(partition, sort), item) for table, partition, sort, item in rows]

    async def set_expiry(self, tx: Tx, table: int, at: Location, expires: int | None) -> None:
        """Note when an item expires."""
        await tx.execute(_SET_EXPIRY, expires, table, at.partition, at.sort)

    async def purge_items(self, tx: Tx, table: int, count: int) -> bool:
        """Delete the first `count` items of a table; whether any may be left."""
        row = await tx.fetch_one(_NTH_ITEM, table, count - 1)
        partition, sort = (END, END) if row is None else row
        await tx.execute(_PURGE_ITEMS, table, partition, sort)
        return row is not None

    async def purge_indexed(self, tx: Tx, table: int, index: int, count: int) -> bool:
        """Delete the first `count` items of an index; whether any may be left."""
        row = await tx.fetch_one(_NTH_INDEXED, table, index, count - 1)
        partition, sort = (END, END) if row is None else row
        await tx.execute(_PURGE_INDEXED, table, index, partition, sort)
        return row is not None

    async def add_chore(self, tx: Tx, kind: str, table: int, index: int = 0) -> None:
        """Give the worker something to do."""
        await tx.execute(_ADD_CHORE, kind, table, index, b"")

    async def next_chore(self, tx: Tx) -> Chore | None:
        """The oldest chore."""
        row = await tx.fetch_one(_NEXT_CHORE)
        if row is None:
            return None
        return Chore(row[0], row[1], row[2], row[3], Location(row[4], row[5]))

    async def move_chore(self, tx: Tx, chore: Chore, cursor: Location) -> None:
        """Note how far a chore has come."""
        await tx.execute(_MOVE_CHORE, cursor.partition, cursor.sort, chore.id)

    async def end_chore(self, tx: Tx, chore: Chore) -> None:
        """A chore is done."""
        await tx.execute(_END_CHORE, chore.id)

    async def drop_chores(self, tx: Tx, kind: str, table: int, index: int) -> None:
        """A chore is not wanted any more."""
        await tx.execute(_DROP_CHORES, kind, table, index)

    async def find_token(self, tx: Tx, scope: Scope, token: str, now: int) -> tuple[bytes, bytes] | None:
        """The digest and the reply of the request that used a token, unless that is forgotten."""
        row = await tx.fetch_one(_FIND_REPLY, scope.account, scope.region, token, now)
        return None if row is None else (row[0], row[1])

    async def keep_token(self, tx: Tx, scope: Scope, token: str, digest: bytes, reply: bytes, expires: int) -> None:
        """Remember a token until `expires` (milliseconds)."""
        await tx.execute(_KEEP_REPLY, scope.account, scope.region, token, digest, reply, expires)

    async def forget_tokens(self, tx: Tx, now: int) -> None:
        """Forget the tokens whose time is over."""
        await tx.execute(_FORGET_TOKENS, now)
