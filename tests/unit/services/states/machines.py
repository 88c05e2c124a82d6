"""Executions of small state machines, for tests of the interpreter."""

from __future__ import annotations

import json
from typing import Any

from fogbank.services.states._language._threads import Identity, Perform
from fogbank.services.states._language.interpreter import Execution
from fogbank.services.states._language.loader import load

NOW = 1_000_000
WHO = Identity(
    "arn:aws:states:us-east-1:000000000000:execution:m:e",
    "e",
    "role",
    "arn:aws:states:us-east-1:000000000000:stateMachine:m",
    "m",
    "us-east-1",
    NOW,
    "seed",
)
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"


def started(states: dict[str, Any], text: str = "{}", **more: Any) -> Execution:
    """An execution after its first input."""
    program = load(json.dumps({"StartAt": next(iter(states)), "States": states, **more}))
    execution = Execution(program, WHO, text)
    execution.apply(("start", NOW))
    return execution


def task(**more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": FUNCTION, "End": True} | more


def trail(execution: Execution) -> list[tuple[int, int, str]]:
    return [(event["id"], event["previousEventId"], event["type"]) for event in execution.events]


def tasks(execution: Execution) -> list[int]:
    return [command.task.id for command in execution.commands if isinstance(command, Perform)]
