"""The rows of backups. A backup's items are rows of `dynamodb_items` whose table is the negative of its id."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.dynamodb.model import Definition, Table
from fogbank.storage import Row, Tx

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Definition).decode

_ADD = """
INSERT INTO dynamodb_backups (arn, account, region, table_name, name, created, items, size, definition)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id
"""
_FIND = "SELECT id, arn, name, created, items, size, definition FROM dynamodb_backups WHERE arn = $1"
_LIST = """
SELECT id, arn, name, created, items, size, definition FROM dynamodb_backups
WHERE account = $1 AND region = $2 AND (created, id) > ($3, $4) AND created >= $5 AND created < $6
ORDER BY created, id LIMIT $7
"""
_DELETE = "DELETE FROM dynamodb_backups WHERE id = $1"
_COPY = """
INSERT INTO dynamodb_items (table_id, partition_key, sort_key, item, size, expires)
SELECT $1, partition_key, sort_key, item, size, NULL FROM dynamodb_items WHERE table_id = $2
"""


@dataclass(frozen=True, slots=True)
class Backup:
    """A table as it was at a moment (`created`, seconds since the epoch)."""

    id: int
    arn: str
    name: str
    created: float
    items: int
    size: int
    definition: Definition

    @property
    def source(self) -> int:
        """The table id under which its items are."""
        return -self.id


class Backups:
    """Backups, and copies of items."""

    async def add(self, tx: Tx, table: Table, arn: str, name: str, now: float, counted: tuple[int, int]) -> Backup:
        """Keep a table as it is, items and all."""
        scope, definition = table.scope, table.definition
        rows = await tx.fetch(
            _ADD, arn, scope.account, scope.region, table.name, name, now, *counted, _encode(definition)
        )
        backup = Backup(rows[0][0], arn, name, now, *counted, definition)
        await self.copy(tx, table.id, backup.source)
        return backup

    async def copy(self, tx: Tx, source: int, target: int) -> None:
        """Give one table id the items of another. They expire no more."""
        await tx.execute(_COPY, target, source)

    async def find(self, tx: Tx, arn: str) -> Backup | None:
        """One backup."""
        row = await tx.fetch_one(_FIND, arn)
        return None if row is None else _backup(row)

    async def listed(
        self, tx: Tx, scope: Scope, after: tuple[float, int], low: float, high: float, limit: int
    ) -> list[Backup]:
        """Backups in the order of their making, after one's time and id, made from `low` up to `high`."""
        rows = await tx.fetch(_LIST, scope.account, scope.region, *after, low, high, limit)
        return [_backup(row) for row in rows]

    async def delete(self, tx: Tx, backup: Backup) -> None:
        """Forget a backup; its items are the worker's to purge."""
        await tx.execute(_DELETE, backup.id)


def _backup(row: Row) -> Backup:
    identity, arn, name, created, items, size, definition = row
    return Backup(identity, arn, name, created, items, size, _decode(definition))
