"""SnapStart: a version's init code runs once, in a process that every environment of the version is forked from.

    taken ──ready──▶ kept ──forks──▶ environments
      │                └──retired, or one too many──▶ ended, with all of them
      ├──init fails──▶ the version cannot run
      └──threads or processes left, which a fork cannot copy──▶ no snapshot: each environment is initialized by itself

A snapshot runs a user's code, so what it says of itself is not believed: the process ids that it reports must be those
of its own descendants, and what is to end is killed from here as well. In a sandbox each environment has one of its
own within the snapshot's (`InnerShell` in `guest/sandbox.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fogbank.runtime.environment import Environment
from fogbank.runtime.forker import Forked, Forker, Order
from fogbank.runtime.model import Exit, FunctionVersion, InitFailure, StartError

MAX_SNAPSHOTS = 64
"""Snapshots that are kept; past them the one that was used longest ago goes, and is taken again when it is needed."""
_READY_TIMEOUT = 30.0
_LOOKS = 3
_NEW = 8
"""Children of a snapshot, the newest of them, that may be making sandboxes."""
_INSIST = 1.0
"""Seconds after which a snapshot goes that has not said that an environment it was to end has gone."""


class InitFailedError(Exception):
    """The init phase failed; `failure` is what the caller is told."""

    def __init__(self, failure: InitFailure) -> None:
        super().__init__(failure.error_type)
        self.failure = failure


class SnapshotParent(Forker):
    """The process that has been initialized, as the parent of environments."""

    def __init__(self, initialized: Environment) -> None:
        super().__init__()
        self.initialized = initialized
        self._forked: dict[str, Forked] = {}
        self._retired = False

    async def fork(self, order: Order, descriptors: Sequence[int], ended: Callable[[Exit], None]) -> Forked:
        """See `Forker.fork`."""

        def gone(exit_: Exit) -> None:
            self._forked.pop(order.id, None)
            ended(exit_)
            if self._retired and not self.used:
                self.initialized.end()

        said = await super().fork(order, descriptors, gone)
        pid = descendant_of(self.initialized.pid, said.pid)
        first = descendant_of(self.initialized.pid, said.first) if order.sandbox is not None else 0
        if pid is None or first is None:
            self.initialized.end()
            said.close()
            raise StartError("the snapshot named a process that is not its own")
        forked = Forked(pid, first, said.sockets)
        if order.id in self._watched:
            self._forked[order.id] = forked
        return forked

    def end(self, name: str) -> None:
        """See `Forker.end`."""
        super().end(name)
        forked = self._forked.get(name)
        if forked is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if forked.first:
                    os.kill(forked.first, signal.SIGKILL)
                else:
                    os.killpg(forked.pid, signal.SIGKILL)
            asyncio.get_running_loop().call_later(_INSIST, self._insist, name)

    def _insist(self, name: str) -> None:
        if name in self._forked:
            self.initialized.end()

    def retire(self) -> None:
        """End as soon as no environment of it is alive."""
        self._retired = True
        if not self.used:
            self.initialized.end()

    @property
    def used(self) -> bool:
        """Whether any environment of it is alive."""
        return bool(self._watched)


@dataclass(slots=True)
class Snapshot:
    """What there is of a version's snapshot: its parent, or `None` if environments are initialized by themselves."""

    parent: SnapshotParent | None
    files: Path | None = None
    """What the init code left in its temporary folder, if anything."""


class Initializer(Protocol):
    """Who makes the environment that becomes a snapshot: the runtime."""

    async def prepare_snapshot(
        self, version: FunctionVersion, control: int, made: Callable[[Environment], None]
    ) -> Environment:
        """Start it with its control socket, tell `made` of it, and wait until its init phase is over.

        Raises `InitFailedError` if the init phase fails.
        """
        ...


