"""Statements use an index. SQLite is asked how it would run each; a scan of a whole table is a fault.

A statement is a constant of a service's storage (or of delivery's outbox) that begins like SQL. Statements that are
meant to read all of a small table are listed in ratchet.toml, with the reason.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest
from tests.tidy.source import Finding, check

import fogbank
from fogbank.cloud import LocalCloud
from fogbank.storage import SqliteStorage

pytestmark = pytest.mark.xdist_group("tidy")  # one worker, so that every file is parsed once

STATEMENT = re.compile(r"\s*(SELECT|UPDATE|DELETE|INSERT|WITH)\b", re.IGNORECASE)
SCAN = re.compile(r"^SCAN (?!CONSTANT|\d+ CONSTANT|SUBQUERY|\(|json_each|value|old|new)\w+")


def statements() -> Iterator[tuple[str, str, str]]:
    """(module, name, text) of every SQL constant in modules that hold SQL."""
    for found in pkgutil.walk_packages(fogbank.__path__, "fogbank."):
        parts = found.name.split(".")
        if parts[1] not in {"services", "delivery", "storage"}:
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, str) and name.isupper() and STATEMENT.match(value) and " " in value.strip():
                yield found.name, name, value


async def test_every_statement_uses_an_index(cloud: LocalCloud) -> None:
    """Whatever the number of rows, the cost of a question is that of its answer."""
    storage = cloud.storage
    assert isinstance(storage, SqliteStorage)
    findings: list[Finding] = []
    asked = 0
    for module, name, text in statements():
        asked += 1
        scans = [line for line in storage.plan(text) if SCAN.match(line)]
        findings += [(f"{module}.{name}", 0, line) for line in scans]
    assert asked > 50
    check("statements without an index", findings)
