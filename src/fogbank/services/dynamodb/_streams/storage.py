"""The rows of streams."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.dynamodb.model import KeySchema, Table
from fogbank.storage import Row, Tx

_encode = msgspec.json.Encoder().encode
_decode_keys = msgspec.json.Decoder(KeySchema).decode

_ADD_STREAM = """
INSERT INTO dynamodb_streams (table_id, label, account, region, table_name, view_type, key_schema, created)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_END_STREAMS = "UPDATE dynamodb_streams SET disabled = $1 WHERE table_id = $2 AND disabled IS NULL"
_FIND_STREAM = """
SELECT table_id, label, table_name, view_type, key_schema, created, disabled FROM dynamodb_streams
WHERE account = $1 AND region = $2 AND table_name = $3 AND label = $4
"""
_LIST_STREAMS = """
SELECT table_id, label, table_name, view_type, key_schema, created, disabled FROM dynamodb_streams
WHERE account = $1 AND region = $2 AND (table_name, label) > ($3, $4) ORDER BY table_name, label LIMIT $5
"""
_LIST_STREAMS_OF_TABLE = """
SELECT table_id, label, table_name, view_type, key_schema, created, disabled FROM dynamodb_streams
WHERE account = $1 AND region = $2 AND table_name = $3 AND label > $4 ORDER BY label LIMIT $5
"""
_ADD_RECORD = "INSERT INTO dynamodb_stream_records (table_id, stream, at, record) VALUES ($1, $2, $3, $4)"
_RECORDS = """
SELECT number, record FROM dynamodb_stream_records
WHERE table_id = $1 AND stream = $2 AND number > $3 ORDER BY number LIMIT $4
"""
_FIRST_RECORD = """
SELECT MIN(number) FROM dynamodb_stream_records WHERE table_id = $1 AND stream = $2
"""
_LAST_RECORD = """
SELECT MAX(number) FROM dynamodb_stream_records WHERE table_id = $1 AND stream = $2
"""
_FIRST_RECORD_SINCE = """
SELECT MIN(number) FROM dynamodb_stream_records WHERE table_id = $1 AND stream = $2 AND at >= $3
"""
_OLDEST_RECORD = "SELECT MIN(at) FROM dynamodb_stream_records"
_TRIM_RECORDS = "DELETE FROM dynamodb_stream_records WHERE at <= $1"
_FORGET_STREAMS = "DELETE FROM dynamodb_streams WHERE disabled <= $1"


@dataclass(frozen=True, slots=True)
class StoredStream:
    """A row of a stream: times are seconds since the epoch."""

    table: int
    label: str
    table_name: str
    view: str
    keys: KeySchema
    created: float
    disabled: float | None


class Streams:
    """Streams and their records. A record's number is its place among all changes."""

    async def begin(self, tx: Tx, table: Table, label: str, view: str, now: float) -> None:
        """A table has a stream from now on."""
        scope, keys = table.scope, _encode(table.definition.keys)
        await tx.execute(_ADD_STREAM, table.id, label, scope.account, scope.region, table.name, view, keys, now)

    async def end(self, tx: Tx, table: Table, now: float) -> None:
        """A table has no stream from now on; what was recorded can still be read."""
        await tx.execute(_END_STREAMS, now, table.id)

    async def find(self, tx: Tx, scope: Scope, table: str, label: str) -> StoredStream | None:
        """One stream."""
        row = await tx.fetch_one(_FIND_STREAM, scope.account, scope.region, table, label)
        return None if row is None else _stream(row)

    async def listed(
        self, tx: Tx, scope: Scope, table: str | None, after: tuple[str, str], limit: int
    ) -> list[StoredStream]:
        """Streams in order of table and label, of one table or of all, after a table and label."""
        if table is None:
            rows = await tx.fetch(_LIST_STREAMS, scope.account, scope.region, *after, limit)
        else:
            rows = await tx.fetch(_LIST_STREAMS_OF_TABLE, scope.account, scope.region, table, after[1], limit)
        return [_stream(row) for row in rows]

    async def add(self, tx: Tx, table: int, label: str, at: int, record: bytes) -> None:
        """Record a change, at a time in milliseconds."""
        await tx.execute(_ADD_RECORD, table, label, at, record)

    async def records(self, tx: Tx, stream: StoredStream, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Records after a number, in order."""
        rows = await tx.fetch(_RECORDS, stream.table, stream.label, after, limit)
        return [(number, record) for number, record in rows]

    async def bounds(self, tx: Tx, stream: StoredStream) -> tuple[int | None, int | None]:
        """The first and the last number of a stream's records."""
        first = await tx.fetch_one(_FIRST_RECORD, stream.table, stream.label)
        last = await tx.fetch_one(_LAST_RECORD, stream.table, stream.label)
        return (None if first is None else first[0], None if last is None else last[0])

    async def first_since(self, tx: Tx, stream: StoredStream, at: int) -> int | None:
        """The number of a stream's first record of that time (milliseconds) or later."""
        row = await tx.fetch_one(_FIRST_RECORD_SINCE, stream.table, stream.label, at)
        return None if row is None else row[0]

    async def oldest(self, tx: Tx) -> int | None:
        """The time (milliseconds) of the oldest record."""
        row = await tx.fetch_one(_OLDEST_RECORD)
        return None if row is None else row[0]

    async def trim(self, tx: Tx, until: int) -> None:
        """Forget the records of that time (milliseconds) and before, and streams that ended so long ago."""
        await tx.execute(_TRIM_RECORDS, until)
        await tx.execute(_FORGET_STREAMS, until / 1000)


def _stream(row: Row) -> StoredStream:
    table, label, name, view, keys, created, disabled = row
    return StoredStream(table, label, name, view, _decode_keys(keys), created, disabled)
