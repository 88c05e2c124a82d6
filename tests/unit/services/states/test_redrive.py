"""Redrive: an execution goes on where it stopped, in virtual time."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.services.states.machines import NOW, WHO, started, task, tasks, trail

from fogbank.services.states._language._threads import Alarm, Perform
from fogbank.services.states._language.interpreter import Execution
from fogbank.services.states._language.loader import load

LATER = NOW + 60_000


def kinds(execution: Execution) -> list[str]:
    return [kind for _, _, kind in trail(execution)]


def redriven(execution: Execution) -> Execution:
    execution.events.clear()
    execution.commands.clear()
    execution.apply(("redrive", LATER))
    return execution


def test_the_failed_task_is_scheduled_again_with_the_same_input() -> None:
    execution = started({"A": {"Type": "Pass", "Result": 7, "Next": "T"}, "T": task()})
    (number,) = tasks(execution)
    execution.apply(("fail", NOW, number, "E", "why"))
    assert execution.status == "FAILED"
    redriven(execution)
    assert kinds(execution) == ["ExecutionRedriven", "LambdaFunctionScheduled", "LambdaFunctionStarted"]
    assert execution.events[0]["executionRedrivenEventDetails"] == {"redriveCount": 1}
    (again,) = [command.task for command in execution.commands if isinstance(command, Perform)]
    assert again.parameters == 7
    execution.apply(("done", LATER, again.id, "8"))
    assert (execution.status, execution.output) == ("SUCCEEDED", "8")


def test_retriers_begin_anew_and_the_context_tells_the_count() -> None:
    retry = [{"ErrorEquals": ["E"], "MaxAttempts": 1}]
    state = task(Retry=retry, Parameters={"count.$": "$$.Execution.RedriveCount"})
    execution = started({"T": state})
    for _ in range(2):
        (number,) = tasks(execution)
        execution.commands.clear()
        execution.apply(("fail", NOW, number, "E", None))
        for command in list(execution.commands):
            if isinstance(command, Alarm):
                execution.commands.clear()
                execution.apply(("time", command.when, command.id))
    assert execution.status == "FAILED"
    redriven(execution)
    (again,) = [command.task for command in execution.commands if isinstance(command, Perform)]
    assert again.parameters == {"count": 1}
    execution.commands.clear()
    execution.apply(("fail", LATER, again.id, "E", None))
    assert execution.status == "RUNNING"


def test_of_a_parallel_only_what_did_not_succeed_is_run_again() -> None:
    def branch(name: str) -> dict[str, Any]:
        return {"StartAt": name, "States": {name: task()}}

    execution = started({"P": {"Type": "Parallel", "Branches": [branch("X"), branch("Y"), branch("Z")], "End": True}})
    x, y, _ = tasks(execution)
    execution.apply(("done", NOW, x, '"x"'))
    execution.apply(("fail", NOW, y, "E", None))
    assert execution.status == "FAILED"
    redriven(execution)
    assert kinds(execution).count("LambdaFunctionScheduled") == 2
    for number, value in zip(tasks(execution), ("y", "z"), strict=True):
        execution.apply(("done", LATER, number, json.dumps(value)))
    assert execution.output == '["x","y","z"]'


def test_of_a_map_only_what_did_not_succeed_is_run_again_and_then_the_rest() -> None:
    processor = {"StartAt": "T", "States": {"T": task()}}
    execution = started({"M": {"Type": "Map", "ItemProcessor": processor, "MaxConcurrency": 2, "End": True}}, "[1,2,3]")
    first, second = tasks(execution)
    execution.commands.clear()
    execution.apply(("done", NOW, first, "10"))
    execution.apply(("fail", NOW, second, "E", None))
    redriven(execution)
    seen = {}
    while execution.status == "RUNNING":
        (command, *_) = [c for c in execution.commands if isinstance(c, Perform) and c.task.id in execution.tasks]
        seen[command.task.parameters] = command.task.id
        execution.apply(("done", LATER, command.task.id, str(command.task.parameters * 10)))
    assert sorted(seen) == [2, 3]
    assert execution.output == "[10,20,30]"


def test_of_a_map_run_only_unsuccessful_children_are_redriven() -> None:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "P",
        "States": {"P": {"Type": "Pass", "End": True}},
    }
    execution = started({"M": {"Type": "Map", "ItemProcessor": processor, "End": True}}, "[1,2,3]")
    performed = [command.task for command in execution.commands if isinstance(command, Perform)]
    names = [task.child[0] for task in performed]

    def end(number: int, status: str) -> None:
        found = {"output": "0", "error": "E", "cause": None, "started": NOW, "stopped": NOW}
        execution.apply(("child", NOW, number, status, found))

    end(performed[0].id, "SUCCEEDED")
    end(performed[1].id, "FAILED")
    assert execution.status == "FAILED"
    redriven(execution)
    assert kinds(execution) == ["ExecutionRedriven", "MapRunRedriven"]
    again = [command.task for command in execution.commands if isinstance(command, Perform)]
    assert [task.child[0] for task in again] == names[1:]
    for task_ in again:
        end(task_.id, "SUCCEEDED")
    (run,) = execution.map_runs.values()
    assert (execution.output, run.redrives, run.counts["succeeded"]) == ("[0,0,0]", 1, 3)


def test_the_time_of_the_machine_begins_anew() -> None:
    execution = started({"T": task()}, TimeoutSeconds=10)
    execution.apply(("time", NOW + 10_000, 0))
    assert execution.status == "TIMED_OUT"
    redriven(execution)
    assert Alarm(0, LATER + 10_000) in execution.commands


def test_a_fail_state_is_entered_again() -> None:
    execution = redriven(started({"F": {"Type": "Fail", "Error": "E"}}))
    assert kinds(execution) == ["ExecutionRedriven", "FailStateEntered", "ExecutionFailed"]


def test_a_replay_of_a_redriven_journal_gives_the_same() -> None:
    definition = {"StartAt": "T", "States": {"T": task()}}
    inputs: list[tuple[Any, ...]] = [("start", NOW), ("fail", NOW, 1, "E", None), ("redrive", LATER)]
    runs = []
    for _ in range(2):
        execution = Execution(load(json.dumps(definition)), WHO, "{}")
        for event in inputs:
            execution.apply(event)
        runs.append(execution.events)
    assert runs[0] == runs[1]


def test_a_map_run_is_redriven_a_thousand_times_and_no_more() -> None:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "P",
        "States": {"P": {"Type": "Pass", "End": True}},
    }
    execution = started({"M": {"Type": "Map", "ItemProcessor": processor, "End": True}}, "[1]")
    (run,) = execution.map_runs.values()
    found = {"output": None, "error": "E", "cause": None, "started": NOW, "stopped": NOW}
    for number in list(execution.tasks):
        execution.apply(("child", NOW, number, "FAILED", found))
    run.redrives = 1_000
    redriven(execution)
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")
