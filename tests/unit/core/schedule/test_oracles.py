"""Cron expressions against cronsim, which reads Debian's dialect, where the two dialects agree."""

from __future__ import annotations

from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from cronsim import CronSim
from hypothesis import given, settings

from fogbank.core.schedule import parse_expression


def _field(first: int, last: int) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    span = st.tuples(number, number).map(sorted).map(lambda pair: f"{pair[0]}-{pair[1]}")
    # cronsim reads `5-5/2` as `*/2`, AWS as 5
    wide = st.tuples(st.integers(first, last - 1), number).filter(lambda pair: pair[0] < pair[1])
    stepped = st.tuples(wide, st.integers(1, last)).map(lambda pair: f"{pair[0][0]}-{pair[0][1]}/{pair[1]}")
    return st.one_of(
        st.just("*"), st.lists(st.one_of(number.map(str), span, stepped), min_size=1, max_size=3).map(",".join)
    )


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    _field(0, 59), _field(0, 23), st.one_of(_field(1, 31), st.just("L")), _field(1, 12), st.integers(0, 2_000_000_000)
)
def test_days_of_the_month_agree_with_cronsim(minute: str, hour: str, day: str, month: str, now: int) -> None:
    begin = datetime.fromtimestamp(now, UTC).replace(tzinfo=None)
    expected = next(CronSim(f"{minute} {hour} {day} {month} *", begin), None)
    found = parse_expression(f"cron({minute} {hour} {day} {month} ? *)").next_after(now)
    assert (found and datetime.fromtimestamp(found, UTC).replace(tzinfo=None)) == expected


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    _field(0, 59),
    _field(0, 23),
    st.integers(0, 6),
    st.sampled_from(["", "#1", "#3", "L"]),
    st.integers(0, 2_000_000_000),
)
def test_days_of_the_week_agree_with_cronsim(minute: str, hour: str, weekday: int, mark: str, now: int) -> None:
    begin = datetime.fromtimestamp(now, UTC).replace(tzinfo=None)
    expected = next(CronSim(f"{minute} {hour} * * {weekday}{mark}", begin), None)
    found = parse_expression(f"cron({minute} {hour} ? * {weekday + 1}{mark} *)").next_after(now)
    assert (found and datetime.fromtimestamp(found, UTC).replace(tzinfo=None)) == expected
