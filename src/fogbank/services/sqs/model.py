"""What queues and messages are. Pure: no I/O, no clock.

The life of a message; every arrow is one transaction:

                     delay passes                receive
    send ──► delayed ────────────► visible ◄───────────────► in flight ──► deleted
       │                            ▲ │  ▲   timeout passes,    │  delete
       └────────── no delay ────────┘ │  │   or is set to 0     │
                                      │  └──────────────────────┘
                                      │ received more than maxReceiveCount times
                                      ▼
                              dead-letter queue ──► move task ──► a new message in the source queue

A message keeps one moment, `visible_at`: until then it is delayed (never received) or in flight (received), from then
on it is visible. Nothing happens at that moment, so nothing is scheduled. A message past its queue's retention period
is neither received nor counted, and swept away some time later.

A queue's messages belong to its *backlog*, a number of which a purge gives the queue a new one; what belongs to no
queue's backlog any more is swept away.

In a FIFO queue messages belong to groups. A group is *open* from `open_at` on: when its first message is visible. A
receive takes messages from the head of open groups up to the first that is in flight, and closes the groups. So
nothing overtakes, and a consumer that gives up the first of several messages lets them be received again at once.
That is what was recorded; by the documentation of ReceiveMessage the group would stay closed until the
last of them is back. The recording (LocalStack's suite of November 2025) is known only from the copy in
https://github.com/localemu/localemu; `FifoStorage.refresh` is the place to change should it prove wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.sqs._attributes import (
    COUNTED,
    Redrive,
    RedriveAllow,
    effective,
    parse_redrive,
    parse_redrive_allow,
)
from fogbank.services.sqs._messages import attributes_md5, select_attributes, unpack_attributes
from fogbank.services.sqs._receipts import Receipt, write_receipt

MAXIMUM_IN_FLIGHT = 120_000
"""Messages of one queue that may be in flight."""
DEDUPLICATION_INTERVAL = 300_000
"""Milliseconds during which a second message with the same deduplication id is not delivered: 5 minutes."""
PURGE_INTERVAL = 60_000
"""Milliseconds that must pass between two purges of a queue."""

_SEQUENCE_BASE = 18_850_000_000_000_000_000
_SEQUENCE_STEP = 256


class QueueKey(NamedTuple):
    """What a queue is found by."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        return Scope(self.account, self.region).arn("sqs", self.name)


