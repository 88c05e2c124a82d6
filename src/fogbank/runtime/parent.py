"""The prepared parent, seen from Fogbank: a process that forks execution environments on request.

See `guest/zygote.py` for the other end and for the wire between them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import msgspec

from fogbank.runtime.interpreters import Interpreter
from fogbank.runtime.model import Exit, StartError

GUEST = Path(__file__).parent / "guest"
OFFERED = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
"""What AWS's Python runtimes offer beside the standard library."""
PRELOADED = ("boto3", "botocore.session", "botocore.client", "botocore.httpsession", "botocore.handlers")
_READY_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a new environment is to be; see `Plan` in `guest/zygote.py`."""

    id: str
    environ: Mapping[str, str]
    folder: str
    path: Sequence[str] = ()
    pycache: str | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    argv: Sequence[str] | None = None


class _Said(msgspec.Struct, tag_field="is", frozen=True):
    """Anything that the parent says."""


class _Ready(_Said, tag="ready", frozen=True):
    python: str
    modules: list[str]
    problem: str | None = None


class _Started(_Said, tag="started", frozen=True):
    id: str
    pid: int


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


def lay_out(folder: Path) -> Path:
    """Fill the runtime's folder (what AWS has at /var/runtime): our client and the offered packages, nothing else.

    Returns the folder that functions see. The packages are links to those that Fogbank itself was installed with.
    """
    seen = folder / "python"
    seen.mkdir(parents=True, exist_ok=True)
    (folder / "parent").mkdir(exist_ok=True)
    _copy(GUEST / "zygote.py", folder / "parent" / "zygote.py")
    (folder / "node").mkdir(exist_ok=True)
    _copy(GUEST / "bootstrap.mjs", folder / "node" / "bootstrap.mjs")
    _copy(GUEST / "bootstrap.py", seen / "bootstrap.py")
    for name in OFFERED:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        _link(source, seen / source.name)
    return seen


def _copy(source: Path, target: Path) -> None:
    text = source.read_bytes()
    if not target.is_file() or target.read_bytes() != text:
        temporary = target.with_suffix(f".{os.getpid()}.new")
        temporary.write_bytes(text)
        temporary.replace(target)


def _link(source: Path, target: Path) -> None:
    if target.is_symlink() and target.readlink() == source:
        return
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    target.symlink_to(source)


class PreparedParent:
    """One prepared parent process. When it ends, all that it forked has ended, and `alive` is false."""

    def __init__(self, interpreter: Interpreter, folder: Path) -> None:
        self.interpreter = interpreter
        self.alive = False
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._starting: dict[str, asyncio.Future[int]] = {}
        self._watched: dict[str, Callable[[Exit], None]] = {}
        self._ready: asyncio.Future[_Ready] | None = None

    async def start(self) -> str | None:
        """Start it and wait until it can fork. Returns what it could not import, if anything."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._socket = ours
        self._ready = loop.create_future()
        try:
            self._process = await asyncio.to_thread(self._spawn, theirs.fileno())
        finally:
            theirs.close()
        self.alive = True
        loop.add_reader(ours.fileno(), self._readable)
        try:
            ready = await asyncio.wait_for(self._ready, _READY_TIMEOUT)
        except StartError:
            await self.stop()
            raise
        except TimeoutError:
            await self.stop()
            raise StartError(f"the prepared parent of {self.interpreter.title} did not become ready") from None
        return ready.problem

    def _spawn(self, control: int) -> subprocess.Popen[bytes]:
        environ = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(self._folder)}
        flags = ["-X", "utf8", "-I", "-S"]
        if self.interpreter.version.split(".")[:2] != [str(n) for n in sys.version_info[:2]]:
            # another version must not write its compiled files beside those of our own environment
            flags += ["-X", f"pycache_prefix={self._folder / 'pycache'}"]
        return subprocess.Popen(  # noqa: S603 - the interpreter that was chosen, our own program
            [
                str(self.interpreter.path),
                *flags,
                str(self._folder / "parent" / "zygote.py"),
                str(control),
                str(self._folder / "python"),
                *PRELOADED,
            ],
            pass_fds=(control,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environ,
            cwd="/",
            start_new_session=True,
        )

    async def fork(self, order: Order, output: int, ended: Callable[[Exit], None]) -> int:
        """Fork an environment that prints to `output`; its process id. `ended` is called once, when it has gone."""
        if self._socket is None or not self.alive:
            raise StartError("the prepared parent is not running")
        message = {
            "do": "start",
            "id": order.id,
            "environ": order.environ,
            "folder": order.folder,
            "path": order.path,
            "pycache": order.pycache,
            "limits": order.limits,
            "argv": order.argv,
        }
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._starting[order.id] = future
        self._watched[order.id] = ended
        try:
            socket.send_fds(self._socket, [_encode(message)], [output])
        except OSError as error:
            self._watched.pop(order.id, None)
            raise StartError(f"the prepared parent cannot be reached: {error}") from error
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

    async def stop(self) -> None:
        """End it and every environment, and wait until they have gone."""
        self._lost()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            await asyncio.to_thread(process.wait, 5)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    def _readable(self) -> None:
        if self._socket is None:
            return
        while True:
            try:
                data = self._socket.recv(1 << 20)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lost()
                return
            self._heard(_decode(data))

    def _heard(self, said: _Ready | _Started | _Failed | _Ended) -> None:
        match said:
            case _Ready():
                if self._ready is not None and not self._ready.done():
                    self._ready.set_result(said)
            case _Started():
                future = self._starting.get(said.id)
                if future is not None and not future.done():
                    future.set_result(said.pid)
            case _Failed():
                self._watched.pop(said.id, None)
                future = self._starting.get(said.id)
                if future is not None and not future.done():
                    future.set_exception(StartError(f"cannot fork an environment: {said.problem}"))
            case _Ended():
                ended = self._watched.pop(said.id, None)
                if ended is not None:
                    ended(Exit(said.status, said.signal, said.resident * 1024))

    def _lost(self) -> None:
        """The socket is closed, from either side: the parent kills everything and goes."""
        self.alive = False
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        self._socket = None
        lost = StartError("the prepared parent has ended")
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(lost)
        for future in self._starting.values():
            if not future.done():
                future.set_exception(lost)
        watched, self._watched = self._watched, {}
        for ended in watched.values():
            ended(Exit(None, 9))
