"""Change sets, and the AWS CLI's `deploy`, which is made of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import ServerProcess
from tests.services.stacks import QUEUES, create, history, settle

Aws = Callable[..., Any]


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_change_set_creates_a_stack(aws: Aws) -> None:
    client, sqs = aws("cloudformation"), aws("sqs")
    made = client.create_change_set(
        StackName="shop", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=QUEUES, Description="d"
    )
    assert client.describe_stacks(StackName="shop")["Stacks"][0]["StackStatus"] == "REVIEW_IN_PROGRESS"
    client.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"], WaiterConfig={"Delay": 1})
    found = client.describe_change_set(ChangeSetName="first", StackName="shop")
    assert (found["Status"], found["ExecutionStatus"], found["Description"]) == ("CREATE_COMPLETE", "AVAILABLE", "d")
    assert [(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"]) for c in found["Changes"]] == [
        ("Add", "Dead"),
        ("Add", "Queue"),
    ]
    assert "QueueUrls" not in sqs.list_queues()
    client.execute_change_set(ChangeSetName=made["Id"])
    stack = settle(client, made["StackId"])
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["ChangeSetId"] == made["Id"]
    assert history(client, "shop")[:2] == [("shop", "REVIEW_IN_PROGRESS"), ("shop", "CREATE_IN_PROGRESS")]
    assert client.list_change_sets(StackName="shop")["Summaries"] == []
    assert client.describe_change_set(ChangeSetName=made["Id"])["ExecutionStatus"] == "EXECUTE_COMPLETE"
    changed = QUEUES.replace("Default: 5", "Default: 6")
    client.create_change_set(StackName="shop", ChangeSetName="first", TemplateBody=changed)
    client.delete_stack(StackName=made["StackId"])
    assert settle(client, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_a_stack_under_review_can_be_created_without_its_change_set(aws: Aws) -> None:
    client = aws("cloudformation")
    made = client.create_change_set(StackName="shop", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=QUEUES)
    with pytest.raises(ClientError, match="GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks"):
        client.get_template_summary(StackName="shop")
    created = create(client, "shop", QUEUES)
    assert (created["StackId"], created["StackStatus"]) == (made["StackId"], "CREATE_COMPLETE")
    assert client.describe_change_set(ChangeSetName=made["Id"])["ExecutionStatus"] == "OBSOLETE"


def test_a_change_set_tells_what_an_update_would_do(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", QUEUES + "  Old: {Value: x}\n")
    template = QUEUES.replace(
        "Dead: {Type: AWS::SQS::Queue}", "Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: d}}"
    )
    client.create_change_set(
        StackName="shop",
        ChangeSetName="c",
        TemplateBody=template,
        Parameters=[{"ParameterKey": "Delay", "ParameterValue": "9"}],
    )
    found = client.describe_change_set(ChangeSetName="c", StackName="shop", IncludePropertyValues=True)
    dead, queue = [change["ResourceChange"] for change in found["Changes"]]
    assert (dead["Action"], dead["Replacement"], dead["PolicyAction"]) == ("Modify", "True", "ReplaceAndDelete")
    assert dead["Details"][0]["Target"]["RequiresRecreation"] == "Always"
    assert (queue["Action"], queue["Replacement"], queue["Scope"]) == ("Modify", "False", ["Properties"])
    delay, direct, redrive = queue["Details"]
    assert (direct["ChangeSource"], direct["Evaluation"]) == ("DirectModification", "Dynamic")
    assert json.loads(queue["BeforeContext"])["Properties"]["DelaySeconds"] == 5
    assert json.loads(queue["AfterContext"])["Properties"]["DelaySeconds"] == 9
    assert delay["Target"]["AttributeChangeType"] == "Modify"
    assert (delay["ChangeSource"], delay["CausingEntity"], delay["Evaluation"]) == (
        "ParameterReference",
        "Delay",
        "Static",
    )
    assert (delay["Target"]["BeforeValue"], delay["Target"]["AfterValue"]) == ("5", "9")
    assert (redrive["ChangeSource"], redrive["CausingEntity"]) == ("ResourceAttribute", "Dead.Arn")
    assert redrive["Evaluation"] == "Dynamic"
    plain = client.describe_change_set(ChangeSetName="c", StackName="shop")["Changes"][1]["ResourceChange"]
    assert "BeforeValue" not in plain["Details"][0]["Target"]
    assert "BeforeContext" not in plain
    client.execute_change_set(ChangeSetName="c", StackName="shop")
    assert settle(client, "shop")["StackStatus"] == "UPDATE_COMPLETE"


def test_a_change_set_without_changes_fails(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", QUEUES)
    made = client.create_change_set(StackName="shop", ChangeSetName="c", TemplateBody=QUEUES)
    found = client.describe_change_set(ChangeSetName="c", StackName="shop")
    assert found["Status"] == "FAILED"
    assert found["StatusReason"] == (
        "The submitted information didn't contain changes. Submit different information to create a change set."
    )
    assert found["ExecutionStatus"] == "UNAVAILABLE"
    assert refused(client.execute_change_set, ChangeSetName="c", StackName="shop") == (
        "InvalidChangeSetStatus",
        f"ChangeSet [{made['Id']}] cannot be executed in its current status of [FAILED]",
    )


def test_change_sets_are_listed_and_deleted(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", QUEUES)
    changed = QUEUES.replace("Default: 5", "Default: 6")
    client.create_change_set(StackName="shop", ChangeSetName="a", TemplateBody=changed)
    client.create_change_set(StackName="shop", ChangeSetName="b", TemplateBody=changed)
    taken = refused(client.create_change_set, StackName="shop", ChangeSetName="a", TemplateBody=changed)
    assert taken == ("AlreadyExistsException", "ChangeSet a already exists")
    listed = client.list_change_sets(StackName="shop")["Summaries"]
    assert [summary["ChangeSetName"] for summary in listed] == ["a", "b"]
    assert client.get_template(ChangeSetName="a", StackName="shop")["TemplateBody"] == changed
    client.delete_change_set(ChangeSetName="a", StackName="shop")
    client.delete_change_set(ChangeSetName="a", StackName="shop")
    assert refused(client.describe_change_set, ChangeSetName="a", StackName="shop") == (
        "ChangeSetNotFound",
        "ChangeSet [a] does not exist",
    )


def test_change_sets_fit_the_stacks_state(aws: Aws) -> None:
    client = aws("cloudformation")
    create(client, "shop", QUEUES)
    assert refused(
        client.create_change_set, StackName="shop", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=QUEUES
    ) == ("ValidationError", "Stack [shop] already exists and cannot be created again with the changeSet [c].")
    assert refused(client.create_change_set, StackName="nope", ChangeSetName="c", TemplateBody=QUEUES) == (
        "ValidationError",
        "Stack [nope] does not exist",
    )


@pytest.mark.slow
def test_a_macro_that_fails_fails_the_change_set(aws: Aws) -> None:
    client = aws("cloudformation")
    sam = """
