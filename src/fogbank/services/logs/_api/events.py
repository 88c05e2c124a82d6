"""Log events: put, get, filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.paging import encode_token
from fogbank.services.logs import storage
from fogbank.services.logs._api.service import (
    EVERY_GROUP,
    LogsService,
    filter_pattern,
    group_name,
    group_of,
    position_of,
    refuse_parameters,
    stream_of,
    topic,
)
from fogbank.services.logs._publishing import publish_metrics
from fogbank.services.logs._subscriptions import enqueue_subscribed
from fogbank.services.logs.errors import InvalidParameterError, ResourceNotFoundError
from fogbank.services.logs.model import (
    BACKWARD_SINCE,
    LAST,
    MAX_PAGE_BYTES,
    MAX_PAGE_EVENTS,
    OVERHEAD,
    Batch,
    Cursor,
    Event,
    Position,
    check_batch,
    event_id,
    first_cursors,
    fit_page,
    page_cursors,
)

if TYPE_CHECKING:
    from types_boto3_logs import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.core.scope import Scope
    from fogbank.services.logs._patterns import Pattern
    from fogbank.storage import Tx

_CHUNK = 1_000
"""Events read at a time: what a page needs is not known before they are seen."""
_MAX_SCAN = 10_000
"""Events that one FilterLogEvents looks at. A page may be short, or empty, and have a token: so documented.
"""


class EventOperations(LogsService):
    """The operations on log events."""

    async def put_log_events(self, call: Call, request: t.PutLogEventsRequestTypeDef) -> Reply:
        """Store a batch of events. Sequence tokens are not looked at, as documented."""
        if "entity" in request:  # on AWS it ties the events to a resource in Application Signals
            refuse_parameters("PutLogEvents", request, ["entity"])
        now = self.kit.clock.millis()
        scope, group, stream = call.scope, request["logGroupName"], request["logStreamName"]
        panel = self._panels((scope, group))

        async def body(tx: Tx) -> Batch:
            place = await storage.place(tx, scope, group, stream)
            if place is None:
                raise ResourceNotFoundError("log group")
            group_id, stream_id, retention_days, subscriptions, filters = place
            if stream_id is None:
                if not call.principal.service:
                    raise ResourceNotFoundError("log stream")
                stream_id = await _create_stream(tx, group_id, stream, now)
            batch = check_batch(request["logEvents"], now, retention_days)
            if not batch.events:
                return batch
            if subscriptions:
                stored = await storage.insert_events_for_ids(
                    tx, group_id, stream_id, batch.events, now=now, size=batch.size
                )
                await enqueue_subscribed(
                    tx, self.kit.delivery, call, group=group, group_id=group_id, stream=stream, events=stored
                )
            else:
                await storage.insert_events(tx, group_id, stream_id, batch.events, now=now, size=batch.size)
            await publish_metrics(
                tx, self.kit, call, group_id=group_id, filters=filters, events=batch.events, panel=panel
            )
            tx.wake(topic(group_id))
            tx.wake(EVERY_GROUP)
            return batch

        batch = await self.kit.storage.transact(body)
        panel.add("IncomingLogEvents", float(len(batch.events)), "None")
        panel.add("IncomingBytes", float(batch.size), "Bytes")
        return {"nextSequenceToken": Position(now, 1).number, "rejectedLogEventsInfo": batch.rejected}

    async def get_log_events(self, call: Call, request: t.GetLogEventsRequestTypeDef) -> Reply:
        """Read a stream, a page at a time, in either direction; a page's events are always oldest first."""
        name = group_name(request, call.scope)
        start = min(request.get("startTime", 0), LAST.timestamp)
        end = min(request.get("endTime", LAST.timestamp), LAST.timestamp)
        cursor = _cursor(request, start, end)
        limit = request.get("limit", MAX_PAGE_EVENTS)

        async def body(tx: Tx) -> list[Event]:
            group = await group_of(tx, call.scope, name)
            stream = await stream_of(tx, group.id, request["logStreamName"])
            return await _read_page(tx, stream.id, cursor, start=start, end=end, limit=limit)

        events = await self.kit.storage.read(body)
        if events or "nextToken" in request:
            forward, backward = page_cursors(events, cursor)
        else:
            forward, backward = first_cursors(start, end)
        return {
            "events": [
                {"timestamp": e.timestamp, "message": e.message, "ingestionTime": e.ingested_at} for e in events
            ],
            "nextForwardToken": forward.token,
            "nextBackwardToken": backward.token,
        }

    async def filter_log_events(self, call: Call, request: t.FilterLogEventsRequestTypeDef) -> Reply:
        """Search the streams of a group; their events are interleaved by time."""
        if "logStreamNames" in request and "logStreamNamePrefix" in request:
            raise InvalidParameterError("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
        search = _Search.of(call, request)

        async def body(tx: Tx) -> Reply:
            return await search.run(tx)

        return await self.kit.storage.read(body)


async def _create_stream(tx: Tx, group_id: int, name: str, now: int) -> int:
    """The services that write logs (rules with a log group as target) create the streams that they need."""
    await storage.insert_stream(tx, group_id, name, now)
    return (await stream_of(tx, group_id, name)).id


def _cursor(request: t.GetLogEventsRequestTypeDef, start: int, end: int) -> Cursor:
    token = request.get("nextToken")
    if token is not None:
        return Cursor.parse(token)
    if request.get("startFromHead", False):
        return Cursor(forward=True, position=Position.before(start))
    return Cursor(forward=False, position=Position.before(end))


async def _read_page(tx: Tx, stream_id: int, cursor: Cursor, *, start: int, end: int, limit: int) -> list[Event]:
    """A page from the cursor on, oldest first; `end` is not included."""
    if cursor.forward:
        at, bound = max(cursor.position, Position.before(start)), end - 1
    else:
        at, bound = min(cursor.position, Position.before(end)), start
    events: list[Event] = []
    room = MAX_PAGE_BYTES
    while len(events) < limit:
        wanted = min(_CHUNK, limit - len(events))
        chunk = await storage.stream_events(tx, stream_id, at=at, until=bound, forward=cursor.forward, limit=wanted)
        fitting = max(fit_page(chunk, room), 1 if chunk and not events else 0)
        events += chunk[:fitting]
        room -= sum(len(event.message.encode()) + OVERHEAD for event in chunk[:fitting])
        if len(chunk) < wanted or fitting < len(chunk):
            break
        at = Position(chunk[-1].timestamp, chunk[-1].id)
    return events if cursor.forward else events[::-1]


class _Search:
    """One page of FilterLogEvents under way."""

    def __init__(self, scope: Scope, name: str, request: t.FilterLogEventsRequestTypeDef, pattern: Pattern) -> None:
        self.scope = scope
        self.name = name
        self.request = request
        self.pattern = pattern
        self.limit = request.get("limit", MAX_PAGE_EVENTS)
        self.start = min(request.get("startTime", 0), LAST.timestamp)
        self.end = min(request.get("endTime", LAST.timestamp), LAST.timestamp)
        self.forward = request.get("startFromHead", True)
        if not self.forward and self.start < BACKWARD_SINCE:
            raise InvalidParameterError(
                "startFromHead can be false only when startTime is on or after Jan 1, 2024 00:00:00 UTC."
            )
        self.at = Position.before(self.start) if self.forward else Position.after(self.end)
        position = position_of(request, tuple[int, int, bool])
        if position is not None:
            self.at, self.forward = Position(position[0], position[1]), position[2]
        self.found: list[Reply] = []
        self.names: dict[int, str | None] = {}

    @classmethod
    def of(cls, call: Call, request: t.FilterLogEventsRequestTypeDef) -> _Search:
        """Check the request."""
        name = group_name(request, call.scope)
        return cls(call.scope, name, request, filter_pattern(request.get("filterPattern", "")))

    async def run(self, tx: Tx) -> Reply:
        """Read events until the page is full, the range is at its end or enough was looked at."""
        group = await group_of(tx, self.scope, self.name)
        streams = await self._streams(tx, group.id)
        room = MAX_PAGE_BYTES
        for _ in range(_MAX_SCAN // _CHUNK):
            chunk = await self._chunk(tx, group.id, streams)
            for event in chunk:
                wanted = streams is None or event.stream_id in streams
                if wanted and self.pattern.matches(event.message):
                    room -= len(event.message.encode()) + OVERHEAD
                    if len(self.found) == self.limit or (room < 0 and self.found):
                        return self._reply(more=True)
                    await self._take(tx, event)
                self.at = Position(event.timestamp, event.id)
            if len(chunk) < _CHUNK:
                return self._reply(more=False)
        return self._reply(more=True)

    async def _streams(self, tx: Tx, group_id: int) -> dict[int, str] | None:
        """The streams that are searched, by id; `None` for all."""
        names = self.request.get("logStreamNames")
        if names is not None:
            streams = [await stream_of(tx, group_id, name) for name in names]
            return {stream.id: stream.name for stream in streams}
        prefix = self.request.get("logStreamNamePrefix")
        if prefix is None:
            return None
        found = await storage.list_streams(tx, group_id, after=None, prefix=prefix, descending=False, limit=100_000)
        return {stream.id: stream.name for stream in found}

    async def _chunk(self, tx: Tx, group_id: int, streams: dict[int, str] | None) -> list[Event]:
        until = self.end if self.forward else self.start
        if streams is not None and len(streams) <= 1:
            stream_id = next(iter(streams), -1)
            return await storage.stream_events(
                tx, stream_id, at=self.at, until=until, forward=self.forward, limit=_CHUNK
            )
        return await storage.group_events(tx, group_id, at=self.at, until=until, forward=self.forward, limit=_CHUNK)

    async def _take(self, tx: Tx, event: Event) -> None:
        if event.stream_id not in self.names:
            self.names[event.stream_id] = await storage.stream_name(tx, event.stream_id)
        name = self.names[event.stream_id]
        if name is None:
            return  # its stream was deleted, and the sweeper has yet to come
        self.found.append(
            {
                "logStreamName": name,
                "timestamp": event.timestamp,
                "message": event.message,
                "ingestionTime": event.ingested_at,
                "eventId": event_id(event),
            }
        )

    def _reply(self, *, more: bool) -> Reply:
        token = encode_token([self.at.timestamp, self.at.order, self.forward]) if more else None
        return {"events": self.found, "searchedLogStreams": [], "nextToken": token}
