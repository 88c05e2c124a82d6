"""What Secrets Manager does on its own: it ends recovery windows, and begins rotations that are due."""

from __future__ import annotations

from dataclasses import replace

from fogbank.core.clock import Clock
from fogbank.core.ids import Ids
from fogbank.core.trace import Trace
from fogbank.delivery import Delivery
from fogbank.services.secretsmanager import storage as rows
from fogbank.services.secretsmanager._route import rotation
from fogbank.services.secretsmanager._rules import next_rotation
from fogbank.services.secretsmanager.model import CURRENT, PENDING, Secret, Version
from fogbank.storage import Storage, Tx

_AT_ONCE = 100


class Timer:
    """Acts when the moment comes."""

    def __init__(self, storage: Storage, clock: Clock, ids: Ids, delivery: Delivery) -> None:
        self._storage = storage
        self._clock = clock
        self._ids = ids
        self._delivery = delivery

    async def act(self) -> float | None:
        """Do what is due; when the next is."""
        return await self._storage.transact(self._act)

    async def _act(self, tx: Tx) -> float | None:
        now = self._clock.millis()
        for secret in await rows.purged(tx, now, _AT_ONCE):
            await rows.delete(tx, secret)
        for secret in await rows.due(tx, now, _AT_ONCE):
            await self._rotate(tx, secret, now)
        moments = [moment for moment in (await rows.next_purge(tx), await rows.next_due(tx)) if moment is not None]
        return min(moments) / 1000 if moments else None

    async def _rotate(self, tx: Tx, secret: Secret, now: int) -> None:
        """Begin a rotation, or go on with one that failed; its moment moves on in the same transaction."""
        due = next_rotation(secret.rotation.rules, now, now)
        await rows.update(tx, replace(secret, rotation=replace(secret.rotation, due=due)))
        versions = await rows.versions(tx, secret.id)
        version = waiting(versions)
        if version is None:
            version = Version(self._ids.uuid(), (PENDING,), None, binary=False, created=now)
            await rows.put_versions(tx, secret.id, (*without_pending(versions), version))
        trace = Trace.begin(self._clock, self._ids)
        await self._delivery.enqueue(tx, rotation(secret, version.id, trace))


def waiting(versions: list[Version]) -> Version | None:
    """The version of a rotation that is not complete."""
    return next((each for each in versions if PENDING in each.stages and CURRENT not in each.stages), None)


def without_pending(versions: list[Version]) -> list[Version]:
    """The versions that lose AWSPENDING to a new one, changed."""
    return [
        replace(each, stages=tuple(stage for stage in each.stages if stage != PENDING))
        for each in versions
        if PENDING in each.stages
    ]
