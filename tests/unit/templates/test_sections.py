"""A template's sections and parameters."""

from __future__ import annotations

from typing import Any

import pytest

from fogbank.services.cloudformation.engine import ParameterInput
from fogbank.templates.errors import TemplateError, UnsupportedError
from fogbank.templates.loader import load
from fogbank.templates.parameters import check, choose
from fogbank.templates.references import check_names
from fogbank.templates.sections import Parameter, Template, declared_parameters, parse, transforms

QUEUE = "Resources: {Q: {Type: 'AWS::SQS::Queue'}}\n"


def parsed(text: str) -> Template:
    template = parse(load(text))
    check_names(template)
    return template


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Description: x", "Template format error: At least one Resources member must be defined."),
        ("Resources: {}", "Template format error: At least one Resources member must be defined."),
        ("Resources: []", "Template format error: Resources must be an object."),
        (QUEUE + "Foo: 1\nBar: 2", "Invalid template property or properties [Foo, Bar]"),
        (QUEUE + "Description: [a]", "Template format error: Description must be a string."),
        (QUEUE + f"Description: {'x' * 1025}", "Template format error: 'Description' length is greater than 1024."),
        (QUEUE + "Parameters:", "[/Parameters] 'null' values are not allowed in templates"),
        ("Resources: {Q: {Type: T, Properties: {A: [1, null]}}}",
         "[/Resources/Q/Properties/A/1] 'null' values are not allowed in templates"),
        ("Resources: {Q: {Properties: {}}}",
         "Template format error: [/Resources/Q] Every Resources object must contain a Type member."),
        ("Resources: {my-q: {Type: T}}", "Template format error: Resource name my-q is non alphanumeric."),
        ("Resources: {Q: {Type: T, Foo: 1}}", "Invalid template resource property 'Foo'"),
        ("Resources: {Q: text}",
         "Template format error: Any Resources member must be an object."),
        ("Resources: {Q: {Type: T, DependsOn: {a: b}}}",
         "Template format error: [/Resources/Q/DependsOn] DependsOn must be a string or list of strings."),
        ("Resources: {Q: {Type: T, DependsOn: X}}",
         "Template format error: Unresolved resource dependencies [X] in the Resources block of the template"),
        ("Resources: {Q: {Type: T, Condition: {a: b}}}",
         "Template format error: Every Condition member must be a string."),
        ("Resources: {Q: {Type: T, DeletionPolicy: Keep}}",
         "Template format error: Unrecognized DeletionPolicy Keep for resource Q"),
        ("Resources: {Q: {Type: T, UpdateReplacePolicy: RetainExceptOnCreate}}",
         "Template format error: Unrecognized UpdateReplacePolicy RetainExceptOnCreate for resource Q"),
        ("Resources: {Q: {Type: T, Properties: {A: !Ref X, B: !Sub '${Y}-${Q}'}}}",
         "Template format error: Unresolved resource dependencies [X, Y] in the Resources block of the template"),
        ("Resources: {Q: {Type: T, Properties: {A: !GetAtt X.Arn}}}",
         "Template error: instance of Fn::GetAtt references undefined resource X"),
        (QUEUE + "Outputs: {O: {Value: !Ref X}}",
         "Template format error: Unresolved resource dependencies [X] in the Outputs block of the template"),
        (QUEUE + "Outputs: {O: {Description: x}}",
         "Template format error: Every Outputs member must contain a Value object"),
        (QUEUE + "Outputs: {O: {Value: x, Foo: y}}", "Invalid template output property 'Foo'"),
        (QUEUE + "Outputs: {O: {Value: x, Export: {Nam: y}}}",
         "Template format error: Output O is malformed. The Export must have a Name"),
        (QUEUE + "Outputs: {O-1: {Value: x}}", "Template format error: Outputs name 'O-1' is non alphanumeric."),
        (QUEUE + "Parameters: {P: {Default: x}}",
         "Template format error: Every Parameters object must contain a Type member."),
        (QUEUE + "Parameters: {P: {Type: Text}}", "Template format error: Unrecognized parameter type: Text"),
        (QUEUE + "Parameters: {P: {Type: String, Foo: x}}", "Invalid template parameter property 'Foo'"),
        (QUEUE + "Parameters: {P: {Type: String, Default: [a]}}",
         "Template format error: Every Default member must be a string."),
        (QUEUE + "Mappings: {M: {a: {b: {c: d}}}}",
         "Template format error: Every Mappings attribute must be a String or a List."),
        (QUEUE + "Mappings: {M: text}", "Template format error: Every Mappings member M must be a map"),
        (QUEUE + "Mappings: {M: {A: text}}", "Template format error: Every Mappings member A must be a map"),
        (QUEUE + "Conditions: {C: !Equals [!Ref Q, a]}",
         ("Template format error: Unresolved dependencies [Q]. Cannot reference resources in the Conditions block of "
         "the template")),
        ("Resources: {Q: {Type: T, Condition: C}}",
         "Template format error: Unresolved condition dependency C in the Resources block of the template"),
        ("Resources: {Q: {Type: T, Properties: {A: !If [C, 1, 2]}}}",
         "Template error: unresolved condition dependency C in Fn::If"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_must_be_is_refused(text: str, expected: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parsed(text)
    assert caught.value.message == expected


def test_quotas_are_held() -> None:
    many = {"Resources": {f"Q{i}": {"Type": "T"} for i in range(501)}}
    with pytest.raises(TemplateError, match="Number of resources, 501, is greater than maximum allowed, 500"):
        parse(many)


@pytest.mark.parametrize("policy", ["CreationPolicy", "UpdatePolicy"])
def test_policies_that_fogbank_lacks_are_refused_by_name(policy: str) -> None:
    with pytest.raises(UnsupportedError, match=f"does not implement {policy}, which resource Q declares"):
        parsed(f"Resources: {{Q: {{Type: T, {policy}: {{a: b}}}}}}")


def test_an_alias_may_be_moved_by_codedeploy_without_hooks() -> None:
    text = "Resources: {A: {Type: 'AWS::Lambda::Alias', UpdatePolicy: {CodeDeployLambdaAliasUpdate: {%s}}}}"
    names = "ApplicationName: a, DeploymentGroupName: g"
    assert parsed(text % names).resources["A"].type == "AWS::Lambda::Alias"
    with pytest.raises(UnsupportedError, match="does not implement BeforeAllowTrafficHook of CodeDeployLambdaAlias"):
        parsed(text % f"{names}, BeforeAllowTrafficHook: f")


def test_null_is_allowed_in_metadata() -> None:
    assert parsed("Metadata: {a: null}\nResources: {Q: {Type: T, Metadata: {b: null}}}").metadata == {"a": None}


def test_transforms_are_listed_in_their_forms() -> None:
    assert transforms({"Transform": "A"}) == ("A",)
    assert transforms({"Transform": ["A", {"Name": "B", "Parameters": {}}]}) == ("A", "B")
    for name in (5, {"Name": {"Ref": "P"}}):
        with pytest.raises(TemplateError, match=r"Key Name of transform definition must be a string\."):
            transforms({"Transform": [name]})


PARAMETERS = declared_parameters(
    load(
        """
Parameters:
  Plain: {Type: String}
  Size: {Type: Number, Default: 5, MinValue: 1, MaxValue: 10}
  Stage: {Type: String, Default: dev, AllowedValues: [dev, prod, true]}
  Code: {Type: String, Default: ab, AllowedPattern: '[a-z]+', MinLength: 2, MaxLength: 4}
  Explained: {Type: String, Default: x1, AllowedPattern: 'x.*', ConstraintDescription: must begin with x}
  Numbers: {Type: List<Number>, Default: '1,2'}
  Zones: {Type: CommaDelimitedList, Default: 'a,b', AllowedValues: [a, b]}
"""
    )
)


def given(**values: str) -> list[ParameterInput]:
    return [ParameterInput(name, value) for name, value in values.items()]


def test_values_are_given_previous_or_default() -> None:
    chosen = choose(PARAMETERS, [ParameterInput("Plain", use_previous=True)], {"Plain": "before"})
    assert chosen["Plain"] == "before"
    assert chosen["Size"] == "5"
    assert list(chosen) == list(PARAMETERS)


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ([], "Parameters: [Plain] must have values"),
        (given(Plain="x", Foo="1", Bar="2"), "Parameters: [Foo, Bar] do not exist in the template"),
        ([ParameterInput("Plain", use_previous=True)],
         ("Invalid input for parameter key Plain. Cannot specify usePreviousValue as true for a parameter key not in "
         "the previous template")),
        ([ParameterInput("Plain", "x", use_previous=True)],
         ("Invalid input for parameter key Plain. Cannot specify usePreviousValue as true and non empty value for a "
         "parameter")),
        (given(Plain="x") + given(Plain="y"), "Parameter 'Plain' is given more than once"),
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit_the_template_are_refused(inputs: list[ParameterInput], expected: str) -> None:
    with pytest.raises(TemplateError) as caught:
        choose(PARAMETERS, inputs)
    assert caught.value.message == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Size", "0", "Parameter 'Size' must be a number not less than 1"),
        ("Size", "11", "Parameter 'Size' must be a number not greater than 10"),
        ("Size", "five", "Parameter 'Size' must be a number"),
        ("Stage", "test", "Parameter 'Stage' must be one of AllowedValues"),
        ("Code", "a", "Parameter 'Code' must contain at least 2 characters"),
        ("Code", "abcde", "Parameter 'Code' must contain at most 4 characters"),
        ("Code", "AB", "Parameter 'Code' must match pattern [a-z]+"),
        ("Explained", "y", "Parameter Explained failed to satisfy constraint: must begin with x"),
        ("Numbers", "1,b", "Parameter 'Numbers' must be a list of numbers"),
        ("Zones", "a,c", "Parameter 'Zones' must be one of AllowedValues"),
        ("Plain", "x" * 4097, "Parameter 'Plain' must contain at most 4096 bytes"),
    ],
)
def test_values_are_held_against_their_declaration(name: str, value: str, expected: str) -> None:
    with pytest.raises(TemplateError) as caught:
        check(PARAMETERS[name], value)
    assert caught.value.message == expected


@pytest.mark.parametrize(
    ("name", "value"), [("Size", "10"), ("Size", "2.5"), ("Stage", "true"), ("Code", "abcd"), ("Zones", "b, a")]
)
def test_values_that_fit_pass(name: str, value: str) -> None:
    check(PARAMETERS[name], value)


@pytest.mark.parametrize(
    ("kind", "is_list", "is_ssm"),
    [
        ("String", False, False),
        ("List<Number>", True, False),
        ("AWS::EC2::Subnet::Id", False, False),
        ("List<AWS::EC2::Subnet::Id>", True, False),
        ("AWS::SSM::Parameter::Value<String>", False, True),
        ("AWS::SSM::Parameter::Value<List<String>>", True, True),
        ("AWS::SSM::Parameter::Value<CommaDelimitedList>", True, True),
        ("AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", False, True),
    ],
)
def test_parameter_types_are_known(kind: str, is_list: bool, is_ssm: bool) -> None:
    raw: dict[str, Any] = {"Parameters": {"P": {"Type": kind}}}
    parameter: Parameter = declared_parameters(raw)["P"]
    assert (parameter.is_list, parameter.is_ssm_value) == (is_list, is_ssm)
