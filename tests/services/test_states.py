"""Step Functions over the wire: boto3 against a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

Aws = Callable[..., Any]
ROLE = "arn:aws:iam::000000000000:role/r"
ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}


@pytest.fixture
def states(aws: Aws) -> Any:
    return aws("stepfunctions")


def machine(states: Any, body: dict[str, Any], name: str = "m", **more: Any) -> str:
    """A state machine; a body without StartAt is its states."""
    definition = body if "StartAt" in body else {"StartAt": next(iter(body)), "States": body}
    made = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE, **more)
    return str(made["stateMachineArn"])


def run(states: Any, arn: str, value: Any = None, **more: Any) -> Any:
    """Start an execution and wait for its end."""
    started = states.start_execution(stateMachineArn=arn, input=json.dumps(value or {}), **more)["executionArn"]
    return ended(states, started)


def ended(states: Any, arn: str) -> Any:
    for _ in range(4000):
        found = states.describe_execution(executionArn=arn)
        if found["status"] in ENDED:
            return found
    raise AssertionError(f"{arn} has not ended")


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


PASS = {"A": {"Type": "Pass", "Result": {"a": 1}, "End": True}}


def test_the_life_of_a_state_machine(states: Any) -> None:
    arn = machine(states, PASS)
    assert machine(states, PASS) == arn
    code, message = refused(machine, states=states, body={"B": PASS["A"]})
    assert (code, message) == ("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
    assert [m["name"] for m in states.list_state_machines()["stateMachines"]] == ["m"]
    assert run(states, arn)["output"] == '{"a":1}'
    states.delete_state_machine(stateMachineArn=arn)
    assert refused(states.start_execution, stateMachineArn=arn)[0] == "StateMachineDoesNotExist"


def test_a_definition_is_refused_with_all_of_its_problems(states: Any) -> None:
    code, message = refused(machine, states=states, body={"A": {"Type": "Pass"}, "B": {"Type": "Nope"}})
    assert code == "InvalidDefinition"
    assert message == (
        "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Must specify either 'Next' or 'End' at "
        "/States/A, SCHEMA_VALIDATION_FAILED: Value is not one of [Task, Pass, Choice, Wait, Succeed, Fail, Parallel, "
        "Map] at /States/B/Type'"
    )
    found = states.validate_state_machine_definition(definition='{"StartAt": "A"}')
    assert found["result"] == "FAIL"
    assert found["diagnostics"][0]["message"] == "These fields are required: [States]"


def test_starting_again_with_one_name_is_idempotent_while_it_runs(states: Any) -> None:
    arn = machine(states, {"W": {"Type": "Wait", "Seconds": 3600, "End": True}})
    first = states.start_execution(stateMachineArn=arn, name="n", input="1")
    assert states.start_execution(stateMachineArn=arn, name="n", input="1")["startDate"] == first["startDate"]
    assert refused(states.start_execution, stateMachineArn=arn, name="n", input="2")[0] == "ExecutionAlreadyExists"
    states.stop_execution(executionArn=first["executionArn"], error="E", cause="C")
    found = states.describe_execution(executionArn=first["executionArn"])
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "E", "C")
    assert refused(states.start_execution, stateMachineArn=arn, name="n", input="1")[0] == "ExecutionAlreadyExists"


def test_history_is_paged_in_both_directions_with_or_without_data(states: Any) -> None:
    arn = run(states, machine(states, PASS))["executionArn"]
    seen: list[int] = []
    for reverse in (False, True):
        pages = states.get_paginator("get_execution_history").paginate(
            executionArn=arn, reverseOrder=reverse, PaginationConfig={"PageSize": 3}
        )
        seen += [event["id"] for page in pages for event in page["events"]]
    assert seen == [1, 2, 3, 4, 4, 3, 2, 1]
    bare = states.get_execution_history(executionArn=arn, includeExecutionData=False)["events"]
    assert "output" not in bare[-1]["executionSucceededEventDetails"]


def test_executions_are_listed_by_state(states: Any) -> None:
    arn = machine(states, {"F": {"Type": "Fail", "Error": "E"}})
    run(states, arn)
    assert len(states.list_executions(stateMachineArn=arn, statusFilter="FAILED")["executions"]) == 1
    assert not states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]


def test_an_alias_leads_to_its_version(states: Any) -> None:
    arn = machine(states, PASS, publish=True)
    body = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": 2, "End": True}}}
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(body))
    alias = states.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    )["stateMachineAliasArn"]
    found = run(states, alias)
    assert (found["output"], found["stateMachineVersionArn"]) == ('{"a":1}', f"{arn}:1")
    assert run(states, arn)["output"] == "2"
    assert refused(states.delete_state_machine_version, stateMachineVersionArn=f"{arn}:1")[0] == "ConflictException"


def test_tasks_call_queues_and_tables(states: Any, aws: Aws) -> None:
    url = aws("sqs").create_queue(QueueName="q")["QueueUrl"]
    aws("dynamodb").create_table(
        TableName="table",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )
    arn = machine(
        states,
        {
            "Put": {
                "Type": "Task",
                "Resource": "arn:aws:states:::dynamodb:putItem",
                "Parameters": {"TableName": "table", "Item": {"k": {"S.$": "$.key"}}},
                "ResultPath": None,
                "Next": "Get",
            },
            "Get": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:dynamodb:getItem",
                "Parameters": {"TableName": "table", "Key": {"k": {"S.$": "$.key"}}},
                "ResultSelector": {"item.$": "$.Item.k.S"},
                "Next": "Send",
            },
            "Send": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage",
                "Parameters": {"QueueUrl": url, "MessageBody": {"got.$": "$.item"}},
                "ResultPath": None,
                "End": True,
            },
        },
    )
    assert run(states, arn, {"key": "x"})["output"] == '{"item":"x"}'
    (message,) = aws("sqs").receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == '{"got":"x"}'


def test_an_error_of_a_service_has_its_name_and_cause(states: Any) -> None:
    arn = machine(
        states,
        {
            "T": {
                "Type": "Task",
                "Resource": "arn:aws:states:::dynamodb:putItem",
                "Parameters": {"TableName": "gone", "Item": {}},
                "End": True,
            }
        },
    )
    found = run(states, arn)
    assert found["error"] == "DynamoDB.ResourceNotFoundException"
    assert "(Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ResourceNotFoundException;" in found["cause"]


def test_a_child_execution_is_waited_for(states: Any) -> None:
    child = machine(states, PASS, name="child")
    parent = machine(
        states,
        {
            "T": {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution.sync:2",
                "Parameters": {"StateMachineArn": child},
                "OutputPath": "$.Output",
                "End": True,
            }
        },
        name="parent",
    )
    assert run(states, parent)["output"] == '{"a":1}'


def test_an_activity_is_done_by_a_worker(states: Any) -> None:
    activity = states.create_activity(name="a")["activityArn"]
    arn = machine(states, {"T": {"Type": "Task", "Resource": activity, "End": True}})
    execution = states.start_execution(stateMachineArn=arn, input='{"n":1}')["executionArn"]
    taken = states.get_activity_task(activityArn=activity, workerName="w")
    assert taken["input"] == '{"n":1}'
    states.send_task_heartbeat(taskToken=taken["taskToken"])
    assert refused(states.send_task_success, taskToken=taken["taskToken"], output="nope")[0] == "InvalidOutput"
    states.send_task_success(taskToken=taken["taskToken"], output='{"ok":true}')
    assert ended(states, execution)["output"] == '{"ok":true}'
    assert refused(states.send_task_success, taskToken=taken["taskToken"], output="1")[0] == "TaskTimedOut"
    assert refused(states.send_task_success, taskToken="x", output="1")[0] == "InvalidToken"


def test_an_express_execution_is_answered_when_it_has_ended(aws: Aws, states: Any) -> None:
    add = {"Type": "Pass", "Output": "{% $states.input.a + 1 %}", "End": True}
    definition = {"StartAt": "A", "QueryLanguage": "JSONata", "States": {"A": add}}
    arn = machine(states, definition, type="EXPRESS")
    sync = aws("stepfunctions", config=BotoConfig(inject_host_prefix=False))
    found = sync.start_sync_execution(stateMachineArn=arn, input='{"a":1}')
    assert (found["status"], found["output"]) == ("SUCCEEDED", "2")
    assert refused(states.describe_execution, executionArn=arn.replace("stateMachine", "express") + ":a:b")[0] == (
        "InvalidArn"
    )


def test_a_day_passes_in_no_time(states: Any, server: Any) -> None:
    arn = machine(states, {"W": {"Type": "Wait", "Seconds": 86_400, "End": True}})
    execution = states.start_execution(stateMachineArn=arn)["executionArn"]
    assert states.describe_execution(executionArn=execution)["status"] == "RUNNING"
    server.post("/_fogbank/clock", {"seconds": 86_401})
    assert ended(states, execution)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, "[" * 100_000, '{"a":' * 40_000 + "1" + "}" * 40_000])
def test_an_input_that_is_nested_without_end_is_refused(states: Any, text: str) -> None:
    arn = machine(states, PASS)
    assert refused(states.start_execution, stateMachineArn=arn, input=text)[0] == "InvalidExecutionInput"
    assert run(states, arn)["status"] == "SUCCEEDED"


def test_payloads_and_definitions_past_their_size_are_refused(states: Any) -> None:
    arn = machine(states, PASS)
    text = json.dumps("x" * 262_144)
    code, _ = refused(states.start_execution, stateMachineArn=arn, input=text)
    assert code in {"InvalidExecutionInput", "ValidationException"}
    big = {"A": {"Type": "Pass", "Comment": "x" * 1_048_576, "End": True}}
    code, message = refused(machine, states=states, body=big, name="big")
    assert (code, "1048576" in message) == ("ValidationException", True)


def test_a_definition_is_validated_with_warnings_and_in_parts(states: Any) -> None:
    choose = [{"Variable": "$.a", "StringEquals": "$.b", "Next": "B"}]
    body = {
        "A": {"Type": "Pass", "Result": "$.x", "Parameters": {"p": "$.y", "q": "States.UUID()"}, "Next": "C"},
        "C": {"Type": "Choice", "Choices": choose, "Default": "B"},
        "B": {"Type": "Succeed"},
    }
    definition = json.dumps({"StartAt": "A", "States": body})
    assert states.validate_state_machine_definition(definition=definition)["diagnostics"] == []
    found = states.validate_state_machine_definition(definition=definition, severity="WARNING")
    assert (found["result"], found["truncated"]) == ("OK", False)
    assert [(d["severity"], d["code"], d["location"]) for d in found["diagnostics"]] == [
        ("WARNING", "PASS_RESULT_IS_STATIC", "/States/A/Result"),
        ("WARNING", "NO_DOLLAR", "/States/A/Parameters/p"),
        ("WARNING", "NO_DOLLAR", "/States/A/Parameters/q"),
        ("WARNING", "NO_PATH", "/States/C/Choices[0]/StringEquals"),
    ]
    found = states.validate_state_machine_definition(definition=definition, severity="WARNING", maxResults=1)
    assert (len(found["diagnostics"]), found["truncated"]) == (1, True)
    loop = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}}
    found = states.validate_state_machine_definition(definition=json.dumps(loop), maxResults=0)
    assert found["result"] == "FAIL"
    assert found["diagnostics"] == [
        {"severity": "ERROR", "code": "MISSING_END_STATE", "message": "Workflow has no terminal state"}
    ]


ENDLESS = {"A": {"Type": "Pass", "Output": "{% ($f := function($n){$f($n+1)}; $f(0)) %}", "End": True}}


@pytest.mark.slow
def test_an_expression_that_takes_long_holds_up_nothing_else(states: Any) -> None:
    arn = machine(states, {"QueryLanguage": "JSONata", "StartAt": "A", "States": ENDLESS})
    mapped = {"A": {"Type": "Pass", "Output": "{% $map([1,2], function($x){$x+1}) %}", "End": True}}
    other = machine(states, {"QueryLanguage": "JSONata", "StartAt": "A", "States": mapped}, name="other")
    slow = states.start_execution(stateMachineArn=arn)["executionArn"]
    assert run(states, other)["output"] == "[2,3]"
    assert states.describe_execution(executionArn=slow)["status"] == "RUNNING"
    found = ended(states, slow)
    assert (found["status"], found["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "D1012" in found["cause"]


def test_the_aliases_of_a_version_come_in_full_pages(states: Any) -> None:
    arn = machine(states, PASS)
    first = states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    states.update_state_machine(stateMachineArn=arn, roleArn=ROLE + "2")
    second = states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    both = [{"stateMachineVersionArn": first, "weight": 50}, {"stateMachineVersionArn": second, "weight": 50}]
    for name in ("a", "c", "e"):
        states.create_state_machine_alias(name=name, routingConfiguration=[{**both[0], "weight": 100}])
    states.create_state_machine_alias(name="b", routingConfiguration=[{**both[1], "weight": 100}])
    states.create_state_machine_alias(name="d", routingConfiguration=both)
    for version, pages in ((first, ["ac", "de"]), (second, ["bd"]), (arn, ["ab", "cd", "e"])):
        names, more = [], {"maxResults": 2}
        while more:
            found = states.list_state_machine_aliases(stateMachineArn=version, **more)
            names.append("".join(alias["stateMachineAliasArn"][-1] for alias in found["stateMachineAliases"]))
            more = {"maxResults": 2, "nextToken": found["nextToken"]} if "nextToken" in found else {}
        assert names == pages
    code, message = refused(states.delete_state_machine_version, stateMachineVersionArn=second)
    assert (code, message.rpartition(": ")[2]) == ("ConflictException", "[b, d]")


@pytest.mark.parametrize("text", ["$states.input.a + 1", "$map([$states.input.a], function($x){$x + 1})"])
def test_a_state_with_expressions_is_tried(aws: Aws, text: str) -> None:
    states = aws("stepfunctions", config=BotoConfig(inject_host_prefix=False))
    state = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": f"{{% {text} %}}", "End": True}
    found = states.test_state(definition=json.dumps(state), roleArn=ROLE, input='{"a":1}')
    assert (found["status"], found["output"]) == ("SUCCEEDED", "2")


def test_parameters_that_cannot_be_a_request_fail_the_task(states: Any) -> None:
    parameters = {"Bucket": "b", "Key": "k", "IfModifiedSince": "yesterday"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Parameters": parameters, "End": True}
    found = run(states, machine(states, {"A": task}))
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")
    assert "could not be used to start the Task" in found["cause"]
