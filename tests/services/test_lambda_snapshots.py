"""SnapStart: environments are forked from a process that has run the init code, and share nothing that differs.

All of it holds outside of the sandbox and in it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.services.environments import (
    ECHO,
    Lines,
    Make,
    bundle_awslambdaric,
    event,
    fail,
    gone,
    lines,
    needs_sandbox,
    run,
    until,
)

from fogbank.core.config import Egress, Isolation
from fogbank.runtime import FunctionVersion, InitFailedError, LogFormat, Logging, RestoreError, Runtime, StartError

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


@pytest_asyncio.fixture(
    loop_scope="session", params=[Isolation.PROCESS, pytest.param(Isolation.SANDBOX, marks=needs_sandbox)]
)
async def runtime(
    request: pytest.FixtureRequest, shared_runtime: Runtime, shared_sandbox: Runtime
) -> AsyncIterator[Runtime]:
    """A runtime of each kind, without environments."""
    found = shared_sandbox if request.param is Isolation.SANDBOX else shared_runtime
    found.sink = Lines()
    yield found
    await found.reset()
    assert found.alive == 0


def snapped(make: Make, source: str, **more: Any) -> FunctionVersion:
    return make(source, snap_start=True, version="1", **more)


TOGETHER = """
import os, time
def together():
    mark = os.environ["TMPDIR"] + "/waits"
    open(mark, "w").close()
    while os.path.exists(mark):
        time.sleep(0.001)
"""
"""For handlers whose events are to be handled side by side."""


async def in_two(runtime: Runtime, version: FunctionVersion, document: Any = None) -> tuple[Any, Any]:
    """What two environments of a version answer, which handle their events side by side, by `together`."""
    sandboxed = runtime.config.isolation is Isolation.SANDBOX
    both = asyncio.gather(run(runtime, version, document), run(runtime, version, document))

    def waiting() -> list[Path]:
        pool = runtime._pools.get(version.key)
        environments = pool.environments if pool is not None else set()
        folders = [
            Path("/proc", str(each.pid), "root", "tmp") if sandboxed else each.folder / "tmp" for each in environments
        ]
        return [folder / "waits" for folder in folders if (folder / "waits").exists()]

    await until(lambda: both.done() or len(waiting()) == 2)
    for mark in waiting():
        mark.unlink()
    one, other = await both
    return one, other


def pids(runtime: Runtime, version: FunctionVersion) -> list[int]:
    """The processes of a version as the machine sees them: the snapshot's, then those of its environments."""
    parent = runtime._snapshots._known[version.key].parent
    assert parent is not None
    return [parent.initialized.pid, *(each.pid for each in runtime._pools[version.key].environments)]


COUNTED = """
import os, secrets
print("init")
marks = [secrets.token_hex()]
def handler(event, context):
    together()
    marks.append(os.environ["FOGBANK_ENVIRONMENT"])
    return marks + [os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


async def test_the_init_code_runs_once(runtime: Runtime, make: Make) -> None:
    version = snapped(make, TOGETHER + COUNTED)
    await runtime.snapshot(version)
    assert lines(runtime).count("init") == 1
    one, other = await in_two(runtime, version)
    assert one[0] == other[0], "what the init code made is in both"
    assert one[1] != other[1]
    assert one[2] == other[2] == "snap-start"
    assert lines(runtime).count("init") == 1


async def test_the_log_is_told_as_on_lambda(runtime: Runtime, make: Make) -> None:
    version = snapped(make, "print('at init')\ndef handler(event, context):\n    print('at work')\n")
    await runtime.snapshot(version)
    said = lines(runtime)
    assert said[0].startswith("INIT_START Runtime Version: python:3.")
    assert said[1] == "at init"
    assert said[2].startswith("INIT_REPORT Init Duration: ")
    del said[:]
    await run(runtime, version)
    assert [line.split(" ", 1)[0] for line in said] == [
        "RESTORE_START", "RESTORE_REPORT", "START", "at", "END", "REPORT",
    ]  # fmt: skip
    assert said[1].startswith("RESTORE_REPORT Restore Duration: ")
    assert "\tRestore Duration: " in said[-1]
    assert "\tBilled Restore Duration: " in said[-1]
    assert "Init Duration" not in said[-1]
    await run(runtime, version)
    assert "Restore Duration" not in said[-1]


async def test_the_log_in_json(runtime: Runtime, make: Make) -> None:
    version = snapped(make, "def handler(event, context): pass\n", logging=Logging("/g", LogFormat.JSON))
    await run(runtime, version)
    found = [json.loads(line) for line in lines(runtime)]
    kinds = ["initStart", "initReport", "restoreStart", "restoreReport", "start", "report"]
    assert [one["type"] for one in found] == [f"platform.{kind}" for kind in kinds]
    assert found[0]["record"]["initializationType"] == "snap-start"
    assert found[1]["record"]["status"] == "success"
    assert {"restoreDurationMs", "billedRestoreDurationMs"} <= set(found[-1]["record"]["metrics"])


HOOKS = """
from snapshot_restore_py import register_after_restore, register_before_snapshot
order = []
@register_before_snapshot
def first():
    order.append("before 1")
