"""An expression that takes long holds up its own step alone: the step is done again when the value is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.services.states.machines import FUNCTION, NOW, WHO

from fogbank.services.states._language._threads import Dice, Evaluate, Perform
from fogbank.services.states._language.interpreter import Execution, Input
from fogbank.services.states._language.jsonata import JsonataError, Question, Reply, guard_with, parse_expression
from fogbank.services.states._language.loader import load

SLOW = "$map([1], function($x){$x})"
"""What the guard below is asked for."""
MAP = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Output": f"{{% [$states.input, {SLOW}] %}}", "End": True}}}
DISTRIBUTED = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **MAP}


class Guard:
    """Answers nothing at once but the expressions whose turns are in `quick`."""

    def __init__(self, quick: frozenset[int] = frozenset()) -> None:
        self.quick = quick
        self.asked = 0

    def start(self) -> None:
        """It is always ready."""

    def attempt(self, question: Question) -> Reply | None:
        self.asked += 1
        return self.answer(question) if self.asked in self.quick else None

    def answer(self, question: Question) -> Reply:
        dice = Dice(question.seed)
        dice.now = question.now
        try:
            return parse_expression(question.text).evaluate_here(question.bindings, dice), None
        except JsonataError as error:
            return None, str(error)


@pytest.fixture(autouse=True)
def _unguarded() -> Iterator[None]:
    yield
    guard_with(None)


def a_machine(states: dict[str, Any]) -> str:
    return json.dumps({"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states})


PROGRAMS: dict[str, dict[str, Any]] = {
    "pass": {
        "A": {"Type": "Pass", "Assign": {"v": f"{{% {SLOW} %}}"}, "Output": f"{{% [{SLOW}, {SLOW}] %}}", "Next": "B"},
        "B": {"Type": "Pass", "Output": f"{{% $v + {SLOW} %}}", "End": True},
    },
    "chance": {"A": {"Type": "Pass", "Output": {"a": "{% $uuid() %}", "b": "{% $uuid() %}"}, "End": True}},
    "choice": {
        "A": {
            "Type": "Choice",
            "Choices": [
                {"Condition": f"{{% {SLOW} = 2 %}}", "Next": "B"},
                {"Condition": f"{{% {SLOW} = 1 %}}", "Next": "C"},
            ],
        },
        "B": {"Type": "Succeed"},
        "C": {"Type": "Succeed", "Output": f"{{% {SLOW} %}}"},
    },
    "wait": {"A": {"Type": "Wait", "Seconds": f"{{% {SLOW} %}}", "Output": f"{{% {SLOW} %}}", "End": True}},
    "task": {
        "A": {
            "Type": "Task",
            "Resource": FUNCTION,
            "Arguments": f"{{% {SLOW} %}}",
            "TimeoutSeconds": f"{{% {SLOW} %}}",
            "Output": f"{{% [$states.result, {SLOW}] %}}",
            "End": True,
        }
    },
    "catch": {
        "A": {
            "Type": "Pass",
            "Output": "x",
            "Next": "B",
        },
        "B": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": f"{{% $string({SLOW}) %}}"}}}],
            "Retry": [{"ErrorEquals": ["1"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["1"], "Output": f"{{% [$states.errorOutput, {SLOW}, {SLOW}] %}}", "Next": "C"}],
            "End": True,
        },
        "C": {"Type": "Pass", "End": True},
    },
    "failing": {"A": {"Type": "Pass", "Output": "{% $map([1], function($x){$error('no')}) %}", "End": True}},
    "map": {
        "A": {
            "Type": "Map",
            "Items": f"{{% [1, {SLOW}, 3] %}}",
            "MaxConcurrency": f"{{% 1 + {SLOW} %}}",
            "ItemSelector": {"i": f"{{% $states.context.Map.Item.Value + {SLOW} %}}"},
            "ItemProcessor": MAP,
            "Output": f"{{% [$states.result, {SLOW}] %}}",
            "End": True,
        }
    },
    "distributed": {
        "A": {
            "Type": "Map",
            "Items": f"{{% [1, {SLOW}, 3] %}}",
            "MaxConcurrency": 2,
            "ItemSelector": {"i": f"{{% $states.context.Map.Item.Value + {SLOW} %}}"},
            "ItemProcessor": DISTRIBUTED,
            "End": True,
        }
    },
    "batches": {
        "A": {
            "Type": "Map",
            "Items": [1, 2, 3],
            "ItemSelector": {"i": f"{{% $states.context.Map.Item.Value + {SLOW} %}}"},
            "ItemBatcher": {"MaxItemsPerBatch": f"{{% {SLOW} + 1 %}}", "BatchInput": {"b": f"{{% {SLOW} %}}"}},
            "ItemProcessor": DISTRIBUTED,
            "End": True,
        }
    },
}


def an_execution(text: str) -> Execution:
    execution = Execution(load(text), WHO, "{}")
    execution.dice.defers = True
    return execution


def answer(execution: Execution, guard: Guard) -> tuple[list[Input], int]:
    """Run an execution to its end: its journal, and how often it halted."""
    journal: list[Input] = []
    halts = 0
    inputs: list[Input] = [("start", NOW)]
    while inputs:
        journal += execution.take(inputs.pop(0))
        commands = list(execution.commands)
        execution.commands.clear()
        for command in commands:
            if isinstance(command, Evaluate):
                halts += 1
                inputs.append(("evaluated", NOW, command.id, *guard.answer(command.question)))
            elif isinstance(command, Perform) and command.task.kind == "child":
                found = {"output": json.dumps(command.task.parameters), "started": NOW, "stopped": NOW}
                inputs.append(("child", NOW, command.task.id, "SUCCEEDED", found))
            elif isinstance(command, Perform):
                inputs.append(("done", NOW, command.task.id, '"result"'))
        if not inputs and execution.alarms:
            number, waiting = next(iter(execution.alarms.items()))
            inputs.append(("time", waiting.when, number))
    return journal, halts


def told(execution: Execution) -> list[Any]:
    """What the history says, but for when, in which order branches go on, and what is drawn."""
    return sorted(
        json.dumps({k: v for k, v in e.items() if "EventDetails" in k or k == "type"}) for e in execution.events
    )


@pytest.mark.parametrize("name", PROGRAMS.keys() - {"chance"})
def test_an_execution_that_halts_does_what_one_does_that_does_not(name: str) -> None:
    text = a_machine(PROGRAMS[name])
    direct, halting = an_execution(text), an_execution(text)
    answer(direct, Guard())
    guard = Guard()
    guard_with(guard)
    _, halts = answer(halting, guard)
    assert halts > 0
    assert (halting.status, halting.output, halting.cause) == (direct.status, direct.output, direct.cause)
    assert told(halting) == told(direct)


@pytest.mark.parametrize("name", PROGRAMS)
@settings(max_examples=25)
@given(quick=st.frozensets(st.integers(1, 12)))
def test_a_replay_halts_where_the_execution_did(name: str, quick: frozenset[int]) -> None:
    text = a_machine(PROGRAMS[name])
    guard = Guard(quick)
    guard_with(guard)
    execution, again = an_execution(text), an_execution(text)
    journal, _ = answer(execution, guard)
    again.dice.defers = False
    again.replay(journal)
    assert again.events == execution.events
    assert again.output == execution.output
    assert execution.status != "RUNNING"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_replay_of_the_beginning_asks_again_for_what_was_not_answered(name: str) -> None:
    text = a_machine(PROGRAMS[name])
    guard = Guard()
    guard_with(guard)
    execution, again = an_execution(text), an_execution(text)
    journal = execution.take(("start", NOW))
    again.dice.defers = False
    again.replay(journal)
    wanted = [command.id for command in execution.commands if isinstance(command, Evaluate)]
    assert [command.id for command in again.outstanding() if isinstance(command, Evaluate)] == wanted
    assert wanted


def test_what_is_stopped_waits_for_no_value() -> None:
    guard = Guard()
    guard_with(guard)
    execution = an_execution(a_machine(PROGRAMS["batches"]))
    execution.apply(("start", NOW))
    (number,) = execution.halted
    execution.apply(("stop", NOW, None, None))
    (run,) = execution.map_runs.values()
    assert (execution.status, run.status, execution.halted) == ("ABORTED", "ABORTED", {})
    execution.apply(("evaluated", NOW, number, "1", None))
    assert execution.events[-1]["type"] == "ExecutionAborted"
    execution.apply(("redrive", NOW))
    assert len(execution.halted) == 1


def test_a_branch_that_is_aborted_waits_for_no_value() -> None:
    guard_with(Guard())
    slow = {"StartAt": "S", "States": {"S": {"Type": "Pass", "Output": f"{{% {SLOW} %}}", "End": True}}}
    fails = {"StartAt": "F", "States": {"F": {"Type": "Fail"}}}
    execution = an_execution(a_machine({"A": {"Type": "Parallel", "Branches": [slow, fails], "End": True}}))
    execution.apply(("start", NOW))
    assert (execution.status, execution.halted) == ("FAILED", {})


def test_a_map_run_that_has_failed_starts_nothing_more_when_a_value_comes() -> None:
    guard = Guard()
    guard_with(guard)
    states: dict[str, Any] = json.loads(json.dumps(PROGRAMS["distributed"]))
    states["A"]["ResultWriter"] = {"Resource": "arn:aws:states:::s3:putObject", "Arguments": {"Bucket": "b"}}
    execution = an_execution(a_machine(states))
    execution.apply(("start", NOW))
    begun: list[int] = []
    while not begun:
        (number, halted), *_ = execution.halted.items()
        execution.apply(("evaluated", NOW, number, *guard.answer(halted.question)))
        begun = [number for number, (_, task) in execution.tasks.items() if task.kind == "child"]
    ((number, halted),) = execution.halted.items()
    found = {"error": "E", "cause": "why", "output": None, "started": NOW, "stopped": NOW}
    execution.apply(("child", NOW, begun[0], "FAILED", found))
    execution.apply(("evaluated", NOW, number, *guard.answer(halted.question)))
    assert [task.kind for _, task in execution.tasks.values()] == ["writer"]
