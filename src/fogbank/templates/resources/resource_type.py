"""What a resource type is: one small class that says which calls create, change and delete it.

    class ScheduleGroup(ResourceType):
        type = "AWS::Scheduler::ScheduleGroup"
        service = "scheduler"
        name = Name("Name", 64)
        attributes = ("Arn", "CreationDate", "LastModificationDate", "State")
        …

What properties there are, which are required and which replace the resource come from the type's schema
(`fogbank.templates.schema`). Every operation must be safe to repeat: a step that was under way when the process
died is made again with `work.resuming`, and then what is there under our name is ours.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from fogbank.core.call import Cloud, Reply, Request
from fogbank.core.clock import Clock
from fogbank.core.errors import ApiError, InvalidParameterError
from fogbank.core.scope import Scope
from fogbank.services.cloudformation.engine import Standing, Step
from fogbank.templates.answers import Answers
from fogbank.templates.objects import PRINCIPAL, Objects
from fogbank.templates.schema import ResourceSchema, schema_of

POLL = 0.02
POLL_LIMIT = 300.0


class NotStabilizedError(ApiError):
    """What was created did not become ready."""

    code = "NotStabilized"


@dataclass(frozen=True, slots=True)
class Name:
    """How a type's resources are named: the property, the longest name, and what a made-up name must end with."""

    property: str
    length: int
    suffix: Callable[[Mapping[str, Any]], str] | None = None
    lower: bool = False

    def make(self, stack: str, logical_id: str, code: str, properties: Mapping[str, Any]) -> str:
        """A name in CloudFormation's form `stack-logical-CODE`, both shortened evenly if it is too long."""
        suffix = self.suffix(properties) if self.suffix is not None else ""
        room = self.length - len(code) - 2 - len(suffix)
        if len(stack) + len(logical_id) > room:
            half = room // 2
            stack = stack[: max(half, room - len(logical_id))]
            logical_id = logical_id[: room - len(stack)]
        name = f"{stack}-{logical_id}-{code}{suffix}"
        return name.lower() if self.lower else name


