"""Doing a planned write: the item itself, what the indexes have of it, its record in the stream.

All of it happens in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fogbank.services.dynamodb._items.capacity import Consumed, write_units
from fogbank.services.dynamodb._items.plans import Plan
from fogbank.services.dynamodb._rows.expiry import ExpiryWatch
from fogbank.services.dynamodb._streams.records import Recorder
from fogbank.services.dynamodb._values.attributes import Item, item_size
from fogbank.services.dynamodb._values.codec import decode, encode
from fogbank.services.dynamodb.errors import ConditionalCheckFailedError
from fogbank.services.dynamodb.model import Index, Location, Table
from fogbank.services.dynamodb.storage import Items
from fogbank.storage import Tx


@dataclass(slots=True)
class Outcome:
    """What a write did. `old` is known only where it had to be read."""

    table: Table
    at: Location
    old: Item | None = None
    new: Item | None = None
    consumed: Consumed = field(default_factory=Consumed)


class Writer:
    """Writes items."""

    def __init__(self, items: Items, recorder: Recorder, watch: ExpiryWatch) -> None:
        self._items = items
        self._recorder = recorder
        self._watch = watch

    async def perform(self, tx: Tx, table: Table, plan: Plan) -> Outcome:
        """Do what is planned, or raise what forbids it."""
        outcome = Outcome(table, plan.locate(table))
        guard = plan.guard
        old_size = 0
        if guard is not None or plan.reads or table.indexes or table.records:
            row = await self._items.get(tx, table.id, outcome.at)
            if row is not None:
                outcome.old, old_size = decode(row[0]), row[1]
        if guard is not None:
            if guard.condition.nested:
                table.check_scalars(guard.condition.nested)
            try:
                guard.check(outcome.old)
            except ConditionalCheckFailedError as error:
                error.units = write_units(old_size)
                raise
        outcome.new, size = plan.result(table, outcome.old)
        outcome.consumed.table = write_units(max(size, old_size))
        if plan.writes:
            await self._store(tx, outcome, size)
        return outcome

    async def _store(self, tx: Tx, outcome: Outcome, size: int) -> None:
        table, at, new = outcome.table, outcome.at, outcome.new
        if new is None:
            await self._items.delete(tx, table.id, at)
        else:
            expires = None if table.ttl_attribute is None else table.expiry(new)
            if expires is not None:
                self._watch.expects(tx, expires)
            await self._items.put(tx, table.id, at, encode(new), size, expires)
        for index in table.indexes:
            units = await self.reindex(tx, table, index, at, outcome.old, new)
            if units:
                outcome.consumed.add_index(index.name, units, is_global=index.definition.is_global)
        if table.records and outcome.old != new:
            await self._recorder.record(tx, table, outcome.old, new)

    async def expire(self, tx: Tx, table: Table, at: Location, item: Item) -> None:
        """Remove an item whose time is over."""
        await self._items.delete(tx, table.id, at)
        for index in table.indexes:
            await self.reindex(tx, table, index, at, item, None)
        if table.records:
            await self._recorder.record(tx, table, item, None, expired=True)

    async def reindex(
        self, tx: Tx, table: Table, index: Index, home: Location, old: Item | None, new: Item | None
    ) -> float:
        """Bring what an index has of one item up to date; the write units that it costs."""
        before = None if old is None else index.keys.of_indexed(old)
        after = None if new is None else index.keys.of_indexed(new)
        units = 0.0
        had = index.project(old) if old is not None and before is not None else None
        if before is not None and had is not None and before != after:
            await self._items.delete_indexed(tx, table.id, index.number, before, home)
            units += write_units(item_size(had))
        if after is None or new is None:
            return units
        has = index.project(new)
        if before == after and had == has:
            return units
        size = item_size(has)
        await self._items.put_indexed(tx, table.id, index.number, after, home, encode(has), size)
        return units + write_units(size)
