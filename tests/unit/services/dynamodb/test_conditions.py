"""Conditions as functions of items, against a direct reading of the developer guide."""

# ruff: noqa: E501 - one row of a table is one line
from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._expressions import legacy
from fogbank.services.dynamodb._expressions.conditions import condition
from fogbank.services.dynamodb._expressions.placeholders import Placeholders
from fogbank.services.dynamodb._expressions.tokens import Kind

ITEM: dict[str, Any] = {
    "s": {"S": "hello"},
    "n": {"N": "5"},
    "b": {"B": b"\x01\x02"},
    "t": {"BOOL": True},
    "z": {"NULL": True},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2"]},
    "l": {"L": [{"N": "1"}, {"S": "two"}, {"L": []}]},
    "m": {"M": {"x": {"N": "3"}, "deep": {"M": {"things": {"L": [{"S": "v"}]}}}}},
}
VALUES: dict[str, Any] = {
    ":hello": {"S": "hello"},
    ":he": {"S": "he"},
    ":n4": {"N": "4"},
    ":n5": {"N": "5.0"},
    ":n6": {"N": "6"},
    ":two": {"S": "two"},
    ":v": {"S": "v"},
    ":ss": {"SS": ["b", "a"]},
    ":true": {"BOOL": True},
    ":S": {"S": "S"},
    ":M": {"S": "M"},
    ":n3": {"N": "3"},
    ":list": {"L": [{"N": "1"}, {"S": "two"}, {"L": []}]},
}


def holds(text: str, item: dict[str, Any] = ITEM, values: dict[str, Any] = VALUES) -> bool:
    placeholders = Placeholders(None, values)
    return condition(Kind.CONDITION, text, placeholders).test(item, placeholders.values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s = :hello", True),
        ("s <> :hello", False),
        ("n = :n5", True),
        ("n > :n4 AND n < :n6", True),
        ("n BETWEEN :n4 AND :n6", True),
        ("n BETWEEN :n6 AND :n6", False),
        ("n IN (:n4, :n5)", True),
        ("s IN (:n4, :two)", False),
        ("absent = :hello", False),
        ("absent <> :hello", True),
        ("absent < :n4", False),
        ("NOT absent < :n4", True),
        ("s < :n6", False),
        ("ss = :ss", True),
        ("l = :list", True),
        ("t = :true", True),
        ("m.x = :n3", True),
        ("m.deep.things[0] = :v", True),
        ("m.deep.things[1] = :v", False),
        ("l[1] = :two", True),
        ("s.x = :v", False),
        ("attribute_exists(m.deep.things[0])", True),
        ("attribute_exists(m.nope)", False),
        ("attribute_not_exists(absent)", True),
        ("attribute_exists(z)", True),
        ("attribute_type(s, :S)", True),
        ("attribute_type(m, :M)", True),
        ("attribute_type(absent, :S)", False),
        ("begins_with(s, :he)", True),
        ("begins_with(n, :he)", False),
        ("contains(s, :he)", True),
        ("contains(ss, :v)", False),
        ("contains(ns, :n5)", False),
        ("contains(l, :two)", True),
        ("size(s) = :n5", True),
        ("size(l) = :n3", True),
        ("size(absent) = :n3", False),
        ("size(n) < :n6", False),
        ("s = :hello OR n = :n4 AND n = :n6", True),
        ("(s = :hello OR n = :n4) AND n = :n6", False),
        ("NOT NOT s = :hello", True),
        ("not (s = :two or n = :n4)", True),
        (":n4 < n", True),
        (":n4 < :n5", True),
    ],
)
def test_what_holds_of_an_item(text: str, expected: bool) -> None:
    assert holds(text) is expected


def test_words_of_the_language_may_stand_in_any_case() -> None:
    assert holds("n bEtWeEn :n4 aNd :n6")
    assert holds("n iN (:n5)")


