"""Stack policies: which resources an update may touch.

A stack without a policy allows everything; one with a policy denies what it does not allow, and a denial wins.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fogbank.services.cloudformation.errors import StackValidationError
from fogbank.services.cloudformation.model import Action

MAX_BYTES = 16_384
_KNOWN_ACTIONS = frozenset({"Update:*", "Update:Modify", "Update:Replace", "Update:Delete"})
_ACTIONS = {Action.UPDATE: "Update:Modify", Action.REPLACE: "Update:Replace", Action.REMOVE: "Update:Delete"}


@dataclass(frozen=True, slots=True)
class Denial:
    """What a policy says no to, and with which statement (counted from 1; 0 if none allows it)."""

    action: str
    logical_id: str
    statement: int

    @property
    def message(self) -> str:
        """CloudFormation's words for it."""
        return (
            f"Action denied by stack policy: Statement [#{self.statement}] does not allow [{self.action}] for resource "
            f"[{self.logical_id}]"
        )


def check_policy(body: str) -> str:
    """Refuse what is no stack policy; gives the policy back."""
    if len(body.encode()) > MAX_BYTES:
        raise StackValidationError(
            f"1 validation error detected: Value at 'stackPolicyBody' failed to satisfy constraint: Member must have "
            f"length less than or equal to {MAX_BYTES}"
        )
    try:
        _statements(body)
    except (ValueError, TypeError, AttributeError, KeyError):
        raise StackValidationError("Error validating stack policy: Invalid stack policy") from None
    return body


def _statements(body: str) -> list[Mapping[str, Any]]:
    document = json.loads(body)
    if document == {}:
        return []
    statements = document["Statement"]
    found = statements if isinstance(statements, list) else [statements]
    for statement in found:
        if statement["Effect"] not in ("Allow", "Deny") or statement["Principal"] != "*":
            raise ValueError(statement)
        if not {"Action", "NotAction"} & set(statement) or not {"Resource", "NotResource"} & set(statement):
            raise ValueError(statement)
        actions = statement.get("Action", statement.get("NotAction"))
        if not all(action in _KNOWN_ACTIONS for action in (actions if isinstance(actions, list) else [actions])):
            raise ValueError(statement)
    return found


def denied(policy: str | None, logical_id: str, type_name: str, action: Action) -> Denial | None:
    """Why a policy denies an action on a resource; `None` if it allows it, or there is none."""
    if policy is None or action not in _ACTIONS:
        return None
    name = _ACTIONS[action]
    allowed = False
    statements = _statements(policy)
    if not statements:
        return None  # the empty policy takes an earlier one away
    for number, statement in enumerate(statements, 1):
        if not _applies(statement, name, logical_id, type_name):
            continue
        if statement["Effect"] == "Deny":
            return Denial(name, logical_id, number)
        allowed = True
    return None if allowed else Denial(name, logical_id, 0)


def _applies(statement: Mapping[str, Any], action: str, logical_id: str, type_name: str) -> bool:
    resource = f"LogicalResourceId/{logical_id}"
    return (
        _matches(statement, "Action", action)
        and _matches(statement, "Resource", resource)
        and _condition(statement.get("Condition", {}), type_name)
    )


def _matches(statement: Mapping[str, Any], key: str, value: str) -> bool:
    if key in statement:
        return _any(statement[key], value)
    return not _any(statement["Not" + key], value)


def _any(patterns: Any, value: str) -> bool:
    listed = patterns if isinstance(patterns, list) else [patterns]
    return any(fnmatch.fnmatchcase(value, pattern) for pattern in listed)


def _condition(condition: Mapping[str, Any], type_name: str) -> bool:
    for operator, tests in condition.items():
        types = tests.get("ResourceType", [])
        if operator == "StringEquals" and type_name not in (types if isinstance(types, list) else [types]):
            return False
        if operator == "StringLike" and not _any(types, type_name):
            return False
    return True
