"""TestState: one state on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.clock import complete
from fogbank.services.states import errors
from fogbank.services.states._api.frame import Frame
from fogbank.services.states._http_tasks import Exchange, HttpCaller
from fogbank.services.states._integrations import Caller, TaskError
from fogbank.services.states._language._threads import Identity, Task, TaskKind
from fogbank.services.states._language.definition import Kind, Program, State
from fogbank.services.states._language.failures import TIMEOUT
from fogbank.services.states._language.json_errors import why_not_json
from fogbank.services.states._language.loader import InvalidDefinitionError, load_state, parse_document
from fogbank.services.states._language.trial import Trial
from fogbank.services.states._mocks import check_mock
from fogbank.services.states._performing import once

if TYPE_CHECKING:
    from types_boto3_stepfunctions.type_defs import TestStateInputTypeDef

    from fogbank.core.call import Call, Reply

Json = Any
LIMIT = 300
"""Seconds that a state may be tried."""
_COMPOSITE = frozenset({Kind.MAP, Kind.PARALLEL})


class TrialOperations(Frame):
    """The operation that tries a state."""

    async def test_state(self, call: Call, request: TestStateInputTypeDef) -> Reply:
        """TestState: the state's output, or what it failed with, and what happened inside it."""
        given: Mapping[str, Any] = request
        state = _state(given)
        mock = given.get("mock")
        _check(given, state, mock)
        trial = self._trial(call, given, state)
        if mock is not None:
            _mock(trial, state, mock)
        task = await self._runner.evaluator.apart(trial.begin)  # an expression may take its second
        exchange = Exchange()
        if task is not None:
            await self._perform(call, trial, task, exchange, reveal=bool(given.get("revealSecrets")))
        return _shown(trial, given.get("inspectionLevel", "INFO"), exchange)

    def _trial(self, call: Call, given: Mapping[str, Any], state: State) -> Trial:
        ids = self.kit.ids
        machine, name = ids.uuid(), ids.uuid()
        identity = Identity(
            call.scope.arn("states", f"express:{machine}:{name}"),
            name,
            given.get("roleArn"),  # type: ignore[arg-type]  # a test may have none
            call.scope.arn("states", f"stateMachine:{machine}"),
            machine,
            call.scope.region,
            self.kit.clock.millis(),
            ids.hex(32),
        )
        text = given.get("input", "{}")
        _json(text, "input")
        variables = _json(given["variables"], "variables") if given.get("variables") else {}
        context = _json(given["context"], "context") if given.get("context") else None
        trial = Trial(state, identity, text, variables, context)
        config = given.get("stateConfiguration", {})
        trial.tried(config.get("retrierRetryCount", 0))
        trial.failures = config.get("mapIterationFailureCount", 0)
        data = config.get("mapItemReaderData")
        if data is not None and state.reader is not None and _reads_json(state):
            trial.read = _json(data, "mapItemReaderData")
        return trial

    async def _perform(self, call: Call, trial: Trial, task: Task, exchange: Exchange, *, reveal: bool) -> None:
        if task.kind is TaskKind.ACTIVITY or task.waits:
            raise errors.ValidationError(
                f"A mock must be specified when testing a state with the resource {task.resource}"
            )
        http = HttpCaller(self.kit.delivery.connections, call.scope.region, exchange, reveal)
        caller = Caller(self.kit.cloud, self.kit.ids, call.scope, call.trace, http)
        try:
            text = await self._within_limit(once(task, caller))
        except TaskError as error:
            failed = ("fail", self.kit.clock.millis(), task.id, error.error, error.cause)
            await self._runner.evaluator.apart(partial(trial.apply, failed))
        else:
            await self._runner.evaluator.apart(partial(trial.finish_task, task, text))

    async def _within_limit(self, call: Coroutine[Any, Any, str]) -> str:
        """A call's result; `TaskError` if it takes longer than a state may be tried."""
        under_way = asyncio.ensure_future(call)
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        under_way.add_done_callback(lambda _: complete(ended))
        try:
            if not await self.kit.clock.wait(ended, self.kit.clock.time() + LIMIT):
                raise TaskError(TIMEOUT, f"The state was tried for more than {LIMIT} seconds")
            return await under_way
        finally:
            under_way.cancel()


def _reads_json(state: State) -> bool:
    return state.reader is not None and state.reader.config.get("InputType", "JSON") == "JSON"


