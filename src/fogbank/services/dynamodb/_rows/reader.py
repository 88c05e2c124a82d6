"""A page of a Query or Scan: rows in order, until the limit, a megabyte, or the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fogbank.services.dynamodb._items.capacity import Consumed, read_units
from fogbank.services.dynamodb._items.keyranges import (
    KeyRange,
    Start,
    check_start,
    check_start_in,
    check_start_in_segment,
    key_range,
    start_of,
)
from fogbank.services.dynamodb._items.reads import ReadPlan, check_scalars, check_target, passes, reads_table, target
from fogbank.services.dynamodb._values import keys
from fogbank.services.dynamodb._values.attributes import Item
from fogbank.services.dynamodb._values.codec import decode
from fogbank.services.dynamodb.model import Index, Location, Table
from fogbank.services.dynamodb.storage import END, Items, StoredItem
from fogbank.storage import Tx

PAGE_BYTES = 1024 * 1024
"""Item bytes that a page evaluates at the most."""
_FIRST_ROWS = 25
_MOST_ROWS = 1000

Fetch = Callable[[Start | None, int], Awaitable[list[StoredItem]]]
"""Rows after a place (`None`: from the beginning), so many at the most."""


@dataclass(slots=True)
class Page:
    """What a page found."""

    items: list[Item] = field(default_factory=list)
    count: int = 0
    scanned: int = 0
    size: int = 0
    last: Item | None = None
    """The keys after which the next page begins; `None` at the end."""
    consumed: Consumed = field(default_factory=Consumed)


class Reader:
    """Reads pages of tables and indexes."""

    def __init__(self, items: Items) -> None:
        self._items = items

    async def page(self, tx: Tx, table: Table, plan: ReadPlan) -> Page:
        """One page of what `plan` asks for."""
        index = target(plan, table)
        if plan.start is not None:
            check_start(plan.start, table, index, plan.tests)
        within = None
        if plan.tests is not None:
            within = key_range(table.definition.keys if index is None else index.definition.keys, plan.tests)
        check_target(plan, table, index)
        start = None if plan.start is None else start_of(plan.start, table, index)
        if start is not None and within is not None:
            check_start_in(start, within)
        elif start is not None:
            check_start_in_segment(start, plan.segment, plan.segments)
        check_scalars(plan, table)
        if within is not None:
            fetch = self._query(tx, table, index, within, forward=plan.forward)
        else:
            fetch = self._scan(tx, table, index, plan.segment, plan.segments)
        page = await self._collect(tx, table, index, plan, fetch, start)
        self._account(page, index, plan)
        return page

    async def _collect(
        self, tx: Tx, table: Table, index: Index | None, plan: ReadPlan, fetch: Fetch, start: Start | None
    ) -> Page:
        page = Page()
        previous: Item = {}
        fetches_items = reads_table(plan, index)
        wanted = _FIRST_ROWS
        while True:
            if plan.limit is not None:
                wanted = min(wanted, plan.limit - page.scanned)
            rows = await fetch(start, wanted)
            for row in rows:
                if page.scanned and page.size + row.size > PAGE_BYTES:
                    page.last = self._keys(table, index, previous)
                    return page
                item = decode(row.item)
                previous = item
                page.scanned += 1
                page.size += row.size
                if fetches_items:
                    item = await self._whole(tx, table, page, plan, row)
                self._take(page, plan, item)
            if rows and page.scanned == plan.limit:
                page.last = self._keys(table, index, previous)
                return page
            if len(rows) < wanted:
                return page
            start = Start(rows[-1].place, rows[-1].home)
            average = max(1, page.size // page.scanned)
            wanted = max(1, min(_MOST_ROWS, (PAGE_BYTES - page.size) // average + 1))

    async def _whole(self, tx: Tx, table: Table, page: Page, plan: ReadPlan, row: StoredItem) -> Item:
        """The item itself, of which a local index has only a part."""
        found = await self._items.get(tx, table.id, row.home)
        if found is None:
            raise AssertionError("an index has an item that the table has not")
        page.consumed.table += read_units(found[1], consistent=plan.consistent)
        return decode(found[0])

    @staticmethod
    def _take(page: Page, plan: ReadPlan, item: Item) -> None:
        if not passes(plan, item):
            return
        page.count += 1
        if not plan.counts:
            page.items.append(item if plan.projection is None else plan.projection.of(item))

    @staticmethod
    def _keys(table: Table, index: Index | None, item: Item) -> Item:
        found = table.keys.key_of(item)
        if index is not None:
            found.update(index.keys.key_of(item))
        return found

    @staticmethod
    def _account(page: Page, index: Index | None, plan: ReadPlan) -> None:
        units = read_units(page.size, consistent=plan.consistent)
        if index is None:
            page.consumed.table += units
        else:
            page.consumed.add_index(index.name, units, is_global=index.definition.is_global)

    # -- rows ---------------------------------------------------------------------------------------------

    def _query(self, tx: Tx, table: Table, index: Index | None, within: KeyRange, *, forward: bool) -> Fetch:
        low, high = within.low, END if within.high is None else within.high

        async def of_table(start: Start | None, limit: int) -> list[StoredItem]:
            first, last = low, high
            if start is not None and forward:
                first = start.place.sort + b"\x00"
            elif start is not None:
                last = start.place.sort
            return await self._items.query(tx, table.id, within.partition, first, last, limit, forward=forward)

        async def of_index(start: Start | None, limit: int) -> list[StoredItem]:
            if index is None:
                raise AssertionError("of_index is for an index")
            edge = low if forward else high
            after = (edge, b"", b"") if start is None else _position(start)
            bound = high if forward else low
            return await self._items.query_index(
                tx, table.id, index.number, within.partition, after, bound, limit, forward=forward
            )

        return of_table if index is None else of_index

    def _scan(self, tx: Tx, table: Table, index: Index | None, segment: int, total: int) -> Fetch:
        first, end = keys.segment(segment, total)
        bound = END if end is None else end

        async def of_table(start: Start | None, limit: int) -> list[StoredItem]:
            after = Location(first, b"") if start is None else start.place
            return await self._items.scan(tx, table.id, after, bound, limit)

        async def of_index(start: Start | None, limit: int) -> list[StoredItem]:
            if index is None:
                raise AssertionError("of_index is for an index")
            after: Any = (first, b"", b"", b"")
            if start is not None:
                after = (start.place.partition, *_position(start))
            return await self._items.scan_index(tx, table.id, index.number, after, bound, limit)

        return of_table if index is None else of_index


def _position(start: Start) -> tuple[bytes, bytes, bytes]:
    return start.place.sort, start.home.partition, start.home.sort
