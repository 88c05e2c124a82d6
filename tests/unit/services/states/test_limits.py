"""Definitions, inputs and executions past what is allowed end in AWS's error, and soon."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.services.states.machines import NOW, WHO, started, task, tasks

from fogbank.services.states._language._threads import Alarm
from fogbank.services.states._language._warnings import warnings
from fogbank.services.states._language.interpreter import GO_ON, TURN, Execution
from fogbank.services.states._language.loader import InvalidDefinitionError, load

LOOP = {
    "C": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": True, "Next": "E"}], "Default": "C"},
    "E": {"Type": "Succeed"},
}


def go_on(execution: Execution) -> int:
    """Let it have its turns until it waits or ends; how many."""
    turns = 0
    while any(isinstance(command, Alarm) and command.id == GO_ON for command in execution.commands):
        execution.commands.clear()
        execution.events.clear()
        execution.apply(("time", NOW, GO_ON))
        turns += 1
    return turns


def test_a_loop_fills_its_history_and_lets_others_go_first_meanwhile() -> None:
    execution = started(LOOP)
    assert len(execution.events) == 1 + 2 * TURN
    assert go_on(execution) == 12
    assert (execution.status, execution.error) == ("FAILED", "States.Runtime")
    assert execution.cause == "The execution reached the maximum number of history events (25000)."
    assert execution.sink.count <= 25_000


def test_the_history_of_an_express_execution_has_no_end() -> None:
    execution = Execution(load(json.dumps({"StartAt": "C", "States": LOOP}), express=True), WHO, "1", express=True)
    execution.apply(("start", NOW))
    for _ in range(20):
        assert execution.expects(GO_ON)
        execution.apply(("time", NOW, GO_ON))
    execution.apply(("time", NOW + 300_000, 0))
    assert execution.status == "TIMED_OUT"


def test_a_turn_can_end_anywhere_and_nothing_is_lost() -> None:
    processor = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    items = list(range(3 * TURN))
    execution = started({"M": {"Type": "Map", "ItemProcessor": processor, "End": True}}, json.dumps(items))
    go_on(execution)
    assert json.loads(execution.output or "") == items


def test_retries_count_in_the_history_too() -> None:
    execution = started({"T": task(Retry=[{"ErrorEquals": ["E"], "MaxAttempts": 99_999_999, "IntervalSeconds": 1}])})
    while execution.status == "RUNNING":
        for number in tasks(execution):
            execution.commands.clear()
            execution.events.clear()
            execution.apply(("fail", NOW, number, "E", None))
        for number, waiting in list(execution.alarms.items()):
            execution.apply(("time", waiting.when, number))
    assert execution.error == "States.Runtime"


def nested(depth: int) -> dict[str, Any]:
    machine: dict[str, Any] = {"StartAt": "S0", "States": {"S0": {"Type": "Pass", "End": True}}}
    for level in range(1, depth):
        state = {"Type": "Parallel", "Branches": [machine], "End": True}
        machine = {"StartAt": f"S{level}", "States": {f"S{level}": state}}
    return machine


def test_states_are_nested_so_deep_and_no_deeper() -> None:
    load(json.dumps(nested(60)))
    with pytest.raises(InvalidDefinitionError) as caught:
        load(json.dumps(nested(61)))
    assert caught.value.problems[0].code == "TOO_DEEPLY_NESTED"


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 50_000 + "1" + "}" * 50_000])
def test_a_text_that_is_nested_without_end_is_no_definition(text: str) -> None:
    with pytest.raises(InvalidDefinitionError):
        load(text)


_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
_names = st.sampled_from(
    [
        "StartAt",
        "States",
        "Type",
        "Next",
        "End",
        "Choices",
        "Default",
        "Branches",
        "ItemProcessor",
        "Iterator",
        "ProcessorConfig",
        "Mode",
        "Retry",
        "Catch",
        "ErrorEquals",
        "Parameters",
        "Arguments",
        "Assign",
        "Output",
        "ResultPath",
        "InputPath",
        "Seconds",
        "Timestamp",
        "Resource",
        "Items",
        "ItemsPath",
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
        "WriterConfig",
        "Label",
        "Variable",
        "And",
        "Or",
        "Not",
        "Condition",
        "QueryLanguage",
        "A",
        "B",
    ]
)
_values = st.sampled_from(
    [
        "A",
        "B",
        "Task",
        "Pass",
        "Choice",
        "Wait",
        "Succeed",
        "Fail",
        "Parallel",
        "Map",
        "JSONata",
        "JSONPath",
        "INLINE",
        "DISTRIBUTED",
        "$",
        "$.a",
        "$$.b",
        "{%1%}",
        "{%$x%}",
        "States.UUID()",
        "arn:aws:states:::sqs:sendMessage",
        "arn:aws:lambda:us-east-1:000000000000:function:f",
    ]
)
_documents = st.recursive(
    _scalars | _values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=6),
    max_leaves=30,
)
_states = st.dictionaries(st.sampled_from("AB"), st.dictionaries(_names, _values | _documents, max_size=8), min_size=1)


@given(st.builds(lambda states, start: {"StartAt": start, "States": states}, _states, st.sampled_from("AB")))
def test_any_document_is_a_program_or_has_problems(document: dict[str, Any]) -> None:
    try:
        load(json.dumps(document))
    except InvalidDefinitionError as error:
        assert error.problems  # noqa: PT017 - what else it may raise is the question
    list(warnings(document))


@given(_documents)
def test_anything_is_a_program_or_has_problems(document: Any) -> None:
    try:
        load(json.dumps(document))
    except InvalidDefinitionError as error:
        assert error.problems  # noqa: PT017 - what else it may raise is the question
