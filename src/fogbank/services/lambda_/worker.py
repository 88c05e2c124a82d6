"""What Lambda does on its own: it polls the sources of event source mappings. Streams are in `_stream_poller`; queues:

One poller for each enabled mapping: a receiver that long-polls, and batches that run beside each other.

    receive ──▶ filter ──▶ invoke ──success──▶ delete
                   │          └──failure──▶ leave: the messages come back when their visibility timeout ends
                   └──no match──▶ delete

A poller begins with five batches at once, as Lambda does, takes more while the queue's backlog lasts, and fewer
when the function is throttled. What fails keeps its own place only: the others go on.
Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn
from fogbank.core.errors import ApiError
from fogbank.core.lifecycle import Actor
from fogbank.core.patterns import compile_pattern
from fogbank.core.trace import Trace
from fogbank.runtime import Event, Outcome
from fogbank.services.lambda_ import _sqs_events
from fogbank.services.lambda_._names import PRINCIPAL
from fogbank.services.lambda_._polling import SourcePoller
from fogbank.services.lambda_._sqs_events import Received
from fogbank.services.lambda_._stream_poller import StreamPoller
from fogbank.services.lambda_.errors import LambdaError, SnapStartNotReadyError, TooManyRequestsError

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.services.lambda_._running import Runner
    from fogbank.services.lambda_.storage import SourceMapping

_log = logging.getLogger("fogbank.lambda.pollers")
FIRST_CONCURRENCY = 5
MAX_CONCURRENCY = 1_000
WAIT = 20
"""Seconds of a long poll."""
MAX_EVENT = 6 * 1024 * 1024
_PER_RECEIVE = 10
_RECORD_OVERHEAD = 600
_STOP_GRACE = 0.2
"""Seconds that a receive may take to finish when the poller stops; one that waits for messages is cancelled."""


def queue_url(source: Arn) -> str:
    """A queue's URL, which names account and queue."""
    return f"https://sqs.{source.region}.amazonaws.com/{source.account}/{source.resource}"


class Poller(SourcePoller):
    """Polls one mapping's queue."""

    def __init__(self, kit: Kit, runner: Runner, mapping: SourceMapping) -> None:
        super().__init__(kit, runner, mapping)
        settings = mapping.settings
        self._size: int = settings["BatchSize"]
        self._window = float(settings["MaximumBatchingWindowInSeconds"])
        self._partial = "ReportBatchItemFailures" in settings.get("FunctionResponseTypes", [])
        self._most: int = settings.get("ScalingConfig", {}).get("MaximumConcurrency", MAX_CONCURRENCY)
        filters = settings.get("FilterCriteria", {}).get("Filters", [])
        self._patterns = [compile_pattern(one["Pattern"]) for one in filters if "Pattern" in one]
        self._limit = min(FIRST_CONCURRENCY, self._most)
        self._batches: set[asyncio.Task[None]] = set()
        self._place: asyncio.Future[None] | None = None
        self._receiving: asyncio.Task[None] | None = None
        self._visibility = 30.0

    # -- life -------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        self._receiving = self.spawn(self._run(), name=f"poll-{self._source.resource}")

    async def on_stop(self) -> None:
        """Receive no more; finish the batches that are under way, for as long as the configuration allows."""
        if self._receiving is not None:
            await asyncio.wait({self._receiving}, timeout=_STOP_GRACE)
            self._receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._receiving
        if self._batches:
            await asyncio.wait(set(self._batches), timeout=self._kit.config.stop_timeout)

    def abandon(self) -> None:
        """See `SourcePoller.abandon`."""
        for task in (self._receiving, *self._batches):
            if task is not None:
                task.cancel()

    async def _poll(self) -> None:
        await self._learn_queue()
        while self.running:
            await self._next()
            self._went_well()

    async def _learn_queue(self) -> None:
        reply = await self._queue("GetQueueAttributes", {"AttributeNames": ["VisibilityTimeout"]})
        self._visibility = float(reply["Attributes"]["VisibilityTimeout"])

    # -- receiving --------------------------------------------------------------------------------------------

    async def _next(self) -> None:
        """Gather one batch and start it, when there is a place for it."""
        while len(self._batches) >= self._limit:
            self._place = asyncio.get_running_loop().create_future()
            await self._place
        await self._runner.targets.find(
            self.mapping.function
        )  # messages of a function that is gone stay where they are
        batch = await self._gather()
        if not batch:
            self._limit = min(FIRST_CONCURRENCY, self._most)
            return
        if len(batch) >= min(self._size, _PER_RECEIVE) and len(self._batches) + 1 >= self._limit:
            self._limit = min(self._limit + 1, self._most)
        task = self.spawn(self._handle(batch))
        self._batches.add(task)
        task.add_done_callback(self._handled)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        if self._place is not None and not self._place.done():
            self._place.set_result(None)

    async def _gather(self) -> list[Received]:
        """Messages for one event: what one receive finds, or what comes within the batching window."""
        found = await self._receive(self._size, WAIT)
        if not found or not self._window:
            return found
        until = self._kit.clock.time() + self._window
        size = sum(_size_of(message) for message in found)
        while len(found) < self._size and size < MAX_EVENT and self.running:
            left = until - self._kit.clock.time()
            if left <= 0:
                break
            more = await self._receive(self._size - len(found), min(WAIT, max(1, int(left))))
            if not more and left <= 1:
                break
            found += more
            size += sum(_size_of(message) for message in more)
        return found

    async def _receive(self, wanted: int, wait: int) -> list[Received]:
        request = {
            "MaxNumberOfMessages": min(_PER_RECEIVE, wanted),
            "WaitTimeSeconds": wait,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        reply = await self._queue("ReceiveMessage", request)
        messages: list[Received] = reply.get("Messages") or []
        return messages

    async def _queue(self, operation: str, request: dict[str, Any], trace: Trace | None = None) -> dict[str, Any]:
        request["QueueUrl"] = queue_url(self._source)
        return await self._kit.cloud.call(
            self._source.scope, "sqs", operation, request, trace=trace, principal=PRINCIPAL
        )

    # -- a batch ----------------------------------------------------------------------------------------------

    async def _handle(self, batch: list[Received]) -> None:
        """Invoke with a batch and delete what is done with. Whatever goes wrong, the messages come back."""
        try:
            wanted = [m for m in batch if _sqs_events.matches(self._patterns, m, self._source)]
            if len(wanted) < len(batch):
                kept = {id(message) for message in wanted}
                await self._delete([message for message in batch if id(message) not in kept])
            for part in _parts(wanted):
                await self._invoke(part)
        except ApiError as error:
            _log.warning("a batch of %s was not handled: %s", self._source, error)

    async def _invoke(self, batch: list[Received]) -> None:
        begun = self._recorder.begin(_contexts(batch), len(batch))
        ref = self.mapping.function
        event = Event(
            request_id=self._kit.ids.uuid(),
            payload=_sqs_events.event(batch, self._source),
            function_arn=ref.qualified_arn,
            trace=begun.trace.header,
        )
        outcome = await self._run_event(event)
        if outcome is None or outcome.error is not None:
            self._recorder.end(begun, "Throttled" if outcome is None else str(outcome.error))
            return
        done = _sqs_events.succeeded(batch, outcome.payload, partial=self._partial)
        await self._delete(done, begun.trace)
        self._recorder.end(begun, "" if len(done) == len(batch) else "BatchItemFailures")

    async def _run_event(self, event: Event) -> Outcome | None:
        """Run it; a throttled event waits and is tried again while its messages are ours."""
        until = self._kit.clock.time() + self._visibility / 2
        delay = 0.1
        while True:
            resolution = await self._runner.targets.find(self.mapping.function)
            target = resolution.pick(self._kit.ids.fraction())
            try:
                return await self._runner.deliver(target, event)
            except (TooManyRequestsError, SnapStartNotReadyError):
                self._limit = max(1, min(self._limit, len(self._batches)) - 1)
                if self._kit.clock.time() + delay > until or not self.running:
                    return None
            except LambdaError:
                raise
            await self._kit.clock.sleep(delay)
            delay = min(delay * 2, 5.0)

    async def _delete(self, messages: Sequence[Received], trace: Trace | None = None) -> None:
        for at in range(0, len(messages), _PER_RECEIVE):
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages[at : at + _PER_RECEIVE])
            ]
            await self._queue("DeleteMessageBatch", {"Entries": entries}, trace)


