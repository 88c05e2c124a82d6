"""Idle environments are frozen: nothing of them runs between events, and nothing else changes by it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from tests.services.environments import PID, Make, event, fail, gone, run, until

from fogbank.runtime import FunctionVersion, Runtime

pytestmark = pytest.mark.asyncio(loop_scope="session")

BUSY = """
import os, subprocess, sys, threading, time
count = 0
def work():
    global count
    while True:
        count += 1
        time.sleep(0.0005)
threading.Thread(target=work, daemon=True).start()
def handler(event, context):
    if event == "stray":
        code = "import os, time; os.setsid(); print('up', flush=True); time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, env={})
        child.stdout.readline()
        return child.pid
    if event == "hang":
        time.sleep(600)
    return [os.getpid(), count]
"""


def state(pid: int) -> str:
    """The states of a process's threads: `T` when all are stopped."""
    stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    return "".join({stat.rpartition(")")[2].split()[0] for stat in stats})


def switches(pid: int) -> list[str]:
    """How often the threads of a process were given a processor."""
    return [(task / "schedstat").read_text().split()[2] for task in Path(f"/proc/{pid}/task").iterdir()]


async def frozen(runtime: Runtime, version: FunctionVersion) -> int:
    """Wait until the version's environment is frozen; its process id."""
    pid, _ = await run(runtime, version)
    await until(lambda: state(pid) == "T")
    return int(pid)


async def test_a_background_thread_does_not_run_between_events(runtime: Runtime, make: Make) -> None:
    version = make(BUSY)
    pid = await frozen(runtime, version)
    _, before = await run(runtime, version)
    assert before > 0
    await until(lambda: state(pid) == "T")
    once = switches(pid)
    await asyncio.gather(*(asyncio.to_thread(os.getpid) for _ in range(50)))
    assert switches(pid) == once, "not a single switch of context in between"
    again, after = await run(runtime, version)
    assert again == pid
    assert after >= before


async def test_what_has_left_the_group_is_frozen_as_well(runtime: Runtime, make: Make) -> None:
    version = make(BUSY)
    stray = await run(runtime, version, "stray")
    pid = await frozen(runtime, version)
    await until(lambda: state(stray) == "T")
    await run(runtime, version)
    assert state(stray) in {"S", "R", "T"}
    os.killpg(pid, signal.SIGKILL)
    await gone(stray)


async def test_an_environment_that_dies_while_it_is_frozen_is_replaced(runtime: Runtime, make: Make) -> None:
    version = make(BUSY)
    pid = await frozen(runtime, version)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: runtime.alive == 0)
    assert (await run(runtime, version))[0] != pid


async def test_a_time_out_after_a_freeze(runtime: Runtime, make: Make) -> None:
    version = make(BUSY, timeout=0.3)
    pid = await frozen(runtime, version)
    assert (await fail(runtime, version, "hang"))["errorType"] == "Sandbox.Timedout"
    await gone(pid)


async def test_a_retired_version_ends_while_it_is_frozen(runtime: Runtime, make: Make) -> None:
    version = make(BUSY)
    pid = await frozen(runtime, version)
    runtime.retire(version.key)
    await gone(pid)


async def test_what_a_retired_version_still_does_ends_with_everything_else(runtime: Runtime, make: Make) -> None:
    version = make(BUSY)
    pid, _ = await run(runtime, version)
    hanging = asyncio.create_task(runtime.invoke(version, event("hang")))
    await until(lambda: runtime.busy == 1)
    runtime.retire(version.key)
    assert runtime.busy == 1
    await runtime.reset()
    assert runtime.alive == 0
    assert (await hanging).error is not None
    await gone(int(pid))


async def test_a_busy_environment_is_not_frozen(runtime: Runtime, make: Make) -> None:
    version = make("import time\ndef handler(event, context):\n    time.sleep(0.05)\n    return 1\n")
    assert await asyncio.gather(*(runtime.invoke(version, event()) for _ in range(1)))
    assert await run(runtime, version) == 1


async def test_environments_that_were_never_used_rest_as_well(runtime: Runtime, make: Make) -> None:
    """Several are started for several events, and the first free one may serve all: the others rest all the same."""
    version = make(PID)
    pids = set(await asyncio.gather(*(run(runtime, version) for _ in range(4))))
    await until(lambda: all(state(pid) == "T" for pid in pids))
