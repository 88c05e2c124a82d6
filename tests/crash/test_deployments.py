"""SIGKILL in the middle of a deployment: the next start goes on with it, nothing doubled, nothing lost."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from tests.conftest import ServerProcess
from tests.services.stacks import CAPABILITIES, create, history, reasons, settle

NewServer = Callable[..., ServerProcess]
TEMPLATE = """
Parameters: {Delay: {Type: Number, Default: 1}, Receives: {Type: Number, Default: 3}}
Resources:
  Dead: {Type: AWS::SQS::Queue}
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: !Ref Delay
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: !Ref Receives}
  Named: {Type: AWS::SQS::Queue, DependsOn: Queue, Properties: {QueueName: !Sub 'named-${Delay}'}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
      Policies:
        - PolicyName: p
          PolicyDocument: {Statement: [{Effect: Allow, Action: 'sqs:*', Resource: !GetAtt Queue.Arn}]}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 1
      Environment: {Variables: {DELAY: !Ref Delay}}
      Code: {ZipFile: "def handler(event, context): return 1"}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Function, EventSourceArn: !GetAtt Queue.Arn}
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: !Ref Function, Action: 'lambda:InvokeFunction', Principal: events.amazonaws.com}
Outputs: {Queue: {Value: !Ref Queue}, Function: {Value: !Ref Function}}
"""
STEPS = 7


def whole(server: ServerProcess, delay: str) -> None:
    """Everything of the template stands once, with the properties that belong to `delay`."""
    sqs, functions, iam = server.client("sqs"), server.client("lambda"), server.client("iam")
    queues = sqs.list_queues()["QueueUrls"]
    assert len(queues) == 3, queues
    assert [url for url in queues if "/named-" in url] == [f"{server.endpoint}/000000000000/named-{delay}"]
    (queue,) = [url for url in queues if "-Queue-" in url]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["DelaySeconds"])["Attributes"]
    assert attributes == {"DelaySeconds": delay}
    (function,) = functions.list_functions()["Functions"]
    assert function["Environment"]["Variables"] == {"DELAY": delay}
    assert len(functions.list_event_source_mappings()["EventSourceMappings"]) == 1
    assert functions.get_policy(FunctionName=function["FunctionName"])["Policy"].count('"Sid"') == 1
    (role,) = iam.list_roles()["Roles"]
    assert iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"] == ["p"]


def once(client: Any, stack: str, status: str) -> None:
    """No resource is told twice to have reached a state."""
    told = Counter(entry for entry in history(client, stack) if entry[1] == status)
    assert set(told.values()) == {1}, told


def begin(server: ServerProcess, operation: str, **arguments: Any) -> None:
    """Make a call that the server does not live to carry out; on a slow machine it may live to answer."""
    client = server.client("cloudformation")
    with contextlib.suppress(BotoCoreError):
        getattr(client, operation)(StackName="shop", **arguments)
    assert server.process is not None
    server.process.wait(timeout=30)


def fault(point: str, number: int) -> dict[str, str]:
    return {"FOGBANK_FAULT": f"cloudformation.{point}:{number}"}


def again(server: ServerProcess) -> Any:
    """Start the server anew, with nothing to make it fall, and wait for the stack."""
    server.kill()
    server.environment = {"FOGBANK_FAULT": ""}
    server.start()
    return server.client("cloudformation")


@pytest.mark.parametrize(("point", "number"), [("before-step", 1), ("after-step", 3), ("after-step", STEPS)])
@pytest.mark.slow
def test_a_creation_goes_on(new_server: NewServer, point: str, number: int) -> None:
    server = new_server("--port", "0", environment=fault(point, number))
    begin(server, "create_stack", TemplateBody=TEMPLATE, Capabilities=CAPABILITIES)
    client = again(server)
    stack = settle(client, "shop")
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "shop")
    once(client, "shop", "CREATE_COMPLETE")
    whole(server, "1")


@pytest.mark.slow
def test_a_creation_that_fails_is_rolled_back_by_the_next_start(new_server: NewServer) -> None:
    server = new_server("--port", "0", environment=fault("after-step", 3))
    bad = TEMPLATE.replace(
        "Timeout: 1", "Timeout: 1\n      Layers: ['arn:aws:lambda:us-east-1:000000000000:layer:no:1']"
    )
    begin(server, "create_stack", TemplateBody=bad, Capabilities=CAPABILITIES)
    client = again(server)
    assert settle(client, "shop")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "QueueUrls" not in server.client("sqs").list_queues()
    assert server.client("iam").list_roles()["Roles"] == []
    assert server.client("lambda").list_functions()["Functions"] == []


@pytest.mark.parametrize(("point", "number"), [("before-step", 2), ("after-step", 1)])
@pytest.mark.slow
def test_an_update_goes_on(new_server: NewServer, point: str, number: int) -> None:
    server = new_server()
    create(server.client("cloudformation"), "shop", TEMPLATE)
    server.stop()
    server.environment = fault(point, number)
    server.start()
    delay = [{"ParameterKey": "Delay", "ParameterValue": "2"}]
    begin(server, "update_stack", TemplateBody=TEMPLATE, Parameters=delay, Capabilities=CAPABILITIES)
    client = again(server)
    assert settle(client, "shop")["StackStatus"] == "UPDATE_COMPLETE", reasons(client, "shop")
    once(client, "shop", "UPDATE_COMPLETE")
    whole(server, "2")


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.slow
def test_an_update_that_fails_is_rolled_back_by_the_next_start(new_server: NewServer, number: int) -> None:
    """The update has changed and replaced some when it fails, and the server dies in the middle."""
    server = new_server()
    create(server.client("cloudformation"), "shop", TEMPLATE)
    server.stop()
    server.environment = fault("after-step", number)
    server.start()
    bad = TEMPLATE.replace("DependsOn: Queue", "DependsOn: [Queue, Broken]")
    bad = bad.replace("Resources:", "Resources:\n  Broken: {Type: AWS::SQS::Queue, DependsOn: Function, Properties: "
                                    "{RedrivePolicy: {deadLetterTargetArn: no, maxReceiveCount: 1}}}")  # fmt: skip
    delay = [{"ParameterKey": "Delay", "ParameterValue": "2"}]
    arguments = {"TemplateBody": bad, "Parameters": delay, "Capabilities": CAPABILITIES}
    begin(server, "update_stack", **arguments)
    client = again(server)
    assert settle(client, "shop")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", reasons(client, "shop")
    whole(server, "1")


@pytest.mark.parametrize(("point", "number"), [("after-step", 2)])
@pytest.mark.slow
def test_a_deletion_goes_on(new_server: NewServer, point: str, number: int) -> None:
    server = new_server()
    stack_id = create(server.client("cloudformation"), "shop", TEMPLATE)["StackId"]
    server.stop()
    server.environment = fault(point, number)
    server.start()
    begin(server, "delete_stack")
    client = again(server)
    assert settle(client, stack_id)["StackStatus"] == "DELETE_COMPLETE", reasons(client, stack_id)
    once(client, stack_id, "DELETE_COMPLETE")
    assert "QueueUrls" not in server.client("sqs").list_queues()
    assert server.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []


@pytest.mark.slow
def test_a_stop_in_the_middle_is_gone_on_with(new_server: NewServer) -> None:
    """SIGTERM finishes the steps under way and leaves the rest of the deployment to the next start."""
    server = new_server()
    client = server.client("cloudformation")
    client.create_stack(StackName="shop", TemplateBody=TEMPLATE, Capabilities=CAPABILITIES)
    assert server.stop() == 0
    server.start()
    client = server.client("cloudformation")
    assert settle(client, "shop")["StackStatus"] == "CREATE_COMPLETE"
    whole(server, "1")
