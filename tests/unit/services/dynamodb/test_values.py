"""Attribute values: what is refused, what becomes of the rest, and how large it is."""

# ruff: noqa: E501 - one row of a table is one line
from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.dynamodb._values import keys
from fogbank.services.dynamodb._values.attributes import (
    EMPTY,
    SEVERAL,
    ValueFault,
    checked_item,
    checked_value,
    item_size,
)
from fogbank.services.dynamodb._values.codec import decode, encode
from fogbank.services.dynamodb._values.comparison import begins_with, contains, length, ordering

SCALARS = st.one_of(
    st.text(max_size=8).map(lambda text: {"S": text}),
    st.integers(-1000, 1000).map(lambda number: {"N": str(number)}),
    st.binary(max_size=8).map(lambda data: {"B": data}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
    st.sets(st.text(max_size=4), min_size=1, max_size=4).map(lambda members: {"SS": list(members)}),
    st.sets(st.integers(-99, 99), min_size=1, max_size=4).map(lambda members: {"NS": [str(m) for m in members]}),
    st.sets(st.binary(max_size=4), min_size=1, max_size=4).map(lambda members: {"BS": list(members)}),
)
VALUES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda elements: {"L": elements}),
        st.dictionaries(st.text(max_size=5), inner, max_size=4).map(lambda members: {"M": members}),
    ),
    max_leaves=12,
)
ITEMS = st.dictionaries(st.text(min_size=1, max_size=6), VALUES, max_size=6)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "deep"}
    for _ in range(levels):
        value = {"L": [value]}
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, EMPTY),
        ({"S": "a", "N": "1"}, SEVERAL),
        ({"X": "a"}, EMPTY),
        ({"N": ""}, "The parameter cannot be converted to a numeric value"),
        ({"N": "one"}, "The parameter cannot be converted to a numeric value: one"),
        ({"NULL": False}, "One or more parameter values were invalid: Null attribute value types must have the value of true"),
        ({"SS": []}, "One or more parameter values were invalid: An string set  may not be empty"),
        ({"NS": []}, "One or more parameter values were invalid: An number set  may not be empty"),
        ({"BS": []}, "One or more parameter values were invalid: Binary sets should not be empty"),
        ({"SS": ["a", "b", "a"]}, "One or more parameter values were invalid: Input collection [a, b, a] contains duplicates."),
        ({"BS": [b"b", b"b"]}, "One or more parameter values were invalid: Input collection [Yg==, Yg==]of type BS contains duplicates."),
        ({"S": "a", "N": "x"}, "The parameter cannot be converted to a numeric value: x"),
        ({"NS": ["1", "1.0"]}, "Input collection contains duplicates"),
        ({"L": [{"N": "x"}]}, "The parameter cannot be converted to a numeric value: x"),
        ({"M": {"a": {}}}, EMPTY),
        (nested(33), "Nesting Levels have exceeded supported limits"),
    ],
)  # fmt: skip
def test_a_malformed_value_is_refused_in_dynamodbs_words(value: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueFault) as caught:
        checked_value(value)
    assert str(caught.value) == message


def test_values_become_canonical() -> None:
    item, _ = checked_item(
        {"n": {"N": "1.0"}, "s": {"SS": ["b", "a"]}, "ns": {"NS": ["10", "9", "-1"]}, "l": nested(32)}
    )
    assert item == {"n": {"N": "1"}, "s": {"SS": ["a", "b"]}, "ns": {"NS": ["-1", "9", "10"]}, "l": nested(32)}


