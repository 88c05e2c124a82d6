"""The Telemetry API: extensions subscribe to what the platform, the function and the extensions say.

    event ──▶ Subscription (buffered by number, bytes and time) ──one POST at a time──▶ the listener of an extension

What a listener does not take is tried again with growing pauses; what it falls behind with is dropped, and it is told
how much. What was said before a subscription, during the init phase, is told to it first.
Source: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html and telemetry-api-reference.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fogbank.runtime import logs_api
from fogbank.runtime.records import timestamp

PATH = b"/2022-07-01/telemetry"
SCHEMAS = ("2022-07-01", "2022-12-13", "2025-01-29")
HOSTS = frozenset({"sandbox.localdomain", "sandbox", "localhost", "127.0.0.1"})
"""Names of the environment itself: telemetry goes nowhere else."""
RESERVED_PORT = 9001
MAX_EARLY = 1000
"""Events of the init phase that are kept for subscriptions still to come."""
MAX_HELD = 4
"""How many times its buffer a subscription may be behind."""
_FIRST_PAUSE, _LAST_PAUSE = 0.05, 1.0
_BEHIND = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."


class Stream(StrEnum):
    """What can be subscribed to."""

    PLATFORM = "platform"
    FUNCTION = "function"
    EXTENSION = "extension"


class SubscriptionError(ValueError):
    """A subscription request that cannot be; the message says what is wrong with it."""


class _Buffering(msgspec.Struct, rename="camel"):
    max_items: int = 10_000
    max_bytes: int = 262_144
    timeout_ms: int = 1_000


class _Destination(msgspec.Struct):
    protocol: str = ""
    URI: str = ""
    port: int | None = None
    method: str = "POST"


class _Request(msgspec.Struct, rename="camel"):
    schema_version: str = ""
    types: list[str] = []
    destination: _Destination | None = None
    buffering: _Buffering | None = None


_read = msgspec.json.Decoder(_Request).decode
_LIMITS = (("max_items", "maxItems", 1_000, 10_000), ("max_bytes", "maxBytes", 262_144, 1_048_576),
           ("timeout_ms", "timeoutMs", 25, 30_000))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as it was asked for; the time is in seconds."""

    streams: frozenset[Stream]
    protocol: str
    port: int
    path: str
    max_items: int
    max_bytes: int
    timeout: float
    schema: str = SCHEMAS[0]
    method: str = "POST"

    @property
    def by_logs_api(self) -> bool:
        """Whether it was asked for by the Logs API, whose records are simpler."""
        return self.schema in logs_api.SCHEMAS

    @property
    def names(self) -> list[str]:
        """The streams' names, in AWS's order."""
        return [stream.value for stream in Stream if stream in self.streams]


