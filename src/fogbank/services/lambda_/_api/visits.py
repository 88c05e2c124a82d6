"""Requests to function URLs: who may make them, the event, the response."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from fogbank.core.errors import ApiError
from fogbank.core.http import CutError, HttpResponse
from fogbank.core.sites import NotSigned, Visit, Visitor
from fogbank.core.trace import Trace
from fogbank.runtime import Event
from fogbank.services.lambda_ import _policy, _urls
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._api.invocation import MAX_SYNC
from fogbank.services.lambda_._api.streams import StreamedRun, Streams
from fogbank.services.lambda_._policy import Statement
from fogbank.services.lambda_._urls import Answer, Caller, FunctionUrl, Headers, MalformedAnswerError
from fogbank.storage import Tx

if TYPE_CHECKING:
    from fogbank.services.kit import Kit

_JSON = "application/json"
_MAX_KNOWN = 5_000
_Known = tuple[FunctionUrl, list[Statement]]


@dataclass(frozen=True, slots=True)
class _RefusedError(Exception):
    """The response to a visitor who gets no further."""

    status: int
    body: bytes
    kind: str


_FORBIDDEN = _RefusedError(403, b'{"Message":"Forbidden"}', "AccessDeniedException")
_FAILED = _RefusedError(502, b"Internal Server Error", "InternalServerErrorException")


class Visits(Streams):
    """What happens at the hosts of function URLs."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._visited: dict[str, _Known] = {}
        self._visited_at = -1

    async def visit(self, visit: Visit) -> HttpResponse | None:
        """Answer a request to a function URL (see `Sites`)."""
        match = _urls.HOST.fullmatch(visit.host)
        if match is None:
            return None
        trace = visit.trace or Trace.begin(self.kit.clock, self.kit.ids)
        known = await self._known(match[1], match[2])
        if known is None:
            return _response(404, [("content-type", _JSON)], b'{"Message":null}', visit, trace)
        url, policy = known
        request = visit.request
        if url.cors is not None and _urls.is_preflight(request):
            return _response(200, _urls.preflight(url.cors, request), b"", visit, trace)
        try:
            caller = await self._admit(url, policy, visit)
            return await self._serve(url, caller, visit, trace)
        except _RefusedError as refused:
            headers = [("content-type", _JSON), ("x-amzn-errortype", refused.kind)]
            return _response(refused.status, _urls.with_cors(url.cors, request, headers), refused.body, visit, trace)

    async def _known(self, url_id: str, region: str) -> _Known | None:
        """The URL with the policy that lets others call it; remembered until anything changes."""
        generation = self._targets.generation
        if generation != self._visited_at or len(self._visited) >= _MAX_KNOWN:
            self._visited.clear()
            self._visited_at = generation
        found = self._visited.get(url_id)
        if found is None:
            found = await self.kit.storage.read(lambda tx: _read(tx, url_id))
            if found is not None and self._targets.generation == generation:
                self._visited[url_id] = found
        return found if found is not None and found[0].function.scope.region == region else None

    async def _admit(self, url: FunctionUrl, policy: list[Statement], visit: Visit) -> Caller | None:
        """Who calls; raises `_RefusedError` for who may not.

        The function's policy must let everybody call a URL of type NONE. With AWS_IAM the request must be signed;
        callers of the function's own account are let in (their policies are not enforced yet), others need the
        function's policy.
        """
        context = {"lambda:FunctionUrlAuthType": url.auth, "lambda:InvokedViaFunctionUrl": "true"}
        if url.auth == "NONE":
            if not _policy.allows(policy, "lambda:InvokeFunctionUrl", None, context):
                raise _FORBIDDEN
            return None
        found = await visit.identify()
        if isinstance(found, NotSigned):
            if found.error is None:
                raise _FORBIDDEN
            raise _RefusedError(403, msgspec.json.encode({"message": found.error.message}), found.error.code)
        caller = await self._caller(found)
        own = caller.account == url.function.scope.account
        if not own and not _policy.allows(policy, "lambda:InvokeFunctionUrl", caller.arn, context):
            raise _FORBIDDEN
        return caller

    async def _caller(self, visitor: Visitor) -> Caller:
        reply = await self.kit.cloud.call(visitor.scope, "sts", "GetCallerIdentity", {}, principal=visitor.principal)
        return Caller(visitor.principal.access_key, reply["Account"], reply["Arn"], reply["UserId"])

    async def _serve(self, url: FunctionUrl, caller: Caller | None, visit: Visit, trace: Trace) -> HttpResponse:
        request = visit.request
        document = _urls.event(
            request,
            visit.host,
            caller,
            request_id=visit.request_id,
            trace=f"Root={trace.root}",
            now=self.kit.clock.time(),
            port=str(urlsplit(self.kit.config.endpoint).port),
        )
        payload = msgspec.json.encode(document)
        if len(payload) > MAX_SYNC:
            message = f"Request must be smaller than {MAX_SYNC} bytes for the InvokeFunction operation"
            raise _RefusedError(413, msgspec.json.encode({"message": message}), "RequestEntityTooLargeException")
        ref = url.function
        event = Event(visit.request_id, payload, ref.qualified_arn, trace.header)
        try:
            resolution = await self._targets.find(ref)
            target = resolution.pick(self.kit.ids.fraction())
            if url.mode == "RESPONSE_STREAM":
                return await self._visit_stream(url, self.start_streamed(target, event), visit, trace)
            outcome = await self._runner.run(target, event)
        except ApiError as error:
            raise _failure(error) from None
        if outcome.error is not None:
            raise _FAILED
        try:
            answer = _urls.answer(outcome.payload)
        except MalformedAnswerError:
            raise _FAILED from None
        return self._answered(url, answer, answer.body, visit, trace)

    def _answered(
        self, url: FunctionUrl, answer: Answer, body: bytes | AsyncIterator[bytes], visit: Visit, trace: Trace
    ) -> HttpResponse:
        headers = _urls.with_cors(url.cors, visit.request, answer.headers)
        return _response(answer.status, headers, body, visit, trace)

    async def _visit_stream(self, url: FunctionUrl, run: StreamedRun, visit: Visit, trace: Trace) -> HttpResponse:
        """The response of a function that streams, or the whole answer, as it is, of one that does not."""
        if not await run.stream.begun():
            outcome = await run.outcome()
            if outcome.error is not None:
                raise _FAILED
            return self._answered(url, Answer(200, [("content-type", _JSON)]), outcome.payload, visit, trace)
        kind = run.stream.content_type or ""
        pieces = run.pieces()
        if kind != _urls.METADATA:
            return self._answered(url, Answer(200, [("content-type", kind)]), _body(run, pieces, b""), visit, trace)
        prelude, rest = await _prelude(pieces)
        try:
            answer = _urls.metadata(prelude)
        except MalformedAnswerError:
            await pieces.aclose()
            raise _FAILED from None
        return self._answered(url, answer, _body(run, pieces, rest), visit, trace)