def test_empty_strings_binaries_lists_and_maps_are_values() -> None:
    item: dict[str, Any] = {"s": {"S": ""}, "b": {"B": b""}, "l": {"L": []}, "m": {"M": {}}, "ss": {"SS": [""]}}
    assert checked_item(item)[0] == item


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({}, 0),
        ({"a": {"S": "bc"}}, 3),
        ({"é": {"S": "é"}}, 4),
        ({"a": {"N": "123"}}, 4),
        ({"a": {"B": b"1234"}}, 5),
        ({"a": {"BOOL": True}}, 2),
        ({"a": {"NULL": True}}, 2),
        ({"a": {"L": []}}, 4),
        ({"a": {"L": [{"S": "bc"}]}}, 7),
        ({"a": {"M": {"b": {"S": "c"}}}}, 7),
        ({"a": {"SS": ["bc", "d"]}}, 4),
        ({"a": {"NS": ["1", "22"]}}, 5),
    ],
)
def test_sizes_are_those_of_the_developer_guide(item: dict[str, Any], size: int) -> None:
    assert checked_item(item)[1] == size


@given(ITEMS)
def test_what_is_stored_comes_back_as_it_was(item: dict[str, Any]) -> None:
    checked, size = checked_item(item)
    assert decode(encode(checked)) == checked
    assert item_size(checked) == size
    assert checked_item(checked) == (checked, size)


def test_values_of_different_types_have_no_order() -> None:
    assert ordering({"S": "1"}, {"N": "1"}) is None
    assert ordering({"BOOL": True}, {"BOOL": True}) is None
    assert ordering({"N": "10"}, {"N": "9"}) == 1
    assert ordering({"S": "10"}, {"S": "9"}) == -1
    assert ordering({"S": "\U00010000"}, {"S": "\uffff"}) == 1, "strings order as their UTF-8 bytes do"


def test_contains_looks_into_strings_sets_and_lists() -> None:
    assert contains({"S": "abc"}, {"S": "bc"})
    assert not contains({"S": "abc"}, {"N": "1"})
    assert contains({"NS": ["1", "2"]}, {"N": "2"})
    assert not contains({"SS": ["1", "2"]}, {"N": "2"})
    assert contains({"L": [{"M": {}}]}, {"M": {}})
    assert not contains({"M": {"a": {"S": "b"}}}, {"S": "a"})


def test_begins_with_is_for_strings_and_binaries() -> None:
    assert begins_with({"B": b"ab"}, {"B": b"a"})
    assert not begins_with({"B": b"ab"}, {"S": "a"})
    assert not begins_with({"N": "12"}, {"N": "1"})


def test_the_length_of_a_string_is_in_utf16_code_units() -> None:
    assert length({"S": "é𝄞"}) == 3
    assert length({"B": b"abc"}) == 3
    assert length({"M": {"a": {"S": ""}}}) == 1
    assert length({"N": "123"}) is None


TEXTS = st.text(alphabet=st.sampled_from("\x00\x01aé\uffff\U0010ffff"), max_size=5)


@given(st.tuples(TEXTS, TEXTS), st.tuples(TEXTS, TEXTS))
def test_joined_components_sort_as_the_tuples_do(one: tuple[str, str], two: tuple[str, str]) -> None:
    def joined(texts: tuple[str, str]) -> bytes:
        return b"".join(keys.component("S", text) for text in texts)

    encoded = tuple(text.encode() for text in one), tuple(text.encode() for text in two)
    assert (joined(one) < joined(two)) == (encoded[0] < encoded[1])
    assert (joined(one) == joined(two)) == (one == two)


@given(TEXTS, TEXTS)
def test_the_range_of_a_beginning_holds_just_what_begins_with_it(prefix: str, text: str) -> None:
    low = keys.beginning("S", prefix)
    high = keys.after(low)
    key = keys.component("S", text)
    assert (key >= low and (high is None or key < high)) == text.startswith(prefix)


@given(st.binary(max_size=4), st.binary(max_size=6))
def test_after_is_the_least_that_does_not_begin_so(prefix: bytes, other: bytes) -> None:
    end = keys.after(prefix)
    inside = other >= prefix and (end is None or other < end)
    assert inside == other.startswith(prefix)


@given(st.integers(1, 40))
def test_segments_divide_all_partitions(total: int) -> None:
    bounds = [keys.segment(number, total) for number in range(total)]
    assert bounds[0][0] == b"\x00" * 4
    assert bounds[-1][1] is None
    assert all(one[1] == two[0] for one, two in itertools.pairwise(bounds))
