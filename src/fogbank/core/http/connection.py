"""One connection: bytes in, requests to the handler one after the other, answers out in order.

    receiving ──message complete──▶ queued ──turn──▶ handled ──▶ answered ─┬─▶ receiving (kept alive)
        │                                                                  └─▶ closed
        └──malformed, too large, too slow──▶ refused ──▶ lingering ──▶ closed

A refusal takes its turn behind the requests that came before it. Lingering reads and drops what the client is
still sending: closing at once would reset the connection and could destroy the refusal on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from fogbank.core.http.message import CutError, HttpRequest, HttpResponse, carries_body, has_length, head_of

if TYPE_CHECKING:
    from fogbank.core.http.server import HttpServer

_log = logging.getLogger("fogbank.http")

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ONE_WRITE = 64 * 1024
"""Bodies up to this many bytes are copied behind their head, to leave in one segment."""
_NAMES_KEPT = 1024

_names: dict[bytes, str] = {}


def _header_name(raw: bytes) -> str:
    """A header's name as lower-case text; the usual ones are decoded once."""
    name = raw.decode("latin-1").lower()
    if len(_names) < _NAMES_KEPT:
        _names[raw] = name
    return name


class Connection(asyncio.Protocol):
    """The protocol object of one connection; its task runs the handler."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server
        self._limits = server.limits
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._client = ""
        # What is being received.
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._head_size = 0
        self._body_size = 0
        self._held = 0
        self._in_head = False
        self._receiving = False
        self._begun = 0
        self._began = 0.0
        self._continue_owed = False
        # What waits for its turn, and what is being answered.
        self._queue: deque[HttpRequest | HttpResponse] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._busy = False
        self._refused = False
        self._lingering = False
        self._closing = False
        self._reading = True
        self._quiet_since = server.now

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._server.admit(self):
            self._closing = True
            self._transport.abort()
            return
        peer = transport.get_extra_info("peername")
        self._client = peer[0] if isinstance(peer, tuple) else ""
        self._task = self._server.spawn(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        self._closing = True
        self._server.discharge(self)
        if self._task is not None:
            self._task.cancel()
        self._body.clear()
        self._release(self._held)

    def pause_writing(self) -> None:
        if self._drained is None:
            self._drained = asyncio.get_running_loop().create_future()
            self._quiet_since = self._server.now

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def eof_received(self) -> bool:
        """The client sends no more. Half a request is dropped.

        Whole ones are answered, but not for long: nearly always it has gone away, and a client that has gone
        must not be handed messages by its long poll.
        """
        self._receiving = False
        self._closing = True
        self._wake()
        if not self._busy and not self._queue:
            return False
        asyncio.get_running_loop().call_later(self._limits.half_closed, self.abort)
        return True

    def data_received(self, data: bytes) -> None:
        if self._refused or self._closing:
            return
        if self._in_head:
            self._head_size += len(data)
        fresh = not self._receiving
        self._begun = 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end_after_last()
        except httptools.HttpParserError as error:
            self._refuse(400, f"the request is not well-formed HTTP/1.1: {error}")
        if self._in_head:
            if fresh and self._begun == 1:
                self._head_size = len(data)  # nothing came but the beginning of this head
            if self._head_size > self._limits.max_head:
                self._refuse_head()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = {}
        self._body = []
        self._head_size = self._body_size = 0
        self._in_head = self._receiving = True
        self._begun += 1
        self._began = self._server.now

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = _names.get(name) or _header_name(name)
        self._head_size += len(name) + len(value) + 4
        headers = self._headers
        text = value.decode("latin-1")
        if key in headers:
            text = f"{headers[key]},{text}"
        headers[key] = text

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_size + len(self._url) > self._limits.max_head:
            self._refuse_head()
            return
        length = self._headers.get("content-length")
        if length is not None and length.isdigit() and int(length) > self._limits.max_body:
            self._refuse_body()
        elif "expect" in self._headers:
            self._expect()

    def on_body(self, piece: bytes) -> None:
        if self._refused:
            return
        self._body_size += len(piece)
        if self._body_size > self._limits.max_body:
            self._refuse_body()
            return
        self._held += len(piece)
        self._server.held += len(piece)
        if self._server.held > self._limits.max_held:
            self._refuse(503, "the server holds as many requests as it can; try again")
            return
        self._body.append(piece)

    def on_message_complete(self) -> None:
        self._receiving = self._in_head = False
        if self._refused:
            return
        body = self._body
        path, query = _split_target(self._url.decode("latin-1"))
        parser = self._parser
        request = HttpRequest(
            parser.get_method().decode("latin-1"),
            path,
            query,
            self._headers,
            body[0] if len(body) == 1 else b"".join(body),
            self._client,
            parser.should_keep_alive(),
            parser.get_http_version(),
        )
        self._body = []
        self._queue.append(request)
        self._wake()
        if len(self._queue) >= self._limits.max_pipelined and self._reading and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    def _release(self, size: int) -> None:
        """Bytes of a body are no longer held."""
        self._held -= size
        self._server.held -= size

    # Refusing.

    def _expect(self) -> None:
        if self._headers["expect"].lower() != "100-continue":
            self._refuse(417, "the only expectation that can be met is 100-continue")
        elif self._busy or self._queue:
            self._continue_owed = True
        elif self._transport is not None:
            self._transport.write(_CONTINUE)

    def _refuse_head(self) -> None:
        self._refuse(431, f"the request line and headers may have {self._limits.max_head} bytes in all")

    def _refuse_body(self) -> None:
        most = self._limits.max_body
        worded = self._server.too_large(self._headers, most) if self._server.too_large is not None else None
        self._refuse(413, f"the body may have {most} bytes", worded)

    def _refuse(self, status: int, why: str, worded: HttpResponse | None = None) -> None:
        """Answer with an error when the requests before it are answered, read no more, and close."""
        if self._refused:
            return
        self._refused = True
        self._receiving = self._in_head = False
        self._body.clear()
        if worded is None:
            headers = (("content-type", "text/plain; charset=utf-8"),)
            worded = HttpResponse(status, headers, f"{why}\n".encode())
        worded.close = True
        self._queue.append(worded)
        self._wake()

    def _end_after_last(self) -> None:
        """An upgrade was asked for; there is none, so the request is answered and the connection ends."""
        self._refused = True
        if self._queue and isinstance(self._queue[-1], HttpRequest):
            self._queue[-1].keep_alive = False
        else:
            self._finish_soon()

    # The server's side.

    def finish(self) -> None:
        """The server stops: answer what was accepted, then close; close now if there is nothing."""
        self._finish_soon()

    def _finish_soon(self) -> None:
        if self._busy or self._queue or self._receiving:
            self._server.mark_last(self)
            return
        self._close()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def sweep(self, now: float) -> None:
        """Look whether the client takes too long; called from time to time."""
        limits = self._limits
        if self._lingering:
            if now - self._quiet_since > limits.linger:
                self.abort()
        elif self._drained is not None:
            if now - self._quiet_since > limits.request_timeout:
                self.abort()
        elif self._receiving:
            allowed = limits.request_timeout + self._body_size / limits.min_rate
            if now - self._began > allowed:
                self._refuse(408, f"the request was not complete after {allowed:.0f} seconds")
        elif not self._busy and not self._queue and now - self._quiet_since > limits.idle_timeout:
            self._close()

    # The task's side.

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        queue = self._queue
        while True:
            if not queue:
                if self._closing or (self._server.is_last(self) and not self._receiving):
                    break
                self._quiet_since = self._server.now
                self._waiter = loop.create_future()
                await self._waiter
                self._waiter = None
                continue
            item = queue.popleft()
            self._busy = True
            keep = await self._answer(item)
            self._busy = False
            if not keep:
                break
            if not queue:
                self._catch_up()
        self._close()

    def _catch_up(self) -> None:
        """All that came is answered: read on, and tell a waiting client to send its body."""
        transport = self._transport
        if transport is None or self._closing:
            return
        if not self._reading:
            self._reading = True
            transport.resume_reading()
        if self._continue_owed:
            self._continue_owed = False
            transport.write(_CONTINUE)

    async def _answer(self, item: HttpRequest | HttpResponse) -> bool:
        """Have one request handled and write its answer; whether the connection may be kept."""
        if isinstance(item, HttpResponse):
            await self._write(item, _REFUSED, keep=False)
            return False
        try:
            response = await self._server.handler(item)
        except Exception:  # noqa: BLE001 - the request's supervisor
            _log.exception("%s %s: the handler failed", item.method, item.path)
            response = HttpResponse(500, (("content-type", "text/plain"),), b"internal error\n")
        self._release(min(len(item.body), self._held))
        last = not self._queue and not self._receiving and self._server.is_last(self)
        keep = item.keep_alive and not response.close and not last
        return await self._write(response, item, keep=keep)

    async def _write(self, response: HttpResponse, request: HttpRequest, *, keep: bool) -> bool:
        transport = self._transport
        if transport is None:
            return False
        body = response.body
        if not isinstance(body, bytes):
            return await self._stream(response, request, keep=keep)
        # An answer to HEAD says the length that GET would have; the handler may know it without the body.
        own = request.method == "HEAD" and has_length(response)
        framing = "" if own or response.status in _NO_LENGTH else f"content-length: {len(body)}\r\n"
        framing += _connection(request, keep=keep)
        head = head_of(response, framing, self._server.date(), length=own)
        if not body or not carries_body(response.status, request.method):
            transport.write(head)
        elif len(body) <= _ONE_WRITE:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        if self._drained is not None:
            await self._drained
        return keep

    async def _stream(self, response: HttpResponse, request: HttpRequest, *, keep: bool) -> bool:
        """Write a body as it comes. An error in it cuts the connection, so as not to pass for the end."""
        transport, body = self._transport, response.body
        assert transport is not None
        assert not isinstance(body, bytes)
        sized = has_length(response)
        chunked = not sized and request.version == "1.1"
        keep = keep and (sized or chunked)
        framing = "transfer-encoding: chunked\r\n" if chunked else ""
        framing += _connection(request, keep=keep)
        transport.write(head_of(response, framing, self._server.date(), length=sized))
        try:
            if carries_body(response.status, request.method):
                async for piece in body:
                    if piece:
                        transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                    if self._drained is not None:
                        await self._drained
                if chunked:
                    transport.write(b"0\r\n\r\n")
        except CutError:
            transport.close()  # what was written still goes out
            self._closing = True
            return False
        except Exception:  # noqa: BLE001 - the request's supervisor
            _log.exception("%s %s: the body failed while it was sent", request.method, request.path)
            self.abort()
            return False
        finally:
            close = getattr(body, "aclose", None)
            if close is not None:
                with contextlib.suppress(RuntimeError):  # it may be running still, if it was cancelled
                    await close()
        return keep

    def _close(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or self._lingering:
            return
        if self._refused and not self._closing and transport.can_write_eof():
            self._lingering = True
            self._quiet_since = self._server.now
            transport.write_eof()
            return
        self._closing = True
        transport.close()


_REFUSED = HttpRequest("", "")
_NO_LENGTH = frozenset({*range(100, 200), 204})


def _connection(request: HttpRequest, *, keep: bool) -> str:
    if not keep:
        return "connection: close\r\n"
    return "connection: keep-alive\r\n" if request.version == "1.0" else ""


def _split_target(target: str) -> tuple[str, str]:
    """Path and query of a request target; of an absolute one (`http://host/path`) too."""
    if not target.startswith("/"):
        scheme, found, rest = target.partition("://")
        if found and scheme.lower() in {"http", "https"}:
            slash = rest.find("/")
            mark = rest.find("?")
            if slash < 0 or 0 <= mark < slash:
                target = "/" + (rest[mark:] if mark >= 0 else "")
            else:
                target = rest[slash:]
    target = target.partition("#")[0]
    path, _, query = target.partition("?")
    return path, query
