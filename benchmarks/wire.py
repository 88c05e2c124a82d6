"""A raw asyncio HTTP/1.1 client: prebuilt requests, keep-alive, no library between the clock and the socket.

It does over 8,000 requests a second itself, so that the server is what is measured.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import cast

PATIENCE = 20.0
"""Seconds after which a server that has not answered is given up."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://{self.host}:{self.port}"


class RequestError(Exception):
    """A server answered a request of a benchmark with an error: its figures would mean nothing."""


class Connection:
    """A connection, opened anew when the server has closed it (some do, after a while). One request at a time."""

    def __init__(self, endpoint: Endpoint, wire: _Wire) -> None:
        self._endpoint = endpoint
        self._wire = wire

    @classmethod
    async def open(cls, endpoint: Endpoint) -> Connection:
        """Connect."""
        return cls(endpoint, await _Wire.open(endpoint))

    async def request(self, request: bytes) -> tuple[int, bytes]:
        """Send prebuilt bytes; the status and body of the answer."""
        for _ in range(2):
            if self._wire.is_closed:
                self._wire = await _Wire.open(self._endpoint)
            answer = await asyncio.wait_for(self._wire.request(request), PATIENCE)
            if answer is not None:
                return answer
        raise ConnectionResetError("the server closed the connection twice without an answer")

    def close(self) -> None:
        """Hang up."""
        self._wire.close()


class _Wire(asyncio.Protocol):
    """One socket, from its opening to its end."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._is_last = False
        self._waiting: asyncio.Future[tuple[int, bytes] | None] | None = None

    @classmethod
    async def open(cls, endpoint: Endpoint) -> _Wire:
        _, wire = await asyncio.get_running_loop().create_connection(cls, endpoint.host, endpoint.port)
        return wire

    @property
    def is_closed(self) -> bool:
        """Whether it can take no further request."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answer = self._parse()
        if answer is not None and self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            if self._is_last:
                self.close()  # some say so and leave the closing to the client
            waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol gives it
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def request(self, request: bytes) -> tuple[int, bytes] | None:
        """Send; the answer, or `None` if the server closed without one."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _parse(self) -> tuple[int, bytes] | None:
        """The whole answer, if it is there: by Content-Length, or chunked."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._buffer[:end].lower()
        status = int(head[9:12])
        self._is_last = b"\r\nconnection: close" in head
        at = head.find(b"content-length:")
        if at >= 0:
            stop = head.find(b"\r\n", at)
            length = int(head[at + 15 : stop if stop > 0 else None])
            if len(self._buffer) < end + 4 + length:
                return None
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            return status, body
        if b"transfer-encoding: chunked" in head:
            return self._chunked(status, end + 4)
        self._buffer = self._buffer[end + 4 :]
        return status, b""

    def _chunked(self, status: int, at: int) -> tuple[int, bytes] | None:
        body = b""
        while True:
            line = self._buffer.find(b"\r\n", at)
            if line < 0:
                return None
            size = int(self._buffer[at:line], 16)
            if len(self._buffer) < line + 2 + size + 2:
                return None
            body += self._buffer[line + 2 : line + 2 + size]
            at = line + 2 + size + 2
            if size == 0:
                self._buffer = self._buffer[at:]
                return status, body


def json_request(endpoint: Endpoint, service: str, target: str, body: bytes, *, version: str = "1.0") -> bytes:
    """A request of the JSON protocol with the headers that boto3 sends."""
    return _request(
        endpoint,
        service,
        "POST",
        "/",
        body,
        f"Content-Type: application/x-amz-json-{version}\r\nX-Amz-Target: {target}\r\n",
    )


def rest_request(endpoint: Endpoint, service: str, method: str, path: str, body: bytes) -> bytes:
    """A request of the REST protocol."""
    return _request(endpoint, service, method, path, body, "Content-Type: application/json\r\n")


def _request(endpoint: Endpoint, service: str, method: str, path: str, body: bytes, headers: str) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {endpoint.host}:{endpoint.port}\r\n{headers}"
        "User-Agent: Boto3/1.40 md/Botocore#1.40\r\nAccept-Encoding: identity\r\nX-Amz-Date: 20260101T000000Z\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, "
        f"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={digest}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
