"""State machines and activities in templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServerProcess
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


DEFINITIONS = {
    "machine.asl.json": """{"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Result": "${Greeting}", "ResultPath": null, "OutputPath": "$", "End": true}}}""",
    "machine.asl.yaml": """
StartAt: A
States:
  A: {Type: Pass, Result: "${Greeting}", ResultPath: null, OutputPath: $, End: true}
""",
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_local_definition_is_deployed_with_its_nulls_and_substitutions(
    aws: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    """In JSON or YAML; a change of the file is a change of the template."""
    client, states = aws("cloudformation"), aws("stepfunctions")
    template = tmp_path / "template.yaml"
    template.write_text(f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  M:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: m
      DefinitionUri: {name}
      DefinitionSubstitutions: {{Greeting: hello}}
""")
    (tmp_path / name).write_text(DEFINITIONS[name])
    stack = create(client, "s", build(template).body)
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "s")
    (machine,) = states.list_state_machines()["stateMachines"]
    arn = machine["stateMachineArn"]
    state = json.loads(states.describe_state_machine(stateMachineArn=arn)["definition"])["States"]["A"]
    assert (state["Result"], state["ResultPath"]) == ("hello", None)
    (tmp_path / name).write_text(DEFINITIONS[name].replace("${Greeting}", "bye"))
    assert update(client, "s", build(template).body)["StackStatus"] == "UPDATE_COMPLETE"
    assert "bye" in states.describe_state_machine(stateMachineArn=arn)["definition"]


def test_a_definition_is_read_from_a_bucket(aws: Callable[..., Any]) -> None:
    client, states, s3 = aws("cloudformation"), aws("stepfunctions"), aws("s3")
    s3.create_bucket(Bucket="definitions")
    template = """
Resources:
  M:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: m
      RoleArn: arn:aws:iam::000000000000:role/r
      DefinitionS3Location: {Bucket: definitions, Key: m.json}
"""
    assert create(client, "none", template)["StackStatus"] == "ROLLBACK_COMPLETE", reasons(client, "none")
    assert "The specified key does not exist" in reasons(client, "none")["M"]
    s3.put_object(Bucket="definitions", Key="m.json", Body=b'{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}')
    assert create(client, "s", template)["StackStatus"] == "CREATE_COMPLETE", reasons(client, "s")
    assert [each["name"] for each in states.list_state_machines()["stateMachines"]] == ["m"]


VERSIONS = """
Resources:
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: m
      RoleArn: arn:aws:iam::000000000000:role/r
      DefinitionString: '{"StartAt":"A","States":{"A":{"Type":"Pass","Result":"one","End":true}}}'
  Version1:
    Type: AWS::StepFunctions::StateMachineVersion
    Properties: {StateMachineArn: !Ref Machine, StateMachineRevisionId: !GetAtt Machine.StateMachineRevisionId}
  Alias:
    Type: AWS::StepFunctions::StateMachineAlias
    Properties:
      Name: live
      DeploymentPreference: {StateMachineVersionArn: !Ref Version1, Type: PREFERENCE}
Outputs:
  Alias: {Value: !Ref Alias}
"""


def test_an_alias_moves_to_the_new_version_with_its_stack(aws: Callable[..., Any]) -> None:
    client, states = aws("cloudformation"), aws("stepfunctions")
    stack = create(client, "s", VERSIONS.replace("PREFERENCE", "ALL_AT_ONCE"))
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "s")
    alias = stack["Outputs"][0]["OutputValue"]
    changed = VERSIONS.replace("Version1", "Version2").replace("one", "two").replace("PREFERENCE", "ALL_AT_ONCE")
    assert update(client, "s", changed)["StackStatus"] == "UPDATE_COMPLETE", reasons(client, "s")
    (route,) = states.describe_state_machine_alias(stateMachineAliasArn=alias)["routingConfiguration"]
    assert route["stateMachineVersionArn"].endswith(":m:2")
    client.delete_stack(StackName="s")
    while states.list_state_machines()["stateMachines"]:
        pass


@pytest.mark.parametrize(
    ("preference", "weights"),
    [("CANARY, Percentage: 10, Interval: 5", [10, 100]), ("LINEAR, Percentage: 40, Interval: 5", [40, 80, 100])],
)
@pytest.mark.slow
def test_an_alias_is_moved_little_by_little(server: ServerProcess, preference: str, weights: list[int]) -> None:
    client, states = server.client("cloudformation"), server.client("stepfunctions")
    stack = create(client, "s", VERSIONS.replace("PREFERENCE", preference))
    alias = stack["Outputs"][0]["OutputValue"]
    changed = VERSIONS.replace("Version1", "Version2").replace("one", "two").replace("PREFERENCE", preference)
    client.update_stack(StackName="s", TemplateBody=changed)
    seen = [0]
    while client.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] != "UPDATE_COMPLETE":
        weight = _weight(states, alias)
        if weight != seen[-1]:
            seen.append(weight)
        if weight:
            server.post("/_fogbank/clock", {"seconds": 100})  # three steps to an interval: none is missed
    assert seen == [0, *weights]


def _weight(states: Any, alias: str) -> int:
    """What goes to the second version, in percent."""
    routes = states.describe_state_machine_alias(stateMachineAliasArn=alias)["routingConfiguration"]
    return next((route["weight"] for route in routes if route["stateMachineVersionArn"].endswith(":m:2")), 0)


CONNECTION = """
Resources:
  Connection:
    Type: AWS::Events::Connection
    Properties:
      AuthorizationType: API_KEY
      AuthParameters: {ApiKeyAuthParameters: {ApiKeyName: k, ApiKeyValue: v}}
  Destination:
    Type: AWS::Events::ApiDestination
    Properties:
      ConnectionArn: !GetAtt Connection.Arn
      HttpMethod: POST
      InvocationEndpoint: https://example.com/
Outputs:
  Destination: {Value: !GetAtt Destination.Arn}
"""


def test_a_connection_and_its_destination_in_a_template(aws: Callable[..., Any]) -> None:
    client, events = aws("cloudformation"), aws("events")
    stack = create(client, "s", CONNECTION)
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "s")
    (found,) = events.list_api_destinations()["ApiDestinations"]
    assert found["ApiDestinationArn"] == stack["Outputs"][0]["OutputValue"]
    assert update(client, "s", CONNECTION.replace("POST", "PUT"))["StackStatus"] == "UPDATE_COMPLETE"
    assert events.list_api_destinations()["ApiDestinations"][0]["HttpMethod"] == "PUT"
    client.delete_stack(StackName="s")
    while events.list_connections()["Connections"]:
        pass


SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: m
      Role: arn:aws:iam::000000000000:role/r
      AutoPublishAlias: live
      DeploymentPreference: {Type: ALL_AT_ONCE}
      Definition: {StartAt: A, States: {A: {Type: Pass, Result: one, End: true}}}
"""


@pytest.mark.slow
def test_sam_publishes_a_version_for_each_change(aws: Callable[..., Any]) -> None:
    client, states = aws("cloudformation"), aws("stepfunctions")
    assert create(client, "s", SAM)["StackStatus"] == "CREATE_COMPLETE", reasons(client, "s")
    machine = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
    assert update(client, "s", SAM.replace("one", "two"))["StackStatus"] == "UPDATE_COMPLETE", reasons(client, "s")
    alias = states.describe_state_machine_alias(stateMachineAliasArn=f"{machine}:live")
    assert [route["stateMachineVersionArn"] for route in alias["routingConfiguration"]] == [f"{machine}:2"]
    versions = states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    assert [version["stateMachineVersionArn"][-1] for version in versions] == ["2", "1"]
