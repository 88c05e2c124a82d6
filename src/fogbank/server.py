"""One server: cloud, gateway and template engine, put together, started, and stopped in order."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Any

from fogbank.cloud import LocalCloud
from fogbank.core import faults
from fogbank.core.clock import SystemClock
from fogbank.core.config import Config
from fogbank.core.http import HttpLimits, HttpServer
from fogbank.core.ids import Ids
from fogbank.core.lifecycle import Actor
from fogbank.gateway import Gateway

BACKLOG = 1024


class Server(Actor):
    """Everything of one process.

    The port is bound before anything else, so that a port in use is told at once and so that every part knows the
    server's own address; requests that come before all is ready wait in the socket's backlog.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        faults.arm(config.fault)
        self._socket = _bind(config.host, config.port)
        self.config = config.with_port(self._socket.getsockname()[1])
        self.clock = SystemClock()
        ids = Ids()
        self.cloud = LocalCloud.on_disk(self.config, self.clock, ids)
        self.gateway = Gateway(self.cloud, self.config, self.clock, ids, credentials=self.cloud, admin=self)
        self.http = HttpServer(self.gateway.handle, self.clock, HttpLimits.of(self.config))

    async def on_start(self) -> None:
        await self.cloud.start()
        await self.http.start()
        await self.http.listen_on(self._socket)

    async def on_stop(self) -> None:
        await self.http.stop()  # finishes what it accepted
        await self.cloud.stop()

    # -- what the gateway's own paths do ------------------------------------------------------------------------

    async def reset(self) -> None:
        """Empty everything."""
        await self.cloud.reset()

    async def advance(self, seconds: float) -> float:
        """Move the clock forward; the time that it is then."""
        await self.clock.advance(seconds)
        return self.clock.time()

    def health(self) -> dict[str, Any]:
        """What is here."""
        return {"services": dict.fromkeys(sorted(self.cloud.services), "running"), "time": self.clock.time()}


async def serve(config: Config, *, ready: Callable[[str], None]) -> None:
    """Run a server until SIGTERM or SIGINT; `ready` is called with its URL when it answers.

    Raises `OSError` if the address cannot be bound and `StorageError` if the data folder cannot be used.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(config)
    await server.start()
    ready(server.config.endpoint)
    await stop.wait()
    await server.stop()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
