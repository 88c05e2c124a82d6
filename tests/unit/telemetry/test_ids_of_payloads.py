"""Correlation ids in what a function is handed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.cli.log_lines import level_of, reaches
from fogbank.telemetry.correlation import ids_of_payload

BODY = json.dumps({"correlation_id": "c", "detail": {"metadata": {"correlationId": "d"}}})


@pytest.mark.parametrize(
    ("event", "ids"),
    [
        ({"correlation_id": "a"}, ["a"]),
        ({"headers": {"X-Correlation-Id": "a"}}, ["a"]),
        ({"headers": {"x-correlation-id": "a"}, "correlationId": "b"}, ["b", "a"]),
        ({"detail": {"metadata": {"correlation_id": 7}}}, ["7"]),
        ({"Records": [{"body": BODY}, {"body": BODY}, {"body": "correlation"}]}, ["c", "d"]),
        ({"Records": [{"Sns": {"Message": BODY}}]}, ["c", "d"]),
        ({"correlation_id": None}, []),
        ({"other": "correlation"}, []),
    ],
)
def test_ids_are_found_where_applications_put_them(event: Any, ids: list[str]) -> None:
    """At the top, in headers of any case, in an event's detail, in the messages of a batch."""
    assert ids_of_payload(json.dumps(event).encode()) == ids


@given(st.recursive(st.none() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["correlation_id", "headers", "Records", "body", "Sns", "detail"]), inner, max_size=4), max_leaves=10))  # fmt: skip  # noqa: E501
def test_any_event_is_read_without_harm(event: Any) -> None:
    """Whatever stands where ids may stand."""
    ids_of_payload(json.dumps(event).encode())


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("[ERROR]\t2024-01-01T00:00:00Z\tid\tno", "ERROR"), ('{"level": "warning"}', "WARN"), ("WARNING: x", "WARN"),
        ('{"severity": "CRITICAL"}', "FATAL"), ("2024-01-01 DEBUG x", "DEBUG"), ("plain", None), ('{"a": 1}', None),
        ("Traceback (most recent call last):", "ERROR"), ('{"level"', None), ("an error in small letters", None),
    ],
)  # fmt: skip
def test_a_line_has_a_level(line: str, level: str | None) -> None:
    """As loggers write it: a field of JSON, a word at the beginning."""
    assert level_of(line) == level
    assert reaches(line, "TRACE") is (level is not None)
