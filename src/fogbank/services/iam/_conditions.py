"""The conditions of policy statements: operators, and the dates that date operators compare with.

    condition := {operator: {key: value | [value, …]}}
    operator  := ["ForAllValues:" | "ForAnyValue:"] name ["IfExists"]

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html;
which dates are taken was recorded by the LocalStack project's validated suite.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fogbank.services.iam.errors import MalformedPolicyError

SYNTAX = "Syntax errors in policy."
_COMPARISONS = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
_NAMES = frozenset(
    name.lower()
    for name in (
        *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        *("StringLike", "StringNotLike", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress"),
        *("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null"),
        *(f"Numeric{each}" for each in _COMPARISONS),
        *(f"Date{each}" for each in _COMPARISONS),
    )
)
_OPERATOR = re.compile(r"(?:(?:ForAllValues|ForAnyValue):)?(\w+?)(?:IfExists)?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d{1,19}")
_DATE = re.compile(
    r"[+-]?\d+(?:-(?:0?[1-9]|1[0-2])(?:-(?:0?[1-9]|[12]\d|3[01]))?)?"
    r"(?:[Tt](?:\d{1,2}(?::\d{1,2}(?::\d{1,2}(?:[.,]\d{1,9})?)?)?)?(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?)?"
)
_MOST_SECONDS = 1 << 63


def check_condition(condition: Any) -> None:
    """A condition has known operators and values; an operator without any keys may be anything."""
    if not isinstance(condition, dict):
        raise MalformedPolicyError(SYNTAX)
    for operator, tests in condition.items():
        if not isinstance(tests, dict) or not all(map(_is_value, tests.values())):
            raise MalformedPolicyError(SYNTAX)
        if tests and _name(operator) not in _NAMES:
            raise MalformedPolicyError(SYNTAX)


def has_legacy_dates(condition: Mapping[str, Any]) -> bool:
    """Whether all that date operators compare with are seconds since the epoch or dates as in ISO 8601."""
    for operator, tests in condition.items():
        if not (_name(operator) or "").startswith("date"):
            continue
        for value in tests.values():
            if not all(map(_is_date, value if isinstance(value, list) else [value])):
                return False
    return True


def _name(operator: str) -> str | None:
    match = _OPERATOR.fullmatch(operator)
    return match[1].lower() if match else None


def _is_value(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(isinstance(each, str | bool | int | float) for each in values)


def _is_date(value: Any) -> bool:
    text = str(value)
    if "${" in text:
        return True
    if re.fullmatch(r"[+-]?\d+", text):
        return _NUMBER.fullmatch(text) is not None and -_MOST_SECONDS <= int(text) < _MOST_SECONDS
    return _DATE.fullmatch(text) is not None
