"""The bytes of objects: taking them in, keeping them as rows or files, giving them out again.

A body is taken in before the transaction that refers to it: hashed, and if it is large, written to a file and synced.
A file has a name of its own and is named by one row; it is removed when that row is, or never came.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fogbank.core import faults
from fogbank.core.ids import Ids
from fogbank.services.s3 import storage as rows
from fogbank.services.s3._checksums import Digest, Hasher
from fogbank.services.s3._ranges import Cut
from fogbank.services.s3.errors import EntityTooLargeError
from fogbank.services.s3.model import MAX_PUT, Piece
from fogbank.storage import Tx

INLINE = 64 * 1024
"""Bytes up to which a body is a row: one commit, shared with others, instead of a file with syncs of its own."""
CHUNK = 1024 * 1024
"""Bytes that are read from a file at once."""

Body = bytes | AsyncIterable[bytes]


class PieceLostError(LookupError):
    """A piece's bytes are gone: its version was deleted while it was read."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A body that was taken in: its piece, what was computed of it, and its bytes where they belong into a row."""

    piece: Piece
    digest: Digest
    data: bytes | None


class Pieces:
    """The pieces under one folder."""

    def __init__(self, ids: Ids, folder: Path) -> None:
        self._ids = ids
        self._folder = folder
        self._removals: set[asyncio.Task[None]] = set()
        self.fresh: set[str] | None = set()
        """Files made since the start, while the worker that looks for old ones has not listed them yet."""

    # Taking in

    async def take(self, body: Body, algorithms: Sequence[str]) -> Taken:
        """Take a body in, computing its MD5 and checksums. Whoever takes it keeps it, or discards it."""
        if isinstance(body, bytes | bytearray | memoryview):
            data = bytes(body)
            if len(data) <= INLINE:
                return Taken(Piece(self._name(), len(data)), _digest(data, algorithms), data)
            return await self._file([data], algorithms)
        return await self._take_stream(body, algorithms)

    async def _take_stream(self, body: AsyncIterable[bytes], algorithms: Sequence[str]) -> Taken:
        head: list[bytes] = []
        size = 0
        stream = aiter(body)
        async for chunk in stream:
            head.append(chunk)
            size += len(chunk)
            if size > INLINE:
                return await self._file(head, algorithms, stream)
        data = b"".join(head)
        return Taken(Piece(self._name(), size), _digest(data, algorithms), data)

    async def _file(
        self, head: Sequence[bytes], algorithms: Sequence[str], stream: AsyncIterator[bytes] | None = None
    ) -> Taken:
        """Write a body to a file of its own; returns when it is synced."""
        name = self._name()
        if self.fresh is not None:
            self.fresh.add(name)
        path = self.path(name)
        hashers = _Hashers(algorithms)
        file = await asyncio.to_thread(_create, path)
        whole = False
        try:
            for chunk in head:
                await asyncio.to_thread(_write, file, chunk, hashers)
            if stream is not None:
                async for chunk in stream:
                    await asyncio.to_thread(_write, file, chunk, hashers)
            await asyncio.to_thread(_finish, file, path)
            whole = True
        finally:
            if not whole:
                file.close()
                path.unlink(missing_ok=True)
        faults.point("s3.after-file")
        return Taken(Piece(name, hashers.size), hashers.digest, None)

    async def clone(self, piece: Piece, small: Mapping[str, bytes], digest: Digest) -> Taken:
        """The same bytes under a name of their own: a second name for a file, or a copy of a small body."""
        name = self._name()
        if piece.size <= INLINE:
            return Taken(Piece(name, piece.size), digest, small.get(piece.name, b""))  # of no bytes none are read
        if self.fresh is not None:
            self.fresh.add(name)
        try:
            await asyncio.to_thread(_link, self.path(piece.name), self.path(name))
        except FileNotFoundError:
            raise PieceLostError(piece.name) from None
        return Taken(Piece(name, piece.size), digest, None)

    async def discard(self, taken: Taken) -> None:
        """Drop what was taken in and is not to be kept."""
        if taken.data is None:
            await asyncio.to_thread(self.path(taken.piece.name).unlink, missing_ok=True)

    # In a transaction

    async def keep(self, tx: Tx, taken: Taken) -> None:
        """Make a taken body durable together with what refers to it."""
        await rows.insert_piece(tx, taken.piece.name, taken.data)

    async def drop(self, tx: Tx, pieces: Sequence[Piece]) -> None:
        """Forget pieces; their files go after the commit."""
        await rows.delete_pieces(tx, [piece.name for piece in pieces])
        files = [self.path(piece.name) for piece in pieces if piece.size > INLINE]
        if files:
            tx.after_commit(lambda: self._remove(files))

    def _remove(self, files: Sequence[Path]) -> None:
        task = asyncio.get_running_loop().create_task(asyncio.to_thread(unlink, files))
        self._removals.add(task)
        task.add_done_callback(self._removals.discard)

    async def settle(self) -> None:
        """Wait for the removals that are under way."""
        while self._removals:
            await asyncio.gather(*self._removals)

    # Giving out

    async def load(self, tx: Tx, cuts: Sequence[Cut]) -> dict[str, bytes]:
        """The small pieces among those that are to be read, by name: in the transaction that found them."""
        found = {}
        for cut in cuts:
            if cut.piece.size <= INLINE:
                data = await rows.piece(tx, cut.piece.name)
                if data is None:
                    raise PieceLostError(cut.piece.name)
                found[cut.piece.name] = data
        return found

    async def open(self, cuts: Sequence[Cut], small: dict[str, bytes]) -> bytes | AsyncIterator[bytes]:
        """Bytes, where all lie in rows; else a stream whose files are open already, so that no deletion hurts it."""
        if all(cut.piece.name in small for cut in cuts):
            return b"".join(small[cut.piece.name][cut.start : cut.end] for cut in cuts)
        files: dict[str, BinaryIO] = {}
        try:
            for cut in cuts[:_OPEN_AHEAD]:
                if cut.piece.name not in small:
                    files[cut.piece.name] = await asyncio.to_thread(_open, self.path(cut.piece.name))
        except FileNotFoundError as error:
            for file in files.values():
                file.close()
            raise PieceLostError(str(error)) from None
        return PieceStream(cuts, small, files, self.path)

    async def clear(self) -> None:
        """Remove every file: every row was deleted."""
        await self.settle()
        await asyncio.to_thread(lambda: unlink(self.listed()))

    def path(self, name: str) -> Path:
        """Where the file of a piece lies, or would."""
        return self._folder / name[:2] / name

    def listed(self) -> list[Path]:
        """Every file there is."""
        return [path for path in self._folder.glob("??/*") if path.is_file()]

    def _name(self) -> str:
        return self._ids.hex(32)


