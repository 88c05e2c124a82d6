"""What an expression refers to: `#names` resolved, functions known and rightly used, operands counted.

The checks run in the order in which DynamoDB makes them: whole expression by whole expression, one kind of fault
after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from fogbank.services.dynamodb._expressions.reserved import RESERVED_WORDS
from fogbank.services.dynamodb._expressions.syntax import Call, Path, References, Step
from fogbank.services.dynamodb._expressions.tokens import Kind, invalid

MAX_OPERATORS = 300
"""Operators and functions of one expression."""
MAX_PATH_DEPTH = 32

Steps = tuple[Step, ...]
"""A path with its names resolved."""


@dataclass(frozen=True, slots=True)
class Function:
    """What is known of a function."""

    operands: int
    in_update: bool = False
    in_condition: bool = True
    boolean: bool = False
    """Whether it is a condition by itself."""


FUNCTIONS: Mapping[str, Function] = {
    "attribute_exists": Function(1, boolean=True),
    "attribute_not_exists": Function(1, boolean=True),
    "attribute_type": Function(2, boolean=True),
    "begins_with": Function(2, boolean=True),
    "contains": Function(2, boolean=True),
    "size": Function(1),
    "if_not_exists": Function(2, in_update=True, in_condition=False),
    "list_append": Function(2, in_update=True, in_condition=False),
}


def path_text(steps: Steps) -> str:
    """A path as error messages show it: `[a, b, [0]]`."""
    return "[" + ", ".join(f"[{step}]" if isinstance(step, int) else step for step in steps) + "]"


def nested_in(paths: Iterable[Steps]) -> frozenset[str]:
    """The top-level attributes that paths look into."""
    return frozenset(str(path[0]) for path in paths if len(path) > 1)


class Names:
    """The `#names` of a request, and which of them this expression used."""

    __slots__ = ("_kind", "_names", "used")

    def __init__(self, kind: Kind, names: Mapping[str, str]) -> None:
        self._kind = kind
        self._names = names
        self.used: set[str] = set()

    def resolve(self, path: Path) -> Steps:
        """The path with every `#name` replaced by the attribute's name."""
        names = self._names
        return tuple(names[step] if isinstance(step, str) and step.startswith("#") else step for step in path.steps)

    def check(self, references: References, values: Collection[str] = ()) -> None:
        """What is judged before any operand is; `values` are the `:values` that the request defines.

        Raises the first fault in DynamoDB's order.
        """
        kind = self._kind
        if references.redundant_parentheses:
            raise invalid(kind, "The expression has redundant parentheses;")
        for call in references.calls:
            self._check_function(call)
        self._check_places(references)
        for path in references.paths:
            self._check_reserved(path)
        if references.repeated_section:
            detail = f'The "{references.repeated_section}" section can only be used once in an update expression;'
            raise invalid(kind, detail)
        for mention in references.mentions:
            if isinstance(mention, Path):
                self._check_defined(mention)
            elif mention.name not in values:
                detail = "An expression attribute value used in expression is not defined; attribute value: "
                raise invalid(kind, detail + mention.name)

    def check_counts(self, references: References) -> None:
        """Whether functions have as many operands as they take, and the expression not too many operators."""
        for call in references.calls:
            self._check_count(call)
        if references.operators > MAX_OPERATORS:
            # DynamoDB stops counting at the first that is too many.
            detail = f"The expression contains too many operators; operator count: {MAX_OPERATORS + 1}"
            raise invalid(self._kind, detail)

    def _check_places(self, references: References) -> None:
        """Conditions may stand only where conditions are expected, and no other functions there."""
        for call in references.conditions:
            if not FUNCTIONS[call.function].boolean:
                raise self._misused(call)
        for call in references.calls:
            if FUNCTIONS[call.function].boolean and not any(call is one for one in references.conditions):
                raise self._misused(call)
            nested = next(
                (one for one in call.operands if isinstance(one, Call) and one.function == "list_append"), None
            )
            if nested is not None:
                raise self._misused(nested)

    def _check_function(self, call: Call) -> None:
        known = FUNCTIONS.get(call.function)
        if known is None:
            raise invalid(self._kind, f"Invalid function name; function: {call.function}")
        if self._kind is Kind.UPDATE and not known.in_update:
            detail = f"The function is not allowed in an update expression; function: {call.function}"
            raise invalid(self._kind, detail)
        if self._kind is not Kind.UPDATE and not known.in_condition:
            detail = f"The function is not allowed in a condition expression; function: {call.function}"
            raise invalid(self._kind, detail)

    def _check_reserved(self, path: Path) -> None:
        for step in path.steps:
            if isinstance(step, str) and step.upper() in RESERVED_WORDS:
                detail = f"Attribute name is a reserved keyword; reserved keyword: {step}"
                raise invalid(self._kind, detail)

    def _check_defined(self, path: Path) -> None:
        for step in path.steps:
            if _is_placeholder(step):
                if step not in self._names:
                    detail = "An expression attribute name used in the document path is not defined; "
                    raise invalid(self._kind, f"{detail}attribute name: {step}")
                self.used.add(str(step))
        if len(path.steps) > MAX_PATH_DEPTH + 1:
            detail = "The document path has too many nesting elements; nesting levels: "
            raise invalid(self._kind, f"{detail}{len(path.steps)}")

    def _check_count(self, call: Call) -> None:
        expected = FUNCTIONS[call.function].operands
        if len(call.operands) != expected:
            raise invalid(
                self._kind,
                "Incorrect number of operands for operator or function; "
                f"operator or function: {call.function}, number of operands: {len(call.operands)}",
            )

    def _misused(self, call: Call) -> Exception:
        detail = f"The function is not allowed to be used this way in an expression; function: {call.function}"
        return invalid(self._kind, detail)


def _is_placeholder(step: Step) -> bool:
    return isinstance(step, str) and step.startswith("#")


def check_paths(kind: Kind, paths: list[Steps]) -> None:
    """No path of a projection or update may be another's beginning.

    Nor may it take for a list what another takes for a map; that is told only when nothing overlaps.
    """
    conflict: tuple[Steps, Steps] | None = None
    for at, path in enumerate(paths):
        for other in paths[:at]:
            clash = _compared(other, path)
            if clash == "overlap":
                raise _clash(kind, "overlap", other, path)
            if clash is not None and conflict is None:
                conflict = (other, path)
    if conflict is not None:
        raise _clash(kind, "conflict", *conflict)


def _compared(one: Steps, two: Steps) -> str | None:
    for left, right in zip(one, two, strict=False):
        if isinstance(left, int) != isinstance(right, int):
            return "conflict"
        if left != right:
            return None
    return "overlap"


def _clash(kind: Kind, verb: str, one: Steps, two: Steps) -> Exception:
    return invalid(
        kind,
        f"Two document paths {verb} with each other; must remove or rewrite one of these paths; "
        f"path one: {path_text(one)}, path two: {path_text(two)}",
    )
