"""How many events may run at once: reserved for a function, and for the rest of the account.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

from __future__ import annotations

from collections import Counter

from fogbank.core.scope import Scope
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_._targets import Target
from fogbank.services.lambda_.errors import ThrottleReason, TooManyRequestsError
from fogbank.storage import Storage, Tx

MIN_UNRESERVED = 100
"""Concurrency that no reservation may take from the functions without one."""


class Concurrency:
    """Counts the events under way."""

    def __init__(self, storage: Storage, limit: int) -> None:
        self.limit = limit
        self._storage = storage
        self._running: Counter[tuple[Scope, str]] = Counter()
        self._unreserved: Counter[Scope] = Counter()
        self._reserved: dict[Scope, int] = {}

    @property
    def floor(self) -> int:
        """What must stay unreserved: 100, or nothing where the limit is itself so small."""
        return MIN_UNRESERVED if self.limit > MIN_UNRESERVED else 0

    async def learn(self, scope: Scope) -> None:
        """Know the sum of an account's reservations."""
        if scope not in self._reserved:
            _, _, reserved = await self._storage.read(lambda tx: rows.usage(tx, scope))
            self._reserved[scope] = reserved

    def enter(self, target: Target) -> None:
        """Take a place for one event; `TooManyRequestsError` if there is none. Ask `learn` first."""
        scope = target.function[0]
        if target.reserved is not None:
            if self._running[target.function] >= target.reserved:
                raise TooManyRequestsError(ThrottleReason.FUNCTION)
        else:
            if self._unreserved[scope] >= self.limit - self._reserved.get(scope, 0):
                raise TooManyRequestsError(ThrottleReason.ACCOUNT)
            self._unreserved[scope] += 1
        self._running[target.function] += 1

    def leave(self, target: Target) -> None:
        """Give the place back."""
        self._running[target.function] -= 1
        if self._running[target.function] <= 0:
            del self._running[target.function]
        if target.reserved is None:
            self._unreserved[target.function[0]] -= 1

    def changed(self, tx: Tx, scope: Scope) -> None:
        """Say in a transaction that it changes a reservation."""

        def forget() -> None:
            self._reserved.pop(scope, None)

        tx.after_commit(forget)

    def forget(self) -> None:
        """Forget the reservations."""
        self._reserved.clear()
