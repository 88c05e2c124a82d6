"""The child executions of distributed Maps: each is begun once, redriven with its parent, and its end handed in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.services.kit import Kit
from fogbank.services.states import storage as rows
from fogbank.services.states._integrations import text_of
from fogbank.services.states._language._exports import child_arn
from fogbank.services.states._language._threads import Task
from fogbank.services.states.errors import NotRedrivableError
from fogbank.services.states.model import Record
from fogbank.storage import StorageError, Tx

if TYPE_CHECKING:
    from fogbank.services.states.worker import Run, Runner


class Children:
    """Sees to child executions for their parents."""

    def __init__(self, kit: Kit, runner: Runner) -> None:
        self._kit = kit
        self._runner = runner

    async def see_to(self, run: Run, task: Task, *, express: bool) -> None:
        """Let a child execution run, and hand in what came of it."""
        while True:
            try:
                record = await self._outcome(run, task, express=express)
                break
            except StorageError:
                await self._kit.clock.sleep(1)
        run.children.pop(task.id, None)
        found = {
            "output": record.output,
            "error": record.error,
            "cause": record.cause,
            "started": record.started,
            "stopped": record.stopped,
            "redrives": record.redrives,
        }
        self._runner.feed(run, ("child", self._kit.clock.millis(), task.id, record.status, found))

    async def _outcome(self, run: Run, task: Task, *, express: bool) -> Record:
        """A child execution when it has ended; it is started, or redriven, where that is still to be done."""
        runner, map_run = self._runner, run.execution.map_runs[task.resource]
        record = self._record(run, task, express=express)
        under_way = await runner.ended(record.arn)
        if under_way is not None:
            return under_way
        before = None
        if map_run.redrives or run.recovered:
            before = await self._find(record.arn)
        if before is not None and before.status != "RUNNING" and (before.stopped or 0) >= (map_run.redriven or 0):
            return before
        if express:
            if before is not None:
                record = replace(record, id=before.id, redrives=before.redrives + 1, redriven=map_run.redriven)
            return await self._kept(runner.begin_express(record, run.revision, run.scope, run.trace))
        end: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        begun = False
        if before is None:
            begun = await runner.begin(record, run.revision, run.scope, run.trace, end)
        elif before.status != "RUNNING":
            try:
                await runner.redrive(before, None)
            except NotRedrivableError:
                return before
        if task.id not in run.execution.tasks:
            runner.abort(record.arn)
        return await (end if begun else self._end(record.arn))

    def _record(self, run: Run, task: Task, *, express: bool) -> Record:
        name, kit = task.child[0], self._kit
        machine = task.resource.rpartition(":")[0].replace(":mapRun:", ":stateMachine:")
        return Record(
            *(0, child_arn(task.resource, name, express=express), machine, run.revision.id, name, kit.ids.hex(32)),
            *(None, None, run.record.trace, text_of(task.parameters), "RUNNING", kit.clock.millis()),
            map_run=task.resource,
        )

    async def _find(self, arn: str) -> Record | None:
        return await self._kit.storage.read(lambda tx: rows.get_execution(tx, arn))

    async def _end(self, arn: str) -> Record:
        """The end of an execution that was begun, which may be over already."""
        while True:
            ended = await self._runner.ended(arn) or await self._find(arn)
            if ended is not None and ended.status != "RUNNING":
                return ended
            await self._kit.clock.sleep(1)  # its last step could not be stored, and is done again

    async def _kept(self, end: asyncio.Future[Record]) -> Record:
        """The end of an Express child execution: unlike others of its type, it is kept for the API to tell."""
        record = await end

        async def body(tx: Tx) -> None:
            if not record.id:
                await rows.add_execution(tx, record)
                return
            await rows.redrive_execution(tx, record)
            await rows.end_execution(tx, record)

        await self._kit.storage.transact(body)
        return record
