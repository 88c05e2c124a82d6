"""The snapshot of an initialized function: a process that has run the init code and forks environments from there.

What a fork would share by mistake with the others is made anew in each: descriptors (`Descriptors`) and the state of
random generators and identifiers (`renew_state`). What a fork cannot copy, threads and child processes, is found
before (`obstacle`): then there is no snapshot, and every environment is initialized by itself.
Runs on Python 3.9 and later.
"""

# ruff: noqa: PTH115, PTH123, PTH208 - paths stay strings in the guest
# ruff: noqa: BLE001 - whatever a hook raises is reported
# ruff: noqa: SLF001 - what has to be made anew is not public
# ruff: noqa: SIM105 - contextlib need not be imported into every function

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import socket
import stat
import struct
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_UNIX_DIAG_PEER = 2
_HEADER = struct.Struct("=IHHII")
_UNIX_REQUEST = struct.Struct("=BBHIIIII")
_UNIX_REPLY = struct.Struct("=BBBBIII")
_ATTRIBUTE = struct.Struct("=HH")
_REOPENED = os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK

_libc = ctypes.CDLL(None, use_errno=True)


def pause(bootstrap: Any, connection: Any, stay: Callable[[], None] | None) -> Any:
    """The end of the init phase with SnapStart: the hooks before and after, and between them the snapshot.

    `stay` returns in every environment that is made from it; without one this process goes on itself. The registry of
    hooks is that of AWS's `snapshot_restore_py`, the order and the exit codes are those of `awslambdaric`.
    """
    hooks = sys.modules.get("snapshot_restore_py")
    try:
        before = hooks.get_before_snapshot() if hooks else []
        while before:  # in the reverse order of their registration
            function, arguments, options = before.pop()
            function(*arguments, **options)
        connection.restore()
    except BaseException as error:
        bootstrap.report(connection, "init/error", error, "Runtime.BeforeSnapshotError")
        sys.exit(64)
    sys.stdout.flush()
    sys.stderr.flush()
    if stay is not None:
        connection.socket.close()
        stay()
        connection = bootstrap.Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        for function, arguments, options in hooks.get_after_restore() if hooks else []:
            function(*arguments, **options)
    except BaseException as error:
        bootstrap.report(connection, "restore/error", error, "Runtime.AfterRestoreError")
        sys.exit(65)
    return connection


def obstacle() -> str | None:
    """What the init code has left behind that a fork cannot copy, in words; `None` if there is nothing."""
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others or len(sys._current_frames()) > 1:
        return f"the init code left threads running ({', '.join(others) or 'without names'})"
    if children():
        return "the init code left processes running"
    probe = os.fork()  # libraries that know of forks, as OpenBLAS does, end their threads before one
    if probe == 0:
        os._exit(0)
    os.waitpid(probe, 0)
    for _ in range(50):
        count = len(os.listdir("/proc/self/task"))
        if count == 1:
            return None
        time.sleep(0.002)
    return f"a library left {count - 1} threads of its own running"


