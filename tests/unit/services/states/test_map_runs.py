"""Distributed Maps: what child executions are given, and what becomes of a map run, in virtual time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.services.states.machines import NOW, started, task, trail

from fogbank.services.states._language._batches import batches
from fogbank.services.states._language._map_runs import processor
from fogbank.services.states._language._threads import Drop, Perform, Task
from fogbank.services.states._language.interpreter import Execution
from fogbank.services.states._language.loader import InvalidDefinitionError, load

PROCESSOR = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    "StartAt": "P",
    "States": {"P": {"Type": "Pass", "End": True}},
}


def a_map(**more: Any) -> dict[str, Any]:
    return {"M": {"Type": "Map", "ItemProcessor": PROCESSOR, "End": True} | more}


def reading(config: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An ItemReader of an object."""
    reader = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key": "k"}} | more
    return {"ItemReader": {"ReaderConfig": config} | {k: v for k, v in reader.items() if v is not None}}


def children(execution: Execution) -> list[Task]:
    found = [command.task for command in execution.commands if isinstance(command, Perform)]
    execution.commands.clear()
    return found


def end(execution: Execution, child: Task, status: str = "SUCCEEDED", value: Any = None) -> None:
    found = {"output": json.dumps(value), "error": "E", "cause": "why", "started": NOW, "stopped": NOW + 1}
    execution.apply(("child", NOW + 1, child.id, status, found))


def test_each_item_is_the_input_of_a_child_and_the_outputs_are_the_result() -> None:
    execution = started(a_map(MaxConcurrency=2, Label="l"), '["a","b","c"]')
    first = children(execution)
    assert [child.parameters for child in first] == ["a", "b"]
    (run,) = execution.map_runs.values()
    assert run.arn.startswith("arn:aws:states:us-east-1:000000000000:mapRun:m/l:")
    assert (run.children, run.under_way) == (3, (2, 2))
    end(execution, first[1], value=2)
    (third,) = children(execution)
    end(execution, third, value=3)
    end(execution, first[0], value=1)
    assert (execution.status, execution.output) == ("SUCCEEDED", "[1,2,3]")
    assert (run.status, run.counts["succeeded"]) == ("SUCCEEDED", 3)
    assert [kind for _, _, kind in trail(execution)[2:6]] == [
        "MapStateStarted",
        "MapRunStarted",
        "MapRunSucceeded",
        "MapStateSucceeded",
    ]


@pytest.mark.parametrize(
    ("limits", "failures", "status"),
    [
        ({}, 1, "FAILED"),
        ({"ToleratedFailureCount": 1}, 1, "SUCCEEDED"),
        ({"ToleratedFailureCount": 1}, 2, "FAILED"),
        ({"ToleratedFailurePercentage": 50}, 2, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 50}, 3, "FAILED"),
        ({"ToleratedFailurePercentage": 100, "ToleratedFailureCount": 1}, 2, "FAILED"),
    ],
)
def test_failures_are_tolerated_up_to_their_threshold(limits: dict[str, Any], failures: int, status: str) -> None:
    execution = started(a_map(**limits), "[1,2,3,4]")
    for index, child in enumerate(children(execution)):
        end(execution, child, "FAILED" if index < failures else "SUCCEEDED", 1)
    assert execution.status == status
    if status == "FAILED":
        assert execution.error == "States.ExceedToleratedFailureThreshold"
        assert "MapRunFailed" in [kind for _, _, kind in trail(execution)]


def test_past_the_threshold_the_others_are_aborted() -> None:
    execution = started(a_map(), "[1,2,3]")
    first, *others = children(execution)
    end(execution, first, "FAILED")
    assert {command.id for command in execution.commands if isinstance(command, Drop)} == {o.id for o in others}
    (run,) = execution.map_runs.values()
    assert (run.counts["failed"], run.counts["aborted"]) == (1, 2)


def test_items_are_grouped_with_what_they_have_in_common() -> None:
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"from.$": "$.who"}}
    execution = started(a_map(ItemsPath="$.items", ItemBatcher=batcher), '{"who":"me","items":[1,2,3]}')
    assert [child.parameters for child in children(execution)] == [
        {"BatchInput": {"from": "me"}, "Items": [1, 2]},
        {"BatchInput": {"from": "me"}, "Items": [3]},
    ]
    (run,) = execution.map_runs.values()
    assert (run.items, run.children, run.under_way) == (3, 2, (2, 3))


@pytest.mark.slow
@given(st.lists(st.text(max_size=20)), st.integers(1, 5), st.integers(60, 300))
def test_batches_hold_every_item_once_in_order_and_keep_their_limits(items: list[str], most: int, size: int) -> None:
    fitting = [item for item in items if len(json.dumps(item)) < 40]
    found = batches(fitting, most, size, None)
    assert [item for batch in found for item in batch.data["Items"]] == fitting
    for batch in found:
        assert 0 < batch.count == len(batch.data["Items"]) <= most
        assert len(json.dumps(batch.data, separators=(",", ":"), ensure_ascii=False).encode()) <= size


