"""The server: listening, limits, and stopping."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING

from fogbank.core.http.connection import Connection
from fogbank.core.http.message import HttpRequest, HttpResponse
from fogbank.core.lifecycle import Actor

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from fogbank.core.clock import Clock
    from fogbank.core.config import Config

HttpHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]
TooLarge = Callable[[Mapping[str, str], int], HttpResponse | None]
"""The answer to a body past the limit, by the request's headers and the limit; `None` for the plain one."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What a client may ask of the server. Sizes are bytes, times seconds, rates bytes a second."""

    max_head: int = 64 * 1024
    """The request line and all headers; more is answered 431."""
    max_body: int = 100 * 1024 * 1024
    """A body; more is answered 413."""
    max_held: int = 1024 * 1024 * 1024
    """All bodies that are received or handled at one time; a further one is answered 503."""
    request_timeout: float = 60.0
    """The time to send a request, longer for a body that arrives at `min_rate` or faster; then 408."""
    min_rate: int = 16 * 1024
    idle_timeout: float = 600.0
    """How long a connection may be kept without a request."""
    max_connections: int = 10_000
    """Further ones are closed at once."""
    max_pipelined: int = 16
    """Requests that may wait behind the one that is handled before reading pauses."""
    stop_timeout: float = 20.0
    """How long a stop waits for what was accepted."""
    linger: float = 5.0
    """How long to read on after a refusal, so that the client gets it."""
    half_closed: float = 1.0
    """How long a handler may go on when the client has closed its side."""

    @classmethod
    def of(cls, config: Config) -> HttpLimits:
        """The limits that the configuration sets."""
        return cls(
            max_head=config.max_headers,
            max_body=config.max_body,
            request_timeout=config.request_timeout,
            idle_timeout=config.request_timeout * 10,
            max_connections=config.max_connections,
            stop_timeout=config.stop_timeout,
        )


class HttpServer(Actor):
    """Hands every request to `handler`; listens wherever it is told to.

    `too_large` words the refusal of large bodies for who must know it in its own form. `clock` serves the timeouts and
    the `date` header. Connections look at `now`, which is advanced every few seconds, instead of reading the clock for
    every request.
    """

    def __init__(
        self, handler: HttpHandler, clock: Clock, limits: HttpLimits | None = None, too_large: TooLarge | None = None
    ) -> None:
        super().__init__()
        self.handler = handler
        self.too_large = too_large
        self.limits = limits or HttpLimits()
        self.now = clock.monotonic()
        self.held = 0
        """Bytes of bodies in memory: those that come, wait or are handled."""
        self._clock = clock
        self._listeners: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._last: set[Connection] = set()
        self._stopping = False
        self._empty: asyncio.Future[None] | None = None
        self._date = ("", -1)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    async def listen(self, host: str, port: int) -> int:
        """Accept connections on a TCP address; returns the port, which matters when 0 was given.

        `OSError` if the address cannot be had.
        """
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(lambda: Connection(self), host, port, backlog=1024)
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def listen_unix(self, path: Path) -> None:
        """Accept connections on a unix socket at `path`, which must be free."""
        loop = asyncio.get_running_loop()
        self._listeners.append(await loop.create_unix_server(lambda: Connection(self), str(path), backlog=1024))

    async def listen_on(self, sock: socket.socket) -> None:
        """Accept connections on a socket that is bound already."""
        loop = asyncio.get_running_loop()
        self._listeners.append(await loop.create_server(lambda: Connection(self), sock=sock, backlog=1024))

    async def open_door(self, sock: socket.socket) -> asyncio.Server:
        """The same for a while: whoever opened the door closes it."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Connection(self), sock=sock, backlog=128)

    async def on_start(self) -> None:
        self._stopping = False
        self.spawn(self._sweep())

    async def on_stop(self) -> None:
        """Accept no more, answer what was accepted, close; after `stop_timeout` close in any case."""
        self._stopping = True
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for connection in list(self._connections):
            connection.finish()
        if self._connections:
            self._empty = asyncio.get_running_loop().create_future()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty, self.limits.stop_timeout)
        for connection in list(self._connections):
            connection.abort()

    async def _sweep(self) -> None:
        """Move `now` on and end what takes too long."""
        interval = max(0.01, min(self.limits.request_timeout, self.limits.linger) / 4)
        while True:
            await self._clock.sleep(interval)
            self.now = self._clock.monotonic()
            for connection in list(self._connections):
                connection.sweep(self.now)

    def date(self) -> str:
        """The `date` header's line, made once a second."""
        second = int(self._clock.time())
        line, made = self._date
        if made != second:
            line = f"date: {formatdate(second, usegmt=True)}\r\n"
            self._date = (line, second)
        return line

    # For connections.

    def admit(self, connection: Connection) -> bool:
        """Count a new connection in, unless there are too many or the server stops."""
        if self._stopping or len(self._connections) >= self.limits.max_connections:
            return False
        self._connections.add(connection)
        return True

    def discharge(self, connection: Connection) -> None:
        """Count a connection out."""
        self._connections.discard(connection)
        self._last.discard(connection)
        if self._empty is not None and not self._connections and not self._empty.done():
            self._empty.set_result(None)

    def mark_last(self, connection: Connection) -> None:
        """The connection is to close when it has answered what it has."""
        self._last.add(connection)

    def is_last(self, connection: Connection) -> bool:
        """Whether the connection is to close when it has answered what it has."""
        return connection in self._last
