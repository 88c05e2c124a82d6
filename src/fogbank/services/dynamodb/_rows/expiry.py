"""When the worker is to look for expired items.

DynamoDB removes an item some time after it expires, and until then it is read like any other. Here that time is
ten seconds, so that programs which filter expired items have something to filter.
"""

from __future__ import annotations

import math

from fogbank.core.clock import Clock
from fogbank.storage import Tx

TOPIC = "dynamodb.worker"
"""Woken when the worker has something to do sooner than it knew."""
GRACE = 10
"""Seconds for which an expired item stays."""
OLDEST = 5 * 365 * 24 * 3600
"""An item that expired longer ago than this is never removed, as on DynamoDB: its TTL is taken for a mistake."""


class ExpiryWatch:
    """The moment of the next sweep, kept where writers can see whether theirs is sooner."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.sweep_at = math.inf

    def forget(self) -> None:
        """Nothing expires any more: all items are gone."""
        self.sweep_at = math.inf

    def expects(self, tx: Tx, moment: int) -> None:
        """An item is written that expires at `moment` (seconds since the epoch)."""
        if max(moment, self._clock.time()) + GRACE < self.sweep_at:
            tx.wake(TOPIC)

    def plan(self, next_expiry: int | None) -> None:
        """The earliest expiry that the table of items knows; an earlier plan stands."""
        if next_expiry is not None:
            self.sweep_at = min(self.sweep_at, max(next_expiry, self._clock.time()) + GRACE)
