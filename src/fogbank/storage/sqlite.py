"""SQLite: one writer, one reader, one sync for many transactions.

Transactions that arrive while a commit is being synced gather into the next batch. A batch is

    BEGIN IMMEDIATE
      SAVEPOINT t · body 1 · RELEASE t
      SAVEPOINT t · body 2 · ROLLBACK TO t · RELEASE t      (it raised)
      …
    COMMIT                                                   (this is where the sync happens)

and every caller of the batch is answered after the COMMIT, those that raised as well: they may have seen what
others of their batch wrote. A body is driven to its end by one `send`: it cannot be suspended with the
transaction open. Reads use a second connection and see only what is committed.

Where syncs are slow (a disk: 1 to 4 ms) the COMMIT runs in a thread, and the event loop goes on reading, parsing and
answering. Where they are quick (flash with a protected cache: 0.1 ms) handing it to a thread costs more than it
takes and halves the batches, so it runs inline. The engine measures its syncs and changes between the two.

Tried: bodies in the writer thread (two threads then fight over the interpreter lock, 3 times the CPU a
statement); a commit for each transaction (150 to 800 a second on an ordinary disk).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import queue
import re
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import apsw

from fogbank.core import faults
from fogbank.core.clock import Clock
from fogbank.storage.dialect import schema_to_sqlite, split_statements, to_sqlite
from fogbank.storage.engine import NotJoinableError, Row, StorageBusyError, StorageError, Tx
from fogbank.storage.migrations import Migrations

T = TypeVar("T")

MAX_PENDING = 20_000
"""Transactions that may wait for the writer; more are refused (law 7)."""
MAX_BATCH = 512
"""Transactions that share one commit at the most: bounds how long the first waits for the last."""

GATHER_TURNS = 4
"""Turns of the event loop, microseconds each, for which a batch waits for the next to come: a fifth less CPU each."""
MAX_TURNS = 64
"""Turns for which a batch waits at the most, however many go on coming."""
QUICK_SYNC = 0.0005
"""Seconds, on average, up to which a commit is made inline."""

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32000",
    "PRAGMA mmap_size = 268435456",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA busy_timeout = 5000",
)
_MIGRATIONS_TABLE = """
CREATE TABLE IF NOT EXISTS migrations (
    package TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,
    PRIMARY KEY (package, number)
) STRICT
"""


def _drive(coroutine: Awaitable[T]) -> T:
    """Run a coroutine that never suspends to its end."""
    steps = coroutine.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        return cast("T", stop.value)
    close = getattr(coroutine, "close", None)
    if close is not None:
        close()
    raise NotJoinableError("a transaction awaited something other than its own statements")


def _driven(work: Callable[[], Awaitable[T]]) -> Callable[[Tx], Awaitable[T]]:
    async def body(_: Tx) -> T:
        return _drive(work())

    return body


class _SqliteTx:
    """The one `Tx` of a connection."""

    __slots__ = ("_connection", "_cursor", "callbacks", "joining", "topics")

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self.callbacks: list[Callable[[], None]] = []
        self.topics: list[str] = []
        self.joining = False
        """Whether the transactions that are begun now are parts of this one."""

    async def fetch(self, sql: str, *args: Any) -> list[Row]:
        return self._cursor.execute(_adapted(sql), args).fetchall()

    async def fetch_one(self, sql: str, *args: Any) -> Row | None:
        # All rows are stepped through: a statement with RETURNING is finished only then.
        rows = self._cursor.execute(_adapted(sql), args).fetchall()
        return rows[0] if rows else None

    async def execute(self, sql: str, *args: Any) -> int:
        self._cursor.execute(_adapted(sql), args).fetchall()
        return self._connection.changes()

    async def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._cursor.executemany(_adapted(sql), rows).fetchall()

    async def within(self, work: Callable[[], Awaitable[T]]) -> T:
        outer, self.joining = self.joining, True
        try:
            return await self.part(_driven(work))
        finally:
            self.joining = outer

    async def part(self, body: Callable[[Tx], Awaitable[T]]) -> T:
        """Run a body in a savepoint: what it did is undone if it raises."""
        callbacks, topics = len(self.callbacks), len(self.topics)
        self.statement("SAVEPOINT part")
        whole = False
        try:
            result = await body(self)
            whole = True
        finally:
            if not whole:
                del self.callbacks[callbacks:], self.topics[topics:]
                if not self.is_open:  # a full disk or a failing one; whatever was made of that error meanwhile
                    raise apsw.AbortError("SQLite has undone the whole batch")
                self.statement("ROLLBACK TO part")
            self.statement("RELEASE part")
        return result

    def wake(self, topic: str) -> None:
        self.topics.append(topic)

    def after_commit(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    @property
    def is_open(self) -> bool:
        return self._connection.in_transaction

    def statement(self, sql: str) -> None:
        self._cursor.execute(sql)


_HOLE = re.compile(r"\?(\d+)")
_adapted_cache: dict[str, str] = {}


def _adapted(sql: str) -> str:
    """The SQLite form of a statement, remembered: statements are constants, so their number is bounded."""
    text = _adapted_cache.get(sql)
    if text is None:
        if len(_adapted_cache) > 10_000:
            _adapted_cache.clear()
        text = _adapted_cache[sql] = to_sqlite(sql)
    return text


class _Pending:
    """A transaction on its way: its body, its caller, and what came of it."""

    __slots__ = ("body", "callbacks", "error", "future", "result", "topics")

    def __init__(self, body: Callable[[Tx], Awaitable[Any]], future: asyncio.Future[Any]) -> None:
        self.body = body
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None
        self.callbacks: list[Callable[[], None]] = []
        self.topics: list[str] = []

    def run(self, tx: _SqliteTx) -> None:
        tx.statement("SAVEPOINT t")
        try:
            self.result = _drive(self.body(tx))
        except Exception as error:
            self.error = error
            tx.callbacks.clear()
            tx.topics.clear()
            if not tx.is_open:  # a full disk or a failing one: SQLite has undone the whole batch
                raise
            tx.statement("ROLLBACK TO t")
        tx.statement("RELEASE t")
        if tx.callbacks:
            self.callbacks, tx.callbacks = tx.callbacks, []
        if tx.topics:
            self.topics, tx.topics = tx.topics, []

    def answer(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)

    def refuse(self, error: BaseException) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _Wakeup:
    """A subscription; see `engine.Wakeup`."""

    __slots__ = ("_clock", "_future", "_topic", "_waiters", "_woken")

    def __init__(self, waiters: dict[str, set[_Wakeup]], topic: str, clock: Clock) -> None:
        self._waiters = waiters
        self._topic = topic
        self._clock = clock
        self._woken = False
        self._future: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        self._waiters.setdefault(self._topic, set()).add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        group = self._waiters.get(self._topic)
        if group is not None:
            group.discard(self)
            if not group:
                self._waiters.pop(self._topic, None)

    def ring(self) -> None:
        self._woken = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    async def wait(self, until: float | None = None) -> bool:
        if not self._woken:
            self._future = asyncio.get_running_loop().create_future()
            try:
                await self._clock.wait(self._future, until)
            finally:
                self._future = None
        woken, self._woken = self._woken, False
        return woken


class SqliteStorage:
    """The engine on one folder: `fogbank.db` (WAL), guarded by a lock so that one server uses it at a time.

    With `inline_commit` the sync happens on the event loop's own thread, which virtual-time tests want. A `file` of
    another name has a lock of its own; `synchronous="OFF"` is for what may be lost (telemetry).
    """

    exclusive = True

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        inline_commit: bool = False,
        file: str = "fogbank.db",
        synchronous: str = "FULL",
    ) -> None:
        self._clock = clock
        self._inline = inline_commit
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(folder, f"{file.removesuffix('.db')}.lock")
        path = str(folder / file)
        try:
            self._writer = _connect(path, synchronous)
            self._reader = _connect(path, synchronous)
        except apsw.Error as error:
            os.close(self._lock)
            raise StorageError(f"{path}: cannot be opened as a database: {error}") from error
        self._write_tx = _SqliteTx(self._writer)
        self._read_tx = _SqliteTx(self._reader)
        self._reading = False
        self._pending: deque[_Pending] = deque()
        self._busy = False
        self._idle: asyncio.Future[None] | None = None
        self._waiters: dict[str, set[_Wakeup]] = {}
        self._syncs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._sync_seconds = 1.0
        self._turns = 1 if inline_commit else GATHER_TURNS
        self._closed = False

    # -- transactions -------------------------------------------------------------------------------------

    def transact(self, body: Callable[[Tx], Awaitable[T]]) -> Awaitable[T]:
        if self._write_tx.joining:
            return self._write_tx.part(body)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._closed:
            future.set_exception(StorageError("the storage is closed"))
        elif len(self._pending) >= MAX_PENDING:
            future.set_exception(StorageBusyError(f"{MAX_PENDING} transactions wait; try again later"))
        else:
            self._pending.append(_Pending(body, future))
            if not self._busy:
                self._busy = True
                self._gather(loop)
        return future

    async def read(self, body: Callable[[Tx], Awaitable[T]]) -> T:
        if self._closed:
            raise StorageError("the storage is closed")
        if self._write_tx.joining:
            return await body(self._write_tx)
        if not self._reading:
            self._read_tx.statement("BEGIN")
            self._reading = True
            asyncio.get_running_loop().call_soon(self._end_reading)
        return _drive(body(self._read_tx))

    def _end_reading(self) -> None:
        """End the snapshot that the reads of one turn of the loop share.

        It was begun, and its end put in the loop's queue, before any commit that it does not show was announced: who
        has been told of a commit reads after this.
        """
        if self._reading:
            self._reading = False
            self._read_tx.statement("COMMIT")

    def _gather(self, loop: asyncio.AbstractEventLoop, idle: int = 0, turns: int = 1, seen: int = 0) -> None:
        """Run the batch when no more come: after some turns of the loop, each a look at the sockets, without any."""
        here = len(self._pending)
        idle = idle + 1 if here == seen else 1
        if idle < self._turns and turns < MAX_TURNS:
            loop.call_soon(self._gather, loop, idle, turns + 1, here)
        else:
            loop.call_soon(self._run_batch, loop)

    def _run_batch(self, loop: asyncio.AbstractEventLoop) -> None:
        batch: list[_Pending] = []
        before = self._writer.total_changes()
        try:
            self._write_tx.statement("BEGIN IMMEDIATE")
            while self._pending and len(batch) < MAX_BATCH:
                pending = self._pending.popleft()
                if pending.future.cancelled():
                    continue
                batch.append(pending)
                pending.run(self._write_tx)
        except apsw.Error as error:
            self._rolled_back(batch, error)
            self._next(loop)
            return
        if self._writer.total_changes() == before:
            self._committed(loop, batch, self._end())
        elif self._inline or self._sync_seconds < QUICK_SYNC:
            self._committed(loop, batch, self._commit())
        else:
            self._sync_in_thread(loop, batch)

    def _end(self) -> apsw.Error | None:
        """End a batch that changed nothing: there is nothing to sync."""
        try:
            self._writer.execute("COMMIT")
        except apsw.Error as error:
            return error
        return None

    def _commit(self) -> apsw.Error | None:
        faults.point("storage.before-commit")
        begin = self._clock.monotonic()
        error = self._end()
        if error is not None:
            return error
        self._sync_seconds += (self._clock.monotonic() - begin - self._sync_seconds) * 0.1
        faults.point("storage.after-commit")
        return None

    def _sync_in_thread(self, loop: asyncio.AbstractEventLoop, batch: list[_Pending]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._sync_thread, name="fogbank-sync", daemon=True)
            self._thread.start()

        def job() -> None:
            error = self._commit()
            with contextlib.suppress(RuntimeError):  # the loop was closed under us: nobody waits any more
                loop.call_soon_threadsafe(self._committed, loop, batch, error)

        self._syncs.put(job)

    def _sync_thread(self) -> None:
        while (job := self._syncs.get()) is not None:
            job()

    def _committed(self, loop: asyncio.AbstractEventLoop, batch: list[_Pending], error: apsw.Error | None) -> None:
        if error is not None:
            self._rolled_back(batch, error)
        else:
            for pending in batch:
                for callback in pending.callbacks:
                    callback()
                for topic in pending.topics:
                    self.wake(topic)
                pending.answer()
        self._next(loop)

    def _rolled_back(self, batch: list[_Pending], error: apsw.Error) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        failure = StorageError(f"nothing was changed; the commit failed: {error}")
        failure.__cause__ = error
        for pending in batch:
            pending.refuse(failure)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._pending:
            self._gather(loop)
            return
        self._busy = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    # -- waking -------------------------------------------------------------------------------------------

    def subscribe(self, topic: str) -> _Wakeup:
        return _Wakeup(self._waiters, topic, self._clock)

    def wake(self, topic: str) -> None:
        for waiter in tuple(self._waiters.get(topic, ())):
            waiter.ring()

    # -- schema and life ----------------------------------------------------------------------------------

    async def migrate(self, migrations: Sequence[Migrations]) -> None:
        self._writer.execute(_MIGRATIONS_TABLE)
        applied = {
            (package, number): checksum
            for package, number, checksum in self._writer.execute("SELECT package, number, checksum FROM migrations")
        }
        with self._writer:
            for package in migrations:
                for file in package.files:
                    known = applied.get((package.package, file.number))
                    if known is None:
                        for statement in split_statements(file.sql):
                            self._writer.execute(schema_to_sqlite(statement))
                        self._writer.execute(
                            "INSERT INTO migrations VALUES (?, ?, ?, ?)",
                            (package.package, file.number, file.name, file.checksum),
                        )
                        faults.point("storage.after-migration")
                    elif known != file.checksum:
                        raise StorageError(
                            f"migration {package.package}/{file.number:04d}_{file.name} was changed after it "
                            "was applied to this data folder; use the version of Fogbank that made it"
                        )

    async def reset(self) -> None:
        """Delete every row. DELETE without WHERE truncates, so this takes a few milliseconds at any size."""
        names = await self.read(_table_names)

        async def body(tx: Tx) -> None:
            for name in names:
                await tx.execute(f'DELETE FROM "{name}"')  # noqa: S608 - names come from the schema

        await self.transact(body)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._busy:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
        if self._thread is not None:
            self._syncs.put(None)
            await asyncio.to_thread(self._thread.join)
        self._end_reading()
        self._reader.close()
        self._writer.close()
        os.close(self._lock)

    @property
    def plans_are_stable(self) -> bool:
        """Whether both connections plan each statement by its text alone: for tests."""
        connections = (self._writer, self._reader)
        return all(connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, -1) for connection in connections)

    def pragma(self, name: str) -> Any:
        """The value of a PRAGMA on the writer: what `doctor` and the tests look at."""
        return next(iter(self._writer.execute(f"PRAGMA {name}")))[0]

    def plan(self, sql: str) -> list[str]:
        """How SQLite would run a statement: the lines of EXPLAIN QUERY PLAN."""
        text = _adapted(sql)
        holes = max((int(number) for number in _HOLE.findall(text)), default=0)
        rows = self._reader.cursor().execute(f"EXPLAIN QUERY PLAN {text}", (None,) * holes)
        return [str(row[3]) for row in rows]


async def _table_names(tx: Tx) -> list[str]:
    rows = await tx.fetch(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'migrations'"
    )
    return [name for (name,) in rows]


def _connect(path: str, synchronous: str) -> apsw.Connection:
    connection = apsw.Connection(path, statementcachesize=512)
    # A plan depends on its statement alone. Otherwise each statement with a range is planned anew for every new value
    # of its bounds (the library has STAT4), which costs 12 µs where running it costs 3.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    for pragma in (*_PRAGMAS, f"PRAGMA synchronous = {synchronous}"):
        connection.execute(pragma).fetchall()
    return connection


def _lock(folder: Path, name: str) -> int:
    handle = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(handle, 32).decode(errors="replace").strip()
        os.close(handle)
        raise StorageError(
            f"{folder} is in use by another server (process {owner or 'unknown'}); stop it, or use another --data"
        ) from None
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle
