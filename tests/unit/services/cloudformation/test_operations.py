"""Operations of stacks in virtual time, with an engine that behaves as it is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.unit.services.cloudformation.scripted import ScriptedEngine

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.services.cloudformation import CloudFormation

SCOPE = Scope()


class Stacks:
    """Calls of CloudFormation within the process."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        service = cloud.services["cloudformation"]
        assert isinstance(service, CloudFormation)
        self.engine = ScriptedEngine()
        service.engine = self.engine

    async def call(self, operation: str, **request: Any) -> Any:
        return await self._cloud.call(SCOPE, "cloudformation", operation, {"StackName": "s", **request})

    async def create(self, script: dict[str, Any], **request: Any) -> None:
        await self.call("CreateStack", TemplateBody=json.dumps(script), **request)

    async def update(self, script: dict[str, Any], **request: Any) -> None:
        await self.call("UpdateStack", TemplateBody=json.dumps(script), **request)

    async def status(self) -> tuple[str, str | None]:
        stack = (await self.call("DescribeStacks"))["Stacks"][0]
        return str(stack["StackStatus"]), stack["StackStatusReason"]

    async def statuses(self) -> dict[str, str]:
        rows = (await self.call("ListStackResources"))["StackResourceSummaries"]
        return {row["LogicalResourceId"]: row["ResourceStatus"] for row in rows}


@pytest.fixture
def stacks(cloud: LocalCloud) -> Stacks:
    return Stacks(cloud)


async def test_what_needs_nothing_of_each_other_is_made_at_once_and_no_more_than_eight(stacks: Stacks) -> None:
    await stacks.create({f"R{i}": {} for i in range(20)})
    assert (await stacks.status())[0] == "CREATE_COMPLETE"
    assert stacks.engine.most_at_once == 8


async def test_what_is_needed_is_made_first_and_deleted_last(stacks: Stacks) -> None:
    await stacks.create({"A": {"needs": ["B"]}, "B": {"needs": ["C"]}, "C": {}})
    assert stacks.engine.log == ["create C", "create B", "create A"]
    await stacks.call("DeleteStack")
    assert stacks.engine.log[3:] == ["delete A", "delete B", "delete C"]
    assert stacks.engine.there == {}


async def test_nothing_new_is_begun_after_a_failure_and_what_runs_is_awaited(stacks: Stacks) -> None:
    engine = stacks.engine
    engine.fail.add("create Bad")
    await stacks.create({"Bad": {}, "Good": {}, "Later": {"needs": ["Good"]}})
    assert (await stacks.status())[0] == "ROLLBACK_COMPLETE"
    assert "create Later" not in engine.log
    assert engine.there == {}
    assert await stacks.statuses() == {"Bad": "DELETE_COMPLETE", "Good": "DELETE_COMPLETE"}


async def test_a_rollback_that_fails_can_be_continued(stacks: Stacks) -> None:
    engine = stacks.engine
    await stacks.create({"A": {"properties": {"x": 1}}, "B": {"needs": ["A"]}})
    engine.fail |= {"update B"}
    await stacks.update({"A": {"properties": {"x": 2}}, "B": {"needs": ["A"], "properties": {"y": 1}}})
    # B fails to update both on the way forward and on the way back
    assert await stacks.status() == (
        "UPDATE_ROLLBACK_FAILED",
        "The following resource(s) failed to update: [B]. ",
    )
    assert engine.log[2:] == ["update A", "update B", "update A", "update B"]
    with pytest.raises(ApiError, match="is in UPDATE_ROLLBACK_FAILED state and can not be updated"):
        await stacks.update({"A": {}})
    with pytest.raises(ApiError, match=r"Resources \[A\] cannot be skipped"):
        await stacks.call("ContinueUpdateRollback", ResourcesToSkip=["A"])
    engine.fail.clear()
    await stacks.call("ContinueUpdateRollback")
    assert (await stacks.status())[0] == "UPDATE_ROLLBACK_COMPLETE"
    assert sorted(p.get("x", p.get("y", 0)) for p in engine.there.values()) == [0, 1]


async def test_a_rollback_can_be_continued_without_what_cannot_be_restored(stacks: Stacks) -> None:
    engine = stacks.engine
    await stacks.create({"A": {}})
    engine.fail.add("update A")
    await stacks.update({"A": {"properties": {"x": 1}}})
    await stacks.call("ContinueUpdateRollback", ResourcesToSkip=["A"])
    assert (await stacks.status())[0] == "UPDATE_ROLLBACK_COMPLETE"
    with pytest.raises(ApiError, match="can not continue to roll back"):
        await stacks.call("ContinueUpdateRollback")


