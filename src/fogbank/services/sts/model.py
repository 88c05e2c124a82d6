"""The semantics of STS: who a caller is, how long a session lasts, what a session may carry.

    long-term key (IAM) ──┬── GetSessionToken ─────▶ the same user, temporary
                          ├── GetFederationToken ──▶ federated-user/name
                          └── AssumeRole ──────────▶ assumed-role/role/session ── AssumeRole (chained, ≤ 1
                          hour)

Times are seconds. Pure: no I/O, no clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.services.sts.errors import (
    InvalidValueError,
    MalformedPolicyError,
    PackedPolicyTooLargeError,
    StsValidationError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fogbank.core.ids import Ids
    from fogbank.core.scope import Scope

HOUR = 3600
MAX_POLICY_TEXT = 2048
MAX_POLICY_ARNS = 10
MAX_TOKEN = 4096
_TOKEN_BYTES = 264
_ROLE = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role(/(?:[\w+=,.@/-]*/)?)([\w+=,.@-]{1,64})")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: what GetCallerIdentity tells. `is_session` says that the credentials are temporary."""

    account: str
    arn: str
    user_id: str
    is_session: bool = False

    @property
    def is_root(self) -> bool:
        """Whether it is the account itself."""
        return self.user_id == self.account

    @property
    def is_role(self) -> bool:
        """Whether a role was assumed."""
        return ":assumed-role/" in self.arn


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials and whom they stand for."""

    access_key: str
    secret: str
    token: str
    identity: Identity
    created_at: int
    expires_at: int
    details: Mapping[str, Any] = field(default_factory=dict)


def root(scope: Scope) -> Identity:
    """The account's root."""
    return Identity(scope.account, scope.global_arn("iam", "root"), scope.account)


@dataclass(frozen=True, slots=True)
class RoleArn:
    """The parts of a role's ARN."""

    account: str
    name: str


def parse_role_arn(text: str) -> RoleArn:
    """Take a role's ARN apart; `StsValidationError` if it is none."""
    match = _ROLE.fullmatch(text)
    if match is None:
        raise StsValidationError(f"{text} is invalid")
    return RoleArn(match[2], match[4])


def role_session_seconds(requested: int | None, longest: int, caller: Identity) -> int:
    """How long a role's session lasts: an hour unless asked otherwise, and no longer when chained."""
    seconds = HOUR if requested is None else requested
    if seconds > longest:
        raise StsValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if caller.is_role and seconds > HOUR:
        raise StsValidationError(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    return seconds


def user_session_seconds(requested: int | None, caller: Identity) -> int:
    """How long the session of a user lasts: 12 hours unless asked otherwise; the root's is an hour at the
    most.
    """
    seconds = 12 * HOUR if requested is None else requested
    return min(seconds, HOUR) if caller.is_root else seconds


def packed_size(request: Mapping[str, Any]) -> int | None:
    """Check the session policies and tags; the percentage of the room for them that they take, `None` without
    any.
    """
    policy = request.get("Policy")
    arns = [each.get("arn", "") for each in request.get("PolicyArns", [])]
    tags = request.get("Tags", [])
    if policy is None and not arns and not tags:
        return None
    if policy is not None:
        _check_policy(policy)
    if len(arns) > MAX_POLICY_ARNS:
        raise StsValidationError(f"No more than {MAX_POLICY_ARNS} policy ARNs can be passed.")
    keys = [tag["Key"].lower() for tag in tags]
    if len(keys) != len(set(keys)):
        raise InvalidValueError("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.lower() not in keys for key in request.get("TransitiveTagKeys", [])):
        raise InvalidValueError("The specified transitive tag key must be included in the requested tags.")
    text = len(policy or "") + sum(map(len, arns))
    if text > MAX_POLICY_TEXT:
        raise PackedPolicyTooLargeError("Packed size of session policies consumes more than 100% of allotted space.")
    size = text + sum(len(tag["Key"]) + len(tag["Value"]) for tag in tags)
    return max(1, min(100, size * 100 // MAX_POLICY_TEXT))


def carried_tags(request: Mapping[str, Any], caller: Mapping[str, Any]) -> Mapping[str, Any]:
    """The session tags of a role that is assumed with the credentials of a session: the request's, and those
    that the session hands on, which cannot be set again.
    """
    handed_on = {key.lower() for key in caller.get("TransitiveTagKeys", [])}
    tags, keys = request.get("Tags", []), request.get("TransitiveTagKeys", [])
    if any(tag["Key"].lower() in handed_on for tag in tags):
        raise InvalidValueError(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            "from the calling session."
        )
    inherited = [tag for tag in caller.get("Tags", []) if tag["Key"].lower() in handed_on]
    found = {"Tags": [*inherited, *tags], "TransitiveTagKeys": [*caller.get("TransitiveTagKeys", []), *keys]}
    return {name: value for name, value in found.items() if value}


def _check_policy(text: str) -> None:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedPolicyError("This policy contains invalid Json") from None
    if not isinstance(document, dict) or "Statement" not in document:
        raise MalformedPolicyError("Syntax errors in policy.")


def new_token(ids: Ids, at_least: int) -> str:
    """A fresh session token: opaque, and no shorter than asked."""
    return ids.hex(max(2 * _TOKEN_BYTES, at_least))


def token_utilization(token: str) -> int:
    """The percentage of the largest token's size that this one has."""
    return len(token) * 100 // MAX_TOKEN
