"""The sandbox: functions see a small root of their own, and whatever they try, nothing beyond it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.services.environments import (
    ECHO,
    IDS,
    Lines,
    Make,
    descriptors,
    event,
    fail,
    lines,
    needs_sandbox,
    only_open,
    processes_of,
    run,
    until,
)

from fogbank.core.clock import SystemClock
from fogbank.core.config import Config, Isolation
from fogbank.runtime import InitFailedError, Runtime, making
from fogbank.runtime.isolation import Trial
from fogbank.runtime.memory import descendants

pytestmark = [pytest.mark.asyncio(loop_scope="session"), needs_sandbox, pytest.mark.slow]


BOTH = pytest.mark.parametrize("more", [{}, {"snap_start": True, "version": "1"}], ids=["initialized", "restored"])
"""Environments that are forked from a snapshot are kept apart as all others are."""


def calls(*statements: str) -> str:
    """A handler that tries each expression, and answers with what came of each: its value or its error's name."""
    lines = ["import os, socket, subprocess, signal, ctypes, errno", "def handler(event, context):", "    found = []"]
    for statement in statements:
        lines += [
            "    try:",
            f"        found.append({statement})",
            "    except OSError as error:",
            "        found.append(errno.errorcode[error.errno])",
        ]
    return "\n".join([*lines, "    return found", ""])


async def test_folders_and_names_are_those_of_lambda(sandbox: Runtime, make: Make) -> None:
    source = """
import os, pwd, tempfile
def handler(event, context):
    import boto3
    return {
        "root": sorted(os.listdir("/")), "task": os.environ["LAMBDA_TASK_ROOT"], "file": __file__,
        "cwd": os.getcwd(), "tmp": tempfile.gettempdir(), "left": os.listdir("/tmp"), "boto3": boto3.__file__,
        "user": pwd.getpwuid(os.getuid()).pw_name, "ids": [os.getuid(), os.getgid()], "dev": sorted(os.listdir("/dev")),
        "api": os.environ["AWS_LAMBDA_RUNTIME_API"], "runtime": os.environ["LAMBDA_RUNTIME_DIR"],
    }
"""
    found = await run(sandbox, make(source))
    assert {"etc", "dev", "opt", "proc", "tmp", "usr", "var"} <= set(found.pop("root"))
    assert {"null", "zero", "random", "urandom", "full"} <= set(found.pop("dev"))
    assert found == {
        "task": "/var/task",
        "file": "/var/task/app.py",
        "cwd": "/var/task",
        "tmp": "/tmp",
        "left": [],
        "boto3": "/var/runtime/boto3/__init__.py",
        "user": "sbx_user1051",
        "ids": [993, 990],
        "api": "127.0.0.1:9001",
        "runtime": "/var/runtime",
    }


async def test_stack_traces_say_what_they_say_on_lambda(sandbox: Runtime, make: Make) -> None:
    found = await fail(sandbox, make("def handler(event, context):\n    raise ValueError('no')\n"))
    assert found["stackTrace"] == ["  File \"/var/task/app.py\", line 2, in handler\n    raise ValueError('no')\n"]


@BOTH
async def test_the_machine_and_fogbank_cannot_be_seen(
    sandbox: Runtime, make: Make, tmp_path: Path, more: dict[str, Any]
) -> None:
    (tmp_path / "secret").write_text("x")
    data = sandbox.config.data.absolute()
    source = calls(
        f"os.listdir({str(data)!r})",
        f"open({str(tmp_path / 'secret')!r}).read()",
        f"os.listdir({str(Path(__file__).parent)!r})",
        "os.listdir('/.host')",
        "open('/etc/shadow').read()",
        "[pid for pid in os.listdir('/proc') if pid.isdigit()]",
        "sorted(os.listdir('/home')) if os.path.exists('/home') else []",
    )
    found = await run(sandbox, make(source, **more))
    assert found == ["ENOENT", "ENOENT", "ENOENT", [], "ENOENT", ["2"], []]


@BOTH
async def test_code_layers_and_system_are_read_only(
    sandbox: Runtime, make: Make, tmp_path: Path, more: dict[str, Any]
) -> None:
    layer = tmp_path / "layer"
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "shared.py").write_text("place = __file__\n")
    places = ["/var/task/x", "/var/task/app.py", "/opt/x", "/opt/python/shared.py", "/var/runtime/bootstrap.py"]
    places += ["/usr/x", "/etc/passwd", "/x"]
    source = "import shared\n" + calls("shared.place", *(f"open({place!r}, 'w')" for place in places))
    found = await run(sandbox, make(source, layers=layer, **more))
    assert found[0] == "/opt/python/shared.py"
    assert set(found[1:]) == {"EROFS"}


