"""How much environments keep in their temporary folders, where no file system of their own limits them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def overfull(folders: Iterable[tuple[Path, int]]) -> list[Path]:
    """Those folders that hold more than their limit, in bytes. Reads the disk: not for the event loop."""
    return [folder for folder, limit in folders if holds(folder, limit) > limit]


def holds(folder: Path, enough: int) -> int:
    """Bytes on the disk below a folder; what comes after `enough` is not looked at. Links are not followed."""
    held = 0
    waiting = [str(folder)]
    while waiting and held <= enough:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    held += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:  # removed meanwhile, or closed to us by the function
            continue
    return held
