"""What Scheduler does on its own: it invokes targets when their schedules are due.

One transaction takes the due schedules, enqueues their invocations and sets when they come next, so that after a
crash each is either done or still to do.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import msgspec

from fogbank.core.call import Principal
from fogbank.core.clock import Clock
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.schedule import InvalidExpressionError, UnknownZoneError
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.delivery import Attempt, Delivery, Failure, Message, PermanentError
from fogbank.delivery.targets import DEAD_LETTER_POLICY, TargetRoute
from fogbank.services.kit import Kit
from fogbank.services.scheduler import storage as rows
from fogbank.services.scheduler._targets import SOURCE, invocation, with_attempt_number
from fogbank.services.scheduler._universal import PREFIX, parse_universal
from fogbank.services.scheduler.model import DEFAULT_GROUP, Schedule, last_missed, next_firing
from fogbank.storage import Storage, Tx
from fogbank.telemetry import Kind, Span, Status, Telemetry
from fogbank.telemetry.metrics import Panel, Panels
from fogbank.telemetry.model import status_of

_log = logging.getLogger("fogbank.scheduler")

TOPIC = "scheduler.schedules"
_AT_ONCE = 200
"""Schedules that are run in one transaction."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class ScheduleTimer:
    """Runs the schedules that are due."""

    def __init__(self, storage: Storage, clock: Clock, ids: Ids, delivery: Delivery, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._storage = storage
        self._clock = clock
        self._ids = ids
        self._delivery = delivery

    async def act(self) -> float | None:
        """Run what is due; when the next is."""
        return await self._storage.transact(self._run)

    async def _run(self, tx: Tx) -> float | None:
        now = self._clock.millis()
        for schedule, due in await rows.due_schedules(tx, now, _AT_ONCE):
            try:
                moment = last_missed(schedule, due, now)
                following = next_firing(schedule, moment, self._ids.fraction())
            except (InvalidExpressionError, UnknownZoneError):
                _log.exception("%s cannot be run any more; update it", schedule.arn)
                await rows.set_firing(tx, schedule.id, None)
                continue
            trace = self._begin(schedule)
            message = invocation(schedule, moment, self._ids.hex(16), trace, self._ids.uuid())
            await self._delivery.enqueue(tx, message)
            if following is None and schedule.deleted_after_completion:
                await rows.delete_schedule(tx, schedule.id)
            else:
                await rows.set_firing(tx, schedule.id, following)
        waiting = await rows.next_due(tx)
        return None if waiting is None else waiting / 1000

    def _begin(self, schedule: Schedule) -> Trace:
        """The trace that begins with a schedule's firing."""
        trace = Trace.begin(self._clock, self._ids)
        now = self._clock.time()
        if self._telemetry.on:
            self._telemetry.record(
                Span(
                    *(trace.root, trace.parent, "", Kind.SCHEDULE, schedule.name, "scheduler", Kind.SCHEDULE.value),
                    *(schedule.arn, schedule.scope, now, now),
                )
            )
        return trace


class ScheduleRoute(TargetRoute):
    """Makes the attempts of invocations: templated targets by their ARN, universal ones by their operation."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit.cloud, kit.delivery, kit.clock)
        self._metrics = kit.metrics
        self._panels = Panels(kit.metrics, self._panel)

    def _panel(self, place: tuple[Scope, str]) -> Panel:
        """What is counted of a schedule group, and of all (monitoring-cloudwatch.html of the guide)."""
        return self._metrics.panel(place[0], "AWS/Scheduler", (), (("ScheduleGroup", place[1]),))

    async def join(self, tx: Tx, message: Message) -> bool:
        """The first attempt, where that needs no hop."""
        joined = await super().join(tx, replace(message, payload=with_attempt_number(message.payload, 1)))
        if joined:
            self._panels((message.scope, _group_of(message))).add("InvocationAttemptCount")
        return joined

    async def attempt(self, attempt: Attempt) -> Any:
        panel = self._panels((attempt.message.scope, _group_of(attempt.message)))
        panel.add("InvocationAttemptCount")
        try:
            return await self._attempt(attempt)
        except ApiError as error:
            panel.add("TargetErrorThrottledCount" if status_of(error) is Status.THROTTLE else "TargetErrorCount")
            raise

    async def _attempt(self, attempt: Attempt) -> Any:
        payload = with_attempt_number(attempt.message.payload, attempt.number)
        message = replace(attempt.message, payload=payload)
        if PREFIX in message.target:
            return await self._call(message, attempt.trace)
        return await super().attempt(replace(attempt, message=message))

    async def _call(self, message: Message, trace: Trace) -> Any:
        call = parse_universal(message.target)
        try:
            document = _decode(message.payload)
        except msgspec.DecodeError as error:
            raise PermanentError("ValidationException", f"the Input is not a JSON object: {error}") from None
        return await self._cloud.call(
            message.scope,
            call.service,
            call.operation.name,
            call.request(document),
            trace=trace,
            principal=Principal(service=SOURCE),
        )

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        """Scheduler's dead letters carry the error's own code, and the schedule beside the target."""
        message = attempt.message
        panel = self._panels((message.scope, _group_of(message)))
        panel.add("InvocationDroppedCount")
        if message.dead_letter is not None:
            panel.add("InvocationsSentToDeadLetterCount")
            letter = dead_letter(
                replace(message, payload=with_attempt_number(message.payload, attempt.number)), failure
            )
            await self._delivery.enqueue(tx, letter)


def _group_of(message: Message) -> str:
    """The group of the schedule that a message comes from, in whose ARN it is."""
    arn = message.dead_letter_attributes.get("SCHEDULE_ARN", "")
    return arn.rpartition(":schedule/")[2].partition("/")[0] or DEFAULT_GROUP


def dead_letter(message: Message, failure: Failure) -> Message:
    """What is sent to a schedule's dead-letter queue (configuring-schedule-dlq.html)."""
    attributes = {
        **message.dead_letter_attributes,
        "ERROR_CODE": failure.code,
        "ERROR_MESSAGE": failure.message or failure.code,
        "RETRY_ATTEMPTS": str(failure.retries),
    }
    if failure.exhaustion:
        attributes["EXHAUSTED_RETRY_CONDITION"] = failure.exhaustion.value
    return Message(
        target=message.dead_letter or "",
        payload=message.payload,
        scope=message.scope,
        trace=message.trace,
        source=message.source,
        policy=DEAD_LETTER_POLICY,
        parameters={
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            }
        },
    )
