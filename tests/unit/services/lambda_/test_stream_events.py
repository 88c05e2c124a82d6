"""What follows an attempt at a batch of a stream, and what is said of a batch that was given up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fogbank.services.lambda_ import _stream_events as events
from fogbank.services.lambda_._stream_events import Answer, Batch, Condition, Rules

RULES = Rules(retries=1, max_age=-1, bisect=False, partial=False)
GOOD = Answer("r", b"null", None, "$LATEST")
BAD = Answer("r", b"{}", "Unhandled", "$LATEST")
STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026-01-01T00:00:00.000"


def batch(*sequences: str, attempts: int = 0) -> Batch:
    given = [
        {
            "eventName": "INSERT",
            "dynamodb": {"ApproximateCreationDateTime": 1000.0, "SequenceNumber": one, "Keys": {"k": {"B": b"foobar"}}},
        }
        for one in sequences
    ]
    return Batch([events.record(one, STREAM) for one in given], attempts)


def sequences(batches: object) -> list[list[str]]:
    assert isinstance(batches, (list, tuple))
    return [[record.sequence for record in one.records] for one in batches]


def test_an_event_holds_what_the_stream_gave_with_blobs_in_base64() -> None:
    shown = json.loads(events.event(batch("1")))["Records"][0]
    assert shown["eventSourceARN"] == STREAM
    assert shown["dynamodb"]["Keys"] == {"k": {"B": "Zm9vYmFy"}}
    assert shown["dynamodb"]["ApproximateCreationDateTime"] == 1000


def test_a_success_is_done_with() -> None:
    step = events.after(batch("1", "2"), GOOD, RULES)
    assert (step.done, step.again, step.lost, step.result) == ("2", (), None, "OK")


def test_a_failure_is_tried_again_and_then_given_up() -> None:
    step = events.after(batch("1", "2"), BAD, RULES)
    assert (step.done, sequences(step.again), step.lost) == (None, [["1", "2"]], None)
    assert step.again[0].delay == 1.0
    step = events.after(step.again[0], BAD, RULES)
    assert (step.done, list(step.again), step.condition) == ("2", [], Condition.RETRIES_EXHAUSTED)
    assert step.result == "PROBLEM: Function call failed"


def test_without_a_limit_a_batch_is_tried_for_ever() -> None:
    step = events.after(batch("1", attempts=10_000), BAD, replace(RULES, retries=-1))
    assert step.lost is None
    assert step.again[0].delay == 60.0


def test_a_bisected_batch_is_tried_in_halves_which_costs_no_retry() -> None:
    rules = replace(RULES, bisect=True, retries=0)
    step = events.after(batch("1", "2", "3"), BAD, rules)
    assert sequences(step.again) == [["1"], ["2", "3"]]
    assert [one.delay for one in step.again] == [0.0, 0.0]
    assert events.after(step.again[0], BAD, rules).condition is Condition.RETRIES_EXHAUSTED


@pytest.mark.parametrize(
    ("payload", "done", "again"),
    [
        (b'{"batchItemFailures": [{"itemIdentifier": "3"}, {"itemIdentifier": "2"}]}', "1", [["2", "3"]]),
        (b'{"batchItemFailures": []}', "3", []),
        (b"null", "3", []),
        (b"{}", "3", []),
        (b'{"batchItemFailures": null}', "3", []),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', None, [["1", "2", "3"]]),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', None, [["1", "2", "3"]]),
        (b'{"batchItemFailures": [{"foo": "2"}]}', None, [["1", "2", "3"]]),
        (b'{"batchItemFailures": [{"itemIdentifier": "9"}]}', None, [["1", "2", "3"]]),
    ],
)
def test_partial_failures_begin_again_at_the_first(payload: bytes, done: str | None, again: list[list[str]]) -> None:
    step = events.after(batch("1", "2", "3"), replace(GOOD, payload=payload), replace(RULES, partial=True))
    assert (step.done, sequences(step.again)) == (done, again)


def test_records_that_are_too_old_are_given_up_untried() -> None:
    rules = replace(RULES, max_age=60)
    assert events.expired(batch("1"), rules, 1060.0) is None
    step = events.expired(batch("1"), rules, 1061.0)
    assert step is not None
    assert (step.done, step.again, step.condition) == ("1", [], Condition.AGE_EXCEEDED)


def test_the_destination_is_told_which_records_were_lost_and_why() -> None:
    """As recorded by the LocalStack project on AWS, test_lambda_integration_dynamodbstreams."""
    step = events.after(batch("1", "2", attempts=1), BAD, RULES)
    shown = events.failure(step, function="f", stream=STREAM, shard="s", request_id="x", now=2000.0)
    assert shown == {
        "requestContext": {
            "requestId": "r",
            "functionArn": "f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "1970-01-01T00:33:20.000Z",
        "DDBStreamBatchInfo": {
            "shardId": "s",
            "startSequenceNumber": "1",
            "endSequenceNumber": "2",
            "approximateArrivalOfFirstRecord": "1970-01-01T00:16:40Z",
            "approximateArrivalOfLastRecord": "1970-01-01T00:16:40Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }
