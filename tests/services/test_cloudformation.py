"""Stacks over the wire: created, described, changed, deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.stacks import QUEUES, create, history, settle, update

Aws = Callable[..., Any]
ROLE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
"""


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_stack_is_created_and_described(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    stack = create(client, "shop", QUEUES, Tags=[{"Key": "team", "Value": "a"}], Parameters=[
        {"ParameterKey": "Delay", "ParameterValue": "7"}])  # fmt: skip
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["StackName"] == "shop"
    assert stack["StackId"].startswith("arn:aws:cloudformation:us-east-1:000000000000:stack/shop/")
    assert stack["Parameters"] == [{"ParameterKey": "Delay", "ParameterValue": "7"}]
    assert stack["Tags"] == [{"Key": "team", "Value": "a"}]
    (output,) = stack["Outputs"]
    assert output["OutputKey"] == "Url"
    assert output["ExportName"] == "shop-url"
    attributes = sqs.get_queue_attributes(QueueUrl=output["OutputValue"], AttributeNames=["All"])["Attributes"]
    assert attributes["DelaySeconds"] == "7"
    assert sqs.list_queue_tags(QueueUrl=output["OutputValue"])["Tags"] == {"team": "a"}
    assert output["OutputValue"].rpartition("/")[2].startswith("shop-Queue-")


def test_the_history_is_told_in_order(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", QUEUES)
    assert history(client, "shop") == [
        ("shop", "CREATE_IN_PROGRESS"),
        ("Dead", "CREATE_IN_PROGRESS"),
        ("Dead", "CREATE_IN_PROGRESS"),
        ("Dead", "CREATE_COMPLETE"),
        ("Queue", "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_IN_PROGRESS"),
        ("Queue", "CREATE_COMPLETE"),
        ("shop", "CREATE_COMPLETE"),
    ]
    events = client.describe_stack_events(StackName="shop")["StackEvents"]
    assert events[-1]["ResourceStatusReason"] == "User Initiated"
    assert events[-1]["ResourceType"] == "AWS::CloudFormation::Stack"
    assert events[-3]["ResourceStatusReason"] == "Resource creation Initiated"
    assert events[-2]["PhysicalResourceId"] == ""
    assert '"RedrivePolicy"' in events[1]["ResourceProperties"]


def test_resources_are_listed_and_found(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", QUEUES.replace("Dead: {Type", "Dead: {Metadata: {a: b}, Type"))
    listed = client.list_stack_resources(StackName="shop")["StackResourceSummaries"]
    assert [(r["LogicalResourceId"], r["ResourceStatus"]) for r in listed] == [
        ("Dead", "CREATE_COMPLETE"),
        ("Queue", "CREATE_COMPLETE"),
    ]
    detail = client.describe_stack_resource(StackName="shop", LogicalResourceId="Dead")["StackResourceDetail"]
    assert detail["Metadata"] == '{"a":"b"}'
    by_physical = client.describe_stack_resources(PhysicalResourceId=detail["PhysicalResourceId"])["StackResources"]
    assert {r["LogicalResourceId"] for r in by_physical} == {"Dead", "Queue"}
    found = refused(client.describe_stack_resource, StackName="shop", LogicalResourceId="Nope")
    assert found == ("ValidationError", "Resource Nope does not exist for stack shop")
    found = refused(client.describe_stack_resources, PhysicalResourceId="nope")
    assert found == ("ValidationError", "Stack for nope does not exist")


def test_an_update_changes_in_place_and_keeps_names(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    before = create(client, "shop", QUEUES)["Outputs"][0]["OutputValue"]
    after = update(client, "shop", QUEUES, Parameters=[{"ParameterKey": "Delay", "ParameterValue": "9"}])
    assert after["StackStatus"] == "UPDATE_COMPLETE"
    assert after["Outputs"][0]["OutputValue"] == before
    assert sqs.get_queue_attributes(QueueUrl=before, AttributeNames=["DelaySeconds"])["Attributes"] == {
        "DelaySeconds": "9"
    }
    assert history(client, "shop")[8:] == [
        ("shop", "UPDATE_IN_PROGRESS"),
        ("Queue", "UPDATE_IN_PROGRESS"),
        ("Queue", "UPDATE_COMPLETE"),
        ("shop", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("shop", "UPDATE_COMPLETE"),
    ]


def test_an_update_replaces_what_cannot_be_changed_and_deletes_what_left(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    create(client, "shop", QUEUES + "  Gone: {Value: x}\n".replace("Outputs", ""))
    changed = QUEUES.replace(
        "Dead: {Type: AWS::SQS::Queue}", "Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: d}}"
    )
    update(client, "shop", changed)
    urls = sqs.list_queues()["QueueUrls"]
    assert len(urls) == 2
    assert any(url.endswith("/d") for url in urls)
    events = history(client, "shop")
    start = events.index(("shop", "UPDATE_IN_PROGRESS"))
    assert events[start:] == [
        ("shop", "UPDATE_IN_PROGRESS"),
        ("Dead", "UPDATE_IN_PROGRESS"),
        ("Dead", "UPDATE_IN_PROGRESS"),
        ("Dead", "UPDATE_COMPLETE"),
        ("Queue", "UPDATE_IN_PROGRESS"),
        ("Queue", "UPDATE_COMPLETE"),
        ("shop", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("Dead", "DELETE_IN_PROGRESS"),
        ("Dead", "DELETE_COMPLETE"),
        ("shop", "UPDATE_COMPLETE"),
    ]
    update(client, "shop", "Resources: {Other: {Type: 'AWS::SQS::Queue'}}")
    assert len(sqs.list_queues()["QueueUrls"]) == 1
    assert [
        r["LogicalResourceId"] for r in client.list_stack_resources(StackName="shop")["StackResourceSummaries"]
    ] == ["Other"]


def test_an_update_without_changes_is_refused(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", QUEUES)
    nothing = ("ValidationError", "No updates are to be performed.")
    assert refused(client.update_stack, StackName="shop", TemplateBody=QUEUES) == nothing
    assert refused(client.update_stack, StackName="shop", TemplateBody="# a comment\n" + QUEUES) == nothing
    assert refused(client.update_stack, StackName="shop", UsePreviousTemplate=True) == nothing
    assert client.describe_stacks(StackName="shop")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


def test_tags_and_outputs_alone_are_updates(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    url = create(client, "shop", QUEUES)["Outputs"][0]["OutputValue"]
    update(client, "shop", QUEUES, Tags=[{"Key": "a", "Value": "1"}])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "1"}
    stack = update(client, "shop", QUEUES + "  More: {Value: !GetAtt Dead.QueueName}\n")
    assert {o["OutputKey"] for o in stack["Outputs"]} == {"Url", "More"}
    assert stack["Tags"] == [{"Key": "a", "Value": "1"}]


def test_a_stack_is_deleted_with_everything_in_it(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    stack_id = create(client, "shop", QUEUES)["StackId"]
    client.delete_stack(StackName="shop")
    gone = settle(client, stack_id)
    assert gone["StackStatus"] == "DELETE_COMPLETE"
    assert "DeletionTime" in gone
    assert "QueueUrls" not in sqs.list_queues()
    expected = ("ValidationError", "Stack with id shop does not exist")
    assert refused(client.describe_stacks, StackName="shop") == expected
    assert history(client, stack_id)[8:] == [
        ("shop", "DELETE_IN_PROGRESS"),
        ("Queue", "DELETE_IN_PROGRESS"),
        ("Queue", "DELETE_COMPLETE"),
        ("Dead", "DELETE_IN_PROGRESS"),
        ("Dead", "DELETE_COMPLETE"),
        ("shop", "DELETE_COMPLETE"),
    ]
    client.delete_stack(StackName="shop")
    client.delete_stack(StackName=stack_id)
    assert create(client, "shop", QUEUES)["StackStatus"] == "CREATE_COMPLETE"
    listed = client.list_stacks()["StackSummaries"]
    assert sorted(s["StackStatus"] for s in listed) == ["CREATE_COMPLETE", "DELETE_COMPLETE"]
    live = client.list_stacks(StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"]
    assert [s["StackName"] for s in live] == ["shop"]


def test_what_is_retained_stays(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    template = QUEUES.replace("Dead: {Type", "Dead: {DeletionPolicy: Retain, Type")
    stack_id = create(client, "shop", template)["StackId"]
    client.delete_stack(StackName="shop")
    settle(client, stack_id)
    assert len(sqs.list_queues()["QueueUrls"]) == 1
    assert ("Dead", "DELETE_SKIPPED") in history(client, stack_id)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"StackName": "my_stack", "TemplateBody": QUEUES},
         ("1 validation error detected: Value 'my_stack' at 'stackName' failed to satisfy constraint: Member must "
         "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*")),
        ({"StackName": "a" * 129, "TemplateBody": QUEUES},
         (f"1 validation error detected: Value '{'a' * 129}' at 'stackName' failed to satisfy constraint: Member must "
         "have length less than or equal to 128")),
        ({"StackName": "s"}, "Either Template URL or Template Body must be specified."),
        ({"StackName": "s", "TemplateBody": "a: ["},
         "Template format error: YAML not well-formed. (line 2, column 1)"),
        ({"StackName": "s", "TemplateBody": "Resources: {V: {Type: 'AWS::Foo::Bar'}}"},
         "Template format error: Unrecognized resource types: [AWS::Foo::Bar]"),
        ({"StackName": "s", "TemplateBody": QUEUES, "Parameters": [{"ParameterKey": "X", "ParameterValue": "1"}]},
         "Parameters: [X] do not exist in the template"),
        ({"StackName": "s", "TemplateBody": QUEUES.replace(", Default: 5", "")},
         "Parameters: [Delay] must have values"),
        ({"StackName": "s", "TemplateBody": QUEUES, "OnFailure": "DELETE", "DisableRollback": True},
         "Only one of OnFailure or DisableRollback may be specified"),
        ({"StackName": "s", "TemplateBody": QUEUES, "Tags": [{"Key": "aws:x", "Value": "1"}]},
         "aws: prefixed tag key names are not allowed for external use."),
        ({"StackName": "s", "TemplateBody": QUEUES, "ResourceTypes": ["AWS::SNS::*"]},
         "Resource type AWS::SQS::Queue is not allowed by parameter ResourceTypes [AWS::SNS::*]"),
    ],
)  # fmt: skip
def test_wrong_requests_are_refused_and_nothing_is_created(aws: Aws, arguments: Any, expected: str) -> None:
    client = aws("cloudformation")
    assert refused(client.create_stack, **arguments) == ("ValidationError", expected)
    assert client.list_stacks()["StackSummaries"] == []


def test_templates_in_the_request_are_bounded(aws: Aws) -> None:
    code, message = refused(aws("cloudformation").create_stack, StackName="s", TemplateBody="#" * 51_201)
    assert code == "ValidationError"
    assert message.endswith("failed to satisfy constraint: Member must have length less than or equal to 51200")


def test_a_stack_that_exists_is_not_created_again(aws: Aws) -> None:
    client = aws("cloudformation")
    first = create(client, "shop", QUEUES, ClientRequestToken="t1")["StackId"]
    again = refused(client.create_stack, StackName="shop", TemplateBody=QUEUES)
    assert again == ("AlreadyExistsException", "Stack [shop] already exists")
    repeated = client.create_stack(StackName="shop", TemplateBody=QUEUES, ClientRequestToken="t1")
    assert repeated["StackId"] == first
    events = client.describe_stack_events(StackName="shop")["StackEvents"]
    assert {event["ClientRequestToken"] for event in events} == {"t1"}


@pytest.mark.parametrize(
    ("template", "given", "needed"),
    [
        (ROLE, [], "CAPABILITY_IAM"),
        (ROLE.replace("Properties:", "Properties:\n      RoleName: r"), ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
        ("Transform: AWS::LanguageExtensions\n" + QUEUES, [], "CAPABILITY_AUTO_EXPAND"),
    ],
)
def test_capabilities_must_be_acknowledged(aws: Aws, template: str, given: list[str], needed: str) -> None:
    client = aws("cloudformation")
    found = refused(client.create_stack, StackName="s", TemplateBody=template, Capabilities=given)
    assert found == ("InsufficientCapabilitiesException", f"Requires capabilities : [{needed}]")
    assert create(client, "s", template, Capabilities=[needed])["StackStatus"] == "CREATE_COMPLETE"


def test_stacks_that_do_not_exist_are_said_not_to(aws: Aws) -> None:
    client = aws("cloudformation")
    for call in (client.update_stack, client.get_template, client.list_stack_resources, client.describe_stacks):
        arguments = {"TemplateBody": QUEUES} if call == client.update_stack else {}
        assert refused(call, StackName="nope", **arguments) == (
            "ValidationError",
            "Stack with id nope does not exist",
        )
    assert refused(client.describe_stack_events, StackName="nope") == (
        "ValidationError",
        "Stack [nope] does not exist",
    )
    client.delete_stack(StackName="nope")


def test_a_protected_stack_is_not_deleted(aws: Aws) -> None:
    client = aws("cloudformation")
    stack = create(client, "shop", QUEUES, EnableTerminationProtection=True)
    assert stack["EnableTerminationProtection"] is True
    assert refused(client.delete_stack, StackName="shop") == (
        "ValidationError",
        "Stack [shop] cannot be deleted while TerminationProtection is enabled",
    )
    client.update_termination_protection(StackName="shop", EnableTerminationProtection=False)
    client.delete_stack(StackName="shop")
    assert settle(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_templates_are_given_back_validated_and_summarized(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", QUEUES)
    assert client.get_template(StackName="shop")["TemplateBody"] == QUEUES
    assert client.get_template(StackName="shop")["StagesAvailable"] == ["Original", "Processed"]
    valid = client.validate_template(TemplateBody=ROLE + "\nDescription: d\n")
    assert valid["Capabilities"] == ["CAPABILITY_IAM"]
    assert valid["CapabilitiesReason"] == "The following resource(s) require capabilities: [AWS::IAM::Role]"
    assert valid["Description"] == "d"
    summary = client.get_template_summary(StackName="shop")
    assert summary["ResourceTypes"] == ["AWS::SQS::Queue", "AWS::SQS::Queue"]
    (parameter,) = summary["Parameters"]
    assert (parameter["ParameterKey"], parameter["ParameterType"], parameter["DefaultValue"]) == (
        "Delay",
        "Number",
        "5",
    )
    assert refused(client.validate_template, TemplateBody="Resources: {A: {Type: 'AWS::Nope::X'}}")[1] == (
        "Template format error: Unrecognized resource types: [AWS::Nope::X]"
    )


def test_hidden_parameters_are_hidden(aws: Aws) -> None:
    client = aws("cloudformation")
    template = QUEUES.replace("Type: Number, Default: 5", "Type: Number, Default: 5, NoEcho: true")
    assert create(client, "shop", template)["Parameters"] == [{"ParameterKey": "Delay", "ParameterValue": "****"}]


def test_exports_are_imported_and_then_held(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", QUEUES)
    importer = "Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !ImportValue shop-url}}}"
    create(client, "user", importer)
    (export,) = client.list_exports()["Exports"]
    assert export["Name"] == "shop-url"
    assert client.list_imports(ExportName="shop-url")["Imports"] == ["user"]
    assert refused(client.delete_stack, StackName="shop") == (
        "ValidationError",
        "Export shop-url cannot be deleted as it is in use by user",
    )
    failed = update(client, "shop", QUEUES.replace("-url'", "-link'"))
    assert failed["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert failed["StackStatusReason"] == "Export shop-url cannot be deleted as it is in use by user"
    client.delete_stack(StackName="user")
    assert refused(client.list_imports, ExportName="shop-url") == (
        "ValidationError",
        "Export 'shop-url' is not imported by any stack.",
    )
    taken = create(client, "other", QUEUES.replace("!Sub '${AWS::StackName}-url'", "shop-url"))
    assert taken["StackStatus"] == "ROLLBACK_COMPLETE"
    assert taken["StackStatusReason"].startswith("Export with name shop-url is already exported by stack shop.")
    missing = create(client, "third", importer.replace("shop-url", "nope"))
    assert missing["StackStatusReason"] == "No export named nope found. Rollback requested by user."


def test_accounts_and_regions_are_apart(aws: Aws) -> None:
    create(aws("cloudformation"), "shop", QUEUES)
    other = aws("cloudformation", region_name="eu-west-1", aws_access_key_id="111111111111")
    assert other.describe_stacks()["Stacks"] == []
    stack = create(other, "shop", QUEUES)
    assert stack["StackId"].startswith("arn:aws:cloudformation:eu-west-1:111111111111:stack/shop/")


def test_what_fogbank_lacks_is_refused_by_name(aws: Aws) -> None:
    client = aws("cloudformation")
    code, message = refused(client.create_stack, StackName="s", TemplateBody=QUEUES, DisableValidation=True)
    assert code == "NotImplemented"
    assert message == "Fogbank does not implement DisableValidation of CreateStack"
    code, message = refused(client.detect_stack_drift, StackName="s")
    assert "DetectStackDrift" in message
