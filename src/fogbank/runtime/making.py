"""How environments are made: their folders, their orders, and the prepared parents that they are forked from."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from fogbank.core.clock import Clock
from fogbank.core.config import Config, Egress, Isolation
from fogbank.core.ids import Ids
from fogbank.core.lifecycle import Actor
from fogbank.runtime.bytecode import Bytecode
from fogbank.runtime.company import executables
from fogbank.runtime.environment import Environment
from fogbank.runtime.folders import let_nobody_write
from fogbank.runtime.forker import Forker, Order
from fogbank.runtime.interpreters import Choice, Interpreter, Interpreters
from fogbank.runtime.isolation import attempt as attempt_sandbox
from fogbank.runtime.keys import Keys
from fogbank.runtime.model import (
    INIT_TIMEOUT,
    PREPARED_INIT_TIMEOUT,
    RESTORE_TIMEOUT,
    Credentials,
    FunctionVersion,
    InitFailure,
    Initialization,
    LogLine,
    Role,
    StartError,
)
from fogbank.runtime.network import Door, OwnNetwork, TakeDatagram
from fogbank.runtime.orders import RUNTIME_PORT, XRAY_PORT, Quarters, order_for, supervised
from fogbank.runtime.output import LogSink
from fogbank.runtime.parent import PreparedParent, lay_out
from fogbank.runtime.snapshots import InitFailedError, Snapshot, Snapshots
from fogbank.runtime.variables import CredentialsPlace, variables

_log = logging.getLogger("fogbank.runtime")


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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to start an environment: of which parent, for what, and how many seconds it may take."""

    parent: Forker
    role: Role
    limit: float
    phase: str
    snapshot: Snapshot | None = None


