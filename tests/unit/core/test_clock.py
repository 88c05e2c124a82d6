"""Time moves only as the clock says."""

from __future__ import annotations

import asyncio

import pytest

from fogbank.core.clock import SystemClock, VirtualClock


async def test_virtual_sleepers_wake_in_order_at_their_own_times() -> None:
    clock = VirtualClock(0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.time()))
        if name == "a":
            await clock.sleep(5)
            woken.append(("a again", clock.time()))

    tasks = [asyncio.ensure_future(sleeper(name, s)) for name, s in (("b", 20), ("a", 10), ("late", 100))]
    await clock.advance(30)
    assert woken == [("a", 10), ("a again", 15), ("b", 20)]
    assert clock.time() == 30
    assert clock.monotonic() == 30
    tasks[2].cancel()


async def test_a_system_clock_that_is_advanced_wakes_its_sleepers() -> None:
    clock = SystemClock()
    sleeping = asyncio.ensure_future(clock.sleep(86_400 * 30))
    await asyncio.sleep(0)
    before = clock.time()
    await clock.advance(86_400 * 31)
    await asyncio.wait_for(sleeping, 5)
    assert clock.time() - before >= 86_400 * 31


async def test_a_system_clock_that_is_restarted_shows_the_machines_time_and_wakes_its_sleepers() -> None:
    clock = SystemClock()
    await clock.advance(3600)
    sleeping = asyncio.ensure_future(clock.sleep(3600))
    await asyncio.sleep(0)
    await clock.restart()
    await asyncio.wait_for(sleeping, 5)
    assert clock.offset == 0


async def test_a_wait_tells_whether_its_future_came_before_the_deadline() -> None:
    clock = VirtualClock()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(clock.wait(future, clock.time() + 10))
    await clock.advance(5)
    future.set_result(None)
    assert await waiting
    late: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(clock.wait(late, clock.time() + 10))
    await clock.advance(11)
    assert not await waiting


async def test_a_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="forward only"):
        await SystemClock().advance(-1)
