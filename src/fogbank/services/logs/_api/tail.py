"""Live Tail: the events of up to ten groups as they arrive."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fogbank.services.logs import storage
from fogbank.services.logs._api.service import (
    EVERY_GROUP,
    LogsService,
    filter_pattern,
    group_of,
    name_of_identifier,
    topic,
)
from fogbank.services.logs.errors import InvalidOperationError, InvalidParameterError
from fogbank.services.logs.model import Event, GroupClass
from fogbank.telemetry.usage import Use

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from types_boto3_logs import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.services.kit import Kit
    from fogbank.services.logs._patterns import Pattern
    from fogbank.storage import Tx

_UPDATE = 500
"""Events in one update."""
_INTERVAL = 1.0
"""Seconds between updates while nothing arrives."""
_SESSION = 3 * 3600.0


@dataclass(frozen=True, slots=True)
class _Session:
    """What is followed. `groups` are identifiers by the groups' ids."""

    groups: dict[int, str]
    names: tuple[str, ...] | None
    prefixes: tuple[str, ...] | None
    pattern: Pattern
    since: int

    def wants(self, stream: str, event: Event) -> bool:
        """Whether an event belongs to the session."""
        if self.names is not None and stream not in self.names:
            return False
        if self.prefixes is not None and not stream.startswith(self.prefixes):
            return False
        return self.pattern.matches(event.message)


class TailOperations(LogsService):
    """The operation that follows logs."""

    async def start_live_tail(self, call: Call, request: t.StartLiveTailRequestTypeDef) -> Reply:
        """Follow up to ten groups.

        An update is sent as soon as there are events, and every second while there are none. Nothing is
        sampled: where AWS drops events past 500 a second, further updates follow here.
        """
        names, prefixes = request.get("logStreamNames"), request.get("logStreamNamePrefixes")
        identifiers = request["logGroupIdentifiers"]
        if names is not None and prefixes is not None:
            raise InvalidParameterError("logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.")
        if (names is not None or prefixes is not None) and len(identifiers) > 1:
            raise InvalidParameterError("Log streams can be given only with a single log group.")
        for identifier in identifiers:
            if not identifier.startswith("arn:"):
                raise InvalidParameterError(f"{identifier} is not a valid log group ARN.")
        pattern = filter_pattern(request.get("logEventFilterPattern", ""))

        async def body(tx: Tx) -> _Session:
            groups = {}
            for identifier in identifiers:
                group = await group_of(tx, call.scope, name_of_identifier(identifier, call.scope))
                if group.group_class is not GroupClass.STANDARD:
                    raise InvalidOperationError(
                        f"Live Tail is not supported for log groups of class {group.group_class}."
                    )
                groups[group.id] = f"{call.scope.account}:{group.name}"
            return _Session(
                groups,
                None if names is None else tuple(names),
                None if prefixes is None else tuple(prefixes),
                pattern,
                await storage.last_event(tx),
            )

        session = await self.kit.storage.read(body)
        start = {
            "requestId": call.request_id,
            "sessionId": self.kit.ids.uuid(),
            "logGroupIdentifiers": list(identifiers),
            "logStreamNames": names,
            "logStreamNamePrefixes": prefixes,
            "logEventFilterPattern": request.get("logEventFilterPattern"),
        }
        return {"responseStream": _metered(self.kit, call, _follow(self.kit, session, start))}


async def _metered(kit: Kit, call: Call, session: AsyncGenerator[Reply, None]) -> AsyncIterator[Reply]:
    """The session, and at its end how long it was: live tail is billed by the minute."""
    began = kit.clock.time()
    try:
        async with contextlib.aclosing(session) as messages:
            async for message in messages:
                yield message
    finally:
        minutes = (kit.clock.time() - began) / 60
        kit.usage.add(call.scope, call.trace.root, (Use("logs.tail-minutes", "", minutes),))


async def _follow(kit: Kit, session: _Session, start: Reply) -> AsyncGenerator[Reply, None]:
    """The session's messages, until the client goes or three hours are over."""
    yield {"sessionStart": start}
    ends = kit.clock.time() + _SESSION
    since = session.since
    followed = topic(next(iter(session.groups))) if len(session.groups) == 1 else EVERY_GROUP
    with kit.storage.subscribe(followed) as wakeup:
        while kit.clock.time() < ends:
            events, since, more = await _arrived(kit, session, since)
            yield {"sessionUpdate": {"sessionMetadata": {"sampled": False}, "sessionResults": events}}
            now = kit.clock.time()  # the client may have taken its time with the update
            if not more and now < ends:
                await wakeup.wait(min(now + _INTERVAL, ends))
    yield {"SessionTimeoutException": {"message": "The live tail session has been open for three hours."}}


async def _arrived(kit: Kit, session: _Session, since: int) -> tuple[list[Reply], int, bool]:
    """The session's events after `since`, the last event looked at, and whether there are more."""

    async def body(tx: Tx) -> tuple[list[Reply], int, bool]:
        rows = await storage.events_since(tx, since, await storage.last_event(tx), _UPDATE)
        names: dict[int, str | None] = {}
        found = []
        for group_id, event in rows:
            identifier = session.groups.get(group_id)
            if identifier is None:
                continue
            if event.stream_id not in names:
                names[event.stream_id] = await storage.stream_name(tx, event.stream_id)
            stream = names[event.stream_id]
            if stream is None or not session.wants(stream, event):
                continue
            found.append(
                {
                    "logStreamName": stream,
                    "logGroupIdentifier": identifier,
                    "message": event.message,
                    "timestamp": event.timestamp,
                    "ingestionTime": event.ingested_at,
                }
            )
        return found, rows[-1][1].id if rows else since, len(rows) == _UPDATE

    return await kit.storage.read(body)
