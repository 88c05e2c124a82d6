"""A topic's access policy: the default one, its form, and the statements of AddPermission; tags.

Sources: AddPermission in the service model; https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fogbank.services.sns.errors import InvalidParameterError, TagLimitExceededError
from fogbank.services.sns.model import MAXIMUM_TAGS, Topic

_ACTIONS = (
    "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe",
    "ListSubscriptionsByTopic", "Publish",
)  # fmt: skip
_SHAREABLE = frozenset({*_ACTIONS, "Receive", "PutDataProtectionPolicy", "GetDataProtectionPolicy"})
_ACCOUNT = re.compile(r"\d{12}")
_TAG = re.compile(r"[\w\s.:/=+\-@]*")


def default_policy(topic: Topic) -> str:
    """Who may do what with a new topic."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in _ACTIONS],
        "Resource": topic.arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": topic.key.account}},
    }
    return _encode({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})


def policy_of(topic: Topic) -> str:
    """The policy in force."""
    return topic.attributes.get("Policy") or default_policy(topic)


def check_policy(text: str) -> str:
    """A policy document as text."""
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("Statement"), list | dict):
        raise InvalidParameterError("Policy Error: null")
    for statement in _statements(document):
        whole = isinstance(statement, dict) and statement.get("Effect") in ("Allow", "Deny")
        if not whole or not {"Principal", "NotPrincipal"} & statement.keys():
            raise InvalidParameterError("Policy Error: null")
    return text


def add_permission(topic: Topic, label: str, accounts: Sequence[str], actions: Sequence[str]) -> str:
    """The policy with a further statement."""
    document = msgspec.json.decode(policy_of(topic))
    statements = _statements(document)
    if any(statement.get("Sid") == label for statement in statements):
        raise InvalidParameterError("Statement already exists")
    for account in accounts:
        if not _ACCOUNT.fullmatch(account):
            raise InvalidParameterError("Policy Error: PrincipalNotFound")
    for action in actions:
        if action not in _SHAREABLE:
            raise InvalidParameterError("Policy statement action out of service scope!")
    principals = [f"arn:{topic.key.scope.partition}:iam::{account}:root" for account in accounts]
    statements.append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_many(principals)},
            "Action": _one_or_many([f"SNS:{action}" for action in actions]),
            "Resource": topic.arn,
        }
    )
    return _encode({**document, "Statement": statements})


def remove_permission(topic: Topic, label: str) -> str:
    """The policy without the statement of a label; one that is not there is no error."""
    document = msgspec.json.decode(policy_of(topic))
    left = [statement for statement in _statements(document) if statement.get("Sid") != label]
    return _encode({**document, "Statement": left})


def _statements(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    statements = document["Statement"]
    return [statements] if isinstance(statements, dict) else list(statements)


def _one_or_many(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _encode(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


# -- tags -----------------------------------------------------------------------------------------------------------


def tags_of(given: Sequence[Mapping[str, Any]], *, reserved: bool = False) -> dict[str, str]:
    """Tags as a mapping; refuses those that break the rules. `reserved`: names of AWS's own may be among them."""
    tags = {tag["Key"]: tag.get("Value", "") for tag in given}
    if len(tags) != len(given):
        raise InvalidParameterError("Duplicated keys are not allowed.")
    for key, value in tags.items():
        if key.lower().startswith("aws:") and not reserved:
            raise InvalidParameterError("Tag keys must not begin with the reserved prefix aws:.")
        if not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
            raise InvalidParameterError("Tag keys and values may hold letters, digits, whitespace and _ . : / = + - @")
    return tags


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse more tags than a topic may have."""
    if sum(not key.startswith("aws:") for key in tags) > MAXIMUM_TAGS:
        raise TagLimitExceededError
