"""Tables that the tests of DynamoDB make, and how they look at refusals."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError


def key_schema(*names: str) -> list[dict[str, str]]:
    """One name is a partition key, two are a partition and a sort key."""
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def attributes(**kinds: str) -> list[dict[str, str]]:
    """`attributes(id="S")` as AttributeDefinitions."""
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def index(name: str, *keys: str, projection: str = "ALL", include: list[str] | None = None) -> dict[str, Any]:
    """A secondary index."""
    shape: dict[str, Any] = {"ProjectionType": projection}
    if include:
        shape["NonKeyAttributes"] = include
    return {"IndexName": name, "KeySchema": key_schema(*keys), "Projection": shape}


SIMPLE: dict[str, Any] = {
    "AttributeDefinitions": attributes(id="S"),
    "KeySchema": key_schema("id"),
    "BillingMode": "PAY_PER_REQUEST",
}
"""A table with a partition key `id`."""

COMPOSITE: dict[str, Any] = {
    "AttributeDefinitions": attributes(pk="S", sk="N", color="S", rank="N"),
    "KeySchema": key_schema("pk", "sk"),
    "BillingMode": "PAY_PER_REQUEST",
    "GlobalSecondaryIndexes": [
        index("by-color", "color", "rank"),
        index("colors", "color", projection="KEYS_ONLY"),
    ],
    "LocalSecondaryIndexes": [index("by-rank", "pk", "rank", projection="INCLUDE", include=["extra"])],
}
"""A table with a partition key `pk`, a sort key `sk`, two global indexes and a local one."""


def make(client: Any, name: str = "table", shape: dict[str, Any] = SIMPLE, **more: Any) -> str:
    """Make a table; its name."""
    client.create_table(TableName=name, **{**shape, **more})
    return name


def put(client: Any, table: str = "table", **values: Any) -> None:
    """Put an item of strings and whole numbers."""
    client.put_item(TableName=table, Item=plain(values))


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Strings and whole numbers as attribute values."""
    return {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in values.items()}


def simple(item: dict[str, Any]) -> dict[str, Any]:
    """The other way: the contents of attribute values, numbers as `int`."""
    return {name: int(value["N"]) if "N" in value else next(iter(value.values())) for name, value in item.items()}


def refusal(call: Any, /, **request: Any) -> tuple[str, str]:
    """The code and message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
