"""The daemon's port: segments come as datagrams, as X-Ray's SDKs send them, and are stored in batches.

A datagram is `{"format": "json", "version": 1}`, a line break, and a segment document. Nothing is answered; what is not
in order, and what comes faster than it can be stored, is dropped.
Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from fogbank.core.lifecycle import Actor
from fogbank.storage import StorageError

_log = logging.getLogger("fogbank.xray")
MAX_WAITING = 5_000
"""Documents that wait to be stored."""
_BATCH = 200
_header = msgspec.json.Decoder(dict[str, Any]).decode

Take = Callable[[Sequence[str]], Awaitable[list[dict[str, Any]]]]


def document_of(datagram: bytes) -> str | None:
    """The segment of a datagram; `None` if it is none."""
    head, _, body = datagram.partition(b"\n")
    try:
        header = _header(head)
        text = body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return text if header.get("format") == "json" and header.get("version") == 1 and text else None


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002
        self._daemon.received(data)


class Daemon(Actor):
    """Listens on a UDP port of this machine; `address` says which."""

    def __init__(self, host: str, port: int, take: Take) -> None:
        super().__init__()
        self._host = host
        self._port = port
        self._take = take
        self._waiting: deque[str] = deque()
        self._storing = False
        self._transport: asyncio.DatagramTransport | None = None
        self.address = ""
        self.dropped = 0
        """Datagrams that were dropped since the start."""

    async def on_start(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            made = await loop.create_datagram_endpoint(lambda: _Receiver(self), local_addr=(self._host, self._port))
        except OSError as error:
            _log.info("X-Ray's port %d cannot be had (%s); another is taken", self._port, error)
            made = await loop.create_datagram_endpoint(lambda: _Receiver(self), local_addr=(self._host, 0))
        self._transport = made[0]
        host, port = self._transport.get_extra_info("sockname")[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def on_stop(self) -> None:
        if self._transport is not None:
            self._transport.close()
        while self._waiting:
            await self._store()

    def received(self, data: bytes) -> None:
        """Take a datagram."""
        text = document_of(data)
        if text is None or len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
            return
        self._waiting.append(text)
        if not self._storing and self.running:
            self._storing = True
            self.spawn(self._drain(), name="xray-daemon")

    async def _drain(self) -> None:
        try:
            while self._waiting:
                await self._store()
        finally:
            self._storing = False

    async def _store(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        try:
            refused = await self._take(batch)
        except StorageError as error:
            _log.warning("segments were not stored: %s", error)
            return
        for each in refused:
            self.dropped += 1
            _log.info("a segment was refused: %s", each["Message"])
