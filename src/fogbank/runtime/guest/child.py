"""What a fork of the prepared parent or of a snapshot becomes: an execution environment.

Runs on Python 3.9 and later, standard library only.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import time
from typing import Any

PR_SET_PDEATHSIG = 1
SYS_CLOSE_RANGE = 436
CONTROL = 256
"""Where a snapshot's control socket is: past the descriptors that are closed, and past what init code opens first."""

_libc = ctypes.CDLL(None, use_errno=True)


class Plan:
    """What a child is to become: its environment, folder and limits, and a command if it is not Python."""

    def __init__(self, message: dict[str, Any], output: int, control: int | None = None) -> None:
        self.environ: dict[str, str] = message["environ"]
        self.folder: str = message["folder"]
        self.path: list[str] = message.get("path", [])
        self.pycache: str | None = message.get("pycache")
        self.limits: dict[str, int | list[int]] = message.get("limits", {})
        self.argv: list[str] | None = message.get("argv")
        self.output = output
        self.control = control
        self.shell: Any = None
        """The `sandbox.Shell` that it is to enter, if any."""


def become(plan: Plan, parent: int) -> None:
    """Turn a fresh child into an execution environment: own group, descriptors, limits, environment, folder."""
    leave(None if plan.shell is not None else parent)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print_to(plan.output)
    kept = 3
    if plan.argv:
        os.dup2(plan.output, 3, inheritable=True)  # the telemetry pipe: framed records, in order with the rest
        kept = 4
    elif plan.control is not None:
        plan.control = os.dup2(plan.control, CONTROL, inheritable=False)
    os.closerange(kept, CONTROL)
    if plan.shell is not None:
        close_from(CONTROL if plan.control is None else CONTROL + 1)
        enter(plan.shell)
    set_limits(plan.limits)
    os.umask(0o022)
    os.environ.clear()
    os.environ.update(plan.environ)
    time.tzset()
    os.chdir(plan.folder)


def leave(parent: int | None) -> None:
    """Be a group of one's own, that ends with the parent and hears no signals for it.

    In a sandbox, where there is no parent to be seen, it ends with the sandbox.
    """
    os.setpgid(0, 0)  # a session of its own would cost milliseconds, and none has a terminal
    if parent is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
    signal.set_wakeup_fd(-1)


def enter(shell: Any) -> None:
    """Enter a sandbox, or say in the function's log why not."""
    try:
        shell.enter()
    except OSError as error:
        os.write(1, f"the sandbox cannot be entered: {error}\n".encode())
        os._exit(1)


def print_to(output: int) -> None:
    """Read from nowhere, print to `output`."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, target, inheritable=True)
    os.close(nothing)


def close_from(first: int) -> None:
    """Close every descriptor from `first` on."""
    if _libc.syscall(SYS_CLOSE_RANGE, first, ctypes.c_uint(0xFFFFFFFF), 0) != 0:
        os.closerange(first, 4096)


def set_limits(limits: dict[str, int | list[int]]) -> None:
    """Set limits by their names; a pair is what holds and what it may be raised to."""
    for name, value in {"RLIMIT_CORE": 0, **limits}.items():
        number = getattr(resource, name, None)
        if number is None:
            continue
        wanted, most = value if isinstance(value, list) else (value, value)
        _, hard = resource.getrlimit(number)
        if hard != resource.RLIM_INFINITY:
            wanted, most = min(wanted, hard), min(most, hard)
        resource.setrlimit(number, (wanted, most))
