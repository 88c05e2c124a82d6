"""The six fields of an AWS cron expression: minutes, hours, day of month, month, day of week, year.

Values, names (`JAN`, `MON`), lists, ranges (which may wrap round: `20-2`), steps (`0/15`, `8-18/2`), and in the
day fields `?`, `L`, `L-3`, `LW`, `15W`, `6L` and `3#2`. One of the two day fields is `?`.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from fogbank.core.schedule.zones import UTC, moment, reading

FIRST_YEAR, LAST_YEAR = 1970, 2199

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}


class CronError(ValueError):
    """Six fields that are no schedule."""


@dataclass(frozen=True, slots=True)
class _Field:
    """What a field may hold."""

    first: int
    last: int
    names: dict[str, int]
    wraps: bool = True

    def value(self, text: str) -> int:
        """A number or name of this field."""
        number = self.names.get(text.upper())
        if number is None:
            if not re.fullmatch(r"[0-9]{1,4}", text):
                raise CronError(f"{text!r} is no value")
            number = int(text)
        if not self.first <= number <= self.last:
            raise CronError(f"{number} is not between {self.first} and {self.last}")
        return number

    def values(self, text: str) -> frozenset[int]:
        """The numbers that a list of values, ranges and steps names."""
        return frozenset(number for part in text.split(",") for number in self._part(part))

    def _part(self, part: str) -> list[int]:
        span, slash, step_text = part.partition("/")
        if span == "*":
            first, last = self.first, self.last
        elif "-" in span:
            left, _, right = span.partition("-")
            first, last = self.value(left), self.value(right)
        else:
            first = self.value(span)
            last = self.last if slash else first
        if last < first:
            if not self.wraps:
                raise CronError(f"{span!r} ends before it begins")
            last += self.last - self.first + 1
        step = self._step(step_text) if slash else 1
        return [self.first + (n - self.first) % (self.last - self.first + 1) for n in range(first, last + 1, step)]

    def _step(self, text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= self.last:
            raise CronError(f"{text!r} is no step between 1 and {self.last}")
        return int(text)


_MINUTE = _Field(0, 59, {})
_HOUR = _Field(0, 23, {})
_DAY = _Field(1, 31, {})
_MONTH = _Field(1, 12, _MONTHS)
_WEEKDAY = _Field(1, 7, _WEEKDAYS)
_YEAR = _Field(FIRST_YEAR, LAST_YEAR, {}, wraps=False)


@dataclass(frozen=True, slots=True)
class Days:
    """The days of any month. All of these may be empty, but not at once.

    `days` are numbers, `weekdays` 1 (Sunday) to 7. `last` counts days before the last of the month, `nearest` is
    the day whose nearest weekday is meant (0: the last of the month, moved by `last`), `last_weekday` is `6L`,
    `nth` is `3#2`.
    """

    days: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    last: int | None = None
    nearest: int | None = None
    last_weekday: int | None = None
    nth: tuple[int, int] | None = None

    def of(self, year: int, month: int) -> list[int]:
        """The days of one month, in order."""
        length = calendar.monthrange(year, month)[1]
        if self.nearest is not None:
            return _nearest_weekday(year, month, self.nearest or length - (self.last or 0), length)
        if self.last is not None:
            return [length - self.last] if length > self.last else []
        if self.last_weekday is not None:
            return [max(_weekdays(year, month, length, {self.last_weekday}))]
        if self.nth is not None:
            weekday, number = self.nth
            return _weekdays(year, month, length, {weekday})[number - 1 : number]
        if self.weekdays:
            return _weekdays(year, month, length, self.weekdays)
        return sorted(day for day in self.days if day <= length)


def _weekdays(year: int, month: int, length: int, wanted: frozenset[int] | set[int]) -> list[int]:
    first = date(year, month, 1).isoweekday() % 7
    return [day for day in range(1, length + 1) if (first + day - 1) % 7 + 1 in wanted]


def _nearest_weekday(year: int, month: int, day: int, length: int) -> list[int]:
    """The weekday nearest to a day, without leaving the month."""
    if not 1 <= day <= length:
        return []
    weekday = date(year, month, day).isoweekday()
    if weekday == 6:
        return [day - 1 if day > 1 else day + 2]
    if weekday == 7:
        return [day + 1 if day < length else day - 2]
    return [day]


def _month_days(text: str) -> Days:
    upper = text.upper()
    if found := re.fullmatch(r"L(?:-([0-9]{1,2}))?(W)?", upper):
        offset = int(found[1] or 0)
        if offset > 30:
            raise CronError(f"{text!r} is more than 30 days before the last")
        return Days(last=offset, nearest=0 if found[2] else None)
    if found := re.fullmatch(r"([0-9]{1,2})W", upper):
        return Days(nearest=_DAY.value(found[1]))
    return Days(days=_DAY.values(text))


def _week_days(text: str) -> Days:
    upper = text.upper()
    if upper == "L":
        return Days(weekdays=frozenset({7}))
    if found := re.fullmatch(r"([1-7]|[A-Z]{3})L", upper):
        return Days(last_weekday=_WEEKDAY.value(found[1]))
    if found := re.fullmatch(r"([1-7]|[A-Z]{3})#([1-5])", upper):
        return Days(nth=(_WEEKDAY.value(found[1]), int(found[2])))
    return Days(weekdays=_WEEKDAY.values(text))


@dataclass(frozen=True, slots=True)
class Cron:
    """A recurring schedule by the calendar."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: frozenset[int]
    years: frozenset[int]

    @classmethod
    def parse(cls, fields: str) -> Cron:
        """Read the six fields; `CronError` if they are no schedule."""
        parts = fields.split()
        if len(parts) != 6:
            raise CronError(f"expected six fields, got {len(parts)}")
        minute, hour, day, month, weekday, year = parts
        if (day == "?") == (weekday == "?"):
            raise CronError("one of day-of-month and day-of-week must be ?, the other not")
        return cls(
            tuple(sorted(_MINUTE.values(minute))),
            tuple(sorted(_HOUR.values(hour))),
            _week_days(weekday) if day == "?" else _month_days(day),
            _MONTH.values(month),
            _YEAR.values(year),
        )

    def next_after(self, now: float, where: tzinfo = UTC, start: float | None = None) -> float | None:  # noqa: ARG002
        """The first moment after `now` (both in seconds since the epoch), `None` if there is none.

        A time that the zone's clock skips is left out, one that it shows twice comes once.
        """
        begin = reading(now, where) - timedelta(hours=26)  # clocks have been moved by a whole day
        for day in self._dates(begin.date()):
            for hour in self.hours:
                if day == begin.date() and hour < begin.hour:
                    continue
                for minute in self.minutes:
                    found = moment(datetime(day.year, day.month, day.day, hour, minute), where)  # noqa: DTZ001
                    if found is not None and found > now:
                        return found
        return None

    def _dates(self, begin: date) -> Iterator[date]:
        for year in range(max(begin.year, FIRST_YEAR), LAST_YEAR + 1):
            if year not in self.years:
                continue
            for month in range(begin.month if year == begin.year else 1, 13):
                if month not in self.months:
                    continue
                for number in self.days.of(year, month):
                    day = date(year, month, number)
                    if day >= begin:
                        yield day
