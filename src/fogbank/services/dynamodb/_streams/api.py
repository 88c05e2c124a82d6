"""The service `dynamodbstreams`: reading what changed in tables, for 24 hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.call import Call, Reply
from fogbank.core.errors import ValidationError
from fogbank.core.scope import Scope
from fogbank.services.dynamodb._streams.iterators import LIFE, ShardIterator, parse
from fogbank.services.dynamodb._streams.records import number_of, sequence_number, shown
from fogbank.services.dynamodb._streams.storage import StoredStream, Streams
from fogbank.services.dynamodb._tables.description import stream_arn
from fogbank.services.dynamodb.errors import (
    ExpiredIteratorError,
    ResourceNotFoundError,
    TrimmedDataAccessError,
)
from fogbank.services.kit import Kit, Service
from fogbank.storage import Tx

MAX_RECORDS = 1000
MAX_BYTES = 1024 * 1024
"""Of one GetRecords."""
_PAGE = 100


class DynamoDbStreams(Service):
    """Amazon DynamoDB Streams."""

    name: ClassVar[str] = "dynamodbstreams"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._streams = Streams()

    async def list_streams(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """The streams of an account and region, or of one table, a page at a time."""
        limit = min(request.get("Limit", _PAGE), _PAGE)
        after = ("", "")
        if "ExclusiveStartStreamArn" in request:
            _, *start = _parsed(request["ExclusiveStartStreamArn"])
            after = (start[0], start[1])

        async def body(tx: Tx) -> list[StoredStream]:
            return await self._streams.listed(tx, call.scope, request.get("TableName"), after, limit + 1)

        found = await self.kit.storage.read(body)
        reply: Reply = {
            "Streams": [
                {"StreamArn": _arn(call.scope, one), "TableName": one.table_name, "StreamLabel": one.label}
                for one in found[:limit]
            ]
        }
        if len(found) > limit:
            reply["LastEvaluatedStreamArn"] = _arn(call.scope, found[limit - 1])
        return reply

    async def describe_stream(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """A stream and its one shard."""
        after, wanted = request.get("ExclusiveStartShardId"), request.get("ShardFilter")
        if wanted is not None and "ShardId" not in wanted:
            raise ValidationError("ShardFilter of type CHILD_SHARDS must have a ShardId")

        async def body(tx: Tx) -> Reply:
            stream = await self._find(tx, call.scope, request["StreamArn"])
            first, last = await self._streams.bounds(tx, stream)
            described = _description(call.scope, stream)
            shard = _shard_id(stream)
            if wanted is None and (after is None or after < shard):
                sequences = {"StartingSequenceNumber": sequence_number(first or 0)}
                if stream.disabled is not None:
                    sequences["EndingSequenceNumber"] = sequence_number(last or 0)
                described["Shards"] = [{"ShardId": shard, "SequenceNumberRange": sequences}]
            return described

        return {"StreamDescription": await self.kit.storage.read(body)}

    async def get_shard_iterator(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """A place in a stream to read from."""
        kind, sequence = request["ShardIteratorType"], request.get("SequenceNumber")
        if kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER") and sequence is None:
            raise ValidationError(f"SequenceNumber is required for ShardIteratorType {kind}")
        if kind == "AT_TIMESTAMP" and "Timestamp" not in request:
            raise ValidationError("Timestamp is required for ShardIteratorType AT_TIMESTAMP")
        if sequence is not None and not (sequence.isascii() and sequence.isdigit()):
            raise ValidationError(f"Invalid SequenceNumber: {sequence}")

        async def body(tx: Tx) -> int:
            stream = await self._find(tx, call.scope, request["StreamArn"])
            if request["ShardId"] != _shard_id(stream):
                raise ResourceNotFoundError(f"Requested resource not found: Shard: {request['ShardId']} not found")
            return await self._place(tx, stream, request)

        after = await self.kit.storage.read(body)
        iterator = ShardIterator(request["StreamArn"], after, self.kit.clock.time())
        return {"ShardIterator": iterator.token()}

    async def _place(self, tx: Tx, stream: StoredStream, request: Mapping[str, Any]) -> int:
        """The number of the record after which an iterator begins."""
        first, last = await self._streams.bounds(tx, stream)
        match request["ShardIteratorType"]:
            case "TRIM_HORIZON":
                return (first or 1) - 1
            case "LATEST":
                return last or 0
            case "AT_TIMESTAMP":
                since = await self._streams.first_since(tx, stream, int(request["Timestamp"] * 1000))
                return (last or 0) if since is None else since - 1
            case kind:
                number = number_of(request["SequenceNumber"])
                if first is not None and number < first:
                    raise TrimmedDataAccessError(
                        "The operation attempted to read past the oldest stream record in a shard"
                    )
                return number - 1 if kind == "AT_SEQUENCE_NUMBER" else number

    async def get_records(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Records from an iterator on, and the iterator to go on from; none when a closed shard is read out."""
        iterator = parse(request["ShardIterator"])
        limit = request.get("Limit", MAX_RECORDS)
        if limit > MAX_RECORDS:
            raise ValidationError(
                f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
                f"Member must have value less than or equal to {MAX_RECORDS}"
            )
        now = self.kit.clock.time()
        if now - iterator.made > LIFE:
            raise ExpiredIteratorError(
                f"Iterator expired. The iterator was created at time {iterator.made:.0f} while right now it is "
                f"{now:.0f}, which is further in the future than the tolerated delay of {LIFE * 1000} milliseconds."
            )

        async def body(tx: Tx) -> tuple[StoredStream, list[tuple[int, bytes]]]:
            stream = await self._find(tx, call.scope, iterator.stream)
            return stream, await self._streams.records(tx, stream, iterator.after, limit)

        stream, rows = await self.kit.storage.read(body)
        records: list[dict[str, Any]] = []
        size, after = 0, iterator.after
        for number, data in rows:
            size += len(data)
            if records and size > MAX_BYTES:
                break
            records.append(shown(number, data, call.scope, stream.view))
            after = number
        reply: Reply = {"Records": records}
        if stream.disabled is None or rows:
            reply["NextShardIterator"] = ShardIterator(iterator.stream, after, now).token()
        return reply

    async def _find(self, tx: Tx, scope: Scope, arn: str) -> StoredStream:
        owner, table, label = _parsed(arn)
        stream = None
        if owner.region == scope.region:
            stream = await self._streams.find(tx, owner, table, label)
        if stream is None:
            raise ResourceNotFoundError(f"Requested resource not found: Stream: {arn} not found")
        return stream


