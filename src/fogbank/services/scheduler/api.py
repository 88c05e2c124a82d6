"""EventBridge Scheduler: the operations, and what runs beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.kit import Kit
from fogbank.services.scheduler import storage as rows
from fogbank.services.scheduler._groups import GroupOperations
from fogbank.services.scheduler._pages import PairPage
from fogbank.services.scheduler._targets import ROUTE, read_target
from fogbank.services.scheduler.errors import ConflictError, group_not_found, schedule_not_found
from fogbank.services.scheduler.model import DEFAULT_GROUP, Schedule, next_firing, read_settings
from fogbank.services.scheduler.worker import TOPIC, ScheduleRoute, ScheduleTimer
from fogbank.storage.due import DueWorker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_scheduler.type_defs import (
        CreateScheduleInputTypeDef,
        DeleteScheduleInputTypeDef,
        GetScheduleInputTypeDef,
        ListSchedulesInputTypeDef,
        UpdateScheduleInputTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.core.scope import Scope
    from fogbank.storage import Tx


class Scheduler(GroupOperations):
    """Amazon EventBridge Scheduler."""

    name = "scheduler"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        timer = ScheduleTimer(kit.storage, kit.clock, kit.ids, kit.delivery, kit.telemetry)
        self._worker = DueWorker("scheduler", kit.storage, kit.clock, TOPIC, timer.act)
        kit.delivery.route(ROUTE, ScheduleRoute(kit))

    async def on_start(self) -> None:
        await self._worker.start()

    async def on_stop(self) -> None:
        await self._worker.stop()

    async def on_reset(self) -> None:
        self._storage.wake(TOPIC)

    async def create_schedule(self, call: Call, request: CreateScheduleInputTypeDef) -> Reply:
        """Create a schedule; a repeated request with the same client token gets the first one's answer."""
        schedule = self._schedule_of(call, request)

        async def body(tx: Tx) -> Reply:
            await self._require_group(tx, call.scope, schedule.group)
            if await rows.get_schedule(tx, call.scope, schedule.group, schedule.name) is not None:
                raise ConflictError(f"Schedule {schedule.name} already exists.")
            # A rate without StartDate begins at once: its first moment is the anchor itself.
            firing = next_firing(schedule, schedule.anchor - 1, self._ids.fraction())
            await rows.insert_schedule(tx, schedule, firing)
            tx.wake(TOPIC)
            return {"ScheduleArn": schedule.arn}

        return await self._once(call, request, body)

    async def update_schedule(self, call: Call, request: UpdateScheduleInputTypeDef) -> Reply:
        """Replace all of a schedule: what is not given gets its default."""
        changed = self._schedule_of(call, request)

        async def body(tx: Tx) -> Reply:
            before = await self._schedule(tx, call.scope, changed.group, changed.name)
            schedule = replace(changed, id=before.id, created=before.created)
            goes_on = all(before.settings.get(n) == schedule.settings.get(n) for n in _RHYTHM)
            if goes_on:
                schedule = replace(schedule, anchor=before.anchor)
            after = self._clock.millis() if goes_on else schedule.anchor - 1
            await rows.update_schedule(tx, schedule, next_firing(schedule, after, self._ids.fraction()))
            tx.wake(TOPIC)
            return {"ScheduleArn": schedule.arn}

        return await self._storage.transact(body)

    async def get_schedule(self, call: Call, request: GetScheduleInputTypeDef) -> Reply:
        """All of one schedule."""
        group = request.get("GroupName", DEFAULT_GROUP)
        schedule = await self._storage.read(lambda tx: self._schedule(tx, call.scope, group, request["Name"]))
        return {
            **_summary(schedule),
            **schedule.settings,
        }

    async def delete_schedule(self, call: Call, request: DeleteScheduleInputTypeDef) -> Reply:
        """Delete a schedule."""
        group = request.get("GroupName", DEFAULT_GROUP)

        async def body(tx: Tx) -> Reply:
            schedule = await self._schedule(tx, call.scope, group, request["Name"])
            await rows.delete_schedule(tx, schedule.id)
            return {}

        return await self._once(call, request, body)

    async def list_schedules(self, call: Call, request: ListSchedulesInputTypeDef) -> Reply:
        """List schedules by group and name, of one group, with a prefix, in a state."""
        group = request.get("GroupName")
        page = PairPage(request.get("NextToken"), request.get("MaxResults"), group, request.get("NamePrefix", ""))

        async def body(tx: Tx) -> tuple[list[Schedule], str | None]:
            if group is not None:
                await self._require_group(tx, call.scope, group)
            return await page.collect(
                lambda start, limit: rows.list_schedules(tx, call.scope, group, start=start, limit=limit),
                lambda s: _fits(s, request),
            )

        schedules, token = await self._storage.read(body)
        summaries = [
            {
                **_summary(schedule),
                "State": schedule.settings["State"],
                "Target": {"Arn": schedule.settings["Target"]["Arn"]},
            }
            for schedule in schedules
        ]
        return {"Schedules": summaries, "NextToken": token}

    def _schedule_of(self, call: Call, request: Mapping[str, Any] | Any) -> Schedule:
        """The schedule that a request describes."""
        if request.get("KmsKeyArn"):
            raise NotImplementedByFogbank(f"Fogbank does not implement KmsKeyArn of scheduler.{call.operation} yet")
        now = self._clock.millis()
        settings = read_settings(request, now / 1000) | {"Target": read_target(request["Target"])}
        group = request.get("GroupName", DEFAULT_GROUP)
        return Schedule(0, call.scope, group, request["Name"], settings, now, now, now)

    async def _schedule(self, tx: Tx, scope: Scope, group: str, name: str) -> Schedule:
        """A schedule that must be there."""
        found = await rows.get_schedule(tx, scope, group, name)
        if found is None:
            raise schedule_not_found(name)
        return found

    async def _require_group(self, tx: Tx, scope: Scope, name: str) -> None:
        if name != DEFAULT_GROUP and await rows.get_group(tx, scope, name) is None:
            raise group_not_found(name)


_RHYTHM = ("ScheduleExpression", "ScheduleExpressionTimezone", "StartDate")
"""What makes a schedule go on as it was when it is updated."""


def _fits(schedule: Schedule, request: Mapping[str, Any] | Any) -> bool:
    state = request.get("State")
    return schedule.name.startswith(request.get("NamePrefix", "")) and state in {None, schedule.settings["State"]}


def _summary(schedule: Schedule) -> dict[str, Any]:
    return {
        "Arn": schedule.arn,
        "GroupName": schedule.group,
        "Name": schedule.name,
        "CreationDate": schedule.created / 1000,
        "LastModificationDate": schedule.modified / 1000,
    }
