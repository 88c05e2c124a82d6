"""Requests to write, as plans: every check that needs no table is made here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions import legacy
from fogbank.services.dynamodb._expressions.conditions import condition
from fogbank.services.dynamodb._expressions.placeholders import Placeholders
from fogbank.services.dynamodb._expressions.tokens import Kind
from fogbank.services.dynamodb._expressions.updates import Update, update
from fogbank.services.dynamodb._items import parameters
from fogbank.services.dynamodb._items.plans import CheckPlan, DeletePlan, Guard, PutPlan, UpdatePlan
from fogbank.services.dynamodb._values.attributes import MAX_ITEM_SIZE, Item, ValueFault, checked_item

Given = Mapping[str, Any]

_NOTHING = Placeholders()


def given_item(item: Mapping[str, Mapping[str, Any]]) -> tuple[Item, int]:
    """An item of a request, canonical, and its size."""
    try:
        checked, size = checked_item(item)
    except ValueFault as fault:
        raise ValidationError(str(fault)) from None
    if size > MAX_ITEM_SIZE:
        raise ValidationError("Item size has exceeded the maximum allowed size")
    return checked, size


def given_key(key: Mapping[str, Mapping[str, Any]]) -> Item:
    """A key of a request, canonical."""
    try:
        return checked_item(key)[0]
    except ValueFault as fault:
        raise ValidationError(str(fault)) from None


def placeholders_of(request: Given) -> Placeholders:
    """The names and values of a request; usually there are none."""
    if "ExpressionAttributeNames" in request or "ExpressionAttributeValues" in request:
        return Placeholders.of(request)
    return _NOTHING


def _guard(request: Given, placeholders: Placeholders) -> Guard | None:
    """The condition of a request, in either form."""
    shows = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    text = request.get("ConditionExpression")
    if text is not None:
        return Guard(condition(Kind.CONDITION, text, placeholders), placeholders.values, shows)
    expected = request.get("Expected")
    if expected:
        return Guard(legacy.expected(expected, request.get("ConditionalOperator")), {}, shows)
    return None


def _reads(request: Given) -> bool:
    """Whether the reply needs the item as it was."""
    wanted = (request.get("ReturnValues", "NONE"), request.get("ReturnConsumedCapacity", "NONE"))
    return wanted != ("NONE", "NONE")


def put(request: Given) -> PutPlan:
    """PutItem, and Put of a transaction."""
    parameters.check_combination(request, parameters.PUT)
    parameters.check_return_values(request)
    item, size = given_item(request["Item"])
    placeholders = placeholders_of(request)
    guard = _guard(request, placeholders)
    placeholders.check_used()
    return PutPlan(item, size, guard, reads=_reads(request))


def delete(request: Given) -> DeletePlan:
    """DeleteItem, and Delete of a transaction."""
    parameters.check_combination(request, parameters.DELETE)
    parameters.check_return_values(request)
    key = given_key(request["Key"])
    placeholders = placeholders_of(request)
    guard = _guard(request, placeholders)
    placeholders.check_used()
    return DeletePlan(key, guard, reads=_reads(request))


def check(request: Given) -> CheckPlan:
    """ConditionCheck of a transaction."""
    key = given_key(request["Key"])
    placeholders = placeholders_of(request)
    guard = _guard(request, placeholders)
    placeholders.check_used()
    return CheckPlan(key, guard)


def change(request: Given) -> UpdatePlan:
    """UpdateItem, and Update of a transaction."""
    parameters.check_combination(request, parameters.UPDATE)
    key = given_key(request["Key"])
    placeholders = placeholders_of(request)
    made: Update | None = None
    if "UpdateExpression" in request:
        made = update(request["UpdateExpression"], placeholders)
    elif "AttributeUpdates" in request:
        made = legacy.attribute_updates(request["AttributeUpdates"])
    guard = _guard(request, placeholders)
    placeholders.check_used()
    return UpdatePlan(key, made, guard)
