"""Deployment packages: checked, unpacked, and packed from a folder.

A package comes from outside, so nothing in it is believed: names that leave the folder, links that point out of it,
sizes that the directory lies about, more than AWS's limit once unpacked.
Sources: the Lambda quotas page; the messages are AWS's.
"""

from __future__ import annotations

import io
import os
import posixpath
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fogbank.services.lambda_.errors import InvalidParameterValueError, RequestEntityTooLargeError

MAX_UPLOAD = 50 * 1024 * 1024
"""Bytes of a package in a request."""
MAX_UNZIPPED = 262_144_000
"""Bytes of a function with its layers, unpacked."""
MAX_FILES = 200_000
_ENCRYPTED = 0x1
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_LONGEST_PATH = 4096
_LONGEST_NAME = 255
_IGNORED = frozenset({"__pycache__", ".git"})
_EPOCH = (1980, 1, 1, 0, 0, 0)

_CORRUPT = "Could not unzip uploaded file. Please check your file, then try to upload again."
_EMPTY = "Uploaded file must be a non-empty zip"
_TOO_LARGE = f"Unzipped size must be smaller than {MAX_UNZIPPED} bytes"


def check_upload(data: bytes) -> None:
    """Refuse what is too large to be sent in a request."""
    if len(data) > MAX_UPLOAD:
        raise RequestEntityTooLargeError(f"Zipped size must be smaller than {MAX_UPLOAD} bytes")


def check(data: bytes) -> int:
    """Check a package without unpacking it; its size once unpacked. Raises `InvalidParameterValueError`."""
    if not data:
        raise InvalidParameterValueError(_EMPTY)
    with _open(io.BytesIO(data)) as archive:
        return _check_entries(archive)


def _open(source: io.BytesIO | Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(source)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, OverflowError):
        raise InvalidParameterValueError(_CORRUPT) from None


def _check_entries(archive: zipfile.ZipFile) -> int:
    entries = archive.infolist()
    if not entries:
        raise InvalidParameterValueError(_EMPTY)
    if len(entries) > MAX_FILES:
        raise InvalidParameterValueError(_TOO_LARGE)
    total = 0
    for entry in entries:
        _check_name(entry)
        total += entry.file_size
        if total > MAX_UNZIPPED:
            raise InvalidParameterValueError(_TOO_LARGE)
    return total


def _check_name(entry: zipfile.ZipInfo) -> PurePosixPath:
    """The entry's path inside the folder; a package with one that leaves it is refused whole."""
    path = PurePosixPath(entry.filename)
    if (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in entry.filename
        or not path.parts
        or entry.flag_bits & _ENCRYPTED
        or entry.compress_type not in _METHODS
        or len(entry.filename) > _LONGEST_PATH
        or any(len(part.encode(errors="surrogateescape")) > _LONGEST_NAME for part in path.parts)
    ):
        raise InvalidParameterValueError(_CORRUPT)
    return path


def unpack(package: Path | bytes, folder: Path, *, limit: int = MAX_UNZIPPED) -> int:
    """Unpack into `folder`, which exists; bytes written. Later packages overwrite earlier ones' files (layers)."""
    try:
        return _unpack(package, folder, limit)
    except (IsADirectoryError, NotADirectoryError, FileExistsError):  # one name for a file and for a folder
        raise InvalidParameterValueError(_CORRUPT) from None


def _unpack(package: Path | bytes, folder: Path, limit: int) -> int:
    written = 0
    links: list[tuple[Path, str]] = []
    with _open(io.BytesIO(package) if isinstance(package, bytes) else package) as archive:
        _check_entries(archive)
        for entry in archive.infolist():
            target = folder.joinpath(*_check_name(entry).parts)
            mode = entry.external_attr >> 16
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_symlink() or target.is_file():
                target.unlink()
            if stat.S_ISLNK(mode):
                links.append((target, _read(archive, entry, 4096).decode(errors="surrogateescape")))
                continue
            written += _write(archive, entry, target, limit - written)
            target.chmod((mode & 0o777) | 0o644)  # the sandbox's user is another than ours
    for target, destination in links:
        _link(folder, target, destination)
    return written


def _pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """What comes out of an entry, a megabyte at a time. Whatever the directory says of it may be wrong."""
    try:
        with archive.open(entry) as source:
            while piece := source.read(1 << 20):
                yield piece
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError):
        raise InvalidParameterValueError(_CORRUPT) from None


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    return next(_pieces(archive, entry), b"")[:limit]


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int) -> int:
    """Write one file, counting what really comes out: the size in the directory may be a lie."""
    written = 0
    with target.open("wb") as file:
        for piece in _pieces(archive, entry):
            written += len(piece)
            if written > limit:
                raise InvalidParameterValueError(_TOO_LARGE)
            file.write(piece)
    return written


def _link(folder: Path, target: Path, destination: str) -> None:
    """A symbolic link is kept if its way, as written and as it is on the disk, never leaves the package."""
    root = os.path.realpath(folder)
    written = posixpath.normpath(posixpath.join(target.parent.relative_to(folder).as_posix(), destination))
    end = os.path.realpath(target.parent / destination)
    if posixpath.isabs(destination) or written.startswith("..") or os.path.commonpath([root, end]) != root:
        raise InvalidParameterValueError(_CORRUPT)
    target.symlink_to(destination)


def pack(folder: Path) -> bytes:
    """A folder as a package: always the same bytes for the same files. Compiled files and repositories stay out."""
    if not folder.is_absolute() or not folder.is_dir():
        raise InvalidParameterValueError(f"expected the absolute path of a folder, got {str(folder)[:300]!r}")
    buffer = io.BytesIO()
    total = 0
    count = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in _files(folder):
            total += path.stat().st_size
            if total > MAX_UNZIPPED:
                raise InvalidParameterValueError(_TOO_LARGE)
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = (stat.S_IFREG | (0o755 if os.access(path, os.X_OK) else 0o644)) << 16
            with path.open("rb") as source, archive.open(entry, "w") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            count += 1
    if count == 0:
        raise InvalidParameterValueError(f"the folder {str(folder)[:300]!r} has no files")
    return buffer.getvalue()


def _files(folder: Path) -> list[Path]:
    found = []
    for base, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if name not in _IGNORED)
        found += [Path(base) / name for name in sorted(names) if not name.endswith(".pyc")]
        if len(found) > MAX_FILES:
            raise InvalidParameterValueError(_TOO_LARGE)
    return [path for path in found if path.is_file()]
