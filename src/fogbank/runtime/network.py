"""Networks of environments' own, in which Fogbank answers on sockets that were opened there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from fogbank.runtime.api import Listener, RuntimeApi

Door = Callable[[socket.socket], Awaitable[asyncio.Server]]
"""Answers as Fogbank on a socket that listens in an environment's own network."""
TakeDatagram = Callable[[bytes], None]
"""Takes what came as a datagram: a segment of X-Ray's."""


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, take: TakeDatagram) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        self._take(data)


class OwnNetwork:
    """An environment has a network to itself; `door` is how Fogbank is in it, if it is, `take` takes its datagrams."""

    def __init__(self, door: Door | None, take: TakeDatagram | None = None) -> None:
        self._door = door
        self._take = take
        self._open: list[asyncio.Server | asyncio.DatagramTransport] = []

    async def answer(
        self, sockets: Sequence[int], listener: Listener, api: RuntimeApi, has_ended: Callable[[], bool]
    ) -> None:
        """Answer on its sockets: as the Runtime API on the first, then as Fogbank."""
        made = [socket.socket(fileno=fd) for fd in sockets]
        for each in made:
            each.setblocking(False)
        if has_ended() or not made:
            for each in made:
                each.close()
            return
        await listener.listen_on(made[0], api)
        for each in made[1:]:
            if has_ended():
                each.close()
                continue
            opened = await self._open_one(each)
            self._open.append(opened)
            if has_ended():
                opened.close()

    async def _open_one(self, made: socket.socket) -> asyncio.Server | asyncio.DatagramTransport:
        if made.type is socket.SOCK_DGRAM:
            take = self._take
            assert take is not None, "a port is opened only for somebody who listens"
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Receiver(take), sock=made)
            return transport
        assert self._door is not None, "a port is opened only for somebody who answers"
        return await self._door(made)

    def close(self) -> None:
        """Answer no more."""
        for door in self._open:
            door.close()
        self._open.clear()
