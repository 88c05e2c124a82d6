"""EventBridge Scheduler in virtual time: when schedules run, what their targets get, and what comes of failures."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.storage import SqliteStorage

SCOPE = Scope()
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
ROLE = "arn:aws:iam::000000000000:role/r"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
Caller = Callable[..., Awaitable[Any]]


def caller(cloud: LocalCloud, service: str) -> Caller:
    async def call(operation: str, **request: Any) -> Any:
        return await cloud.call(SCOPE, service, operation, request)

    return call


@pytest.fixture
async def scheduler(cloud: LocalCloud) -> Caller:
    await caller(cloud, "sqs")("CreateQueue", QueueName="q")
    return caller(cloud, "scheduler")


async def started(folder: Path, clock: VirtualClock, seed: int = 1) -> LocalCloud:
    """A cloud of a test's own, on a folder and clock of its own."""
    config = Config(data=folder / "data", port=0)
    cloud = LocalCloud(config, clock, Ids(seed=seed), SqliteStorage(config.data, clock, inline_commit=True))
    await cloud.start()
    return cloud


def settings(expression: str, *, arn: str = QUEUE, target: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "Name": "s",
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": arn, "RoleArn": ROLE, **(target or {})},
        **more,
    }


async def messages(cloud: LocalCloud, name: str = "q") -> list[dict[str, Any]]:
    """Everything that is in a queue, taken out."""
    await cloud.delivery.quiet()
    sqs = caller(cloud, "sqs")
    url = (await sqs("GetQueueUrl", QueueName=name))["QueueUrl"]
    taken: list[dict[str, Any]] = []
    while found := (
        await sqs("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    ).get("Messages"):
        for message in found:
            await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        taken += found
    return taken


def times(taken: list[dict[str, Any]]) -> list[str]:
    return [json.loads(message["Body"])["time"] for message in taken]


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.slow
async def test_a_target_without_input_gets_the_default_notification(
    cloud: LocalCloud, clock: VirtualClock, scheduler: Caller
) -> None:
    reply = await scheduler("CreateSchedule", **settings(f"at({at(clock.time() + 90)})"))
    await clock.advance(89)
    assert await messages(cloud) == []
    await clock.advance(1)
    (message,) = await messages(cloud)
    event = json.loads(message["Body"])
    assert event == {
        "version": "0",
        "id": event["id"],
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "000000000000",
        "time": "2023-11-14T22:14:50Z",
        "region": "us-east-1",
        "resources": [reply["ScheduleArn"]],
        "detail": "{}",
    }
    await clock.advance(DAY)
    assert await messages(cloud) == []
    assert (await scheduler("GetSchedule", Name="s"))["Name"] == "s"


async def test_a_one_time_schedule_can_delete_itself(cloud: LocalCloud, clock: VirtualClock, scheduler: Caller) -> None:
    await scheduler("CreateSchedule", **settings(f"at({at(clock.time() + 60)})", ActionAfterCompletion="DELETE"))
    await clock.advance(60)
    assert len(await messages(cloud)) == 1
    with pytest.raises(ApiError, match="Schedule s does not exist"):
        await scheduler("GetSchedule", Name="s")


async def test_a_rate_without_start_begins_at_once(cloud: LocalCloud, clock: VirtualClock, scheduler: Caller) -> None:
    """schedule-types.html: without a StartDate "your schedule starts invoking the target immediately"."""
    await scheduler("CreateSchedule", **settings("rate(10 minutes)"))
    await clock.advance(25 * MINUTE)
    assert times(await messages(cloud)) == ["2023-11-14T22:13:20Z", "2023-11-14T22:23:20Z", "2023-11-14T22:33:20Z"]


@pytest.mark.slow
async def test_start_and_end_bound_a_rate(cloud: LocalCloud, clock: VirtualClock, scheduler: Caller) -> None:
    now = clock.time()
    await scheduler(
        "CreateSchedule",
        **settings("rate(1 hours)", StartDate=now + 2 * HOUR, EndDate=now + 4 * HOUR, ActionAfterCompletion="DELETE"),
    )
    await clock.advance(DAY)
    assert times(await messages(cloud)) == ["2023-11-15T00:13:20Z", "2023-11-15T01:13:20Z", "2023-11-15T02:13:20Z"]
    assert (await scheduler("ListSchedules"))["Schedules"] == []


@pytest.mark.slow
async def test_cron_follows_its_time_zone_over_the_change_of_clocks(tmp_path: Path) -> None:
    clock = VirtualClock(datetime(2024, 3, 9, 6, tzinfo=UTC).timestamp())
    cloud = await started(tmp_path, clock)
    await caller(cloud, "sqs")("CreateQueue", QueueName="q")
    await caller(cloud, "scheduler")(
        "CreateSchedule", **settings("cron(30 2 * * ? *)", ScheduleExpressionTimezone="America/New_York")
    )
    await clock.advance(2 * DAY + HOUR)
    assert times(await messages(cloud)) == ["2024-03-09T07:30:00Z", "2024-03-11T06:30:00Z"]
    await cloud.stop()


@pytest.mark.slow
async def test_a_flexible_window_moves_each_run_within_it(
    cloud: LocalCloud, clock: VirtualClock, scheduler: Caller
) -> None:
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    await scheduler("CreateSchedule", **settings("cron(0 * * * ? *)", FlexibleTimeWindow=window))
    begin = datetime(2023, 11, 14, 23, tzinfo=UTC).timestamp()
    await clock.advance(begin - clock.time())
    delays = []
    for hour in range(6):
        while not (taken := await messages(cloud)):
            await clock.advance(15)
        delays.append(clock.time() - begin - hour * HOUR)
        assert times(taken) == [f"{at(begin + hour * HOUR)}Z"]
        await clock.advance(begin + (hour + 1) * HOUR - clock.time() - 1)
        await clock.advance(1)
    assert all(0 <= delay <= 15 * MINUTE + 15 for delay in delays)
    assert len(set(delays)) > 2


@pytest.mark.slow
async def test_a_disabled_schedule_does_not_run_until_it_is_enabled(
    cloud: LocalCloud, clock: VirtualClock, scheduler: Caller
) -> None:
    await scheduler("CreateSchedule", **settings("cron(0/30 * * * ? *)", State="DISABLED"))
    await clock.advance(HOUR)
    assert await messages(cloud) == []
    await scheduler("UpdateSchedule", **settings("cron(0/30 * * * ? *)"))
    await clock.advance(HOUR)
    assert len(await messages(cloud)) == 2
    await scheduler("UpdateSchedule", **settings("cron(0 0 1 1 ? 2050)"))
    await clock.advance(DAY)
    assert await messages(cloud) == []
    await scheduler("DeleteSchedule", Name="s")


async def test_an_unchanged_rate_keeps_its_rhythm_when_it_is_updated(
    cloud: LocalCloud, clock: VirtualClock, scheduler: Caller
) -> None:
    await scheduler("CreateSchedule", **settings("rate(10 minutes)"))
    await clock.advance(5 * MINUTE)
    await scheduler("UpdateSchedule", **settings("rate(10 minutes)", Description="new"))
    await clock.advance(5 * MINUTE)
    assert times(await messages(cloud)) == ["2023-11-14T22:13:20Z", "2023-11-14T22:23:20Z"]


class TestInput:
    async def test_context_attributes_are_filled_in(
        self, cloud: LocalCloud, clock: VirtualClock, scheduler: Caller
    ) -> None:
        text = (
            '{"arn": "<aws.scheduler.schedule-arn>", "at": "<aws.scheduler.scheduled-time>", '
            '"id": "<aws.scheduler.execution-id>", "n": <aws.scheduler.attempt-number>}'
        )
        reply = await scheduler("CreateSchedule", **settings(f"at({at(clock.time() + 60)})", target={"Input": text}))
        await clock.advance(60)
        (message,) = await messages(cloud)
        body = json.loads(message["Body"])
        assert len(body.pop("id")) == 16
        assert body == {"arn": reply["ScheduleArn"], "at": "2023-11-14T22:14:20Z", "n": 1}

    async def test_a_universal_target_makes_any_call(
        self, cloud: LocalCloud, clock: VirtualClock, scheduler: Caller
    ) -> None:
        document = {
            "QueueUrl": "https://sqs.us-east-1.amazonaws.com/000000000000/q",
            "MessageBody": "<aws.scheduler.scheduled-time>",
            "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "xyz"}},
        }
        await scheduler(
            "CreateSchedule",
            **settings(
                f"at({at(clock.time() + 60)})",
                arn="arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
                target={"Input": json.dumps(document)},
            ),
        )
        await clock.advance(60)
        (message,) = await messages(cloud)
        assert message["Body"] == "2023-11-14T22:14:20Z"
        assert message["MessageAttributes"]["a"]["BinaryValue"] == b"xyz"

    async def test_an_event_bus_gets_an_event(self, cloud: LocalCloud, clock: VirtualClock, scheduler: Caller) -> None:
        events = caller(cloud, "events")
        await events("PutRule", Name="r", EventPattern='{"source": ["my.app"], "detail-type": ["tick"]}')
        await events("PutTargets", Rule="r", Targets=[{"Id": "t", "Arn": QUEUE, "InputPath": "$.detail"}])
        await scheduler(
            "CreateSchedule",
            **settings(
                f"at({at(clock.time() + 60)})",
                arn="arn:aws:events:us-east-1:000000000000:event-bus/default",
                target={"Input": '{"a": 1}', "EventBridgeParameters": {"DetailType": "tick", "Source": "my.app"}},
            ),
        )
        await clock.advance(60)
        (message,) = await messages(cloud)
        assert json.loads(message["Body"]) == {"a": 1}


class TestFailures:
    async def test_what_cannot_be_invoked_is_a_dead_letter_with_its_reason(
        self, cloud: LocalCloud, clock: VirtualClock, scheduler: Caller
    ) -> None:
        missing = "arn:aws:sqs:us-east-1:000000000000:missing"
        reply = await scheduler(
            "CreateSchedule",
            **settings(
                f"at({at(clock.time() + 60)})",
                arn=missing,
                target={"Input": "hello", "DeadLetterConfig": {"Arn": QUEUE}},
            ),
        )
        await clock.advance(60)
        (message,) = await messages(cloud)
        assert message["Body"] == "hello"
        attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        assert attributes.pop("ERROR_MESSAGE")
        assert attributes.pop("EXECUTION_ID")
        assert attributes == {
            "ERROR_CODE": "QueueDoesNotExist",
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": "0",
            "SCHEDULED_TIME": "2023-11-14T22:14:20Z",
            "SCHEDULE_ARN": reply["ScheduleArn"],
            "TARGET_ARN": missing,
        }

    async def test_a_schedule_runs_once_for_what_it_missed_while_the_server_was_down(
        self, tmp_path: Path, clock: VirtualClock
    ) -> None:
        first = await started(tmp_path, clock)
        await caller(first, "sqs")("CreateQueue", QueueName="q")
        scheduler = caller(first, "scheduler")
        await scheduler("CreateSchedule", **settings("cron(* * * * ? *)"))
        await scheduler("CreateSchedule", **settings(f"at({at(clock.time() + 90)})") | {"Name": "once"})
        await first.stop()
        await clock.advance(10 * MINUTE)
        second = await started(tmp_path, clock, seed=2)
        await clock.settle()
        assert sorted(times(await messages(second))) == ["2023-11-14T22:14:50Z", "2023-11-14T22:23:00Z"]
        await clock.advance(MINUTE)
        assert times(await messages(second)) == ["2023-11-14T22:24:00Z"]
        await second.stop()


class TestGroups:
    async def test_deleting_a_group_deletes_its_schedules(
        self, cloud: LocalCloud, clock: VirtualClock, scheduler: Caller
    ) -> None:
        await scheduler("CreateScheduleGroup", Name="g")
        await scheduler("CreateSchedule", **settings("cron(* * * * ? *)", GroupName="g"))
        await scheduler("CreateSchedule", **settings("cron(0 0 * * ? *)"))
        await scheduler("DeleteScheduleGroup", Name="g")
        await clock.advance(5 * MINUTE)
        assert await messages(cloud) == []
        assert [s["GroupName"] for s in (await scheduler("ListSchedules"))["Schedules"]] == ["default"]

    async def test_a_repeated_request_with_its_client_token_is_answered_again(
        self, cloud: LocalCloud, clock: VirtualClock, scheduler: Caller
    ) -> None:
        request = settings("rate(1 hour)", ClientToken="token")
        first = await scheduler("CreateSchedule", **request)
        assert await scheduler("CreateSchedule", **request) == first
        with pytest.raises(ApiError) as caught:
            await scheduler("CreateSchedule", **request | {"Description": "other"})
        assert caught.value.code == "ConflictException"
        with pytest.raises(ApiError, match="Schedule s already exists"):
            await scheduler("CreateSchedule", **request | {"ClientToken": "another"})
        await scheduler("DeleteSchedule", Name="s", ClientToken="gone")
        await scheduler("DeleteSchedule", Name="s", ClientToken="gone")
        with pytest.raises(ApiError, match="does not exist"):
            await scheduler("DeleteSchedule", Name="s")


async def test_a_schedule_that_cannot_be_read_any_more_does_not_stop_the_others(
    cloud: LocalCloud, clock: VirtualClock, scheduler: Caller
) -> None:
    """As when a machine's time zone database loses a zone."""
    await scheduler("CreateSchedule", **settings("cron(* * * * ? *)"))
    await scheduler("CreateSchedule", **settings("cron(* * * * ? *)") | {"Name": "lost"})

    lose_it = """
    UPDATE scheduler_schedules SET settings = REPLACE(settings, '"UTC"', '"Lost/Zone"') WHERE name = 'lost'
    """
    await cloud.storage.transact(lambda tx: tx.execute(lose_it))
    await clock.advance(3 * MINUTE)
    assert len(await messages(cloud)) == 3
