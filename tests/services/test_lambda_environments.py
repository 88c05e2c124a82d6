"""Execution environments are real processes: reused, shared by nobody, and ended as they should be."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.services.environments import (
    ECHO,
    IDS,
    WHO,
    Make,
    event,
    fail,
    lines,
    run,
    until,
)

from fogbank.core.clock import SystemClock
from fogbank.core.config import Config, ConfigError, Egress, Isolation
from fogbank.runtime import (
    Credentials,
    FunctionVersion,
    Interpreter,
    Runtime,
    RuntimeUnavailableError,
    StartError,
    making,
)
from fogbank.runtime.interpreters import Interpreters
from fogbank.runtime.isolation import Trial, attempt

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


async def test_a_warm_environment_is_used_again(runtime: Runtime, make: Make) -> None:
    version = make(WHO)
    assert await run(runtime, version) == await run(runtime, version)
    assert runtime.alive == 1


async def test_an_event_is_not_handed_to_an_environment_that_is_being_ended(runtime: Runtime, make: Make) -> None:
    """Its process may need some time to go: the event that comes just then is not killed with it."""
    version = make(WHO)
    pid = await run(runtime, version)
    (environment,) = runtime._pools[version.key].environments
    environment.end()
    assert await run(runtime, version) != pid


async def test_versions_do_not_share_environments(runtime: Runtime, make: Make) -> None:
    assert await run(runtime, make(WHO)) != await run(runtime, make(WHO))


async def test_concurrent_events_get_environments_of_their_own(runtime: Runtime, make: Make) -> None:
    version = make("import time\n" + WHO.replace("    return", "    time.sleep(0.2)\n    return"))
    names = await asyncio.gather(*(run(runtime, version) for _ in range(3)))
    assert len(set(names)) == 3


async def test_at_the_limit_an_idle_environment_makes_room(runtime: Runtime, make: Make) -> None:
    for _ in range(9):
        await run(runtime, make(ECHO))
    assert runtime.alive <= 9


async def test_a_retired_version_finishes_what_it_runs(runtime: Runtime, make: Make) -> None:
    version = make("import time\ndef handler(event, context):\n    time.sleep(0.2)\n    return 'old'\n")
    under_way = asyncio.ensure_future(run(runtime, version))
    await until(lambda: any(line.startswith("START") for line in lines(runtime)))
    runtime.retire(version.key)
    assert await under_way == "old"
    await until(lambda: runtime.alive == 0)


@pytest.mark.slow
async def test_idle_environments_are_ended_after_a_while(tmp_path: Path, make: Make) -> None:
    clock = SystemClock()
    runtime = Runtime(Config(data=tmp_path / "data", isolation=Isolation.PROCESS, environment_idle=600.0), clock, IDS)
    await runtime.start()
    await run(runtime, make(ECHO))
    assert runtime.alive == 1
    await clock.advance(601)
    await until(lambda: runtime.alive == 0)
    await runtime.stop()


async def test_a_bootstrap_that_is_missing_or_ends_at_once(runtime: Runtime, make: Make) -> None:
    version = make("", runtime="provided.al2023", handler="x")
    sent = event()
    outcome = await runtime.invoke(version, sent)
    assert (outcome.error, json.loads(outcome.payload)) == (
        "Unhandled",
        {
            "errorType": "Runtime.InvalidEntrypoint",
            "errorMessage": f"RequestId: {sent.request_id} Error: Couldn't find valid bootstrap(s): "
            "[/var/task/bootstrap /opt/bootstrap]",
        },
    )
    broken = make("#!/bin/sh\nexit 3\n", runtime="provided.al2023", file="bootstrap")
    (broken.task / "bootstrap").chmod(0o755)
    found = await fail(runtime, broken)
    assert found["errorType"] == "Runtime.ExitError"
    assert found["errorMessage"].endswith("Runtime exited with error: exit status 3")


async def test_a_runtime_that_nothing_here_can_run(runtime: Runtime) -> None:
    with pytest.raises(RuntimeUnavailableError):
        await runtime.check("java21")


@pytest.mark.slow
async def test_a_prepared_parent_that_dies_is_replaced(runtime: Runtime, make: Make) -> None:
    source = """
import os, signal, time
def handler(event, context):
    if event:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(30)
"""
    version = make(source)
    found = await fail(runtime, version, 1)
    assert found["errorType"] == "Runtime.ExitError"
    assert await run(runtime, version, 0) is None


async def test_nothing_is_left_of_an_environment_that_cannot_have_keys(
    runtime: Runtime, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(_: FunctionVersion) -> Credentials:
        raise StartError("the role is gone")

    monkeypatch.setattr(runtime, "credentials", none)
    with pytest.raises(StartError, match="the role is gone"):
        await runtime.invoke(make(ECHO), event())
    await until(lambda: runtime.alive == 0)
    assert list((runtime.config.data / "runtime" / "environments").iterdir()) == []


async def test_by_default_functions_are_sandboxed_where_the_kernel_allows_it(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Elsewhere the log says once why they are not, and what to do."""
    trial = await attempt(Interpreters().own)
    runtime = Runtime(Config(data=tmp_path / "data"), SystemClock(), IDS)
    await runtime.start()
    try:
        task = await run(runtime, make("import os\ndef handler(event, context):\n    return os.getcwd()\n"))
    finally:
        await runtime.stop()
    assert (task == "/var/task") is trial.works
    said = [record.getMessage() for record in caplog.records if "without a sandbox" in record.getMessage()]
    assert said == (
        [] if trial.works else [f"functions run without a sandbox, with your rights: {trial.problem}; {trial.do}"]
    )


async def test_where_the_kernel_forbids_the_sandbox(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`auto` goes on without, and says so once; `sandbox` and a shut egress do not start. All say why."""

    async def forbidden(interpreter: Interpreter, folder: Path) -> Trial:
        return Trial("a user namespace: Operation not permitted", "ask the administrator")

    monkeypatch.setattr(making, "attempt_sandbox", forbidden)
    for wanted in ({"isolation": Isolation.SANDBOX}, {"isolation": Isolation.AUTO, "egress": Egress.OFF}):
        refused = Runtime(Config(data=tmp_path / "data", **wanted), SystemClock(), IDS)
        with pytest.raises(StartError, match="Operation not permitted; ask the administrator"):
            await refused.start()
    runtime = Runtime(Config(data=tmp_path / "data", isolation=Isolation.AUTO), SystemClock(), IDS)
    await runtime.start()
    version = make("import os\ndef handler(event, context):\n    return os.environ['LAMBDA_TASK_ROOT']\n")
    assert await run(runtime, version) == str(version.task)
    await runtime.stop()
    said = [record.getMessage() for record in caplog.records if "without a sandbox" in record.getMessage()]
    assert len(said) == 1
    assert said[0].endswith("a user namespace: Operation not permitted; ask the administrator")


async def test_without_the_sandbox_egress_cannot_be_shut() -> None:
    with pytest.raises(ConfigError, match="off needs the sandbox"):
        Config(isolation=Isolation.PROCESS, egress=Egress.OFF)
