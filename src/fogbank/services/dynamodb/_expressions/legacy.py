"""The parameters that expressions replaced, in terms of what replaced them.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions.actions import Change, Verb
from fogbank.services.dynamodb._expressions.conditions import CompiledCondition
from fogbank.services.dynamodb._expressions.keyconditions import KeyTest
from fogbank.services.dynamodb._expressions.placeholders import Values
from fogbank.services.dynamodb._expressions.projections import Projection
from fogbank.services.dynamodb._expressions.updates import Update
from fogbank.services.dynamodb._values.attributes import Item, Value, ValueFault, checked_value
from fogbank.services.dynamodb._values.comparison import begins_with, contains, kind_of, ordering
from fogbank.services.dynamodb.errors import invalid_parameter

Holds = Callable[[Value | None], bool]
"""Whether an attribute (absent as `None`) satisfies a condition."""

_SCALARS = frozenset(("S", "N", "B"))
_ARGUMENTS: Mapping[str, tuple[int, int]] = {
    "EQ": (1, 1),
    "NE": (1, 1),
    "LE": (1, 1),
    "LT": (1, 1),
    "GE": (1, 1),
    "GT": (1, 1),
    "CONTAINS": (1, 1),
    "NOT_CONTAINS": (1, 1),
    "BEGINS_WITH": (1, 1),
    "IN": (1, 100),
    "BETWEEN": (2, 2),
    "NULL": (0, 0),
    "NOT_NULL": (0, 0),
}
_TYPES: Mapping[str, frozenset[str]] = {
    "LE": _SCALARS,
    "LT": _SCALARS,
    "GE": _SCALARS,
    "GT": _SCALARS,
    "BETWEEN": _SCALARS,
    "IN": _SCALARS,
    "CONTAINS": frozenset(("S", "N", "B", "BOOL", "NULL")),
    "NOT_CONTAINS": frozenset(("S", "N", "B", "BOOL", "NULL")),
    "BEGINS_WITH": frozenset(("S", "B")),
}
_MISMATCH = "Type mismatch for attribute to update"
_INDEXABLE = {
    "EQ": "=",
    "LE": "<=",
    "LT": "<",
    "GE": ">=",
    "GT": ">",
    "BETWEEN": "BETWEEN",
    "BEGINS_WITH": "begins_with",
}


def _checked(value: Mapping[str, Any]) -> Value:
    try:
        return checked_value(value)[0]
    except ValueFault as fault:
        raise ValidationError(str(fault)) from None


def _operands(operator: str, values: Sequence[Mapping[str, Any]]) -> list[Value]:
    """The operands of a comparison, checked for number and type."""
    operands = [_checked(value) for value in values]
    least, most = _ARGUMENTS[operator]
    if not least <= len(values) <= most:
        raise invalid_parameter(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    allowed = _TYPES.get(operator)
    for operand in operands:
        kind = kind_of(operand)
        if allowed is not None and kind not in allowed:
            raise invalid_parameter(f"ComparisonOperator {operator} is not valid for {kind} AttributeValue type")
    if len({kind_of(operand) for operand in operands}) > 1:
        raise invalid_parameter("AttributeValues inside AttributeValueList must be of same type")
    if operator == "BETWEEN":
        sign = ordering(operands[0], operands[1])
        if sign is not None and sign > 0:
            raise ValidationError(
                "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
            )
    return operands


def _holds(operator: str, operands: list[Value]) -> Holds:
    """The function for one comparison."""
    if operator == "NULL":
        return lambda value: value is None
    if operator == "NOT_NULL":
        return lambda value: value is not None
    if operator == "IN":
        return lambda value: value in operands
    first = operands[0]
    if operator == "BETWEEN":
        last = operands[1]
        return lambda value: _sign(value, first, (0, 1)) and _sign(value, last, (-1, 0))
    tests: Mapping[str, Holds] = {
        "EQ": lambda value: value == first,
        "NE": lambda value: value != first,
        "LE": lambda value: _sign(value, first, (-1, 0)),
        "LT": lambda value: _sign(value, first, (-1,)),
        "GE": lambda value: _sign(value, first, (0, 1)),
        "GT": lambda value: _sign(value, first, (1,)),
        "CONTAINS": lambda value: value is not None and contains(value, first),
        "NOT_CONTAINS": lambda value: value is not None and not contains(value, first),
        "BEGINS_WITH": lambda value: value is not None and begins_with(value, first),
    }
    return tests[operator]


def _sign(value: Value | None, other: Value, signs: tuple[int, ...]) -> bool:
    return value is not None and ordering(value, other) in signs


def _combined(tests: Mapping[str, Holds], operator: str | None, parameter: str) -> CompiledCondition:
    if operator is not None and len(tests) < 2:
        raise ValidationError(f"ConditionalOperator can only be used when {parameter} has two or more elements")
    pairs = tuple(tests.items())

    def every(item: Item, _values: Values) -> bool:
        return all(holds(item.get(name)) for name, holds in pairs)

    def some(item: Item, _values: Values) -> bool:
        return any(holds(item.get(name)) for name, holds in pairs)

    test = some if operator == "OR" else every
    return CompiledCondition(test, frozenset(), frozenset(), (), frozenset(tests), is_legacy=True)


def expected(given: Mapping[str, Mapping[str, Any]], operator: str | None) -> CompiledCondition:
    """`Expected`, with `ConditionalOperator`, as a condition."""
    return _combined({name: _expectation(name, one) for name, one in given.items()}, operator, "Expected")


def _expectation(name: str, given: Mapping[str, Any]) -> Holds:
    value, exists = given.get("Value"), given.get("Exists")
    comparison, listed = given.get("ComparisonOperator"), given.get("AttributeValueList")
    if comparison is not None:
        if exists is not None:
            raise invalid_parameter(f"Exists and ComparisonOperator cannot be used together for Attribute: {name}")
        if value is not None and listed is not None:
            raise invalid_parameter(f"Value and AttributeValueList cannot be used together for Attribute: {name}")
        values = [value] if value is not None else listed or []
        if value is None and listed is None and _ARGUMENTS[comparison][0]:
            raise invalid_parameter(
                f"Value or AttributeValueList must be used with ComparisonOperator: {comparison} for Attribute: {name}"
            )
        return _holds(comparison, _operands(comparison, values))
    if listed is not None:
        raise invalid_parameter(f"AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}")
    if exists is False:
        if value is not None:
            raise invalid_parameter(f"Value cannot be used when Exists is false for Attribute: {name}")
        return lambda found: found is None
    if value is None:
        detail = "Exists is null" if exists is None else "Exists is true"
        raise invalid_parameter(f"Value must be provided when {detail} for Attribute: {name}")
    wanted = _checked(value)
    return lambda found: found == wanted


def filtered(given: Mapping[str, Mapping[str, Any]], operator: str | None) -> CompiledCondition:
    """`QueryFilter` or `ScanFilter`, with `ConditionalOperator`, as a condition."""
    tests = {}
    for name, one in given.items():
        comparison = one["ComparisonOperator"]
        tests[name] = _holds(comparison, _operands(comparison, one.get("AttributeValueList") or []))
    return _combined(tests, operator, "Filter")


def key_conditions(given: Mapping[str, Mapping[str, Any]]) -> tuple[KeyTest, ...]:
    """`KeyConditions` as comparisons of key attributes.

    Those that no index can answer (`NE`, `CONTAINS`…) are left: they are told where the keys are known.
    """
    tests = []
    for name, one in given.items():
        comparison = one["ComparisonOperator"]
        operands = _operands(comparison, one.get("AttributeValueList") or [])
        tests.append(KeyTest(name, _INDEXABLE.get(comparison, comparison), tuple(operands)))
    if not 1 <= len(tests) <= 2:
        raise ValidationError("Conditions can be of length 1 or 2 only")
    return tuple(tests)


def attributes_to_get(names: Sequence[str]) -> Projection:
    """`AttributesToGet` as a projection."""
    seen = set()
    for name in names:
        if name in seen:
            raise invalid_parameter(f"Duplicate value in attribute name: {name}")
        seen.add(name)
    return Projection((name,) for name in names)


def attribute_updates(given: Mapping[str, Mapping[str, Any]]) -> Update:
    """`AttributeUpdates` as an update."""
    changes = [_change(name, one) for name, one in given.items()]
    creates = not changes or any(change.verb in (Verb.SET, Verb.ADD) for change in changes)
    kinds = [
        (str(change.path[0]), kind_of(change.value))
        for change in changes
        if change.value is not None and change.verb is not Verb.DELETE
    ]
    return Update(tuple(change.path for change in changes), lambda _item: changes, creates, kinds=lambda: kinds)


def _change(name: str, given: Mapping[str, Any]) -> Change:
    action, value = given.get("Action", "PUT"), given.get("Value")
    if value is None:
        if action != "DELETE":
            raise invalid_parameter("Only DELETE action is allowed when no attribute value is specified")
        return Change(Verb.REMOVE, (name,))
    checked = _checked(value)
    kind = kind_of(checked)
    if action == "PUT":
        return Change(Verb.SET, (name,), checked)
    if action == "DELETE":
        if kind not in ("SS", "NS", "BS"):
            raise invalid_parameter(f"DELETE action with value is not supported for the type {kind}")
        return Change(Verb.DELETE, (name,), checked, _MISMATCH)
    if kind not in ("N", "SS", "NS", "BS"):
        raise invalid_parameter(f"ADD action is not supported for the type {kind}")
    return Change(Verb.ADD, (name,), checked, _MISMATCH)
