"""Task states: what is scheduled, and what becomes of it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from fogbank.services.states._language._core import Core
from fogbank.services.states._language._data import effective_input, find, outcome
from fogbank.services.states._language._threads import Alarm, Drop, Perform, Task, TaskKind, Thread
from fogbank.services.states._language.failures import DATA_LIMIT, TIMEOUT, Failure, PathError
from fogbank.services.states._language.paths import Path
from fogbank.services.states._language.templates import Query, text_of

Json = Any
MAX_PAYLOAD = 262_144
_PREFIX = {TaskKind.FUNCTION: "LambdaFunction", TaskKind.SERVICE: "Task", TaskKind.ACTIVITY: "Activity"}
NOT_TRUNCATED = {"truncated": False}


def split_resource(resource: str) -> tuple[TaskKind, str, str]:
    """Who performs a task: the kind, and of an integration its resource type and resource."""
    parts = resource.split(":")
    if parts[2] == "lambda":
        return TaskKind.FUNCTION, "", ""
    if parts[5] == "activity":
        return TaskKind.ACTIVITY, "", ""
    if parts[5] == "aws-sdk":
        return TaskKind.SERVICE, f"aws-sdk:{parts[6]}", parts[7]
    return TaskKind.SERVICE, parts[5], ":".join(parts[6:])


class TaskSteps(Core):
    """The steps of Task states."""

    def execute_task(self, thread: Thread) -> None:
        """Schedule it."""
        state = thread.state
        kind, family, operation = split_resource(state.resource)
        number = self.next_id()
        thread.token = self.token(number) if operation.endswith((".waitForTaskToken", ".sync", ".sync:2")) else None
        parameters = effective_input(thread)
        timeout = self._limit(thread, state.timeout, state.timeout_path, state.timeout_query, "TimeoutSecondsPath")
        heartbeat = self._limit(
            thread, state.heartbeat, state.heartbeat_path, state.heartbeat_query, "HeartbeatSecondsPath"
        )
        credentials = None
        if state.credentials is not None:
            credentials = state.credentials(thread, {"input": thread.data} if state.jsonata else thread.data)
        details: dict[str, Any] = {}
        if kind is TaskKind.SERVICE:
            details = {"resourceType": family, "resource": operation, "region": self.identity.region}
            details["parameters"] = text_of(parameters)
        else:
            details = {"resource": state.resource, "input": text_of(parameters), "inputDetails": NOT_TRUNCATED}
        if timeout is not None:
            details["timeoutInSeconds"] = timeout
        if heartbeat is not None and kind is not TaskKind.FUNCTION:
            details["heartbeatInSeconds"] = heartbeat
        if credentials is not None:
            details["taskCredentials"] = {"roleArn": credentials["RoleArn"]}
        self.emit(thread, f"{_PREFIX[kind]}Scheduled", details)
        task = Task(number, kind, state.resource, parameters, thread.token, state.name, credentials, heartbeat)
        if kind is TaskKind.SERVICE:
            task.resource = f"{family}:{operation}"
            self.emit(thread, "TaskStarted", {"resourceType": family, "resource": operation})
        elif kind is TaskKind.FUNCTION:
            self.emit(thread, "LambdaFunctionStarted", None)
        else:
            task.started = False
            task.token = thread.token = self.token(number)
        self._wait(thread, task, timeout, heartbeat)

    def _wait(self, thread: Thread, task: Task, timeout: int | None, heartbeat: int | None) -> None:
        self.tasks[task.id] = (thread, task)
        thread.waiting = task.id
        self.commands.append(Perform(task))
        if timeout is not None:
            task.deadline = self.now + timeout * 1000
            self.commands.append(Alarm(task.id, task.deadline))
        if heartbeat is not None:
            task.beat_by = self.now + heartbeat * 1000
            self.commands.append(Alarm(task.id, task.beat_by))

    def _limit(
        self, thread: Thread, fixed: int | None, path: Path | None, query: Query | None, field: str
    ) -> int | None:
        if query is not None:
            found = query(thread, {"input": thread.data})
        elif path is not None:
            found = find(path, thread, thread.data)
        else:
            return fixed
        if not isinstance(found, int | float) or isinstance(found, bool) or found != int(found) or found <= 0:
            raise PathError(f"The {field} parameter does not reference an integer value: {text_of(found)}")
        return int(found)

    def token(self, number: int) -> str:
        """The token of a task: where it is, and a proof that this execution gave it out."""
        proof = hashlib.sha256(f"{self.identity.seed}/{number}".encode()).hexdigest()
        return base64.b64encode(f"{self.identity.arn}|{number}|{proof}".encode()).decode()

    # -- inputs

    def task_done(self, number: int, text: str) -> None:
        """A task gave a result: its JSON text."""
        found = self.tasks.get(number)
        if found is None:
            return
        thread, task = found
        if task.waits and not task.submitted:
            task.early = ("done", text)
            return
        if task.kind is TaskKind.ACTIVITY and not task.started:
            return
        self._settle(thread, task)
        details: dict[str, Any] = self._about(task)
        if len(text) * 4 > MAX_PAYLOAD and len(text.encode()) > MAX_PAYLOAD:
            shown = thread.state.resource
            error = Failure(
                DATA_LIMIT,
                f"The state/task '{shown}' returned a result with a size exceeding the maximum number of bytes "
                "service limit.",
            )
            self.emit(thread, f"{_PREFIX[task.kind]}Failed", {**details, "error": error.error, "cause": error.cause})
            self.fail(thread, error)
            return
        details |= {"output": text, "outputDetails": NOT_TRUNCATED}
        self.emit(thread, f"{_PREFIX[task.kind]}Succeeded", details)
        result = self.decode(text)
        self.guarded(thread, lambda: self.leave(thread, *outcome(thread, result), thread.state.next))

    def task_failed(self, number: int, error: str | None, cause: str | None) -> None:
        """A task failed."""
        found = self.tasks.get(number)
        if found is None:
            return
        thread, task = found
        if task.token is not None and task.waits and not task.submitted and task.early is None and self.by_token:
            task.early = ("fail", error, cause)
            return
        self._settle(thread, task)
        details = self._about(task) | {k: v for k, v in (("error", error), ("cause", cause)) if v is not None}
        self.emit(thread, f"{_PREFIX[task.kind]}Failed", details)
        self.fail(thread, Failure(error, cause))

    def task_submitted(self, number: int, text: str) -> None:
        """The call that begins a waiting task was answered."""
        found = self.tasks.get(number)
        if found is None or found[1].submitted:
            return
        thread, task = found
        task.submitted = True
        if not task.resource.endswith(".waitForTaskToken"):
            task.reply = self.decode(text)
        self.emit(thread, "TaskSubmitted", {**self._about(task), "output": text, "outputDetails": NOT_TRUNCATED})
        early, task.early = task.early, None
        if early is None:
            return
        if early[0] == "done":
            self.task_done(number, early[1])
        else:
            self.task_failed(number, early[1], early[2])

    def task_taken(self, number: int, worker: str | None) -> None:
        """A worker took an activity's task."""
        found = self.tasks.get(number)
        if found is None or found[1].started:
            return
        thread, task = found
        task.started = True
        self.emit(thread, "ActivityStarted", {"workerName": worker} if worker else {})
        if task.heartbeat is not None:
            self.beat(number, self.now)

    def beat(self, number: int, now: int) -> None:
        """A sign of life: the next one is due a heartbeat from now."""
        found = self.tasks.get(number)
        if found is None or found[1].heartbeat is None:
            return
        task = found[1]
        task.beat_by = now + (task.heartbeat or 0) * 1000
        self.commands.append(Alarm(number, task.beat_by))

    def task_late(self, number: int) -> None:
        """An alarm rang for a task: it has timed out, unless a heartbeat came in meanwhile."""
        thread, task = self.tasks[number]
        late = task.deadline is not None and task.deadline <= self.now
        silent = task.beat_by is not None and task.beat_by <= self.now
        if not late and not silent:
            return
        self._settle(thread, task)
        self.commands.append(Drop(number))
        self.emit(thread, f"{_PREFIX[task.kind]}TimedOut", {**self._about(task), "error": TIMEOUT})
        self.fail(thread, Failure(TIMEOUT, None), heartbeat=silent and not late)

    def _settle(self, thread: Thread, task: Task) -> None:
        del self.tasks[task.id]
        thread.waiting = None

    def _about(self, task: Task) -> dict[str, Any]:
        if task.kind is not TaskKind.SERVICE:
            return {}
        family, _, operation = task.resource.removeprefix("aws-sdk:").partition(":")
        if task.resource.startswith("aws-sdk:"):
            family = f"aws-sdk:{family}"
        return {"resourceType": family, "resource": operation}
