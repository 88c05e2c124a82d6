"""What the HTTP server refuses: malformed, too large, too slow, too many; and how it stops. Time is virtual."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fogbank.core.http import HttpLimits, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from pathlib import Path

Serving = Callable[..., AbstractAsyncContextManager[Any]]

GET = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n"


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
async def test_malformed_requests_are_refused(serving: Serving, data: bytes) -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(data)
        status, headers = await client.head()
        assert (status, headers["connection"]) == (400, "close")
        await client.reader.readexactly(int(headers["content-length"]))
        client.close()
        other = await rig.connect()
        assert (await other.exchange(GET))[0] == 200


async def test_a_refusal_waits_for_the_answers_before_it(serving: Serving) -> None:
    async with serving() as rig:
        client = await rig.connect()
        client.send(GET + GET + b"rubbish\r\n\r\n")
        assert [(await client.answer())[0] for _ in range(3)] == [200, 200, 400]


async def test_a_truncated_request_is_dropped(serving: Serving) -> None:
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
async def test_heads_that_are_too_large_are_refused(serving: Serving, data: bytes) -> None:
    async with serving(None, LIMITS) as rig:
        client = await rig.connect()
        assert (await client.exchange(data))[0] == 431


async def test_a_head_that_never_ends_is_refused(serving: Serving) -> None:
    async with serving(None, LIMITS) as rig:
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
async def test_bodies_that_are_too_large_are_refused(serving: Serving, data: bytes) -> None:
    """By their announced length, before they come, or as soon as they are too long."""
    async with serving(None, LIMITS) as rig:
        client = await rig.connect()
        assert (await client.exchange(data))[0] == 413


async def test_bodies_are_bounded_over_all_connections(serving: Serving) -> None:
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


async def test_a_client_that_sends_on_after_a_refusal_still_gets_it(serving: Serving) -> None:
    async with serving(None, LIMITS) as rig:
        client = await rig.connect()
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5000000\r\n\r\n")
        for _ in range(50):
            client.send(b"x" * 100_000)
            await asyncio.sleep(0)
        assert (await client.answer())[0] == 413


async def test_a_lingering_connection_is_cut_in_the_end(serving: Serving) -> None:
    async with serving(None, LIMITS) as rig:
        client = await rig.connect()
        client.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5000000\r\n\r\n")
        assert (await client.answer())[0] == 413
        assert rig.server.connections == 1
        await rig.clock.advance(LIMITS.linger * 2)
        assert rig.server.connections == 0


async def test_slow_requests_are_refused(serving: Serving) -> None:
    """A head or a body that trickles in, however regularly, ends with 408."""
    async with serving(None, LIMITS) as rig:
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


async def test_idle_connections_are_closed_at_last(serving: Serving) -> None:
    limits = HttpLimits(request_timeout=8, idle_timeout=100, stop_timeout=5)
    async with serving(None, limits) as rig:
        client = await rig.connect()
        assert (await client.exchange(GET))[0] == 200
        await rig.clock.advance(90)
        assert (await client.exchange(GET))[0] == 200
        await rig.clock.advance(110)
        assert await client.ended()


async def test_a_long_poll_is_neither_slow_nor_idle(serving: Serving) -> None:
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


async def test_a_client_that_does_not_read_is_cut(serving: Serving) -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        return HttpResponse(body=b"x" * 20_000_000)

    async with serving(handler, LIMITS) as rig:
        client = await rig.connect()
        client.send(GET)
        await client.head()
        await rig.clock.settle()
        await rig.clock.advance(LIMITS.request_timeout * 2)
        assert rig.server.connections == 0


async def test_connections_beyond_the_limit_are_closed(serving: Serving) -> None:
    async with serving(None, LIMITS) as rig:
        kept = [await rig.connect() for _ in range(3)]
        for client in kept:
            assert (await client.exchange(GET))[0] == 200
        fourth = await rig.connect()
        with contextlib.suppress(ConnectionError):
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
def test_any_bytes_at_all_leave_the_server_alive(serving: Serving, data: bytes) -> None:
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


async def test_a_stop_finishes_what_was_accepted(serving: Serving) -> None:
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


async def test_a_stop_does_not_wait_for_ever(serving: Serving) -> None:
    async def handler(_: HttpRequest) -> HttpResponse:
        await asyncio.Event().wait()
        return HttpResponse()

    async with serving(handler, HttpLimits(stop_timeout=0.05)) as rig:
        client = await rig.connect()
        client.send(GET)
        await rig.clock.settle()
        await rig.server.stop()
        assert rig.server.connections == 0


async def test_unix_sockets_serve_too(serving: Serving, tmp_path: Path) -> None:
    async with serving() as rig:
        await rig.server.listen_unix(tmp_path / "s")
        client = await rig.connect(tmp_path / "s")
        assert await client.exchange(GET) == (200, b"GET /x? ")


async def test_starting_twice_is_a_defect(serving: Serving) -> None:
    async with serving() as rig:
        with pytest.raises(RuntimeError):
            await rig.server.start()
