"""Code folders: sources copied, requirements linked in, named by their content.

    build/requirements/<key>/   what pip installed for one content of requirements.txt, Python and platform
    build/code/<digest>/        requirements linked, sources copied over them

Both are made beside their place and renamed into it, so a build that is interrupted leaves nothing half made.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from fogbank.templates._build.errors import BuildError

EXCLUDED = frozenset({".aws-sam", ".fogbank", ".git", ".hg", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".svn",
                      ".tox", ".venv", "__pycache__"})  # fmt: skip
"""Folders that are never part of a deployment package."""
MAX_BYTES = 262_144_000
"""What a package may be when unzipped (Lambda's quota)."""
_VERSION = re.compile(r"python(3\.[0-9]+)")
_FORMAT = "1"
"""Part of every key: raised when the layout of what is built changes."""


class CodeBuilder:
    """Makes code folders below one build folder."""

    def __init__(self, output: Path, progress: Callable[[str], None]) -> None:
        self._output = output
        self._progress = progress

    def build(
        self, logical_id: str, source: Path, runtime: str | None, method: str | None, where: str, *, layer: bool
    ) -> Path:
        """The folder to deploy for a source: a folder, a zip file or a single file."""
        if source.is_file() and zipfile.is_zipfile(source):
            return self._unzipped(logical_id, source, where)
        files = [source] if source.is_file() else sorted(source_files(source))
        root = source.parent if source.is_file() else source
        digest = _digest(root, files)
        python = self._python(logical_id, root, runtime, method, where, layer=layer)
        requirements = root / "requirements.txt"
        installed: Path | None = None
        if python is not None and requirements in files:
            installed = self._installed(logical_id, requirements, python, digest, where)
        key = "" if installed is None else installed.name
        name = hashlib.sha256(f"{_FORMAT}\n{digest}\n{key}\n{layer and method}".encode()).hexdigest()[:24]
        place = self._output / "code" / name
        if not place.is_dir():
            prefix = "python" if layer and installed is not None and method else ""
            self._assemble(place, root, files, installed, prefix)
        return place

    @staticmethod
    def _python(
        logical_id: str, root: Path, runtime: str | None, method: str | None, where: str, *, layer: bool
    ) -> str | None:
        """The Python version to install requirements for; `None` if the code is deployed as it is."""
        chosen = method if method is not None else (None if layer else runtime)
        if chosen is None:
            return None
        version = _VERSION.fullmatch(chosen)
        if version is not None:
            return version[1]
        if method is not None:
            raise BuildError(
                f"{logical_id}: Fogbank does not implement BuildMethod {method}",
                where=where,
                do=f"build it yourself, point the template at the result and remove BuildMethod ({root})",
            )
        return None

    def _installed(self, logical_id: str, requirements: Path, python: str, digest: str, where: str) -> Path | None:
        """The folder of installed requirements; `None` if there are none."""
        text = requirements.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines()]
        wanted = [line for line in lines if line and not line.startswith("#")]
        if not wanted:
            return None
        local = any(line.startswith(("-", ".", "/")) or "file:" in line for line in wanted)
        parts = [_FORMAT, "\n".join(wanted), python, platform.machine(), sys.platform, digest if local else ""]
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
        place = self._output / "requirements" / key
        if place.is_dir():
            return place
        self._progress(f"{logical_id}: installing {len(wanted)} requirement{'s' if len(wanted) > 1 else ''}")
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=place.parent))
        try:
            _pip(logical_id, requirements, temporary, python, where)
            _rename(temporary, place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return place

    def _assemble(self, place: Path, root: Path, files: list[Path], installed: Path | None, prefix: str) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=place.parent))
        temporary.chmod(0o755)
        target = temporary / prefix
        try:
            if installed is not None:
                shutil.copytree(installed, target, copy_function=_link, dirs_exist_ok=True)
            for file in files:
                to = target / file.relative_to(root)
                to.parent.mkdir(parents=True, exist_ok=True)
                to.unlink(missing_ok=True)  # a requirement's file of the same name is a link to the store of all builds
                shutil.copy2(file, to)
            _rename(temporary, place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _unzipped(self, logical_id: str, source: Path, where: str) -> Path:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()[:24]
        place = self._output / "code" / digest
        if place.is_dir():
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=place.parent))
        try:
            with zipfile.ZipFile(source) as archive:
                _check_members(logical_id, archive, where)
                archive.extractall(temporary)
            _rename(temporary, place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return place


def _check_members(logical_id: str, archive: zipfile.ZipFile, where: str) -> None:
    """Refuse an archive that escapes its folder or is larger than a package may be."""
    size = 0
    for member in archive.infolist():
        size += member.file_size
        parts = Path(member.filename).parts
        if ".." in parts or member.filename.startswith("/") or "\\" in member.filename:
            raise BuildError(f"{logical_id}: its zip file has a path outside its folder: {member.filename}", where=where)
    if size > MAX_BYTES:
        raise BuildError(f"{logical_id}: its zip file is {size} bytes unzipped; {MAX_BYTES} are allowed", where=where)


def source_files(folder: Path) -> Iterator[Path]:
    """The files of a source folder that belong to a package. Links are followed once, not into loops."""
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in EXCLUDED]
        for name in names:
            if not name.endswith((".pyc", ".pyo")):
                file = Path(path, name)
                if stat.S_ISREG(file.stat().st_mode):
                    yield file


def _digest(root: Path, files: list[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        mode = file.stat().st_mode & 0o111
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{file.relative_to(root)}\0{mode}\0{content}\n".encode())
    return total.hexdigest()


def _link(source: str, target: str) -> str:
    """A hard link, or a copy where the file system has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _rename(temporary: Path, place: Path) -> None:
    """Put a finished folder in its place; another build may have been first."""
    temporary.chmod(0o755)
    try:
        temporary.rename(place)
    except OSError:
        if not place.is_dir():
            raise


def _pip(logical_id: str, requirements: Path, target: Path, python: str, where: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input",
               "--no-warn-conflicts", "--target", str(target), "--requirement", str(requirements)]  # fmt: skip
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    if python != own:
        command += ["--python-version", python, "--implementation", "cp", "--only-binary", ":all:"]
    done = subprocess.run(command, cwd=requirements.parent, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise BuildError(
            f"{logical_id}: its requirements cannot be installed: {' '.join(lines[-3:]).strip()}",
            where=str(requirements),
            do=f"try: {' '.join(command[:4])} -r {requirements} ({where})",
        )
    for cache in target.rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)
