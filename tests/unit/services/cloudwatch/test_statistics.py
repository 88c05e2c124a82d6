"""Statistics of a period: the definitions of the user guide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.cloudwatch._statistics import Summary, compile_statistic

TEN = Summary.of_values({float(n): 1.0 for n in range(1, 11)})


def tell(text: str, summary: Summary = TEN) -> float | None:
    statistic = compile_statistic(text)
    assert statistic is not None
    return statistic(summary)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("SampleCount", 10.0), ("Sum", 55.0), ("Average", 5.5), ("Minimum", 1.0), ("Maximum", 10.0),
        ("p50", 5.0), ("p90", 9.0), ("p99.9", 10.0), ("p0", 1.0), ("p100", 10.0),
        ("tm90", 5.0), ("TM(10%:90%)", 5.5), ("TM(2:8)", 5.5), ("TM(:3)", 2.0), ("TM(80%:)", 9.5), ("IQM", 5.5),
        ("tc90", 9.0), ("TC(5:)", 5.0), ("ts90", 45.0), ("TS(80%:)", 19.0),
        ("wm90", 5.4), ("WM(3:5)", 4.3),
        ("PR(:5)", 50.0), ("PR(2:6)", 40.0), ("PR(9:)", 10.0),
    ],
)  # fmt: skip
def test_a_statistic_has_its_documented_value(text: str, value: float) -> None:
    """Lower bounds are excluded, upper ones included; percentiles go by nearest rank."""
    assert tell(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["p101", "p", "P50", "tm", "TM(:)", "TM(5%:4%)", "TM(5:40%)", "TM(10%:101%)", "PR(10%:20%)", "average", "", "x9"],
)
def test_what_is_no_statistic_is_none(text: str) -> None:
    """Names, bounds and signs as documented, and nothing else."""
    assert compile_statistic(text) is None


def test_percentiles_need_the_samples() -> None:
    """A statistic set of several values has none, nor has a period with a negative value."""
    assert tell("p50", Summary(3, 6.0, 1.0, 3.0, None)) is None
    assert tell("p50", Summary.of_values({-1.0: 1.0, 2.0: 1.0})) is None
    assert tell("Average", Summary(3, 6.0, 1.0, 3.0, None)) == 2.0


values = st.dictionaries(st.floats(0, 1e9), st.integers(1, 50).map(float), min_size=1, max_size=40)


@given(values, values)
def test_putting_periods_together_loses_nothing(left: dict[float, float], right: dict[float, float]) -> None:
    """Number, sum, bounds and percentiles of both are those of all samples at once."""
    both = Summary.of_values(left).merge(Summary.of_values(right))
    joined = dict(left)
    for value, count in right.items():
        joined[value] = joined.get(value, 0.0) + count
    whole = Summary.of_values(joined)
    assert (both.samples, both.low, both.high) == (whole.samples, whole.low, whole.high)
    assert both.total == pytest.approx(whole.total)
    assert tell("p90", both) == tell("p90", whole)


@given(values, st.floats(0.1, 100))
def test_percentiles_lie_among_the_samples(spread: dict[float, float], percent: float) -> None:
    """A percentile is one of the samples, and a larger one is never smaller."""
    summary = Summary.of_values(spread)
    low, high = tell(f"p{percent / 2:.3f}", summary), tell(f"p{percent:.3f}", summary)
    assert low in spread
    assert high in spread
    assert low is not None
    assert high is not None
    assert low <= high


def test_many_values_are_kept_in_bounded_room() -> None:
    """Past 512 distinct values they are rounded; percentiles stay within half a per cent."""
    summary = Summary.of_values({float(n): 1.0 for n in range(10_000, 10_300)})
    for start in range(10_300, 20_000, 300):
        summary = summary.merge(Summary.of_values({float(n): 1.0 for n in range(start, start + 300)}))
    assert summary.spread is not None
    assert len(summary.spread) <= 512
    assert tell("p50", summary) == pytest.approx(15_000, rel=0.01)
    assert summary.samples == sum(summary.spread.values())
