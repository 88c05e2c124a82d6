"""The HTTP server over real sockets: framing, order, limits, faults, stopping. Time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fogbank.core.clock import VirtualClock
from fogbank.core.http import HttpLimits, HttpRequest, HttpResponse, HttpServer

if TYPE_CHECKING:
    from pathlib import Path

Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]

GET = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n"


async def echo(request: HttpRequest) -> HttpResponse:
    """Answers with what it understood: `POST /path?query body`."""
    text = f"{request.method} {request.path}?{request.query} ".encode() + request.body
    return HttpResponse(200, (("x-seen", request.headers.get("x-test", "")),), text)


class Client:
    """A raw connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split(" ")[1]), headers

    async def answer(self) -> tuple[int, bytes]:
        status, headers = await self.head()
        return status, await self.reader.readexactly(int(headers.get("content-length", "0")))

    async def exchange(self, data: bytes) -> tuple[int, bytes]:
        self.send(data)
        return await self.answer()

    async def ended(self) -> bool:
        """Whether the server closes the connection; waits for it."""
        return await self.reader.read() == b""

    def close(self) -> None:
        self.writer.close()


class Rig:
    """A server on loopback, and connections to it."""

    def __init__(self, server: HttpServer, clock: VirtualClock, port: int) -> None:
        self.server = server
        self.clock = clock
        self.port = port
        self.clients: list[Client] = []

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(client)
        return client


@asynccontextmanager
async def serving(handler: Handler = echo, limits: HttpLimits | None = None) -> AsyncIterator[Rig]:
    clock = VirtualClock()
    server = HttpServer(handler, clock, limits or HttpLimits(stop_timeout=5, half_closed=0.05))
    await server.start()
    rig = Rig(server, clock, await server.listen("127.0.0.1", 0))
    try:
        yield rig
    finally:
        for client in rig.clients:
            client.close()
        await server.stop()


async def test_a_request_is_answered_and_the_connection_kept() -> None:
    async with serving() as rig:
        client = await rig.connect()
        for body in (b"one", b"", b"three"):
            request = b"POST /a/b?c=d HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
            assert await client.exchange(request) == (200, b"POST /a/b?c=d " + body)


async def test_head_and_body_leave_in_one_segment() -> None:
    """Two segments would meet delayed acknowledgement: 44 ms instead of 0.7, as measured with the RIC."""
    async with serving() as rig:
        client = await rig.connect()
        client.send(GET)
        data = await client.reader.read(65536)
        assert data.startswith(b"HTTP/1.1 200 OK\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\ncontent-length: ")
        assert data.endswith(b"\r\n\r\nGET /x? ")


