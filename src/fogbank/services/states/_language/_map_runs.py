"""Map runs: a distributed Map starts an execution of its own for each item, or batch of items.

The interpreter treats a child execution as a task: it commands `Perform`, and the worker hands in `child` when the
execution has ended. What a child was given and what became of it is counted here, as `DescribeMapRun` tells it.

Sources: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html, input-output-itembatcher.html,
input-output-resultwriter.html, tolerated-failure-threshold.html, redrive-map-run.html.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fogbank.services.states._language._batches import Batch, batches
from fogbank.services.states._language._core import STEP_ERRORS, Core
from fogbank.services.states._language._data import outcome, whole_number
from fogbank.services.states._language._datasets import MAX_ITEMS
from fogbank.services.states._language._exports import files_of, place_of, results_of
from fogbank.services.states._language._threads import Drop, Join, Perform, Task, TaskKind, Thread
from fogbank.services.states._language.definition import Kind, Program, State
from fogbank.services.states._language.failures import (
    ITEM_READER,
    RESULT_WRITER,
    TOLERANCE,
    Failure,
    PathError,
    RuntimeFailure,
)
from fogbank.services.states._language.paths import Path

Json = Any
MAX_CHILDREN = 1_000
"""Child executions of a map run that are under way at once, where MaxConcurrency does not say less."""
MAX_REDRIVES = 1_000
EXCEEDED = "The specified tolerated failure threshold was exceeded"
_ENDED = {"SUCCEEDED": "succeeded", "FAILED": "failed", "TIMED_OUT": "timedOut", "ABORTED": "aborted"}


def none_yet() -> dict[str, int]:
    """Counts of what has ended, by how."""
    return dict.fromkeys(_ENDED.values(), 0)


@dataclass(slots=True)
class MapRun:
    """A map run as the API tells it. Moments are milliseconds; counts are by how children, and their items, ended."""

    arn: str
    started: int
    express: bool
    concurrency: int
    tolerated_count: float
    tolerated_percentage: float
    items: int = 0
    children: int = 0
    status: str = "RUNNING"
    stopped: int | None = None
    redrives: int = 0
    redriven: int | None = None
    under_way: tuple[int, int] = (0, 0)
    """Child executions and items under way."""
    counts: dict[str, int] = field(default_factory=none_yet)
    item_counts: dict[str, int] = field(default_factory=none_yet)

    def tolerates(self) -> bool:
        """Whether the items that failed so far are no more than may."""
        failed = self.item_counts["failed"] + self.item_counts["timedOut"]
        share = failed * 100 / self.items if self.items else 0.0
        return failed == 0 or (
            (self.tolerated_count or self.tolerated_percentage) != 0
            and (not self.tolerated_count or failed <= self.tolerated_count)
            and (not self.tolerated_percentage or share <= self.tolerated_percentage)
        )


def label_of(machine: str, state: State) -> str:
    """A Map's Label; where it has none, one that is made from its name and stays."""
    if state.label:
        return state.label
    text = hashlib.sha256(f"{machine.partition('/')[0]}/{state.name}".encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-a{text[15:18]}-{text[18:30]}"


def map_state(program: Program, machine: str) -> State | None:
    """The Map whose child executions have the `machine` `…:stateMachine:Name/Label`."""
    label = machine.partition("/")[2]
    for state in program.states.values():
        if state.kind is Kind.MAP and state.branches[0].distributed and label_of(machine, state) == label:
            return state
        for branch in state.branches:
            found = map_state(branch, machine)
            if found is not None:
                return found
    return None


def processor(program: Program, machine: str) -> Program | None:
    """The program of those child executions."""
    state = map_state(program, machine)
    return None if state is None else state.branches[0]


class MapRunSteps(Core):
    """The steps of distributed Maps."""

    def start_run(self, thread: Thread, join: Join, tolerated: tuple[float, float]) -> None:
        """Start a map run, and as many child executions as may run at once."""
        join.run = self._open_run(thread, join.limit, tolerated)
        self.guarded(thread, lambda: self._batch(thread, join))

    def _batch(self, thread: Thread, join: Join) -> None:
        """Make the batches of a map run, and start with them."""
        run = join.run
        assert run is not None, "it is distributed"
        try:
            join.batches = self.batches_of(thread, join)
        except STEP_ERRORS:
            thread.join = None
            self._close_run(run, "FAILED")
            raise
        join.batched = True
        join.results = [None] * len(join.batches)
        run.items, run.children = len(join.items), len(join.batches)
        self.changed_runs[run.arn] = run
        if not join.batches:
            self._run_ended(join)
            return
        self.guarded(thread, lambda: self.start_children(join))

    def _open_run(self, thread: Thread, limit: int, tolerated: tuple[float, float]) -> MapRun:
        who, state = self.identity, thread.state
        base = who.machine.partition("/")[0].replace(":stateMachine:", ":mapRun:")
        arn = f"{base}/{label_of(who.machine, state)}:{self.dice.uuid()}"
        express = state.branches[0].execution_type == "EXPRESS"
        run = MapRun(arn, self.now, express, limit, *tolerated)
        self.map_runs[arn] = run
        self.changed_runs[arn] = run
        self.emit(thread, "MapRunStarted", {"mapRunArn": arn})
        return run

    # -- items of objects

    def start_reading(self, thread: Thread, data: Json, limit: int, tolerated: tuple[float, float]) -> None:
        """Start a map run whose items are in objects."""
        self.emit(thread, "MapStateStarted", {"length": 0})
        self.guarded(thread, lambda: self._ask_for_items(thread, data, limit, tolerated))

    def _ask_for_items(self, thread: Thread, data: Json, limit: int, tolerated: tuple[float, float]) -> None:
        reader = thread.state.reader
        assert reader is not None, "it reads"
        states = {"input": thread.data}
        given = {} if reader.given is None else reader.given(thread, states if thread.state.jsonata else data)
        most = reader.most
        if isinstance(most, Path):
            most = whole_number(thread, most, "MaxItemsPath", data)
        elif not isinstance(most, int):
            most = int(most(thread, states))
        join = Join(thread, thread.cursor, [], [], limit, last=thread.cursor, selected=data)
        join.run = self._open_run(thread, limit, tolerated)
        thread.join = join
        if most < 0:
            self._not_read(join, "field MaxItems must be positive")
            return
        join.unread = {"given": given, "most": min(most or MAX_ITEMS, MAX_ITEMS)}
        self._read(join)

    def _read(self, join: Join) -> None:
        self._outside(join, TaskKind.READER, join.unread)

    def _outside(self, join: Join, kind: TaskKind, parameters: Json) -> None:
        """Have something done outside that the owner of a map run waits for."""
        assert join.run is not None, "it is distributed"
        owner = join.owner
        task = Task(self.next_id(), kind, join.run.arn, parameters, None, owner.state.name)
        self.tasks[task.id] = (owner, task)
        owner.waiting = task.id
        self.commands.append(Perform(task))

    def _came_back(self, number: int) -> Join | None:
        entry = self.tasks.pop(number, None)
        if entry is None:
            return None
        entry[0].waiting = None
        return entry[0].join

    def items_read(self, number: int, items: list[Json] | None, cause: str) -> None:
        """The items of objects are there, or why they are not."""
        join = self._came_back(number)
        if join is None:
            return
        if items is None:
            self._not_read(join, cause)
            return
        join.items, join.unread = items, None
        self.guarded(join.owner, lambda: self._batch(join.owner, join))

    def _not_read(self, join: Join, cause: str) -> None:
        owner, run = join.owner, join.run
        assert run is not None, "it is distributed"
        owner.join = None
        self._close_run(run, "FAILED")
        failure = Failure(ITEM_READER, cause)
        self.emit(owner, "MapRunFailed", {"error": failure.error, "cause": failure.cause})
        self.fail(owner, failure)

    def _close_run(self, run: MapRun, status: str) -> None:
        run.status, run.stopped, run.under_way = status, self.now, (0, 0)
        self.changed_runs[run.arn] = run

    def batches_of(self, thread: Thread, join: Join) -> list[Batch]:
        """What each child execution is given."""
        state = thread.state
        if state.batcher is None:
            return [Batch(None, 1, index) for index in range(len(join.items))]
        config = state.batcher
        states = {"input": thread.data}
        common = None
        if config.given is not None:
            common = config.given(thread, states if state.jsonata else join.selected)
        most = self._batch_limit(thread, config.most, join.selected, "MaxItemsPerBatch")
        size = self._batch_limit(thread, config.size, join.selected, "MaxInputBytesPerBatch")
        inputs = [self.item_input(join, index) for index in range(len(join.items))]
        return batches(inputs, most, size, common)

    def _batch_limit(self, thread: Thread, limit: Any, data: Json, field: str) -> int | None:
        if limit is None or isinstance(limit, int):
            return limit
        if thread.state.jsonata:
            found = limit(thread, {"input": thread.data})
            number = int(found) if isinstance(found, int | float) else 0
        else:
            number = whole_number(thread, limit, f"{field}Path", data)
        if number <= 0:
            raise PathError(f"{field} must be greater than zero but was: {number}")
        return number

    def item_input(self, join: Join, index: int) -> Json:
        """An item, through the ItemSelector."""
        owner = join.owner
        selector = owner.state.item_selector
        if selector is None:
            return join.items[index]
        before, owner.item = owner.item, {"Index": index, "Value": join.items[index]}
        try:
            return selector(owner, {"input": owner.data} if owner.state.jsonata else join.selected)
        finally:
            owner.item = before

    def start_children(self, join: Join) -> None:
        """Start child executions until as many are under way as may be."""
        try:
            self._start_more(join)
        except STEP_ERRORS:  # an item has no input: the state fails, and nothing goes on behind its back
            self.abort_run(join, "FAILED")
            join.owner.join, join.owner.broken = None, join
            raise

    def _start_more(self, join: Join) -> None:
        assert join.run is not None, "it is distributed"
        limit = min(join.run.concurrency or MAX_CHILDREN, MAX_CHILDREN)
        while len(join.under_way) < limit:
            if join.again:
                self._start_child(join, join.again[-1])
                join.again.pop()
            elif join.started < len(join.batches):
                self._start_child(join, join.started)
                join.started += 1
            else:
                break
        under_way = join.under_way.values()
        join.run.under_way = (len(join.under_way), sum(join.batches[index].count for index in under_way))

    def _start_child(self, join: Join, index: int) -> None:
        assert join.run is not None, "it is distributed"
        batch = join.batches[index]
        data = batch.data if batch.item is None else self.item_input(join, batch.item)
        name = join.names.get(index)
        if name is None:
            name = join.names[index] = self.dice.uuid()
        owner = join.owner
        task = Task(self.next_id(), TaskKind.CHILD, join.run.arn, data, None, owner.state.name)
        task.child = (name, batch.count)
        self.tasks[task.id] = (owner, task)
        join.under_way[task.id] = index
        self.commands.append(Perform(task))

    # -- what becomes of children

    def child_settled(self, number: int, status: str, found: dict[str, Any]) -> None:
        """A child execution has ended: `found` has its output, or its error and cause, and its times."""
        entry = self.tasks.pop(number, None)
        join = None if entry is None else entry[0].join
        if entry is None or join is None or join.run is None:
            return
        run, index = join.run, join.under_way.pop(number)
        batch = join.batches[index]
        run.counts[_ENDED[status]] += 1
        run.item_counts[_ENDED[status]] += batch.count
        if status != "SUCCEEDED":
            join.unsuccessful[index] = status
        value = self.decode(found["output"]) if status == "SUCCEEDED" else None
        data = entry[1].parameters if join.writes_all else None
        join.results[index] = {**found, "status": status, "value": value, "data": data}
        owner = join.owner
        if not run.tolerates():
            self._run_failed(join, Failure(TOLERANCE, EXCEEDED))
        elif not join.under_way and not join.again and join.started == len(join.batches):
            self._run_ended(join)
        else:
            self.guarded(owner, lambda: self.start_children(join))

    def change_run(self, arn: str, limit: int | None, count: float | None, percentage: float | None) -> None:
        """`UpdateMapRun`."""
        run = self.map_runs.get(arn)
        join = next((t.join for t, task in self.tasks.values() if task.resource == arn), None)
        if run is None or join is None:
            return
        run.concurrency = run.concurrency if limit is None else limit
        run.tolerated_count = run.tolerated_count if count is None else count
        run.tolerated_percentage = run.tolerated_percentage if percentage is None else percentage
        self.changed_runs[arn] = run
        if join.owner.waiting is not None:  # for its items, or for its results to be written
            return
        if run.tolerates():
            self.guarded(join.owner, lambda: self.start_children(join))
        else:
            self._run_failed(join, Failure(TOLERANCE, EXCEEDED))

    def _run_ended(self, join: Join) -> None:
        if self._writes(join):
            self.guarded(join.owner, lambda: self._write(join))
        else:
            self._succeeded(join, lambda: results_of(join))

    def _succeeded(self, join: Join, result: Callable[[], Json]) -> None:
        owner, run = join.owner, join.run
        assert run is not None, "it is distributed"
        owner.join = None
        self._close_run(run, "SUCCEEDED")
        self.emit(owner, "MapRunSucceeded", None)
        owner.sink.add("MapStateSucceeded", owner.cursor, self.now, None)
        self.guarded(owner, lambda: self.leave(owner, *outcome(owner, result()), owner.state.next))

    def _run_failed(self, join: Join, failure: Failure) -> None:
        self.abort_run(join, "FAILED")
        if self._writes(join) and join.failure is None:
            join.failure = failure
            self.guarded(join.owner, lambda: self._write(join))
        else:
            self._has_failed(join, failure)

    def _has_failed(self, join: Join, failure: Failure) -> None:
        owner, run = join.owner, join.run
        assert run is not None, "it is distributed"
        self._close_run(run, "FAILED")
        join.failure = None
        owner.join, owner.broken = None, join
        self.emit(owner, "MapRunFailed", {"error": failure.error, "cause": failure.cause})
        self.fail(owner, failure)

    # -- results in a bucket

    @staticmethod
    def _writes(join: Join) -> bool:
        writer = join.owner.state.writer
        return writer is not None and writer.given is not None

    def _write(self, join: Join) -> None:
        """Have the results written; a map run that fails writes what it has."""
        owner = join.owner
        writer = owner.state.writer
        assert writer is not None, "it writes"
        assert writer.given is not None, "it writes into a bucket"
        target = writer.given(owner, {"input": owner.data} if owner.state.jsonata else join.selected)
        if not isinstance(target, dict) or not isinstance(target.get("Bucket"), str):
            self._has_failed(join, Failure(RESULT_WRITER, "The ResultWriter must name a Bucket"))
            return
        self._outside(join, TaskKind.WRITER, target)

    def files(self, number: int) -> Iterator[tuple[str, bytes]]:
        """The keys and contents of what a task is to write; the last one's key is the manifest's."""
        owner, task = self.tasks[number]
        assert owner.join is not None, "its run is not over"
        return files_of(owner.join, task.parameters)

    def results_written(self, number: int, cause: str | None) -> None:
        """The results are in the bucket, or why they are not."""
        target = self.tasks[number][1].parameters if number in self.tasks else {}
        join = self._came_back(number)
        if join is None or join.run is None:
            return
        if cause is not None:
            self._has_failed(join, Failure(RESULT_WRITER, cause))
        elif join.failure is not None:
            self._has_failed(join, join.failure)
        else:
            key = f"{place_of(join.run, target)}/manifest.json"
            details = {"Bucket": target["Bucket"], "Key": key}
            written = {"MapRunArn": join.run.arn, "ResultWriterDetails": details}
            self._succeeded(join, lambda: written)

    def abort_run(self, join: Join, status: str) -> None:
        """End a map run where it is: what is under way is aborted."""
        self.forget_halted(join.owner)
        run = join.run
        assert run is not None, "it is distributed"
        for number, index in join.under_way.items():
            if self.tasks.pop(number, None) is not None:
                self.commands.append(Drop(number))
            join.unsuccessful[index] = "ABORTED"
            run.counts["aborted"] += 1
            run.item_counts["aborted"] += join.batches[index].count
        join.under_way.clear()
        self._close_run(run, status)

    # -- redrive

    def redrive_run(self, join: Join) -> None:
        """Start the children again that did not succeed, and those that were never started."""
        owner, run = join.owner, join.run
        assert run is not None, "it is distributed"
        if run.redrives >= MAX_REDRIVES:
            raise RuntimeFailure(f"The Map Run was redriven {MAX_REDRIVES} times, which is the most there may be")
        owner.join, owner.broken, join.failure = join, None, None
        run.redrives += 1
        run.redriven, run.status, run.stopped = self.now, "RUNNING", None
        self.changed_runs[run.arn] = run
        for index, status in join.unsuccessful.items():
            run.counts[_ENDED[status]] -= 1
            run.item_counts[_ENDED[status]] -= join.batches[index].count
        join.again = sorted(join.unsuccessful, reverse=True)
        join.unsuccessful = {}
        self.emit(owner, "MapRunRedriven", {"mapRunArn": run.arn, "redriveCount": run.redrives})
        if join.unread is not None:
            self._read(join)
        elif not join.batched:
            self.guarded(owner, lambda: self._batch(owner, join))
        elif not join.again and join.started == len(join.batches):
            self._run_ended(join)
        else:
            self.guarded(owner, lambda: self.start_children(join))