@dataclass(frozen=True)
class Queue:
    """A queue as it stands. `kept` are the attributes it was given; moments are milliseconds since the epoch.

    What is derived is cached in the instance, which is why this dataclass has no slots.
    """

    id: int
    backlog: int
    key: QueueKey
    kept: Mapping[str, str]
    tags: Mapping[str, str]
    created_at: int
    modified_at: int
    purged_at: int | None = None

    @cached_property
    def fifo(self) -> bool:
        """Whether it is a FIFO queue; the name says so."""
        return self.key.name.endswith(".fifo")

    @cached_property
    def effective(self) -> dict[str, str]:
        """The attributes with their defaults."""
        return effective(self.kept, fifo=self.fifo)

    @cached_property
    def delay(self) -> int:
        """Milliseconds that a message is delayed if it does not say itself."""
        return int(self.effective["DelaySeconds"]) * 1000

    @cached_property
    def visibility_timeout(self) -> int:
        """Milliseconds that a received message is hidden if the receive does not say."""
        return int(self.effective["VisibilityTimeout"]) * 1000

    @cached_property
    def retention(self) -> int:
        """Milliseconds that a message is kept."""
        return int(self.effective["MessageRetentionPeriod"]) * 1000

    @cached_property
    def wait_seconds(self) -> int:
        """Seconds that a receive waits if it does not say itself."""
        return int(self.effective["ReceiveMessageWaitTimeSeconds"])

    @cached_property
    def maximum_message_size(self) -> int:
        """Bytes that a message, or a batch, may have."""
        return int(self.effective["MaximumMessageSize"])

    @cached_property
    def arn(self) -> str:
        """The queue's ARN."""
        return self.key.arn

    @cached_property
    def topic(self) -> str:
        """What storage is told when a message becomes visible."""
        return f"sqs.queue.{self.id}"

    @cached_property
    def redrive(self) -> Redrive | None:
        """Where messages go that were received too often."""
        text = self.kept.get("RedrivePolicy")
        return parse_redrive(text) if text else None

    @cached_property
    def redrive_allow(self) -> RedriveAllow | None:
        """Which queues may use this one as their dead-letter queue."""
        text = self.kept.get("RedriveAllowPolicy")
        return parse_redrive_allow(text) if text else None

    @cached_property
    def deduplicates_by_content(self) -> bool:
        """Whether a message without a deduplication id gets one from its body."""
        return self.kept.get("ContentBasedDeduplication") == "true"

    @cached_property
    def deduplicates_by_group(self) -> bool:
        """Whether deduplication ids are told apart within a message group only."""
        return self.kept.get("DeduplicationScope") == "messageGroup"

    def attributes(self, counts: Counts | None) -> dict[str, str]:
        """Every attribute as GetQueueAttributes returns it, with the counts if they were asked for."""
        found = dict(self.effective)
        found["QueueArn"] = self.arn
        found["CreatedTimestamp"] = str(self.created_at // 1000)
        found["LastModifiedTimestamp"] = str(self.modified_at // 1000)
        if counts is not None:
            found["ApproximateNumberOfMessages"] = str(counts.visible)
            found["ApproximateNumberOfMessagesNotVisible"] = str(counts.in_flight)
            found["ApproximateNumberOfMessagesDelayed"] = str(counts.delayed)
        return found


class Counts(NamedTuple):
    """How many messages of a queue are in which state."""

    visible: int
    in_flight: int
    delayed: int


def wants_counts(names: Sequence[str]) -> bool:
    """Whether GetQueueAttributes must count messages for these names."""
    return "All" in names or not COUNTED.isdisjoint(names)


CONTEXT = "TraceContext"
"""The member of a received message, not of the model and so not on the wire, that tells pollers in this process its
trace."""
UNSEEN = "~"
"""Parts the AWSTraceHeader that consumers are shown from the context that they are not."""


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A message that was accepted, before it is stored (a Struct: it is made for every send)."""

    body: str
    body_md5: str
    attributes: bytes | None
    attributes_md5: str | None
    trace: str | None
    trace_md5: str | None
    delay: int | None
    """Milliseconds; `None` for the queue's own."""
    group: str | None
    deduplication: str | None
    size: int


class Message(NamedTuple):
    """A message as a receive finds it; the order is that of the columns in `storage.py`."""

    sequence: int
    message_id: str
    body: str
    body_md5: str
    receives: int
    sent_at: int
    first_received_at: int | None
    sender: str | None
    attributes: bytes | None
    trace: str | None
    group: str | None
    deduplication: str | None
    source: str | None
    """The ARN of the queue from which the message came to this dead-letter queue."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a consumer wants to see of each message."""

    system: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


def received_shape(queue: Queue, message: Message, selection: Selection) -> dict[str, Any]:
    """A message as ReceiveMessage returns it; `message` is as it stands after the receive."""
    shape: dict[str, Any] = {
        "MessageId": message.message_id,
        "ReceiptHandle": write_receipt(Receipt(queue.id, message.sequence, message.receives, message.message_id)),
        "MD5OfBody": message.body_md5,
        "Body": message.body,
    }
    if message.trace is not None:
        shape[CONTEXT] = message.trace.rpartition(UNSEEN)[2]
    if selection.system:
        found = system_attributes(queue, message, selection.system)
        if found:
            shape["Attributes"] = found
    if selection.attributes and message.attributes is not None:
        attributes = select_attributes(unpack_attributes(message.attributes), selection.attributes)
        if attributes:
            shape["MessageAttributes"] = {name: value.shape for name, value in attributes.items()}
            shape["MD5OfMessageAttributes"] = attributes_md5(attributes)
    return shape


def system_attributes(queue: Queue, message: Message, wanted: Sequence[str]) -> dict[str, str]:
    """The system attributes that a message has, of those that are wanted."""
    found = {
        "SenderId": message.sender or queue.key.account,
        "ApproximateFirstReceiveTimestamp": str(message.first_received_at),
        "ApproximateReceiveCount": str(message.receives),
        "SentTimestamp": str(message.sent_at),
    }
    if queue.fifo:
        found["SequenceNumber"] = sequence_number(message.sequence)
    optional = {
        "MessageGroupId": message.group,
        "MessageDeduplicationId": message.deduplication,
        "AWSTraceHeader": (message.trace or "").partition(UNSEEN)[0] or None,
        "DeadLetterQueueSourceArn": message.source,
    }
    found |= {name: value for name, value in optional.items() if value is not None}
    if "All" in wanted:
        return found
    return {name: value for name, value in found.items() if name in wanted}


def sequence_number(sequence: int) -> str:
    """A FIFO message's sequence number: 20 digits that grow, with gaps, as AWS's do."""
    return str(_SEQUENCE_BASE + sequence * _SEQUENCE_STEP)


def deduplication_key(queue: Queue, deduplication: str, group: str) -> str:
    """What is unique for five minutes; a space parts the two, which neither may hold."""
    return f"{group} {deduplication}" if queue.deduplicates_by_group else deduplication


def is_spent(receives: int, redrive: Redrive | None) -> bool:
    """Whether a message that was received `receives` times goes to the dead-letter queue instead of once more out."""
    return redrive is not None and receives >= redrive.max_receives
