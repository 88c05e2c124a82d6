"""The resource policy of an event bus: whole, or statement by statement."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fogbank.services.events.errors import PolicyLengthExceededError, ResourceNotFoundError, ValidationError
from fogbank.services.events.model import MAX_POLICY, BusKey

_VERSION = "2012-10-17"
_ACTION = "events:PutEvents"


def check_policy(request: Mapping[str, Any]) -> None:
    """Refuse a whole policy that is no policy, or one that is given together with a statement's parts."""
    if any(request.get(name) for name in ("Action", "Principal", "StatementId", "Condition")):
        raise ValidationError(
            "Either Policy or Action, Principal, StatementId and Condition must be specified, not both."
        )
    try:
        policy = json.loads(request["Policy"])
    except (ValueError, RecursionError):
        raise ValidationError("Parameter Policy is not valid. Reason: The policy is not valid JSON.") from None
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise ValidationError("Parameter Policy is not valid. Reason: The policy has no Statement.")
    _check_length(request["Policy"])


def statement_of(bus: BusKey, request: Mapping[str, Any]) -> dict[str, Any]:
    """The statement that PutPermission's parts describe."""
    for name in ("StatementId", "Action", "Principal"):
        if not request.get(name):
            raise ValidationError(f"Parameter {name} must be specified.")
    if request["Action"] != _ACTION:
        raise ValidationError("Provided value in parameter 'action' is not supported.")
    principal = request["Principal"]
    statement: dict[str, Any] = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:{bus.scope.partition}:iam::{principal}:root"},
        "Action": _ACTION,
        "Resource": bus.arn,
    }
    condition = request.get("Condition")
    if condition:
        if condition["Type"] != "StringEquals" or condition["Key"] != "aws:PrincipalOrgID":
            raise ValidationError(
                "Parameter Condition is not valid. Reason: only StringEquals of aws:PrincipalOrgID is supported."
            )
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return statement


def add_statement(policy: str | None, statement: Mapping[str, Any]) -> str:
    """The policy with a statement, in place of one with the same id."""
    document = json.loads(policy) if policy else {"Version": _VERSION, "Statement": []}
    document["Statement"] = [*_others(document, statement["Sid"]), statement]
    text = json.dumps(document, separators=(",", ":"))
    _check_length(text)
    return text


def remove_statement(policy: str | None, sid: str) -> str | None:
    """The policy without a statement; `None` if it was the last."""
    document = json.loads(policy) if policy else {"Statement": []}
    rest = _others(document, sid)
    if len(rest) == len(_statements(document)):
        raise ResourceNotFoundError("Statement with the provided id does not exist.")
    return json.dumps(document | {"Statement": rest}, separators=(",", ":")) if rest else None


def _statements(document: Mapping[str, Any]) -> list[Any]:
    statements = document["Statement"]
    return statements if isinstance(statements, list) else [statements]


def _others(document: Mapping[str, Any], sid: str) -> list[Any]:
    return [s for s in _statements(document) if not (isinstance(s, dict) and s.get("Sid") == sid)]


def _check_length(text: str) -> None:
    if len(text) > MAX_POLICY:
        raise PolicyLengthExceededError(f"The event bus policy is longer than {MAX_POLICY} characters.")
