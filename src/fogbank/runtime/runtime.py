"""The runtime: runs events in execution environments, one pool of them for each function version."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import shutil
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from fogbank.core.clock import Clock
from fogbank.core.config import Config
from fogbank.core.ids import Ids
from fogbank.core.lifecycle import Actor
from fogbank.runtime import records
from fogbank.runtime.environment import Environment, InitFailure, LogSink
from fogbank.runtime.interpreters import Choice, Interpreter, Interpreters
from fogbank.runtime.model import (
    INIT_TIMEOUT,
    Credentials,
    Event,
    FunctionVersion,
    LogLine,
    Outcome,
    StartError,
    State,
)
from fogbank.runtime.orders import order_for
from fogbank.runtime.parent import PreparedParent, lay_out
from fogbank.runtime.pool import InitFailedError, Pool
from fogbank.runtime.variables import Place, variables
from fogbank.telemetry import NO_TELEMETRY, Telemetry

_log = logging.getLogger("fogbank.runtime")
_WATCH_EVERY = 0.1
"""Seconds between two looks at the memory of busy environments."""


class NoLogs:
    """A sink for logs that nobody asked for."""

    def write(self, version: FunctionVersion, stream: str, lines: list[LogLine]) -> None:
        """Forget them."""

    def room(self, version: FunctionVersion, stream: str, data: bytes) -> bool:  # noqa: ARG002
        """There is room for everything."""
        return True


async def account_credentials(version: FunctionVersion) -> Credentials:
    """Keys that `--auth local` takes for the function's account: a 12-digit access key names its account."""
    return Credentials(version.scope.account, "fogbank-local", "fogbank-local")


class Runtime(Actor):
    """Runs events. `sink` receives every log line, `credentials` makes the keys of each new environment."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        ids: Ids,
        telemetry: Telemetry = NO_TELEMETRY,
        *,
        init_timeout: float = INIT_TIMEOUT,
    ) -> None:
        super().__init__()
        self._telemetry = telemetry
        self.sink: LogSink = NoLogs()
        self.credentials: Callable[[FunctionVersion], Awaitable[Credentials]] = account_credentials
        self.interpreters = Interpreters()
        self.config = config
        self._clock = clock
        self._ids = ids
        self._init_timeout = init_timeout
        self._folder = (config.data / "runtime").absolute()
        self._pools: dict[str, Pool] = {}
        self._parents: dict[Path, PreparedParent] = {}
        self._preparing: dict[Path, asyncio.Task[PreparedParent]] = {}
        self._idle: dict[Environment, None] = {}
        """Every idle environment, the longest idle first."""
        self._alive = 0
        self._leaving: set[asyncio.Future[None]] = set()
        self._went_idle: asyncio.Future[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._busy = 0

    # -- events -------------------------------------------------------------------------------------------------

    async def invoke(self, version: FunctionVersion, event: Event) -> Outcome:
        """Run one event, in a warm environment if there is one.

        Raises `EnvironmentLimitError` when as many environments as are allowed are busy, `StartError` and
        `RuntimeUnavailableError` when none can be started. What the function does wrong is in the `Outcome`.
        """
        pool = self._pools.get(version.key)
        if pool is None:
            pool = self._pool(version)
        environment = pool.take()
        if environment is None:
            try:
                environment = await pool.wait()
            except InitFailedError as failed:
                return self._init_outcome(version, event, failed.failure)
        self._idle.pop(environment, None)
        self._watch()
        return await environment.invoke(event)

    def _init_outcome(self, version: FunctionVersion, event: Event, failure: InitFailure) -> Outcome:
        """The answer to an event whose environment could not begin; its START, END and REPORT lines as well."""
        now = self._clock.millis()
        payload = failure.payload
        if payload is None:
            text = failure.text or "Runtime exited with error: signal: killed"
            if failure.error_type == "Sandbox.Timedout":
                text = f"Task timed out after {records.seconds_text(version.timeout)}"
            payload = records.error_document(failure.error_type, f"RequestId: {event.request_id} Error: {text}")
        used = records.Report(0.0, 0, None, "error", failure.error_type)
        texts = (
            records.start(version, event, now),
            records.end(version, event),
            records.report(version, event, used, now),
        )
        lines = [LogLine(now, text) for text in texts if text is not None]
        stream = records.log_stream(version, now, self._ids.hex(32))
        self.sink.write(version, stream, lines)
        log = "".join(f"{line.text}\n" for line in lines).encode() if event.tail else b""
        if event.stream is not None:
            event.stream.end()
        return Outcome(payload, "Unhandled", log, error_type=failure.error_type)

    async def check(self, runtime: str) -> Choice:
        """What would run functions of `runtime`; `RuntimeUnavailableError` says what to install."""
        return await self.interpreters.choose(runtime)

    async def prepare(self, runtime: str) -> None:
        """Have the prepared parent ready before the first event of a function of `runtime`."""
        choice = await self.interpreters.choose(runtime)
        await self._parent(self._forker(choice))

    def retire(self, key: str) -> None:
        """A version is replaced or deleted: its idle environments end, the others finish their event first."""
        pool = self._pools.pop(key, None)
        if pool is None:
            return
        for environment in pool.environments:
            self._idle.pop(environment, None)
        pool.retire()

    @property
    def alive(self) -> int:
        """Environments alive, starting ones included."""
        return self._alive

    # -- environments -------------------------------------------------------------------------------------------

    def _pool(self, version: FunctionVersion) -> Pool:
        def spawn(coroutine: Awaitable[None]) -> object:
            assert isinstance(coroutine, Coroutine)
            return self.spawn(coroutine)

        pool = Pool(version, start=self._start, admit=self._admit, spawn=spawn)
        self._pools[version.key] = pool
        return pool

    def _admit(self) -> bool:
        """Whether one more environment may be: at the limit, the one that was idle longest makes room."""
        if not self.running:
            return False
        if self._alive < self.config.max_environments:
            return True
        for environment in self._idle:
            del self._idle[environment]
            environment.end()
            return True
        return False

    async def _start(self, pool: Pool) -> Environment:
        """A ready environment. An init phase that takes too long is repeated within the invocation, as on Lambda."""
        version = pool.version
        self._alive += 1
        counted = True
        try:
            choice = await self.interpreters.choose(version.runtime)
            parent = await self._parent(self._forker(choice))
            credentials = await self.credentials(version)
            limits = ((self._init_timeout, "init"), (version.timeout, "invoke"))
            for timeout, phase in limits:
                environment = self._make(pool, parent, choice)
                counted = False  # from here on its end gives the place back
                ready = await environment.start(
                    lambda made: self._order(made, choice, credentials), limit=timeout, phase=phase
                )
                if ready:
                    return environment
                failure = environment.failure or InitFailure("Runtime.ExitError", None)
                if failure.error_type != "Sandbox.Timedout" or phase == "invoke":
                    raise InitFailedError(failure)
                self._alive += 1
                counted = True
        finally:
            if counted:
                self._alive -= 1
        raise InitFailedError(InitFailure("Sandbox.Timedout", None))

    def _make(self, pool: Pool, parent: PreparedParent, choice: Choice) -> Environment:
        name = self._ids.hex(32)
        folder = self._folder / "environments" / name
        (folder / "tmp").mkdir(parents=True)
        environment = Environment(
            name,
            pool.version,
            parent,
            choice,
            folder,
            clock=self._clock,
            sink=self.sink,
            on_free=lambda freed: self._freed(pool, freed),
            on_gone=lambda gone: self._gone(pool, gone),
        )
        pool.add(environment)
        return environment

    def _order(self, environment: Environment, choice: Choice, credentials: Credentials) -> Any:
        version = environment.version
        place = Place(
            runtime=str(self._folder / "python"),
            opt=str(version.layers or self._folder / "opt"),
            temporary=str(environment.folder / "tmp"),
            log_stream=environment.log_stream,
            api=environment.listener.address,
            endpoint=self.config.endpoint,
        )
        environ = variables(version, place, choice, credentials)
        return order_for(environment.id, version, choice, place, environ, self._folder)

    def _freed(self, pool: Pool, environment: Environment) -> None:
        if not pool.free(environment):
            return
        environment.idle_since = self._clock.time()
        self._idle[environment] = None
        if self._went_idle is not None and not self._went_idle.done():
            self._went_idle.set_result(None)

    def _gone(self, pool: Pool, environment: Environment) -> None:
        self._alive -= 1
        self._idle.pop(environment, None)
        pool.remove(environment)
        if not environment.ended.done():  # its folder is still being removed
            self._leaving.add(environment.ended)
            environment.ended.add_done_callback(self._leaving.discard)
        if pool.empty and self._pools.get(pool.version.key) is pool:
            del self._pools[pool.version.key]

    # -- prepared parents ---------------------------------------------------------------------------------------

    def _forker(self, choice: Choice) -> Interpreter:
        """Whose parent forks: the function's own interpreter, or ours for what is then replaced by a program."""
        found = choice.interpreter
        return found if found is not None and found.language == "python" else self.interpreters.own

    async def _parent(self, interpreter: Interpreter) -> PreparedParent:
        """The interpreter's prepared parent. Whoever stops waiting for it does not stop its start."""
        known = self._parents.get(interpreter.path)
        if known is not None and known.alive:
            return known
        if not self.running:
            raise StartError("the runtime has been stopped")
        preparing = self._preparing.get(interpreter.path)
        if preparing is None:
            preparing = self.spawn(self._start_parent(interpreter), name=f"prepare-{interpreter.title}")
            self._preparing[interpreter.path] = preparing
            preparing.add_done_callback(lambda _: self._preparing.pop(interpreter.path, None))
        return await asyncio.shield(preparing)

    async def _start_parent(self, interpreter: Interpreter) -> PreparedParent:
        dead = self._parents.pop(interpreter.path, None)
        if dead is not None:
            await dead.stop()
        parent = PreparedParent(interpreter, self._folder)
        problem = await parent.start()
        if problem:
            _log.warning("functions on %s have no boto3 of the platform's: %s", interpreter.title, problem)
        self._parents[interpreter.path] = parent
        return parent

    # -- life ---------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        _raise_file_limit()
        await asyncio.to_thread(self._lay_out)
        self.spawn(self._reap(), name="runtime-reaper")

    def _lay_out(self) -> None:
        environments = self._folder / "environments"
        shutil.rmtree(environments, ignore_errors=True)  # what a crash left behind
        environments.mkdir(parents=True)
        lay_out(self._folder)

    async def on_stop(self) -> None:
        """Let what runs finish, then end everything."""
        await self.finish()
        if self._preparing:
            await asyncio.wait(set(self._preparing.values()))
        for parent in self._parents.values():
            await parent.stop()
        self._parents.clear()
        with contextlib.suppress(OSError):
            (self._folder / "environments").rmdir()

    async def finish(self) -> None:
        """Let what runs finish, for as long as the configuration allows; then end every environment."""
        deadline = asyncio.get_running_loop().time() + self.config.stop_timeout
        for pool in list(self._pools.values()):
            pool.retire()
        while any(e.state is State.BUSY for pool in self._pools.values() for e in pool.environments):
            ending = [e.ended for pool in self._pools.values() for e in pool.environments]
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or not ending:
                break
            await asyncio.wait(ending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        await self.reset()

    async def reset(self) -> None:
        """End every environment, whatever it is doing, and wait until all have gone."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.retired = True
            pool.refuse_all()
        ending = list(self._leaving)
        for pool in pools.values():
            for environment in list(pool.environments):
                environment.end()
                ending.append(environment.ended)
        self._idle.clear()
        if ending:
            await asyncio.wait(ending, timeout=10)

    async def _reap(self) -> None:
        """End what has been idle for longer than the configuration says."""
        while True:
            if not self._idle:
                self._went_idle = asyncio.get_running_loop().create_future()
                await self._went_idle
                continue
            oldest = next(iter(self._idle))
            due = oldest.idle_since + self.config.environment_idle
            if due > self._clock.time():
                await self._clock.sleep_until(due)
                continue
            del self._idle[oldest]
            oldest.end()

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            self._watching = self.spawn(self._watch_memory(), name="runtime-memory")

    async def _watch_memory(self) -> None:
        """End what has more memory than its function may. Looks while anything is busy, then ends."""
        busy = True
        while busy:
            await asyncio.sleep(_WATCH_EVERY)  # the processes live in the machine's time, not in the clock's
            busy = False
            for pool in list(self._pools.values()):
                limit = pool.version.memory * 1024 * 1024
                for environment in list(pool.environments):
                    if environment.state in (State.BUSY, State.STARTING):
                        busy = True
                        if environment.memory.sample_all() > limit:
                            environment.over_memory()


def _raise_file_limit() -> None:
    """Each environment needs four descriptors; the soft limit of a login shell is enough for 250."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
