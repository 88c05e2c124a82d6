"""Secrets in templates: made, generated, referred to, changed, deleted; and in state machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.services.lambda_code import ROLE
from tests.services.stacks import create, reasons, settle, update
from tests.services.topics import refused

Aws = Callable[..., Any]
STACK = """
Resources:
  Generated:
    Type: AWS::SecretsManager::Secret
    Properties:
      Description: one
      Tags: [{Key: a, Value: one}]
      GenerateSecretString:
        SecretStringTemplate: '{"username":"admin"}'
        GenerateStringKey: password
        PasswordLength: 20
        ExcludePunctuation: true
  Given: {Type: AWS::SecretsManager::Secret, Properties: {Name: given, SecretString: one}}
  Policy:
    Type: AWS::SecretsManager::ResourcePolicy
    Properties:
      SecretId: !Ref Generated
      ResourcePolicy:
        Version: '2012-10-17'
        Statement:
          - Effect: Deny
            Principal: '*'
            Action: secretsmanager:DeleteSecret
            Resource: '*'
  Parameter:
    Type: AWS::SSM::Parameter
    Properties:
      Name: told
      Type: String
      Value: !Sub '{{resolve:secretsmanager:${Generated}:SecretString:username}}-{{resolve:secretsmanager:${Given}}}'
Outputs:
  Generated: {Value: !Ref Generated}
  Given: {Value: !GetAtt Given.Id}
"""


def test_secrets_in_templates(aws: Aws) -> None:
    """`Ref` is the ARN; a generated value stays until its settings change; deletion is for good."""
    stacks, secrets, ssm = aws("cloudformation"), aws("secretsmanager"), aws("ssm")
    stack = create(stacks, "s", STACK)
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(stacks, "s")
    found = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    value = json.loads(secrets.get_secret_value(SecretId=found["Generated"])["SecretString"])
    assert (value["username"], len(value["password"]), value["password"].isalnum()) == ("admin", 20, True)
    assert found["Given"] == secrets.describe_secret(SecretId="given")["ARN"]
    assert ssm.get_parameter(Name="told")["Parameter"]["Value"] == "admin-one"
    assert "Deny" in secrets.get_resource_policy(SecretId=found["Generated"])["ResourcePolicy"]
    tags = {tag["Key"] for tag in secrets.describe_secret(SecretId=found["Generated"])["Tags"]}
    assert tags == {
        "a",
        "aws:cloudformation:logical-id",
        "aws:cloudformation:stack-id",
        "aws:cloudformation:stack-name",
    }

    changed = STACK.replace("Description: one", "Description: two").replace("SecretString: one", "SecretString: two")
    stack = update(stacks, "s", changed)
    assert stack["StackStatus"] == "UPDATE_COMPLETE", reasons(stacks, "s")
    assert json.loads(secrets.get_secret_value(SecretId=found["Generated"])["SecretString"]) == value
    assert secrets.describe_secret(SecretId=found["Generated"])["Description"] == "two"
    assert secrets.get_secret_value(SecretId="given")["SecretString"] == "two"
    update(stacks, "s", changed.replace("PasswordLength: 20", "PasswordLength: 21"))
    other = json.loads(secrets.get_secret_value(SecretId=found["Generated"])["SecretString"])
    assert len(other["password"]) == 21

    stacks.delete_stack(StackName=stack["StackId"])
    assert settle(stacks, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"] == []


def test_what_templates_of_secrets_lack_is_refused_by_name(aws: Aws) -> None:
    """Before anything is created."""
    stacks = aws("cloudformation")
    attachment = "{SecretId: s, TargetId: t, TargetType: AWS::RDS::DBInstance}"
    for text in (
        "{Type: 'AWS::SecretsManager::Secret', Properties: {ReplicaRegions: [{Region: eu-west-1}]}}",
        f"{{Type: 'AWS::SecretsManager::SecretTargetAttachment', Properties: {attachment}}}",
    ):
        with refused("ValidationError"):
            create(stacks, "s", f"Resources: {{S: {text}}}")


def test_state_machines_read_secrets(aws: Aws) -> None:
    """Through the SDK integration, with its errors by name."""
    states = aws("stepfunctions")
    aws("secretsmanager").create_secret(Name="a", SecretString="told")
    task = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:secretsmanager:getSecretValue", "End": True}
    catch = [{"ErrorEquals": ["SecretsManager.ResourceNotFoundException"], "Next": "Missing"}]
    definition = {
        "StartAt": "Read",
        "States": {
            "Read": {**task, "Parameters": {"SecretId.$": "$.name"}, "OutputPath": "$.SecretString", "Catch": catch},
            "Missing": {"Type": "Pass", "Result": "missing", "End": True},
        },
    }
    arn = states.create_state_machine(name="m", definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    for name, output in (("a", "told"), ("b", "missing")):
        execution = states.start_execution(stateMachineArn=arn, input=json.dumps({"name": name}))["executionArn"]
        while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            pass
        assert json.loads(found["output"]) == output
