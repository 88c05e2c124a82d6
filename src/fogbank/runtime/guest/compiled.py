"""Bytecode that does not lie where Python looks for it: beside sources that cannot be written to.

See `runtime/bytecode.py`, which makes it. Runs on Python 3.9 and later.
"""

from __future__ import annotations

import importlib.machinery
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

OFFERED = "/var/lib/compiled"
"""Where that of the packages lies which the runtime offers."""


def read_compiled(compiled: str, folders: Sequence[str]) -> None:
    """Have modules below `folders` find what was compiled of them below `compiled`, and only those."""

    class Loader(importlib.machinery.SourceFileLoader):
        """Looks for bytecode elsewhere; the rest of Python's own keeps it beside the source."""

        def get_code(self, fullname: str) -> Any:
            sys.pycache_prefix = compiled
            try:
                return super().get_code(fullname)
            finally:
                sys.pycache_prefix = None

    machinery = importlib.machinery
    find = machinery.FileFinder.path_hook(
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (Loader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )

    def hook(path: str) -> Any:
        if not path.startswith(tuple(folders)):
            raise ImportError("not the function's own")
        return find(path)

    sys.path_hooks.insert(0, hook)
    for place in [place for place in sys.path_importer_cache if place.startswith(tuple(folders))]:
        del sys.path_importer_cache[place]
