"""Wait conditions: a stack waits until its handle's URL has been told enough."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.stacks import create, reasons, settle

Aws = Callable[..., Any]
NewServer = Callable[..., ServerProcess]
TEMPLATE = """
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Condition:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref Handle, Timeout: '600', Count: 2}
Outputs:
  Data: {Value: !GetAtt Condition.Data}
"""

NO_SIGNALS: tuple[dict[str, str], ...] = (
    {"Status": "MAYBE", "UniqueId": "a"},
    {"Status": "SUCCESS"},
    {"Status": "SUCCESS", "UniqueId": "x" * 5000},
)


def begin(client: Any, name: str, template: str = TEMPLATE) -> str:
    """Begin to create a stack; the handle's URL."""
    client.create_stack(StackName=name, TemplateBody=template)
    handle = client.describe_stack_resource(StackName=name, LogicalResourceId="Handle")["StackResourceDetail"]
    return str(handle["PhysicalResourceId"])


def signal(url: str, **members: str) -> int:
    """Send a signal as the documentation's `curl` does; the status."""
    request = urllib.request.Request(url, json.dumps(members).encode(), method="PUT")
    try:
        with urllib.request.urlopen(request) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.slow
def test_a_stack_waits_for_as_many_signals_as_it_counts(aws: Aws) -> None:
    client = aws("cloudformation")
    url = begin(client, "s")
    assert signal(url, Status="SUCCESS", UniqueId="one", Data="first", Reason="done") == 200
    assert signal(url, Status="SUCCESS", UniqueId="one", Data="again") == 200
    for members in NO_SIGNALS:
        assert signal(url, **members) == 404
    assert client.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
    assert signal(url, Status="SUCCESS", UniqueId="two", Data="second") == 200
    stack = settle(client, "s")
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "s")
    assert json.loads(stack["Outputs"][0]["OutputValue"]) == {"one": "first", "two": "second"}
    client.delete_stack(StackName="s")
    assert settle(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


@pytest.mark.slow
def test_a_signal_of_failure_ends_the_wait(aws: Aws) -> None:
    client = aws("cloudformation")
    url = begin(client, "s")
    signal(url, Status="FAILURE", UniqueId="one", Reason="Configuration Failed")
    assert settle(client, "s")["StackStatus"] == "ROLLBACK_COMPLETE"
    expected = "WaitCondition received failed message: 'Configuration Failed' for uniqueId: one"
    assert reasons(client, "s")["Condition"] == expected


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ("{Handle: !Ref Handle, Timeout: '43201'}", "Timeout must be at most 43200 seconds, got 43201"),
        ("{Handle: 'https://example.com', Timeout: '5'}", "Handle must be the Ref of"),
        ("{Handle: !Ref Handle}", "Timeout of a wait condition must be a number"),
    ],
)
def test_a_condition_that_cannot_be_met_fails_its_stack(aws: Aws, properties: str, reason: str) -> None:
    client = aws("cloudformation")
    template = TEMPLATE.replace("{Handle: !Ref Handle, Timeout: '600', Count: 2}", properties)
    assert create(client, "s", template)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in reasons(client, "s")["Condition"]


@pytest.mark.slow
def test_a_condition_waits_no_longer_than_it_may(aws: Aws, server: ServerProcess) -> None:
    client = aws("cloudformation")
    url = begin(client, "s")
    signal(url, Status="SUCCESS", UniqueId="one")
    server.post("/_fogbank/clock", {"seconds": 300})
    assert client.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS"
    server.post("/_fogbank/clock", {"seconds": 301})
    assert settle(client, "s")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reasons(client, "s")["Condition"] == "WaitCondition timed out. Received 1 conditions when expecting 2"


@pytest.mark.slow
def test_signals_are_kept_when_the_server_dies(new_server: NewServer) -> None:
    server = new_server()
    url = begin(server.client("cloudformation"), "s")
    assert signal(url, Status="SUCCESS", UniqueId="one") == 200
    server.kill()
    server.start()
    assert (
        signal(url.replace(url.split("/")[2], server.endpoint.split("/")[2]), Status="SUCCESS", UniqueId="two") == 200
    )
    assert settle(server.client("cloudformation"), "s")["StackStatus"] == "CREATE_COMPLETE"