def children() -> list[int]:
    """The process ids of this process's children."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


class Handlers:
    """The function's own signal handlers, put aside while the process is a parent."""

    _numbers = (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.wakeup = signal.set_wakeup_fd(-1)
        self.kept = {number: signal.getsignal(number) for number in self._numbers}

    def restore(self) -> None:
        """Put them back."""
        for number, handler in self.kept.items():
            if handler is not None:
                signal.signal(number, handler)
        signal.set_wakeup_fd(self.wakeup)


class Descriptors:
    """The open descriptors of the init code, and how each environment gets its own.

    A pipe or a pair of sockets with both ends here is made anew, and so is what polls them. A file is opened again
    at the same place. A connection leads elsewhere: it is broken in every environment, as it would be on Lambda
    after a while, and clients connect again. A datagram socket has no connection to lose and is made anew.
    """

    def __init__(self, kept: set[int]) -> None:
        self.kinds: dict[int, str] = {}
        for name in os.listdir("/proc/self/fd"):
            number = int(name)
            if number < 3 or number in kept:
                continue
            try:
                self.kinds[number] = os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                continue  # the one that lists them
        self.peers = unix_peers() if any(kind.startswith("socket:") for kind in self.kinds.values()) else {}

    def renew(self, old_folder: str, new_folder: str) -> None:
        """Give this process its own. Paths in `old_folder` are looked for in `new_folder`."""
        if not self.kinds:
            return
        self.renew_pipes()
        self.renew_sockets()
        polls = []
        for number, kind in self.kinds.items():
            if kind == "anon_inode:[eventpoll]":
                polls.append(number)
            elif kind == "anon_inode:[eventfd]":
                put(_libc.eventfd(0, flags_of(number) & os.O_NONBLOCK), number)
            elif kind.startswith("anon_inode:"):
                put(broken(), number)
            elif kind.startswith("/"):
                self.reopen(number, kind, old_folder, new_folder)
        for number in polls:
            self.renew_poll(number)

    def renew_pipes(self) -> None:
        for inode in {kind for kind in self.kinds.values() if kind.startswith("pipe:")}:
            ends = [number for number, kind in self.kinds.items() if kind == inode]
            reading = [number for number in ends if flags_of(number) & os.O_ACCMODE == os.O_RDONLY]
            writing = [number for number in ends if number not in reading]
            if not reading or not writing:
                for number in ends:
                    put(broken(), number)
                continue
            source, sink = os.pipe()
            for end, numbers in ((source, reading), (sink, writing)):
                for number in numbers:
                    put(os.dup(end), number)
                os.close(end)

    def renew_sockets(self) -> None:
        numbers = {
            int(kind[8:-1]): number for number, kind in self.kinds.items() if kind.startswith("socket:")
        }  # by inode
        done = set()
        for inode, number in numbers.items():
            if inode in done:
                continue
            peer = self.peers.get(inode)
            try:
                old = socket.socket(fileno=os.dup(number))
                kind = old.type & ~(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
                if peer in numbers and peer != inode:
                    one, other = socket.socketpair(old.family, kind)
                    put(one.detach(), number)
                    put(other.detach(), numbers[peer])
                    done.add(peer)
                elif kind == socket.SOCK_DGRAM and old.family in (socket.AF_INET, socket.AF_INET6):
                    put(datagram(old).detach(), number)
                else:
                    put(broken(), number)
                old.close()
            except OSError:
                put(broken(), number)

    @staticmethod
    def reopen(number: int, path: str, old_folder: str, new_folder: str) -> None:
        try:
            state = os.fstat(number)
            inside = path == old_folder or path.startswith(old_folder + "/")
            if stat.S_ISDIR(state.st_mode) and inside:
                put(os.open(new_folder + path[len(old_folder) :], os.O_RDONLY | os.O_DIRECTORY), number)
            if not stat.S_ISREG(state.st_mode):
                return
            flags = flags_of(number)
            moved = inside and state.st_nlink
            place = new_folder + path[len(old_folder) :] if moved else f"/proc/self/fd/{number}"
            at = os.lseek(number, 0, os.SEEK_CUR)
            if state.st_nlink == 0:
                fresh = copy_of(number, state.st_size, new_folder)
            else:
                fresh = os.open(place, flags & _REOPENED)
            os.lseek(fresh, at, os.SEEK_SET)
            put(fresh, number)
        except OSError:
            put(broken(), number)

    @staticmethod
    def renew_poll(number: int) -> None:
        fresh = select.epoll()
        with open(f"/proc/self/fdinfo/{number}") as file:
            for line in file:
                words = line.split()
                if words and words[0] == "tfd:":
                    try:
                        fresh.register(int(words[1]), int(words[3], 16))
                    except OSError:
                        pass  # it was closed
        put(os.dup(fresh.fileno()), number)
        fresh.close()


def flags_of(number: int) -> int:
    """How a descriptor was opened."""
    return fcntl.fcntl(number, fcntl.F_GETFL)


def put(fresh: int, number: int) -> None:
    """Let `number` mean what `fresh` is, blocking and inherited as it was."""
    waits = flags_of(number) & os.O_NONBLOCK
    os.dup2(fresh, number, inheritable=os.get_inheritable(number))
    os.close(fresh)
    now = flags_of(number)
    if now & os.O_NONBLOCK != waits:
        fcntl.fcntl(number, fcntl.F_SETFL, (now & ~os.O_NONBLOCK) | waits)


def broken() -> int:
    """A descriptor whose other side has hung up: it reads as ended, and writing to it fails."""
    one, other = socket.socketpair()
    other.close()
    return one.detach()


def datagram(old: socket.socket) -> socket.socket:
    """Another datagram socket to the same peer."""
    fresh = socket.socket(old.family, old.type, old.proto)
    try:
        fresh.connect(old.getpeername())
    except OSError:
        pass  # it has no peer
    return fresh


def copy_of(number: int, size: int, folder: str) -> int:
    """A file without a name, as `number` is, with the same contents."""
    fresh = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    at = 0
    while at < size:
        piece = os.pread(number, min(size - at, 1 << 20), at)
        if not piece:
            break
        at += os.write(fresh, piece)
    return fresh


def unix_peers() -> dict[int, int]:
    """Which local sockets are connected with each other, by inode: asked of the kernel (man 7 sock_diag)."""
    found: dict[int, int] = {}
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            body = _UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, 4, 0xFFFFFFFF, 0xFFFFFFFF)
            kernel.send(_HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, 0x301, 1, 0) + body)
            while True:
                data = kernel.recv(1 << 16)
                at = 0
                while at + _HEADER.size <= len(data):
                    length, kind, *_ = _HEADER.unpack_from(data, at)
                    if kind != _SOCK_DIAG_BY_FAMILY:
                        return found  # that was all, or it is not answered
                    read_peer(data[at + _HEADER.size : at + length], found)
                    at += (length + 3) & ~3
    except OSError:
        return found


def read_peer(message: bytes, found: dict[int, int]) -> None:
    """Note the peer that a message of the kernel tells of."""
    inode = _UNIX_REPLY.unpack_from(message)[4]
    at = _UNIX_REPLY.size
    while at + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        if kind == _UNIX_DIAG_PEER:
            found[inode] = struct.unpack_from("=I", message, at + _ATTRIBUTE.size)[0]
        at += max(4, (length + 3) & ~3)


def renew_state(old_folder: str) -> None:
    """Make anew what would repeat itself: generators of random numbers and identifiers, names of temporary files.

    `random` sees to itself at a fork, and so does OpenSSL; `secrets` and `os.urandom` ask the kernel.
    """
    modules: dict[str, Any] = dict(sys.modules)
    numpy = modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    ids = modules.get("uuid")
    if ids is not None:
        ids._last_timestamp = None
        ids._generate_time_safe = None  # the C library keeps its clock sequence; without it each has its own
    files = modules.get("tempfile")
    if files is not None:
        files._name_sequence = None
        if files.tempdir is not None and files.tempdir.rstrip("/") == old_folder:
            files.tempdir = None
