"""From the environments' output to CloudWatch Logs: gathered in memory, written in batches beside the invocations.

Bounded: what a function prints faster than it can be stored is dropped, and a line in its log says how much.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from fogbank.core.call import Cloud
from fogbank.core.clock import Clock
from fogbank.core.errors import ApiError
from fogbank.core.lifecycle import Actor
from fogbank.core.scope import Scope
from fogbank.runtime import FunctionVersion, LogLine
from fogbank.services.lambda_._names import PRINCIPAL

_log = logging.getLogger("fogbank.lambda.logs")
MAX_STREAM = 1024 * 1024
"""Characters that wait for one stream."""
MAX_TOTAL = 32 * 1024 * 1024
"""Characters that wait in all."""
BATCH_EVENTS = 1_000
"""Events of one PutLogEvents, fewer than it takes: others want the processor in between."""
BATCH_SIZE = 1_000_000
_EVENT_OVERHEAD = 26
_GATHER = 0.02
"""Seconds that lines are gathered before they are written; as long as writing the last ones took, if that is longer."""
_MAX_STREAMS = 10_000
Place = tuple[Scope, str, str]
"""Account and region, log group, log stream."""


@dataclass(slots=True)
class _Waiting:
    """What waits for one stream."""

    lines: list[LogLine] = field(default_factory=list)
    size: int = 0
    dropped_lines: int = 0
    dropped_size: int = 0


class LogBuffer(Actor):
    """A `LogSink` that writes through `cloud.call`."""

    def __init__(self, cloud: Cloud, clock: Clock) -> None:
        super().__init__()
        self._cloud = cloud
        self._clock = clock
        self._waiting: dict[Place, _Waiting] = {}
        self._total = 0
        self._known: set[Place] = set()
        self._flushing: asyncio.Task[None] | None = None

    def room(self, version: FunctionVersion, stream: str, data: bytes) -> bool:
        """Whether a piece of output can be taken; if not, it is counted as dropped and need not be looked at."""
        waiting = self._waiting.get((version.scope, version.logging.group, stream))
        if waiting is None or (waiting.size < MAX_STREAM and self._total < MAX_TOTAL):
            return True
        waiting.dropped_lines += data.count(b"\n")
        waiting.dropped_size += len(data)
        return False

    def write(self, version: FunctionVersion, stream: str, lines: list[LogLine]) -> None:
        """Take lines; they are written soon."""
        place = (version.scope, version.logging.group, stream)
        waiting = self._waiting.get(place)
        if waiting is None:
            waiting = self._waiting[place] = _Waiting()
        for line in lines:
            size = len(line.text) + _EVENT_OVERHEAD
            if waiting.size + size > MAX_STREAM or self._total + size > MAX_TOTAL:
                waiting.dropped_lines += 1
                waiting.dropped_size += len(line.text)
                continue
            waiting.lines.append(line)
            waiting.size += size
            self._total += size
        if self.running and (self._flushing is None or self._flushing.done()):
            self._flushing = self.spawn(self._flush(), name="lambda-logs")

    async def abandon(self) -> None:
        """Write nothing of what waits, and forget which streams there are."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.wait({self._flushing})
        self._waiting.clear()
        self._known.clear()
        self._total = 0

    async def on_stop(self) -> None:
        """Write what waits."""
        if self._flushing is not None and not self._flushing.done():
            await self._flushing
        await self._write_all()

    async def _flush(self) -> None:
        pause = _GATHER
        while self._waiting:
            await asyncio.sleep(pause)  # a pace for the writes; no meaning in the clock's time
            began = self._clock.machine_monotonic()
            await self._write_all()
            pause = max(_GATHER, self._clock.machine_monotonic() - began)

    async def _write_all(self) -> None:
        for place in list(self._waiting):
            waiting = self._waiting.pop(place, None)
            if waiting is None:
                continue
            self._total -= waiting.size
            lines = waiting.lines
            if waiting.dropped_lines:
                text = (
                    f"[FOGBANK] {waiting.dropped_lines} lines ({waiting.dropped_size} bytes) were dropped here: "
                    "the function printed faster than its log could be written"
                )
                lines.append(LogLine(lines[-1].time if lines else self._clock.millis(), text))
            try:
                await self._put(place, lines)
            except ApiError as error:
                _log.warning("the log of %s %s cannot be written: %s", place[1], place[2], error)

    async def _put(self, place: Place, lines: list[LogLine]) -> None:
        scope, group, stream = place
        if place not in self._known:
            await self._create(place)
        for batch in _batches(lines):
            events = [{"timestamp": line.time, "message": f"{line.text}\n"} for line in batch]
            request = {"logGroupName": group, "logStreamName": stream, "logEvents": events}
            try:
                await self._cloud.call(scope, "logs", "PutLogEvents", request, principal=PRINCIPAL)
            except ApiError as error:
                if error.code != "ResourceNotFoundException":
                    raise
                await self._create(place)  # somebody deleted the group or the stream
                await self._cloud.call(scope, "logs", "PutLogEvents", request, principal=PRINCIPAL)

    async def _create(self, place: Place) -> None:
        scope, group, stream = place
        wanted = (
            ("CreateLogGroup", {"logGroupName": group}),
            ("CreateLogStream", {"logGroupName": group, "logStreamName": stream}),
        )
        for operation, request in wanted:
            try:
                await self._cloud.call(scope, "logs", operation, request, principal=PRINCIPAL)
            except ApiError as error:
                if error.code != "ResourceAlreadyExistsException":
                    raise
        if len(self._known) >= _MAX_STREAMS:
            self._known.clear()
        self._known.add(place)


def _batches(lines: list[LogLine]) -> list[list[LogLine]]:
    """Cut to what one PutLogEvents takes: 1 MiB with 26 bytes for each event."""
    found: list[list[LogLine]] = []
    batch: list[LogLine] = []
    size = 0
    for line in lines:
        if not line.text:
            continue
        length = len(line.text.encode("utf-8", "replace")) + _EVENT_OVERHEAD
        if batch and (len(batch) >= BATCH_EVENTS or size + length > BATCH_SIZE):
            found.append(batch)
            batch, size = [], 0
        batch.append(line)
        size += length
    if batch:
        found.append(batch)
    return found
