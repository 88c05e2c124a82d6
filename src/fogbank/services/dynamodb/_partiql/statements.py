"""The trees of PartiQL statements.

Conditions and operands are those of the expressions (`_expressions/syntax.py`): a literal or parameter is a
`ValueRef` to a numbered value that the statement holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fogbank.services.dynamodb._expressions.syntax import Condition, Operand, Path
from fogbank.services.dynamodb._values.attributes import Item, Value


@dataclass(frozen=True, slots=True)
class Select:
    """`SELECT paths FROM table.index WHERE … ORDER BY …`; no paths is `*`."""

    table: str
    index: str | None
    paths: tuple[Path, ...]
    where: Condition | None
    order: tuple[tuple[str, bool], ...]
    """Attributes to order by, and whether descending."""
    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Exists:
    """`EXISTS (SELECT …)`: a check, in transactions only."""

    select: Select

    @property
    def table(self) -> str:
        """The table that is looked at."""
        return self.select.table


@dataclass(frozen=True, slots=True)
class Insert:
    """`INSERT INTO table VALUE {…}`."""

    table: str
    item: Item


@dataclass(frozen=True, slots=True)
class Update:
    """`UPDATE table SET … REMOVE … WHERE … RETURNING …`."""

    table: str
    sets: tuple[tuple[Path, Operand], ...]
    removes: tuple[Path, ...]
    where: Condition
    returning: str
    """As ReturnValues has it."""
    values: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete:
    """`DELETE FROM table WHERE … RETURNING …`."""

    table: str
    where: Condition
    returning: str
    values: dict[str, Value] = field(default_factory=dict)


Statement = Select | Exists | Insert | Update | Delete
