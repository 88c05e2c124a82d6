"""Reads the stream of a table for a mapping: in order, one batch at a time.

Where reading has come to is kept with the mapping (`lambda_checkpoints`), in the transaction that also hands a record
of what was given up to the destination of failures: after a crash, the batch that was under way is tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.core.errors import ApiError, OverloadedError
from fogbank.core.patterns import compile_pattern
from fogbank.core.trace import Trace
from fogbank.delivery import Message, RetryPolicy
from fogbank.runtime import Event
from fogbank.services.lambda_ import _stream_events as events
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._names import PRINCIPAL
from fogbank.services.lambda_._polling import SourcePoller
from fogbank.services.lambda_._stream_rules import LATEST, table_arn
from fogbank.services.lambda_.errors import TooManyRequestsError
from fogbank.services.lambda_.storage import Checkpoint, SourceMapping
from fogbank.storage import Tx

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.services.lambda_._running import Runner

_log = logging.getLogger("fogbank.lambda.streams")
MAX_READ = 1_000
"""Records of one GetRecords."""
MAX_EVENT = 6 * 1024 * 1024
_THROTTLED_DELAY = 1.0
_LONGEST_IDLE = 300.0
"""Seconds without a record after which the iterator is renewed: it lives for fifteen minutes."""
_FAILURES = RetryPolicy(max_retries=1_000, max_age=86_400.0)


@dataclass(slots=True)
class _Place:
    """Where reading is: the shard, the iterator, and records that were read and not yet tried."""

    shard: str
    iterator: str | None
    read: deque[events.Record]


class StreamPoller(SourcePoller):
    """Reads one mapping's stream."""

    def __init__(self, kit: Kit, runner: Runner, mapping: SourceMapping) -> None:
        super().__init__(kit, runner, mapping)
        settings = mapping.settings
        self._size: int = settings["BatchSize"]
        self._window = float(settings["MaximumBatchingWindowInSeconds"])
        self._rules = events.Rules.of(settings)
        self._destination: str | None = settings["DestinationConfig"].get("OnFailure", {}).get("Destination")
        filters = settings.get("FilterCriteria", {}).get("Filters", [])
        self._patterns = [compile_pattern(one["Pattern"]) for one in filters if "Pattern" in one]
        self._reading: asyncio.Task[None] | None = None
        self._step: asyncio.Task[events.Step | ApiError] | None = None

    # -- life -------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        self._reading = self.spawn(self._run(), name=f"read-{self._source.resource}")

    async def on_stop(self) -> None:
        """Read no more; finish the attempt that is under way, for as long as the configuration allows."""
        if self._step is not None and not self._step.done():
            await asyncio.wait({self._step}, timeout=self._kit.config.stop_timeout)
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    def abandon(self) -> None:
        """See `SourcePoller.abandon`."""
        for task in (self._reading, self._step):
            if task is not None:
                task.cancel()

    async def _poll(self) -> None:
        with self._kit.storage.subscribe(f"dynamodb.stream.{table_arn(self._source)}") as wakeup:
            place = await self._begin()
            while self.running:
                batch = await self._gather(place, wakeup)
                await self._see_through(place, batch)
                self._went_well()

    # -- reading ----------------------------------------------------------------------------------------------

    async def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        return await self._kit.cloud.call(
            self._source.scope, "dynamodbstreams", operation, request, principal=PRINCIPAL
        )

    async def _begin(self) -> _Place:
        """The place at which to go on: after the checkpoint, where the mapping was made, or at the oldest record."""
        described = await self._call("DescribeStream", StreamArn=self.mapping.source)
        shard: str = described["StreamDescription"]["Shards"][0]["ShardId"]
        kept = await self._kit.storage.read(lambda tx: rows.find_checkpoint(tx, self.mapping.uuid))
        where: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if kept.sequence:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": kept.sequence}
        elif kept.iterator:
            try:
                await self._call("GetRecords", ShardIterator=kept.iterator, Limit=1)
            except ApiError as error:
                _log.info("the place at which %s was to be read is gone: %s", self._source, error)
            else:
                return _Place(shard, kept.iterator, deque())
        try:
            found = await self._call("GetShardIterator", StreamArn=self.mapping.source, ShardId=shard, **where)
        except ApiError as error:
            if error.code != "TrimmedDataAccessException":
                raise
            _log.warning("records of %s are gone unread: %s", self._source, error)
            found = await self._call(
                "GetShardIterator", StreamArn=self.mapping.source, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
            )
        return _Place(shard, found["ShardIterator"], deque())

    async def _read(self, place: _Place) -> int:
        """Read on; how many records came. What came before a mapping that wants only the latest is passed over."""
        if place.iterator is None:
            return 0
        reply = await self._call("GetRecords", ShardIterator=place.iterator, Limit=MAX_READ)
        place.iterator = reply.get("NextShardIterator")
        records = [events.record(one, self.mapping.source) for one in reply.get("Records") or []]
        if self.mapping.settings["StartingPosition"] == LATEST:
            records = [one for one in records if one.at >= self.mapping.settings["Since"]]
        place.read.extend(records)
        return len(records)

    async def _gather(self, place: _Place, wakeup: Any) -> events.Batch:
        """Records for one event: what is there, or what comes within the batching window."""
        until: float | None = None
        while len(place.read) < self._size:
            if await self._read(place):
                continue
            now = self._kit.clock.time()
            if place.read and until is None:
                until = now + self._window
            if until is not None and now >= until:
                break
            await wakeup.wait(until if until is not None else now + _LONGEST_IDLE)
        taken: list[events.Record] = []
        size = 0
        while place.read and len(taken) < self._size:
            size += place.read[0].size + 1
            if taken and size > MAX_EVENT:
                break
            taken.append(place.read.popleft())
        return events.Batch(taken)

    # -- a batch ----------------------------------------------------------------------------------------------

    async def _see_through(self, place: _Place, batch: events.Batch) -> None:
        """Try a batch until it is done with; what passes no filter is done with as it comes."""
        wanted = events.wanted(batch.records, self._patterns)
        waiting = deque([events.Batch(wanted)] if wanted else [])
        while waiting:
            one = waiting[0]
            await self._kit.clock.sleep(one.delay)
            self._step = self.spawn(self._attempt(place, one))
            step = await self._step
            if isinstance(step, (TooManyRequestsError, OverloadedError)):
                await self._kit.clock.sleep(_THROTTLED_DELAY)
                continue
            if isinstance(step, ApiError):
                raise step
            waiting.popleft()
            waiting.extendleft(reversed(step.again))
            if not self.running:
                return
        last = batch.records[-1].sequence
        if not wanted or wanted[-1].sequence != last:
            await self._kit.storage.transact(lambda tx: rows.put_checkpoint(tx, self.mapping.uuid, Checkpoint(last)))

    async def _attempt(self, place: _Place, batch: events.Batch) -> events.Step | ApiError:
        """One attempt, and what it leads to, committed; or why there was none."""
        step = events.expired(batch, self._rules, self._kit.clock.time())
        if step is None:
            try:
                answer = await self._invoke(batch)
            except ApiError as error:
                return error
            step = events.after(batch, answer, self._rules)
            age = self._kit.clock.time() - batch.records[-1].at
            function = self.mapping.function
            self._runner.counts.aged(function.scope, function.name, age)
        await self._kit.storage.transact(lambda tx: self._commit(tx, place, step))
        return step

    async def _commit(self, tx: Tx, place: _Place, step: events.Step) -> None:
        if step.done is not None:
            checkpoint = Checkpoint(step.done, result=step.result)
            await rows.put_checkpoint(tx, self.mapping.uuid, checkpoint)
        else:
            await rows.put_result(tx, self.mapping.uuid, step.result)
        if step.lost is None or not self._destination:
            return
        shown = events.failure(
            step,
            function=self.mapping.function.qualified_arn,
            stream=self.mapping.source,
            shard=place.shard,
            request_id=self._kit.ids.uuid(),
            now=self._kit.clock.time(),
        )
        message = Message(
            target=self._destination,
            payload=msgspec.json.encode(shown),
            scope=self.mapping.function.scope,
            trace=Trace.begin(self._kit.clock, self._kit.ids),
            route="target",
            source="lambda.amazonaws.com",
            policy=_FAILURES,
        )
        await self._kit.delivery.enqueue(tx, message)

    async def _invoke(self, batch: events.Batch) -> events.Answer:
        ref = self.mapping.function
        resolution = await self._runner.targets.find(ref)
        target = resolution.pick(self._kit.ids.fraction())
        begun = self._recorder.begin((), len(batch.records))
        event = Event(
            request_id=self._kit.ids.uuid(),
            payload=events.event(batch),
            function_arn=ref.qualified_arn,
            trace=begun.trace.header,
        )
        try:
            outcome = await self._runner.deliver(target, event)
        except ApiError as error:
            self._recorder.end(begun, error.code)
            raise
        self._recorder.end(begun, outcome.error or "")
        return events.Answer(event.request_id, outcome.payload, outcome.error, target.executed)
