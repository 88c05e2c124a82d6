"""Provisioned environments are there before any event, are used first, and are replaced when they end."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from tests.services.environments import Make, run, until

from fogbank.runtime import Runtime

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]
HOW = """
import os, time
def handler(event, context):
    time.sleep(event or 0)
    return [os.getpid(), os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


async def test_they_are_started_and_used_first(runtime: Runtime, make: Make) -> None:
    version = make(HOW)
    runtime.provision(version, 2)
    await until(lambda: runtime.provision_state(version.key).allocated == 2)
    assert runtime.provision_state(version.key).available == 2
    used = await asyncio.gather(*(run(runtime, version, 0.2) for _ in range(3)))
    assert sorted(how for _, how in used) == ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]
    assert (await run(runtime, version))[1] == "provisioned-concurrency"


async def test_they_are_replaced(runtime: Runtime, make: Make) -> None:
    version = make(HOW)
    runtime.provision(version, 1)
    pid, _ = await run(runtime, version)
    await until(lambda: runtime.provision_state(version.key).allocated == 1)
    pid, how = await run(runtime, version)
    assert how == "provisioned-concurrency"
    os.kill(pid, signal.SIGKILL)
    await until(lambda: runtime.provision_state(version.key).allocated == 0)
    await until(lambda: runtime.provision_state(version.key).allocated == 1)
    another, how = await run(runtime, version)
    assert (another != pid, how) == (True, "provisioned-concurrency")


async def test_fewer_are_wanted(runtime: Runtime, make: Make) -> None:
    version = make(HOW)
    runtime.provision(version, 2)
    await until(lambda: runtime.provision_state(version.key).allocated == 2)
    runtime.provision(version, 1)
    await until(lambda: runtime.alive == 1)
    runtime.provision(version, 0)
    await until(lambda: runtime.alive == 0)


async def test_an_init_phase_that_fails_says_so(runtime: Runtime, make: Make) -> None:
    version = make("raise RuntimeError('no')\n")
    runtime.provision(version, 2)
    await until(lambda: runtime.provision_state(version.key).failure is not None)
    assert runtime.provision_state(version.key).failure == "FUNCTION_ERROR_INIT_FAILURE"
