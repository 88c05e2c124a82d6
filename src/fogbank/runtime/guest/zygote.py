"""The prepared parent: forks execution environments when Fogbank asks.

It runs outside Fogbank's own process, in the interpreter of the functions, and imports only the standard library,
the runtime client beside it and, where it can, boto3. It holds no user state, no threads and no sockets but the one
to Fogbank, so that a child can share nothing by mistake.

Wire: one JSON document per message of a SOCK_SEQPACKET socket, whose descriptor is the first argument.

    to the parent      {"do": "start", "id", "environ", "folder", "path", "pycache", "limits", "argv"?, "snapshot"?,
                           "sandbox"?}
                         + output pipe, and for a snapshot the control socket that it is to have as a parent itself
                       {"do": "end", "id"}
    from the parent    {"is": "ready", "python", "modules", "problem"}
                       {"is": "started", "id", "pid", "first"?} + sockets   {"is": "failed", "id", "problem"}
                       {"is": "ended", "id", "status", "signal", "resident"}

When the socket closes, which it does however Fogbank ends, the parent kills every environment with all that it
started, and goes. Runs on Python 3.9 and later.
"""

# ruff: noqa: PTH110, PTH118, PTH120, PTH123 - what is imported here is imported in every function
# ruff: noqa: BLE001 - a package that cannot be imported is reported, whatever it raises
# ruff: noqa: SIM105 - the same

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import json
import os
import select
import signal
import site
import socket
import sys
import time
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
MESSAGE = 1 << 20
TAGS = ("AWS_LAMBDA_LOG_STREAM_NAME", "FOGBANK_ENVIRONMENT")
"""Variables that tell whose environment a process is of."""

_libc = ctypes.CDLL(None, use_errno=True)
child: Any = importlib.import_module("child")  # beside this file; the guest is no package
snapshot: Any = importlib.import_module("snapshot")
compiled: Any = importlib.import_module("compiled")


class Making:
    """A sandbox that is being made: by the process `maker`, which tells of it in the pipe `told`, and passes on."""

    def __init__(self, name: str, maker: int, told: int) -> None:
        self.name = name
        self.maker = maker
        self.told = told
        self.ending = False


