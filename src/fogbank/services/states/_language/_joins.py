"""Parallel and Map states: their children, and how they come together again."""

from __future__ import annotations

from typing import Any

from fogbank.services.states._language._core import STEP_ERRORS
from fogbank.services.states._language._data import (
    NotAnArrayError,
    effective_input,
    find,
    item_list,
    outcome,
    selected_input,
    whole_number,
)
from fogbank.services.states._language._map_runs import MapRunSteps
from fogbank.services.states._language._threads import Drop, Join, Thread
from fogbank.services.states._language.definition import Kind, Program, State
from fogbank.services.states._language.failures import Failure, PathError, QueryFailure
from fogbank.services.states._language.templates import text_of

Json = Any
MAX_INLINE = 40
_UNTIMED = frozenset({Kind.FAIL, Kind.PASS, Kind.CHOICE, Kind.SUCCEED})


class JoinSteps(MapRunSteps):
    """The steps of states with children."""

    def execute_parallel(self, thread: Thread) -> None:
        """Start every branch."""
        data = effective_input(thread)
        started = self.emit(thread, "ParallelStateStarted", None)
        branches = thread.state.branches
        join = thread.join = Join(thread, started, [None] * len(branches), started=len(branches))
        for index, branch in enumerate(branches):
            child = self._child(join, branch, data, index, started)
            child.raw = thread.raw if data is thread.data else None
            join.children[index] = child
            self.ready.append(child)

    def execute_map(self, thread: Thread) -> None:
        """Start as many iterations as may run at once."""
        state = thread.state
        data = thread.data if state.jsonata else selected_input(thread)
        limit = self._concurrency(thread, data)
        tolerated = self._tolerance(thread, data)
        if state.reader is not None:
            self.start_reading(thread, data, limit, tolerated)
            return
        try:
            items = item_list(thread, data)
        except NotAnArrayError as error:
            shown = text_of(error.value)
            raise QueryFailure(f"{thread.describe()} Map state input must be an array but was: {shown}", None) from None
        started = self.emit(thread, "MapStateStarted", {"length": len(items)})
        join = Join(thread, started, [None] * len(items), items, limit, last=started, selected=data)
        thread.join = join
        if state.branches[0].distributed:
            self.start_run(thread, join, tolerated)
            return
        if limit == 0:
            join.limit = MAX_INLINE
        if not items:
            self._map_ended(join)
            return
        self.guarded(thread, lambda: self.start_iterations(join))

    def _concurrency(self, thread: Thread, data: Json) -> int:
        state = thread.state
        if state.concurrency_query is not None:
            return int(state.concurrency_query(thread, {"input": thread.data}))
        if state.concurrency_path is not None:
            found = whole_number(thread, state.concurrency_path, "MaxConcurrencyPath", data)
            if found < 0:
                raise PathError(f"MaxConcurrencyPath must not be negative but was: {found}")
            return found
        return state.concurrency

    def _tolerance(self, thread: Thread, data: Json) -> tuple[float, float]:
        state = thread.state
        count: float | None = state.tolerated_count
        share = state.tolerated_percentage
        if state.tolerated_count_query is not None:
            count = state.tolerated_count_query(thread, {"input": thread.data})
        elif state.tolerated_count_path is not None:
            count = whole_number(thread, state.tolerated_count_path, "ToleratedFailureCountPath", data)
        if state.tolerated_percentage_query is not None:
            share = state.tolerated_percentage_query(thread, {"input": thread.data})
        elif state.tolerated_percentage_path is not None:
            share = find(state.tolerated_percentage_path, thread, data)
            if isinstance(share, str) and share.isdecimal() and len(share) < 10:
                share = int(share)
            if not isinstance(share, int | float) or isinstance(share, bool):
                raise PathError(
                    f'The ToleratedFailurePercentagePath field refers to value "{text_of(share)}" which is not a valid '
                    f"number: {state.tolerated_percentage_path.text}"
                )
        for name, value, most in (("ToleratedFailureCount", count, None), ("ToleratedFailurePercentage", share, 100)):
            if value is not None and (value < 0 or (most is not None and value > most)):
                raise PathError(f"{name} must be {'between 0 and 100' if most else 'zero or more'} but was: {value}")

        return (float(count or 0), float(share or 0))

    def start_iterations(self, join: Join) -> None:
        """Start iterations until as many run as may."""
        try:
            self._start_more_iterations(join)
        except STEP_ERRORS:  # an item has no input: the state fails, and nothing goes on behind its back
            self._abort_children(join)
            join.owner.join, join.owner.broken = None, join
            raise

    def _start_more_iterations(self, join: Join) -> None:
        owner = join.owner
        state = owner.state
        while join.started < len(join.items) and (not join.limit or len(join.children) < join.limit):
            index = join.started
            data = self.item_input(join, index)
            join.started += 1
            child = self._child(join, state.branches[0], data, index, join.cursor)
            child.item = {"Index": index, "Value": join.items[index]}
            self.emit(child, "MapIterationStarted", {"name": state.name, "index": index})
            join.children[index] = child
            self.ready.append(child)
            if join.limit == 1:
                return

    def _child(self, join: Join, program: Program, data: Json, index: int, cursor: int) -> Thread:
        owner = join.owner
        return Thread(
            program,
            owner.sink,
            owner.identity,
            owner.source,
            program.states[program.start],
            data,
            owner.variables,
            cursor,
            owner.execution_input,
            join,
            index,
            item=owner.item,
            redriven=owner.redriven,
        )

    # -- coming together

    def child_ended(self, join: Join, child: Thread) -> None:
        """A child has its result: start another, or go on when all have theirs."""
        owner = join.owner
        join.results[child.index] = child.data
        if owner.state.kind is Kind.PARALLEL:
            join.texts[child.index] = child.raw or text_of(child.data)
        join.children.pop(child.index, None)
        join.finished += 1
        if owner.state.kind is Kind.PARALLEL:
            join.last = child.cursor
            if join.finished == join.started:
                owner.join = None
                owner.cursor = join.last
                owner.sink.add("ParallelStateSucceeded", join.last, self.now, None)
                self.guarded(owner, lambda: self._leave_parallel(join))
            return
        details = {"name": owner.state.name, "index": child.index}
        join.last = child.sink.add("MapIterationSucceeded", child.cursor, self.now, details)
        join.cursor = child.cursor
        if join.finished == len(join.items):
            self._map_ended(join)
        else:
            self.guarded(join.owner, lambda: self.start_iterations(join))

    def _leave_parallel(self, join: Join) -> None:
        owner = join.owner
        output, assigned = outcome(owner, join.results)
        texts = [join.texts[index] for index in range(join.started)]
        written = f"[{','.join(texts)}]" if output is join.results else None
        self.leave(owner, output, assigned, owner.state.next, written)

    def _map_ended(self, join: Join) -> None:
        owner = join.owner
        owner.join = None
        owner.cursor = join.last
        owner.sink.add("MapStateSucceeded", owner.cursor, self.now, None)
        self.guarded(owner, lambda: self.leave(owner, *outcome(owner, join.results), owner.state.next))

    def child_failed(self, join: Join, child: Thread, failure: Failure) -> None:
        """A child failed, and with it the state."""
        owner = join.owner
        join.children.pop(child.index, None)
        join.broken[child.index] = child
        if owner.state.kind is Kind.MAP:
            child.sink.add("MapIterationFailed", child.cursor, self.now, _iteration(owner.state, child))
        elif child.state.kind not in _UNTIMED:
            child.sink.add(f"{child.state.kind.value}StateAborted", child.cursor, self.now, None)
        self._abort_children(join)
        owner.join, owner.broken = None, join
        owner.cursor = child.cursor
        self.fail(owner, failure)

    def _abort_children(self, join: Join) -> None:
        if join.run is not None:
            self.abort_run(join, "ABORTED")
        for child in list(join.children.values()):
            self.abort(child)
            join.broken[child.index] = child
            if join.owner.state.kind is Kind.MAP:
                child.sink.add("MapIterationAborted", child.cursor, self.now, _iteration(join.owner.state, child))
        join.children.clear()

    def abort(self, thread: Thread) -> None:
        """End a thread where it is, with all that it has under way."""
        self.forget_halted(thread)
        if thread in self.ready:
            self.ready.remove(thread)
        if thread.join is not None:
            self._abort_children(thread.join)
            thread.join, thread.broken = None, thread.join
        if thread.waiting is not None:
            if self.tasks.pop(thread.waiting, None) is not None:
                self.commands.append(Drop(thread.waiting))
            self.alarms.pop(thread.waiting, None)
            thread.waiting = None
        if thread.entered:
            self.emit(thread, f"{thread.state.kind.value}StateAborted", None)


def _iteration(state: State, child: Thread) -> dict[str, Any]:
    return {"name": state.name, "index": child.index}
