"""What the prepared parent is asked to make of a function version. Pure functions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from fogbank.runtime.bytecode import SEEN
from fogbank.runtime.forker import Order, Sandbox
from fogbank.runtime.interpreters import Choice
from fogbank.runtime.model import FunctionVersion, InitFailure, Role, RuntimeUnavailableError
from fogbank.runtime.snapshots import InitFailedError
from fogbank.runtime.variables import Place

MAX_FILES = 1024
"""Open files of an environment. Source: the Lambda quotas page."""


MAX_PROCESSES = 1024
"""Processes and threads of an environment. Source: the Lambda quotas page."""
MAX_COPIED = 8192
"""Processes and threads of all environments of a snapshot in a sandbox; each has `MAX_PROCESSES` at most."""
IN_MEMORY = 512
"""Megabytes of temporary files that a sandbox keeps in memory at most: what a function has if it asks for nothing."""
RUNTIME_PORT = 9001
"""Where the Runtime API is in an environment that has a network of its own, as on Lambda."""
XRAY_PORT = 2000
"""Where X-Ray's daemon is in such an environment."""


@dataclass(frozen=True, slots=True)
class Quarters:
    """What environments are made of on this machine.

    `folder` is the runtime's folder, `sandboxed` whether they see a small root instead of the machine's; `inner` says
    why there can be no sandbox within another, and so no snapshots; `ports` are those that answer on a network of their
    own, and `datagrams` those that take datagrams; `None` if they share the machine's.
    """

    folder: Path
    sandboxed: bool = False
    inner: str | None = None
    ports: tuple[int, ...] | None = None
    datagrams: tuple[int, ...] = ()

    def api(self, address: str) -> str:
        """Where an environment finds its Runtime API, which is at `address` in the machine's network."""
        return address if self.ports is None else f"127.0.0.1:{RUNTIME_PORT}"

    def temporary(self, name: str) -> Path:
        """The folder that an environment of that name has for temporary files, where they are on the disk."""
        return self.folder / "environments" / name / "tmp"

    def keeps_on_disk(self, version: FunctionVersion) -> bool:
        """Whether its temporary files are on the disk; as much as everybody has, a sandbox has in memory."""
        return not self.sandboxed or version.ephemeral > IN_MEMORY

    def place(
        self,
        version: FunctionVersion,
        temporary: Path,
        *,
        log_stream: str,
        api: str,
        endpoint: str,
        name: str,
        xray: str,
    ) -> Place:
        """Where an environment finds itself; `api` is the address of a Runtime API on the machine's network."""
        if self.sandboxed:
            return Place(
                task="/var/task",
                runtime="/var/runtime",
                opt="/opt",
                temporary="/tmp",  # noqa: S108 - its own
                log_stream=log_stream,
                api=self.api(api),
                endpoint=endpoint if self.ports is None else f"http://127.0.0.1:{endpoint.rpartition(':')[2]}",
                name=name,
                xray=xray if self.ports is None else f"127.0.0.1:{XRAY_PORT}",
            )
        return Place(
            task=str(version.task),
            runtime=str(self.folder / "python"),
            opt=str(version.layers or self.folder / "opt"),
            temporary=str(temporary),
            log_stream=log_stream,
            api=api,
            endpoint=endpoint,
            name=name,
            xray=xray,
        )


def order_for(
    name: str,
    version: FunctionVersion,
    choice: Choice,
    place: Place,
    environ: Mapping[str, str],
    quarters: Quarters,
    *,
    role: Role = Role.SERVE,
    compiled: Sequence[tuple[str, str, bool]] = (),
) -> Order:
    """The order for a new environment: a forked Python, or a program that takes the fork's place.

    `compiled` are the binds of a sandboxed function's compiled Python.
    """
    limits: dict[str, int | tuple[int, int]] = {
        "RLIMIT_NOFILE": MAX_FILES,
        "RLIMIT_FSIZE": version.ephemeral * 1024 * 1024,
    }
    sandbox = None
    if quarters.sandboxed:
        limits["RLIMIT_NPROC"] = _processes(role)
        sandbox = replace(_sandbox(name, version, choice, quarters, compiled), copied=role is Role.SNAPSHOT)
    wrapper = version.environment.get("AWS_LAMBDA_EXEC_WRAPPER")
    found = choice.interpreter
    if found is not None and found.language == "python" and not wrapper:
        libraries = f"python/lib/python{found.minor}/site-packages"
        return Order(
            id=name,
            environ=environ,
            folder=place.task,
            path=(place.task, f"{place.opt}/{libraries}", f"{place.opt}/python"),
            pycache=SEEN if quarters.sandboxed else str(quarters.folder / "pycache" / version.task.name),
            limits=limits,
            snapshot=role is Role.SNAPSHOT,
            sandbox=sandbox,
        )
    argv = _command(version, choice, place, quarters)
    if wrapper:
        argv = [_inside(wrapper, place), *argv]
    telemetry = {"_LAMBDA_TELEMETRY_LOG_FD": "3"}
    return Order(
        id=name, environ={**environ, **telemetry}, folder=place.task, limits=limits, argv=argv, sandbox=sandbox
    )


def _processes(role: Role) -> int | tuple[int, int]:
    match role:
        case Role.SERVE:
            return MAX_PROCESSES
        case Role.SNAPSHOT:
            return MAX_PROCESSES, MAX_COPIED
        case Role.RESTORED:
            return MAX_PROCESSES + 1  # the first process of its sandbox is of the same user


def supervised(order: Order, names: Sequence[str], place: Place, python: str) -> Order:
    """The same with external extensions: a supervisor that `python` runs, which starts them and then the runtime."""
    if not names:
        return order
    if order.snapshot:
        raise RuntimeUnavailableError("Fogbank cannot combine SnapStart with external extensions yet")
    runtime = list(order.argv or [python, "-X", "utf8", "-S", f"{place.runtime}/bootstrap.py"])
    if not order.argv and order.pycache:
        runtime[1:1] = ["-X", f"pycache_prefix={order.pycache}"]
    extensions = {name: f"{place.opt}/extensions/{name}" for name in names}
    plan = msgspec.json.encode({"runtime": runtime, "extensions": extensions}).decode()
    return replace(
        order,
        argv=[python, "-I", "-S", f"{place.runtime}/supervisor.py"],
        path=(),
        pycache=None,
        environ={**order.environ, "FOGBANK_SUPERVISE": plan},
    )


def _sandbox(
    name: str, version: FunctionVersion, choice: Choice, quarters: Quarters, compiled: Sequence[tuple[str, str, bool]]
) -> Sandbox:
    binds = [(str(version.task.absolute()), "/var/task", False), *compiled]
    if version.layers is not None:
        binds.append((str(version.layers.absolute()), "/opt", False))
    if choice.interpreter is not None and choice.interpreter.language == "node":
        binds.append((str(quarters.folder / "node"), "/var/runtime", False))
        prefix = choice.interpreter.path.resolve().parent.parent
        if prefix.parts[1:2] != ("usr",):
            binds.append((str(prefix), str(prefix), False))
    if quarters.keeps_on_disk(version):
        binds.append((str(quarters.temporary(name)), "/tmp", True))  # noqa: S108 - its own
        return Sandbox(binds, 0, quarters.ports, datagrams=quarters.datagrams)
    return Sandbox(binds, version.ephemeral, quarters.ports, datagrams=quarters.datagrams)


def _command(version: FunctionVersion, choice: Choice, place: Place, quarters: Quarters) -> list[str]:
    found = choice.interpreter
    if found is None:
        layers = version.layers or quarters.folder / "opt"
        for base, seen in ((version.task, place.task), (layers, place.opt)):
            if os.access(base / "bootstrap", os.X_OK):
                return [f"{seen}/bootstrap"]
        text = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
        raise InitFailedError(InitFailure("Runtime.InvalidEntrypoint", None, text))
    if found.language == "node":
        options = [
            "--max-http-header-size=1048576",
            f"--max-old-space-size={max(64, version.memory * 9 // 10)}",
        ]
        folder = place.runtime if quarters.sandboxed else str(quarters.folder / "node")
        path = found.path.resolve() if quarters.sandboxed else found.path
        return [str(path), *options, f"{folder}/bootstrap.mjs"]
    return [str(found.path), "-X", "utf8", "-S", f"{place.runtime}/bootstrap.py"]


def _inside(path: str, place: Place) -> str:
    """AWS's well-known folders, as they are here."""
    if path.startswith("/opt/"):
        return f"{place.opt}/{path[5:]}"
    if path.startswith("/var/task/"):
        return f"{place.task}/{path[10:]}"
    return path
