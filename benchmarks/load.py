"""Putting load on a server, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.peers import Running
from benchmarks.wire import Connection, RequestError

Step = Callable[[Connection, int], Awaitable[None]]
"""One unit of work on a connection; the number is unique in the round."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one round measured. Times are in seconds; `units` is what the throughput counts."""

    units: int
    seconds: float
    cpu: float
    latencies: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.units / self.seconds

    @property
    def per_cpu(self) -> float:
        """Units a second of the server's processor time."""
        return self.units / self.cpu if self.cpu > 0 else 0.0

    def percentile(self, share: float) -> float:
        """A latency, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


async def run(server: Running, step: Step, *, connections: int, seconds: float, units: int = 1) -> Figures:
    """Repeat `step` on each connection for `seconds`; `units` are in one step."""
    open_connections = [await Connection.open(server.endpoint) for _ in range(connections)]
    latencies: list[float] = []
    counter = iter(range(1 << 60))
    end = time.perf_counter() + seconds

    async def work(connection: Connection) -> None:
        while (before := time.perf_counter()) < end:
            await step(connection, next(counter))
            latencies.append(time.perf_counter() - before)

    cpu, begin = server.cpu(), time.perf_counter()
    await asyncio.gather(*(work(connection) for connection in open_connections))
    elapsed, used = time.perf_counter() - begin, server.cpu() - cpu
    for connection in open_connections:
        connection.close()
    return Figures(len(latencies) * units, elapsed, used, tuple(latencies))


async def expect(connection: Connection, request: bytes, status: int = 200) -> bytes:
    """Send; the body, or `RequestError` if the answer has another status."""
    found, body = await connection.request(request)
    if found != status:
        raise RequestError(f"expected {status}, got {found}: {body[:300]!r}")
    return body
