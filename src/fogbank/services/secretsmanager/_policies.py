"""Resource policies: whether one is well formed, and whether it lets everybody in.

Source: PutResourcePolicy and ValidateResourcePolicy in the service model.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fogbank.services.secretsmanager.errors import MalformedPolicyError

_VERSIONS = ("2012-10-17", "2008-10-17")
_MEMBERS = frozenset(
    {
        "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
    }
)  # fmt: skip


def parse_policy(text: str) -> list[dict[str, Any]]:
    """The statements of a policy; `MalformedPolicyError` if it is none."""
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise MalformedPolicyError from None
    if not isinstance(document, dict) or document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise MalformedPolicyError
    statements = document.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicyError
    for statement in statements:
        if not isinstance(statement, dict) or not _is_whole(statement):
            raise MalformedPolicyError
    return statements


def _is_whole(statement: dict[str, Any]) -> bool:
    if set(statement) - _MEMBERS or statement.get("Effect") not in ("Allow", "Deny"):
        return False
    pairs = (("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource"))
    if any((one in statement) == (other in statement) for one, other in pairs):
        return False
    actions = statement.get("Action", statement.get("NotAction"))
    actions = [actions] if isinstance(actions, str) else actions
    return isinstance(actions, list) and all(_is_action(action) for action in actions)


def _is_action(action: Any) -> bool:
    return isinstance(action, str) and (action == "*" or action.lower().startswith("secretsmanager:"))


def is_public(statements: list[dict[str, Any]]) -> bool:
    """Whether some statement lets everybody in, without a condition."""
    return any(
        statement["Effect"] == "Allow" and not statement.get("Condition") and _is_everybody(statement)
        for statement in statements
    )


def _is_everybody(statement: dict[str, Any]) -> bool:
    if "NotPrincipal" in statement:
        return True
    principal = statement["Principal"]
    named = principal.get("AWS") if isinstance(principal, dict) else principal
    return named == "*" or (isinstance(named, list) and "*" in named)
