"""The prepared parent: forks execution environments when Fogbank asks.

It runs outside Fogbank's own process, in the interpreter of the functions, and imports only the standard library,
the runtime client beside it and, where it can, boto3. It holds no user state, no threads and no sockets but the one
to Fogbank, so that a child can share nothing by mistake.

Wire: one JSON document per message of a SOCK_SEQPACKET socket, whose descriptor is the first argument.

    to the parent      {"do": "start", "id", "environ", "folder", "path", "pycache", "limits", "argv"?, "snapshot"?}
                         + output pipe, and for a snapshot the control socket that it is to have as a parent itself
                       {"do": "end", "id"}
    from the parent    {"is": "ready", "python", "modules", "problem"}
                       {"is": "started", "id", "pid"}   {"is": "failed", "id", "problem"}
                       {"is": "ended", "id", "status", "signal", "resident"}

When the socket closes, which it does however Fogbank ends, the parent kills every environment with all that it
started, and goes. Runs on Python 3.9 and later.
"""

# ruff: noqa: PTH110, PTH118, PTH123 - what is imported here is imported in every function
# ruff: noqa: BLE001 - a package that cannot be imported is reported, whatever it raises
# ruff: noqa: SIM105 - the same

from __future__ import annotations

import ctypes
import fcntl
import functools
import gc
import importlib
import json
import os
import resource
import select
import signal
import site
import socket
import sys
import time
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
MESSAGE = 1 << 20
CONTROL = 256
"""Where a snapshot's control socket is: past the descriptors that are closed, and below what init code opens first."""
TAGS = ("AWS_LAMBDA_LOG_STREAM_NAME", "FOGBANK_ENVIRONMENT")
"""Variables that tell whose environment a process is of."""

_libc = ctypes.CDLL(None, use_errno=True)
snapshot: Any = importlib.import_module("snapshot")  # beside this file; the guest is no package


class Plan:
    """What a child is to become: its environment, folder and limits, and a command if it is not Python."""

    def __init__(self, message: dict[str, Any], output: int, control: int | None = None) -> None:
        self.environ: dict[str, str] = message["environ"]
        self.folder: str = message["folder"]
        self.path: list[str] = message.get("path", [])
        self.pycache: str | None = message.get("pycache")
        self.limits: dict[str, int] = message.get("limits", {})
        self.argv: list[str] | None = message.get("argv")
        self.output = output
        self.control = control


class Parent:
    """Forks, reaps and kills."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.children: dict[str, int] = {}  # id -> pid
        self.ids: dict[int, str] = {}  # pid -> id
        self.tags: dict[str, str] = {}  # the environment's log stream -> id

    def run(self, modules: list[str], problem: str | None) -> Plan | None:
        """Serve until the socket closes; returns a `Plan` in a child, `None` in the parent."""
        woken, waker = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(waker, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)  # a terminal's signal is Fogbank's to answer
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.say({"is": "ready", "python": sys.version.split()[0], "modules": modules, "problem": problem})
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(woken, select.POLLIN)
        while True:
            for ready, _ in poll.poll():
                if ready == woken:
                    self.drain(woken)
                    continue
                data, fds = self.hear()
                if not data:
                    self.end_all()
                    return None
                plan = self.obey(json.loads(data), fds)
                if plan is not None:
                    os.close(woken)
                    os.close(waker)
                    return plan
            self.reap()

    def say(self, message: dict[str, Any]) -> None:
        try:
            self.control.send(json.dumps(message).encode())
        except OSError:
            pass  # Fogbank is gone; the next read says so

    def hear(self) -> tuple[bytes, list[int]]:
        try:
            data, ancillary, _, _ = self.control.recvmsg(MESSAGE, socket.CMSG_SPACE(16))
        except ConnectionError:
            return b"", []
        fds: list[int] = []
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds += memoryview(payload).cast("i").tolist()
        return data, fds

    @staticmethod
    def drain(pipe: int) -> None:
        try:
            while os.read(pipe, 512):
                pass
        except BlockingIOError:
            pass

    def obey(self, message: dict[str, Any], fds: list[int]) -> Plan | None:
        """Do what Fogbank asks; a `Plan` in the child that it forked."""
        name = message["id"]
        if message["do"] == "end":
            pid = self.children.get(name)
            if pid is not None:
                kill_group(pid)
            return None
        try:
            pid = os.fork()
        except OSError as error:
            for fd in fds:
                os.close(fd)
            self.say({"is": "failed", "id": name, "problem": str(error)})
            return None
        if pid == 0:
            return Plan(message, *fds)
        for fd in fds:
            os.close(fd)
        self.children[name] = pid
        self.ids[pid] = name
        for tag in TAGS:
            if tag in message["environ"]:
                self.tags[message["environ"][tag]] = name
        self.say({"is": "started", "id": name, "pid": pid})
        return None

    def reap(self) -> None:
        """Report what has ended. A child's whole group goes with it, before its number can be given to another."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            name = self.ids.pop(ended.si_pid, None)
            if name is not None:
                kill_group(ended.si_pid)
            _, status, usage = os.wait4(ended.si_pid, 0)
            if name is None:
                continue  # something that a function started and left behind
            del self.children[name]
            self.tags = {tag: owner for tag, owner in self.tags.items() if owner != name}
            self.end_strays()
            killed = os.WIFSIGNALED(status)
            self.say(
                {
                    "is": "ended",
                    "id": name,
                    "status": None if killed else os.WEXITSTATUS(status),
                    "signal": os.WTERMSIG(status) if killed else None,
                    "resident": usage.ru_maxrss,
                }
            )

    def end_strays(self) -> None:
        """Kill what left its group and outlived its environment: it has become our child, by PR_SET_CHILD_SUBREAPER."""
        try:
            with open(f"/proc/self/task/{os.getpid()}/children") as file:
                pids = [int(pid) for pid in file.read().split()]
        except OSError:
            return
        for pid in pids:
            if pid in self.ids:
                continue
            if self.owner(pid) not in self.children:
                kill(pid)

    def owner(self, pid: int) -> str | None:
        """The environment that a stray says it belongs to."""
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                pairs = file.read().split(b"\0")
        except OSError:
            return None
        for pair in pairs:
            name, _, value = pair.decode(errors="replace").partition("=")
            if name in TAGS:
                return self.tags.get(value)
        return None

    def end_all(self) -> None:
        """Fogbank is gone: so is everything that it ran."""
        for pid in list(self.ids):
            kill_group(pid)
        self.children.clear()
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    self.ids.clear()
                    self.tags.clear()
                    self.end_strays()
                    time.sleep(0.002)
            except ChildProcessError:
                return


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    kill(pid)  # it may have been killed before it had a group of its own


