"""Evaluating alarms, and everything that follows from a change of state, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fogbank.core.trace import Trace
from fogbank.services.cloudwatch import storage
from fogbank.services.cloudwatch._alarms import (
    ACTIONS,
    Alarm,
    Kind,
    about,
    condition_of,
    json_text,
    least_samples,
    query_of,
)
from fogbank.services.cloudwatch._evaluation import (
    EXTRA,
    Datapoint,
    State,
    Verdict,
    decide,
    moment_text,
    reason,
    reason_data,
)
from fogbank.services.cloudwatch._notices import SOURCE, action, change_data, change_event
from fogbank.services.cloudwatch._queries import Plan
from fogbank.services.cloudwatch._reading import read_periods, run
from fogbank.services.cloudwatch._rules import compile_rule
from fogbank.services.cloudwatch._suppression import Suppression, begin, suppressor_changed, suppressor_of
from fogbank.services.cloudwatch.errors import RuleError

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.storage import Tx

MAX_REASON_DATA = 4000
TOPIC = "cloudwatch.alarms"
"""Woken when an alarm is to be looked at sooner."""
MAX_CHAIN = 100
"""Composite alarms that one change may reach, one through the other."""


class Changes:
    """Evaluates alarms and stores what follows. Each call is part of the caller's transaction."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def evaluate(self, tx: Tx, alarm: Alarm, trace: Trace) -> None:
        """Bring an alarm to the state that its metric, or its children, give it now."""
        now = self._kit.clock.time()
        if alarm.kind is Kind.COMPOSITE:
            kept = alarm.suppression
            if kept is not None and kept.until is not None and kept.until <= now * 1000:
                await self._release(tx, alarm, kept, trace)
                alarm = replace(alarm, suppression=None)
            await self._evaluate_composite(tx, alarm, None, trace, 0)
            return
        condition = condition_of(alarm)
        points = await _datapoints(tx, alarm, now)
        verdict = decide(points, condition)
        if verdict is None or verdict.state is alarm.state:
            return
        text = reason(verdict, condition, alarm.state)
        data = self._data(alarm, verdict, now)
        await self.set_state(tx, alarm, verdict.state, text, data, trace)

    @staticmethod
    def _data(alarm: Alarm, verdict: Verdict, now: float) -> str:
        """The reason's data; of as many datapoints as fit."""
        condition, subject = condition_of(alarm), about(alarm)
        used = list(verdict.used)
        while True:
            text = json_text(reason_data(verdict._replace(used=used), condition, subject, now))
            if len(text) <= MAX_REASON_DATA or not used:
                return text
            used = used[: len(used) * 3 // 4]

    async def set_state(
        self, tx: Tx, before: Alarm, state: State, text: str, data: str, trace: Trace, depth: int = 0
    ) -> None:
        """Give an alarm a state; if it is another one: history, event, actions, and the alarms that depend on it."""
        now = self._kit.clock.millis()
        changes = state is not before.state
        after = replace(
            before, state=state, reason=text[:1023], reason_data=data, updated=now,
            transitioned=now if changes else before.transitioned,
        )  # fmt: skip
        await storage.set_state(tx, after)
        if not changes:
            return
        summary = f"Alarm updated from {before.state.value} to {state.value}"
        await storage.add_history(tx, after, now, "StateUpdate", summary, json_text(change_data(before, after)))
        if self._kit.delivery.heard(after.scope, SOURCE):
            await self._kit.delivery.enqueue(tx, change_event(before, after, trace))
        if suppressor_of(after.settings) is None:
            await self._act(tx, before, after, trace)
        elif after.suppression is None:
            suppression = begin(after.settings, await self._suppressing(tx, after), before.state, now)
            await self._suppress(tx, after, suppression)
        if depth < MAX_CHAIN:
            await self._tell_parents(tx, after, trace, depth)

    async def _act(self, tx: Tx, before: Alarm, after: Alarm, trace: Trace) -> None:
        """Call the actions of an alarm's new state."""
        if after.settings["ActionsEnabled"]:
            for target in after.settings[ACTIONS[after.state]]:
                await self._kit.delivery.enqueue(tx, action(before, after, target, trace))

    async def _suppressing(self, tx: Tx, alarm: Alarm) -> bool:
        """Whether the alarm that keeps another's actions back does so now."""
        name = suppressor_of(alarm.settings)
        suppressor = None if name is None else await storage.get_alarm(tx, alarm.scope, name)
        return suppressor is not None and suppressor.state is State.ALARM

    async def _suppress(self, tx: Tx, alarm: Alarm, suppression: Suppression) -> None:
        await storage.set_suppression(tx, alarm, suppression)
        tx.wake(TOPIC)

    async def _release(self, tx: Tx, alarm: Alarm, suppression: Suppression, trace: Trace) -> None:
        """Nothing keeps the actions back any more: those of the state that the alarm has now are called."""
        await storage.set_suppression(tx, alarm, None)
        if alarm.state is not suppression.acted:
            await self._act(tx, replace(alarm, state=suppression.acted), alarm, trace)

    async def _tell_parents(self, tx: Tx, child: Alarm, trace: Trace, depth: int) -> None:
        for name in await storage.parents(tx, child.scope, child.name):
            parent = await storage.get_alarm(tx, child.scope, name)
            if parent is None:
                continue
            if suppressor_of(parent.settings) == child.name and parent.suppression is not None:
                suppressing = child.state is State.ALARM
                now = self._kit.clock.millis()
                await self._suppress(
                    tx, parent, suppressor_changed(parent.suppression, parent.settings, suppressing, now)
                )
            if child.name in compile_rule(parent.settings["AlarmRule"]).children:
                await self._evaluate_composite(tx, parent, child, trace, depth + 1)

    async def _evaluate_composite(self, tx: Tx, alarm: Alarm, trigger: Alarm | None, trace: Trace, depth: int) -> None:
        rule = compile_rule(alarm.settings["AlarmRule"])
        children = [await storage.get_alarm(tx, alarm.scope, name) for name in rule.children]
        known = [child for child in children if child is not None]
        state = State.ALARM if rule.test({child.name: child.state.value for child in known}) else State.OK
        if state is alarm.state:
            return
        newest = trigger or max(known, key=lambda child: child.transitioned, default=None)
        await self.set_state(tx, alarm, state, _because(newest, alarm), _triggering(newest), trace, depth)


def _because(child: Alarm | None, alarm: Alarm) -> str:
    """The reason of a composite alarm: the child that changed last."""
    if child is None:
        return f"{alarm.arn} was evaluated: its rule names no alarm"
    when = datetime.fromtimestamp(child.transitioned / 1000, UTC).strftime("%A %d %B, %Y %H:%M:%S UTC")
    return f"{child.arn} transitioned to {child.state.value} at {when}"


def _triggering(child: Alarm | None) -> str:
    if child is None:
        return ""
    state = {"value": child.state.value, "timestamp": moment_text(child.transitioned / 1000)}
    return json_text({"triggeringAlarms": [{"arn": child.arn, "state": state}]})


async def _datapoints(tx: Tx, alarm: Alarm, now: float) -> list[Datapoint]:
    """The periods that an alarm looks at, newest first; the one that is not over yet is not among them."""
    wanted = alarm.settings["EvaluationPeriods"] + EXTRA
    if "Metrics" in alarm.settings:
        return await _computed(tx, alarm, wanted, now)
    query = query_of(alarm)
    step = min(query.period, 60)
    end = int(now // step * step)
    start = end - wanted * query.period
    found, _ = await read_periods(tx, query, start, end, now)
    least = least_samples(alarm)
    points = []
    for moment in range(end - query.period, start - 1, -query.period):
        summary = found.get(moment)
        value = None if summary is None or summary.samples < least else query.statistic(summary)
        samples = None if summary is None or value is None else summary.samples
        points.append(Datapoint(moment, value, samples))
    return points


async def _computed(tx: Tx, alarm: Alarm, wanted: int, now: float) -> list[Datapoint]:
    plan = Plan.of(alarm.scope, alarm.settings["Metrics"])
    period = plan.longest
    step = min(period, 60)
    end = int(now // step * step)
    start = end - wanted * period
    try:
        results = await run(tx, plan, start, end, now)
    except RuleError:  # what no data makes of an expression; then there is no data
        results = []
    moments: Sequence[int] = range(end - period, start - 1, -period)
    values = results[0].line.values if len(results) == 1 else {}
    return [Datapoint(moment, values.get(moment)) for moment in moments]
