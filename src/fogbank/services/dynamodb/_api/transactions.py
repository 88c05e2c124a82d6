"""TransactWriteItems and TransactGetItems: all or nothing.

A transaction of the API is one of the storage, so no two ever meet: there are no conflicts to report.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.call import Call, Reply
from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._api.items import ItemOperations
from fogbank.services.dynamodb._items import reads, writes
from fogbank.services.dynamodb._items.capacity import Consumed, read_units
from fogbank.services.dynamodb._items.plans import CheckPlan, DeletePlan, Plan, PutPlan, UpdatePlan
from fogbank.services.dynamodb._items.reads import GetPlan
from fogbank.services.dynamodb._rows.writer import Outcome
from fogbank.services.dynamodb._values.attributes import Item, item_size
from fogbank.services.dynamodb._values.codec import decode
from fogbank.services.dynamodb.errors import (
    ConditionalCheckFailedError,
    DuplicateItemError,
    IdempotentParameterMismatchError,
    TransactionCanceledError,
)
from fogbank.services.dynamodb.model import Location, Table
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TransactGetItemsInputTypeDef, TransactWriteItemsInputTypeDef

TOKEN_LIFE = 10 * 60 * 1000
"""Milliseconds for which a ClientRequestToken is remembered."""
MAX_SIZE = 4 * 1024 * 1024
"""Item bytes of a transaction."""

_MAKERS: Mapping[str, Callable[[Mapping[str, Any]], Plan]] = {
    "ConditionCheck": writes.check,
    "Put": writes.put,
    "Delete": writes.delete,
    "Update": writes.change,
}
_EMPTY_KEY = "One or more parameter values are not valid. The AttributeValue for a key attribute"
_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_NO_FAULT = {"Code": "None"}


@dataclass(frozen=True, slots=True)
class Action:
    """One write of a transaction: what it is, on which table."""

    table: str
    plan: Plan


class TransactionOperations(ItemOperations):
    """Operations on many items, all or nothing."""

    async def transact_write_items(self, call: Call, request: TransactWriteItemsInputTypeDef) -> Reply:
        """Up to 100 writes and checks of different items."""
        given: Any = request["TransactItems"]
        actions = [_action(one, request) for one in given]
        _check_size(actions)
        token = request.get("ClientRequestToken")

        async def body(tx: Tx) -> Reply:
            return await self.transact(tx, call, actions, request)

        return await self.kit.storage.transact(self.once(call, token, given, body))

    def once(
        self, call: Call, token: str | None, given: Any, body: Callable[[Tx], Awaitable[Reply]]
    ) -> Callable[[Tx], Awaitable[Reply]]:
        """`body`, done once for all requests with the same token; what they ask for (`given`) must be the same."""
        if token is None:
            return body
        digest = hashlib.sha256(_encode(given)).digest()

        async def guarded(tx: Tx) -> Reply:
            earlier = await self._earlier_reply(tx, call, token, digest)
            if earlier is not None:
                return earlier
            reply = await body(tx)
            now = self.kit.clock.millis()
            await self.upkeep.forget_tokens(tx, now)
            await self.upkeep.keep_token(tx, call.scope, token, digest, _encode(_repeated(reply)), now + TOKEN_LIFE)
            return reply

        return guarded

    async def _earlier_reply(self, tx: Tx, call: Call, token: str, digest: bytes) -> Reply | None:
        found = await self.upkeep.find_token(tx, call.scope, token, self.kit.clock.millis())
        if found is None:
            return None
        if found[0] != digest:
            raise IdempotentParameterMismatchError(
                "DynamoDB rejected the request because you retried a request with a different payload but with an "
                "idempotent token that was already used."
            )
        reply: Reply = _decode(found[1])
        return reply

    async def transact(self, tx: Tx, call: Call, actions: list[Action], request: Mapping[str, Any]) -> Reply:
        """Do all the actions or raise why not; the request says what is to be reported."""
        tables = [await self.catalog.find(tx, call.scope, action.table) for action in actions]
        reasons: list[Mapping[str, Any]] = []
        places: set[tuple[int, Location]] = set()
        outcomes: list[Outcome] = []
        for action, table in zip(actions, tables, strict=True):
            place = _place(action.plan, table)
            if place is not None and (table.id, place) in places:
                raise ValidationError("Transaction request cannot include multiple operations on one item")
            if place is not None:
                places.add((table.id, place))
        for action, table in zip(actions, tables, strict=True):
            try:
                outcomes.append(await self.writer.perform(tx, table, action.plan))
                reasons.append(_NO_FAULT)
            except (ConditionalCheckFailedError, DuplicateItemError, ValidationError) as error:
                reasons.append(_reason(error))
        if any(reason is not _NO_FAULT for reason in reasons):
            for action in actions:  # what was cancelled is billed as well; the sizes of the items are not known here
                self.bill_write(call, action.table, 2.0)
            raise TransactionCanceledError(reasons)
        for action, outcome in zip(actions, outcomes, strict=True):
            self.bill_write(call, action.table, 2 * outcome.consumed.total)
        return await self._reply(tx, actions, outcomes, request)

    async def _reply(self, tx: Tx, actions: list[Action], outcomes: list[Outcome], request: Mapping[str, Any]) -> Reply:
        reply: Reply = {}
        consumed: dict[str, Consumed] = {}
        metrics: dict[str, list[Reply]] = {}
        for action, outcome in zip(actions, outcomes, strict=True):
            consumed.setdefault(action.table, Consumed()).add(outcome.consumed, 2)
            if request.get("ReturnItemCollectionMetrics") == "SIZE" and action.plan.writes:
                measured = await self.collection_metrics(tx, outcome)
                if measured is not None:
                    metrics.setdefault(action.table, []).append(measured)
        reports = [one.report(name, request.get("ReturnConsumedCapacity"), "Write") for name, one in consumed.items()]
        if any(report is not None for report in reports):
            reply["ConsumedCapacity"] = reports
        if metrics:
            reply["ItemCollectionMetrics"] = metrics
        return reply

    async def transact_get_items(self, call: Call, request: TransactGetItemsInputTypeDef) -> Reply:
        """Up to 100 items, all as they were at one moment."""
        given: Any = request["TransactItems"]
        wanted = [(one["Get"]["TableName"], reads.get(_needed(one["Get"]))) for one in given]

        async def body(tx: Tx) -> list[tuple[bytes, int] | None]:
            return await self._get_all(tx, call, wanted)

        rows = await self.kit.storage.read(body)
        consumed: dict[str, Consumed] = {}
        responses: list[Reply] = []
        for (name, plan), row in zip(wanted, rows, strict=True):
            units = 2 * read_units(0 if row is None else row[1], consistent=True)
            consumed.setdefault(name, Consumed()).table += units
            responses.append({} if row is None else {"Item": _projected(plan, decode(row[0]))})
            self.bill_read(call, name, units)
        reply: Reply = {"Responses": responses}
        wants = request.get("ReturnConsumedCapacity")
        if wants is not None and wants != "NONE":
            reply["ConsumedCapacity"] = [one.report(name, wants, "Read") for name, one in consumed.items()]
        return reply

    async def _get_all(self, tx: Tx, call: Call, wanted: list[tuple[str, GetPlan]]) -> list[tuple[bytes, int] | None]:
        rows: list[tuple[bytes, int] | None] = []
        reasons: list[Mapping[str, Any]] = []
        places: set[tuple[int, Location]] = set()
        for name, plan in wanted:
            table = await self.catalog.find(tx, call.scope, name)
            try:
                place = table.keys.of_key(plan.key)
            except ValidationError as error:
                if error.message.startswith(_EMPTY_KEY):
                    raise
                reasons.append(_reason(error))
                continue
            if (table.id, place) in places:
                raise ValidationError("Transaction request cannot include multiple operations on one item")
            places.add((table.id, place))
            if plan.projection is not None and plan.projection.nested:
                table.check_scalars(plan.projection.nested)
            reasons.append(_NO_FAULT)
            rows.append(await self.items.get(tx, table.id, place))
        if any(reason is not _NO_FAULT for reason in reasons):
            raise TransactionCanceledError(reasons)
        return rows


def _action(given: Mapping[str, Any], request: Mapping[str, Any]) -> Action:
    """The plan of one action; which of the four it is must be plain."""
    if len(given) != 1:
        raise ValidationError("TransactItems can only contain one of Check, Put, Update or Delete")
    ((kind, details),) = given.items()
    # The capacity that an action uses depends on the old item too, so it is read when capacity is reported.
    wants = request.get("ReturnConsumedCapacity")
    if wants is not None:
        details = {**details, "ReturnConsumedCapacity": wants}
    return Action(details["TableName"], _MAKERS[kind](_needed(details)))


def _needed(details: Mapping[str, Any]) -> Mapping[str, Any]:
    """An action without the names and values that it has no expression for: here they are no error."""
    if any(name in details for name in ("ConditionExpression", "UpdateExpression", "ProjectionExpression")):
        return details
    return {
        name: value
        for name, value in details.items()
        if name not in ("ExpressionAttributeNames", "ExpressionAttributeValues")
    }


def _check_size(actions: list[Action]) -> None:
    total = 0
    for action in actions:
        plan = action.plan
        if isinstance(plan, PutPlan):
            total += plan.size
        elif isinstance(plan, UpdatePlan | DeletePlan | CheckPlan):
            total += item_size(plan.key)
    if total > MAX_SIZE:
        raise ValidationError("Transaction request size limit of 4 MB exceeded")


def _place(plan: Plan, table: Table) -> Location | None:
    """Where an action's item is. A key of the wrong type is a reason to cancel, found again when it is done."""
    try:
        return plan.locate(table)
    except ValidationError as error:
        if error.message.startswith(_EMPTY_KEY):
            raise
        return None


def _reason(error: ConditionalCheckFailedError | DuplicateItemError | ValidationError) -> dict[str, Any]:
    """Why an action cannot be done."""
    if isinstance(error, DuplicateItemError):
        return {"Code": "DuplicateItem", "Message": error.message}
    if isinstance(error, ConditionalCheckFailedError):
        return {"Code": "ConditionalCheckFailed", "Message": error.message, **error.members}
    return {"Code": "ValidationError", "Message": error.message}


def _repeated(reply: Reply) -> Reply:
    """What a repetition of the request is answered: it consumes read capacity, as it only looks."""
    repeated: Reply = {"Responses": reply["Responses"]} if "Responses" in reply else {}
    for report in reply.get("ConsumedCapacity", ()):
        units = report["CapacityUnits"]
        repeated.setdefault("ConsumedCapacity", []).append(
            {"TableName": report["TableName"], "CapacityUnits": units, "ReadCapacityUnits": units}
        )
    return repeated


def _projected(plan: GetPlan, item: Item) -> Item:
    return item if plan.projection is None else plan.projection.of(item)