@BOTH
async def test_the_temporary_folder_is_as_large_as_configured(
    sandbox: Runtime, make: Make, more: dict[str, Any]
) -> None:
    source = calls(
        "[os.statvfs('/tmp').f_blocks * os.statvfs('/tmp').f_frsize]",
        "[open(f'/tmp/{n}', 'wb', 0).write(bytes(1 << 20)) for n in range(600)]",
        "sum(os.stat(f'/tmp/{name}').st_size for name in os.listdir('/tmp')) >> 20",
    )
    version = make(source, **more)
    size, filled, held = await run(sandbox, version)
    assert (size, filled, held) == ([512 * 1024 * 1024], "ENOSPC", 512)


async def test_a_large_temporary_folder_is_on_the_disk(sandbox: Runtime, make: Make) -> None:
    """It would fill the machine's memory. What it may hold is watched, as outside of the sandbox."""
    version = make(calls("open('/tmp/kept', 'w').write('x')", "os.listdir('/tmp')"), ephemeral=513)
    assert await run(sandbox, version) == [1, ["kept"]]
    (environment,) = sandbox._pools[version.key].environments
    assert (environment.folder / "tmp" / "kept").read_text() == "x"
    assert (await sandbox.quarters()).keeps_on_disk(version)
    await sandbox.reset()
    assert not environment.folder.exists()


@BOTH
async def test_there_is_no_way_out_but_to_fogbank(sandbox: Runtime, make: Make, more: dict[str, Any]) -> None:
    """With egress off: not to the machine's own services, not to the world."""
    elsewhere = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = elsewhere.sockets[0].getsockname()[1]
    source = calls(
        f"socket.create_connection(('127.0.0.1', {port}), 1)",
        "socket.create_connection(('192.0.2.1', 80), 1)",
        "socket.create_connection(('127.0.0.1', 9001), 1) and 'runtime API'",
        "[name for _, name in socket.if_nameindex()]",
    )
    found = await run(sandbox, make(source, **more))
    elsewhere.close()
    await elsewhere.wait_closed()
    assert found == ["ECONNREFUSED", "ENETUNREACH", "runtime API", found[3]]
    assert "lo" in found[3]
    assert "eth0" not in found[3]


@BOTH
async def test_rights_are_gone_for_good(sandbox: Runtime, make: Make, more: dict[str, Any]) -> None:
    libc = "ctypes.CDLL(None, use_errno=True)"
    source = calls(
        "os.setuid(0)",
        "os.chroot('/tmp')",
        "socket.sethostname('mine')",
        "os.mknod('/tmp/sda', 0o60600, os.makedev(8, 0))",
        "os.kill(1, signal.SIGKILL)",
        "os.listdir('/proc/1')",
        "open('/proc/sys/user/max_user_namespaces', 'w').write('9')",
    ) + (
        "    libc = " + libc + "\n    for call in (lambda: libc.unshare(0x10000000), lambda: libc.unshare(0x20000),\n"
        "        lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, None), lambda: libc.umount2(b'/var/task', 2)):\n"
        "        call()\n        found.append(errno.errorcode[ctypes.get_errno()])\n"
        "    status = open('/proc/self/status').read()\n"
        "    kept = ('CapEff', 'CapPrm', 'NoNewP')\n"
        "    found.append([line.split()[1] for line in status.splitlines() if line[:6] in kept])\n"
        "    return found\n"
    )
    source = source.replace("    return found\n    libc", "    libc")
    found = await run(sandbox, make(source, **more))
    reaper = None if more else "EPERM"  # of the same user there, but deaf to signals and closed to tracing
    assert found[:7] == ["EINVAL", "EPERM", "EPERM", "EPERM", reaper, "ENOENT", found[6]]
    assert found[6] in ("EACCES", "EPERM", "EROFS")
    assert found[7] in ("ENOSPC", "EPERM")
    assert found[8:11] == ["EPERM", "EPERM", "EPERM"]
    assert found[11] == ["0000000000000000", "0000000000000000", "1"]


