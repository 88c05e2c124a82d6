"""Map runs: describe, list, change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.services.states import errors
from fogbank.services.states import storage as rows
from fogbank.services.states._api.frame import Frame, decode_position, page_of, page_size
from fogbank.services.states._language._map_runs import MapRun
from fogbank.services.states._resolve import parse

if TYPE_CHECKING:
    from types_boto3_stepfunctions.type_defs import (
        DescribeMapRunInputTypeDef,
        ListMapRunsInputTypeDef,
        UpdateMapRunInputTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

MISSING = "Resource not found: '{}'"


class MapRunOperations(Frame):
    """The operations on map runs."""

    async def describe_map_run(self, call: Call, request: DescribeMapRunInputTypeDef) -> Reply:  # noqa: ARG002
        """DescribeMapRun: its settings, and how many items and child executions are where."""
        arn = request["mapRunArn"]
        execution, run = await self._map_run(arn)
        found = self._runner.find(execution)
        if found is not None:
            run = found.execution.map_runs.get(arn, run)
        return {
            "mapRunArn": arn,
            "executionArn": execution,
            "status": run.status,
            "startDate": run.started / 1000,
            "stopDate": None if run.stopped is None else run.stopped / 1000,
            "maxConcurrency": run.concurrency,
            "toleratedFailurePercentage": run.tolerated_percentage,
            "toleratedFailureCount": int(run.tolerated_count),
            "itemCounts": _counts(run, run.item_counts, run.items, run.under_way[1]),
            "executionCounts": _counts(run, run.counts, run.children, run.under_way[0]),
            "redriveCount": run.redrives,
            "redriveDate": None if run.redriven is None else run.redriven / 1000,
        }

    async def _map_run(self, arn: str) -> tuple[str, MapRun]:
        parse(arn, "mapRun")
        found = await self.kit.storage.read(lambda tx: rows.get_map_run(tx, arn))
        if found is None:
            raise errors.ResourceNotFoundError(MISSING.format(arn))
        return found

    async def list_map_runs(self, call: Call, request: ListMapRunsInputTypeDef) -> Reply:  # noqa: ARG002
        """ListMapRuns: of an execution, oldest first."""
        arn = request["executionArn"]
        parse(arn, "execution")
        limit = page_size(request)
        after = decode_position(request.get("nextToken"), list[Any], [0, ""])

        async def body(tx: Tx) -> list[MapRun]:
            if await rows.get_execution(tx, arn) is None:
                raise errors.ExecutionNotFoundError(f"Execution Does Not Exist: '{arn}'")
            return await rows.list_map_runs(tx, arn, (after[0], after[1]), limit + 1)

        found = await self.kit.storage.read(body)
        page, token = page_of(found, limit, lambda run: [run.started, run.arn])
        machine = arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
        shown = [
            {
                "executionArn": arn,
                "mapRunArn": run.arn,
                "stateMachineArn": machine,
                "startDate": run.started / 1000,
                "stopDate": None if run.stopped is None else run.stopped / 1000,
            }
            for run in page
        ]
        return {"mapRuns": shown, "nextToken": token}

    async def update_map_run(self, call: Call, request: UpdateMapRunInputTypeDef) -> Reply:  # noqa: ARG002
        """UpdateMapRun: of one under way."""
        arn = request["mapRunArn"]
        wanted = [
            request.get(name) for name in ("maxConcurrency", "toleratedFailureCount", "toleratedFailurePercentage")
        ]
        execution, run = await self._map_run(arn)
        if all(value is None for value in wanted):
            raise errors.ValidationError(
                "Must specify at least one of the following: maxConcurrency, toleratedFailurePercentage, "
                "toleratedFailureCount"
            )
        found = self._runner.find(execution)
        if found is None or found.execution.map_runs.get(arn, run).status != "RUNNING":
            raise errors.ValidationError(f"Map Run has already completed: '{arn}'")
        await self._runner.settle(found, ("maprun", self.kit.clock.millis(), arn, *wanted))
        return {}


def _counts(run: MapRun, counts: dict[str, int], total: int, under_way: int) -> dict[str, int]:
    ended = sum(counts.values())
    over = run.status != "RUNNING"
    return {
        "pending": 0 if over else total - ended - under_way,
        "running": under_way,
        **counts,
        "aborted": total - ended + counts["aborted"] if over else counts["aborted"],
        "total": total,
        "resultsWritten": 0,
        "failuresNotRedrivable": 0,
        "pendingRedrive": 0,
    }
