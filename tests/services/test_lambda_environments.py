"""Execution environments are real processes: reused, ended as they should be, and leaving nothing behind."""

# ruff: noqa: ASYNC110, ASYNC240 - what other processes do is seen by looking

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fogbank.core.clock import SystemClock
from fogbank.core.config import Config
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.runtime import (
    EnvironmentLimitError,
    Event,
    FunctionVersion,
    LogFormat,
    Logging,
    LogLine,
    Outcome,
    Runtime,
    RuntimeUnavailableError,
)

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
IDS = Ids()
pytestmark = pytest.mark.asyncio(loop_scope="module")
TIMEOUT = 20.0


class Lines:
    """A sink that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.streams: list[str] = []

    def write(self, version: FunctionVersion, stream: str, lines: list[LogLine]) -> None:
        self.streams.append(stream)
        self.lines += [line.text for line in lines]

    def room(self, version: FunctionVersion, stream: str, data: bytes) -> bool:
        return True


Make = Callable[..., FunctionVersion]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runtime]:
    config = Config(data=tmp_path_factory.mktemp("shared"), max_environments=8, stop_timeout=2.0)
    runtime = Runtime(config, SystemClock(), IDS, init_timeout=5.0)
    await runtime.start()
    yield runtime
    await runtime.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def runtime(shared: Runtime) -> AsyncIterator[Runtime]:
    """The module's runtime, without environments."""
    shared.sink = Lines()
    yield shared
    await shared.reset()
    assert shared.alive == 0


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes function versions out of source text."""

    def make(source: str, *, handler: str = "app.handler", file: str = "app.py", **more: Any) -> FunctionVersion:
        name = IDS.hex(8)
        task = tmp_path / "tasks" / name
        task.mkdir(parents=True)
        (task / file).write_text(source)
        more.setdefault("runtime", f"python3.{sys.version_info.minor}")
        more.setdefault("timeout", TIMEOUT)
        more.setdefault("memory", 256)
        return FunctionVersion(
            **{
                "key": name,
                "scope": Scope(),
                "name": "f",
                "version": "$LATEST",
                "handler": handler,
                "task": task,
                "logging": Logging("/aws/lambda/f"),
                **more,
            }
        )

    return make


def event(document: Any = None, **more: Any) -> Event:
    payload = json.dumps(document).encode()
    return Event(IDS.uuid(), payload, ARN, trace="Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", **more)


async def run(runtime: Runtime, version: FunctionVersion, document: Any = None) -> Any:
    outcome = await runtime.invoke(version, event(document))
    assert outcome.error is None, outcome.payload
    return json.loads(outcome.payload)


async def fail(runtime: Runtime, version: FunctionVersion, document: Any = None) -> dict[str, Any]:
    outcome = await runtime.invoke(version, event(document))
    assert outcome.error == "Unhandled"
    found: dict[str, Any] = json.loads(outcome.payload)
    return found


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    while not holds():
        await asyncio.sleep(0.005)


def lines(runtime: Runtime) -> list[str]:
    assert isinstance(runtime.sink, Lines)
    return runtime.sink.lines


ECHO = "def handler(event, context):\n    return event\n"
PID = "import os\ndef handler(event, context):\n    return os.getpid()\n"


async def test_an_event_goes_in_and_the_answer_comes_out(runtime: Runtime, make: Make) -> None:
    assert await run(runtime, make(ECHO), {"ä": [1, 2.5, None, "x" * 100_000]}) == {"ä": [1, 2.5, None, "x" * 100_000]}


async def test_a_warm_environment_is_used_again(runtime: Runtime, make: Make) -> None:
    version = make(PID)
    assert await run(runtime, version) == await run(runtime, version)
    assert runtime.alive == 1


async def test_versions_do_not_share_environments(runtime: Runtime, make: Make) -> None:
    assert await run(runtime, make(PID)) != await run(runtime, make(PID))


async def test_concurrent_events_get_environments_of_their_own(runtime: Runtime, make: Make) -> None:
    source = "import os, time\ndef handler(event, context):\n    time.sleep(0.2)\n    return os.getpid()\n"
    version = make(source)
    pids = await asyncio.gather(*(run(runtime, version) for _ in range(3)))
    assert len(set(pids)) == 3


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


async def test_at_the_limit_an_idle_environment_makes_room(runtime: Runtime, make: Make) -> None:
    for _ in range(9):
        await run(runtime, make(ECHO))
    assert runtime.alive <= 9


async def test_a_retired_version_finishes_what_it_runs(runtime: Runtime, make: Make, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    source = """
import time
def handler(event, context):
    open(event, "w").close()
    time.sleep(0.2)
    return "old"
"""
    version = make(source)
    under_way = asyncio.ensure_future(run(runtime, version, str(flag)))
    await until(flag.exists)
    runtime.retire(version.key)
    assert await under_way == "old"
    await until(lambda: runtime.alive == 0)


async def test_idle_environments_are_ended_after_a_while(tmp_path: Path, make: Make) -> None:
    clock = SystemClock()
    runtime = Runtime(Config(data=tmp_path / "data", environment_idle=600.0), clock, IDS)
    await runtime.start()
    await run(runtime, make(ECHO))
    assert runtime.alive == 1
    await clock.advance(601)
    await until(lambda: runtime.alive == 0)
    await runtime.stop()


# -- what a function sees -----------------------------------------------------------------------------------------


async def test_the_documented_environment_and_nothing_of_ours(
    runtime: Runtime, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    source = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    version = make(source, environment={"MINE": "1"})
    found = await run(runtime, version)
    assert "SECRET_OF_THE_SERVER" not in found
    expected = {
        "MINE": "1",
        "_HANDLER": "app.handler",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{version.runtime}",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID": "000000000000",
        "LAMBDA_TASK_ROOT": str(version.task),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
    }
    assert {name: found.get(name) for name in expected} == expected
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_RUNTIME_DIR", "PATH"):
        assert found[name]
    assert found["AWS_LAMBDA_LOG_STREAM_NAME"].endswith("]" + found["AWS_LAMBDA_LOG_STREAM_NAME"][-32:])


async def test_neither_fogbank_nor_its_environment_can_be_imported(runtime: Runtime, make: Make) -> None:
    source = """
import importlib.util, sys
def handler(event, context):
    return [name for name in event if importlib.util.find_spec(name)], sys.path
"""
    found, path = await run(runtime, make(source), ["fogbank", "pytest", "apsw", "pip", "boto3", "six", "json"])
    assert found == ["boto3", "six", "json"]
    assert not [entry for entry in path if "site-packages" in entry and "/opt/" not in entry]


async def test_the_offered_boto3_is_there_and_a_bundled_one_comes_first(runtime: Runtime, make: Make) -> None:
    source = """
import boto3, botocore
def handler(event, context):
    return boto3.__file__, getattr(boto3, "mine", False)
"""
    path, mine = await run(runtime, make(source))
    assert "/runtime/python/boto3/" in path
    assert not mine
    version = make("from boto3 import mine\ndef handler(event, context):\n    return mine\n")
    (version.task / "boto3").mkdir()
    (version.task / "boto3" / "__init__.py").write_text("mine = True\n")
    assert await run(runtime, version) is True


async def test_the_context_object(runtime: Runtime, make: Make) -> None:
    source = """
def handler(event, context):
    client = context.client_context
    return {
        "request": context.aws_request_id, "arn": context.invoked_function_arn, "name": context.function_name,
        "version": context.function_version, "memory": context.memory_limit_in_mb, "group": context.log_group_name,
        "left": context.get_remaining_time_in_millis(), "custom": client.custom, "app": client.client.app_title,
        "identity": context.identity.cognito_identity_id,
    }
