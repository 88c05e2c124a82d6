"""Paths, intrinsic functions, templates and choice rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.states._language._threads import Dice
from fogbank.services.states._language.choice import compile_rule, glob
from fogbank.services.states._language.failures import PathError
from fogbank.services.states._language.intrinsics import InvalidIntrinsicError, parse_intrinsic
from fogbank.services.states._language.paths import MISSING, InvalidPathError, parse_path, put
from fogbank.services.states._language.templates import compile_template

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner),
    max_leaves=8,
)
STORE = {"books": [{"t": "a", "p": 5}, {"t": "b", "p": 12}, {"t": "c", "p": 20}], "x.y": {"z": 1}, "n": None}


class Frame:
    """A state under way, as far as templates see it."""

    source = Dice("seed")
    variables: Mapping[str, Any] = {"v": {"a": 7}}

    def context(self) -> Any:
        return {"State": {"Name": "S"}}

    def describe(self) -> str:
        return "In S."


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", STORE),
        ("$.books[0].t", "a"),
        ("$.books[-1].t", "c"),
        ("$['x.y'].z", 1),
        ("$.n", None),
        ("$.gone", MISSING),
        ("$.books[9]", MISSING),
        ("$.books[*].p", [5, 12, 20]),
        ("$.books[1:].t", ["b", "c"]),
        ("$.books[:2].t", ["a", "b"]),
        ("$.books[::2].t", ["a", "c"]),
        ("$.books[0,2].t", ["a", "c"]),
        ("$..t", ["a", "b", "c"]),
        ("$.books[?(@.p > 10)].t", ["b", "c"]),
        ("$.books[?(@.p > 10 && @.t == 'b')].t", ["b"]),
        ("$.books[?(@.p == 5 || !(@.p < 20))].t", ["a", "c"]),
        ("$.gone[*]", []),
        ("$.books.length()", 3),
    ],
)
def test_a_path_finds(path: str, found: Any) -> None:
    assert parse_path(path).find(STORE) == found


@pytest.mark.parametrize("path", ["", "books", "$.", "$[", "$['a", "$.a b", "$[?(@.a ==)]", "$[::0]"])
def test_a_text_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidPathError):
        parse_path(path)


@given(st.dictionaries(st.text("abc", min_size=1), JSON), st.lists(st.text("abc", min_size=1), max_size=4), JSON)
def test_what_is_put_at_a_reference_path_is_found_there(document: Any, names: list[str], value: Any) -> None:
    path = parse_path("$" + "".join(f".{name}" for name in names))
    before = repr(document)
    try:
        after = put(document, path, value)
    except PathError:
        return
    assert path.find(after) == value
    assert repr(document) == before


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("States.Format('{} is {}', 'a', 1)", "a is 1"),
        (r"States.Format('\{\} it\'s {}', null)", "{} it's null"),
        ("States.Array(1, 'b', States.Array())", [1, "b", []]),
        ("States.ArrayPartition(States.ArrayRange(1, 5, 1), 2)", [[1, 2], [3, 4], [5]]),
        ("States.ArrayRange(5, 1, -2)", [5, 3, 1]),
        ("States.ArrayContains(States.Array(1, true), 1)", True),
        ("States.ArrayGetItem(States.Array(4, 5), 1)", 5),
        ("States.ArrayLength(States.Array(4, 5))", 2),
        ("States.ArrayUnique(States.Array(1, 1, 2))", [1, 2]),
        ("States.Base64Decode(States.Base64Encode('é'))", "é"),
        ("States.Hash('a', 'MD5')", "0cc175b9c0f1b6a831c399e269772661"),
        ("States.JsonToString($.a)", '{"b":1}'),
        ("States.StringToJson('[1]')", [1]),
        ("States.JsonMerge($.a, States.StringToJson('{\"c\":2}'), false)", {"b": 1, "c": 2}),
        ("States.MathAdd(1, -3)", -2),
        ("States.StringSplit('a,b.c', ',.')", ["a", "b", "c"]),
    ],
)
def test_an_intrinsic_function(call: str, value: Any) -> None:
    assert parse_intrinsic(call).evaluate(lambda path: path.find({"a": {"b": 1}}), Dice("s")) == value


@pytest.mark.parametrize("call", ["States.Nope()", "States.Array(", "States.MathAdd(1)", "Array()", "States.Array('a)"])
def test_a_text_that_is_no_call_is_refused(call: str) -> None:
    with pytest.raises(InvalidIntrinsicError):
        parse_intrinsic(call)


@pytest.mark.parametrize(
    "call", ["States.ArrayRange(0, 5000, 1)", "States.ArrayGetItem(States.Array(), 0)", "States.Hash('a', 'CRC')"]
)
def test_arguments_past_a_limit_fail_the_call(call: str) -> None:
    with pytest.raises(PathError) as caught:
        parse_intrinsic(call).evaluate(lambda _: None, Dice("s"))
    assert caught.value.error == "States.IntrinsicFailure"


def test_a_template_is_filled_from_data_context_and_variables() -> None:
    template = compile_template({"k": [1, {"a.$": "$.x"}], "s.$": "$$.State.Name", "v.$": "$v.a"})
    assert template(Frame(), {"x": 2}) == {"k": [1, {"a": 2}], "s": "S", "v": 7}


def test_a_template_names_the_path_that_finds_nothing() -> None:
    with pytest.raises(PathError, match=r"The JSONPath '\$\.y' specified for the field 'a\.\$' could not be found"):
        compile_template({"a.$": "$.y"})(Frame(), {"x": 2})


@pytest.mark.parametrize(
    ("rule", "data", "holds"),
    [
        ({"Variable": "$.a", "NumericGreaterThan": 1}, {"a": 2}, True),
        ({"Variable": "$.a", "NumericEquals": 1}, {"a": "1"}, False),
        ({"Variable": "$.a", "StringLessThanPath": "$.b"}, {"a": "a", "b": "b"}, True),
        ({"Variable": "$.a", "BooleanEquals": True}, {"a": 1}, False),
        ({"Variable": "$.a", "IsPresent": False}, {}, True),
        ({"Variable": "$.a", "IsNull": True}, {"a": None}, True),
        ({"Variable": "$.a", "IsNumeric": True}, {"a": True}, False),
        ({"Variable": "$.a", "IsTimestamp": True}, {"a": "2024-01-01T00:00:00Z"}, True),
        ({"Variable": "$.a", "TimestampLessThan": "2024-01-01T00:00:01Z"}, {"a": "2024-01-01T01:00:00.5+01:00"}, True),
        ({"Variable": "$.a", "StringMatches": "log-*.txt"}, {"a": "log-1.txt"}, True),
        ({"Not": {"Variable": "$.a", "IsString": True}}, {"a": 1}, True),
        ({"And": [{"Variable": "$.a", "IsNumeric": True}, {"Variable": "$.a", "NumericEquals": 1}]}, {"a": 1}, True),
        ({"Or": [{"Variable": "$.a", "IsString": True}, {"Variable": "$.a", "IsNull": True}]}, {"a": 1}, False),
    ],
)
def test_a_choice_rule(rule: dict[str, Any], data: Any, holds: bool) -> None:
    assert compile_rule(rule)(Frame(), data) is holds


def test_a_pattern_of_many_stars_is_matched_in_no_time() -> None:
    assert glob("*a" * 30 + "b").fullmatch("a" * 5000) is None


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("$.i[?($..x)]", {"i": [{"x": n} for n in range(9_000)]}),
        ("$..*..*..*..*", [[[[[[n] * 9] * 9] * 9] * 9] for n in range(9)]),
        ("$[*][*][*][*]", [[[[0] * 99] * 99] * 99] * 99),
    ],
)
def test_a_path_that_looks_at_everything_again_and_again_ends(text: str, document: Any) -> None:
    with pytest.raises(PathError, match="more than 300000 nodes"):
        parse_path(text).find(document)
    assert parse_path("$..x").find({"i": [{"x": 1}]}) == [1]
