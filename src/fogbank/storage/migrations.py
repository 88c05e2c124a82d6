"""Migrations: numbered SQL files beside the code they belong to, each applied once and never changed after."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: `0001_queues.sql`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text: a file that was applied may not change."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Migrations:
    """The migrations of one package, in order."""

    package: str
    files: tuple[Migration, ...]

    @classmethod
    def load(cls, package: str, folder: Path) -> Migrations:
        """Read `folder`; a package without the folder has none."""
        files = []
        for path in sorted(folder.glob("*.sql")) if folder.is_dir() else []:
            match = _NAME.fullmatch(path.name)
            if match is None:
                raise ValueError(f"{path}: expected a name like 0001_queues.sql")
            files.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
        numbers = [file.number for file in files]
        if numbers != list(range(1, len(files) + 1)):
            raise ValueError(f"{folder}: expected numbers 1 to {len(files)} without gaps, got {numbers}")
        return cls(package, tuple(files))
