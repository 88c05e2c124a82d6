"""Bucket policies: their form, whether they are public; whether another resource's policy lets S3 in.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.services.s3.errors import MalformedPolicyError

MAX_POLICY = 20 * 1024
_FIXING = frozenset(
    {
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)
"""Condition keys that make a statement for everybody one for somebody."""


def read_policy(text: str, bucket_arn: str) -> dict[str, Any]:
    """A bucket's policy, if it has the form of one."""
    if len(text.encode()) > MAX_POLICY:
        raise MalformedPolicyError(f"Policies must be smaller than {MAX_POLICY} bytes")
    try:
        policy = msgspec.json.decode(text)
    except msgspec.DecodeError:
        policy = None
    if not isinstance(policy, dict):
        raise MalformedPolicyError("Policies must be valid JSON and the first byte must be '{'")
    if not policy.get("Statement"):
        raise MalformedPolicyError("Missing required field Statement")
    for statement in statements(policy):
        _check_statement(statement, bucket_arn)
    return policy


def _check_statement(statement: Any, bucket_arn: str) -> None:
    if not isinstance(statement, dict):
        raise MalformedPolicyError("Policy document is not a valid JSON object")
    for names in (("Effect",), ("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")):
        if not any(name in statement for name in names):
            raise MalformedPolicyError(f"Missing required field {names[0]}")
    if statement["Effect"] not in {"Allow", "Deny"}:
        raise MalformedPolicyError(f"Invalid effect: {statement['Effect']}")
    for action in _several(statement.get("Action", statement.get("NotAction"))):
        if action != "*" and not str(action).lower().startswith("s3:"):
            raise MalformedPolicyError("Policy has invalid action")
    for resource in _several(statement.get("Resource", statement.get("NotResource"))):
        named = str(resource).partition("/")[0]
        if resource != "*" and not fnmatch.fnmatchcase(bucket_arn, named):
            raise MalformedPolicyError("Policy has invalid resource")


def statements(policy: Mapping[str, Any]) -> list[Any]:
    """The statements of a policy, of which there may be one without a list."""
    return _several(policy.get("Statement"))


def is_public(policy: Mapping[str, Any]) -> bool:
    """Whether a policy lets everybody do something."""
    return any(
        statement["Effect"] == "Allow" and _is_everybody(statement.get("Principal")) and not _fixes(statement)
        for statement in statements(policy)
    )


def _is_everybody(principal: Any) -> bool:
    if isinstance(principal, dict):
        return "*" in _several(principal.get("AWS")) or "*" in _several(principal.get("CanonicalUser"))
    return bool(principal == "*")


def _fixes(statement: Mapping[str, Any]) -> bool:
    conditions = statement.get("Condition") or {}
    return any(key.lower() in _FIXING for wanted in conditions.values() for key in wanted)


def lets_in(policy: Mapping[str, Any], principal: str, action: str, context: Mapping[str, str]) -> bool:
    """Whether a resource's policy lets a service do something. `context`: condition keys, in small letters."""
    meant = [
        statement
        for statement in statements(policy)
        if _names_service(statement.get("Principal"), principal)
        and any(fnmatch.fnmatchcase(action.lower(), str(a).lower()) for a in _several(statement.get("Action")))
        and _holds(statement.get("Condition") or {}, context)
    ]
    return bool(meant) and all(statement.get("Effect") == "Allow" for statement in meant)


def _names_service(principal: Any, service: str) -> bool:
    if isinstance(principal, dict):
        return service in _several(principal.get("Service")) or "*" in _several(principal.get("AWS"))
    return bool(principal == "*")


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Whether conditions hold, as far as S3 says anything of itself: its bucket's ARN and account."""
    for operator, wanted in conditions.items():
        exact = operator.lower().removesuffix("ifexists") == "stringequals"
        for key, values in wanted.items():
            given = context.get(key.lower())
            if given is None:
                if operator.lower().endswith("ifexists"):
                    continue
                return False
            fits = (given == value if exact else fnmatch.fnmatchcase(given, str(value)) for value in _several(values))
            if not any(fits):
                return False
    return True


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