def _parsed(arn: str) -> tuple[Scope, str, str]:
    """Owner, table and label of a stream's ARN."""
    try:
        parsed = Arn.parse(arn)
    except MalformedArnError:
        raise ValidationError(f"Invalid StreamArn: {arn}") from None
    parts = parsed.resource.split("/")
    if parsed.service != "dynamodb" or len(parts) != 4 or parts[0] != "table" or parts[2] != "stream":
        raise ValidationError(f"Invalid StreamArn: {arn}")
    return parsed.scope, parts[1], parts[3]


def _arn(scope: Scope, stream: StoredStream) -> str:
    return stream_arn(scope.arn("dynamodb", f"table/{stream.table_name}"), stream.label)


def _shard_id(stream: StoredStream) -> str:
    return f"shardId-{int(stream.created * 1000):020d}-{stream.table % 2**32:08x}"


def _description(scope: Scope, stream: StoredStream) -> dict[str, Any]:
    return {
        "StreamArn": _arn(scope, stream),
        "StreamLabel": stream.label,
        "StreamStatus": "ENABLED" if stream.disabled is None else "DISABLED",
        "StreamViewType": stream.view,
        "CreationRequestDateTime": stream.created,
        "TableName": stream.table_name,
        "KeySchema": stream.keys.describe(),
        "Shards": [],
    }
