"""Alarms: put, describe, set, enable, delete; their history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.paging import encode_token
from fogbank.services.cloudwatch import storage
from fogbank.services.cloudwatch._alarms import (
    INITIAL,
    MAX_TAGS,
    Alarm,
    Kind,
    json_text,
    read_composite_alarm,
    read_metric_alarm,
)
from fogbank.services.cloudwatch._api.frame import CloudWatchService, position_of, refuse_parameters, tags_of
from fogbank.services.cloudwatch._changes import TOPIC, Changes
from fogbank.services.cloudwatch._evaluation import State
from fogbank.services.cloudwatch._notices import SOURCE, configuration_event
from fogbank.services.cloudwatch._rules import alarm_name, compile_rule
from fogbank.services.cloudwatch._suppression import suppressor_of
from fogbank.services.cloudwatch.errors import AlarmNotFoundError, InvalidFormatError, RuleError
from fogbank.services.cloudwatch.model import dimension_pairs
from fogbank.services.cloudwatch.worker import first_evaluation
from fogbank.services.kit import Kit

if TYPE_CHECKING:
    from types_boto3_cloudwatch import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_PAGE = 50
_SCAN = 500
_FIRST = (0, 0)
_LAST = (1 << 62, 1 << 62)


class AlarmOperations(CloudWatchService):
    """The operations on alarms."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._changes = Changes(kit)

    async def put_metric_alarm(self, call: Call, request: t.PutMetricAlarmInputTypeDef) -> Reply:
        """Create an alarm, or replace all of its configuration."""
        settings = read_metric_alarm(call.scope, request, self.kit.ids.uuid())
        await self._put(call, request, Kind.METRIC, settings, ())
        return {}

    async def put_composite_alarm(self, call: Call, request: t.PutCompositeAlarmInputTypeDef) -> Reply:
        """The same of an alarm over alarms."""
        settings = read_composite_alarm(call.scope, request)
        suppressor = suppressor_of(settings)
        children = [*compile_rule(request["AlarmRule"]).children, *([suppressor] if suppressor else [])]
        await self._put(call, request, Kind.COMPOSITE, settings, children)
        return {}

    async def _put(
        self,
        call: Call,
        request: Mapping[str, Any] | Any,
        kind: Kind,
        settings: dict[str, Any],
        children: Sequence[str],
    ) -> None:
        tags = tags_of(request)
        if len(tags) > MAX_TAGS:
            raise RuleError(f"A resource can have no more than {MAX_TAGS} tags.")
        name = request["AlarmName"]
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> None:
            before = await storage.get_alarm(tx, call.scope, name)
            if before is not None and before.kind is not kind:
                raise RuleError(f"An alarm of another type has the name {name}.")
            missing = [child for child in children if await storage.get_alarm(tx, call.scope, child) is None]
            if missing:
                raise RuleError(
                    f"Could not save the composite alarm as alarms [{', '.join(missing)}] "
                    "in the alarm rule do not exist"
                )
            alarm = _configured(call, name, kind, settings, tags, before, now)
            await storage.put_alarm(tx, alarm, first_evaluation(alarm, now))
            await storage.set_children(tx, alarm, children)
            await self._tell_configuration(tx, call, alarm, "create" if before is None else "update", now)
            tx.wake(TOPIC)

        await self.kit.storage.transact(body)

    async def _tell_configuration(self, tx: Tx, call: Call, alarm: Alarm, operation: str, now: int) -> None:
        verb = {"create": "created", "update": "updated", "delete": "deleted"}[operation]
        shown = {
            key: value
            for key, value in alarm.document().items()
            if not key.startswith("State") and not key.endswith("Timestamp")
        }
        data = {"version": "1.0", "type": operation.capitalize(), f"{verb}Alarm": shown}
        summary = f'Alarm "{alarm.name}" {verb}'
        await storage.add_history(tx, alarm, now, "ConfigurationUpdate", summary[:255], json_text(data)[:4095])
        if self.kit.delivery.heard(alarm.scope, SOURCE):
            await self.kit.delivery.enqueue(tx, configuration_event(alarm, operation, call.trace))

    async def describe_alarms(self, call: Call, request: t.DescribeAlarmsInputTypeDef) -> Reply:
        """List alarms by name; metric alarms only, unless other types are asked for."""
        if request.get("AlarmNames") and request.get("AlarmNamePrefix"):
            raise RuleError("The parameters AlarmNames and AlarmNamePrefix are mutually exclusive.")
        related = "ChildrenOfAlarmName" in request or "ParentsOfAlarmName" in request
        kinds = set(request.get("AlarmTypes") or (["MetricAlarm", "CompositeAlarm"] if related else ["MetricAlarm"]))
        refuse_parameters("DescribeAlarms", {"LogAlarm": "LogAlarm" in kinds}, ["LogAlarm"])
        after = position_of(request.get("NextToken"), str) or ""
        limit = request.get("MaxRecords", _PAGE)

        async def body(tx: Tx) -> list[Alarm]:
            family = await _family(tx, call, request)
            return await self._scan(
                tx, call, after, limit + 1, lambda alarm: alarm.kind.value in kinds and _fits(alarm, request, family)
            )

        found = await self.kit.storage.read(body)
        page = found[:limit]
        shown = [(_brief(alarm) if related else alarm.document(), alarm.kind) for alarm in page]
        return {
            "MetricAlarms": [document for document, kind in shown if kind is Kind.METRIC],
            "CompositeAlarms": [document for document, kind in shown if kind is Kind.COMPOSITE],
            "NextToken": encode_token(page[-1].name) if len(found) > limit else None,
        }

    @staticmethod
    async def _scan(tx: Tx, call: Call, after: str, wanted: int, fits: Callable[[Alarm], bool]) -> list[Alarm]:
        found: list[Alarm] = []
        while len(found) < wanted:
            batch = await storage.list_alarms(tx, call.scope, after=after, limit=_SCAN)
            found += [alarm for alarm in batch if fits(alarm)]
            if len(batch) < _SCAN:
                break
            after = batch[-1].name
        return found[:wanted]

    async def describe_alarms_for_metric(self, call: Call, request: t.DescribeAlarmsForMetricInputTypeDef) -> Reply:
        """The alarms that watch a metric with exactly these dimensions."""
        dimensions = dimension_pairs(request.get("Dimensions") or ())

        def fits(alarm: Alarm) -> bool:
            settings = alarm.settings
            return (
                alarm.kind is Kind.METRIC
                and settings.get("MetricName") == request["MetricName"]
                and settings.get("Namespace") == request["Namespace"]
                and dimension_pairs(settings.get("Dimensions") or ()) == dimensions
                and all(
                    request.get(name) in (None, settings.get(name))
                    for name in ("Statistic", "ExtendedStatistic", "Period", "Unit")
                )
            )

        found = await self.kit.storage.read(lambda tx: self._scan(tx, call, "", 1 << 30, fits))
        return {"MetricAlarms": [alarm.document() for alarm in found]}

    async def describe_alarm_history(self, call: Call, request: t.DescribeAlarmHistoryInputTypeDef) -> Reply:
        """The history of an alarm, or of all; newest first, unless asked otherwise."""
        refuse_parameters("DescribeAlarmHistory", request, ["AlarmContributorId"])
        forward = request.get("ScanBy") == "TimestampAscending"
        kinds = set(request.get("AlarmTypes") or ["MetricAlarm"])
        limit = request.get("MaxRecords", 100)
        wanted: Mapping[str, Any] = request
        start, end = wanted.get("StartDate", 0.0), wanted.get("EndDate", 1e12)
        after = position_of(request.get("NextToken"), tuple[int, int]) or (_FIRST if forward else _LAST)

        async def body(tx: Tx) -> list[storage.HistoryItem]:
            found: list[storage.HistoryItem] = []
            place = after
            while len(found) <= limit:
                batch = await storage.history(
                    tx, call.scope, request.get("AlarmName"), after=place, forward=forward, limit=_SCAN
                )
                found += [
                    item
                    for item in batch
                    if item.kind in kinds
                    and request.get("HistoryItemType") in (None, item.item)
                    and start <= item.moment / 1000 <= end
                ]
                if len(batch) < _SCAN:
                    break
                place = (batch[-1].moment, batch[-1].id)
            return found

        found = await self.kit.storage.read(body)
        page = found[:limit]
        return {
            "AlarmHistoryItems": [_history(item) for item in page],
            "NextToken": encode_token([page[-1].moment, page[-1].id]) if len(found) > limit else None,
        }

    async def set_alarm_state(self, call: Call, request: t.SetAlarmStateInputTypeDef) -> Reply:
        """Give an alarm a state, as if its metric had; the next evaluation gives it its own again."""
        data = request.get("StateReasonData", "")
        if data:
            try:
                msgspec.json.decode(data)
            except msgspec.DecodeError:
                raise InvalidFormatError(f"{data} is not a valid JSON") from None
        state = State(request["StateValue"])
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> None:
            alarm = await storage.get_alarm(tx, call.scope, request["AlarmName"])
            if alarm is None:
                raise AlarmNotFoundError
            await self._changes.set_state(tx, alarm, state, request["StateReason"], data, call.trace)
            if alarm.kind is Kind.METRIC:
                await storage.set_due(tx, alarm, first_evaluation(alarm, now))

        await self.kit.storage.transact(body)
        return {}

    async def enable_alarm_actions(self, call: Call, request: t.EnableAlarmActionsInputTypeDef) -> Reply:
        """Have alarms call their actions; names that are none are passed over."""
        await self._each(call, request["AlarmNames"], self._set_enabled(call, enabled=True))
        return {}

    async def disable_alarm_actions(self, call: Call, request: t.DisableAlarmActionsInputTypeDef) -> Reply:
        """Have alarms not call their actions."""
        await self._each(call, request["AlarmNames"], self._set_enabled(call, enabled=False))
        return {}

    def _set_enabled(self, call: Call, *, enabled: bool) -> Callable[[Tx, Alarm], Awaitable[None]]:
        now = self.kit.clock.millis()

        async def change(tx: Tx, alarm: Alarm) -> None:
            if alarm.settings["ActionsEnabled"] is enabled:
                return
            settings = {**alarm.settings, "ActionsEnabled": enabled}
            changed = replace(alarm, settings=settings, configured=now)
            await storage.put_alarm(tx, changed, first_evaluation(changed, now))
            await self._tell_configuration(tx, call, changed, "update", now)

        return change

    async def delete_alarms(self, call: Call, request: t.DeleteAlarmsInputTypeDef) -> Reply:
        """Delete alarms, at most one of them composite; names that are none are passed over."""
        now = self.kit.clock.millis()
        names = list(dict.fromkeys(request["AlarmNames"]))

        async def body(tx: Tx) -> None:
            found = [await storage.get_alarm(tx, call.scope, name) for name in names]
            alarms = [alarm for alarm in found if alarm is not None]
            if sum(alarm.kind is Kind.COMPOSITE for alarm in alarms) > 1:
                raise RuleError("You can delete at most one composite alarm in a single request.")
            for alarm in alarms:
                parents = await storage.parents(tx, call.scope, alarm.name)
                if parents:
                    raise RuleError(
                        f"Alarms [{alarm.name}] cannot be deleted as there are composite alarms "
                        f"[{', '.join(parents)}] depending on it"
                    )
            for alarm in alarms:
                await storage.delete_alarm(tx, alarm)
                await self._tell_configuration(tx, call, alarm, "delete", now)

        await self.kit.storage.transact(body)
        return {}

    async def _each(self, call: Call, names: Sequence[str], change: Callable[[Tx, Alarm], Awaitable[None]]) -> None:
        async def body(tx: Tx) -> None:
            for name in dict.fromkeys(names):
                alarm = await storage.get_alarm(tx, call.scope, name)
                if alarm is not None:
                    await change(tx, alarm)

        await self.kit.storage.transact(body)