"""
    sent = event(None, client_context='{"custom": {"a": "ü"}, "client": {"app_title": "t"}}')
    outcome = await runtime.invoke(make(source), sent)
    found = json.loads(outcome.payload)
    assert 0 < found.pop("left") <= TIMEOUT * 1000
    assert found == {
        "request": sent.request_id,
        "arn": ARN,
        "name": "f",
        "version": "$LATEST",
        "memory": "256",
        "group": "/aws/lambda/f",
        "custom": {"a": "ü"},
        "app": "t",
        "identity": None,
    }


async def test_a_temporary_folder_of_its_own_that_goes_with_it(runtime: Runtime, make: Make) -> None:
    source = """
import os, tempfile
def handler(event, context):
    with open(os.path.join(tempfile.gettempdir(), "kept"), "a") as file:
        file.write("x")
        return tempfile.gettempdir(), file.tell()
"""
    version = make(source)
    folder, size = await run(runtime, version)
    assert await run(runtime, version) == [folder, size + 1]
    await runtime.reset()
    assert not Path(folder).exists()


async def test_imports_of_a_layer(runtime: Runtime, make: Make, tmp_path: Path) -> None:
    layer = tmp_path / "opt"
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "shared.py").write_text("value = 'from the layer'\n")
    version = make("import shared\ndef handler(event, context):\n    return shared.value\n", layers=layer)
    assert await run(runtime, version) == "from the layer"


async def test_answers_that_json_holds_in_aws_way(runtime: Runtime, make: Make) -> None:
    source = """
import decimal
def handler(event, context):
    return {"d": decimal.Decimal("1.10"), "i": 2**70, "b": b"bytes", "t": (1, 2), 3: "key"}
"""
    outcome = await runtime.invoke(make(source), event())
    assert json.loads(outcome.payload, parse_float=str) == {
        "d": "1.10",
        "i": 2**70,
        "b": "bytes",
        "t": [1, 2],
        "3": "key",
    }


# -- what goes wrong ----------------------------------------------------------------------------------------------


async def test_an_exception(runtime: Runtime, make: Make) -> None:
    version = make("def handler(event, context):\n    raise ValueError('no ' + event)\n")
    sent = event("way")
    outcome = await runtime.invoke(version, sent)
    assert outcome.error == "Unhandled"
    assert json.loads(outcome.payload) == {
        "errorMessage": "no way",
        "errorType": "ValueError",
        "requestId": sent.request_id,
        "stackTrace": [f"  File \"{version.task}/app.py\", line 2, in handler\n    raise ValueError('no ' + event)\n"],
    }
    assert any(
        line.startswith("[ERROR] ValueError: no way\nTraceback (most recent call last):") for line in lines(runtime)
    )


@pytest.mark.parametrize(
    ("source", "handler", "kind", "message"),
    [
        (
            "import nope\n",
            "app.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nope'",
        ),
        ("x = 1\n", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        (
            "x = 1\n",
            "other.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'other': No module named 'other'",
        ),
        ("def (:\n", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app': "),
        ("x = 1\n", "handler", "Runtime.MalformedHandlerName", "Bad handler 'handler': "),
        ("1 / 0\n", "app.handler", "ZeroDivisionError", "division by zero"),
    ],
)
async def test_init_errors(runtime: Runtime, make: Make, source: str, handler: str, kind: str, message: str) -> None:
    found = await fail(runtime, make(source, handler=handler))
    assert found["errorType"] == kind
    assert found["errorMessage"].startswith(message)
    assert isinstance(found["stackTrace"], list)
    assert any(
        line.startswith("INIT_REPORT Init Duration: ") and line.endswith(f"Error Type: {kind}")
        for line in lines(runtime)
    )


async def test_a_syntax_error_shows_its_place(runtime: Runtime, make: Make) -> None:
    version = make("def (:\n")
    found = await fail(runtime, version)
    assert found["stackTrace"] == [f'  File "{version.task}/app.py" Line 1\n    def (:\n']


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


async def gone(pid: int) -> None:
    """Wait until a process is no more."""
    await until(lambda: not Path(f"/proc/{pid}").exists())


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
    runtime = Runtime(Config(data=tmp_path / "data"), SystemClock(), IDS, init_timeout=0.3)
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


async def test_an_answer_that_json_cannot_hold(runtime: Runtime, make: Make) -> None:
    found = await fail(runtime, make("def handler(event, context):\n    return {1, 2}\n"))
    assert found["errorType"] == "Runtime.MarshalError"
    assert found["errorMessage"] == "Unable to marshal response: Object of type set is not JSON serializable"


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


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# -- the log ------------------------------------------------------------------------------------------------------


async def test_the_log_of_an_invocation_is_in_order(runtime: Runtime, make: Make) -> None:
    source = """
