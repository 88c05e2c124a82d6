"""Schedule expressions: what is read, what is refused, and when each comes next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given

from fogbank.core.schedule import (
    At,
    Cron,
    InvalidExpressionError,
    Rate,
    UnknownZoneError,
    latest,
    parse_expression,
    parse_rule_expression,
    zone,
)


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def following(expression: str, begin: str, count: int = 3, where: str = "UTC") -> list[str]:
    """The next few runs, as UTC readings."""
    parsed, now, runs = parse_expression(expression), seconds(begin), []
    for _ in range(count):
        found = parsed.next_after(now, zone(where))
        if found is None:
            break
        runs.append(datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%dT%H:%M"))
        now = found
    return runs


DOCUMENTED = [
    # The tables of eb-scheduled-rule-pattern.html and schedule-types.html.
    ("cron(0 10 * * ? *)", ["2023-11-15T10:00", "2023-11-16T10:00", "2023-11-17T10:00"]),
    ("cron(15 12 * * ? *)", ["2023-11-15T12:15", "2023-11-16T12:15", "2023-11-17T12:15"]),
    ("cron(0 18 ? * MON-FRI *)", ["2023-11-15T18:00", "2023-11-16T18:00", "2023-11-17T18:00"]),
    ("cron(0 8 1 * ? *)", ["2023-12-01T08:00", "2024-01-01T08:00", "2024-02-01T08:00"]),
    ("cron(0/15 * * * ? *)", ["2023-11-14T22:15", "2023-11-14T22:30", "2023-11-14T22:45"]),
    ("cron(0/5 8-17 ? * MON-FRI *)", ["2023-11-15T08:00", "2023-11-15T08:05", "2023-11-15T08:10"]),
    ("cron(0/30 20-2 ? * MON-FRI *)", ["2023-11-14T22:30", "2023-11-14T23:00", "2023-11-14T23:30"]),
    ("cron(15 10 ? * 6L 2019-2024)", ["2023-11-24T10:15", "2023-12-29T10:15", "2024-01-26T10:15"]),
    ("cron(0 9 ? * 2#1 *)", ["2023-12-04T09:00", "2024-01-01T09:00", "2024-02-05T09:00"]),
    ("cron(0 9 ? * TUE#5 *)", ["2024-01-30T09:00", "2024-04-30T09:00", "2024-07-30T09:00"]),
    ("cron(0 0 L * ? *)", ["2023-11-30T00:00", "2023-12-31T00:00", "2024-01-31T00:00"]),
    ("cron(0 0 L-3 * ? *)", ["2023-11-27T00:00", "2023-12-28T00:00", "2024-01-28T00:00"]),
    ("cron(0 0 LW * ? *)", ["2023-11-30T00:00", "2023-12-29T00:00", "2024-01-31T00:00"]),
    ("cron(0 0 3W * ? *)", ["2023-12-04T00:00", "2024-01-03T00:00", "2024-02-02T00:00"]),
    ("cron(0 0 1W * ? *)", ["2023-12-01T00:00", "2024-01-01T00:00", "2024-02-01T00:00"]),
    ("cron(0 0 ? * L *)", ["2023-11-18T00:00", "2023-11-25T00:00", "2023-12-02T00:00"]),
    ("cron(0 0 29 2 ? *)", ["2024-02-29T00:00", "2028-02-29T00:00", "2032-02-29T00:00"]),
    ("cron(0 0 1 JAN,JUL ? *)", ["2024-01-01T00:00", "2024-07-01T00:00", "2025-01-01T00:00"]),
    ("cron(0 0 ? * SAT-MON *)", ["2023-11-18T00:00", "2023-11-19T00:00", "2023-11-20T00:00"]),
    ("cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)", ["2023-11-15T08:00", "2023-11-15T08:01", "2023-11-15T08:02"]),
    ("cron(0 0 1 1 ? 2020)", []),
    ("cron(0 0 30 2 ? *)", []),
    ("at(2030-05-06T07:08:09)", ["2030-05-06T07:08"]),
    ("at(2020-05-06T07:08:09)", []),
]


@pytest.mark.parametrize(("expression", "runs"), DOCUMENTED, ids=[e for e, _ in DOCUMENTED])
def test_the_next_runs(expression: str, runs: list[str]) -> None:
    assert following(expression, "2023-11-14T22:13:20") == runs


def test_a_run_at_this_very_moment_is_past() -> None:
    assert following("cron(0 10 * * ? *)", "2023-11-15T10:00:00", 1) == ["2023-11-16T10:00"]


def test_a_rate_counts_from_its_start() -> None:
    rate = parse_expression("rate(5 minutes)")
    assert rate == Rate(300)
    assert rate.next_after(1000, start=2000) == 2000
    assert rate.next_after(2000, start=2000) == 2300
    assert rate.next_after(2301, start=2000) == 2600
    assert rate.next_after(1000) == 1300


class TestDaylightSaving:
    """https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html, "Daylight savings time"."""

    def test_a_time_that_the_clock_skips_is_skipped(self) -> None:
        runs = following("cron(30 2 * * ? *)", "2024-03-09T00:00:00", 3, "America/New_York")
        assert runs == ["2024-03-09T07:30", "2024-03-11T06:30", "2024-03-12T06:30"]

    def test_a_time_that_the_clock_shows_twice_comes_once(self) -> None:
        runs = following("cron(30 1 * * ? *)", "2024-11-02T00:00:00", 3, "America/New_York")
        assert runs == ["2024-11-02T05:30", "2024-11-03T05:30", "2024-11-04T06:30"]

    def test_every_hour_leaves_out_the_hour_that_is_repeated(self) -> None:
        runs = following("cron(0 * * * ? *)", "2024-11-03T04:30:00", 3, "America/New_York")
        assert runs == ["2024-11-03T05:00", "2024-11-03T07:00", "2024-11-03T08:00"]

    def test_a_rate_of_a_day_is_24_hours(self) -> None:
        start = seconds("2024-03-09T07:30:00")
        assert parse_expression("rate(1 day)").next_after(start, zone("America/New_York"), start) == start + 86_400

    def test_a_one_time_schedule_within_the_skipped_hour_still_comes(self) -> None:
        assert following("at(2024-03-10T02:30:00)", "2024-03-01T00:00:00", 1, "America/New_York") == [
            "2024-03-10T07:30"
        ]

    def test_a_zone_shifts_the_calendar(self) -> None:
        assert following("cron(0 0 L * ? *)", "2023-11-29T16:00:00", 1, "Asia/Tokyo") == ["2023-12-30T15:00"]
        assert following("cron(0 0 L * ? *)", "2023-11-29T14:00:00", 1, "Asia/Tokyo") == ["2023-11-29T15:00"]


REFUSED = [
    "", "cron", "cron()", "0 0 * * ? *", "cron(0 0 * * ?)", "cron(0 0 * * ? * *)", "cron(0 0 * * * *)",
    "cron(0 0 ? * ? *)", "cron(0 0 1 * MON *)", "cron(60 0 * * ? *)", "cron(0 24 * * ? *)", "cron(0 0 0 * ? *)",
    "cron(0 0 32 * ? *)", "cron(0 0 * 13 ? *)", "cron(0 0 * 0 ? *)", "cron(0 0 ? * 8 *)", "cron(0 0 ? * 0 *)",
    "cron(0 0 * * ? 1969)", "cron(0 0 * * ? 2200)", "cron(0 0 * * ? 2024-2020)", "cron(? 0 * * ? *)",
    "cron(0 0 L,5 * ? *)", "cron(0 0 1W,5 * ? *)", "cron(0 0 32W * ? *)", "cron(0 0 L-31 * ? *)",
    "cron(0 0 ? * 3#6 *)", "cron(0 0 ? * 3#1,6#3 *)", "cron(0 0 ? * FOOL *)", "cron(0/0 0 * * ? *)",
    "cron(0/60 0 * * ? *)", "cron(a 0 * * ? *)", "cron(1- 0 * * ? *)", "cron(0 0 * FOO ? *)", "cron(-1 0 * * ? *)",
    "CRON(0 0 * * ? *)", "cron(0 0 * * ? *) ", "rate()", "rate(5)", "rate(0 minutes)", "rate(-5 minutes)",
    "rate(5.5 minutes)", "rate(5 seconds)", "rate(5 weeks)", "rate(minutes)", "rate(5minutes)",
    "at()", "at(2020-13-01T00:00:00)", "at(2020-01-01)", "at(2020-01-01T00:00)", "at(2020-02-30T00:00:00)",
    "at(2020-01-01T00:00:00Z)",
]  # fmt: skip


@pytest.mark.parametrize("expression", REFUSED)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(InvalidExpressionError):
        parse_expression(expression)


@pytest.mark.parametrize("expression", ["rate(1 minutes)", "rate(5 minute)", "rate(1 days)", "at(2030-01-01T00:00:00)"])
def test_rules_are_stricter_than_schedules(expression: str) -> None:
    parse_expression(expression)
    with pytest.raises(InvalidExpressionError):
        parse_rule_expression(expression)


@pytest.mark.parametrize("expression", ["rate(1 minute)", "rate(2 hours)", "cron(0 0 * * ? *)"])
def test_rules_take_what_is_documented(expression: str) -> None:
    assert isinstance(parse_rule_expression(expression), Rate | Cron)


def test_an_unknown_zone_is_refused() -> None:
    for name in ("Mars/Base", "", "../etc/passwd", "Europe", "a\0b"):
        with pytest.raises(UnknownZoneError):
            zone(name)
    assert isinstance(parse_expression("at(2030-01-01T00:00:00)"), At)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for expression in (text, f"cron({text})", f"rate({text})", f"at({text})", f"cron(0 0 {text} * ? *)"):
        try:
            found = parse_expression(expression)
        except InvalidExpressionError:
            continue
        found.next_after(0)


@given(
    st.sampled_from(["cron(30 1,2,3 * * ? *)", "cron(0/20 * ? * MON,SUN *)", "cron(15 4 L * ? *)"]),
    st.integers(1_600_000_000, 2_000_000_000),
    st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_runs_come_in_order_and_fit_the_fields(expression: str, now: int, where: str) -> None:
    parsed = parse_expression(expression)
    assert isinstance(parsed, Cron)
    found = parsed.next_after(now, zone(where))
    assert found is not None
    assert found > now
    local = datetime.fromtimestamp(found, zone(where))
    assert local.minute in parsed.minutes
    assert local.hour in parsed.hours
    assert local.day in parsed.days.of(local.year, local.month)
    # None was left out: from just before it, it is the next again.
    assert parsed.next_after(found - timedelta(seconds=1).total_seconds(), zone(where)) == found


@given(
    st.sampled_from(["cron(0/7 * * * ? *)", "cron(15 10 ? * 6L *)", "rate(7 hours)", "at(2022-05-06T07:08:09)"]),
    st.integers(1_600_000_000, 1_700_000_000),
    st.integers(0, 200_000),
)
def test_the_latest_is_the_last_of_those_that_were_missed(text: str, since: int, absence: int) -> None:
    expression, now, last = parse_expression(text), since + absence, None
    following = expression.next_after(since, start=1_600_000_000)
    while following is not None and following <= now:
        last, following = following, expression.next_after(following, start=1_600_000_000)
    assert latest(expression, since, now, start=1_600_000_000) == last
