"""An operation's journal: what is known of a stack while it changes, in memory and, always first, in the tables."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.services.cloudformation._notices import notice
from fogbank.services.cloudformation.engine import StackIdentity, Standing
from fogbank.services.cloudformation.model import (
    STACK,
    Definition,
    Event,
    Operation,
    Resource,
    Snapshot,
    Stack,
    StackStatus,
)
from fogbank.services.cloudformation.storage import Rows
from fogbank.services.kit import Kit
from fogbank.storage import Tx

T = TypeVar("T")


class SupersededError(Exception):
    """The operation is no longer the stack's: another took its place, or everything was reset."""


def topic(stack_id: str) -> str:
    """What is woken when a stack's operation has ended."""
    return f"cloudformation/{stack_id}"


def event_id(kit: Kit, event: Event, millis: int) -> str:
    """An event's id in CloudFormation's form: a UUID for the stack, name, status and time for a resource."""
    if event.type == STACK and event.physical_id.startswith("arn:"):
        return kit.ids.uuid()
    moment = datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return f"{event.logical_id}-{event.status}-{moment}"


async def add_events(kit: Kit, rows: Rows, stack: Stack, events: Sequence[Event], token: str | None) -> None:
    """Append events to a stack's history within a transaction, and tell its topics of them."""
    now = kit.clock.millis()
    for event in events:
        told, name = replace(event, token=event.token or token), event_id(kit, event, now)
        await rows.add_event(stack.id, name, now, told)
        for target in stack.definition.notified:
            await kit.delivery.enqueue(rows.tx, notice(stack, told, name, now, target, Trace.begin(kit.clock, kit.ids)))


def stack_event(stack: Stack, status: StackStatus, reason: str | None = None) -> Event:
    """The stack's own line in its history."""
    return Event(stack.name, stack.id, STACK, status, reason)


def resource_event(
    resource: Resource, status: str, reason: str | None = None, snapshot: Snapshot | None = None
) -> Event:
    """A resource's line in its stack's history."""
    shown = snapshot or resource.target or resource.standing
    return Event(
        resource.logical_id,
        (snapshot.physical_id if snapshot is not None else resource.physical_id),
        shown.type if shown is not None else resource.type,
        status,
        reason,
        None if shown is None else json.dumps(dict(shown.properties), separators=(",", ":"), ensure_ascii=False),
    )


class Journal:
    """One operation of one stack. Only the task that runs the operation writes through it."""

    def __init__(self, kit: Kit, stack: Stack, operation: Operation, resources: dict[str, Resource]) -> None:
        self._kit = kit
        self.stack = stack
        self.operation = operation
        self.resources = resources
        self.superseded = False

    @classmethod
    async def load(cls, kit: Kit, stack_id: str) -> Journal | None:
        """The journal of the stack's operation, if there is one under way."""

        async def body(tx: Tx) -> Journal | None:
            rows = Rows(tx)
            operation = await rows.operation(stack_id)
            stack = await rows.stack_by_id(stack_id)
            if operation is None or stack is None or not stack.status.in_progress:
                return None
            return cls(kit, stack, operation, await rows.resources(stack_id))

        return await kit.storage.read(body)

    @property
    def scope(self) -> Scope:
        """The stack's account and region."""
        return Scope(self.stack.account, self.stack.region)

    @property
    def identity(self) -> StackIdentity:
        """The stack as the template engine knows it."""
        definition = self.stack.definition
        return StackIdentity(self.scope, self.stack.id, self.stack.name, definition.tags, definition.notified)

    def standing(self) -> Mapping[str, Standing]:
        """What stands, by logical id."""
        return {
            name: resource.standing.standing
            for name, resource in self.resources.items()
            if resource.standing is not None
        }

    async def write(self, resource: Resource, *events: Event, begins: bool = False) -> None:
        """Write a resource's row and its events.

        A step may only begin while the operation is the stack's; what has been done is written down in any case.
        """

        async def body(tx: Tx) -> Operation | None:
            rows = Rows(tx)
            current = await rows.operation(self.stack.id)
            if current is None or (begins and (current.id != self.operation.id or current.cancelled)):
                return current
            await rows.put_resource(self.stack.id, resource)
            await add_events(self._kit, rows, self.stack, events, self.operation.token)
            return self.operation

        current = await self._kit.storage.transact(body)
        if current is not self.operation:
            if current is not None and current.id == self.operation.id:
                self.operation = current  # it was cancelled
            else:
                self.superseded = True
            raise SupersededError(self.stack.id)
        self.resources[resource.logical_id] = resource

    async def answer(self, token: str) -> str | None:
        """What was answered to a step, if anything was."""
        return await self._kit.storage.read(lambda tx: Rows(tx).answer(token))

    async def drop_answer(self, token: str) -> None:
        """Forget what was answered to a step that has ended."""
        if await self.answer(token) is not None:
            await self._kit.storage.transact(lambda tx: Rows(tx).delete_answer(token))

    async def forget(self, logical_id: str, *events: Event) -> None:
        """Delete a resource's row."""

        async def body(tx: Tx) -> None:
            rows = Rows(tx)
            await rows.delete_resource(self.stack.id, logical_id)
            await add_events(self._kit, rows, self.stack, events, self.operation.token)

        await self._kit.storage.transact(body)
        self.resources.pop(logical_id, None)

    async def move(
        self,
        status: StackStatus,
        operation: Operation | None,
        *,
        reason: str | None = None,
        event_reason: str | None = None,
        definition: Definition | None = None,
        then: Callable[[Rows, Stack], Awaitable[Stack]] | None = None,
    ) -> None:
        """Bring stack and operation to their next state at once; `operation` is `None` when it has ended.

        `then` does what else belongs to the transaction and gives the stack as it shall be written.
        """

        async def body(tx: Tx) -> Stack | None:
            rows = Rows(tx)
            current = await rows.operation(self.stack.id)
            if current is None or current.id != self.operation.id:
                return None
            stack = replace(self.stack, status=status, reason=reason, definition=definition or self.stack.definition)
            if status is StackStatus.DELETE_COMPLETE:
                stack = replace(stack, deleted=self._kit.clock.millis())
            if then is not None:
                stack = await then(rows, stack)
            await rows.put_stack(stack)
            shown = stack_event(stack, status, event_reason if event_reason is not None else reason)
            await add_events(self._kit, rows, stack, [shown], self.operation.token)
            if operation is None:
                await rows.delete_operation(stack.id)
                if stack.change_set_id is not None:
                    complete = status in (StackStatus.CREATE_COMPLETE, StackStatus.UPDATE_COMPLETE)
                    await rows.end_execution(stack.change_set_id, complete=complete)
            else:
                await rows.put_operation(operation)
            if not status.in_progress:
                tx.wake(topic(stack.id))
            return stack

        written = await self._kit.storage.transact(body)
        if written is None:
            self.superseded = True
            raise SupersededError(self.stack.id)
        self.stack = written
        if operation is not None:
            self.operation = operation
