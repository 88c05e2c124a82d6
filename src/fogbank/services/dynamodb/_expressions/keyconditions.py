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


def key_condition(text: str, placeholders: Placeholders) -> tuple[KeyTest, ...]:
    """The comparisons that `text` states, in its order, with their values."""
    compiled = _compiled(text, placeholders.names)
    placeholders.use(Kind.KEY_CONDITION, compiled.names, compiled.values)
    values = placeholders.values
    for check in compiled.checks:
        check(values)
    return tuple(
        KeyTest(one.attribute, one.operator, tuple(values[name] for name in one.references))
        for one in compiled.templates
    )


@lru_cache(maxsize=CACHE_SIZE)
def _compiled(text: str, names: NameItems) -> _Compiled:
    tree, references = parse_condition(Kind.KEY_CONDITION, text)
    resolver = Names(Kind.KEY_CONDITION, dict(names))
    resolver.check(references)
    compiler = Compiler(Kind.KEY_CONDITION, resolver)
    parts = _flattened(tree)
    for part in parts:
        _check_operator(part)
    compiler.test(tree)
    templates = tuple(_template(part, resolver) for part in parts)
    attributes = [template.attribute for template in templates]
    if len(set(attributes)) != len(attributes):
        raise ValidationError("KeyConditionExpressions must only contain one condition per key")
    return _Compiled(templates, frozenset(resolver.used), frozenset(references.values), tuple(compiler.checks))


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
            _check_operands((left, right))
            if isinstance(left, ValueRef) and isinstance(right, Path):
                left, right, operator = right, left, _FLIPPED[operator]
            return _Template(_attribute(left, names, operator), operator, (_reference(right),))
        case Between(operand, low, high):
            _check_operands((operand, low, high))
            attribute = _attribute(operand, names, "BETWEEN")
            return _Template(attribute, "BETWEEN", (_reference(low), _reference(high)))
        case Call(operands=operands):
            _check_operands(operands)
            attribute = _attribute(operands[0], names, "begins_with")
            return _Template(attribute, "begins_with", (_reference(operands[1]),))
        case _:
            raise AssertionError(f"unexpected part of a key condition: {part}")


def _check_operands(operands: tuple[Operand, ...]) -> None:
    if any(isinstance(operand, Call) for operand in operands):
        raise ValidationError("KeyConditionExpressions cannot contain nested operations")
    paths = [operand for operand in operands if isinstance(operand, Path)]
    if any(len(path.steps) > 1 for path in paths):
        raise ValidationError("KeyConditionExpressions cannot have conditions on nested attributes")
    if not paths:
        raise ValidationError("Invalid condition in KeyConditionExpression: No key attribute specified")
    if len(paths) > 1:
        raise ValidationError(
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"
        )


def _attribute(operand: Operand, names: Names, operator: str) -> str:
    if not isinstance(operand, Path):
        raise ValidationError(
            f"Invalid condition in KeyConditionExpression: {operator} operator must have the key attribute as "
            "its first operand"
        )
    return str(names.resolve(operand)[0])


def _reference(operand: Operand) -> str:
    """The value that is compared with: of one path and no calls, what is left is values."""
    return cast("ValueRef", operand).name
