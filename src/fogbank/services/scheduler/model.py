"""Schedules and groups, and when a schedule comes next; without I/O or clock.

    created ──▶ waiting for its moment (moved on by the flexible time window's dice) ──▶ invoked
                  ▲                                                                       │
                  └──────────── there is a next moment before EndDate ────────────────────┤
                                                                                          ▼
                                            completed: kept, or deleted (ActionAfterCompletion)

Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html,
managing-schedule-flexible-time-windows.html, managing-schedule-delete.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fogbank.core.schedule import (
    UTC as UTC_ZONE,
)
from fogbank.core.schedule import (
    At,
    Expression,
    InvalidExpressionError,
    Rate,
    UnknownZoneError,
    parse_expression,
    zone,
)
from fogbank.core.scope import Scope
from fogbank.services.scheduler.errors import ValidationError

DEFAULT_GROUP = "default"
MAX_GROUPS = 500
MAX_TAGS = 50
START_GRACE = 300.0
"""Seconds that a StartDate may lie in the past."""


@dataclass(frozen=True, slots=True)
class Group:
    """A schedule group. Times are milliseconds."""

    scope: Scope
    name: str
    tags: Mapping[str, str]
    created: int
    modified: int

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("scheduler", f"schedule-group/{self.name}")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as it is stored.

    `settings` are the request's members beside the names; `anchor` is the moment from which a rate without
    StartDate counts. Times are milliseconds.
    """

    id: int
    scope: Scope
    group: str
    name: str
    settings: Mapping[str, Any]
    created: int
    modified: int
    anchor: int

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("scheduler", f"schedule/{self.group}/{self.name}")

    @property
    def enabled(self) -> bool:
        """Whether it invokes its target."""
        return bool(self.settings["State"] == "ENABLED")

    @property
    def expression(self) -> Expression:
        """Its expression, read."""
        return parse_expression(self.settings["ScheduleExpression"])

    @property
    def deleted_after_completion(self) -> bool:
        """Whether it goes when it has run for the last time."""
        return bool(self.settings["ActionAfterCompletion"] == "DELETE")

    @property
    def window(self) -> float:
        """Seconds after its moment within which it may be invoked."""
        return 60.0 * float(self.settings["FlexibleTimeWindow"].get("MaximumWindowInMinutes", 0))


@dataclass(frozen=True, slots=True)
class Firing:
    """A moment at which a schedule is to run, and the later one at which it will; both in milliseconds."""

    moment: int
    due: int


def next_firing(schedule: Schedule, after: int, fraction: float) -> Firing | None:
    """The first run after a moment (ms); `fraction` in [0, 1) places it within the flexible time window."""
    if not schedule.enabled:
        return None
    settings, expression = schedule.settings, schedule.expression
    now = after / 1000
    start = settings.get("StartDate")
    if isinstance(expression, At):
        found = expression.next_after(now, zone(settings["ScheduleExpressionTimezone"]))
    elif isinstance(expression, Rate):
        found = expression.next_after(now, UTC_ZONE, schedule.anchor / 1000 if start is None else start)
    else:
        begin = now if start is None else max(now, start - 0.001)
        found = expression.next_after(begin, zone(settings["ScheduleExpressionTimezone"]))
    end = settings.get("EndDate")
    if found is None or (end is not None and not isinstance(expression, At) and found > end):
        return None
    moment = round(found * 1000)
    return Firing(moment, moment + int(schedule.window * fraction * 1000))


def last_missed(schedule: Schedule, moment: int, now: int) -> int:
    """The last of the moments from `moment` to `now`: what was missed while the server was down runs once."""
    last = moment
    for _ in range(1000):
        following = next_firing(schedule, last, 0.0)
        if following is None or following.moment > now:
            break
        last = following.moment
    return last


def timestamp(millis: int) -> str:
    """A moment as targets see it: `2022-03-22T18:59:43Z`."""
    return datetime.fromtimestamp(millis // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_settings(request: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A schedule's settings from a request, with the defaults in place; `ValidationError` if they are not in order.

    The target is checked by itself (`_targets.py`).
    """
    settings: dict[str, Any] = {
        "ScheduleExpression": request["ScheduleExpression"],
        "ScheduleExpressionTimezone": request.get("ScheduleExpressionTimezone", "UTC"),
        "State": request.get("State", "ENABLED"),
        "FlexibleTimeWindow": dict(request["FlexibleTimeWindow"]),
        "ActionAfterCompletion": request.get("ActionAfterCompletion", "NONE"),
    }
    settings |= {name: request[name] for name in ("Description", "StartDate", "EndDate") if name in request}
    _check_expression(settings)
    _check_window(settings["FlexibleTimeWindow"])
    _check_dates(settings, now)
    return settings


def _check_expression(settings: Mapping[str, Any]) -> None:
    try:
        parse_expression(settings["ScheduleExpression"])
    except InvalidExpressionError:
        raise ValidationError(f"Invalid Schedule Expression {settings['ScheduleExpression']}.") from None
    try:
        zone(settings["ScheduleExpressionTimezone"])
    except UnknownZoneError:
        raise ValidationError(
            f"Invalid Schedule Expression Timezone {settings['ScheduleExpressionTimezone']}."
        ) from None


def _check_window(window: Mapping[str, Any]) -> None:
    given = "MaximumWindowInMinutes" in window
    if window["Mode"] == "FLEXIBLE" and not given:
        raise ValidationError("MaximumWindowInMinutes must be specified when the FlexibleTimeWindow Mode is FLEXIBLE.")
    if window["Mode"] == "OFF" and given:
        raise ValidationError("MaximumWindowInMinutes must not be specified when the FlexibleTimeWindow Mode is OFF.")


def _check_dates(settings: Mapping[str, Any], now: float) -> None:
    """One-time schedules ignore both dates, as documented."""
    if isinstance(parse_expression(settings["ScheduleExpression"]), At):
        return
    start, end = settings.get("StartDate"), settings.get("EndDate")
    if start is not None and start < now - START_GRACE:
        raise ValidationError("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if end is not None and end <= now:
        raise ValidationError("The EndDate you specify must be in the future.")
    if start is not None and end is not None and end <= start:
        raise ValidationError("The EndDate you specify must come after the StartDate.")
