"""An HTTP/1.1 client for calls to the outside: API destinations, HTTP tasks, token endpoints.

A connection serves one request, redirects are answers like others, and nothing is sent in the clear but to this
machine: so credentials go nowhere but where they were meant to. Certificates are checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httptools

MAX_HEAD = 65_536
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


class HttpError(Exception):
    """No answer came: the name, the connection, the certificate, or the answer's form was not in order."""


class HttpTimeoutError(HttpError):
    """No answer came in time."""


class TooLargeError(HttpError):
    """The answer's body is over its bound."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An answer: header names as they came, and all of the body."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """A header's value, empty if it is not there."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def check_url(text: str, *, clear: bool = False) -> SplitResult:
    """The parts of a URL that may be called: `https`, or `http` on this machine. `ValueError` says what is wrong."""
    parts = urlsplit(text)
    host = parts.hostname
    if not host or parts.scheme not in {"https", "http"}:
        raise ValueError("it is not an HTTPS URL")
    if parts.username or parts.password:
        raise ValueError("it must not hold a user name or a password")
    if parts.scheme == "http" and host not in _LOCAL and not clear:
        raise ValueError("it must begin with https://")
    if any(character <= " " or character == "\x7f" for character in text):
        raise ValueError("it holds spaces or control characters")
    _ = parts.port  # ValueError if it is none
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_link_local:
            raise LinkLocalError
    return parts


class LinkLocalError(HttpError):
    """An address of the link, where machines keep their own metadata, is not called."""

    def __init__(self) -> None:
        super().__init__("link-local addresses are not called")


class _Reader:
    """Collects an answer from httptools' callbacks."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()
        self.reason = b""
        self.size = 0
        self.complete = False

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self.size += len(name) + len(value)
        if self.size > MAX_HEAD:
            raise TooLargeError("the answer's headers are too long")
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, chunk: bytes) -> None:
        self.body += chunk
        if len(self.body) > self.limit:
            raise TooLargeError(f"the answer is over {self.limit} bytes")

    def on_message_complete(self) -> None:
        self.complete = True


@cache
def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def send(
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    within: float,
    limit: int,
    clear: bool = False,
) -> HttpReply:
    """Make a request. `HttpError` if no answer comes within so many seconds, or it is over `limit` bytes.

    `clear`: whoever runs the server has named the URL, so plain HTTP may go to other machines as well.
    """
    try:
        parts = check_url(url, clear=clear)
    except ValueError as error:
        raise HttpError(str(error)) from None
    try:
        async with asyncio.timeout(within):
            return await _exchange(method, parts, headers, body, limit)
    except TimeoutError:
        raise HttpTimeoutError(f"no answer came within {within:g} seconds") from None
    except (OSError, httptools.HttpParserError, UnicodeError) as error:
        cause = error.__context__ if isinstance(error.__context__, HttpError) else None
        raise cause or HttpError(str(error) or type(error).__name__) from None


async def _exchange(
    method: str, parts: SplitResult, headers: Sequence[tuple[str, str]], body: bytes, limit: int
) -> HttpReply:
    secure = parts.scheme == "https"
    head = _head(method, parts, headers, body)
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(
        host, port, ssl=_context() if secure else None, server_hostname=host if secure else None
    )
    try:
        peer: Any = writer.get_extra_info("peername")
        if peer and ipaddress.ip_address(str(peer[0]).partition("%")[0]).is_link_local:
            raise LinkLocalError
        writer.write(head + body)
        await writer.drain()
        return await _answer(reader, method, limit)
    finally:
        writer.transport.abort()


def _head(method: str, parts: SplitResult, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    if body or method not in _NO_BODY:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise HttpError("a header holds a line break")
    return text.encode("utf-8") + b"\r\n\r\n"


async def _answer(reader: asyncio.StreamReader, method: str, limit: int) -> HttpReply:
    found = _Reader(limit)
    parser = httptools.HttpResponseParser(found)
    while not found.complete:
        data = await reader.read(65_536)
        if not data:
            break
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            break
        if method == "HEAD" and b"\r\n\r\n" in data:
            break
    status = parser.get_status_code()
    if not status:
        raise HttpError("the connection was closed without an answer")
    declared = next((value for name, value in found.headers if name.lower() == "content-length"), "")
    if method != "HEAD" and not found.complete and (declared and int(declared) != len(found.body)):
        raise HttpError("the connection was closed in the middle of the answer")
    return HttpReply(status, found.reason.decode("latin-1"), tuple(found.headers), bytes(found.body))
