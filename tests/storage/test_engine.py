"""What every storage engine keeps: one suite, run on each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from fogbank.core.clock import SystemClock, VirtualClock
from fogbank.storage import Leases, Migrations, NotJoinableError, SqliteStorage, StorageError, Tx
from fogbank.storage.engine import StorageBusyError
from fogbank.storage.migrations import Migration

SCHEMA = Migrations(
    "test",
    (
        Migration(
            1, "things", "CREATE TABLE things (name TEXT NOT NULL PRIMARY KEY, size BIGINT NOT NULL, body BYTEA);"
        ),
        Migration(2, "index", "CREATE INDEX things_size ON things (size); -- a comment; with a semicolon\n"),
    ),
)
OWN = Migrations.load("storage", Path(__file__).parents[2] / "src/fogbank/storage/migrations")
INSERT = "INSERT INTO things (name, size) VALUES ($1, $2)"


@pytest_asyncio.fixture(params=["thread", "inline"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    engine = SqliteStorage(tmp_path, SystemClock(), inline_commit=request.param == "inline")
    await engine.migrate([OWN, SCHEMA])
    yield engine
    await engine.close()


async def names(storage: SqliteStorage) -> list[str]:
    async def body(tx: Tx) -> list[str]:
        return [row[0] for row in await tx.fetch("SELECT name FROM things ORDER BY name")]

    return await storage.read(body)


async def put(storage: SqliteStorage, name: str, size: int = 0) -> None:
    async def body(tx: Tx) -> None:
        await tx.execute(INSERT, name, size)

    await storage.transact(body)


async def test_what_is_committed_is_read(storage: SqliteStorage) -> None:
    await put(storage, "a")
    assert await names(storage) == ["a"]


async def test_who_was_told_of_a_commit_reads_it_however_many_read_meanwhile(storage: SqliteStorage) -> None:
    """The reads of one turn of the loop share a snapshot; it ends before anybody hears of a later commit."""
    done = False

    async def reader() -> None:
        while not done:
            seen = await names(storage)
            assert await names(storage) == seen
            await asyncio.sleep(0)

    async def writer(own: str) -> None:
        for number in range(20):
            await put(storage, f"{own}{number:02d}")
            assert f"{own}{number:02d}" in await names(storage)

    readers = [asyncio.create_task(reader()) for _ in range(3)]
    await asyncio.gather(writer("a"), writer("b"))
    done = True
    await asyncio.gather(*readers)


async def test_a_read_that_fails_leaves_the_others_of_its_turn_alone(storage: SqliteStorage) -> None:
    async def wrong(tx: Tx) -> None:
        await tx.fetch("SELECT nothing FROM nowhere")

    await put(storage, "a")
    first, second, third = await asyncio.gather(
        names(storage), storage.read(wrong), names(storage), return_exceptions=True
    )
    assert (first, third) == (["a"], ["a"])
    assert isinstance(second, Exception)


async def test_many_transactions_share_a_commit_and_each_gets_its_own_result(storage: SqliteStorage) -> None:
    async def one(i: int) -> int:
        async def body(tx: Tx) -> int:
            await tx.execute(INSERT, f"{i:04d}", i)
            return i

        return await storage.transact(body)

    assert await asyncio.gather(*(one(i) for i in range(700))) == list(range(700))
    assert len(await names(storage)) == 700


async def test_a_transaction_that_raises_is_undone_and_its_neighbours_are_not(storage: SqliteStorage) -> None:
    class RefusedError(Exception):
        pass

    async def bad(tx: Tx) -> None:
        await tx.execute(INSERT, "bad", 1)
        tx.wake("never")
        tx.after_commit(lambda: pytest.fail("called for what was undone"))
        raise RefusedError

    results = await asyncio.gather(put(storage, "a"), storage.transact(bad), put(storage, "b"), return_exceptions=True)
    assert [type(r).__name__ for r in results] == ["NoneType", "RefusedError", "NoneType"]
    assert await names(storage) == ["a", "b"]


async def test_a_failing_statement_leaves_the_batch_alive(storage: SqliteStorage) -> None:
    await put(storage, "a")
    results = await asyncio.gather(put(storage, "a"), put(storage, "b"), return_exceptions=True)
    assert isinstance(results[0], Exception)
    assert results[1] is None
    assert await names(storage) == ["a", "b"]


async def test_a_transaction_may_not_wait_for_anything_else(storage: SqliteStorage) -> None:
    async def body(tx: Tx) -> None:
        await tx.execute(INSERT, "a", 1)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaited something other"):
        await storage.transact(body)
    assert await names(storage) == []


async def test_work_within_a_transaction_is_a_part_of_it(storage: SqliteStorage) -> None:
    """Its transactions and reads see and share the outer one's fate; its callbacks wait for the one commit."""
    seen: list[list[str]] = []
    called: list[str] = []

    async def work() -> str:
        async def inner(tx: Tx) -> str:
            await tx.execute(INSERT, "inner", 1)
            tx.after_commit(lambda: called.append("inner"))
            return "result"

        result = await storage.transact(inner)
        seen.append(await names(storage))
        return result

    async def outer(tx: Tx, *, fail: bool) -> str:
        await tx.execute(INSERT, "outer", 1)
        result = await tx.within(work)
        assert not called
        if fail:
            raise ValueError
        return result

    with pytest.raises(ValueError):
        await storage.transact(lambda tx: outer(tx, fail=True))
    assert (await names(storage), called) == ([], [])
    assert await storage.transact(lambda tx: outer(tx, fail=False)) == "result"
    assert (await names(storage), called, seen[0]) == (["inner", "outer"], ["inner"], ["inner", "outer"])


