"""Deployments that fail: what is rolled back, what stays, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.stacks import QUEUES, create, history, reasons, settle, update

pytestmark = pytest.mark.slow

Aws = Callable[..., Any]
BROKEN = """
Resources:
  First: {Type: AWS::SQS::Queue}
  Broken:
    Type: AWS::SQS::Queue
    DependsOn: First
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !Sub '${First.Arn}-missing', maxReceiveCount: 3}
"""


def test_a_creation_that_fails_is_rolled_back(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    stack = create(client, "shop", BROKEN)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stack["StackStatusReason"] == (
        "The following resource(s) failed to create: [Broken]. Rollback requested by user."
    )
    assert "QueueUrls" not in sqs.list_queues()
    reason = reasons(client, "shop")["Broken"]
    assert reason.startswith('Resource handler returned message: "')
    assert "HandlerErrorCode: InvalidRequest)" in reason
    assert history(client, "shop") == [
        ("shop", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_IN_PROGRESS"),
        ("First", "CREATE_COMPLETE"),
        ("Broken", "CREATE_IN_PROGRESS"),
        ("Broken", "CREATE_FAILED"),
        ("shop", "ROLLBACK_IN_PROGRESS"),
        ("Broken", "DELETE_IN_PROGRESS"),
        ("Broken", "DELETE_COMPLETE"),
        ("First", "DELETE_IN_PROGRESS"),
        ("First", "DELETE_COMPLETE"),
        ("shop", "ROLLBACK_COMPLETE"),
    ]


def test_a_rolled_back_stack_can_only_be_deleted(aws: Aws) -> None:
    client = aws("cloudformation")
    stack = create(client, "shop", BROKEN)
    with pytest.raises(ClientError) as caught:
        client.update_stack(StackName="shop", TemplateBody=QUEUES)
    assert caught.value.response["Error"]["Message"] == (
        f"Stack:{stack['StackId']} is in ROLLBACK_COMPLETE state and can not be updated."
    )
    client.delete_stack(StackName="shop")
    assert settle(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_what_a_failed_creation_made_stays_on_request(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    stack = create(client, "kept", BROKEN, OnFailure="DO_NOTHING")
    assert stack["StackStatus"] == "CREATE_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to create: [Broken]. "
    assert len(sqs.list_queues()["QueueUrls"]) == 1
    mended = update(client, "kept", BROKEN.replace("-missing", ""))
    assert mended["StackStatus"] == "UPDATE_COMPLETE"
    assert len(sqs.list_queues()["QueueUrls"]) == 2


def test_a_stack_whose_creation_fails_is_deleted_on_request(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    stack = create(client, "gone", BROKEN, OnFailure="DELETE")
    assert stack["StackStatus"] == "DELETE_COMPLETE"
    assert "QueueUrls" not in sqs.list_queues()


def test_an_update_that_fails_restores_what_was(aws: Aws) -> None:
    """Changed in place, replaced, added: all as before."""
    client, sqs = aws("cloudformation"), aws("sqs")
    template = """
Resources:
  Changed: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: 1}}
  Replaced: {Type: AWS::SQS::Queue, DependsOn: Changed}
  Removed: {Type: AWS::SQS::Queue}
Outputs:
  Changed: {Value: !Ref Changed}
"""
    url = create(client, "shop", template)["Outputs"][0]["OutputValue"]
    before = sorted(sqs.list_queues()["QueueUrls"])
    bad = """
Resources:
  Changed: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: 2}}
  Replaced: {Type: AWS::SQS::Queue, DependsOn: Changed, Properties: {QueueName: fresh}}
  Added: {Type: AWS::SQS::Queue, DependsOn: Replaced}
  Broken:
    Type: AWS::SQS::Queue
    DependsOn: Added
    Properties: {RedrivePolicy: {deadLetterTargetArn: nonsense, maxReceiveCount: 3}}
