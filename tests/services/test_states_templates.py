"""State machines and activities in templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.services.stacks import create, reasons, update

from fogbank.templates.build import build

TEMPLATE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Action: 'sts:AssumeRole', Principal: {Service: states.amazonaws.com}}]
  Work: {Type: AWS::StepFunctions::Activity, Properties: {Name: work}}
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      RoleArn: !GetAtt Role.Arn
      DefinitionSubstitutions: {Said: hello}
      DefinitionString: '{"StartAt":"A","States":{"A":{"Type":"Pass","Result":"${Said}","End":true}}}'
Outputs:
  Machine: {Value: !Ref Machine}
"""


def test_a_state_machine_is_created_updated_and_deleted_with_its_stack(aws: Callable[..., Any]) -> None:
    client, states = aws("cloudformation"), aws("stepfunctions")
    stack = create(client, "s", TEMPLATE)
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "s")
    arn = stack["Outputs"][0]["OutputValue"]
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    assert states.describe_execution(executionArn=execution)["output"] == '"hello"'
    assert update(client, "s", TEMPLATE.replace("hello", "bye"))["StackStatus"] == "UPDATE_COMPLETE"
    assert "bye" in states.describe_state_machine(stateMachineArn=arn)["definition"]
    client.delete_stack(StackName="s")
    while states.list_state_machines()["stateMachines"] or states.list_activities()["activities"]:
        pass


def test_a_local_definition_goes_into_the_template(tmp_path: Path) -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    (tmp_path / "machine.asl.json").write_text(json.dumps(definition))
    template = tmp_path / "template.yaml"
    template.write_text(
        "Resources: {M: {Type: AWS::Serverless::StateMachine, Properties: {DefinitionUri: machine.asl.json}}}"
    )
    properties = json.loads(build(template).body)["Resources"]["M"]["Properties"]
    assert properties == {"Definition": definition}
