"""The one lifecycle of everything that runs on its own: pumps, pollers, timers, reapers.

An actor is started once, owns its tasks, and is stopped once; stopping awaits what it had under way. A task
that fails is reported and takes its actor down loudly in tests, and is restarted by the supervisor in a server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger("fogbank")


class Actor:
    """Owns tasks from `start` to `stop`. Subclasses override `on_start` and, if they must, `on_stop`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self.running = False

    async def start(self) -> None:
        """Begin. Starting twice is a defect."""
        if self.running:
            raise RuntimeError(f"{type(self).__name__} is already running")
        self.running = True
        await self.on_start()

    async def stop(self) -> None:
        """End: let `on_stop` finish what was accepted, then cancel and await every task that is left."""
        if not self.running:
            return
        self.running = False
        await self.on_stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def on_start(self) -> None:
        """What there is to do at the start: usually `self.spawn(self._run())`."""

    async def on_stop(self) -> None:
        """What there is to do before the tasks are cancelled."""

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, name: str | None = None) -> asyncio.Task[Any]:
        """Run a coroutine as a task that this actor owns."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            _log.error("%s: a task failed: %r", type(self).__name__, error, exc_info=error)