"""
    stack = update(client, "shop", bad)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["StackStatusReason"] == "The following resource(s) failed to create: [Broken]. "
    assert sorted(sqs.list_queues()["QueueUrls"]) == before
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]["DelaySeconds"] == "1"
    assert stack["Outputs"][0]["OutputValue"] == url
    assert client.get_template(StackName="shop")["TemplateBody"] == template
    listed = client.list_stack_resources(StackName="shop")["StackResourceSummaries"]
    assert {r["LogicalResourceId"]: r["ResourceStatus"] for r in listed} == {
        "Changed": "UPDATE_COMPLETE",
        "Replaced": "UPDATE_COMPLETE",
        "Removed": "CREATE_COMPLETE",
    }
    statuses = [status for name, status in history(client, "shop") if name == "shop"]
    assert statuses[2:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    assert update(client, "shop", template.replace("DelaySeconds: 1", "DelaySeconds: 3"))["StackStatus"] == (
        "UPDATE_COMPLETE"
    )


def test_an_update_that_fails_stays_on_request(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", QUEUES)
    bad = QUEUES.replace("maxReceiveCount: 3", "maxReceiveCount: 30000")
    assert update(client, "shop", bad, DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"
    assert reasons(client, "shop")["Queue"].startswith("Resource handler returned message:")
    assert update(client, "shop", QUEUES)["StackStatus"] == "UPDATE_COMPLETE"


def test_a_name_that_is_taken_fails_and_is_not_touched(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    url = sqs.create_queue(QueueName="mine", Attributes={"DelaySeconds": "9"})["QueueUrl"]
    stack = create(client, "shop", "Resources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: mine}}}")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = reasons(client, "shop")["Q"]
    assert reason.startswith(
        "Resource handler returned message: \"Resource of type 'AWS::SQS::Queue' with identifier 'mine' already "
        'exists."'
    )
    assert reason.endswith("HandlerErrorCode: AlreadyExists)")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]
    assert attributes["DelaySeconds"] == "9"


def test_a_resource_with_a_chosen_name_is_not_replaced(aws: Aws) -> None:
    client = aws("cloudformation")
    table = """
Resources:
  T:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: items
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: ID, AttributeType: S}]
      KeySchema: [{AttributeName: ID, KeyType: HASH}]
"""
    create(client, "tables", table)
    stack = update(client, "tables", table.replace("ID", "other"))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert reasons(client, "tables")["T"] == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename items and "
        "update the stack again."
    )


def test_properties_that_do_not_fit_fail_their_resource(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", "Resources: {Q: {Type: AWS::SQS::Queue, Properties: {Dealy: 5, DelaySeconds: soon}}}")
    assert reasons(client, "shop")["Q"] == (
        "Properties validation failed for resource Q with message:\n"
        "#: extraneous key [Dealy] is not permitted\n"
        "#/DelaySeconds: expected type: Integer, found: String"
    )


def test_a_resource_does_not_change_its_type(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", "Resources: {Q: {Type: AWS::SQS::Queue}}")
    with pytest.raises(ClientError) as caught:
        client.update_stack(StackName="shop", TemplateBody="Resources: {Q: {Type: AWS::Logs::LogGroup}}")
    assert caught.value.response["Error"]["Message"] == (
        "Update of resource type is not permitted. The new template modifies resource type of the following "
        "resources: [Q]"
    )


def test_a_deletion_that_fails_says_why_and_can_be_tried_again(aws: Aws) -> None:
    """A role that something outside the stack was put on cannot be deleted."""
    client, iam = aws("cloudformation"), aws("iam")
    role = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
Outputs: {Role: {Value: !Ref Role}}
"""
    stack = create(client, "shop", role)
    name = stack["Outputs"][0]["OutputValue"]
    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
    iam.put_role_policy(RoleName=name, PolicyName="outside", PolicyDocument=document)
    client.delete_stack(StackName="shop")
    failed = settle(client, stack["StackId"])
    assert failed["StackStatus"] == "DELETE_FAILED"
    assert failed["StackStatusReason"] == "The following resource(s) failed to delete: [Role]. "
    client.delete_stack(StackName="shop", RetainResources=["Role"])
    assert settle(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert iam.get_role(RoleName=name)


def test_a_stack_policy_protects_resources(aws: Aws) -> None:
    client = aws("cloudformation")
    policy = (
        '{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"},'
        '{"Effect":"Deny","Action":"Update:Modify","Principal":"*","Resource":"LogicalResourceId/Queue"}]}'
    )
    create(client, "shop", QUEUES)
    client.set_stack_policy(StackName="shop", StackPolicyBody=policy)
    assert client.get_stack_policy(StackName="shop")["StackPolicyBody"] == policy
    changed = {"Parameters": [{"ParameterKey": "Delay", "ParameterValue": "8"}]}
    assert update(client, "shop", QUEUES, **changed)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert reasons(client, "shop")["Queue"] == (
        "Action denied by stack policy: Statement [#2] does not allow [Update:Modify] for resource [Queue]"
    )
    allow = '{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}'
    done = update(client, "shop", QUEUES, StackPolicyDuringUpdateBody=allow, **changed)
    assert done["StackStatus"] == "UPDATE_COMPLETE"
    with pytest.raises(ClientError, match="Invalid stack policy"):
        client.set_stack_policy(StackName="shop", StackPolicyBody=allow.replace("Update:*", "Delete:*"))
    client.set_stack_policy(StackName="shop", StackPolicyBody="{}")
    assert client.get_stack_policy(StackName="shop")["StackPolicyBody"] == "{}"