def become(plan: Plan, parent: int) -> None:
    """Turn a fresh child into an execution environment: own group, descriptors, limits, environment, folder."""
    leave(parent)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print_to(plan.output)
    kept = 3
    if plan.argv:
        os.dup2(plan.output, 3, inheritable=True)  # the telemetry pipe: framed records, in order with the rest
        kept = 4
    elif plan.control is not None:
        plan.control = fcntl.fcntl(plan.control, fcntl.F_DUPFD_CLOEXEC, CONTROL)
    os.closerange(kept, CONTROL)
    limit("RLIMIT_CORE", 0)
    for name, value in plan.limits.items():
        limit(name, value)
    os.umask(0o022)
    os.environ.clear()
    os.environ.update(plan.environ)
    time.tzset()
    os.chdir(plan.folder)


def leave(parent: int) -> None:
    """Be a group of one's own, that ends with the parent and hears no signals for it."""
    os.setpgid(0, 0)  # a session of its own would cost milliseconds, and none has a terminal
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    signal.set_wakeup_fd(-1)


def print_to(output: int) -> None:
    """Read from nowhere, print to `output`."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, target, inheritable=True)
    os.close(nothing)


def stay_as_snapshot(control: int, initial: dict[str, str]) -> None:
    """Be a snapshot: fork environments from what has been initialized. Returns in each of them, never here.

    `initial` are the variables that the init code began with.
    """
    problem = snapshot.obstacle()
    descriptors = snapshot.Descriptors({control})
    handlers = snapshot.Handlers()
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    gc.freeze()
    ours = os.getpid()
    parent = Parent(socket.socket(fileno=control))
    plan = parent.run([], problem)
    if plan is None:
        os._exit(0)
    leave(ours)
    parent.control.close()
    handlers.restore()
    print_to(plan.output)
    os.close(plan.output)
    if collecting:
        gc.enable()
    for name, value in plan.environ.items():
        if initial.get(name) != value:  # the rest is as the init code left it
            os.environ[name] = value
    old = initial["TMPDIR"]
    descriptors.renew(old, plan.environ["TMPDIR"])
    snapshot.renew_state(old)


def limit(name: str, value: int) -> None:
    number = getattr(resource, name, None)
    if number is None:
        return
    _, hard = resource.getrlimit(number)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(number, (value, value))


def prepare(packages: list[str]) -> str | None:
    """Import what functions are offered; what went wrong, if anything."""
    problem = None
    for name in packages:
        try:
            __import__(name)
        except Exception as error:
            problem = f"{name}: {error}"
            break
    return problem


def main() -> tuple[Any, Plan, list[str]] | None:
    """argv: the control socket's descriptor, the runtime's folder, then the packages to offer."""
    number, folder, packages = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    sys.path.insert(0, folder)
    site.setquit()
    site.setcopyright()
    site.sethelper()
    bootstrap = importlib.import_module("bootstrap")
    bootstrap.preload()
    standard = set(sys.modules)
    problem = prepare(packages)
    offered = sorted(
        name
        for name in {module.partition(".")[0] for module in set(sys.modules) - standard}
        if os.path.exists(os.path.join(folder, name)) or os.path.exists(os.path.join(folder, name + ".py"))
    )
    control = socket.socket(fileno=number)
    control.set_inheritable(False)
    gc.collect()
    gc.disable()  # a collection in the parent would move objects that children share
    gc.freeze()
    parent = os.getpid()
    plan = Parent(control).run(offered, problem)
    if plan is None:
        return None
    control.detach()
    become(plan, parent)
    if plan.argv:
        os.execve(plan.argv[0], plan.argv, plan.environ)  # noqa: S606 - that is what it is for
    gc.enable()
    return bootstrap, plan, offered


def begin() -> None:
    """Be the prepared parent, and in each child what was ordered."""
    found = main()
    if found is None:
        return
    bootstrap, plan, offered = found
    for name in ("zygote", "snapshot"):  # no business of the function
        sys.modules.pop(name, None)
    sys.pycache_prefix = plan.pycache
    pause = None
    if plan.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        stay = None if plan.control is None else functools.partial(stay_as_snapshot, plan.control, plan.environ)
        pause = functools.partial(snapshot.pause, stay=stay)
    bootstrap.start(plan.path, offered, pause)
