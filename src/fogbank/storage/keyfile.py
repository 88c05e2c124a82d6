"""A key in a file of its own, made once and synced before it is used."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from fogbank.storage.engine import StorageError


def keep_key(path: Path, fresh: bytes) -> bytes:
    """The key in a file; where there is none, `fresh` goes into it, for this user only. `StorageError` if it is cut."""
    with contextlib.suppress(FileExistsError):
        _write(path, fresh)
    found = path.read_bytes()
    if len(found) != len(fresh):
        raise StorageError(f"{path} does not hold a key of {len(fresh)} bytes, but {len(found)} bytes")
    return found


def _write(path: Path, key: bytes) -> None:
    """Make the file whole or not at all: it gets its name when its bytes are synced."""
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, key)
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)  # unlike a rename, it does not replace a key that is there
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
