"""What CloudWatch Logs does on its own: delete events that are past their retention or whose stream is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.services.logs import storage
from fogbank.services.logs.model import DAY

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.storage import Tx

TOPIC = "logs.sweep"
INTERVAL = 3600.0
"""Seconds between sweeps; a sweep is also woken by what gives it work (AWS may take 72 hours)."""
_CHUNK = 500
"""Events that are deleted in one transaction: others are not kept waiting."""


class Sweeper:
    """Deletes in small transactions. What it has yet to do is in the tables: a crash loses nothing."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def run(self) -> None:
        """Sweep for ever."""
        with self._kit.storage.subscribe(TOPIC) as wakeup:
            while True:
                await self.sweep()
                await wakeup.wait(self._kit.clock.time() + INTERVAL)

    async def sweep(self) -> None:
        """Delete what is to be deleted now."""
        while await self._kit.storage.transact(_delete_orphans):
            pass
        now = self._kit.clock.millis()
        for group_id, days in await self._kit.storage.read(storage.expiring_groups):
            while await self._delete_expired(group_id, now - days * DAY):
                pass

    async def _delete_expired(self, group_id: int, before: int) -> bool:
        """Delete a chunk; whether it was a full one."""

        async def body(tx: Tx) -> int:
            return await storage.delete_expired(tx, group_id, before, _CHUNK)

        return await self._kit.storage.transact(body) == _CHUNK


async def _delete_orphans(tx: Tx) -> bool:
    return await storage.delete_orphans(tx, _CHUNK)
