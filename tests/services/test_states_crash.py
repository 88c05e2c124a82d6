"""Executions go on after `kill -9`: finished steps are not run again, waits end, tokens still work."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import ServerProcess

ROLE = "arn:aws:iam::000000000000:role/r"


def _machine(url: str, activity: str) -> str:
    """Parallel: a message and then a callback; a Map with a retried activity; a wait."""
    tell = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": url, "MessageBody": "told"},
        "ResultPath": None,
        "Next": "Ask",
    }
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}},
        "End": True,
    }
    work = {
        "Type": "Task",
        "Resource": activity,
        "Retry": [{"ErrorEquals": ["Again"], "IntervalSeconds": 1}],
        "End": True,
    }
    wait = {"Type": "Wait", "Seconds": 2, "End": True}
    branches = [
        {"StartAt": "Tell", "States": {"Tell": tell, "Ask": ask}},
        {
            "StartAt": "Each",
            "States": {
                "Each": {
                    "Type": "Map",
                    "ItemsPath": "$.items",
                    "MaxConcurrency": 2,
                    "ItemProcessor": {"StartAt": "Work", "States": {"Work": work}},
                    "End": True,
                }
            },
        },
        {"StartAt": "Wait", "States": {"Wait": wait}},
    ]
    last = {"Type": "Pass", "Parameters": {"got.$": "$[0:2]"}, "End": True}
    parallel = {"Type": "Parallel", "Branches": branches, "Next": "Last"}
    return json.dumps({"StartAt": "All", "States": {"All": parallel, "Last": last}})


def _bodies(server: ServerProcess, url: str) -> list[str]:
    """Every message that is there."""
    found = []
    while messages := server.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
    return found


@pytest.mark.slow
def test_executions_continue_from_their_journals(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    url = server.client("sqs").create_queue(QueueName="q", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
    states = server.client("stepfunctions")
    activity = states.create_activity(name="a")["activityArn"]
    arn = states.create_state_machine(name="m", definition=_machine(url, activity), roleArn=ROLE)["stateMachineArn"]
    executions = [
        states.start_execution(stateMachineArn=arn, input='{"items":[1,2,3]}')["executionArn"] for _ in range(5)
    ]
    for execution in executions:
        _await_event(states, execution, "TaskSubmitted")  # a call that is under way at a kill is made again
    _restart(server)
    states = server.client("stepfunctions")
    url = url.replace(url.split("/")[2], server.endpoint.removeprefix("http://"))
    failed: set[str] = set()
    for _ in range(5 * 3 + 5):
        taken = states.get_activity_task(activityArn=activity)
        if len(failed) < 5:
            failed.add(taken["taskToken"])
            states.send_task_failure(taskToken=taken["taskToken"], error="Again")
            if len(failed) in {2, 4}:
                _restart(server)
                states = server.client("stepfunctions")
        else:
            states.send_task_success(taskToken=taken["taskToken"], output=taken["input"])
    bodies = _bodies(server, url)
    assert bodies.count("told") == 5
    tokens = {json.loads(body)["token"] for body in bodies if body != "told"}
    assert len(tokens) == 5
    _restart(server)
    states = server.client("stepfunctions")
    for token in tokens:
        states.send_task_success(taskToken=token, output='"called"')
    server.post("/_fogbank/clock", {"seconds": 5})
    for execution in executions:
        found = _ended(states, execution)
        assert (found["status"], found["output"]) == ("SUCCEEDED", '{"got":["called",[1,2,3]]}')
        events = states.get_execution_history(executionArn=execution)["events"]
        assert [event["id"] for event in events] == list(range(1, len(events) + 1))


def _await_event(states: Any, arn: str, kind: str) -> None:
    for _ in range(4000):
        if any(event["type"] == kind for event in states.get_execution_history(executionArn=arn)["events"]):
            return
    raise AssertionError(f"{arn} has no {kind}")


def _restart(server: ServerProcess) -> None:
    server.kill()
    server.start()


def _ended(states: Any, arn: str) -> Any:
    for _ in range(4000):
        found = states.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return found
    raise AssertionError(f"{arn} has not ended")
