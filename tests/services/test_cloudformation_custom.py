"""Custom resources: functions that create, change and delete what CloudFormation does not know."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.stacks import create, reasons, settle, update

pytestmark = pytest.mark.slow

Aws = Callable[..., Any]
SOURCE = """
import json, os, cfnresponse, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["LOG"], MessageBody=json.dumps(event))
    properties = event["ResourceProperties"]
    if properties.get("Fail") == event["RequestType"]:
        known = event.get("PhysicalResourceId", "none")
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, known, reason="as told")
        return
    data = {"Size": properties["Size"], "Inner": {"Deep": "x"}}
    cfnresponse.send(event, context, cfnresponse.SUCCESS, data, "thing-" + properties["Kind"])
"""
TEMPLATE = """
Resources:
  Log: {Type: AWS::SQS::Queue}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
  Maker:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Timeout: 20
      Role: !GetAtt Role.Arn
      Environment: {Variables: {LOG: !Ref Log}}
      Code: {ZipFile: SOURCE}
  Thing:
    Type: Custom::Thing
    Properties: {ServiceToken: !GetAtt Maker.Arn, Size: 3, Flag: true, Kind: KIND, Fail: FAIL}
Outputs:
  Log: {Value: !Ref Log}
  Thing: {Value: !Ref Thing}
  Size: {Value: !GetAtt Thing.Size}
  Deep: {Value: !GetAtt Thing.Inner.Deep}
"""


def template(kind: str = "a", fail: str = "never", size: int = 3) -> str:
    text = TEMPLATE.replace("KIND", kind).replace("FAIL", fail).replace("Size: 3", f"Size: {size}")
    return text.replace("SOURCE", json.dumps(SOURCE))


def told(aws: Aws, url: str) -> list[dict[str, Any]]:
    """The events that the function has seen."""
    messages = aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return sorted((json.loads(m["Body"]) for m in messages), key=lambda e: str(e["RequestType"]))


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def test_a_function_makes_changes_and_deletes_its_resource(aws: Aws) -> None:
    client = aws("cloudformation")
    stack = create(client, "s", template())
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "s")
    found = outputs(stack)
    assert (found["Thing"], found["Size"], found["Deep"]) == ("thing-a", "3", "x")
    (event,) = told(aws, found["Log"])
    assert (event["RequestType"], event["ResourceType"], event["LogicalResourceId"]) == (
        "Create",
        "Custom::Thing",
        "Thing",
    )
    assert event["ResourceProperties"]["Flag"] == "true"
    assert event["StackId"] == stack["StackId"]
    stack = update(client, "s", template(size=5))
    assert outputs(stack)["Size"] == "5"
    (event,) = told(aws, found["Log"])
    assert (event["RequestType"], event["PhysicalResourceId"]) == ("Update", "thing-a")
    assert event["OldResourceProperties"]["Size"] == "3"
    client.delete_stack(StackName="s")
    assert settle(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE", reasons(client, stack["StackId"])


def test_another_id_is_a_replacement_and_the_old_one_is_deleted(aws: Aws) -> None:
    client = aws("cloudformation")
    log = outputs(create(client, "s", template()))["Log"]
    told(aws, log)
    stack = update(client, "s", template(kind="b"))
    assert outputs(stack)["Thing"] == "thing-b"
    deleted, updated = told(aws, log)
    assert (deleted["RequestType"], deleted["PhysicalResourceId"]) == ("Delete", "thing-a")
    assert (updated["RequestType"], updated["PhysicalResourceId"]) == ("Update", "thing-a")


def test_a_function_that_says_no_fails_its_resource(aws: Aws) -> None:
    client = aws("cloudformation")
    assert create(client, "s", template(fail="Create"))["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = reasons(client, "s")["Thing"]
    assert reason.startswith(
        "Received response status [FAILED] from custom resource. Message returned: as told (RequestId: "
    )
    stack = create(client, "t", template())
    failed = update(client, "t", template(fail="Update", size=9))
    assert failed["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", reasons(client, "t")
    assert outputs(failed)["Size"] == outputs(stack)["Size"] == "3"


def test_a_resource_without_a_function_fails(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "s", "Resources: {C: {Type: 'Custom::C', Properties: {A: b}}}")
    assert reasons(client, "s")["C"] == "Missing required property: ServiceToken"


@pytest.mark.slow
def test_a_function_that_does_not_answer_fails_in_time(aws: Aws) -> None:
    client = aws("cloudformation")
    silent = template().replace(json.dumps(SOURCE), '"def handler(event, context): pass"')
    silent = silent.replace("Kind: a", "Kind: a, ServiceTimeout: 1")
    create(client, "s", silent)
    assert reasons(client, "s")["Thing"].startswith(
        "CloudFormation did not receive a response from your Custom Resource."
    )


@pytest.mark.parametrize("token", ["x", "00000000-0000-4000-8000-000000000000", "../reset"])
def test_what_nobody_waits_for_is_not_taken(server: ServerProcess, token: str) -> None:
    request = urllib.request.Request(f"{server.endpoint}/_fogbank/cloudformation/{token}", b"{}", method="PUT")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 404
    caught.value.close()
