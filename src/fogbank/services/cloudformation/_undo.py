"""Deleting, cleaning up and rolling back: what takes a stack's resources away or back."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace

from fogbank.core import faults
from fogbank.core.errors import ApiError
from fogbank.services.cloudformation._deploy import failure_text
from fogbank.services.cloudformation._journal import Journal, SupersededError, resource_event
from fogbank.services.cloudformation._walk import walk
from fogbank.services.cloudformation.engine import Step, TemplateEngine
from fogbank.services.cloudformation.model import (
    Action,
    Operation,
    Resource,
    Snapshot,
    Stage,
    is_there,
    removed,
    restored,
)
from fogbank.services.kit import Kit

_log = logging.getLogger("fogbank.cloudformation")


def users(resources: Iterable[Resource]) -> dict[str, frozenset[str]]:
    """For each resource those that need it: they go first."""
    found = {resource.logical_id: set[str]() for resource in resources}
    for resource in resources:
        for need in resource.needs:
            if need in found:
                found[need].add(resource.logical_id)
    return {name: frozenset(needing) for name, needing in found.items()}


class Undoer:
    """Takes resources away, or back to what they were. One for each run of an operation."""

    def __init__(self, kit: Kit, engine: TemplateEngine, journal: Journal, running: Callable[[], bool]) -> None:
        self._kit = kit
        self._engine = engine
        self._journal = journal
        self._running = running
        self.failures: list[str] = []

    def _halted(self) -> bool:
        return self._journal.superseded or not self._running()

    async def delete_all(self) -> None:
        """Delete every resource of the stack, users before what they use. `failures` names those that stay."""
        there = [resource for resource in self._journal.resources.values() if is_there(resource)]
        await walk(users(there), self._guarded(self._delete_one), self._halted)

    async def _delete_one(self, logical_id: str) -> bool:
        resource = self._journal.resources[logical_id]
        now = self._kit.clock.millis()
        if self._retained(resource):
            await self._journal.write(
                removed(resource, "DELETE_SKIPPED", now), resource_event(resource, "DELETE_SKIPPED")
            )
            return True
        begun = resource
        if resource.status != "DELETE_IN_PROGRESS":
            token = self._kit.ids.uuid()
            begun = replace(resource, status="DELETE_IN_PROGRESS", updated=now, reason=None, token=token)
            await self._journal.write(begun, resource_event(begun, begun.status))
        snapshots = [s for s in (resource.standing or resource.target, *resource.garbage) if s is not None]
        for snapshot in snapshots:
            reason = await self._delete(begun, snapshot, begun.token)
            if reason is not None:
                failed = replace(begun, status="DELETE_FAILED", reason=reason)
                await self._journal.write(failed, resource_event(failed, failed.status, reason))
                self.failures.append(logical_id)
                return False
        gone = resource_event(begun, "DELETE_COMPLETE")
        await self._journal.write(removed(begun, "DELETE_COMPLETE", self._kit.clock.millis()), gone)
        return True

    def _retained(self, resource: Resource) -> bool:
        operation = self._journal.operation
        if operation.rolling_back:
            return resource.retain_on_create_failure and resource.standing is not None
        return resource.retain_on_delete or resource.logical_id in operation.retain

    async def _delete(self, resource: Resource, snapshot: Snapshot, token: str) -> str | None:
        """Delete one physical resource; the reason if that fails."""
        step = Step(
            stack=self._journal.identity,
            logical_id=resource.logical_id,
            type=snapshot.type,
            properties=snapshot.properties,
            token=token,
            name=snapshot.name,
            physical_id=snapshot.physical_id or None,
            resuming=True,
            answer=await self._journal.answer(token),
        )
        faults.point("cloudformation.before-step")
        try:
            await self._engine.delete(step)
        except ApiError as error:
            return failure_text(error, token)
        except Exception as error:  # noqa: BLE001 - a worker: a defect in a resource type must fail its stack, not hang it
            _log.exception("%s: deleting %s failed", self._journal.stack.id, resource.logical_id)
            return f"Internal Failure ({type(error).__name__}: {error})"
        faults.point("cloudformation.after-step")
        await self._journal.drop_answer(token)
        return None

    async def clean_up(self) -> None:
        """After an update or its rollback: delete what was replaced, removed, or made in vain.

        A failure here is an event and no more.
        """
        targets = {
            resource.logical_id: resource
            for resource in self._journal.resources.values()
            if resource.garbage or self._leaves(resource)
        }
        await walk(users(targets.values()), self._guarded(self._clean_one), self._halted)

    def _leaves(self, resource: Resource) -> bool:
        operation = self._journal.operation
        wanted = Action.CREATE if operation.rolling_back else Action.REMOVE
        return resource.operation == operation.id and resource.action is wanted and resource.stage is not None

    async def _clean_one(self, logical_id: str) -> bool:
        resource = self._journal.resources[logical_id]
        for snapshot in resource.garbage:
            await self._clean_snapshot(resource, snapshot, retained=resource.retain_on_replace)
        if self._leaves(resource):
            there = resource.standing or (resource.target if resource.attempted else None)
            retained = resource.retain_on_delete and not self._journal.operation.rolling_back
            if there is not None:
                await self._clean_snapshot(resource, there, retained=retained)
            await self._journal.forget(logical_id)
        else:
            await self._journal.write(replace(resource, garbage=()))
        return True

    async def _clean_snapshot(self, resource: Resource, snapshot: Snapshot, *, retained: bool) -> None:
        rolling_back = self._journal.operation.rolling_back
        if retained and not rolling_back:
            await self._journal.write(resource, resource_event(resource, "DELETE_SKIPPED", None, snapshot))
            return
        await self._journal.write(resource, resource_event(resource, "DELETE_IN_PROGRESS", None, snapshot))
        reason = await self._delete(resource, snapshot, self._kit.ids.uuid())
        status = "DELETE_COMPLETE" if reason is None else "DELETE_FAILED"
        await self._journal.write(resource, resource_event(resource, status, reason, snapshot))

    async def restore(self) -> None:
        """Bring every resource that an update changed back to what it was."""
        operation = self._journal.operation
        touched = {
            name: resource
            for name, resource in self._journal.resources.items()
            if resource.touched_by(operation) and resource.action in (Action.UPDATE, Action.REPLACE)
        }
        needs: Mapping[str, frozenset[str]] = {
            name: frozenset(resource.needs) & touched.keys() for name, resource in touched.items()
        }
        await walk(needs, self._guarded(self._restore_one), self._halted)

    async def _restore_one(self, logical_id: str) -> bool:
        resource = self._journal.resources[logical_id]
        operation: Operation = self._journal.operation
        before = resource.before
        if before is None or not resource.attempted or logical_id in operation.skip:
            await self._journal.write(restored(resource, self._kit.clock.millis()))
            return True
        begun = replace(resource, status="UPDATE_IN_PROGRESS", updated=self._kit.clock.millis())
        await self._journal.write(begun, resource_event(begun, begun.status, None, before))
        if resource.action is Action.UPDATE:
            reason = await self._update_back(resource, before)
            if reason is not None:
                failed = replace(begun, status="UPDATE_FAILED", reason=reason)
                await self._journal.write(failed, resource_event(failed, failed.status, reason, before))
                self.failures.append(logical_id)
                return False
        back = restored(begun, self._kit.clock.millis())
        await self._journal.write(back, resource_event(back, back.status, None, before))
        return True

    async def _update_back(self, resource: Resource, before: Snapshot) -> str | None:
        changed = resource.standing if resource.stage is Stage.DONE else resource.target
        token = self._kit.ids.uuid()
        step = Step(
            stack=self._journal.identity,
            logical_id=resource.logical_id,
            type=before.type,
            properties=before.properties,
            token=token,
            name=before.name,
            physical_id=(changed.physical_id if changed is not None else "") or before.physical_id,
            previous=changed.properties if changed is not None else {},
            attributes=before.attributes,
            resuming=True,
        )
        try:
            await self._engine.update(step)
        except ApiError as error:
            return failure_text(error, token)
        except Exception as error:  # noqa: BLE001 - a worker: a defect in a resource type must fail its stack, not hang it
            _log.exception("%s: restoring %s failed", self._journal.stack.id, resource.logical_id)
            return f"Internal Failure ({type(error).__name__}: {error})"
        return None

    def _guarded(self, visit: Callable[[str], Awaitable[bool]]) -> Callable[[str], Awaitable[bool]]:
        async def guarded(logical_id: str) -> bool:
            try:
                return await visit(logical_id)
            except SupersededError:
                return False

        return guarded
