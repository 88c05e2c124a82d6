"""The interpreter in virtual time: inputs in, events and commands out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.services.states.machines import NOW, WHO, started, task, tasks, trail

from fogbank.services.states._language._threads import Alarm
from fogbank.services.states._language.interpreter import Execution
from fogbank.services.states._language.loader import InvalidDefinitionError, load


def test_events_are_numbered_and_each_names_the_one_before() -> None:
    execution = started({"A": {"Type": "Pass", "Result": 1, "Next": "B"}, "B": {"Type": "Succeed"}})
    assert trail(execution) == [
        (1, 0, "ExecutionStarted"),
        (2, 0, "PassStateEntered"),
        (3, 2, "PassStateExited"),
        (4, 3, "SucceedStateEntered"),
        (5, 4, "SucceedStateExited"),
        (6, 5, "ExecutionSucceeded"),
    ]
    assert execution.output == "1"


def test_a_wait_of_a_day_commands_one_alarm() -> None:
    execution = started({"W": {"Type": "Wait", "Seconds": 86_400, "End": True}})
    (alarm,) = execution.commands
    assert isinstance(alarm, Alarm)
    assert alarm.when == NOW + 86_400_000
    execution.apply(("time", alarm.when, alarm.id))
    assert execution.status == "SUCCEEDED"


def test_retries_back_off_to_their_ceiling_and_then_the_error_is_caught() -> None:
    retry = [{"ErrorEquals": ["E"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxDelaySeconds": 5, "MaxAttempts": 3}]
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "C", "ResultPath": "$.e"}]
    execution = started({"T": task(Retry=retry, Catch=catch), "C": {"Type": "Pass", "End": True}}, '{"a":1}')
    now, delays = NOW, []
    for _ in range(3):
        (number,) = tasks(execution)
        execution.commands.clear()
        execution.apply(("fail", now, number, "E", "why"))
        (alarm,) = [command for command in execution.commands if isinstance(command, Alarm)]
        delays.append((alarm.when - now) // 1000)
        now = alarm.when
        execution.commands.clear()
        execution.apply(("time", now, alarm.id))
    (number,) = tasks(execution)
    execution.apply(("fail", now, number, "E", "why"))
    assert delays == [2, 5, 5]
    assert json.loads(execution.output or "") == {"a": 1, "e": {"Error": "E", "Cause": "why"}}


def test_jitter_shortens_a_delay_and_is_the_same_in_a_replay() -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 100, "JitterStrategy": "FULL"}]
    moments = set()
    for _ in range(2):
        execution = started({"T": task(Retry=retry)})
        execution.apply(("fail", NOW, tasks(execution)[0], "E", None))
        (alarm,) = [command for command in execution.commands if isinstance(command, Alarm)]
        moments.add(alarm.when)
    (moment,) = moments
    assert NOW <= moment < NOW + 100_000


def test_a_task_times_out() -> None:
    execution = started({"T": task(TimeoutSeconds=5)})
    execution.apply(("time", NOW + 5_000, tasks(execution)[0]))
    assert [kind for _, _, kind in trail(execution)][-2:] == ["LambdaFunctionTimedOut", "ExecutionFailed"]
    assert execution.error == "States.Timeout"


def test_a_heartbeat_puts_the_deadline_off() -> None:
    resource = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
    execution = started({"T": task(Resource=resource, HeartbeatSeconds=5)})
    (number,) = tasks(execution)
    execution.apply(("beat", NOW + 4_000, number))
    execution.apply(("time", NOW + 5_000, number))
    assert execution.status == "RUNNING"
    execution.apply(("time", NOW + 9_000, number))
    assert execution.error == "States.Timeout"


def test_a_failing_branch_aborts_the_others() -> None:
    branches = [{"StartAt": name, "States": {name: task()}} for name in ("A", "B")]
    execution = started({"P": {"Type": "Parallel", "Branches": branches, "End": True}})
    execution.apply(("fail", NOW, tasks(execution)[0], "E", None))
    assert [kind for _, _, kind in trail(execution)][-4:] == [
        "TaskStateAborted",
        "TaskStateAborted",
        "ParallelStateFailed",
        "ExecutionFailed",
    ]
    assert not execution.tasks


@pytest.mark.parametrize(("limit", "at_once"), [(1, 1), (3, 3), (0, 7)])
def test_a_map_runs_no_more_iterations_at_once_than_it_may(limit: int, at_once: int) -> None:
    processor = {"StartAt": "T", "States": {"T": task()}}
    execution = started(
        {"M": {"Type": "Map", "MaxConcurrency": limit, "ItemProcessor": processor, "End": True}}, "[1,2,3,4,5,6,7]"
    )
    assert len(execution.tasks) == at_once
    while execution.tasks:
        number = next(iter(execution.tasks))
        execution.apply(("done", NOW, number, str(number * 10)))
        assert len(execution.tasks) <= at_once
    assert len(json.loads(execution.output or "")) == 7


def test_variables_of_a_branch_stay_within_it() -> None:
    inner = {"StartAt": "I", "States": {"I": {"Type": "Pass", "Assign": {"y.$": "$x"}, "End": True}}}
    execution = started(
        {
            "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "P"},
            "P": {"Type": "Parallel", "Branches": [inner], "Next": "Z"},
            "Z": {"Type": "Pass", "Parameters": {"y.$": "$y"}, "End": True},
        }
    )
    assert execution.error == "States.Runtime"
    assert "'$y'" in (execution.cause or "")


def test_jsonata_says_which_field_gave_nothing() -> None:
    execution = started({"A": {"Type": "Pass", "Output": {"a": "{% $gone %}"}, "End": True}}, QueryLanguage="JSONata")
    assert execution.error == "States.QueryEvaluationError"
    assert (execution.cause or "").endswith(
        "The JSONata expression '$gone' specified for the field 'Output/a' returned nothing (undefined)."
    )


def test_time_and_chance_in_an_expression_are_the_executions_own() -> None:
    expression = "[$millis(), $now(), $now('[Y]'), $random(), $shuffle([1..9]), $uuid()]"
    outputs = {
        started({"A": {"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True}}, QueryLanguage="JSONata").output
        for _ in range(2)
    }
    (output,) = outputs
    assert json.loads(output or "null")[:3] == [NOW, "1970-01-01T00:16:40.000Z", "1970"]


@pytest.mark.parametrize("expression", ["1/0", "[1..100000000]", "($f := function(){$f()}; $f())", "$eval('1')"])
def test_a_hostile_expression_fails_in_bounded_time(expression: str) -> None:
    state = {"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True}
    assert started({"A": state}, QueryLanguage="JSONata").error == "States.QueryEvaluationError"


def test_all_problems_of_a_definition_are_found_at_once() -> None:
    text = json.dumps(
        {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Task", "Resource": "nothing", "Next": "Gone"},
                "B": {"Type": "Wait", "Timestamp": "2024", "End": True},
            },
        }
    )
    with pytest.raises(InvalidDefinitionError) as caught:
        load(text)
    assert [problem.location for problem in caught.value.problems] == [
        "/States/A/Resource",
        "/States/B/Timestamp",
        "/States/A/Next",
        "/States/B",
    ]


@given(st.text(max_size=60) | st.recursive(st.none() | st.integers() | st.text(max_size=4), st.lists))
def test_the_loader_refuses_what_it_cannot_read(value: Any) -> None:
    with pytest.raises(InvalidDefinitionError):
        load(value if isinstance(value, str) else json.dumps(value))


LEAF = st.sampled_from(["pass", "task", "wait"])
TREE = st.recursive(LEAF, lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=6)


def build(tree: Any, names: Any) -> dict[str, Any]:
    """A machine of one state; a list is a Parallel of its members."""
    name = f"S{next(names)}"
    if isinstance(tree, list):
        state: dict[str, Any] = {"Type": "Parallel", "Branches": [build(t, names) for t in tree], "End": True}
    elif tree == "task":
        state = task()
    elif tree == "wait":
        state = {"Type": "Wait", "Seconds": 3, "End": True}
    else:
        state = {"Type": "Pass", "End": True}
    return {"StartAt": name, "States": {name: state}}


def direct(tree: Any, value: Any) -> Any:
    """What the machine's output must be."""
    if isinstance(tree, list):
        return [direct(t, value) for t in tree]
    return "done" if tree == "task" else value