class Parent:
    """Forks, reaps and kills."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.children: dict[str, int] = {}  # id -> pid
        self.ids: dict[int, str] = {}  # pid -> id
        self.tags: dict[str, str] = {}  # the environment's log stream -> id
        self.shell: Any = None  # makes a sandbox (see `sandbox.Shell`), if environments are sandboxed
        self.firsts: dict[str, int] = {}  # id -> pid of the first process in a sandbox
        self.making: dict[int, Making] = {}  # pipe -> the sandbox that is being made
        self.poll = select.poll()
        self.life: tuple[int, ...] = ()  # a pipe: what is in a sandbox ends when nobody can write to it any more

    def run(self, modules: list[str], problem: str | None) -> Any:
        """Serve until the socket closes; returns a `child.Plan` in a child, `None` in the parent."""
        woken, waker = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(waker, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)  # a terminal's signal is Fogbank's to answer
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.say({"is": "ready", "python": sys.version.split()[0], "modules": modules, "problem": problem})
        self.poll.register(self.control, select.POLLIN)
        self.poll.register(woken, select.POLLIN)
        while True:
            for ready, _ in self.poll.poll():
                if ready == woken:
                    self.drain(woken)
                    continue
                if ready in self.making:
                    self.made(self.making[ready])
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

    def obey(self, message: dict[str, Any], fds: list[int]) -> Any:
        """Do what Fogbank asks; a `child.Plan` in the child that it forked."""
        name = message["id"]
        if message["do"] == "end":
            self.end(name)
            return None
        if message.get("sandbox"):
            return self.fork_sandboxed(message, fds)
        try:
            pid = os.fork()
        except OSError as error:
            for fd in fds:
                os.close(fd)
            self.say({"is": "failed", "id": name, "problem": str(error)})
            return None
        if pid == 0:
            return child.Plan(message, *fds)
        for fd in fds:
            os.close(fd)
        self.children[name] = pid
        self.ids[pid] = name
        for tag in TAGS:
            if tag in message["environ"]:
                self.tags[message["environ"][tag]] = name
        self.say({"is": "started", "id": name, "pid": pid})
        return None

    def end(self, name: str) -> None:
        for making in self.making.values():
            making.ending = making.ending or making.name == name
        if name in self.firsts:
            kill(self.firsts[name])  # and the kernel all that is in the sandbox
        elif name in self.children:
            kill_group(self.children[name])

    def fork_sandboxed(self, message: dict[str, Any], fds: list[int]) -> Any:
        """Fork the process that makes a sandbox; a `child.Plan` in the second process of that."""
        told, tell = os.pipe()
        try:
            maker = os.fork()
        except OSError as error:
            for fd in (*fds, told, tell):
                os.close(fd)
            self.say({"is": "failed", "id": message["id"], "problem": str(error)})
            return None
        if maker == 0:
            os.close(told)
            return self.make_sandbox(message, fds, tell)
        for fd in (*fds, tell):
            os.close(fd)
        self.making[told] = Making(message["id"], maker, told)
        self.poll.register(told, select.POLLIN)
        return None

    def make_sandbox(self, message: dict[str, Any], fds: list[int], tell: int) -> Any:
        """Make the namespaces and the two processes in them, tell of them, and be gone."""
        first = 0
        try:
            shell = self.shell(message["sandbox"])
            first = os.fork()
            if first == 0:
                shell.reap_for_ever(self.life[0])
            if message["sandbox"]["copied"]:
                self.skip_number()
            second = os.fork()
            if second == 0:
                os.close(tell)
                plan = child.Plan(message, *fds)
                plan.shell = shell
                return plan
            os.write(tell, f"{first} {second}".encode())
            started = {"is": "started", "id": message["id"], "pid": second, "first": first}
            sockets = [made.fileno() for made in shell.sockets]
            socket.send_fds(self.control, [json.dumps(started).encode()], sockets)
        except OSError as error:
            if first:
                kill(first)
            os.write(tell, f"failed {error}".encode())
        os._exit(0)

    @staticmethod
    def skip_number() -> None:
        """Use up a process id: what tells by it that it has been forked, as OpenSSL does, must see another."""
        passing = os.fork()
        if passing == 0:
            os._exit(0)
        os.waitpid(passing, 0)

    def hear_makers(self, ended: int) -> bool:
        """Something unknown has ended: a maker, which is reaped here, or what a maker tells of."""
        poll = select.poll()
        for told in self.making:
            poll.register(told, select.POLLIN)
        mine = any(making.maker == ended for making in self.making.values())
        for told, _ in poll.poll(0):
            self.made(self.making[told])
        return mine

    def made(self, making: Making) -> None:
        """Take note of the processes in a new sandbox, or of why there is none."""
        self.poll.unregister(making.told)
        del self.making[making.told]
        said = os.read(making.told, 4096).decode(errors="replace")
        os.close(making.told)
        os.waitpid(making.maker, 0)
        numbers = said.split()
        if len(numbers) != 2 or not numbers[0].isdigit():
            problem = said.partition(" ")[2] or "the process that makes its sandbox has died"
            self.say({"is": "failed", "id": making.name, "problem": problem})
            return
        first, second = int(numbers[0]), int(numbers[1])
        self.children[making.name] = second
        self.ids[second] = making.name
        self.firsts[making.name] = first
        if making.ending:
            kill(first)

    def reap(self) -> None:
        """Report what has ended. A child's whole group goes with it, before its number can be given to another."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            if ended.si_pid not in self.ids and self.hear_makers(ended.si_pid):
                continue
            name = self.ids.pop(ended.si_pid, None)
            first = self.firsts.pop(name, None) if name is not None else None
            if first is not None:
                kill(first)
            elif name is not None:
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

    def leave(self) -> None:
        """Close what is the parent's, in a child that stays what its parent was."""
        self.control.close()
        for number in (*self.life, *self.making):
            os.close(number)

    def end_all(self) -> None:
        """Fogbank is gone: so is everything that it ran."""
        for pid in list(self.ids):
            kill_group(pid)
        for pid in self.firsts.values():
            kill(pid)
        for pipe in self.life:
            os.close(pipe)
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


