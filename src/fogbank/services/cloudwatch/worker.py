"""What CloudWatch does on its own: store what the services recorded, put old points together, evaluate alarms.

What the process recorded in memory is written by the minute, in few transactions. It is also written before anyone asks
for metrics, so that what was just done can be seen. A crash loses at most the samples of the last minute: nobody
was promised them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.trace import Trace
from fogbank.delivery import Attempt, Failure, Message, PermanentError
from fogbank.delivery.targets import TargetRoute
from fogbank.services.cloudwatch import storage
from fogbank.services.cloudwatch._alarms import Alarm, Kind, json_text
from fogbank.services.cloudwatch._changes import Changes
from fogbank.services.cloudwatch._statistics import Summary
from fogbank.services.cloudwatch.model import RETENTION, Datum, Metric

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.storage import Tx

MINUTE = 60.0
_CHUNK = 500
"""Points that are put together in one transaction, and samples that are written in one."""
SWEEP = 600.0
"""Seconds between sweeps of old points, at the least."""
BEAT = "cloudwatch.beat"
_INTERVALS = ((5 * MINUTE, MINUTE), (60 * MINUTE, 5 * MINUTE), (360 * MINUTE, 60 * MINUTE))
"""(seconds since something was last recorded, seconds between beats)."""


class Flusher:
    """Writes what the services recorded."""

    def __init__(self, kit: Kit, directory: storage.Directory) -> None:
        self._kit = kit
        self._directory = directory

    async def flush(self) -> None:
        """Write all that was recorded since the last time."""
        recorder = self._kit.metrics
        if not recorder.pending:
            return
        data = [
            Datum(
                Metric(series.scope, series.namespace, series.name, series.dimensions),
                moment,
                60,
                series.unit,
                Summary(samples, total, low, high, spread),
            )
            for series, moment, samples, total, low, high, spread in recorder.drain()
        ]
        now = self._kit.clock.millis()
        for start in range(0, len(data), _CHUNK):
            piece = data[start : start + _CHUNK]
            await self._write(piece, now)

    async def _write(self, data: list[Datum], now: int) -> None:
        await self._kit.storage.transact(lambda tx: storage.put_data(tx, self._directory, data, now))


class Beat:
    """Once a minute: samples the gauges and writes what was recorded; now and then puts old points together.

    Where nothing happens the beats come at longer intervals, so that an idle server sleeps: first every five minutes,
    then every hour, then once a day. The first sample that is recorded brings the next minute back.
    """

    def __init__(self, kit: Kit, flusher: Flusher) -> None:
        self._kit = kit
        self._flusher = flusher
        self._due: float | None = None
        self._last_sample = 0.0
        self._swept = 0.0
        kit.metrics.on_pending = partial(kit.storage.wake, BEAT)

    def reset(self) -> None:
        """Begin anew: everything was emptied."""
        self._due = None

    async def act(self) -> float:
        """Do what is due; when the next beat is."""
        now = self._kit.clock.time()
        minute = (now // MINUTE + 1) * MINUTE
        if self._kit.metrics.pending or self._due is None:
            self._due = min(self._due or minute, minute)
            self._last_sample = now
        if now < self._due:
            return self._due
        await self._kit.metrics.sample()
        await self._flusher.flush()
        if now - self._swept >= SWEEP:
            await self.sweep(now)
            self._swept = now
        self._due = minute - MINUTE + _interval(now - self._last_sample)
        return self._due

    async def sweep(self, now: float) -> None:
        """Put points together whose time is over, and delete what is past all retention."""
        for period, age, into in RETENTION:
            while await self._kit.storage.transact(_roll_up(period, int(now) - age, into)) == _CHUNK:
                pass
        while await self._kit.storage.transact(_expire(int(now * 1000))) == _CHUNK:
            pass


def _interval(idle: float) -> float:
    return next((interval for limit, interval in _INTERVALS if idle < limit), 1440 * MINUTE)


def _roll_up(period: int, before: int, into: int | None) -> Callable[[Tx], Awaitable[int]]:
    async def body(tx: Tx) -> int:
        return await storage.roll_up(tx, period, before, into, _CHUNK)

    return body


def _expire(now: int) -> Callable[[Tx], Awaitable[int]]:
    async def body(tx: Tx) -> int:
        return await storage.expire_history(tx, now, _CHUNK)

    return body


# -- alarms -----------------------------------------------------------------------------------------------

_AT_ONCE = 100
"""Alarms that are evaluated in one transaction."""
_GRACE = 9_000
"""Milliseconds for which a new alarm, or a state that was set by hand, can be seen before it is evaluated."""
_LATE = 1_000
"""Milliseconds after the minute at which alarms are evaluated: the minute's samples are written by then."""


