"""An HTTP server on loopback, raw connections to it, and time that moves only when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from fogbank.core.clock import VirtualClock
from fogbank.core.http import HttpLimits, HttpRequest, HttpResponse, HttpServer

Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]
Serving = Callable[..., AbstractAsyncContextManager["Rig"]]


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

    async def connect(self, path: Path | None = None) -> Client:
        """A connection to the server's port, or to its unix socket at `path`."""
        opened = asyncio.open_unix_connection(path) if path else asyncio.open_connection("127.0.0.1", self.port)
        client = Client(*await opened)
        self.clients.append(client)
        return client


@asynccontextmanager
async def _serving(handler: Handler | None = None, limits: HttpLimits | None = None) -> AsyncIterator[Rig]:
    clock = VirtualClock()
    server = HttpServer(handler or echo, clock, limits or HttpLimits(stop_timeout=5, half_closed=0.05))
    await server.start()
    rig = Rig(server, clock, await server.listen("127.0.0.1", 0))
    try:
        yield rig
    finally:
        for client in rig.clients:
            client.close()
        await server.stop()


@pytest.fixture
def serving() -> Serving:
    """Starts a server: `async with serving(handler, limits) as rig`; without a handler it echoes."""
    return _serving
