"""The statements that AddPermission and RemovePermission keep in a queue's policy, and the rules of tags.

Sources: AddPermission and RemovePermission in the service model;
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html (tags).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fogbank.core.scope import partition_of
from fogbank.services.sqs.errors import (
    InvalidParameterValueError,
    MissingParameterError,
    OverLimitError,
    invalid_value,
)
from fogbank.services.sqs.model import Queue

MAXIMUM_ACTIONS = 7
MAXIMUM_STATEMENTS = 20

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"\d{12}")
_SHAREABLE = frozenset(
    {
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    }
)
_OWNERS = frozenset(
    {
        "AddPermission",
        "CancelMessageMoveTask",
        "CreateQueue",
        "DeleteQueue",
        "ListMessageMoveTasks",
        "ListQueueTags",
        "ListQueues",
        "RemovePermission",
        "SetQueueAttributes",
        "StartMessageMoveTask",
        "TagQueue",
        "UntagQueue",
    }
)
_TAG = re.compile(r"[\w\s.:/=+\-@]*")


def check_permission(label: str, accounts: Sequence[str], actions: Sequence[str]) -> None:
    """Refuse what AddPermission cannot put into a policy."""
    if not actions:
        raise MissingParameterError("Actions")
    if not accounts:
        raise MissingParameterError("PrincipalId")
    if not _LABEL.fullmatch(label):
        raise InvalidParameterValueError(
            f"Value {label} for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, "
            "or underscores. 1 to 80 in length."
        )
    for action in actions:
        if action in _OWNERS:
            raise invalid_value("ActionName", f"SQS:{action}", "Only the queue owner is allowed to invoke this action.")
        if action not in _SHAREABLE:
            raise invalid_value(
                "ActionName", f"SQS:{action}", "Please refer to the appropriate WSDL for a list of valid actions."
            )
    for account in accounts:
        if not _ACCOUNT.fullmatch(account):
            raise invalid_value("PrincipalId", f"[{', '.join(accounts)}]", "Unable to verify.")
    if len(actions) > MAXIMUM_ACTIONS:
        raise OverLimitError(f"{len(actions)} Actions were found, maximum allowed is {MAXIMUM_ACTIONS}.")


def add_permission(queue: Queue, label: str, accounts: Sequence[str], actions: Sequence[str]) -> str:
    """The queue's policy with a further statement."""
    policy = _policy_of(queue)
    statements = _statements(policy)
    if any(statement.get("Sid") == label for statement in statements):
        raise invalid_value("Label", label, "Already exists.")
    if len(statements) >= MAXIMUM_STATEMENTS:
        raise OverLimitError(f"{len(statements) + 1} Statements were found, maximum allowed is {MAXIMUM_STATEMENTS}.")
    partition = partition_of(queue.key.region)
    statements.append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_many([f"arn:{partition}:iam::{account}:root" for account in accounts])},
            "Action": _one_or_many([f"SQS:{action}" for action in actions]),
            "Resource": queue.arn,
        }
    )
    return _encode({**policy, "Statement": statements})


def remove_permission(queue: Queue, label: str) -> str:
    """The queue's policy without the statement of this label; the empty string if none is left."""
    if "Policy" not in queue.kept:
        raise _no_label(label)
    policy = _policy_of(queue)
    statements = _statements(policy)
    left = [statement for statement in statements if statement.get("Sid") != label]
    if len(left) == len(statements):
        raise _no_label(label)
    return _encode({**policy, "Statement": left}) if left else ""


def _no_label(label: str) -> InvalidParameterValueError:
    return invalid_value("Label", label, "can't find label.")


def _policy_of(queue: Queue) -> dict[str, Any]:
    text = queue.kept.get("Policy")
    if text is None:
        return {"Version": "2008-10-17", "Id": f"{queue.arn}/SQSDefaultPolicy", "Statement": []}
    document: dict[str, Any] = msgspec.json.decode(text)
    return document


def _statements(policy: Mapping[str, Any]) -> list[dict[str, Any]]:
    statements = policy["Statement"]
    return [statements] if isinstance(statements, dict) else list(statements)


def _one_or_many(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _encode(document: Mapping[str, Any]) -> str:
    return msgspec.json.encode(document).decode()


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse tags whose key or value breaks the rules of tags."""
    for key, value in tags.items():
        if not 1 <= len(key) <= 128:
            raise invalid_value("TagKey", key, "Tag key must be between 1 and 128 characters.")
        if len(value) > 256:
            raise invalid_value("TagValue", value, "Tag value must be at most 256 characters.")
        if key.lower().startswith("aws:"):
            raise invalid_value("TagKey", key, "Tag keys must not begin with the reserved prefix aws:.")
        if not _TAG.fullmatch(key) or not _TAG.fullmatch(value):
            raise invalid_value(
                "TagKey", key, "Tag keys and values can only include letters, digits, whitespace and _ . : / = + - @."
            )