def next_evaluation(alarm: Alarm, now: int) -> int:
    """When an alarm is evaluated after `now` (both in milliseconds): on the beat of its period."""
    pace = alarm.pace * 1000
    late = _LATE if pace >= 60_000 else 0
    return (now - late) // pace * pace + pace + late


def first_evaluation(alarm: Alarm, now: int) -> int:
    """When an alarm that was just put is evaluated."""
    if alarm.kind is Kind.COMPOSITE:
        return now + _LATE
    return next_evaluation(alarm, now + _GRACE)


class AlarmTimer:
    """Evaluates the alarms that are due. Composite alarms are so once; then their children tell them."""

    def __init__(self, kit: Kit, flusher: Flusher) -> None:
        self._kit = kit
        self._flusher = flusher
        self._changes = Changes(kit)

    async def act(self) -> float | None:
        """Evaluate what is due; when the next is."""
        await self._kit.metrics.sample()
        await self._flusher.flush()
        return await self._kit.storage.transact(self._run)

    async def _run(self, tx: Tx) -> float | None:
        now = self._kit.clock.millis()
        trace = Trace.begin(self._kit.clock, self._kit.ids)
        for alarm in await storage.due_alarms(tx, now, _AT_ONCE):
            is_metric = alarm.kind is Kind.METRIC
            waits = None if alarm.suppression is None else alarm.suppression.until
            await storage.set_due(tx, alarm, next_evaluation(alarm, now) if is_metric else waits)
            await self._changes.evaluate(tx, alarm, trace)
        waiting = await storage.next_due(tx)
        return None if waiting is None else waiting / 1000


class ActionRoute(TargetRoute):
    """Calls alarms' actions, and writes into their history what came of it."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit.cloud, kit.delivery, kit.clock)
        self._now = kit.clock.millis

    async def join(self, tx: Tx, message: Message) -> bool:  # noqa: ARG002
        """Never within the change of state: the history tells of the change, and then of what became of the action."""
        return False

    async def attempt(self, attempt: Attempt) -> Any:
        try:
            return await super().attempt(attempt)
        except NotImplementedByFogbank as error:
            raise PermanentError(error.code, error.message) from None

    async def succeeded(self, tx: Tx, attempt: Attempt, result: Any) -> None:  # noqa: ARG002
        """Tell of the action."""
        target = attempt.message.target
        await self._tell(tx, attempt, f"Successfully executed action {target}", None)

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        """Tell of the failure."""
        summary = f'Failed to execute action {attempt.message.target}. Received error: "{failure.message}"'
        await self._tell(tx, attempt, summary, failure.message or failure.code)

    async def _tell(self, tx: Tx, attempt: Attempt, summary: str, error: str | None) -> None:
        message = attempt.message
        document = msgspec.json.decode(message.payload)
        name = document["AlarmName"] if "AlarmName" in document else document["alarmData"]["alarmName"]
        alarm = await storage.get_alarm(tx, message.scope, name)
        if alarm is None:
            return
        data = {
            "actionState": "Succeeded" if error is None else "Failed",
            "stateUpdateTimestamp": alarm.updated,
            "notificationResource": message.target,
            "publishedMessage": message.payload.decode() if "AlarmName" in document else None,
            "error": error,
        }
        text = json_text(data)
        if len(text) > MAX_DATA:
            text = json_text({**data, "publishedMessage": None})
        await storage.add_history(tx, alarm, self._now(), "Action", summary[:255], text[:MAX_DATA])


MAX_DATA = 4095
"""Characters of a history item's data."""
