"""A condition as a function of an item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from fogbank.services.dynamodb._expressions.naming import Names, Steps, nested_in, path_text
from fogbank.services.dynamodb._expressions.parser import parse_condition
from fogbank.services.dynamodb._expressions.placeholders import NameItems, Placeholders, Values
from fogbank.services.dynamodb._expressions.syntax import (
    And,
    Between,
    Call,
    Comparison,
    Condition,
    In,
    Not,
    Operand,
    Or,
    Path,
    ValueRef,
)
from fogbank.services.dynamodb._expressions.tokens import Kind, invalid
from fogbank.services.dynamodb._values.attributes import TYPES, Item, Value
from fogbank.services.dynamodb._values.comparison import begins_with, contains, kind_of, length, ordering

CACHE_SIZE = 4096
"""Compiled expressions of each sort that are remembered."""
MAX_CHOICES = 100
"""Operands in the list of IN."""

Test = Callable[[Item, Values], bool]
Getter = Callable[[Item, Values], Value | None]
Check = Callable[[Values], None]

_ORDERED = frozenset(("S", "N", "B"))
_SIZED = frozenset(("S", "B", "SS", "NS", "BS", "L", "M"))
_PREFIXED = frozenset(("S", "B"))
_TEXT = frozenset(("S",))
_ATTRIBUTE_TYPES = "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
_TYPE_NAMES = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A condition, ready to be tested against items."""

    test: Test
    names: frozenset[str]
    """The `#names` that it uses."""
    values: frozenset[str]
    """The `:values` that it uses."""
    checks: tuple[Check, ...]
    """What is to be checked of the values before it runs."""
    attributes: frozenset[str]
    """The top-level attributes that it reads."""
    nested: frozenset[str] = frozenset()
    """Those of them that it looks into."""
    is_legacy: bool = False
    """Whether it was a `QueryFilter`, `ScanFilter` or `Expected`."""


def condition(kind: Kind, text: str, placeholders: Placeholders) -> CompiledCondition:
    """The condition that `text` states, checked together with the request's names and values."""
    compiled = _compiled(kind, text, placeholders.names, placeholders.defined)
    placeholders.use(compiled.names, compiled.values)
    for check in compiled.checks:
        check(placeholders.values)
    return compiled


@lru_cache(maxsize=CACHE_SIZE)
def _compiled(kind: Kind, text: str, names: NameItems, defined: tuple[str, ...]) -> CompiledCondition:
    tree, references = parse_condition(kind, text)
    resolver = Names(kind, dict(names))
    resolver.check(references, defined)
    resolver.check_counts(references)
    compiler = Compiler(kind, resolver)
    test = compiler.test(tree)
    paths = tuple(resolver.resolve(path) for path in references.paths)
    attributes = frozenset(str(path[0]) for path in paths)
    return CompiledCondition(
        test,
        frozenset(resolver.used),
        frozenset(references.values),
        tuple(compiler.checks),
        attributes,
        nested_in(paths),
    )


