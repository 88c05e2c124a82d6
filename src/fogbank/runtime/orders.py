"""What the prepared parent is asked to make of a function version. Pure functions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fogbank.runtime.forker import Order
from fogbank.runtime.interpreters import Choice
from fogbank.runtime.model import FunctionVersion, RuntimeUnavailableError
from fogbank.runtime.variables import Place

MAX_FILES = 1024
"""Open files of an environment. Source: the Lambda quotas page."""


def order_for(
    name: str,
    version: FunctionVersion,
    choice: Choice,
    place: Place,
    environ: Mapping[str, str],
    folder: Path,
    *,
    snapshot: bool = False,
) -> Order:
    """The order for a new environment: a forked Python, or a program that takes the fork's place."""
    limits = {"RLIMIT_NOFILE": MAX_FILES, "RLIMIT_FSIZE": version.ephemeral * 1024 * 1024}
    wrapper = version.environment.get("AWS_LAMBDA_EXEC_WRAPPER")
    found = choice.interpreter
    if found is not None and found.language == "python" and not wrapper:
        libraries = f"python/lib/python{found.minor}/site-packages"
        opt = place.opt
        return Order(
            id=name,
            environ=environ,
            folder=str(version.task),
            path=(str(version.task), f"{opt}/{libraries}", f"{opt}/python"),
            pycache=str(folder / "pycache" / version.task.name),
            limits=limits,
            snapshot=snapshot,
        )
    argv = _command(version, choice, place, folder)
    if wrapper:
        argv = [_inside(wrapper, version, place), *argv]
    telemetry = {"_LAMBDA_TELEMETRY_LOG_FD": "3"}
    return Order(id=name, environ={**environ, **telemetry}, folder=str(version.task), limits=limits, argv=argv)


def _command(version: FunctionVersion, choice: Choice, place: Place, folder: Path) -> list[str]:
    found = choice.interpreter
    if found is None:
        for base in (version.task, Path(place.opt)):
            if os.access(base / "bootstrap", os.X_OK):
                return [str(base / "bootstrap")]
        raise RuntimeUnavailableError(
            f"{version.runtime} functions bring their own runtime: expected an executable file `bootstrap` in the "
            "code's root or in a layer"
        )
    if found.language == "node":
        options = [
            "--max-http-header-size=1048576",
            f"--max-old-space-size={max(64, version.memory * 9 // 10)}",
        ]
        return [str(found.path), *options, str(folder / "node" / "bootstrap.mjs")]
    return [str(found.path), "-X", "utf8", "-S", str(folder / "python" / "bootstrap.py")]


def _inside(path: str, version: FunctionVersion, place: Place) -> str:
    """AWS's well-known folders, as they are here."""
    if path.startswith("/opt/"):
        return f"{place.opt}/{path[5:]}"
    if path.startswith("/var/task/"):
        return f"{version.task}/{path[10:]}"
    return path
