"""Map runs, redrives and status events over the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.test_states import ROLE, Aws, ended, machine, refused, run

FAILS_FOR_TWO = {
    "C": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "F"}], "Default": "P"},
    "F": {"Type": "Fail", "Error": "Two"},
    "P": {"Type": "Pass", "End": True},
}


def distributed(states: dict[str, Any], kind: str = "STANDARD", **more: Any) -> dict[str, Any]:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind},
        "StartAt": next(iter(states)),
        "States": states,
    }
    return {"M": {"Type": "Map", "Label": "each", "ItemProcessor": processor, "End": True} | more}


@pytest.fixture
def states(aws: Aws) -> Any:
    return aws("stepfunctions")


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_children_of_a_map_run_are_executions_of_their_own(states: Any, kind: str) -> None:
    arn = machine(states, distributed(FAILS_FOR_TWO, kind, ToleratedFailureCount=1))
    parent = run(states, arn, [1, 2, 3])
    assert json.loads(parent["output"]) == [1, {"Error": "Two"}, 3]
    (found,) = states.list_map_runs(executionArn=parent["executionArn"])["mapRuns"]
    told = states.describe_map_run(mapRunArn=found["mapRunArn"])
    assert (told["status"], told["toleratedFailureCount"]) == ("SUCCEEDED", 1)
    counts = told["executionCounts"]
    assert (counts["total"], counts["succeeded"], counts["failed"], counts["pending"]) == (3, 2, 1, 0)
    children = states.list_executions(mapRunArn=found["mapRunArn"])["executions"]
    assert sorted(child["status"] for child in children) == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert all(child["stateMachineArn"] == f"{arn}/each" for child in children)
    failed = states.list_executions(mapRunArn=found["mapRunArn"], statusFilter="FAILED")["executions"][0]
    child = states.describe_execution(executionArn=failed["executionArn"])
    assert (child["input"], child["error"], child["mapRunArn"]) == ("2", "Two", found["mapRunArn"])
    if kind == "STANDARD":
        history = states.get_execution_history(executionArn=failed["executionArn"])["events"]
        assert history[0]["type"] == "ExecutionStarted"
        assert refused(states.redrive_execution, executionArn=failed["executionArn"])[0] == "ExecutionNotRedrivable"
        shown = states.describe_state_machine_for_execution(executionArn=failed["executionArn"])
        assert (shown["label"], shown["mapRunArn"]) == ("each", found["mapRunArn"])
        assert json.loads(shown["definition"])["States"] == FAILS_FOR_TWO
    assert not states.list_executions(stateMachineArn=arn)["executions"][1:]


def test_a_map_run_under_way_is_counted_changed_and_stopped(states: Any) -> None:
    waits = {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}
    arn = machine(states, distributed(waits, MaxConcurrency=1))
    parent = states.start_execution(stateMachineArn=arn, input="[1,2,3]")["executionArn"]
    (found,) = states.list_map_runs(executionArn=parent)["mapRuns"]
    name = {"mapRunArn": found["mapRunArn"]}
    told = states.describe_map_run(**name)
    assert (told["itemCounts"]["running"], told["itemCounts"]["pending"], told["maxConcurrency"]) == (1, 2, 1)
    assert refused(states.update_map_run, **name)[0] == "ValidationException"
    states.update_map_run(**name, maxConcurrency=2)
    assert states.describe_map_run(**name)["executionCounts"]["running"] == 2
    states.stop_execution(executionArn=parent)
    told = states.describe_map_run(**name)
    assert (told["status"], told["executionCounts"]["aborted"]) == ("ABORTED", 3)
    for child in states.list_executions(**name)["executions"]:
        assert ended(states, child["executionArn"])["status"] == "ABORTED"
    assert refused(states.update_map_run, **name, maxConcurrency=1)[0] == "ValidationException"
    gone = found["mapRunArn"][:-1]
    assert refused(states.describe_map_run, mapRunArn=gone)[0] == "ResourceNotFound"
    assert refused(states.list_map_runs, executionArn=parent + "x")[0] == "ExecutionDoesNotExist"


def test_an_execution_is_redriven_until_it_succeeds(states: Any, aws: Aws) -> None:
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl.$": "$.url", "MessageBody": "m"},
        "ResultPath": None,
        "End": True,
    }
    arn = machine(states, {"A": {"Type": "Pass", "Next": "S"}, "S": send})
    url = aws("sqs").create_queue(QueueName="other")["QueueUrl"].replace("other", "later")
    first = run(states, arn, {"url": url})
    assert (first["status"], first["redriveStatus"], first["redriveCount"]) == ("FAILED", "REDRIVABLE", 0)
    aws("sqs").create_queue(QueueName="later")
    asked = {"executionArn": first["executionArn"], "clientToken": "t"}
    moment = states.redrive_execution(**asked)["redriveDate"]
    assert states.redrive_execution(**asked)["redriveDate"] == moment
    again = ended(states, first["executionArn"])
    assert (again["status"], again["redriveCount"], again["redriveDate"]) == ("SUCCEEDED", 1, moment)
    kinds = [e["type"] for e in states.get_execution_history(executionArn=first["executionArn"])["events"]]
    assert kinds.count("PassStateEntered") == 1
    assert kinds[kinds.index("ExecutionRedriven") :][:2] == ["ExecutionRedriven", "TaskScheduled"]
    code, message = refused(states.redrive_execution, executionArn=first["executionArn"])
    assert (code, message) == ("ExecutionNotRedrivable", "Execution is SUCCEEDED and cannot be redriven")
    listed = states.list_executions(stateMachineArn=arn, redriveFilter="REDRIVEN")["executions"]
    assert [e["executionArn"] for e in listed] == [first["executionArn"]]
    assert not states.list_executions(stateMachineArn=arn, redriveFilter="NOT_REDRIVEN")["executions"]


def test_a_redrive_of_the_parent_redrives_failed_children_only(states: Any, aws: Aws) -> None:
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {"TableName.$": "$", "Item": {"k": {"S": "v"}}},
        "ResultPath": None,
        "End": True,
    }
    aws("dynamodb").create_table(**table("one"))
    arn = machine(states, distributed({"T": ask}))
    parent = run(states, arn, ["one", "two"])
    assert parent["error"] == "States.ExceedToleratedFailureThreshold"
    aws("dynamodb").create_table(**table("two"))
    states.redrive_execution(executionArn=parent["executionArn"])
    assert ended(states, parent["executionArn"])["output"] == '["one","two"]'
    (found,) = states.list_map_runs(executionArn=parent["executionArn"])["mapRuns"]
    assert states.describe_map_run(mapRunArn=found["mapRunArn"])["redriveCount"] == 1
    children = states.list_executions(mapRunArn=found["mapRunArn"])["executions"]
    assert sorted(child["redriveCount"] for child in children) == [0, 1]


def table(name: str) -> dict[str, Any]:
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    }


def test_status_changes_are_events_on_the_default_bus(states: Any, aws: Aws) -> None:
    queue = aws("sqs").create_queue(QueueName="q")["QueueUrl"]
    pattern = {"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"]}
    aws("events").put_rule(Name="r", EventPattern=json.dumps(pattern))
    aws("events").put_targets(Rule="r", Targets=[{"Id": "t", "Arn": "arn:aws:sqs:us-east-1:000000000000:q"}])
    parent = run(states, machine(states, {"F": {"Type": "Fail", "Error": "E", "Cause": "C"}}), {"a": 1})
    events: dict[str, Any] = {}
    while len(events) < 2:
        for message in aws("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages", []):
            event = json.loads(message["Body"])
            events[event["detail"]["status"]] = event
    assert events["FAILED"]["resources"] == [parent["executionArn"]]
    assert events["FAILED"]["source"] == "aws.states"
    stopped = round(parent["stopDate"].timestamp() * 1000)
    assert events["FAILED"]["detail"] == {
        "executionArn": parent["executionArn"],
        "stateMachineArn": parent["stateMachineArn"],
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "name": parent["name"],
        "status": "FAILED",
        "startDate": round(parent["startDate"].timestamp() * 1000),
        "stopDate": stopped,
        "input": '{"a": 1}',
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": None,
        "error": "E",
        "cause": "C",
        "redriveCount": 0,
        "redriveDate": None,
        "redriveStatus": "REDRIVABLE",
        "redriveStatusReason": None,
    }
    running = events["RUNNING"]["detail"]
    assert (running["stopDate"], running["redriveStatus"]) == (None, "NOT_REDRIVABLE")


@pytest.mark.slow
def test_map_runs_and_redrives_survive_kill_9(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    states = server.client("stepfunctions")
    activity = states.create_activity(name="a")["activityArn"]
    body = distributed({"T": {"Type": "Task", "Resource": activity, "End": True}}, MaxConcurrency=2)
    arn = states.create_state_machine(name="m", definition=json.dumps({"StartAt": "M", "States": body}), roleArn=ROLE)[
        "stateMachineArn"
    ]
    parent = states.start_execution(stateMachineArn=arn, input="[1,2,3]")["executionArn"]
    done = states.get_activity_task(activityArn=activity)
    states.send_task_success(taskToken=done["taskToken"], output=done["input"])
    failed = states.get_activity_task(activityArn=activity)
    states.send_task_failure(taskToken=failed["taskToken"], error="E")
    assert ended(states, parent)["status"] == "FAILED"
    states.redrive_execution(executionArn=parent)
    server.kill()
    server.start()
    states = server.client("stepfunctions")
    for _ in range(2):
        task = states.get_activity_task(activityArn=activity)
        states.send_task_success(taskToken=task["taskToken"], output=task["input"])
    assert ended(states, parent)["output"] == "[1,2,3]"


@pytest.mark.slow
def test_across_kills_each_child_does_its_work_once(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    url = server.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": url, "MessageBody.$": "States.Format('{}', $)"},
        "ResultPath": None,
        "End": True,
    }
    body = distributed({"W": {"Type": "Wait", "Seconds": 1, "Next": "T"}, "T": send}, MaxConcurrency=30)
    arn = server.client("stepfunctions").create_state_machine(
        name="m", definition=json.dumps({"StartAt": "M", "States": body}), roleArn=ROLE
    )["stateMachineArn"]
    parent = server.client("stepfunctions").start_execution(stateMachineArn=arn, input=json.dumps(list(range(90))))
    for least in (1, 31, 61):
        states = server.client("stepfunctions")
        (found,) = states.list_map_runs(executionArn=parent["executionArn"])["mapRuns"]
        while states.describe_map_run(mapRunArn=found["mapRunArn"])["executionCounts"]["succeeded"] < least:
            pass
        server.kill()
        server.start()
    states, sqs = server.client("stepfunctions"), server.client("sqs")
    assert json.loads(ended(states, parent["executionArn"])["output"]) == list(range(90))
    bodies: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in messages]
    assert sorted(map(int, bodies)) == list(range(90))
    (found,) = states.list_map_runs(executionArn=parent["executionArn"])["mapRuns"]
    assert states.describe_map_run(mapRunArn=found["mapRunArn"])["executionCounts"]["succeeded"] == 90
