"""Segments in; traces, summaries and graphs out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core import paging
from fogbank.core.call import Call, Reply
from fogbank.core.scope import Scope
from fogbank.services.xray._api.settings import SettingsOperations
from fogbank.services.xray._filters import Predicate, compile_filter
from fogbank.services.xray._rendering import documents_of
from fogbank.services.xray._segments import BadSegmentError, read_segment, spans_of
from fogbank.services.xray._subjects import Subject, subject_of
from fogbank.services.xray._summaries import graph_of, summary_of
from fogbank.services.xray.errors import InvalidRequestError
from fogbank.storage import Tx
from fogbank.telemetry import Span
from fogbank.telemetry import storage as spans

if TYPE_CHECKING:
    from types_boto3_xray import type_defs as t

MAX_BATCH = 5
"""Traces of one BatchGetTraces."""
_PAGE = 100
_MAX_GRAPHED = 5_000
"""Traces that one graph is made of, the newest."""
_encode = msgspec.json.Encoder().encode


class TraceOperations(SettingsOperations):
    """What clients report, and what they ask."""

    async def put_trace_segments(self, call: Call, request: t.PutTraceSegmentsRequestTypeDef) -> Reply:
        """PutTraceSegments: each document is taken or refused by itself."""
        return {"UnprocessedTraceSegments": await self.take(call.scope, request["TraceSegmentDocuments"])}

    async def take(self, scope: Scope, documents: Sequence[str]) -> list[dict[str, Any]]:
        """Store segments; what was refused, and why."""
        good: list[Span] = []
        bad: list[dict[str, Any]] = []
        for text in documents:
            try:
                good += spans_of(read_segment(text), scope)
            except BadSegmentError as error:
                bad.append({"Id": error.name, "ErrorCode": error.code, "Message": str(error)})
        if good:
            await self.kit.telemetry.keep(good)
        return bad

    async def put_telemetry_records(self, call: Call, request: t.PutTelemetryRecordsRequestTypeDef) -> Reply:  # noqa: ARG002
        """PutTelemetryRecords: what a daemon says of itself. X-Ray has no operation that gives it back."""
        return {}

    async def batch_get_traces(self, call: Call, request: t.BatchGetTracesRequestTypeDef) -> Reply:
        """BatchGetTraces."""
        wanted = list(dict.fromkeys(request["TraceIds"]))
        if len(wanted) > MAX_BATCH:
            raise InvalidRequestError(f"Up to {MAX_BATCH} trace ids can be given, got {len(wanted)}.")
        traces, missing = [], []
        for name in wanted:
            documents = await self._documents(call.scope, name)
            if not documents:
                missing.append(name)
                continue
            subject = subject_of(documents)
            shown = [{"Id": each["id"], "Document": _encode(each).decode()} for each in documents]
            duration = round(subject.end - subject.start, 3)
            traces.append({"Id": name, "Duration": duration, "LimitExceeded": False, "Segments": shown})
        return {"Traces": traces, "UnprocessedTraceIds": missing}

    async def get_trace_summaries(self, call: Call, request: t.GetTraceSummariesRequestTypeDef) -> Reply:
        """GetTraceSummaries: the newest first, a hundred scanned for each page."""
        given: Mapping[str, Any] = request
        since, until = _span_of_time(given)
        predicate = await self._predicate(call.scope, given.get("FilterExpression"))
        keep = _sampled(given)
        found, token = await self._page(since, until, given.get("NextToken"))
        summaries = []
        for row in found:
            documents = await self._documents(call.scope, row.trace) if keep(row.trace) else []
            if not documents:
                continue
            subject = subject_of(documents)
            if predicate is None or predicate(subject):
                summaries.append(summary_of(row.trace, subject))
        return {
            "TraceSummaries": summaries,
            "ApproximateTime": self.kit.clock.time(),
            "TracesProcessedCount": len(found),
            "NextToken": token,
        }

    async def get_service_graph(self, call: Call, request: t.GetServiceGraphRequestTypeDef) -> Reply:
        """GetServiceGraph, of a group or of all traces."""
        given: Mapping[str, Any] = request
        since, until = _span_of_time(given)
        predicate: Predicate | None = None
        if given.get("GroupName") or given.get("GroupARN"):
            group = await self.find_group(call.scope, given)
            predicate = await self._predicate(call.scope, group.filter)
        find = partial(spans.find_traces, since=since, until=until, limit=_MAX_GRAPHED)
        subjects = []
        for row in await self.kit.telemetry.read(find):
            subject = await self._subject(call.scope, row.trace)
            if subject is not None and (predicate is None or predicate(subject)):
                subjects.append(subject)
        services = graph_of(subjects)
        return {"StartTime": since, "EndTime": until, "Services": services, "ContainsOldGroupVersions": False}

    async def get_trace_graph(self, call: Call, request: t.GetTraceGraphRequestTypeDef) -> Reply:
        """GetTraceGraph: the graph of some traces."""
        found = [await self._subject(call.scope, name) for name in dict.fromkeys(request["TraceIds"])]
        return {"Services": graph_of(subject for subject in found if subject is not None)}

    # -- reading ------------------------------------------------------------------------------------------------

    async def _documents(self, scope: Scope, trace: str) -> list[dict[str, Any]]:
        found = await self.kit.telemetry.read(partial(spans.spans_of, trace=trace))
        return documents_of([span for span in found if span.scope == scope])

    async def _subject(self, scope: Scope, trace: str) -> Subject | None:
        documents = await self._documents(scope, trace)
        return subject_of(documents) if documents else None

    async def _predicate(self, scope: Scope, text: str | None) -> Predicate | None:
        return compile_filter(text, await self.group_filters(scope)) if text else None

    async def _page(self, since: float, until: float, token: str | None) -> tuple[list[spans.TraceRow], str | None]:
        if token is not None:
            try:
                until = paging.decode_token(token, float)
            except paging.InvalidTokenError:
                raise InvalidRequestError("Invalid NextToken.") from None

        async def body(tx: Tx) -> list[spans.TraceRow]:
            limit = _PAGE
            while True:
                found = await spans.find_traces(tx, since=since, until=until, limit=limit + 1)
                if len(found) <= limit or found[0].started != found[-1].started:
                    return found
                limit *= 2  # all at one moment: a page goes on until it is over

        found = await self.kit.telemetry.read(body)
        if len(found) <= _PAGE:
            return found, None
        page = [row for row in found if row.started > found[-1].started]
        return page, paging.encode_token(page[-1].started)


def _span_of_time(given: Mapping[str, Any]) -> tuple[float, float]:
    since, until = float(given["StartTime"]), float(given["EndTime"])
    if until <= since:
        raise InvalidRequestError("StartTime must be before EndTime.")
    return since, until


def _all(trace: str) -> bool:  # noqa: ARG001 - a predicate
    return True


def _sampled(given: Mapping[str, Any]) -> Callable[[str], bool]:
    """Whether a trace is to be looked at: all are, unless a fixed rate of them is asked for."""
    strategy = given.get("SamplingStrategy") or {}
    if not given.get("Sampling"):
        if strategy:
            raise InvalidRequestError("SamplingStrategy needs Sampling to be true.")
        return _all
    if strategy.get("Name") != "FixedRate":
        return _all
    rate = strategy.get("Value")
    if rate is None or not 0 <= rate <= 1:
        raise InvalidRequestError("SamplingStrategy FixedRate needs a Value between 0 and 1.")
    return lambda trace: int(trace[-4:], 16) < rate * 65536
