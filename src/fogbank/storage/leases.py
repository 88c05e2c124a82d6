"""Leases: who does a piece of work, until when.

A node claims a name for a while and renews it; when it dies the lease runs out and another takes over.
"""

from __future__ import annotations

from dataclasses import dataclass

from fogbank.storage.engine import Tx

_CLAIM = """
INSERT INTO leases (name, owner, until) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
WHERE leases.owner = excluded.owner OR leases.until <= $4
"""
_RELEASE = "DELETE FROM leases WHERE name = $1 AND owner = $2"


@dataclass(frozen=True, slots=True)
class Leases:
    """Claims in the name of `owner` (a node of the fleet, new at each start)."""

    owner: str

    async def claim(self, tx: Tx, name: str, *, now: int, millis: int) -> bool:
        """Take or renew the lease on `name` for `millis`; whether it is ours now."""
        return await tx.execute(_CLAIM, name, self.owner, now + millis, now) == 1

    async def release(self, tx: Tx, name: str) -> None:
        """Give the lease back, if it is ours."""
        await tx.execute(_RELEASE, name, self.owner)