async def test_work_may_have_work_within_it(storage: SqliteStorage) -> None:
    """What follows the inner work is still a part of the outer transaction."""

    async def work() -> list[str]:
        async def inner(tx: Tx) -> None:
            await tx.within(partial(put, storage, "innermost"))

        await storage.transact(inner)
        await put(storage, "inner")
        return await names(storage)

    assert await storage.transact(lambda tx: tx.within(work)) == ["inner", "innermost"]


@pytest.mark.parametrize("waits", [False, True])
async def test_work_that_fails_within_a_transaction_is_undone_alone(storage: SqliteStorage, *, waits: bool) -> None:
    called: list[str] = []

    async def work() -> None:
        async def inner(tx: Tx) -> None:
            await tx.execute(INSERT, "inner", 1)
            tx.after_commit(lambda: called.append("inner"))

        await storage.transact(inner)
        if waits:
            await asyncio.sleep(0)
        raise ValueError

    async def outer(tx: Tx) -> None:
        await tx.execute(INSERT, "before", 1)
        with pytest.raises(NotJoinableError if waits else ValueError):
            await tx.within(work)
        await tx.execute(INSERT, "after", 1)

    await storage.transact(outer)
    await put(storage, "later")
    assert (await names(storage), called) == (["after", "before", "later"], [])


async def test_callbacks_run_after_the_commit_and_before_the_answer(storage: SqliteStorage) -> None:
    seen: list[list[str]] = []

    async def body(tx: Tx) -> None:
        await tx.execute(INSERT, "a", 1)
        tx.after_commit(lambda: seen.append(["committed"]))

    await storage.transact(body)
    assert seen == [["committed"]]


