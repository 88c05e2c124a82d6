"""What DynamoDB does on its own: removes expired items, fills new indexes, purges what was deleted, trims streams.

Whatever takes long is a chore: a row that says how far it has come, done in slices so that requests are served in
between, and taken up again after a crash.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from fogbank.core.clock import Clock
from fogbank.services.dynamodb._rows.catalog import Catalog
from fogbank.services.dynamodb._rows.expiry import OLDEST, TOPIC, ExpiryWatch
from fogbank.services.dynamodb._rows.writer import Writer
from fogbank.services.dynamodb._streams.records import RETENTION
from fogbank.services.dynamodb._streams.storage import Streams
from fogbank.services.dynamodb._values.codec import decode
from fogbank.services.dynamodb.model import Index, IndexStatus, Location, Table
from fogbank.services.dynamodb.storage import END, Chore, Items, Tables, Upkeep
from fogbank.storage import Storage, StorageError, Tx

_log = logging.getLogger("fogbank.dynamodb")

SLICE = 200
"""Items of one transaction of the worker's."""
RETRY = 1.0
"""Seconds that the worker waits when the storage could not do what it was asked to: it is full, or busy."""

PURGE_TABLE = "purge-table"
PURGE_INDEX = "purge-index"
FILL_INDEX = "fill-index"
NOTE_EXPIRY = "note-expiry"
RESTORE = "restore"

Step = Callable[[Tx, Chore], Awaitable[Location | None]]
"""Does a slice of a chore: how far it came, or `None` when the chore is done."""


