"""Creating and updating: one resource at a time, many resources at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from fogbank.core import faults
from fogbank.core.errors import ApiError
from fogbank.services.cloudformation._aim import aim, new_target
from fogbank.services.cloudformation._journal import Journal, SupersededError, resource_event
from fogbank.services.cloudformation._policy import Denial, denied
from fogbank.services.cloudformation._walk import walk
from fogbank.services.cloudformation.engine import (
    Declared,
    Deployment,
    ReasonError,
    Replacement,
    Standing,
    Step,
    TemplateEngine,
)
from fogbank.services.cloudformation.model import (
    Action,
    Resource,
    Snapshot,
    Stage,
    begin,
    fail,
    leave,
    succeed,
)
from fogbank.services.kit import Kit

_log = logging.getLogger("fogbank.cloudformation")

REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."
INITIATED = "Resource creation Initiated"


class StepError(Exception):
    """A step cannot be done; the message is the resource's reason."""


def failure_text(error: ApiError, token: str) -> str:
    """A failed step's reason: a service's error as its handler returns it, CloudFormation's own words as they are."""
    return error.message if isinstance(error, ReasonError) else handler_message(error, token)


def handler_message(error: ApiError, token: str) -> str:
    """A service's error as CloudFormation reports it for a resource."""
    code = handler_code(error)
    return f'Resource handler returned message: "{error.message}" (RequestToken: {token}, HandlerErrorCode: {code})'


def handler_code(error: ApiError) -> str:
    """The handler error code that fits a service's error."""
    code = error.code
    if "AlreadyExist" in code or code in ("ResourceConflictException", "ResourceInUseException", "ConflictException"):
        return "AlreadyExists"
    if "NotFound" in code or "NoSuch" in code or "DoesNotExist" in code:
        return "NotFound"
    if "AccessDenied" in code:
        return "AccessDenied"
    if "LimitExceeded" in code:
        return "ServiceLimitExceeded"
    if "Throttl" in code or "TooManyRequests" in code:
        return "Throttling"
    return "InvalidRequest" if error.sender_fault else "GeneralServiceException"


