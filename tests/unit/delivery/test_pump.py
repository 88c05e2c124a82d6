"""A message arrives, or its dead letter does, whatever fails on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fogbank.core.call import ANONYMOUS, Principal, Reply, Request
from fogbank.core.clock import VirtualClock
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.delivery import Attempt, Delivery, Exhaustion, Failure, Message, PermanentError, RetryPolicy, Route
from fogbank.delivery.targets import TargetRoute
from fogbank.storage import SqliteStorage, Tx

SCOPE = Scope("123456789012")
TRACE = Trace("1-00000000-000000000000000000000000", "0000000000000000", sampled=True)
QUEUE = SCOPE.arn("sqs", "orders")
MACHINE = SCOPE.arn("states", "stateMachine:orders")
DEAD = SCOPE.arn("sqs", "dead")


class ThrottledError(ApiError):
    code = "ThrottlingException"


class GoneError(ApiError):
    code = "QueueDoesNotExist"


class RecordingCloud:
    """Answers calls, failing as it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Request]] = []
        self.failures: list[Exception] = []
        self.gate: asyncio.Event | None = None

    async def call(
        self,
        scope: Scope,
        service: str,
        operation: str,
        request: Request,
        *,
        trace: Trace | None = None,
        principal: Principal = ANONYMOUS,
        request_id: str | None = None,
    ) -> Reply:
        if self.gate is not None:
            await self.gate.wait()
        self.calls.append((service, operation, request))
        if self.failures:
            raise self.failures.pop(0)
        return {}


