"""What follows an asynchronous attempt, and what destinations are told."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.lambda_._async import (
    Again,
    Condition,
    Done,
    Progress,
    Settings,
    Tried,
    after,
    dead_letter_parameters,
    destination_parameters,
    record,
)

NEW = Progress("id", 1_000.0)
FAILED = Tried(b'{"errorMessage":"no"}', "Unhandled", "3")
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"


def test_success_ends_it() -> None:
    step = after(Tried(b"1"), NEW, Settings(), 1_000.0)
    assert step == Done(Condition.SUCCESS, Progress("id", 1_000.0, invokes=1))


def test_an_error_is_retried_after_one_and_two_minutes_and_then_given_up() -> None:
    first = after(FAILED, NEW, Settings(), 1_000.0)
    assert isinstance(first, Again)
    assert first.delay == 60
    second = after(FAILED, first.progress, Settings(), 1_060.0)
    assert isinstance(second, Again)
    assert second.delay == 120
    third = after(FAILED, second.progress, Settings(), 1_180.0)
    assert isinstance(third, Done)
    assert (third.condition, third.progress.invokes) == (Condition.RETRIES_EXHAUSTED, 3)


def test_no_retries_if_none_are_allowed() -> None:
    step = after(FAILED, NEW, Settings(retries=0), 1_000.0)
    assert isinstance(step, Done)


def test_a_retry_past_the_maximum_age_is_not_made() -> None:
    step = after(FAILED, NEW, Settings(max_age=60), 1_001.0)
    assert isinstance(step, Done)
    assert step.condition is Condition.AGE_EXCEEDED


@given(throttles=st.integers(0, 100))
def test_throttles_do_not_count_as_retries_and_wait_up_to_five_minutes(throttles: int) -> None:
    progress = Progress("id", 1_000.0, throttles=throttles)
    step = after(Tried(throttled=True), progress, Settings(retries=0), 1_000.0)
    assert isinstance(step, Again)
    assert 1 <= step.delay <= 300
    assert step.progress.invokes == 0


def test_the_record_of_a_failure() -> None:
    done = Done(Condition.RETRIES_EXHAUSTED, Progress("id", 1_000.0, invokes=3))
    shown = msgspec.json.decode(msgspec.json.encode(record(done, FAILED, b'{"n":1}', ARN, 1_700_000_000.5)))
    assert shown == {
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:20.500Z",
        "requestContext": {
            "requestId": "id",
            "functionArn": ARN,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"n": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "3", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "no"},
    }


def test_a_bus_gets_the_record_as_an_event_of_lambda() -> None:
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    assert destination_parameters(bus, Done(Condition.SUCCESS, NEW), ARN) == {
        "Source": "lambda",
        "DetailType": "Lambda Function Invocation Result - Success",
        "Resources": [ARN, bus],
    }
    assert destination_parameters("arn:aws:sqs:us-east-1:000000000000:q", Done(Condition.SUCCESS, NEW), ARN) == {}


def test_a_dead_letter_says_which_request_and_why() -> None:
    attributes = dead_letter_parameters("arn:aws:sqs:us-east-1:000000000000:q", FAILED, "id")["MessageAttributes"]
    assert {name: value["StringValue"] for name, value in attributes.items()} == {
        "RequestID": "id",
        "ErrorCode": "200",
        "ErrorMessage": "no",
    }


def test_progress_travels_with_the_event() -> None:
    progress = Progress("id", 12.5, 2, 1, '{"a":1}')
    assert Progress.unpack(msgspec.json.decode(msgspec.json.encode(progress.pack()))) == progress
