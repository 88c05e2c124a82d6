"""Batches of a stream: the events made of them, what an attempt leads to, and the record of what was given up.

A batch is tried until it is done with, and nothing behind it is read before:

    attempt ──success──▶ checkpoint
       │ ──partial failure──▶ checkpoint up to the first failure; the rest again
       │ ──error──▶ again; in two halves, if batches are bisected and there are several records
       └──too often or too old──▶ checkpoint, and a record to the destination of failures

Pure functions. Sources: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html; the record of a failure as the
LocalStack project recorded it on AWS (test_lambda_integration_dynamodbstreams).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from fogbank.core.patterns import Pattern
from fogbank.runtime.records import timestamp
from fogbank.services.lambda_._sqs_events import failed_items

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
FOREVER = -1
"""MaximumRetryAttempts and MaximumRecordAgeInSeconds without a limit."""
_FIRST_DELAY = 1.0
_LONGEST_DELAY = 60.0


class Condition(StrEnum):
    """Why a batch was given up."""

    RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
    AGE_EXCEEDED = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a stream: as the function sees it, its sequence number, when it came (seconds), its size (bytes)."""

    shown: dict[str, Any]
    sequence: str
    at: float
    size: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What a mapping says of failures."""

    retries: int
    max_age: int
    bisect: bool
    partial: bool

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Rules:
        """From a mapping's settings."""
        return cls(
            settings["MaximumRetryAttempts"],
            settings["MaximumRecordAgeInSeconds"],
            settings["BisectBatchOnFunctionError"],
            "ReportBatchItemFailures" in settings.get("FunctionResponseTypes", []),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are tried together, and how often they were. `last` is what the last attempt answered."""

    records: Sequence[Record]
    attempts: int = 0
    last: Answer | None = None

    @property
    def delay(self) -> float:
        """Seconds to wait before the next attempt."""
        return 0.0 if self.attempts == 0 else min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(self.attempts - 1, 10))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function said to a batch; `error` as X-Amz-Function-Error."""

    request_id: str
    payload: bytes
    error: str | None
    executed: str


@dataclass(frozen=True, slots=True)
class Step:
    """What follows: the sequence number that is done with, what is to be tried next, and what was given up."""

    done: str | None
    again: Sequence[Batch] = ()
    lost: Batch | None = None
    condition: Condition | None = None

    @property
    def result(self) -> str:
        """LastProcessingResult."""
        return "PROBLEM: Function call failed" if self.lost or any(one.last for one in self.again) else "OK"


def record(given: Mapping[str, Any], arn: str) -> Record:
    """A record of GetRecords as an event holds it: blobs in base64, with the stream's ARN."""
    change = given["dynamodb"]
    at = float(change["ApproximateCreationDateTime"])
    shown = {
        **given,
        "dynamodb": {**change, "ApproximateCreationDateTime": int(at) if at.is_integer() else at},
        "eventSourceARN": arn,
    }
    if "userIdentity" in given:
        identity = given["userIdentity"]
        shown["userIdentity"] = {"principalId": identity["PrincipalId"], "type": identity["Type"]}
    data = _encode(shown)
    return Record(_decode(data), change["SequenceNumber"], at, len(data))


def event(batch: Batch) -> bytes:
    """The event of a batch."""
    return _encode({"Records": [one.shown for one in batch.records]})


def wanted(records: Sequence[Record], patterns: Sequence[Pattern]) -> list[Record]:
    """The records that pass a mapping's filters: any of them; all records where there are none."""
    if not patterns:
        return list(records)
    return [one for one in records if any(pattern.matches(one.shown) for pattern in patterns)]


def expired(batch: Batch, rules: Rules, now: float) -> Step | None:
    """Give up the records at a batch's front that have become too old; `None` if none has."""
    if rules.max_age == FOREVER:
        return None
    old = [one for one in batch.records if now - one.at > rules.max_age]
    if not old:
        return None
    count = len(old)
    left = replace(batch, records=batch.records[count:])
    lost = replace(batch, records=batch.records[:count])
    return Step(lost.records[-1].sequence, [left] if left.records else [], lost, Condition.AGE_EXCEEDED)


def after(batch: Batch, answer: Answer, rules: Rules) -> Step:
    """What follows an attempt at a batch."""
    first = _first_failure(batch, answer, rules)
    if first == len(batch.records):
        return Step(batch.records[-1].sequence)
    done = batch.records[first - 1].sequence if first else None
    left = Batch(batch.records[first:], batch.attempts + 1, answer)
    if rules.bisect and first == 0 and len(left.records) > 1:
        middle = len(left.records) // 2
        # splitting does not count as a retry
        halves = (left.records[:middle], left.records[middle:])
        return Step(done, [Batch(half, batch.attempts, answer) for half in halves])
    if rules.retries != FOREVER and left.attempts > rules.retries:
        return Step(left.records[-1].sequence, (), left, Condition.RETRIES_EXHAUSTED)
    return Step(done, [left])


def _first_failure(batch: Batch, answer: Answer, rules: Rules) -> int:
    """The index of the first record that is not done with; all of them if there is no telling."""
    if answer.error is not None:
        return 0
    if not rules.partial:
        return len(batch.records)
    failed = failed_items(answer.payload)
    if failed is None:
        return 0
    places = {one.sequence: number for number, one in enumerate(batch.records)}
    if not failed <= set(places):
        return 0
    return min((places[sequence] for sequence in failed), default=len(batch.records))


def failure(step: Step, *, function: str, stream: str, shard: str, request_id: str, now: float) -> dict[str, Any]:
    """The record that the destination of failures gets; `request_id` is for a batch that was never tried."""
    lost = step.lost
    assert lost is not None
    assert step.condition is not None
    last = lost.last
    shown: dict[str, Any] = {
        "requestContext": {
            "requestId": last.request_id if last else request_id,
            "functionArn": function,
            "condition": step.condition.value,
            "approximateInvokeCount": lost.attempts,
        },
    }
    if last is not None:
        shown["responseContext"] = {"statusCode": 200, "executedVersion": last.executed, "functionError": last.error}
    return {
        **shown,
        "version": "1.0",
        "timestamp": timestamp(int(now * 1000)),
        "DDBStreamBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": lost.records[0].sequence,
            "endSequenceNumber": lost.records[-1].sequence,
            "approximateArrivalOfFirstRecord": _arrival(lost.records[0]),
            "approximateArrivalOfLastRecord": _arrival(lost.records[-1]),
            "batchSize": len(lost.records),
            "streamArn": stream,
        },
    }


def _arrival(one: Record) -> str:
    return f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%dT%H:%M:%SZ}"
