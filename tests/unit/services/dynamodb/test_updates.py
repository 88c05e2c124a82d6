"""Updates and projections: what becomes of an item, and which parts of one are given back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions import legacy
from fogbank.services.dynamodb._expressions.actions import apply
from fogbank.services.dynamodb._expressions.placeholders import Placeholders
from fogbank.services.dynamodb._expressions.projections import projection
from fogbank.services.dynamodb._expressions.updates import update

ITEM: dict[str, Any] = {
    "s": {"S": "x"},
    "n": {"N": "5"},
    "tags": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2"]},
    "l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]},
    "m": {"M": {"x": {"N": "3"}, "l": {"L": [{"S": "v"}]}}},
}
VALUES: dict[str, Any] = {
    ":s": {"S": "new"},
    ":n": {"N": "7"},
    ":l": {"L": [{"S": "more"}]},
    ":ss": {"SS": ["b", "c"]},
    ":ab": {"SS": ["a", "b"]},
    ":ns": {"NS": ["2", "10"]},
}


def updated(text: str, item: dict[str, Any] = ITEM) -> dict[str, Any]:
    compiled = update(text, Placeholders(None, VALUES))
    return apply(item, compiled.changes(item))


def changes(text: str) -> dict[str, Any]:
    """What an update changes of ITEM: new values, `None` for what is gone."""
    after = updated(text)
    return {name: after.get(name) for name in ITEM.keys() | after.keys() if ITEM.get(name) != after.get(name)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET s = :s", {"s": {"S": "new"}}),
        ("SET s = n", {"s": {"N": "5"}}),
        ("SET s = n, n = s", {"s": {"N": "5"}, "n": {"S": "x"}}),
        ("SET n = n + :n", {"n": {"N": "12"}}),
        ("SET n = :n - n", {"n": {"N": "2"}}),
        ("SET n = (n + :n)", {"n": {"N": "12"}}),
        ("SET q = if_not_exists(q, :n) + :n", {"q": {"N": "14"}}),
        ("SET n = if_not_exists(n, :n)", {}),
        ("SET q = if_not_exists(m.nope, m.x)", {"q": {"N": "3"}}),
        ("SET q = list_append(l, :l)", {"q": {"L": [*ITEM["l"]["L"], {"S": "more"}]}}),
        ("SET q = list_append(:l, if_not_exists(nope, :l))", {"q": {"L": [{"S": "more"}, {"S": "more"}]}}),
        ("SET m.x = :s", {"m": {"M": {"x": {"S": "new"}, "l": {"L": [{"S": "v"}]}}}}),
        ("SET m.y = :s", {"m": {"M": {**ITEM["m"]["M"], "y": {"S": "new"}}}}),
        ("SET l[1] = :s", {"l": {"L": [{"N": "0"}, {"S": "new"}, {"N": "2"}]}}),
        ("SET l[9] = :s, l[7] = :n", {"l": {"L": [*ITEM["l"]["L"], {"N": "7"}, {"S": "new"}]}}),
        ("SET m.l[0] = :n", {"m": {"M": {"x": {"N": "3"}, "l": {"L": [{"N": "7"}]}}}}),
        ("REMOVE s, absent", {"s": None}),
        ("REMOVE l[0], l[2]", {"l": {"L": [{"N": "1"}]}}),
        ("REMOVE l[7]", {}),
        ("REMOVE m.l[0]", {"m": {"M": {"x": {"N": "3"}, "l": {"L": []}}}}),
        ("REMOVE m.x SET s = m.x", {"m": {"M": {"l": {"L": [{"S": "v"}]}}}, "s": {"N": "3"}}),
        ("SET l[0] = :s REMOVE l[1]", {"l": {"L": [{"S": "new"}, {"N": "2"}]}}),
        ("ADD n :n", {"n": {"N": "12"}}),
        ("ADD q :n", {"q": {"N": "7"}}),
        ("ADD tags :ss", {"tags": {"SS": ["a", "b", "c"]}}),
        ("ADD ns :ns", {"ns": {"NS": ["1", "2", "10"]}}),
        ("ADD q :ss", {"q": {"SS": ["b", "c"]}}),
        ("ADD m.x :n, m.q :n", {"m": {"M": {"x": {"N": "10"}, "l": {"L": [{"S": "v"}]}, "q": {"N": "7"}}}}),
        ("DELETE tags :ss", {"tags": {"SS": ["a"]}}),
        ("DELETE tags :ab", {"tags": None}),
        ("DELETE absent :ss", {}),
    ],
)  # fmt: skip
def test_what_becomes_of_an_item(text: str, expected: dict[str, Any]) -> None:
    before = repr(ITEM)
    assert changes(text) == expected
    assert repr(ITEM) == before, "the item given is left as it is"


INVALID_PATH = "The document path provided in the update expression is invalid for update"
WRONG_TYPE = "An operand in the update expression has an incorrect data type"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET q = absent", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET q = m.nope + :n", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET q.x = :s", INVALID_PATH),
        ("SET s.x = :s", INVALID_PATH),
        ("SET s[0] = :s", INVALID_PATH),
        ("SET m[0] = :s", INVALID_PATH),
        ("SET l.x = :s", INVALID_PATH),
        ("REMOVE q.x", INVALID_PATH),
        ("ADD q.x :n", INVALID_PATH),
        ("SET n = s + :n", WRONG_TYPE),
        ("SET q = list_append(s, :l)", WRONG_TYPE),
        ("ADD s :n", WRONG_TYPE),
        ("ADD n :ss", WRONG_TYPE),
        ("ADD ns :ss", WRONG_TYPE),
        ("DELETE ns :ss", WRONG_TYPE),
    ],
)
def test_an_update_that_does_not_fit_the_item(text: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        updated(text)
    assert caught.value.message == message


def test_an_update_that_only_removes_makes_no_item() -> None:
    def creates(text: str) -> bool:
        return update(text, Placeholders(None, VALUES)).creates

    assert creates("SET a = :s")
    assert creates("ADD a :n REMOVE b")
    assert not creates("REMOVE a")
    assert not creates("DELETE a :ss")


NAMES = st.sampled_from(["a", "b", "c", "d"])
NUMBERS = st.integers(-50, 50)


@given(
    st.dictionaries(NAMES, NUMBERS),
    st.dictionaries(NAMES, NUMBERS, min_size=1),
    st.lists(st.tuples(NAMES, st.sampled_from(["SET", "ADD", "REMOVE"])), unique_by=lambda pair: pair[0], min_size=1),
)
def test_an_update_does_to_an_item_what_it_would_do_to_a_dict(
    old: dict[str, int], new: dict[str, int], verbs: list[tuple[str, str]]
) -> None:
    expected = dict(old)
    sections: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    for name, verb in verbs:
        operand = new.get(name, 1)
        if verb == "REMOVE":
            sections.setdefault(verb, []).append(name)
            expected.pop(name, None)
            continue
        values[f":{name}"] = {"N": str(operand)}
        sections.setdefault(verb, []).append(f"{name} = :{name}" if verb == "SET" else f"{name} :{name}")
        expected[name] = operand if verb == "SET" else old.get(name, 0) + operand
    text = " ".join(f"{verb} {', '.join(parts)}" for verb, parts in sections.items())
    item = {name: {"N": str(number)} for name, number in old.items()}
    compiled = update(text, Placeholders(None, values or None))
    after = apply(item, compiled.changes(item))
    assert after == {name: {"N": str(number)} for name, number in expected.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s, n", {"s": {"S": "x"}, "n": {"N": "5"}}),
        ("absent", {}),
        ("m.x", {"m": {"M": {"x": {"N": "3"}}}}),
        ("m.x, m.l[0]", {"m": ITEM["m"]}),
        ("m.absent", {}),
        ("l[2], l[0]", {"l": {"L": [{"N": "0"}, {"N": "2"}]}}),
        ("l[10], l[2]", {"l": {"L": [{"N": "2"}]}}),
        ("l[9]", {}),
        ("s.x", {}),
        ("s[0]", {}),
    ],
)
def test_what_a_projection_gives_back(text: str, expected: dict[str, Any]) -> None:
    assert projection(text, Placeholders()).of(ITEM) == expected


# -- the older parameters ------------------------------------------------------------------------------------


def test_attribute_updates_do_what_expressions_do() -> None:
    given_map: dict[str, Any] = {
        "s": {"Value": {"S": "new"}},
        "n": {"Action": "ADD", "Value": {"N": "1"}},
        "tags": {"Action": "DELETE", "Value": {"SS": ["a"]}},
        "l": {"Action": "DELETE"},
    }
    after = apply(ITEM, legacy.attribute_updates(given_map).changes(ITEM))
    assert after["s"] == {"S": "new"}
    assert after["n"] == {"N": "6"}
    assert after["tags"] == {"SS": ["b"]}
    assert "l" not in after


@pytest.mark.parametrize(
    ("given_map", "message"),
    [
        ({"a": {"Action": "PUT"}}, "Only DELETE action is allowed when no attribute value is specified"),
        ({"a": {"Action": "ADD"}}, "Only DELETE action is allowed when no attribute value is specified"),
        ({"a": {"Action": "ADD", "Value": {"S": "x"}}}, "ADD action is not supported for the type S"),
        ({"a": {"Action": "DELETE", "Value": {"N": "1"}}}, "DELETE action with value is not supported for the type N"),
    ],
)
def test_an_attribute_update_that_is_refused(given_map: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        legacy.attribute_updates(given_map)
    assert caught.value.message == f"One or more parameter values were invalid: {message}"


def test_attributes_to_get_are_named_once() -> None:
    assert legacy.attributes_to_get(["s", "n"]).of(ITEM) == {"s": {"S": "x"}, "n": {"N": "5"}}
    with pytest.raises(ValidationError) as caught:
        legacy.attributes_to_get(["s", "s"])
    assert caught.value.message == "One or more parameter values were invalid: Duplicate value in attribute name: s"
