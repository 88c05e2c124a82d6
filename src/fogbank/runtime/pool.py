"""The environments of one function version: reuse the warmest, start more while events wait, end them when retired.

A waiting event takes whichever comes first, an environment that becomes free or one that is being started for it.
Starts are paced (`STARTS` at once for each pool): a burst of short events is then served by the few environments
that it needs, and a burst of long ones still gets one for each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fogbank.runtime.environment import Environment, InitFailure
from fogbank.runtime.model import EnvironmentLimitError, FunctionVersion, State

STARTS = 4
"""Environments of one version that may be in their init phase at once."""


class InitFailedError(Exception):
    """The init phase failed; `failure` is what the caller is told."""

    def __init__(self, failure: InitFailure) -> None:
        super().__init__(failure.error_type)
        self.failure = failure


@dataclass(slots=True)
class _Waiter:
    future: asyncio.Future[Environment]


class Pool:
    """See the module. `start` makes a ready environment or raises; `admit` says whether one more may be made."""

    def __init__(
        self,
        version: FunctionVersion,
        *,
        start: Callable[[Pool], Awaitable[Environment]],
        admit: Callable[[], bool],
        spawn: Callable[[Awaitable[None]], object],
    ) -> None:
        self.version = version
        self.retired = False
        self._start = start
        self._admit = admit
        self._spawn = spawn
        self._idle: list[Environment] = []
        self._all: set[Environment] = set()
        self._waiting: deque[_Waiter] = deque()
        self._starting = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is alive, starting or waiting."""
        return not (self._all or self._waiting or self._starting)

    @property
    def environments(self) -> set[Environment]:
        """Those alive, starting ones included."""
        return self._all

    def take(self) -> Environment | None:
        """An idle environment, the one that was used last, if there is one."""
        while self._idle:
            environment = self._idle.pop()
            if environment.state is State.IDLE:
                return environment
        return None

    async def wait(self) -> Environment:
        """An environment for an event: one that becomes free, or a new one.

        Raises `InitFailedError`, `EnvironmentLimitError` or `StartError`.
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
            if not self._admit():
                if self._starting == 0:
                    self.refuse_all()
                return
            self._starting += 1
            self._spawn(self._start_one())

    async def _start_one(self) -> None:
        try:
            environment = await self._start(self)
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

    def free(self, environment: Environment) -> bool:
        """An environment can take an event: the next that waits gets it. Whether it is idle now."""
        if environment.state is not State.IDLE:
            return False
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.future.done():
                waiter.future.set_result(environment)
                return False
        if self.retired:
            environment.end()
            return False
        self._idle.append(environment)
        return True

    def add(self, environment: Environment) -> None:
        """One more is alive."""
        self._all.add(environment)

    def remove(self, environment: Environment) -> None:
        """One has ended."""
        self._all.discard(environment)
        if environment in self._idle:
            self._idle.remove(environment)

    def retire(self) -> None:
        """The version is replaced or deleted: end what is idle; what runs finishes first."""
        self.retired = True
        idle, self._idle = self._idle, []
        for environment in idle:
            environment.end()

    def refuse_all(self) -> None:
        """Nobody who waits will be served."""
        while self._waiting:
            self._fail_one(EnvironmentLimitError())
