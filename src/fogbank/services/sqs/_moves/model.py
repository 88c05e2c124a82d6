"""Move tasks as values.

start ──► RUNNING ──► COMPLETED   nothing that was there at the start is left
            │   └───► FAILED      the source, or a destination, is gone or unknown
            ▼ cancel
        CANCELLING ──► CANCELLED  at the worker's next step; what was moved stays moved
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.services.sqs.errors import InvalidParameterValueError
from fogbank.services.sqs.model import QueueKey

MAXIMUM_RATE = 500
MAXIMUM_LISTED = 10
STEP = 100
"""Messages that are moved in one transaction at the most."""


class Status(StrEnum):
    """Where a task stands."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class FailureReason(StrEnum):
    """Why a task failed, in AWS's words."""

    NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
    NO_SOURCE = "CouldNotDetermineMessageSource"


@dataclass(frozen=True, slots=True)
class MoveTask:
    """A task. `rate` is in messages a second, `next_at` and `started_at` in milliseconds since the epoch."""

    id: int
    handle: str
    source_arn: str
    destination_arn: str | None
    rate: int | None
    status: Status
    moved: int
    to_move: int
    next_at: int
    failure: str | None
    started_at: int

    @property
    def step(self) -> int:
        """How many messages to move next: about a fifth of a second's worth."""
        share = STEP if self.rate is None else max(1, min(STEP, self.rate // 5))
        return min(share, self.to_move - self.moved)

    @property
    def shape(self) -> dict[str, Any]:
        """The task as ListMessageMoveTasks returns it."""
        return {
            "TaskHandle": self.handle if self.status is Status.RUNNING else None,
            "Status": self.status.value,
            "SourceArn": self.source_arn,
            "DestinationArn": self.destination_arn,
            "MaxNumberOfMessagesPerSecond": self.rate,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "FailureReason": self.failure,
            "StartedTimestamp": self.started_at,
        }


def pause_after(moved: int, rate: int | None) -> int:
    """Milliseconds to wait after moving that many messages."""
    return 0 if rate is None else -(-moved * 1000 // rate)


def write_handle(task_id: str, source_arn: str) -> str:
    """A task handle: base64 of a small JSON document, as on AWS."""
    document = msgspec.json.encode({"taskId": task_id, "sourceArn": source_arn})
    return binascii.b2a_base64(document, newline=False).decode()


def source_of(handle: str) -> str:
    """The source queue's ARN in a task handle; refuses what is no task handle."""
    try:
        document = msgspec.json.decode(binascii.a2b_base64(handle, strict_mode=True))
    except (ValueError, msgspec.DecodeError):
        document = None
    if not isinstance(document, dict) or document.keys() != {"taskId", "sourceArn"}:
        raise InvalidParameterValueError("Value for parameter TaskHandle is invalid.")
    return str(document["sourceArn"])


def queue_of(parameter: str, arn: str) -> QueueKey:
    """The queue that an ARN names; refuses what is no queue's ARN."""
    try:
        parsed = Arn.parse(arn)
    except MalformedArnError:
        parsed = None
    if parsed is None or parsed.service != "sqs" or not parsed.region or not parsed.account:
        raise InvalidParameterValueError(
            f"You must use this format to specify the {parameter}: "
            "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        )
    return QueueKey(parsed.account, parsed.region, parsed.resource)
