"""Runs the rows of the conformance tables over the wire. Their format is described in README.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from fogbank.core.models import service_model, snake_case

SOURCE = re.compile(r"documented|botocore model|recorded by .+")
WHOLE = re.compile(r"\$([a-z]\w*(?:\.\w+)*)")
REFERENCE = re.compile(r"\$\{([a-z]\w*(?:\.\w+)*)\}")
KEYS = {"operation", "rule", "source", "given", "request", "reply", "error", "client"}
LOOSE = BotoConfig(parameter_validation=False, inject_host_prefix=False, retries={"max_attempts": 0})


class TableLoader(yaml.CSafeLoader):
    """YAML with `!bytes`."""


TableLoader.add_constructor("!bytes", lambda _loader, node: str(node.value).encode())


@dataclass(frozen=True)
class Row:
    """A row of a table."""

    service: str
    operation: str
    rule: str
    source: str
    given: list[dict[str, Any]]
    request: dict[str, Any]
    reply: dict[str, Any] | None
    error: dict[str, Any] | None
    client: dict[str, Any]

    @classmethod
    def load(cls, service: str, row: Mapping[str, Any]) -> Row:
        unknown = row.keys() - KEYS
        assert not unknown, f"{service}: unknown keys {unknown} in {row}"
        return cls(
            service,
            row["operation"],
            row["rule"],
            row["source"],
            row.get("given", []),
            row.get("request", {}),
            row.get("reply"),
            row.get("error"),
            row.get("client", {}),
        )

    def __str__(self) -> str:
        return f"{self.service}-{self.operation}-{self.rule.replace(' ', '_')}"


def load_tables() -> list[Row]:
    rows = []
    for path in sorted(Path(__file__).parent.glob("*.yaml")):
        table = yaml.load(path.read_text(), TableLoader)
        assert table["service"] == path.stem, f"{path.name}: expected service: {path.stem}"
        rows += [Row.load(path.stem, row) for row in table["rows"]]
    return rows


ROWS = load_tables()


def call(aws: Callable[..., Any], service: str, operation: str, request: Any, client: Mapping[str, Any]) -> Any:
    """Make a call with boto3; streaming bodies of the reply are read."""
    reply = getattr(aws(service, config=LOOSE, **client), snake_case(operation))(**request)
    return {name: value.read() if hasattr(value, "read") else value for name, value in reply.items()}


def fill(value: Any, kept: Mapping[str, Any]) -> Any:
    """Put parts of kept replies where they are referred to."""
    if isinstance(value, dict):
        return {name: fill(item, kept) for name, item in value.items()}
    if isinstance(value, list):
        return [fill(item, kept) for item in value]
    if not isinstance(value, str):
        return value
    whole = WHOLE.fullmatch(value)
    if whole is not None:
        return look_up(whole[1], kept)
    return REFERENCE.sub(lambda match: str(look_up(match[1], kept)), value)


def look_up(path: str, kept: Mapping[str, Any]) -> Any:
    found: Any = kept
    for step in path.split("."):
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found


def difference(expected: Any, actual: Any, at: str = "reply") -> str | None:
    """The first difference between what is written and what came; `None` if it fits."""
    if isinstance(expected, str) and expected.startswith("~"):
        fits = len(expected) == 1 or re.fullmatch(expected[1:], str(actual), re.DOTALL)
        return None if actual is not None and fits else f"{at}: expected {expected}, got {actual!r}"
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name, item in expected.items():
            found = difference(item, actual.get(name), f"{at}.{name}")
            if found:
                return found
        return None
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"{at}: expected {len(expected)} elements, got {actual!r}"
        for index, (item, other) in enumerate(zip(expected, actual, strict=True)):
            found = difference(item, other, f"{at}.{index}")
            if found:
                return found
        return None
    return None if expected == actual else f"{at}: expected {expected!r}, got {actual!r}"


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_row(row: Row, aws: Callable[..., Any]) -> None:
    """The row's call is answered as the row says."""
    kept: dict[str, Any] = {}
    for step in row.given:
        service, _, operation = step["call"].partition(".")
        settings = fill(step.get("client", {}), kept)
        reply = call(aws, service, operation, fill(step.get("with", {}), kept), settings)
        if "as" in step:
            kept[step["as"]] = reply
    request, client = fill(row.request, kept), fill(row.client, kept)
    if row.error is None:
        reply = call(aws, row.service, row.operation, request, client)
        assert difference(fill(row.reply or {}, kept), reply) is None
        return
    with pytest.raises(ClientError) as caught:
        call(aws, row.service, row.operation, request, client)
    answer = caught.value.response
    got = {
        "code": answer["Error"]["Code"],
        "status": answer["ResponseMetadata"]["HTTPStatusCode"],
        "message": answer["Error"].get("Message", ""),
    }
    assert difference(fill(row.error, kept), got, "error") is None


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_row_is_well_formed(row: Row) -> None:
    """Every row is about an operation of its service's model and names its source."""
    assert SOURCE.fullmatch(row.source), f"{row.source!r} is no source"
    assert row.operation in service_model(row.service).operation_names
    assert row.error is None or {"code", "status"} <= row.error.keys()
    assert row.reply is None or row.error is None


def test_no_row_is_there_twice() -> None:
    """An operation and a rule name a row."""
    names = [str(row) for row in ROWS]
    assert sorted(set(names)) == sorted(names)
