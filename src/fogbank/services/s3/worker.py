"""Removes what a crash left: files whose row never came, or is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from fogbank.services.s3 import storage as rows
from fogbank.services.s3._pieces import Pieces, unlink
from fogbank.storage import Storage, Tx

_BATCH = 200


class Sweeper:
    """Looks once, after the start, through the files that earlier runs left, and removes those without a row."""

    def __init__(self, storage: Storage, pieces: Pieces) -> None:
        self._storage = storage
        self._pieces = pieces

    async def run(self) -> None:
        """Sweep. Files of this run are left alone: they may be written before their row is."""
        listed = await asyncio.to_thread(self._pieces.listed)
        fresh, self._pieces.fresh = self._pieces.fresh or set(), None
        old = [path for path in listed if path.name not in fresh]
        for at in range(0, len(old), _BATCH):
            orphans = await self._orphans(old[at : at + _BATCH])
            await asyncio.to_thread(unlink, orphans)

    async def _orphans(self, files: Sequence[Path]) -> list[Path]:
        async def body(tx: Tx) -> list[Path]:
            return [path for path in files if not await rows.has_piece(tx, path.name)]

        return await self._storage.read(body)
