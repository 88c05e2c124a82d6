"""What every step of the interpreter uses: events, leaving a state, failing, retrying, catching."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.services.states._language._threads import (
    NONE_YET,
    Alarm,
    Command,
    Dice,
    Drop,
    Evaluate,
    Halted,
    Identity,
    Join,
    Sink,
    Task,
    Thread,
    Waiting,
)
from fogbank.services.states._language.definition import Catcher, Kind
from fogbank.services.states._language.failures import (
    DATA_LIMIT,
    HEARTBEAT,
    QUERY,
    RUNTIME,
    TIMEOUT,
    Failure,
    PathError,
    QueryFailure,
    RuntimeFailure,
)
from fogbank.services.states._language.jsonata import NotYetError, Reply
from fogbank.services.states._language.paths import begin_step, end_step, put
from fogbank.services.states._language.templates import text_of

if TYPE_CHECKING:
    from fogbank.services.states._language._map_runs import MapRun

Json = Any
NOT_TRUNCATED = {"truncated": False}
_BUILT_IN_UNCAUGHT = frozenset({RUNTIME, DATA_LIMIT})

_BOUND_ERRORS = (RecursionError, OverflowError, msgspec.MsgspecError)
STEP_ERRORS = (Failure, PathError, *_BOUND_ERRORS)
"""What a step may raise: the state fails of it."""


class Core:
    """An execution's state, and the steps that all types of state share."""

    identity: Identity
    dice: Dice
    main: Thread
    by_token = False

    def __init__(self) -> None:
        self.now = 0
        self.events: list[dict[str, Any]] = []
        self.commands: list[Command] = []
        self.tasks: dict[int, tuple[Thread, Task]] = {}
        self.alarms: dict[int, Waiting] = {}
        self.halted: dict[int, Halted] = {}
        """Steps that wait for the value of an expression."""
        self.visited = 0
        """Nodes that paths looked at."""
        self.ready: list[Thread] = []
        """A list, not a deque: an empty deque holds 600 bytes, and most executions wait."""
        self.sink = Sink(self.events)
        self.status = "RUNNING"
        self.output: str | None = None
        self.error: str | None = None
        self.cause: str | None = None
        self.ids = 0
        self.express = False
        self.began = 0
        """When it was started, or redriven last: its TimeoutSeconds count from there."""
        self.redrives = 0
        self.map_runs: dict[str, MapRun] = {}
        self.changed_runs: dict[str, MapRun] = {}
        """Map runs whose row is out of date."""

    def next_id(self) -> int:
        """A number for a task or an alarm; the same again in a replay."""
        self.ids += 1
        return self.ids

    @staticmethod
    def decode(text: str) -> Json:
        """A JSON text's value."""
        return msgspec.json.decode(text)

    def emit(self, thread: Thread, kind: str, details: dict[str, Any] | None) -> int:
        """Record an event of a thread, which its next one follows on."""
        thread.cursor = thread.sink.add(kind, thread.cursor, self.now, details)
        return thread.cursor

    # -- leaving

    def leave(
        self,
        thread: Thread,
        output: Json,
        assigned: dict[str, Json] | None,
        following: str | None,
        written: str | None = None,
    ) -> None:
        """Leave a state with its output, and go on to the next, or end the thread.

        `written` is the output's text, where there is one. What a state passes on unchanged stays as it was written:
        so it was recorded of AWS.
        """
        state = thread.state
        if self.halted:
            self.forget_halted(thread)
        text = written or (thread.raw if output is thread.data else None) or text_of(output)
        if len(text) * 4 > 262_144 and len(text.encode()) > 262_144:
            self.fail(
                thread,
                Failure(
                    DATA_LIMIT,
                    f"The state/task '{state.name}' returned a result with a size exceeding the maximum number of "
                    "bytes service limit.",
                ),
            )
            return
        details: dict[str, Any] = {"name": state.name, "output": text, "outputDetails": NOT_TRUNCATED}
        if assigned:
            details["assignedVariables"] = {name: text_of(value) for name, value in assigned.items()}
            details["assignedVariablesDetails"] = NOT_TRUNCATED
            thread.variables = {**thread.variables, **assigned}
        self.emit(thread, f"{state.kind.value}StateExited", details)
        thread.data, thread.raw = output, text
        thread.attempts = {}
        thread.retried = 0
        thread.token = None
        thread.broken = thread.failed = None
        thread.entered = 0
        if following is None:
            self.end(thread, text)
            return
        thread.state = thread.program.states[following]
        self.ready.append(thread)

    def end(self, thread: Thread, text: str) -> None:
        """A thread is at its end: the execution succeeds, or its parent is told."""
        if thread.parent is not None:
            self.child_ended(thread.parent, thread)
            return
        self.emit(thread, "ExecutionSucceeded", {"output": text, "outputDetails": NOT_TRUNCATED})
        self.status, self.output = "SUCCEEDED", text

    def child_ended(self, join: Join, child: Thread) -> None:
        """A branch or iteration has its result."""
        raise NotImplementedError

    def abort_run(self, join: Join, status: str) -> None:
        """End a map run where it is."""
        raise NotImplementedError

    def child_failed(self, join: Join, child: Thread, failure: Failure) -> None:
        """A branch or iteration failed, and nothing in it caught that."""
        raise NotImplementedError

    # -- failing

    def guarded(self, thread: Thread, step: Callable[[], None], replies: list[tuple[bytes, Reply]] = NONE_YET) -> None:
        """Do a step; what goes wrong in it fails the state.

        A step must change nothing before its last expression is evaluated: if one takes long it is done again, with
        the `replies` that it waited for.
        """
        dice = self.dice
        before, dice.replies = dice.replies, list(replies) if replies else NONE_YET
        outermost = begin_step()
        try:
            step()
        except NotYetError as wait:
            self._halt(Halted(thread, step, wait.question, replies))
        except PathError as error:
            message = f"{thread.describe()} {error.message}"
            failure = RuntimeFailure(message) if error.error == RUNTIME else Failure(error.error, message)
            self.fail(thread, failure)
        except QueryFailure as failure:
            self.evaluation_failed(thread, failure)
        except Failure as failure:
            self.fail(thread, failure)
        except _BOUND_ERRORS as error:
            self.fail(thread, RuntimeFailure(f"{thread.describe()} {error}"))
        finally:
            dice.replies = before
            if outermost:
                self.visited += end_step()

    def _halt(self, halted: Halted) -> None:
        number = self.next_id()
        self.halted[number] = halted
        self.commands.append(Evaluate(number, halted.question))

    def evaluated(self, number: int, reply: Reply) -> None:
        """The value of an expression is there that a step halted for."""
        halted = self.halted.pop(number, None)
        if halted is not None:
            self.guarded(halted.thread, halted.step, [*halted.replies, (halted.question.key, reply)])

    def forget_halted(self, thread: Thread) -> None:
        """A thread goes on otherwise: it waits for no expression."""
        for number in [number for number, halted in self.halted.items() if halted.thread is thread]:
            del self.halted[number]

    def evaluation_failed(self, thread: Thread, failure: QueryFailure) -> None:
        """Record that an expression failed, and fail the state."""
        details = {"error": failure.error, "cause": failure.cause, "state": thread.state.name}
        if failure.location is not None:
            details["location"] = failure.location
        if thread.cursor == thread.entered:
            thread.cursor = thread.before
        self.emit(thread, "EvaluationFailed", details)
        self.fail(thread, failure)

    def fail(self, thread: Thread, failure: Failure, *, heartbeat: bool = False) -> None:
        """A state failed: retry it, catch it, or fail the thread."""
        state = thread.state
        if self.halted:
            self.forget_halted(thread)
        thread.failed = failure.error
        names = {failure.error, HEARTBEAT} if heartbeat else {failure.error}
        if not isinstance(failure, RuntimeFailure):
            for index, retrier in enumerate(state.retry):
                if not _matches(retrier.errors, names):
                    continue
                attempt = thread.attempts.get(index, 0)
                if attempt < retrier.attempts:
                    thread.attempts[index] = attempt + 1
                    fraction = self.dice.fraction() if retrier.jitter else 0.0
                    self._retry(thread, retrier.delay(attempt, fraction))
                    return
                break
        if state.kind is Kind.PARALLEL and not isinstance(failure, RuntimeFailure):
            self.emit(thread, "ParallelStateFailed", None)
        if state.kind is Kind.MAP and not isinstance(failure, RuntimeFailure):
            self.emit(thread, "MapStateFailed", None)
        if not isinstance(failure, RuntimeFailure):
            for catcher in state.catch:
                if _matches(catcher.errors, names):
                    self._catch(thread, catcher, failure)
                    return
        if thread.parent is not None:
            self.child_failed(thread.parent, thread, failure)
            return
        self.finish("FAILED", "ExecutionFailed", failure.error, failure.cause)

    def _retry(self, thread: Thread, seconds: float) -> None:
        thread.retried += 1
        thread.broken = None
        number = self.next_id()
        when = self.now + int(seconds * 1000)
        self.alarms[number] = Waiting(thread, when, retry=True)
        thread.waiting = number
        self.commands.append(Alarm(number, when))

    def _catch(self, thread: Thread, catcher: Catcher, failure: Failure) -> None:
        self._caught(thread, catcher, failure, again=False)

    def _caught(self, thread: Thread, catcher: Catcher, failure: Failure, *, again: bool) -> None:
        document = {"Error": failure.error, "Cause": failure.cause}
        document = {name: value for name, value in document.items() if value is not None}

        def step() -> None:
            if thread.state.jsonata:
                states = {"input": thread.data, "errorOutput": document}
                assigned = None if catcher.assign is None else catcher.assign(thread, states)
                output: Json = document if catcher.output is None else catcher.output(thread, states)
            else:
                assigned = None if catcher.assign is None else catcher.assign(thread, document)
                output = document
                if catcher.discard:
                    output = thread.data
                elif catcher.result_path is not None:
                    output = put(thread.data, catcher.result_path, document)
            self.leave(thread, output, assigned, catcher.next)

        try:
            step()
        except NotYetError as wait:
            if again:
                raise  # to the guard that has the answers of before
            self._halt(Halted(thread, lambda: self._caught(thread, catcher, failure, again=True), wait.question, []))
        except PathError as error:
            self._uncaught(thread, RuntimeFailure(f"{thread.describe()} {error.message}"))
        except QueryFailure as error:
            self.emit(
                thread,
                "EvaluationFailed",
                {"error": QUERY, "cause": error.cause, "location": error.location, "state": thread.state.name},
            )
            self._uncaught(thread, error)

    def _uncaught(self, thread: Thread, failure: Failure) -> None:
        if thread.parent is not None:
            self.child_failed(thread.parent, thread, failure)
        else:
            self.finish("FAILED", "ExecutionFailed", failure.error, failure.cause)

    def finish(self, status: str, event: str, error: str | None, cause: str | None) -> None:
        """The execution is over without an output."""
        details = {name: value for name, value in (("error", error), ("cause", cause)) if value is not None}
        self.emit(self.main, event, details)
        self.status, self.error, self.cause = status, error, cause
        owners = [thread for thread, _ in self.tasks.values()]
        owners += [halted.thread for halted in self.halted.values()]
        for join in {id(owner.join): owner.join for owner in owners}.values():
            if join is not None and join.run is not None:
                self.abort_run(join, "ABORTED")
        self.halted.clear()
        for number in self.tasks:
            self.commands.append(Drop(number))
        self.tasks.clear()
        self.alarms.clear()
        self.ready.clear()


def _matches(wanted: tuple[str, ...], names: set[str | None]) -> bool:
    for name in wanted:
        if name in names and name != RUNTIME:
            return True
        if name == "States.ALL" and not names & _BUILT_IN_UNCAUGHT:
            return True
        if name == "States.TaskFailed" and not names & (_BUILT_IN_UNCAUGHT | {TIMEOUT}):
            return True
    return False
