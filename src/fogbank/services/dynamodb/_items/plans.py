"""Writes as functions: from the item that is there to the item that will be there.

A plan is made from a request alone, before any transaction. Inside the transaction it says where its item is
(`locate`), whether the old item must be read, whether its condition holds (`check`), and what comes of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions.actions import apply
from fogbank.services.dynamodb._expressions.conditions import CompiledCondition, follow
from fogbank.services.dynamodb._expressions.naming import Steps
from fogbank.services.dynamodb._expressions.placeholders import Values
from fogbank.services.dynamodb._expressions.projections import Projection
from fogbank.services.dynamodb._expressions.updates import Update
from fogbank.services.dynamodb._values.attributes import (
    MAX_ITEM_SIZE,
    Item,
    Value,
    ValueFault,
    checked_item,
)
from fogbank.services.dynamodb.errors import ConditionalCheckFailedError, DuplicateItemError, invalid_parameter
from fogbank.services.dynamodb.model import KeyPart, Location, Table


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition of a write, with its values, and whether its failure shows the item."""

    condition: CompiledCondition
    values: Values
    shows_item: bool

    def check(self, old: Item | None) -> None:
        """`ConditionalCheckFailedError` if the condition does not hold of the item that is there."""
        if not self.condition.test(old or {}, self.values):
            raise ConditionalCheckFailedError(old if self.shows_item else None)


@dataclass(frozen=True, slots=True)
class InsertGuard(Guard):
    """The condition of a PartiQL INSERT: that there is no such item."""

    def check(self, old: Item | None) -> None:
        """`DuplicateItemError` if there is one."""
        if old is not None:
            raise DuplicateItemError


class Plan(Protocol):
    """A write of one item."""

    @property
    def guard(self) -> Guard | None:
        """Its condition."""
        ...

    @property
    def reads(self) -> bool:
        """Whether the old item must be read for what comes of it."""
        ...

    @property
    def writes(self) -> bool:
        """Whether it changes anything; a transaction's ConditionCheck does not."""
        ...

    def locate(self, table: Table) -> Location:
        """Where its item is; the key is checked against the table."""
        ...

    def result(self, table: Table, old: Item | None) -> tuple[Item | None, int]:
        """The item that will be there, canonical, and its size; `None` and 0 for none."""
        ...


@dataclass(frozen=True, slots=True)
class PutPlan:
    """Put an item in the place of what may be there."""

    item: Item
    size: int
    guard: Guard | None = None
    reads: bool = False
    writes: bool = True

    def locate(self, table: Table) -> Location:
        """See `Plan`."""
        at = table.keys.of_item(self.item)
        for index in table.indexes:
            index.check(self.item)
        return at

    def result(self, table: Table, old: Item | None) -> tuple[Item | None, int]:
        """See `Plan`."""
        del table, old
        return self.item, self.size


@dataclass(frozen=True, slots=True)
class DeletePlan:
    """Remove an item."""

    key: Item
    guard: Guard | None = None
    reads: bool = False
    writes: bool = True

    def locate(self, table: Table) -> Location:
        """See `Plan`."""
        return table.keys.of_key(self.key)

    def result(self, table: Table, old: Item | None) -> tuple[Item | None, int]:
        """See `Plan`."""
        del table, old
        return None, 0


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """Only check a condition; part of a transaction."""

    key: Item
    guard: Guard | None
    reads: bool = True
    writes: bool = False

    def locate(self, table: Table) -> Location:
        """See `Plan`."""
        return table.keys.of_key(self.key)

    def result(self, table: Table, old: Item | None) -> tuple[Item | None, int]:
        """See `Plan`."""
        del table
        return old, 0


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """Change some attributes of an item, or make it. Without an update it makes an item of its key."""

    key: Item
    update: Update | None
    guard: Guard | None = None
    reads: bool = True
    writes: bool = True

    def locate(self, table: Table) -> Location:
        """See `Plan`."""
        at = table.keys.of_key(self.key)
        for path in self.paths:
            if path[0] in table.key_names:
                raise invalid_parameter(f"Cannot update attribute {path[0]}. This attribute is part of the key")
        if self.update is not None and table.indexes:
            self._check_index_kinds(table, self.update)
        if self.update is not None and self.update.nested:
            table.check_scalars(self.update.nested)
        return at

    @staticmethod
    def _check_index_kinds(table: Table, update: Update) -> None:
        """What is known of the new values before the item is read must fit the indexes."""
        given = dict(update.kinds())
        for index in table.indexes:
            for part in index.definition.keys.parts:
                if given.get(part.name, part.kind) != part.kind:
                    raise index.mismatch(part, given[part.name])

    @property
    def paths(self) -> tuple[Steps, ...]:
        """What it touches."""
        return () if self.update is None else self.update.paths

    def old_values(self, old: Item | None) -> Item:
        """What UPDATED_OLD gives back: the old values of what it touches."""
        return {} if old is None else Projection(self.paths).of(old)

    def new_values(self, old: Item | None, new: Item | None) -> Item:
        """What UPDATED_NEW gives back: what is afterwards where it says, even if by the removal of what was before it.

        What it appends to a list is not among it.
        """
        if self.update is None or new is None:
            return {}
        before = old or {}
        there = [path for path in self.paths if isinstance(path[-1], str) or follow(before, path) is not None]
        return Projection(there).of(new)

    def result(self, table: Table, old: Item | None) -> tuple[Item | None, int]:
        """See `Plan`."""
        before = dict(self.key) if old is None else old
        if self.update is None:
            return checked_item(before)
        if old is None and not self.update.creates:
            self.update.changes(before)
            return None, 0
        after = apply(before, self.update.changes(before))
        item, size = measured(after)
        if size > MAX_ITEM_SIZE:
            raise ValidationError("Item size to update has exceeded the maximum allowed size")
        self._check_indexes(table, item)
        return item, size

    def _check_indexes(self, table: Table, item: Item) -> None:
        """An update may not give an index key another type than the index has."""
        touched = {path[0] for path in self.paths}
        for index in table.indexes:
            for part in index.definition.keys.parts:
                if part.name in touched and part.name in item:
                    _check_index_key(part, item[part.name])
                    index.check({part.name: item[part.name]})


def _check_index_key(part: KeyPart, value: Value) -> None:
    if part.kind not in value:
        raise ValidationError("The update expression attempted to update the secondary index key to unsupported type")
    if not value[part.kind]:
        sort = "string" if part.kind == "S" else "binary"
        raise ValidationError(
            "One or more parameter values are not valid. The update expression attempted to update a secondary index "
            "key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty "
            f"{sort} value."
        )


def measured(item: Mapping[str, Value]) -> tuple[Item, int]:
    """An item after an update and its size; nesting too deep is found here."""
    try:
        return checked_item(item)
    except ValueFault as fault:
        raise ValidationError(str(fault)) from None
