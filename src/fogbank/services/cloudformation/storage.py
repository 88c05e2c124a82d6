"""CloudFormation's rows. Documents are JSON of the values in `model`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.cloudformation.model import (
    EXECUTED,
    ChangeSet,
    Event,
    ExecutionStatus,
    Operation,
    Resource,
    Stack,
)
from fogbank.storage import Tx

_PUT_STACK = """
INSERT INTO cloudformation_stacks (id, account, region, name, live, created, document)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET live = excluded.live, document = excluded.document
"""
_STACK_BY_ID = "SELECT document FROM cloudformation_stacks WHERE id = $1"
_STACK_BY_NAME = """
SELECT document FROM cloudformation_stacks WHERE account = $1 AND region = $2 AND name = $3 AND live = 1
"""
_LIVE_STACKS = """
SELECT document FROM cloudformation_stacks
WHERE account = $1 AND region = $2 AND live = 1 ORDER BY created DESC, id
"""
_ALL_STACKS = """
SELECT document FROM cloudformation_stacks
WHERE account = $1 AND region = $2 AND created >= $3 ORDER BY created DESC, id
"""
_PUT_RESOURCE = """
INSERT INTO cloudformation_resources (stack_id, logical_id, physical_id, document) VALUES ($1, $2, $3, $4)
ON CONFLICT (stack_id, logical_id) DO UPDATE SET physical_id = excluded.physical_id, document = excluded.document
"""
_DELETE_RESOURCE = "DELETE FROM cloudformation_resources WHERE stack_id = $1 AND logical_id = $2"
_RESOURCES = "SELECT document FROM cloudformation_resources WHERE stack_id = $1 ORDER BY logical_id"
_STACKS_BY_PHYSICAL = """
SELECT s.document FROM cloudformation_resources r JOIN cloudformation_stacks s ON s.id = r.stack_id
WHERE r.physical_id = $1 AND s.account = $2 AND s.region = $3 AND s.live = 1
"""
_PUT_OPERATION = """
INSERT INTO cloudformation_operations (stack_id, id, document) VALUES ($1, $2, $3)
ON CONFLICT (stack_id) DO UPDATE SET id = excluded.id, document = excluded.document
"""
_OPERATION = "SELECT document FROM cloudformation_operations WHERE stack_id = $1"
_OPERATIONS = "SELECT stack_id FROM cloudformation_operations ORDER BY stack_id"
_DELETE_OPERATION = "DELETE FROM cloudformation_operations WHERE stack_id = $1"
_ADD_EVENT = "INSERT INTO cloudformation_events (stack_id, event_id, time, document) VALUES ($1, $2, $3, $4)"
_EVENTS = """
SELECT id, event_id, time, document FROM cloudformation_events
WHERE stack_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
"""
_PUT_CHANGE_SET = """
INSERT INTO cloudformation_change_sets (id, stack_id, name, created, document) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET document = excluded.document
"""
_CHANGE_SET_BY_ID = "SELECT document FROM cloudformation_change_sets WHERE id = $1"
_CHANGE_SET_BY_NAME = "SELECT document FROM cloudformation_change_sets WHERE stack_id = $1 AND name = $2"
_CHANGE_SETS = "SELECT document FROM cloudformation_change_sets WHERE stack_id = $1 ORDER BY created, id"
_DELETE_CHANGE_SET = "DELETE FROM cloudformation_change_sets WHERE id = $1"
_DELETE_OTHER_CHANGE_SETS = "DELETE FROM cloudformation_change_sets WHERE stack_id = $1 AND id <> $2"
_PUT_EXPORT = "INSERT INTO cloudformation_exports (account, region, name, value, stack_id) VALUES ($1, $2, $3, $4, $5)"
_DELETE_EXPORTS = "DELETE FROM cloudformation_exports WHERE stack_id = $1"
_EXPORT = "SELECT value, stack_id FROM cloudformation_exports WHERE account = $1 AND region = $2 AND name = $3"
_EXPORTS = """
SELECT name, value, stack_id FROM cloudformation_exports WHERE account = $1 AND region = $2 ORDER BY name
"""
_PUT_IMPORT = """
INSERT INTO cloudformation_imports (stack_id, account, region, name) VALUES ($1, $2, $3, $4)
ON CONFLICT (stack_id, name) DO NOTHING
"""
_DELETE_IMPORTS = "DELETE FROM cloudformation_imports WHERE stack_id = $1"
_IMPORTERS = """
SELECT s.name FROM cloudformation_imports i JOIN cloudformation_stacks s ON s.id = i.stack_id
WHERE i.account = $1 AND i.region = $2 AND i.name = $3 ORDER BY s.name
"""

_PUT_ANSWER = """
INSERT INTO cloudformation_answers (token, body) VALUES ($1, $2)
ON CONFLICT (token) DO UPDATE SET body = excluded.body
"""
_ANSWER = "SELECT body FROM cloudformation_answers WHERE token = $1"
_DELETE_ANSWER = "DELETE FROM cloudformation_answers WHERE token = $1"

_stack = msgspec.json.Decoder(Stack)
_resource = msgspec.json.Decoder(Resource)
_operation = msgspec.json.Decoder(Operation)
_event = msgspec.json.Decoder(Event)
_change_set = msgspec.json.Decoder(ChangeSet)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the history: `number` grows, `time` is in milliseconds."""

    number: int
    event_id: str
    time: int
    event: Event


