"""Evaluates expressions that could take much memory in a process of its own, which may die of them.

The engine bounds time, depth and the length of sequences, but not memory: what may grow faster than its input
(functions, ranges, mapped constructors, replacements) is sent to a child with a limit on its memory. A child that dies,
runs out of memory or does not answer in time fails that one expression; the next starts another.
"""

from __future__ import annotations

import contextlib
import resource
import select
import struct
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from fogbank.services.states._language import jsonata
from fogbank.services.states._language._threads import Dice

MEMORY = 512 << 20
"""Bytes of memory that it may take beside what it has when it is ready."""
PATIENCE = 2_000
"""Milliseconds for an answer; the engine ends an evaluation after one second."""
STARTING = 30_000
"""Milliseconds until the child is ready."""
_STATM = Path("/proc/self/statm")
_HEAD = struct.Struct("<I")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict).decode


class Evaluator:
    """The child, started when it is first asked for; it ends with the evaluator, stopped or dropped."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._answered = 0
        """How many expressions this child has evaluated; 0 before it is ready."""
        self._end: Callable[[], object] = _nothing

    def start(self) -> None:
        """Start the child, if there is none; it gets ready while others go on."""
        if self._child is None or self._child.poll() is not None:
            self.stop()
            child = subprocess.Popen(  # noqa: S603 - our own interpreter, with our own code
                [sys.executable, "-c", f"from {__name__} import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._child, self._end = child, weakref.finalize(self, _kill, child)

    def stop(self) -> None:
        """End the child."""
        self._child = None
        self._answered = 0
        self._end()

    def evaluate(self, text: str, bindings: Mapping[str, Any], now: int, seed: str) -> str | None:
        """The value as JSON, or `None` for nothing. `JsonataError` if it fails or passes a bound."""
        request = _encode({"text": text, "bindings": bindings, "now": now, "seed": seed})
        found = self._ask(request)
        if found is None and self._answered > 1:  # earlier ones may have left it little
            self.stop()
            found = self._ask(request)
        if found is None:
            self.stop()
            raise jsonata.JsonataError("D1012: The expression took too much memory or time")
        if "error" in found:
            raise jsonata.JsonataError(found["error"])
        value: str | None = found["value"]
        return value

    def _ask(self, request: bytes) -> dict[str, Any] | None:
        """The child's answer, or `None` if it ran out of memory or time."""
        self.start()
        child = self._child
        assert child is not None
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            if not self._answered and _read(child.stdout, STARTING) is None:
                return None
            self._answered += 1
            _write(child.stdin, request)
            reply = _read(child.stdout, PATIENCE)
        except OSError:
            return None
        found = {} if reply is None else _decode(reply)
        return None if not found or "full" in found else found


def _nothing() -> None:
    """There is no child to end."""


def _kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    child.wait()


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_HEAD.pack(len(data)) + data)
    pipe.flush()


def _read(pipe: IO[bytes], patience: int | None = None) -> bytes | None:
    """A message, or `None` if none comes."""
    if patience is not None and not select.select([pipe], [], [], patience / 1000)[0]:
        return None
    head = pipe.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size: int = _HEAD.unpack(head)[0]
    data = pipe.read(size)
    return data if len(data) == size else None


def serve() -> None:
    """The child: answer until the parent is gone."""
    if _STATM.exists():  # Linux: beside what the engine has reserved for its stack
        limit = int(_STATM.read_text().split()[5]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _write(sys.stdout.buffer, b"{}")
    while True:
        request = _read(sys.stdin.buffer)
        if request is None:
            return
        _write(sys.stdout.buffer, _encode(_answer(_decode(request))))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    dice = Dice(request["seed"])
    dice.now = request["now"]
    try:
        return {"value": jsonata.parse_expression(request["text"]).evaluate_here(request["bindings"], dice)}
    except jsonata.JsonataError as error:
        return {"full": True} if "MemoryError" in str(error) else {"error": str(error)}
    except MemoryError:
        return {"full": True}