import logging, sys
def handler(event, context):
    print("first")
    logging.getLogger().warning("second\\nwith two lines")
    sys.stderr.write("third")
"""
    sent = event(tail=True)
    outcome = await runtime.invoke(make(source), sent)
    found = lines(runtime)
    assert found[0].startswith("INIT_START Runtime Version: python:3.")
    assert found[1] == f"START RequestId: {sent.request_id} Version: $LATEST"
    assert found[2] == "first"
    assert found[3].startswith("[WARNING]\t")
    assert found[3].endswith(f"Z\t{sent.request_id}\tsecond\nwith two lines")
    assert found[4] == "third"
    assert found[5] == f"END RequestId: {sent.request_id}"
    assert found[6].startswith(f"REPORT RequestId: {sent.request_id}\tDuration: ")
    assert outcome.log.decode() == "".join(f"{line}\n" for line in found[1:])


async def test_the_json_log_format(runtime: Runtime, make: Make) -> None:
    source = (
        "import logging\ndef handler(event, context):\n    logging.getLogger('mine').error('bad', extra={'order': 7})\n"
    )
    version = make(source, logging=Logging("/g", LogFormat.JSON))
    sent = event()
    await runtime.invoke(version, sent)
    records = [json.loads(line) for line in lines(runtime)]
    assert [record.get("type") for record in records] == [
        "platform.initStart",
        "platform.start",
        None,
        "platform.report",
    ]
    entry = records[2]
    assert (entry["level"], entry["message"], entry["logger"], entry["order"]) == ("ERROR", "bad", "mine", 7)
    assert entry["requestId"] == sent.request_id


# -- other runtimes -----------------------------------------------------------------------------------------------


async def test_awslambdaric_unmodified_in_place_of_our_client(runtime: Runtime, make: Make) -> None:
    """AWS's own client speaks to our Runtime API, as the runtime that the code brings."""
    version = make(
        "def handler(event, context):\n    print('printed')\n    if event == 'fail': raise ValueError('no')\n"
        "    return {'got': event, 'left': context.get_remaining_time_in_millis() > 0}\n",
        runtime="provided.al2023",
        environment={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    bootstrap = version.task / "bootstrap"
    bootstrap.write_text(
        f'#!/bin/sh\nPYTHONPATH="$LAMBDA_TASK_ROOT" exec {sys.executable} -m awslambdaric "$_HANDLER"\n'
    )
    bootstrap.chmod(0o755)
    assert await run(runtime, version, "ä") == {"got": "ä", "left": True}
    found = await fail(runtime, version, "fail")
    assert (found["errorType"], found["errorMessage"]) == ("ValueError", "no")
    assert await run(runtime, version, 1) == {"got": 1, "left": True}
    assert "printed" in lines(runtime)


async def test_a_bootstrap_that_is_missing_or_ends_at_once(runtime: Runtime, make: Make) -> None:
    version = make("", runtime="provided.al2023", handler="x")
    with pytest.raises(RuntimeUnavailableError, match="expected an executable file `bootstrap`"):
        await runtime.invoke(version, event())
    broken = make("#!/bin/sh\nexit 3\n", runtime="provided.al2023", file="bootstrap")
    (broken.task / "bootstrap").chmod(0o755)
    found = await fail(runtime, broken)
    assert found["errorType"] == "Runtime.ExitError"
    assert found["errorMessage"].endswith("Runtime exited with error: exit status 3")


async def test_a_wrapper_script_runs_before_the_runtime(runtime: Runtime, make: Make) -> None:
    version = make(
        "import os, boto3\ndef handler(event, context):\n    return os.environ['WRAPPED'], boto3.__file__, event\n",
        environment={"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"},
    )
    wrapper = version.task / "wrapper"
    wrapper.write_text('#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n')
    wrapper.chmod(0o755)
    wrapped, path, answer = await run(runtime, version, 1)
    assert (wrapped, answer) == ("yes", 1)
    assert "/runtime/python/boto3/" in path


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js functions need node on this machine")


@needs_node
@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("app.mjs", "export const handler = async (event, context) => ({ got: event, id: context.awsRequestId });"),
        ("app.js", "exports.handler = async (event, context) => ({ got: event, id: context.awsRequestId });"),
        (
            "app.cjs",
            (
                "exports.handler = (event, context, done) => "
                "setTimeout(() => done(null, { got: event, id: context.awsRequestId }), 1);"
            ),
        ),
    ],
)
async def test_node_modules_of_each_kind(runtime: Runtime, make: Make, file: str, source: str) -> None:
    version = make(source, runtime="nodejs20.x", file=file)
    for _ in range(2):
        sent = event({"a": "ä"})
        outcome = await runtime.invoke(version, sent)
        assert outcome.error is None
        assert json.loads(outcome.payload) == {"got": {"a": "ä"}, "id": sent.request_id}


