"""The intrinsic functions."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.scope import Scope
from fogbank.templates.errors import TemplateError
from fogbank.templates.functions import NO_VALUE, Environment, Evaluator
from fogbank.templates.parameters import Value
from fogbank.templates.sections import Parameter


class Lookup:
    """A queue `Q` that stands."""

    def ref(self, logical_id: str) -> Any:
        return f"{logical_id}-id"

    def attribute(self, logical_id: str, name: str) -> Any:
        return ["a", "b"] if name == "List" else f"{logical_id}.{name}"


STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1"
PARAMETERS = {
    "Name": Value(Parameter("Name", "String"), "n"),
    "Count": Value(Parameter("Count", "Number"), "3"),
    "Names": Value(Parameter("Names", "CommaDelimitedList"), "a, b,c"),
    "None": Value(Parameter("None", "CommaDelimitedList"), ""),
    "Stored": Value(Parameter("Stored", "AWS::SSM::Parameter::Value<List<String>>"), "/path", "x,y"),
}
CONDITIONS = {
    "Yes": {"Fn::Equals": [{"Ref": "Name"}, "n"]},
    "No": {"Fn::Not": [{"Condition": "Yes"}]},
    "Both": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]},
    "Either": {"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]},
    "Three": {"Fn::Equals": [{"Ref": "Count"}, 3]},
    "True": {"Fn::Equals": [True, "true"]},
    "Chosen": {"Fn::If": ["Yes", "true", "false"]},
    "Loop": {"Condition": "Pool"},
    "Pool": {"Fn::Not": [{"Condition": "Loop"}]},
}
MAPPINGS = {"M": {"eu-west-1": {"Ami": "ami-1", "List": ["x", "y"]}, "n": {"k": 5}}}
EVALUATOR = Evaluator(
    Environment(Scope("123456789012", "eu-west-1"), "s", STACK_ID, PARAMETERS, MAPPINGS, CONDITIONS, {"exp": "value"}),
    Lookup(),
)


def evaluate(value: Any) -> Any:
    return EVALUATOR.evaluate(value)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"Ref": "Name"}, "n"),
        ({"Ref": "Count"}, "3"),
        ({"Ref": "Names"}, ["a", "b", "c"]),
        ({"Ref": "None"}, []),
        ({"Ref": "Stored"}, ["x", "y"]),
        ({"Ref": "Q"}, "Q-id"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "AWS::AccountId"}, "123456789012"),
        ({"Ref": "AWS::Partition"}, "aws"),
        ({"Ref": "AWS::URLSuffix"}, "amazonaws.com"),
        ({"Ref": "AWS::StackName"}, "s"),
        ({"Ref": "AWS::StackId"}, STACK_ID),
        ({"Ref": "AWS::NotificationARNs"}, []),
        ({"Fn::GetAtt": ["Q", "Arn"]}, "Q.Arn"),
        ({"Fn::GetAtt": "Q.Arn"}, "Q.Arn"),
        ({"Fn::GetAtt": ["Q", "Outputs.X"]}, "Q.Outputs.X"),
        ({"Fn::GetAtt": ["Q", "Outputs", "X"]}, "Q.Outputs.X"),
        ({"Fn::GetAtt": ["Q", {"Ref": "Name"}]}, "Q.n"),
        ({"Fn::Sub": "${Name}-${AWS::Region}-${Q}-${Q.Arn}-${!Literal}-$x"}, "n-eu-west-1-Q-id-Q.Arn-${Literal}-$x"),
        ({"Fn::Sub": ["${Name}-${Var}", {"Var": {"Ref": "Count"}, "Name": "bound"}]}, "bound-3"),
        ({"Fn::Sub": ["${B}", {"B": True}]}, "true"),
        ({"Fn::Sub": "${Q.Outputs.X}"}, "Q.Outputs.X"),
        ({"Fn::Sub": "${ Name }"}, "n"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Name"}, 5]]}, "a-n-5"),
        ({"Fn::Join": ["", []]}, ""),
        ({"Fn::Join": [",", {"Ref": "Names"}]}, "a,b,c"),
        ({"Fn::Join": [",", ["a", {"Ref": "AWS::NoValue"}, "b"]]}, "a,b"),
        ({"Fn::Split": [",", "a,b,,c"]}, ["a", "b", "", "c"]),
        ({"Fn::Split": ["/", {"Fn::GetAtt": ["Q", "Arn"]}]}, ["Q.Arn"]),
        ({"Fn::Select": [1, ["a", "b"]]}, "b"),
        ({"Fn::Select": ["0", {"Fn::Split": ["-", "x-y"]}]}, "x"),
        ({"Fn::Select": [{"Ref": "Count"}, ["a", "b", "c", {"Ref": "Name"}]]}, "n"),
        ({"Fn::Select": [0, {"Fn::GetAtt": ["Q", "List"]}]}, "a"),
        ({"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "Ami"]}, "ami-1"),
        ({"Fn::FindInMap": ["M", {"Ref": "Name"}, "k"]}, 5),
        ({"Fn::FindInMap": ["M", "eu-west-1", "List"]}, ["x", "y"]),
        ({"Fn::FindInMap": ["M", "none", "Ami", {"DefaultValue": {"Ref": "Name"}}]}, "n"),
        ({"Fn::If": ["Yes", "a", {"Ref": "Undefined"}]}, "a"),
        ({"Fn::If": ["No", "a", ["b", {"Fn::If": ["Yes", {"Ref": "AWS::NoValue"}, "c"]}]]}, ["b"]),
        ({"Fn::Base64": {"Fn::Sub": "${Name}!"}}, base64.b64encode(b"n!").decode()),
        ({"Fn::ImportValue": {"Fn::Sub": "exp"}}, "value"),
        ({"Fn::GetAZs": ""}, ["eu-west-1a", "eu-west-1b", "eu-west-1c"]),
        ({"Fn::GetAZs": "us-east-1"}, [f"us-east-1{z}" for z in "abcdef"]),
        ({"Fn::Cidr": ["10.0.0.0/16", 2]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::Cidr": ["192.168.0.0/24", "6", "5"]},
         ["192.168.0.0/27", "192.168.0.32/27", "192.168.0.64/27", "192.168.0.96/27", "192.168.0.128/27",
          "192.168.0.160/27"]),
        ({"Fn::Cidr": ["2001:db8::/56", 1, 64]}, ["2001:db8::/64"]),
        ({"Fn::Length": {"Ref": "Names"}}, 3),
        ({"Fn::ToJsonString": {"a": {"Ref": "Name"}, "b": [1, {"Ref": "AWS::NoValue"}]}}, '{"a":"n","b":[1]}'),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
        ({"Ref": "Name", "Other": 1}, {"Ref": "Name", "Other": 1}),
        ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),
    ],
)  # fmt: skip
def test_functions_give_what_cloudformation_documents(expression: Any, expected: Any) -> None:
    assert evaluate(expression) == expected


def test_no_value_stands_alone_until_its_property_is_left_out() -> None:
    assert evaluate({"Ref": "AWS::NoValue"}) is NO_VALUE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Yes", True),
        ("No", False),
        ("Both", False),
        ("Either", True),
        ("Three", True),
        ("True", True),
        ("Chosen", True),
    ],
)
def test_conditions_are_decided(name: str, expected: bool) -> None:
    assert EVALUATOR.condition(name) is expected


SUB = (
    "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as "
    "first argument, and an optional second argument to specify a mapping of values to replace in the string"
)
GET_ATT = (
    "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource "
    "attribute"
)
JOIN = (
    "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings "
    "to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({"Ref": ["a"]}, "Template error: every Ref object must have a single String value."),
        ({"Fn::GetAtt": ["Q"]}, GET_ATT),
        ({"Fn::GetAtt": "Q"}, GET_ATT),
        ({"Fn::GetAtt": ["", "Arn"]}, GET_ATT),
        ({"Fn::Sub": {"a": "b"}}, SUB),
        ({"Fn::Sub": ["a"]}, SUB),
        ({"Fn::Sub": [{"Ref": "Name"}, {}]}, SUB),
        ({"Fn::Sub": "${a-b}"},
         ("Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, "
         "periods, and colons")),
        ({"Fn::Sub": "${Names}"}, "Template error: variable Names in Fn::Sub expression does not resolve to a string"),
        ({"Fn::Join": ["-"]}, JOIN),
        ({"Fn::Join": ["-", "text"]}, JOIN),
        ({"Fn::Join": [5, ["a"]]}, JOIN),
        ({"Fn::Join": ["-", [["a"]]]}, JOIN),
        ({"Fn::Select": [2, ["a", "b"]]}, "Template error: Fn::Select cannot select nonexistent value at index 2"),
        ({"Fn::Select": [-1, ["a", "b"]]}, "Template error: Fn::Select cannot select nonexistent value at index -1"),
        ({"Fn::Select": ["x", ["a"]]},
         "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"),
        ({"Fn::FindInMap": ["Nope", "a", "b"]},
         "Template error: Mapping named 'Nope' is not present in the 'Mappings' section of template."),
        ({"Fn::FindInMap": ["M", "us-foo-1", "Ami"]}, "Template error: Unable to get mapping for M::us-foo-1::Ami"),
        ({"Fn::ImportValue": "nope"}, "No export named nope found."),
        ({"Fn::Base64": ["a"]}, "Template error: every Fn::Base64 object must have a String-typed value."),
        ({"Fn::Length": "a"},
         "Template error: every Fn::Length object requires a list, or a function that gives one."),
        ({"Fn::Nope": 1}, "Template format error: Unrecognized intrinsic function Fn::Nope"),
        ({"Fn::And": [True]},
         "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters."),
        ({"Fn::Not": []}, "Template error: every Fn::Not object requires one boolean parameter."),
        ({"Fn::Equals": ["a"]}, "Template error: every Fn::Equals object requires a list of two string parameters."),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_in_cloudformations_words(expression: Any, expected: str) -> None:
    with pytest.raises(TemplateError) as caught:
        evaluate(expression)
    assert caught.value.message == expected


@pytest.mark.parametrize("cidr", [["10.0.0.0/16", 0], ["10.0.0.0/16", 257], ["nope", 1], ["10.0.0.0/30", 5, 1], ["x"]])
def test_networks_that_cannot_be_divided_are_refused(cidr: list[Any]) -> None:
    with pytest.raises(TemplateError, match="Fn::Cidr"):
        evaluate({"Fn::Cidr": cidr})


def test_conditions_that_need_each_other_are_refused() -> None:
    with pytest.raises(TemplateError, match=r"Circular dependency between conditions: \[Loop, Pool\]"):
        EVALUATOR.condition("Loop")


def test_conditions_cannot_refer_to_resources() -> None:
    environment = Environment(Scope(), "s", STACK_ID, conditions={"C": {"Fn::Equals": [{"Ref": "Q"}, "a"]}})
    with pytest.raises(TemplateError, match=r"Unresolved dependencies \[Q\]. Cannot reference resources"):
        Evaluator(environment).condition("C")


_WORD = st.text(alphabet="abc,-/ ", max_size=12)


@given(st.lists(st.text(alphabet="abc ", max_size=5), min_size=1), st.sampled_from([",", "-", "::", "/"]))
def test_split_undoes_join(items: list[str], delimiter: str) -> None:
    joined = {"Fn::Join": [delimiter, items]}
    assert evaluate({"Fn::Split": [delimiter, joined]}) == items


@given(_WORD, st.sampled_from([",", "-", "/"]))
def test_join_undoes_split(text: str, delimiter: str) -> None:
    assert evaluate({"Fn::Join": [delimiter, {"Fn::Split": [delimiter, text]}]}) == text


@given(st.text(alphabet="ab$!{}.: ", max_size=30))
def test_sub_is_total_over_texts_without_variables(text: str) -> None:
    """Any text either evaluates, its literals written out, or is refused as a template error."""
    try:
        result = evaluate({"Fn::Sub": text})
    except TemplateError:
        return
    if "${" not in text:
        assert result == text


@given(st.dictionaries(st.from_regex(r"[A-Za-z]{1,6}", fullmatch=True), st.text(max_size=8), min_size=1, max_size=5))
def test_sub_replaces_each_bound_variable_by_its_value(bound: dict[str, str]) -> None:
    """Values are put in as they are: what looks like a variable in one is not replaced again."""
    text = "|".join("${" + name + "}" for name in bound)
    assert evaluate({"Fn::Sub": [text, bound]}) == "|".join(bound.values())
