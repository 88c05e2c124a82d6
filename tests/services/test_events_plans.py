"""The statements that EventBridge and Scheduler run again and again use their indexes."""

from __future__ import annotations

import pytest

from fogbank.cloud import LocalCloud
from fogbank.services.events import storage as events
from fogbank.services.scheduler import storage as scheduler
from fogbank.storage import SqliteStorage

STATEMENTS = [
    ("events", name)
    for name in (
        "GET_BUS", "LIST_BUSES", "GET_RULE", "LIST_RULES", "BUS_RULES", "DUE_RULES", "NEXT_FIRE", "RULE_TARGETS",
        "BUS_TARGETS", "RULES_OF_TARGET", "LIST_ARCHIVES", "ARCHIVED", "EXPIRED", "NEXT_EXPIRY", "GROW_ARCHIVE",
        "ACTIVE_REPLAYS",
    )
] + [
    ("scheduler", name)
    for name in (
        "GET_GROUP", "LIST_GROUPS", "GET_SCHEDULE", "LIST_GROUPS_SCHEDULES", "LIST_SCHEDULES", "DUE", "NEXT_DUE",
        "GET_TOKEN", "EXPIRE_TOKENS",
    )
]  # fmt: skip


@pytest.mark.parametrize(("service", "name"), STATEMENTS)
async def test_a_statement_uses_an_index(cloud: LocalCloud, service: str, name: str) -> None:
    assert isinstance(cloud.storage, SqliteStorage)
    plan = cloud.storage.plan(getattr(events if service == "events" else scheduler, name))
    assert plan
    assert not any(line.startswith("SCAN") and "USING" not in line for line in plan), plan