class Work:
    """One step on one resource, with the door to make its calls through."""

    __slots__ = ("_cloud", "answers", "clock", "objects", "schema", "service", "step")

    def __init__(
        self, cloud: Cloud, clock: Clock, step: Step, kind: ResourceType, answers: Answers, objects: Objects
    ) -> None:
        self._cloud = cloud
        self.clock = clock
        self.step = step
        self.service = kind.service
        self.schema = kind.schema
        self.answers = answers
        self.objects = objects

    @property
    def scope(self) -> Scope:
        """The stack's account and region."""
        return self.step.stack.scope

    @property
    def properties(self) -> Mapping[str, Any]:
        """What the resource shall be; when it is deleted, what it is."""
        return self.step.properties

    @property
    def previous(self) -> Mapping[str, Any]:
        """What the resource was, in an update."""
        return self.step.previous

    @property
    def physical_id(self) -> str:
        """What `Ref` gives; empty before the resource is there."""
        return self.step.physical_id or ""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What `Fn::GetAtt` gave before an update."""
        return self.step.attributes

    @property
    def name(self) -> str:
        """The physical name."""
        return self.step.name or ""

    @property
    def resuming(self) -> bool:
        """Whether an earlier attempt may have done all or part of this."""
        return self.step.resuming

    async def call(self, operation: str, request: Request, service: str | None = None) -> Reply:
        """Make a call as CloudFormation; members that are `None` are left out."""
        kept = {key: value for key, value in request.items() if value is not None}
        return await self._cloud.call(self.scope, service or self.service, operation, kept, principal=PRINCIPAL)

    async def until(self, ready: Callable[[], Awaitable[bool]], limit: float = POLL_LIMIT) -> None:
        """Wait until `ready` says yes, at the longest `limit` seconds."""
        deadline = self.clock.time() + limit
        pause = POLL
        while not await ready():
            if self.clock.time() > deadline:
                raise NotStabilizedError(f"{self.step.logical_id} was not ready after {limit:.0f} seconds")
            await self.clock.sleep(pause)
            pause = min(pause * 1.5, 1.0)

    def changed(self, *names: str) -> bool:
        """Whether any of these properties differs from before; all do when there is no before."""
        return any(self.properties.get(name) != self.previous.get(name) for name in names)

    def take(self, *names: str) -> dict[str, Any]:
        """These properties, those of them that are set."""
        return {name: self.properties[name] for name in names if name in self.properties}

    def tags(self, *, previous: bool = False) -> dict[str, str]:
        """The tags that the resource shall have: its own and the stack's, which its properties hold already, and
        CloudFormation's where the type gets them.
        """
        if previous and not self.previous:
            return {}
        tags = tag_map((self.previous if previous else self.properties).get(self.tag_property))
        if self.schema is not None and self.schema.system_tags and self.schema.tag_property is not None:
            stack = self.step.stack
            tags["aws:cloudformation:stack-name"] = stack.name
            tags["aws:cloudformation:stack-id"] = stack.stack_id
            tags["aws:cloudformation:logical-id"] = self.step.logical_id
        return tags

    @property
    def tag_property(self) -> str:
        """The property that holds the tags."""
        found = self.schema.tag_property if self.schema is not None else None
        return found or "Tags"

    def tag_changes(self) -> tuple[dict[str, str], list[str]]:
        """The tags to set, and the keys to remove, in an update."""
        before, after = self.tags(previous=True), self.tags()
        changed = {key: value for key, value in after.items() if before.get(key) != value}
        return changed, [key for key in before if key not in after]


class ResourceType:
    """A resource type. Subclasses set the class variables and write the operations."""

    type: ClassVar[str]
    service: ClassVar[str]
    name: ClassVar[Name | None] = None
    attributes: ClassVar[tuple[str, ...] | None] = ()
    """What `Fn::GetAtt` knows; `None` if that depends on the resource."""
    missing: ClassVar[frozenset[str]] = frozenset({"ResourceNotFoundException"})
    """Codes that say that the resource is not there."""
    taken: ClassVar[frozenset[str]] = frozenset({"ResourceConflictException", "ConflictException"})
    """Codes that say that it is there already."""
    replaced_by: ClassVar[frozenset[str]] = frozenset()
    """Properties whose change replaces the resource beside those that the schema names."""
    lacking: ClassVar[frozenset[str]] = frozenset()
    """Properties that AWS has and Fogbank refuses, by name."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Operations without which the type is as good as unknown, where its service may lack them."""
    needed_by: ClassVar[Mapping[str, str]] = {}
    """Operations that single properties need, where the service may lack them."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """What those properties are when nothing is said: to say it asks for nothing."""

    def differs(self, work: Work, name: str) -> bool:
        """Whether a property with a default is other than before."""
        default = self.defaults[name]
        return bool(work.properties.get(name, default) != work.previous.get(name, default))

    def lacks(self, properties: Mapping[str, Any]) -> str | None:  # noqa: ARG002 - most types take whatever fits
        """What these properties ask for that Fogbank lacks, told before anything is created; `None` if nothing."""
        return None

    @property
    def schema(self) -> ResourceSchema | None:
        """The type's schema, if it has one."""
        return schema_of(self.type)

    def awaits(self, step: Step) -> str:
        """The token under which a step is answered that waits for somebody."""
        return step.token

    async def create(self, work: Work) -> Standing:
        """Create the resource, or take over what an earlier attempt made."""
        try:
            return await self.make(work)
        except ApiError as error:
            if work.resuming and error.code in self.taken:
                return await self.adopt(work)
            raise

    async def make(self, work: Work) -> Standing:
        """Create the resource; an error in `taken` if it is there."""
        raise NotImplementedError

    async def adopt(self, work: Work) -> Standing:
        """Bring what an earlier attempt left to what it shall be."""
        return await self.update(work)

    async def update(self, work: Work) -> Standing:
        """Bring the resource from `work.previous` to `work.properties`. Types that are only replaced have none."""
        return Standing(work.physical_id, work.attributes)

    async def delete(self, work: Work) -> None:
        """Delete the resource; what is not there is deleted."""
        try:
            await self.remove(work)
        except ApiError as error:
            if error.code not in self.missing:
                raise

    async def remove(self, work: Work) -> None:
        """Delete the resource; an error in `missing` if it is not there."""
        raise NotImplementedError

    async def exists(self, work: Work) -> bool:
        """Whether there is something of the name that the template chose."""
        try:
            await self.read(work)
        except ApiError as error:
            if error.code in self.missing:
                return False
            raise
        return True

    async def read(self, work: Work) -> Reply:
        """Read the resource by its name; an error in `missing` if it is not there. Named types must have it."""
        raise NotImplementedError


def tag_map(tags: Any) -> dict[str, str]:
    """Tags as a mapping, from a list of keys and values or from a mapping."""
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(tag["Key"]): str(tag.get("Value", "")) for tag in tags or ()}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]] | None:
    """Tags as a list; `None` if there are none."""
    return [{"Key": key, "Value": value} for key, value in tags.items()] or None


def json_text(value: Any) -> Any:
    """A document as JSON text; text as it is."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def moment(name: str, text: str) -> float:
    """The date and time of a property as seconds since the epoch; UTC where nothing else is said."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidParameterError(f"{name}: expected a date and time in ISO 8601, got {text!r}") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def lower_first(value: Any) -> Any:
    """Keys with a small first letter, all the way down: the shape of services whose members begin so."""
    if isinstance(value, Mapping):
        return {key[:1].lower() + key[1:]: lower_first(child) for key, child in value.items()}
    if isinstance(value, list):
        return [lower_first(child) for child in value]
    return value


def without(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """A mapping without some of its keys."""
    dropped = set(names)
    return {key: child for key, child in value.items() if key not in dropped}
