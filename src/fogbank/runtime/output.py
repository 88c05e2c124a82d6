"""What an environment prints, cut into log events.

Standard output, standard error and the telemetry records of AWS's clients share one pipe, so they stay in order.
Plain text is cut at line ends; a telemetry record (`>IIQ`: type, length, microseconds; then text) is one event
whatever it holds. Both are bounded: a line past `MAX_EVENT` bytes is cut, and a record that claims more than that
is treated as text. Source of the framing: the comment in awslambdaric's `FramedTelemetryLogSink`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import Callable
from typing import Protocol

from fogbank.runtime.model import FunctionVersion, LogLine

MAX_EVENT = 256 * 1024
"""Bytes of one log event."""
PIECE = 64 * 1024
_FRAME = struct.Struct(">IIQ")
_MAGIC = b"\xa5\x5a\x00"
_KINDS = frozenset({*range(0xA55A0002, 0xA55A001C)})


class Splitter:
    """Cuts a stream of bytes into events. Holds at most one unfinished event."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The events that `data` completes."""
        data = self._rest + data
        self._rest = b""
        return self._mixed(data) if _MAGIC in data else self._lines(data, [])

    def flush(self) -> list[str]:
        """What is left, as it is: the invocation or the process has ended."""
        rest, self._rest = self._rest, b""
        if rest.startswith(_MAGIC) and len(rest) >= _FRAME.size:
            rest = rest[_FRAME.size :]
        return [text] if (text := _text(rest)) else []

    def _mixed(self, data: bytes) -> list[str]:
        found: list[str] = []
        while data:
            at = data.find(_MAGIC)
            if at < 0:
                return self._lines(data, found)
            if at > 0:
                found += _whole_lines(data[:at])
                data = data[at:]
            if len(data) < _FRAME.size:
                self._rest = data
                return found
            kind, size, _ = _FRAME.unpack_from(data)
            if kind not in _KINDS or size > MAX_EVENT:
                found += _whole_lines(data[: len(_MAGIC)])
                data = data[len(_MAGIC) :]
                continue
            if len(data) < _FRAME.size + size:
                self._rest = data
                return found
            found.append(_text(data[_FRAME.size : _FRAME.size + size]))
            data = data[_FRAME.size + size :]
        return found

    def _lines(self, data: bytes, found: list[str]) -> list[str]:
        end = data.rfind(b"\n") + 1
        if end:
            found += _whole_lines(data[: end - 1])
        rest = data[end:]
        while len(rest) > MAX_EVENT:
            found.append(_text(rest[:MAX_EVENT]))
            rest = rest[MAX_EVENT:]
        self._rest = rest
        return found


def _whole_lines(data: bytes) -> list[str]:
    found = []
    for line in data.split(b"\n"):
        while len(line) > MAX_EVENT:
            found.append(_text(line[:MAX_EVENT]))
            line = line[MAX_EVENT:]
        if line:
            found.append(_text(line))
    return found


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").rstrip("\r\n")


class OutputPipe:
    """The reading end: hands events to `write` as they come, without ever holding up the writer for long."""

    __slots__ = ("_fd", "_loop", "_room", "_splitter", "_write")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, write: Callable[[list[str]], None], room: Callable[[bytes], bool]
    ) -> None:
        self._loop = loop
        self._write = write
        self._room = room
        self._splitter = Splitter()
        self._fd = -1

    def open(self) -> int:
        """Make the pipe; the writing end, which the caller passes on and closes."""
        self._fd, writer = os.pipe()
        os.set_blocking(self._fd, False)
        self._loop.add_reader(self._fd, self._readable)
        return writer

    def _readable(self) -> None:
        """One piece at a time: a function that prints without end must not hold the event loop."""
        if self._piece() == 0:
            self._loop.remove_reader(self._fd)

    def _piece(self) -> int | None:
        try:
            data = os.read(self._fd, PIECE)
        except BlockingIOError:
            return None
        except OSError:
            return 0
        if data and self._room(data):
            events = self._splitter.feed(data)
            if events:
                self._write(events)
        return len(data)

    def drain(self, *, limit: int = 4 * 1024 * 1024) -> None:
        """Take what was printed so far (at most `limit` bytes), unfinished lines included."""
        if self._fd < 0:
            return
        while limit > 0 and (size := self._piece()):
            limit -= size
        rest = self._splitter.flush()
        if rest:
            self._write(rest)

    def close(self) -> None:
        """Drain and close."""
        if self._fd < 0:
            return
        self.drain()
        self._loop.remove_reader(self._fd)
        with contextlib.suppress(OSError):
            os.close(self._fd)
        self._fd = -1


class LogSink(Protocol):
    """Where the lines go. Must not block and must be bounded."""

    def write(self, version: FunctionVersion, stream: str, lines: list[LogLine]) -> None:
        """Take lines."""
        ...

    def room(self, version: FunctionVersion, stream: str, data: bytes) -> bool:
        """Whether a piece of output can be taken; `False` if it is to be dropped without being looked at."""
        ...
