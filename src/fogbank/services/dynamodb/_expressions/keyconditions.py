"""A key condition as comparisons of key attributes with values.

The grammar is that of conditions; what is allowed is much less: comparisons joined by AND, one for each key
attribute, each of an attribute with a value. Which attributes are keys is judged where the table is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions.conditions import CACHE_SIZE, Check, Compiler
from fogbank.services.dynamodb._expressions.naming import Names
from fogbank.services.dynamodb._expressions.parser import parse_condition
from fogbank.services.dynamodb._expressions.placeholders import NameItems, Placeholders
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
from fogbank.services.dynamodb._expressions.tokens import Kind
from fogbank.services.dynamodb._values.attributes import Value

_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_INVALID = "Invalid condition in KeyConditionExpression"


@dataclass(frozen=True, slots=True)
class KeyTest:
    """`attribute operator value…`; the operator one of = < <= > >= BETWEEN begins_with."""

    attribute: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _Template:
    """The same before its values are known."""

    attribute: str
    operator: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Compiled:
    templates: tuple[_Template, ...]
    names: frozenset[str]
    values: frozenset[str]
    checks: tuple[Check, ...]
    fault: str | None
    """Why it is no condition of keys."""


def key_condition(text: str, placeholders: Placeholders) -> tuple[KeyTest, ...]:
    """The comparisons that `text` states, in its order, with their values."""
    return KeyCondition(text, placeholders).tests()


class KeyCondition:
    """A key condition whose syntax and operands are right; `tests` judges whether it is one of keys."""

    __slots__ = ("_compiled", "_values")

    def __init__(self, text: str, placeholders: Placeholders) -> None:
        self._compiled = _compiled(text, placeholders.names, placeholders.defined)
        placeholders.use(self._compiled.names, self._compiled.values)
        self._values = placeholders.values
        for check in self._compiled.checks:
            check(self._values)

    def tests(self) -> tuple[KeyTest, ...]:
        """The comparisons that it states, in its order, with their values."""
        if self._compiled.fault is not None:
            raise ValidationError(self._compiled.fault)
        values = self._values
        return tuple(
            KeyTest(one.attribute, one.operator, tuple(values[name] for name in one.references))
            for one in self._compiled.templates
        )


@lru_cache(maxsize=CACHE_SIZE)
def _compiled(text: str, names: NameItems, defined: tuple[str, ...]) -> _Compiled:
    tree, references = parse_condition(Kind.KEY_CONDITION, text)
    resolver = Names(Kind.KEY_CONDITION, dict(names))
    resolver.check(references, defined)
    resolver.check_counts(references)
    compiler = Compiler(Kind.KEY_CONDITION, resolver)
    compiler.test(tree)
    templates: tuple[_Template, ...] = ()
    fault = None
    try:
        templates = _templates(tree, resolver)
    except ValidationError as error:  # told only after the request's other expressions were judged
        fault = error.message
    names_used, values_used = frozenset(resolver.used), frozenset(references.values)
    return _Compiled(templates, names_used, values_used, tuple(compiler.checks), fault)


def _templates(tree: Condition, names: Names) -> tuple[_Template, ...]:
    parts = _flattened(tree)
    for part in parts:
        _check_operator(part)
    templates = tuple(_template(part, names) for part in parts)
    attributes = [template.attribute for template in templates]
    if len(set(attributes)) != len(attributes):
        raise ValidationError("KeyConditionExpressions must only contain one condition per key")
    return templates


def _flattened(tree: Condition) -> list[Condition]:
    if isinstance(tree, And):
        return [part for each in tree.parts for part in _flattened(each)]
    return [tree]


def _check_operator(part: Condition) -> None:
    match part:
        case Or():
            operator = "OR"
        case Not():
            operator = "NOT"
        case In():
            operator = "IN"
        case Comparison(operator="<>"):
            operator = "<>"
        case Call(function=name) if name != "begins_with":
            operator = name
        case _:
            return
    raise ValidationError(f"Invalid operator used in KeyConditionExpression: {operator}")


def _template(part: Condition, names: Names) -> _Template:
    match part:
        case Comparison(operator, left, right):
            path = _key(operator, (left, right))
            if path is right:
                right, operator = left, _FLIPPED[operator]
            return _Template(_attribute(path, names), operator, (_reference(right),))
        case Between(operand, low, high):
            path = _key("BETWEEN", (operand, low, high))
            return _Template(_attribute(path, names), "BETWEEN", (_reference(low), _reference(high)))
        case Call(operands=operands):
            path = _key("begins_with", operands)
            return _Template(_attribute(path, names), "begins_with", (_reference(operands[1]),))
        case _:
            raise AssertionError(f"unexpected part of a key condition: {part}")


def _key(operator: str, operands: tuple[Operand, ...]) -> Path:
    """The one attribute among the operands, which are judged one after the other."""
    found: Path | None = None
    for operand in operands:
        if isinstance(operand, Call):
            raise ValidationError("KeyConditionExpressions cannot contain nested operations")
        if isinstance(operand, Path):
            if found is not None:
                raise ValidationError(f"{_INVALID}: Multiple attribute names used in one condition")
            if len(operand.steps) > 1:
                raise ValidationError("KeyConditionExpressions cannot have conditions on nested attributes")
            found = operand
        elif found is None and operator in ("BETWEEN", "begins_with"):
            raise ValidationError(f"{_INVALID}: {operator} operator must have the key attribute as its first operand")
    if found is None:
        raise ValidationError(f"{_INVALID}: No key attribute specified")
    return found


def _attribute(path: Path, names: Names) -> str:
    return str(names.resolve(path)[0])


def _reference(operand: Operand) -> str:
    """The value that is compared with: of one path and no calls, what is left is values."""
    return cast("ValueRef", operand).name
