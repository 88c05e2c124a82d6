"""The HTTP server over real sockets: framing, order, bodies that come as they go, clients that go away."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from fogbank.core.http import HttpRequest, HttpResponse

Serving = Callable[..., AbstractAsyncContextManager[Any]]

GET = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n"


async def test_a_request_is_answered_and_the_connection_kept(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        for body in (b"one", b"", b"three"):
            request = b"POST /a/b?c=d HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
            assert await client.exchange(request) == (200, b"POST /a/b?c=d " + body)


async def test_head_and_body_leave_in_one_segment(serving: Serving) -> None:
    """Two segments would meet delayed acknowledgement: 44 ms instead of 0.7, as measured with the RIC."""
    async with serving() as rig:
        client = await rig.connect()
        client.send(GET)
        data = await client.reader.read(65536)
        assert data.startswith(b"HTTP/1.1 200 OK\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\ncontent-length: ")
        assert data.endswith(b"\r\n\r\nGET /x? ")


async def test_a_request_may_come_byte_by_byte(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        for byte in b"POST /p HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc":
            client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert await client.answer() == (200, b"POST /p? abc")


async def test_pipelined_requests_are_answered_in_order(serving: Serving) -> None:
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


async def test_chunked_bodies_are_joined(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        assert await client.exchange(head + b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nx-trailer: 1\r\n\r\n") == (
            200,
            b"POST /? abcdefg",
        )


async def test_expect_continue_is_answered_before_the_body_comes(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert await client.exchange(b"ok") == (200, b"PUT /? ok")


async def test_expect_continue_waits_for_its_turn(serving: Serving) -> None:
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


async def test_an_unknown_expectation_is_refused(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nexpect: tea\r\n\r\n")
        assert (await client.answer())[0] == 417


async def test_head_gets_the_length_without_the_body(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
        status, headers = await client.head()
        assert (status, headers["content-length"]) == (200, "8")
        assert (await client.exchange(GET))[0] == 200


async def test_a_handler_may_say_the_length_for_head_only(serving: Serving) -> None:
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
async def test_some_statuses_have_no_body(serving: Serving, status: int) -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(status, (), b"" if status == 204 else b"never sent")

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(GET + GET)
        assert (await client.head())[0] == status
        assert (await client.head())[0] == status


async def test_http_1_0_closes_unless_asked_to_keep(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.answer())[0] == 200
        assert await client.ended()
        client = await rig.connect()
        client.send(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        _, headers = await client.head()
        assert headers["connection"] == "keep-alive"


async def test_connection_close_is_honoured(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        _, headers = await client.head()
        assert headers["connection"] == "close"
        assert (await client.reader.read()).endswith(b"GET /? ")


async def test_absolute_targets_are_understood(serving: Serving) -> None:
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


async def test_repeated_headers_are_joined(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\nX-Test: 1\r\nx-test: 2\r\n\r\n")
        _, headers = await client.head()
        assert headers["x-seen"] == "1,2"


async def test_line_breaks_in_header_values_cannot_forge_headers(serving: Serving) -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (("x-a", "1\r\nx-forged: 2\n"),))

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(GET)
        _, headers = await client.head()
        assert headers["x-a"] == "1  x-forged: 2 "
        assert "x-forged" not in headers


async def test_an_upgrade_is_not_made(serving: Serving) -> None:
    """The request is answered as it is, and the connection ends, as what follows may be another protocol."""
    async with serving() as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n")
        assert (await client.answer())[0] == 200
        assert await client.ended()


async def test_a_failing_handler_is_answered_and_the_server_lives_on(
    serving: Serving, caplog: pytest.LogCaptureFixture
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


async def test_iterated_bodies_are_sent_in_chunks(serving: Serving) -> None:
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


async def test_iterated_bodies_of_known_length_are_sent_as_they_are(serving: Serving) -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (("content-length", "6"),), pieces(b"abc", b"def"))

    async with serving(handler) as rig:
        client = await rig.connect()
        assert await client.exchange(GET) == (200, b"abcdef")
        assert await client.exchange(GET) == (200, b"abcdef")


async def test_iterated_bodies_to_old_clients_end_with_the_connection(serving: Serving) -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=pieces(b"abc", b"def"))

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        await client.head()
        assert await client.reader.read() == b"abcdef"


async def test_a_body_that_fails_does_not_look_complete(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ValueError("torn")

    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=failing())

    async with serving(handler) as rig:
        client = await rig.connect()
        client.send(GET)
        data = b""
        with contextlib.suppress(ConnectionError):
            data = await client.reader.read()
        assert b"0\r\n\r\n" not in data
    assert "torn" in caplog.text


async def test_a_slow_reader_slows_the_body_down(serving: Serving) -> None:
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


async def test_a_body_is_closed_when_its_reader_goes_away(serving: Serving) -> None:
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


async def test_a_handler_is_cancelled_when_its_client_goes_away(serving: Serving) -> None:
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


async def test_a_client_that_closes_its_side_still_gets_a_prompt_answer(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(GET)
        client.writer.write_eof()
        assert await client.answer() == (200, b"GET /x? ")
        assert await client.ended()