@register_before_snapshot
def second():
    order.append("before 2")
@register_after_restore
def third():
    order.append("after 1")
register_after_restore(order.append, "after 2")
def handler(event, context):
    if event:
        together()
    return order
"""


async def test_the_hooks_of_snapshot_restore_py(runtime: Runtime, make: Make) -> None:
    """Before the snapshot in the reverse order of their registration, after each restore in that order."""
    one, other = await in_two(runtime, snapped(make, TOGETHER + HOOKS), 1)
    assert one == other == ["before 2", "before 1", "after 1", "after 2"]


@pytest.mark.parametrize("fails", [False, True])
async def test_awslambdaric_unmodified_runs_its_own_hooks(runtime: Runtime, make: Make, fails: bool) -> None:
    """As a runtime that the code brings: initialized by itself, through `restore/next` and `restore/error`."""
    source = HOOKS + ("register_after_restore(lambda: 1 / 0)\n" if fails else "")
    version = snapped(make, source, runtime="provided.al2023", environment={"PYTHONDONTWRITEBYTECODE": "1"})
    bundle_awslambdaric(version.task)
    if fails:
        with pytest.raises(RestoreError, match="division by zero"):
            await runtime.invoke(version, event())
    else:
        assert await run(runtime, version) == ["before 2", "before 1", "after 1", "after 2"]


@pytest.mark.parametrize(
    ("hook", "error"), [("register_before_snapshot", InitFailedError), ("register_after_restore", RestoreError)]
)
async def test_a_hook_that_fails(runtime: Runtime, make: Make, hook: str, error: type[Exception]) -> None:
    source = f"from snapshot_restore_py import *\n@{hook}\ndef f():\n    raise ValueError('not so')\nhandler = print\n"
    version = snapped(make, source)
    if error is InitFailedError:
        with pytest.raises(InitFailedError) as failed:
            await runtime.snapshot(version)
        assert failed.value.failure.error_type == "Runtime.BeforeSnapshotError"
    else:
        with pytest.raises(RestoreError, match="not so"):
            await runtime.invoke(version, event())
        assert lines(runtime)[-1].startswith("RESTORE_REPORT Restore Duration: ")
        assert lines(runtime)[-1].endswith("Status: error\tError Type: Runtime.AfterRestoreError")
    assert any("[ERROR] ValueError: not so" in line for line in lines(runtime))


async def test_init_code_that_fails(runtime: Runtime, make: Make) -> None:
    version = snapped(make, "raise RuntimeError('no')\n")
    with pytest.raises(InitFailedError):
        await runtime.snapshot(version)
    assert (await fail(runtime, version))["errorMessage"] == "no"


UNIQUE = """
import os, random, secrets, ssl, tempfile, time, uuid
uuid.uuid1(), random.random(), ssl.RAND_bytes(8), tempfile.gettempdir(), next(tempfile._get_candidate_names())
def handler(event, context):
    together()
    return {
        "random": random.random(), "uuid1": str(uuid.uuid1())[8:], "uuid4": str(uuid.uuid4()),
        "ssl": ssl.RAND_bytes(8).hex(), "secrets": secrets.token_hex(), "tmp": tempfile.gettempdir(),
        "candidate": next(tempfile._get_candidate_names()), "TMPDIR": os.environ["TMPDIR"],
        "api": os.environ["AWS_LAMBDA_RUNTIME_API"],
    }
