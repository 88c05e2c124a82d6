"""Stands in for a function's handler while its cold starts are measured: imports it, and answers how long that took.

The handler itself is not called. Imports are told from the module's own code by looking at what is loaded meanwhile.
Runs on Python 3.9 and later; `LABORATORY_HANDLER` names the real handler.
"""

from __future__ import annotations

import _frozen_importlib as machinery
import importlib
import os
import sys
import time
from typing import Any

_machinery: Any = machinery
_find_and_load = _machinery._find_and_load  # noqa: SLF001 - what every import that is not cached goes through
_state = {"depth": 0, "imports": 0.0}


def _timed(name: str, import_: Any) -> Any:
    """An import: those that the handler's module asks for are at depth 1."""
    depth = _state["depth"]
    _state["depth"] = depth + 1
    before = time.monotonic()
    try:
        return _find_and_load(name, import_)
    finally:
        _state["depth"] = depth
        if depth == 1:
            _state["imports"] += time.monotonic() - before


_began = time.monotonic()
_machinery._find_and_load = _timed  # noqa: SLF001
try:
    importlib.import_module(os.environ["LABORATORY_HANDLER"].rpartition(".")[0].replace("/", "."))
finally:
    _machinery._find_and_load = _find_and_load  # noqa: SLF001
_ended = time.monotonic()


def handler(event: object, context: object) -> dict[str, Any]:  # noqa: ARG001
    """The measurements: seconds of the machine's monotonic clock."""
    root = os.environ["LAMBDA_TASK_ROOT"] + "/"
    loaded = [name for name, module in sys.modules.items() if _file(module).startswith(root)]
    return {"began": _began, "ended": _ended, "imports": _state["imports"], "loaded": sorted(loaded)}


def _file(module: object) -> str:
    return str(getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), ""))
