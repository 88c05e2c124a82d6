"""An execution: a pure state machine. Inputs go in, history events and commands come out.

    execution = Execution(program, identity, input text)
    execution.apply(("start", now))         events and commands are in `execution.events`, `execution.commands`
    execution.apply(("done", now, 1, "{}")) …

An input is a tuple of its kind, the moment (milliseconds) and its values:

    start                       done id text           fail id error cause     submitted id text
    taken id worker             beat id                time id                stop error cause
    child id status found       redrive                maprun arn limit count percentage
    evaluated id value error    halted number           read id items cause    wrote id cause

`halted` does nothing: it is put into the journal to tell a replay which evaluation took long (`jsonata.Source`).

The same inputs give the same events, whenever: so an execution continues after a crash by applying its journal again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fogbank.services.states._language._data import after_output_path, find, outcome, query_outcome, selected_input
from fogbank.services.states._language._data import effective_input as effective
from fogbank.services.states._language._redrive import RedriveSteps
from fogbank.services.states._language._tasks import TaskSteps
from fogbank.services.states._language._threads import (
    Alarm,
    Command,
    Dice,
    Evaluate,
    Identity,
    Perform,
    Thread,
    Waiting,
)
from fogbank.services.states._language.choice import timestamp_of
from fogbank.services.states._language.definition import Kind, Program
from fogbank.services.states._language.failures import NO_CHOICE, Failure, PathError, QueryFailure
from fogbank.services.states._language.templates import text_of

Json = Any
Input = tuple[Any, ...]
MAX_EVENTS = 25_000
MAX_WAIT = 99_999_999
EXPRESS_LIMIT = 300
"""Seconds that an Express execution may take."""
NOT_TRUNCATED = {"truncated": False}
DEADLINE = 0
"""The id of the alarm of the execution's own TimeoutSeconds."""
GO_ON = -1
"""The id of the alarm, due at once, by which an execution goes on that has let others go first."""
_PASSING = frozenset({Kind.PASS, Kind.CHOICE, Kind.WAIT, Kind.SUCCEED, Kind.PARALLEL})
"""States that may pass their input on as it was written."""
TURN = 1_000
"""States that are entered in one step; then others get their turn. Expressions and paths count as so many states:"""
PER_EXPRESSION = 10
VISITS = 300
"""Nodes that paths look at while one state takes its turn."""


