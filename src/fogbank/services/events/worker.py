"""What EventBridge does on its own: rules that fire by the clock, replays, and the end of what archives keep.

Each is one transaction that moves the row on and enqueues what follows, so that after a crash it is either done or
still to do.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import msgspec

from fogbank.core.clock import Clock
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.schedule import InvalidExpressionError
from fogbank.core.trace import Trace
from fogbank.delivery import Delivery
from fogbank.services.events import storage as rows
from fogbank.services.events._router import Matched, Router, compile_rule, encode, route, send
from fogbank.services.events._schedules import last_fire, next_fire
from fogbank.services.events.model import BusKey, Replay, ReplayState, billed_pieces, scheduled_event, timestamp
from fogbank.storage import Storage, Tx
from fogbank.telemetry.usage import Usage, Use

_log = logging.getLogger("fogbank.events")

RULES_TOPIC = "events.schedules"
REPLAYS_TOPIC = "events.replays"
ARCHIVES_TOPIC = "events.archives"
_AT_ONCE = 100
"""Rules that are fired, or events that are replayed, in one transaction."""

_EXPIRED_AT_ONCE = 1000
"""Archived events that are removed in one transaction."""

_decode = msgspec.json.Decoder(dict).decode


class RuleTimer:
    """Fires the rules whose schedule is due; `fired` is told, and gives the context for what follows."""

    def __init__(self, storage: Storage, clock: Clock, ids: Ids, delivery: Delivery, fired: Matched) -> None:
        self._fired = fired
        self._storage = storage
        self._clock = clock
        self._ids = ids
        self._delivery = delivery

    async def act(self) -> float | None:
        """Fire what is due; when the next is."""
        return await self._storage.transact(self._fire)

    async def _fire(self, tx: Tx) -> float | None:
        now = self._clock.millis()
        for rule, due in await rows.due_rules(tx, now, _AT_ONCE):
            try:
                moment = last_fire(rule, due, now)
                following = next_fire(rule, moment)
                compiled = compile_rule(rule, await rows.list_targets(tx, rule.id))
            except (ApiError, InvalidExpressionError):
                _log.exception("%s cannot be fired any more; put it again", rule.arn)
                await rows.set_next_fire(tx, rule.id, None)
                continue
            await rows.set_next_fire(tx, rule.id, following)
            event = scheduled_event(rule, self._ids.uuid(), moment / 1000)
            trace = self._fired(compiled, event, Trace.begin(self._clock, self._ids))
            for message in send(rule.bus, compiled, event, encode(event), trace, event["time"]):
                await self._delivery.enqueue(tx, message)
        waiting = await rows.next_fire(tx)
        return None if waiting is None else waiting / 1000


class Replayer:
    """Sends archived events again, a few at a time, in the order of their times."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        ids: Ids,
        delivery: Delivery,
        router: Router,
        usage: Usage,
        matched: Matched,
    ) -> None:
        self._usage = usage
        self._matched = matched
        self._storage = storage
        self._clock = clock
        self._ids = ids
        self._delivery = delivery
        self._router = router

    async def act(self) -> float | None:
        """Move every replay on by one step."""
        replays = await self._storage.read(lambda tx: rows.active_replays(tx, _AT_ONCE))
        for replay in replays:
            await self._step(replay)
        return self._clock.time() if replays else None

    async def _step(self, replay: Replay) -> None:
        bus = await self._router.bus(BusKey(replay.scope.account, replay.scope.region, replay.bus))
        only = frozenset(replay.filters)
        trace = Trace.begin(self._clock, self._ids)
        matched = self._matched

        async def body(tx: Tx) -> None:
            current = await rows.get_replay(tx, replay.scope, replay.name)
            if current is None:
                return
            now = self._clock.millis()
            archive = await rows.get_archive(tx, current.scope, current.archive)
            if archive is None or archive.rule != current.rule:
                await rows.put_replay(tx, replace(current, state=ReplayState.FAILED, finished=now))
                return
            if current.state is ReplayState.CANCELLING:
                await rows.put_replay(tx, replace(current, state=ReplayState.CANCELLED, finished=now))
                return
            events = await rows.archived(tx, current, _AT_ONCE)
            for archived in events:
                event = {**_decode(archived.event), "replay-name": current.name}
                if bus is None:
                    continue
                accepted = route(
                    bus, event, encode(event), trace,
                    ingested=timestamp(now / 1000), now=now, event_time=archived.time, only=only, matched=matched,
                )  # fmt: skip
                for message in accepted.messages:
                    await self._delivery.enqueue(tx, message)
                pieces = billed_pieces(archived.event)
                self._usage.add(current.scope, trace.root, (Use("events.replayed", current.archive, pieces),))
            await rows.put_replay(tx, _moved(current, events, now))

        await self._storage.transact(body)


def _moved(replay: Replay, events: list[rows.Archived], now: int) -> Replay:
    """The replay after a step; one that sent nothing was its last."""
    if not events:
        return replace(replay, state=ReplayState.COMPLETED, finished=now)
    last = events[-1]
    return replace(replay, state=ReplayState.RUNNING, cursor_time=last.time, cursor_id=last.id, last_replayed=last.time)


class ArchiveReaper:
    """Removes archived events past their retention."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    async def act(self) -> float | None:
        """Remove what is due; when the next is."""
        now = self._clock.millis()
        following = await self._storage.transact(lambda tx: rows.expire_archived(tx, now, _EXPIRED_AT_ONCE))
        return None if following is None else following / 1000
