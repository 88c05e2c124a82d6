"""CreateTable, DescribeTable, ListTables, UpdateTable, DeleteTable, and the account's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.call import Call, Reply
from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb import worker
from fogbank.services.dynamodb._api.parts import Parts
from fogbank.services.dynamodb._rows.catalog import check_length, resolve
from fogbank.services.dynamodb._rows.expiry import TOPIC
from fogbank.services.dynamodb._tables import changes, creation
from fogbank.services.dynamodb._tables.description import describe
from fogbank.services.dynamodb.errors import LimitExceededError, ResourceInUseError
from fogbank.services.dynamodb.model import Table
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        CreateTableInputTypeDef,
        DeleteTableInputTypeDef,
        DescribeTableInputTypeDef,
        ListTablesInputTypeDef,
        UpdateTableInputTypeDef,
    )

MAX_TABLES = 2500
"""Tables of an account in one region."""
_PAGE = 100


class TableOperations(Parts):
    """Operations on tables."""

    async def create_table(self, call: Call, request: CreateTableInputTypeDef) -> Reply:
        """Make a table. It can be used as soon as this is answered, though the answer says CREATING."""
        check_length(request["TableName"])
        creation.check_given(request)
        scope, name = resolve(call.scope, request["TableName"])
        now = self.kit.clock.time()
        definition = creation.definition(request, name, scope, now, self.kit.ids)

        async def body(tx: Tx) -> Table:
            if await self.tables.find(tx, scope, name) is not None:
                raise ResourceInUseError(f"Table already exists: {name}")
            if await self.tables.count(tx, scope) >= MAX_TABLES:
                raise LimitExceededError(
                    f"Subscriber limit exceeded: There is a limit of {MAX_TABLES} tables per subscriber"
                )
            table = await self.tables.insert(tx, scope, definition)
            await self._begin_stream(tx, table, now)
            return table

        with self.catalog.changing(scope, name):
            table = await self.kit.storage.transact(body)
        return {"TableDescription": describe(table, {}, "CREATING")}

    async def _begin_stream(self, tx: Tx, table: Table, now: float) -> None:
        stream = table.definition.stream
        if stream is not None and stream.enabled:
            await self.streams.begin(tx, table, stream.label, stream.view, now)

    async def describe_table(self, call: Call, request: DescribeTableInputTypeDef) -> Reply:
        """What is known of a table."""
        check_length(request["TableName"])

        async def body(tx: Tx) -> Reply:
            table = await self.catalog.find(tx, call.scope, request["TableName"], named=True)
            return describe(table, await self.statistics.of(tx, table))

        return {"Table": await self.kit.storage.read(body)}

    async def list_tables(self, call: Call, request: ListTablesInputTypeDef) -> Reply:
        """Table names in order, a page at a time."""
        limit = request.get("Limit", _PAGE)
        after = request.get("ExclusiveStartTableName", "")

        async def body(tx: Tx) -> list[str]:
            return await self.tables.names(tx, call.scope, after, limit + 1)

        names = await self.kit.storage.read(body)
        reply: Reply = {"TableNames": names[:limit]}
        if len(names) > limit:
            reply["LastEvaluatedTableName"] = names[limit - 1]
        return reply

    async def update_table(self, call: Call, request: UpdateTableInputTypeDef) -> Reply:
        """Change a table's settings or its global indexes. A new index is filled in the background."""
        now = self.kit.clock.time()
        check_length(request["TableName"])
        resolve(call.scope, request["TableName"])
        changes.check_request(request)

        async def body(tx: Tx, old: Table) -> Reply:
            change = changes.changed(request, old.definition, old.scope, now, self.kit.ids)
            table = await self.tables.update(tx, old, change.definition)
            for number in change.filled:
                await self.upkeep.add_chore(tx, worker.FILL_INDEX, table.id, number)
            for number in change.purged:
                await self.upkeep.drop_chores(tx, worker.FILL_INDEX, table.id, number)
                await self.upkeep.add_chore(tx, worker.PURGE_INDEX, table.id, number)
            if change.begins_stream:
                await self._begin_stream(tx, table, now)
            if change.ends_stream:
                await self.streams.end(tx, table, now)
            tx.wake(TOPIC)
            return describe(table, await self.statistics.of(tx, table), "UPDATING")

        return {"TableDescription": await self.changes_table(call.scope, request["TableName"], body)}

    async def delete_table(self, call: Call, request: DeleteTableInputTypeDef) -> Reply:
        """Remove a table and its items. The name is free at once; the rows are purged in the background."""
        check_length(request["TableName"])
        now = self.kit.clock.time()

        async def body(tx: Tx, table: Table) -> Reply:
            if table.definition.protected:
                raise ValidationError(
                    "Resource cannot be deleted as it is currently protected against deletion. "
                    "Disable deletion protection first."
                )
            await self.tables.delete(tx, table)
            await self.upkeep.add_chore(tx, worker.PURGE_TABLE, table.id)
            for index in table.indexes:
                await self.upkeep.add_chore(tx, worker.PURGE_INDEX, table.id, index.number)
            await self.streams.end(tx, table, now)
            tx.wake(TOPIC)
            return describe(table, {}, "DELETING")

        return {"TableDescription": await self.changes_table(call.scope, request["TableName"], body)}

    async def describe_limits(self, call: Call, request: object) -> Reply:
        """The account's quotas: those that every new account has."""
        del call, request
        return {
            "AccountMaxReadCapacityUnits": 80_000,
            "AccountMaxWriteCapacityUnits": 80_000,
            "TableMaxReadCapacityUnits": 40_000,
            "TableMaxWriteCapacityUnits": 40_000,
        }

    async def describe_endpoints(self, call: Call, request: object) -> Reply:
        """The endpoint for this region."""
        del request
        address = f"dynamodb.{call.scope.region}.amazonaws.com"
        return {"Endpoints": [{"Address": address, "CachePeriodInMinutes": 1440}]}
