"""Queue attributes: which there are, what they may hold, what they default to, and when two are the same.

A queue keeps the attributes that it was given, as the strings in which AWS returns them; what is not given has its
default. Sources: the `Attributes` member of CreateQueue and SetQueueAttributes in the service model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.services.sqs.errors import (
    FifoAttributeError,
    InvalidAttributeNameError,
    InvalidAttributeValueError,
    InvalidParameterValueError,
    SqsError,
    TwoEncryptionsError,
    invalid_value,
)

MAXIMUM_MESSAGE_SIZE = 1_048_576
"""Bytes that a message, or a batch of messages, may have: 1 MiB."""
MAXIMUM_VISIBILITY_TIMEOUT = 43_200
"""Seconds: 12 hours."""

_BAD_TARGET = "Invalid value for deadLetterTargetArn."
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9_-]+\.fifo")


class RedrivePermission(StrEnum):
    """Which queues may name a queue as their dead-letter queue."""

    ALLOW_ALL = "allowAll"
    DENY_ALL = "denyAll"
    BY_QUEUE = "byQueue"


class Redrive(msgspec.Struct, frozen=True):
    """A redrive policy: where a message goes after it was received `max_receives` times."""

    target: str
    max_receives: int


class RedriveAllow(msgspec.Struct, frozen=True):
    """A redrive allow policy."""

    permission: RedrivePermission
    sources: tuple[str, ...] = ()

    def allows(self, source_arn: str) -> bool:
        """Whether the queue may use this one as its dead-letter queue."""
        if self.permission is RedrivePermission.BY_QUEUE:
            return source_arn in self.sources
        return self.permission is RedrivePermission.ALLOW_ALL


def check_queue_name(name: str, *, fifo: bool) -> None:
    """Refuse a name that a queue of this type cannot have."""
    if fifo and not _FIFO_NAME.fullmatch(name):
        raise InvalidParameterValueError(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
            "must end with .fifo suffix and be 1 to 80 in length"
        )
    if not fifo and not _NAME.fullmatch(name):
        raise InvalidParameterValueError(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


# -- one attribute --------------------------------------------------


def _invalid(name: str) -> InvalidAttributeValueError:
    return InvalidAttributeValueError(f"Invalid value for the parameter {name}.")


def _whole_number(low: int, high: int) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        if not value.isascii() or not value.isdigit() or len(value) > 10 or not low <= int(value) <= high:
            raise _invalid(name)
        return str(int(value))

    return check


def _boolean(name: str, value: str) -> str:
    if value.lower() not in {"true", "false"}:
        raise _invalid(name)
    return value.lower()


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        if value not in choices:
            raise _invalid(name)
        return value

    return check


def _policy(name: str, value: str) -> str:
    try:
        document = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise _invalid(name) from None
    if not isinstance(document, dict) or not isinstance(document.get("Statement"), dict | list):
        raise _invalid(name)
    return value


def _key_id(name: str, value: str) -> str:
    if len(value) > 2048:
        raise _invalid(name)
    return value


def _redrive_policy(name: str, value: str) -> str:
    redrive = parse_redrive(value)
    _queue_arn(name, value, redrive.target, _BAD_TARGET)
    return _compact({"deadLetterTargetArn": redrive.target, "maxReceiveCount": redrive.max_receives})


def _redrive_allow_policy(name: str, value: str) -> str:
    allow = parse_redrive_allow(value)
    for source in allow.sources:
        _queue_arn(name, value, source, "Source queue ARN is invalid.")
    document: dict[str, Any] = {"redrivePermission": allow.permission.value}
    if allow.sources:
        document["sourceQueueArns"] = list(allow.sources)
    return _compact(document)


def _queue_arn(name: str, value: str, arn: str, otherwise: str) -> None:
    try:
        parsed = Arn.parse(arn)
    except MalformedArnError:
        raise invalid_value(name, value, otherwise) from None
    if parsed.service != "sqs":
        raise invalid_value(name, value, otherwise)


_EVERY_QUEUE: dict[str, Callable[[str, str], str]] = {
    "DelaySeconds": _whole_number(0, 900),
    "MaximumMessageSize": _whole_number(1024, MAXIMUM_MESSAGE_SIZE),
    "MessageRetentionPeriod": _whole_number(60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": _whole_number(0, 20),
    "VisibilityTimeout": _whole_number(0, MAXIMUM_VISIBILITY_TIMEOUT),
    "Policy": _policy,
    "RedrivePolicy": _redrive_policy,
    "RedriveAllowPolicy": _redrive_allow_policy,
    "KmsMasterKeyId": _key_id,
    "KmsDataKeyReusePeriodSeconds": _whole_number(60, 86_400),
    "SqsManagedSseEnabled": _boolean,
}
_FIFO_ONLY: dict[str, Callable[[str, str], str]] = {
    "ContentBasedDeduplication": _boolean,
    "DeduplicationScope": _one_of("queue", "messageGroup"),
    "FifoThroughputLimit": _one_of("perQueue", "perMessageGroupId"),
}
_HIGH_THROUGHPUT = frozenset({"DeduplicationScope", "FifoThroughputLimit"})
_REMOVABLE = frozenset(
    {"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"}
)
"""Attributes that an empty string takes away."""

COUNTED = frozenset(
    {
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    }
)
KNOWN = frozenset(
    {
        "All",
        "QueueArn",
        "CreatedTimestamp",
        "LastModifiedTimestamp",
        "FifoQueue",
        *COUNTED,
        *_EVERY_QUEUE,
        *_FIFO_ONLY,
    }
)
"""Every name that GetQueueAttributes takes."""

_DEFAULTS = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": str(MAXIMUM_MESSAGE_SIZE),
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
}
_FIFO_DEFAULTS = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}


# -- all attributes of a queue --------------------------------------------------


def check_attributes(given: Mapping[Any, str], *, fifo: bool) -> dict[str, str]:
    """The attributes of a request in the form in which they are kept; refuses what is unknown or out of range.

    An empty string stands for an attribute that is to be taken away. `FifoQueue` is not among them: it is decided
    when the queue is made.
    """
    checked = {}
    for name, value in given.items():
        check = _EVERY_QUEUE.get(name) or (_FIFO_ONLY.get(name) if fifo else None)
        if check is None:
            raise FifoAttributeError(name) if name in _HIGH_THROUGHPUT else InvalidAttributeNameError(name)
        checked[name] = "" if value == "" and name in _REMOVABLE else check(name, value)
    if checked.get("SqsManagedSseEnabled") == "true" and checked.get("KmsMasterKeyId"):
        raise TwoEncryptionsError
    return checked


def check_type_kept(given: Mapping[Any, str], *, fifo: bool) -> None:
    """Refuse a change of `FifoQueue`: a queue keeps its type, and only a FIFO queue knows the attribute."""
    value = given.get("FifoQueue")
    if value is None:
        return
    if not fifo:
        raise InvalidAttributeNameError("FifoQueue")
    if value.lower() != "true":
        raise InvalidAttributeValueError(
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
        )


def fifo_wanted(attributes: Mapping[Any, str]) -> bool:
    """What CreateQueue's `FifoQueue` says; it may be `true` or absent (AWS knows no `false` there)."""
    value = attributes.get("FifoQueue")
    if value is None:
        return False
    if value.lower() == "false":
        raise InvalidAttributeNameError("FifoQueue")
    if value.lower() != "true":
        raise _invalid("FifoQueue")
    return True


