"""Patterns as EventBridge itself answered for them, recorded by the LocalStack project's validated suite."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fogbank.core.patterns import InvalidPatternError, compile_pattern

_TEXT = "match pattern must be a string"
_AFFIX = f"prefix/suffix {_TEXT}"
_LIST = "Value of anything-but must be an array or single string/number value."
_IGNORE_CASE = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
_TOKEN = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"

REFUSED = [
    ('{"int": 42}', '"int" must be an object or an array', 11),
    ('{"string": "my-value"}', '"string" must be an object or an array', 13),
    ('{"resources": []}', "Empty arrays are not allowed", 17),
    ('{"my_key": [{"EXISTS": true}]}', "Unrecognized match type EXISTS", 28),
    ('{"detail": {"equal": [{"NUMERIC": ["=", 5]}]}}', "Unrecognized match type NUMERIC", 36),
    ('{"detail": {"c-count": [{"numeric": [">", 0, ">", 0]}]}}', "Bad numeric range operator: >", 49),
    ('{"detail": {"c-count": [{"numeric": [">", 0, "<"]}]}}', "Value of < must be numeric", 50),
    ('{"detail-type": [{"equals-ignore-case": ["ec2"]}]}', f"equals-ignore-case {_TEXT}", 42),
    ('{"detail-type": [{"equals-ignore-case": {"prefix": "ec2"}}]}', f"equals-ignore-case {_TEXT}", 42),
    ('{"detail": {"state": [{"anything-but": {"equals-ignore-case": 123}}]}}', _IGNORE_CASE, 66),
    ('{"EventBusArn": [{"wildcard": 123}]}', f"wildcard {_TEXT}", 34),
    ('{"detail": {"FilePath": [{"anything-but": {"wildcard": 123}}]}}', f"wildcard {_TEXT}", 59),
    ('{"detail": {"FileName": [{"anything-but": {"suffix": 123}}]}}', _AFFIX, 57),
    ('{"detail": {"state": [{"anything-but": {"prefix": 123}}]}}', _AFFIX, 54),
    ('{"time": [{"prefix": ["2022-07-13"]}]}', f"prefix {_TEXT}", 23),
    ('{"time": [{"prefix": 123}]}', f"prefix {_TEXT}", 25),
    ('{"FileName": [{"suffix": 123}]}', f"suffix {_TEXT}", 29),
    ('{"FileName": [{"suffix": [".png"]}]}', f"suffix {_TEXT}", 27),
    ('{"detail": {"FileName": [{"anything-but": {"prefix": {"equals-ignore-case": "file"}}}]}}', _LIST, 55),
    ('{"detail": {"sourceIPAddress": [{"cidr": ["bad-type"]}]}}', f"prefix {_TEXT}", 43),
    ("this is valid json but not a dict", f"Unrecognized token 'this': {_TOKEN}", 5),
    ('{"not": closed mark"', f"Unrecognized token 'closed': {_TOKEN}", 15),
    ('["not", "a", "dict", "but valid json"]', "Filter is not an object", 2),
    (
        "{'bad': 'quotation'}",
        "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
        2,
    ),
]
IN_LISTS = [
    ('{"detail": {"state": [{"anything-but": {"equals-ignore-case": [123, 456]}}]}}', _IGNORE_CASE, 67),
    ('{"detail": {"state": [{"anything-but": {"wildcard": [123, "*/dir/*"]}}]}}', f"wildcard {_TEXT}", 57),
    ('{"detail": {"FileName": [{"anything-but": {"suffix": [123, ".txt"]}}]}}', _AFFIX, 58),
    ('{"detail": {"state": [{"anything-but": {"prefix": [123, "test"]}}]}}', _AFFIX, 55),
]
PLACELESS = [
    ("10.0.0.0", "Malformed CIDR, one '/' required"),
    ("10.0.0.0/xx", "Malformed CIDR, mask bits must be an integer"),
    ("xx.11.xx/8", "Nonstandard IP address: xx.11.xx"),
    ("xxxx:db8:1234:1a00::/64", "Nonstandard IP address: xxxx:db8:1234:1a00::"),
]


def reason(text: str) -> str:
    with pytest.raises(InvalidPatternError) as caught:
        compile_pattern(text)
    return caught.value.reason


@pytest.mark.parametrize(("text", "why", "column"), REFUSED)
def test_the_place_of_what_is_refused(text: str, why: str, column: int) -> None:
    """The reason and the column to the character."""
    assert reason(text) == f'{why}\n at [Source: (String)"{text}"; line: 1, column: {column}]'


@pytest.mark.parametrize(("text", "why", "column"), IN_LISTS)
def test_the_place_within_a_list_is_named_twice(text: str, why: str, column: int) -> None:
    """Of the values that `anything-but` lists."""
    assert reason(text) == why + f'\n at [Source: (String)"{text}"; line: 1, column: {column}]' * 2


@pytest.mark.parametrize(("block", "why"), PLACELESS)
def test_addresses_are_refused_without_a_place(block: str, why: str) -> None:
    """They are read after the pattern's text."""
    assert reason(json.dumps({"detail": {"ip": [{"cidr": block}]}})) == why


EXCEPTIONS = ["x", ["x", "y"], *({kind: value} for kind in ("prefix", "suffix", "wildcard") for value in ("a", ["a"]))]


@pytest.mark.parametrize("exceptions", EXCEPTIONS)
def test_anything_but_takes_null_and_numbers_but_not_nothing(exceptions: Any) -> None:
    """A value of another kind is something else; an absent one is no value."""
    pattern = compile_pattern(json.dumps({"detail": {"state": [{"anything-but": exceptions}]}}))
    assert pattern.matches({"detail": {"state": None}})
    assert pattern.matches({"detail": {"state": 12}})
    assert not pattern.matches({"detail": {"other": 1}})


@pytest.mark.parametrize(
    ("condition", "value", "matches"),
    [
        ([{"equals-ignore-case": ""}], "", True),
        ([{"equals-ignore-case": ""}], "x", False),
        ([{"anything-but": {"wildcard": ""}}], "dir/init/file", True),
        ([{"wildcard": ""}], "x", False),
        ([{"anything-but": 0}], 789, True),
        ([{"cidr": "10.0.0.0/24"}], 123, False),
        ([{"numeric": [">", 100]}], "300", False),
        ([{"numeric": [">", 100]}], None, False),
        ([None], [], False),
        ([{"exists": True}], [], False),
        ([{"exists": False}], [], True),
        ([{"exists": True}], {"S": "x"}, False),
        ([{"exists": True}, {"prefix": "other"}], "my-value", True),
        ([{"prefix": ""}], "x", True),
    ],
)
def test_values(condition: list[Any], value: Any, matches: bool) -> None:
    """Empty texts and lists, wrong kinds, several conditions."""
    assert compile_pattern(json.dumps({"k": condition})).matches({"k": value}) is matches
