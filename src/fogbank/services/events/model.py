"""The values of EventBridge and what holds of them, without I/O or clock.

    PutEvents ──▶ event ──▶ bus ──▶ rules whose pattern matches ──▶ targets ──▶ delivery
    schedule  ──▶ event ───────────▶ the one rule ────────────────▶ targets ──▶ delivery
    replay    ──▶ archived event ──▶ bus …

A bus is named within an account and region; the one named `default` is always there. A rule's state:

    ENABLED ◀──EnableRule── / ──DisableRule──▶ DISABLED          (PutRule sets either)

A replay's: STARTING ──▶ RUNNING ──▶ COMPLETED, or CANCELLING ──▶ CANCELLED before that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.scope import Scope

DEFAULT_BUS = "default"
MAX_BUSES = 100
MAX_RULES = 300
"""Rules on one bus."""
MAX_TARGETS = 5
"""Targets of one rule."""
MAX_TAGS = 50
MAX_POLICY = 10_240
MAX_ENTRIES_SIZE = 1_048_576
"""Bytes of all entries of a PutEvents request: less than this."""
MAX_DETAIL_TYPE = 128
LAST_TIME = 253_402_300_800.0
"""Seconds since the epoch at the end of the year 9999."""


class RuleState(StrEnum):
    """Whether a rule matches."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    ALL_MANAGEMENT_EVENTS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


class ReplayState(StrEnum):
    """How far a replay is."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class BusKey:
    """Which bus."""

    account: str
    region: str
    name: str = DEFAULT_BUS

    @property
    def scope(self) -> Scope:
        """Its account and region."""
        return Scope(self.account, self.region)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("events", f"event-bus/{self.name}")

    def rule_arn(self, rule: str) -> str:
        """The ARN of a rule on it: the default bus's name is left out."""
        prefix = "" if self.name == DEFAULT_BUS else f"{self.name}/"
        return self.scope.arn("events", f"rule/{prefix}{rule}")

    @classmethod
    def of(cls, scope: Scope, name_or_arn: str | None) -> BusKey:
        """The bus that a request names: by name in the caller's scope, or by ARN in its own."""
        if not name_or_arn:
            return cls(scope.account, scope.region)
        if not name_or_arn.startswith("arn:"):
            return cls(scope.account, scope.region, name_or_arn)
        arn = Arn.parse(name_or_arn)
        return cls(arn.account, arn.region, arn.resource.removeprefix("event-bus/"))


@dataclass(frozen=True, slots=True)
class Bus:
    """An event bus as it is described. Times are milliseconds."""

    key: BusKey
    description: str | None
    policy: str | None
    dead_letter: str | None
    tags: Mapping[str, str]
    created: int
    modified: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is stored. `anchor` is the moment (in ms) from which a rate counts."""

    id: int
    bus: BusKey
    name: str
    pattern: str | None
    schedule: str | None
    state: RuleState
    description: str | None
    role_arn: str | None
    managed_by: str | None
    created_by: str
    tags: Mapping[str, str]
    anchor: int

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.bus.rule_arn(self.name)

    @property
    def enabled(self) -> bool:
        """Whether it matches and fires."""
        return self.state is not RuleState.DISABLED


@dataclass(frozen=True, slots=True)
class Target:
    """A target as it is stored: `settings` is the request's structure, without Id and Arn."""

    id: str
    arn: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """The structure as ListTargetsByRule answers it."""
        return {"Id": self.id, "Arn": self.arn, **self.settings}


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive. It receives its events through a rule of its own, as in AWS; `rule` is that rule's id."""

    scope: Scope
    name: str
    bus: str
    rule: int
    description: str | None
    pattern: str | None
    retention_days: int
    created: int
    event_count: int = 0
    size_bytes: int = 0

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("events", f"archive/{self.name}")

    @property
    def rule_name(self) -> str:
        """The name of its rule."""
        return f"Events-Archive-{self.name}"


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay under way or past. Times are milliseconds; the cursor is the last event that was replayed."""

    scope: Scope
    name: str
    description: str | None
    archive: str
    rule: int
    bus: str
    filters: tuple[str, ...]
    state: ReplayState
    starts: int
    ends: int
    cursor_time: int
    cursor_id: int
    last_replayed: int | None
    started: int
    finished: int | None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("events", f"replay/{self.name}")


def timestamp(seconds: float) -> str:
    """A moment as events carry it: `2016-01-14T01:02:03Z`."""
    return _timestamp(int(seconds))


@lru_cache(maxsize=256)
def _timestamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def envelope(
    scope: Scope,
    event_id: str,
    *,
    source: str,
    detail_type: str,
    detail: Any,
    time: str,
    resources: list[str],
) -> dict[str, Any]:
    """An event, its members in the order in which AWS sends them."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": source,
        "account": scope.account,
        "time": time,
        "region": scope.region,
        "resources": resources,
        "detail": detail,
    }


def scheduled_event(rule: Rule, event_id: str, moment: float) -> dict[str, Any]:
    """What a rule's schedule sends to its targets."""
    return envelope(
        rule.bus.scope,
        event_id,
        source="aws.events",
        detail_type="Scheduled Event",
        detail={},
        time=timestamp(moment),
        resources=[rule.arn],
    )


@dataclass(frozen=True, slots=True)
class Refused:
    """Why PutEvents did not take an entry."""

    code: str
    message: str

    @property
    def result(self) -> dict[str, str]:
        """The entry's result."""
        return {"ErrorCode": self.code, "ErrorMessage": self.message}


MALFORMED = Refused("MalformedDetail", "Detail is malformed.")
_FOREIGN_SOURCE = Refused("NotAuthorizedForSourceException", "Not authorized for the source.")
_decode = msgspec.json.Decoder().decode


def _invalid(parameter: str, reason: str) -> Refused:
    return Refused("InvalidArgument", f"Parameter {parameter} is not valid. Reason: {reason}")


def read_entry(entry: Mapping[str, Any], *, by_service: bool) -> dict[str, Any] | Refused:
    """The `detail` of an entry that is in order, or why it is not. `by_service`: sources `aws.…` are allowed."""
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return _invalid(name, f"{name} is a required argument.")
    if len(entry["DetailType"]) > MAX_DETAIL_TYPE:
        return _invalid("DetailType", f"DetailType is longer than {MAX_DETAIL_TYPE} characters.")
    if not 0 <= entry.get("Time", 0) < LAST_TIME:
        return _invalid("Time", "Time is out of range.")
    if not by_service and entry["Source"].startswith("aws."):
        return _FOREIGN_SOURCE
    try:
        detail = _decode(entry["Detail"])
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return MALFORMED
    return detail if type(detail) is dict else MALFORMED


def entry_size(entry: Mapping[str, Any]) -> int:
    """Bytes of an entry, as the user guide counts them ("Calculating PutEvents event entry size")."""
    size = 14 if "Time" in entry else 0
    for name in ("Source", "DetailType", "Detail"):
        text = entry.get(name) or ""
        size += len(text) if text.isascii() else len(text.encode())
    return size + sum(len(resource.encode()) for resource in entry.get("Resources", ()))


def billed_pieces(event: bytes) -> int:
    """As how many events one is billed: 64 KB each (https://aws.amazon.com/eventbridge/pricing/)."""
    return max(1, -(-len(event) // 65_536))


def target_arn(text: str) -> Arn | None:
    """A target's ARN, `None` if it is none."""
    try:
        return Arn.parse(text)
    except MalformedArnError:
        return None
