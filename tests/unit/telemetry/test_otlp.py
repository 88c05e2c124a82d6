"""OTLP against opentelemetry-proto: what we write it reads, what it writes we read; and the exporter's patience."""

from __future__ import annotations

import contextlib
import gzip
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

from fogbank.core.clock import VirtualClock
from fogbank.core.http import client as http
from fogbank.core.scope import Scope
from fogbank.telemetry import Kind, Link, Span, Status
from fogbank.telemetry.otlp import DecodeError, Exporter, decode_json, decode_protobuf, encode
from fogbank.telemetry.otlp import exporter as exporting

TRACE, ID, PARENT = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8", "a1b2c3d4e5f60718"
SCOPE = Scope()


def request() -> ExportTraceServiceRequest:
    found = ExportTraceServiceRequest()
    group = found.resource_spans.add()
    resource = group.resource.attributes.add(key="service.name")
    resource.value.string_value = "checkout"
    span = group.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(ID), parent_span_id=bytes.fromhex(PARENT), name="pay",
        kind=trace_pb2.Span.SPAN_KIND_CLIENT, start_time_unix_nano=1_500_000_000, end_time_unix_nano=2_500_000_000,
    )  # fmt: skip
    values: dict[str, Any] = {"text": "a", "whole": -3, "part": 2.5, "flag": True}
    for key, value in values.items():
        member = {"text": "string_value", "whole": "int_value", "part": "double_value", "flag": "bool_value"}[key]
        setattr(span.attributes.add(key=key).value, member, value)
    span.attributes.add(key="list").value.array_value.values.add(string_value="x")
    span.attributes.add(key="map").value.kvlist_value.values.add(key="k").value.int_value = 7
    event = span.events.add(name="exception", time_unix_nano=2_000_000_000)
    event.attributes.add(key="exception.type").value.string_value = "ValueError"
    span.links.add(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(PARENT))
    span.status.code = trace_pb2.Status.STATUS_CODE_ERROR
    span.status.message = "no such card"
    return found


EXPECTED = Span(
    trace="1-5759e988-bd862e3fe1be46a994272793",
    id=ID,
    parent=PARENT,
    kind=Kind.SPAN,
    name="pay",
    service="checkout",
    operation="client",
    resource="",
    scope=SCOPE,
    start=1.5,
    end=2.5,
    status=Status.FAULT,
    error="ValueError",
    attributes={
        "text": "a", "whole": -3, "part": 2.5, "flag": True, "list": ["x"], "map": {"k": 7},
        "events": [{"time": 2.0, "name": "exception", "attributes": {"exception.type": "ValueError"}}],
        "message": "no such card",
    },
    links=(Link("1-5759e988-bd862e3fe1be46a994272793", PARENT),),
)  # fmt: skip


def test_a_request_in_protobuf_is_read() -> None:
    """Every kind of attribute, events, links, status."""
    assert decode_protobuf(request().SerializeToString(), SCOPE).spans == [EXPECTED]


def test_a_request_in_json_is_read() -> None:
    """With ids in hex, as OTLP has them, or in protobuf's base64."""
    text = json_format.MessageToJson(request())
    assert decode_json(text.encode(), SCOPE).spans == [EXPECTED]
    for binary, name in ((TRACE, "traceId"), (ID, "spanId"), (PARENT, "parentSpanId")):
        encoded = json_format.MessageToDict(request())["resourceSpans"][0]["scopeSpans"][0]["spans"][0][name]
        text = text.replace(encoded, binary)
    assert decode_json(text.encode(), SCOPE).spans == [EXPECTED]


def test_what_we_write_is_read_by_opentelemetry_and_by_us() -> None:
    """A span that came in goes out as it was."""
    data = encode([EXPECTED])
    parsed = ExportTraceServiceRequest.FromString(data)
    (span,) = parsed.resource_spans[0].scope_spans[0].spans
    assert (span.trace_id.hex(), span.span_id.hex(), span.name) == (TRACE, ID, "pay")
    assert span.status.message == "no such card"
    assert decode_protobuf(data, SCOPE).spans == [EXPECTED]


def test_own_spans_go_out_under_the_resource_that_did_the_work() -> None:
    """With rpc's attributes for API requests, and what Fogbank knows under names of its own."""
    own = EXPECTED._replace(
        kind=Kind.API, service="sqs", operation="SendMessage", name="SendMessage", error="QueueDoesNotExist",
        resource="arn:aws:sqs:us-east-1:0:orders", attributes={"keys": ["m"], "message": "gone"},
    )  # fmt: skip
    parsed = ExportTraceServiceRequest.FromString(encode([own]))
    resource = {each.key: each.value.string_value for each in parsed.resource_spans[0].resource.attributes}
    assert resource["service.name"] == "orders"
    assert resource["cloud.region"] == "us-east-1"
    (span,) = parsed.resource_spans[0].scope_spans[0].spans
    found = {each.key: each.value.string_value for each in span.attributes}
    assert (found["rpc.service"], found["rpc.method"]) == ("sqs", "SendMessage")
    assert (found["error.type"], found["fogbank.kind"]) == ("QueueDoesNotExist", "api")
    assert span.kind == trace_pb2.Span.SPAN_KIND_SERVER


