"""What SNS does on its own: it gives up subscriptions that nobody confirmed, and forgets deduplication ids."""

from __future__ import annotations

from collections.abc import Callable

from fogbank.core.clock import Clock
from fogbank.services.sns import storage as rows
from fogbank.services.sns.model import Subscription
from fogbank.storage import Storage, Tx

EXPIRY_TOPIC = "sns.expiry"
_AT_ONCE = 500
_PAUSE = 60_000
"""Milliseconds between two sweeps of deduplication ids, at the least: an expired one is not looked at anyway."""


class Sweeper:
    """Removes what is past its time. `gone` is told of subscriptions, `idle` whether no deduplication id is left."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        gone: Callable[[Tx, Subscription], None],
        idle: Callable[[bool], None],
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._gone = gone
        self._idle = idle

    async def act(self) -> float | None:
        """Remove what is due; when the next is."""
        self._idle(False)
        moments = await self._storage.transact(self._sweep)
        due = [moment for moment in moments if moment is not None]
        self._idle(moments[1] is None)
        return min(due) / 1000 if due else None

    async def _sweep(self, tx: Tx) -> tuple[int | None, int | None]:
        """When the next subscription, and the next deduplication id, is due."""
        now = self._clock.millis()
        for subscription in await rows.expired(tx, now, _AT_ONCE):
            await rows.delete_subscription(tx, subscription)
            self._gone(tx, subscription)
        await rows.forget_expired(tx, now, _AT_ONCE)
        forgetting = await rows.next_forgetting(tx)
        if forgetting is not None and forgetting > now:
            forgetting = max(forgetting, now + _PAUSE)
        return await rows.next_expiry(tx), forgetting