async def test_environments_do_not_see_each_other(sandbox: Runtime, make: Make) -> None:
    """Neither another function's processes, environment and code nor what it keeps in /tmp."""
    other = make(
        "def handler(event, context):\n    open('/tmp/mine', 'w').write('x')\n", environment={"SECRET": "s3cr3t"}
    )
    await run(sandbox, other)
    source = """
import os, subprocess
def handler(event, context):
    pids = [pid for pid in os.listdir("/proc") if pid.isdigit()]
    told = b"".join(open(f"/proc/{pid}/environ", "rb").read() for pid in pids)
    signals = []
    for pid in range(3, 400):
        try:
            os.kill(pid, 0)
            signals.append(pid)
        except OSError:
            pass
    return [pids == [str(os.getpid())], b"s3cr3t" in told, signals, os.listdir("/tmp"), os.listdir("/var/task")]
"""
    found = await run(sandbox, make(source))
    assert found == [True, False, [], [], ["app.py"]]


@pytest.mark.slow
@BOTH
async def test_a_fork_bomb_reaches_the_limit_of_lambda_and_ends_with_its_environment(
    sandbox: Runtime, make: Make, more: dict[str, Any]
) -> None:
    source = """
import os, time, errno
def handler(event, context):
    started = 0
    while True:
        try:
            if os.fork() == 0:
                os.setsid()
                time.sleep(60)
                os._exit(0)
        except OSError as error:
            return started, errno.errorcode[error.errno]
        started += 1
"""
    version = make(source, memory=10_240, **more)
    started, error = await run(sandbox, version)
    assert (started, error) == (1023, "EAGAIN")
    await sandbox.reset()
    await until(lambda: not processes_of(Path(version.key)))


@BOTH
async def test_what_a_function_leaves_behind_goes_with_it(sandbox: Runtime, make: Make, more: dict[str, Any]) -> None:
    source = """
import subprocess, os
def handler(event, context):
    for _ in range(3):  # "up" as below
        command = ["/bin/sh", "-c", "(sleep 1234 > /dev/null &); echo up; exec sleep 1235"]
        subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE).stdout.readline()
    return os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME") or os.environ["FOGBANK_ENVIRONMENT"]
"""
    stream = await run(sandbox, make(source, **more))
    assert len(processes_of(Path(stream))) >= 6
    await sandbox.reset()
    await until(lambda: not processes_of(Path(stream)))


def stat_of(pid: int) -> str:
    """What the system says of a process; nothing if it has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@BOTH
async def test_idle_environments_are_frozen_there_too(sandbox: Runtime, make: Make, more: dict[str, Any]) -> None:
    """With what has left the group, and what has lost its parent."""
    source = """
import subprocess
def handler(event, context):
    if event:  # "up" comes when the first sleep has lost its parent: a frozen shell would start none
        command = ["/bin/sh", "-c", "(sleep 1234 > /dev/null &); echo up; exec sleep 1235"]
        subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE).stdout.readline()
"""
    version = make(source, **more)
    await run(sandbox, version, "start")
    (environment,) = sandbox._pools[version.key].environments
    memory = environment.memory

    def states() -> list[str]:
        pids = [memory._pid, *descendants(memory._pid), *descendants(memory._first)]
        return [stat.rpartition(")")[2].split()[0] for pid in set(pids) if (stat := stat_of(pid))]

    await until(lambda: len(states()) >= 3 and set(states()) == {"T"})
    assert await run(sandbox, version) is None
    await until(lambda: set(states()) == {"T"})


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.kill(0, 9)", "Runtime exited with error: signal: killed"),
        ("os.abort()", "Runtime exited with error: signal: aborted"),
        ("os.kill(os.getppid(), 9)", None),
    ],
)
async def test_a_process_that_ends_itself_or_its_parent(
    sandbox: Runtime, make: Make, statement: str, message: str | None
) -> None:
    """Its parent is nobody that it can see."""
    version = make(f"import os, sys\ndef handler(event, context):\n    if event: {statement}\n    return 'fine'\n")
    sent = event(document=1)
    outcome = await sandbox.invoke(version, sent)
    if message is not None:
        assert f"RequestId: {sent.request_id} Error: {message}" in outcome.payload.decode()
        assert '"Runtime.ExitError"' in outcome.payload.decode()
    assert await run(sandbox, version) == "fine"


@BOTH
async def test_memory_in_every_form_counts(sandbox: Runtime, make: Make, more: dict[str, Any]) -> None:
    source = """
import os, time
def handler(event, context):
    if os.fork() == 0:
        os.setsid()
        kept = []
        while True:
            kept.append(bytearray(4_000_000))
            time.sleep(0.001)
    time.sleep(20)
"""
    found = await fail(sandbox, make(source, memory=128, **more))
    assert found["errorType"] == "Runtime.OutOfMemory"


async def test_a_large_package_is_compiled_once_and_by_nobody_of_its_own(sandbox: Runtime, make: Make) -> None:
    source = """
