"""Executions: start, describe, list, stop, history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.services.states import errors
from fogbank.services.states import storage as rows
from fogbank.services.states._api.frame import Frame, check_name, decode_position, page_of, page_size
from fogbank.services.states._language.json_errors import why_not_json
from fogbank.services.states._resolve import Resolution, not_there, parse
from fogbank.services.states.model import MAX_INPUT, Record

if TYPE_CHECKING:
    from types_boto3_stepfunctions.type_defs import (
        DescribeExecutionInputTypeDef,
        GetExecutionHistoryInputTypeDef,
        ListExecutionsInputTypeDef,
        RedriveExecutionInputTypeDef,
        StartExecutionInputTypeDef,
        StartSyncExecutionInputTypeDef,
        StopExecutionInputTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_decode = msgspec.json.decode
_DATA = ("input", "output", "parameters", "assignedVariables", "inputDetails", "outputDetails")
_any_json = msgspec.json.Decoder(msgspec.Raw)


class ExecutionOperations(Frame):
    """The operations on executions."""

    async def start_execution(self, call: Call, request: StartExecutionInputTypeDef) -> Reply:
        """StartExecution: again with the same name and input, while it runs, it answers as the first time."""
        arn = request["stateMachineArn"]
        found = self._resolver.cached(arn) or await self._resolver.resolve(arn)
        record = self._record(call, request, found)
        if found.machine.kind == "EXPRESS":
            self._runner.begin_express(record, found.revision, call.scope, call.trace)
            return {"executionArn": record.arn, "startDate": record.started / 1000}
        if await self._runner.begin(record, found.revision, call.scope, call.trace):
            return {"executionArn": record.arn, "startDate": record.started / 1000}
        before = await self.kit.storage.read(lambda tx: rows.get_execution(tx, record.arn))
        if before is not None and before.status == "RUNNING" and before.input == record.input:
            return {"executionArn": before.arn, "startDate": before.started / 1000}
        raise errors.ExecutionExistsError(f"Execution Already Exists: '{record.arn}'")

    def _record(self, call: Call, request: Mapping[str, Any] | Any, found: Resolution) -> Record:
        text = request.get("input", "{}")
        if len(text) * 4 > MAX_INPUT and len(text.encode()) > MAX_INPUT:
            raise errors.InvalidInputError(
                f"Invalid Execution Input: 'Input size exceeds the limit of {MAX_INPUT} bytes'"
            )
        try:
            _any_json.decode(text)
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            why = why_not_json(text) or error
            raise errors.InvalidInputError(f"Invalid State Machine Execution Input: '{why}'") from None
        name = request.get("name")
        ids = self.kit.ids
        if name is None:
            name = ids.uuid()
        else:
            check_name(name)
        machine = found.machine
        if machine.kind == "EXPRESS":
            arn = call.scope.arn("states", f"express:{machine.name}:{name}:{ids.uuid()}")
        else:
            arn = call.scope.arn("states", f"execution:{machine.name}:{name}")
        trace = request.get("traceHeader") or call.trace.header
        return Record(
            *(0, arn, machine.arn, found.revision.id, name, ids.hex(32), found.qualified, found.alias, trace, text),
            *("RUNNING", self.kit.clock.millis()),
        )

    async def start_sync_execution(self, call: Call, request: StartSyncExecutionInputTypeDef) -> Reply:
        """StartSyncExecution: an Express execution, answered when it has ended."""
        found = await self._resolver.resolve(request["stateMachineArn"])
        if found.machine.kind != "EXPRESS":
            raise errors.MachineTypeError("This operation is not supported by this type of state machine")
        record = self._record(call, request, found)
        ended = await self._runner.begin_express(record, found.revision, call.scope, call.trace)
        stopped = ended.stopped or ended.started
        billed = max(100, -(-(stopped - ended.started) // 100) * 100)
        return {
            "executionArn": ended.arn,
            "stateMachineArn": ended.machine,
            "name": ended.name,
            "startDate": ended.started / 1000,
            "stopDate": stopped / 1000,
            "status": ended.status,
            "error": ended.error,
            "cause": ended.cause,
            "input": ended.input,
            "inputDetails": {"included": True},
            "output": ended.output,
            "outputDetails": {"included": True},
            "traceHeader": request.get("traceHeader"),
            "billingDetails": {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": billed},
        }

    async def describe_execution(self, call: Call, request: DescribeExecutionInputTypeDef) -> Reply:  # noqa: ARG002
        """DescribeExecution."""
        record = await self._standard(request["executionArn"])
        reply = _shown(record)
        if request.get("includedData") == "METADATA_ONLY":
            return reply
        reply |= {"input": record.input, "inputDetails": {"included": True}}
        reply |= {"error": record.error, "cause": record.cause}
        if record.output is not None:
            reply |= {"output": record.output, "outputDetails": {"included": True}}
        reply["redriveStatus"], reply["redriveStatusReason"] = record.redrivable(self.kit.clock.millis())
        return reply

    async def _standard(self, arn: str) -> Record:
        """A Standard execution that must be there."""
        if len(parse(arn, "execution", "express")) > 2 and "/" not in arn:
            raise errors.InvalidArnError("Invalid Arn: 'Resource type not valid in this context: express'")
        record = await self.kit.storage.read(lambda tx: rows.get_execution(tx, arn))
        if record is None:
            run = self._runner.find(arn)  # an Express child execution under way
            record = None if run is None else run.record
        if record is None:
            raise errors.ExecutionNotFoundError(f"Execution Does Not Exist: '{arn}'")
        return record

    async def list_executions(self, call: Call, request: ListExecutionsInputTypeDef) -> Reply:  # noqa: ARG002
        """ListExecutions: newest first, in a state, of a machine, a version or an alias."""
        given: Mapping[str, Any] = request
        arn = given.get("stateMachineArn")
        if (arn is None) == (given.get("mapRunArn") is None):
            raise errors.ValidationError("Must provide a State Machine ARN or Map Run ARN")
        if arn is None:
            return await self._list_children(given)
        parts = parse(arn, "stateMachine")
        qualified = arn if len(parts) > 1 else ""
        machine = arn.rpartition(":")[0] if qualified else arn
        limit = page_size(given)
        before = decode_position(given.get("nextToken"), int, 1 << 60)

        async def body(tx: Tx) -> list[Record]:
            found = await rows.get_machine(tx, machine)
            if found is None:
                raise not_there(arn)
            if found.kind == "EXPRESS":
                raise errors.MachineTypeError("This operation is not supported by this type of state machine")
            filters = {"status": given.get("statusFilter", ""), "redrive": given.get("redriveFilter", "")}
            return await rows.list_executions(
                tx, machine, before=before, qualified=qualified, limit=limit + 1, **filters
            )

        found = await self.kit.storage.read(body)
        page, token = page_of(found, limit, lambda record: record.id)
        return {"executions": [_shown(record) for record in page], "nextToken": token}

    async def _list_children(self, given: Mapping[str, Any]) -> Reply:
        """The child executions of a map run, newest first; of Express ones those that have ended."""
        arn = given["mapRunArn"]
        parse(arn, "mapRun")
        limit = page_size(given)
        before = decode_position(given.get("nextToken"), int, 1 << 60)

        async def body(tx: Tx) -> list[Record]:
            if await rows.get_map_run(tx, arn) is None:
                raise errors.ResourceNotFoundError(f"Resource not found: '{arn}'")
            filters = {"status": given.get("statusFilter", ""), "redrive": given.get("redriveFilter", "")}
            return await rows.list_children(tx, arn, before=before, limit=limit + 1, **filters)

        found = await self.kit.storage.read(body)
        page, token = page_of(found, limit, lambda record: record.id)
        return {"executions": [_shown(record) for record in page], "nextToken": token}

    async def redrive_execution(self, call: Call, request: RedriveExecutionInputTypeDef) -> Reply:  # noqa: ARG002
        """RedriveExecution: again with the same token it answers as the first time."""
        record = await self._standard(request["executionArn"])
        token = request.get("clientToken")
        if token is not None and token == record.redrive_token and record.redriven is not None:
            return {"redriveDate": record.redriven / 1000}
        status, reason = record.redrivable(self.kit.clock.millis())
        if record.map_run is not None:
            reason = "Execution was started by a Map Run: redrive the execution that the Map Run belongs to"
        elif status == "REDRIVABLE":
            redriven = await self._runner.redrive(record, token)
            return {"redriveDate": (redriven.redriven or 0) / 1000}
        raise errors.NotRedrivableError(reason or "Execution cannot be redriven")

    async def stop_execution(self, call: Call, request: StopExecutionInputTypeDef) -> Reply:  # noqa: ARG002
        """StopExecution: of one that has ended, it answers when that was."""
        record = await self._standard(request["executionArn"])
        run = self._runner.find(record.arn)
        if run is None:
            return {"stopDate": (record.stopped or self.kit.clock.millis()) / 1000}
        now = self.kit.clock.millis()
        await self._runner.settle(run, ("stop", now, request.get("error"), request.get("cause")))
        return {"stopDate": (run.record.stopped or now) / 1000}

    async def get_execution_history(self, call: Call, request: GetExecutionHistoryInputTypeDef) -> Reply:  # noqa: ARG002
        """GetExecutionHistory: in either direction, with or without the data."""
        record = await self._standard(request["executionArn"])
        chunks = await self.kit.storage.read(lambda tx: rows.events_of(tx, record.id))
        events: list[dict[str, Any]] = [event for chunk in chunks for event in _decode(chunk)]
        if request.get("reverseOrder"):
            events.reverse()
        start = decode_position(request.get("nextToken"), int, 0)
        limit = page_size(request)
        page, _ = page_of(events[start : start + limit + 1], limit, lambda event: event["id"])
        token = None
        if len(events) > start + limit:
            _, token = page_of([start + limit] * 2, 1, lambda position: position)
        if request.get("includeExecutionData", True) is False:
            page = [_without_data(event) for event in page]
        return {"events": page, "nextToken": token}


def _without_data(event: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {k: v for k, v in value.items() if k not in _DATA} if isinstance(value, dict) else value
        for name, value in event.items()
    }


def _shown(record: Record) -> Reply:
    return {
        "executionArn": record.arn,
        "stateMachineArn": record.machine,
        "name": record.name,
        "status": record.status,
        "startDate": record.started / 1000,
        "stopDate": None if record.stopped is None else record.stopped / 1000,
        "stateMachineVersionArn": record.qualified,
        "stateMachineAliasArn": record.alias,
        "redriveCount": record.redrives,
        "redriveDate": None if record.redriven is None else record.redriven / 1000,
        "mapRunArn": record.map_run,
    }
