"""What CloudFormation needs of a template engine, and the values that the two exchange.

Services may not import the layer above them, so the service declares here what it wants, `fogbank.templates`
implements it, and the assembly (`fogbank.server`) puts the two together: `service.engine = Engine(…)`.

    prepare(body, parameters) ──► Prepared: macros expanded, parameters checked; stored with the operation
    open(prepared)            ──► Deployment: resources, their order, their properties once others stand
    create | update | delete  ──► one Step at a time, each safe to repeat after a crash
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol

import msgspec

from fogbank.core.errors import InvalidParameterError
from fogbank.core.scope import Scope

KNOWN_AFTER_APPLY = "{{changeSet:KNOWN_AFTER_APPLY}}"
"""What stands in a preview for a value that only the deployment will tell."""


class DeploymentError(InvalidParameterError):
    """The request is well formed and the deployment cannot succeed: its stack or change set fails with this reason.

    A macro that fails and an import that nobody exports are such; CloudFormation accepts the call.
    """


class ReasonError(InvalidParameterError):
    """A step failed, and the message is the resource's reason as it is: no service's handler returned it."""


@dataclass(frozen=True, slots=True)
class StackIdentity:
    """Whose template it is: what pseudo parameters and tags are made of."""

    scope: Scope
    stack_id: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    notification_arns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParameterInput:
    """A parameter of a request: a value, or the word to keep the stack's."""

    name: str
    value: str | None = None
    use_previous: bool = False


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """A parameter of a deployment. `resolved` is what Systems Manager had for it, where that is meant."""

    name: str
    value: str
    resolved: str | None = None
    no_echo: bool = False


@dataclass(frozen=True, slots=True)
class ParameterSummary:
    """A parameter as a template declares it."""

    name: str
    type: str
    default: str | None
    no_echo: bool
    description: str | None
    allowed: tuple[str, ...] | None
    allowed_pattern: str | None
    constraint: str | None
    min_length: int | None
    max_length: int | None
    min_value: str | None
    max_value: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What can be said of a template without parameters. `resources` are pairs of logical id and type."""

    description: str | None
    parameters: tuple[ParameterSummary, ...]
    capabilities: tuple[str, ...]
    capabilities_reason: str | None
    resources: tuple[tuple[str, str], ...]
    transforms: tuple[str, ...]
    metadata: str | None
    version: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A template ready to be deployed with its parameters: everything here is stored, so a restart opens it again.

    `processed` is JSON. `capabilities` are those that the caller must have acknowledged.
    """

    processed: str
    parameters: tuple[ParameterValue, ...]
    description: str | None
    capabilities: tuple[str, ...]
    imports: tuple[str, ...]
    transforms: tuple[str, ...]
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource of a deployment, apart from its properties. `needs` are the logical ids that must stand before it."""

    logical_id: str
    type: str
    needs: frozenset[str]
    retain_on_delete: bool
    retain_on_create_failure: bool
    retain_on_replace: bool
    metadata: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands for a logical id: what `Ref` gives, and what `Fn::GetAtt` can give."""

    physical_id: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OutputValue:
    """An output of a stack, evaluated."""

    name: str
    value: str
    description: str | None = None
    export: str | None = None