@pytest.mark.parametrize(("transformation", "result"), [("COMPACT", [[1], [2, 3]]), ("FLATTEN", [1, 2, 3])])
def test_results_are_transformed_without_a_bucket(transformation: str, result: list[Any]) -> None:
    writer = {"WriterConfig": {"Transformation": transformation}}
    execution = started(a_map(ResultWriter=writer), "[0,0]")
    for child, value in zip(children(execution), ([1], [2, 3]), strict=True):
        end(execution, child, value=value)
    assert json.loads(execution.output or "") == result


def test_results_tell_everything_about_the_children() -> None:
    writer = {"WriterConfig": {"Transformation": "NONE", "OutputType": "JSON"}}
    execution = started(a_map(ResultWriter=writer, Label="l"), "[7]")
    (child,) = children(execution)
    end(execution, child, value=8)
    (told,) = json.loads(execution.output or "")
    assert (told["Input"], told["Output"], told["Status"]) == ("7", "8", "SUCCEEDED")
    assert told["ExecutionArn"] == f"arn:aws:states:us-east-1:000000000000:execution:m/l:{told['Name']}"


def test_a_map_run_is_changed_while_it_runs() -> None:
    execution = started(a_map(MaxConcurrency=1), "[1,2,3]")
    (first,) = children(execution)
    (arn,) = execution.map_runs
    execution.apply(("maprun", NOW, arn, 2, 5, None))
    second = children(execution)
    assert len(second) == 1
    end(execution, first, "FAILED")
    assert execution.status == "RUNNING"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ItemBatcher": {}}, "At least one of these fields is required"),
        ({"ItemBatcher": {"MaxItemsPerBatch": 0}}, "Value must be between 1"),
        ({"ItemBatcher": {"MaxInputBytesPerBatch": 262_145}}, "Value must be between 1 and 262144"),
        ({"ResultWriter": {"WriterConfig": {"Transformation": "X"}}}, "Value is not one of [NONE, COMPACT, FLATTEN]"),
        ({"ResultWriter": {}}, "Must specify 'WriterConfig'"),
        ({"ItemReader": {"Resource": "arn:aws:states:::s3:x"}}, "Value is not a valid resource ARN"),
        (reading({}, Resource="arn:aws:states:::s3:getObject", Parameters=None), "'Parameters'"),
        (reading({"InputType": "XML"}), "Value is not one of [CSV, JSON, JSONL, PARQUET, MANIFEST]"),
        (reading({"InputType": "CSV"}), "The field 'CSVHeaderLocation' is required"),
        (reading({"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}), "The field 'CSVHeaders' is required"),
        (reading({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": "a"}), "Array of Strings"),
        (reading({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "CSVHeaders": ["a"]}), "only supported when"),
        (reading({"InputType": "JSON", "CSVDelimiter": "TAB"}), "only supported when InputType is CSV"),
        (reading({"InputType": "JSONL", "ItemsPointer": "/a"}), "only supported when InputType is JSON"),
        (reading({"InputType": "JSON", "ItemsPointer": "a"}), "Value is not a valid JSON pointer"),
        (reading({"InputType": "JSON", "MaxItems": 1, "MaxItemsPath": "$.n"}), "cannot specify more than one"),
        (reading({"InputType": "JSON", "MaxItems": 100_000_001}), "Value must be between"),
        (reading({"InputType": "JSON", "Transformation": "NONE"}), "only supported with 's3:listObjectsV2'"),
        (
            reading({"Transformation": "LOAD_AND_FLATTEN"}, Resource="arn:aws:states:::s3:listObjectsV2"),
            "The field 'InputType' is required",
        ),
        ({"ResultWriter": {"WriterConfig": {}, "Parameters": {"Bucket": "b"}}}, "Must specify both"),
    ],
)
def test_wrong_fields_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        load(json.dumps({"StartAt": "M", "States": a_map(**more)}))
    assert message in str(caught.value)


def test_a_childs_program_is_found_by_its_label() -> None:
    inner = {"StartAt": "M", "States": a_map(Label="inner")}
    program = load(
        json.dumps({"StartAt": "X", "States": {"X": {"Type": "Parallel", "Branches": [inner], "End": True}}})
    )
    found = processor(program, "arn:aws:states:us-east-1:000000000000:stateMachine:m/inner")
    assert found is not None
    assert list(found.states) == ["P"]


@pytest.mark.parametrize("mode", ["INLINE", "DISTRIBUTED"])
def test_an_item_without_an_input_fails_the_state_and_nothing_goes_on_behind_it(mode: str) -> None:
    config = {"Mode": mode, "ExecutionType": "STANDARD"} if mode == "DISTRIBUTED" else {"Mode": mode}
    processor = {"ProcessorConfig": config, "StartAt": "T", "States": {"T": task()}}
    states = {
        "M": {
            "Type": "Map",
            "ItemProcessor": processor,
            "ItemSelector": {"x.$": "$$.Map.Item.Value.x"},
            "MaxConcurrency": 2,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "W"}],
            "End": True,
        },
        "W": {"Type": "Wait", "Seconds": 1, "End": True},
    }
    execution = started(states, '[{"x":1},{"x":2},{}]')
    first, second = children(execution)
    if mode == "DISTRIBUTED":
        end(execution, first, value=1)
    else:
        execution.apply(("done", NOW, first.id, "1"))
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")
    assert second.id in {command.id for command in execution.commands if isinstance(command, Drop)}
    assert not execution.tasks
