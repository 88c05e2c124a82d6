"""Schemas of resource types."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.templates.errors import PropertiesError
from fogbank.templates.resources import RESOURCE_TYPES
from fogbank.templates.schema import changed_paths, schema_of, type_names

QUEUE = schema_of("AWS::SQS::Queue")
FUNCTION = schema_of("AWS::Lambda::Function")


def test_scalars_are_converted_to_what_the_schema_wants() -> None:
    given_ = {"DelaySeconds": "5", "FifoQueue": "true", "QueueName": 12, "VisibilityTimeout": 30.0, "Tags": [
        {"Key": "a", "Value": True}]}  # fmt: skip
    assert QUEUE.coerce(given_) == {
        "DelaySeconds": 5, "FifoQueue": True, "QueueName": "12", "VisibilityTimeout": 30,
        "Tags": [{"Key": "a", "Value": "true"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("properties", "problems"),
    [
        ({"Foo": 1}, ["#: extraneous key [Foo] is not permitted"]),
        ({"Tags": [{"Key": "a"}]}, ["#/Tags/0: required key [Value] not found"]),
        ({"DelaySeconds": "soon"}, ["#/DelaySeconds: expected type: Integer, found: String"]),
        ({"DelaySeconds": 901}, ["#/DelaySeconds: failed validation constraint for keyword [maximum]"]),
        ({"QueueName": ["a"]}, ["#/QueueName: expected type: String, found: JSONArray"]),
        ({"Tags": {"a": "b"}}, ["#/Tags: expected type: JSONArray, found: JSONObject"]),
        ({"RedrivePolicy": 5}, ["#/RedrivePolicy: expected type: JSONObject or String, found: Integer"]),
        ({"Arn": "a"}, ["#: read only key [Arn] is not permitted"]),
    ],
)
def test_properties_that_do_not_fit_are_named(properties: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(PropertiesError) as caught:
        QUEUE.check("Q", QUEUE.coerce(properties))
    expected = "Properties validation failed for resource Q with message:\n" + "\n".join(problems)
    assert caught.value.message == expected


def test_nested_names_and_enumerations_are_checked() -> None:
    properties = {"Code": {"ZipFil": "x"}, "Role": "arn:aws:iam::000000000000:role/r", "Architectures": ["mips"]}
    with pytest.raises(PropertiesError) as caught:
        FUNCTION.check("F", properties)
    assert "#/Code: extraneous key [ZipFil] is not permitted" in caught.value.message
    assert "#/Architectures/0: failed validation constraint for keyword [enum]" in caught.value.message


def test_what_replaces_is_what_the_schema_says() -> None:
    assert QUEUE.replaces(frozenset({("QueueName",)}))
    assert not QUEUE.replaces(frozenset({("DelaySeconds",), ("Tags",)}))


def test_lists_whose_order_says_nothing_are_equal_in_any_order() -> None:
    one = {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}
    other = {"Tags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]}
    assert QUEUE.canonical(one) == QUEUE.canonical(other)


def test_changes_are_told_by_their_paths() -> None:
    before = {"A": 1, "B": {"C": {"D": {"E": 1}}, "F": 2}, "G": 3}
    after = {"A": 1, "B": {"C": {"D": {"E": 2}}, "F": 2}, "H": 4}
    assert changed_paths(before, after) == {("B", "C", "D"), ("G",), ("H",)}


_VALUES = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abc"), _VALUES), st.dictionaries(st.sampled_from("abc"), _VALUES))
def test_equal_is_unchanged_and_unequal_is_changed(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert changed_paths(one, one) == frozenset()
    assert bool(changed_paths(one, other)) == (one != other)


def test_every_type_of_the_table_has_a_schema_and_a_name_that_aws_has() -> None:
    for name, kind in RESOURCE_TYPES.items():
        if name in ("AWS::CloudFormation::CustomResource", "AWS::CDK::Metadata"):
            continue  # its properties are its function's business, or nobody's
        schema = kind.schema
        assert schema is not None, name
        assert name in type_names(), name
        if kind.name is not None and name != "AWS::CloudFormation::Stack":  # whose name is made up, always
            assert kind.name.property in schema.properties, name
        assert kind.lacking <= schema.properties.keys(), name
        assert kind.replaced_by <= schema.properties.keys(), name
