"""Usage: added up in memory, written with the telemetry, bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.scope import Scope
from fogbank.telemetry import Telemetry
from fogbank.telemetry import usage as module
from fogbank.telemetry.usage import NO_USAGE, Usage, Use

SCOPE = Scope()


@pytest_asyncio.fixture
async def telemetry(tmp_path: Path, clock: VirtualClock) -> AsyncIterator[Telemetry]:
    made = Telemetry(Config(data=tmp_path), clock, inline_commit=True)
    await made.start()
    yield made
    await made.stop()


async def test_totals_and_traces_add_up(telemetry: Telemetry, clock: VirtualClock) -> None:
    """Over several writes, in the order in which a trace first used things."""
    usage = Usage(telemetry, clock)
    usage.add(SCOPE, "t1", [Use("events.custom", "bus", 1), Use("sqs.requests.standard", "queue", 2)])
    await telemetry.flush()
    usage.add(SCOPE, "t1", [Use("sqs.requests.standard", "queue", 3)])
    usage.add(SCOPE, "t2", [Use("sqs.requests.standard", "queue", 5)])
    report = await usage.report()
    assert {(used.unit, used.resource): used.quantity for used in report.totals} == {
        ("events.custom", "bus"): 1,
        ("sqs.requests.standard", "queue"): 10,
    }
    uses = {trace.root: [(used.unit, used.quantity) for used in trace.uses] for trace in report.traces}
    assert uses == {
        "t1": [("events.custom", 1), ("sqs.requests.standard", 5)],
        "t2": [("sqs.requests.standard", 5)],
    }
    (one,) = (await usage.report(root="t2")).traces
    assert [used.quantity for used in one.uses] == [5]
    assert (await usage.report(root="t3")).traces == ()


async def test_a_moment_to_begin_from(telemetry: Telemetry, clock: VirtualClock) -> None:
    """By the minute."""
    usage = Usage(telemetry, clock)
    usage.add(SCOPE, "t1", [Use("lambda.requests", "f", 1)])
    await telemetry.flush()
    await clock.advance(300)
    usage.add(SCOPE, "t2", [Use("lambda.requests", "f", 7)])
    report = await usage.report(since=clock.time() - 60)
    assert [used.quantity for used in report.totals] == [7]
    assert [trace.root for trace in report.traces] == ["t2"]


async def test_what_is_older_than_a_day_is_one_sum(telemetry: Telemetry, clock: VirtualClock) -> None:
    """Nothing is lost of the totals."""
    usage = Usage(telemetry, clock)
    for _ in range(3):
        usage.add(SCOPE, "t", [Use("lambda.requests", "f", 1)])
        await telemetry.flush()
        await clock.advance(2 * 86_400)
    assert [used.quantity for used in (await usage.report()).totals] == [3]

    async def count(tx):  # type: ignore[no-untyped-def]
        return await tx.fetch("SELECT minute FROM usage_totals WHERE minute = 0")

    assert len(await telemetry.read(count)) == 1


async def test_traces_that_begin_too_quickly_are_in_the_totals_alone(
    telemetry: Telemetry, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And are counted; one that was left out stays out, so that none is followed by half."""
    monkeypatch.setattr(module, "MAX_NEW_TRACES", 2)
    usage = Usage(telemetry, clock)
    for number in range(5):
        usage.add(SCOPE, f"t{number}", [Use("lambda.requests", "f", 1)])
    await telemetry.flush()
    usage.add(SCOPE, "t4", [Use("lambda.requests", "f", 1)])
    usage.add(SCOPE, "t0", [Use("lambda.requests", "f", 1)])
    report = await usage.report()
    assert report.totals[0].quantity == 7
    assert {trace.root: trace.uses[0].quantity for trace in report.traces} == {"t0": 2, "t1": 1}
    assert report.unfollowed == 3


async def test_resources_past_the_bound_are_put_together(
    telemetry: Telemetry, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded; the sums stay right."""
    monkeypatch.setattr(module, "MAX_KEYS", 2)
    usage = Usage(telemetry, clock)
    for number in range(6):
        usage.add(SCOPE, "t", [Use("lambda.requests", f"f{number}", 1)])
    report = await usage.report()
    assert sum(used.quantity for used in report.totals) == 6
    assert {used.resource: used.quantity for used in report.totals} == {"f0": 1, "f1": 1, "": 4}


async def test_the_oldest_traces_go_first(
    telemetry: Telemetry, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By age, and past a number of rows."""
    monkeypatch.setattr(module, "MAX_ROWS", 10)
    usage = Usage(telemetry, clock)
    for number in range(12):
        usage.add(SCOPE, f"t{number:02}", [Use("lambda.requests", "f", 1)])
        await telemetry.flush()
        await clock.advance(1)
    await usage.prune(0.0)
    roots = [trace.root for trace in (await usage.report()).traces]
    assert roots == [f"t{number:02}" for number in reversed(range(4, 12))]
    await usage.prune(clock.time())
    assert (await usage.report()).traces == ()
    assert (await usage.report()).totals[0].quantity == 12


async def test_a_reset_forgets_everything(telemetry: Telemetry, clock: VirtualClock) -> None:
    """What is written and what is not."""
    usage = Usage(telemetry, clock)
    usage.add(SCOPE, "t1", [Use("lambda.requests", "f", 1)])
    await telemetry.flush()
    usage.add(SCOPE, "t1", [Use("lambda.requests", "f", 1)])
    await telemetry.reset()
    assert (await usage.report()).totals == ()


async def test_usage_is_there_after_a_restart(tmp_path: Path, clock: VirtualClock) -> None:
    """A stop writes down what was added."""
    for expected in (1, 2):
        telemetry = Telemetry(Config(data=tmp_path), clock, inline_commit=True)
        usage = Usage(telemetry, clock)
        await telemetry.start()
        usage.add(SCOPE, "t", [Use("lambda.requests", "f", 1)])
        if expected == 2:
            assert (await usage.report()).totals[0].quantity == 2
        await telemetry.stop()


def test_without_telemetry_nothing_is_added() -> None:
    """Parts that stand alone have none."""
    NO_USAGE.add(SCOPE, "t", [Use("lambda.requests", "f", 1)])
    assert not NO_USAGE.on