class Compiler:
    """Turns trees into functions, and gathers the checks that need the values."""

    def __init__(self, kind: Kind, names: Names) -> None:
        self.kind = kind
        self._names = names
        self.checks: list[Check] = []

    # -- conditions ---------------------------------------------------------------------------------------

    def test(self, tree: Condition) -> Test:
        """The function for a condition."""
        match tree:
            case Comparison():
                return self._comparison(tree)
            case And(parts):
                return _all([self.test(part) for part in parts])
            case Or(parts):
                return _any([self.test(part) for part in parts])
            case Not(part):
                inner = self.test(part)
                return lambda item, values: not inner(item, values)
            case Between():
                return self._between(tree)
            case In():
                return self._in(tree)
            case Call():
                return self._boolean(tree)

    def _comparison(self, tree: Comparison) -> Test:
        operator = tree.operator
        self._distinct(operator, (tree.left, tree.right))
        if operator not in ("=", "<>"):
            self._require_types(operator, tree.left, _ORDERED)
            self._require_types(operator, tree.right, _ORDERED)
        left, right = self.getter(tree.left), self.getter(tree.right)
        match operator:
            case "=":
                return lambda item, values: (one := left(item, values)) is not None and one == right(item, values)
            case "<>":
                return lambda item, values: left(item, values) != right(item, values)
            case "<":
                return _ordered(left, right, lambda sign: sign < 0)
            case "<=":
                return _ordered(left, right, lambda sign: sign <= 0)
            case ">":
                return _ordered(left, right, lambda sign: sign > 0)
            case _:
                return _ordered(left, right, lambda sign: sign >= 0)

    def _between(self, tree: Between) -> Test:
        for operand in (tree.operand, tree.low, tree.high):
            self._require_types("BETWEEN", operand, _ORDERED)
        if isinstance(tree.low, ValueRef) and isinstance(tree.high, ValueRef):
            self.checks.append(_bounds_check(self.kind, tree.low.name, tree.high.name))
        subject, low, high = (self.getter(part) for part in (tree.operand, tree.low, tree.high))
        above = _ordered(subject, low, lambda sign: sign >= 0)
        below = _ordered(subject, high, lambda sign: sign <= 0)
        return lambda item, values: above(item, values) and below(item, values)

    def _in(self, tree: In) -> Test:
        if len(tree.choices) > MAX_CHOICES:
            detail = "The IN operator is provided with too many operands; number of operands: "
            raise invalid(self.kind, f"{detail}{len(tree.choices)}")
        subject = self.getter(tree.operand)
        choices = [self.getter(choice) for choice in tree.choices]

        def test(item: Item, values: Values) -> bool:
            value = subject(item, values)
            return value is not None and any(value == choice(item, values) for choice in choices)

        return test

    def _boolean(self, tree: Call) -> Test:
        match tree.function:
            case "attribute_exists":
                found = self._path_operand(tree)
                return lambda item, values: found(item, values) is not None
            case "attribute_not_exists":
                found = self._path_operand(tree)
                return lambda item, values: found(item, values) is None
            case "attribute_type":
                return self._attribute_type(tree)
            case "begins_with":
                self._distinct("begins_with", tree.operands)
                for operand in tree.operands:
                    self._require_types("begins_with", operand, _PREFIXED)
                return self._pairwise(tree, begins_with)
            case _:
                self._distinct("contains", tree.operands)
                return self._pairwise(tree, contains)

    def _pairwise(self, tree: Call, holds: Callable[[Value, Value], bool]) -> Test:
        first, second = (self.getter(operand) for operand in tree.operands)

        def test(item: Item, values: Values) -> bool:
            one, two = first(item, values), second(item, values)
            return one is not None and two is not None and holds(one, two)

        return test

    def _path_operand(self, tree: Call) -> Getter:
        if not isinstance(tree.operands[0], Path):
            raise invalid(
                self.kind,
                f"Operator or function requires a document path; operator or function: {tree.function}",
            )
        return self.getter(tree.operands[0])

    def _attribute_type(self, tree: Call) -> Test:
        found = self._path_operand(tree)
        self._distinct("attribute_type", tree.operands)
        wanted = tree.operands[1]
        if isinstance(wanted, Path):
            raise wrong_type(self.kind, "attribute_type", _ATTRIBUTE_TYPES)
        self._require_types("attribute_type", wanted, _TEXT)
        if isinstance(wanted, ValueRef):
            self.checks.append(_type_name_check(self.kind, wanted.name))
        name = self.getter(wanted)

        def test(item: Item, values: Values) -> bool:
            value, kind = found(item, values), name(item, values)
            return value is not None and kind is not None and kind_of(value) == kind.get("S")

        return test

    # -- operands -----------------------------------------------------------------------------------------

    def getter(self, operand: Operand) -> Getter:
        """The function that finds an operand's value."""
        match operand:
            case Path():
                return path_getter(self._names.resolve(operand))
            case ValueRef(name):
                return lambda _item, values: values[name]
            case Call():
                return self._size(operand)
            case _:
                raise AssertionError("conditions have no arithmetic")

    def _size(self, tree: Call) -> Getter:
        self._require_types("size", tree.operands[0], _SIZED)
        found = self.getter(tree.operands[0])

        def get(item: Item, values: Values) -> Value | None:
            value = found(item, values)
            count = None if value is None else length(value)
            return None if count is None else {"N": str(count)}

        return get

    # -- checks -------------------------------------------------------------------------------------------

    def _require_types(self, operator: str, operand: Operand, allowed: frozenset[str]) -> None:
        """What is known of an operand's type before any item is seen must be allowed."""
        if isinstance(operand, ValueRef):
            self.checks.append(_type_check(self.kind, operator, operand.name, allowed))
        elif isinstance(operand, Call) and "N" not in allowed:
            raise wrong_type(self.kind, operator, "N")

    def _distinct(self, operator: str, operands: tuple[Operand, ...]) -> None:
        first = operands[0]
        if not isinstance(first, Path):
            return
        steps = self._names.resolve(first)
        for other in operands[1:]:
            if isinstance(other, Path) and self._names.resolve(other) == steps:
                raise invalid(
                    self.kind,
                    "The first operand must be distinct from the remaining operands for this operator or "
                    f"function; operator: {operator}, first operand: {path_text(steps)}",
                )


