"""Each meter agrees with an example that was computed by hand; the arithmetic stands beside it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.insight.meter import express, invocation, pieces, rule_of, size
from fogbank.insight.prices import price_book

KB = 1024
URL = "http://127.0.0.1:4566/000000000000/orders"


def used(
    service: str, operation: str, request: dict[str, Any], reply: dict[str, Any] | None = None
) -> dict[str, float]:
    rule = rule_of(service, operation)
    assert rule is not None
    uses = rule(request, reply or {})
    return {use.unit: use.quantity for use in uses if not use.unit.startswith("observed.")}


def summed(uses: Any) -> dict[str, float]:
    return {use.unit: use.quantity for use in uses}


def test_an_invocation_of_512_mb_for_250_ms() -> None:
    """1 request; 0.25 s × 0.5 GB = 0.125 GB-s; at list prices 0.0000002 + 0.125 × 0.0000166667."""
    uses = invocation("f", memory=512, billed=250)
    assert summed(uses) == {"lambda.requests": 1, "lambda.gb-seconds.x86_64": 0.125}
    book = price_book("us-east-1")
    dollars = sum(book.price(use.unit).list_price(use.quantity) for use in uses)
    assert dollars == pytest.approx(0.0000002 + 0.00000208333750)


def test_arm_costs_a_fifth_less_for_the_same_duration() -> None:
    """0.0000133334 against 0.0000166667 a GB-second."""
    book = price_book("us-east-1")
    arm, x86 = (book.price(f"lambda.gb-seconds.{kind}").list_price(1) for kind in ("arm64", "x86_64"))
    assert arm / x86 == pytest.approx(0.8, abs=0.001)


def test_ephemeral_storage_past_512_mb() -> None:
    """2 s × (2,560 − 512) MB = 2 s × 2 GB = 4 GB-s."""
    assert summed(invocation("f", memory=1024, billed=2000, ephemeral=2560))["lambda.storage-gb-seconds"] == 4


def test_provisioned_concurrency_has_its_own_duration_price() -> None:
    """1 s × 1 GB on provisioned concurrency is no ordinary duration."""
    assert summed(invocation("f", memory=1024, billed=1000, provisioned=True, architecture="arm64")) == {
        "lambda.requests": 1,
        "lambda.provisioned-duration.arm64": 1,
    }


def test_a_restore_from_a_snapshot_is_billed_by_the_memory() -> None:
    """One restore of 1,536 MB is 1.5 GB."""
    assert summed(invocation("f", memory=1536, billed=100, restored=True))["lambda.snapstart-restored-gb"] == 1.5


def test_the_first_6_mb_of_a_streamed_response_are_free() -> None:
    """6 MB + 1 GB streamed: 1 GB is billed."""
    streamed = 6 * KB * KB + 1024**3
    assert summed(invocation("f", memory=128, billed=1, streamed=streamed))["lambda.streamed-gb"] == 1
    assert "lambda.streamed-gb" not in summed(invocation("f", memory=128, billed=1, streamed=6 * KB * KB))


def test_a_large_asynchronous_event_is_several_requests() -> None:
    """1 for the first 256 KB (counted as it runs), 1 for each 64 KB more: 400 KB are 3 more (144 / 64 = 2.25)."""
    request = {"FunctionName": "f", "InvocationType": "Event", "Payload": b"x" * 400 * KB}
    assert used("lambda", "Invoke", request) == {"lambda.requests": 3}
    assert used("lambda", "Invoke", request | {"Payload": b"x" * 256 * KB}) == {}
    assert used("lambda", "Invoke", request | {"InvocationType": "RequestResponse"}) == {}


def test_a_message_of_256_kb_is_four_requests() -> None:
    """AWS's own example: 256 KB / 64 KB = 4."""
    assert used("sqs", "SendMessage", {"QueueUrl": URL, "MessageBody": "x" * 256 * KB}) == {"sqs.requests.standard": 4}


def test_a_small_message_and_a_request_without_payload_are_one() -> None:
    """Every action is a request; FIFO queues have their own price."""
    assert used("sqs", "SendMessage", {"QueueUrl": URL + ".fifo", "MessageBody": "x"}) == {"sqs.requests.fifo": 1}
    assert used("sqs", "DeleteMessage", {"QueueUrl": URL, "ReceiptHandle": "h"}) == {"sqs.requests.standard": 1}
    assert used("sqs", "ListQueues", {}) == {"sqs.requests.standard": 1}


def test_attributes_count_with_the_body() -> None:
    """64 KB of body is one piece; one attribute more makes it two."""
    attributes = {"kind": {"DataType": "String", "StringValue": "order"}}
    request = {"QueueUrl": URL, "MessageBody": "x" * 64 * KB}
    assert used("sqs", "SendMessage", request) == {"sqs.requests.standard": 1}
    assert used("sqs", "SendMessage", request | {"MessageAttributes": attributes}) == {"sqs.requests.standard": 2}


