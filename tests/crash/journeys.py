"""A workflow of everything that a crash could tear: what it does, and what must have become of it.

    Journey ── Parallel ─┬─ a message, then a callback that a client answers
                         ├─ a Map, two at a time: a counter is raised, then a function that fails at first on odd items
                         ├─ a Wait, then an event
                         ├─ a child execution that is waited for: a Wait, then a Map of Pass states in JSONata, where
                         │  `slow` is asked for with expressions that take so long that their steps halt for them
                         ├─ an activity, tried again when its worker has gone
                         └─ a function that fails, and a handler that notes it

Counters are raised, not set: whatever is done twice shows.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ROLE = "arn:aws:iam::000000000000:role/any"
ACCOUNT = "arn:aws:states:us-east-1:000000000000"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:work"
ACTIVITY = f"{ACCOUNT}:activity:hands"
CHILD = f"{ACCOUNT}:stateMachine:child"
PARENT = f"{ACCOUNT}:stateMachine:journey"
TABLE = "counters"
ITEMS = 3
WAIT = 2
HEARTBEAT = 600

FUNCTION_CODE = """
import os, time, uuid, boto3

table = boto3.client("dynamodb")

class Flaky(Exception):
    pass

class Broken(Exception):
    pass

def handler(event, context):
    table.put_item(TableName=os.environ["CALLS"], Item={
        "id": {"S": uuid.uuid4().hex}, "step": {"S": event["step"]}, "at": {"N": str(time.time())}})
    if event["fails"] == "always":
        raise Broken(event["step"])
    if event["fails"] == "at first" and event["attempt"] == 0:
        raise Flaky(event["step"])
    return {"did": event["step"]}
"""


def _task(resource: str, parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Parameters": parameters, **more}


def _raise_counter(name: str, **more: Any) -> dict[str, Any]:
    parameters = {
        "TableName": TABLE,
        "Key": {"id": {"S.$": name}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    return _task("dynamodb:updateItem", parameters, ResultPath=None, **more)


def _call(step: str, fails: str, **more: Any) -> dict[str, Any]:
    parameters = {"step.$": step, "fails.$": fails, "attempt.$": "$$.State.RetryCount"}
    return {"Type": "Task", "Resource": FUNCTION, "Parameters": parameters, **more}


def _branch(**states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def parent(queue: str) -> str:
    """The definition of the journey; `queue` is the URL that messages and tokens go to."""
    told = {"QueueUrl": queue, "MessageBody": {"told.$": "$.id"}}
    asked = {"QueueUrl": queue, "MessageBody": {"asked.$": "$.id", "token.$": "$$.Task.Token"}}
    entry = {"Source": "journey", "DetailType": "Waited", "Detail": {"id.$": "$.id"}}
    each = _branch(
        Count=_raise_counter("States.Format('{}-{}', $.id, $.item)", Next="Work"),
        Work=_call(
            "States.Format('{}-{}', $.id, $.item)",
            "$.fails",
            Retry=[{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1, "MaxAttempts": 3}],
            End=True,
        ),
    )
    branches = [
        _branch(
            Tell=_task("sqs:sendMessage", told, ResultPath=None, Next="Ask"),
            Ask=_task("sqs:sendMessage.waitForTaskToken", asked, HeartbeatSeconds=HEARTBEAT, End=True),
        ),
        _branch(
            Each={
                "Type": "Map",
                "ItemsPath": "$.items",
                "ItemSelector": {
                    "id.$": "$.id",
                    "item.$": "$$.Map.Item.Value.number",
                    "fails.$": "$$.Map.Item.Value.fails",
                },
                "MaxConcurrency": 2,
                "ItemProcessor": each,
                "End": True,
            }
        ),
        _branch(
            Wait={"Type": "Wait", "Seconds": WAIT, "Next": "Publish"},
            Publish=_task("events:putEvents", {"Entries": [entry]}, ResultPath=None, Next="Waited"),
            Waited={"Type": "Pass", "Parameters": {"waited.$": "$.id"}, "End": True},
        ),
        _branch(
            Child=_task(
                "states:startExecution.sync:2",
                {"StateMachineArn": CHILD, "Input": {"id.$": "$.id"}},
                ResultSelector={"child.$": "$.Output"},
                End=True,
            )
        ),
        _branch(
            Hands={
                "Type": "Task",
                "Resource": ACTIVITY,
                "TimeoutSeconds": 5,
                "Retry": [
                    {"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 9999, "BackoffRate": 1}
                ],
                "End": True,
            }
        ),
        _branch(
            Break=_call(
                "States.Format('{}-broken', $.id)",
                "$.always",
                Catch=[{"ErrorEquals": ["Broken"], "ResultPath": "$.error", "Next": "Note"}],
                End=True,
            ),
            Note=_raise_counter("States.Format('{}-noted', $.id)", Next="Noted"),
            Noted={"Type": "Pass", "Parameters": {"noted.$": "$.error.Error"}, "End": True},
        ),
    ]  # fmt: skip
    states = {
        "All": {"Type": "Parallel", "Branches": branches, "ResultPath": "$.all", "Next": "Last"},
        "Last": {"Type": "Pass", "Parameters": {"id.$": "$.id", "all.$": "$.all"}, "End": True},
    }
    return json.dumps({"StartAt": "All", "States": states})


SLOW = "($f := function($n){$n = 0 ? 0 : $f($n-1)}; $f(16000))"


def child(*, slow: bool = False) -> str:
    """The definition of the child."""
    twice = f"{{% {SLOW} + $states.input * 2 %}}" if slow else "{% $states.input * 2 %}"
    states = {
        "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Each"},
        "Each": {
            "Type": "Map",
            "Items": "{% [1, 2, 3] %}",
            "ItemProcessor": _branch(Double={"Type": "Pass", "Output": twice, "End": True}),
            "Output": "{% {'id': $states.context.Execution.Input.id, 'doubled': $states.result} %}",
            "End": True,
        },
    }
    return json.dumps({"QueryLanguage": "JSONata", "StartAt": "Wait", "States": states})


def document(name: str) -> str:
    """The input of the journey with this name."""
    items = [{"number": number, "fails": "at first" if number % 2 else "never"} for number in range(ITEMS)]
    return json.dumps({"id": name, "items": items, "always": "always"})


def answer(name: str) -> str:
    """What clients answer to the callback, and to the activity."""
    return json.dumps({"answered": name})


def output(name: str) -> Any:
    """What the journey must give."""
    return {
        "id": name,
        "all": [
            {"answered": name},
            [{"did": f"{name}-{item}"} for item in range(ITEMS)],
            {"waited": name},
            {"child": {"id": name, "doubled": [2, 4, 6]}},
            {"answered": name},
            {"noted": "Broken"},
        ],
    }


def steps(name: str) -> set[str]:
    """The counters that a journey raises by one, and the steps that it calls the function for."""
    return {f"{name}-{item}" for item in range(ITEMS)}


@dataclass
class Findings:
    """What there is after all journeys have ended."""

    outputs: dict[str, Any] = field(default_factory=dict)
    """Of each journey; where it failed, its error."""
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    """Every message that was ever in the queue."""
    events: set[tuple[str, str]] = field(default_factory=set)
    """Id and journey of each event: a delivery may come twice, an event may not."""
    counters: dict[str, int] = field(default_factory=dict)
    children: list[str] = field(default_factory=list)
    """The journey of each child execution."""
    calls: list[tuple[str, float]] = field(default_factory=list)
    """Step and moment of each call of the function."""


def judge(findings: Findings, names: set[str], *, patience: float) -> None:
    """Compare with what uninterrupted journeys do; `patience` is by how much a Wait may end late."""
    assert findings.outputs == {name: output(name) for name in names}
    told = Counter(message["told"] for message in findings.messages if "told" in message)
    asked = Counter(message["asked"] for message in findings.messages if "asked" in message)
    assert told == asked == Counter(names), "messages were lost or sent twice"
    assert Counter(name for _, name in findings.events) == Counter(names), "events were lost or put twice"
    assert Counter(findings.children) == Counter(names), "children were lost or started twice"
    raised = {step for name in names for step in (*steps(name), f"{name}-noted")}
    assert findings.counters == dict.fromkeys(raised, 1), "counters were raised twice or not at all"
    called = {step for name in names for step in (*steps(name), f"{name}-broken")}
    assert {step for step, _ in findings.calls} == called
    for name in names:
        _judge_history(findings, name, patience)


def _judge_history(findings: Findings, name: str, patience: float) -> None:
    events = findings.histories[name]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert shape(events) == SHAPE, f"{name} took another way"
    entered, left = (moment(event) for event in events if event["type"].startswith("WaitState"))
    assert WAIT <= left - entered <= WAIT + patience, f"{name} waited {left - entered} s instead of {WAIT}"
    for event in events:
        details = event.get("lambdaFunctionSucceededEventDetails")
        if details is not None:
            step = json.loads(details["output"])["did"]
            late = [at for key, at in findings.calls if key == step and at > moment(event) + 0.002]
            assert not late, f"{step} had succeeded and was called again"


def moment(event: dict[str, Any]) -> float:
    """An event's time, in seconds: boto3 gives a datetime, a call within the process a number."""
    found = event["timestamp"]
    return float(found) if isinstance(found, int | float) else float(found.timestamp())


