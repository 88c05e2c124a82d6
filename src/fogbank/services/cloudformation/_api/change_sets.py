"""Change sets: what a deployment would do, made first and carried out later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.core.scope import Scope
from fogbank.services.cloudformation._api.frame import (
    check_name,
    page,
    read_stack,
    refuse_lacking,
    refuse_monitoring,
    tags_of,
    topics_of,
)
from fogbank.services.cloudformation._api.shapes import parameters_shape, seconds, tags_shape
from fogbank.services.cloudformation._api.stacks import (
    INITIATED_BY_USER,
    StackOperations,
    check_updatable,
    opening_event,
    refuse_new_types,
)
from fogbank.services.cloudformation._changes import Changes, preview
from fogbank.services.cloudformation._journal import add_events
from fogbank.services.cloudformation.engine import StackIdentity
from fogbank.services.cloudformation.errors import (
    AlreadyExistsError,
    ChangeSetNotFoundError,
    InvalidChangeSetStatusError,
    StackValidationError,
)
from fogbank.services.cloudformation.model import (
    EXECUTED,
    ChangeSet,
    ChangeSetStatus,
    Definition,
    ExecutionStatus,
    OnFailure,
    Stack,
    StackStatus,
)
from fogbank.services.cloudformation.storage import Rows
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        DeleteChangeSetInputTypeDef,
        DescribeChangeSetInputTypeDef,
        ExecuteChangeSetInputTypeDef,
        ListChangeSetsInputTypeDef,
    )

NOTHING_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
_LACKING = (
    "ResourcesToImport", "ImportExistingResources", "DeploymentMode", "DeploymentConfig", "DisableValidation",
)  # fmt: skip
_PAGE = 100


class ChangeSetOperations(StackOperations):
    """Create, describe, execute, delete and list change sets."""

    async def create_change_set(self, call: Call, request: CreateChangeSetInputTypeDef) -> Reply:
        """Make a change set. It is complete, or failed with its reason, when the call is answered."""
        refuse_lacking(request, "CreateChangeSet", *_LACKING)
        refuse_monitoring(request, "CreateChangeSet")
        kind = request.get("ChangeSetType", "UPDATE")
        if kind == "IMPORT":
            refuse_lacking({"ChangeSetType": kind}, "CreateChangeSet (IMPORT)", "ChangeSetType")
        stack, is_new = await self._stack_for(call.scope, request["StackName"], request["ChangeSetName"], kind)
        creates = kind == "CREATE"
        known = None if creates else stack
        topics = topics_of(request, known)
        identity = StackIdentity(call.scope, stack.id, stack.name, tags_of(request, known), topics)
        definition = await self._define(call, request, identity, known, change_set=True)
        changes = await self._preview(identity, stack, definition)
        reason = definition.failure
        if reason is None and not creates and not changes.any and identity.tags == stack.definition.tags:
            reason = NOTHING_CHANGES
        change_set = ChangeSet(
            id=call.scope.arn("cloudformation", f"changeSet/{request['ChangeSetName']}/{self.kit.ids.uuid()}"),
            name=request["ChangeSetName"],
            stack_id=stack.id,
            stack_name=stack.name,
            status=ChangeSetStatus.CREATE_COMPLETE if reason is None else ChangeSetStatus.FAILED,
            execution=ExecutionStatus.AVAILABLE if reason is None else ExecutionStatus.UNAVAILABLE,
            definition=definition,
            created=self.kit.clock.millis(),
            creates=creates,
            changes=changes.lines if reason is None else (),
            reason=reason,
            description=request.get("Description"),
            on_failure=OnFailure(request["OnStackFailure"]) if "OnStackFailure" in request else None,
            token=request.get("ClientToken"),
        )
        return await self._store(call.scope, change_set, stack if is_new else None)

    async def _stack_for(self, scope: Scope, name: str, change_set: str, kind: str) -> tuple[Stack, bool]:
        """The stack that a change set is for: a new one under review if it is to be created."""
        found = await self.kit.storage.read(lambda tx: Rows(tx).stack(scope, name))
        if kind == "CREATE":
            if found is not None and found.status is not StackStatus.REVIEW_IN_PROGRESS:
                raise StackValidationError(
                    f"Stack [{found.name}] already exists and cannot be created again with the changeSet "
                    f"[{change_set}]."
                )
            if found is not None:
                return found, False
            check_name(name)
            blank = Definition("", "")
            now = self.kit.clock.millis()
            stack_id = self._new_id(scope, name)
            status = StackStatus.REVIEW_IN_PROGRESS
            return Stack(stack_id, scope.account, scope.region, name, status, blank, now, INITIATED_BY_USER), True
        if found is None or not found.live:
            raise StackValidationError(f"Stack [{name}] does not exist")
        check_updatable(found)
        return found, False

    async def _preview(self, identity: StackIdentity, stack: Stack, definition: Definition) -> Changes:
        if definition.failure is not None:
            return Changes((), outputs=False)
        deployment = await self.engine.open(identity, definition.processed, definition.parameters)
        rows = await self.kit.storage.read(lambda tx: Rows(tx).resources(stack.id))
        refuse_new_types(rows, {name: declared.type for name, declared in deployment.resources.items()})
        return await preview(self.engine, identity, deployment, stack, rows)

    async def _store(self, scope: Scope, change_set: ChangeSet, new_stack: Stack | None) -> Reply:
        async def body(tx: Tx) -> Reply:
            rows = Rows(tx)
            there = await rows.change_set(change_set.stack_id, change_set.name)
            if there is not None:
                if change_set.token is not None and there.token == change_set.token:
                    return {"Id": there.id, "StackId": there.stack_id}
                if there.execution not in EXECUTED:
                    raise AlreadyExistsError(f"ChangeSet {change_set.name} already exists")
                await rows.delete_change_set(there.id)
            if new_stack is not None:
                if await rows.stack(scope, new_stack.name) is not None:
                    raise AlreadyExistsError(f"Stack [{new_stack.name}] already exists")
                await rows.put_stack(new_stack)
                await add_events(self.kit, rows, new_stack, [opening_event(new_stack)], None)
            await rows.put_change_set(change_set)
            return {"Id": change_set.id, "StackId": change_set.stack_id}

        return await self.kit.storage.transact(body)

    async def describe_change_set(self, call: Call, request: DescribeChangeSetInputTypeDef) -> Reply:
        """A change set and, page by page, its changes."""
        change_set = await self.kit.storage.read(lambda tx: _change_set(tx, call.scope, request))
        values = bool(request.get("IncludePropertyValues"))
        lines, token = page(change_set.changes, request.get("NextToken"), _PAGE)
        definition = change_set.definition
        return {
            **_summary(change_set),
            "Parameters": parameters_shape(definition.parameters),
            "NotificationARNs": list(definition.notified),
            "RollbackConfiguration": {},
            "Capabilities": list(definition.capabilities),
            "Tags": tags_shape(definition.tags),
            "Changes": [line if values else _without_values(line) for line in lines],
            "NextToken": token,
            "OnStackFailure": change_set.on_failure,
        }

    async def execute_change_set(self, call: Call, request: ExecuteChangeSetInputTypeDef) -> Reply:
        """Carry a change set out; the stack's other change sets are gone then."""
        change_set = await self.kit.storage.read(lambda tx: _change_set(tx, call.scope, request))
        if change_set.execution is not ExecutionStatus.AVAILABLE:
            raise InvalidChangeSetStatusError(
                f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{change_set.status}]"
            )
        if "DisableRollback" in request and change_set.on_failure is not None:
            raise StackValidationError("Only one of OnStackFailure or DisableRollback may be specified")
        on_failure = change_set.on_failure or OnFailure.ROLLBACK
        if request.get("DisableRollback"):
            on_failure = OnFailure.DO_NOTHING
        token = request.get("ClientRequestToken")
        if change_set.creates:
            await self._execute_creation(call.scope, change_set, on_failure, token)
        else:
            stack = await self._stack(call.scope, change_set.stack_id)
            definition = change_set.definition
            await self._start_update(call.scope, stack, definition, on_failure, token, change_set=change_set)
        await self._settled(change_set.stack_id)
        return {}

    async def _execute_creation(
        self, scope: Scope, change_set: ChangeSet, on_failure: OnFailure, token: str | None
    ) -> None:
        async def body(tx: Tx) -> None:
            rows = Rows(tx)
            stack = await read_stack(tx, scope, change_set.stack_id)
            if stack.status is not StackStatus.REVIEW_IN_PROGRESS:
                raise StackValidationError(f"Stack:{stack.id} is in {stack.status} state and can not be created.")
            created = replace(
                stack,
                status=StackStatus.CREATE_IN_PROGRESS,
                reason=INITIATED_BY_USER,
                definition=change_set.definition,
                change_set_id=change_set.id,
                disable_rollback=on_failure is OnFailure.DO_NOTHING,
                updated=self.kit.clock.millis(),
            )
            await rows.execute_change_set(change_set)
            await self._begin(rows, created, self._creation(created, on_failure, token), INITIATED_BY_USER)

        await self.kit.storage.transact(body)

    async def delete_change_set(self, call: Call, request: DeleteChangeSetInputTypeDef) -> Reply:
        """Delete a change set; one that does not exist is deleted, a stack that does not is an error."""

        async def body(tx: Tx) -> None:
            try:
                change_set = await _change_set(tx, call.scope, request)
            except ChangeSetNotFoundError:
                return
            await Rows(tx).delete_change_set(change_set.id)

        await self.kit.storage.transact(body)
        return {}

    async def list_change_sets(self, call: Call, request: ListChangeSetsInputTypeDef) -> Reply:
        """The change sets of a stack that were not carried out."""

        async def body(tx: Tx) -> list[ChangeSet]:
            stack = await Rows(tx).stack(call.scope, request["StackName"])
            if stack is None:
                raise StackValidationError(f"Stack [{request['StackName']}] does not exist")
            return [each for each in await Rows(tx).change_sets(stack.id) if each.execution not in EXECUTED]

        found = await self.kit.storage.read(body)
        shown, token = page(found, request.get("NextToken"), _PAGE)
        return {"Summaries": [_summary(each) for each in shown], "NextToken": token}