class Deployer:
    """Brings a stack's resources to what an opened template says. One for each run of an operation."""

    def __init__(
        self, kit: Kit, engine: TemplateEngine, journal: Journal, deployment: Deployment, running: Callable[[], bool]
    ) -> None:
        self._kit = kit
        self._engine = engine
        self._journal = journal
        self._deployment = deployment
        self._running = running
        self.failed = False
        self.left: dict[str, Resource] = {}
        """Resources that were found to be as they must be; written with the operation's end."""

    async def run(self) -> None:
        """Visit every resource; afterwards `failed` says whether all stand."""
        needs = {name: declared.needs for name, declared in self._deployment.resources.items()}
        await walk(needs, self._visit, self._halted)

    def _halted(self) -> bool:
        journal = self._journal
        return self.failed or journal.superseded or journal.operation.cancelled or self.timed_out or not self._running()

    @property
    def timed_out(self) -> bool:
        """Whether the time that the stack's creation may take is over."""
        deadline = self._journal.operation.deadline
        return deadline is not None and self._kit.clock.millis() > deadline

    async def _visit(self, logical_id: str) -> bool:
        try:
            return await self._bring(logical_id)
        except SupersededError:
            return False

    async def _bring(self, logical_id: str) -> bool:
        journal = self._journal
        declared = self._deployment.resources[logical_id]
        resource = journal.resources.get(logical_id) or Resource(logical_id, declared.type, "", 0)
        action = Action.CREATE if resource.standing is None else Action.UPDATE
        try:
            if resource.touched_by(journal.operation):
                if resource.stage is Stage.BEGUN:
                    await self._perform(resource, resuming=True)
                return resource.stage is not Stage.FAILED
            action = await self._decide_and_perform(resource, declared)
        except SupersededError:
            raise
        except StepError as error:
            await self._fail(logical_id, resource, action, str(error))
            return False
        except ApiError as error:
            await self._fail(logical_id, resource, action, error.message)
            return False
        except Exception as error:  # noqa: BLE001 - a worker: a defect in a resource type must fail its stack, not hang it
            _log.exception("%s: %s of %s failed", journal.stack.id, logical_id, declared.type)
            await self._fail(logical_id, resource, action, f"Internal Failure ({type(error).__name__}: {error})")
            return False
        return True

    async def _decide_and_perform(self, resource: Resource, declared: Declared) -> Action:
        properties = await self._deployment.properties(resource.logical_id, self._journal.standing())
        if resource.standing is None:
            again = resource.attempted and resource.target is not None  # an earlier operation's failed attempt
            target = new_target(self._engine, self._journal.identity, declared, properties, self._kit.ids.code(12))
            if again and resource.target is not None and not target.chosen_name and resource.target.name:
                named = self._engine.with_name(declared.type, properties, resource.target.name)
                target = replace(target, name=resource.target.name, properties=named)
            await self._refuse_existing(resource, target, again)
            await self._start(resource.declared_as(declared), Action.CREATE, target, resuming=again)
            return Action.CREATE
        code = self._kit.ids.code(12)
        target, comparison = aim(self._engine, self._journal.identity, declared, properties, resource.standing, code)
        if comparison.replacement is Replacement.NONE:
            self.left[resource.logical_id] = leave(
                resource.declared_as(declared), self._journal.operation, resource.updated
            )
            self._journal.resources[resource.logical_id] = self.left[resource.logical_id]
            return Action.NOTHING
        action = Action.UPDATE if comparison.replacement is Replacement.IN_PLACE else Action.REPLACE
        self._refuse_denied(resource, action)
        if action is Action.REPLACE and target.name is not None and target.name == resource.standing.name:
            raise StepError(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
                f"{target.name} and update the stack again."
            )
        if action is Action.REPLACE:
            await self._refuse_existing(resource, target, again=False)
        await self._start(resource.declared_as(declared), action, target)
        return action

    async def _refuse_existing(self, resource: Resource, target: Snapshot, again: bool) -> None:
        """A name that the template chose must be free; one that was made up is."""
        if not target.chosen_name or again:
            return
        token = self._kit.ids.uuid()
        if await self._engine.exists(self._step(resource, target, token)):
            raise StepError(
                f"Resource handler returned message: \"Resource of type '{target.type}' with identifier "
                f"'{target.name}' already exists.\" (RequestToken: {token}, HandlerErrorCode: AlreadyExists)"
            )

    def _refuse_denied(self, resource: Resource, action: Action) -> None:
        denial: Denial | None = denied(self._journal.operation.policy, resource.logical_id, resource.type, action)
        if denial is not None:
            raise StepError(denial.message)

    async def _start(self, resource: Resource, action: Action, target: Snapshot, *, resuming: bool = False) -> None:
        now = self._kit.clock.millis()
        begun = begin(resource, self._journal.operation, action, target, self._kit.ids.uuid(), now)
        reason = REPLACING if action is Action.REPLACE else None
        shown = replace(target, physical_id=begun.physical_id)
        await self._journal.write(begun, resource_event(begun, begun.status, reason, shown), begins=True)
        await self._perform(begun, resuming=resuming)

    async def _perform(self, resource: Resource, *, resuming: bool) -> None:
        assert resource.target is not None, "begun steps have a target"
        step = self._step(resource, resource.target, resource.token, resuming=resuming)
        token = self._engine.awaits(step)
        if resuming or token != resource.token:
            step = replace(step, answer=await self._journal.answer(token))
        faults.point("cloudformation.before-step")
        try:
            standing = await self._carry_out(resource, step)
        except ApiError as error:
            raise StepError(failure_text(error, resource.token)) from error
        faults.point("cloudformation.after-step")
        done = succeed(resource, standing, self._kit.clock.millis())
        events = [resource_event(done, done.status, None, done.standing)]
        if resource.action is not Action.UPDATE:
            events.insert(0, resource_event(done, resource.status, INITIATED, done.standing))
        await self._journal.write(done, *events)
        await self._journal.drop_answer(token)

    async def _carry_out(self, resource: Resource, step: Step) -> Standing:
        if resource.action is Action.UPDATE and resource.before is not None:
            before = resource.before
            return await self._engine.update(
                replace(
                    step,
                    physical_id=before.physical_id,
                    previous=before.properties,
                    attributes=before.attributes,
                )
            )
        return await self._engine.create(step)

    def _step(self, resource: Resource, target: Snapshot, token: str, *, resuming: bool = False) -> Step:
        return Step(
            stack=self._journal.identity,
            logical_id=resource.logical_id,
            type=target.type,
            properties=target.properties,
            token=token,
            name=target.name,
            resuming=resuming,
        )

    async def _fail(self, logical_id: str, resource: Resource, action: Action, reason: str) -> None:
        self.failed = True
        current = self._journal.resources.get(logical_id, resource)
        if current.touched_by(self._journal.operation):
            action = current.action
        failed = fail(current, self._journal.operation, action, reason, self._kit.clock.millis())
        events = []
        if not current.touched_by(self._journal.operation):
            events.append(resource_event(failed, failed.status.replace("_FAILED", "_IN_PROGRESS")))
        events.append(resource_event(failed, failed.status, failed.reason, failed.target))
        await self._journal.write(failed, *events)
