"""Which memory size to choose, by numbers computed by hand."""

from __future__ import annotations

import pytest

from fogbank.insight.prices import price_book
from fogbank.insight.tuning import Sample, Size, Strategy, reason, recommend, size_of, unsteady

BOOK = price_book("us-east-1")


def tried(memory: int, milliseconds: float, *, error: str | None = None, used: int = 50) -> Size:
    return size_of(memory, [Sample(milliseconds / 1000, used, error=error)] * 3, BOOK)


def test_a_million_invocations_of_100_ms_at_512_mb() -> None:
    """50,000 GB-seconds at $0.0000166667 (Arm: $0.0000133334), and $0.20 of requests."""
    size = tried(512, 100.0)
    assert size.x86 == pytest.approx(50_000 * 0.0000166667 + 0.20)
    assert size.arm == pytest.approx(50_000 * 0.0000133334 + 0.20)


def test_durations_are_billed_by_the_millisecond_begun() -> None:
    """10.01 ms are 11; nothing is 1."""
    assert tried(1024, 10.01).x86 == pytest.approx(11_000 * 0.0000166667 + 0.20)
    assert tried(1024, 0.0).x86 == pytest.approx(1_000 * 0.0000166667 + 0.20)


def test_what_is_recommended() -> None:
    """Work that is all processor costs the same at each size up to one processor: the fastest of them is as cheap."""
    sizes = [tried(128, 800), tried(512, 200), tried(1769, 58), tried(3008, 58)]
    assert recommend(sizes, Strategy.COST) is sizes[2]
    assert recommend(sizes, Strategy.SPEED) is sizes[2]
    assert recommend(sizes, Strategy.BALANCED) is sizes[2]


def test_waiting_gets_no_faster_with_memory() -> None:
    """So the least memory is the best, whatever one wants."""
    sizes = [tried(128, 101), tried(512, 100), tried(1769, 100)]
    for strategy in Strategy:
        assert recommend(sizes, strategy) is sizes[0]


def test_what_fails_is_never_recommended() -> None:
    """Nothing is, if everything fails."""
    killed = tried(128, 10, error="Runtime.OutOfMemory")
    works = tried(256, 10)
    assert recommend([killed, works], Strategy.COST) is works
    assert recommend([killed], Strategy.COST) is None


def test_why() -> None:
    """Against the size that the function has."""
    sizes = [tried(128, 100), tried(256, 40)]
    assert reason(sizes[1], sizes, 128).startswith("against the 128 MB that it has: -60% time, -")
    assert reason(sizes[1], sizes, 256) == "it has it already"
    assert "not tried" in reason(sizes[1], sizes, 512)


def test_a_busy_machine_is_told_by_runs_that_differ() -> None:
    """By half of the median."""
    assert not unsteady([size_of(128, [Sample(0.1, 1), Sample(0.11, 1), Sample(0.12, 1)], BOOK)])
    assert unsteady([size_of(128, [Sample(0.1, 1), Sample(0.1, 1), Sample(0.3, 1)], BOOK)])
