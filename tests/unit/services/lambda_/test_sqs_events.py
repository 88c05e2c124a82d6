"""The event of an SQS mapping, and what its answer says of each message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fogbank.core.arn import Arn
from fogbank.core.patterns import compile_pattern
from fogbank.services.lambda_._sqs_events import event, matches, succeeded

SOURCE = Arn.parse("arn:aws:sqs:us-east-2:123456789012:my-queue")


def message(name: str = "m1", body: str = "hello", **more: Any) -> dict[str, Any]:
    return {
        "MessageId": name,
        "ReceiptHandle": f"handle-{name}",
        "Body": body,
        "MD5OfBody": "md5",
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
        **more,
    }


def test_the_documented_form() -> None:
    given = message(
        MD5OfMessageAttributes="md5a",
        MessageAttributes={
            "s": {"DataType": "String", "StringValue": "v"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00"},
        },
    )
    assert json.loads(event([given], SOURCE)) == {
        "Records": [
            {
                "messageId": "m1",
                "receiptHandle": "handle-m1",
                "body": "hello",
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
                "messageAttributes": {
                    "s": {"stringValue": "v", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
                    "b": {"binaryValue": "AA==", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
                },
                "md5OfMessageAttributes": "md5a",
                "md5OfBody": "md5",
                "eventSource": "aws:sqs",
                "eventSourceARN": str(SOURCE),
                "awsRegion": "us-east-2",
            }
        ]
    }


BATCH = [message("a"), message("b"), message("c")]


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        (b"null", "abc"),
        (b"", "abc"),
        (b"{}", "abc"),
        (b'{"batchItemFailures": []}', "abc"),
        (b'{"batchItemFailures": null}', "abc"),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', "ac"),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', ""),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', ""),
        (b'{"batchItemFailures": [{"wrong": "b"}]}', ""),
        (b'{"batchItemFailures": [{"itemIdentifier": "other"}]}', ""),
        (b'{"batchItemFailures": "b"}', ""),
    ],
)
def test_partial_batch_responses(answer: bytes, done: str) -> None:
    """Named messages failed; an answer that makes no sense fails the whole batch."""
    assert "".join(m["MessageId"] for m in succeeded(BATCH, answer, partial=True)) == done


def test_without_partial_responses_the_answer_does_not_matter() -> None:
    answer = b'{"batchItemFailures": [{"itemIdentifier": "b"}]}'
    assert succeeded(BATCH, answer, partial=False) == BATCH


def test_filters_look_into_json_bodies() -> None:
    patterns = [compile_pattern('{"body": {"kind": ["order"]}}')]
    assert matches(patterns, message(body='{"kind": "order"}'), SOURCE)
    assert not matches(patterns, message(body='{"kind": "other"}'), SOURCE)
    assert not matches(patterns, message(body="plain"), SOURCE)


def test_filters_match_plain_bodies_too() -> None:
    assert matches([compile_pattern('{"body": ["plain"]}')], message(body="plain"), SOURCE)


def test_any_filter_will_do_and_none_lets_all_pass() -> None:
    patterns = [compile_pattern('{"body": ["a"]}'), compile_pattern('{"body": ["b"]}')]
    assert matches(patterns, message(body="b"), SOURCE)
    assert matches([], message(), SOURCE)
