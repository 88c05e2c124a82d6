"""Compiled Python of sandboxed functions, whose own folders are read-only.

A package is compiled once, in a sandbox that runs none of its code and can write to nothing but the folder for what
comes of it. Environments see that folder read-only, so that none can leave anything in it for the others. A large
package is worth waiting for: its first environments would each compile all that they import.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from fogbank.core.ids import Ids
from fogbank.runtime.folders import let_nobody_write
from fogbank.runtime.forker import Order, Sandbox
from fogbank.runtime.interpreters import Interpreter
from fogbank.runtime.model import Exit, FunctionVersion, StartError
from fogbank.runtime.parent import PreparedParent

SEEN = "/var/cache"
"""Where environments see it."""
OFFERED_SEEN = "/var/lib/compiled"
"""Where they see that of the packages that the runtime offers, on interpreters that these were not installed for."""
_KEPT = 500
_FEW = 5
"""Source files that are compiled as quickly as they are found to have been."""
_LARGE = 40
"""Source files that make a package large."""
_PATIENCE = 10.0
_LIMITS = {"RLIMIT_CPU": 300, "RLIMIT_FSIZE": 64 << 20, "RLIMIT_AS": 4 << 30, "RLIMIT_NOFILE": 256, "RLIMIT_NPROC": 8}
_PROGRAM = (
    f"import sys, compileall; sys.pycache_prefix = {SEEN!r}; "
    "[compileall.compile_dir(place, quiet=2) for place in sys.argv[1:]]"
)
_DONE = ".compiled"


@dataclass(frozen=True, slots=True)
class _Job:
    """What to compile: folders that the sandbox sees by its `binds`, into `place`; `mark` says that it is done."""

    place: Path
    mark: Path
    binds: tuple[tuple[str, str, bool], ...]
    sources: tuple[str, ...]


class Bytecode:
    """What has been compiled. `spawn` runs a coroutine as a task that somebody owns."""

    def __init__(
        self, folder: Path, ids: Ids, spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]]
    ) -> None:
        self._folder = folder
        self._ids = ids
        self._spawn = spawn
        self._compiling: dict[Path, asyncio.Task[None]] = {}
        self._ahead = asyncio.Semaphore(1)

    def sweep(self) -> None:
        """Remove what was compiled longest ago, past `_KEPT` packages. Nothing runs yet."""
        marks = sorted(self._folder.glob(f"*{_DONE}"), key=lambda mark: mark.stat().st_mtime)
        for mark in marks[:-_KEPT]:
            mark.unlink()
        kept = {mark.name.partition("-")[0] for mark in marks[-_KEPT:]}
        for place in self._folder.glob("*"):
            if place.is_dir() and place.name not in kept:
                shutil.rmtree(place, ignore_errors=True)

    def place(self, version: FunctionVersion, interpreter: Interpreter) -> Path:
        """The folder of a version's package on an interpreter."""
        named = f"{version.task.absolute()}\n{version.layers}\n{interpreter.path}"
        return self._folder / hashlib.sha256(named.encode()).hexdigest()[:32]

    def offered(self, interpreter: Interpreter) -> Path | None:
        """The folder of what the runtime offers; `None` on the interpreter that it was installed for."""
        if interpreter.version.split(".")[:2] == [str(number) for number in sys.version_info[:2]]:
            return None
        return self._folder / hashlib.sha256(str(interpreter.path).encode()).hexdigest()[:32]

    def binds(self, version: FunctionVersion, interpreter: Interpreter) -> list[tuple[str, str, bool]]:
        """What an environment sees of it, read-only."""
        offered = self.offered(interpreter)
        found = [(str(self.place(version, interpreter)), SEEN, False)]
        return found if offered is None else [*found, (str(offered), OFFERED_SEEN, False)]

    async def ready(self, version: FunctionVersion, interpreter: Interpreter, parent: PreparedParent) -> None:
        """See to it that the package is compiled, or being compiled; wait for it if that is worth it."""
        offered = self.offered(interpreter)
        if offered is not None:
            self._begin(_Job(offered, _mark(offered, interpreter.version), (), ("/var/runtime",)), interpreter, parent)
        place = self.place(version, interpreter)
        mark = _mark(place, version.key)
        if mark.exists():
            return
        sources = await asyncio.to_thread(_count, version)
        if sources < _FEW:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
            return
        binds = [(str(version.task.absolute()), "/var/task", False)]
        if version.layers is not None:
            binds.append((str(version.layers.absolute()), "/opt", False))
        task = self._begin(_Job(place, mark, tuple(binds), ("/var/task", "/opt/python")), interpreter, parent)
        if task is not None and sources >= _LARGE:
            await asyncio.wait({task}, timeout=_PATIENCE)

    async def ahead(self, version: FunctionVersion, interpreter: Interpreter, parent: PreparedParent) -> None:
        """The same before any event, for one package after the other: a stack may bring hundreds."""
        async with self._ahead:
            await self.ready(version, interpreter, parent)

    def _begin(self, job: _Job, interpreter: Interpreter, parent: PreparedParent) -> asyncio.Task[None] | None:
        """The task that does it; `None` if it has been done."""
        if job.mark.exists():
            return None
        task = self._compiling.get(job.place)
        if task is None:
            task = self._compiling[job.place] = self._spawn(self._compile(job, interpreter, parent))
            task.add_done_callback(lambda _: self._compiling.pop(job.place, None))
        return task

    async def _compile(self, job: _Job, interpreter: Interpreter, parent: PreparedParent) -> None:
        _make(job.place)
        order = Order(
            id=self._ids.hex(32),
            environ={"LANG": "C.UTF-8"},
            folder="/",
            limits=_LIMITS,
            argv=[str(interpreter.path), "-I", "-S", "-X", "utf8", "-c", _PROGRAM, *job.sources],
            sandbox=Sandbox([*job.binds, (str(job.place), SEEN, True)], 16, ()),
        )
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def gone(_: Exit) -> None:
            if not ended.done():
                ended.set_result(None)

        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            await parent.fork(order, (nowhere,), gone)
            await ended
        except StartError:
            return  # environments compile for themselves
        finally:
            os.close(nowhere)
        job.mark.touch()


def _make(place: Path) -> None:
    """The folder, which the sandbox's user may write to."""
    place.mkdir(parents=True, exist_ok=True)
    let_nobody_write(place)


def _mark(place: Path, what: str) -> Path:
    """Says that this was compiled: the sources of a local folder change under one name."""
    return place.with_name(f"{place.name}-{hashlib.sha256(what.encode()).hexdigest()[:16]}{_DONE}")


def _count(version: FunctionVersion) -> int:
    """How many source files there are; counted until there are many."""
    found = 0
    for folder in (version.task, version.layers):
        if folder is None:
            continue
        for _, _, names in os.walk(folder):
            found += sum(name.endswith(".py") for name in names)
            if found >= _LARGE:
                return found
    return found