import importlib.util, os, sys, sqlite3
import many.m7
def handler(event, context):
    try:
        open(importlib.util.cache_from_source(__file__), "w")
    except OSError as error:
        written = type(error).__name__
    kept = "/var/cache/var/task/many"
    return len(os.listdir(kept)), written, many.m7.__cached__, sys.pycache_prefix, os.access(kept, os.W_OK)
"""
    version = make(source)
    (version.task / "many").mkdir()
    for number in range(60):
        (version.task / "many" / f"m{number}.py").write_text(f"value = {number}\n")
    cached = f"/var/task/many/__pycache__/m7.{sys.implementation.cache_tag}.pyc"
    await sandbox.compile(version)
    place = sandbox._bytecode.place(version, sandbox.interpreters.own)
    assert len(list(place.glob("var/task/many/*.pyc"))) == 60, "before any event"
    assert await run(sandbox, version) == [60, "FileNotFoundError", cached, None, False]


@pytest.mark.slow
async def test_nothing_is_left_of_many_sandboxes(sandbox: Runtime, make: Make) -> None:
    await run(sandbox, make("def handler(event, context):\n    return 1\n"))
    await sandbox.reset()
    before = descriptors()
    sources = [
        "def handler(event, context):\n    return 1\n",
        "import os\nos._exit(3)\n",
        "import os\ndef handler(event, context):\n    os._exit(3)\n",
        "import subprocess\ndef handler(event, context):\n    subprocess.Popen(['sleep', '1234'])\n",
    ]
    results: list[Any] = await asyncio.gather(
        *(sandbox.invoke(make(source), event()) for source in sources * 2), return_exceptions=True
    )
    assert not [result for result in results if isinstance(result, BaseException)]
    await sandbox.reset()
    await only_open(before)
    assert list((sandbox.config.data / "runtime" / "environments").iterdir()) == []


async def test_a_runtime_of_its_own_lives_in_it_as_well(sandbox: Runtime, make: Make) -> None:
    bootstrap = """#!/bin/sh
while :; do
    exec 3<>/dev/null
    python3 - <<'PYTHON'
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    body = answer.read()
    request = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", f"/2018-06-01/runtime/invocation/{request}/response", body)
    api.getresponse().read()
PYTHON
done
"""
    version = make(bootstrap, runtime="provided.al2023", file="bootstrap")
    (version.task / "bootstrap").chmod(0o755)
    assert await run(sandbox, version, {"a": 1}) == {"a": 1}


async def test_environments_of_one_snapshot_do_not_see_each_other(sandbox: Runtime, make: Make) -> None:
    """Nor the snapshot. What they keep in /tmp is not in the snapshot's either, which the next is forked from."""
    source = """
import os, signal
home = os.open("/tmp", os.O_DIRECTORY)
os.chdir("/tmp")
def handler(event, context):
    if event == "crash":
        open("mine", "w").close()
        os._exit(1)
    signals = []
    for pid in range(1, 400):
        try:
            if pid != os.getpid() and pid != 1:
                os.kill(pid, 0)
                signals.append(pid)
        except OSError:
            pass
    try:
        os.kill(1, signal.SIGKILL)
    except OSError:
        pass
    seen = [pid for pid in os.listdir("/proc") if pid.isdigit()] == [str(os.getpid())]
    return [seen, signals, os.listdir("/tmp"), os.listdir(home), os.listdir(".")]
"""
    version = make(source, snap_start=True, version="1")
    await fail(sandbox, version, "crash")
    assert await run(sandbox, version) == [True, [], [], [], []]


async def test_where_no_sandbox_can_be_within_another(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SnapStart initializes each environment then, and says so. Whether that works is known before an event."""

    async def trial(*_: object) -> Trial:
        return Trial(inner="no more of them")

    monkeypatch.setattr(making, "attempt_sandbox", trial)
    runtime = Runtime(Config(data=tmp_path / "data", isolation=Isolation.SANDBOX), SystemClock(), IDS)
    runtime.sink = Lines()
    await runtime.start()
    try:
        version = make(ECHO, snap_start=True, version="1")
        await runtime.snapshot(version)
        assert runtime.alive == 1
        assert await run(runtime, version, 1) == 1
        assert runtime.alive == 1
        assert any("(no more of them); each environment is initialized" in line for line in lines(runtime))
        with pytest.raises(InitFailedError):
            await runtime.snapshot(make("raise RuntimeError('no')\n", snap_start=True, version="1"))
    finally:
        await runtime.stop()
