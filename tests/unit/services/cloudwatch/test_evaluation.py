"""The state of a metric alarm: the tables of the user guide's page on missing data, and the recorded wording."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.cloudwatch._evaluation import (
    Condition,
    Datapoint,
    Missing,
    State,
    Verdict,
    decide,
    reason,
)
from fogbank.services.cloudwatch._numbers import java_double

X, O, N = 9.0, 1.0, None  # noqa: E741 - breaching, not breaching, missing: as the guide writes them
OK, ALARM, UNKNOWN, STAY = State.OK, State.ALARM, State.UNKNOWN, None


def condition(periods: int, to_alarm: int, missing: Missing, *, explicit: bool = False) -> Condition:
    return Condition("GreaterThanThreshold", 5.0, periods, to_alarm, missing, explicit)


def points(*oldest_first: float | None) -> list[Datapoint]:
    return [Datapoint(60 * n, value, 1.0) for n, value in enumerate(oldest_first)][::-1]


@pytest.mark.parametrize(
    ("to_alarm", "values", "states"),
    [
        # missing, ignore, breaching, notBreaching
        (3, (O, N, X, N, X), (OK, OK, OK, OK)),
        (3, (O, N, N, N, N), (OK, OK, OK, OK)),
        (3, (N, N, N, N, N), (UNKNOWN, STAY, ALARM, OK)),
        (3, (O, X, X, N, X), (ALARM, ALARM, ALARM, ALARM)),
        (3, (N, N, X, N, N), (ALARM, STAY, ALARM, OK)),
        (2, (O, N, X, N, X), (ALARM, ALARM, ALARM, ALARM)),
        (2, (O, O, X, O, X), (ALARM, ALARM, ALARM, ALARM)),
        (2, (O, N, X, N, N), (OK, OK, ALARM, OK)),
        (2, (N, N, N, N, O), (OK, OK, ALARM, OK)),
        (2, (N, N, N, X, N), (ALARM, STAY, ALARM, OK)),
    ],
)
def test_missing_data_is_treated_as_the_guide_says(
    to_alarm: int, values: tuple[float | None, ...], states: tuple[State | None, ...]
) -> None:
    """Both tables, row by row, with three evaluation periods."""
    for missing, state in zip(
        (Missing.MISSING, Missing.IGNORE, Missing.BREACHING, Missing.NOT_BREACHING), states, strict=True
    ):
        verdict = decide(points(*values), condition(3, to_alarm, missing))
        assert (verdict.state if verdict else None) is state, missing


def test_a_single_young_breach_does_not_alarm_too_early() -> None:
    """The next datapoint could still be all right."""
    assert decide(points(N, N, N, N, X), condition(3, 2, Missing.MISSING)) is None


@given(st.lists(st.sampled_from([X, O]), min_size=5, max_size=5), st.integers(1, 3), st.sampled_from(Missing))
def test_without_missing_data_only_the_newest_count(values: list[float], to_alarm: int, missing: Missing) -> None:
    """M of the N newest, however missing data is treated."""
    verdict = decide(points(*values), condition(3, to_alarm, missing))
    assert verdict is not None
    assert (verdict.state is State.ALARM) == (values[-3:].count(X) >= to_alarm)


def word(verdict: Verdict, missing: Missing, periods: int, *, explicit: bool = False) -> str:
    return reason(verdict, condition(periods, periods, missing, explicit=explicit), State.UNKNOWN)


def test_reasons_have_the_recorded_words() -> None:
    """As the real service was recorded to say it."""
    point = Datapoint(1698338520, 21.5, 2.0)
    assert word(Verdict(ALARM, [point], 0), Missing.NOT_BREACHING, 1) == (
        "Threshold Crossed: 1 datapoint [21.5 (26/10/23 16:42:00)] was greater than the threshold (5.0)."
    )
    assert word(Verdict(ALARM, [], 2), Missing.BREACHING, 2) == (
        "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as "
        "[Breaching]."
    )
    assert word(Verdict(OK, [], 1), Missing.NOT_BREACHING, 1) == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
        "[NonBreaching]."
    )
    assert word(Verdict(ALARM, [point], 0), Missing.MISSING, 1, explicit=True) == (
        "Threshold Crossed: 1 out of the last 1 datapoints [21.5 (26/10/23 16:42:00)] was greater than the threshold "
        "(5.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert word(Verdict(OK, [point._replace(value=1.0)], 0), Missing.MISSING, 1, explicit=True).endswith(
        "was not greater than the threshold (5.0) (minimum 1 datapoint for ALARM -> OK transition)."
    )
    assert word(Verdict(UNKNOWN, [], 1), Missing.MISSING, 1) == "Insufficient Data: 1 datapoint was unknown."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (21.5, "21.5"),
        (2.0, "2.0"),
        (0.0, "0.0"),
        (1e7, "1.0E7"),
        (12345678.9, "1.23456789E7"),
        (0.0001, "1.0E-4"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_numbers_are_written_as_java_writes_them(value: float, text: str) -> None:
    """CloudWatch is."""
    assert java_double(value) == text
