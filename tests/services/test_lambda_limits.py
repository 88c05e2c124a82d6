"""Limits hold, and what passes them ends with AWS's words."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from tests.services.environments import (
    ECHO,
    IDS,
    PYTHON,
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

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


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


@pytest.mark.slow
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
    version = make(source, timeout=60)  # none may run out of time while the others start on a busy machine
    tasks = [asyncio.ensure_future(runtime.invoke(version, event(str(gate)))) for _ in range(10)]
    await until(lambda: sum(task.done() for task in tasks) >= 2)
    gate.touch()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, EnvironmentLimitError)]
    assert len(refused) == 2


@pytest.mark.slow
async def test_a_function_that_fills_its_temporary_folder_is_ended(runtime: Runtime, make: Make) -> None:
    source = """
import os, time
def handler(event, context):
    for number in range(100):
        with open(os.path.join(os.environ["TMPDIR"], str(number)), "wb") as file:
            file.write(bytes(1 << 20))
    time.sleep(20)
"""
    found = await fail(runtime, make(source, ephemeral=64))
    assert found["errorType"] == "Runtime.ExitError"
    assert any("more than 64 MB in its temporary folder" in line for line in lines(runtime))


@pytest.mark.slow
async def test_a_function_that_starts_too_many_processes_is_ended_with_them(runtime: Runtime, make: Make) -> None:
    source = """
import os, time
def handler(event, context):
    for number in range(1200):
        os.posix_spawn("/bin/sleep", ["sleep", "60"], os.environ)
    time.sleep(20)
"""
    found = await fail(runtime, make(source, memory=10_240))
    assert found["errorType"] == "Runtime.ExitError"
    assert any("more than 1024 processes" in line for line in lines(runtime))


async def test_a_function_has_as_many_descriptors_as_on_lambda(runtime: Runtime, make: Make) -> None:
    source = """
import errno, os
def handler(event, context):
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        found = max(held) + 1, errno.errorcode[error.errno]
    for descriptor in held:
        os.close(descriptor)
    return found
"""
    assert await run(runtime, make(source)) == [1024, "EMFILE"]


@pytest.mark.slow
async def test_a_function_that_will_not_hear_of_ending_is_ended(runtime: Runtime, make: Make) -> None:
    source = """
import signal, time
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
def handler(event, context):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""
    version = make(source, timeout=0.4)
    sent = event()
    outcome = await runtime.invoke(version, sent)
    assert "Task timed out after 0.40 seconds" in outcome.payload.decode()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{1, 2}", "Object of type set is not JSON serializable"),
        ("(lambda x: x.append(x) or x)([])", "Circular reference detected"),
        ("object()", "Object of type object is not JSON serializable"),
        ("{(1, 2): 3}", "keys must be str, int, float, bool or None, not tuple"),
        ("b'\\xff'", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("context", "Object of type LambdaContext is not JSON serializable"),
    ],
)
async def test_an_answer_that_json_cannot_hold(runtime: Runtime, make: Make, value: str, message: str) -> None:
    found = await fail(runtime, make(f"def handler(event, context):\n    return [{value}]\n"))
    assert found["errorType"] == "Runtime.MarshalError"
    assert found["errorMessage"] == f"Unable to marshal response: {message}"


SABOTAGE = """
import os, socket, sys
def runtime_api():
    for number in range(3, 64):
        try:
            found = socket.socket(fileno=os.dup(number))
            if found.getpeername()[1] == int(os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition(":")[2]):
                return number
        except OSError:
            pass
def handler(event, context):
    match event:
        case "close output": os.close(1), os.close(2)
        case "close streams": sys.stdout.close(), sys.stderr.close()
        case "write to the runtime API": os.write(runtime_api(), b"\\x00\\xff nonsense\\r\\n\\r\\n" * 1000)
        case "answer twice": os.write(runtime_api(), answer(context) * 2)
        case "begin an answer": os.write(runtime_api(), answer(context)[:-10])
        case "close the runtime API": os.close(runtime_api())
        case "endless header": os.write(runtime_api(), b"GET / HTTP/1.1\\r\\nX: " + b"x" * 4_000_000)
        case "endless body": os.write(runtime_api(), b"POST / HTTP/1.1\\r\\nContent-Length: 99999999999\\r\\n\\r\\n")
        case "no module": sys.modules.clear()
        case "recursion": handler(event, context)
    return "fine"
def answer(context):
    path = f"/2018-06-01/runtime/invocation/{context.aws_request_id}/response"
    return f"POST {path} HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 10\\r\\n\\r\\n1234567890".encode()
"""


@pytest.mark.parametrize(
    "how",
    [
        "close output",
        "close streams",
        "write to the runtime API",
        "answer twice",
        "begin an answer",
        "close the runtime API",
        "endless header",
        pytest.param("endless body", marks=pytest.mark.slow),
        "no module",
        "recursion",
    ],
)
async def test_what_a_function_does_to_its_own_runtime_disturbs_nobody_else(
    runtime: Runtime, make: Make, how: str
) -> None:
    """Whatever comes of the event, another function works, and soon this one as well."""
    version = make(SABOTAGE, timeout=3.0)
    outcome, other = await asyncio.gather(runtime.invoke(version, event(how)), run(runtime, make(ECHO), 1))
    assert outcome.payload
    assert other == 1
    await runtime.invoke(version, event())  # what it did to its connection may be its own loss once more
    assert await run(runtime, version) == "fine"


async def test_the_events_of_another_function_cannot_be_taken(runtime: Runtime, make: Make) -> None:
    """Its Runtime API can be reached on the machine's loopback address, and hangs up on strangers."""
    tell = make("import os\ndef handler(event, context):\n    return os.environ['AWS_LAMBDA_RUNTIME_API']\n")
    address = await run(runtime, tell)
    source = """
import http.client
def handler(event, context):
    api = http.client.HTTPConnection(event, timeout=5)
    try:
        api.request("GET", "/2018-06-01/runtime/invocation/next")
        return api.getresponse().read().decode()
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return "nothing"
"""
    assert await run(runtime, make(source), address) == "nothing"
    assert await run(runtime, tell) == address


async def test_a_child_of_a_function_may_speak_for_it(runtime: Runtime, make: Make) -> None:
    source = """
import http.client, os, subprocess, sys
ASK = "import http.client, os; api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])"
ASK += "; api.request('GET', '/2018-06-01/runtime/nothing'); print(api.getresponse().status)"
def handler(event, context):
    return subprocess.run([event, "-S", "-c", ASK], capture_output=True, text=True).stdout.strip()
"""
    assert await run(runtime, make(source), str(PYTHON)) == "405"