def test_a_span_that_is_none_is_rejected_by_itself() -> None:
    """The others are taken."""
    given = request()
    bad = given.resource_spans[0].scope_spans[0].spans.add()
    bad.CopyFrom(given.resource_spans[0].scope_spans[0].spans[0])
    bad.trace_id = b"short"
    found = decode_protobuf(given.SerializeToString(), SCOPE)
    assert (len(found.spans), found.rejected) == (1, 1)
    bad.trace_id, bad.end_time_unix_nano = bytes.fromhex(TRACE), 1
    assert decode_protobuf(given.SerializeToString(), SCOPE).rejected == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_protobuf(data, SCOPE)
    with contextlib.suppress(DecodeError):
        decode_json(data, SCOPE)


@given(st.integers(0, 400), st.binary(max_size=4))
def test_a_damaged_request_is_a_request_or_refused(at: int, patch: bytes) -> None:
    data = request().SerializeToString()
    with contextlib.suppress(DecodeError):
        decode_protobuf(data[:at] + patch + data[at + len(patch) :], SCOPE)


values = st.recursive(
    st.one_of(
        st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.text()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)
attributes = st.dictionaries(
    st.text().filter(lambda key: key not in {"events", "message", "document"}), values, max_size=4
)


@given(attributes)
def test_attributes_survive_the_way_out_and_in(given_attributes: dict[str, Any]) -> None:
    span = EXPECTED._replace(attributes=given_attributes, status=Status.OK, error="")
    (found,) = decode_protobuf(encode([span]), SCOPE).spans
    assert found == span
    ExportTraceServiceRequest.FromString(encode([span]))


class Collector:
    """Answers as it is told, and keeps what it took."""

    def __init__(self, *answers: int | str) -> None:
        self.answers = list(answers)
        self.taken: list[Span] = []
        self.asked = 0

    async def send(
        self, method: str, url: str, headers: list[tuple[str, str]], body: bytes, **more: Any
    ) -> http.HttpReply:
        assert (method, url) == ("POST", "http://collector:4318/v1/traces")
        assert ("Authorization", "secret") in headers
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, str):
            raise http.HttpError(answer)
        if answer == 200:
            self.taken += decode_protobuf(gzip.decompress(body), SCOPE).spans
        headers_back = (("Retry-After", "7"),) if answer == 429 else ()
        return http.HttpReply(answer, "", headers_back, b"")


async def export(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, collector: Collector, spans: list[Span]
) -> Exporter:
    monkeypatch.setattr(exporting, "send", collector.send)
    exporter = Exporter("http://collector:4318/", [("Authorization", "secret")], clock)
    await exporter.start()
    exporter.take(spans)
    for _ in range(600):
        await clock.advance(1)
        if not exporter._waiting and exporter.sent + exporter.lost >= len(spans):
            break
    return exporter


@pytest.mark.parametrize("answers", [(), ("nobody listens", 503, 429), (502, 504)])
async def test_spans_are_sent_again_until_they_are_taken(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, answers: tuple[int | str, ...]
) -> None:
    collector = Collector(*answers)
    exporter = await export(clock, monkeypatch, collector, [EXPECTED])
    assert collector.taken == [EXPECTED]
    assert (exporter.sent, exporter.lost, collector.asked) == (1, 0, len(answers) + 1)
    await exporter.stop()


async def test_what_a_collector_refuses_is_not_sent_again(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """And batches are of bounded size; what comes after goes on."""
    collector = Collector(400)
    exporter = await export(clock, monkeypatch, collector, [EXPECTED] * 600)
    assert (exporter.sent, exporter.lost, collector.asked) == (88, 512, 2)
    await exporter.stop()


async def test_memory_is_bounded_and_a_stop_tries_once(clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go; what waits at the end gets one chance."""
    collector = Collector(*["nobody listens"] * 3)
    monkeypatch.setattr(exporting, "send", collector.send)
    exporter = Exporter("http://collector:4318", [("Authorization", "secret")], clock)
    exporter.take([EXPECTED] * (exporting.MAX_WAITING + 10))
    assert (len(exporter._waiting), exporter.lost) == (exporting.MAX_WAITING, 10)
    await exporter.start()
    exporter.running = True
    await exporter.stop()
    assert exporter.lost == exporting.MAX_WAITING + 10
