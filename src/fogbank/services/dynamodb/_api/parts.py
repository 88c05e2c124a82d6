"""What the operations share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fogbank.core.call import Call
from fogbank.core.scope import Scope
from fogbank.services.dynamodb._backups.storage import Backups
from fogbank.services.dynamodb._metrics import TableMetrics
from fogbank.services.dynamodb._rows.catalog import Catalog, resolve
from fogbank.services.dynamodb._rows.expiry import ExpiryWatch
from fogbank.services.dynamodb._rows.reader import Reader
from fogbank.services.dynamodb._rows.statistics import Statistics
from fogbank.services.dynamodb._rows.writer import Writer
from fogbank.services.dynamodb._streams.records import Recorder
from fogbank.services.dynamodb._streams.storage import Streams
from fogbank.services.dynamodb.model import Table
from fogbank.services.dynamodb.storage import Items, Tables, Upkeep
from fogbank.services.dynamodb.worker import Worker
from fogbank.services.kit import Kit, Service
from fogbank.storage import Tx
from fogbank.telemetry.usage import Use

T = TypeVar("T")


class Parts(Service):
    """Storage, catalog, writer, reader and worker: made once, used by every group of operations."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.tables = Tables()
        self.items = Items()
        self.upkeep = Upkeep()
        self.counts = TableMetrics(kit)
        self.streams = Streams()
        self.backups = Backups()
        self.catalog = Catalog(self.tables)
        self.watch = ExpiryWatch(kit.clock)
        self.writer = Writer(self.items, Recorder(self.streams, kit.clock), self.watch)
        self.reader = Reader(self.items)
        self.statistics = Statistics(self.tables, kit.clock)
        self._worker = Worker(
            kit.storage, kit.clock, self.catalog, self.writer, self.watch,
            self.tables, self.items, self.upkeep, self.streams,
        )  # fmt: skip

    async def on_start(self) -> None:
        """Begin what it does on its own."""
        self.spawn(self._worker.run(), name="dynamodb.worker")

    async def on_reset(self) -> None:
        """Every table was emptied."""
        self.catalog.forget()
        self.watch.forget()
        self.statistics.forget()

    def bill_read(self, call: Call, name: str, units: float) -> None:
        """Say what a read used of a table."""
        self.kit.usage.add(call.scope, call.trace.root, (Use("dynamodb.read-units", name, units),))
        self.counts.read(call.scope, name, units)

    def bill_write(self, call: Call, name: str, units: float) -> None:
        """Say what a write used of a table."""
        self.kit.usage.add(call.scope, call.trace.root, (Use("dynamodb.write-units", name, units),))
        self.counts.written(call.scope, name, units)

    async def reads(self, call: Call, name: str, body: Callable[[Tx, Table], Awaitable[T]]) -> T:
        """Run `body` with a table that is read from."""

        async def run(tx: Tx) -> T:
            return await body(tx, await self.catalog.find(tx, call.scope, name))

        return await self.kit.storage.read(run)

    async def changes_table(self, scope: Scope, name: str, body: Callable[[Tx, Table], Awaitable[T]]) -> T:
        """Run `body` with a table whose definition it changes."""
        scope, name = resolve(scope, name)

        async def run(tx: Tx) -> T:
            return await body(tx, await self.catalog.find(tx, scope, name, named=True))

        with self.catalog.changing(scope, name):
            return await self.kit.storage.transact(run)