def test_a_batch_and_a_receipt_are_billed_by_their_sum() -> None:
    """Ten messages of 10 KB are 100 KB: two requests."""
    entries = [{"Id": str(n), "MessageBody": "x" * 10 * KB} for n in range(10)]
    assert used("sqs", "SendMessageBatch", {"QueueUrl": URL, "Entries": entries}) == {"sqs.requests.standard": 2}
    reply = {"Messages": [{"Body": "x" * 10 * KB}] * 10}
    assert used("sqs", "ReceiveMessage", {"QueueUrl": URL}, reply) == {"sqs.requests.standard": 2}
    assert used("sqs", "ReceiveMessage", {"QueueUrl": URL}) == {"sqs.requests.standard": 1}


def test_events_are_billed_by_64_kb_each_and_refused_ones_not() -> None:
    """One of 70 KB is two, one of 1 KB is one, one that was refused is none."""
    entries = [{"Source": "s", "DetailType": "t", "Detail": "x" * n * KB, "EventBusName": "b"} for n in (70, 1, 1)]
    reply = {"Entries": [{"EventId": "1"}, {"EventId": "2"}, {"ErrorCode": "MalformedDetail"}]}
    assert used("events", "PutEvents", {"Entries": entries}, reply) == {"events.custom": 3}


def test_log_events_have_26_bytes_on_top() -> None:
    """1,000 events of 1,000 bytes (500 characters of 2) are 1,026,000 bytes."""
    request = {"logGroupName": "g", "logEvents": [{"message": "é" * 500}] * 1000}
    assert used("logs", "PutLogEvents", request)["logs.ingested-gb"] == pytest.approx(1_026_000 / 1024**3)


def test_an_express_execution_as_in_awss_example() -> None:
    """50 MB + 50 KB + 32 KB × 400 steps = 62.85 MB: one chunk; 10 s × 64 / 1024 GB = 0.625 GB-s."""
    uses = summed(express("m", duration=10.0, definition=50 * KB, payload=32 * KB, parallel=400))
    assert uses == {"stepfunctions.express-requests": 1, "stepfunctions.express-gb-seconds": 0.625}


def test_an_express_executions_time_is_rounded_up_to_100_ms() -> None:
    """0.301 s are 0.4 s; 0.3 s stay 0.3 s; nothing is 0.1 s."""
    chunk = 64 / 1024
    for duration, billed in ((0.301, 0.4), (0.3, 0.3), (0.0, 0.1)):
        uses = summed(express("m", duration=duration, definition=0, payload=0))
        assert uses["stepfunctions.express-gb-seconds"] == pytest.approx(billed * chunk)


def test_payloads_near_256_kb_are_noted() -> None:
    """From 192 KB on, beside the bill."""
    for large, body in ((True, 200 * KB), (False, 190 * KB)):
        requests: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
            ("sqs", "SendMessage", {"QueueUrl": URL, "MessageBody": "x" * body}, {}),
            ("stepfunctions", "StartExecution", {"stateMachineArn": "m", "input": "x" * body}, {}),
            ("events", "PutEvents", {"Entries": [{"Detail": "x" * body}]}, {"Entries": [{"EventId": "1"}]}),
        ]
        for service, operation, request, reply in requests:
            rule = rule_of(service, operation)
            assert rule is not None
            noted = any(use.unit == "observed.large-payloads" for use in rule(request, reply))
            assert noted is large, operation


def test_metric_data_is_billed_by_metric() -> None:
    """Two metrics and an expression over them are two."""
    queries = [{"Id": "a", "MetricStat": {}}, {"Id": "b", "MetricStat": {}}, {"Id": "c", "Expression": "a+b"}]
    assert used("cloudwatch", "GetMetricData", {"MetricDataQueries": queries}) == {"cloudwatch.metrics-read": 2}


def test_a_trace_is_recorded_once_however_many_segments_it_has() -> None:
    """Segments that have a parent belong to one that is counted."""
    documents = ['{"id": "a", "trace_id": "1"}', '{"id": "b", "trace_id": "1", "parent_id": "a"}']
    assert used("xray", "PutTraceSegments", {"TraceSegmentDocuments": documents}) == {"xray.traces-recorded": 1}
    assert used("xray", "BatchGetTraces", {"TraceIds": ["1", "2"]}) == {"xray.traces-read": 2}


@given(st.text(max_size=200))
def test_sizes_are_those_in_utf_8(text: str) -> None:
    """Whatever the text, lone surrogates too."""
    assert size(text) == len(text.encode("utf-8", "surrogatepass"))


@given(st.integers(0, 2**30))
def test_pieces_hold_all_and_none_is_empty(count: int) -> None:
    """Nothing is one piece; else no piece is begun that is not needed."""
    found = pieces(count)
    assert found * 65_536 >= count
    assert found == 1 or (found - 1) * 65_536 < count
