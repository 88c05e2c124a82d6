"""What is wrong with a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fogbank.core.models import Shape

Path = tuple[str | int, ...]


class Constraint(StrEnum):
    """Which of a model's constraints a value breaks."""

    REQUIRED = "required"
    TYPE = "type"
    PATTERN = "pattern"
    MAX_LENGTH = "max length"
    MIN_LENGTH = "min length"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    ENUM = "enum"
    UNION = "union"
    """Of a union's members exactly one must be set."""
    UNKNOWN = "unknown"
    """The model has no such member. The wire's decoder drops those, so only callers inside see this."""
    ELEMENT = "element"
    """A list's element breaks its own constraint; AWS reports it of the list."""
    MAP_KEY = "map key"
    MAP_VALUE = "map value"


@dataclass(frozen=True, slots=True)
class Problem:
    """One constraint that a value breaks.

    `path` leads to the value in the model's own names, with indices from 0 and map keys as they are:
    `("Entries", 0, "Id")`. `shape` is the shape whose constraint it is: the value's own, or its element's for
    ELEMENT, MAP_KEY and MAP_VALUE, whose `cause` is the (first) element's problem. `sensitive` values are not
    to be shown.
    """

    constraint: Constraint
    path: Path
    value: Any
    shape: Shape
    sensitive: bool = False
    cause: Problem | None = None

    @property
    def member(self) -> str:
        """The name of the member that is at fault, as the model has it; empty for the request itself."""
        names = [step for step in self.path if isinstance(step, str)]
        return names[-1] if names else ""

    @property
    def where(self) -> str:
        """The path as AWS writes it: `entries.1.member.id`, counted from 1, first letters small."""
        steps = [f"{step + 1}.member" if isinstance(step, int) else _small(step) for step in self.path]
        return ".".join(steps)


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]
