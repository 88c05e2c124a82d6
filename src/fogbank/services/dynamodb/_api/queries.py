"""Query and Scan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.services.dynamodb._api.parts import Parts
from fogbank.services.dynamodb._items import reads
from fogbank.services.dynamodb._items.reads import ReadPlan
from fogbank.services.dynamodb._rows.reader import Page
from fogbank.services.dynamodb.model import Table
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef, ScanInputTypeDef


class QueryOperations(Parts):
    """Operations that find items."""

    async def query(self, call: Call, request: QueryInputTypeDef) -> Reply:
        """Items with one partition key, in the order of their sort keys."""
        return await self._page(call, request, reads.query(request))

    async def scan(self, call: Call, request: ScanInputTypeDef) -> Reply:
        """All items of a table, an index, or a segment of one."""
        return await self._page(call, request, reads.scan(request))

    async def _page(self, call: Call, request: Mapping[str, Any], plan: ReadPlan) -> Reply:
        name = request["TableName"]

        async def body(tx: Tx, table: Table) -> Page:
            return await self.reader.page(tx, table, plan)

        page = await self.reads(call, name, body)
        reply: Reply = {"Count": page.count, "ScannedCount": page.scanned}
        if not plan.counts:
            reply["Items"] = page.items
        if page.last is not None:
            reply["LastEvaluatedKey"] = page.last
        self.bill_read(call, name, page.consumed.total)
        consumed = page.consumed.report(name, request.get("ReturnConsumedCapacity"))
        if consumed is not None:
            reply["ConsumedCapacity"] = consumed
        return reply
