"""Running a target: a place for it, an environment, the outcome; and the delivery of asynchronous events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.errors import ApiError, OverloadedError
from fogbank.core.trace import Trace
from fogbank.delivery import Attempt, Failure, Message, PermanentError, RetryPolicy, Route
from fogbank.runtime import EnvironmentLimitError, Event, Outcome, RestoreError, RuntimeUnavailableError, StartError
from fogbank.services.lambda_ import _lineage
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._async import (
    Again,
    Condition,
    Done,
    Progress,
    Settings,
    Tried,
    after,
    dead_letter_parameters,
    destination_parameters,
    record,
)
from fogbank.services.lambda_._chaos import Chaos
from fogbank.services.lambda_._metrics import FunctionMetrics, Key
from fogbank.services.lambda_._names import LATEST, FunctionRef, parse_function
from fogbank.services.lambda_.errors import (
    FunctionNotFoundError,
    InvalidParameterValueError,
    RecursiveInvocationError,
    SnapStartError,
    SnapStartNotReadyError,
    SnapStartTimeoutError,
    ThrottleReason,
    TooManyRequestsError,
    not_now,
)
from fogbank.services.lambda_.model import VersionState
from fogbank.storage import Tx

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.services.lambda_._concurrency import Concurrency
    from fogbank.services.lambda_._targets import Target, Targets

ASYNC_ROUTE = "lambda.invoke"
DESTINATION_ROUTE = "lambda.destination"
DEAD_LETTER_ROUTE = "lambda.dead-letter"
ASYNC_POLICY = RetryPolicy(max_retries=1_000, max_age=7 * 86_400.0, first=1.0, ceiling=300.0)
"""For faults of ours: what the function does wrong, and throttles, are followed up by `_async`."""
_DEAD_LETTERS = RetryPolicy(max_retries=1_000, max_age=86_400.0)


class Runner:
    """Runs targets within the limits of concurrency."""

    def __init__(self, kit: Kit, targets: Targets, concurrency: Concurrency) -> None:
        self.targets = targets
        self._runtime = kit.runtime
        self.chaos = Chaos(kit.runtime, kit.ids)
        self._concurrency = concurrency
        self.counts = FunctionMetrics(kit)

    async def deliver(self, target: Target, event: Event) -> Outcome:
        """Run an event that came by itself: by an asynchronous invocation, or from an event source mapping."""
        if not self.chaos.plans:
            return await self.run(target, event)
        return await self.chaos.deliver(self.run, target, event)

    async def run(self, target: Target, event: Event) -> Outcome:
        """Run one event. Raises `TooManyRequestsError`, and ours for what cannot be started."""
        load, reserved = target.load, target.reserved
        if reserved is None and load.account.reserved is None:
            await self._concurrency.learn(target.version.scope)
        if target.state is not VersionState.ACTIVE:
            raise SnapStartNotReadyError if target.state is VersionState.PENDING else not_now(target.state)
        version = target.version
        key = _counted(target, event)
        header, times = _lineage.step(event.trace, target.arn)
        if times > _lineage.MAX_TIMES and not target.may_recur:
            self.counts.recursive(key)
            raise RecursiveInvocationError
        event = replace(event, trace=header)
        try:
            shared = self._concurrency.enter(load, reserved)
        except TooManyRequestsError:
            self.counts.throttled(key)
            raise
        self.counts.began(key, load, shared=shared)
        try:
            outcome = await self._runtime.invoke(version, event)
        except EnvironmentLimitError:
            self.counts.throttled(key)
            raise TooManyRequestsError(ThrottleReason.ACCOUNT) from None
        except RuntimeUnavailableError as error:
            raise InvalidParameterValueError(str(error)) from error
        except RestoreError as error:
            raise (SnapStartTimeoutError if error.late else SnapStartError)(str(error)) from error
        except StartError as error:
            raise OverloadedError(str(error)) from error
        else:
            self.counts.ended(key, outcome)
            return outcome
        finally:
            self._concurrency.leave(load, shared=shared)


def _counted(target: Target, event: Event) -> Key:
    """What an invocation is counted under."""
    version = target.version
    qualifier = event.function_arn.split(":", 7)[7:]
    resource = f"{version.name}:{qualifier[0]}" if qualifier else version.name
    by_alias = bool(qualifier) and qualifier[0] != target.executed
    return version.scope, version.name, resource, target.executed if by_alias else ""


@dataclass(frozen=True, slots=True)
class _Followed:
    """What an attempt led to: what it was, what follows, and what the function says of both."""

    ref: FunctionRef
    tried: Tried
    step: Again | Done
    settings: Settings
    dead_letter: str | None
    generation: int


class AsyncRoute(Route):
    """Attempts asynchronous events. Each retry is a new message with a delay, so that it counts as AWS counts."""

    def __init__(self, kit: Kit, runner: Runner) -> None:
        self._kit = kit
        self._runner = runner
        self._generation = 0

    def abandon(self) -> None:
        """Let nothing follow from the attempts that are under way: everything is being reset."""
        self._generation += 1

    async def attempt(self, attempt: Attempt) -> _Followed:
        """Run the event once, if it is not too old by now."""
        message = attempt.message
        generation = self._generation
        ref = parse_function(message.scope, message.target)
        progress = Progress.unpack(message.parameters)
        try:
            settings, dead_letter = await self._kit.storage.read(lambda tx: _settings(tx, ref))
            if self._kit.clock.time() - progress.accepted > settings.max_age:
                tried = Tried(throttled=True)
                return _Followed(ref, tried, Done(Condition.AGE_EXCEEDED, progress), settings, dead_letter, generation)
            age = self._kit.clock.time() - progress.accepted
            self._runner.counts.attempted(message.scope, ref.name, age)
            tried = await self._try(ref, message, attempt.trace, progress)
        except FunctionNotFoundError as error:
            raise PermanentError(error.code, error.message) from error
        step = after(tried, progress, settings, self._kit.clock.time())
        return _Followed(ref, tried, step, settings, dead_letter, generation)

    async def _try(self, ref: FunctionRef, message: Message, trace: Trace, progress: Progress) -> Tried:
        resolution = await self._runner.targets.find(ref)
        target = resolution.pick(self._kit.ids.fraction())
        event = Event(
            request_id=progress.request_id,
            payload=message.payload,
            function_arn=ref.qualified_arn,
            trace=trace.header,
            client_context=progress.client_context,
        )
        try:
            outcome = await self._runner.deliver(target, event)
        except (TooManyRequestsError, OverloadedError, SnapStartNotReadyError):
            return Tried(throttled=True, executed=target.executed)
        except ApiError as error:
            payload = msgspec.json.encode({"errorType": error.code, "errorMessage": error.message})
            recursive = isinstance(error, RecursiveInvocationError)
            return Tried(payload, "Unhandled", target.executed, recursive=recursive)
        return Tried(outcome.payload, outcome.error, target.executed)

    async def succeeded(self, tx: Tx, attempt: Attempt, result: _Followed) -> None:
        """The retry, or the destination's record and the dead letter."""
        if result.generation != self._generation:
            return
        message = attempt.message
        if isinstance(result.step, Again):
            await self._send(
                tx, message, message.target, message.payload, result.step.progress.pack(), delay=result.step.delay
            )
            return
        done = result.step
        arn = f"{result.ref.arn}:{result.ref.qualifier or LATEST}"
        won = done.condition is Condition.SUCCESS
        if not won:
            self._runner.counts.dropped(message.scope, result.ref.name)
        destination = result.settings.on_success if won else result.settings.on_failure
        if destination:
            shown = record(done, result.tried, message.payload, arn, self._kit.clock.time())
            parameters = destination_parameters(destination, done, arn)
            await self._send(
                tx,
                message,
                destination,
                msgspec.json.encode(shown),
                parameters,
                route=DESTINATION_ROUTE,
                policy=_DEAD_LETTERS,
            )
        if not won and result.dead_letter:
            parameters = dead_letter_parameters(result.dead_letter, result.tried, done.progress.request_id)
            await self._send(
                tx,
                message,
                result.dead_letter,
                message.payload,
                parameters,
                route=DEAD_LETTER_ROUTE,
                policy=_DEAD_LETTERS,
            )

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        """Nothing: the function is gone, and its settings with it."""

    async def _send(
        self,
        tx: Tx,
        message: Message,
        target: str,
        payload: bytes,
        parameters: dict[str, Any],
        *,
        route: str = ASYNC_ROUTE,
        policy: RetryPolicy = ASYNC_POLICY,
        delay: float = 0.0,
    ) -> None:
        sent = Message(
            target=target,
            payload=payload,
            scope=message.scope,
            trace=message.trace,
            route=route,
            source="lambda.amazonaws.com",
            parameters=parameters,
            policy=policy,
            dead_letter_attributes={}
            if route == ASYNC_ROUTE
            else {"FUNCTION": parse_function(message.scope, message.target).name},
            delay=delay,
        )
        await self._kit.delivery.enqueue(tx, sent)


async def _settings(tx: Tx, ref: FunctionRef) -> tuple[Settings, str | None]:
    """The settings of the qualifier that was invoked, and the dead-letter target of the version behind it."""
    found = await rows.find_async(tx, ref, ref.qualifier or LATEST)
    settings = Settings.of(found.settings) if found is not None else Settings()
    number = int(ref.qualifier) if ref.qualifier and ref.qualifier.isdigit() else 0
    if ref.qualifier and number == 0 and ref.qualifier != LATEST:
        alias = await rows.find_alias(tx, ref, ref.qualifier)
        number = int(alias.version) if alias is not None and alias.version.isdigit() else 0
    version = await rows.find_version(tx, ref, number)
    target = None if version is None else version.config.get("DeadLetterConfig", {}).get("TargetArn")
    return settings, target
