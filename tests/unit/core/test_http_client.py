"""The HTTP client, against a socket of this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from fogbank.core.http.client import HttpError, HttpTimeoutError, TooLargeError, check_url, send

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: bytes, seen: list[bytes] | None = None) -> AsyncIterator[str]:
    """A server that reads a head, answers, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            head = await reader.readuntil(b"\r\n\r\n")
            if seen is not None:
                seen.append(head)
            if answer:
                writer.write(answer)
            else:
                await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        done.set_result(None)

    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/path?q=1"
        await done


async def test_a_request_and_its_answer() -> None:
    seen: list[bytes] = []
    async with serving(b"HTTP/1.1 201 Made\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok", seen) as url:
        reply = await send("POST", url, [("X-B", "c")], b"x", within=5, limit=10)
    assert (reply.status, reply.reason, reply.body, reply.header("x-a")) == (201, "Made", b"ok", "b")
    assert seen[0].startswith(b"POST /path?q=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"X-B: c\r\n" in seen[0]


async def test_bodies_in_chunks_and_until_the_end() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n") as url:
        assert (await send("GET", url, within=5, limit=10)).body == b"abc"
    async with serving(b"HTTP/1.1 200 OK\r\n\r\nabc") as url:
        assert (await send("GET", url, within=5, limit=10)).body == b"abc"


async def test_what_comes_is_bounded_in_time_and_size() -> None:
    async with serving(b"") as url:
        with pytest.raises(HttpTimeoutError):
            await send("GET", url, within=0.01, limit=10)
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b"x" * 11) as url:
        with pytest.raises(TooLargeError):
            await send("GET", url, within=5, limit=10)


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"])
async def test_answers_that_are_none(answer: bytes) -> None:
    async with serving(answer) as url:
        with pytest.raises(HttpError):
            await send("GET", url, within=5, limit=10)


async def test_a_header_cannot_forge_others() -> None:
    with pytest.raises(HttpError, match="line break"):
        await send("GET", "http://127.0.0.1:1/", [("X", "a\r\nY: b")], within=5, limit=10)


@pytest.mark.parametrize(
    "url",
    ["http://example.com", "ftp://localhost", "https://", "https://u:p@example.com", "https://a b", "https://a:b/", ""],
)
def test_addresses_that_are_not_called(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_url(url)


def test_metadata_of_the_machine_is_not_called() -> None:
    with pytest.raises(HttpError, match="link-local"):
        check_url("https://169.254.169.254/latest")
