"""The statements of the hot operations use an index: no scan, no sorting."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_asyncio

from fogbank.core.clock import VirtualClock
from fogbank.services.dynamodb import DynamoDb, storage
from fogbank.services.dynamodb._streams import storage as streams
from fogbank.storage import SqliteStorage


@pytest_asyncio.fixture
async def engine(tmp_path: Path) -> SqliteStorage:
    engine = SqliteStorage(tmp_path, VirtualClock(), inline_commit=True)
    await engine.migrate([DynamoDb.migrations()])
    return engine


@pytest.mark.parametrize(
    "name",
    [
        "_TABLE", "_GET", "_PUT", "_DELETE", "_DELETE_INDEXED", "_QUERY", "_QUERY_BACK", "_QUERY_INDEX",
        "_QUERY_INDEX_BACK", "_SCAN", "_SCAN_INDEX", "_EXPIRED", "_NEXT_EXPIRY", "_FIND_REPLY",
    ],
)  # fmt: skip
async def test_a_hot_statement_searches(engine: SqliteStorage, name: str) -> None:
    plan = engine.plan(getattr(storage, name))
    await engine.close()
    assert not any("SCAN" in line or "TEMP B-TREE" in line for line in plan), plan
    if name != "_PUT":
        assert any("SEARCH" in line for line in plan), plan


async def test_records_are_searched_by_stream_and_number(engine: SqliteStorage) -> None:
    plan = " ".join(engine.plan(streams._RECORDS))
    await engine.close()
    assert "(table_id=? AND stream=? AND number>?)" in plan


async def test_ranges_of_several_columns_are_searched_by_all_of_them(engine: SqliteStorage) -> None:
    plans = {name: " ".join(engine.plan(getattr(storage, name))) for name in ("_QUERY_INDEX", "_SCAN")}
    await engine.close()
    assert "(sort_key,item_partition,item_sort)>" in plans["_QUERY_INDEX"]
    assert "(partition_key,sort_key)>" in plans["_SCAN"]
