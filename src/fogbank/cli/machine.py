"""What a machine can do: the checks of `fogbank doctor`. Each looks, and says what it saw and what to do."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import os
import platform
import resource
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import apsw

from fogbank.core.clock import SystemClock
from fogbank.core.config import Config, Isolation
from fogbank.runtime.interpreters import Interpreters
from fogbank.runtime.isolation import attempt
from fogbank.runtime.model import RuntimeUnavailableError

SLOW_SYNC = 0.02
"""Seconds: a disk that syncs more slowly than this makes single calls slow."""
FEW_FILES = 4096
LITTLE_SPACE = 512 * 1024 * 1024
_SYNCS = 20
_RUNTIMES = ("python3.11", "python3.12", "python3.13", "python3.14", "nodejs22.x")


class Verdict(StrEnum):
    """What a check comes to."""

    GOOD = "ok"
    LIMITED = "limited"
    """Fogbank works, but something of it is missing or slow."""
    BAD = "bad"
    """Fogbank cannot work until this is mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw, and what to do about it."""

    name: str
    verdict: Verdict
    saw: str
    do: str | None = None


def examine(config: Config, *, answers: bool) -> Iterator[Finding]:
    """Every check, in the order in which they are read. `answers`: a Fogbank is running at the configured address."""
    yield _machine()
    yield from asyncio.run(_runtimes())
    yield _translator()
    yield _installer()
    yield _database()
    yield _disk(config.data)
    yield _data(config.data, answers=answers)
    yield _port(config, answers=answers)
    yield _files()
    yield asyncio.run(_isolation(config))
    yield _memory_limits()


def _machine() -> Finding:
    return Finding(
        "machine",
        Verdict.GOOD,
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
    )


async def _runtimes() -> list[Finding]:
    interpreters = Interpreters()
    found = []
    for name in _RUNTIMES:
        try:
            choice = await interpreters.choose(name)
        except RuntimeUnavailableError as error:
            found.append(Finding(name, Verdict.LIMITED, str(error), "install it, or deploy no function that needs it"))
            continue
        if choice.note:
            found.append(Finding(name, Verdict.LIMITED, choice.note, f"install {name} to run it exactly"))
        elif choice.interpreter:
            found.append(Finding(name, Verdict.GOOD, f"{choice.interpreter.path} ({choice.interpreter.version})"))
    return found


def _translator() -> Finding:
    if importlib.util.find_spec("samtranslator") is None:
        return Finding(
            "SAM templates",
            Verdict.LIMITED,
            "aws-sam-translator is not installed: templates with the SAM transform cannot be deployed",
            "pip install 'fogbank[sam]'",
        )
    version = importlib.metadata.version("aws-sam-translator")
    return Finding("SAM templates", Verdict.GOOD, f"aws-sam-translator {version}")


def _installer() -> Finding:
    if importlib.util.find_spec("pip") is None:
        return Finding(
            "requirements.txt",
            Verdict.LIMITED,
            "pip is not installed in Fogbank's environment: functions with requirements cannot be built",
            "python -m ensurepip",
        )
    return Finding("requirements.txt", Verdict.GOOD, f"pip {importlib.metadata.version('pip')}")


def _database() -> Finding:
    return Finding("SQLite", Verdict.GOOD, f"{apsw.sqlite_lib_version()} (apsw {apsw.apsw_version()})")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above that is there."""
    folder = folder.absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _disk(data: Path) -> Finding:
    folder = _nearest(data)
    clock = SystemClock()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            begun = clock.monotonic()
            for _ in range(_SYNCS):
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
            each = (clock.monotonic() - begun) / _SYNCS
    except OSError as error:
        return Finding("disk", Verdict.BAD, f"{folder} cannot be written: {error}", "choose another --data")
    free = shutil.disk_usage(folder).free
    saw = f"a sync takes {each * 1000:.1f} ms, {free / 1e9:.0f} GB free in {folder}"
    if free < LITTLE_SPACE:
        return Finding("disk", Verdict.LIMITED, saw, "make room, or choose another --data")
    if each > SLOW_SYNC:
        return Finding("disk", Verdict.LIMITED, saw, "a slow disk: many clients share a sync, one alone waits for each")
    return Finding("disk", Verdict.GOOD, saw)


def _data(data: Path, *, answers: bool) -> Finding:
    path = data.absolute()
    if answers:
        return Finding("data folder", Verdict.GOOD, f"{path} (if the server that runs was given no other)")
    if not path.exists():
        return Finding("data folder", Verdict.GOOD, f"{path} will be made")
    if not os.access(path, os.W_OK):
        return Finding("data folder", Verdict.BAD, f"{path} cannot be written", "choose another --data")
    return Finding("data folder", Verdict.GOOD, str(path))


def _port(config: Config, *, answers: bool) -> Finding:
    address = f"{config.host}:{config.port}"
    if answers:
        return Finding("port", Verdict.GOOD, f"Fogbank answers at {address}")
    try:
        with socket.create_server((config.host, config.port)):
            return Finding("port", Verdict.GOOD, f"{address} is free")
    except OSError as error:
        return Finding(
            "port", Verdict.BAD, f"{address} cannot be used: {error.strerror}", "use another: fogbank start --port 4567"
        )


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    saw = f"{soft} open files, up to {hard}"
    if 0 <= hard < FEW_FILES:
        return Finding("file limit", Verdict.LIMITED, saw, "few connections and environments fit; raise it: ulimit -n")
    return Finding("file limit", Verdict.GOOD, saw)


async def _isolation(config: Config) -> Finding:
    """Tries the sandbox, as a server does before its first function."""
    trial = await attempt(Interpreters().own)
    if config.isolation is Isolation.PROCESS:
        can = "this machine allows the sandbox" if trial.works else f"the sandbox would not work: {trial.problem}"
        return Finding(
            "isolation",
            Verdict.LIMITED,
            f"--isolation process: functions see what you see; {can}",
            "choose --isolation auto" if trial.works else trial.do,
        )
    if trial.works:
        saw = "functions run in a sandbox: namespaces and a small root of their own"
        if trial.inner is not None:
            why = f"SnapStart has no snapshots there: no namespaces within namespaces ({trial.inner})"
            return Finding("isolation", Verdict.LIMITED, f"{saw}; {why}", trial.do)
        return Finding("isolation", Verdict.GOOD, saw)
    verdict = Verdict.BAD if config.isolation is Isolation.SANDBOX else Verdict.LIMITED
    saw = f"no sandbox ({trial.problem}): each function runs in processes of its own, with your rights"
    return Finding("isolation", verdict, saw, trial.do)


def _memory_limits() -> Finding:
    group = Path("/sys/fs/cgroup")
    writable = (group / "cgroup.procs").exists() and os.access(group / "cgroup.procs", os.W_OK)
    cgroup = "cgroup v2 is writable" if writable else "no writable cgroup v2"
    return Finding("memory limits", Verdict.GOOD, f"kept by watching the resident size ({cgroup})")
