"""What the tests of CloudFormation share: templates, waiting for a stack to stand still, its history."""

from __future__ import annotations

import threading
from typing import Any

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
QUEUES = """
Parameters:
  Delay: {Type: Number, Default: 5}
Resources:
  Dead: {Type: AWS::SQS::Queue}
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: !Ref Delay
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
Outputs:
  Url: {Value: !Ref Queue, Description: where, Export: {Name: !Sub '${AWS::StackName}-url'}}
"""


def settle(client: Any, stack: str) -> dict[str, Any]:
    """The stack once it stands still."""
    pause = threading.Event()
    while True:
        found: dict[str, Any] = client.describe_stacks(StackName=stack)["Stacks"][0]
        status = found["StackStatus"]
        if not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
            return found
        pause.wait(0.02)


def create(client: Any, name: str, template: str, **arguments: Any) -> dict[str, Any]:
    """Create a stack and wait for it."""
    arguments.setdefault("Capabilities", CAPABILITIES)
    return settle(client, client.create_stack(StackName=name, TemplateBody=template, **arguments)["StackId"])


def update(client: Any, name: str, template: str, **arguments: Any) -> dict[str, Any]:
    """Update a stack and wait for it."""
    arguments.setdefault("Capabilities", CAPABILITIES)
    return settle(client, client.update_stack(StackName=name, TemplateBody=template, **arguments)["StackId"])


def history(client: Any, stack: str) -> list[tuple[str, str]]:
    """Logical id and status of every event, oldest first."""
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    events = [event for page in pages for event in page["StackEvents"]]
    return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]


def reasons(client: Any, stack: str) -> dict[str, str]:
    """The reason of each failure, by logical id."""
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    return {
        event["LogicalResourceId"]: event.get("ResourceStatusReason", "")
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
    }
