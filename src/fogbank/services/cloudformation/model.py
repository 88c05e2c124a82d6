"""CloudFormation's semantics without I/O: stacks, what an operation does to a resource, when an operation may begin.

A stack is one row, and so is each of its resources. An operation (create, update, delete) is journaled beside them,
so that it goes on after a crash. Its phases:

    create    APPLY ──ok──► done                          update   APPLY ──ok──► CLEANUP ──► done
                └─fail──► DELETE (roll back) ──► done                └─fail──► ROLLBACK ──► CLEANUP ──► done
    delete    DELETE ──► done

A resource in an operation:

    (untouched) ──► BEGUN: what is aimed at is written down, and its physical name ──► DONE | FAILED

`standing` is what is known to stand, `target` what is aimed at, `before` what stood when the operation began, and
`garbage` what is to be deleted once the operation's outcome is sure. A step that was BEGUN when the process died is
repeated with the same name and token; every step can be.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html (statuses) and
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import msgspec

from fogbank.services.cloudformation.engine import Declared, OutputValue, ParameterValue, Signal, Standing

STACK = "AWS::CloudFormation::Stack"
STACK_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]*")
MAX_INLINE_TEMPLATE = 51_200
MAX_REASON = 1023
MAX_SIGNALS = 1_000
"""Signals that are kept for one handle."""
_signal = msgspec.json.Decoder(Signal).decode
_signals = msgspec.json.Decoder(list[Signal]).decode


class StackStatus(StrEnum):
    """The states of a stack."""

    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    CREATE_FAILED = "CREATE_FAILED"
    CREATE_COMPLETE = "CREATE_COMPLETE"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"
    ROLLBACK_COMPLETE = "ROLLBACK_COMPLETE"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
    DELETE_FAILED = "DELETE_FAILED"
    DELETE_COMPLETE = "DELETE_COMPLETE"
    UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS"
    UPDATE_COMPLETE_CLEANUP_IN_PROGRESS = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    UPDATE_COMPLETE = "UPDATE_COMPLETE"
    UPDATE_FAILED = "UPDATE_FAILED"
    UPDATE_ROLLBACK_IN_PROGRESS = "UPDATE_ROLLBACK_IN_PROGRESS"
    UPDATE_ROLLBACK_FAILED = "UPDATE_ROLLBACK_FAILED"
    UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
    UPDATE_ROLLBACK_COMPLETE = "UPDATE_ROLLBACK_COMPLETE"
    REVIEW_IN_PROGRESS = "REVIEW_IN_PROGRESS"

    @property
    def in_progress(self) -> bool:
        """Whether an operation is under way (waiting for review is none)."""
        return self.endswith("_IN_PROGRESS") and self is not StackStatus.REVIEW_IN_PROGRESS


UPDATABLE = frozenset(
    {
        StackStatus.CREATE_COMPLETE,
        StackStatus.CREATE_FAILED,
        StackStatus.UPDATE_COMPLETE,
        StackStatus.UPDATE_FAILED,
        StackStatus.UPDATE_ROLLBACK_COMPLETE,
    }
)


class OnFailure(StrEnum):
    """What becomes of a stack whose creation fails."""

    ROLLBACK = "ROLLBACK"
    DO_NOTHING = "DO_NOTHING"
    DELETE = "DELETE"


class Kind(StrEnum):
    """What an operation is for."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Phase(StrEnum):
    """How far an operation is."""

    APPLY = "apply"
    ROLLBACK = "rollback"
    CLEANUP = "cleanup"
    DELETE = "delete"