@needs_node
async def test_node_errors(runtime: Runtime, make: Make) -> None:
    version = make(
        "export const handler = async () => { throw new TypeError('no'); };", runtime="nodejs20.x", file="app.mjs"
    )
    found = await fail(runtime, version)
    assert (found["errorType"], found["errorMessage"]) == ("TypeError", "no")
    assert found["trace"][0] == "TypeError: no"
    found = await fail(runtime, make("", runtime="nodejs20.x", file="app.js"))
    assert found["errorType"] == "Runtime.HandlerNotFound"
    assert found["errorMessage"] == "app.handler is undefined or not exported"
    found = await fail(runtime, make("", runtime="nodejs20.x", handler="other.handler"))
    assert found["errorType"] == "Runtime.ImportModuleError"


@needs_node
async def test_node_console(runtime: Runtime, make: Make) -> None:
    source = "export const handler = async () => { console.log('one %s\\ntwo', 1); console.error('bad'); };"
    sent = event()
    await runtime.invoke(make(source, runtime="nodejs20.x", file="app.mjs"), sent)
    found = lines(runtime)
    assert any(line.endswith(f"Z\t{sent.request_id}\tINFO\tone 1\ntwo") for line in found)
    assert any(line.endswith(f"Z\t{sent.request_id}\tERROR\tbad") for line in found)


async def test_a_runtime_that_nothing_here_can_run(runtime: Runtime) -> None:
    with pytest.raises(RuntimeUnavailableError):
        await runtime.check("java21")


async def test_the_nearest_python_runs_what_is_not_here_and_says_so(runtime: Runtime, make: Make) -> None:
    choice = await runtime.check("python3.99")
    assert choice.interpreter is not None
    assert choice.note is not None
    assert "python3.99 is not on this machine" in choice.note


# -- nothing is left ----------------------------------------------------------------------------------------------


