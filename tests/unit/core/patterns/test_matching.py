"""What patterns match. Each example is documented; the source is named beside its group."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fogbank.core.patterns import compile_document, compile_pattern

EVENT = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "111122223333",
    "time": "2017-12-22T18:43:48Z",
    "region": "us-west-1",
    "resources": [
        "arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0",
        "arn:aws:ec2:us-west-1:123456789012:instance/i-2",
    ],
    "detail": {
        "c-count": 5,
        "d-count": 3,
        "x-limit": 301.8,
        "source-ip": "10.0.0.33",
        "v6": "2001:db8::1",
        "instance-id": "i-000000aaaaaa00000",
        "state": "terminated",
        "empty": "",
        "nothing": None,
        "yes": True,
        "no": False,
        "account": 123456789012,
        "none-left": [],
        "bare": {},
        "tags": ["Custom_Alert", "Insider", 7],
        "nested": [["a", ["b"]], [{"deep": [{"leaf": 1}]}]],
        "employees": [
            {"firstName": "John", "lastName": "Doe", "ids": [1, 2]},
            {"firstName": "Anna", "lastName": "Smith", "ids": [3]},
            {"firstName": "Peter", "lastName": "Jones", "ids": [4, 5]},
        ],
    },
}


def detail(**fields: Any) -> dict[str, Any]:
    return {"detail": {name.replace("_", "-"): value for name, value in fields.items()}}


MATCHES: list[dict[str, Any]] = [
    # eb-event-patterns.html
    {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]},
    {"source": ["aws.fargate", "aws.ec2"]},
    detail(state=["terminated"]),
    # eb-event-patterns-arrays.html
    {"resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-2", "other"]},
    detail(tags=["Insider"]),
    detail(tags=[7]),
    # eb-event-patterns-null-values.html
    detail(empty=[""]),
    detail(nothing=[None]),
    # literals
    detail(yes=[True]),
    detail(no=[False]),
    # numbers by value
    detail(c_count=[5]),
    detail(c_count=[5.0]),
    detail(x_limit=[3.018e2]),
    detail(account=[123456789012]),
    # eb-create-pattern-operators.html
    {"time": [{"prefix": "2017-12-22"}]},
    detail(state=[{"prefix": ""}]),
    detail(state=[{"prefix": {"equals-ignore-case": "TERMIN"}}]),
    detail(state=[{"suffix": "ated"}]),
    detail(state=[{"suffix": {"equals-ignore-case": "ATED"}}]),
    detail(state=[{"equals-ignore-case": "TermiNated"}]),
    detail(state=[{"anything-but": "initializing"}]),
    detail(state=[{"anything-but": ["stopped", "overloaded"]}]),
    detail(state=[{"anything-but": 5}]),
    detail(x_limit=[{"anything-but": [100, 200, 300]}]),
    detail(c_count=[{"anything-but": "5"}]),
    detail(state=[{"anything-but": {"prefix": "init"}}]),
    detail(state=[{"anything-but": {"prefix": ["init", "x"]}}]),
    detail(state=[{"anything-but": {"suffix": "ing"}}]),
    detail(state=[{"anything-but": {"suffix": [".txt", ".rtf"]}}]),
    detail(state=[{"anything-but": {"equals-ignore-case": "initializing"}}]),
    detail(state=[{"anything-but": {"equals-ignore-case": ["Initializing", "stopped"]}}]),
    detail(state=[{"anything-but": {"wildcard": "*/lib/*"}}]),
    detail(state=[{"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}]),
    detail(c_count=[{"numeric": [">", 0, "<=", 5]}], d_count=[{"numeric": ["<", 10]}]),
    detail(x_limit=[{"numeric": ["=", 3.018e2]}]),
    detail(c_count=[{"numeric": [">=", 5]}]),
    detail(c_count=[{"numeric": [">", 4.999999]}]),
    detail(source_ip=[{"cidr": "10.0.0.0/24"}]),
    detail(v6=[{"cidr": "2001:db8::/32"}]),
    detail(v6=["2001:0db8:0:0:0:0:0:1"]),
    detail(c_count=[{"exists": True}]),
    detail(nothing=[{"exists": True}]),
    detail(empty=[{"exists": True}]),
    detail(missing=[{"exists": False}]),
    detail(none_left=[{"exists": False}]),
    detail(bare=[{"exists": False}]),
    detail(employees=[{"exists": False}]),
    detail(missing=["x", {"exists": False}]),
    detail(state=["terminated", {"exists": False}]),
    detail(state=[{"wildcard": "t*ted"}]),
    detail(state=[{"wildcard": "*"}]),
    detail(empty=[{"wildcard": "*"}]),
    detail(state=[{"exactly": "terminated"}]),
    {"source": ["aws.ec2"], "$or": [{"region": ["x"]}, {"detail": {"state": ["terminated"]}}]},
    {"detail": {"$or": [{"state": ["x"]}, {"c-count": [5], "$or": [{"d-count": [3]}, {"d-count": [4]}]}]}},
    # README of event-ruler, "JSON Array Matching"
    {"detail": {"employees": {"firstName": ["Anna"]}}},
    {"detail": {"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}},
    {"detail": {"employees": {"firstName": ["Peter"], "ids": [5]}}},
    {"detail": {"nested": ["b"]}},
    {"detail": {"nested": {"deep": {"leaf": [1]}}}},
    # README of event-ruler, "Compiled rules and JSON keys with dots"
    {"detail.state": ["terminated"]},
    {"detail.employees.firstName": ["Anna"], "detail": {"employees.lastName": ["Smith"]}},
    # README of event-ruler, "The backward compatibility of using $or"
]

REFUSES: list[dict[str, Any]] = [
    {"source": ["AWS.EC2"]},
    {"Source": ["aws.ec2"]},
    {"source": ["aws.ec2"], "region": ["us-east-1"]},
    {"missing": ["x"]},
    detail(empty=[None]),
    detail(nothing=[""]),
    detail(yes=[1]),
    detail(yes=["true"]),
    detail(no=[0]),
    detail(c_count=["5"]),
    detail(c_count=[5.000001]),
    detail(account=[123456789013]),
    detail(c_count=[{"prefix": "5"}]),
    detail(state=[{"prefix": "TERMIN"}]),
    detail(state=[{"suffix": "ATED"}]),
    detail(state=[{"equals-ignore-case": "terminate"}]),
    detail(state=[{"anything-but": "terminated"}]),
    detail(state=[{"anything-but": ["terminated", "x"]}]),
    detail(missing=[{"anything-but": "x"}]),
    detail(none_left=[{"anything-but": "x"}]),
    detail(c_count=[{"anything-but": 5.0}]),
    detail(state=[{"anything-but": {"prefix": "term"}}]),
    detail(state=[{"anything-but": {"suffix": ["ated"]}}]),
    detail(state=[{"anything-but": {"equals-ignore-case": "TERMINATED"}}]),
    detail(state=[{"anything-but": {"wildcard": "t*d"}}]),
    detail(c_count=[{"numeric": [">", 5]}]),
    detail(c_count=[{"numeric": ["<", 5]}]),
    detail(state=[{"numeric": [">", 0]}]),
    detail(yes=[{"numeric": [">", 0]}]),
    detail(account=[{"numeric": [">", 0]}]),
    detail(source_ip=[{"cidr": "10.0.1.0/24"}]),
    detail(source_ip=[{"cidr": "10.0.0.34/24"}]),
    detail(state=[{"cidr": "10.0.0.0/24"}]),
    detail(v6=[{"cidr": "10.0.0.0/24"}]),
    detail(state=[{"exists": False}]),
    detail(none_left=[{"exists": True}]),
    detail(bare=[{"exists": True}]),
    detail(employees=[{"exists": True}]),
    detail(missing=[{"exists": True}]),
    detail(missing=["x"], state=[{"exists": True}]),
    detail(state=["other", {"exists": False}]),
    detail(state=[{"wildcard": "t*x*ted"}]),
    detail(c_count=[{"wildcard": "*"}]),
    {"$or": [{"source": ["x"]}, {"region": ["y"]}]},
    {"source": ["x"], "$or": [{"source": ["aws.ec2"]}, {"region": ["y"]}], "region": ["z"]},
    {"detail": {"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}},
    {"detail": {"employees": {"firstName": ["Anna"], "ids": [4]}}},
    {"detail": ["x"]},
    {"source": {"below": ["aws.ec2"]}},
]


@pytest.mark.parametrize("pattern", MATCHES, ids=json.dumps)
def test_a_documented_pattern_matches(pattern: dict[str, Any]) -> None:
    assert compile_document(pattern).matches(EVENT)


@pytest.mark.parametrize("pattern", REFUSES, ids=json.dumps)
def test_a_pattern_that_differs_does_not_match(pattern: dict[str, Any]) -> None:
    assert not compile_document(pattern).matches(EVENT)


def test_dots_in_an_events_names_join_with_the_names_around_them() -> None:
    pattern = compile_document({"detail": {"state": {"status": ["running"]}}})
    assert pattern.matches({"detail": {"state.status": "running"}})
    assert pattern.matches({"detail.state": {"status": "running"}})
    assert pattern.matches({"detail": {"state": {"status": "x"}, "state.status": "running"}})
    assert pattern.matches({"detail": {"state.status": "x", "state": {"status": "running"}}})
    assert not pattern.matches({"detail": {"state.other": "running"}})


def test_or_that_is_no_operator_is_a_field() -> None:
    """The README of event-ruler, "The backward compatibility of using "$or" as field name"."""
    pattern = compile_document({"source": ["a"], "$or": {"metricType": ["m"]}})
    assert pattern.matches({"source": "a", "$or": {"metricType": "m"}})
    assert not pattern.matches({"source": "a", "metricType": "m"})


def test_the_last_of_two_equal_names_counts() -> None:
    pattern = compile_pattern('{"a": [1], "a": [2]}')
    assert pattern.matches({"a": 2})
    assert not pattern.matches({"a": 1})


def test_an_escaped_asterisk_is_an_asterisk() -> None:
    pattern = compile_document({"a": [{"wildcard": "*\\**\\\\"}]})
    assert pattern.matches({"a": "x*y\\"})
    assert not pattern.matches({"a": "xy\\"})


def test_case_is_ignored_beyond_ascii_character_by_character() -> None:
    pattern = compile_document({"a": [{"equals-ignore-case": "ÄRGER"}]})
    assert pattern.matches({"a": "ärger"})
    assert not compile_document({"a": [{"equals-ignore-case": "ß"}]}).matches({"a": "SS"})


def test_a_deep_event_is_matched_without_recursion() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert compile_document({"a": ["x"]}).matches({"a": deep})
    assert compile_document({"a": {"b": [{"exists": False}]}}).matches({"a": deep, "dotted.name": 1})


def test_wildcards_do_not_backtrack() -> None:
    pattern = compile_document({"a": [{"wildcard": "*a*a*a*a*b"}]})
    assert not pattern.matches({"a": "a" * 20_000})
