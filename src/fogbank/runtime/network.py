"""Networks of environments' own, in which Fogbank answers on sockets that were opened there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from fogbank.runtime.api import Listener, RuntimeApi

Door = Callable[[socket.socket], Awaitable[asyncio.Server]]
"""Answers as Fogbank on a socket that listens in an environment's own network."""


class OwnNetwork:
    """An environment has a network to itself; `door` is how Fogbank is in it, if it is."""

    def __init__(self, door: Door | None) -> None:
        self._door = door
        self._open: list[asyncio.Server] = []

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
            assert self._door is not None, "a port is opened only for somebody who answers"
            door = await self._door(each)
            self._open.append(door)
            if has_ended():
                door.close()

    def close(self) -> None:
        """Answer no more."""
        for door in self._open:
            door.close()
        self._open.clear()