async def test_an_update_is_cancelled_and_rolled_back(stacks: Stacks, clock: VirtualClock) -> None:
    engine = stacks.engine
    await stacks.create({"A": {}, "B": {"needs": ["A"]}})
    gate = engine.hold("update A")
    update = {"A": {"properties": {"x": 1}}, "B": {"needs": ["A"], "properties": {"x": 1}}}
    calling = _background(stacks.update(update))
    await clock.advance(3)
    await calling
    await stacks.call("CancelUpdateStack")
    gate.set()
    await clock.advance(1)
    assert await stacks.status() == ("UPDATE_ROLLBACK_COMPLETE", "User Initiated")
    assert "update B" not in engine.log
    assert all("x" not in properties for properties in engine.there.values())
    with pytest.raises(ApiError, match="CancelUpdateStack cannot be called from current stack status"):
        await stacks.call("CancelUpdateStack")


async def test_a_stack_can_be_deleted_while_it_is_created(stacks: Stacks, clock: VirtualClock) -> None:
    engine = stacks.engine
    gate = engine.hold("create A")
    creating = _background(stacks.create({"A": {}, "B": {"needs": ["A"]}}))
    await clock.advance(3)
    await creating
    deleting = _background(stacks.call("DeleteStack"))
    await clock.advance(1)
    gate.set()
    await clock.advance(3)
    await deleting
    with pytest.raises(ApiError, match="Stack with id s does not exist"):
        await stacks.status()
    assert engine.there == {}
    assert "create B" not in engine.log


async def test_a_creation_that_takes_too_long_is_rolled_back(stacks: Stacks, clock: VirtualClock) -> None:
    engine = stacks.engine
    gate = engine.hold("create A")
    creating = _background(stacks.create({"A": {}, "B": {"needs": ["A"]}}, TimeoutInMinutes=1))
    await clock.advance(61)
    await creating
    gate.set()
    await clock.advance(3)
    assert await stacks.status() == (
        "ROLLBACK_COMPLETE",
        "Stack creation time exceeded the specified timeout. Rollback requested by user.",
    )
    assert engine.there == {}


async def test_a_call_that_begins_an_operation_waits_a_little_for_it(stacks: Stacks, clock: VirtualClock) -> None:
    gate = stacks.engine.hold("create A")
    creating = _background(stacks.create({"A": {}}))
    await clock.advance(1.9)
    assert not creating.done()
    await clock.advance(0.2)
    assert creating.done()
    assert await stacks.status() == ("CREATE_IN_PROGRESS", "User Initiated")
    gate.set()
    await clock.advance(1)
    assert (await stacks.status())[0] == "CREATE_COMPLETE"


async def test_a_reset_ends_what_is_under_way(cloud: LocalCloud, stacks: Stacks, clock: VirtualClock) -> None:
    stacks.engine.hold("create A")
    creating = _background(stacks.create({"A": {}, "B": {"needs": ["A"]}}))
    await clock.advance(3)
    await creating
    await cloud.reset()
    with pytest.raises(ApiError, match="Stack with id s does not exist"):
        await stacks.status()
    del stacks.engine.gates["create A"]
    await stacks.create({"A": {}})
    assert (await stacks.status())[0] == "CREATE_COMPLETE"


async def test_what_was_replaced_is_deleted_when_the_update_is_done(stacks: Stacks) -> None:
    engine = stacks.engine
    await stacks.create({"A": {"properties": {"key": 1}}, "B": {"needs": ["A"]}})
    (before,) = [name for name in engine.there if name.startswith("A-")]
    await stacks.update({"A": {"properties": {"key": 2}}, "B": {"needs": ["A"]}})
    assert before not in engine.there
    assert [properties.get("key") for properties in engine.there.values()].count(2) == 1
    assert engine.log[2:] == ["create A", "delete A"]


async def test_an_old_resource_that_cannot_be_deleted_does_not_fail_the_update(stacks: Stacks) -> None:
    await stacks.create({"A": {}, "B": {}})
    stacks.engine.fail.add("delete B")
    await stacks.update({"A": {"properties": {"x": 1}}})
    assert (await stacks.status())[0] == "UPDATE_COMPLETE"
    assert await stacks.statuses() == {"A": "UPDATE_COMPLETE"}
    events = (await stacks.call("DescribeStackEvents"))["StackEvents"]
    assert "delete B was refused" in next(e for e in events if e["ResourceStatus"] == "DELETE_FAILED")[
        "ResourceStatusReason"
    ]  # fmt: skip


def _background(work: Any) -> Any:

    return asyncio.ensure_future(work)
