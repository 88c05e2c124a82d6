"""The grammar of policy documents, as far as IAM checks it when one is stored.

    policy    := {"Version": "2012-10-17" | "2008-10-17", "Id"?, "Statement": statement | [statement, …]}
    statement := {"Sid"?, "Effect": "Allow" | "Deny", Action | NotAction, Resource | NotResource,
    "Condition"?} trust     := the same with Principal instead of Resource, and actions of STS only

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html; the texts are those
that AWS is publicly known to send; which of several faults is told was recorded by the LocalStack project's
validated suite.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fogbank.services.iam._conditions import SYNTAX as _SYNTAX
from fogbank.services.iam._conditions import check_condition, has_legacy_dates
from fogbank.services.iam._resources import check_resource, is_legacy_arn
from fogbank.services.iam.errors import MalformedPolicyError

_INVALID_JSON = "This policy contains invalid Json"
_VERSIONS = ("2012-10-17", "2008-10-17")
_TOP = frozenset({"Version", "Id", "Statement"})
_STATEMENT = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})
_PRINCIPAL = frozenset({"Principal", "NotPrincipal"})
_PRINCIPAL_TYPES = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_VENDOR = re.compile(r"[A-Za-z0-9.*?-]+")
_SID = re.compile(r"[A-Za-z0-9]*")
_SERVICE_PRINCIPAL = re.compile(r"[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal)")
_AWS_PRINCIPAL = re.compile(
    r"\*|\d{12}|A[IR][DO]A[A-Z0-9]{16,}"
    r"|arn:aws[a-z-]*:(iam|sts)::(\d{12}|cloudfront):(root|\*|(user|role|assumed-role|federated-user)/.+)"
)
_STS_ACTIONS = re.compile(
    r"sts:(\*|AssumeRole|AssumeRoleWithSAML|AssumeRoleWithWebIdentity|TagSession|SetSourceIdentity|SetContext"
    r"|AssumeRole\*)",
    re.IGNORECASE,
)

Statement = Mapping[str, Any]


def check_identity_policy(text: str, *, inline: bool = False) -> None:
    """A policy that is attached to a user, group or role, or managed; `MalformedPolicyError` says what is
    wrong, in the order in which IAM looks for it: syntax, version, what its older parser does not take,
    statement ids, then what is missing, resources and actions.

    An inline policy may be of the version of 2008, which is also what one without a version is: the policies
    that SAM writes into roles have none.
    """
    document = _parse(text, _SYNTAX)
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise MalformedPolicyError(_SYNTAX)
    statements = _statements(document)
    for statement in statements:
        if _PRINCIPAL & statement.keys():
            raise MalformedPolicyError("Policy document should not specify a principal.")
        _check_statement(statement)
        _check_exclusive(statement, "Resource", "NotResource")
        _texts(statement, "Resource", "NotResource")
    if version != "2012-10-17" and not inline:
        raise MalformedPolicyError("Policy document must be version 2012-10-17 or greater.")
    for statement in statements:
        _check_legacy(statement)
    _check_sids(statements)
    for statement in statements:
        if not _texts(statement, "Action", "NotAction"):
            raise MalformedPolicyError("Policy statement must contain actions.")
        if not _texts(statement, "Resource", "NotResource"):
            raise MalformedPolicyError("Policy statement must contain resources.")
    for statement in statements:
        for resource in _texts(statement, "Resource", "NotResource"):
            check_resource(resource)
    for statement in statements:
        for action in _texts(statement, "Action", "NotAction"):
            _check_action(action)


def check_trust_policy(text: str) -> None:
    """The policy that says who may assume a role."""
    document = _parse(text, _INVALID_JSON)
    if document.get("Version", "2008-10-17") not in _VERSIONS:
        raise MalformedPolicyError(_SYNTAX)
    if "Statement" not in document:
        raise MalformedPolicyError("Missing required field Statement")
    statements = _statements(document)
    for statement in statements:
        for field in ("Resource", "NotResource"):
            if field in statement:
                raise MalformedPolicyError(f"Has prohibited field {field}")
        _check_statement(statement, _PRINCIPAL)
        if statement["Effect"] not in ("Allow", "Deny"):
            raise MalformedPolicyError(_SYNTAX)
        if not _PRINCIPAL & statement.keys():
            raise MalformedPolicyError("Missing required field Principal")
        if "Action" not in statement and "NotAction" not in statement:
            raise MalformedPolicyError("Missing required field Action")
        actions = _texts(statement, "Action", "NotAction")
        if not actions:
            raise MalformedPolicyError("Policy statement must contain actions.")
        for action in actions:
            if not _STS_ACTIONS.fullmatch(action):
                raise MalformedPolicyError("AssumeRole policy may only specify STS AssumeRole actions.")
        for field in _PRINCIPAL & statement.keys():
            _check_principal(statement[field])
    _check_sids(statements)


def _parse(text: str, message: str) -> Mapping[str, Any]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedPolicyError(message) from None
    if not isinstance(document, dict) or document.keys() - _TOP or not isinstance(document.get("Id", ""), str):
        raise MalformedPolicyError(_SYNTAX)
    return document


def _statements(document: Mapping[str, Any]) -> Sequence[Statement]:
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise MalformedPolicyError(_SYNTAX)
    if not all(isinstance(statement, dict) for statement in statements):
        raise MalformedPolicyError(_SYNTAX)
    return statements


def _check_statement(statement: Statement, more: frozenset[str] = frozenset()) -> None:
    if statement.keys() - _STATEMENT - more:
        raise MalformedPolicyError(_SYNTAX)
    effect = statement.get("Effect")
    if not isinstance(effect, str) or effect.lower() not in ("allow", "deny"):
        raise MalformedPolicyError(_SYNTAX)
    _check_exclusive(statement, "Action", "NotAction")
    _texts(statement, "Action", "NotAction")
    sid = statement.get("Sid", "")
    if not isinstance(sid, str):
        raise MalformedPolicyError(_SYNTAX)
    if not _SID.fullmatch(sid):
        raise MalformedPolicyError("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the "
                                   "regular expression [0-9A-Za-z]*")  # fmt: skip
    check_condition(statement.get("Condition", {}))


def _check_exclusive(statement: Statement, one: str, other: str) -> None:
    if one in statement and other in statement:
        raise MalformedPolicyError(_SYNTAX)


def _check_sids(statements: Sequence[Statement]) -> None:
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(sids) != len(set(sids)):
        raise MalformedPolicyError("Statement IDs (SID) in a single policy must be unique.")


def _texts(statement: Statement, *names: str) -> list[str]:
    """The values of the one of these fields that is there: a text or a list of texts."""
    for name in names:
        value = statement.get(name)
        if value is None:
            continue
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise MalformedPolicyError(_SYNTAX)
        return values
    return []


def _check_action(action: str) -> None:
    if action == "*":
        return
    vendor, colon, name = action.partition(":")
    if not colon:
        raise MalformedPolicyError("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if not _VENDOR.fullmatch(vendor):
        raise MalformedPolicyError(f"Vendor {vendor} is not valid")
    if ":" in name:
        raise MalformedPolicyError("Actions/Condition can contain only one colon.")


def _check_legacy(statement: Statement) -> None:
    """What IAM's older parser, which comes before the rest, does not take."""
    fits = statement["Effect"] in ("Allow", "Deny")
    fits = fits and all(map(is_legacy_arn, _texts(statement, "Resource", "NotResource")))
    if not fits or not has_legacy_dates(statement.get("Condition", {})):
        raise MalformedPolicyError("The policy failed legacy parsing")


def _check_principal(principal: Any) -> None:
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal or principal.keys() - _PRINCIPAL_TYPES:
        raise MalformedPolicyError("Invalid principal in policy")
    for kind, value in principal.items():
        for each in [value] if isinstance(value, str) else value if isinstance(value, list) else [None]:
            if not isinstance(each, str) or not _known_principal(kind, each):
                raise MalformedPolicyError(f'Invalid principal in policy: "{kind.upper()}":"{each}"')


def _known_principal(kind: str, value: str) -> bool:
    match kind:
        case "Service":
            return _SERVICE_PRINCIPAL.fullmatch(value) is not None
        case "AWS":
            return _AWS_PRINCIPAL.fullmatch(value) is not None
        case _:
            return bool(value)
