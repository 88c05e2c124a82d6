"""SIGKILL at each named fault point: what was acknowledged is there after the next start, and goes on."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from tests.conftest import ServerProcess
from tests.crash.functions import handled, prepare_function, publish_to_function
from tests.crash.ledger import ALL, Ledger, Load, prepare, publish, send, verify

from fogbank.core.faults import POINTS

NewServer = Callable[..., ServerProcess]


def fall(server: ServerProcess) -> None:
    """Wait until the server has killed itself, and start it again without a fault."""
    assert server.process is not None
    assert server.process.wait(timeout=60) == -signal.SIGKILL
    server.kill()  # closes what is left of it
    server.environment.clear()
    server.start()


def arm(new_server: NewServer, point: str, count: int, prepare_it: Callable[[ServerProcess], Any]) -> tuple[Any, Any]:
    """A server with something prepared on it, started again with a fault armed."""
    server = new_server()
    prepared = prepare_it(server)
    assert server.stop() == 0
    server.environment["FOGBANK_FAULT"] = f"{point}:{count}"
    server.start()
    return server, prepared


UNDER_LOAD = [
    ("storage.before-commit", 40),
    ("storage.after-commit", 40),
    ("gateway.before-answer", 60),
    ("delivery.before-attempt", 30),
    ("delivery.after-attempt", 30),
]
MIGRATION = "storage.after-migration"
OBJECTS = "s3.after-file"
"""Killed at in `test_objects.py`."""
FOGBANK = [sys.executable, "-m", "fogbank"]
SLOW = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.parametrize(("point", "count"), UNDER_LOAD)
def test_what_was_acknowledged_is_there_after_a_kill(new_server: NewServer, point: str, count: int) -> None:
    """Messages, deletions, items and events, from several clients at once."""
    server, places = arm(new_server, point, count, prepare)
    ledger = Ledger()
    load = Load(server, places, ledger, ALL)
    fall(server)
    load.join()
    assert ledger.messages | ledger.events, "nothing was under way"
    verify(server, places, ledger)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 11])
@pytest.mark.parametrize("point", [point for point, _ in UNDER_LOAD])
def test_what_was_acknowledged_is_there_whenever_the_kill_comes(new_server: NewServer, point: str, count: int) -> None:
    """The first passes are the delicate ones: nothing is warm, and one client waits alone."""
    server = new_server()
    places = prepare(server)
    assert server.stop() == 0
    server.environment["FOGBANK_FAULT"] = f"{point}:{count}"
    ledger = Ledger()
    try:
        server.start()
    except RuntimeError:  # it died while it was starting
        server.kill()
        server.environment.clear()
        server.start()
    else:
        load = Load(server, places, ledger, (send, publish))
        fall(server)
        load.join()
    verify(server, places, ledger)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 6])
def test_a_kill_during_the_first_start_is_no_obstacle_to_the_second(tmp_path: Path, count: int) -> None:
    """Migrations are all there or none is."""
    command = [*FOGBANK, "start", "--port", "0", "--data", str(tmp_path / "data")]
    fault = f"{MIGRATION}:{count}"
    died = subprocess.run([*command, "--fault", fault], capture_output=True, text=True, timeout=60, check=False)
    assert (died.returncode, died.stdout) == (-signal.SIGKILL, "")
    server = ServerProcess(tmp_path / "data").start()
    try:
        prepare(server)
    finally:
        server.kill()


STEPS = [("cloudformation.before-step", 3), ("cloudformation.after-step", 2)]
TEMPLATE = json.dumps(
    {
        "Resources": {
            "Dead": {"Type": "AWS::SQS::Queue"},
            "Work": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}
                },
            },
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                },
            },
            "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "shop"}},
        },
        "Outputs": {"Url": {"Value": {"Ref": "Work"}}, "Table": {"Value": {"Ref": "Table"}}},
    }
)


@pytest.mark.slow
@pytest.mark.parametrize(("point", "count"), [STEPS[0], pytest.param(*STEPS[1], marks=SLOW)])
def test_a_deployment_goes_on_after_a_kill(new_server: NewServer, point: str, count: int) -> None:
    """Nothing is made twice, nothing is forgotten, and the stack can be deleted."""
    server = new_server(environment={"FOGBANK_FAULT": f"{point}:{count}"})
    cloudformation = server.client("cloudformation")
    with contextlib.suppress(BotoCoreError):  # small stacks are made at once: the answer may not get out
        cloudformation.create_stack(StackName="shop", TemplateBody=TEMPLATE)
    fall(server)
    cloudformation = server.client("cloudformation")
    wait(cloudformation, "stack_create_complete")
    stack = cloudformation.describe_stacks(StackName="shop")["Stacks"][0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert server.client("sqs").list_queues()["QueueUrls"].count(outputs["Url"]) == 1
    assert len(server.client("sqs").list_queues()["QueueUrls"]) == 2
    assert server.client("dynamodb").list_tables()["TableNames"] == [outputs["Table"]]
    cloudformation.delete_stack(StackName="shop")
    wait(cloudformation, "stack_delete_complete", StackName=stack["StackId"])
    assert "QueueUrls" not in server.client("sqs").list_queues()


def wait(cloudformation: Any, name: str, **request: str) -> None:
    """Wait for a stack's state as a script would."""
    cloudformation.get_waiter(name).wait(
        **{"StackName": "shop"} | request, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


@SLOW
@pytest.mark.parametrize(("point", "count"), [("delivery.after-attempt", 4), ("delivery.before-attempt", 4)])
def test_every_accepted_event_reaches_its_function_after_a_kill(new_server: NewServer, point: str, count: int) -> None:
    """At least once: the function puts what it handled into a queue."""
    server, places = arm(new_server, point, count, prepare_function)
    ledger = Ledger()
    load = Load(server, places, ledger, (publish_to_function,))
    fall(server)
    load.join()
    assert ledger.events
    assert ledger.events <= handled(server, places, ledger.events)


def test_every_fault_point_is_killed_at() -> None:
    """A new point needs a test."""
    tested = {MIGRATION, OBJECTS} | {point for point, _ in UNDER_LOAD} | {point for point, _ in STEPS}
    assert tested == POINTS
