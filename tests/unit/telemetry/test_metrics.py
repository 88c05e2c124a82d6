"""Samples in memory: gathered by series and minute, drained once."""

from __future__ import annotations

from fogbank.core.clock import VirtualClock
from fogbank.core.scope import Scope
from fogbank.telemetry.metrics import MAX_SPREAD, Metrics

SCOPE = Scope()


async def test_samples_are_gathered_until_they_are_drained() -> None:
    """Number, sum, bounds and values; then the series begins anew, and goes on counting in all."""
    clock = VirtualClock(1_700_000_030.0)
    metrics = Metrics(clock)
    series = metrics.series(SCOPE, "AWS/SQS", "SentMessageSize", (("QueueName", "q"),), "Bytes")
    for value in (5.0, 7.0, 5.0):
        series.add(value)
    await clock.advance(60)  # drained late: they belong to the minute in which they came
    (taken,) = metrics.drain()
    assert taken == (series, 1_699_999_980, 3, 17.0, 5.0, 7.0, {5.0: 2.0, 7.0: 1.0})
    assert not metrics.pending
    series.add(1.0)
    assert series.totals() == (4, 18.0)
    assert metrics.series(SCOPE, "AWS/SQS", "SentMessageSize", (("QueueName", "q"),), "Bytes") is series


def test_the_first_sample_is_told_of() -> None:
    """Once, until all are drained: whoever writes them need not look."""
    told = []
    metrics = Metrics(VirtualClock())
    metrics.on_pending = lambda: told.append(1)
    one, two = (metrics.series(SCOPE, "N", name) for name in ("one", "two"))
    one.add()
    two.add()
    assert len(told) == 1
    metrics.drain()
    two.add()
    assert len(told) == 2


def test_a_series_keeps_bounded_room() -> None:
    """However many values a minute brings; the sum stays exact."""
    metrics = Metrics(VirtualClock())
    series = metrics.series(SCOPE, "N", "m")
    for value in range(1, 20_001):
        series.add(value / 7)
    (taken,) = metrics.drain()
    assert len(taken.spread) <= MAX_SPREAD
    assert sum(taken.spread.values()) == taken.samples == 20_000


def test_a_reset_forgets_all() -> None:
    """What was counted of what is no more is not told."""
    metrics = Metrics(VirtualClock())
    metrics.series(SCOPE, "N", "m").add()
    metrics.reset()
    assert not metrics.pending
    assert list(metrics) == []
