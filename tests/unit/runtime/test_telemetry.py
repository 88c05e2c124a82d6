"""Telemetry is buffered by number, bytes and time, sent in order, tried again, and dropped when nobody keeps up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.runtime import logs_api
from fogbank.runtime.telemetry import (
    Stream,
    Subscription,
    SubscriptionError,
    Telemetry,
    deliver_here,
    read_subscription,
)

GOOD: dict[str, Any] = {
    "schemaVersion": "2022-07-01",
    "types": ["platform", "function"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/a"},
}


def wanted(**changes: Any) -> Subscription:
    values = {
        "streams": frozenset(Stream),
        "protocol": "HTTP",
        "port": 1,
        "path": "/",
        "max_items": 3,
        "max_bytes": 10_000,
        "timeout": 60.0,
        **changes,
    }
    return Subscription(**values)


class Listener:
    """A listener on loopback that answers with the statuses that it is given, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.batches: list[list[Any]] = []
        self.raw = b""
        self.heard = asyncio.Event()

    async def deliver(self, wanted: Subscription, batch: Sequence[bytes]) -> bool:
        if not hasattr(self, "server"):
            self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return await deliver_here(replace(wanted, port=self.server.sockets[0].getsockname()[1]), batch)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readline()
        if not first.startswith(b"POST"):
            self.raw += first + await reader.read()
            self.heard.set()
            writer.close()
            return
        size = 0
        while line := (await reader.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        body = await reader.readexactly(size)
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.batches.append(json.loads(body))
            self.heard.set()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
        writer.close()

    async def wait(self) -> None:
        await asyncio.wait_for(self.heard.wait(), 10)
        self.heard.clear()

    async def stop(self) -> None:
        self.server.close()
        await self.server.wait_closed()


def telemetry(listener: Listener) -> Telemetry:
    return Telemetry(lambda: 1_700_000_000_000, listener.deliver)


async def test_a_batch_is_sent_when_it_is_full_and_early_events_come_first() -> None:
    listener = Listener()
    told = telemetry(listener)
    told.emit(Stream.PLATFORM, "platform.initStart", {"a": 1})
    told.subscribe("x", wanted())
    told.begun()
    told.lines(Stream.FUNCTION, ["one", '{"two": 2}'], as_json=True)
    await listener.wait()
    time = "2023-11-14T22:13:20.000Z"
    assert listener.batches == [
        [
            {"time": time, "type": "platform.initStart", "record": {"a": 1}},
            {"time": time, "type": "function", "record": "one"},
            {"time": time, "type": "function", "record": {"two": 2}},
        ]
    ]
    await listener.stop()


async def test_only_the_streams_that_are_wanted_are_sent_when_the_time_is_over() -> None:
    listener = Listener()
    told = telemetry(listener)
    told.subscribe("x", wanted(streams=frozenset({Stream.EXTENSION}), timeout=0.01))
    told.lines(Stream.FUNCTION, ["not this"], as_json=False)
    told.lines(Stream.EXTENSION, ["this"], as_json=False)
    await listener.wait()
    assert [item["record"] for item in listener.batches[0]] == ["this"]
    await listener.stop()


async def test_what_is_not_taken_is_tried_again_and_a_flush_sends_the_rest() -> None:
    listener = Listener(500, 503)
    told = telemetry(listener)
    told.subscribe("x", wanted())
    told.lines(Stream.FUNCTION, ["1"], as_json=False)
    told.flush()
    told.flush()
    await listener.wait()
    await told.drained()
    assert [[item["record"] for item in batch] for batch in listener.batches] == [["1"]]
    await listener.stop()


async def test_a_listener_that_falls_behind_is_told_how_much_was_dropped() -> None:
    listener = Listener()
    blocked: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def slow(wanted: Subscription, batch: Sequence[bytes]) -> bool:
        await blocked
        return await listener.deliver(wanted, batch)

    told = Telemetry(lambda: 0, slow)
    told.subscribe("x", wanted(max_items=1, max_bytes=100))
    for _ in range(20):
        told.lines(Stream.FUNCTION, ["x" * 60], as_json=False)
    await asyncio.sleep(0)
    told.lines(Stream.FUNCTION, ["y" * 400], as_json=False)
    blocked.set_result(None)
    told.flush()
    await told.drained()
    items = [item for batch in listener.batches for item in batch]
    dropped = [item["record"] for item in items if item["type"] == "platform.logsDropped"]
    sent = [item for item in items if item["type"] == "function"]
    assert sum(record["droppedRecords"] for record in dropped) + len(sent) == 21
    assert sum(record["droppedBytes"] for record in dropped) > 400
    assert dropped[0]["reason"].startswith("Consumer seems to have fallen behind")
    await listener.stop()


async def test_tcp_listeners_get_lines() -> None:
    listener = Listener()
    told = telemetry(listener)
    told.subscribe("x", wanted(protocol="TCP"))
    told.lines(Stream.FUNCTION, ["1", "2", "3"], as_json=False)
    await listener.wait()
    assert [json.loads(line)["record"] for line in listener.raw.splitlines()] == ["1", "2", "3"]
    await listener.stop()


async def test_nothing_is_kept_for_nobody() -> None:
    told = Telemetry(lambda: 0)
    told.begun()
    assert not told.wanted
    told.emit(Stream.PLATFORM, "platform.start", {})
    told.close()


def test_a_subscription_is_read_with_its_defaults() -> None:
    found = read_subscription(json.dumps(GOOD).encode())
    assert found.names == ["platform", "function"]
    assert (found.port, found.path, found.max_items, found.max_bytes, found.timeout) == (
        8080,
        "/a",
        10_000,
        262_144,
        1.0,
    )
    tcp = {**GOOD, "destination": {"protocol": "TCP", "port": 99}}
    assert read_subscription(json.dumps(tcp).encode()).port == 99


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"schemaVersion": "2021-03-18"}, "schemaVersion"),
        ({"types": []}, "types should not be empty"),
        ({"destination": None}, "destination is not provided"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox:9001"}}, "port 9001 is reserved"),
        ({"destination": {"protocol": "HTTP", "URI": "https://sandbox:1"}}, "scheme should be http"),
        ({"destination": {"protocol": "HTTP", "URI": "http://169.254.169.254:80"}}, "host should be"),
        ({"buffering": {"timeoutMs": 24}}, "timeoutMs should be between 25 and 30000"),
        ({"buffering": {"maxBytes": 2_000_000}}, "maxBytes should be between"),
    ],
)
def test_subscriptions_that_cannot_be(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(SubscriptionError, match=problem):
        read_subscription(json.dumps({**GOOD, **changes}).encode())


def test_subscriptions_to_the_logs_api_need_no_schema() -> None:
    body = {name: value for name, value in GOOD.items() if name != "schemaVersion"}
    found = read_subscription(json.dumps(body).encode(), logs=True)
    assert (found.schema, found.by_logs_api) == ("2020-08-15", True)
    with pytest.raises(SubscriptionError, match="schemaVersion should be one of 2020-08-15, 2021-03-18"):
        read_subscription(json.dumps(GOOD).encode(), logs=True)


@pytest.mark.parametrize(
    ("kind", "record", "expected"),
    [
        ("platform.initStart", {}, []),
        ("platform.restoreReport", {}, []),
        ("platform.telemetrySubscription", {}, []),
        ("platform.runtimeDone", {"requestId": "1", "status": "timeout", "metrics": {}}, []),
        ("platform.extension", {"name": "x"}, [("platform.extension", {"name": "x"})]),
        ("function", {"message": "as JSON"}, [("function", {"message": "as JSON"})]),
        ("extension", "x", [("extension", "x")]),
    ],
)
def test_what_the_logs_api_tells(kind: str, record: Any, expected: list[Any]) -> None:
    """By its first schema; what it does not know is not told."""
    assert logs_api.in_logs(kind, record, "2020-08-15") == expected


@pytest.mark.slow
@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_any_body_is_a_subscription_or_a_problem(body: bytes) -> None:
    read: Callable[[bytes], object] = read_subscription
    try:
        read(body)
    except SubscriptionError:
        return
