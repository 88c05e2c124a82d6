"""ExecuteStatement, BatchExecuteStatement, ExecuteTransaction: PartiQL."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec

from fogbank.core.call import Call, Reply
from fogbank.core.errors import ApiError, ValidationError
from fogbank.services.dynamodb._api.items import returned
from fogbank.services.dynamodb._api.transactions import Action, TransactionOperations
from fogbank.services.dynamodb._items.capacity import Consumed, read_units
from fogbank.services.dynamodb._partiql import planning
from fogbank.services.dynamodb._partiql.parser import parse
from fogbank.services.dynamodb._partiql.planning import Paging
from fogbank.services.dynamodb._partiql.statements import Delete, Exists, Select, Statement, Update
from fogbank.services.dynamodb._rows.reader import Page
from fogbank.services.dynamodb._values import codec
from fogbank.services.dynamodb._values.attributes import Item
from fogbank.services.dynamodb.model import Table
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        BatchExecuteStatementInputTypeDef,
        ExecuteStatementInputTypeDef,
        ExecuteTransactionInputTypeDef,
    )

_ERROR_CODES = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "ResourceNotFoundException": "ResourceNotFound",
    "DuplicateItemException": "DuplicateItem",
    "ValidationException": "ValidationError",
}


class StatementOperations(TransactionOperations):
    """Operations in PartiQL."""

    async def execute_statement(self, call: Call, request: ExecuteStatementInputTypeDef) -> Reply:
        """One statement; a SELECT a page at a time."""
        statement = _parsed(request)
        if isinstance(statement, Select):
            return await self._select(call, request, statement)
        if isinstance(statement, Exists):
            raise ValidationError("EXISTS() function can be used only in ExecuteTransaction")
        wants = request.get("ReturnConsumedCapacity")

        async def body(tx: Tx) -> Reply:
            items, consumed = await self._write_one(tx, call, statement, request, wants)
            self.bill_write(call, statement.table, consumed.total)
            reply: Reply = {"Items": items}
            report = consumed.report(statement.table, wants)
            if report is not None:
                reply["ConsumedCapacity"] = report
            return reply

        return await self.kit.storage.transact(body)

    async def _write_one(
        self, tx: Tx, call: Call, statement: Statement, request: Mapping[str, Any], wants: str | None
    ) -> tuple[list[Item], Consumed]:
        table = await self.catalog.find(tx, call.scope, statement.table)
        shows = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        plan = planning.write(statement, table, shows_item=shows, reads_old=wants not in (None, "NONE"))
        outcome = await self.writer.perform(tx, table, plan)
        wanted = statement.returning if isinstance(statement, Update | Delete) else "NONE"
        attributes = returned(wanted, outcome, plan)
        return ([attributes] if attributes else []), outcome.consumed

    async def _select(self, call: Call, request: ExecuteStatementInputTypeDef, select: Select) -> Reply:
        token = request.get("NextToken")
        digest = hashlib.sha256(request["Statement"].encode()).hexdigest()[:16]
        paging = Paging(
            request.get("Limit"),
            None if token is None else _start(token, digest),
            bool(request.get("ConsistentRead")),
        )

        async def body(tx: Tx, table: Table) -> Page:
            return await self.reader.page(tx, table, planning.read(select, table, paging))

        page = await self.reads(call, select.table, body)
        reply: Reply = {"Items": page.items}
        if page.last is not None:
            reply["LastEvaluatedKey"] = page.last
            reply["NextToken"] = _token(page.last, digest)
        self.bill_read(call, select.table, page.consumed.total)
        report = page.consumed.report(select.table, request.get("ReturnConsumedCapacity"))
        if report is not None:
            reply["ConsumedCapacity"] = report
        return reply

    async def batch_execute_statement(self, call: Call, request: BatchExecuteStatementInputTypeDef) -> Reply:
        """Up to 25 statements, all of which read or all of which write; each succeeds or fails by itself."""
        given: list[Mapping[str, Any]] = list(request["Statements"])
        parsed = [_parsed_or_error(one) for one in given]
        statements = [one for one in parsed if not isinstance(one, ApiError)]
        if any(isinstance(one, Exists) for one in statements):
            raise ValidationError("EXISTS() function can be used only in ExecuteTransaction")
        reading = _all_alike(statements)
        wants = request.get("ReturnConsumedCapacity")
        consumed: dict[str, Consumed] = {}

        async def body(tx: Tx) -> list[Reply]:
            return [
                await self._answer(tx, call, statement, one, wants, consumed)
                for statement, one in zip(parsed, given, strict=True)
            ]

        responses = await (self.kit.storage.read(body) if reading else self.kit.storage.transact(body))
        reply: Reply = {"Responses": responses}
        if wants not in (None, "NONE"):
            reply["ConsumedCapacity"] = [one.report(name, wants) for name, one in consumed.items()]
        return reply

    async def _answer(
        self, tx: Tx, call: Call, statement: Statement | ApiError, request: Mapping[str, Any], wants: str | None,
        consumed: dict[str, Consumed],
    ) -> Reply:  # fmt: skip
        """What one statement of a batch came to: its item, or its error. A write that fails has written nothing."""
        if isinstance(statement, ApiError):
            return {"Error": _error(statement)}
        try:
            if isinstance(statement, Select):
                item, used = await self._get_one(tx, call, statement, consistent=bool(request.get("ConsistentRead")))
                items = [] if item is None else [item]
            else:
                items, used = await self._write_one(tx, call, statement, request, wants)
        except ApiError as error:
            if error.code not in _ERROR_CODES:
                raise
            return {"Error": _error(error), "TableName": statement.table}
        consumed.setdefault(statement.table, Consumed()).add(used)
        bill = self.bill_read if isinstance(statement, Select) else self.bill_write
        bill(call, statement.table, used.total)
        answer: Reply = {"TableName": statement.table}
        if items:
            answer["Item"] = items[0]
        return answer

    async def _get_one(self, tx: Tx, call: Call, select: Select, *, consistent: bool) -> tuple[Item | None, Consumed]:
        """The one item that a SELECT names by its key, if the whole of its WHERE holds of it."""
        table = await self.catalog.find(tx, call.scope, select.table)
        place = table.keys.of_key(planning.single_key(select, table))
        row = await self.items.get(tx, table.id, place)
        used = Consumed(read_units(0 if row is None else row[1], consistent=consistent))
        if row is None:
            return None, used
        plan = planning.read(select, table, Paging())
        item = codec.decode(row[0])
        if plan.filter is not None and not plan.filter.test(item, plan.values):
            return None, used
        return (item if plan.projection is None else plan.projection.of(item)), used

    async def execute_transaction(self, call: Call, request: ExecuteTransactionInputTypeDef) -> Reply:
        """Up to 100 statements, all of which read or all of which write (or check), all or nothing."""
        given: list[Mapping[str, Any]] = list(request["TransactStatements"])
        statements = [_parsed(one) for one in given]
        reading = _all_alike(statements)

        async def read(tx: Tx) -> Reply:
            return await self._read_together(tx, call, statements, request.get("ReturnConsumedCapacity"))

        async def write(tx: Tx) -> Reply:
            actions = []
            for statement, one in zip(statements, given, strict=True):
                table = await self.catalog.find(tx, call.scope, statement.table)
                shows = one.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
                wants = request.get("ReturnConsumedCapacity")
                plan = planning.write(statement, table, shows_item=shows, reads_old=wants not in (None, "NONE"))
                actions.append(Action(statement.table, plan))
            reply = await self.transact(tx, call, actions, request)
            return {"Responses": [{} for _ in statements], **reply}

        if reading:
            return await self.kit.storage.read(read)
        token = request.get("ClientRequestToken")
        return await self.kit.storage.transact(self.once(call, token, given, write))

    async def _read_together(self, tx: Tx, call: Call, statements: list[Statement], wants: str | None) -> Reply:
        responses: list[Reply] = []
        consumed: dict[str, Consumed] = {}
        for statement in statements:
            item, used = await self._get_one(tx, call, cast("Select", statement), consistent=True)
            consumed.setdefault(statement.table, Consumed()).add(used, 2)
            self.bill_read(call, statement.table, 2 * used.total)
            responses.append({} if item is None else {"Item": item})
        reply: Reply = {"Responses": responses}
        if wants not in (None, "NONE"):
            reply["ConsumedCapacity"] = [one.report(name, wants, "Read") for name, one in consumed.items()]
        return reply


def _parsed(request: Mapping[str, Any]) -> Statement:
    return parse(request["Statement"], request.get("Parameters", ()))


def _parsed_or_error(request: Mapping[str, Any]) -> Statement | ApiError:
    try:
        return _parsed(request)
    except ValidationError as error:
        return error


def _all_alike(statements: list[Statement]) -> bool:
    """Whether all statements read; a mixture is refused."""
    reading = [isinstance(statement, Select) for statement in statements]
    if any(reading) and not all(reading):
        raise ValidationError("All statements must be either read statements or write statements")
    return any(reading)


def _error(error: ApiError) -> Reply:
    shown: Reply = {"Code": _ERROR_CODES.get(error.code, "ValidationError"), "Message": error.message}
    if "Item" in error.members:
        shown["Item"] = error.members["Item"]
    return shown


def _token(key: Item, digest: str) -> str:
    """A NextToken: the key to go on after, and which statement it belongs to."""
    return base64.urlsafe_b64encode(digest.encode() + codec.encode(key)).decode()


def _start(token: str, digest: str) -> Item:
    try:
        data = base64.urlsafe_b64decode(token)
        if data[:16] != digest.encode():
            raise ValidationError("NextToken does not match request")
        return codec.decode(data[16:])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise ValidationError("Invalid NextToken") from None
