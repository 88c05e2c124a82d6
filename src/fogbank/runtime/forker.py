"""What forks environments, seen from Fogbank: a process at the other end of a control socket.

There are two of them: the prepared parent of an interpreter (`parent.py`), and a snapshot, the parent that has run a
version's init code (`snapshots.py`). See `guest/zygote.py` for the other end and for the wire between them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from fogbank.runtime.model import Exit, StartError

_log = logging.getLogger("fogbank.runtime")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What an environment's sandbox holds; see `Shell` in `guest/sandbox.py`.

    `binds` are (source, target, writable); `tmp` is the size of /tmp in MB, 0 if it is bound. With `ports` it has a
    network of its own, which is nothing but sockets that listen at those ports, and one for datagrams at each of
    `datagrams`: they are in `Forked`. `copied`: it is to be a snapshot's, and others are made within it.
    """

    binds: Sequence[tuple[str, str, bool]]
    tmp: int
    ports: Sequence[int] | None = None
    copied: bool = False
    datagrams: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Forked:
    """A new environment: its process, the first process of its sandbox (0 without one), and the sandbox's sockets."""

    pid: int
    first: int = 0
    sockets: Sequence[int] = ()

    def close(self) -> None:
        """Close the sockets: nobody will answer on them."""
        _close(self.sockets)


@dataclass(frozen=True, slots=True)
class Order:
    """What a new environment is to be; see `Plan` in `guest/child.py`.

    `limits` are those of resources by name, or pairs of what holds and what it may be raised to.
    """

    id: str
    environ: Mapping[str, str]
    folder: str
    path: Sequence[str] = ()
    pycache: str | None = None
    limits: Mapping[str, int | tuple[int, int]] = field(default_factory=dict)
    argv: Sequence[str] | None = None
    snapshot: bool = False
    """Whether it is to become a parent itself when its init phase is over."""
    sandbox: Sandbox | None = None


class _Said(msgspec.Struct, tag_field="is", frozen=True):
    """Anything that the parent says."""


class _Ready(_Said, tag="ready", frozen=True):
    python: str
    modules: list[str]
    problem: str | None = None


class _Started(_Said, tag="started", frozen=True):
    id: str
    pid: int
    first: int = 0
    """The first process of its sandbox, whose children are what the environment's own have left behind."""


class _Failed(_Said, tag="failed", frozen=True):
    id: str
    problem: str


class _Ended(_Said, tag="ended", frozen=True):
    id: str
    status: int | None
    signal: int | None
    resident: int


_decode = msgspec.json.Decoder(_Ready | _Started | _Failed | _Ended).decode
_encode = msgspec.json.Encoder().encode


class Forker:
    """The control socket of a process that forks. When the process ends, all that it forked has ended."""

    def __init__(self) -> None:
        self.alive = False
        self._socket: socket.socket | None = None
        self._starting: dict[str, asyncio.Future[Forked]] = {}
        self._watched: dict[str, Callable[[Exit], None]] = {}
        self._ready: asyncio.Future[str | None] | None = None

    def listen(self, control: socket.socket) -> asyncio.Future[str | None]:
        """Begin to listen. The future is done when the process can fork: what it lacks, if anything."""
        loop = asyncio.get_running_loop()
        control.setblocking(False)
        self._socket = control
        self._ready = loop.create_future()
        self.alive = True
        loop.add_reader(control.fileno(), self._readable)
        return self._ready

    async def fork(self, order: Order, descriptors: Sequence[int], ended: Callable[[Exit], None]) -> Forked:
        """Fork an environment. `ended` is called once, when it has gone.

        `descriptors`: the pipe that it prints to, and for a snapshot its control socket.
        """
        if self._socket is None or not self.alive:
            raise StartError("the parent of the environment is not running")
        message = {
            "do": "start",
            "id": order.id,
            "environ": order.environ,
            "folder": order.folder,
            "path": order.path,
            "pycache": order.pycache,
            "limits": order.limits,
            "argv": order.argv,
            "snapshot": order.snapshot,
            "sandbox": order.sandbox,
        }
        future: asyncio.Future[Forked] = asyncio.get_running_loop().create_future()
        self._starting[order.id] = future
        self._watched[order.id] = ended
        try:
            socket.send_fds(self._socket, [_encode(message)], list(descriptors))
        except OSError as error:
            self._watched.pop(order.id, None)
            raise StartError(f"the parent of the environment cannot be reached: {error}") from error
        finally:
            if order.id not in self._watched:
                del self._starting[order.id]
        try:
            return await future
        finally:
            self._starting.pop(order.id, None)

    def end(self, name: str) -> None:
        """Kill an environment and all that it started; its `ended` is called when it has gone."""
        if self._socket is not None and name in self._watched:
            with contextlib.suppress(OSError):
                self._socket.send(_encode({"do": "end", "id": name}))

    def _readable(self) -> None:
        if self._socket is None:
            return
        while True:
            try:
                data, sockets, _, _ = socket.recv_fds(self._socket, 1 << 20, 4)
            except BlockingIOError:
                return
            except OSError:
                data, sockets = b"", []
            if not data:
                self.lose()
                return
            try:
                said = _decode(data)
            except msgspec.DecodeError:  # a snapshot holds the code of a user, who may have found the socket
                _log.warning("a process that forks environments said what cannot be understood; it is given up")
                _close(sockets)
                self.lose()
                return
            self._heard(said, sockets)

    def _heard(self, said: _Ready | _Started | _Failed | _Ended, sockets: list[int]) -> None:
        match said:
            case _Ready():
                if self._ready is not None and not self._ready.done():
                    self._ready.set_result(said.problem)
            case _Started():
                future = self._starting.get(said.id)
                if future is not None and not future.done():
                    future.set_result(Forked(said.pid, said.first, sockets))
                    return
            case _Failed():
                self._watched.pop(said.id, None)
                future = self._starting.get(said.id)
                if future is not None and not future.done():
                    future.set_exception(StartError(f"cannot fork an environment: {said.problem}"))
            case _Ended():
                ended = self._watched.pop(said.id, None)
                if ended is not None:
                    ended(Exit(said.status, said.signal, said.resident * 1024))
        _close(sockets)

    def lose(self) -> None:
        """The socket is closed, from either side: the process kills all that it forked, and goes."""
        self.alive = False
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._socket = None
        lost = StartError("the parent of the environment has ended")
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(lost)
        for future in self._starting.values():
            if not future.done():
                future.set_exception(lost)
        watched, self._watched = self._watched, {}
        for ended in watched.values():
            ended(Exit(None, 9))


def _close(descriptors: Sequence[int]) -> None:
    for fd in descriptors:
        os.close(fd)