async def _read(tx: Tx, url_id: str) -> _Known | None:
    url = await rows.find_url(tx, url_id)
    return None if url is None else (url, await rows.find_policy(tx, url.function))


async def _prelude(pieces: AsyncIterator[bytes]) -> tuple[bytes, bytes]:
    """What comes before the delimiter, and what came behind it already; all of it where there is no delimiter."""
    held = b""
    async for piece in pieces:
        held += piece
        before, delimiter, rest = held.partition(_urls.DELIMITER)
        if delimiter:
            return before, rest
        if len(held) > _urls.MAX_METADATA:
            break
    return held, b""


async def _body(run: StreamedRun, pieces: AsyncIterator[bytes], first: bytes) -> AsyncIterator[bytes]:
    """The body as it comes. It is cut off, rather than ended, where the function fails in the middle."""
    if first:
        yield first
    async for piece in pieces:
        yield piece
    if (await run.outcome()).error is not None:
        raise CutError


def _failure(error: ApiError) -> _RefusedError:
    """What a visitor sees of an event that was not run: throttles and faults by their status, all else as a 502."""
    if error.status in (429, 503):
        reason: dict[str, Any] = {"Message": error.message, **error.members}
        return _RefusedError(error.status, msgspec.json.encode(reason), error.code)
    return _FAILED


def _response(
    status: int, headers: Headers, body: bytes | AsyncIterator[bytes], visit: Visit, trace: Trace
) -> HttpResponse:
    own = [("x-amzn-requestid", visit.request_id), ("x-amzn-trace-id", f"Root={trace.root}")]
    return HttpResponse(status, [*headers, *own], body)