class Action(StrEnum):
    """What an operation does to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    NOTHING = "nothing"
    REMOVE = "remove"


class Stage(StrEnum):
    """How far a resource is in an operation."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Definition:
    """All that a deployment was asked for: the template as given and as processed, and what went with it."""

    body: str
    processed: str
    parameters: tuple[ParameterValue, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    description: str | None = None
    imports: tuple[str, ...] = ()
    transforms: tuple[str, ...] = ()
    role_arn: str | None = None
    failure: str | None = None
    """Why the macros failed, if they did: the operation fails with it."""
    notified: tuple[str, ...] = ()
    """The topics that are told of the stack's events."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack. Times are in milliseconds."""

    id: str
    account: str
    region: str
    name: str
    status: StackStatus
    definition: Definition
    created: int
    reason: str | None = None
    updated: int | None = None
    deleted: int | None = None
    outputs: tuple[OutputValue, ...] = ()
    disable_rollback: bool = False
    timeout: int | None = None
    protected: bool = False
    policy: str | None = None
    change_set_id: str | None = None
    token: str | None = None
    parent: str | None = None
    root: str | None = None
    retain_except_on_create: bool = False

    @property
    def live(self) -> bool:
        """Whether its name is taken."""
        return self.status is not StackStatus.DELETE_COMPLETE


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation under way. `previous` is what an update goes back to when it fails."""

    id: str
    stack_id: str
    kind: Kind
    phase: Phase
    started: int
    previous: Definition | None = None
    on_failure: OnFailure = OnFailure.ROLLBACK
    rolling_back: bool = False
    deadline: int | None = None
    cancelled: bool = False
    retain: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    token: str | None = None
    policy: str | None = None
    """The stack policy that holds during this update."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A resource as it stands or is to stand."""

    type: str
    name: str | None
    physical_id: str
    properties: Mapping[str, Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    chosen_name: bool = False
    """Whether the template, not CloudFormation, chose the name."""

    @property
    def standing(self) -> Standing:
        """What functions can refer to."""
        return Standing(self.physical_id, self.attributes)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack: its row."""

    logical_id: str
    type: str
    status: str
    updated: int
    reason: str | None = None
    standing: Snapshot | None = None
    needs: tuple[str, ...] = ()
    metadata: str | None = None
    retain_on_delete: bool = False
    retain_on_replace: bool = False
    retain_on_create_failure: bool = False
    operation: str = ""
    stage: Stage | None = None
    action: Action = Action.NOTHING
    target: Snapshot | None = None
    before: Snapshot | None = None
    attempted: bool = False
    """Whether the step reached the service: then something of the target may be there even if it failed."""
    token: str = ""
    garbage: tuple[Snapshot, ...] = ()

    @property
    def physical_id(self) -> str:
        """What is shown: what stands, else what was aimed at."""
        if self.standing is not None:
            return self.standing.physical_id
        return self.target.physical_id if self.target is not None else ""

    def touched_by(self, operation: Operation) -> bool:
        """Whether the operation has got to this resource."""
        return self.operation == operation.id and self.stage is not None

    def declared_as(self, declared: Declared) -> Resource:
        """The row with what the template says of the resource besides its properties."""
        return replace(
            self,
            needs=tuple(sorted(declared.needs)),
            metadata=declared.metadata,
            retain_on_delete=declared.retain_on_delete,
            retain_on_replace=declared.retain_on_replace,
            retain_on_create_failure=declared.retain_on_create_failure,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """A line of a stack's history."""

    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None = None
    properties: str | None = None
    token: str | None = None


class ChangeSetStatus(StrEnum):
    """The states of a change set; it is made within the call, so the states on the way are never seen."""

    CREATE_COMPLETE = "CREATE_COMPLETE"
    FAILED = "FAILED"


class ExecutionStatus(StrEnum):
    """Whether a change set can be executed."""

    UNAVAILABLE = "UNAVAILABLE"
    AVAILABLE = "AVAILABLE"
    EXECUTE_IN_PROGRESS = "EXECUTE_IN_PROGRESS"
    EXECUTE_COMPLETE = "EXECUTE_COMPLETE"
    EXECUTE_FAILED = "EXECUTE_FAILED"
    OBSOLETE = "OBSOLETE"


EXECUTED = (ExecutionStatus.EXECUTE_IN_PROGRESS, ExecutionStatus.EXECUTE_COMPLETE, ExecutionStatus.EXECUTE_FAILED)
"""The states of a change set that was carried out: it stays to be described, and its name is free again."""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set. `changes` are in the shape of the API; `creates` says that it makes the stack."""

    id: str
    name: str
    stack_id: str
    stack_name: str
    status: ChangeSetStatus
    execution: ExecutionStatus
    definition: Definition
    created: int
    creates: bool
    changes: tuple[Mapping[str, Any], ...] = ()
    reason: str | None = None
    description: str | None = None
    on_failure: OnFailure | None = None
    token: str | None = None


def begin(
    resource: Resource, operation: Operation, action: Action, target: Snapshot | None, token: str, now: int
) -> Resource:
    """The row when an operation has got to a resource and knows what it will do."""
    verb = "CREATE" if action is Action.CREATE else "UPDATE"
    return replace(
        resource,
        type=target.type if target is not None else resource.type,
        status=f"{verb}_IN_PROGRESS",
        reason=None,
        updated=now,
        operation=operation.id,
        stage=Stage.BEGUN,
        action=action,
        target=target,
        before=resource.standing,
        attempted=True,
        token=token,
    )


def succeed(resource: Resource, standing: Standing, now: int) -> Resource:
    """The row when its step is done: what was aimed at stands; what it replaces is garbage."""
    assert resource.target is not None, "a step that changes something has a target"
    stands = replace(resource.target, physical_id=standing.physical_id, attributes=standing.attributes)
    verb = "CREATE" if resource.action is Action.CREATE else "UPDATE"
    garbage = resource.garbage
    if resource.before is not None and resource.before.physical_id != standing.physical_id:
        garbage = (*garbage, resource.before)  # replaced, by us or by a custom resource that answered another id
    return replace(resource, status=f"{verb}_COMPLETE", updated=now, stage=Stage.DONE, standing=stands, garbage=garbage)


def leave(resource: Resource, operation: Operation, now: int) -> Resource:
    """The row of a resource that the operation found to be as it must be."""
    return replace(
        resource, operation=operation.id, stage=Stage.DONE, action=Action.NOTHING, target=None, before=None, updated=now
    )


def fail(resource: Resource, operation: Operation, action: Action, reason: str, now: int) -> Resource:
    """The row when its step failed."""
    verb = "CREATE" if action is Action.CREATE else "UPDATE"
    fresh = not resource.touched_by(operation)
    return replace(
        resource,
        status=f"{verb}_FAILED",
        reason=reason[:MAX_REASON],
        updated=now,
        operation=operation.id,
        stage=Stage.FAILED,
        action=action,
        attempted=False if fresh else resource.attempted,
        before=resource.standing if fresh else resource.before,
    )


def restored(resource: Resource, now: int) -> Resource:
    """The row when a rollback has brought back what stood before; what was made in its place is garbage."""
    made = resource.standing or resource.target
    replaced = (
        resource.attempted
        and made is not None
        and (
            resource.action is Action.REPLACE
            or (resource.before is not None and made.physical_id not in ("", resource.before.physical_id))
        )
    )
    return replace(
        resource,
        type=resource.before.type if resource.before is not None else resource.type,
        status="UPDATE_COMPLETE",
        reason=None,
        updated=now,
        standing=resource.before,
        target=None,
        before=None,
        stage=None,
        attempted=False,
        garbage=(made,) if replaced and made is not None else (),
    )


def removed(resource: Resource, status: str, now: int) -> Resource:
    """The row of a resource that is gone from the stack."""
    return replace(
        resource,
        status=status,
        reason=None,
        updated=now,
        standing=None if status == "DELETE_COMPLETE" else resource.standing,
        stage=None,
        before=None,
        garbage=(),
    )


def is_there(resource: Resource) -> bool:
    """Whether there is, or may be, something to delete for a resource."""
    if resource.status in ("DELETE_COMPLETE", "DELETE_SKIPPED"):
        return False
    return resource.standing is not None or (resource.attempted and resource.target is not None)


def failure_reason(resources: Iterable[Resource], operation: Operation) -> str:
    """The stack's reason for a rollback, as CloudFormation words it."""
    failed = [r for r in resources if r.operation == operation.id and r.stage is Stage.FAILED]
    created = sorted(r.logical_id for r in failed if r.action is Action.CREATE)
    updated = sorted(r.logical_id for r in failed if r.action is not Action.CREATE)
    parts = []
    if created:
        parts.append(f"The following resource(s) failed to create: [{', '.join(created)}]. ")
    if updated:
        parts.append(f"The following resource(s) failed to update: [{', '.join(updated)}]. ")
    return "".join(parts)


def missing_capabilities(needed: Iterable[str], given: Iterable[str]) -> tuple[str, ...]:
    """The capabilities that a template needs and a request lacks; CAPABILITY_NAMED_IAM includes CAPABILITY_IAM."""
    acknowledged = set(given)
    if "CAPABILITY_NAMED_IAM" in acknowledged:
        acknowledged.add("CAPABILITY_IAM")
    return tuple(capability for capability in needed if capability not in acknowledged)


def with_signal(stored: str | None, data: bytes) -> str | None:
    """The signals of a wait condition's handle, with one that has come now; `None` if it is none.

    One with an id that is known is a repetition, and counts once.
    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-waitcondition.html
    """
    try:
        signal = _signal(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    known = [] if stored is None else _signals(stored)
    if len(known) < MAX_SIGNALS and all(each.id != signal.id for each in known):
        known.append(signal)
    return msgspec.json.encode(known).decode()