class Pollers(Actor):
    """The pollers of all enabled mappings."""

    def __init__(self, kit: Kit, runner: Runner) -> None:
        super().__init__()
        self._kit = kit
        self._runner = runner
        self._pollers: dict[str, SourcePoller] = {}
        self._changing: dict[str, asyncio.Lock] = {}

    def apply(self, mapping: SourceMapping) -> None:
        """Poll a mapping as it is now; not at all if it is disabled."""
        if self.running:
            self.spawn(self._replace(mapping.uuid, mapping if mapping.enabled else None))

    def drop(self, uuid: str) -> None:
        """Stop polling a mapping that is no more."""
        if self.running:
            self.spawn(self._replace(uuid, None))

    async def clear(self) -> None:
        """Stop polling at all; what is under way is not waited for."""
        pollers, self._pollers = self._pollers, {}
        for poller in pollers.values():
            poller.abandon()
        await asyncio.gather(*(poller.stop() for poller in pollers.values()))

    async def on_stop(self) -> None:
        pollers, self._pollers = self._pollers, {}
        await asyncio.gather(*(poller.stop() for poller in pollers.values()))

    def _poller(self, mapping: SourceMapping) -> SourcePoller:
        kind = Poller if Arn.parse(mapping.source).service == "sqs" else StreamPoller
        return kind(self._kit, self._runner, mapping)

    async def _replace(self, uuid: str, mapping: SourceMapping | None) -> None:
        lock = self._changing.setdefault(uuid, asyncio.Lock())
        async with lock:
            poller = self._pollers.pop(uuid, None)
            if poller is not None:
                await poller.stop()
            if mapping is not None and self.running:
                poller = self._poller(mapping)
                self._pollers[uuid] = poller
                await poller.start()
            else:
                self._changing.pop(uuid, None)


def _size_of(message: Received) -> int:
    return len(message["Body"]) + _RECORD_OVERHEAD


def _parts(batch: list[Received]) -> list[list[Received]]:
    """A batch cut to what one event may hold."""
    found: list[list[Received]] = []
    size = MAX_EVENT + 1
    for message in batch:
        more = _size_of(message) + len(message["Body"].encode()) // 8
        if size + more > MAX_EVENT:
            found.append([])
            size = 0
        found[-1].append(message)
        size += more
    return found


def _contexts(batch: Sequence[Received]) -> list[Trace]:
    """The traces of the messages that have one."""
    found = (Trace.parse(message.get("TraceContext")) for message in batch)
    return [trace for trace in found if trace is not None]