class Execution(TaskSteps, RedriveSteps):
    """One execution, in memory."""

    def __init__(self, program: Program, identity: Identity, text: str, *, express: bool = False) -> None:
        super().__init__()
        self.program = program
        self.identity = identity
        self.dice = Dice(identity.seed)
        self.text = text
        self.express = express
        self._entered = 0
        self.timeout = min(program.timeout or EXPRESS_LIMIT, EXPRESS_LIMIT) if express else program.timeout
        data = self.decode(text)
        start = program.states[program.start]
        self.main = Thread(program, self.sink, identity, self.dice, start, data, {}, 0, data, raw=text)

    def apply(self, event: Input) -> None:
        """Take an input, and go on until everything waits again."""
        kind, self.now = event[0], event[1]
        self.dice.now = self.now
        if (self.status != "RUNNING") is not (kind == "redrive"):
            return
        if kind == "start":
            self._start()
        elif kind == "done":
            self.task_done(event[2], event[3])
        elif kind == "fail":
            self.by_token = len(event) > 5
            self.task_failed(event[2], event[3], event[4])
        elif kind == "submitted":
            self.task_submitted(event[2], event[3])
        elif kind == "taken":
            self.task_taken(event[2], event[3])
        elif kind == "beat":
            self.beat(event[2], event[1])
        elif kind == "time":
            self._rang(event[2])
        elif kind == "child":
            self.child_settled(event[2], event[3], event[4])
        elif kind == "evaluated":
            self.evaluated(event[2], (event[3], event[4]))
        elif kind == "read":
            self.items_read(event[2], event[3], event[4])
        elif kind == "wrote":
            self.results_written(event[2], event[3])
        elif kind == "maprun":
            self.change_run(*event[2:])
        elif kind == "redrive":
            self.redrive()
            if self.timeout is not None:
                self.commands.append(Alarm(DEADLINE, self._deadline))
        elif kind == "stop":
            self.finish("ABORTED", "ExecutionAborted", event[2], event[3])
        self._run()

    def take(self, event: Input) -> list[Input]:
        """Apply an input; what goes into the journal for it."""
        self.apply(event)
        halted, self.dice.halted = self.dice.halted, ()
        return [event, *(("halted", event[1], number) for number in halted)] if halted else [event]

    def replay(self, journal: Iterable[Input]) -> None:
        """Apply the inputs of a journal again: it halts where it did, and nowhere else."""
        inputs = list(journal)
        self.dice.halts = frozenset(event[2] for event in inputs if event[0] == "halted")
        for event in inputs:
            self.apply(event)

    def outstanding(self) -> list[Command]:
        """Every command that is still to be carried out: after a replay."""
        commands: list[Command] = [Perform(task) for _, task in self.tasks.values()]
        for _, task in self.tasks.values():
            commands += [Alarm(task.id, when) for when in (task.deadline, task.beat_by) if when is not None]
        commands += [Alarm(number, waiting.when) for number, waiting in self.alarms.items()]
        commands += [Evaluate(number, halted.question) for number, halted in self.halted.items()]
        if self.timeout is not None and self.status == "RUNNING":
            commands.append(Alarm(DEADLINE, self._deadline))
        if self.ready:
            commands.append(Alarm(GO_ON, self.now))
        return commands

    def expects(self, number: int) -> bool:
        """Whether an alarm's ringing would mean anything: others need not be journalled."""
        if number == DEADLINE:
            return self.timeout is not None
        if number == GO_ON:
            return bool(self.ready)
        return number in self.tasks or number in self.alarms

    @property
    def _deadline(self) -> int:
        return self.began + (self.timeout or 0) * 1000

    def _start(self) -> None:
        self.began = self.now
        details = {"input": self.text, "inputDetails": NOT_TRUNCATED, "roleArn": self.identity.role}
        self.sink.add("ExecutionStarted", 0, self.now, details)
        if self.timeout is not None:
            self.commands.append(Alarm(DEADLINE, self._deadline))
        self.ready.append(self.main)

    def _run(self) -> None:
        """Let every thread go on until it waits, one after the other."""
        self._bound_history()
        until = self._effort + TURN
        while self.ready and self.status == "RUNNING":
            if self._effort >= until:
                self.commands.append(Alarm(GO_ON, self.now))
                return
            thread = self.ready.pop(0)
            while True:
                count = len(self.ready)
                self._entered += 1
                self._enter(thread)
                self._bound_history()
                if self._effort >= until:
                    break
                if len(self.ready) == count + 1 and self.ready[-1] is thread and self.status == "RUNNING":
                    self.ready.pop()
                    continue
                break

    @property
    def _effort(self) -> int:
        return self._entered + PER_EXPRESSION * self.dice.evaluated + self.visited // VISITS

    def _bound_history(self) -> None:
        """End a Standard execution whose history is full; that of an Express one is not kept."""
        if self.sink.count > MAX_EVENTS - 2 and self.status == "RUNNING" and not self.express:
            cause = f"The execution reached the maximum number of history events ({MAX_EVENTS})."
            self.finish("FAILED", "ExecutionFailed", "States.Runtime", cause)

    def _enter(self, thread: Thread) -> None:
        state = thread.state
        thread.before = thread.cursor
        text = thread.raw if thread.raw is not None else text_of(thread.data)
        if state.kind not in _PASSING:
            thread.raw = None
        details = {"name": state.name, "input": text, "inputDetails": NOT_TRUNCATED}
        thread.entered = self.emit(thread, f"{state.kind.value}StateEntered", details)
        thread.entered_at = self.now
        self.guarded(thread, self.run_state(thread))

    def run_state(self, thread: Thread) -> Callable[[], None]:
        """What its state does, once it was entered."""
        return lambda: _STEPS[thread.state.kind](self, thread)

    # -- the simple states

    def execute_pass(self, thread: Thread) -> None:
        """Pass its input, or a fixed result."""
        state = thread.state
        if state.jsonata:
            states = {"input": thread.data}
            self.leave(thread, *query_outcome(thread, state.output, state.assign, states, thread.data), state.next)
            return
        result = effective(thread)
        self.leave(thread, *outcome(thread, state.result if state.has_result else result), state.next)

    def execute_succeed(self, thread: Thread) -> None:
        """End, with its input through the paths."""
        self._pass_on(thread, None)

    def _pass_on(self, thread: Thread, following: str | None) -> None:
        state = thread.state
        if state.jsonata:
            found = query_outcome(thread, state.output, state.assign, {"input": thread.data}, thread.data)
            self.leave(thread, *found, following)
            return
        data = selected_input(thread)
        assigned = None if state.assign is None else state.assign(thread, data)
        self.leave(thread, after_output_path(thread, data), assigned, following)

    def execute_fail(self, thread: Thread) -> None:
        """Fail with an error and a cause."""
        state = thread.state
        data: Json = {"input": thread.data} if state.jsonata else thread.data
        values = []
        for fixed, made, field in (
            (state.error, state.error_of, "ErrorPath"),
            (state.cause, state.cause_of, "CausePath"),
        ):
            found = fixed if made is None else made(thread, data)
            if found is not None and not isinstance(found, str):
                raise PathError(f"The {field} field must refer to a string but was: {text_of(found)}")
            values.append(found)
        failure = Failure(*values)
        if thread.parent is not None:
            self.child_failed(thread.parent, thread, failure)
        else:
            self.finish("FAILED", "ExecutionFailed", failure.error, failure.cause)

    def execute_choice(self, thread: Thread) -> None:
        """Go where the first rule that holds leads to."""
        state = thread.state
        if state.jsonata:
            self._choose_by_query(thread)
            return
        data = selected_input(thread)
        for rule in state.rules:
            if rule.test is not None and rule.test(thread, data):
                assigned = None if rule.assign is None else rule.assign(thread, data)
                self.leave(thread, after_output_path(thread, data), assigned, rule.next)
                return
        if state.default is None:
            raise self._no_choice(thread)
        assigned = None if state.assign is None else state.assign(thread, data)
        self.leave(thread, after_output_path(thread, data), assigned, state.default)

    def _choose_by_query(self, thread: Thread) -> None:
        state = thread.state
        states = {"input": thread.data}
        for rule in state.rules:
            if rule.condition is not None and rule.condition(thread, states):
                output = rule.output or state.output
                self.leave(thread, *query_outcome(thread, output, rule.assign, states, thread.data), rule.next)
                return
        if state.default is None:
            raise self._no_choice(thread)
        found = query_outcome(thread, state.output, state.assign, states, thread.data)
        self.leave(thread, *found, state.default)

    def _no_choice(self, thread: Thread) -> Failure:
        return Failure(
            NO_CHOICE,
            f"{thread.describe()} Failed to transition out of the state. The state does not point to a next state.",
        )

    def execute_wait(self, thread: Thread) -> None:
        """Wait until its moment; not at all if that is past."""
        when = self._moment(thread)
        if when <= self.now:
            self._pass_on(thread, thread.state.next)
            return
        number = self.next_id()
        self.alarms[number] = Waiting(thread, when, retry=False)
        thread.waiting = number
        self.commands.append(Alarm(number, when))

    def _moment(self, thread: Thread) -> int:
        state = thread.state
        if state.seconds is not None:
            return self.now + state.seconds * 1000
        if state.timestamp is not None:
            found: Json = state.timestamp
        elif state.wait_query is not None:
            found = state.wait_query(thread, {"input": thread.data})
        elif state.wait_path is not None:
            found = find(state.wait_path, thread, selected_input(thread))
        else:
            return self.now
        if state.wait_field.startswith("Seconds"):
            return self.now + self._seconds(thread, found) * 1000
        moment = timestamp_of(found) if isinstance(found, str) else None
        if moment is None:
            message = f"The {state.wait_field} parameter does not reference a valid ISO-8601 extended offset date-time format string"  # noqa: E501
            if state.jsonata:
                raise QueryFailure(f"{thread.describe()} {message}: {text_of(found)}", state.wait_field)
            raise PathError(f"{message}: {state.wait_path.text if state.wait_path else ''} == {found}")
        return int(moment * 1000)

    def _seconds(self, thread: Thread, found: Json) -> int:
        state = thread.state
        number = isinstance(found, int | float) and not isinstance(found, bool) and found == int(found)
        if number and 0 <= found <= MAX_WAIT:
            return int(found)
        if state.jsonata:
            raise QueryFailure(
                f"{thread.describe()} The {state.wait_field} field must be an integer between 0 and {MAX_WAIT} but "
                f"was: {text_of(found)}",
                state.wait_field,
            )
        path = state.wait_path.text if state.wait_path is not None else ""
        raise PathError(
            f"The {state.wait_field} parameter does not reference an integer value: {path} == {text_of(found)}"
        )

    # -- time

    def _rang(self, number: int) -> None:
        if number == DEADLINE:
            if self.timeout is not None and self._deadline <= self.now:
                self.finish("TIMED_OUT", "ExecutionTimedOut", None, None)
                self.error = None
            return
        if number in self.tasks:
            self.task_late(number)
            return
        if number == GO_ON:
            return
        waiting = self.alarms.get(number)
        if waiting is None or waiting.when > self.now:
            return
        del self.alarms[number]
        thread = waiting.thread
        thread.waiting = None
        if waiting.retry:
            self.guarded(thread, self.run_state(thread))
        else:
            self.guarded(thread, lambda: self._pass_on(thread, thread.state.next))


_STEPS = {
    Kind.TASK: Execution.execute_task,
    Kind.PASS: Execution.execute_pass,
    Kind.CHOICE: Execution.execute_choice,
    Kind.WAIT: Execution.execute_wait,
    Kind.SUCCEED: Execution.execute_succeed,
    Kind.FAIL: Execution.execute_fail,
    Kind.PARALLEL: Execution.execute_parallel,
    Kind.MAP: Execution.execute_map,
}
