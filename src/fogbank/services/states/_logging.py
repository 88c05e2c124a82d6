"""Execution history in CloudWatch Logs, at the level that a state machine asks for.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
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
_DATA = ("input", "output", "parameters", "assignedVariables", "inputDetails", "outputDetails")


def at_level(level: str, kind: str) -> bool:
    """Whether an event of this type is logged at a level."""
    if level == "ALL":
        return True
    if level == "ERROR":
        return kind.endswith(_ERRORS)
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
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        """Log what of the events the state machine's logging configuration asks for."""
        config = revision.settings.get("logging", {})
        level = config.get("level", "OFF")
        if level == "OFF" or not config.get("destinations"):
            return
        include = config.get("includeExecutionData", False)
        lines = [_line(event, arn, include=include) for event in events if at_level(level, event["type"])]
        if lines:
            group = Arn.parse(config["destinations"][0]["cloudWatchLogsLogGroup"]["logGroupArn"])
            spawn(self._send(group, revision.machine.rpartition(":")[2], lines))

    async def _send(self, group: Arn, machine: str, lines: list[dict[str, Any]]) -> None:
        name = group.resource.removeprefix("log-group:").removesuffix(":*")
        scope = Scope(group.account, group.region)
        async with self._locks.setdefault(name, asyncio.Lock()):
            try:
                stream = await self._stream(scope, name, machine)
                await self._kit.cloud.call(
                    scope,
                    "logs",
                    "PutLogEvents",
                    {"logGroupName": name, "logStreamName": stream, "logEvents": lines},
                    principal=PRINCIPAL,
                )
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


def _line(event: dict[str, Any], arn: str, *, include: bool) -> dict[str, Any]:
    details: dict[str, Any] = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
    if not include:
        details = {name: value for name, value in details.items() if name not in _DATA}
    moment = int(event["timestamp"] * 1000)
    document = {
        "id": str(event["id"]),
        "type": event["type"],
        "details": details,
        "redrive_count": "0",
        "previous_event_id": str(event["previousEventId"]),
        "event_timestamp": str(moment),
        "execution_arn": arn,
    }
    return {"timestamp": moment, "message": msgspec.json.encode(document).decode()}
