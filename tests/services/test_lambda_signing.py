"""Code signing configurations and the management of runtimes: accepted as far as they can be honoured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.services import stacks
from tests.services.lambda_code import RUNTIME, create, package

Aws = Callable[..., Any]
PUBLISHERS = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/v1"]}
MISSING = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-00000000000000000"
ENFORCE = {"UntrustedArtifactOnDeployment": "Enforce"}


@pytest.fixture
def lam(aws: Aws) -> Any:
    return aws("lambda")


def test_configurations_are_made_changed_listed_and_removed(lam: Any) -> None:
    made = lam.create_code_signing_config(AllowedPublishers=PUBLISHERS, Description="d")["CodeSigningConfig"]
    arn = made["CodeSigningConfigArn"]
    assert arn.endswith(f":code-signing-config:{made['CodeSigningConfigId']}")
    assert made["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert lam.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"] == made
    changed = lam.update_code_signing_config(CodeSigningConfigArn=arn, CodeSigningPolicies=ENFORCE)
    assert changed["CodeSigningConfig"]["CodeSigningPolicies"] == ENFORCE
    assert changed["CodeSigningConfig"]["AllowedPublishers"] == PUBLISHERS
    lam.tag_resource(Resource=arn, Tags={"a": "b"})
    assert lam.list_tags(Resource=arn)["Tags"] == {"a": "b"}
    lam.untag_resource(Resource=arn, TagKeys=["a"])
    assert lam.list_tags(Resource=arn)["Tags"] == {}
    lam.create_code_signing_config(AllowedPublishers=PUBLISHERS)
    pages = lam.get_paginator("list_code_signing_configs").paginate(PaginationConfig={"PageSize": 1})
    assert len([config for page in pages for config in page["CodeSigningConfigs"]]) == 2
    lam.delete_code_signing_config(CodeSigningConfigArn=arn)
    for call in (lam.get_code_signing_config, lam.delete_code_signing_config, lam.update_code_signing_config):
        with pytest.raises(lam.exceptions.ResourceNotFoundException, match="can not be found") as raised:
            call(CodeSigningConfigArn=arn)
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_configuration_that_enforces_lets_no_unsigned_code_be_deployed(lam: Any) -> None:
    """No package is signed here, so there is none that could pass."""
    warns = lam.create_code_signing_config(AllowedPublishers=PUBLISHERS)["CodeSigningConfig"]["CodeSigningConfigArn"]
    enforces = lam.create_code_signing_config(AllowedPublishers=PUBLISHERS, CodeSigningPolicies=ENFORCE)
    arn = enforces["CodeSigningConfig"]["CodeSigningConfigArn"]
    create(lam, CodeSigningConfigArn=warns)
    found = lam.get_function_code_signing_config(FunctionName="f")
    assert (found["CodeSigningConfigArn"], found["FunctionName"]) == (warns, "f")
    lam.update_function_code(FunctionName="f", ZipFile=package(app="handler = print\n"))
    refused = lam.exceptions.CodeVerificationFailedException
    with pytest.raises(refused, match="Lambda cannot deploy the function"):
        create(lam, name="g", CodeSigningConfigArn=arn)
    lam.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=arn)
    with pytest.raises(refused):
        lam.update_function_code(FunctionName="f", ZipFile=package(app="handler = print\n"))
    assert lam.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"] == [
        "arn:aws:lambda:us-east-1:000000000000:function:f"
    ]
    with pytest.raises(lam.exceptions.ResourceConflictException, match="being used"):
        lam.delete_code_signing_config(CodeSigningConfigArn=arn)
    lam.delete_function_code_signing_config(FunctionName="f")
    assert "CodeSigningConfigArn" not in lam.get_function_code_signing_config(FunctionName="f")
    lam.update_function_code(FunctionName="f", ZipFile=package(app="handler = print\n"))
    lam.delete_code_signing_config(CodeSigningConfigArn=arn)
    with pytest.raises(lam.exceptions.CodeSigningConfigNotFoundException):
        lam.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=MISSING)


def test_runtimes_are_updated_automatically_or_stay_at_the_one_there_is(lam: Any) -> None:
    made = create(lam)
    own = lam.get_function_configuration(FunctionName="f")["RuntimeVersionConfig"]["RuntimeVersionArn"]
    assert made["Runtime"] == RUNTIME
    assert lam.get_runtime_management_config(FunctionName="f")["UpdateRuntimeOn"] == "Auto"
    found = lam.put_runtime_management_config(FunctionName="f", UpdateRuntimeOn="FunctionUpdate")
    assert found["FunctionArn"].endswith(":function:f:$LATEST")
    assert lam.get_runtime_management_config(FunctionName="f")["UpdateRuntimeOn"] == "FunctionUpdate"
    lam.put_runtime_management_config(FunctionName="f", UpdateRuntimeOn="Manual", RuntimeVersionArn=own)
    assert lam.get_runtime_management_config(FunctionName="f")["RuntimeVersionArn"] == own
    refused = lam.exceptions.InvalidParameterValueException
    for more in (
        {"UpdateRuntimeOn": "Manual"},
        {"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": own},
        {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": own[:-4] + "ffff"},
    ):
        with pytest.raises(refused):
            lam.put_runtime_management_config(FunctionName="f", **more)
    with pytest.raises(lam.exceptions.ResourceNotFoundException):
        lam.get_runtime_management_config(FunctionName="f", Qualifier="7")


@pytest.mark.slow
def test_a_template_makes_a_configuration_for_its_functions(aws: Aws, lam: Any) -> None:
    template = """
Resources:
  C:
    Type: AWS::Lambda::CodeSigningConfig
    Properties:
      AllowedPublishers: {SigningProfileVersionArns: ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/v1"]}
      CodeSigningPolicies: {UntrustedArtifactOnDeployment: Warn}
      Tags: [{Key: a, Value: b}]
  F:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: f
      Role: arn:aws:iam::000000000000:role/r
      Runtime: python3.13
      Handler: index.handler
      Code: {ZipFile: "handler = print"}
      CodeSigningConfigArn: !Ref C
      RecursiveLoop: Allow
      RuntimeManagementConfig: {UpdateRuntimeOn: FunctionUpdate}
Outputs: {C: {Value: !GetAtt C.CodeSigningConfigArn}}
"""
    client = aws("cloudformation")
    stack = stacks.create(client, "s", template)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.reasons(client, "s")
    arn = stack["Outputs"][0]["OutputValue"]
    assert lam.get_function_code_signing_config(FunctionName="f")["CodeSigningConfigArn"] == arn
    assert lam.get_function_recursion_config(FunctionName="f")["RecursiveLoop"] == "Allow"
    assert lam.get_runtime_management_config(FunctionName="f")["UpdateRuntimeOn"] == "FunctionUpdate"
    stack = stacks.update(client, "s", template.replace("Value: b", "Value: c"))
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stacks.reasons(client, "s")
    assert lam.list_tags(Resource=arn)["Tags"]["a"] == "c"
