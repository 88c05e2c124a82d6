"""The folders of environments: whose they are, and how they are removed, whatever the function left in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from fogbank.core.clock import complete

_NOBODY = 65534


def let_nobody_write(folder: Path) -> None:
    """Give a folder to whom sandboxed functions are outside, when Fogbank is root; else they are who it is."""
    if os.geteuid() == 0:
        os.chown(folder, _NOBODY, _NOBODY)


def remove(folder: Path, done: asyncio.Future[None]) -> None:
    """Remove an environment's folder, off the event loop if there is anything in it; then `done` is completed."""
    try:
        (folder / "tmp").rmdir()
        folder.rmdir()
    except OSError:
        future = done.get_loop().run_in_executor(None, _remove, folder)
        future.add_done_callback(lambda _: complete(done))
        return
    complete(done)


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(folder, onerror=_unlock)


def _unlock(function: Callable[[str], object], path: str, error: object) -> None:  # noqa: ARG001
    """A function may have taken its own permissions away."""
    with contextlib.suppress(OSError):
        Path(path).parent.chmod(0o700)
        Path(path).chmod(0o700)
        if function in (os.rmdir, os.unlink):
            function(path)
        else:
            shutil.rmtree(path, ignore_errors=True)
