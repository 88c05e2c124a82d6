"""Limits hold, and what passes them ends with AWS's words."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from tests.services.environments import (
    IDS,
    Lines,
    Make,
    event,
    fail,
    gone,
    lines,
    resident,
    run,
    until,
)

from fogbank.core.clock import SystemClock
from fogbank.core.config import Config, Isolation
from fogbank.runtime import (
    EnvironmentLimitError,
    FunctionVersion,
    Runtime,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.slow
async def test_a_function_that_takes_too_long_is_ended_with_all_that_it_started(runtime: Runtime, make: Make) -> None:
    source = """
import subprocess, time
def handler(event, context):
    for daemon in (False, True):
        child = subprocess.Popen(["sleep", "1234"], start_new_session=daemon)
    print(child.pid)
    time.sleep(60)
"""
    sent = event()
    version = make(source, timeout=0.5)
    outcome = await runtime.invoke(version, sent)
    assert json.loads(outcome.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {sent.request_id} Error: Task timed out after 0.50 seconds",
    }
    found = lines(runtime)
    assert any(line.endswith(f"Z {sent.request_id} Task timed out after 0.50 seconds") for line in found)
    assert any("\tStatus: timeout" in line and "Duration: 500.00 ms" in line for line in found)
    child = int(next(line for line in found if line.isdigit()))
    await gone(child)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("sys.exit(1)", "Runtime exited with error: exit status 1"),
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.abort()", "Runtime exited with error: signal: aborted"),
    ],
)
async def test_a_process_that_ends_itself(runtime: Runtime, make: Make, statement: str, message: str) -> None:
    version = make(f"import os, sys\ndef handler(event, context):\n    if event: {statement}\n    return 'fine'\n")
    sent = event(document=1)
    outcome = await runtime.invoke(version, sent)
    assert json.loads(outcome.payload) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {sent.request_id} Error: {message}",
    }
    assert await run(runtime, version) == "fine"


async def test_a_function_that_takes_too_much_memory(runtime: Runtime, make: Make) -> None:
    source = """
import time
def handler(event, context):
    kept = []
    while True:
        kept.append(bytearray(4_000_000))
        time.sleep(0.005)
"""
    found = await fail(runtime, make(source, memory=128))
    assert found["errorType"] == "Runtime.OutOfMemory"
    assert found["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert any("Max Memory Used: 128 MB" in line for line in lines(runtime))


@pytest.mark.slow
async def test_an_init_phase_that_takes_too_long_is_repeated_within_the_timeout(tmp_path: Path, make: Make) -> None:
    runtime = Runtime(Config(data=tmp_path / "data", isolation=Isolation.PROCESS), SystemClock(), IDS, init_timeout=0.3)
    runtime.sink = Lines()
    await runtime.start()
    slow = "import time\ntime.sleep({})\ndef handler(event, context):\n    return 'ready'\n"
    assert await run(runtime, make(slow.format(0.6), timeout=5.0)) == "ready"
    found = await fail(runtime, make(slow.format(30), timeout=0.3))
    assert found["errorType"] == "Sandbox.Timedout"
    assert any("Phase: init\tStatus: timeout" in line for line in lines(runtime))
    await runtime.stop()


async def test_an_answer_that_is_too_large(runtime: Runtime, make: Make) -> None:
    version = make("def handler(event, context):\n    return 'x' * event\n")
    found = await fail(runtime, version, 6_291_556)
    assert found == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert len(await run(runtime, version, 6_291_000)) == 6_291_000


async def test_a_function_that_prints_without_end_is_cut_off_and_costs_no_memory(runtime: Runtime, make: Make) -> None:
    source = """
import sys
def handler(event, context):
    line = "x" * 1000
    for _ in range(100_000):
        print(line)
    return "done"
"""
    before = resident(os.getpid())
    runtime.sink = Dropping()
    assert await run(runtime, make(source)) == "done"
    assert resident(os.getpid()) - before < 80_000_000


class Dropping(Lines):
    """A sink like the real one: bounded."""

    def room(self, version: FunctionVersion, stream: str, data: bytes) -> bool:
        return len(self.lines) < 100


async def test_past_the_limit_events_are_refused(runtime: Runtime, make: Make, tmp_path: Path) -> None:
    """Every environment is held until those past the limit have been refused: none can be freed for them."""
    gate = tmp_path / "gate"
    source = "import os, time\ndef handler(event, context):\n    while not os.path.exists(event): time.sleep(0.01)\n"
    version = make(source)
    tasks = [asyncio.ensure_future(runtime.invoke(version, event(str(gate)))) for _ in range(10)]
    await until(lambda: sum(task.done() for task in tasks) >= 2)
    gate.touch()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, EnvironmentLimitError)]
    assert len(refused) == 2