class World:
    """Storage, clock and delivery, which may be stopped and started again on the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.cloud = RecordingCloud()

    async def start(self) -> None:
        self.storage = SqliteStorage(self.folder, self.clock, inline_commit=True)
        await self.storage.migrate([Delivery.migrations()])
        self.delivery = Delivery(self.storage, self.clock, Ids(1))
        self.delivery.route("target", TargetRoute(self.cloud, self.delivery, self.clock))
        await self.delivery.start()

    async def stop(self) -> None:
        await self.delivery.stop()
        await self.storage.close()

    async def send(self, **settings: Any) -> None:
        message = Message(**{"target": MACHINE, "payload": b'{"n":1}', "scope": SCOPE, "trace": TRACE, **settings})

        async def body(tx: Tx) -> None:
            await self.delivery.enqueue(tx, message)

        await self.storage.transact(body)

    async def waiting(self) -> int:
        async def body(tx: Tx) -> int:
            row = await tx.fetch_one("SELECT COUNT(*) FROM outbox")
            assert row is not None
            return int(row[0])

        return await self.storage.read(body)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.start()
    yield world
    await world.stop()


async def test_a_message_becomes_the_call_that_fits_its_target(world: World) -> None:
    await world.send(target=QUEUE, parameters={"MessageGroupId": "g"})
    await world.delivery.quiet()
    ((service, operation, request),) = world.cloud.calls
    assert (service, operation) == ("sqs", "SendMessage")
    assert request["QueueUrl"].endswith("/123456789012/orders")
    assert request["MessageBody"] == '{"n":1}'
    assert request["MessageGroupId"] == "g"
    assert request["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == TRACE.header
    assert await world.waiting() == 0


@pytest.mark.parametrize(
    ("arn", "call"),
    [
        (SCOPE.arn("lambda", "function:f"), ("lambda", "Invoke")),
        (SCOPE.arn("events", "event-bus/b"), ("events", "PutEvents")),
        (SCOPE.arn("sns", "t"), ("sns", "Publish")),
        (SCOPE.arn("states", "stateMachine:m"), ("stepfunctions", "StartExecution")),
        (SCOPE.arn("logs", "log-group:/g:*"), ("logs", "PutLogEvents")),
        (SCOPE.arn("kinesis", "stream/s"), ("kinesis", "PutRecord")),
        (SCOPE.arn("firehose", "deliverystream/s"), ("firehose", "PutRecord")),
    ],
)
async def test_every_kind_of_target_has_its_call(world: World, arn: str, call: tuple[str, str]) -> None:
    await world.send(target=arn, payload=b'{"source":"s","detail-type":"d","detail":{}}')
    await world.delivery.quiet()
    assert [c[:2] for c in world.cloud.calls] == [call]


async def test_a_throttled_target_is_tried_again_by_the_clock(world: World) -> None:
    world.cloud.failures = [ThrottledError("slow down"), ThrottledError("slow down")]
    await world.send(policy=RetryPolicy(delays=(60, 120), max_retries=2))
    await world.delivery.quiet()
    assert len(world.cloud.calls) == 1
    await world.clock.advance(59)
    assert len(world.cloud.calls) == 1
    await world.clock.advance(1)
    assert len(world.cloud.calls) == 2
    await world.clock.advance(120)
    assert len(world.cloud.calls) == 3
    assert await world.waiting() == 0


async def test_what_will_never_arrive_goes_to_the_dead_letter_queue_with_its_reason(world: World) -> None:
    world.cloud.failures = [GoneError("The specified queue does not exist.")]
    await world.send(dead_letter=DEAD, dead_letter_attributes={"RULE_ARN": "arn:rule"})
    await world.delivery.quiet()
    _, dead = world.cloud.calls
    assert dead[2]["QueueUrl"].endswith("/dead")
    assert dead[2]["MessageBody"] == '{"n":1}'
    attributes = {name: value["StringValue"] for name, value in dead[2]["MessageAttributes"].items()}
    assert attributes == {
        "RULE_ARN": "arn:rule",
        "ERROR_CODE": "NO_RESOURCE",
        "ERROR_MESSAGE": "The specified queue does not exist.",
        "RETRY_ATTEMPTS": "0",
    }


async def test_exhausted_retries_are_counted_in_the_dead_letter(world: World) -> None:
    world.cloud.failures = [ThrottledError("slow")] * 3
    await world.send(dead_letter=DEAD, policy=RetryPolicy(max_retries=2, delays=(1, 1)))
    await world.clock.advance(5)
    await world.delivery.quiet()
    assert len(world.cloud.calls) == 4
    attributes = world.cloud.calls[-1][2]["MessageAttributes"]
    assert attributes["RETRY_ATTEMPTS"]["StringValue"] == "2"
    assert attributes["EXHAUSTED_RETRY_CONDITION"]["StringValue"] == "MaximumRetryAttempts"


async def test_a_message_past_its_age_is_given_up(world: World) -> None:
    world.cloud.failures = [ThrottledError("slow")] * 12
    await world.send(dead_letter=DEAD, policy=RetryPolicy(max_age=60, first=10, ceiling=10))
    await world.clock.advance(59)
    assert 6 <= [call[1] for call in world.cloud.calls].count("StartExecution") <= 11
    world.cloud.failures = []
    await world.clock.advance(600)
    assert world.cloud.calls[-1][2]["QueueUrl"].endswith("/dead")
    attributes = world.cloud.calls[-1][2]["MessageAttributes"]
    assert attributes["EXHAUSTED_RETRY_CONDITION"]["StringValue"] == "MaximumEventAgeInSeconds"


async def test_a_message_for_a_queue_arrives_in_the_senders_transaction(world: World) -> None:
    async def body(tx: Tx) -> None:
        await world.delivery.enqueue(tx, Message(target=QUEUE, payload=b"{}", scope=SCOPE, trace=TRACE))
        assert [call[1] for call in world.cloud.calls] == ["SendMessage"]

    await world.storage.transact(body)
    assert await world.waiting() == 0


async def test_what_a_queue_refuses_at_once_goes_the_ordinary_way(world: World) -> None:
    world.cloud.failures = [ThrottledError("slow down"), ThrottledError("slow down")]
    await world.send(target=QUEUE, policy=RetryPolicy(delays=(60,), max_retries=1))
    await world.delivery.quiet()
    assert await world.waiting() == 1
    await world.clock.advance(60)
    assert len(world.cloud.calls) == 3
    assert await world.waiting() == 0


async def test_a_delayed_message_waits(world: World) -> None:
    await world.send(delay=30)
    await world.clock.advance(29)
    assert world.cloud.calls == []
    await world.clock.advance(1)
    assert len(world.cloud.calls) == 1


async def test_what_was_under_way_at_a_stop_is_attempted_after_the_next_start(world: World) -> None:
    world.cloud.gate = asyncio.Event()
    await world.send()
    await world.send(delay=3600)
    await world.clock.settle()
    await world.stop()
    assert world.cloud.calls == []
    world.cloud.gate = None
    await world.start()
    await world.clock.settle()
    assert len(world.cloud.calls) == 1
    await world.clock.advance(3600)
    assert len(world.cloud.calls) == 2
    assert await world.waiting() == 0


async def test_a_long_attempt_keeps_its_lease(world: World) -> None:
    world.cloud.gate = asyncio.Event()
    await world.send()
    await world.clock.advance(900)
    world.cloud.gate.set()
    await world.delivery.quiet()
    assert len(world.cloud.calls) == 1


async def test_more_messages_than_fit_in_memory_all_arrive(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fogbank.delivery.pump.MAX_READY", 10)
    monkeypatch.setattr("fogbank.delivery.pump.MAX_CONCURRENT", 5)
    await asyncio.gather(*(world.send() for _ in range(100)))
    await world.clock.advance(10)
    await world.delivery.quiet()
    assert len(world.cloud.calls) == 100
    assert await world.waiting() == 0


class StuckRoute(Route):
    """A route whose attempts never end."""

    async def attempt(self, attempt: Attempt) -> None:
        await asyncio.get_running_loop().create_future()


async def test_a_route_that_is_stuck_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fogbank.delivery.pump.MAX_READY", 3)
    monkeypatch.setattr("fogbank.delivery.pump.MAX_CONCURRENT", 2)
    world.delivery.route("stuck", StuckRoute())
    for _ in range(10):
        await world.send(route="stuck")
    for _ in range(10):
        await world.send()
    await world.clock.advance(1)
    assert len(world.cloud.calls) == 10
    assert await world.waiting() == 10


class CountingRoute(Route):
    """A service's own route."""

    def __init__(self) -> None:
        self.settled: list[object] = []

    async def attempt(self, attempt: Attempt) -> str:
        if attempt.message.payload == b"bad":
            raise PermanentError("Bad", "it is bad")
        return "done"

    async def succeeded(self, tx: Tx, attempt: Attempt, result: object) -> None:
        self.settled.append(result)

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        self.settled.append(failure)


async def test_a_services_own_route_is_told_how_it_ended(world: World) -> None:
    route = CountingRoute()
    world.delivery.route("own", route)
    await world.send(route="own")
    await world.send(route="own", payload=b"bad")
    await world.delivery.quiet()
    assert route.settled == ["done", Failure("Bad", "it is bad", Exhaustion.PERMANENT, 0)]
    with pytest.raises(ValueError, match="registered already"):
        world.delivery.route("own", route)
