"""PutEvents, TestEventPattern, and events that come from another bus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.patterns import compile_pattern
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.delivery import PermanentError, Route
from fogbank.services.events import storage as rows
from fogbank.services.events._api.operations import Operations
from fogbank.services.events._api.rules import check_pattern
from fogbank.services.events._router import Accepted, encode, route
from fogbank.services.events.errors import ValidationError
from fogbank.services.events.model import (
    MALFORMED,
    MAX_ENTRIES_SIZE,
    BusKey,
    Refused,
    billed_pieces,
    entry_size,
    envelope,
    read_entry,
    timestamp,
)
from fogbank.services.events.worker import ARCHIVES_TOPIC
from fogbank.telemetry.usage import Use

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_events.type_defs import PutEventsRequestTypeDef, TestEventPatternRequestTypeDef

    from fogbank.core.call import Call, Reply
    from fogbank.delivery import Attempt
    from fogbank.storage import Tx

_MANDATORY = frozenset({"id", "account", "source", "time", "region", "detail-type"})
"""What an event to test must have. The documentation lists `resources` too, but AWS was recorded to do without."""
_decode = msgspec.json.Decoder().decode


class PublishingOperations(Operations):
    """Take events, and let rules and archives have them."""

    async def put_events(self, call: Call, request: PutEventsRequestTypeDef) -> Reply:
        """Take up to ten events; what follows from them is committed before the answer.

        An entry that is not in order is refused by itself. An event for a bus that does not exist is taken and goes
        nowhere, as in AWS.
        """
        if "EndpointId" in request:
            raise NotImplementedByFogbank("Fogbank does not implement EndpointId of events.PutEvents yet")
        entries = request["Entries"]
        if sum(entry_size(entry) for entry in entries) >= MAX_ENTRIES_SIZE:
            raise ValidationError("Total size of the entries in the request is over the limit.")
        now = self._clock.time()
        results = []
        accepted = Accepted([], [])
        for entry in entries:
            event = self._event(call, entry, now)
            if type(event) is Refused:
                results.append(event.result)
                continue
            assert type(event) is tuple, "an event and its JSON"
            results.append({"EventId": event[0]["id"]})
            await self._accept(call, entry, *event, now, accepted)
        await self._commit(accepted)
        self._bill_archived(call.scope, call.trace.root, accepted)
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedEntryCount": failed, "Entries": results}

    async def test_event_pattern(self, call: Call, request: TestEventPatternRequestTypeDef) -> Reply:  # noqa: ARG002
        """Whether a pattern matches an event."""
        check_pattern(request["EventPattern"])
        try:
            event = _decode(request["Event"])
        except (msgspec.DecodeError, RecursionError):
            event = None
        if type(event) is not dict or not event.keys() >= _MANDATORY:
            raise ValidationError("Parameter Event is not valid.")
        return {"Result": compile_pattern(request["EventPattern"]).matches(event)}

    def _event(self, call: Call, entry: Mapping[str, Any], now: float) -> tuple[dict[str, Any], bytes] | Refused:
        """The event that an entry makes, with its JSON."""
        detail = read_entry(entry, by_service=bool(call.principal.service))
        if type(detail) is Refused:
            return detail
        event = envelope(
            call.scope,
            self._ids.uuid(),
            source=entry["Source"],
            detail_type=entry["DetailType"],
            detail=detail,
            time=timestamp(entry.get("Time", now)),
            resources=entry.get("Resources", []),
        )
        try:
            return event, encode(event)
        except (RecursionError, UnicodeError):
            return MALFORMED

    async def _accept(
        self,
        call: Call,
        entry: Mapping[str, Any],
        event: dict[str, Any],
        payload: bytes,
        now: float,
        accepted: Accepted,
    ) -> None:
        bus = await self._router.bus(BusKey.of(call.scope, entry.get("EventBusName")))
        if bus is None:
            return
        given = Trace.parse(entry.get("TraceHeader"))
        found = route(
            bus,
            event,
            payload,
            call.trace if given is None or given.root == call.trace.root else given,
            ingested=timestamp(now),
            now=int(now * 1000),
            event_time=int(entry.get("Time", now) * 1000),
            matched=self._recorder.matched,
        )
        accepted.messages += found.messages
        accepted.archived += found.archived

    async def forward(self, attempt: Attempt) -> None:
        """Take an event from another bus as it is."""
        message = attempt.message
        event = _decode(message.payload)
        bus = await self._router.bus(BusKey.of(message.scope, message.target))
        if bus is None:
            raise PermanentError("ResourceNotFoundException", f"Event bus {message.target} does not exist.")
        now = self._clock.time()
        accepted = route(
            bus,
            event,
            message.payload,
            attempt.trace,
            ingested=timestamp(now),
            now=int(now * 1000),
            event_time=int(attempt.enqueued * 1000),
            forwarded=True,
            matched=self._recorder.matched,
        )
        await self._commit(accepted)
        scope, root = Scope(bus.key.account, bus.key.region), message.trace.root
        self.kit.usage.add(scope, root, (Use("events.custom", bus.key.name, billed_pieces(message.payload)),))
        self._bill_archived(scope, root, accepted)

    def _bill_archived(self, scope: Scope, root: str, accepted: Accepted) -> None:
        if accepted.archived:
            size = sum(len(event) for _, _, _, event in accepted.archived)
            self.kit.usage.add(scope, root, (Use("events.archived-gb", "", size / 1024**3),))

    async def _commit(self, accepted: Accepted) -> None:
        """Put everything that follows from a request into one transaction; nothing, if nothing follows."""
        if not accepted.messages and not accepted.archived:
            return
        messages, archived = accepted.messages, accepted.archived

        async def body(tx: Tx) -> None:
            for message in messages:
                await self._delivery.enqueue(tx, message)
            await _archive(tx, archived)

        await self._storage.transact(body)


async def _archive(tx: Tx, archived: Sequence[tuple[int, int, int | None, bytes]]) -> None:
    for rule, time, expires, event in archived:
        await rows.archive_event(tx, rule, time=time, expires=expires, event=event)
        if expires is not None:
            tx.wake(ARCHIVES_TOPIC)


class ForwardRoute(Route):
    """Delivers to event buses: the event goes on as it is, with its own id, source and account."""

    def __init__(self, operations: PublishingOperations) -> None:
        self._operations = operations

    async def attempt(self, attempt: Attempt) -> None:
        await self._operations.forward(attempt)