_OPEN_AHEAD = 64
"""Files of one object that are open at a time, at the most."""


class PieceStream:
    """The bytes of an object, as they are read. Closing it closes its files."""

    def __init__(
        self, cuts: Sequence[Cut], small: dict[str, bytes], files: dict[str, BinaryIO], path: Callable[[str], Path]
    ) -> None:
        self._cuts = list(cuts)
        self._small = small
        self._files = files
        self._path = path
        self._at = cuts[0].start

    def __aiter__(self) -> PieceStream:
        return self

    async def __anext__(self) -> bytes:
        if not self._cuts:
            await self.aclose()
            raise StopAsyncIteration
        cut = self._cuts[0]
        end = min(cut.end, self._at + CHUNK)
        data = await self._read(cut.piece.name, self._at, end)
        self._at = end
        if end == cut.end:
            self._leave(cut)
        return data

    def _leave(self, cut: Cut) -> None:
        """Go on to the next cut."""
        self._cuts.pop(0)
        file = self._files.pop(cut.piece.name, None)
        if file is not None:
            file.close()
        if self._cuts:
            self._at = self._cuts[0].start

    async def _read(self, name: str, start: int, end: int) -> bytes:
        if name in self._small:
            return self._small[name][start:end]
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = await asyncio.to_thread(_open, self._path(name))
        return await asyncio.to_thread(_read, file, start, end)

    async def aclose(self) -> None:
        """Let go of the files."""
        self._cuts.clear()
        for file in self._files.values():
            file.close()
        self._files.clear()


class _Hashers:
    """The MD5 and checksums of what is written."""

    def __init__(self, algorithms: Sequence[str]) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._others = {name: Hasher(name) for name in algorithms}
        self.size = 0

    def update(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > MAX_PUT:
            raise EntityTooLargeError(ProposedSize=self.size, MaxSizeAllowed=MAX_PUT)
        self._md5.update(data)
        for hasher in self._others.values():
            hasher.update(data)

    @property
    def digest(self) -> Digest:
        return Digest(self._md5.hexdigest(), {name: hasher.text for name, hasher in self._others.items()})


def _digest(data: bytes, algorithms: Sequence[str]) -> Digest:
    hashers = _Hashers(algorithms)
    hashers.update(data)
    return hashers.digest


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")


def _write(file: BinaryIO, data: bytes, hashers: _Hashers) -> None:
    hashers.update(data)
    file.write(data)


def _finish(file: BinaryIO, path: Path) -> None:
    """Have all of a file, and its name, on the disk."""
    with file:
        file.flush()
        os.fsync(file.fileno())
    _sync_folders(path)


def _link(source: Path, path: Path) -> None:
    """Give a file that is on the disk a second name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, path)
    _sync_folders(path)


def _sync_folders(path: Path) -> None:
    """Have the name of a file on the disk."""
    for folder in (path.parent, path.parent.parent):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    data = os.pread(file.fileno(), end - start, start)
    if len(data) != end - start:
        raise OSError(f"{file.name}: {end - start} bytes expected at {start}, {len(data)} are there")
    return data


def unlink(files: Sequence[Path]) -> None:
    """Remove files, as far as they are there."""
    for path in files:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
