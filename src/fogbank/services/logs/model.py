"""The semantics of CloudWatch Logs: what a batch may hold, where a page goes on, what a group and a stream
are.

    log group ──┬── log stream ──── log events, ordered by (timestamp, order of arrival)
                ├── metric filters, subscription filters
                └── retention: older events are deleted

Times are milliseconds since the epoch throughout, as in the API. Pure: no I/O, no clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fogbank.services.logs.errors import InvalidParameterError, ProtectedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fogbank.core.scope import Scope

HOUR = 3_600_000
DAY = 24 * HOUR
OVERHEAD = 26
"""Bytes that each event counts beside its message (PutLogEvents)."""
MAX_BATCH = 1_048_576
MAX_EVENT = 1_048_576
MAX_PAGE_BYTES = 1_048_576
MAX_PAGE_EVENTS = 10_000
MAX_TAGS = 50
MAX_METRIC_FILTERS = 100
MAX_SUBSCRIPTIONS = 2
MAX_REGEX_FILTERS = 5
MAX_RESOURCE_POLICIES = 10
TOO_OLD = 14 * DAY
TOO_NEW = 2 * HOUR
BACKWARD_SINCE = 1_704_067_200_000
"""2024-01-01: FilterLogEvents reads backward only from a start that is not before it."""
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip

_ORDER_BITS = 144
_MAX_ORDER = (1 << 63) - 1
_MAX_TIME = 4_400_000_000_000
"""A moment in 2109: later ones would make ids of more than 56 digits, and no event can have them."""
_TOKEN = re.compile(r"([fb])/(\d{56,62})/s")


class GroupClass(StrEnum):
    """Log classes."""

    STANDARD = "STANDARD"
    INFREQUENT_ACCESS = "INFREQUENT_ACCESS"
    DELIVERY = "DELIVERY"
    ESSENTIALS = "ESSENTIALS"


@dataclass(frozen=True, slots=True)
class Group:
    """A log group."""

    id: int
    name: str
    created_at: int
    group_class: GroupClass
    retention_days: int | None
    deletion_protected: bool
    metric_filters: int
    subscriptions: int
    tags: Mapping[str, str]

    def arn(self, scope: Scope) -> str:
        """Its ARN, without the `:*`."""
        return scope.arn("logs", f"log-group:{self.name}")


@dataclass(frozen=True, slots=True)
class Stream:
    """A log stream. Times of events are 0 while it has none."""

    id: int
    name: str
    created_at: int
    first_event: int
    last_event: int
    last_ingestion: int


@dataclass(frozen=True, slots=True)
class Event:
    """A stored event. `id` counts up in the order of arrival, over all streams."""

    id: int
    stream_id: int
    timestamp: int
    ingested_at: int
    message: str


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the order of events."""

    timestamp: int
    order: int

    @classmethod
    def before(cls, timestamp: int) -> Position:
        """Just before the first event that `timestamp` can have."""
        return cls(timestamp, 0)

    @classmethod
    def after(cls, timestamp: int) -> Position:
        """Just after the last event that `timestamp` can have."""
        return cls(timestamp, _MAX_ORDER)

    @property
    def number(self) -> str:
        """The position as AWS's event ids are built: milliseconds, then 144 bits of order; 56 digits."""
        return f"{(self.timestamp << _ORDER_BITS) | self.order:056d}"


FIRST = Position(0, 0)
LAST = Position(_MAX_TIME, _MAX_ORDER)


def event_id(event: Event) -> str:
    """What FilterLogEvents and subscribers call an event."""
    return Position(event.timestamp, event.id).number