# -- any expression, against a reading of the guide ---------------------------------------------------------

NAMES = ["a", "b", "c"]
SMALL = st.one_of(
    st.sampled_from(["", "x", "xy", "y"]).map(lambda text: {"S": text}),
    st.integers(-2, 2).map(lambda number: {"N": str(number)}),
    st.just({"BOOL": True}),
    st.sets(st.sampled_from(["x", "y"]), min_size=1).map(lambda members: {"SS": sorted(members)}),
    st.lists(st.sampled_from([{"S": "x"}, {"N": "1"}]), max_size=2).map(lambda elements: {"L": elements}),
)
ITEMS = st.dictionaries(st.sampled_from(NAMES), SMALL, max_size=3)
OPERANDS = st.sampled_from([*NAMES, ":p", ":q"])
TESTS = st.one_of(
    st.tuples(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), OPERANDS, OPERANDS),
    st.tuples(st.just("BETWEEN"), st.sampled_from(NAMES), OPERANDS, OPERANDS),
    st.tuples(st.just("IN"), st.sampled_from(NAMES), OPERANDS, OPERANDS),
    st.tuples(st.sampled_from(["attribute_exists", "attribute_not_exists"]), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(["begins_with", "contains"]), st.sampled_from(NAMES), OPERANDS),
)
TREES: st.SearchStrategy[Any] = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.tuples(st.just("NOT"), inner),
        st.tuples(st.sampled_from(["AND", "OR"]), inner, inner),
    ),
    max_leaves=6,
)


def rendered(tree: Any) -> str:
    """The tree as text, with every inner condition in parentheses."""
    match tree:
        case ("NOT", inner):
            return f"NOT ({rendered(inner)})"
        case ("AND" | "OR" as word, left, right):
            return f"({rendered(left)}) {word} ({rendered(right)})"
        case ("BETWEEN", operand, low, high):
            return f"{operand} BETWEEN {low} AND {high}"
        case ("IN", operand, *choices):
            return f"{operand} IN ({', '.join(choices)})"
        case (function, *operands) if function[0].isalpha():
            return f"{function}({', '.join(operands)})"
        case (operator, left, right):
            return f"{left} {operator} {right}"
    raise AssertionError(tree)


def order(value: Any) -> Any:
    """A key that sorts as DynamoDB does, or `None` for a value without order."""
    ((kind, content),) = value.items()
    if kind == "S":
        return content.encode()
    return Decimal(content) if kind == "N" else None


def compared(operator: str, left: Any, right: Any) -> bool:
    if operator == "=":
        return left is not None and left == right
    if operator == "<>":
        return bool(left != right)
    if left is None or right is None or left.keys() != right.keys() or order(left) is None:
        return False
    one, two = order(left), order(right)
    return bool({"<": one < two, "<=": one <= two, ">": one > two, ">=": one >= two}[operator])


def expected(tree: Any, look: Any) -> bool:
    """What the guide says of the tree, where `look` finds an operand's value."""
    match tree:
        case ("NOT", inner):
            return not expected(inner, look)
        case ("AND", left, right):
            return expected(left, look) and expected(right, look)
        case ("OR", left, right):
            return expected(left, look) or expected(right, look)
        case ("BETWEEN", operand, low, high):
            value = look(operand)
            return compared(">=", value, look(low)) and compared("<=", value, look(high))
        case ("IN", operand, *choices):
            return any(compared("=", look(operand), look(choice)) for choice in choices)
        case ("attribute_exists", name):
            return look(name) is not None
        case ("attribute_not_exists", name):
            return look(name) is None
        case ("begins_with", name, operand):
            value, prefix = look(name), look(operand)
            return bool(value and prefix and "S" in value and "S" in prefix and value["S"].startswith(prefix["S"]))
        case ("contains", name, operand):
            return inside(look(name), look(operand))
        case (operator, left, right):
            return compared(operator, look(left), look(right))
    raise AssertionError(tree)


