"""The Lambda Runtime API over HTTP, one listener for each execution environment.

The address is what tells environments apart (AWS_LAMBDA_RUNTIME_API has no room for a path in every client), so
each has its own port on the loopback address. Requests are answered in order, head and body in one segment, with a
Content-Type always: AWS's client needs one.
Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and its OpenAPI document.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import httptools

from fogbank.runtime.model import Event
from fogbank.runtime.peers import Address

PREFIX = b"/2018-06-01/runtime/"
_MODE = b"lambda-runtime-function-response-mode"
_MAX_HEADERS = 1200 * 1024
"""AWS's clients put the cause of an error, up to 1 MB of JSON, in a header."""
_EARLY = 64 * 1024
"""Bytes that are kept of a connection whose other end is not known yet."""
_MAX_PENDING = 16
"""Requests that may wait behind one that is not answered yet."""
_REASONS = {
    200: b"OK",
    202: b"Accepted",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    413: b"Payload Too Large",
}
_ACCEPTED = b'{"status":"OK"}\n'


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request to the Runtime API; header names are in lower case.

    `oversized`: the body passed the limit and was dropped.
    """

    method: bytes
    path: bytes
    headers: dict[bytes, bytes]
    body: bytes
    oversized: bool


class RuntimeApi(Protocol):
    """Who answers: an environment."""

    def asked(self, connection: Connection, request: ApiRequest) -> None:
        """Answer by `connection.answer`, at once or later."""
        ...

    def streamed(self, connection: Connection, head: ApiRequest) -> BodySink | None:
        """Who takes a body that is streamed piece by piece; `None` to have it read whole."""
        ...

    @property
    def max_body(self) -> int:
        """The largest body that is taken, in bytes."""
        ...


Guard = Callable[[Address, Address], bool | None]
"""Whether who connected from the first address to the second may; `None` if that is not known yet."""


class BodySink(Protocol):
    """Who takes a streamed body."""

    def piece(self, data: bytes) -> None:
        """Take what came."""
        ...

    def complete(self, connection: Connection, request: ApiRequest) -> None:
        """The body has ended; the request's headers hold its trailers now."""
        ...


