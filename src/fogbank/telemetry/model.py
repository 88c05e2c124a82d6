"""A span: one thing that happened, from when to when, within a trace. Values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""No attributes."""


class Kind(StrEnum):
    """What a span is of."""

    API = "api"
    """An API request, through the one door."""
    RULE = "rule"
    """An event matched a rule (EventBridge)."""
    WAIT = "wait"
    """Time in the outbox: from the commit that enqueued a message, or from its last failure, to the next attempt."""
    DELIVERY = "delivery"
    """One attempt to deliver a message to its target; attribute `attempt` from 1."""
    DEAD_LETTER = "dead-letter"
    """A message was given up; a dead letter follows if there is a queue for it."""
    QUEUE = "queue"
    """Time in a queue: from the message's SentTimestamp to its receipt."""
    POLL = "poll"
    """A poller took a batch and handed it on; links name the traces of what is in it."""
    INVOCATION = "invocation"
    """A function ran once: attributes `request_id`, `memory` (MB), `billed` (ms), `init` (ms), `cold`, …"""
    PHASE = "phase"
    """A phase of a cold start: environment, runtime, init."""
    EXECUTION = "execution"
    """An execution of a state machine."""
    STATE = "state"
    """A state of an execution, once entered."""
    SCHEDULE = "schedule"
    """A schedule or a scheduled rule fired."""
    SEGMENT = "segment"
    """What an X-Ray SDK reported."""
    SPAN = "span"
    """What came in by OTLP."""


class Status(IntEnum):
    """How it ended; the greater is the worse."""

    OK = 0
    ERROR = 1
    """The caller's fault (4xx)."""
    THROTTLE = 2
    """It was told to slow down (429)."""
    FAULT = 3
    """A fault of the one called (5xx, a failed function)."""


class Link(NamedTuple):
    """Another trace, and a span of it, that this span belongs to as well: many became one."""

    trace: str
    span: str


class Span(NamedTuple):
    """One thing that happened. A tuple, not a frozen dataclass: one or more are made for every request.

    `trace` is in X-Ray's form (`1-8hex-24hex`), `id` and `parent` are 16 hex (`parent` is empty for a root, which no
    other span caused). `service` is botocore's name (`sqs`, `lambda`, `stepfunctions`, …) and `operation` the
    API's or the phase's. `resource` is an ARN, or what the request named (a queue's URL, a function's name): see
    `resources.name_of`. `start` and `end` are clock seconds. `error` is the code where `status` is not OK.
    `attributes` hold JSON values.
    """

    trace: str
    id: str
    parent: str
    kind: Kind
    name: str
    service: str
    operation: str
    resource: str
    scope: Scope
    start: float
    end: float
    status: Status = Status.OK
    error: str = ""
    attributes: Mapping[str, Any] = NOTHING
    links: tuple[Link, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start

    @property
    def failed(self) -> bool:
        """Whether anything went wrong."""
        return self.status is not Status.OK


_THROTTLES = ("Throttl", "TooManyRequests", "ThroughputExceeded", "LimitExceeded", "SlowDown")


def status_of(error: BaseException) -> Status:
    """The status of a span that an exception ended."""
    if not isinstance(error, ApiError):
        return Status.FAULT
    if error.status >= 500:
        return Status.FAULT
    if error.status == 429 or any(word in error.code for word in _THROTTLES):
        return Status.THROTTLE
    return Status.ERROR