async def test_a_request_may_come_byte_by_byte() -> None:
    async with serving() as rig:
        client = await rig.connect()
        for byte in b"POST /p HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc":
            client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert await client.answer() == (200, b"POST /p? abc")


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Also when the first takes longest, and when there are more than may wait."""
    gates = [asyncio.Event() for _ in range(100)]

    async def handler(request: HttpRequest) -> HttpResponse:
        number = int(request.path[1:])
        if number == 0:
            await gates[0].wait()
        return HttpResponse(body=str(number).encode())

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % n for n in range(100)))
        gates[0].set()
        assert [await client.answer() for _ in range(100)] == [(200, str(n).encode()) for n in range(100)]


async def test_chunked_bodies_are_joined() -> None:
    async with serving() as rig:
        client = await rig.connect()
        head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        assert await client.exchange(head + b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nx-trailer: 1\r\n\r\n") == (
            200,
            b"POST /? abcdefg",
        )


async def test_expect_continue_is_answered_before_the_body_comes() -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert await client.exchange(b"ok") == (200, b"PUT /? ok")


async def test_expect_continue_waits_for_its_turn() -> None:
    """`100 Continue` must not stand before the answer of the request ahead of it."""
    gate = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.method == "GET":
            await gate.wait()
        return HttpResponse(body=request.method.encode())

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(GET + b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        await asyncio.sleep(0)
        gate.set()
        assert await client.answer() == (200, b"GET")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        assert await client.exchange(b"ok") == (200, b"PUT")


async def test_an_unknown_expectation_is_refused() -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: tea\r\n\r\n")
        assert (await client.answer())[0] == 417


async def test_head_gets_the_length_without_the_body() -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
        status, headers = await client.head()
        assert (status, headers["content-length"]) == (200, "8")
        assert (await client.exchange(GET))[0] == 200


async def test_a_handler_may_say_the_length_for_head_only() -> None:
    """Bytes are framed by what they are, whatever the handler says."""

    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (("Content-Length", "999"),), b"abc")

    async with serving(handler) as rig:
        client = await rig.connect()
        assert await client.exchange(GET) == (200, b"abc")
        client.send(b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
        _, headers = await client.head()
        assert headers["Content-Length"] == "999"
        assert await client.exchange(GET) == (200, b"abc")


@pytest.mark.parametrize("status", [204, 304])
async def test_some_statuses_have_no_body(status: int) -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(status, (), b"" if status == 204 else b"never sent")

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(GET + GET)
        assert (await client.head())[0] == status
        assert (await client.head())[0] == status


async def test_http_1_0_closes_unless_asked_to_keep() -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.answer())[0] == 200
        assert await client.ended()
        client = await rig.connect()
        client.send(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        _, headers = await client.head()
        assert headers["connection"] == "keep-alive"


async def test_connection_close_is_honoured() -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        _, headers = await client.head()
        assert headers["connection"] == "close"
        assert (await client.reader.read()).endswith(b"GET /? ")


async def test_absolute_targets_are_understood() -> None:
    async with serving() as rig:
        client = await rig.connect()
        for target, seen in (
            (b"http://h/p?q=1", b"/p?q=1"),
            (b"HTTPS://h", b"/?"),
            (b"http://h?q", b"/?q"),
            (b"/p?a?b", b"/p?a?b"),
        ):
            answer = await client.exchange(b"GET %b HTTP/1.1\r\nhost: a\r\n\r\n" % target)
            assert answer == (200, b"GET " + seen + b" ")


async def test_repeated_headers_are_joined() -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\nX-Test: 1\r\nx-test: 2\r\n\r\n")
        _, headers = await client.head()
        assert headers["x-seen"] == "1,2"


async def test_line_breaks_in_header_values_cannot_forge_headers() -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (("x-a", "1\r\nx-forged: 2\n"),))

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(GET)
        _, headers = await client.head()
        assert headers["x-a"] == "1  x-forged: 2 "
        assert "x-forged" not in headers


async def test_an_upgrade_is_not_made() -> None:
    """The request is answered as it is, and the connection ends, as what follows may be another protocol."""
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n")
        assert (await client.answer())[0] == 200
        assert await client.ended()


async def test_a_failing_handler_is_answered_and_the_server_lives_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(request: HttpRequest) -> HttpResponse:
        if request.path == "/x":
            raise ValueError("boom")
        return HttpResponse()

    async with serving(handler) as rig:
        client = await rig.connect()
        assert (await client.exchange(GET))[0] == 500
        assert (await client.exchange(GET.replace(b"/x", b"/y")))[0] == 200
    assert "boom" in caplog.text


# Bodies that come as they go


def pieces(*parts: bytes, closed: list[bool] | None = None) -> AsyncIterator[bytes]:
    async def run() -> AsyncIterator[bytes]:
        try:
            for part in parts:
                yield part
        finally:
            if closed is not None:
                closed.append(True)

    return run()


async def test_iterated_bodies_are_sent_in_chunks() -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=pieces(b"abc", b"", b"x" * 20))

    async with serving(handler) as rig:
        client = await rig.connect()
        for _ in range(2):
            client.send(GET)
            _, headers = await client.head()
            assert headers["transfer-encoding"] == "chunked"
            expected = b"3\r\nabc\r\n14\r\n" + b"x" * 20 + b"\r\n0\r\n\r\n"
            assert await client.reader.readexactly(len(expected)) == expected


async def test_iterated_bodies_of_known_length_are_sent_as_they_are() -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (("content-length", "6"),), pieces(b"abc", b"def"))

    async with serving(handler) as rig:
        client = await rig.connect()
        assert await client.exchange(GET) == (200, b"abcdef")
        assert await client.exchange(GET) == (200, b"abcdef")


async def test_iterated_bodies_to_old_clients_end_with_the_connection() -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=pieces(b"abc", b"def"))

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        await client.head()
        assert await client.reader.read() == b"abcdef"


async def test_a_body_that_fails_does_not_look_complete(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ValueError("torn")

    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=failing())

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(GET)
        data = b""
        with suppress(ConnectionError):
            data = await client.reader.read()
        assert b"0\r\n\r\n" not in data
    assert "torn" in caplog.text


async def test_a_slow_reader_slows_the_body_down() -> None:
    """Pieces are not made faster than the client takes them."""
    made = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"x" * 65536

    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=endless())

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(GET)
        await client.head()
        before = -1
        while made != before:
            before = made
            await rig.clock.settle(200)
        assert made < 1000
        await client.reader.readexactly(10_000_000)
        await rig.clock.settle()
        assert made > before


async def test_a_body_is_closed_when_its_reader_goes_away() -> None:
    closed: list[bool] = []
    done = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                await asyncio.sleep(0)
        finally:
            closed.append(True)
            done.set()

    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=endless())

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(GET)
        await client.head()
        client.writer.transport.abort()
        await done.wait()
        assert closed == [True]


async def test_a_handler_is_cancelled_when_its_client_goes_away() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(_: HttpRequest) -> HttpResponse:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return HttpResponse()

    async with serving(handler) as rig:
        for abort in (True, False):
            started.clear()
            cancelled.clear()
            client = await rig.connect()
            client.send(GET)
            await started.wait()
            if abort:
                client.writer.transport.abort()
            else:
                client.writer.write_eof()  # half-closed: given a moment, then taken for gone
            await cancelled.wait()
        await rig.clock.settle()
        assert rig.server.connections == 0


async def test_a_client_that_closes_its_side_still_gets_a_prompt_answer() -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(GET)
        client.writer.write_eof()
        assert await client.answer() == (200, b"GET /x? ")
        assert await client.ended()


# What is refused


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\na\x00b: c\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_malformed_requests_are_refused(data: bytes) -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(data)
        status, headers = await client.head()
        assert (status, headers["connection"]) == (400, "close")
        await client.reader.readexactly(int(headers["content-length"]))
        client.close()
        other = await rig.connect()
        assert (await other.exchange(GET))[0] == 200


async def test_a_refusal_waits_for_the_answers_before_it() -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(GET + GET + b"rubbish\r\n\r\n")
        assert [(await client.answer())[0] for _ in range(3)] == [200, 200, 400]


async def test_a_truncated_request_is_dropped() -> None:
    seen: list[str] = []

    async def handler(request: HttpRequest) -> HttpResponse:
        seen.append(request.path)
        return HttpResponse()

    async with serving(handler) as rig:
        for data in (GET[:10], b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc"):
            client = await rig.connect()
            client.send(data)
            client.writer.write_eof()
            assert await client.ended()
        assert seen == []


LIMITS = HttpLimits(max_head=1000, max_body=1000, request_timeout=8, linger=4, max_connections=3, stop_timeout=5)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"x" * 1000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 1000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"x%d: y\r\n" % n for n in range(1000)) + b"\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 2000,
        b"GET / HTTP/1.1\r\n" + b"a" * 2000,
    ],
)
async def test_heads_that_are_too_large_are_refused(data: bytes) -> None:
    async with serving(echo, LIMITS) as rig:
        client = await rig.connect()
        assert (await client.exchange(data))[0] == 431


async def test_a_head_that_never_ends_is_refused() -> None:
    async with serving(echo, LIMITS) as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\nx: ")
        for _ in range(100):
            client.send(b"y" * 50)
            await asyncio.sleep(0)
        assert (await client.answer())[0] == 431


@pytest.mark.parametrize(
    "data",
    [
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\nexpect: 100-continue\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
    ],
)
async def test_bodies_that_are_too_large_are_refused(data: bytes) -> None:
    """By their announced length, before they come, or as soon as they are too long."""
    async with serving(echo, LIMITS) as rig:
        client = await rig.connect()
        assert (await client.exchange(data))[0] == 413


async def test_bodies_are_bounded_over_all_connections() -> None:
    """What is held is given back when it is answered, refused, or its client goes away."""
    gate = asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.body:
            await gate.wait()
        return HttpResponse(body=str(len(request.body)).encode())

    post = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 600\r\n\r\n" + b"x" * 600
    async with serving(handler, HttpLimits(max_held=1000, stop_timeout=5)) as rig:
        first, second, third = [await rig.connect() for _ in range(3)]
        first.send(post)
        await rig.clock.settle()
        assert (await second.exchange(post))[0] == 503
        assert (await third.exchange(GET))[0] == 200
        second.close()
        gate.set()
        assert await first.answer() == (200, b"600")
        await rig.clock.settle()
        assert rig.server.held == 0
        third.send(post[:300])
        await rig.clock.settle()
        assert rig.server.held > 0
        third.writer.transport.abort()
        await rig.clock.settle()
        assert rig.server.held == 0


async def test_a_client_that_sends_on_after_a_refusal_still_gets_it() -> None:
    async with serving(echo, LIMITS) as rig:
        client = await rig.connect()
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5000000\r\n\r\n")
        for _ in range(50):
            client.send(b"x" * 100_000)
            await asyncio.sleep(0)
        assert (await client.answer())[0] == 413


async def test_a_lingering_connection_is_cut_in_the_end() -> None:
    async with serving(echo, LIMITS) as rig:
        client = await rig.connect()
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5000000\r\n\r\n")
        assert (await client.answer())[0] == 413
        assert rig.server.connections == 1
        await rig.clock.advance(LIMITS.linger * 2)
        assert rig.server.connections == 0


async def test_slow_requests_are_refused() -> None:
    """A head or a body that trickles in, however regularly, ends with 408."""
    async with serving(echo, LIMITS) as rig:
        for start in (
            b"GET / HTTP/1.1\r\nx: ",
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\nx",
        ):
            client = await rig.connect()
            client.send(start)
            for _ in range(10):
                await rig.clock.advance(1)
                client.send(b"x")
            status, headers = await client.head()
            assert (status, headers["connection"]) == (408, "close")
            client.close()


async def test_idle_connections_are_closed_at_last() -> None:
    limits = HttpLimits(request_timeout=8, idle_timeout=100, stop_timeout=5)
    async with serving(echo, limits) as rig:
        client = await rig.connect()
        assert (await client.exchange(GET))[0] == 200
        await rig.clock.advance(90)
        assert (await client.exchange(GET))[0] == 200
        await rig.clock.advance(110)
        assert await client.ended()


async def test_a_long_poll_is_neither_slow_nor_idle() -> None:
    gate = asyncio.Event()

    async def handler(_: HttpRequest) -> HttpResponse:
        await gate.wait()
        return HttpResponse(body=b"at last")

    async with serving(handler, HttpLimits(request_timeout=8, idle_timeout=10, stop_timeout=5)) as rig:
        client = await rig.connect()
        client.send(GET)
        await rig.clock.settle()
        await rig.clock.advance(900)
        gate.set()
        assert await client.answer() == (200, b"at last")


async def test_a_client_that_does_not_read_is_cut() -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=b"x" * 20_000_000)

    async with serving(handler, LIMITS) as rig:
        client = await rig.connect()
        client.send(GET)
        await client.head()
        await rig.clock.settle()
        await rig.clock.advance(LIMITS.request_timeout * 2)
        assert rig.server.connections == 0


async def test_connections_beyond_the_limit_are_closed() -> None:
    async with serving(echo, LIMITS) as rig:
        kept = [await rig.connect() for _ in range(3)]
        for client in kept:
            assert (await client.exchange(GET))[0] == 200
        fourth = await rig.connect()
        with suppress(ConnectionError):
            assert await fourth.reader.read() == b""
        kept[0].close()
        await rig.clock.settle()
        assert (await (await rig.connect()).exchange(GET))[0] == 200


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200)
    | st.tuples(st.just(GET + GET), st.integers(0, 53), st.binary(max_size=4)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :]
    )
)
def test_any_bytes_at_all_leave_the_server_alive(data: bytes) -> None:
    """Random bytes and mutated requests: whatever comes back is HTTP, and the next client is served."""

    async def run() -> None:
        async with serving() as rig:
            client = await rig.connect()
            client.send(data)
            client.writer.write_eof()
            answer = await client.reader.read()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
            other = await rig.connect()
            assert (await other.exchange(GET))[0] == 200

    asyncio.run(run())


# Stopping


async def test_a_stop_finishes_what_was_accepted() -> None:
    """Requests under way, waiting behind one, or half received are answered; idle connections are closed."""
    gate, started = asyncio.Event(), asyncio.Event()

    async def handler(request: HttpRequest) -> HttpResponse:
        if request.path == "/x":
            started.set()
            await gate.wait()
        return HttpResponse(body=request.path.encode())

    async with serving(handler) as rig:
        idle, busy, partial = [await rig.connect() for _ in range(3)]
        assert (await idle.exchange(GET.replace(b"/x", b"/y")))[0] == 200
        partial.send(b"GET /half HTTP/1.1\r\nhos")
        busy.send(GET + GET.replace(b"/x", b"/z"))
        await started.wait()
        stopping = asyncio.create_task(rig.server.stop())
        assert await idle.ended()
        with pytest.raises(OSError):
            await rig.connect()
        partial.send(b"t: a\r\n\r\n")
        status, headers = await partial.head()
        assert (status, headers["connection"]) == (200, "close")
        gate.set()
        assert await busy.answer() == (200, b"/x")
        status, headers = await busy.head()
        assert (status, headers["connection"]) == (200, "close")
        await stopping
        assert rig.server.connections == 0


async def test_a_stop_does_not_wait_for_ever() -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        await asyncio.Event().wait()
        return HttpResponse()

    async with serving(handler, HttpLimits(stop_timeout=0.05)) as rig:
        client = await rig.connect()
        client.send(GET)
        await rig.clock.settle()
        await rig.server.stop()
        assert rig.server.connections == 0


async def test_unix_sockets_serve_too(tmp_path: Path) -> None:
    async with serving() as rig:
        await rig.server.listen_unix(tmp_path / "s")
        client = Client(*await asyncio.open_unix_connection(str(tmp_path / "s")))
        assert await client.exchange(GET) == (200, b"GET /x? ")
        client.close()


async def test_starting_twice_is_a_defect() -> None:
    async with serving() as rig:
        with pytest.raises(RuntimeError):
            await rig.server.start()