@dataclass(frozen=True, slots=True)
class Export:
    """An exported value and the stack that exports it."""

    name: str
    value: str
    stack_id: str


class Rows:
    """The questions that the service asks, and what it writes, within a transaction."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    @property
    def tx(self) -> Tx:
        """The transaction, for what follows from what is written."""
        return self._tx

    # -- stacks

    async def put_stack(self, stack: Stack) -> None:
        """Write a stack."""
        await self._tx.execute(
            _PUT_STACK,
            stack.id,
            stack.account,
            stack.region,
            stack.name,
            int(stack.live),
            stack.created,
            _encode(stack),
        )

    async def stack(self, scope: Scope, name: str) -> Stack | None:
        """A stack by name (live ones only) or by ARN (deleted ones as well)."""
        if name.startswith("arn:"):
            found = await self.stack_by_id(name)
            return found if found and (found.account, found.region) == (scope.account, scope.region) else None
        row = await self._tx.fetch_one(_STACK_BY_NAME, scope.account, scope.region, name)
        return None if row is None else _stack.decode(row[0])

    async def stack_by_id(self, stack_id: str) -> Stack | None:
        """A stack by its ARN, whosever it is."""
        row = await self._tx.fetch_one(_STACK_BY_ID, stack_id)
        return None if row is None else _stack.decode(row[0])

    async def live_stacks(self, scope: Scope) -> list[Stack]:
        """Every stack that is not deleted, newest first."""
        return [_stack.decode(row[0]) for row in await self._tx.fetch(_LIVE_STACKS, scope.account, scope.region)]

    async def all_stacks(self, scope: Scope, since: int) -> list[Stack]:
        """Every stack created since then, deleted ones as well, newest first."""
        rows = await self._tx.fetch(_ALL_STACKS, scope.account, scope.region, since)
        return [_stack.decode(row[0]) for row in rows]

    async def stacks_with(self, scope: Scope, physical_id: str) -> list[Stack]:
        """The live stacks that have a resource of this physical id."""
        rows = await self._tx.fetch(_STACKS_BY_PHYSICAL, physical_id, scope.account, scope.region)
        return [_stack.decode(row[0]) for row in rows]

    # -- resources

    async def put_resource(self, stack_id: str, resource: Resource) -> None:
        """Write a resource."""
        document = _encode(resource)
        await self._tx.execute(_PUT_RESOURCE, stack_id, resource.logical_id, resource.physical_id, document)

    async def delete_resource(self, stack_id: str, logical_id: str) -> None:
        """Forget a resource."""
        await self._tx.execute(_DELETE_RESOURCE, stack_id, logical_id)

    async def resources(self, stack_id: str) -> dict[str, Resource]:
        """A stack's resources by logical id."""
        found = [_resource.decode(row[0]) for row in await self._tx.fetch(_RESOURCES, stack_id)]
        return {resource.logical_id: resource for resource in found}

    # -- operations

    async def put_operation(self, operation: Operation) -> None:
        """Write the operation that is under way."""
        await self._tx.execute(_PUT_OPERATION, operation.stack_id, operation.id, _encode(operation))

    async def operation(self, stack_id: str) -> Operation | None:
        """The operation that is under way."""
        row = await self._tx.fetch_one(_OPERATION, stack_id)
        return None if row is None else _operation.decode(row[0])

    async def stacks_in_operation(self) -> list[str]:
        """The stacks with an operation under way, of all accounts."""
        return [row[0] for row in await self._tx.fetch(_OPERATIONS)]

    async def delete_operation(self, stack_id: str) -> None:
        """Forget an operation: it has ended."""
        await self._tx.execute(_DELETE_OPERATION, stack_id)

    # -- answers

    async def put_answer(self, token: str, body: str) -> None:
        """Keep what was answered to a step."""
        await self._tx.execute(_PUT_ANSWER, token, body)

    async def answer(self, token: str) -> str | None:
        """What was answered to a step, if anything was."""
        row = await self._tx.fetch_one(_ANSWER, token)
        return None if row is None else str(row[0])

    async def delete_answer(self, token: str) -> None:
        """Forget an answer: its step has ended."""
        await self._tx.execute(_DELETE_ANSWER, token)

    # -- events

    async def add_event(self, stack_id: str, event_id: str, time: int, event: Event) -> None:
        """Append to a stack's history."""
        await self._tx.execute(_ADD_EVENT, stack_id, event_id, time, _encode(event))

    async def events(self, stack_id: str, below: int, limit: int) -> list[StoredEvent]:
        """Events with numbers below `below`, newest first."""
        rows = await self._tx.fetch(_EVENTS, stack_id, below, limit)
        return [StoredEvent(row[0], row[1], row[2], _event.decode(row[3])) for row in rows]

    # -- change sets

    async def put_change_set(self, change_set: ChangeSet) -> None:
        """Write a change set."""
        await self._tx.execute(
            _PUT_CHANGE_SET,
            change_set.id,
            change_set.stack_id,
            change_set.name,
            change_set.created,
            _encode(change_set),
        )

    async def change_set(self, stack_id: str | None, name: str) -> ChangeSet | None:
        """A change set by ARN, or by name within a stack."""
        if name.startswith("arn:"):
            row = await self._tx.fetch_one(_CHANGE_SET_BY_ID, name)
        else:
            row = await self._tx.fetch_one(_CHANGE_SET_BY_NAME, stack_id, name)
        return None if row is None else _change_set.decode(row[0])

    async def change_sets(self, stack_id: str) -> list[ChangeSet]:
        """A stack's change sets, oldest first."""
        return [_change_set.decode(row[0]) for row in await self._tx.fetch(_CHANGE_SETS, stack_id)]

    async def delete_change_set(self, change_set_id: str) -> None:
        """Forget a change set."""
        await self._tx.execute(_DELETE_CHANGE_SET, change_set_id)

    async def execute_change_set(self, change_set: ChangeSet) -> None:
        """Mark a change set as being carried out, and forget the others of its stack."""
        await self._tx.execute(_DELETE_OTHER_CHANGE_SETS, change_set.stack_id, change_set.id)
        await self.put_change_set(replace(change_set, execution=ExecutionStatus.EXECUTE_IN_PROGRESS))

    async def end_execution(self, change_set_id: str, *, complete: bool) -> None:
        """Say how the operation ended that carried a change set out."""
        change_set = await self.change_set(None, change_set_id)
        if change_set is not None and change_set.execution is ExecutionStatus.EXECUTE_IN_PROGRESS:
            status = ExecutionStatus.EXECUTE_COMPLETE if complete else ExecutionStatus.EXECUTE_FAILED
            await self.put_change_set(replace(change_set, execution=status))

    async def retire_change_sets(self, stack_id: str) -> None:
        """Make a stack's change sets obsolete that were not carried out: it was created, or deleted, without them."""
        for change_set in await self.change_sets(stack_id):
            if change_set.execution not in EXECUTED:
                await self.put_change_set(replace(change_set, execution=ExecutionStatus.OBSOLETE))

    # -- exports and imports

    async def replace_exports(self, scope: Scope, stack_id: str, exports: Mapping[str, str]) -> None:
        """Make these the exports of a stack."""
        await self._tx.execute(_DELETE_EXPORTS, stack_id)
        await self._tx.execute_many(
            _PUT_EXPORT, [(scope.account, scope.region, name, value, stack_id) for name, value in exports.items()]
        )

    async def export(self, scope: Scope, name: str) -> Export | None:
        """An export by name."""
        row = await self._tx.fetch_one(_EXPORT, scope.account, scope.region, name)
        return None if row is None else Export(name, row[0], row[1])

    async def exports(self, scope: Scope) -> list[Export]:
        """Every export of an account and region, by name."""
        return [Export(*row) for row in await self._tx.fetch(_EXPORTS, scope.account, scope.region)]

    async def replace_imports(self, scope: Scope, stack_id: str, names: Sequence[str]) -> None:
        """Make these the imports of a stack."""
        await self._tx.execute(_DELETE_IMPORTS, stack_id)
        await self._tx.execute_many(_PUT_IMPORT, [(stack_id, scope.account, scope.region, name) for name in names])

    async def importers(self, scope: Scope, name: str) -> list[str]:
        """The names of the stacks that import a value."""
        return [row[0] for row in await self._tx.fetch(_IMPORTERS, scope.account, scope.region, name)]