def read_subscription(body: bytes, *, logs: bool = False) -> Subscription:
    """The subscription of a request's body; `logs`: to the Logs API. Raises `SubscriptionError`."""
    try:
        wanted = _read(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SubscriptionError(f"the body is not a subscription: {error}") from None
    problems = []
    schemas = logs_api.SCHEMAS if logs else SCHEMAS
    schema = wanted.schema_version or (schemas[0] if logs else "")
    if schema not in schemas:
        problems.append(f"schemaVersion should be one of {', '.join(schemas)}")
    if not wanted.types:
        problems.append("types should not be empty")
    unknown = [name for name in wanted.types if name not in list(Stream)]
    if unknown:
        problems.append(f"types {', '.join(unknown)} are not supported")
    protocol, port, path = _read_destination(wanted.destination, problems)
    method = wanted.destination.method if logs and wanted.destination is not None else "POST"
    if method not in ("POST", "PUT"):
        problems.append("method should be POST or PUT")
    buffering = wanted.buffering or _Buffering()
    for name, shown, least, most in _LIMITS:
        if not least <= getattr(buffering, name) <= most:
            problems.append(f"{shown} should be between {least} and {most}")
    if problems:
        raise SubscriptionError("; ".join(problems))
    streams = frozenset(Stream(name) for name in wanted.types)
    timeout = buffering.timeout_ms / 1000
    limits = (buffering.max_items, buffering.max_bytes, timeout)
    return Subscription(streams, protocol, port, path, *limits, schema=schema, method=method)


def _read_destination(wanted: _Destination | None, problems: list[str]) -> tuple[str, int, str]:
    if wanted is None:
        problems.append("destination is not provided")
        return "", 0, ""
    if wanted.protocol == "TCP" and wanted.port is not None:
        host, port, path = "sandbox.localdomain", wanted.port, ""
    else:
        try:
            parts = urlsplit(wanted.URI)
            host, port, path = parts.hostname or "", parts.port or 0, parts.path or "/"
        except ValueError:
            problems.append("URI is not valid")
            return "", 0, ""
        if not wanted.URI:
            problems.append("URI is not provided")
        elif not port:
            problems.append("URI port is not provided")
        elif wanted.protocol == "HTTP" and parts.scheme != "http":
            problems.append("URI scheme should be http")
    if wanted.protocol not in ("HTTP", "TCP"):
        problems.append("protocol should be HTTP or TCP")
    if host and host not in HOSTS:
        problems.append("URI host should be sandbox.localdomain")
    if port == RESERVED_PORT:
        problems.append(f"port {RESERVED_PORT} is reserved")
    return wanted.protocol, port, path


Deliver = Callable[[Subscription, Sequence[bytes]], Awaitable[bool]]
"""Hands events to a listener; whether it took them."""


def message(wanted: Subscription, batch: Sequence[bytes]) -> bytes:
    """What a listener is sent."""
    if wanted.protocol == "TCP":
        return b"".join(item + b"\n" for item in batch)
    body = b"[" + b",".join(batch) + b"]"
    head = (
        f"{wanted.method} {wanted.path} HTTP/1.1\r\nHost: sandbox.localdomain:{wanted.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def deliver_here(wanted: Subscription, batch: Sequence[bytes]) -> bool:
    """Send one batch to an environment that shares this machine's network."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", wanted.port)
    except OSError:
        return False
    try:
        writer.write(message(wanted, batch))
        await writer.drain()
        if wanted.protocol == "TCP":
            return True
        status = (await reader.readline()).split(b" ", 2)
        return len(status) > 1 and status[1].startswith(b"2")
    except (OSError, ValueError):
        return False
    finally:
        writer.close()


@dataclass(frozen=True, slots=True)
class _Said:
    """An event, and when it was."""

    stream: Stream
    millis: int
    kind: str
    record: Any

    def for_(self, wanted: Subscription) -> list[bytes]:
        """As a subscriber is told of it: once, or not at all, or as more than one."""
        if self.stream not in wanted.streams:
            return []
        if wanted.by_logs_api:
            events = logs_api.in_logs(self.kind, self.record, wanted.schema)
        else:
            events = [(self.kind, self.record)] if logs_api.in_telemetry(self.kind) else []
        time = timestamp(self.millis)
        return [msgspec.json.encode({"time": time, "type": kind, "record": record}) for kind, record in events]


@dataclass(slots=True)
class _Feed:
    """One subscription under way: what waits, what is being sent."""

    wanted: Subscription
    items: list[bytes] = field(default_factory=list)
    size: int = 0
    dropped: int = 0
    dropped_size: int = 0
    due: asyncio.TimerHandle | None = None
    sending: asyncio.Task[None] | None = None
    urgent: asyncio.Event = field(default_factory=asyncio.Event)


class Telemetry:
    """The subscriptions of one environment. `emit` costs nothing when there are none and the init phase is over."""

    def __init__(self, millis: Callable[[], int], deliver: Deliver = deliver_here) -> None:
        self._millis = millis
        self._deliver = deliver
        self._feeds: dict[str, _Feed] = {}
        self._early: list[_Said] | None = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def wanted(self) -> bool:
        """Whether what is said is kept or told to anybody."""
        return self._early is not None or bool(self._feeds)

    def subscribe(self, name: str, wanted: Subscription) -> None:
        """Begin to tell an extension; one that subscribes again has its subscription replaced.

        Raises `SubscriptionError` if it has subscribed by the other of the two APIs.
        """
        old = self._feeds.get(name)
        if old is not None and old.wanted.by_logs_api is not wanted.by_logs_api:
            other = "Logs" if old.wanted.by_logs_api else "Telemetry"
            raise SubscriptionError(f"{name} has subscribed through the {other} API already")
        if old is not None and old.due is not None:
            old.due.cancel()
        feed = self._feeds[name] = _Feed(wanted)
        for said in self._early or ():
            self._tell(feed, said)

    def begun(self) -> None:
        """The init phase is over: nobody can subscribe any more."""
        self._early = None

    def emit(self, stream: Stream, kind: str, record: Any) -> None:
        """Tell an event: `platform.start` and its kin, `function` or `extension`."""
        if not self.wanted or self._closed:
            return
        said = _Said(stream, self._millis(), kind, record)
        if self._early is not None and len(self._early) < MAX_EARLY:
            self._early.append(said)
        for feed in self._feeds.values():
            self._tell(feed, said)

    def lines(self, stream: Stream, texts: Sequence[str], *, as_json: bool) -> None:
        """Tell log lines; with the JSON format, those that are JSON objects as such."""
        if not self.wanted:
            return
        for text in texts:
            self.emit(stream, stream.value, _json_record(text) if as_json else text)

    def _tell(self, feed: _Feed, said: _Said) -> None:
        for event in said.for_(feed.wanted):
            self._add(feed, event)

    def _add(self, feed: _Feed, event: bytes) -> None:
        if feed.size + len(event) > MAX_HELD * feed.wanted.max_bytes:
            feed.dropped += 1
            feed.dropped_size += len(event)
            return
        feed.items.append(event)
        feed.size += len(event)
        if len(feed.items) >= feed.wanted.max_items or feed.size >= feed.wanted.max_bytes:
            self._send(feed)
        elif feed.due is None and feed.sending is None:
            feed.due = asyncio.get_running_loop().call_later(feed.wanted.timeout, self._send, feed)

    def _send(self, feed: _Feed) -> None:
        if feed.due is not None:
            feed.due.cancel()
            feed.due = None
        if feed.sending is None and feed.items and not self._closed:
            feed.sending = asyncio.get_running_loop().create_task(self._run(feed))
            self._tasks.add(feed.sending)
            feed.sending.add_done_callback(self._tasks.discard)

    def flush(self) -> None:
        """Send what waits without waiting for more."""
        for feed in self._feeds.values():
            feed.urgent.set()
            self._send(feed)

    async def drained(self) -> None:
        """Wait until all that waits has been taken."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def close(self) -> None:
        """Tell nobody anything any more."""
        self._closed = True
        for feed in self._feeds.values():
            if feed.due is not None:
                feed.due.cancel()
        self._feeds.clear()
        for task in self._tasks:
            task.cancel()

    async def _run(self, feed: _Feed) -> None:
        """Send batches until less waits than fills one, or all of it when it is urgent."""
        try:
            while feed.items or feed.dropped:
                batch = self._batch(feed)
                pause = _FIRST_PAUSE
                while not await self._deliver(feed.wanted, batch):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(feed.urgent.wait(), pause)
                    feed.urgent.clear()
                    pause = min(pause * 2, _LAST_PAUSE)
                full = len(feed.items) >= feed.wanted.max_items or feed.size >= feed.wanted.max_bytes
                if not full and not feed.urgent.is_set():
                    break
        finally:
            feed.sending = None
        feed.urgent.clear()
        if feed.items and feed.due is None and not self._closed:
            feed.due = asyncio.get_running_loop().call_later(feed.wanted.timeout, self._send, feed)

    def _batch(self, feed: _Feed) -> list[bytes]:
        items, feed.items = feed.items[: feed.wanted.max_items], feed.items[feed.wanted.max_items :]
        feed.size = sum(map(len, feed.items))
        if feed.dropped:
            record = {"reason": _BEHIND, "droppedRecords": feed.dropped, "droppedBytes": feed.dropped_size}
            event = {"time": timestamp(self._millis()), "type": "platform.logsDropped", "record": record}
            items.append(msgspec.json.encode(event))
            feed.dropped = feed.dropped_size = 0
        return items


def _json_record(text: str) -> Any:
    if text.startswith("{"):
        try:
            found: Mapping[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError:
            return text
        return found
    return text