@dataclass(frozen=True, slots=True)
class Cursor:
    """A token of GetLogEvents: read on from `position`, which is not included, forward or backward."""

    forward: bool
    position: Position

    @property
    def token(self) -> str:
        """`f/<56 digits>/s` or `b/<56 digits>/s`."""
        return f"{'f' if self.forward else 'b'}/{self.position.number}/s"

    @classmethod
    def parse(cls, token: str) -> Cursor:
        """Read a token."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise InvalidParameterError("The specified nextToken is invalid.")
        number = int(match[2])
        timestamp = min(number >> _ORDER_BITS, _MAX_TIME)
        order = min(number & ((1 << _ORDER_BITS) - 1), _MAX_ORDER)
        return cls(match[1] == "f", Position(timestamp, order))


def first_cursors(start: int, end: int) -> tuple[Cursor, Cursor]:
    """The tokens of a first page that is empty: whatever is stored later in the range is found from either side."""
    return (
        Cursor(forward=True, position=Position.before(start)),
        Cursor(forward=False, position=Position.before(end)),
    )


def page_cursors(events: Sequence[Event], cursor: Cursor) -> tuple[Cursor, Cursor]:
    """The tokens that go with a page: forward from its end and backward from its start.

    An empty page hands back the token that asked for it; the other direction starts on its other side.
    """
    if events:
        first, last = events[0], events[-1]
        return (
            Cursor(forward=True, position=Position(last.timestamp, last.id)),
            Cursor(forward=False, position=Position(first.timestamp, first.id)),
        )
    at = cursor.position
    if cursor.forward:
        return cursor, Cursor(forward=False, position=Position(at.timestamp, min(at.order + 1, _MAX_ORDER)))
    return Cursor(forward=True, position=Position(at.timestamp, max(at.order - 1, 0))), cursor


@dataclass(frozen=True, slots=True)
class Batch:
    """What of a PutLogEvents request is stored: (timestamp, message) in order, their size, and what is not
    and why.
    """

    events: Sequence[tuple[int, str]]
    size: int
    rejected: Mapping[str, int] | None


def check_batch(events: Sequence[Mapping[str, Any]], now: int, retention_days: int | None) -> Batch:
    """Apply the rules of PutLogEvents; `InvalidParameterError` if the whole request is refused.

    Events are in chronological order, so those that are too old or expired come first and those too new last.
    """
    pairs = [(event["timestamp"], event["message"]) for event in events]
    sizes = [len(message.encode()) + OVERHEAD for _, message in pairs]
    for size in sizes:
        if size > MAX_EVENT:
            raise InvalidParameterError(f"Log event too large: {size} bytes exceeds limit of {MAX_EVENT}")
    total = sum(sizes)
    if total > MAX_BATCH:
        raise InvalidParameterError(f"Upload too large: {total} bytes exceeds limit of {MAX_BATCH}")
    times = [timestamp for timestamp, _ in pairs]
    if times != sorted(times):
        raise InvalidParameterError("Log events in a single PutLogEvents request must be in chronological order.")
    oldest = now - TOO_OLD
    expires = oldest if retention_days is None else max(oldest, now - retention_days * DAY)
    if times[0] >= expires and times[-1] <= now + TOO_NEW:
        _check_span(times)
        return Batch(pairs, total, None)
    old = sum(time < oldest for time in times)
    expired = sum(time < expires for time in times)
    end = sum(time <= now + TOO_NEW for time in times)
    rejected = {}
    if old:
        rejected["tooOldLogEventEndIndex"] = old
    if expired > old:
        rejected["expiredLogEventEndIndex"] = expired
    if end < len(times):
        rejected["tooNewLogEventStartIndex"] = end
    _check_span(times[expired:end])
    return Batch(pairs[expired:end], sum(sizes[expired:end]), rejected)


def _check_span(times: Sequence[int]) -> None:
    if times and times[-1] - times[0] > DAY:
        raise InvalidParameterError(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )


def check_retention(days: int) -> None:
    """Retention is one of the documented numbers of days."""
    if days not in RETENTION_DAYS:
        allowed = ", ".join(map(str, RETENTION_DAYS))
        raise InvalidParameterError(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{allowed}]"
        )


def check_unprotected(group: Group) -> None:
    """A protected group, and its streams, cannot be deleted."""
    if group.deletion_protected:
        raise ProtectedError(
            f"Log group {group.name} is protected from deletion. Disable its deletion protection and try again."
        )


def check_group_name(name: str) -> None:
    """Names that begin with `aws/` are AWS's own."""
    if name.lower().startswith("aws/"):
        raise InvalidParameterError("Log groups starting with AWS/ are reserved for AWS.")


def fit_page(events: Sequence[Event], room: int) -> int:
    """How many of `events`, from the first, fit into `room` bytes of a page; at least one of a page's first."""
    used = 0
    for count, event in enumerate(events):
        used += len(event.message.encode()) + OVERHEAD
        if used > room:
            return count
    return len(events)


def check_metric_transformation(transformation: Mapping[str, Any]) -> None:
    """The rules of MetricTransformation that the model does not have."""
    dimensions = transformation.get("dimensions") or {}
    if len(dimensions) > 3:
        raise InvalidParameterError("Invalid metric transformation: a metric can have at most 3 dimensions.")
    if dimensions and transformation.get("defaultValue") is not None:
        raise InvalidParameterError(
            "Invalid metric transformation: dimensions and default value are mutually exclusive properties."
        )
    value = transformation["metricValue"]
    if not value.startswith("$"):
        try:
            float(value)
        except ValueError:
            raise InvalidParameterError(
                "Invalid metric transformation: metric value must be a number or a field of the pattern."
            ) from None


def merge_tags(tags: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str] | None:
    """The tags with `added` over them; `None` if they would be too many."""
    merged = {**tags, **added}
    return None if len(merged) > MAX_TAGS else merged


def substring_patterns(pattern: str) -> Sequence[tuple[bool, str]]:
    """The parts of ListLogGroups' name pattern: whether it is a prefix (`^`), and its text."""
    return [(part.startswith("^"), part.removeprefix("^")) for part in pattern.split("|")]
