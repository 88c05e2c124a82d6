"""Macros: includes, loops, and which there are."""

from __future__ import annotations

from typing import Any

import pytest

from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.services.cloudformation.engine import DeploymentError
from fogbank.templates.errors import TransformError, UnsupportedError
from fogbank.templates.functions import Environment
from fogbank.templates.macros import (
    Loops,
    check_names,
    include,
    location_of,
    needs_language_extensions,
    refuse_repository,
)
from fogbank.templates.parameters import Value
from fogbank.templates.sections import Parameter

SCOPE = Scope()
ENVIRONMENT = Environment(
    Scope(), "s", "arn", {"Names": Value(Parameter("Names", "CommaDelimitedList"), "a,b-c")}, {"M": {"k": {"l": ["x"]}}}
)


def expand(raw: dict[str, Any]) -> dict[str, Any]:
    return Loops(ENVIRONMENT).expand(raw)


def test_a_loop_writes_its_fragment_for_each_value() -> None:
    raw = {
        "Resources": {
            "Fn::ForEach::Queues": [
                "Name",
                {"Ref": "Names"},
                {"Queue&{Name}": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Name"},
                                                                            "Tags": ["${Name}-x"]}}},
            ],
            "Other": {"Type": "T"},
        }
    }  # fmt: skip
    assert expand(raw)["Resources"] == {
        "Queuea": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "a", "Tags": ["a-x"]}},
        "Queuebc": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "b-c", "Tags": ["b-c-x"]}},
        "Other": {"Type": "T"},
    }


def test_loops_nest_and_see_each_others_values() -> None:
    raw = {
        "Outputs": {
            "Fn::ForEach::A": ["I", ["1", "2"], {"Fn::ForEach::B": ["J", ["x"], {"O${I}${J}": {"Value": "${I}${J}"}}]}]
        }
    }
    assert expand(raw)["Outputs"] == {"O1x": {"Value": "1x"}, "O2x": {"Value": "2x"}}


@pytest.mark.parametrize(
    ("loop", "problem"),
    [
        (["I", ["a"]], "layout is incorrect"),
        (["I", "a", {}], "the collection must be a list of strings"),
        (["I", ["a", "b"], {"Same": 1}], "gives the same key twice: Same"),
        (["I", [str(i) for i in range(10_001)], {"K${I}": 1}], "expected at most 10000 repetitions"),
    ],
)
def test_loops_that_cannot_be_written_out_are_refused(loop: list[Any], problem: str) -> None:
    with pytest.raises(TransformError, match=problem):
        expand({"Resources": {"Fn::ForEach::L": loop}})


async def test_includes_are_put_in_their_place() -> None:
    async def fetch(location: str) -> str:
        assert location == "s3://b/k"
        return "A: !Ref X\nB: {c: 1}"

    call = {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}}
    raw = {"Resources": {"Q": {"Properties": {"Fn::Transform": call, "B": {"d": 2}}}}}
    included = await include(raw, fetch)
    assert included["Resources"]["Q"]["Properties"] == {"A": {"Ref": "X"}, "B": {"c": 1, "d": 2}}
    included = await include({"Transform": [call], "Resources": {}}, fetch)
    assert included["A"] == {"Ref": "X"}


def test_a_location_may_be_made_of_parameters() -> None:
    base = Value(Parameter("Base", "String"), "s3://b")
    environment = Environment(SCOPE, "s", "arn:s", {"Base": base})
    assert location_of({"Fn::Sub": "${Base}/k.yaml"}, environment) == "s3://b/k.yaml"


def test_an_include_of_something_local_is_refused_by_the_server() -> None:
    environment = Environment(SCOPE, "s", "arn:s")
    with pytest.raises(TransformError, match="The location parameter is not a valid S3 uri"):
        location_of("./local.yaml", environment)
    with pytest.raises(TransformError, match="The location parameter is not a string"):
        location_of(["s3://b/k"], environment)


def test_applications_of_the_repository_are_refused_by_name() -> None:
    location = {"ApplicationId": "arn:aws:serverlessrepo:us-east-1:1:applications/a", "SemanticVersion": "1.0.0"}
    application = {"Type": "AWS::Serverless::Application", "Properties": {"Location": location}}
    with pytest.raises(ApiError, match="Serverless Application Repository, which resource App names"):
        refuse_repository({"Resources": {"App": application}})
    application["Properties"] = {"Location": "s3://b/k"}
    refuse_repository({"Resources": {"App": application}})


def test_names_and_policies_may_be_functions_with_the_language_extensions() -> None:
    resource = {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": {"Fn::Sub": "Retain"},
        "Properties": {"A": {"Ref": {"Fn::Sub": "Q${AWS::Region}"}}, "B": {"Fn::GetAtt": [{"Fn::Sub": "Q"}, "Arn"]}},
    }
    expanded = expand({"Resources": {"Q": resource}})["Resources"]["Q"]
    assert expanded["DeletionPolicy"] == "Retain"
    assert expanded["Properties"] == {"A": {"Ref": "Qus-east-1"}, "B": {"Fn::GetAtt": ["Q", "Arn"]}}


async def test_documents_that_include_each_other_end() -> None:
    async def fetch(location: str) -> str:
        return f"Fn::Transform: {{Name: AWS::Include, Parameters: {{Location: '{location}'}}}}"

    call = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}}}
    with pytest.raises(TransformError, match="without end"):
        await include({"Resources": call}, fetch)


def test_macros_that_there_are_not_are_named() -> None:
    check_names(("AWS::LanguageExtensions", "AWS::Serverless-2016-10-31", "AWS::Include"))
    with pytest.raises(DeploymentError, match="No transform named Mine found"):
        check_names(("Mine",))
    with pytest.raises(UnsupportedError, match="AWS::CodeDeployBlueGreen"):
        check_names(("AWS::CodeDeployBlueGreen",))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"Fn::Length": []}, "Fn::Length"),
        ({"a": [{"Fn::ToJsonString": {}}]}, "Fn::ToJsonString"),
        ({"Fn::ForEach::X": []}, "Fn::ForEach::X"),
        ({"Fn::FindInMap": ["a", "b", "c", {"DefaultValue": 1}]}, "DefaultValue of Fn::FindInMap"),
        ({"Fn::FindInMap": ["a", "b", "c"]}, None),
    ],
)
def test_what_needs_language_extensions_is_found(value: dict[str, Any], found: str | None) -> None:
    assert needs_language_extensions(value) == found