@settings(deadline=None)
@given(TREE, st.randoms(use_true_random=False))
def test_a_program_gives_what_a_direct_reading_gives_in_whatever_order_and_replays(tree: Any, dice: Any) -> None:
    names = iter(range(1000))
    program = load(json.dumps(build(tree, names)))
    execution = Execution(program, WHO, "5")
    journal: list[tuple[Any, ...]] = [("start", NOW)]
    execution.apply(journal[0])
    now = NOW
    while execution.status == "RUNNING":
        now += 1000
        choices: list[tuple[Any, ...]] = [("done", now, number, '"done"') for number in execution.tasks]
        choices += [("time", max(now, w.when), number) for number, w in execution.alarms.items()]
        journal.append(dice.choice(choices))
        execution.apply(journal[-1])
    assert json.loads(execution.output or "") == direct(tree, 5)
    again = Execution(program, WHO, "5")
    for event in json.loads(json.dumps(journal)):
        again.apply(tuple(event))
    assert again.events == execution.events


def test_what_passes_unchanged_stays_as_it_was_written() -> None:
    branches = [{"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}} for name in "BC"]
    parallel: dict[str, Any] = {"Type": "Parallel", "Branches": branches, "End": True}
    states = {"A": {"Type": "Pass", "Next": "P"}, "P": parallel}
    assert started(states, "[1,  2.0]").output == "[[1,  2.0],[1,  2.0]]"
    parallel["ResultSelector"] = {"r.$": "$[0]"}
    assert started(states, "[1,  2.0]").output == '{"r":[1,2.0]}'
