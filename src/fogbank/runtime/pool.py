"""The environments of one function version: reuse the warmest, start more while events wait, end them when retired.

A waiting event takes whichever comes first, an environment that becomes free or one that is being started for it.
Starts are paced (`STARTS` at once for each pool): a burst of short events is then served by the few environments
that it needs, and a burst of long ones still gets one for each.

A version can have provisioned concurrency: environments that are started before any event, are used first, are not
reaped, and are replaced when they end. Events past them spill over to environments on demand.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from fogbank.runtime.environment import Environment
from fogbank.runtime.model import (
    EnvironmentLimitError,
    FunctionVersion,
    Initialization,
    Provision,
    RuntimeUnavailableError,
    StartError,
    State,
)
from fogbank.runtime.snapshots import InitFailedError

STARTS = 4
"""Environments of one version that may be in their init phase at once."""


class Owner(Protocol):
    """Who makes the environments: the runtime."""

    async def start_environment(self, pool: Pool, how: Initialization) -> Environment:
        """A ready environment, or an error that says why there is none."""
        ...

    def admit(self, pool: Pool, how: Initialization) -> bool:
        """Whether one more environment may be."""
        ...

    def rests(self, environment: Environment) -> None:
        """An environment has become idle."""
        ...


@dataclass(slots=True)
class _Waiter:
    future: asyncio.Future[Environment]


class Pool:
    """See the module. `spawn` runs a coroutine as a task that somebody owns."""

    def __init__(self, version: FunctionVersion, owner: Owner, *, spawn: Callable[[Awaitable[None]], object]) -> None:
        self.version = version
        self.retired = False
        self.provisioned = 0
        """How many environments are to be there whatever comes."""
        self._owner = owner
        self._spawn = spawn
        self._idle: list[Environment] = []
        self._ready: list[Environment] = []
        """Idle environments of the provisioned concurrency."""
        self._all: set[Environment] = set()
        self._allocated: set[Environment] = set()
        """Those of the provisioned concurrency that have been initialized."""
        self._waiting: deque[_Waiter] = deque()
        self._starting = 0
        self._provisioning = 0
        self._failure: str | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is alive, starting, waiting or promised."""
        return not (self._all or self._waiting or self._starting or self._provisioning or self.provisioned)

    @property
    def environments(self) -> set[Environment]:
        """Those alive, starting ones included."""
        return self._all

    def take(self) -> Environment | None:
        """An idle environment, provisioned ones first, the one that was used last, if there is one."""
        for idle in (self._ready, self._idle):
            while idle:
                environment = idle.pop()
                if environment.state is State.IDLE:
                    return environment
        return None

    async def wait(self) -> Environment:
        """An environment for an event: one that becomes free, or a new one.

        Raises `InitFailedError`, `RestoreError`, `EnvironmentLimitError` or `StartError`.
        """
        waiter = _Waiter(asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            self._start_more()
            return await waiter.future
        except asyncio.CancelledError:
            if waiter.future.done() and not waiter.future.cancelled() and waiter.future.exception() is None:
                self.free(waiter.future.result())
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _start_more(self) -> None:
        while self._starting < min(STARTS, len(self._waiting)):
            if not self._owner.admit(self, Initialization.ON_DEMAND):
                if self._starting == 0:
                    self.refuse_all()
                return
            self._starting += 1
            self._spawn(self._start_one())

    async def _start_one(self) -> None:
        try:
            environment = await self._owner.start_environment(self, Initialization.ON_DEMAND)
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits is told
            self._starting -= 1
            self._fail_one(error)
            self._start_more()
            return
        self._starting -= 1
        self.free(environment)
        self._start_more()

    def _fail_one(self, error: BaseException) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.future.done():
                waiter.future.set_exception(error)
                return

    def free(self, environment: Environment) -> None:
        """An environment can take an event: the next that waits gets it, or it rests until one comes."""
        if environment.state is not State.IDLE:
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.future.done():
                waiter.future.set_result(environment)
                return
        if self.retired:
            environment.end()
            return
        if environment in self._allocated:
            if len(self._allocated) > self.provisioned:
                self._allocated.discard(environment)
                environment.end()
                return
            self._ready.append(environment)
        else:
            self._idle.append(environment)
        self._owner.rests(environment)

    def add(self, environment: Environment) -> None:
        """One more is alive."""
        self._all.add(environment)

    def remove(self, environment: Environment) -> None:
        """One has ended; a provisioned one is replaced."""
        self._all.discard(environment)
        for idle in (self._idle, self._ready):
            if environment in idle:
                idle.remove(environment)
        if environment in self._allocated:
            self._allocated.discard(environment)
            self._provision_more()

    def retire(self) -> None:
        """The version is replaced or deleted: end what is idle; what runs finishes first."""
        self.retired = True
        self.provisioned = 0
        idle = [*self._idle, *self._ready]
        self._idle.clear()
        self._ready.clear()
        for environment in idle:
            environment.end()

    def refuse_all(self) -> None:
        """Nobody who waits will be served."""
        while self._waiting:
            self._fail_one(EnvironmentLimitError())

    # -- provisioned concurrency --------------------------------------------------------------------------------

    def provision(self, count: int) -> None:
        """Have `count` environments ready from now on; a failure of before is tried again."""
        self.provisioned = count
        self._failure = None
        while self._ready and len(self._allocated) > count:
            environment = self._ready.pop()
            self._allocated.discard(environment)
            environment.end()
        self._provision_more()

    def provision_state(self) -> Provision:
        """How far it has come."""
        return Provision(len(self._allocated), len(self._ready), self._failure)

    def _provision_more(self) -> None:
        while (
            not self.retired
            and self._failure is None
            and self._provisioning < STARTS
            and len(self._allocated) + self._provisioning < self.provisioned
        ):
            if not self._owner.admit(self, Initialization.PROVISIONED):
                self._failure = "As many environments as Fogbank may run (--max-environments) are busy."
                return
            self._provisioning += 1
            self._spawn(self._provision_one())

    async def _provision_one(self) -> None:
        try:
            environment = await self._owner.start_environment(self, Initialization.PROVISIONED)
        except InitFailedError:
            self._failure = "FUNCTION_ERROR_INIT_FAILURE"
        except (StartError, RuntimeUnavailableError) as error:
            self._failure = str(error)
        else:
            self._allocated.add(environment)
            self.free(environment)
        finally:
            self._provisioning -= 1
        self._provision_more()
