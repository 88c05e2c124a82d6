"""Processor time by budget: arithmetic in numbers, no process."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from fogbank.runtime.throttle import PERIOD, Budget, processor_time, share_of


def test_1769_mb_are_one_processor() -> None:
    """As Lambda's documentation says."""
    assert share_of(1769) == 1.0
    assert round(share_of(128), 3) == 0.072


def test_waiting_spends_nothing_and_saves_no_more_than_a_period() -> None:
    """After a second of waiting there is one period's worth: a tenth of 20 ms."""
    budget = Budget(0.1, 0.0, 0.0)
    assert not budget.spent(1.0, 0.0)
    assert not budget.spent(1.0, 0.0019)
    assert budget.spent(1.0, 0.0021)


def test_what_was_spent_too_much_is_waited_for() -> None:
    """10 ms used with a tenth of a processor: 2 were there, the other 8 take 80 ms to come back."""
    budget = Budget(0.1, 0.0, 0.0)
    assert budget.spent(0.0, 0.010)
    assert budget.spent(0.079, 0.010)
    assert not budget.spent(0.081, 0.010)


@given(st.floats(0.05, 4.0), st.lists(st.floats(0.001, 0.05), min_size=1, max_size=200))
def test_over_any_time_the_share_is_kept(share: float, steps: list[float]) -> None:
    """A process that computes whenever it may gets its share, and at most one look's worth and a period more."""
    now = used = 0.0
    budget = Budget(share, now, used)
    stopped = False
    for step in steps:
        now += step
        used += 0.0 if stopped else step * max(share, 1.0)
        stopped = budget.spent(now, used)
    assert used <= share * (now + PERIOD) + max(steps) * max(share, 1.0) + 1e-9


def test_processor_time_is_that_of_a_process() -> None:
    """Ours grows; one that is not there has none."""
    before = processor_time(os.getpid())
    while processor_time(os.getpid()) <= before:  # the kernel counts in ticks
        sum(range(200_000))
    assert processor_time(2**22 + 1) == 0
