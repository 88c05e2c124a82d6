"""Blobs: content-addressed files. A blob exists under its name only when all of it is on the disk.

Written under a temporary name, synced, renamed, and the folder synced: after a crash there is the whole blob
or none. Names are SHA-256 digests in hexadecimal, spread over 256 folders.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
from pathlib import Path


class BlobNotFoundError(LookupError):
    """No blob has this digest."""


class Blobs:
    """The blobs under one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temporary = itertools.count()
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*/.tmp-*"):  # what a crash left half written
            with contextlib.suppress(OSError):
                left.unlink()

    def path(self, digest: str) -> Path:
        """Where the blob with this digest lies, or would."""
        if len(digest) != 64 or not all(c in "0123456789abcdef" for c in digest):
            raise BlobNotFoundError(f"expected a SHA-256 digest in hexadecimal, got {digest[:80]!r}")
        return self._folder / digest[:2] / digest

    async def put(self, data: bytes) -> str:
        """Store `data`; its digest. Returns when it is synced. Storing the same twice costs one look."""
        return await asyncio.to_thread(self._put, data)

    async def get(self, digest: str) -> bytes:
        """The bytes of a blob; `BlobNotFoundError` if there is none."""
        return await asyncio.to_thread(self._get, digest)

    async def delete(self, digest: str) -> None:
        """Remove a blob, if it is there."""
        path = self.path(digest)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    def _put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        if path.exists():
            return digest
        path.parent.mkdir(exist_ok=True)
        temporary = path.parent / f".tmp-{os.getpid()}-{next(self._temporary)}"
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        _sync_folder(path.parent)
        _sync_folder(self._folder)
        return digest

    def _get(self, digest: str) -> bytes:
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            raise BlobNotFoundError(digest) from None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