async def _change_set(tx: Tx, scope: Scope, request: Mapping[str, Any]) -> ChangeSet:
    """The change set that a request names, by ARN or by its name and its stack's."""
    name = request["ChangeSetName"]
    stack_id: str | None = None
    if not name.startswith("arn:"):
        if "StackName" not in request:
            raise StackValidationError("StackName must be specified if ChangeSetName is not specified as an ARN.")
        stack = await Rows(tx).stack(scope, request["StackName"])
        if stack is None:
            raise StackValidationError(f"Stack [{request['StackName']}] does not exist")
        stack_id = stack.id
    found = await Rows(tx).change_set(stack_id, name)
    if found is None:
        raise ChangeSetNotFoundError(f"ChangeSet [{name}] does not exist")
    return found


def _summary(change_set: ChangeSet) -> Reply:
    return {
        "ChangeSetName": change_set.name,
        "ChangeSetId": change_set.id,
        "StackId": change_set.stack_id,
        "StackName": change_set.stack_name,
        "Description": change_set.description,
        "CreationTime": seconds(change_set.created),
        "ExecutionStatus": change_set.execution,
        "Status": change_set.status,
        "StatusReason": change_set.reason,
        "IncludeNestedStacks": False,
    }


def _without_values(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """A change without the values before and after, which are told only to those who ask."""
    change = dict(line["ResourceChange"])
    hidden = ("Path", "BeforeValue", "AfterValue", "AttributeChangeType")
    for name in ("BeforeContext", "AfterContext", *(("Replacement",) if change["Action"] == "Add" else ())):
        change.pop(name, None)
    change["Details"] = [
        {**detail, "Target": {k: v for k, v in detail["Target"].items() if k not in hidden}}
        for detail in change["Details"]
    ]
    return {**line, "ResourceChange": change}
