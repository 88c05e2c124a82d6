"""What is delivered, how often it is tried, and what came of a try. Pure values and arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace

DAY = 86_400.0

_RETRYABLE = frozenset(
    {
        "EC2ThrottledException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed attempt is repeated.

    `delays` are the seconds before the first, second, … retry where they are fixed (asynchronous invocation:
    60, 120); past them, or where it is empty, the wait doubles from `first` up to `ceiling`, with jitter.
    """

    max_retries: int = 185
    max_age: float = DAY
    first: float = 1.0
    ceiling: float = 480.0
    delays: tuple[float, ...] = ()

    def delay(self, retry: int, fraction: float) -> float:
        """Seconds to wait before retry number `retry` (from 1); `fraction` in [0, 1) is the jitter's dice."""
        if retry <= len(self.delays):
            return self.delays[retry - 1]
        if self.delays:
            return self.delays[-1]
        full = min(self.ceiling, self.first * 2.0 ** min(retry - 1, 32))
        return full * (0.5 + fraction / 2)


NO_RETRY = RetryPolicy(max_retries=0)


@dataclass(frozen=True, slots=True)
class Message:
    """Something to deliver.

    `target` is an ARN, `payload` the JSON that it gets, `scope` and `source` (a service principal such as
    `events.amazonaws.com`) the sender's. `parameters` are the target's own settings (`MessageGroupId`, …; JSON
    values). `dead_letter` is a queue's ARN and `dead_letter_attributes` go with what is sent there. `route` names
    who makes the attempt: `target` for an API call that fits the ARN, or a route that a service registered.
    """

    target: str
    payload: bytes
    scope: Scope
    trace: Trace
    route: str = "target"
    source: str = "events.amazonaws.com"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    dead_letter: str | None = None
    dead_letter_attributes: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds before the first attempt."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a message: `number` counts from 1, `enqueued` is in clock seconds.

    `trace` is the context of this try: what the route causes belongs under it.
    """

    id: int
    message: Message
    number: int
    enqueued: float
    trace: Trace


class PermanentError(Exception):
    """Raised by a route: this message will never arrive, so do not try again. `code` goes with the dead letter."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class RetryLaterError(Exception):
    """Raised by a route: try again, but not before `after` seconds. `code` goes with a dead letter."""

    def __init__(self, code: str, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.after = after


class Exhaustion(StrEnum):
    """Why no further attempt is made; the values are those of EXHAUSTED_RETRY_CONDITION."""

    RETRIES = "MaximumRetryAttempts"
    AGE = "MaximumEventAgeInSeconds"
    PERMANENT = ""
    """The error is one that a repetition cannot mend."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message did not arrive: the last error, and why it was the last."""

    code: str
    message: str
    exhaustion: Exhaustion
    retries: int


def is_retryable(error: BaseException) -> bool:
    """Whether trying again can help: faults, throttles and time-outs, but not what the caller must change."""
    if isinstance(error, PermanentError):
        return False
    if isinstance(error, ApiError):
        return error.status >= 500 or error.code in _RETRYABLE
    return True


def next_delay(
    policy: RetryPolicy, *, attempt: int, age: float, error: BaseException, fraction: float
) -> float | Exhaustion:
    """What follows the failure of attempt number `attempt` at `age` seconds: a wait, or the end."""
    if not is_retryable(error):
        return Exhaustion.PERMANENT
    if attempt > policy.max_retries:
        return Exhaustion.RETRIES
    delay = policy.delay(attempt, fraction)
    if isinstance(error, RetryLaterError):
        delay = max(delay, error.after)
    if age + delay > policy.max_age:
        return Exhaustion.AGE
    return delay


def error_code(error: BaseException) -> str:
    """The code of an error as it is recorded: AWS's where it has one, else the exception's name."""
    if isinstance(error, ApiError | PermanentError | RetryLaterError):
        return error.code
    return type(error).__name__
