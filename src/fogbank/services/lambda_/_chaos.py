"""Events as they may come on a bad day, for `fogbank chaos`. No part of AWS's API.

EventBridge, SQS, SNS, streams and asynchronous invocation deliver at least once, in no order that one may rely on. What
that can mean for one function, of one account:

    twice      each event comes again as soon as it was handled
    late       each event comes again when everything else is over
    disorder   events are held until everything else is over, and then come last in first out
    timeout    each event is handled, the environment is ended, and the event comes again: Lambda did not see the answer

Only what comes by itself is disturbed (asynchronous invocations and event source mappings): who calls a function and
waits for it decides himself whether to call again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fogbank.core.clock import complete
from fogbank.core.ids import Ids
from fogbank.runtime import Event, Outcome

if TYPE_CHECKING:
    from fogbank.runtime import Runtime
    from fogbank.services.lambda_._targets import Target

Run = Callable[["Target", Event], Awaitable[Outcome]]
MAX_HELD = 10_000
"""Events that are held for an account; further ones pass."""


class Mode(StrEnum):
    """How events are disturbed."""

    NONE = "none"
    """Not at all; they are counted."""
    TWICE = "twice"
    LATE = "late"
    DISORDER = "disorder"
    TIMEOUT = "timeout"


@dataclass(slots=True)
class Plan:
    """What happens to the events of an account. `functions` are names; `None` is every function."""

    mode: Mode
    functions: frozenset[str] | None = None
    deliveries: Counter[str] = field(default_factory=Counter)
    """Events that came, by function."""
    failures: dict[str, Counter[str]] = field(default_factory=dict)
    """Errors of repetitions whose first time went well, by function and kind."""
    held: list[Callable[[], Awaitable[None]]] = field(default_factory=list)


class Chaos:
    """The plans of accounts. While there is none, a delivery costs one look into an empty dictionary."""

    def __init__(self, runtime: Runtime, ids: Ids) -> None:
        self.plans: dict[str, Plan] = {}
        self._runtime = runtime
        self._ids = ids

    async def deliver(self, run: Run, target: Target, event: Event) -> Outcome:
        """Run an event that came by itself, as the account's plan says."""
        plan = self.plans.get(target.version.scope.account)
        if plan is None:
            return await run(target, event)
        name = target.version.name
        plan.deliveries[name] += 1
        if plan.functions is not None and name not in plan.functions:
            return await run(target, event)
        return await self._disturbed(plan, run, target, event)

    async def _disturbed(self, plan: Plan, run: Run, target: Target, event: Event) -> Outcome:
        if plan.mode is Mode.DISORDER and len(plan.held) < MAX_HELD:
            return await self._in_turn(plan, run, target, event)
        first = await run(target, event)
        match plan.mode:
            case Mode.TWICE:
                await self._again(plan, run, target, event, first)
            case Mode.TIMEOUT:
                self._runtime.retire(target.version.key)
                await self._again(plan, run, target, event, first)
            case Mode.LATE if len(plan.held) < MAX_HELD:
                plan.held.append(lambda: self._again(plan, run, target, event, first))
        return first

    @staticmethod
    async def _in_turn(plan: Plan, run: Run, target: Target, event: Event) -> Outcome:
        """Run an event when its turn has come; the next one's comes when it is done."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        done: asyncio.Future[None] = loop.create_future()

        async def go() -> None:
            complete(turn)
            await done

        plan.held.append(go)
        try:
            await turn
            return await run(target, event)
        finally:
            complete(done)

    async def _again(self, plan: Plan, run: Run, target: Target, event: Event, first: Outcome) -> None:
        second = await run(target, replace(event, request_id=self._ids.uuid()))
        if second.error is not None and first.error is None:
            kind = second.error_type or second.error
            plan.failures.setdefault(target.version.name, Counter())[kind] += 1

    async def release(self, account: str) -> int:
        """Let what is held for an account come, one after the other; how many there were."""
        plan = self.plans.get(account)
        if plan is None:
            return 0
        held, plan.held = plan.held, []
        for go in reversed(held) if plan.mode is Mode.DISORDER else held:
            await go()
        return len(held)

    def report(self, account: str) -> dict[str, Any]:
        """What has happened to the events of an account."""
        plan = self.plans.get(account, Plan(Mode.NONE))
        failures = {name: dict(kinds) for name, kinds in plan.failures.items()}
        return {"held": len(plan.held), "deliveries": dict(plan.deliveries), "failures": failures}
