"""Capacity units, and how replies report them.

A read costs one unit for each 4 KB begun (half of it when eventually consistent, double in a transaction), a
write one for each 1 KB begun of the larger of the old and the new item (double in a transaction). Each index row
that is written or removed costs its own.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

READ_UNIT = 4096
WRITE_UNIT = 1024


def read_units(size: int, *, consistent: bool) -> float:
    """Units for reading `size` bytes at once; nothing found costs as much as the least item."""
    whole = max(1, -(-size // READ_UNIT))
    return float(whole) if consistent else whole / 2


def write_units(size: int) -> float:
    """Units for writing an item of which the larger of old and new has `size` bytes."""
    return float(max(1, -(-size // WRITE_UNIT)))


@dataclass(slots=True)
class Consumed:
    """What an operation used of one table, by table and index."""

    table: float = 0.0
    local_indexes: dict[str, float] = field(default_factory=dict)
    global_indexes: dict[str, float] = field(default_factory=dict)

    def add_index(self, name: str, units: float, *, is_global: bool) -> None:
        """Add what an index used."""
        group = self.global_indexes if is_global else self.local_indexes
        group[name] = group.get(name, 0.0) + units

    def add(self, other: Consumed, factor: float = 1.0) -> None:
        """Add what another operation on the same table used."""
        self.table += other.table * factor
        for name, units in other.local_indexes.items():
            self.add_index(name, units * factor, is_global=False)
        for name, units in other.global_indexes.items():
            self.add_index(name, units * factor, is_global=True)

    @property
    def total(self) -> float:
        """All of it."""
        return self.table + sum(self.local_indexes.values()) + sum(self.global_indexes.values())

    def report(self, table: str, wanted: str | None, kind: str | None = None) -> dict[str, Any] | None:
        """The member `ConsumedCapacity`, as the request wants it (`ReturnConsumedCapacity`).

        `kind` is `Read` or `Write` for the operations that tell the two apart: transactions.
        """
        if wanted is None or wanted == "NONE":
            return None
        report: dict[str, Any] = {"TableName": table, **_capacity(self.total, kind)}
        if wanted == "INDEXES":
            report["Table"] = _capacity(self.table, kind)
            if self.local_indexes:
                report["LocalSecondaryIndexes"] = _by_name(self.local_indexes, kind)
            if self.global_indexes:
                report["GlobalSecondaryIndexes"] = _by_name(self.global_indexes, kind)
        return report


def _capacity(units: float, kind: str | None) -> dict[str, float]:
    capacity = {"CapacityUnits": units}
    if kind is not None:
        capacity[f"{kind}CapacityUnits"] = units
    return capacity


def _by_name(units: Mapping[str, float], kind: str | None) -> dict[str, dict[str, float]]:
    return {name: _capacity(each, kind) for name, each in units.items()}
