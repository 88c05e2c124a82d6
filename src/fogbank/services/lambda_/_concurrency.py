"""How many events may run at once: reserved for a function, and for the rest of the account.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

from __future__ import annotations

from dataclasses import dataclass

from fogbank.core.scope import Scope
from fogbank.services.lambda_ import storage as rows
from fogbank.services.lambda_.errors import ThrottleReason, TooManyRequestsError
from fogbank.storage import Storage, Tx

MIN_UNRESERVED = 100
"""Concurrency that no reservation may take from the functions without one."""


@dataclass(slots=True)
class AccountLoad:
    """What runs in an account and region of the concurrency that nobody has for himself.

    `reserved` is the sum of what is reserved or provisioned (`None`: unknown).
    """

    running: int = 0
    reserved: int | None = None


@dataclass(slots=True)
class FunctionLoad:
    """What runs of a function, all its versions together."""

    account: AccountLoad
    running: int = 0
    provisioned: int = 0
    """Events that run in provisioned concurrency, and take nothing of what the account has beside it."""
    spilled: int = 0
    """Events under way that are past it, or for which there is none."""


class Concurrency:
    """Counts the events under way."""

    def __init__(self, storage: Storage, limit: int) -> None:
        self.limit = limit
        self._storage = storage
        self._accounts: dict[Scope, AccountLoad] = {}
        self._functions: dict[tuple[Scope, str], FunctionLoad] = {}

    @property
    def floor(self) -> int:
        """What must stay unreserved: 100, or nothing where the limit is itself so small."""
        return MIN_UNRESERVED if self.limit > MIN_UNRESERVED else 0

    def load(self, scope: Scope, name: str) -> FunctionLoad:
        """The one load of a function, however often it is asked for."""
        found = self._functions.get((scope, name))
        if found is None:
            account = self._accounts.setdefault(scope, AccountLoad())
            found = self._functions[scope, name] = FunctionLoad(account)
        return found

    async def learn(self, scope: Scope) -> None:
        """Know the sum of an account's reservations."""
        _, _, reserved = await self._storage.read(lambda tx: rows.usage(tx, scope))
        self._accounts.setdefault(scope, AccountLoad()).reserved = reserved

    def enter(self, load: FunctionLoad, reserved: int | None) -> bool:
        """Take a place for one event; `TooManyRequestsError` if there is none.

        Whether it is one of those that the account's functions share; `leave` is to be told.
        """
        shared = False
        if reserved is not None:
            if load.running >= reserved:
                raise TooManyRequestsError(ThrottleReason.FUNCTION)
        elif load.running - load.spilled >= load.provisioned:
            account = load.account
            if account.running >= self.limit - (account.reserved or 0):
                raise TooManyRequestsError(ThrottleReason.ACCOUNT)
            account.running += 1
            load.spilled += 1
            shared = True
        load.running += 1
        return shared

    @staticmethod
    def leave(load: FunctionLoad, *, shared: bool) -> None:
        """Give the place back."""
        load.running -= 1
        if shared:
            load.spilled -= 1
            load.account.running -= 1

    def changed(self, tx: Tx, scope: Scope) -> None:
        """Say in a transaction that it changes a reservation."""
        tx.after_commit(lambda: self._forget(scope))

    def _forget(self, scope: Scope) -> None:
        account = self._accounts.get(scope)
        if account is not None:
            account.reserved = None

    def forget(self) -> None:
        """Forget the reservations, and functions of which nothing runs."""
        for account in self._accounts.values():
            account.reserved = None
        self._functions = {key: load for key, load in self._functions.items() if load.running or load.provisioned}
