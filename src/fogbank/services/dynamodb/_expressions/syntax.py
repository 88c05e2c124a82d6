"""The trees that expressions are parsed into."""

from __future__ import annotations

from dataclasses import dataclass, field

Step = str | int
"""An attribute's name (or a `#name` that stands for one), or an index of a list."""


@dataclass(frozen=True, slots=True)
class Path:
    """A document path: `a.b[0]` is `("a", "b", 0)`."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ValueRef:
    """A `:value`."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its operands."""

    function: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left + right` or `left - right`; only in SET."""

    operator: str
    left: Operand
    right: Operand


Operand = Path | ValueRef | Call | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`, the operator one of = <> < <= > >=."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    """`operand BETWEEN low AND high`."""

    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class In:
    """`operand IN (choice, …)`."""

    operand: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Condition


Condition = Comparison | Between | In | And | Or | Not | Call


@dataclass(frozen=True, slots=True)
class SetAction:
    """`SET path = value`."""

    path: Path
    value: Operand


@dataclass(frozen=True, slots=True)
class RemoveAction:
    """`REMOVE path`."""

    path: Path


@dataclass(frozen=True, slots=True)
class AddAction:
    """`ADD path :value`."""

    path: Path
    value: ValueRef


@dataclass(frozen=True, slots=True)
class DeleteAction:
    """`DELETE path :value`."""

    path: Path
    value: ValueRef


Action = SetAction | RemoveAction | AddAction | DeleteAction


@dataclass(slots=True)
class References:
    """What a parser met on its way, in the order of the text: the checks that follow go over these."""

    mentions: list[Path | ValueRef] = field(default_factory=list)
    """Paths and values together."""
    calls: list[Call] = field(default_factory=list)
    conditions: list[Call] = field(default_factory=list)
    """Calls that stand where a condition is expected."""
    operators: int = 0
    """Comparisons, functions and actions; AND, OR and NOT do not count."""
    redundant_parentheses: bool = False
    repeated_section: str = ""
    """The first section of an update that comes a second time."""

    @property
    def paths(self) -> list[Path]:
        """The paths alone."""
        return [one for one in self.mentions if isinstance(one, Path)]

    @property
    def values(self) -> list[str]:
        """The `:values` alone."""
        return [one.name for one in self.mentions if isinstance(one, ValueRef)]