"""


async def test_nothing_that_should_be_unique_repeats_itself(runtime: Runtime, make: Make) -> None:
    one, other = await in_two(runtime, snapped(make, TOGETHER + UNIQUE))
    same = {name for name in one if one[name] == other[name]}
    seen_alike = {"tmp", "TMPDIR"} if runtime.config.isolation is Isolation.SANDBOX else set()
    seen_alike |= {"api"} if runtime.config.egress is Egress.OFF else set()
    assert same == seen_alike, "in a sandbox those are each environment's own by the same names"
    assert one["tmp"] == one["TMPDIR"]


async def test_numpy_is_seeded_anew(runtime: Runtime, make: Make) -> None:
    """By its documented function; a stand-in counts the calls."""
    version = snapped(make, "import numpy.random\ndef handler(event, context):\n    return numpy.random.seeds\n")
    (version.task / "numpy").mkdir()
    (version.task / "numpy" / "__init__.py").write_text("")
    (version.task / "numpy" / "random.py").write_text("seeds = []\ndef seed():\n    seeds.append(1)\n")
    assert await run(runtime, version) == [1]


async def test_the_log_streams_differ(runtime: Runtime, make: Make) -> None:
    version = snapped(make, TOGETHER + "def handler(event, context):\n    together()\n    print('x')\n")
    await in_two(runtime, version)
    assert len(set(runtime.sink.streams)) == 3, "one of the snapshot and one of each environment"  # type: ignore[attr-defined]


CLOCK = """
import time
from datetime import datetime, timezone
began = time.time(), time.monotonic()
def handler(event, context):
    return [time.time() - began[0], time.monotonic() - began[1], datetime.now(timezone.utc).timestamp()]
"""


async def test_the_clocks_go_on(runtime: Runtime, make: Make) -> None:
    version = snapped(make, CLOCK)
    before = await run(runtime, version)
    after = await run(runtime, version)
    assert all(earlier < later for earlier, later in zip(before, after, strict=True))


FILES = """
import os, tempfile, time
folder = os.environ["TMPDIR"]
with open(folder + "/kept", "w") as file:
    file.write("from the init code")
log = open(folder + "/log", "w+")
log.write("one\\n")
log.flush()
nameless = tempfile.TemporaryFile()
nameless.write(b"abc")
nameless.flush()
os.mkfifo(folder + "/pipe")
os.mkdir(folder + "/below")
place = os.open(folder + "/below", os.O_DIRECTORY)
def handler(event, context):
    mine = os.environ["FOGBANK_ENVIRONMENT"]
    log.write(f"{mine}\\n")
    log.flush()
    nameless.write(b"d")
    os.close(os.open(mine, os.O_CREAT, dir_fd=place))
    together()
    nameless.seek(0)
    return [open(os.environ["TMPDIR"] + "/kept").read(), open(os.environ["TMPDIR"] + "/log").read(), mine,
            nameless.read().decode(), os.listdir(place)]
"""


async def test_files_of_the_init_code_are_each_environments_own(runtime: Runtime, make: Make) -> None:
    for kept, log, mine, nameless, beside in await in_two(runtime, snapped(make, TOGETHER + FILES)):
        assert kept == "from the init code"
        assert log == f"one\n{mine}\n"
        assert nameless == "abcd"
        assert beside == [mine]


CONNECTIONS = """
import os, socket, threading, time
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted, _ = server.accept()
accepted.sendall(b"for whom?")
one, other = socket.socketpair()
source, sink = os.pipe()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect(("127.0.0.1", 9))
def handler(event, context):
    mine = os.environ["FOGBANK_ENVIRONMENT"].encode()
    one.sendall(mine)
    os.write(sink, mine)
    together()
    try:
        client.sendall(b"x")
        broken = None
    except OSError as error:
        broken = type(error).__name__
    return [other.recv(100) == mine, os.read(source, 100) == mine, client.recv(100).decode(), broken,
            udp.getpeername()[1], os.fstat(udp.fileno()).st_ino]
"""


async def test_connections_are_broken_and_what_is_within_the_process_is_its_own(runtime: Runtime, make: Make) -> None:
    one, other = await in_two(runtime, snapped(make, TOGETHER + CONNECTIONS))
    for pair, pipe, received, broken, peer, _ in (one, other):
        assert (pair, pipe, received, broken, peer) == (True, True, "", "BrokenPipeError", 9)
    assert one[-1] != other[-1], "datagram sockets are of their own"


LOOP = """
import asyncio, os
loop = asyncio.new_event_loop()
loop.run_until_complete(asyncio.sleep(0))
async def work():
    read = loop.create_future()
    source, sink = os.pipe()
    loop.add_reader(source, lambda: read.set_result(os.read(source, 10).decode()))
    loop.call_soon_threadsafe(os.write, sink, b"woken")
    together()
    return [await read, await loop.run_in_executor(None, os.environ.get, "FOGBANK_ENVIRONMENT")]
def handler(event, context):
    return loop.run_until_complete(work())
"""


async def test_an_event_loop_of_the_init_code_works(runtime: Runtime, make: Make) -> None:
    one, other = await in_two(runtime, snapped(make, TOGETHER + LOOP))
    assert one[0] == other[0] == "woken"
    assert one[1] != other[1]


async def test_an_https_pool_of_boto3_connects_again(runtime: Runtime, make: Make) -> None:
    """Keys come from the credentials endpoint, and are not in variables."""
    source = """
