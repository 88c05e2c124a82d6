"""What CloudWatch Logs does as time passes, and what it sends on: in this process, in virtual time."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from fogbank.core.call import Principal
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.services.logs import storage
from fogbank.services.logs.worker import INTERVAL

if TYPE_CHECKING:
    from fogbank.cloud import LocalCloud
    from fogbank.core.clock import VirtualClock

HOUR = 3600
DAY = 24 * HOUR
SCOPE = Scope()


async def call(cloud: LocalCloud, operation: str, **request: Any) -> dict[str, Any]:
    return await cloud.call(SCOPE, "logs", operation, request)


async def put(cloud: LocalCloud, *messages: str) -> None:
    events = [{"timestamp": cloud.clock.millis(), "message": message} for message in messages]
    await call(cloud, "PutLogEvents", logGroupName="g", logStreamName="s", logEvents=events)


async def found(cloud: LocalCloud) -> list[str]:
    page = await call(cloud, "FilterLogEvents", logGroupName="g")
    return [event["message"] for event in page["events"]]


async def stored(cloud: LocalCloud) -> int:
    """The rows of events, of whatever group."""

    async def body(tx: Any) -> int:
        return int((await tx.fetch_one("SELECT COUNT(*) FROM logs_events"))[0])

    return await cloud.storage.read(body)


@pytest.fixture
async def group(cloud: LocalCloud) -> LocalCloud:
    await call(cloud, "CreateLogGroup", logGroupName="g")
    await call(cloud, "CreateLogStream", logGroupName="g", logStreamName="s")
    return cloud


@pytest.mark.slow
async def test_events_past_their_retention_are_deleted(group: LocalCloud, clock: VirtualClock) -> None:
    """After the days of the policy, and not before, events are gone and no longer counted."""
    await put(group, "old")
    await clock.advance(DAY)
    await put(group, "new")
    await call(group, "PutRetentionPolicy", logGroupName="g", retentionInDays=3)
    await clock.advance(2 * DAY - HOUR)
    assert await found(group) == ["old", "new"]
    await clock.advance(HOUR + INTERVAL)
    assert await found(group) == ["new"]
    described = await call(group, "DescribeLogGroups")
    assert described["logGroups"][0]["storedBytes"] == 29


@pytest.mark.slow
async def test_a_shorter_retention_takes_effect_at_once(group: LocalCloud, clock: VirtualClock) -> None:
    """Setting a policy wakes the sweeper."""
    await put(group, "old")
    await clock.advance(2 * DAY)
    await call(group, "PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    await clock.settle()
    assert await found(group) == []


async def test_many_events_are_deleted_in_pieces(group: LocalCloud, clock: VirtualClock) -> None:
    """More events than one transaction deletes."""
    for _ in range(5):
        await put(group, *["x"] * 1000)
    await call(group, "DeleteLogGroup", logGroupName="g")
    await clock.settle()
    assert await stored(group) == 0


async def test_rows_of_deleted_streams_are_removed(group: LocalCloud, clock: VirtualClock) -> None:
    """What no one can see any more takes no room either."""
    await put(group, "a", "b")
    await call(group, "DeleteLogStream", logGroupName="g", logStreamName="s")
    await clock.settle()
    assert await stored(group) == 0


async def test_a_service_that_writes_logs_makes_its_stream(group: LocalCloud) -> None:
    """A rule whose target is a log group need not create the stream first; a user must."""
    request = {
        "logGroupName": "g",
        "logStreamName": "events",
        "logEvents": [{"timestamp": group.clock.millis(), "message": "m"}],
    }
    with pytest.raises(ApiError, match="log stream does not exist"):
        await group.call(SCOPE, "logs", "PutLogEvents", request)
    principal = Principal(service="events.amazonaws.com")
    await group.call(SCOPE, "logs", "PutLogEvents", request, principal=principal)
    assert await found(group) == ["m"]


async def test_a_subscription_gets_what_matches(group: LocalCloud) -> None:
    """A batch's matching events go to the destination together, compressed, in the transaction that stores them."""
    function = "arn:aws:lambda:us-east-1:000000000000:function:f"

    async def subscribe(tx: Any) -> None:
        found = await storage.find_group(tx, SCOPE, "g")
        assert found is not None
        await storage.put_subscription(
            tx, found.id, "errors", pattern="ERROR", destination=function, now=0, is_new=True
        )

    await group.storage.transact(subscribe)
    sent: list[tuple[str, dict[str, Any]]] = []
    enqueue = group.delivery.enqueue

    async def watch(tx: Any, message: Any) -> None:
        data = json.loads(message.payload)["awslogs"]["data"]
        sent.append((message.target, json.loads(gzip.decompress(base64.b64decode(data)))))
        await enqueue(tx, message)

    group.delivery.enqueue = watch  # type: ignore[method-assign]
    await put(group, "ERROR one", "fine", "ERROR two")
    await put(group, "fine")
    ((target, document),) = sent
    assert target == function
    messages = [event.pop("message") for event in document["logEvents"]]
    assert messages == ["ERROR one", "ERROR two"]
    assert all(len(event["id"]) == 56 for event in document.pop("logEvents"))
    assert document == {
        "messageType": "DATA_MESSAGE",
        "owner": "000000000000",
        "logGroup": "g",
        "logStream": "s",
        "subscriptionFilters": ["errors"],
    }


async def test_a_tail_is_told_at_once_and_ends_after_three_hours(group: LocalCloud, clock: VirtualClock) -> None:
    """Updates come when there are events and every second without; the session is not open for ever."""
    arn = SCOPE.arn("logs", "log-group:g")
    reply = await call(group, "StartLiveTail", logGroupIdentifiers=[arn])
    updates = reply["responseStream"].__aiter__()
    assert "sessionStart" in await anext(updates)
    assert (await anext(updates))["sessionUpdate"]["sessionResults"] == []
    await put(group, *map(str, range(700)))
    sizes = [len((await anext(updates))["sessionUpdate"]["sessionResults"]) for _ in range(2)]
    assert sizes == [500, 200]
    await clock.advance(3 * HOUR)
    rest = [update async for update in updates]
    assert list(rest[-1]) == ["SessionTimeoutException"]
