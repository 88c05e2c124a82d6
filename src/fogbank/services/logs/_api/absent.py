"""What cannot be made here yet, and of which there is therefore none: queries, destinations, export tasks. Tools
ask for them, and are told the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.services.logs._api.service import LogsService, position_of

if TYPE_CHECKING:
    from types_boto3_logs import type_defs as t

    from fogbank.core.call import Call, Reply


class AbsentOperations(LogsService):
    """The operations that list them."""

    async def describe_destinations(self, call: Call, request: t.DescribeDestinationsRequestTypeDef) -> Reply:  # noqa: ARG002
        """The account's destinations: none."""
        position_of(request, str)
        return {"destinations": []}

    async def describe_export_tasks(self, call: Call, request: t.DescribeExportTasksRequestTypeDef) -> Reply:  # noqa: ARG002
        """The account's export tasks: none."""
        position_of(request, str)
        return {"exportTasks": []}

    async def describe_queries(self, call: Call, request: t.DescribeQueriesRequestTypeDef) -> Reply:  # noqa: ARG002
        """The account's Insights queries: none."""
        position_of(request, str)
        return {"queries": []}
