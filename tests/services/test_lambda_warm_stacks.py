"""SnapStart and provisioned concurrency in templates, with SAM's AutoPublishAlias."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.stacks import create, reasons, update

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: f
      Handler: index.handler
      Runtime: python3.12
      AutoPublishAlias: live
      InlineCode: "CODE"
      MORE
"""
CODE = "import os\\ndef handler(event, context):\\n  return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']"
PROVISIONED = "ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 1}"
SNAP = "SnapStart: {ApplyOn: PublishedVersions}"


def template(more: str, code: str = CODE) -> str:
    return TEMPLATE.replace("CODE", code).replace("MORE", more)


def invoke(lam: Any) -> Any:
    return json.loads(lam.invoke(FunctionName="f", Qualifier="live")["Payload"].read())


@pytest.mark.slow
def test_a_template_has_environments_provisioned_and_taken_back(aws: Callable[..., Any]) -> None:
    client, lam = aws("cloudformation"), aws("lambda")
    assert create(client, "s", template(PROVISIONED))["StackStatus"] == "CREATE_COMPLETE"
    found = lam.get_provisioned_concurrency_config(FunctionName="f", Qualifier="live")
    assert (found["Status"], found["AllocatedProvisionedConcurrentExecutions"]) == ("READY", 1)
    assert invoke(lam) == "provisioned-concurrency"
    update(client, "s", template(""))
    assert lam.list_provisioned_concurrency_configs(FunctionName="f")["ProvisionedConcurrencyConfigs"] == []


@pytest.mark.slow
def test_a_template_publishes_snapshots(aws: Callable[..., Any]) -> None:
    client, lam = aws("cloudformation"), aws("lambda")
    stack = create(client, "s", template(SNAP))
    assert stack["StackStatus"] == "CREATE_COMPLETE", "it has waited until the snapshot was taken"
    assert invoke(lam) == "snap-start"


@pytest.mark.slow
def test_a_snapshot_that_fails_fails_the_stack(aws: Callable[..., Any]) -> None:
    client = aws("cloudformation")
    stack = create(client, "s", template(SNAP, "raise RuntimeError('no')"), OnFailure="DO_NOTHING")
    assert stack["StackStatus"] == "CREATE_FAILED"
    (reason,) = (text for name, text in reasons(client, "s").items() if name.startswith("FVersion"))
    assert "did not stabilize. Status Reason is An error occurred during function initialization." in reason