def descriptors() -> set[str]:
    """What this process has open, each by its own name: a socket or a pipe by its inode, a file by its path."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists the folder has gone by now
            found.add(str(entry.readlink()))
    return found


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


async def mixed(runtime: Runtime, make: Make, count: int) -> list[Outcome]:
    version = make(MIXED, timeout=0.5)
    kinds = ["fine", "exit", "raise", "child", "file", "print"]
    found = []
    for number in range(count):
        kind = "slow" if number % 50 == 49 else kinds[number % len(kinds)]
        found.append(await runtime.invoke(version, event(kind)))
    return found


async def leaves_nothing(tmp_path: Path, make: Make, count: int) -> None:
    data = tmp_path / "data"
    runtime = Runtime(Config(data=data), SystemClock(), IDS)
    await runtime.start()
    await run(runtime, make(ECHO))
    await runtime.reset()
    before = descriptors()
    outcomes = await mixed(runtime, make, count)
    assert {outcome.error for outcome in outcomes} == {None, "Unhandled"}
    await runtime.reset()
    assert runtime.alive == 0
    # What was open before may have been closed since: what earlier tests left to the garbage collector, for one.
    await until(lambda: descriptors() <= before)
    assert list((data / "runtime" / "environments").iterdir()) == []
    await runtime.stop()
    assert processes_of(data) == []


def processes_of(data: Path) -> list[str]:
    """Command lines of processes that belong to a data folder: by their command, or by their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            environ = (entry / "environ").read_bytes()
            status = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if status != "Z" and (str(data).encode() in command or str(data).encode() in environ):
            found.append(command.replace(b"\0", b" ").decode())
    return found


@pytest.mark.slow
async def test_mixed_invocations_leave_no_process_no_descriptor_and_no_file(tmp_path: Path, make: Make) -> None:
    await leaves_nothing(tmp_path, make, 60)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_thousands_of_mixed_invocations_leave_nothing(tmp_path: Path, make: Make) -> None:
    await leaves_nothing(tmp_path, make, 3_000)


VICTIM = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = {path!r}
from fogbank.core.clock import SystemClock
from fogbank.core.config import Config
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.runtime import Event, FunctionVersion, Logging, Runtime

async def main():
    runtime = Runtime(Config(data=Path({data!r})), SystemClock(), Ids())
    await runtime.start()
    version = FunctionVersion(key="k", scope=Scope(), name="f", version="$LATEST", runtime="python3.{minor}",
        handler="app.handler", task=Path({task!r}), logging=Logging("/g"), timeout=60.0)
    await runtime.invoke(version, Event("1", b"1", "arn"))
    asyncio.ensure_future(runtime.invoke(version, Event("2", b"2", "arn")))
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_killed_server_takes_every_process_with_it(tmp_path: Path, make: Make) -> None:
    """kill -9: environments, what they started, and the prepared parent all go."""
    data = tmp_path / "data"
    version = make(
        "import subprocess, time\ndef handler(event, context):\n"
        "    subprocess.Popen(['sleep', '1234'])\n    subprocess.Popen(['sleep', '1234'], start_new_session=True)\n"
        "    time.sleep(0 if event == 1 else 60)\n"
    )
    source = VICTIM.format(path=sys.path, data=str(data), task=str(version.task), minor=sys.version_info.minor)
    server = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)  # noqa: ASYNC220 - to be killed
    assert server.stdout is not None
    assert await asyncio.to_thread(server.stdout.readline) == b"ready\n"
    await until(lambda: len(processes_of(data)) >= 6)  # the server, the parent, an environment, what it started
    server.kill()
    await asyncio.to_thread(server.wait)
    server.stdout.close()
    await until(lambda: not processes_of(data))


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


async def test_what_a_crash_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    left = tmp_path / "data" / "runtime" / "environments" / "old" / "tmp"
    left.mkdir(parents=True)
    (left / "file").write_text("x")
    runtime = Runtime(Config(data=tmp_path / "data"), SystemClock(), IDS)
    await runtime.start()
    assert not left.exists()
    await runtime.stop()
