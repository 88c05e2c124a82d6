"""InvokeWithResponseStream, and what function URLs share with it: a run whose response may be streamed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.runtime import Event, Outcome, ResponseStream
from fogbank.services.lambda_._api.invocation import MAX_SYNC, Invocation, check_payload, client_context
from fogbank.services.lambda_._names import parse_function
from fogbank.services.lambda_._targets import Target
from fogbank.services.lambda_.errors import RequestTooLargeError

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import InvokeWithResponseStreamRequestTypeDef


@dataclass(frozen=True, slots=True)
class StreamedRun:
    """An event under way whose response may come piece by piece; it goes on to its end whoever listens."""

    stream: ResponseStream
    task: asyncio.Task[Outcome | ApiError]

    async def outcome(self) -> Outcome:
        """What came of it in the end. Raises what the run raised."""
        found = await asyncio.shield(self.task)
        if isinstance(found, ApiError):
            raise found
        return found

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The response as it comes; who stops listening before the end is not written for any longer."""
        try:
            while (piece := await self.stream.next()) is not None:
                yield piece
        finally:
            self.stream.abandon()


class Streams(Invocation):
    """Running functions whose response is streamed."""

    def start_streamed(self, target: Target, event: Event) -> StreamedRun:
        """Run an event with a stream for its response."""
        stream = ResponseStream()
        return StreamedRun(stream, self.spawn(self._streamed(target, replace(event, stream=stream), stream)))

    async def _streamed(self, target: Target, event: Event, stream: ResponseStream) -> Outcome | ApiError:
        try:
            return await self._runner.run(target, event)
        except ApiError as error:
            return error  # for whoever waits: a task's own failure would be taken for a defect
        finally:
            stream.end()

    async def invoke_with_response_stream(self, call: Call, request: InvokeWithResponseStreamRequestTypeDef) -> Reply:
        """InvokeWithResponseStream: answers when the function begins to stream, or has ended without."""
        given: Mapping[str, Any] = request
        if given.get("TenantId"):
            raise NotImplementedByFogbank("Fogbank does not implement the TenantId of InvokeWithResponseStream yet")
        ref = parse_function(call.scope, request["FunctionName"], given.get("Qualifier"))
        payload: bytes = given.get("Payload") or b"{}"
        if len(payload) > MAX_SYNC:
            raise RequestTooLargeError(
                f"{len(payload)} byte payload is too large for the RequestResponse invocation type "
                f"(limit {MAX_SYNC} bytes)"
            )
        resolution = await self._targets.find(ref)
        target = resolution.pick(self.kit.ids.fraction())
        if given.get("InvocationType") == "DryRun":
            return {"StatusCode": 204, "EventStream": _nothing()}
        check_payload(payload)
        event = Event(
            request_id=call.request_id,
            payload=payload,
            function_arn=ref.qualified_arn,
            trace=call.trace.header,
            client_context=client_context(given.get("ClientContext")),
            tail=given.get("LogType") == "Tail",
        )
        run = self.start_streamed(target, event)
        if not await run.stream.begun():
            await run.outcome()
        return {
            "StatusCode": 200,
            "ExecutedVersion": target.executed,
            "EventStream": _events(run, tail=event.tail),
        }


async def _nothing() -> AsyncIterator[Mapping[str, Any]]:
    """The stream of what was not run."""
    nothing: tuple[Mapping[str, Any], ...] = ()
    for event in nothing:
        yield event


async def _events(run: StreamedRun, *, tail: bool) -> AsyncIterator[Mapping[str, Any]]:
    """The pieces, then how it ended. A response that was not streamed is one piece."""
    async for piece in run.pieces():
        yield {"PayloadChunk": {"Payload": piece}}
    outcome = await run.outcome()
    if outcome.error is None and run.stream.content_type is None:
        yield {"PayloadChunk": {"Payload": outcome.payload}}
    complete: dict[str, Any] = {}
    if outcome.error is not None:
        complete["ErrorCode"] = outcome.error_type if run.stream.content_type is not None else outcome.error
        complete["ErrorDetails"] = outcome.payload.decode("utf-8", "replace")
    if tail:
        complete["LogResult"] = base64.b64encode(outcome.log).decode()
    yield {"InvokeComplete": complete}
