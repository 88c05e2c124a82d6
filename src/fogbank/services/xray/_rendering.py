"""Fogbank's own spans as X-Ray's segments. Pure functions.

An API request, an invocation and an execution are segments, named for their resource; what lies within them (a rule, a
wait, a delivery, a phase of a cold start, a state) is a subsegment of the segment that caused it. What clients
reported is given back as it came; subsegments that were sent by themselves are put into their segments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fogbank.services.xray._segments import DOCUMENT
from fogbank.telemetry import Kind, Span, Status
from fogbank.telemetry.resources import name_of

_ORIGINS = {
    "sqs": "AWS::SQS::Queue",
    "sns": "AWS::SNS",
    "dynamodb": "AWS::DynamoDB::Table",
    "s3": "AWS::S3::Bucket",
    "events": "AWS::Events",
    "scheduler": "AWS::Scheduler",
    "stepfunctions": "AWS::StepFunctions::StateMachine",
    "kinesis": "AWS::Kinesis::Stream",
    "lambda": "AWS::Lambda",
    "logs": "AWS::Logs",
    "ssm": "AWS::SSM",
}
_RESOURCE_MEMBERS = {"sqs": "queue_url", "dynamodb": "table_name", "lambda": "function_name", "sns": "topic_arn"}
_SEGMENTS = frozenset({Kind.API, Kind.INVOCATION, Kind.EXECUTION})
_TITLES = {"init": "Initialization", "restore": "Restore"}
_HIDDEN = frozenset({"keys", DOCUMENT})

Json = dict[str, Any]


def documents_of(spans: Sequence[Span]) -> list[Json]:
    """The segments of a trace, in the order of their beginning."""
    by_id = {span.id: span for span in spans if span.kind is not Kind.SEGMENT or DOCUMENT in span.attributes}
    documents: dict[str, Json] = {}
    order = sorted(by_id.values(), key=lambda span: span.start)
    for span in order:
        documents[span.id] = _document(span)
    segments: list[Json] = []
    for span in order:
        document = documents[span.id]
        home = _home(span, by_id)
        if (
            span.kind in _SEGMENTS
            or home is None
            or (span.kind is Kind.SEGMENT and document.get("type") != "subsegment")
        ):
            if span.parent and "parent_id" not in document:
                document["parent_id"] = span.parent
            segments.append(document)
            continue
        documents[home].setdefault("subsegments", []).append(_within(document))
    return segments


def _home(span: Span, by_id: Mapping[str, Span]) -> str | None:
    """What a span stands in: its parent, where that is there and the spans do not go round in a circle."""
    seen = {span.id}
    at = by_id.get(span.parent)
    while at is not None:
        if at.id in seen:
            return None
        if at.kind in _SEGMENTS or at.kind is Kind.SEGMENT:
            return span.parent
        seen.add(at.id)
        if at.parent not in by_id:
            return span.parent
        at = by_id.get(at.parent)
    return None


def _within(document: Json) -> Json:
    """The same, as it stands in another: what it holds itself may come later."""
    for name in ("trace_id", "type", "parent_id", "origin"):
        document.pop(name, None)
    return document


def _document(span: Span) -> Json:
    given = span.attributes.get(DOCUMENT)
    if isinstance(given, Mapping):
        copy = dict(given)
        if isinstance(copy.get("subsegments"), list):
            copy["subsegments"] = list(copy["subsegments"])
        return copy
    name = name_of(span.service, span.resource) if span.resource else ""
    document: Json = {
        "id": span.id,
        "trace_id": span.trace,
        "name": _name(span, name),
        "start_time": span.start,
        "end_time": span.end,
    }
    if span.kind in _SEGMENTS:
        document["origin"] = (
            "AWS::Lambda::Function"
            if span.kind is Kind.INVOCATION
            else _ORIGINS.get(span.service, f"AWS::{span.service}")
        )
        document["aws"] = _aws(span, name)
        document["http"] = {"response": {"status": _status(span)}}
    if span.resource.startswith("arn:"):
        document["resource_arn"] = span.resource
    metadata = {key: value for key, value in span.attributes.items() if key not in _HIDDEN}
    if metadata:
        document["metadata"] = {"fogbank": metadata}
    if span.status is not Status.OK:
        document["fault" if span.status is Status.FAULT else "error"] = True
        if span.status is Status.THROTTLE:
            document["throttle"] = True
        exception = {"id": span.id, "type": span.error, "message": str(span.attributes.get("message", span.error))}
        document["cause"] = {"exceptions": [exception]}
    if span.links:
        document["links"] = [
            {"id": link.span, "trace_id": link.trace, "attributes": {"aws.xray.linked.context": "parent"}}
            for link in span.links
        ]
    return document


def _name(span: Span, resource: str) -> str:
    if span.kind in _SEGMENTS:
        return resource or span.service
    if span.kind is Kind.PHASE:
        return _TITLES.get(span.name, span.name)
    return span.name


def _aws(span: Span, resource: str) -> Json:
    found: Json = {"account_id": span.scope.account, "region": span.scope.region}
    if span.kind is Kind.API:
        found["operation"] = span.operation
        member = _RESOURCE_MEMBERS.get(span.service)
        if resource:
            found[member or "resource_names"] = span.resource if member else [resource]
    request = span.attributes.get("request_id")
    if request:
        found["request_id"] = request
    return found


def _status(span: Span) -> int:
    if span.status is Status.THROTTLE:
        return 429
    return {Status.OK: 200, Status.ERROR: 400}.get(span.status, 500)
