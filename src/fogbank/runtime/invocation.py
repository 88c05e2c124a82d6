"""One event under way in an environment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from fogbank.runtime import records
from fogbank.runtime.model import Event, Exit, FunctionVersion, LogLine, Outcome

TAIL = 4096
"""Bytes of log that LogType=Tail returns."""
_KINDS = {"": "Runtime.ExitError", "memory": "Runtime.OutOfMemory"}
"""What kind of error it is when a process ends during an event, by why; an extension's failure has its own."""


@dataclass(frozen=True, slots=True)
class Broken:
    """What becomes of an event whose process ended: the lines, the kind of error, the answer and what was used."""

    said: list[str]
    kind: str
    payload: bytes
    used: records.Report


@dataclass(slots=True)
class Invocation:
    """See the module. `began` is by the machine's clock."""

    event: Event
    future: asyncio.Future[Outcome]
    began: float
    timer: asyncio.TimerHandle
    init: float | None = None
    restored: records.Restored | None = None
    verdict: str | None = None
    """Why we killed the process: `timeout`, `memory`, or the kind of an extension's failure, with its `text`."""
    text: str = ""
    answered: bool = False
    streaming_since: float | None = None
    """Since when the runtime has been streaming its answer."""
    result: tuple[bytes, str | None] | None = None
    """The answer and its kind of error, from when it came until it is reported."""
    tail: bytearray = field(default_factory=bytearray)

    @property
    def reported(self) -> bool:
        """Whether the line after it is in the log: nothing more can become of it."""
        return self.answered and self.result is None

    def logged(self, lines: Iterable[LogLine]) -> None:
        """Keep the end of the log, if the caller wants it."""
        if not self.event.tail:
            return
        tail = self.tail
        for line in lines:
            tail += line.text.encode("utf-8", "replace") + b"\n"
        if len(tail) > 4 * TAIL:
            del tail[:-TAIL]

    def answer(self, used: records.Report, billed: int) -> None:
        """Tell whoever waits, who may know it already. `billed` is in milliseconds."""
        assert self.result is not None
        payload, kind = self.result
        if not self.future.done():
            log = bytes(self.tail[-TAIL:])
            error = None if kind is None else "Unhandled"
            self.future.set_result(
                Outcome(payload, error, log, used.duration, kind, billed, used.memory_used, used.init)
            )
        if self.event.stream is not None:
            self.event.stream.end()

    def broken(self, version: FunctionVersion, exit_: Exit, now: int, duration: float, largest: int) -> Broken:
        """The process has ended before it was done with the event: at `now`, in milliseconds."""
        request_id = self.event.request_id
        if self.verdict == "timeout":
            kind, said = "Sandbox.Timedout", f"Task timed out after {records.seconds_text(version.timeout)}"
            used = records.Report(version.timeout, largest, self.init, "timeout", restored=self.restored)
            payload = records.error_document(kind, f"RequestId: {request_id} Error: {said}")
            return Broken([f"{records.timestamp(now)} {request_id} {said}"], kind, payload, used)
        why = self.verdict or ""
        kind = _KINDS.get(why, why)
        said = f"RequestId: {request_id} Error: {self.text or records.exit_text(exit_)}"
        used = records.Report(duration, largest, self.init, "error", kind, self.restored)
        return Broken([said, kind], kind, records.error_document(kind, said), used)

    def done(self, now: float, wall: float, status: str, kind: str | None) -> records.Done:
        """How the runtime handled it, by `now`; `wall` is the same moment as wall time."""
        duration = now - self.began
        latency = (self.streaming_since or now) - self.began
        produced = len(self.result[0]) if self.result is not None else 0
        if self.event.stream is not None:
            produced += self.event.stream.size
        return records.Done(wall - duration, latency, duration - latency, duration, produced, status, kind)
