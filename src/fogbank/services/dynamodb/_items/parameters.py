"""Rules that hold between the parameters of a request on items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fogbank.core.errors import ValidationError

_LEGACY = frozenset(
    (
        "AttributesToGet",
        "AttributeUpdates",
        "Expected",
        "ConditionalOperator",
        "KeyConditions",
        "QueryFilter",
        "ScanFilter",
    )
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Which parameters an operation has, in the order in which error messages list them."""

    legacy: tuple[str, ...]
    expressions: tuple[str, ...]
    valued: tuple[str, ...]
    """The expressions that use values."""


PUT = Rules(("Expected",), ("ConditionExpression",), ("ConditionExpression",))
DELETE = PUT
UPDATE = Rules(
    ("AttributeUpdates", "Expected"),
    ("UpdateExpression", "ConditionExpression"),
    ("UpdateExpression", "ConditionExpression"),
)
GET = Rules(("AttributesToGet",), ("ProjectionExpression",), ())
QUERY = Rules(
    ("AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"),
    ("ProjectionExpression", "FilterExpression", "KeyConditionExpression"),
    ("FilterExpression", "KeyConditionExpression"),
)
QUERY_BY_CONDITIONS = Rules(("AttributesToGet", "QueryFilter", "ConditionalOperator"), QUERY.expressions, QUERY.valued)
"""`KeyConditions` go with other expressions than `KeyConditionExpression`."""
SCAN = Rules(
    ("AttributesToGet", "ScanFilter", "ConditionalOperator"),
    ("ProjectionExpression", "FilterExpression"),
    ("FilterExpression",),
)


def check_combination(request: Mapping[str, Any], rules: Rules) -> None:
    """Expressions and the parameters that they replaced do not go together; names and values need expressions."""
    expressions = [name for name in rules.expressions if name in request]
    if not _LEGACY.isdisjoint(request):
        legacy = [name for name in rules.legacy if name in request]
        if legacy and expressions:
            raise ValidationError(
                "Can not use both expression and non-expression parameters in the same request: "
                f"Non-expression parameters: {{{', '.join(legacy)}}} "
                f"Expression parameters: {{{', '.join(expressions)}}}"
            )
        if "ConditionalOperator" in request and not any(
            name in request for name in ("Expected", "QueryFilter", "ScanFilter")
        ):
            raise ValidationError("ConditionalOperator cannot be used without Filter or Expected")
    if "ExpressionAttributeNames" in request and not expressions:
        raise ValidationError("ExpressionAttributeNames can only be specified when using expressions")
    if "ExpressionAttributeValues" in request and not any(name in request for name in rules.valued):
        verb = "is" if len(rules.valued) == 1 else "are"
        raise ValidationError(
            "ExpressionAttributeValues can only be specified when using expressions: "
            f"{' and '.join(rules.valued)} {verb} null"
        )


def check_return_values(request: Mapping[str, Any]) -> None:
    """PutItem and DeleteItem give back the old item or nothing."""
    if request.get("ReturnValues", "NONE") not in ("NONE", "ALL_OLD"):
        raise ValidationError("ReturnValues can only be ALL_OLD or NONE")
