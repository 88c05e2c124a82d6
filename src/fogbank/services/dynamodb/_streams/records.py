"""What is recorded of a change, and how it is shown.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
"""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec

from fogbank.core.clock import Clock
from fogbank.core.scope import Scope
from fogbank.services.dynamodb._streams.storage import Streams
from fogbank.services.dynamodb._values.attributes import Item, item_size
from fogbank.services.dynamodb._values.codec import StoredValue
from fogbank.services.dynamodb.model import Table
from fogbank.storage import Tx

RETENTION = 24 * 3600
"""Seconds for which records can be read."""
_SEQUENCE_BASE = 10**20
_EXPIRED_BY = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}


class _Stored(TypedDict, total=False):
    """A record as it is stored: what its stream's view type shows."""

    event: str
    at: float
    keys: dict[str, StoredValue]
    old: dict[str, StoredValue]
    new: dict[str, StoredValue]
    expired: bool


_encode = msgspec.json.Encoder().encode
_decode: Any = msgspec.json.Decoder(_Stored).decode


def topic(table: str) -> str:
    """What is woken when a table's stream gets a record; `table` is the table's ARN."""
    return f"dynamodb.stream.{table}"


class Recorder:
    """Writes the records."""

    def __init__(self, streams: Streams, clock: Clock) -> None:
        self._streams = streams
        self._clock = clock

    async def record(self, tx: Tx, table: Table, old: Item | None, new: Item | None, *, expired: bool = False) -> None:
        """Record a change of a table that has a stream."""
        stream = table.definition.stream
        some = new if new is not None else old
        if stream is None or some is None:
            return
        now = self._clock.time()
        event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        # Streams give whole seconds.
        record: dict[str, Any] = {"event": event, "at": float(int(now)), "keys": table.keys.key_of(some)}
        if new is not None and stream.view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            record["new"] = new
        if old is not None and stream.view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            record["old"] = old
        if expired:
            record["expired"] = True
        await self._streams.add(tx, table.id, stream.label, int(now * 1000), _encode(record))
        tx.wake(topic(table.arn))


def sequence_number(number: int) -> str:
    """A record's number as the API shows it: 21 digits, so that they sort as text too."""
    return str(_SEQUENCE_BASE + number)


def number_of(sequence: str) -> int:
    """The record's number that a sequence number stands for."""
    return int(sequence) - _SEQUENCE_BASE


def shown(number: int, data: bytes, scope: Scope, view: str) -> dict[str, Any]:
    """A stored record as GetRecords gives it."""
    stored = _decode(data)
    keys, old, new = stored["keys"], stored.get("old"), stored.get("new")
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": stored["at"],
        "Keys": keys,
        "SequenceNumber": sequence_number(number),
        "SizeBytes": sum(item_size(part) for part in (keys, old, new) if part is not None),
        "StreamViewType": view,
    }
    if new is not None:
        change["NewImage"] = new
    if old is not None:
        change["OldImage"] = old
    record = {
        "eventID": f"{number:032x}",
        "eventName": stored["event"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": scope.region,
        "dynamodb": change,
    }
    if stored.get("expired"):
        record["userIdentity"] = _EXPIRED_BY
    return record