class Snapshots:
    """The snapshots of all versions. `spawn` runs a coroutine as a task that somebody owns."""

    def __init__(
        self, initializer: Initializer, spawn: Callable[[Coroutine[object, object, Snapshot]], asyncio.Task[Snapshot]]
    ) -> None:
        self._initializer = initializer
        self._spawn = spawn
        self._known: dict[str, Snapshot] = {}
        """The one that was used last is the last."""
        self._taking: dict[str, asyncio.Task[Snapshot]] = {}
        self.starting: set[Environment] = set()
        """Those in their init phase: somebody watches their memory."""

    async def of(self, version: FunctionVersion) -> Snapshot:
        """The version's snapshot, taken now if there is none. Whoever stops waiting does not stop it.

        Raises `InitFailedError` or `StartError`.
        """
        known = self._known.pop(version.key, None)
        if known is not None and (known.parent is None or known.parent.alive):
            self._known[version.key] = known
            return known
        taking = self._taking.get(version.key)
        if taking is None:
            taking = self._taking[version.key] = self._spawn(self._take(version))
            taking.add_done_callback(lambda _: self._taking.pop(version.key, None))
        return await asyncio.shield(taking)

    async def _take(self, version: FunctionVersion) -> Snapshot:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent: SnapshotParent | None = None
        ready: asyncio.Future[str | None] | None = None

        def made(environment: Environment) -> None:
            nonlocal parent, ready
            self.starting.add(environment)
            parent = SnapshotParent(environment)
            ready = parent.listen(ours)

        try:
            initialized = await self._initializer.prepare_snapshot(version, theirs.fileno(), made)
            assert parent is not None
            assert ready is not None
            theirs.close()
            problem = await asyncio.wait_for(ready, _READY_TIMEOUT)
        except (InitFailedError, StartError, TimeoutError) as error:
            self._give_up(parent, ours)
            if isinstance(error, TimeoutError):
                raise StartError("the snapshot did not become ready") from None
            raise
        finally:
            theirs.close()
            if parent is not None:
                self.starting.discard(parent.initialized)
            if ready is not None and ready.done() and not ready.cancelled():
                ready.exception()  # whoever waited for the init phase has been told
        if problem is not None:
            initialized.note(f"SnapStart: {problem}, which a snapshot cannot hold; each environment is initialized")
            self._give_up(parent, ours)
            snapshot = Snapshot(None)
        else:
            folder = initialized.folder / "tmp"
            snapshot = Snapshot(parent, folder if any(folder.iterdir()) else None)
        self._known[version.key] = snapshot
        self._make_room()
        return snapshot

    @staticmethod
    def _give_up(parent: SnapshotParent | None, control: socket.socket) -> None:
        if parent is None:
            control.close()
            return
        parent.lose()
        parent.initialized.end()

    def _make_room(self) -> None:
        for key, snapshot in list(self._known.items()):
            if len(self._known) <= MAX_SNAPSHOTS:
                return
            if snapshot.parent is None or not snapshot.parent.used:
                self.drop(key)

    def drop(self, key: str) -> None:
        """A version is no more: end its snapshot when the last environment of it has ended."""
        snapshot = self._known.pop(key, None)
        if snapshot is not None and snapshot.parent is not None:
            snapshot.parent.retire()

    def clear(self) -> list[asyncio.Future[None]]:
        """End all of them now; what is done when they have gone."""
        known, self._known = self._known, {}
        ending = []
        for environment in (*self.starting, *(s.parent.initialized for s in known.values() if s.parent is not None)):
            environment.end()
            ending.append(environment.ended)
        return ending


def descendant_of(snapshot: int, said: int) -> int | None:
    """The process id, as seen from here, of what a snapshot has forked and knows as `said`; `None` if it has not.

    Until the process that makes a sandbox has passed on, what it makes are the snapshot's grandchildren.
    """
    level = len(_field(snapshot, "NSpid:")) - 1
    for _ in range(_LOOKS):
        children = _children(snapshot)[::-1]
        for pid in [*children, *(grandchild for child in children[:_NEW] for grandchild in _children(child))]:
            if _field(pid, "NSpid:")[level : level + 1] == [said]:
                return pid
    return None


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _field(pid: int, name: str) -> list[int]:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return [int(word) for word in line.split()[1:]]
    except OSError:
        pass
    return []
