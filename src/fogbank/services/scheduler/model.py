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
from datetime import UTC, datetime, tzinfo
from typing import Any

from fogbank.core.schedule import (
    At,
    Cron,
    Expression,
    InvalidExpressionError,
    UnknownZoneError,
    latest,
    parse_expression,
    zone,
)
from fogbank.core.scope import Scope
from fogbank.services.scheduler.errors import ValidationError

DEFAULT_GROUP = "default"
MAX_GROUPS = 500
MAX_TAGS = 50
LAST_DATE = 253_402_300_800.0
"""Seconds since the epoch at the end of the year 9999."""
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
    found = schedule.expression.next_after(_begin(schedule, after / 1000), *_place(schedule))
    end = schedule.settings.get("EndDate")
    if found is None or (end is not None and not isinstance(schedule.expression, At) and found > end):
        return None
    moment = round(found * 1000)
    return Firing(moment, moment + int(schedule.window * fraction * 1000))


def last_missed(schedule: Schedule, moment: int, now: int) -> int:
    """The moment to run for at `now`: `moment`, or the last of those whose windows have passed since.

    What was missed while the server was down runs once.
    """
    end = schedule.settings.get("EndDate")
    over = now / 1000 - schedule.window if end is None else min(end, now / 1000 - schedule.window)
    missed = latest(schedule.expression, moment / 1000, over, *_place(schedule))
    return moment if missed is None else round(missed * 1000)


def _begin(schedule: Schedule, after: float) -> float:
    """A moment after which to look: not before StartDate, which one-time schedules ignore."""
    start = schedule.settings.get("StartDate")
    if start is None or not isinstance(schedule.expression, Cron):
        return after
    return float(max(after, start - 0.001))


def _place(schedule: Schedule) -> tuple[tzinfo, float | None]:
    """The time zone and the start that the expression is read with."""
    where = zone(schedule.settings["ScheduleExpressionTimezone"])
    return where, schedule.settings.get("StartDate", schedule.anchor / 1000)


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
    """Refuse dates that are out of order; one-time schedules ignore both, as documented."""
    for name in ("StartDate", "EndDate"):
        if not 0 <= settings.get(name, 0) < LAST_DATE:
            raise ValidationError(f"The {name} you specify is not a date.")
    if isinstance(parse_expression(settings["ScheduleExpression"]), At):
        return
    start, end = settings.get("StartDate"), settings.get("EndDate")
    if start is not None and start < now - START_GRACE:
        raise ValidationError("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if end is not None and end <= now:
        raise ValidationError("The EndDate you specify must be in the future.")
    if start is not None and end is not None and end <= start:
        raise ValidationError("The EndDate you specify must come after the StartDate.")
