"""Runs executions: feeds their interpreters, commits their journals, and then carries out what they command.

For each execution one task at a time takes all inputs that have come in, applies them, commits inputs and events in
one transaction, and only then begins the tasks, sets the alarms and tells who waits. After a crash every journal is
applied again; what was outstanding is begun again.

A call whose whole effect is rows (a message sent, an item put, a child started) is made in the transaction that
journals its result: a crash leaves both or neither, so it is made exactly once. Other calls, of functions above all,
that were under way are made again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import msgspec

from fogbank.core.errors import ApiError
from fogbank.core.lifecycle import Actor
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.services.kit import Kit
from fogbank.services.states import storage as rows
from fogbank.services.states._alarms import Activities, Alarms
from fogbank.services.states._children import Children
from fogbank.services.states._evaluator import Evaluator
from fogbank.services.states._integrations import TaskError, is_joinable, text_of
from fogbank.services.states._language._exports import child_arn
from fogbank.services.states._language._map_runs import processor
from fogbank.services.states._language._threads import (
    Alarm,
    Command,
    Drop,
    Evaluate,
    Identity,
    Perform,
    Task,
    TaskKind,
)
from fogbank.services.states._language.definition import Program
from fogbank.services.states._language.interpreter import Execution, Input
from fogbank.services.states._language.jsonata import guard_with
from fogbank.services.states._logging import LogWriter
from fogbank.services.states._metrics import ExecutionMetrics
from fogbank.services.states._notices import SOURCE, status_change
from fogbank.services.states._performing import Performer, once
from fogbank.services.states._recording import Recorder, trace_of
from fogbank.services.states.errors import NotRedrivableError
from fogbank.services.states.model import Record, Revision
from fogbank.storage import NotJoinableError, StorageError, Tx

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode
MAX_HISTORY = 24_999
"""Events past which an execution is not redriven."""
_STEP = 100
"""Inputs and calls that one transaction takes at the most: others must get their turn."""

Deed = Input | Task
"""What comes in: an input, or a task whose call is made in the transaction that journals its result."""
_Waiter = asyncio.Future[None] | None


@dataclass(slots=True, eq=False)
class Run:
    """An execution under way."""

    record: Record
    revision: Revision
    execution: Execution
    scope: Scope
    trace: Trace
    express: bool
    seq: int = 1
    recovered: bool = False
    """Whether it was begun before: what it has under way may be there already."""
    inbox: list[tuple[Deed, _Waiter]] = field(default_factory=list)
    busy: bool = False
    performing: dict[int, asyncio.Task[Any]] = field(default_factory=dict)
    ended: list[asyncio.Future[Record]] = field(default_factory=list)
    evaluating: dict[int, asyncio.Task[Any]] = field(default_factory=dict)
    """Expressions that take long, by the halted steps that wait for them."""
    children: dict[int, str] = field(default_factory=dict)
    """By task: the ARN of the child execution of a distributed Map."""
    over: bool = False
    """Whether it has ended: what comes in now is too late."""
    recorder: Recorder | None = None
    gone: bool = False
    """Whether nothing of it is to be stored any more."""


class Runner(Actor):
    """Every execution of the process."""

    def __init__(self, kit: Kit, program: Callable[[Revision], Program]) -> None:
        super().__init__()
        self._kit = kit
        self._program = program
        self._runs: dict[str, Run] = {}
        self._log = LogWriter(kit)
        self._metrics = ExecutionMetrics(kit)
        self._alarms = Alarms(kit.clock, self._expected, self._rang)
        self._activities = Activities(kit.clock)
        self._redriving: set[str] = set()
        self._children = Children(kit, self)
        self._performer = Performer(kit, self)
        self.evaluator = Evaluator()

    async def on_start(self) -> None:
        guard_with(self.evaluator)
        self.spawn(self._alarms.run())
        records = await self._kit.storage.read(rows.running)
        recovered = list(filter(None, [await self._recover(record) for record in records]))
        for run in recovered:  # parents find their children: all are there before any goes on
            self._carry_out(run)
            self._beat_all(run)
        wanted = {arn for run in recovered for arn in run.children.values()}
        for run in recovered:
            if run.record.map_run is not None and run.record.arn not in wanted:
                self.abort(run.record.arn)  # the kill came between the end of its parent and its own

    async def on_stop(self) -> None:
        guard_with(None)
        self.evaluator.stop()

    def forget(self) -> None:
        """Every row was deleted."""
        for run in self._runs.values():
            self._drop(run)
        self._runs.clear()
        self._alarms.clear()
        self._activities.clear()

    @staticmethod
    def _drop(run: Run) -> None:
        """Let go of an execution as it is in memory."""
        run.gone = True
        run.inbox.clear()
        for task in (*run.performing.values(), *run.evaluating.values()):
            task.cancel()
        run.performing.clear()
        run.evaluating.clear()

    def find(self, arn: str) -> Run | None:
        """An execution under way."""
        return self._runs.get(arn)

    # -- beginning

    def _execution(self, record: Record, revision: Revision, scope: Scope, *, express: bool) -> Execution:
        machine = record.machine
        program = self._program(revision)
        if record.map_run is not None:
            program = processor(program, machine) or program
        identity = Identity(
            record.arn,
            record.name,
            revision.role,
            machine,
            machine.rpartition(":")[2],
            scope.region,
            record.started,
            record.seed,
        )
        execution = Execution(program, identity, record.input, express=express)
        execution.dice.defers = True
        return execution

    async def begin(
        self,
        record: Record,
        revision: Revision,
        scope: Scope,
        trace: Trace,
        end: asyncio.Future[Record] | None = None,
    ) -> bool:
        """Start a Standard execution: the first steps and its row are one transaction. Not if its ARN is taken.

        `end` completes when it has ended.
        """
        trace = trace_of(record, revision, trace)
        execution = self._execution(record, revision, scope, express=False)
        taken = execution.take(("start", record.started))
        run = Run(record, revision, execution, scope, trace, express=False)
        if end is not None:
            run.ended.append(end)
        ended = self._ended(run)
        inputs, events = _encode(taken), _encode(execution.events)

        async def body(tx: Tx) -> bool:
            number = await rows.add_execution(tx, ended or record)
            if number is None:
                return False
            await rows.add_journal(tx, number, 0, inputs, events)
            await self._consequences(tx, run, record, ended)
            tx.after_commit(lambda: self._begun(run, number, ended))  # of the parent's transaction, if it has one
            return True

        return await self._kit.storage.transact(body)

    def _begun(self, run: Run, number: int, ended: Record | None) -> None:
        if ended is None:
            run.record = replace(run.record, id=number)
        self._committed(run, ended)

    def begin_express(self, record: Record, revision: Revision, scope: Scope, trace: Trace) -> asyncio.Future[Record]:
        """Start an Express execution, which lives in memory; the future is its end."""
        trace = trace_of(record, revision, trace)
        run = Run(record, revision, self._execution(record, revision, scope, express=True), scope, trace, express=True)
        end: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        run.ended.append(end)
        self._runs[record.arn] = run
        self.feed(run, ("start", record.started))
        return end

    async def _tell(self, tx: Tx, run: Run, record: Record) -> None:
        """Put an event of an execution's status on the default bus, where a rule may want it."""
        if self._kit.delivery.heard(run.scope, SOURCE):
            message = status_change(record, run.scope, run.trace, self._kit.clock.millis())
            await self._kit.delivery.enqueue(tx, message)

    async def _consequences(self, tx: Tx, run: Run, *records: Record | None) -> None:
        """What goes with a step's transaction: the events of each status, and the map runs that it changed."""
        for record in records:
            if record is not None:
                await self._tell(tx, run, record)
        for map_run in run.execution.changed_runs.values():
            await rows.put_map_run(tx, run.record.arn, map_run)

    async def redrive(self, record: Record, token: str | None) -> Record:
        """Let an execution go on that ended without success.

        `NotRedrivableError` if it is under way already, or its history is as long as one may be.
        """
        if record.arn in self._redriving or record.arn in self._runs:
            raise NotRedrivableError("Execution is RUNNING and cannot be redriven")
        self._redriving.add(record.arn)
        try:
            return await self._redrive(record, token)
        finally:
            self._redriving.discard(record.arn)

    async def _redrive(self, record: Record, token: str | None) -> Record:
        now = self._kit.clock.millis()
        record = replace(
            record,
            status="RUNNING",
            stopped=None,
            output=None,
            error=None,
            cause=None,
            redrives=record.redrives + 1,
            redriven=now,
            redrive_token=token,
        )
        run = await self._recover(record)
        if run is None or run.execution.sink.count >= MAX_HISTORY:
            self._runs.pop(record.arn, None)
            raise NotRedrivableError("Execution history event limit exceeded")
        execution, seq = run.execution, run.seq
        run.seq += 1
        execution.commands.clear()
        taken = execution.take(("redrive", now))
        ended, inputs, events = self._ended(run), _encode(taken), _encode(execution.events)

        async def body(tx: Tx) -> None:
            await rows.add_journal(tx, record.id, seq, inputs, events)
            await rows.redrive_execution(tx, record)
            if ended is not None:
                await rows.end_execution(tx, ended)
            await self._consequences(tx, run, record, ended)

        try:
            await self._kit.storage.transact(body)
        except StorageError:
            self._runs.pop(record.arn, None)
            raise
        self._committed(run, ended)
        return run.record

    async def _recover(self, record: Record) -> Run | None:
        async def body(tx: Tx) -> tuple[Revision | None, list[bytes]]:
            return await rows.get_revision(tx, record.revision), await rows.inputs_of(tx, record.id)

        revision, journal = await self._kit.storage.read(body)
        if revision is None:
            return None
        parts = record.arn.split(":")
        scope = Scope(parts[4], parts[3])
        trace = trace_of(record, revision, Trace.begin(self._kit.clock, self._kit.ids))
        execution = self._execution(record, revision, scope, express=False)
        execution.dice.defers = False
        execution.replay(tuple(event) for entry in journal for event in _decode(entry))
        execution.dice.defers = True
        recorder = self._recorder(record, revision, scope, trace)
        recorder.recall(execution.events)
        execution.events.clear()
        execution.changed_runs.clear()
        execution.commands[:] = execution.outstanding()
        run = Run(record, revision, execution, scope, trace, express=False, seq=len(journal), recovered=True)
        run.recorder = recorder
        self._runs[record.arn] = run
        return run

    def _recorder(
        self, record: Record, revision: Revision, scope: Scope, trace: Trace, express: int | None = None
    ) -> Recorder:
        traced = revision.settings.get("tracing", {}).get("enabled", False)
        return Recorder(self._kit, record, scope, trace, express, traced=traced)

    # -- going on

    def feed(self, run: Run, event: Deed, done: _Waiter = None) -> None:
        """Hand an input or a call to an execution; `done` completes when it is committed."""
        if run.gone:
            if done is not None:
                done.cancel()
            return
        if run.over:
            if done is not None:
                done.set_result(None)
            return
        run.inbox.append((event, done))
        if not run.busy:
            run.busy = True
            self.spawn(self._drain(run))

    async def settle(self, run: Run, event: Input) -> None:
        """Hand an input to an execution, and wait until it is committed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.feed(run, event, done)
        await done

    def _beat_all(self, run: Run) -> None:
        """After a restart: who was alive could not say so meanwhile, and gets the time for another heartbeat."""
        now = self._kit.clock.millis()
        for _, task in run.execution.tasks.values():
            if task.heartbeat is not None:
                self.feed(run, ("beat", now, task.id))

    async def _drain(self, run: Run) -> None:
        try:
            while run.inbox:
                batch, run.inbox = run.inbox[:_STEP], run.inbox[_STEP:]
                try:
                    await self._step(run, batch)
                except StorageError as error:
                    await self._not_stored(run, batch, error)
        finally:
            run.busy = False

    async def _not_stored(self, run: Run, batch: list[tuple[Deed, _Waiter]], error: StorageError) -> None:
        """What was applied is not in the journal: go back to what is."""
        for _, done in [*batch, *run.inbox]:
            if done is not None and not done.done():
                done.set_exception(error)
        self._drop(run)
        self._runs.pop(run.record.arn, None)
        await self._kit.clock.sleep(1)
        again = await self._recover(run.record)
        if again is not None:
            again.ended = run.ended
            self._carry_out(again)

    async def _step(self, run: Run, batch: list[tuple[Deed, _Waiter]]) -> None:
        """Take what came in, and commit it with what follows from it."""
        execution = run.execution
        begin: list[Task] = []
        """What goes on outside once this is committed: calls that could not be joined, children to wait for."""

        async def body(tx: Tx) -> Record | None:
            inputs: list[Input] = []
            for deed, _ in batch:
                event = await self._joined(tx, run, deed, begin) if isinstance(deed, Task) else deed
                if event is not None:
                    inputs += execution.take(event)
            ended = self._ended(run)
            if inputs:
                await rows.add_journal(tx, run.record.id, run.seq, _encode(inputs), _encode(execution.events))
                run.seq += 1
            if ended is not None:
                await rows.end_execution(tx, ended)
            await self._consequences(tx, run, ended)
            return ended

        if run.express:
            for deed, _ in batch:
                execution.take(cast("Input", deed))
            ended = self._ended(run)
        else:
            ended = await self._kit.storage.transact(body)
        for _, done in batch:
            if done is not None and not done.done():
                done.set_result(None)
        self._committed(run, ended)
        for task in begin:
            self._begin_task(run, task, outside=True)

    async def _joined(self, tx: Tx, run: Run, task: Task, begin: list[Task]) -> Input | None:
        """Make a task's call in a transaction: the input that comes of it."""
        if task.id not in run.execution.tasks:
            return None

        async def call() -> str | TaskError | ApiError:
            try:
                return await once(task, self._performer.caller(run, task))
            except (TaskError, ApiError) as error:  # not to be undone: a failed entry has neighbours that did not fail
                return error

        try:
            result = await tx.within(call)
        except NotJoinableError:
            begin.append(task)
            return None
        if not isinstance(result, str):
            return self._performer.failure(task, result)
        if task.waits:
            begin.append(task)
        return ("submitted" if task.waits else "done", self._kit.clock.millis(), task.id, result)

    def _ended(self, run: Run) -> Record | None:
        execution = run.execution
        if execution.status == "RUNNING":
            return None
        return replace(
            run.record,
            status=execution.status,
            stopped=execution.now,
            output=execution.output,
            error=execution.error,
            cause=execution.cause,
        )

    def _committed(self, run: Run, ended: Record | None) -> None:
        """What may happen once inputs and events are safe."""
        self._log.write(run.revision, run.record.arn, run.execution.events, run.record.redrives, self.spawn)
        if run.recorder is None:
            express = len(run.revision.definition) if run.express else None
            run.recorder = self._recorder(run.record, run.revision, run.scope, run.trace, express)
            self._metrics.started(run.scope, run.record.machine)
        run.recorder.follow(run.execution.events)
        if ended is not None:
            run.recorder.ended(ended)
            self._metrics.ended(run.scope, ended)
        run.execution.events.clear()
        run.execution.changed_runs.clear()
        if run.evaluating:
            self._give_up(run)
        if ended is None:
            self._runs[run.record.arn] = run
            self._carry_out(run)
            return
        self._runs.pop(run.record.arn, None)
        run.record, run.over = ended, True
        for task in run.performing.values():
            task.cancel()
        run.performing.clear()
        for child in run.children.values():
            self.abort(child)
        run.children.clear()
        for future in run.ended:
            if not future.done():
                future.set_result(ended)
        for _, done in run.inbox:
            if done is not None and not done.done():
                done.set_result(None)
        run.inbox.clear()

    @staticmethod
    def _give_up(run: Run) -> None:
        """Let go of the expressions that no step waits for any more."""
        for number in run.evaluating.keys() - run.execution.halted.keys():
            run.evaluating.pop(number).cancel()

    def _carry_out(self, run: Run) -> None:
        commands: list[Command] = list(run.execution.commands)
        run.execution.commands.clear()
        for command in commands:
            if isinstance(command, Perform):
                self._begin_task(run, command.task)
            elif isinstance(command, Alarm):
                self._alarms.set(command.when, run.record.arn, command.id)
            elif isinstance(command, Evaluate):
                run.evaluating[command.id] = self.spawn(self._evaluate(run, command))
            elif isinstance(command, Drop):
                task = run.performing.pop(command.id, None)
                if task is not None:
                    task.cancel()
                self.abort(run.children.pop(command.id, ""))

    async def _evaluate(self, run: Run, command: Evaluate) -> None:
        """Hand in the value of an expression that takes long."""
        value, error = await self.evaluator.reply(command.question)
        run.evaluating.pop(command.id, None)
        self.feed(run, ("evaluated", self._kit.clock.millis(), command.id, value, error))

    def abort(self, arn: str) -> None:
        """Stop a child execution of a distributed Map."""
        child = self._runs.get(arn)
        if child is not None:
            self.feed(child, ("stop", self._kit.clock.millis(), None, None))

    # -- tasks

    def _begin_task(self, run: Run, task: Task, *, outside: bool = False) -> None:
        if task.id not in run.execution.tasks:
            return
        if task.kind is TaskKind.CHILD:
            express = run.execution.map_runs[task.resource].express
            run.children[task.id] = child_arn(task.resource, task.child[0], express=express)
            self.spawn(self._children.see_to(run, task, express=express))
        elif task.kind is TaskKind.READER:
            run.performing[task.id] = self.spawn(self._performer.read(run, task))
        elif task.kind is TaskKind.WRITER:
            run.performing[task.id] = self.spawn(self._performer.write(run, task))
        elif task.kind is TaskKind.ACTIVITY:
            if not task.started:
                self._activities.offer(task.resource, (run.record.arn, task.id))
        elif task.submitted:
            if not task.resource.endswith(".waitForTaskToken"):
                run.performing[task.id] = self.spawn(self._performer.perform(run, task))
        elif run.express or outside or not is_joinable(task.resource):
            run.performing[task.id] = self.spawn(self._performer.perform(run, task))
        else:
            self.feed(run, task)

    async def ended(self, arn: str) -> Record | None:
        """Wait until an execution has ended; `None` if it is not under way."""
        run = self._runs.get(arn)
        if run is None:
            return None
        future: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        run.ended.append(future)
        return await future

    # -- activities

    async def take(self, activity: str, worker: str | None, seconds: float) -> tuple[str, str] | None:
        """The token and input of an activity's next task, waiting for one up to `seconds`."""
        until = self._kit.clock.time() + seconds
        while True:
            place = await self._activities.next(activity, until)
            if place is None:
                return None
            run = self._runs.get(place[0])
            found = run.execution.tasks.get(place[1]) if run is not None else None
            if run is None or found is None or found[1].started:
                continue
            await self.settle(run, ("taken", self._kit.clock.millis(), place[1], worker))
            return found[1].token or "", text_of(found[1].parameters)

    # -- alarms

    def _expected(self, arn: str, number: int) -> bool:
        run = self._runs.get(arn)
        return run is not None and run.execution.expects(number)

    def _rang(self, arn: str, number: int, now: int) -> None:
        run = self._runs.get(arn)
        if run is not None:
            self.feed(run, ("time", now, number))