def inside(value: Any, operand: Any) -> bool:
    if value is None or operand is None:
        return False
    if "S" in value:
        return "S" in operand and operand["S"] in value["S"]
    if "SS" in value:
        return "S" in operand and operand["S"] in value["SS"]
    return "L" in value and operand in value["L"]


@given(TREES, ITEMS, SMALL, SMALL)
def test_any_condition_means_what_the_guide_says(tree: Any, item: dict[str, Any], p: Any, q: Any) -> None:
    values = {":p": p, ":q": q}
    text = rendered(tree)
    try:
        found = holds(text, item, values)
    except ValidationError as refused:
        if any(word in refused.message for word in ("operand type", "BETWEEN operator", "must be distinct")):
            return  # what cannot be compared is refused before any item is seen
        raise
    assert found is expected(tree, lambda operand: values.get(operand) or item.get(operand))


# -- the older parameters ------------------------------------------------------------------------------------


def expects(given_map: dict[str, Any], operator: str | None = None) -> bool:
    return legacy.expected(given_map, operator).test(ITEM, {})


def test_expected_compares_attributes_as_conditions_do() -> None:
    assert expects({"s": {"Value": {"S": "hello"}}})
    assert expects({"absent": {"Exists": False}})
    assert not expects({"s": {"Exists": False}})
    assert expects({"n": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "4"}, {"N": "6"}]}})
    assert expects({"ss": {"ComparisonOperator": "CONTAINS", "AttributeValueList": [{"S": "a"}]}})
    assert expects({"ss": {"ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": [{"S": "q"}]}})
    assert expects({"absent": {"ComparisonOperator": "NULL"}, "s": {"ComparisonOperator": "NOT_NULL"}})
    both = {"s": {"Value": {"S": "no"}}, "n": {"Value": {"N": "5"}}}
    assert not expects(both)
    assert expects(both, "OR")


INVALID = "One or more parameter values were invalid: "


@pytest.mark.parametrize(
    ("given_map", "message"),
    [
        ({"a": {}}, "Value must be provided when Exists is null for Attribute: a"),
        ({"a": {"Exists": True}}, "Value must be provided when Exists is true for Attribute: a"),
        ({"a": {"Exists": False, "Value": {"S": "x"}}}, "Value cannot be used when Exists is false for Attribute: a"),
        ({"a": {"AttributeValueList": [{"S": "x"}]}}, "AttributeValueList can only be used with a ComparisonOperator for Attribute: a"),
        ({"a": {"Exists": True, "ComparisonOperator": "EQ"}}, "Exists and ComparisonOperator cannot be used together for Attribute: a"),
        ({"a": {"ComparisonOperator": "EQ", "Value": {"S": "x"}, "AttributeValueList": []}}, "Value and AttributeValueList cannot be used together for Attribute: a"),
        ({"a": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "x"}, {"S": "y"}]}}, "Invalid number of argument(s) for the EQ ComparisonOperator"),
        ({"a": {"ComparisonOperator": "NULL", "AttributeValueList": [{"S": "x"}]}}, "Invalid number of argument(s) for the NULL ComparisonOperator"),
        ({"a": {"ComparisonOperator": "LT", "AttributeValueList": [{"SS": ["x"]}]}}, "ComparisonOperator LT is not valid for SS AttributeValue type"),
        ({"a": {"ComparisonOperator": "IN", "AttributeValueList": [{"S": "x"}, {"N": "1"}]}}, "AttributeValues inside AttributeValueList must be of same type"),
    ],
)  # fmt: skip
def test_an_expectation_that_is_refused(given_map: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        legacy.expected(given_map, None)
    assert caught.value.message == INVALID + message


def test_key_conditions_are_one_or_two() -> None:
    with pytest.raises(ValidationError) as caught:
        legacy.key_conditions({})
    assert caught.value.message == "Conditions can be of length 1 or 2 only"
