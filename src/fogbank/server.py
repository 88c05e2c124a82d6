"""One server: cloud, gateway and template engine, put together, started, and stopped in order."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from fogbank import __version__
from fogbank.cloud import LocalCloud
from fogbank.core import faults
from fogbank.core.clock import SystemClock
from fogbank.core.config import Auth, Config
from fogbank.core.http import HttpLimits, HttpServer
from fogbank.core.ids import Ids
from fogbank.core.lifecycle import Actor
from fogbank.core.scope import Scope
from fogbank.gateway import Gateway
from fogbank.gateway.otlp import OtlpReceiver
from fogbank.gateway.traces import TracePages
from fogbank.services.cloudformation import CloudFormation
from fogbank.services.lambda_ import Lambda
from fogbank.telemetry.prometheus import expose
from fogbank.templates.engine import Engine

BACKLOG = 1024
MIN_MEMORY, MAX_MEMORY = 128, 10_240
_OFFSET_FILE = "clock-offset"


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
        self.clock = SystemClock(offset=_kept_offset(config.data))
        self._started = self.clock.machine_time()
        ids = Ids()
        self.cloud = LocalCloud.on_disk(self.config, self.clock, ids)
        cloudformation = self.cloud.services.get("cloudformation")
        if isinstance(cloudformation, CloudFormation):
            cloudformation.engine = Engine(
                self.cloud,
                self.clock,
                endpoint=self.config.endpoint,
                local_files=self.config.auth is Auth.LOCAL,
                implements=self.cloud.implements,
            )
        traces = TracePages(self.cloud.telemetry, self.cloud.graph, self.clock)
        self.gateway = Gateway(
            self.cloud,
            self.config,
            self.clock,
            ids,
            credentials=self.cloud,
            admin=self,
            traces=traces,
            otlp=OtlpReceiver(self.cloud.telemetry, self.config),
        )
        self.http = HttpServer(self.gateway.handle, self.clock, HttpLimits.of(self.config), self.gateway.too_large)
        self.cloud.runtime.door = self.http.open_door

    async def on_start(self) -> None:
        await self.cloud.start()
        await self.http.start()
        _spare_the_collector()
        await self.http.listen_on(self._socket)

    async def on_stop(self) -> None:
        self.cloud.drain()
        await self.http.stop()  # finishes what it accepted
        await self.cloud.stop()

    # -- what the gateway's own paths do ------------------------------------------------------------------------

    async def reset(self) -> None:
        """Empty everything; the clock shows the machine's time again."""
        await self.cloud.reset()
        if self.clock.offset:
            await asyncio.to_thread(_keep_offset, self.config.data, 0.0)
            await self.clock.restart()

    async def advance(self, seconds: float) -> float:
        """Move the clock forward, for good: a later start goes on from there. The time that it is then."""
        await asyncio.to_thread(_keep_offset, self.config.data, self.clock.offset + seconds)
        await self.clock.advance(seconds)
        return self.clock.time()

    async def usage(self, since: float, traces: int, root: str | None = None) -> dict[str, Any]:
        """What was used since a moment (clock seconds), with the newest traces one by one, or with that of `root`."""
        if not self.cloud.usage.on:
            return {"on": False}
        report = await self.cloud.usage.report(since=since, traces=traces, root=root)
        return {"on": True, **{part.name: getattr(report, part.name) for part in fields(report)}}

    async def metrics(self) -> str:
        """What is counted, as Prometheus reads it; what is sampled is at most a minute old."""
        await self.cloud.metrics.sample()
        return expose(self.cloud.metrics, version=__version__, started=self._started)

    async def trial(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """See `gateway.admin`: `{"function", "region", "account", "payload", "memory"}`, or `{…, "end": [MB, …]}`."""
        service = self.cloud.services.get("lambda")
        if not isinstance(service, Lambda):
            raise ValueError("this server has no Lambda")  # noqa: TRY004 - it is the answer to a request
        scope = Scope(document.get("account") or self.config.account, document.get("region") or self.config.region)
        name = document.get("function")
        if not isinstance(name, str):
            raise ValueError('expected {"function": a name or an ARN}')  # noqa: TRY004 - as above
        if "end" in document:
            await service.end_trials(scope, name, [int(memory) for memory in document["end"]])
            return {}
        memory = document.get("memory")
        if not isinstance(memory, int) or not MIN_MEMORY <= memory <= MAX_MEMORY:
            raise ValueError(f"expected memory from {MIN_MEMORY} to {MAX_MEMORY} MB, got {memory!r}")
        return asdict(await service.trial(scope, name, str(document.get("payload", "{}")).encode(), memory))

    async def chaos(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """See `gateway.admin`: `{"account", "mode", "functions"}` sets a plan, `{"account", "release"}` lets go.

        The answer says what came of it so far, and what is still under way.
        """
        service = self.cloud.services.get("lambda")
        account = document.get("account")
        if not isinstance(service, Lambda) or not isinstance(account, str):
            raise ValueError('expected {"account": 12 digits}')  # noqa: TRY004 - as above
        if "mode" in document:
            service.disturb(account, str(document["mode"]), document.get("functions"))
        came = await service.disturbance(account, release=bool(document.get("release")))
        return {**came, "busy": self.cloud.runtime.busy, "waiting": await self.cloud.delivery.waiting()}

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


def _kept_offset(data: Path) -> float:
    """Seconds by which the clock of this data folder is ahead of the machine's."""
    try:
        return float((data / _OFFSET_FILE).read_text())
    except (FileNotFoundError, ValueError):
        return 0.0


def _keep_offset(data: Path, offset: float) -> None:
    """Write the offset down, synced: what is stored with the moved clock's times must not lie in the future later."""
    temporary = data / f".{_OFFSET_FILE}"
    with temporary.open("w") as file:
        file.write(repr(offset))
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(data / _OFFSET_FILE)


def _spare_the_collector() -> None:
    """Collect rarely: what a request makes is freed by reference counts, and the models never become garbage.

    Measured: with Python's own thresholds collecting takes a tenth of a server's processor time. What importing left
    over is frozen with the rest: to look for it takes as long as a tenth of the whole start.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


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
