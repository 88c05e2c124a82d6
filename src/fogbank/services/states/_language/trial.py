"""One state on its own, as `TestState` runs it: with a mocked result or a real one, and a look inside."""

from __future__ import annotations

from typing import Any

from fogbank.services.states._language._data import (
    effective_input,
    item_list,
    outcome,
    placed,
    selected_input,
)
from fogbank.services.states._language._threads import Identity, Join, Perform, Task, Thread
from fogbank.services.states._language.definition import Catcher, Kind, Program, State
from fogbank.services.states._language.failures import TOLERANCE, Failure
from fogbank.services.states._language.interpreter import Execution
from fogbank.services.states._language.templates import text_of

Json = Any


class TrialThread(Thread):
    """A thread whose context object may be given."""

    given: Json = None

    def context(self) -> Json:
        """The given context object, or one of a state called `StateName`."""
        if self.given is not None:
            return self.given
        context = super().context()
        del context["Execution"]["RedriveCount"]
        context["State"]["Name"] = "StateName"
        return context


class Trial(Execution):
    """The run of one state. After `begin`, and what `task` asks for, the attributes tell what came of it."""

    def __init__(self, state: State, identity: Identity, text: str, variables: dict[str, Json], context: Json) -> None:
        super().__init__(Program(state.name, {state.name: state}), identity, text)
        main = self.main
        self.main = TrialThread(
            main.program,
            main.sink,
            identity,
            self.dice,
            state,
            main.data,
            variables,
            0,
            main.execution_input,
            raw=text,
        )
        self.main.given = context
        self.state = state
        self.result_status = "SUCCEEDED"
        self.next_state: str | None = None
        self.details: dict[str, Any] = {}
        self.inspection: dict[str, str | int | float | dict[str, Any]] = {"input": text}
        if variables:
            self.inspection["variables"] = text_of(variables)
        self.failures = 0
        """Iterations of a Map that are said to have failed."""
        self.read: Json = None
        """What a Map's ItemReader is said to have read."""
        self.mocked: str | None = None
        self.mocked_error: tuple[str | None, str | None] | None = None

    def tried(self, count: int) -> None:
        """Say how often it was retried before."""
        self.main.retried = count
        self.main.attempts = dict.fromkeys(range(len(self.state.retry)), count)

    def begin(self) -> Task | None:
        """Run it; the task that is to be performed, where there is one and it is not mocked."""
        if self.state.kind in {Kind.MAP, Kind.PARALLEL}:
            self._enter_mocked()
            return None
        self.now = self.identity.started
        self.ready.append(self.main)
        self._run()
        task = next((command.task for command in self.commands if isinstance(command, Perform)), None)
        if task is not None:
            self._inspect_input()
            return self._mock(task)
        for number in list(self.alarms):
            if not self.alarms[number].retry:
                self.apply(("time", self.alarms[number].when, number))
        return None

    def _mock(self, task: Task) -> Task | None:
        task.submitted = task.started = True
        if self.mocked_error is not None:
            self.apply(("fail", self.now, task.id, *self.mocked_error))
        elif self.mocked is not None:
            self.finish_task(task, self.mocked)
        else:
            return task
        return None

    def finish_task(self, task: Task, text: str) -> None:
        """The task gave this result."""
        self._inspect_result(self.decode(text))
        self.apply(("done", self.now, task.id, text))

    def _enter_mocked(self) -> None:
        thread, state = self.main, self.state
        self.now = thread.entered_at = self.identity.started
        if state.kind is Kind.MAP:
            self.inspection["maxConcurrency"] = state.concurrency
            if state.tolerated_count is not None:
                self.inspection["toleratedFailureCount"] = state.tolerated_count
            if state.tolerated_percentage is not None:
                self.inspection["toleratedFailurePercentage"] = state.tolerated_percentage
            self.guarded(thread, self._inspect_items)
            if self.result_status != "SUCCEEDED" or self.status != "RUNNING":
                return
        if self.mocked_error is not None:
            self.fail(thread, Failure(*self.mocked_error))
        elif state.tolerated_count is not None and self.failures > state.tolerated_count:
            self.fail(thread, Failure(TOLERANCE, "The specified tolerated failure threshold was exceeded"))
        else:
            result = self.decode(self.mocked or "null")
            self.guarded(thread, lambda: self.leave(thread, *outcome(thread, result), state.next))
            if self.output == text_of(result):
                self.output = self.mocked  # what passes unchanged stays as it was written

    def _inspect_items(self) -> None:
        """What a Map's iterations, or child executions, are given."""
        thread, state = self.main, self.state
        if state.items_path is None and state.item_selector is None and state.batcher is None:
            return
        data = thread.data if state.jsonata else selected_input(thread)
        items = self.read if isinstance(self.read, list) else item_list(thread, data)
        if state.items_path is not None:
            self.inspection["afterItemsPath"] = text_of(items)
        join = Join(thread, 0, [], items, selected=data)
        if state.item_selector is not None:
            selected = [self.item_input(join, index) for index in range(len(items))]
            self.inspection["afterItemSelector"] = text_of(selected)
        if state.batcher is not None:
            found = [batch.data for batch in self.batches_of(thread, join)]
            self.inspection["afterItemBatcher"] = text_of(found)

    def _inspect_input(self) -> None:
        thread = self.main

        def step() -> None:
            if self.state.jsonata:
                self.inspection["afterArguments"] = text_of(effective_input(thread))
                return
            self.inspection["afterInputPath"] = text_of(selected_input(thread))
            self.inspection["afterParameters"] = text_of(effective_input(thread))

        self.guarded(thread, step)

    def _inspect_result(self, result: Json) -> None:
        thread, state = self.main, self.state
        self.inspection["result"] = text_of(result)
        if state.jsonata:
            return

        def step() -> None:
            selected = result if state.selector is None else state.selector(thread, result)
            self.inspection["afterResultSelector"] = text_of(selected)
            self.inspection["afterResultPath"] = text_of(placed(thread, state, selected))

        self.guarded(thread, step)

    # -- what the interpreter would go on with

    def leave(
        self,
        thread: Thread,
        output: Json,
        assigned: dict[str, Json] | None,
        following: str | None,
        written: str | None = None,  # noqa: ARG002
    ) -> None:
        """The state is left: that is the end of it."""
        self.status, self.output, self.next_state = "SUCCEEDED", text_of(output), following
        if assigned:
            self.inspection["variables"] = text_of({**thread.variables, **assigned})

    def fail(self, thread: Thread, failure: Failure, *, heartbeat: bool = False) -> None:
        """Remember what it failed with, then do what is done about it."""
        self.error, self.cause = failure.error, failure.cause
        error, cause = failure.error, failure.cause
        super().fail(thread, failure, heartbeat=heartbeat)
        self.error, self.cause = error, cause

    def finish(self, status: str, event: str, error: str | None, cause: str | None) -> None:
        """It failed, and nothing caught that."""
        super().finish(status, event, error, cause)
        self.result_status = "FAILED"

    def _retry(self, thread: Thread, seconds: float) -> None:
        self.result_status = self.status = "RETRIABLE"
        tried = self.main.retried
        index = next(i for i, count in thread.attempts.items() if count == tried + 1)
        self.details = {"retryIndex": index, "retryBackoffIntervalSeconds": int(seconds)}

    def _catch(self, thread: Thread, catcher: Catcher, failure: Failure) -> None:
        self.result_status = "CAUGHT_ERROR"
        self.details = {"catchIndex": self.state.catch.index(catcher)}
        super()._catch(thread, catcher, failure)