async def test_a_wake_comes_after_the_commit_and_is_kept_for_a_later_wait(storage: SqliteStorage) -> None:
    async def body(tx: Tx) -> None:
        await tx.execute(INSERT, "a", 1)
        tx.wake("things")

    with storage.subscribe("things") as wakeup:
        await storage.transact(body)
        assert await wakeup.wait()
        storage.wake("other")
        waiting = asyncio.ensure_future(wakeup.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        storage.wake("things")
        assert await waiting


async def test_a_wait_ends_at_its_deadline(tmp_path: Path) -> None:
    clock = VirtualClock()
    storage = SqliteStorage(tmp_path, clock, inline_commit=True)
    with storage.subscribe("things") as wakeup:
        waiting = asyncio.ensure_future(wakeup.wait(clock.time() + 10))
        await clock.advance(9)
        assert not waiting.done()
        await clock.advance(1)
        assert await waiting is False
    await storage.close()


async def test_returning_and_upsert_mean_the_same_on_every_engine(storage: SqliteStorage) -> None:
    upsert = (
        "INSERT INTO things (name, size) VALUES ($2, $1) "
        "ON CONFLICT (name) DO UPDATE SET size = things.size + excluded.size RETURNING size"
    )

    async def body(tx: Tx) -> list[object]:
        first = await tx.fetch_one(upsert, 2, "a")
        second = await tx.fetch_one(upsert, 3, "a")
        return [first, second, await tx.execute("UPDATE things SET size = 0 WHERE size = $1", 5)]

    assert await storage.transact(body) == [(2,), (5,), 1]


async def test_values_come_back_as_they_went_in(storage: SqliteStorage) -> None:
    async def body(tx: Tx) -> object:
        await tx.execute_many(
            "INSERT INTO things (name, size, body) VALUES ($1, $2, $3)",
            [("é\u0000x", 2**63 - 1, b"\x00\xff"), ("b", -(2**63), None)],
        )
        return await tx.fetch("SELECT name, size, body FROM things ORDER BY size")

    assert await storage.transact(body) == [("b", -(2**63), None), ("é\u0000x", 2**63 - 1, b"\x00\xff")]


async def test_a_cancelled_caller_does_not_disturb_the_batch(storage: SqliteStorage) -> None:
    task = asyncio.ensure_future(put(storage, "gone"))
    other = asyncio.ensure_future(put(storage, "here"))
    task.cancel()
    await other
    assert await names(storage) == ["here"]


async def test_reset_empties_every_table(storage: SqliteStorage) -> None:
    await put(storage, "a")
    await storage.reset()
    assert await names(storage) == []
    await put(storage, "a")


async def test_a_lease_is_held_until_it_ends_or_is_released(storage: SqliteStorage) -> None:
    ours, theirs = Leases("ours"), Leases("theirs")

    async def body(tx: Tx) -> list[bool]:
        answers = [
            await ours.claim(tx, "job", now=0, millis=10),
            await theirs.claim(tx, "job", now=9, millis=10),
            await ours.claim(tx, "job", now=9, millis=10),
            await theirs.claim(tx, "job", now=19, millis=10),
        ]
        await theirs.release(tx, "job")
        return [*answers, await ours.claim(tx, "job", now=20, millis=1)]

    assert await storage.transact(body) == [True, False, True, True, True]


async def test_a_second_server_on_the_folder_is_refused(storage: SqliteStorage, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="in use by another server"):
        SqliteStorage(tmp_path, SystemClock())


async def test_migrations_are_applied_once_and_may_not_change(storage: SqliteStorage) -> None:
    await storage.migrate([OWN, SCHEMA])
    changed = Migrations("test", (Migration(1, "things", "CREATE TABLE other (x TEXT);"),))
    with pytest.raises(StorageError, match="was changed after it was applied"):
        await storage.migrate([changed])


async def test_every_commit_is_synced(storage: SqliteStorage) -> None:
    """kill -9 cannot show a missing sync, so the settings are asserted."""
    assert storage.pragma("journal_mode") == "wal"
    assert storage.pragma("synchronous") == 2


async def test_a_statement_is_planned_once_whatever_its_values(storage: SqliteStorage) -> None:
    """Planning anew for every new bound of a range costs several times what running the statement does."""
    assert storage.plans_are_stable


async def test_what_was_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    first = SqliteStorage(tmp_path, SystemClock())
    await first.migrate([SCHEMA])
    await put(first, "a")
    await first.close()
    second = SqliteStorage(tmp_path, SystemClock())
    await second.migrate([SCHEMA])
    assert await names(second) == ["a"]
    await second.close()


async def test_a_closed_storage_refuses_and_does_not_hang(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path, SystemClock())
    await storage.migrate([SCHEMA])
    last = asyncio.ensure_future(put(storage, "last"))
    await asyncio.sleep(0)
    await storage.close()
    await last
    with pytest.raises(StorageError, match="closed"):
        await put(storage, "late")


async def test_too_many_waiting_transactions_are_refused(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fogbank.storage.sqlite.MAX_PENDING", 2)
    results = await asyncio.gather(*(put(storage, str(i)) for i in range(4)), return_exceptions=True)
    assert sum(isinstance(r, StorageBusyError) for r in results) == 2


async def test_a_full_disk_is_told_and_nothing_is_half_done(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path, SystemClock())
    await storage.migrate([SCHEMA])
    await put(storage, "before")
    storage.pragma("max_page_count = 12")

    async def big(tx: Tx) -> None:
        await tx.execute("INSERT INTO things (name, size, body) VALUES ($1, 0, $2)", "big", bytes(1_000_000))

    with pytest.raises(Exception, match="full"):
        await storage.transact(big)
    storage.pragma("max_page_count = 100000")
    await put(storage, "after")
    assert await names(storage) == ["after", "before"]
    await storage.close()


async def test_a_full_disk_within_a_transaction_undoes_it_whatever_is_made_of_the_error(tmp_path: Path) -> None:
    """A service words every error its own way: the outer transaction must not go on without its beginning."""
    storage = SqliteStorage(tmp_path, SystemClock())
    await storage.migrate([SCHEMA])
    storage.pragma("max_page_count = 12")

    async def work() -> None:
        async def big(tx: Tx) -> None:
            await tx.execute("INSERT INTO things (name, size, body) VALUES ($1, 0, $2)", "big", bytes(1_000_000))

        try:
            await storage.transact(big)
        except Exception as error:
            raise ValueError from error

    async def outer(tx: Tx) -> None:
        await tx.execute(INSERT, "before", 1)
        with contextlib.suppress(ValueError):
            await tx.within(work)
        await tx.execute(INSERT, "after", 1)

    with pytest.raises(StorageError, match="nothing was changed"):
        await storage.transact(outer)
    assert await names(storage) == []
    await storage.close()
