"""The runtime: runs events in execution environments, one pool of them for each function version."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import Awaitable, Coroutine

import msgspec

from fogbank.core.clock import Clock
from fogbank.core.config import Config
from fogbank.core.ids import Ids
from fogbank.runtime import records
from fogbank.runtime.disk import overfull
from fogbank.runtime.environment import Environment
from fogbank.runtime.freezing import Freezer
from fogbank.runtime.interpreters import Choice
from fogbank.runtime.making import Maker
from fogbank.runtime.model import (
    INIT_TIMEOUT,
    Event,
    FunctionVersion,
    InitFailure,
    Initialization,
    LogLine,
    Outcome,
    Provision,
    RestoreError,
    State,
)
from fogbank.runtime.orders import MAX_PROCESSES
from fogbank.runtime.pool import Pool
from fogbank.runtime.recording import Recorder
from fogbank.runtime.snapshots import InitFailedError
from fogbank.runtime.throttle import held_to
from fogbank.telemetry import NO_TELEMETRY, Telemetry

_WATCH_EVERY = 0.1
"""Seconds between two looks at the memory of busy environments."""
_DISK_EVERY = 5
"""Of so many looks, one is at their temporary folders as well."""


class Runtime(Maker):
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
        super().__init__(config, clock, ids, init_timeout=init_timeout)
        self._telemetry = telemetry
        self._recorder = Recorder(telemetry, clock, ids)
        self._pools: dict[str, Pool] = {}
        self._retired: dict[Pool, None] = {}
        """Those of versions that are no more, until the last of their environments has gone."""
        self._idle: dict[Environment, None] = {}
        """Every idle environment that was started on demand, the longest idle first."""
        self._freezer = Freezer()
        self._alive = 0
        self._leaving: set[asyncio.Future[None]] = set()
        self._went_idle: asyncio.Future[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    # -- events -------------------------------------------------------------------------------------------------

    async def invoke(self, version: FunctionVersion, event: Event) -> Outcome:
        """Run one event, in a warm environment if there is one.

        Raises `EnvironmentLimitError` when as many environments as are allowed are busy, `StartError`,
        `RestoreError` and `RuntimeUnavailableError` when none can be started. What the function does wrong is in the
        `Outcome`.
        """
        event, inner, parent = self._recorder.begin(version, event)
        begin = self._clock.time()
        outcome, environment = await self._run(version, event)
        if self._telemetry.on:
            self._recorder.ended(version, event, (inner, parent, begin), outcome, environment)
        return outcome

    async def _run(self, version: FunctionVersion, event: Event) -> tuple[Outcome, Environment | None]:
        """Run one event; what came of it, and where."""
        pool = self._pools.get(version.key)
        if pool is None:
            pool = self._pool(version)
        environment = pool.take()
        while environment is not None and environment.good_until < self._clock.time():
            environment.end()
            environment = pool.take()
        if environment is None:
            try:
                environment = await pool.wait()
            except InitFailedError as failed:
                return self._init_outcome(version, event, failed.failure), None
        self._idle.pop(environment, None)
        self._freezer.wakes(environment)
        self.watch_memory()
        with held_to(version.processors, environment.pid, self._clock):
            return await environment.invoke(event), environment

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

    async def compile(self, version: FunctionVersion) -> None:
        """Have what a sandboxed version's environments import compiled before its first event."""
        choice = await self.interpreters.choose(version.runtime)
        found = choice.interpreter
        if found is not None and found.language == "python" and (await self.quarters()).sandboxed:
            await self._bytecode.ahead(version, found, await self._parent(found))

    def retire(self, key: str) -> None:
        """A version is replaced or deleted: its idle environments end, the others finish their event first."""
        self._snapshots.drop(key)
        pool = self._pools.pop(key, None)
        if pool is None:
            return
        for environment in pool.environments:
            self._idle.pop(environment, None)
            self._freezer.wakes(environment)
        pool.retire()
        if not pool.empty:
            self._retired[pool] = None

    @property
    def busy(self) -> int:
        """Environments that handle an event or are in their init phase."""
        return sum(e.state in (State.BUSY, State.STARTING) for pool in self._known() for e in pool.environments)

    @property
    def alive(self) -> int:
        """Environments alive, starting ones included."""
        return self._alive

    def _known(self) -> list[Pool]:
        """Every pool that may have environments."""
        return [*self._pools.values(), *self._retired]

    # -- environments -------------------------------------------------------------------------------------------

    def _pool(self, version: FunctionVersion) -> Pool:
        def spawn(coroutine: Awaitable[None]) -> object:
            assert isinstance(coroutine, Coroutine)
            return self.spawn(coroutine)

        pool = Pool(version, self, spawn=spawn)
        self._pools[version.key] = pool
        return pool

    def admit(self, pool: Pool, how: Initialization) -> bool:  # noqa: ARG002
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

    async def start_environment(self, pool: Pool, how: Initialization) -> Environment:
        """A ready environment.

        Raises `InitFailedError`, `RestoreError`, `StartError` or `RuntimeUnavailableError`.
        """
        version = pool.version
        self._alive += 1
        counted = True
        try:
            choice = await self.interpreters.choose(version.runtime)
            waited = self._clock.time()
            attempts = await self.attempts(version, how, choice)
            prepared = self._clock.time()
            for attempt in attempts:
                environment = self.make(
                    version, attempt, choice, how, on_free=pool.free, on_gone=lambda gone: self._gone(pool, gone)
                )
                environment.phases.append(("runtime", waited, prepared))
                pool.add(environment)
                counted = False  # from here on its end gives the place back
                self.watch_memory()
                if await self.try_one(environment, attempt, choice):
                    return environment
                failure = environment.failure or InitFailure("Runtime.ExitError", None)
                if failure.restoring:
                    raise _restore_error(failure)
                if failure.error_type != "Sandbox.Timedout" or attempt is attempts[-1]:
                    raise InitFailedError(failure)
                self._alive += 1
                counted = True
        finally:
            if counted:
                self._alive -= 1
        raise InitFailedError(InitFailure("Sandbox.Timedout", None))

    def rests(self, environment: Environment) -> None:
        """An environment has become idle: it is frozen, and those on demand are ended after a while."""
        self._freezer.rests(environment)
        if environment.how is Initialization.PROVISIONED:
            return
        environment.idle_since = self._clock.time()
        self._idle[environment] = None
        if self._went_idle is not None and not self._went_idle.done():
            self._went_idle.set_result(None)

    def _gone(self, pool: Pool, environment: Environment) -> None:
        self._alive -= 1
        self._idle.pop(environment, None)
        self._freezer.wakes(environment)
        pool.remove(environment)
        self.leaves(environment)
        if pool.empty:
            self._retired.pop(pool, None)
            if self._pools.get(pool.version.key) is pool:
                del self._pools[pool.version.key]

    def leaves(self, environment: Environment) -> None:
        """See `Maker.leaves`."""
        if not environment.ended.done():
            self._leaving.add(environment.ended)
            environment.ended.add_done_callback(self._leaving.discard)

    # -- prepared in advance ------------------------------------------------------------------------------------

    async def snapshot(self, version: FunctionVersion) -> None:
        """Take the snapshot of a version with SnapStart, if there is none. Raises as `start_environment` does.

        Where there can be none, an environment is initialized for the first event: whether that works is to be known.
        """
        if await self.snapshots_work(version, await self.interpreters.choose(version.runtime)):
            await self._snapshots.of(version)
            return
        pool = self._pools.get(version.key) or self._pool(version)
        pool.free(await self.start_environment(pool, Initialization.ON_DEMAND))

    def provision(self, version: FunctionVersion, count: int) -> None:
        """Have `count` environments of a version ready from now on, whatever becomes of them."""
        pool = self._pools.get(version.key)
        if pool is None:
            if count == 0:
                return
            pool = self._pool(version)
        pool.provision(count)

    def provision_state(self, key: str) -> Provision:
        """How far the provisioning of a version has come."""
        pool = self._pools.get(key)
        return pool.provision_state() if pool is not None else Provision()

    # -- life ---------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        _raise_file_limit()
        await self.lay_out()
        self.spawn(self._reap(), name="runtime-reaper")

    async def on_stop(self) -> None:
        """Let what runs finish, then end everything."""
        await self.finish()
        self._freezer.stop()
        await self.stop_parents()
        with contextlib.suppress(OSError):
            (self._folder / "environments").rmdir()

    async def finish(self) -> None:
        """Let what runs finish, for as long as the configuration allows; then end every environment."""
        deadline = asyncio.get_running_loop().time() + self.config.stop_timeout
        for pool in list(self._pools.values()):
            pool.retire()
        while any(e.state in (State.BUSY, State.ENDING) for pool in self._known() for e in pool.environments):
            ending = [e.ended for pool in self._known() for e in pool.environments]
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or not ending:
                break
            await asyncio.wait(ending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        await self.reset()

    async def reset(self) -> None:
        """End every environment, whatever it is doing, and wait until all have gone."""
        pools = self._known()
        self._pools.clear()
        self._retired.clear()
        for pool in pools:
            pool.retired = True
            pool.refuse_all()
        ending = list(self._leaving)
        ending += self._snapshots.clear()
        for pool in pools:
            for environment in list(pool.environments):
                environment.kill()
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

    def watch_memory(self) -> None:
        """See `Maker.watch_memory`."""
        if self._watching is None or self._watching.done():
            self._watching = self.spawn(self._watch_memory(), name="runtime-memory")

    async def _watch_memory(self) -> None:
        """End what takes more than it may have. Looks while anything is busy, then ends."""
        looks = 0
        busy = True
        while busy:
            await asyncio.sleep(_WATCH_EVERY)  # the processes live in the machine's time, not in the clock's
            looks += 1
            watched = [
                environment
                for pool in self._known()
                for environment in pool.environments
                if environment.state in (State.BUSY, State.STARTING)
            ]
            watched += self._snapshots.starting
            busy = bool(watched)
            for environment in watched:
                await _look(environment)
            if looks % _DISK_EVERY == 0:
                quarters = await self.quarters()
                await _look_at_disk([each for each in watched if quarters.keeps_on_disk(each.version)])


async def _look(environment: Environment) -> None:
    """End an environment that has more memory or more processes than it may have."""
    limit = environment.version.memory * 1024 * 1024
    memory = environment.memory
    used = memory.sample_all()
    if memory.processes > MAX_PROCESSES:
        environment.note(f"it was ended: it had started more than {MAX_PROCESSES} processes")
        environment.end()
    elif used > limit and (memory.processes == 1 or await asyncio.to_thread(memory.proportional) > limit):
        environment.over_memory()


async def _look_at_disk(watched: list[Environment]) -> None:
    """End environments that keep more in their temporary folder than their function's EphemeralStorage."""
    places = {each.folder / "tmp": each for each in watched}
    limits = [(place, each.version.ephemeral * 1024 * 1024) for place, each in places.items()]
    for place in await asyncio.to_thread(overfull, limits):
        environment = places[place]
        environment.note(f"it was ended: it kept more than {environment.version.ephemeral} MB in its temporary folder")
        environment.end()


def _restore_error(failure: InitFailure) -> RestoreError:
    if failure.error_type == "Sandbox.Timedout":
        return RestoreError("Lambda couldn't restore the snapshot within the timeout limit.", late=True)
    try:
        told = msgspec.json.decode(failure.payload or b"")
    except msgspec.DecodeError:
        told = None
    message = told.get("errorMessage") if isinstance(told, dict) else None
    return RestoreError(str(message or failure.text or failure.error_type), late=False)


def _raise_file_limit() -> None:
    """Each environment needs four descriptors; the soft limit of a login shell is enough for 250."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
