"""What every storage engine offers.

A transaction is a coroutine function over a `Tx` that awaits nothing but the `Tx`. On PostgreSQL it runs on a
connection of its own; on SQLite it is driven inline on the one writer, together with the others of its batch.
Either way `transact` returns only when the changes are committed and synced (law 1).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from fogbank.storage.migrations import Migrations

T = TypeVar("T")
Row = tuple[Any, ...]


class StorageError(Exception):
    """The engine cannot do what it was asked to: the disk is full, the folder is in use, a file is damaged."""


class StorageBusyError(StorageError):
    """More transactions wait than the engine's bound allows."""


class NotJoinableError(RuntimeError):
    """A transaction, or work that was to be a part of it, waited for something else; its changes are undone."""


class Tx(Protocol):
    """A transaction under way. `$1`, `$2` … are the placeholders; values are str, int, float, bytes or None."""

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        """All rows of a query, or of a statement with RETURNING."""
        ...

    async def fetch_one(self, sql: str, *args: Any) -> Row | None:
        """The first row, or `None`."""
        ...

    async def execute(self, sql: str, *args: Any) -> int:
        """Run a statement; how many rows it changed."""
        ...

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each row of values."""
        ...

    async def within(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do work that has transactions of its own, a call of another service, as a part of this one.

        What it reads and writes through this storage belongs to this transaction, and is undone if `work` raises.
        `NotJoinableError` if it waits for anything else: it can then be done outside only.
        """
        ...

    def wake(self, topic: str) -> None:
        """Wake whoever waits on `topic`, after the commit."""
        ...

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call back when the commit is synced, on the event loop; not at all if it is rolled back."""
        ...


class Wakeup(Protocol):
    """A subscription to a topic. A wake that comes between two waits is kept for the next."""

    async def wait(self, until: float | None = None) -> bool:
        """Wait for a wake, at the longest until `until` (clock seconds); whether one came."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Storage(Protocol):
    """An engine."""

    @property
    def exclusive(self) -> bool:
        """Whether this process is the only one on the storage, so that leases of an earlier one are void."""
        ...

    def transact(self, body: Callable[[Tx], Awaitable[T]]) -> Awaitable[T]:
        """Run `body` and commit; returns its result once it is synced. If it raises, its changes are undone."""
        ...

    async def read(self, body: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `body` on a consistent snapshot of all that is committed; it must not write."""
        ...

    def subscribe(self, topic: str) -> Wakeup:
        """Be woken by `tx.wake(topic)`. Use as a context manager."""
        ...

    def wake(self, topic: str) -> None:
        """Wake a topic's waiters now, outside any transaction."""
        ...

    async def migrate(self, migrations: Sequence[Migrations]) -> None:
        """Apply each migration that is new."""
        ...

    async def reset(self) -> None:
        """Delete every row of every table; the schema stays."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of the files or connections."""
        ...
