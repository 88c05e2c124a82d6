"""Noticing that files change. Looking is cheap (a few microseconds a file), and it works on every file system."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

SKIPPED = frozenset(
    {
        ".aws-sam",
        ".fogbank",
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "__pycache__",
        "node_modules",
        ".mypy_cache",
        ".ruff_cache",
    }
)
"""Folders that hold no source."""


class Watch:
    """Remembers the state of files and folders; `changed` tells what differs from the last look."""

    def __init__(self, places: Iterable[Path]) -> None:
        self._places = tuple(places)
        self._seen = self._look()

    def changed(self) -> list[Path]:
        """The files that were made, changed or removed since the last look."""
        now = self._look()
        before, self._seen = self._seen, now
        return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))

    def aim(self, places: Iterable[Path]) -> None:
        """Look at these places from now on; a file that was known already counts as changed since the last look."""
        self._places = tuple(places)
        self._seen = {path: self._seen.get(path, state) for path, state in self._look().items()}

    def _look(self) -> dict[Path, tuple[int, int]]:
        return {path: (found.st_mtime_ns, found.st_size) for path, found in _files(self._places)}


def _files(places: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    for place in places:
        if not place.is_dir():
            yield from _stated(place)
            continue
        for folder, folders, names in os.walk(place):
            folders[:] = [name for name in folders if name not in SKIPPED]
            for name in names:
                if not name.endswith((".pyc", "~", ".swp")):
                    yield from _stated(Path(folder, name))


def _stated(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The file's state, if it is there: editors replace files while we look."""
    try:
        yield path, path.stat()
    except OSError:
        return