def merge(kept: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """The attributes of a queue after a change; one kind of encryption replaces the other."""
    merged = {**kept, **changes}
    if changes.get("KmsMasterKeyId"):
        merged["SqsManagedSseEnabled"] = "false"
    elif changes.get("SqsManagedSseEnabled") == "true":
        merged.pop("KmsMasterKeyId", None)
    merged = {name: value for name, value in merged.items() if value != ""}
    if merged.get("FifoThroughputLimit") == "perMessageGroupId" and merged.get("DeduplicationScope") != "messageGroup":
        raise InvalidAttributeValueError(
            "The value perMessageGroupId for FifoThroughputLimit is allowed only when the value for "
            "DeduplicationScope is messageGroup."
        )
    return merged


def effective(kept: Mapping[str, str], *, fifo: bool) -> dict[str, str]:
    """What a queue's attributes are, defaults included."""
    found = {**_DEFAULTS, **(_FIFO_DEFAULTS if fifo else {}), **kept}
    if "KmsMasterKeyId" in found:
        found.setdefault("KmsDataKeyReusePeriodSeconds", "300")
        found["SqsManagedSseEnabled"] = "false"
    else:
        found.pop("KmsDataKeyReusePeriodSeconds", None)
        found.setdefault("SqsManagedSseEnabled", "true")
    return found


def first_difference(kept: Mapping[str, str], asked: Mapping[str, str], *, fifo: bool) -> str | None:
    """The first attribute for which a second CreateQueue asks another value; what it does not name is not compared."""
    present = effective(kept, fifo=fifo)
    for name, value in asked.items():
        if value != present.get(name, ""):
            return name
    return None


# -- redrive --------------------------------------------------


def parse_redrive(text: str) -> Redrive:
    """Read a redrive policy's JSON; `maxReceiveCount` may be a number or its digits."""
    document = _decode(text)
    if document is None:
        raise invalid_value("RedrivePolicy", text, "Redrive policy is not a valid JSON map.")
    for member in ("deadLetterTargetArn", "maxReceiveCount"):
        if document.get(member) in (None, ""):
            raise invalid_value(
                "RedrivePolicy", text, f"Redrive policy does not contain mandatory attribute: {member}."
            )
    unknown = document.keys() - {"deadLetterTargetArn", "maxReceiveCount"}
    if unknown:
        raise invalid_value("RedrivePolicy", text, f"Redrive policy contains unknown attribute: {min(unknown)}.")
    target, count = document["deadLetterTargetArn"], document["maxReceiveCount"]
    if not isinstance(target, str):
        raise invalid_value("RedrivePolicy", text, _BAD_TARGET)
    number = _receive_count(count)
    if number is None:
        raise _bad_count(text, count)
    return Redrive(target, number)


def _receive_count(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 4:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        return None
    return value


def _bad_count(text: str, count: Any) -> SqsError:
    return invalid_value(
        "RedrivePolicy",
        text,
        f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive.",
    )


def parse_redrive_allow(text: str) -> RedriveAllow:
    """Read a redrive allow policy's JSON."""
    document = _decode(text)
    permission = document.get("redrivePermission") if document else None
    if document is None or document.keys() - {"redrivePermission", "sourceQueueArns"}:
        raise _bad_allow(text, "it\u2019s in an unsupported format.")
    if permission not in set(RedrivePermission):
        raise _bad_allow(text, "redrivePermission must be one of allowAll, denyAll and byQueue.")
    sources = document.get("sourceQueueArns")
    if permission != RedrivePermission.BY_QUEUE:
        if sources is not None:
            raise _bad_allow(text, "you can specify sourceQueueArns only when redrivePermission is byQueue.")
        return RedriveAllow(RedrivePermission(permission))
    if not isinstance(sources, list) or not 1 <= len(sources) <= 10 or not all(isinstance(s, str) for s in sources):
        raise _bad_allow(text, "when redrivePermission is byQueue, sourceQueueArns must hold 1 to 10 queue ARNs.")
    return RedriveAllow(RedrivePermission.BY_QUEUE, tuple(sources))


def _bad_allow(text: str, reason: str) -> SqsError:
    return invalid_value("RedriveAllowPolicy", text, f"Amazon SQS can't create the redrive allow policy, as {reason}")


def _decode(text: str) -> dict[str, Any] | None:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return document if isinstance(document, dict) else None


def _compact(document: Mapping[str, Any]) -> str:
    return msgspec.json.encode(document).decode()
