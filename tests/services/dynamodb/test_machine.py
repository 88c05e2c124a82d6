"""A table with indexes does what a dict would, whatever is done to it in whatever order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.services.dynamodb.shapes import COMPOSITE, plain, simple

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.dynamodb import DynamoDb
from fogbank.storage import SqliteStorage

T = TypeVar("T")
Key = tuple[str, int]
KEYS = st.tuples(st.sampled_from(["p", "q"]), st.integers(-3, 3))
COLORS = st.sampled_from(["red", "blue", None])
RANKS = st.one_of(st.none(), st.integers(-2, 2))


class TableMachine(RuleBasedStateMachine):
    """Does the same to a table and to a dict, and compares them and every index after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory(prefix="fogbank-machine-")
        self.items: dict[Key, dict[str, Any]] = {}

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        request = {"TableName": "table"} | request
        return self.run(self.cloud.call(Scope(), "dynamodb", operation, request))

    @initialize()
    def begin(self) -> None:
        clock = VirtualClock()
        folder = Path(self.folder.name)
        storage = SqliteStorage(folder, clock, inline_commit=True)
        services = {"dynamodb": DynamoDb}
        self.cloud = LocalCloud(Config(data=folder), clock, Ids(seed=1), storage, services=services)
        self.run(self.cloud.start())
        self.call("CreateTable", **COMPOSITE)

    def teardown(self) -> None:
        self.run(self.cloud.stop())
        self.loop.close()
        self.folder.cleanup()

    # -- what is done -------------------------------------------------------------------------------------

    @rule(key=KEYS, color=COLORS, rank=RANKS, extra=st.integers(0, 3))
    def put(self, key: Key, color: str | None, rank: int | None, extra: int) -> None:
        item = made(key, color, rank, extra)
        reply = self.call("PutItem", Item=plain(item), ReturnValues="ALL_OLD")
        assert simple(reply.get("Attributes", {})) == self.items.get(key, {})
        self.items[key] = item

    @rule(key=KEYS, color=COLORS, rank=RANKS)
    def put_if_absent(self, key: Key, color: str | None, rank: int | None) -> None:
        item = made(key, color, rank, 0)
        request: dict[str, Any] = {"Item": plain(item), "ConditionExpression": "attribute_not_exists(pk)"}
        if key in self.items:
            with pytest.raises(ApiError, match="The conditional request failed"):
                self.call("PutItem", **request)
        else:
            self.call("PutItem", **request)
            self.items[key] = item

    @rule(key=KEYS)
    def delete(self, key: Key) -> None:
        reply = self.call("DeleteItem", Key=plain({"pk": key[0], "sk": key[1]}), ReturnValues="ALL_OLD")
        assert simple(reply.get("Attributes", {})) == self.items.pop(key, {})

    @rule(key=KEYS, color=COLORS, rank=RANKS)
    def update(self, key: Key, color: str | None, rank: int | None) -> None:
        """Set the index keys, or remove them; count how often."""
        sections = {"SET": [] if color is None else ["color = :color"], "ADD": ["extra :one"], "REMOVE": []}
        values: dict[str, Any] = {"one": 1}
        item = self.items.setdefault(key, {"pk": key[0], "sk": key[1]})
        for name, value in (("color", color), ("rank", rank)):
            if value is None:
                sections["REMOVE"].append(f"#{name}")
                item.pop(name, None)
            else:
                values[name] = value
                item[name] = value
        if rank is not None:
            sections["SET"].append("#rank = :rank")
        item["extra"] = item.get("extra", 0) + 1
        text = " ".join(f"{verb} {', '.join(parts)}" for verb, parts in sections.items() if parts)
        names = {f"#{name}": name for name in ("color", "rank") if f"#{name}" in text}
        reply = self.call(
            "UpdateItem", Key=plain({"pk": key[0], "sk": key[1]}), UpdateExpression=text, ReturnValues="ALL_NEW",
            ExpressionAttributeValues={f":{name}": value for name, value in plain(values).items()},
            **({"ExpressionAttributeNames": names} if names else {}),
        )  # fmt: skip
        assert simple(reply["Attributes"]) == item

    @rule(keys=st.lists(KEYS, min_size=1, max_size=3, unique=True), must_exist=st.booleans())
    def transact(self, keys: list[Key], must_exist: bool) -> None:
        """Recolour some items, all or none of them."""
        condition = "attribute_exists(pk)" if must_exist else "attribute_not_exists(pk)"
        puts = [
            {"Put": {"TableName": "table", "Item": plain(made(key, "red", 0, 9)), "ConditionExpression": condition}}
            for key in keys
        ]
        call = self.cloud.call(Scope(), "dynamodb", "TransactWriteItems", {"TransactItems": puts})
        if any((key in self.items) != must_exist for key in keys):
            with pytest.raises(ApiError, match="Transaction cancelled"):
                self.run(call)
        else:
            self.run(call)
            self.items.update((key, made(key, "red", 0, 9)) for key in keys)

    # -- what must hold -----------------------------------------------------------------------------------

    def pages(self, operation: str, limit: int = 3, **request: Any) -> list[dict[str, Any]]:
        """All items of a Query or Scan, taken a few at a time."""
        found: list[dict[str, Any]] = []
        while True:
            reply = self.call(operation, Limit=limit, **request)
            found += [simple(item) for item in reply["Items"]]
            if "LastEvaluatedKey" not in reply:
                return found
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    @invariant()
    def the_table_has_the_items(self) -> None:
        if not hasattr(self, "cloud"):
            return
        found = {(item["pk"], item["sk"]): item for item in self.pages("Scan")}
        assert found == self.items

    @invariant()
    def a_partition_is_in_order(self) -> None:
        if not hasattr(self, "cloud"):
            return
        for forward in (True, False):
            found = self.pages(
                "Query", KeyConditionExpression="pk = :p AND sk BETWEEN :a AND :z", ScanIndexForward=forward,
                ExpressionAttributeValues=plain({":p": "p", ":a": -2, ":z": 2}),
            )  # fmt: skip
            expected = sorted(sk for pk, sk in self.items if pk == "p" and -2 <= sk <= 2)
            assert [item["sk"] for item in found] == (expected if forward else expected[::-1])

    @invariant()
    def the_global_index_has_what_it_should(self) -> None:
        if not hasattr(self, "cloud"):
            return
        found = self.pages(
            "Query", IndexName="by-color", KeyConditionExpression="color = :c",
            ExpressionAttributeValues={":c": {"S": "red"}},
        )  # fmt: skip
        expected = [item for item in self.items.values() if item.get("color") == "red" and "rank" in item]
        assert [item["rank"] for item in found] == sorted(item["rank"] for item in expected)
        assert sorted(found, key=repr) == sorted((in_order(item, found) for item in expected), key=repr)

    @invariant()
    def the_other_indexes_have_what_they_should(self) -> None:
        if not hasattr(self, "cloud"):
            return
        colors = self.pages("Scan", IndexName="colors")
        expected = [
            {name: item[name] for name in ("pk", "sk", "color")} for item in self.items.values() if "color" in item
        ]
        assert sorted(colors, key=place) == sorted(expected, key=place)
        ranks = self.pages("Scan", IndexName="by-rank")
        expected = [
            {name: item[name] for name in ("pk", "sk", "rank", "extra") if name in item}
            for item in self.items.values()
            if "rank" in item
        ]
        assert sorted(ranks, key=place) == sorted(expected, key=place)


def made(key: Key, color: str | None, rank: int | None, extra: int) -> dict[str, Any]:
    item = {"pk": key[0], "sk": key[1], "color": color, "rank": rank, "extra": extra}
    return {name: value for name, value in item.items() if value is not None}


def place(item: dict[str, Any]) -> Key:
    return item["pk"], item["sk"]


def in_order(item: dict[str, Any], like: list[dict[str, Any]]) -> dict[str, Any]:
    """The item with its attributes in the order in which they were found, so that texts of items compare."""
    for found in like:
        if found == item:
            return found
    return item


TableMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
TestTable = pytest.mark.slow(TableMachine.TestCase)
