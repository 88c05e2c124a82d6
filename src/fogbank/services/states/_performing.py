"""Performs tasks: makes the call that one asks for, waits where there is a wait, and hands in what came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.errors import ApiError
from fogbank.services.kit import Kit
from fogbank.services.states._buckets import Buckets
from fogbank.services.states._http_tasks import HttpCaller
from fogbank.services.states._integrations import OPTIMIZED, PRINCIPAL, Caller, TaskError, text_of
from fogbank.services.states._language._datasets import DatasetError
from fogbank.services.states._language._threads import Task, TaskKind
from fogbank.services.states._language.interpreter import Input
from fogbank.services.states._recording import context_of

if TYPE_CHECKING:
    from fogbank.services.states.worker import Run, Runner

_decode = msgspec.json.decode


async def once(task: Task, caller: Caller) -> str:
    """Make a task's call; the reply's text. `TaskError` or `ApiError` if it fails."""
    if task.kind is TaskKind.FUNCTION:
        return await caller.function(task.resource, text_of(task.parameters))
    plain = task.resource.partition(".")[0]
    if plain.startswith("aws-sdk:"):
        _, service, operation = plain.split(":", 2)
        return await caller.sdk(service, operation, task.parameters)
    if plain == "http:invoke":
        return await caller.http.invoke(task.parameters)
    family, _, operation = plain.partition(":")
    if family not in OPTIMIZED:
        raise TaskError("States.Runtime", f"Fogbank does not implement the integration {task.resource} yet")
    return await caller.optimized(family, operation, task.parameters)


class Performer:
    """Performs the tasks of executions for the runner."""

    def __init__(self, kit: Kit, runner: Runner) -> None:
        self._kit = kit
        self._runner = runner

    def caller(self, run: Run, task: Task) -> Caller:
        """Makes the calls of a task, within the trace of its state."""
        kit, record = self._kit, run.record
        thread, _ = run.execution.tasks.get(task.id, (None, task))
        trace = context_of(record.seed, run.trace, 0 if thread is None else thread.entered)
        http = HttpCaller(kit.delivery.connections, run.scope.region)
        return Caller(kit.cloud, kit.ids, run.scope, trace, http, (record.machine, record.arn))

    def failure(self, task: Task, error: TaskError | ApiError) -> Input:
        """The input that says how a task failed."""
        name, cause = (error.code, error.message) if isinstance(error, ApiError) else (error.error, error.cause)
        return ("fail", self._kit.clock.millis(), task.id, name, cause)

    async def perform(self, run: Run, task: Task) -> None:
        """Make a task's call, and hand in what came of it."""
        try:
            kind, text = await self._outcome(run, task)
            event: Input = (kind, self._kit.clock.millis(), task.id, text)
        except (TaskError, ApiError) as error:
            event = self.failure(task, error)
        run.performing.pop(task.id, None)
        self._runner.feed(run, event)

    def _buckets(self, run: Run, task: Task) -> Buckets:
        caller = self.caller(run, task)
        return Buckets(caller.cloud, caller.ids, caller.scope, caller.trace)

    async def read(self, run: Run, task: Task) -> None:
        """Read the items of a distributed Map, and hand them in."""
        state, asked = run.execution.tasks[task.id][0].state, task.parameters
        assert state.reader is not None, "its items are in objects"
        items, cause = None, ""
        try:
            buckets = self._buckets(run, task)
            items = await buckets.read(state.reader, state.items_path, asked["given"], asked["most"])
        except DatasetError as error:
            cause = str(error)
        run.performing.pop(task.id, None)
        self._runner.feed(run, ("read", self._kit.clock.millis(), task.id, items, cause))

    async def write(self, run: Run, task: Task) -> None:
        """Write the results of a distributed Map: the same objects again, if that is done again after a kill."""
        buckets = self._buckets(run, task)
        files = run.execution.files(task.id)
        cause = None
        try:
            while (file := await asyncio.to_thread(next, files, None)) is not None:
                await buckets.put(task.parameters["Bucket"], *file)
        except DatasetError as error:
            cause = str(error)
        run.performing.pop(task.id, None)
        self._runner.feed(run, ("wrote", self._kit.clock.millis(), task.id, cause))

    async def _outcome(self, run: Run, task: Task) -> tuple[str, str]:
        if task.resource.partition(".")[2].startswith("sync"):
            return await self._child(run, task, parsed=task.resource.endswith(":2"))
        result = await once(task, self.caller(run, task))
        return "submitted" if task.waits else "done", result

    async def _child(self, run: Run, task: Task, *, parsed: bool) -> tuple[str, str]:
        """Start a child execution, if that was not done, and wait for its end."""
        if not task.submitted:
            reply = await once(task, self.caller(run, task))
            await self._runner.settle(run, ("submitted", self._kit.clock.millis(), task.id, reply))
        arn = task.reply["ExecutionArn"]
        while True:
            await self._runner.ended(arn)
            found = await self._kit.cloud.call(
                run.scope, "stepfunctions", "DescribeExecution", {"executionArn": arn}, principal=PRINCIPAL
            )
            if found["status"] != "RUNNING":
                break
            await self._kit.clock.sleep(1)  # its last step could not be stored, and it is being recovered
        shown = _child_result(found, parsed=parsed)
        if found["status"] == "SUCCEEDED":
            return "done", text_of(shown)
        raise TaskError("States.TaskFailed", text_of(shown))


def _child_result(found: dict[str, Any], *, parsed: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in found.items():
        title = name[0].upper() + name[1:]
        if value is None or title.startswith(("Redrive", "Trace", "MapRun", "StateMachineV", "StateMachineAl")):
            continue
        if title in {"Input", "Output"} and parsed:
            value = _decode(value)
        elif title in {"InputDetails", "OutputDetails"}:
            value = {"Included": value["included"]}
        elif title.endswith("Date"):
            value = int(value * 1000)
        shown[title] = value
    return dict(sorted(shown.items()))