class Maker(Actor):
    """Makes environments. `sink` receives every log line, `credentials` makes the keys of each new environment."""

    def __init__(self, config: Config, clock: Clock, ids: Ids, *, init_timeout: float = INIT_TIMEOUT) -> None:
        super().__init__()
        self.sink: LogSink = NoLogs()
        self.credentials: Callable[[FunctionVersion], Awaitable[Credentials]] = account_credentials
        self.interpreters = Interpreters()
        self.config = config
        self._clock = clock
        self._ids = ids
        self._init_timeout = init_timeout
        self._folder = (config.data / "runtime").absolute()
        self.xray_address = "127.0.0.1:2000"
        """Where functions send X-Ray's segments: host and port."""
        self.take_segment: TakeDatagram | None = None
        """Takes the segments of environments that have a network of their own, and do not reach that address."""
        self._parents: dict[Path, PreparedParent] = {}
        self._preparing: dict[Path, asyncio.Task[PreparedParent]] = {}
        self._snapshots = Snapshots(self, self.spawn)
        self._bytecode = Bytecode(self._folder / "bytecode", ids, self.spawn)
        self._quarters: Quarters | None = None
        self._settling = asyncio.Lock()
        self.door: Door | None = None
        """Answers as Fogbank in the networks of environments that have their own."""

    # -- environments -------------------------------------------------------------------------------------------

    async def attempts(self, version: FunctionVersion, how: Initialization, choice: Choice) -> list[Attempt]:
        """The ways to start an environment, in order; only a time-out leads to the next.

        An init phase that takes too long is repeated within the invocation, as on Lambda.
        """
        if await self.snapshots_work(version, choice):
            snapshot = await self._snapshots.of(version)
            if snapshot.parent is not None:
                return [Attempt(snapshot.parent, Role.RESTORED, RESTORE_TIMEOUT, "restore", snapshot)]
        parent = await self._parent(self._forker(choice))
        if version.snap_start or how is not Initialization.ON_DEMAND:
            return [Attempt(parent, Role.SERVE, _long(version), "init")]
        return [
            Attempt(parent, Role.SERVE, self._init_timeout, "init"),
            Attempt(parent, Role.SERVE, version.timeout, "invoke"),
        ]

    async def snapshots_work(self, version: FunctionVersion, choice: Choice) -> bool:
        """Whether a version's environments are forked from a snapshot: of Python, where the kernel allows it."""
        found = choice.interpreter
        forked = found is not None and found.language == "python"
        return version.snap_start and forked and (await self.quarters()).inner is None

    async def try_one(self, environment: Environment, attempt: Attempt, choice: Choice, *, control: int = -1) -> bool:
        """Start an environment; whether it is ready. Nothing is left of it if anything is raised."""
        furnished = False
        try:
            quarters = await self.quarters()
            credentials = await self._credentials_of(environment, attempt, quarters)
            await self._furnish(environment, attempt, choice, quarters)
            furnished = True
        finally:
            if not furnished:
                environment.give_up()

        def order(made: Environment) -> Order:
            keys = credentials
            if keys is None:
                assert made.keys is not None
                keys = CredentialsPlace(quarters.api(made.listener.address), made.keys.token)
            return self._order(made, choice, keys, quarters, attempt.role)

        controls = (control,) if control >= 0 else ()
        return await environment.start(order, limit=attempt.limit, phase=attempt.phase, control=controls)

    async def _credentials_of(
        self, environment: Environment, attempt: Attempt, quarters: Quarters
    ) -> Credentials | CredentialsPlace | None:
        """The keys of an environment; `None` if it is asked for them itself, wherever it will be."""
        version = environment.version
        if environment.how is not Initialization.SNAP_START:
            credentials = await self.credentials(version)
            if credentials.expires is not None:
                environment.good_until = credentials.expires - version.timeout
            return credentials
        if attempt.snapshot is not None and attempt.snapshot.parent is not None:
            first = attempt.snapshot.parent.initialized
            assert first.keys is not None
            environment.keys = first.keys  # asked where it has a network of its own
            return CredentialsPlace(quarters.api(first.listener.address), first.keys.token)
        environment.keys = Keys(self._ids.hex(64), self._clock, lambda: self.credentials(version))
        return None

    async def _furnish(self, environment: Environment, attempt: Attempt, choice: Choice, quarters: Quarters) -> None:
        """See to what it finds when it starts, and say in its log what it lacks."""
        parent, found, snapshot = attempt.parent, choice.interpreter, attempt.snapshot
        if quarters.sandboxed and quarters.keeps_on_disk(environment.version):
            let_nobody_write(environment.folder / "tmp")
        if snapshot is not None and snapshot.files is not None:
            await asyncio.to_thread(_copy, snapshot.files, environment.folder / "tmp")
        if snapshot is None and environment.how is Initialization.SNAP_START and quarters.inner is not None:
            why = f"a sandbox cannot be copied on this machine ({quarters.inner})"
            environment.note(f"SnapStart: {why}; each environment is initialized")
        if isinstance(parent, PreparedParent):
            if parent.lacking:
                environment.note(f"bundle boto3 with the function: Fogbank's does not run here ({parent.lacking})")
            if quarters.sandboxed and found is not None and found.language == "python":
                await self._bytecode.ready(environment.version, found, parent)
        if quarters.ports is not None:
            environment.live_apart(OwnNetwork(self.door, self.take_segment))

    def make(
        self,
        version: FunctionVersion,
        attempt: Attempt,
        choice: Choice,
        how: Initialization,
        *,
        on_free: Callable[[Environment], None],
        on_gone: Callable[[Environment], None],
    ) -> Environment:
        """A new environment, not yet started, in a folder of its own."""
        name = self._ids.hex(32)
        folder = self._folder / "environments" / name
        (folder / "tmp").mkdir(parents=True)
        return Environment(
            name,
            version,
            attempt.parent,
            choice,
            folder,
            clock=self._clock,
            sink=self.sink,
            on_free=on_free,
            on_gone=on_gone,
            how=Initialization.SNAP_START if version.snap_start else how,
            role=attempt.role,
            make_id=self._ids.uuid,
            extensions=executables(version.layers),
        )

    def _order(
        self,
        environment: Environment,
        choice: Choice,
        credentials: Credentials | CredentialsPlace,
        quarters: Quarters,
        role: Role,
    ) -> Order:
        version = environment.version
        place = quarters.place(
            version,
            environment.folder / "tmp",
            log_stream=environment.log_stream,
            api=environment.listener.address,
            endpoint=self.config.endpoint,
            name=environment.id,
            xray=self.xray_address,
        )
        environ = variables(version, place, choice, credentials, environment.how)
        compiled = []
        if quarters.sandboxed and choice.interpreter is not None and choice.interpreter.language == "python":
            compiled = self._bytecode.binds(version, choice.interpreter)
        order = order_for(environment.id, version, choice, place, environ, quarters, role=role, compiled=compiled)
        python = str(self._forker(choice).path)
        return supervised(order, environment.company.external, place, python)

    async def quarters(self) -> Quarters:
        """How environments are kept apart here: decided once, by trying. `StartError` if what was asked cannot be."""
        if self._quarters is None:
            async with self._settling:
                if self._quarters is None:
                    self._quarters = await self._settle()
        return self._quarters

    async def _settle(self) -> Quarters:
        wanted = self.config.isolation
        if wanted is Isolation.PROCESS:
            return Quarters(self._folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        trial = await attempt_sandbox(self.interpreters.own, self._folder)
        if trial.works:
            _log.info("functions run in a sandbox")
            quarters = Quarters(self._folder, sandboxed=True, inner=trial.inner)
            if self.config.egress is Egress.OFF:
                ports = (RUNTIME_PORT, self.config.port) if self.door is not None else (RUNTIME_PORT,)
                datagrams = (XRAY_PORT,) if self.take_segment is not None else ()
                quarters = replace(quarters, ports=ports, datagrams=datagrams)
            return quarters
        if wanted is Isolation.SANDBOX or self.config.egress is Egress.OFF:
            raise StartError(f"this machine does not allow the sandbox: {trial.problem}; {trial.do}")
        _log.warning("functions run without a sandbox, with your rights: %s; %s", trial.problem, trial.do)
        return Quarters(self._folder)

    async def prepare_snapshot(
        self, version: FunctionVersion, control: int, made: Callable[[Environment], None]
    ) -> Environment:
        """See `Initializer`."""
        choice = await self.interpreters.choose(version.runtime)
        parent = await self._parent(self._forker(choice))
        attempt = Attempt(parent, Role.SNAPSHOT, _long(version), "init")
        environment = self.make(
            version, attempt, choice, Initialization.SNAP_START, on_free=_nothing, on_gone=self.leaves
        )
        made(environment)
        self.watch_memory()
        if not await self.try_one(environment, attempt, choice, control=control):
            raise InitFailedError(environment.failure or InitFailure("Runtime.ExitError", None))
        return environment

    def leaves(self, environment: Environment) -> None:
        """An environment has ended; its folder may still be being removed."""
        raise NotImplementedError

    def watch_memory(self) -> None:
        """Something is in its init phase or handles an event: see to its memory."""
        raise NotImplementedError

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
        quarters = await self.quarters()
        parent = PreparedParent(interpreter, self._folder, sandboxed=quarters.sandboxed)
        parent.lacking = await parent.start()
        if parent.lacking:
            _log.warning("functions on %s have no boto3 of the platform's: %s", interpreter.title, parent.lacking)
        self._parents[interpreter.path] = parent
        return parent

    # -- life ---------------------------------------------------------------------------------------------------

    async def lay_out(self) -> None:
        """Make the folders, without what a crash left behind. `StartError` if the sandbox is asked for in vain."""
        if self.config.isolation is Isolation.SANDBOX or self.config.egress is Egress.OFF:
            await self.quarters()
        await asyncio.to_thread(self._lay_out)

    def _lay_out(self) -> None:
        environments = self._folder / "environments"
        shutil.rmtree(environments, ignore_errors=True)
        environments.mkdir(parents=True)
        self._bytecode.sweep()
        lay_out(self._folder)

    async def stop_parents(self) -> None:
        """End the prepared parents; the environments have gone."""
        if self._preparing:
            await asyncio.wait(set(self._preparing.values()))
        for parent in self._parents.values():
            await parent.stop()
        self._parents.clear()


def _long(version: FunctionVersion) -> float:
    """How long an init phase may take that no event waits for."""
    return max(PREPARED_INIT_TIMEOUT, version.timeout)


def _nothing(environment: Environment) -> None:
    """A snapshot handles no events."""


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=_no_files, dirs_exist_ok=True)


def _no_files(folder: str, names: list[str]) -> list[str]:
    """What cannot be copied: sockets and pipes."""
    place = Path(folder)
    return [name for name in names if (place / name).is_socket() or (place / name).is_fifo()]