class Worker:
    """Runs until it is cancelled; see the module."""

    def __init__(
        self, storage: Storage, clock: Clock, catalog: Catalog, writer: Writer, watch: ExpiryWatch,
        tables: Tables, items: Items, upkeep: Upkeep, streams: Streams,
    ) -> None:  # fmt: skip
        self._storage = storage
        self._clock = clock
        self._catalog = catalog
        self._writer = writer
        self._watch = watch
        self._tables = tables
        self._items = items
        self._upkeep = upkeep
        self._streams = streams
        self._trim_at = -math.inf
        self._steps: Mapping[str, Step] = {
            PURGE_TABLE: self._purge_table,
            PURGE_INDEX: self._purge_index,
            FILL_INDEX: self._fill_index,
            NOTE_EXPIRY: self._note_expiry,
            RESTORE: self._restore,
        }

    async def run(self) -> None:
        """Do what there is to do, then wait until there is more."""
        with self._storage.subscribe(TOPIC) as wakeup:
            while True:
                try:
                    await self._do_chores()
                    await self._sweep()
                    await self._trim()
                except StorageError:
                    _log.exception("dynamodb.worker: will try again in %s seconds", RETRY)
                    await self._clock.sleep(RETRY)
                    continue
                until = min(self._watch.sweep_at, self._trim_at)
                await wakeup.wait(None if math.isinf(until) else until)

    # -- chores -------------------------------------------------------------------------------------------

    async def _do_chores(self) -> None:
        while (chore := await self._storage.read(self._upkeep.next_chore)) is not None:
            if not await self._storage.transact(self._slice_of(chore)):
                await self._finish(chore)

    def _slice_of(self, chore: Chore) -> Callable[[Tx], Awaitable[bool]]:
        async def body(tx: Tx) -> bool:
            cursor = await self._steps[chore.kind](tx, chore)
            if cursor is not None:
                await self._upkeep.move_chore(tx, chore, cursor)
            return cursor is not None

        return body

    async def _finish(self, chore: Chore) -> None:
        """The last slice is done: an index that was filled is active now."""
        table = await self._storage.read(lambda tx: self._tables.by_id(tx, chore.table))

        async def body(tx: Tx) -> None:
            await self._upkeep.end_chore(tx, chore)
            if chore.kind in (FILL_INDEX, RESTORE):
                await self._activate(tx, chore)

        if table is None:
            await self._storage.transact(body)
            return
        with self._catalog.changing(table.scope, table.name):
            await self._storage.transact(body)

    async def _activate(self, tx: Tx, chore: Chore) -> None:
        table = await self._tables.by_id(tx, chore.table)
        if table is None:
            return
        indexes = tuple(
            replace(index, status=IndexStatus.ACTIVE) if index.number == chore.index else index
            for index in table.definition.indexes
        )
        restoring = table.definition.restoring and chore.kind != RESTORE
        await self._tables.update(tx, table, replace(table.definition, indexes=indexes, restoring=restoring))

    async def _purge_table(self, tx: Tx, chore: Chore) -> Location | None:
        more = await self._upkeep.purge_items(tx, chore.table, SLICE)
        return chore.cursor if more else None

    async def _purge_index(self, tx: Tx, chore: Chore) -> Location | None:
        more = await self._upkeep.purge_indexed(tx, chore.table, chore.index, SLICE)
        return chore.cursor if more else None

    async def _fill_index(self, tx: Tx, chore: Chore) -> Location | None:
        table = await self._tables.by_id(tx, chore.table)
        index = None if table is None else _numbered(table, chore.index)
        if table is None or index is None:
            return None
        rows = await self._items.scan(tx, table.id, chore.cursor, END, SLICE)
        for row in rows:
            await self._writer.reindex(tx, table, index, row.home, None, decode(row.item))
        return rows[-1].place if len(rows) == SLICE else None

    async def _restore(self, tx: Tx, chore: Chore) -> Location | None:
        """Fill every index of a table whose items were restored."""
        table = await self._tables.by_id(tx, chore.table)
        if table is None:
            return None
        rows = await self._items.scan(tx, table.id, chore.cursor, END, SLICE)
        for row in rows:
            item = decode(row.item)
            for index in table.indexes:
                await self._writer.reindex(tx, table, index, row.home, None, item)
        return rows[-1].place if len(rows) == SLICE else None

    async def _note_expiry(self, tx: Tx, chore: Chore) -> Location | None:
        table = await self._tables.by_id(tx, chore.table)
        if table is None:
            return None
        rows = await self._items.scan(tx, table.id, chore.cursor, END, SLICE)
        for row in rows:
            await self._upkeep.set_expiry(tx, table.id, row.home, table.expiry(decode(row.item)))
        return rows[-1].place if len(rows) == SLICE else None

    # -- expiry -------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """Remove what expired, if it is time, and plan the next sweep."""
        now = self._clock.time()
        if now >= self._watch.sweep_at:
            self._watch.forget()
            while await self._storage.transact(self._remove_expired):
                pass
        oldest = int(now) - OLDEST
        self._watch.plan(await self._storage.read(lambda tx: self._upkeep.next_expiry(tx, oldest)))

    async def _remove_expired(self, tx: Tx) -> bool:
        """One slice; whether there may be more."""
        now = int(self._clock.time())
        rows = await self._upkeep.expired(tx, now - OLDEST, now, SLICE)
        tables: dict[int, Table | None] = {}
        for identity, at, data in rows:
            if identity not in tables:
                tables[identity] = await self._tables.by_id(tx, identity)
            table = tables[identity]
            item = decode(data)
            expires = None if table is None else table.expiry(item)
            if table is None or expires is None or expires > now:
                # The table is gone, or its TTL was changed since: the note of the expiry is out of date.
                await self._upkeep.set_expiry(tx, identity, at, expires)
            else:
                await self._writer.expire(tx, table, at, item)
        return len(rows) == SLICE

    # -- streams ------------------------------------------------------------------------------------------

    async def _trim(self) -> None:
        """Forget stream records past their retention, if it is time, and plan the next trim."""
        now = self._clock.time()
        if now < self._trim_at:
            return
        until = int((now - RETENTION) * 1000)
        await self._storage.transact(lambda tx: self._streams.trim(tx, until))
        oldest = await self._storage.read(self._streams.oldest)
        self._trim_at = now + RETENTION if oldest is None else oldest / 1000 + RETENTION + 1


def _numbered(table: Table, number: int) -> Index | None:
    return next((index for index in table.indexes if index.number == number), None)
