"""Log streams: create, delete, list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.paging import cut_page, encode_token
from fogbank.services.logs import storage
from fogbank.services.logs._api.service import LogsService, group_name, group_of, position_of, stream_of
from fogbank.services.logs.errors import InvalidParameterError, ResourceExistsError
from fogbank.services.logs.model import Group, Position, Stream, check_unprotected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_logs import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.core.scope import Scope
    from fogbank.storage import Tx


class StreamOperations(LogsService):
    """The operations on log streams."""

    async def create_log_stream(self, call: Call, request: t.CreateLogStreamRequestTypeDef) -> Reply:
        """Create a log stream."""
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> None:
            group = await group_of(tx, call.scope, request["logGroupName"])
            if not await storage.insert_stream(tx, group.id, request["logStreamName"], now):
                raise ResourceExistsError("log stream")

        await self.kit.storage.transact(body)
        return {}

    async def delete_log_stream(self, call: Call, request: t.DeleteLogStreamRequestTypeDef) -> Reply:
        """Delete a log stream with its events."""

        async def body(tx: Tx) -> None:
            group = await group_of(tx, call.scope, request["logGroupName"])
            stream = await stream_of(tx, group.id, request["logStreamName"])
            check_unprotected(group)
            await storage.delete_stream(tx, stream.id)
            tx.wake("logs.sweep")

        await self.kit.storage.transact(body)
        return {}

    async def describe_log_streams(self, call: Call, request: t.DescribeLogStreamsRequestTypeDef) -> Reply:
        """List the streams of a group by name or by the time of their last event."""
        by_time = request.get("orderBy") == "LastEventTime"
        prefix = request.get("logStreamNamePrefix")
        if by_time and prefix is not None:
            raise InvalidParameterError("Cannot order by LastEventTime with a logStreamNamePrefix.")
        name = group_name(request, call.scope)
        limit = request.get("limit", 50)
        descending = request.get("descending", False)

        async def body(tx: Tx) -> Reply:
            group = await group_of(tx, call.scope, name)
            if by_time:
                time = position_of(request, tuple[int, str])
                streams = await storage.list_streams_by_time(
                    tx, group.id, after=time, descending=descending, limit=limit + 1
                )
            else:
                after = position_of(request, str)
                streams = await storage.list_streams(
                    tx, group.id, after=after, prefix=prefix or "", descending=descending, limit=limit + 1
                )
            return _page(call.scope, group, streams, limit, by_time=by_time)

        return await self.kit.storage.read(body)


def _page(scope: Scope, group: Group, streams: Sequence[Stream], limit: int, *, by_time: bool) -> Reply:
    page, more = cut_page(streams, limit)
    token = None
    if more:
        last = page[-1]
        token = encode_token([last.last_event, last.name] if by_time else last.name)
    return {"logStreams": [_describe(scope, group, stream) for stream in page], "nextToken": token}


def _describe(scope: Scope, group: Group, stream: Stream) -> Reply:
    described: Reply = {
        "logStreamName": stream.name,
        "creationTime": stream.created_at,
        "arn": f"{group.arn(scope)}:log-stream:{stream.name}",
        "storedBytes": 0,  # documented: always zero for streams
    }
    if stream.last_event:
        described |= {
            "firstEventTimestamp": stream.first_event,
            "lastEventTimestamp": stream.last_event,
            "lastIngestionTime": stream.last_ingestion,
            "uploadSequenceToken": Position(stream.last_ingestion, stream.id).number,
        }
    return described