def _configured(
    call: Call,
    name: str,
    kind: Kind,
    settings: dict[str, Any],
    tags: Mapping[str, str],
    before: Alarm | None,
    now: int,
) -> Alarm:
    """The alarm with its new configuration; its state, and its tags, stay as they are."""
    if before is None:
        return Alarm(call.scope, name, kind, settings, State.UNKNOWN, INITIAL, "", now, now, now, tags)
    if "MetricId" in before.settings and "MetricId" in settings:
        settings = {**settings, "MetricId": before.settings["MetricId"]}
    return replace(before, settings=settings, configured=now, suppression=None)


async def _family(tx: Tx, call: Call, request: Mapping[str, Any] | Any) -> set[str] | None:
    """The names of the children or parents that are asked for; `None` if none are."""
    children_of, parents_of = request.get("ChildrenOfAlarmName"), request.get("ParentsOfAlarmName")
    if children_of is not None:
        parent = await storage.get_alarm(tx, call.scope, children_of)
        if parent is None or parent.kind is not Kind.COMPOSITE:
            return set()
        return {alarm_name(child) for child in compile_rule(parent.settings["AlarmRule"]).children}
    if parents_of is not None:
        return set(await storage.parents(tx, call.scope, parents_of))
    return None


def _fits(alarm: Alarm, request: Mapping[str, Any] | Any, family: set[str] | None) -> bool:
    names, prefix = request.get("AlarmNames"), request.get("ActionPrefix")
    if names and alarm.name not in names:
        return False
    if family is not None and alarm.name not in family:
        return False
    if not alarm.name.startswith(request.get("AlarmNamePrefix", "")):
        return False
    if request.get("StateValue") not in (None, alarm.state.value):
        return False
    actions = [
        each for name in ("OKActions", "AlarmActions", "InsufficientDataActions") for each in alarm.settings[name]
    ]
    return prefix is None or any(action.startswith(prefix) for action in actions)


def _brief(alarm: Alarm) -> dict[str, Any]:
    """What is shown of children and parents: documented to be these members only."""
    shown = ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp")
    return {key: value for key, value in alarm.document().items() if key in shown}


def _history(item: storage.HistoryItem) -> dict[str, Any]:
    return {
        "AlarmName": item.alarm,
        "AlarmType": item.kind,
        "Timestamp": item.moment / 1000,
        "HistoryItemType": item.item,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }
