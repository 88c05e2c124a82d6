"""PutItem, GetItem, UpdateItem, DeleteItem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.services.dynamodb._api.parts import Parts
from fogbank.services.dynamodb._items import reads, writes
from fogbank.services.dynamodb._items.capacity import Consumed, read_units
from fogbank.services.dynamodb._items.plans import Plan, UpdatePlan
from fogbank.services.dynamodb._rows.writer import Outcome
from fogbank.services.dynamodb._values.attributes import Item
from fogbank.services.dynamodb._values.codec import decode
from fogbank.services.dynamodb.errors import ConditionalCheckFailedError
from fogbank.services.dynamodb.model import Table
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        DeleteItemInputTypeDef,
        GetItemInputTypeDef,
        PutItemInputTypeDef,
        UpdateItemInputTypeDef,
    )

GIGABYTE = 1024**3


class ItemOperations(Parts):
    """Operations on one item."""

    async def put_item(self, call: Call, request: PutItemInputTypeDef) -> Reply:
        """Put an item in the place of what may be there."""
        return await self._write(call, request, writes.put(request))

    async def delete_item(self, call: Call, request: DeleteItemInputTypeDef) -> Reply:
        """Remove an item."""
        return await self._write(call, request, writes.delete(request))

    async def update_item(self, call: Call, request: UpdateItemInputTypeDef) -> Reply:
        """Change some attributes of an item, or make it."""
        return await self._write(call, request, writes.change(request))

    async def get_item(self, call: Call, request: GetItemInputTypeDef) -> Reply:
        """An item by its key, or nothing."""
        plan = reads.get(request)

        async def body(tx: Tx, table: Table) -> tuple[bytes, int] | None:
            place = table.keys.of_key(plan.key)
            if plan.projection is not None and plan.projection.nested:
                table.check_scalars(plan.projection.nested)
            return await self.items.get(tx, table.id, place)

        row = await self.reads(call, request["TableName"], body)
        reply: Reply = {}
        if row is not None:
            item = decode(row[0])
            reply["Item"] = item if plan.projection is None else plan.projection.of(item)
        units = read_units(0 if row is None else row[1], consistent=plan.consistent)
        self.bill_read(call, request["TableName"], units)
        wanted = request.get("ReturnConsumedCapacity")
        if wanted is not None:
            reply["ConsumedCapacity"] = Consumed(units).report(request["TableName"], wanted)
        return reply

    async def _write(self, call: Call, request: Mapping[str, Any], plan: Plan) -> Reply:
        name = request["TableName"]
        measures = request.get("ReturnItemCollectionMetrics") == "SIZE"

        async def body(tx: Tx) -> tuple[Outcome, Reply | None]:
            table = await self.catalog.find(tx, call.scope, name)
            outcome = await self.writer.perform(tx, table, plan)
            return outcome, await self.collection_metrics(tx, outcome) if measures else None

        try:
            outcome, metrics = await self.kit.storage.transact(body)
        except ConditionalCheckFailedError as error:
            self.bill_write(call, name, error.units)
            raise
        self.bill_write(call, name, outcome.consumed.total)
        reply: Reply = {}
        attributes = returned(request.get("ReturnValues", "NONE"), outcome, plan)
        if attributes:
            reply["Attributes"] = attributes
        consumed = outcome.consumed.report(name, request.get("ReturnConsumedCapacity"))
        if consumed is not None:
            reply["ConsumedCapacity"] = consumed
        if metrics is not None:
            reply["ItemCollectionMetrics"] = metrics
        return reply

    async def collection_metrics(self, tx: Tx, outcome: Outcome) -> Reply | None:
        """How large the collection of items is that a written item belongs to; only of tables with local indexes."""
        table = outcome.table
        some = outcome.new if outcome.new is not None else outcome.old
        if not table.definition.locals or some is None:
            return None
        numbers = [index.number for index in table.definition.locals]
        size = await self.items.collection_size(tx, table.id, outcome.at.partition, numbers)
        least = float(size // GIGABYTE)
        key = {part.name: some[part.name] for part in table.definition.keys.hash}
        return {"ItemCollectionKey": key, "SizeEstimateRangeGB": [least, least + 1.0]}


def returned(wanted: str, outcome: Outcome, plan: Plan) -> Item | None:
    """The member `Attributes`, as `ReturnValues` wants it."""
    match wanted:
        case "ALL_OLD":
            return outcome.old
        case "ALL_NEW":
            return outcome.new
        case "UPDATED_OLD" if isinstance(plan, UpdatePlan):
            return plan.old_values(outcome.old)
        case "UPDATED_NEW" if isinstance(plan, UpdatePlan):
            return plan.new_values(outcome.old, outcome.new)
        case _:
            return None