Transform: AWS::Serverless-2016-10-31
Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Runtime: python3.11, CodeUri: ./src}}}
"""
    client.create_change_set(
        StackName="s", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=sam, Capabilities=["CAPABILITY_IAM"]
    )
    found = client.describe_change_set(ChangeSetName="c", StackName="s")
    assert found["Status"] == "FAILED"
    assert found["StatusReason"].startswith(
        "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. "
        "Number of errors found: 1. Resource with id [F] is invalid."
    )
    inline = sam.replace("CodeUri: ./src", "InlineCode: 'x = 1'")
    client.create_change_set(StackName="s", ChangeSetName="d", ChangeSetType="CREATE", TemplateBody=inline)
    assert client.describe_change_set(ChangeSetName="d", StackName="s")["StatusReason"] == (
        "Requires capabilities : [CAPABILITY_IAM]"
    )


class Cli:
    """The AWS CLI, pointed at a server."""

    def __init__(self, server: ServerProcess, home: Path) -> None:
        self._server = server
        self._home = home

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self._server.endpoint,
        }
        command = [str(Path(sys.executable).parent / "aws"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=100)


@pytest.mark.slow
def test_the_aws_cli_deploys_changes_and_deletes(server: ServerProcess, aws: Aws, tmp_path: Path) -> None:
    """`aws cloudformation deploy`: create, change, nothing to change, delete, and a second time."""
    cli, client = Cli(server, tmp_path), aws("cloudformation")
    template = tmp_path / "template.yaml"
    template.write_text(QUEUES)
    deploy = ("cloudformation", "deploy", "--stack-name", "shop", "--template-file", str(template))
    for _ in range(2):
        done = cli(*deploy)
        assert done.returncode == 0, done.stderr
        assert "Successfully created/updated stack - shop" in done.stdout
        done = cli(*deploy, "--parameter-overrides", "Delay=9", "--tags", "a=b")
        assert done.returncode == 0, done.stderr
        again = ("--parameter-overrides", "Delay=9", "--tags", "a=b", "--no-fail-on-empty-changeset")
        done = cli(*deploy, *again)
        assert done.returncode == 0, done.stderr
        assert "No changes to deploy. Stack shop is up to date" in done.stdout
        stack = client.describe_stacks(StackName="shop")["Stacks"][0]
        assert stack["Tags"] == [{"Key": "a", "Value": "b"}]
        done = cli("cloudformation", "delete-stack", "--stack-name", "shop")
        assert done.returncode == 0, done.stderr
        assert settle(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    template.write_text(QUEUES.replace("maxReceiveCount: 3", "maxReceiveCount: 30000"))
    failed = cli(*deploy)
    assert failed.returncode != 0
    assert "Failed to create/update the stack" in failed.stderr