class Replacement(StrEnum):
    """What a change of properties does to a resource."""

    NONE = "none"
    IN_PLACE = "update"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """A changed property: what it was, what it will be (JSON values; absent is `None`), whether it replaces."""

    name: str
    path: str
    before: Any
    after: Any
    recreates: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """How properties differ, and what that means."""

    replacement: Replacement
    changes: tuple[PropertyChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on one resource.

    `properties` are evaluated and checked, with the physical `name` filled in. `token` is the same whenever the step
    is repeated, `resuming` says that it is a repetition: an earlier attempt may have done all or part of it.
    """

    stack: StackIdentity
    logical_id: str
    type: str
    properties: Mapping[str, Any]
    token: str
    name: str | None = None
    physical_id: str | None = None
    previous: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """In an update, what `Fn::GetAtt` gave so far."""
    resuming: bool = False
    answer: str | None = None
    """What was answered already, where the step waits for somebody: by a custom resource to an earlier attempt, or
    the signals (JSON) that have come for a wait condition."""


class Signal(msgspec.Struct, frozen=True):
    """What a wait condition is told; the names are those of the JSON that is PUT."""

    status: Literal["SUCCESS", "FAILURE"] = msgspec.field(name="Status")
    id: str = msgspec.field(name="UniqueId")
    data: str = msgspec.field(name="Data", default="")
    reason: str = msgspec.field(name="Reason", default="")

    @property
    def succeeded(self) -> bool:
        """Whether it counts for the condition, rather than ending it."""
        return self.status == "SUCCESS"


class Deployment(Protocol):
    """An opened template."""

    @property
    def resources(self) -> Mapping[str, Declared]:
        """The resources whose conditions hold, in the template's order."""
        ...

    async def properties(self, logical_id: str, standing: Mapping[str, Standing]) -> dict[str, Any]:
        """A resource's properties, evaluated and checked against its type. `ApiError` if that cannot be done."""
        ...

    async def preview(self, logical_id: str, standing: Mapping[str, Standing]) -> dict[str, Any]:
        """The same as far as it can be known before anything is done: the rest is KNOWN_AFTER_APPLY."""
        ...

    async def outputs(self, standing: Mapping[str, Standing]) -> list[OutputValue]:
        """The outputs whose conditions hold."""
        ...

    def preview_outputs(self, standing: Mapping[str, Standing]) -> list[OutputValue]:
        """The outputs as far as they can be known before anything is done."""
        ...

    def causes(self, logical_id: str, name: str) -> list[tuple[str, str]]:
        """What a property refers to: pairs of a change source (`ParameterReference`, …) and the causing entity."""
        ...


class TemplateEngine(Protocol):
    """Everything that CloudFormation asks of templates and resource types. Errors are `ApiError`s."""

    async def close(self) -> None:
        """End what runs beside the server."""
        ...

    def answered(self, token: str, body: str) -> None:
        """An answer to the step of this token has come, and is stored."""
        ...

    def awaits(self, step: Step) -> str:
        """The token under which a step is answered: its own, or that of the handle that it waits on."""
        ...

    async def summarize(self, scope: Scope, body: str) -> Summary:
        """Read a template and say what it declares."""
        ...

    async def prepare(
        self,
        stack: StackIdentity,
        body: str,
        parameters: Sequence[ParameterInput],
        previous: Mapping[str, str] | None,
        *,
        expand: bool = True,
    ) -> Prepared:
        """Check a template and its parameters and expand its macros; `previous` are the stack's current values.

        With `expand=False` only what can be checked before the macros run is checked, and `processed` is the template.
        """
        ...

    async def open(self, stack: StackIdentity, processed: str, parameters: Sequence[ParameterValue]) -> Deployment:
        """Open what `prepare` prepared, now or after a restart."""
        ...

    async def fetch(self, scope: Scope, url: str) -> str:
        """The template at a URL."""
        ...

    def name(
        self, stack: StackIdentity, logical_id: str, type_name: str, properties: Mapping[str, Any], code: str
    ) -> tuple[str | None, bool]:
        """The physical name that a new resource gets, and whether the template chose it; `code` is what is random."""
        ...

    def with_name(self, type_name: str, properties: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        """Properties with the physical name filled in."""
        ...

    def compare(self, type_name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
        """How two sets of properties of a type differ."""
        ...

    async def exists(self, step: Step) -> bool:
        """Whether there is something of the step's name already."""
        ...

    async def create(self, step: Step) -> Standing:
        """Create; when resuming, take over what the earlier attempt left."""
        ...

    async def update(self, step: Step) -> Standing:
        """Bring a resource from `previous` to `properties`."""
        ...

    async def delete(self, step: Step) -> None:
        """Delete; what is not there is deleted."""
        ...
