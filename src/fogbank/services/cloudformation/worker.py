"""What CloudFormation does on its own: it carries out operations, and goes on with them after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from fogbank.core.errors import ApiError
from fogbank.core.lifecycle import Actor
from fogbank.core.scope import Scope
from fogbank.services.cloudformation._deploy import Deployer
from fogbank.services.cloudformation._journal import Journal, SupersededError
from fogbank.services.cloudformation._policy import denied
from fogbank.services.cloudformation._undo import Undoer
from fogbank.services.cloudformation.engine import Deployment, OutputValue, TemplateEngine
from fogbank.services.cloudformation.model import (
    Action,
    Definition,
    Kind,
    OnFailure,
    Phase,
    Resource,
    Stack,
    StackStatus,
    Stage,
    failure_reason,
)
from fogbank.services.cloudformation.storage import Rows
from fogbank.services.kit import Kit


class Worker(Actor):
    """Runs one task for each stack with an operation under way."""

    def __init__(self, kit: Kit) -> None:
        super().__init__()
        self._kit = kit
        self.engine: TemplateEngine | None = None
        self._runs: dict[str, asyncio.Task[None]] = {}

    async def on_start(self) -> None:
        """Go on with what an earlier process had under way."""
        for stack_id in await self._kit.storage.read(lambda tx: Rows(tx).stacks_in_operation()):
            self.work(stack_id)

    async def on_stop(self) -> None:
        """Finish the steps under way; what is left of the operations is for the next start."""
        await asyncio.gather(*self._runs.values(), return_exceptions=True)

    async def drop(self) -> None:
        """End every run at once: the tables were emptied."""
        runs = list(self._runs.values())
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)

    def work(self, stack_id: str) -> None:
        """See to a stack's operation; a run that is under way comes to it by itself."""
        if stack_id in self._runs or self.engine is None:
            return
        task = self.spawn(self._run(stack_id, self.engine), name=f"cloudformation {stack_id}")
        self._runs[stack_id] = task

    async def _run(self, stack_id: str, engine: TemplateEngine) -> None:
        try:
            while self.running:
                journal = await Journal.load(self._kit, stack_id)
                if journal is None:
                    return
                try:
                    await Run(self._kit, engine, journal, self).advance()
                except SupersededError:
                    continue
        finally:
            self._runs.pop(stack_id, None)


class Run:
    """One phase of one operation, from where its journal says it is."""

    def __init__(self, kit: Kit, engine: TemplateEngine, journal: Journal, worker: Actor) -> None:
        self._kit = kit
        self._engine = engine
        self._journal = journal
        self._worker = worker

    def _running(self) -> bool:
        return self._worker.running

    async def advance(self) -> None:
        """Carry out the phase and move to the next; a stop of the server leaves it to the next start."""
        match self._journal.operation.phase:
            case Phase.APPLY:
                await self._apply()
            case Phase.ROLLBACK:
                await self._roll_back()
            case Phase.CLEANUP:
                await self._clean_up()
            case Phase.DELETE:
                await self._delete()

    async def _apply(self) -> None:
        journal = self._journal
        definition = journal.stack.definition
        if definition.failure is not None:
            await self._give_up(definition.failure + self._rollback_note())
            return
        try:
            deployment = await self._engine.open(journal.identity, definition.processed, definition.parameters)
        except ApiError as error:
            await self._give_up(error.message + self._rollback_note())
            return
        deployer = Deployer(self._kit, self._engine, journal, deployment, self._running)
        await deployer.run()
        if journal.superseded:
            raise SupersededError(journal.stack.id)
        if journal.operation.cancelled:
            await self._give_up("User Initiated")
        elif deployer.failed or any(self._failed(r) for r in journal.resources.values()):
            await self._give_up(failure_reason(journal.resources.values(), journal.operation) + self._requested())
        elif deployer.timed_out and not self._all_done(deployment):
            await self._give_up("Stack creation time exceeded the specified timeout. Rollback requested by user.")
        elif self._all_done(deployment):
            await self._conclude(deployment)

    def _failed(self, resource: Resource) -> bool:
        return resource.touched_by(self._journal.operation) and resource.stage is Stage.FAILED

    def _all_done(self, deployment: Deployment) -> bool:
        rows = self._journal.resources
        return all(
            name in rows and rows[name].touched_by(self._journal.operation) and rows[name].stage is Stage.DONE
            for name in deployment.resources
        )

    def _requested(self) -> str:
        """What follows a creation's reason when it is rolled back."""
        operation = self._journal.operation
        if operation.kind is Kind.CREATE and operation.on_failure is not OnFailure.DO_NOTHING:
            return "Rollback requested by user."
        return ""

    def _rollback_note(self) -> str:
        note = self._requested()
        return f" {note}" if note else ""

    # -- a deployment that stands

    async def _conclude(self, deployment: Deployment) -> None:
        journal = self._journal
        try:
            outputs = await deployment.outputs(journal.standing())
            self._refuse_denied_removals(deployment)
        except ApiError as error:
            await self._give_up(error.message + self._rollback_note())
            return
        updating = journal.operation.kind is Kind.UPDATE
        conflict: list[str] = []

        async def then(rows: Rows, stack: Stack) -> Stack:
            problem = await self._export(rows, outputs, stack)
            if problem is not None:
                conflict.append(problem)
                raise _ConflictError
            await rows.replace_imports(journal.scope, stack.id, stack.definition.imports)
            for name, resource in journal.resources.items():
                row = replace(resource, before=None)
                if name not in deployment.resources:
                    row = replace(row, operation=journal.operation.id, stage=Stage.DONE, action=Action.REMOVE)
                await rows.put_resource(stack.id, row)
            return replace(stack, outputs=tuple(outputs))

        try:
            if updating:
                cleaning = replace(journal.operation, phase=Phase.CLEANUP)
                await journal.move(StackStatus.UPDATE_COMPLETE_CLEANUP_IN_PROGRESS, cleaning, then=then)
            else:
                await journal.move(StackStatus.CREATE_COMPLETE, None, then=then)
        except _ConflictError:
            await self._give_up(conflict[0] + self._rollback_note())

    def _refuse_denied_removals(self, deployment: Deployment) -> None:
        operation = self._journal.operation
        for name, resource in self._journal.resources.items():
            if name not in deployment.resources and resource.standing is not None:
                denial = denied(operation.policy, name, resource.type, Action.REMOVE)
                if denial is not None:
                    raise _DeniedError(denial.message)

    async def _export(self, rows: Rows, outputs: list[OutputValue], stack: Stack) -> str | None:
        """Write the exports; what is wrong with them, if they cannot be."""
        scope = self._journal.scope
        wanted: dict[str, str] = {}
        for output in outputs:
            if output.export is None:
                continue
            there = await rows.export(scope, output.export)
            if output.export in wanted or (there is not None and there.stack_id != stack.id):
                owner = await rows.stack_by_id(there.stack_id) if there is not None else stack
                return f"Export with name {output.export} is already exported by stack {owner.name if owner else ''}."
            wanted[output.export] = output.value
        problem = await self._changed_in_use(rows, scope, wanted, stack)
        if problem is None:
            await rows.replace_exports(scope, stack.id, wanted)
        return problem

    @staticmethod
    async def _changed_in_use(rows: Rows, scope: Scope, wanted: Mapping[str, str], stack: Stack) -> str | None:
        for export in await rows.exports(scope):
            if export.stack_id != stack.id or wanted.get(export.name) == export.value:
                continue
            importers = await rows.importers(scope, export.name)
            if importers:
                verb = "updated" if export.name in wanted else "deleted"
                return f"Export {export.name} cannot be {verb} as it is in use by {' and '.join(importers)}"
        return None

    # -- a deployment that does not

    async def _give_up(self, reason: str) -> None:
        journal = self._journal
        operation = journal.operation
        if operation.kind is Kind.UPDATE:
            if operation.on_failure is OnFailure.DO_NOTHING and not operation.cancelled:
                await journal.move(StackStatus.UPDATE_FAILED, None, reason=reason)
                return
            back = replace(operation, phase=Phase.ROLLBACK, rolling_back=True, cancelled=False)
            await journal.move(StackStatus.UPDATE_ROLLBACK_IN_PROGRESS, back, reason=reason)
            return
        match operation.on_failure:
            case OnFailure.DO_NOTHING:
                await journal.move(StackStatus.CREATE_FAILED, None, reason=reason)
            case OnFailure.ROLLBACK:
                back = replace(operation, phase=Phase.DELETE, rolling_back=True)
                await journal.move(StackStatus.ROLLBACK_IN_PROGRESS, back, reason=reason)
            case OnFailure.DELETE:
                back = replace(operation, phase=Phase.DELETE, rolling_back=False)
                await journal.move(StackStatus.DELETE_IN_PROGRESS, back, reason=reason)

    async def _roll_back(self) -> None:
        journal = self._journal
        undoer = Undoer(self._kit, self._engine, journal, self._running)
        await undoer.restore()
        if undoer.failures:
            reason = f"The following resource(s) failed to update: [{', '.join(sorted(undoer.failures))}]. "
            await journal.move(StackStatus.UPDATE_ROLLBACK_FAILED, journal.operation, reason=reason)
            raise SupersededError(journal.stack.id)
        if not self._running():
            return
        previous: Definition = journal.operation.previous or journal.stack.definition
        cleaning = replace(journal.operation, phase=Phase.CLEANUP)
        await journal.move(
            StackStatus.UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS,
            cleaning,
            reason=journal.stack.reason,
            event_reason="",
            definition=previous,
        )

    async def _clean_up(self) -> None:
        journal = self._journal
        undoer = Undoer(self._kit, self._engine, journal, self._running)
        await undoer.clean_up()
        if not self._running():
            return
        if journal.operation.rolling_back:
            await journal.move(StackStatus.UPDATE_ROLLBACK_COMPLETE, None, reason=journal.stack.reason, event_reason="")
        else:
            await journal.move(StackStatus.UPDATE_COMPLETE, None)

    async def _delete(self) -> None:
        journal = self._journal
        undoer = Undoer(self._kit, self._engine, journal, self._running)
        await undoer.delete_all()
        if journal.superseded:
            raise SupersededError(journal.stack.id)
        if undoer.failures:
            status = StackStatus.ROLLBACK_FAILED if journal.operation.rolling_back else StackStatus.DELETE_FAILED
            reason = f"The following resource(s) failed to delete: [{', '.join(sorted(undoer.failures))}]. "
            await journal.move(status, None, reason=reason)
        elif not self._running():
            return
        elif journal.operation.rolling_back:
            await journal.move(StackStatus.ROLLBACK_COMPLETE, None, reason=journal.stack.reason, event_reason="")
        else:
            await journal.move(StackStatus.DELETE_COMPLETE, None, then=self._forget)

    async def _forget(self, rows: Rows, stack: Stack) -> Stack:
        """A deleted stack exports and imports nothing, and its change sets can no longer be executed."""
        await rows.replace_exports(self._journal.scope, stack.id, {})
        await rows.replace_imports(self._journal.scope, stack.id, ())
        await rows.retire_change_sets(stack.id)
        return stack


class _ConflictError(Exception):
    """The exports of a deployment collide with others."""


class _DeniedError(ApiError):
    """The stack policy forbids it."""

    code = "ValidationError"
