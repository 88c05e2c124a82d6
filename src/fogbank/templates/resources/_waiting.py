"""Wait conditions: a stack waits until somebody has PUT enough signals to a handle's URL.

    handle ──► its URL goes to whom it concerns ──► {"Status": "SUCCESS", "UniqueId": …, "Data": …} ──► condition met

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-waitcondition.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.services.cloudformation.engine import ReasonError, Signal, Standing, Step
from fogbank.templates.answers import SIGNALS
from fogbank.templates.resources.resource_type import ResourceType, Work
from fogbank.templates.sections import scalar_text

LONGEST = 43_200
"""Seconds that a condition may wait at the most."""
_decode = msgspec.json.Decoder(list[Signal]).decode


class WaitConditionHandle(ResourceType):
    """A handle; `Ref` gives the URL that takes signals. Templates also use one as a resource that is nothing."""

    type = "AWS::CloudFormation::WaitConditionHandle"
    service = "cloudformation"
    attributes = ("Id",)

    async def make(self, work: Work) -> Standing:
        url = work.answers.signal_url(work.step.token)
        return Standing(url, {"Id": url})

    async def remove(self, work: Work) -> None:
        """There is nothing to delete."""


class WaitCondition(ResourceType):
    """Waits for `Count` signals of success; one of failure ends it. `Data` is the signals' data by their ids."""

    type = "AWS::CloudFormation::WaitCondition"
    service = "cloudformation"
    attributes = ("Data", "Id")

    def awaits(self, step: Step) -> str:
        handle = step.properties.get("Handle")
        return handle.rpartition(SIGNALS)[2] if isinstance(handle, str) and SIGNALS in handle else step.token

    async def make(self, work: Work) -> Standing:
        count, limit = _number(work.properties, "Count", 1), _number(work.properties, "Timeout", None)
        if limit > LONGEST:
            raise ReasonError(f"Timeout must be at most {LONGEST} seconds, got {limit}")
        token = self.awaits(work.step)
        if token == work.step.token:
            raise ReasonError("Handle must be the Ref of an AWS::CloudFormation::WaitConditionHandle")
        until = work.clock.time() + limit
        with work.answers.expect(token) as expected:
            body = work.step.answer
            while len(signals := _successes(body)) < count:
                body = await expected.next(work.clock, until)
                if body is None:
                    raise ReasonError(
                        f"WaitCondition timed out. Received {len(signals)} conditions when expecting {count}"
                    )
        identifier = f"{work.step.stack.stack_id}/{work.step.logical_id}"
        data = {signal.id: signal.data for signal in signals}
        return Standing(identifier, {"Data": json.dumps(data, separators=(",", ":")), "Id": identifier})

    async def update(self, work: Work) -> Standing:  # noqa: ARG002
        raise ReasonError("Update to resource type AWS::CloudFormation::WaitCondition is not supported.")

    async def remove(self, work: Work) -> None:
        """There is nothing to delete."""


def _successes(body: str | None) -> list[Signal]:
    signals = [] if body is None else _decode(body)
    for signal in signals:
        if not signal.succeeded:
            raise ReasonError(
                f"WaitCondition received failed message: '{signal.reason}' for uniqueId: {signal.id}",
            )
    return signals


def _number(properties: Mapping[str, Any], name: str, default: int | None) -> int:
    text = scalar_text(properties.get(name, default))
    if not text.isdigit():
        raise ReasonError(f"{name} of a wait condition must be a number, got {text}")
    return int(text)
