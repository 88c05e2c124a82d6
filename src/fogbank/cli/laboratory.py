"""Really starting functions, fresh each time, without a server: the measurements of `fogbank cold-starts`."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import itertools
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import Distribution as Installed
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import msgspec

from fogbank.cli.local_functions import LocalFunction
from fogbank.core.clock import SystemClock
from fogbank.core.config import Config
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.insight.cold_starts import (
    Distribution,
    Import,
    Pruned,
    Start,
    Subject,
    imports_of,
    never_imported,
    spread,
)
from fogbank.runtime import (
    Event,
    FunctionVersion,
    InitFailedError,
    Logging,
    Outcome,
    RestoreError,
    Runtime,
    RuntimeUnavailableError,
    StartError,
)
from fogbank.runtime.environment import Environment
from fogbank.runtime.parent import GUEST

_PROBE = "fogbank_probe"
_IMPORT_TIMEOUT = 60.0
_WARM = 20
_REQUIREMENT_END = " ;<>=!~[("


class StartProblemError(Exception):
    """The function does not start; the message says why."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A start, and what the probe in it saw."""

    start: Start
    loaded: Sequence[str] = ()


class Laboratory(Runtime):
    """A runtime that remembers the environment that it made last."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Config(data=folder / "data", stop_timeout=1.0), SystemClock(), Ids())
        self.folder = folder
        self._last: Environment | None = None
        self._keys = itertools.count()

    def make(self, *arguments: Any, **options: Any) -> Environment:
        """See `Maker.make`."""
        self._last = super().make(*arguments, **options)
        return self._last

    # -- one function -------------------------------------------------------------------------------------------

    async def examine(self, function: LocalFunction, runs: int) -> Subject:
        """Start a function `runs` times in each way, and look at what it imports."""
        size = sum(_size(place) for place in (function.task, *function.layers))
        subject = Subject(function.name, function.runtime, size)
        try:
            choice = await self.check(function.runtime)
            subject = replace(subject, note=choice.note)
            python = choice.interpreter is not None and choice.interpreter.language == "python"
            if not python:
                return replace(subject, starts=await self._others(function, runs))
            version = self._version(function, self._opt(function))
            probed = await self._probed(version, runs)
            subject = replace(subject, starts=[one.start for one in probed])
            subject = await self._from_snapshots(subject, version, runs)
            subject = replace(
                subject,
                warm=await self._warm(version),
                imports=await self._imports(function, choice.interpreter.path),  # type: ignore[union-attr]
            )
            return replace(subject, pruned=await self._pruned(function, probed[-1].loaded, runs))
        except (StartProblemError, RuntimeUnavailableError, StartError) as error:
            return replace(subject, problem=str(error))

    def _version(self, function: LocalFunction, opt: Path, *, snap_start: bool = False) -> FunctionVersion:
        """The function with the probe for its handler."""
        return FunctionVersion(
            key=f"{function.name}-{next(self._keys)}",
            scope=Scope(),
            name=function.name,
            version="1" if snap_start else "$LATEST",
            runtime=function.runtime,
            handler=f"{_PROBE}.handler",
            task=function.task,
            logging=Logging(f"/aws/lambda/{function.name}"),
            layers=opt,
            memory=function.memory,
            timeout=max(function.timeout, 10.0),
            ephemeral=function.ephemeral,
            environment={**function.environment, "LABORATORY_HANDLER": function.handler},
            snap_start=snap_start,
        )

    def _opt(self, function: LocalFunction) -> Path:
        """The function's layers, merged, with the probe."""
        opt = self.folder / "opt" / f"{function.name}-{next(self._keys)}"
        for layer in function.layers:
            shutil.copytree(layer, opt, symlinks=True, dirs_exist_ok=True)
        (opt / "python").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(GUEST / "probe.py", opt / "python" / f"{_PROBE}.py")
        return opt

    async def _probed(self, version: FunctionVersion, runs: int) -> list[Probed]:
        """Cold starts of a Python function; the first, which compiles the code, does not count."""
        found = [await self._start(replace(version, key=f"{version.key}-{run}")) for run in range(runs + 1)]
        return found[1:]

    async def _start(self, version: FunctionVersion) -> Probed:
        before = self._clock.machine_monotonic()
        outcome = await self._invoke(version)
        total = self._clock.machine_monotonic() - before
        assert self._last is not None
        forked = self._last.forked
        self.retire(version.key)
        said: Mapping[str, Any] = msgspec.json.decode(outcome.payload)
        environment, runtime = forked - before, said["began"] - forked
        own = said["ended"] - said["began"] - said["imports"]
        rest = total - environment - runtime - said["imports"] - own
        return Probed(Start(environment, max(0.0, runtime), said["imports"], own, max(0.0, rest)), said["loaded"])

    async def _invoke(self, version: FunctionVersion, payload: bytes = b"{}") -> Outcome:
        arn = version.scope.arn("lambda", f"function:{version.name}")
        outcome = await self.invoke(version, Event(self._ids.uuid(), payload, arn))
        if outcome.error is not None:
            with contextlib.suppress(msgspec.DecodeError):
                told = msgspec.json.decode(outcome.payload)
                message = str(told.get("errorMessage")).replace(_PROBE, version.environment["LABORATORY_HANDLER"])
                raise StartProblemError(f"{told.get('errorType')}: {message}")
            raise StartProblemError("the init phase failed")
        return outcome

    async def _others(self, function: LocalFunction, runs: int) -> list[Start]:
        """Cold starts of what is not Python: by provisioning, which initializes without an event."""
        version = replace(self._version(function, self._opt(function)), handler=function.handler)
        found = []
        for run in range(runs + 1):
            fresh = replace(version, key=f"{version.key}-{run}")
            before = self._clock.machine_monotonic()
            self.provision(fresh, 1)
            while not (state := self.provision_state(fresh.key)).allocated:
                if state.failure is not None:
                    raise StartProblemError(state.failure)
                await self._clock.sleep(0.001)
            total = self._clock.machine_monotonic() - before
            assert self._last is not None
            environment = self._last.forked - before
            self.retire(fresh.key)
            found.append(Start(environment, 0.0, 0.0, total - environment, 0.0))
        return found[1:]

    async def _from_snapshots(self, subject: Subject, version: FunctionVersion, runs: int) -> Subject:
        snapped = replace(version, key=f"{version.key}-snap", version="1", snap_start=True)
        try:
            await self.snapshot(snapped)
            found = []
            for _ in range(runs):
                before = self._clock.machine_monotonic()
                await self._invoke(snapped)
                found.append(self._clock.machine_monotonic() - before)
                assert self._last is not None
                self._last.end()
                await self._last.ended
            return replace(subject, restored=found)
        except (InitFailedError, RestoreError, StartProblemError) as error:
            return replace(subject, without_snapshot=str(error))
        finally:
            self.retire(snapped.key)

    async def _warm(self, version: FunctionVersion) -> list[float]:
        """Events in an environment that is ready."""
        found = []
        for _ in range(_WARM + 1):
            before = self._clock.machine_monotonic()
            await self._invoke(version)
            found.append(self._clock.machine_monotonic() - before)
        self.retire(version.key)
        return found[1:]

    # -- imports ------------------------------------------------------------------------------------------------

    async def _imports(self, function: LocalFunction, interpreter: Path) -> list[Import]:
        """What `-X importtime` says of the handler's module, in an interpreter of its own that has nothing loaded."""
        module = function.handler.rpartition(".")[0].replace("/", ".")
        path = [function.task, *(layer / "python" for layer in function.layers), self._folder / "python"]
        process = await asyncio.create_subprocess_exec(
            str(interpreter),
            *("-S", "-X", "importtime", "-c", f"import {module}"),
            env={**function.environment, "PYTHONPATH": ":".join(map(str, path)), "AWS_DEFAULT_REGION": "us-east-1"},
            cwd=function.task,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await asyncio.wait_for(process.communicate(), _IMPORT_TIMEOUT)
        except TimeoutError:
            process.kill()
            await process.wait()
            return []
        return imports_of(said.decode(errors="replace"), module)

    async def _pruned(self, function: LocalFunction, loaded: Sequence[str], runs: int) -> Pruned | None:
        """The function without the packages that it never imports, really started."""
        installed = {_name(one): one for one in distributions(path=[str(function.task)])}
        unused = never_imported(
            [_described(one) for one in installed.values()], loaded, _named(function.task, installed.values())
        )
        if not unused:
            return None
        smaller = self.folder / "pruned" / f"{function.name}-{next(self._keys)}"
        shutil.copytree(function.task, smaller, symlinks=True)
        for one in unused:
            for file in installed[one.name].files or ():
                (smaller / str(file)).unlink(missing_ok=True)
        names, size = tuple(one.name for one in unused), sum(one.size for one in unused)
        version = self._version(replace(function, task=smaller), self._opt(function))
        try:
            probed = await self._probed(version, runs)
        except StartProblemError as error:
            return Pruned(names, size, problem=str(error))
        return Pruned(names, size, total=spread([one.start.total for one in probed]))


def _name(installed: Installed) -> str:
    return str(installed.metadata["Name"]).lower().replace("_", "-")


def _described(installed: Installed) -> Distribution:
    """An installed package, from what its installer wrote down."""
    files = [Path(str(installed.locate_file(file))) for file in installed.files or ()]
    tops = {Path(str(file)).parts[0] for file in installed.files or ()}
    modules = {top.removesuffix(".py").partition(".")[0] for top in tops if not top.endswith((".dist-info", ".pth"))}
    requires = set()
    for requirement in installed.requires or ():
        if "extra ==" not in requirement:
            end = min((at for mark in _REQUIREMENT_END if (at := requirement.find(mark)) > 0), default=None)
            requires.add(requirement[:end].lower().replace("_", "-"))
    size = sum(file.stat().st_size for file in files if file.is_file())
    return Distribution(_name(installed), frozenset(modules - {"__pycache__", ""}), size, frozenset(requires))


def _named(task: Path, installed: Iterator[Installed] | Any) -> set[str]:
    """Modules that stand in an import statement of the function's own code, wherever in it."""
    foreign = {(task / str(file)).resolve() for one in installed for file in one.files or ()}
    found: set[str] = set()
    for path in task.rglob("*.py"):
        if path.resolve() in foreign:
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, OSError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return found


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
