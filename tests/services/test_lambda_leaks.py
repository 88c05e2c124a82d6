"""After it all nothing is left: no process, no descriptor, no file."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from tests.services.environments import (
    ECHO,
    IDS,
    Make,
    descriptors,
    event,
    needs_sandbox,
    only_open,
    processes_of,
    run,
    until,
)

from fogbank.core.clock import SystemClock
from fogbank.core.config import Config, Isolation
from fogbank.runtime import (
    Runtime,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")


MIXED = """
import os, sys, time, subprocess
def handler(event, context):
    if event == "exit": os._exit(1)
    if event == "raise": raise ValueError("x")
    if event == "slow": time.sleep(30)
    if event == "child": subprocess.Popen(["sleep", "1234"], start_new_session=True)
    if event == "file": open(os.path.join(os.environ["TMPDIR"], "f"), "w").write("x" * 10_000)
    if event == "print": print("y" * 10_000)
    return event
"""


KINDS = ("fine", "raise", "print", "fine", "file", "child", "fine", "print", "raise", "exit")


async def mixed(runtime: Runtime, make: Make, count: int) -> set[str | None]:
    """Invocations of every kind, eight at a time; what their outcomes were."""
    version = make(MIXED, timeout=0.5, memory=1024)
    numbers = iter(range(count))

    async def work() -> set[str | None]:
        found = set()
        for number in numbers:
            kind = "slow" if number % 500 == 499 else KINDS[number % len(KINDS)]
            found.add((await runtime.invoke(version, event(kind))).error)
        return found

    return set().union(*await asyncio.gather(*(work() for _ in range(8))))


async def leaves_nothing(data: Path, make: Make, count: int, isolation: Isolation) -> None:
    runtime = Runtime(Config(data=data, isolation=isolation), SystemClock(), IDS)
    await runtime.start()
    await run(runtime, make(ECHO))
    await runtime.reset()
    before = descriptors()
    assert await mixed(runtime, make, count) == {None, "Unhandled"}
    await runtime.reset()
    assert runtime.alive == 0
    await only_open(before)
    assert list((data / "runtime" / "environments").iterdir()) == []
    await runtime.stop()
    assert processes_of(data) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_ten_thousand_mixed_invocations_leave_nothing(tmp_path: Path, make: Make) -> None:
    """No process, no descriptor and no file."""
    await leaves_nothing(tmp_path / "data", make, 10_000, Isolation.PROCESS)


@pytest.mark.slow
@needs_sandbox
async def test_mixed_invocations_in_sandboxes_leave_nothing(tmp_path: Path, make: Make) -> None:
    await leaves_nothing(tmp_path / "data", make, 600, Isolation.SANDBOX)


VICTIM = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = {path!r}
from fogbank.core.clock import SystemClock
from fogbank.core.config import Config, Isolation
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.runtime import Event, FunctionVersion, Logging, Runtime

async def main():
    runtime = Runtime(Config(data=Path({data!r}), isolation=Isolation({isolation!r})), SystemClock(), Ids())
    await runtime.start()
    version = FunctionVersion(key="k", scope=Scope(), name="f", version="$LATEST", runtime="python3.{minor}",
        handler="app.handler", task=Path({task!r}), logging=Logging("/g"), timeout=60.0)
    await runtime.invoke(version, Event("1", b"1", "arn"))
    asyncio.ensure_future(runtime.invoke(version, Event("2", b"2", "arn")))
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("isolation", [Isolation.PROCESS, pytest.param(Isolation.SANDBOX, marks=needs_sandbox)])
async def test_a_killed_server_takes_every_process_with_it(tmp_path: Path, make: Make, isolation: Isolation) -> None:
    """kill -9: environments, what they started, and the prepared parent all go."""
    data = tmp_path / "data"
    version = make(
        "import subprocess, time\ndef handler(event, context):\n"
        f"    for apart in (False, True): subprocess.Popen([{str(data)!r}, '1234'], executable='/bin/sleep',\n"
        "        start_new_session=apart)\n"
        "    time.sleep(0 if event == 1 else 60)\n"
    )
    source = VICTIM.format(
        path=sys.path,
        data=str(data),
        task=str(version.task),
        minor=sys.version_info.minor,
        isolation=str(isolation),
    )
    server = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)  # noqa: ASYNC220 - to be killed
    assert server.stdout is not None
    assert await asyncio.to_thread(server.stdout.readline) == b"ready\n"
    await until(lambda: len(processes_of(data)) >= 6)  # the server, the parent, an environment, what it started
    server.kill()
    await asyncio.to_thread(server.wait)
    server.stdout.close()
    await until(lambda: not processes_of(data))


async def test_what_a_crash_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    left = tmp_path / "data" / "runtime" / "environments" / "old" / "tmp"
    left.mkdir(parents=True)
    (left / "file").write_text("x")
    runtime = Runtime(Config(data=tmp_path / "data", isolation=Isolation.PROCESS), SystemClock(), IDS)
    await runtime.start()
    assert not left.exists()
    await runtime.stop()
