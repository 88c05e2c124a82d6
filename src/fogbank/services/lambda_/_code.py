"""Deployment packages on disk: the packages themselves as blobs, and their unpacked folders, which are a cache."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from fogbank.services.lambda_ import _archive
from fogbank.services.lambda_.model import Code
from fogbank.storage import Blobs

_temporary = itertools.count()
_LOOK = 0o055


class CodeStore:
    """Stores packages and unpacks them, each once."""

    def __init__(self, blobs: Blobs, folder: Path) -> None:
        self._blobs = blobs
        self._folder = folder.absolute()
        self._locks: dict[str, asyncio.Lock] = {}

    def prepare(self) -> None:
        """Make the folder, and remove what a crash left half unpacked."""
        for kind in ("code", "opt"):
            (self._folder / kind).mkdir(parents=True, exist_ok=True)
            for left in (self._folder / kind).glob(".tmp-*"):
                shutil.rmtree(left, ignore_errors=True)

    async def store(self, data: bytes) -> Code:
        """Check, unpack and store a package; returns when it is synced. Raises `InvalidParameterValueError`."""
        code = Code(await asyncio.to_thread(_digest, data), len(data))
        await asyncio.to_thread(_archive.check, data)
        place = self.task(code.digest)
        await asyncio.gather(self._blobs.put(data), self._build(place, [data]))
        return code

    async def pack(self, folder: str) -> bytes:
        """A local folder as a package."""
        return await asyncio.to_thread(_archive.pack, Path(folder))

    def task(self, digest: str) -> Path:
        """Where a package is unpacked, or would be."""
        return self._folder / "code" / digest

    async def unpacked(self, digest: str) -> Path:
        """The unpacked package, unpacked now if it is not."""
        return await self._build(self.task(digest), [self._blobs.path(digest)])

    async def merged(self, digests: Sequence[str]) -> Path | None:
        """Layers merged in order, as they appear in /opt: a later one's files replace an earlier one's."""
        if not digests:
            return None
        name = hashlib.sha256("".join(digests).encode()).hexdigest()
        return await self._build(self._folder / "opt" / name, [self._blobs.path(digest) for digest in digests])

    async def _build(self, place: Path, packages: Sequence[Path | bytes]) -> Path:
        lock = self._locks.setdefault(place.name, asyncio.Lock())
        try:
            async with lock:
                await asyncio.to_thread(_unpack, place, packages)
        finally:
            self._locks.pop(place.name, None)
        return place

    async def sweep(self, needed: set[str]) -> None:
        """Remove unpacked folders that nothing needs any more."""
        await asyncio.to_thread(self._sweep, needed)

    def _sweep(self, needed: set[str]) -> None:
        for folder in (self._folder / "code").iterdir():
            if folder.name not in needed:
                shutil.rmtree(folder, ignore_errors=True)


def _open_folders(place: Path) -> None:
    """Let the sandbox's user, which is another than ours, look into the folders, whatever our umask says."""
    if place.stat().st_mode & _LOOK == _LOOK:
        return
    for folder, _, _ in os.walk(place):
        Path(folder).chmod(0o755)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _unpack(place: Path, packages: Sequence[Path | bytes]) -> None:
    """Unpack packages one over the other into a new folder, which gets its name when it is complete."""
    if place.is_dir():
        return
    temporary = place.parent / f".tmp-{os.getpid()}-{next(_temporary)}"
    temporary.mkdir()
    try:
        left = _archive.MAX_UNZIPPED
        for package in packages:
            left -= _archive.unpack(package, temporary, limit=left)
        _open_folders(temporary)
        with contextlib.suppress(OSError):  # another task was first
            temporary.rename(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