def _json(text: str, name: str) -> Json:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if name == "input":
            why = why_not_json(text) or error
            raise errors.InvalidInputError(f"Invalid State Machine Execution Input: '{why}'") from None
        raise errors.ValidationError(f"The {name} must be valid JSON: {error}") from None


def _state(given: Mapping[str, Any]) -> State:
    """The state that is tried: the definition itself, or the one that is named in it."""
    wanted = given.get("stateName")
    try:
        document = parse_document(given["definition"])
        jsonata = document.get("QueryLanguage") == "JSONata"
        name = "StateName"
        if wanted is not None or "States" in document:
            found = _named(document, wanted) if wanted is not None else None
            if found is None:
                raise errors.ValidationError("State not found in definition")
            name, document = str(wanted), found
        return load_state(document, name=name, jsonata=jsonata)
    except InvalidDefinitionError as error:
        raise errors.InvalidDefinitionError(f"Invalid State Machine Definition: '{error}'") from None


def _named(document: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    states = document.get("States")
    for key, state in states.items() if isinstance(states, dict) else ():
        if key == name and isinstance(state, dict):
            return state
        branches = [*state.get("Branches", ()), state.get("ItemProcessor"), state.get("Iterator")]
        for branch in branches:
            found = _named(branch, name) if isinstance(branch, dict) else None
            if found is not None:
                return found
    return None


def _check(given: Mapping[str, Any], state: State, mock: Mapping[str, Any] | None) -> None:
    config = given.get("stateConfiguration", {})
    cause = config.get("errorCausedByState")
    if cause is not None and not any(_within(branch, cause) for branch in state.branches):
        raise errors.ValidationError(f"State '{cause}' of errorCausedByState is not found in the state under test")
    if mock is None:
        if given.get("context") is not None:
            raise errors.ValidationError("Context can only be specified when a mock is specified")
        if state.kind in _COMPOSITE:
            raise errors.InvalidDefinitionError(
                "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, "
                "Pass, Succeed, Fail, Choice]"
            )
        if state.kind is Kind.TASK and not given.get("roleArn"):
            raise errors.ValidationError("RoleArn must be specified when testing a Task state")
        return
    if mock.get("result") is not None and mock.get("errorOutput") is not None:
        raise errors.ValidationError("A test mock should have only one of the following fields: [result, errorOutput].")
    if state.kind is not Kind.TASK and state.kind not in _COMPOSITE:
        raise errors.ValidationError(f"State type '{state.kind}' is not supported when a mock is specified")


def _mock(trial: Trial, state: State, mock: Mapping[str, Any]) -> None:
    failure = mock.get("errorOutput")
    if failure is not None:
        trial.mocked_error = (failure.get("error"), failure.get("cause"))
        return
    if mock.get("result") is None:
        raise errors.ValidationError("A test mock must have one of the following fields: [result, errorOutput].")
    try:
        result = msgspec.json.decode(mock["result"])
    except msgspec.DecodeError:
        raise errors.ValidationError("Mocked result must be valid JSON.") from None
    if state.kind is Kind.MAP and state.writer is not None:
        if not isinstance(result, dict):
            raise errors.ValidationError("Mocked result must be a JSON object.")
    elif state.kind in _COMPOSITE and not isinstance(result, list):
        raise errors.ValidationError("Mocked result must be an array.")
    if state.kind is Kind.PARALLEL and len(result) != len(state.branches):
        raise errors.ValidationError(
            "Mocked result must contain the same number of items as number of Parallel branches."
        )
    mode = mock.get("fieldValidationMode", "STRICT")
    if state.kind is Kind.TASK and mode != "NONE":
        check_mock(state.resource, result, strict=mode == "STRICT")
    trial.mocked = mock["result"]


def _within(program: Program, name: str) -> bool:
    """Whether a branch or processor has a state of a name, at any depth."""
    return name in program.states or any(
        _within(branch, name) for state in program.states.values() for branch in state.branches
    )


def _shown(trial: Trial, level: str, exchange: Exchange) -> Reply:
    reply: Reply = {
        "status": trial.result_status,
        "output": trial.output,
        "error": trial.error,
        "cause": trial.cause,
        "nextState": trial.next_state,
    }
    if level != "INFO":
        reply["inspectionData"] = dict(trial.inspection)
        if trial.details:
            reply["inspectionData"]["errorDetails"] = trial.details
    if level == "TRACE" and exchange.method:
        reply["inspectionData"] |= exchange.document
    return reply
