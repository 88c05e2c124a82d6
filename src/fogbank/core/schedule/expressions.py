"""The three kinds of schedule expressions, how they are read, and when each comes next."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache

from fogbank.core.schedule.cron import FIRST_YEAR, LAST_YEAR, Cron, CronError
from fogbank.core.schedule.zones import UTC, moment

_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(r"rate\(([0-9]{1,9})\s+(minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\(([^()]*)\)")
_AT = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)")


class InvalidExpressionError(ValueError):
    """A schedule expression that is none; the services word their own errors."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A recurring schedule by a fixed interval, in seconds. A day is 24 hours, whatever the clocks do."""

    interval: int

    def next_after(self, now: float, where: tzinfo = UTC, start: float | None = None) -> float | None:  # noqa: ARG002
        """The first of `start`, `start` + interval, … that is after `now` (without a start: one interval on)."""
        if start is None:
            return now + self.interval
        if now < start:
            return start
        return start + (math.floor((now - start) / self.interval) + 1) * self.interval


@dataclass(frozen=True, slots=True)
class At:
    """A one-time schedule: what a clock in the schedule's zone shows."""

    local: datetime

    def moment(self, where: tzinfo) -> float:
        """When that is. A time that the clock skips is taken as if it had not been put forward yet."""
        exact = moment(self.local, where)
        return exact if exact is not None else self.local.replace(tzinfo=where, fold=0).timestamp()

    def next_after(self, now: float, where: tzinfo = UTC, start: float | None = None) -> float | None:  # noqa: ARG002
        """The moment, if it is after `now`."""
        when = self.moment(where)
        return when if when > now else None


Expression = Cron | Rate | At


def latest(
    expression: Expression, since: float, now: float, where: tzinfo = UTC, start: float | None = None
) -> float | None:
    """The last moment after `since` that is not after `now`: what is left of the moments that were missed.

    It halves the time in which that moment must be, so a long absence costs no more than a short one.
    """
    last = expression.next_after(since, where, start)
    if last is None or last > now:
        return None
    none_after = now
    while none_after - last > 60:
        middle = (last + none_after) / 2
        found = expression.next_after(middle, where, start)
        if found is None or found > now:
            none_after = middle
        else:
            last = found
    while (found := expression.next_after(last, where, start)) is not None and found <= now:
        last = found
    return last


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Expression:
    """Read an expression as EventBridge Scheduler takes it; `InvalidExpressionError` if it is none."""
    if found := _CRON.fullmatch(text):
        try:
            return Cron.parse(found[1])
        except CronError as error:
            raise InvalidExpressionError(f"{text}: {error}") from None
    if found := _RATE.fullmatch(text):
        if int(found[1]) < 1:
            raise InvalidExpressionError(f"{text}: a rate is at least 1")
        return Rate(int(found[1]) * _UNITS[found[2]])
    if found := _AT.fullmatch(text):
        try:
            local = datetime.fromisoformat(found[1])
        except ValueError as error:
            raise InvalidExpressionError(f"{text}: {error}") from None
        if not FIRST_YEAR <= local.year <= LAST_YEAR:
            raise InvalidExpressionError(f"{text}: the year is not between {FIRST_YEAR} and {LAST_YEAR}")
        return At(local)
    raise InvalidExpressionError(f"{text}: expected rate(…), cron(…) or at(yyyy-mm-ddThh:mm:ss)")


@lru_cache(maxsize=4096)
def parse_rule_expression(text: str) -> Cron | Rate:
    """Read an expression as rules take it: no `at`, and a rate's unit agrees in number with its value."""
    expression = parse_expression(text)
    if isinstance(expression, At):
        raise InvalidExpressionError(f"{text}: rules have no one-time schedules")
    found = _RATE.fullmatch(text)
    if found and (found[3] == "s") != (int(found[1]) > 1):
        raise InvalidExpressionError(f"{text}: {found[1]} {found[2]}{found[3]} does not agree in number")
    return expression
