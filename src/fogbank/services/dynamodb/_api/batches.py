"""BatchGetItem and BatchWriteItem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._api.items import ItemOperations
from fogbank.services.dynamodb._expressions.projections import Projection
from fogbank.services.dynamodb._items import reads, writes
from fogbank.services.dynamodb._items.capacity import Consumed, read_units
from fogbank.services.dynamodb._items.plans import DeletePlan, PutPlan
from fogbank.services.dynamodb._values.attributes import SEVERAL, Item
from fogbank.services.dynamodb._values.codec import decode, encode
from fogbank.services.dynamodb.model import Location, Table
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import BatchGetItemInputTypeDef, BatchWriteItemInputTypeDef

MAX_KEYS = 100
MAX_WRITES = 25
MAX_REPLY = 16 * 1024 * 1024
"""Item bytes that BatchGetItem answers at the most; further keys come back unprocessed."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The keys of one table in a BatchGetItem."""

    table: str
    request: Mapping[str, Any]
    keys: list[Item]
    projection: Projection | None
    consistent: bool


@dataclass(slots=True)
class _Found:
    """What a BatchGetItem found so far."""

    items: dict[str, list[Item]] = field(default_factory=dict)
    unprocessed: dict[str, Any] = field(default_factory=dict)
    consumed: dict[str, Consumed] = field(default_factory=dict)
    size: int = 0


class BatchOperations(ItemOperations):
    """Operations on many items, each by itself."""

    async def batch_get_item(self, call: Call, request: BatchGetItemInputTypeDef) -> Reply:
        """Up to 100 items by their keys."""
        tables = request["RequestItems"]
        if sum(len(one["Keys"]) for one in tables.values()) > MAX_KEYS:
            raise ValidationError("Too many items requested for the BatchGetItem call")
        wanted = [_wanted(name, one) for name, one in tables.items()]
        found = _Found()

        async def body(tx: Tx) -> None:
            for one in wanted:
                await self._find(tx, call, one, found)

        await self.kit.storage.read(body)
        for name, used in found.consumed.items():
            self.bill_read(call, name, used.total)
        reply: Reply = {"Responses": found.items, "UnprocessedKeys": found.unprocessed}
        _report(reply, found.consumed, request.get("ReturnConsumedCapacity"))
        return reply

    async def _find(self, tx: Tx, call: Call, wanted: _Wanted, found: _Found) -> None:
        table = await self.catalog.find(tx, call.scope, wanted.table)
        places = [table.keys.of_key(key) for key in wanted.keys]
        if wanted.projection is not None and wanted.projection.nested:
            table.check_scalars(wanted.projection.nested)
        items: list[Item] = []
        units = 0.0
        for at, place in enumerate(places):
            row = await self.items.get(tx, table.id, place)
            size = 0 if row is None else row[1]
            if found.size and found.size + size > MAX_REPLY:
                found.unprocessed[wanted.table] = {**wanted.request, "Keys": wanted.keys[at:]}
                break
            found.size += size
            units += read_units(size, consistent=wanted.consistent)
            if row is not None:
                item = decode(row[0])
                items.append(item if wanted.projection is None else wanted.projection.of(item))
        found.items[wanted.table] = items
        found.consumed[wanted.table] = Consumed(units)

    async def batch_write_item(self, call: Call, request: BatchWriteItemInputTypeDef) -> Reply:
        """Up to 25 puts and deletes."""
        tables: Mapping[str, Any] = request["RequestItems"]
        if sum(len(given) for given in tables.values()) > MAX_WRITES:
            raise ValidationError("Too many items requested for the BatchWriteItem call")
        wants = request.get("ReturnConsumedCapacity")
        measures = request.get("ReturnItemCollectionMetrics") == "SIZE"
        plans = {
            name: [_write(given, reads_old=wants not in (None, "NONE")) for given in listed]
            for name, listed in tables.items()
        }
        consumed: dict[str, Consumed] = {}
        metrics: dict[str, list[Reply]] = {}

        async def body(tx: Tx) -> None:
            for name, listed in plans.items():
                consumed[name] = Consumed()
                await self._write_all(tx, call, name, listed, consumed[name], metrics if measures else None)

        await self.kit.storage.transact(body)
        for name, used in consumed.items():
            self.bill_write(call, name, used.total)
        reply: Reply = {"UnprocessedItems": {}}
        if metrics:
            reply["ItemCollectionMetrics"] = metrics
        _report(reply, consumed, wants)
        return reply

    async def _write_all(
        self, tx: Tx, call: Call, name: str, plans: list[PutPlan | DeletePlan],
        consumed: Consumed, metrics: dict[str, list[Reply]] | None,
    ) -> None:  # fmt: skip
        table = await self.catalog.find(tx, call.scope, name)
        places: set[Location] = set()
        for plan in plans:
            place = _place(plan, table)
            if place in places:
                raise ValidationError("Provided list of item keys contains duplicates")
            places.add(place)
        for plan in plans:
            outcome = await self.writer.perform(tx, table, plan)
            consumed.add(outcome.consumed)
            if metrics is not None:
                measured = await self.collection_metrics(tx, outcome)
                if measured is not None:
                    metrics.setdefault(name, []).append(measured)


def _place(plan: PutPlan | DeletePlan, table: Table) -> Location:
    """Where a write of a batch belongs. A batch tells items without a fitting key as it tells keys that do not fit."""
    try:
        return plan.locate(table)
    except ValidationError:
        if isinstance(plan, PutPlan):
            table.keys.of_key({name: plan.item[name] for name in table.key_names if name in plan.item})
        raise


def _wanted(name: str, given: Mapping[str, Any]) -> _Wanted:
    keys = [writes.given_key(key) for key in given["Keys"]]
    if len({encode(dict(sorted(key.items()))) for key in keys}) != len(keys):
        raise ValidationError("Provided list of item keys contains duplicates")
    return _Wanted(name, given, keys, reads.selection(given), bool(given.get("ConsistentRead")))


def _write(given: Mapping[str, Any], *, reads_old: bool) -> PutPlan | DeletePlan:
    if len(given) != 1:
        raise ValidationError(SEVERAL)  # these are DynamoDB's words for none, too
    if "PutRequest" in given:
        item, size = writes.given_item(given["PutRequest"]["Item"])
        return PutPlan(item, size, reads=reads_old)
    return DeletePlan(writes.given_key(given["DeleteRequest"]["Key"]), reads=reads_old)


def _report(reply: Reply, consumed: Mapping[str, Consumed], wanted: str | None) -> None:
    reports = [one.report(name, wanted) for name, one in consumed.items()]
    if any(report is not None for report in reports):
        reply["ConsumedCapacity"] = reports