def stay_as_snapshot(plan: Any, sandbox: Any) -> None:
    """Be a snapshot: fork environments from what has been initialized. Returns in each of them, never here.

    `plan` is what this process became before its init code ran; `sandbox` the module, if it is in a sandbox.
    """
    problem = snapshot.obstacle()
    initial: dict[str, str] = plan.environ
    descriptors = snapshot.Descriptors({plan.control})
    handlers = snapshot.Handlers()
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    gc.freeze()
    ours = os.getpid()
    parent = Parent(socket.socket(fileno=plan.control))
    if sandbox is not None:
        parent.shell = sandbox.InnerShell
        parent.life = os.pipe()
    plan = parent.run([], problem)
    if plan is None:
        os._exit(0)
    child.leave(None if plan.shell is not None else ours)
    parent.leave()
    child.print_to(plan.output)
    os.close(plan.output)
    if plan.shell is not None:
        child.enter(plan.shell)
        child.set_limits(plan.limits)
    handlers.restore()
    if collecting:
        gc.enable()
    for name, value in plan.environ.items():
        if initial.get(name) != value:  # the rest is as the init code left it
            os.environ[name] = value
    old = initial["TMPDIR"]
    descriptors.renew(old, plan.environ["TMPDIR"])
    snapshot.renew_state(old)


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


def enter_sandbox(wanted: dict[str, Any] | None, runtime: str) -> Any:
    """The module `sandbox`, if environments are to be sandboxed; this process has a root of its own then."""
    if wanted is None:
        return None
    folder = os.path.dirname(__file__)
    sys.path.insert(0, folder)
    sandbox = importlib.import_module("sandbox")
    sys.path.remove(folder)
    try:
        sandbox.enter(wanted["root"], runtime, wanted["hidden"])
    except OSError as error:
        sys.exit(f"no sandbox: {error}")  # it was possible when Fogbank tried
    if sys.pycache_prefix:
        sys.pycache_prefix = sandbox.HOST + sys.pycache_prefix
    return sandbox


def main() -> tuple[Any, Any, Any, list[str]] | None:
    """Serve as the parent; in a child the runtime client, the module `sandbox` if there is one, the plan and the offer.

    argv: the control socket's descriptor, the runtime's folder, a sandbox, then the packages to offer.

    The sandbox is JSON: null, or {"root": an empty folder, "hidden": folders that must not be seen}.
    """
    number, folder, packages = int(sys.argv[1]), sys.argv[2], sys.argv[4:]
    control = socket.socket(fileno=number)
    control.set_inheritable(False)
    sandbox = enter_sandbox(json.loads(sys.argv[3]), folder)
    if sandbox is not None:
        folder = "/var/runtime"
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
    gc.collect()
    gc.disable()  # a collection in the parent would move objects that children share
    gc.freeze()
    parent = os.getpid()
    serving = Parent(control)
    if sandbox is not None:
        serving.shell = sandbox.Shell
        serving.life = os.pipe()
    plan = serving.run(offered, problem)
    if plan is None:
        return None
    control.detach()
    child.become(plan, parent)
    if plan.argv:
        os.execve(plan.argv[0], plan.argv, plan.environ)  # noqa: S606 - that is what it is for
    gc.enable()
    return bootstrap, sandbox, plan, offered


def begin() -> None:
    """Be the prepared parent, and in each child what was ordered."""
    found = main()
    if found is None:
        return
    bootstrap, sandbox, plan, offered = found
    for name in ("zygote", "child", "snapshot", "sandbox", "compiled"):  # no business of the function
        sys.modules.pop(name, None)
    if plan.shell is None:
        sys.pycache_prefix = plan.pycache
    else:
        sys.pycache_prefix = None
        compiled.read_compiled(plan.pycache, plan.path)
        if os.path.exists(compiled.OFFERED):
            compiled.read_compiled(compiled.OFFERED, sys.path[:1])
    pause = None
    if plan.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        stay = None if plan.control is None else functools.partial(stay_as_snapshot, plan, sandbox)
        pause = functools.partial(snapshot.pause, stay=stay)
    bootstrap.start(plan.path, offered, pause)
