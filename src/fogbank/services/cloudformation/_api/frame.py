"""What the operations share: requests made into definitions, refusals, paging."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.call import Call, Request
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.core.models import OperationModel
from fogbank.core.scope import Scope
from fogbank.core.validation import Problem, describe
from fogbank.services.cloudformation._journal import topic
from fogbank.services.cloudformation.engine import (
    DeploymentError,
    ParameterInput,
    Prepared,
    StackIdentity,
    TemplateEngine,
)
from fogbank.services.cloudformation.errors import InsufficientCapabilitiesError, StackValidationError, stack_not_found
from fogbank.services.cloudformation.model import (
    MAX_INLINE_TEMPLATE,
    STACK_NAME,
    Definition,
    Stack,
    missing_capabilities,
    with_signal,
)
from fogbank.services.cloudformation.storage import Rows
from fogbank.services.cloudformation.worker import Worker
from fogbank.services.kit import Kit, Service
from fogbank.storage import Tx

GRACE = 2.0
"""Seconds that a call which begins an operation waits for it to end: most take less, and then the caller's first
look sees the result. The AWS CLI and boto3 look again only after 5 and 30 seconds."""
MAX_TAGS = 50
ANSWERS = "/_fogbank/cloudformation/"
"""Where custom resources put their answers; the step's token follows."""
SIGNALS = ANSWERS + "signals/"
"""Where a wait condition's signals are put; the token of its handle follows."""
MAX_ANSWER = 4096
"""Bytes of an answer (the quota of custom resources) and of a signal."""
_TOKEN = re.compile(r"[0-9a-f-]{36}")
_URL = re.compile(r"(https?|s3)://.+")


class Frame(Service):
    """The parts of the service that every operation uses."""

    name: ClassVar[str] = "cloudformation"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._worker = Worker(kit)

    @property
    def engine(self) -> TemplateEngine:
        """What reads templates and knows resource types; the assembly sets it before the start."""
        if self._worker.engine is None:
            raise NotImplementedByFogbank("this server was assembled without a template engine")
        return self._worker.engine

    @engine.setter
    def engine(self, engine: TemplateEngine) -> None:
        self._worker.engine = engine

    async def on_start(self) -> None:
        await self._worker.start()

    async def on_stop(self) -> None:
        await self._worker.stop()
        if self._worker.engine is not None:
            await self._worker.engine.close()

    async def on_reset(self) -> None:
        await self._worker.drop()

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError:  # noqa: ARG002
        """CloudFormation's code for what breaks the model's constraints."""
        return StackValidationError(describe(problems))

    async def upload(self, path: str, data: bytes) -> bool:
        """What a custom resource or a wait condition is told (see `fogbank.core.downloads.Uploads`).

        It is stored, then told to its step. A signal joins those that have come before.
        """
        signals = path.startswith(SIGNALS)
        token = path.removeprefix(SIGNALS if signals else ANSWERS)
        if not _TOKEN.fullmatch(token) or len(data) > MAX_ANSWER:
            return False

        async def keep(tx: Tx) -> str | None:
            rows = Rows(tx)
            if not await rows.stacks_in_operation():
                return None
            body = with_signal(await rows.answer(token), data) if signals else data.decode("utf-8", "replace")
            if body is not None:
                await rows.put_answer(token, body)
            return body

        body = await self.kit.storage.transact(keep)
        if body is None:
            return False
        self.engine.answered(token, body)
        return True

    # -- finding

    async def _stack(self, scope: Scope, name: str) -> Stack:
        """A stack by name or ARN, or the error that it does not exist."""
        found = await self.kit.storage.read(lambda tx: Rows(tx).stack(scope, name))
        if found is None:
            raise stack_not_found(name)
        return found

    async def _settled(self, stack_id: str) -> None:
        """Have the worker see to a stack, and wait a little for it to be done."""
        until = self.kit.clock.time() + GRACE
        with self.kit.storage.subscribe(topic(stack_id)) as wakeup:
            self._worker.work(stack_id)
            await wakeup.wait(until)

    # -- what a deployment is asked for

    async def _define(
        self, call: Call, request: Request, identity: StackIdentity, previous: Stack | None, *, change_set: bool = False
    ) -> Definition:
        """Everything a create, an update or a change set says, checked and with its macros expanded."""
        body = await self._body(call.scope, request, previous)
        parameters = [
            ParameterInput(p.get("ParameterKey", ""), p.get("ParameterValue"), bool(p.get("UsePreviousValue")))
            for p in request.get("Parameters", ())
        ]
        known = None if previous is None else {p.name: p.value for p in previous.definition.parameters}
        given = tuple(request.get("Capabilities", ()))
        bare = await self.engine.prepare(identity, body, parameters, known, expand=False)
        needed = [c for c in bare.capabilities if not (change_set and c == "CAPABILITY_AUTO_EXPAND")]
        self._acknowledged(needed, given)
        failure: str | None = None
        prepared = bare
        try:
            prepared = await self.engine.prepare(identity, body, parameters, known)
            late = missing_capabilities(
                [c for c in prepared.capabilities if not (change_set and c == "CAPABILITY_AUTO_EXPAND")], given
            )
            if late:
                failure = f"Requires capabilities : [{', '.join(late)}]"
        except DeploymentError as error:
            failure = error.message
        self._allowed_types(request, prepared)
        return Definition(
            body=body,
            processed=prepared.processed,
            parameters=prepared.parameters,
            tags=identity.tags,
            capabilities=given,
            description=prepared.description,
            imports=prepared.imports,
            transforms=prepared.transforms,
            role_arn=request.get("RoleARN") or (previous.definition.role_arn if previous is not None else None),
            failure=failure,
            notified=identity.notification_arns,
        )

    @staticmethod
    def _acknowledged(needed: Sequence[str], given: Sequence[str]) -> None:
        missing = missing_capabilities(needed, given)
        if missing:
            raise InsufficientCapabilitiesError(f"Requires capabilities : [{', '.join(missing)}]")

    @staticmethod
    def _allowed_types(request: Request, prepared: Prepared) -> None:
        allowed = request.get("ResourceTypes")
        if not allowed:
            return
        patterns = [re.compile(re.escape(pattern).replace(r"\*", ".*")) for pattern in allowed]
        for type_name in sorted(set(prepared.types)):
            if not any(pattern.fullmatch(type_name) for pattern in patterns):
                raise StackValidationError(
                    f"Resource type {type_name} is not allowed by parameter ResourceTypes [{', '.join(allowed)}]"
                )

    async def _body(self, scope: Scope, request: Request, previous: Stack | None = None) -> str:
        """The template's text: given, at a URL, or the stack's own."""
        body, url = request.get("TemplateBody"), request.get("TemplateURL")
        if request.get("UsePreviousTemplate"):
            if body is not None or url is not None:
                raise StackValidationError("Cannot use both a template and UsePreviousTemplate")
            if previous is None:
                raise StackValidationError("Cannot use previous template: the stack does not exist")
            return previous.definition.body
        if body is not None and url is not None:
            raise StackValidationError("Only one of Template URL or Template Body may be specified")
        if body is not None:
            if len(body.encode()) > MAX_INLINE_TEMPLATE:
                raise StackValidationError(
                    f"1 validation error detected: Value '{body[:100]}…' at 'templateBody' failed to satisfy "
                    f"constraint: Member must have length less than or equal to {MAX_INLINE_TEMPLATE}"
                )
            return str(body)
        if url is None:
            raise StackValidationError("Either Template URL or Template Body must be specified.")
        if not _URL.match(url):
            raise StackValidationError("TemplateURL must be a supported URL.")
        return await self.engine.fetch(scope, url)


