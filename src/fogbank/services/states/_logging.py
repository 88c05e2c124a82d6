"""Execution history in CloudWatch Logs, at the level that a state machine asks for.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from fogbank.core.arn import Arn
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.services.kit import Kit
from fogbank.services.states._integrations import PRINCIPAL
from fogbank.services.states.model import Revision

_log = logging.getLogger("fogbank.states")
_FATAL = frozenset({"ExecutionAborted", "ExecutionFailed", "ExecutionTimedOut"})
_ERRORS = ("Failed", "TimedOut", "Aborted")
_MAX_DATA = 248 * 1024
"""Bytes of an input or output, escaped, past which it is left out."""
_MAX_BATCH = 1_000_000
_MAX_LINES = 10_000
_DATA = ("input", "output", "parameters", "assignedVariables", "inputDetails", "outputDetails")


def at_level(level: str, kind: str) -> bool:
    """Whether an event of this type is logged at a level."""
    if level == "ALL":
        return True
    if level == "ERROR":
        return kind.endswith(_ERRORS) or kind == "FailStateEntered"
    return level == "FATAL" and kind in _FATAL


class LogWriter:
    """Writes events to log groups, in order for each group."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._streams: dict[tuple[str, str], str] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def write(
        self,
        revision: Revision,
        arn: str,
        events: list[dict[str, Any]],
        redrives: int,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """Log what of the events the state machine's logging configuration asks for."""
        config = revision.settings.get("logging", {})
        level = config.get("level", "OFF")
        if level == "OFF" or not config.get("destinations"):
            return
        include = config.get("includeExecutionData", False)
        lines = [_line(event, arn, redrives, include=include) for event in events if at_level(level, event["type"])]
        if lines:
            group = Arn.parse(config["destinations"][0]["cloudWatchLogsLogGroup"]["logGroupArn"])
            spawn(self._send(group, revision.machine.rpartition(":")[2], lines))

    async def _send(self, group: Arn, machine: str, lines: list[dict[str, Any]]) -> None:
        name = group.resource.removeprefix("log-group:").removesuffix(":*")
        scope = Scope(group.account, group.region)
        async with self._locks.setdefault(name, asyncio.Lock()):
            try:
                stream = await self._stream(scope, name, machine)
                for batch in _batches(lines):
                    request = {"logGroupName": name, "logStreamName": stream, "logEvents": batch}
                    await self._kit.cloud.call(scope, "logs", "PutLogEvents", request, principal=PRINCIPAL)
            except ApiError as error:
                self._streams.pop((name, machine), None)
                _log.warning("the history of %s could not be logged to %s: %s", machine, name, error.message)

    async def _stream(self, scope: Scope, group: str, machine: str) -> str:
        known = self._streams.get((group, machine))
        if known is not None:
            return known
        moment = datetime.fromtimestamp(self._kit.clock.time(), UTC).strftime("%Y-%m-%d-%H-%M")
        stream = f"states/{machine}/{moment}/{self._kit.ids.hex(8)}"
        await self._kit.cloud.call(
            scope, "logs", "CreateLogStream", {"logGroupName": group, "logStreamName": stream}, principal=PRINCIPAL
        )
        self._streams[group, machine] = stream
        return stream


def _batches(lines: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Lines as PutLogEvents takes them at once."""
    batch: list[dict[str, Any]] = []
    size = 0
    for line in lines:
        length = len(line["message"].encode()) + 26
        if batch and (size + length > _MAX_BATCH or len(batch) >= _MAX_LINES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += length
    yield batch


def _cut(details: dict[str, Any]) -> dict[str, Any]:
    """Details without data that is too long for a log event; `…Details` say so."""
    for name in ("input", "output"):
        text = details.get(name)
        if text is not None and len(text) * 2 > _MAX_DATA and len(msgspec.json.encode(text)) > _MAX_DATA:
            details = {**details, name: "", f"{name}Details": {"truncated": True}}
    return details


def _line(event: dict[str, Any], arn: str, redrives: int, *, include: bool) -> dict[str, Any]:
    details: dict[str, Any] = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
    if not include:
        details = {name: value for name, value in details.items() if name not in _DATA}
    moment = int(event["timestamp"] * 1000)
    document = {
        "id": str(event["id"]),
        "type": event["type"],
        "details": _cut(details),
        "redrive_count": str(redrives),
        "previous_event_id": str(event["previousEventId"]),
        "event_timestamp": str(moment),
        "execution_arn": arn,
    }
    return {"timestamp": moment, "message": msgspec.json.encode(document).decode()}
