"""How many items tables and indexes have, and their bytes.

DynamoDB brings these numbers up to date about every six hours. Here a table is counted when it is described; the
count of a large one is used again for a while, the longer the larger it is, so that describing stays cheap.
"""

from __future__ import annotations

from dataclasses import dataclass

from fogbank.core.clock import Clock
from fogbank.services.dynamodb.model import Table
from fogbank.services.dynamodb.storage import Tables
from fogbank.storage import Tx

EXACT = 10_000
"""Items up to which a table is counted anew every time."""
LONGEST = 6 * 3600.0
"""Seconds for which a count is used again at the most."""
_REMEMBERED = 1000

Counts = dict[int, tuple[int, int]]
"""Items and bytes by index number; 0 is the table itself."""


@dataclass(frozen=True, slots=True)
class _Counted:
    until: float
    counts: Counts


class Statistics:
    """Counts items."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock
        self._known: dict[int, _Counted] = {}

    def forget(self) -> None:
        """Forget every count."""
        self._known.clear()

    async def of(self, tx: Tx, table: Table) -> Counts:
        """The counts of a table and its indexes."""
        numbers = {0, *(index.number for index in table.indexes)}
        known = self._known.get(table.id)
        if known is not None and known.until > self._clock.time() and known.counts.keys() == numbers:
            return known.counts
        counts = {0: await self._tables.statistics(tx, table)}
        for index in table.indexes:
            counts[index.number] = await self._tables.index_statistics(tx, table, index.number)
        items = max(count for count, _ in counts.values())
        if items > EXACT:
            self._remember(table.id, _Counted(self._clock.time() + min(LONGEST, items / 1000), counts))
        return counts

    def _remember(self, table: int, counted: _Counted) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[table] = counted
