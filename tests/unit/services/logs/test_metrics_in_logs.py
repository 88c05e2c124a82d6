"""Embedded metric format and metric filters: text to data, whatever the text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.logs._emf import is_embedded, read
from fogbank.services.logs._metric_filters import data_of

NOW = 1_700_000_000_000
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)
NUMBERS = st.floats(-1e6, 1e6) | st.integers(-1000, 1000)
ANY = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def embedded(directives: Any, **members: Any) -> str:
    return json.dumps({"_aws": {"Timestamp": NOW, "CloudWatchMetrics": directives}, **members})


def test_a_directive_makes_a_datum_for_each_metric_and_set_of_dimensions() -> None:
    """With its unit, resolution, values and counts; a metric without a value makes none."""
    directive = {
        "Namespace": "N",
        "Dimensions": [["a"], ["a", "b"]],
        "Metrics": [{"Name": "m", "Unit": "Bytes", "StorageResolution": 1}, {"Name": "gone"}],
    }
    found = read(embedded([directive], a="x", b="y", m=[1, 2, 1]), NOW)
    assert not found.broken
    one, two = found.data["N"]
    assert one == {
        "MetricName": "m", "Dimensions": [{"Name": "a", "Value": "x"}], "Timestamp": NOW / 1000, "Unit": "Bytes",
        "StorageResolution": 1, "Values": [1.0, 2.0], "Counts": [2.0, 1.0],
    }  # fmt: skip
    assert [each["Name"] for each in two["Dimensions"]] == ["a", "b"]


@pytest.mark.parametrize(
    "message",
    [
        embedded("no"),
        embedded([{"Metrics": []}]),
        embedded([{"Namespace": "AWS/SQS", "Metrics": []}]),
        embedded([{"Namespace": "N", "Dimensions": [["gone"]], "Metrics": [{"Name": "m"}]}], m=1),
        embedded([{"Namespace": "N", "Metrics": [{"Name": "m"}]}], m=True),
        embedded([{"Namespace": "N", "Metrics": [{"Name": "m"}]}], m=list(range(101))),
        embedded([{"Namespace": "N", "Metrics": [{"Name": "m"}] * 101}], m=1),
        '{"_aws": {"CloudWatchMetrics": [',
    ],
)
def test_what_breaks_the_specification_is_broken(message: str) -> None:
    """All of it: none of its metrics are taken."""
    found = read(message, NOW)
    assert (found.data, found.broken) == ({}, True)


@given(st.lists(st.fixed_dictionaries({"Namespace": ANY, "Dimensions": ANY, "Metrics": ANY}) | ANY, max_size=3), ANY)
def test_any_document_is_read_without_harm(directives: Any, more: Any) -> None:
    """What functions print is theirs."""
    message = json.dumps({"_aws": {"Timestamp": NOW, "CloudWatchMetrics": directives}, "m": more})
    assert is_embedded(message)
    read(message, NOW)


def filtered(pattern: str, messages: list[str], **more: Any) -> list[dict[str, Any]]:
    transformation = {"metricNamespace": "N", "metricName": "m", "metricValue": "1", **more}
    return data_of([(pattern, transformation)], [(NOW, message) for message in messages]).get("N", [])


def test_matches_of_a_minute_are_one_datum() -> None:
    """Each value with how often it came; more than 150 values are several data."""
    (datum,) = filtered("a", ["a", "b", "ab"])
    assert (datum["Values"], datum["Counts"], datum["Timestamp"]) == ([1.0], [2.0], NOW // 60_000 * 60)
    many = filtered("{ $.v >= 0 }", [json.dumps({"v": n}) for n in range(200)], metricValue="$.v")
    assert [len(each["Values"]) for each in many] == [150, 50]


def test_a_field_that_is_no_number_publishes_nothing() -> None:
    """Nor does a match that lacks a dimension; a default does where nothing matched."""
    assert filtered("{ $.a = 1 }", ['{"a": 1, "v": "x"}', '{"a": 1}'], metricValue="$.v") == []
    assert filtered("{ $.a = 1 }", ['{"a": 1}'], dimensions={"D": "$.d"}) == []
    (datum,) = filtered("{ $.a = 1 }", ['{"a": 1, "d": "x", "v": 2.5}'], dimensions={"D": "$.d"}, metricValue="$.v")
    assert (datum["Dimensions"], datum["Values"]) == ([{"Name": "D", "Value": "x"}], [2.5])
    (default,) = filtered("NEVER", ["a", "b"], defaultValue=0)
    assert (default["Values"], default["Counts"], default["Dimensions"]) == ([0.0], [1.0], [])


@given(st.text(max_size=40), st.sampled_from(["ERROR", "{ $.a = * }", "[a, b, c]", "[..., v = 1*]", "%x+%"]))
def test_any_message_passes_any_filter(message: str, pattern: str) -> None:
    """What is logged is anything."""
    filtered(pattern, [message], metricValue="$.a", dimensions={"D": "$c"})
