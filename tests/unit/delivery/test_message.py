"""When a failed delivery is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.errors import ApiError
from fogbank.delivery import Exhaustion, PermanentError, RetryPolicy
from fogbank.delivery.message import is_retryable, next_delay


class ThrottledError(ApiError):
    code = "ThrottlingException"


class GoneError(ApiError):
    code = "ResourceNotFoundException"


class BrokenError(ApiError):
    code = "Whatever"
    status = 500


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ThrottledError(""), True),
        (BrokenError(""), True),
        (TimeoutError(), True),
        (GoneError(""), False),
        (PermanentError("X", ""), False),
    ],
)
def test_only_what_a_repetition_can_mend_is_retried(error: Exception, expected: bool) -> None:
    assert is_retryable(error) is expected


def test_fixed_delays_come_first() -> None:
    policy = RetryPolicy(max_retries=2, delays=(60, 120))
    assert [policy.delay(n, 0.5) for n in (1, 2)] == [60, 120]


@given(retry=st.integers(1, 1000), fraction=st.floats(0, 1, exclude_max=True))
def test_a_backoff_stays_between_half_and_all_of_its_ceiling(retry: int, fraction: float) -> None:
    policy = RetryPolicy()
    delay = policy.delay(retry, fraction)
    assert policy.first / 2 <= delay <= policy.ceiling
    if retry > 20:
        assert delay >= policy.ceiling / 2


@given(st.integers(0, 185), st.floats(0, 86_400), st.floats(0, 0.99))
def test_a_retry_never_passes_the_policys_count_or_age(retries: int, max_age: float, fraction: float) -> None:
    policy = RetryPolicy(max_retries=retries, max_age=max_age)
    age, attempt = 0.0, 1
    while True:
        step = next_delay(policy, attempt=attempt, age=age, error=TimeoutError(), fraction=fraction)
        if isinstance(step, Exhaustion):
            break
        age += step
        attempt += 1
        assert age <= max_age
        assert attempt - 1 <= retries
    assert step is (Exhaustion.RETRIES if attempt > retries else Exhaustion.AGE)


def test_what_cannot_be_mended_ends_at_once() -> None:
    step = next_delay(RetryPolicy(), attempt=1, age=0, error=GoneError(""), fraction=0)
    assert step is Exhaustion.PERMANENT
