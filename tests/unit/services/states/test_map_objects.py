"""Distributed Maps whose items are in objects and whose results go to a bucket: what they ask for, what follows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.services.states.machines import NOW, started, trail
from tests.unit.services.states.test_map_runs import a_map, children, end, reading

from fogbank.services.states._language._threads import Drop, Task
from fogbank.services.states._language.interpreter import Execution

WRITER = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket.$": "$.b", "Prefix": "p/"}}
MANIFEST = "p/{number}/manifest.json"


def asked(execution: Execution, kind: str) -> Task:
    """What the execution asks to be done outside."""
    (task,) = children(execution)
    assert task.kind == kind
    return task


def written(execution: Execution, task: Task) -> dict[str, Any]:
    """The files, by the end of their keys."""
    return {key.split("/", 2)[2]: json.loads(body) for key, body in execution.files(task.id)}


def test_items_are_asked_for_and_then_the_run_goes_on() -> None:
    reader = reading({"InputType": "JSON", "MaxItemsPath": "$.n"}, Parameters={"Bucket": "b", "Key.$": "$.k"})
    execution = started(a_map(**reader), '{"k":"x","n":"2"}')
    task = asked(execution, "reader")
    assert task.parameters == {"given": {"Bucket": "b", "Key": "x"}, "most": 2}
    assert trail(execution)[2:] == [(3, 2, "MapStateStarted"), (4, 3, "MapRunStarted")]
    assert execution.events[2]["mapStateStartedEventDetails"] == {"length": 0}
    execution.apply(("read", NOW, task.id, [7, 8], ""))
    (run,) = execution.map_runs.values()
    assert run.items == 2
    for child in children(execution):
        end(execution, child, value=child.parameters)
    assert (execution.status, execution.output) == ("SUCCEEDED", "[7,8]")


@pytest.mark.parametrize(
    ("text", "error", "cause", "events"),
    [
        ('{"n":-1}', "States.ItemReaderFailed", "field MaxItems must be positive", ["MapRunFailed", "MapStateFailed"]),
        ('{"n":1.5}', "States.Runtime", 'The MaxItemsPath field refers to value "1.5" which is not', []),
    ],
)
def test_a_wrong_number_of_items_fails_as_recorded_of_aws(text: str, error: str, cause: str, events: list[str]) -> None:
    execution = started(a_map(**reading({"InputType": "JSON", "MaxItemsPath": "$.n"})), text)
    assert execution.error == error
    assert cause in (execution.cause or "")
    kinds = [event["type"] for event in execution.events]
    begun = ["MapRunStarted"] if events else []
    assert kinds[2:] == ["MapStateStarted", *begun, *events, "ExecutionFailed"]


def test_items_that_cannot_be_read_fail_the_run_and_can_be_caught() -> None:
    states = a_map(**reading({"InputType": "JSON"}), Catch=[{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "C"}])
    states["C"] = {"Type": "Pass", "End": True}
    execution = started(states)
    execution.apply(("read", NOW, asked(execution, "reader").id, None, "no such key"))
    assert execution.output == '{"Error":"States.ItemReaderFailed","Cause":"no such key"}'
    (run,) = execution.map_runs.values()
    assert run.status == "FAILED"


def test_a_run_that_is_stopped_while_it_reads_reads_again_when_it_is_redriven() -> None:
    execution = started(a_map(**reading({"InputType": "JSON"})))
    first = asked(execution, "reader")
    execution.apply(("stop", NOW, None, None))
    assert [c.id for c in execution.commands if isinstance(c, Drop)] == [first.id]
    (run,) = execution.map_runs.values()
    assert run.status == "ABORTED"
    execution.commands.clear()
    execution.apply(("redrive", NOW))
    again = asked(execution, "reader")
    assert again.parameters == first.parameters
    execution.apply(("read", NOW, again.id, [], ""))
    assert (execution.status, execution.output) == ("SUCCEEDED", "[]")


def test_results_are_written_by_status_and_the_output_says_where() -> None:
    execution = started(
        a_map(ResultWriter=WRITER, ItemsPath="$.i", ToleratedFailureCount=1), '{"b":"bucket","i":[1,2]}'
    )
    first, second = children(execution)
    end(execution, first, value="one")
    end(execution, second, "FAILED")
    task = asked(execution, "writer")
    found = written(execution, task)
    (run,) = execution.map_runs.values()
    number = run.arn.rpartition(":")[2]
    assert list(found) == ["FAILED_0.json", "SUCCEEDED_0.json", "manifest.json"]
    (succeeded,) = found["SUCCEEDED_0.json"]
    assert (succeeded["Input"], succeeded["Output"], succeeded["Status"]) == ("1", '"one"', "SUCCEEDED")
    assert succeeded["ExecutionArn"].endswith(f":{succeeded['Name']}")
    assert (found["FAILED_0.json"][0]["Error"], found["FAILED_0.json"][0]["Input"]) == ("E", "2")
    manifest = found["manifest.json"]
    assert (manifest["DestinationBucket"], manifest["MapRunArn"]) == ("bucket", run.arn)
    assert manifest["ResultFiles"]["PENDING"] == []
    assert manifest["ResultFiles"]["FAILED"][0]["Key"] == f"p/{number}/FAILED_0.json"
    assert execution.status == "RUNNING"
    execution.apply(("wrote", NOW, task.id, None))
    details = {"Bucket": "bucket", "Key": f"p/{number}/manifest.json"}
    assert json.loads(execution.output or "") == {"MapRunArn": run.arn, "ResultWriterDetails": details}
    assert run.status == "SUCCEEDED"


@pytest.mark.parametrize(
    ("config", "name", "body"),
    [
        ({"Transformation": "COMPACT"}, "SUCCEEDED_0.json", b"[[1,2],3]"),
        ({"Transformation": "FLATTEN"}, "SUCCEEDED_0.json", b"[1,2,3]"),
        ({"Transformation": "FLATTEN", "OutputType": "JSONL"}, "SUCCEEDED_0.jsonl", b"1\n2\n3\n"),
    ],
)
def test_results_are_transformed(config: dict[str, Any], name: str, body: bytes) -> None:
    execution = started(a_map(ResultWriter=WRITER | {"WriterConfig": config}, ItemsPath="$.i"), '{"b":"x","i":[1,2]}')
    first, second = children(execution)
    end(execution, first, value=[1, 2])
    end(execution, second, value=3)
    found = {key.rpartition("/")[2]: data for key, data in execution.files(asked(execution, "writer").id)}
    assert found[name] == body


def test_a_run_that_fails_writes_what_it_has_and_what_it_never_began() -> None:
    states = a_map(ResultWriter=WRITER, ItemsPath="$.i", MaxConcurrency=1)
    execution = started(states, '{"b":"x","i":[1,2]}')
    (child,) = children(execution)
    end(execution, child, "FAILED")
    task = asked(execution, "writer")
    found = written(execution, task)
    assert [entry["Input"] for entry in found["PENDING_0.json"]] == ["2"]
    execution.apply(("wrote", NOW, task.id, None))
    assert execution.error == "States.ExceedToleratedFailureThreshold"


def test_results_that_cannot_be_written_fail_the_state_and_are_written_when_it_is_redriven() -> None:
    execution = started(a_map(ResultWriter=WRITER, ItemsPath="$.i"), '{"b":"x","i":[1]}')
    end(execution, children(execution)[0], value=1)
    execution.apply(("wrote", NOW, asked(execution, "writer").id, "no such bucket"))
    assert (execution.error, execution.cause) == ("States.ResultWriterFailed", "no such bucket")
    assert [kind for _, _, kind in trail(execution)[-3:]] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]
    execution.commands.clear()
    execution.apply(("redrive", NOW))
    execution.apply(("wrote", NOW, asked(execution, "writer").id, None))
    assert execution.status == "SUCCEEDED"
