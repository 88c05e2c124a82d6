"""Trials: a function run once with another memory size, for `fogbank tune`. No operation of AWS's.

A trial runs the function's code for real, with all that it does; its configuration stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.runtime import Event, FunctionVersion
from fogbank.runtime.throttle import share_of
from fogbank.services.lambda_._api.invocation import Invocation, check_payload
from fogbank.services.lambda_._names import parse_function

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run showed: seconds, billed milliseconds, MB."""

    memory: int
    duration: float
    billed: int
    used: int
    init: float | None
    error: str | None


class Trials(Invocation):
    """Runs functions as they might be configured."""

    async def trial(self, scope: Scope, name: str, payload: bytes, memory: int) -> Trial:
        """Run a function once with `memory` MB and the share of a processor that comes with it."""
        ref = parse_function(scope, name)
        target = (await self._targets.find(ref)).pick(0.0)
        check_payload(payload)
        trace = Trace.begin(self.kit.clock, self.kit.ids)
        event = _event(self.kit.ids, payload, ref.qualified_arn, trace)
        outcome = await self._runner.run(replace(target, version=_tried(target.version, memory)), event)
        error = outcome.error_type or outcome.error
        return Trial(memory, outcome.duration, outcome.billed, -(-outcome.memory // MEGABYTE), outcome.init, error)

    async def end_trials(self, scope: Scope, name: str, memories: list[int]) -> None:
        """End the environments that the trials were run in."""
        target = (await self._targets.find(parse_function(scope, name))).pick(0.0)
        for memory in memories:
            self.kit.runtime.retire(_tried(target.version, memory).key)


def _tried(version: FunctionVersion, memory: int) -> FunctionVersion:
    return replace(
        version, key=f"{version.key}:trial:{memory}", memory=memory, processors=share_of(memory), snap_start=False
    )


def _event(ids: Ids, payload: bytes, arn: str, trace: Trace) -> Event:
    return Event(request_id=ids.uuid(), payload=payload, function_arn=arn, trace=trace.header)