import boto3, os, time
session = boto3.Session(region_name="us-east-1")
client = session.client("sqs")
held = session.get_credentials().get_frozen_credentials().access_key
def handler(event, context):
    together()
    names = [name for name in os.environ if name in ("AWS_ACCESS_KEY_ID", "AWS_LAMBDA_LOG_STREAM_NAME")]
    return [held, client._request_signer._credentials.access_key, names]
"""
    one, other = await in_two(runtime, snapped(make, TOGETHER + source))
    assert one == other == ["000000000000", "000000000000", []]


THREADS = """
import threading, time, os
from snapshot_restore_py import register_after_restore
order = []
register_after_restore(order.append, "restored")
beats = 0
def beat():
    global beats
    while True:
        beats += 1
        time.sleep(0.001)
threading.Thread(target=beat, daemon=True, name="heart").start()
def handler(event, context):
    together()
    before = beats
    while beats == before:
        time.sleep(0.001)
    return [True, order, os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]]
"""


async def test_threads_of_the_init_code_are_not_lost(runtime: Runtime, make: Make) -> None:
    """A fork has none of them: such a version is initialized for each environment, and its log says why."""
    version = snapped(make, TOGETHER + THREADS)
    one, other = await in_two(runtime, version)
    assert one == other == [True, ["restored"], "snap-start"]
    assert any("threads running (heart)" in line for line in lines(runtime))


async def test_processes_of_the_init_code_are_not_shared(runtime: Runtime, make: Make) -> None:
    source = "import subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"
    source += "def handler(event, context):\n    return child.poll()\n"
    assert await run(runtime, snapped(make, source)) is None
    assert any("left processes running" in line for line in lines(runtime))


async def test_variables_that_the_init_code_sets_stay(runtime: Runtime, make: Make) -> None:
    source = "import os\nos.environ['SET'] = 'x'\nos.environ.pop('GIVEN')\n"
    source += "def handler(event, context):\n    return [os.environ.get('SET'), os.environ.get('GIVEN')]\n"
    assert await run(runtime, snapped(make, source, environment={"GIVEN": "1"})) == ["x", None]


async def test_signal_handlers_of_the_init_code_stay(runtime: Runtime, make: Make) -> None:
    source = """
import os, signal
got = []
signal.signal(signal.SIGTERM, lambda *_: got.append("term"))
def handler(event, context):
    os.kill(os.getpid(), signal.SIGTERM)
    return got
"""
    assert await run(runtime, snapped(make, source)) == ["term"]


async def test_a_time_out_and_a_crash_end_one_environment_only(runtime: Runtime, make: Make) -> None:
    source = """
import os, time
def handler(event, context):
    if event == "hang":
        time.sleep(600)
    if event == "crash":
        os._exit(3)
"""
    version = snapped(make, source, timeout=0.3)
    await run(runtime, version)
    parent, pid = pids(runtime, version)
    assert (await fail(runtime, version, "hang"))["errorType"] == "Sandbox.Timedout"
    await gone(pid)
    found = await fail(runtime, version, "crash")
    assert found["errorMessage"].endswith("exit status 3")
    await run(runtime, version)
    assert pids(runtime, version)[0] == parent


async def test_a_snapshot_that_dies_is_taken_again(runtime: Runtime, make: Make) -> None:
    version = snapped(make, ECHO)
    await run(runtime, version)
    parent, pid = pids(runtime, version)
    os.kill(parent, signal.SIGKILL)
    await gone(pid)
    await until(lambda: runtime.alive == 0)
    await run(runtime, version)
    assert not {parent, pid} & set(pids(runtime, version))


async def test_a_retired_version_takes_its_snapshot_with_it(runtime: Runtime, make: Make) -> None:
    version = snapped(make, ECHO)
    await run(runtime, version)
    parent, pid = pids(runtime, version)
    runtime.retire(version.key)
    await gone(pid)
    await gone(parent)


HOSTILE = """
import os, socket
for number in range(3, 300):
    try:
        os.readlink(f"/proc/self/fd/{number}")
        wire = socket.socket(fileno=number)
        wire.send(b"not a message")
    except OSError:
        continue
def handler(event, context):
    return 1
"""


async def test_a_snapshot_that_misuses_its_control_socket_harms_itself_only(runtime: Runtime, make: Make) -> None:
    from_others = await run(runtime, make("def handler(event, context):\n    return 2\n"))
    try:  # whichever way it breaks first
        outcome = await runtime.invoke(snapped(make, HOSTILE), event())
        assert outcome.error == "Unhandled"
    except StartError:
        pass
    assert from_others == 2
    assert await run(runtime, make("def handler(event, context):\n    return 3\n")) == 3
