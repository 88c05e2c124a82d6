"""What DynamoDB counts, under AWS's names: capacity, latency and refusals by table.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.call import Call, Reply, Request
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.services.kit import Handler
from fogbank.telemetry.metrics import Panel, Panels

if TYPE_CHECKING:
    from fogbank.services.kit import Kit

TIMED = frozenset(
    {
        "PutItem", "DeleteItem", "UpdateItem", "GetItem", "BatchGetItem", "BatchWriteItem", "Query", "Scan",
        "TransactGetItems", "TransactWriteItems", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
    }
)  # fmt: skip
"""The operations on items."""
_COUNTED = frozenset({"Query", "Scan"})
_CONDITIONS = frozenset({"ConditionalCheckFailedException"})
_CONFLICTS = frozenset({"TransactionConflictException", "TransactionCanceledException"})


class TableMetrics:
    """Counts what tables are asked for. Tables are named as in the request: by name, or by ARN."""

    def __init__(self, kit: Kit) -> None:
        self._metrics = kit.metrics
        self._clock = kit.clock
        self._tables = Panels(kit.metrics, self._table)
        self._operations = Panels(kit.metrics, self._operation)
        self._accounts = Panels(kit.metrics, self._account)

    def _table(self, key: tuple[Scope, str]) -> Panel:
        return self._metrics.panel(key[0], "AWS/DynamoDB", (("TableName", key[1].rpartition("/")[2]),))

    def _operation(self, key: tuple[Scope, str, str]) -> Panel:
        dimensions = (("Operation", key[2]), ("TableName", key[1].rpartition("/")[2]))
        return self._metrics.panel(key[0], "AWS/DynamoDB", dimensions)

    def _account(self, scope: Scope) -> Panel:
        return self._metrics.panel(scope, "AWS/DynamoDB", ())

    def read(self, scope: Scope, table: str, units: float) -> None:
        """Read units were used."""
        self._tables((scope, table)).add("ConsumedReadCapacityUnits", units)

    def written(self, scope: Scope, table: str, units: float) -> None:
        """Write units were used."""
        self._tables((scope, table)).add("ConsumedWriteCapacityUnits", units)

    def timed(self, operation: str, handler: Handler) -> Handler:
        """A handler that is timed, and whose refusals are counted."""
        now = self._clock.machine_monotonic

        async def run(call: Call, request: Request) -> Reply:
            begin = now()
            try:
                reply = await handler(call, request)
            except ApiError as error:
                self._refused(call.scope, request, error)
                raise
            spent = round((now() - begin) * 1000, 2)
            for table in _tables_of(request):
                panel = self._operations((call.scope, table, operation))
                panel.add("SuccessfulRequestLatency", spent, "Milliseconds")
                if operation in _COUNTED:
                    panel.add("ReturnedItemCount", float(reply.get("Count", 0)))
            return reply

        return run

    def _refused(self, scope: Scope, request: Request, error: ApiError) -> None:
        tables = _tables_of(request)
        if error.code in _CONDITIONS:
            for table in tables:
                self._tables((scope, table)).add("ConditionalCheckFailedRequests")
        elif error.code == "TransactionConflictException":
            for table in tables:
                self._tables((scope, table)).add("TransactionConflict")
        elif error.status < 500 and error.code not in _CONFLICTS:
            self._accounts(scope).add("UserErrors")


def _tables_of(request: Request) -> list[str]:
    """The tables that a request names."""
    table = request.get("TableName")
    if table is not None:
        return [table]
    return list(request.get("RequestItems") or ())