def wrong_type(kind: Kind, operator: str, found: str) -> Exception:
    """An operand whose type an operator or function does not take."""
    return invalid(
        kind,
        f"Incorrect operand type for operator or function; operator or function: {operator}, operand type: {found}",
    )


def _type_check(kind: Kind, operator: str, name: str, allowed: frozenset[str]) -> Check:
    def check(values: Values) -> None:
        found = kind_of(values[name])
        if found not in allowed:
            raise wrong_type(kind, operator, found)

    return check


def _type_name_check(kind: Kind, name: str) -> Check:
    def check(values: Values) -> None:
        found = values[name].get("S")
        if found not in TYPES:
            detail = f"Invalid attribute type name found; type: {found}, valid types: {_TYPE_NAMES}"
            raise invalid(kind, detail)

    return check


def _bounds_check(kind: Kind, low: str, high: str) -> Check:
    def check(values: Values) -> None:
        first, last = values[low], values[high]
        sign = ordering(first, last)
        if sign is not None and sign <= 0:
            return
        shown = f"lower bound operand: {value_text(first)}, upper bound operand: {value_text(last)}"
        if sign is None:
            detail = f"The BETWEEN operator requires same data type for lower and upper bounds; {shown}"
        else:
            detail = "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; " + shown
        raise invalid(kind, detail)

    return check


def value_text(value: Value) -> str:
    """A value as error messages show it: `AttributeValue: {S:text}`."""
    kind = kind_of(value)
    return f"AttributeValue: {{{kind}:{value[kind]}}}"


def _ordered(left: Getter, right: Getter, holds: Callable[[int], bool]) -> Test:
    def test(item: Item, values: Values) -> bool:
        one, two = left(item, values), right(item, values)
        if one is None or two is None:
            return False
        sign = ordering(one, two)
        return sign is not None and holds(sign)

    return test


def _all(tests: list[Test]) -> Test:
    def test(item: Item, values: Values) -> bool:
        for part in tests:  # noqa: SIM110 - a generator costs twice as much
            if not part(item, values):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    def test(item: Item, values: Values) -> bool:
        for part in tests:  # noqa: SIM110 - a generator costs twice as much
            if part(item, values):
                return True
        return False

    return test


def path_getter(steps: Steps) -> Getter:
    """The function that follows a path."""
    if len(steps) == 1:
        name = cast("str", steps[0])
        return lambda item, _values: item.get(name)
    return lambda item, _values: follow(item, steps)


def follow(item: Item, steps: Steps) -> Value | None:
    """The value at the end of a path, or `None`."""
    value = item.get(cast("str", steps[0]))
    for step in steps[1:]:
        if value is None:
            return None
        if isinstance(step, str):
            members = value.get("M")
            value = None if members is None else members.get(step)
        else:
            elements = value.get("L")
            value = elements[step] if elements is not None and step < len(elements) else None
    return value
