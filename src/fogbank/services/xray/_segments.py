"""Segment documents as they come in: checked as X-Ray checks them, and as spans. Pure functions.

Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html; the codes and the text are
those that the service's clients have printed (`Invalid segment. ErrorCode: MissingId`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.xray._subjects import below, end_of, exceptions, has
from fogbank.telemetry import Kind, Span, Status

MAX_DOCUMENT = 64 * 1024
"""Bytes of one document."""
_ID = re.compile(r"[0-9a-fA-F]{16}")
_TRACE = re.compile(r"1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}")
_NAME = re.compile(r"[\w\s.:/%&#=+\\\-@]{1,200}")
_decode = msgspec.json.decode


class BadSegmentError(Exception):
    """A document that X-Ray does not take. `code` says why; `name` is the segment's id, as far as it is known."""

    def __init__(self, code: str, name: str | None = None, *, part: str = "segment") -> None:
        super().__init__(f"Invalid {part}. ErrorCode: {code}")
        self.code = code
        self.name = name


def read_segment(text: str) -> dict[str, Any]:
    """A segment, or a subsegment that is sent by itself; `BadSegmentError`."""
    if len(text) > MAX_DOCUMENT or len(text.encode()) > MAX_DOCUMENT:
        raise BadSegmentError("SegmentSizeExceeded")
    try:
        document = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise BadSegmentError("ParseError") from None
    if not isinstance(document, dict):
        raise BadSegmentError("MissingId" if document == [] else "ParseError")
    alone = document.get("type") == "subsegment"
    _check(document, "subsegment" if alone else "segment")
    name = document["id"]
    if "trace_id" not in document:
        raise BadSegmentError("MissingTraceId", name)
    if not isinstance(document["trace_id"], str) or not _TRACE.fullmatch(document["trace_id"]):
        raise BadSegmentError("InvalidTraceId", name)
    if alone and "parent_id" not in document:
        raise BadSegmentError("MissingParentId", name, part="subsegment")
    parent = document.get("parent_id")
    if parent is not None and (not isinstance(parent, str) or not _ID.fullmatch(parent)):
        raise BadSegmentError("InvalidParentId", name)
    return document


def _check(document: Mapping[str, Any], part: str) -> None:
    name = document.get("id")
    if name is None:
        raise BadSegmentError("MissingId", part=part)
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise BadSegmentError("InvalidId", str(name)[:64], part=part)
    if "name" not in document:
        raise BadSegmentError("MissingName", name, part=part)
    if not isinstance(document["name"], str) or not _NAME.fullmatch(document["name"]):
        raise BadSegmentError("InvalidName", name, part=part)
    begin, end = document.get("start_time"), document.get("end_time")
    if begin is None:
        raise BadSegmentError("MissingStartTime", name, part=part)
    if not _is_time(begin):
        raise BadSegmentError("InvalidStartTime", name, part=part)
    if end is None and not document.get("in_progress"):
        raise BadSegmentError("MissingEndTime", name, part=part)
    if end is not None and (not _is_time(end) or end < begin):
        raise BadSegmentError("InvalidEndTime", name, part=part)
    if not _is_formed(document):
        raise BadSegmentError("ParseError", name, part=part)
    inner = document.get("subsegments")
    if inner is not None and not isinstance(inner, list):
        raise BadSegmentError("InvalidSubsegments", name, part=part)
    for each in inner or ():
        if not isinstance(each, dict):
            raise BadSegmentError("InvalidSubsegments", name, part=part)
        _check(each, "subsegment")


def _is_formed(document: Mapping[str, Any]) -> bool:
    """Whether the members that are objects are objects."""
    parts = [document.get(name) for name in ("http", "annotations", "aws", "metadata")]
    if any(part is not None and not isinstance(part, dict) for part in parts):
        return False
    http = document.get("http") or {}
    if any(http.get(side) is not None and not isinstance(http[side], dict) for side in ("request", "response")):
        return False
    cause = document.get("cause")
    found = cause.get("exceptions") if isinstance(cause, dict) else None
    return isinstance(cause, dict | str | None) and isinstance(found, list | None)


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e11


def spans_of(document: dict[str, Any], scope: Scope) -> list[Span]:
    """The spans of a document: the first holds it whole, the others are what is in it."""
    trace, found = document["trace_id"].lower(), []
    parents = {each["id"]: at["id"] for at in below(document) for each in at.get("subsegments") or ()}
    for each in below(document):
        status = Status.OK
        if has(each, "fault"):
            status = Status.FAULT
        elif has(each, "throttle"):
            status = Status.THROTTLE
        elif has(each, "error"):
            status = Status.ERROR
        kinds = [str(e.get("type") or "") for e in exceptions(each)]
        error = next(filter(None, kinds), "") or ("" if status is Status.OK else status.name.lower())
        attributes: dict[str, Any] = dict(each.get("annotations") or {}) if each is not document else {}
        if each is document:
            attributes = {**(each.get("annotations") or {}), DOCUMENT: document}
        parent = parents.get(each["id"]) or str(each.get("parent_id") or "")
        found.append(
            Span(
                *(trace, each["id"], parent, Kind.SEGMENT, each["name"], "xray", str(each.get("namespace") or "local")),
                *("", scope, float(each["start_time"]), end_of(each), status, error, attributes),
            )
        )
    return found


DOCUMENT = "document"
"""The attribute in which a span holds the document that it came as."""
