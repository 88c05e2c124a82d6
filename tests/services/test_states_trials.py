"""TestState, in virtual time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.scope import Scope
from fogbank.services.states._api import testing

SCOPE = Scope()
REQUEST = {
    "definition": json.dumps(
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Parameters": {"QueueUrl": "u", "MessageBody": "m"},
            "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}],
            "End": True,
        }
    ),
    "roleArn": "arn:aws:iam::000000000000:role/r",
}


async def test_a_state_is_tried_for_five_minutes(
    cloud: LocalCloud, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def never(*_: Any) -> str:
        begun.set()
        await asyncio.get_running_loop().create_future()
        return ""

    monkeypatch.setattr(testing, "once", never)
    trial = asyncio.ensure_future(cloud.call(SCOPE, "stepfunctions", "TestState", REQUEST))
    await begun.wait()
    await clock.settle()
    await clock.advance(299)
    assert not trial.done()
    await clock.advance(2)
    found = await trial
    assert (found["status"], found["error"], found["nextState"]) == ("CAUGHT_ERROR", "States.Timeout", "Late")