def shape(events: list[dict[str, Any]]) -> Counter[str]:
    """How often each type of event is in a history; how often an activity was tried is no part of it."""
    return Counter(event["type"] for event in events if not event["type"].startswith("Activity"))


_FAILING = ITEMS // 2
SHAPE = Counter(
    {
        "ExecutionStarted": 1,
        "ExecutionSucceeded": 1,
        "ParallelStateEntered": 1,
        "ParallelStateStarted": 1,
        "ParallelStateSucceeded": 1,
        "ParallelStateExited": 1,
        "MapStateEntered": 1,
        "MapStateStarted": 1,
        "MapStateSucceeded": 1,
        "MapStateExited": 1,
        "MapIterationStarted": ITEMS,
        "MapIterationSucceeded": ITEMS,
        "WaitStateEntered": 1,
        "WaitStateExited": 1,
        "PassStateEntered": 3,
        "PassStateExited": 3,
        # Tell, Ask, Publish, Child, Hands, Break, Note, and two for each item
        "TaskStateEntered": 7 + 2 * ITEMS,
        "TaskStateExited": 7 + 2 * ITEMS,
        # all of them but Hands, Break and each item's Work
        "TaskScheduled": 5 + ITEMS,
        "TaskStarted": 5 + ITEMS,
        "TaskSucceeded": 5 + ITEMS,
        "TaskSubmitted": 2,
        "LambdaFunctionScheduled": ITEMS + _FAILING + 1,
        "LambdaFunctionStarted": ITEMS + _FAILING + 1,
        "LambdaFunctionSucceeded": ITEMS,
        "LambdaFunctionFailed": _FAILING + 1,
    }
)
"""The history of an uninterrupted journey."""
