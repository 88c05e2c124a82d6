"""How events are disturbed: no process, no server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.runtime import Event, Outcome, Runtime
from fogbank.services.lambda_._chaos import Chaos, Mode, Plan
from fogbank.services.lambda_._targets import Target


class Function:
    """Notes what it is handed, and answers with the outcomes that it is given (the last for ever)."""

    def __init__(self, outcomes: Sequence[Outcome] = (Outcome(b"1"),)) -> None:
        self.events: list[tuple[bytes, str]] = []
        self.retired: list[str] = []
        self._outcomes = list(outcomes)

    async def run(self, target: Target, event: Event) -> Outcome:
        self.events.append((event.payload, event.request_id))
        return self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]

    def retire(self, key: str) -> None:
        self.retired.append(key)

    @property
    def payloads(self) -> list[bytes]:
        return [payload for payload, _ in self.events]


def chaos(function: Function, mode: Mode, functions: frozenset[str] | None = None) -> Chaos:
    made = Chaos(cast("Runtime", function), Ids(seed=1))
    made.plans["111111111111"] = Plan(mode, functions)
    return made


def target(name: str = "f", account: str = "111111111111") -> Target:
    version: Any = SimpleNamespace(name=name, key=f"{name}:1", scope=Scope(account))
    return cast("Target", SimpleNamespace(version=version))


def event(payload: bytes) -> Event:
    return Event(f"id-{payload.decode()}", payload, "arn")


async def test_twice_is_the_same_event_with_a_new_request_id() -> None:
    """The source sees the first answer."""
    function = Function([Outcome(b"first"), Outcome(b"second")])
    outcome = await chaos(function, Mode.TWICE).deliver(function.run, target(), event(b"a"))
    assert outcome.payload == b"first"
    assert function.payloads == [b"a", b"a"]
    assert function.events[0][1] != function.events[1][1]


async def test_a_timeout_ends_the_environment_between_the_two() -> None:
    """So that what the function kept in memory is gone."""
    function = Function()
    await chaos(function, Mode.TIMEOUT).deliver(function.run, target(), event(b"a"))
    assert function.payloads == [b"a", b"a"]
    assert function.retired == ["f:1"]


async def test_late_comes_when_it_is_let_go() -> None:
    """In the order of the first time."""
    function = Function()
    disturbing = chaos(function, Mode.LATE)
    for payload in (b"a", b"b"):
        await disturbing.deliver(function.run, target(), event(payload))
    assert function.payloads == [b"a", b"b"]
    assert disturbing.report("111111111111")["held"] == 2
    assert await disturbing.release("111111111111") == 2
    assert function.payloads == [b"a", b"b", b"a", b"b"]


async def test_disorder_is_last_in_first_out() -> None:
    """Each once."""
    function = Function()
    disturbing = chaos(function, Mode.DISORDER)
    tasks = [asyncio.ensure_future(disturbing.deliver(function.run, target(), event(p))) for p in (b"a", b"b", b"c")]
    for _ in range(3):
        await asyncio.sleep(0)
    assert disturbing.report("111111111111")["held"] == 3
    assert function.events == []
    await disturbing.release("111111111111")
    assert [outcome.payload for outcome in await asyncio.gather(*tasks)] == [b"1"] * 3
    assert function.payloads == [b"c", b"b", b"a"]


async def test_a_repetition_that_fails_is_counted_and_the_source_is_not_told() -> None:
    """Only where the first time went well."""
    broken = Outcome(b"", "Unhandled", error_type="ValueError")
    function = Function([Outcome(b"1"), broken])
    disturbing = chaos(function, Mode.TWICE)
    assert (await disturbing.deliver(function.run, target(), event(b"a"))).error is None
    assert disturbing.report("111111111111")["failures"] == {"f": {"ValueError": 1}}
    await disturbing.deliver(function.run, target(), event(b"b"))  # fails both times
    assert disturbing.report("111111111111")["failures"] == {"f": {"ValueError": 1}}


@pytest.mark.parametrize("whose", [target("g"), target("f", "222222222222")])
async def test_others_are_left_alone(whose: Target) -> None:
    """Functions that are not meant, and other accounts."""
    function = Function()
    await chaos(function, Mode.TWICE, frozenset({"f"})).deliver(function.run, whose, event(b"a"))
    assert function.payloads == [b"a"]
