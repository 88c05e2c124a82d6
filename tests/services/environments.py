"""Function versions made of source text, and what a test asks of them: for every suite that runs real processes.

The fixtures `runtime` and `make` are in `conftest.py` beside this.
"""

# ruff: noqa: ASYNC110 - what other processes do is seen by looking

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.runtime import Event, FunctionVersion, Logging, LogLine, Runtime
from fogbank.runtime.interpreters import Interpreters
from fogbank.runtime.isolation import Trial, attempt

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
IDS = Ids()
TIMEOUT = 20.0
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node.js functions need node on this machine")
ECHO = "def handler(event, context):\n    return event\n"
WHO = "import os\ndef handler(event, context):\n    return os.environ['AWS_LAMBDA_LOG_STREAM_NAME']\n"
"""Which environment it is; in a sandbox every environment's process has the same number."""
PYTHON = Path(sys.executable).resolve()
"""The interpreter outside of any virtual environment, which sandboxed functions cannot see."""
PID = "import os\ndef handler(event, context):\n    return os.getpid()\n"


def sandbox_trial() -> Trial:
    """Whether this machine's kernel allows the sandbox: the trial of a server, and of `fogbank doctor`."""
    return asyncio.run(attempt(Interpreters().own))


needs_sandbox = pytest.mark.skipif(
    not sandbox_trial().works, reason="the kernel of this machine does not allow the sandbox"
)


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


def bundle(name: str, task: Path) -> None:
    """Put an installed module or package into a function's code."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    if spec.submodule_search_locations:
        shutil.copytree(Path(spec.origin).parent, task / name)
    else:
        shutil.copy(spec.origin, task)


def bundle_awslambdaric(task: Path) -> None:
    """Put AWS's own runtime client, unmodified, into a function's code, with an executable that starts it."""
    for name in ("awslambdaric", "simplejson", "runtime_client", "snapshot_restore_py"):
        bundle(name, task)
    bootstrap = task / "bootstrap"
    bootstrap.write_text(f'#!/bin/sh\nPYTHONPATH="$LAMBDA_TASK_ROOT" exec {PYTHON} -m awslambdaric "$_HANDLER"\n')
    bootstrap.chmod(0o755)


Make = Callable[..., FunctionVersion]


def version_of(
    folder: Path, source: str, *, handler: str = "app.handler", file: str = "app.py", **more: Any
) -> FunctionVersion:
    """A function version whose code is `source`, unpacked below `folder`."""
    name = IDS.hex(8)
    task = folder / "tasks" / name
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
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


async def only_open(before: set[str]) -> None:
    """Wait until nothing is open but what was; what was may have been closed since, by the garbage collector."""
    try:
        await until(lambda: descriptors() <= before)
    except TimeoutError:
        raise AssertionError(f"left open: {descriptors() - before}") from None


def lines(runtime: Runtime) -> list[str]:
    assert isinstance(runtime.sink, Lines)
    return runtime.sink.lines


async def gone(pid: int) -> None:
    """Wait until a process is no more."""
    await until(lambda: not Path(f"/proc/{pid}").exists())


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors() -> set[str]:
    """What this process has open, each by its own name: a socket or a pipe by its inode, a file by its path."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists the folder has gone by now
            found.add(str(entry.readlink()))
    return found


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
