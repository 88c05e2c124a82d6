"""Operations that change stacks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.core.call import Call, Reply
from fogbank.core.scope import Scope
from fogbank.services.cloudformation._api.frame import (
    Frame,
    check_name,
    read_stack,
    refuse_lacking,
    refuse_monitoring,
    tags_of,
    topics_of,
)
from fogbank.services.cloudformation._changes import preview
from fogbank.services.cloudformation._journal import add_events, stack_event
from fogbank.services.cloudformation._policy import check_policy
from fogbank.services.cloudformation.engine import StackIdentity
from fogbank.services.cloudformation.errors import (
    AlreadyExistsError,
    StackValidationError,
    TokenAlreadyExistsError,
    stack_not_found,
)
from fogbank.services.cloudformation.model import (
    STACK,
    UPDATABLE,
    ChangeSet,
    Definition,
    Event,
    Kind,
    OnFailure,
    Operation,
    Phase,
    Resource,
    Stack,
    StackStatus,
)
from fogbank.services.cloudformation.storage import Rows
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        CancelUpdateStackInputTypeDef,
        ContinueUpdateRollbackInputTypeDef,
        CreateStackInputTypeDef,
        DeleteStackInputTypeDef,
        SetStackPolicyInputTypeDef,
        UpdateStackInputTypeDef,
        UpdateTerminationProtectionInputTypeDef,
    )

INITIATED_BY_USER = "User Initiated"
PRINCIPAL = "cloudformation.amazonaws.com"
MAX_NESTING = 5
_LACKING = ("DeploymentConfig", "DisableValidation", "StackPolicyURL", "StackPolicyDuringUpdateURL")


class StackOperations(Frame):
    """Create, update, delete, and what steers them."""

    async def create_stack(self, call: Call, request: CreateStackInputTypeDef) -> Reply:
        """Begin to create a stack."""
        name = request["StackName"]
        check_name(name)
        refuse_lacking(request, "CreateStack", *_LACKING)
        refuse_monitoring(request, "CreateStack")
        if "OnFailure" in request and "DisableRollback" in request:
            raise StackValidationError("Only one of OnFailure or DisableRollback may be specified")
        repeated = await self.kit.storage.read(lambda tx: self._repeated(tx, call.scope, name, request))
        if repeated is not None:
            return {"StackId": repeated}
        policy = check_policy(request["StackPolicyBody"]) if "StackPolicyBody" in request else None
        parent, root = await self._ancestors(call, name)
        reviewed = await self.kit.storage.read(lambda tx: Rows(tx).stack(call.scope, name))
        stack_id = self._new_id(call.scope, name) if reviewed is None else reviewed.id
        identity = StackIdentity(call.scope, stack_id, name, tags_of(request), topics_of(request))
        definition = await self._define(call, request, identity, None)
        on_failure = OnFailure(request.get("OnFailure", "ROLLBACK"))
        if request.get("DisableRollback"):
            on_failure = OnFailure.DO_NOTHING
        minutes = request.get("TimeoutInMinutes")
        stack = Stack(
            id=stack_id,
            account=call.scope.account,
            region=call.scope.region,
            name=name,
            status=StackStatus.CREATE_IN_PROGRESS,
            definition=definition,
            created=self.kit.clock.millis() if reviewed is None else reviewed.created,
            reason=INITIATED_BY_USER,
            disable_rollback=on_failure is OnFailure.DO_NOTHING,
            timeout=minutes,
            protected=bool(request.get("EnableTerminationProtection")),
            policy=policy,
            token=request.get("ClientRequestToken"),
            retain_except_on_create=bool(request.get("RetainExceptOnCreate")),
            parent=parent,
            root=root,
        )
        operation = self._creation(stack, on_failure, request.get("ClientRequestToken"))

        async def body(tx: Tx) -> None:
            rows = Rows(tx)
            there = await rows.stack(call.scope, name)
            if there is not None and (there.id != stack_id or there.status is not StackStatus.REVIEW_IN_PROGRESS):
                raise AlreadyExistsError(f"Stack [{name}] already exists")
            await rows.retire_change_sets(stack_id)
            await self._begin(rows, stack, operation, INITIATED_BY_USER)

        await self.kit.storage.transact(body)
        await self._settled(stack_id)
        return {"StackId": stack_id}

    async def _ancestors(self, call: Call, name: str) -> tuple[str | None, str | None]:
        """Parent and root of a nested stack: the stack under way that is about to make one of this name."""
        if call.principal.service != PRINCIPAL:
            return None, None

        async def body(tx: Tx) -> list[str]:
            rows = Rows(tx)
            line: list[str] = []
            for stack_id in await rows.stacks_in_operation():
                resources = (await rows.resources(stack_id)).values()
                if any(r.type == STACK and r.target is not None and r.target.name == name for r in resources):
                    line.append(stack_id)
                    break
            while line:
                stack = await rows.stack_by_id(line[-1])
                if stack is None or stack.parent is None:
                    break
                line.append(stack.parent)
            return line

        line = await self.kit.storage.read(body)
        if len(line) > MAX_NESTING:
            raise StackValidationError(f"Stacks can be nested {MAX_NESTING} levels deep at the most")
        return (line[0], line[-1]) if line else (None, None)

    def _new_id(self, scope: Scope, name: str) -> str:
        return scope.arn("cloudformation", f"stack/{name}/{self.kit.ids.uuid()}")

    def _creation(self, stack: Stack, on_failure: OnFailure, token: str | None) -> Operation:
        now = self.kit.clock.millis()
        return Operation(
            id=self.kit.ids.uuid(),
            stack_id=stack.id,
            kind=Kind.CREATE,
            phase=Phase.APPLY,
            started=now,
            on_failure=on_failure,
            deadline=None if stack.timeout is None else now + stack.timeout * 60_000,
            token=token,
        )

    @staticmethod
    async def _repeated(tx: Tx, scope: Scope, name: str, request: CreateStackInputTypeDef) -> str | None:
        """The stack that the same request, by its token, made before."""
        found = await Rows(tx).stack(scope, name)
        if found is None or found.status is StackStatus.REVIEW_IN_PROGRESS:
            return None
        token = request.get("ClientRequestToken")
        if token is None or found.token != token:
            raise AlreadyExistsError(f"Stack [{name}] already exists")
        if request.get("TemplateBody", found.definition.body) != found.definition.body:
            raise TokenAlreadyExistsError(f"A client request token {token} already exists.")
        return found.id

    async def _begin(self, rows: Rows, stack: Stack, operation: Operation, reason: str | None) -> None:
        """Write a stack that is in progress, its operation and the event that opens it."""
        await rows.put_stack(stack)
        await rows.put_operation(operation)
        await add_events(self.kit, rows, stack, [stack_event(stack, stack.status, reason)], operation.token)

    async def update_stack(self, call: Call, request: UpdateStackInputTypeDef) -> Reply:
        """Begin to update a stack; an error if nothing would change."""
        refuse_lacking(request, "UpdateStack", *_LACKING)
        refuse_monitoring(request, "UpdateStack")
        stack = await self._stack(call.scope, request["StackName"])
        check_updatable(stack)
        topics = topics_of(request, stack)
        identity = StackIdentity(call.scope, stack.id, stack.name, tags_of(request, stack), topics)
        definition = await self._define(call, request, identity, stack)
        during = (
            check_policy(request["StackPolicyDuringUpdateBody"]) if "StackPolicyDuringUpdateBody" in request else None
        )
        policy = check_policy(request["StackPolicyBody"]) if "StackPolicyBody" in request else None
        if definition.failure is not None:
            raise StackValidationError(definition.failure)
        if not await self._changes_anything(identity, stack, definition) and policy is None:
            raise StackValidationError("No updates are to be performed.")
        on_failure = OnFailure.DO_NOTHING if request.get("DisableRollback") else OnFailure.ROLLBACK
        token = request.get("ClientRequestToken")
        await self._start_update(call.scope, stack, definition, on_failure, token, policy=policy, during=during)
        await self._settled(stack.id)
        return {"StackId": stack.id}

    async def _changes_anything(self, identity: StackIdentity, stack: Stack, definition: Definition) -> bool:
        """Whether an update would do anything; refuses an update that changes a resource's type."""
        before = stack.definition
        if stack.status not in (StackStatus.CREATE_COMPLETE, StackStatus.UPDATE_COMPLETE,
                                StackStatus.UPDATE_ROLLBACK_COMPLETE):  # fmt: skip
            return True  # something failed and has to be tried again
        if (before.processed, before.parameters, before.tags, before.notified) == (
            definition.processed, definition.parameters, definition.tags, definition.notified,
        ):  # fmt: skip
            return False
        deployment = await self.engine.open(identity, definition.processed, definition.parameters)
        rows = await self.kit.storage.read(lambda tx: Rows(tx).resources(stack.id))
        refuse_new_types(rows, {name: declared.type for name, declared in deployment.resources.items()})
        if before.tags != definition.tags or before.notified != definition.notified:
            return True
        changes = await preview(self.engine, identity, deployment, stack, rows)
        return changes.any

    async def _start_update(
        self,
        scope: Scope,
        stack: Stack,
        definition: Definition,
        on_failure: OnFailure,
        token: str | None,
        *,
        policy: str | None = None,
        during: str | None = None,
        change_set: ChangeSet | None = None,
    ) -> None:
        """Write the beginning of an update, if the stack can still be updated."""

        async def body(tx: Tx) -> None:
            rows = Rows(tx)
            current = await read_stack(tx, scope, stack.id)
            check_updatable(current)
            operation = Operation(
                id=self.kit.ids.uuid(),
                stack_id=stack.id,
                kind=Kind.UPDATE,
                phase=Phase.APPLY,
                started=self.kit.clock.millis(),
                previous=current.definition,
                on_failure=on_failure,
                token=token,
                policy=during or current.policy,
            )
            updated = replace(
                current,
                status=StackStatus.UPDATE_IN_PROGRESS,
                reason=INITIATED_BY_USER,
                definition=definition,
                updated=self.kit.clock.millis(),
                policy=policy or current.policy,
                disable_rollback=on_failure is OnFailure.DO_NOTHING,
                change_set_id=None if change_set is None else change_set.id,
            )
            if change_set is not None:
                await rows.execute_change_set(change_set)
            await self._begin(rows, updated, operation, INITIATED_BY_USER)

        await self.kit.storage.transact(body)

    async def delete_stack(self, call: Call, request: DeleteStackInputTypeDef) -> Reply:
        """Begin to delete a stack; one that does not exist is deleted."""
        refuse_lacking(request, "DeleteStack", "DeploymentConfig")
        name = request["StackName"]
        stack = await self.kit.storage.read(lambda tx: Rows(tx).stack(call.scope, name))
        if stack is None or not stack.live:
            return {}
        retain = tuple(request.get("RetainResources", ()))
        force = request.get("DeletionMode") == "FORCE_DELETE_STACK"

        async def body(tx: Tx) -> bool:
            rows = Rows(tx)
            current = await rows.stack_by_id(stack.id)
            if current is None or not current.live or current.status is StackStatus.DELETE_IN_PROGRESS:
                return False
            resources = await rows.resources(current.id)
            self._check_deletable(current, resources, retain, force=force)
            await self._check_exports(rows, call.scope, current)
            if current.status is StackStatus.REVIEW_IN_PROGRESS:
                gone = replace(
                    current, status=StackStatus.DELETE_COMPLETE, deleted=self.kit.clock.millis(), reason=None
                )
                await rows.put_stack(gone)
                await rows.retire_change_sets(current.id)
                await add_events(self.kit, rows, gone, [stack_event(gone, gone.status)], None)
                return False
            operation = Operation(
                id=self.kit.ids.uuid(),
                stack_id=current.id,
                kind=Kind.DELETE,
                phase=Phase.DELETE,
                started=self.kit.clock.millis(),
                retain=self._stuck(resources) if force else retain,
                token=request.get("ClientRequestToken"),
            )
            deleting = replace(current, status=StackStatus.DELETE_IN_PROGRESS, reason=INITIATED_BY_USER)
            await self._begin(rows, deleting, operation, INITIATED_BY_USER)
            return True

        if await self.kit.storage.transact(body):
            await self._settled(stack.id)
        return {}

    @staticmethod
    def _stuck(resources: dict[str, Resource]) -> tuple[str, ...]:
        return tuple(name for name, resource in resources.items() if resource.status == "DELETE_FAILED")

    @staticmethod
    def _check_deletable(stack: Stack, resources: dict[str, Resource], retain: tuple[str, ...], *, force: bool) -> None:
        if stack.protected:
            raise StackValidationError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        if stack.status.in_progress and stack.status is not StackStatus.CREATE_IN_PROGRESS:
            raise StackValidationError(f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
        if (retain or force) and stack.status is not StackStatus.DELETE_FAILED:
            raise StackValidationError(
                f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which resources to "
                "retain only when the stack is in the DELETE_FAILED state."
            )
        unknown = [name for name in retain if name not in resources]
        if unknown:
            raise StackValidationError(
                f"Invalid operation on stack [{stack.id}]. Resources [{', '.join(unknown)}] do not exist in the stack"
            )

    @staticmethod
    async def _check_exports(rows: Rows, scope: Scope, stack: Stack) -> None:
        for export in await rows.exports(scope):
            if export.stack_id != stack.id:
                continue
            importers = await rows.importers(scope, export.name)
            if importers:
                raise StackValidationError(
                    f"Export {export.name} cannot be deleted as it is in use by {' and '.join(importers)}"
                )

    async def cancel_update_stack(self, call: Call, request: CancelUpdateStackInputTypeDef) -> Reply:
        """Stop an update and roll it back."""

        async def body(tx: Tx) -> None:
            rows = Rows(tx)
            stack = await read_stack(tx, call.scope, request["StackName"])
            operation = await rows.operation(stack.id)
            if stack.status is not StackStatus.UPDATE_IN_PROGRESS or operation is None:
                raise StackValidationError("CancelUpdateStack cannot be called from current stack status")
            await rows.put_operation(replace(operation, cancelled=True))

        await self.kit.storage.transact(body)
        return {}

    async def continue_update_rollback(self, call: Call, request: ContinueUpdateRollbackInputTypeDef) -> Reply:
        """Try again to roll back an update whose rollback failed, skipping what cannot be restored."""
        stack = await self._stack(call.scope, request["StackName"])
        skip = tuple(request.get("ResourcesToSkip", ()))

        async def body(tx: Tx) -> None:
            rows = Rows(tx)
            current = await read_stack(tx, call.scope, stack.id)
            operation = await rows.operation(stack.id)
            if current.status is not StackStatus.UPDATE_ROLLBACK_FAILED or operation is None:
                raise StackValidationError(
                    f"Stack:{stack.id} is in {current.status} state and can not continue to roll back its update."
                )
            failed = {n for n, r in (await rows.resources(stack.id)).items() if r.status == "UPDATE_FAILED"}
            strange = [name for name in skip if name not in failed]
            if strange:
                raise StackValidationError(
                    f"Resources [{', '.join(strange)}] cannot be skipped: only resources in UPDATE_FAILED state can"
                )
            going = replace(current, status=StackStatus.UPDATE_ROLLBACK_IN_PROGRESS, reason=INITIATED_BY_USER)
            await self._begin(rows, going, replace(operation, skip=skip), INITIATED_BY_USER)

        await self.kit.storage.transact(body)
        await self._settled(stack.id)
        return {}

    async def update_termination_protection(
        self, call: Call, request: UpdateTerminationProtectionInputTypeDef
    ) -> Reply:
        """Protect a stack from deletion, or no longer."""

        async def body(tx: Tx) -> str:
            stack = await read_stack(tx, call.scope, request["StackName"])
            if not stack.live or stack.status is StackStatus.DELETE_IN_PROGRESS:
                raise stack_not_found(request["StackName"])
            await Rows(tx).put_stack(replace(stack, protected=request["EnableTerminationProtection"]))
            return stack.id

        return {"StackId": await self.kit.storage.transact(body)}

    async def set_stack_policy(self, call: Call, request: SetStackPolicyInputTypeDef) -> Reply:
        """Give a stack a policy; updates are held against it."""
        if "StackPolicyBody" in request and "StackPolicyURL" in request:
            raise StackValidationError("You cannot specify both StackPolicyURL and StackPolicyBody")
        refuse_lacking(request, "SetStackPolicy", "StackPolicyURL")
        if "StackPolicyBody" not in request:
            raise StackValidationError("You must specify either the StackPolicyBody or the StackPolicyURL parameter")
        policy = check_policy(request["StackPolicyBody"])

        async def body(tx: Tx) -> None:
            stack = await read_stack(tx, call.scope, request["StackName"])
            await Rows(tx).put_stack(replace(stack, policy=policy))

        await self.kit.storage.transact(body)
        return {}


def check_updatable(stack: Stack) -> None:
    """Whether a stack's state allows an update."""
    if stack.status not in UPDATABLE:
        raise StackValidationError(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def refuse_new_types(rows: dict[str, Resource], types: dict[str, str]) -> None:
    """A resource keeps its type for as long as it keeps its logical id."""
    changed = [name for name, row in rows.items() if row.standing is not None and types.get(name, row.type) != row.type]
    if changed:
        raise StackValidationError(
            "Update of resource type is not permitted. The new template modifies resource type of the following "
            f"resources: [{', '.join(sorted(changed))}]"
        )


def opening_event(stack: Stack) -> Event:
    """The first line of a stack that waits for its change set to be reviewed."""
    return Event(stack.name, stack.id, STACK, StackStatus.REVIEW_IN_PROGRESS, INITIATED_BY_USER)