class Connection(asyncio.Protocol):
    """One client connection: parses requests, and lets the environment answer them in order."""

    __slots__ = (
        "_api",
        "_body",
        "_broken",
        "_choked",
        "_closed",
        "_early",
        "_guard",
        "_headers",
        "_held",
        "_oversized",
        "_parser",
        "_pending",
        "_reading",
        "_sink",
        "_size",
        "_stopped",
        "_transport",
        "_url",
        "_waiting",
    )

    def __init__(self, api: RuntimeApi, guard: Guard | None = None) -> None:
        self._api = api
        self._guard = guard
        self._early = b""
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._pending: deque[ApiRequest] = deque()
        self._waiting = False
        self._closed = False
        self._reading = False
        self._broken = False
        self._choked = False
        self._stopped = False
        self._held = b""
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._oversized = False
        self._sink: BodySink | None = None

    # -- asyncio --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._guard is not None:
            self._early += data
            self._admit()
            return
        self._reading = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._broken = True
            self.answer(400, b'{"errorMessage":"malformed request","errorType":"InvalidRequest"}')
            self._waiting = False
        self._reading = False
        if self._held and not self._waiting:
            self._write(b"")
        if self._broken:
            self.close()

    def _admit(self) -> None:
        """Begin, once it is known who is at the other end; hang up if it is nobody of the environment."""
        if self._guard is None or self._transport is None or self._closed:
            return
        there, here = (self._transport.get_extra_info(name) for name in ("peername", "sockname"))
        admitted = self._guard(there, here)
        if admitted is None and len(self._early) < _EARLY:
            asyncio.get_running_loop().call_later(0.001, self._admit)
        elif admitted:
            early, self._early, self._guard = self._early, b"", None
            self.data_received(early)
        else:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self._closed = True

    # -- httptools ------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._begin()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value)
        if self._size <= _MAX_HEADERS:
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        self._size = 0
        if self._headers.get(b"expect") == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._headers.get(_MODE, b"").lower() == b"streaming" and not self._waiting:
            head = ApiRequest(self._parser.get_method(), self._url, self._headers, b"", False)
            self._sink = self._api.streamed(self, head)

    def on_body(self, body: bytes) -> None:
        if self._sink is not None:
            self._sink.piece(body)
            return
        self._size += len(body)
        if self._size > self._api.max_body:
            self._oversized = True
            self._body.clear()
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        request = ApiRequest(self._parser.get_method(), self._url, self._headers, body, self._oversized)
        if self._waiting:
            if len(self._pending) >= _MAX_PENDING:
                self.close()
                return
            self._pending.append(request)
            return
        self._waiting = True
        if self._sink is not None:
            self._sink.complete(self, request)
            return
        self._api.asked(self, request)

    # -- the environment's side -----------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether nobody is at the other end."""
        return self._closed

    def answer(self, status: int, body: bytes, headers: bytes = b"", content_type: bytes = b"application/json") -> None:
        """Answer the request under way, in one segment; then the next one that came meanwhile is asked."""
        self._write(
            b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s"
            % (status, _REASONS.get(status, b"-"), content_type, len(body), headers, body)
        )
        if self._pending:
            self._api.asked(self, self._pending.popleft())
        else:
            self._waiting = False

    def _write(self, data: bytes) -> None:
        """Send, but hold back what a client that already asks for the next event need not be woken for."""
        if self._transport is None or self._closed:
            return
        data = self._held + data
        if self._reading:
            self._held = data
            return
        self._held = b""
        self._transport.write(data)

    def flow(self, open_: bool) -> None:
        """Read on, or let the client wait."""
        self._stopped = not open_
        self._flow()

    def pause_writing(self) -> None:
        """The client asks and does not listen: it is not read from until it does."""
        self._choked = True
        self._flow()

    def resume_writing(self) -> None:
        """It listens again."""
        self._choked = False
        self._flow()

    def _flow(self) -> None:
        if self._transport is None or self._closed or self._transport.is_closing():
            return
        if self._stopped or self._choked:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def accept(self) -> None:
        """Answer 202."""
        self.answer(202, _ACCEPTED)

    def refuse(self, status: int, kind: str, message: str) -> None:
        """Answer with an error document."""
        self.answer(status, b'{"errorMessage":"%s","errorType":"%s"}' % (message.encode(), kind.encode()))

    def close(self) -> None:
        """Hang up."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()


class Listener:
    """The listening socket of one environment."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._connections: list[Connection] = []
        self._closed = False
        self.address = ""

    async def open(self, api: RuntimeApi, guard: Guard | None = None) -> None:
        """Listen on a free port of the loopback address, and hang up on whom `guard` does not admit."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{listening.getsockname()[1]}"
        await self.listen_on(listening, api, guard)

    async def listen_on(self, listening: socket.socket, api: RuntimeApi, guard: Guard | None = None) -> None:
        """Answer on a socket that is bound already, perhaps in a network that is the environment's own."""

        def connect() -> Connection:
            connection = Connection(api, guard)
            self._connections = [c for c in self._connections if not c.closed]
            self._connections.append(connection)
            return connection

        server = await asyncio.get_running_loop().create_server(connect, sock=listening, backlog=16)
        if self._closed:  # meanwhile
            server.close()
        else:
            self._server = server

    def close(self) -> None:
        """Stop listening and hang up, for good."""
        self._closed = True
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.close()
        self._connections.clear()


def event_headers(event: Event, deadline: int) -> bytes:
    """The headers of the answer to `next`; `deadline` in milliseconds since the epoch."""
    text = (
        f"Lambda-Runtime-Aws-Request-Id: {event.request_id}\r\n"
        f"Lambda-Runtime-Deadline-Ms: {deadline}\r\n"
        f"Lambda-Runtime-Invoked-Function-Arn: {event.function_arn}\r\n"
    )
    if event.trace:
        text += f"Lambda-Runtime-Trace-Id: {event.trace}\r\n"
    if event.client_context is not None:
        text += f"Lambda-Runtime-Client-Context: {_one_line(event.client_context)}\r\n"
    if event.cognito_identity is not None:
        text += f"Lambda-Runtime-Cognito-Identity: {_one_line(event.cognito_identity)}\r\n"
    return text.encode()


def _one_line(text: str) -> str:
    """A header's value: a line end in it would begin another header."""
    return text.replace("\r", " ").replace("\n", " ")
