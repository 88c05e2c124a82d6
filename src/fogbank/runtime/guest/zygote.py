"""The prepared parent: forks execution environments when Fogbank asks.

It runs outside Fogbank's own process, in the interpreter of the functions, and imports only the standard library,
the runtime client beside it and, where it can, boto3. It holds no user state, no threads and no sockets but the one
to Fogbank, so that a child can share nothing by mistake.

Wire: one JSON document per message of a SOCK_SEQPACKET socket, whose descriptor is the first argument.

    to the parent      {"do": "start", "id", "environ", "folder", "path", "pycache", "limits", "argv"?}  + output pipe
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
TAG = "AWS_LAMBDA_LOG_STREAM_NAME"

_libc = ctypes.CDLL(None, use_errno=True)


class Plan:
    """What a child is to become: its environment, folder and limits, and a command if it is not Python."""

    def __init__(self, message: dict[str, Any], output: int) -> None:
        self.environ: dict[str, str] = message["environ"]
        self.folder: str = message["folder"]
        self.path: list[str] = message.get("path", [])
        self.pycache: str | None = message.get("pycache")
        self.limits: dict[str, int] = message.get("limits", {})
        self.argv: list[str] | None = message.get("argv")
        self.output = output


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
            os.close(fds[0])
            self.say({"is": "failed", "id": name, "problem": str(error)})
            return None
        if pid == 0:
            return Plan(message, fds[0])
        os.close(fds[0])
        self.children[name] = pid
        self.ids[pid] = name
        self.tags[message["environ"].get(TAG, "")] = name
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
        prefix = TAG.encode() + b"="
        for pair in pairs:
            if pair.startswith(prefix):
                return self.tags.get(pair[len(prefix) :].decode(errors="replace"))
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
    os.setpgid(0, 0)  # a session of its own would cost milliseconds, and none has a terminal
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = plan.output
    for target, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, target, inheritable=True)
    if plan.argv:
        os.dup2(output, 3, inheritable=True)  # the telemetry pipe: framed records, in order with the rest
    os.closerange(4 if plan.argv else 3, 256)
    limit("RLIMIT_CORE", 0)
    for name, value in plan.limits.items():
        limit(name, value)
    os.umask(0o022)
    os.environ.clear()
    os.environ.update(plan.environ)
    time.tzset()
    os.chdir(plan.folder)


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


if __name__ == "__main__":
    _child = main()
    if _child is not None:
        _bootstrap, _plan, _offered = _child
        del _child
        sys.pycache_prefix = _plan.pycache
        _bootstrap.start(_plan.path, _offered)
