"""Documents in, spans, and documents out again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.scope import Scope
from fogbank.services.xray._rendering import documents_of
from fogbank.services.xray._segments import BadSegmentError, read_segment, spans_of
from fogbank.services.xray._subjects import NodeId, subject_of
from fogbank.services.xray._summaries import graph_of, summary_of
from fogbank.services.xray.worker import document_of
from fogbank.telemetry import Kind, Span, Status

TRACE = "1-5759e988-bd862e3fe1be46a994272793"
GOOD: dict[str, Any] = {
    "id": "53995c3f42cd8ad8", "trace_id": TRACE, "name": "shop", "start_time": 1.5, "end_time": 2.5,
}  # fmt: skip


def test_a_segment_comes_back_as_it_was_sent() -> None:
    """Whole, with what is in it as spans of their own."""
    inner = {"id": "1" * 16, "name": "pay", "start_time": 1.6, "end_time": 1.7, "error": True}
    document = {**GOOD, "annotations": {"a": 1}, "subsegments": [inner]}
    spans = spans_of(read_segment(json.dumps(document)), Scope())
    assert [(span.name, span.parent, span.status) for span in spans] == [
        ("shop", "", Status.OK), ("pay", GOOD["id"], Status.ERROR),
    ]  # fmt: skip
    assert documents_of(spans) == [document]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": None}, "MissingId"),
        ({"id": "xyz"}, "InvalidId"),
        ({"name": None}, "MissingName"),
        ({"name": "a*b"}, "InvalidName"),
        ({"trace_id": None}, "MissingTraceId"),
        ({"trace_id": "5759e988"}, "InvalidTraceId"),
        ({"start_time": None}, "MissingStartTime"),
        ({"start_time": "now"}, "InvalidStartTime"),
        ({"end_time": None}, "MissingEndTime"),
        ({"end_time": 1.0}, "InvalidEndTime"),
        ({"parent_id": "1"}, "InvalidParentId"),
        ({"type": "subsegment"}, "MissingParentId"),
        ({"subsegments": [{"id": "1"}]}, "InvalidId"),
        ({"subsegments": {}}, "InvalidSubsegments"),
        ({"metadata": {"x": "y" * 65_536}}, "SegmentSizeExceeded"),
    ],
)
def test_what_is_wrong_with_a_segment_is_said(change: dict[str, Any], code: str) -> None:
    document = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(BadSegmentError) as error:
        read_segment(json.dumps(document))
    assert error.value.code == code
    assert f"ErrorCode: {code}" in str(error.value)


def test_a_segment_may_be_in_progress() -> None:
    document = {key: value for key, value in GOOD.items() if key != "end_time"} | {"in_progress": True}
    assert read_segment(json.dumps(document)) == document


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "subsegments", "http", "cause", "annotations", "aws"]), json_values))
def test_whatever_a_document_holds_it_is_refused_or_understood(changes: dict[str, Any]) -> None:
    """What is taken can be shown, summed up and drawn."""
    try:
        document = read_segment(json.dumps({**GOOD, **changes}))
    except BadSegmentError:
        return
    shown = documents_of(spans_of(document, Scope()))
    subject = subject_of(shown)
    summary_of(TRACE, subject)
    graph_of([subject])


@given(st.binary(max_size=80))
def test_any_datagram_is_a_document_or_dropped(data: bytes) -> None:
    document_of(data)


def test_a_datagram_has_a_header() -> None:
    assert document_of(b'{"format": "json", "version": 1}\n{"id": 1}') == '{"id": 1}'
    assert document_of(b'{"format": "xml", "version": 1}\n{"id": 1}') is None
    assert document_of(b'{"id": 1}') is None


def span(key: str, parent: str, kind: Kind, service: str, resource: str, **more: Any) -> Span:
    made = Span(TRACE, key, parent, kind, "Op", service, "Op", resource, Scope(), 1.0, 2.0)
    return made._replace(**more)


def test_own_spans_are_segments_and_what_lies_within_them_subsegments() -> None:
    """A function's subsegments, which it sends by themselves, are put into its segment."""
    sent = {
        "id": "e" * 16, "trace_id": TRACE, "parent_id": "d" * 16, "type": "subsegment", "name": "## handler",
        "start_time": 1.1, "end_time": 1.9, "annotations": {"order": "7"},
    }  # fmt: skip
    spans = [
        span("a" * 16, "", Kind.API, "events", "default"),
        span("b" * 16, "a" * 16, Kind.RULE, "events", "arn:aws:events:us-east-1:0:rule/placed", name="placed"),
        span("c" * 16, "b" * 16, Kind.API, "sqs", "https://sqs/0/orders", start=1.05),
        span("d" * 16, "c" * 16, Kind.INVOCATION, "lambda", "take", status=Status.FAULT, error="Boom", start=1.06),
        span("f" * 16, "d" * 16, Kind.PHASE, "lambda", "take", name="init", start=1.07),
        *spans_of(sent, Scope()),
        *spans_of({**sent, "id": "9" * 16, "parent_id": "e" * 16, "name": "## pay", "start_time": 1.2}, Scope()),
    ]
    documents = documents_of(spans)
    assert [(d["name"], d.get("parent_id"), d["origin"]) for d in documents] == [
        ("default", None, "AWS::Events"),
        ("orders", "b" * 16, "AWS::SQS::Queue"),
        ("take", "c" * 16, "AWS::Lambda::Function"),
    ]
    assert [s["name"] for s in documents[0]["subsegments"]] == ["placed"]
    assert [s["name"] for s in documents[2]["subsegments"]] == ["Initialization", "## handler"]
    assert [s["name"] for s in documents[2]["subsegments"][1]["subsegments"]] == ["## pay"]
    assert documents[2]["fault"]
    subject = subject_of(documents)
    edges = {(edge.source.name, edge.target.name) for edge in subject.edges}
    assert edges == {("default", "default"), ("default", "orders"), ("orders", "take")}
    assert subject.annotation("order") == ["7", "7"]
    services = {service["Name"]: service for service in graph_of([subject]) if service.get("Type") != "client"}
    assert services["take"]["SummaryStatistics"]["FaultStatistics"]["TotalCount"] == 1
    assert NodeId("orders", "AWS::SQS::Queue", "000000000000") in {s.id for s in subject.services}