def topics_of(request: Request, previous: Stack | None = None) -> tuple[str, ...]:
    """The topics that are told of events: those given, else those that the stack has."""
    if "NotificationARNs" not in request:
        return previous.definition.notified if previous is not None else ()
    for text in request["NotificationARNs"]:
        try:
            service = Arn.parse(text).service
        except MalformedArnError:
            service = ""
        if service != "sns":
            raise StackValidationError(f"Invalid parameter: NotificationARNs Reason: {text} is no ARN of a topic")
    return tuple(request["NotificationARNs"])


def tags_of(request: Request, previous: Stack | None = None) -> Mapping[str, str]:
    """The stack's tags: those given, else those that it has."""
    if "Tags" not in request:
        return previous.definition.tags if previous is not None else {}
    tags: dict[str, str] = {}
    for tag in request["Tags"]:
        key = tag["Key"]
        if key in tags:
            raise StackValidationError(f"Duplicate tag keys found: {key}")
        if key.startswith("aws:"):
            raise StackValidationError("aws: prefixed tag key names are not allowed for external use.")
        tags[key] = tag["Value"]
    if len(tags) > MAX_TAGS:
        raise StackValidationError(f"Number of tags, {len(tags)}, is greater than maximum allowed, {MAX_TAGS}")
    return tags


def check_name(name: str) -> None:
    """A new stack's name: letters, digits and hyphens, a letter first, 128 characters at most."""
    problems = []
    if len(name) > 128:
        problems.append("Member must have length less than or equal to 128")
    if not STACK_NAME.fullmatch(name):
        problems.append("Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*")
    if problems:
        count = len(problems)
        listed = "; ".join(f"Value '{name}' at 'stackName' failed to satisfy constraint: {p}" for p in problems)
        raise StackValidationError(f"{count} validation error{'s' if count > 1 else ''} detected: {listed}")


def refuse_lacking(request: Request, operation: str, *names: str) -> None:
    """Say which of a request's parameters Fogbank does not do; a parameter that asks for nothing passes."""
    for name in names:
        value = request.get(name)
        if value not in (None, False, [], {}, ""):
            raise NotImplementedByFogbank(f"Fogbank does not implement {name} of {operation}")


def refuse_monitoring(request: Request, operation: str) -> None:
    """Rollback triggers watch alarms, which are not there yet; an empty configuration asks for nothing."""
    configuration: Mapping[str, Any] = request.get("RollbackConfiguration") or {}
    for trigger in configuration.get("RollbackTriggers", ()):
        if trigger["Type"] not in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
            raise StackValidationError("Rollback Trigger Type not supported")
        if not re.fullmatch(r"arn:[^:]+:cloudwatch:[^:]+:[^:]*:alarm:.+", trigger["Arn"]):
            raise StackValidationError("RelativeId of a Rollback Trigger's ARN is incorrect")
    if configuration.get("RollbackTriggers") or configuration.get("MonitoringTimeInMinutes"):
        raise NotImplementedByFogbank(f"Fogbank does not implement RollbackConfiguration of {operation}")


def page(items: Sequence[Any], token: str | None, size: int) -> tuple[Sequence[Any], str | None]:
    """A page of items and the token of the next; the token is where it begins."""
    start = 0
    if token is not None:
        try:
            start = int(base64.urlsafe_b64decode(token.encode()).decode())
        except ValueError:
            raise StackValidationError("Invalid NextToken") from None
    following = start + size
    more = base64.urlsafe_b64encode(str(following).encode()).decode() if following < len(items) else None
    return items[start:following], more


async def read_stack(tx: Tx, scope: Scope, name: str) -> Stack:
    """A stack within a transaction, or the error that it does not exist."""
    found = await Rows(tx).stack(scope, name)
    if found is None:
        raise stack_not_found(name)
    return found
