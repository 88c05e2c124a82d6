"""EventBridge in virtual time: schedules of rules, retries, dead letters, forwarding, archives and replays."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.storage import SqliteStorage

SCOPE = Scope()
ARN = "arn:aws:{}:us-east-1:000000000000:{}"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
Caller = Callable[..., Awaitable[Any]]


def caller(cloud: LocalCloud, service: str) -> Caller:
    async def call(operation: str, **request: Any) -> Any:
        return await cloud.call(SCOPE, service, operation, request)

    return call


@pytest.fixture
def events(cloud: LocalCloud) -> Caller:
    return caller(cloud, "events")


@pytest.fixture
def sqs(cloud: LocalCloud) -> Caller:
    return caller(cloud, "sqs")


async def make_queue(sqs: Caller, name: str, **attributes: str) -> str:
    await sqs("CreateQueue", QueueName=name, Attributes=attributes)
    return ARN.format("sqs", name)


async def received(cloud: LocalCloud, sqs: Caller, name: str) -> list[dict[str, Any]]:
    """Everything that is in a queue, taken out."""
    await cloud.delivery.quiet()
    url = (await sqs("GetQueueUrl", QueueName=name))["QueueUrl"]
    messages: list[dict[str, Any]] = []
    while found := (
        await sqs(
            "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
    ).get("Messages"):  # fmt: skip
        for message in found:
            await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        messages += found
    return messages


async def bodies(cloud: LocalCloud, sqs: Caller, name: str) -> list[Any]:
    return [json.loads(message["Body"]) for message in await received(cloud, sqs, name)]


async def rule_to(events: Caller, arn: str, bus: str = "default", name: str = "r", **target: Any) -> None:
    await events("PutRule", Name=name, EventBusName=bus, EventPattern='{"source": ["s"]}')
    await events("PutTargets", Rule=name, EventBusName=bus, Targets=[{"Id": "t", "Arn": arn, **target}])


def entry(detail: Any = None, **more: Any) -> dict[str, Any]:
    return {"Source": "s", "DetailType": "d", "Detail": json.dumps(detail or {}), **more}


class TestSchedules:
    async def test_a_rate_fires_once_an_interval(
        self, cloud: LocalCloud, clock: VirtualClock, events: Caller, sqs: Caller
    ) -> None:
        queue = await make_queue(sqs, "q")
        rule = await events("PutRule", Name="tick", ScheduleExpression="rate(5 minutes)")
        await events("PutTargets", Rule="tick", Targets=[{"Id": "t", "Arn": queue}])
        await clock.advance(5 * MINUTE - 1)
        assert await bodies(cloud, sqs, "q") == []
        await clock.advance(1)
        (event,) = await bodies(cloud, sqs, "q")
        assert event == {
            "version": "0",
            "id": event["id"],
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "000000000000",
            "time": "2023-11-14T22:18:20Z",
            "region": "us-east-1",
            "resources": [rule["RuleArn"]],
            "detail": {},
        }
        await clock.advance(15 * MINUTE)
        assert len(await bodies(cloud, sqs, "q")) == 3

    @pytest.mark.slow
    async def test_cron_runs_in_utc_and_the_constant_input_is_sent(
        self, cloud: LocalCloud, clock: VirtualClock, events: Caller, sqs: Caller
    ) -> None:
        queue = await make_queue(sqs, "q")
        await events("PutRule", Name="daily", ScheduleExpression="cron(0 12 * * ? *)")
        await events("PutTargets", Rule="daily", Targets=[{"Id": "t", "Arn": queue, "Input": '{"a": 1}'}])
        await clock.advance(2 * DAY)
        assert await bodies(cloud, sqs, "q") == [{"a": 1}] * 2

    @pytest.mark.slow
    async def test_disabling_and_deleting_end_it_and_enabling_begins_anew(
        self, cloud: LocalCloud, clock: VirtualClock, events: Caller, sqs: Caller
    ) -> None:
        queue = await make_queue(sqs, "q")
        await events("PutRule", Name="tick", ScheduleExpression="rate(10 minutes)")
        await events("PutTargets", Rule="tick", Targets=[{"Id": "t", "Arn": queue}])
        await clock.advance(9 * MINUTE)
        await events("DisableRule", Name="tick")
        await clock.advance(HOUR)
        assert await bodies(cloud, sqs, "q") == []
        await events("EnableRule", Name="tick")
        await clock.advance(10 * MINUTE)
        assert len(await bodies(cloud, sqs, "q")) == 1
        await events("RemoveTargets", Rule="tick", Ids=["t"])
        await events("DeleteRule", Name="tick")
        await clock.advance(HOUR)
        assert await bodies(cloud, sqs, "q") == []

    async def test_a_schedule_fires_once_for_what_it_missed_while_the_server_was_down(
        self, tmp_path: Path, clock: VirtualClock
    ) -> None:
        config = Config(data=tmp_path / "data", port=0)
        first = LocalCloud(config, clock, Ids(seed=1), SqliteStorage(config.data, clock, inline_commit=True))
        await first.start()
        events, sqs = caller(first, "events"), caller(first, "sqs")
        queue = await make_queue(sqs, "q")
        await events("PutRule", Name="tick", ScheduleExpression="rate(1 minute)")
        await events("PutTargets", Rule="tick", Targets=[{"Id": "t", "Arn": queue}])
        await first.stop()
        await clock.advance(10 * MINUTE + 30)
        second = LocalCloud(config, clock, Ids(seed=2), SqliteStorage(config.data, clock, inline_commit=True))
        await second.start()
        await clock.settle()
        sqs = caller(second, "sqs")
        (event,) = await bodies(second, sqs, "q")
        assert event["time"] == "2023-11-14T22:23:20Z"
        await clock.advance(30)
        assert len(await bodies(second, sqs, "q")) == 1
        await second.stop()


class TestDelivery:
    async def test_a_target_that_does_not_exist_dead_letters_at_once_with_its_reason(
        self, cloud: LocalCloud, events: Caller, sqs: Caller
    ) -> None:
        dead = await make_queue(sqs, "dead")
        missing = ARN.format("sqs", "missing")
        await rule_to(events, missing, DeadLetterConfig={"Arn": dead})
        await events("PutEvents", Entries=[entry({"n": 1})])
        (message,) = await received(cloud, sqs, "dead")
        assert json.loads(message["Body"])["detail"] == {"n": 1}
        attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        assert attributes.pop("ERROR_MESSAGE")
        assert attributes == {
            "RULE_ARN": ARN.format("events", "rule/r"),
            "TARGET_ARN": missing,
            "ERROR_CODE": "NO_RESOURCE",
            "RETRY_ATTEMPTS": "0",
        }

    async def test_a_fifo_target_gets_its_message_group(self, cloud: LocalCloud, events: Caller, sqs: Caller) -> None:
        queue = await make_queue(sqs, "q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        await rule_to(events, queue, SqsParameters={"MessageGroupId": "g"})
        await events("PutEvents", Entries=[entry()])
        (message,) = await received(cloud, sqs, "q.fifo")
        assert message["Attributes"]["MessageGroupId"] == "g"

    async def test_the_trace_header_of_an_entry_goes_with_its_event(
        self, cloud: LocalCloud, events: Caller, sqs: Caller
    ) -> None:
        await rule_to(events, await make_queue(sqs, "q"))
        header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
        await events("PutEvents", Entries=[entry(TraceHeader=header)])
        (message,) = await received(cloud, sqs, "q")
        assert message["Attributes"]["AWSTraceHeader"] == header

    async def test_changes_to_rules_hold_from_their_answer_on(
        self, cloud: LocalCloud, events: Caller, sqs: Caller
    ) -> None:
        queue = await make_queue(sqs, "q")
        await rule_to(events, queue)
        await events("PutEvents", Entries=[entry({"n": 1})])
        await events("DisableRule", Name="r")
        await events("PutEvents", Entries=[entry({"n": 2})])
        await events("EnableRule", Name="r")
        await events("PutEvents", Entries=[entry({"n": 3})])
        await events("PutTargets", Rule="r", Targets=[{"Id": "t", "Arn": queue, "InputPath": "$.detail.n"}])
        await events("PutEvents", Entries=[entry({"n": 4})])
        await events("PutRule", Name="r", EventPattern='{"source": ["other"]}')
        await events("PutEvents", Entries=[entry({"n": 5})])
        await events("RemoveTargets", Rule="r", Ids=["t"])
        await events("PutEvents", Entries=[entry({"n": 6}, Source="other")])
        assert [b if isinstance(b, int) else b["detail"]["n"] for b in await bodies(cloud, sqs, "q")] == [1, 3, 4]


class TestLogGroups:
    async def test_a_log_group_gets_the_event_or_what_a_template_made_of_it(
        self, cloud: LocalCloud, clock: VirtualClock, events: Caller
    ) -> None:
        logs = caller(cloud, "logs")
        await logs("CreateLogGroup", logGroupName="/aws/events/g")
        group = ARN.format("logs", "log-group:/aws/events/g")
        await rule_to(events, group, name="whole")
        transformer = {
            "InputPathsMap": {"t": "$.time", "n": "$.detail.n"},
            "InputTemplate": '{"timestamp": <t>, "message": "n is <n>"}',
        }
        await rule_to(events, group, name="part", InputTransformer=transformer)
        await events("PutEvents", Entries=[entry({"n": 1}, Time=clock.time() - 5)])
        await cloud.delivery.quiet()
        found = (await logs("FilterLogEvents", logGroupName="/aws/events/g"))["events"]
        assert [(e["timestamp"], e["message"][:6]) for e in found] == [
            (int(clock.time() - 5) * 1000, "n is 1"),
            (int(clock.time() * 1000), '{"vers'),
        ]

    async def test_a_missing_log_group_dead_letters(self, cloud: LocalCloud, events: Caller, sqs: Caller) -> None:
        dead = await make_queue(sqs, "dead")
        await rule_to(events, ARN.format("logs", "log-group:none"), DeadLetterConfig={"Arn": dead})
        await events("PutEvents", Entries=[entry()])
        (message,) = await received(cloud, sqs, "dead")
        assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"


class TestBuses:
    async def test_a_bus_that_is_a_target_gets_the_event_as_it_is(
        self, cloud: LocalCloud, events: Caller, sqs: Caller
    ) -> None:
        other = (await events("CreateEventBus", Name="other"))["EventBusArn"]
        await rule_to(events, other)
        await rule_to(events, await make_queue(sqs, "q"), bus="other")
        reply = await events("PutEvents", Entries=[entry({"n": 1}, Time=1_000_000_000.0, Resources=["x"])])
        (event,) = await bodies(cloud, sqs, "q")
        assert event["id"] == reply["Entries"][0]["EventId"]
        assert event["time"] == "2001-09-09T01:46:40Z"
        assert event["resources"] == ["x"]

    async def test_buses_that_are_each_others_targets_do_not_go_round(
        self, cloud: LocalCloud, events: Caller, sqs: Caller
    ) -> None:
        a = (await events("CreateEventBus", Name="a"))["EventBusArn"]
        b = (await events("CreateEventBus", Name="b"))["EventBusArn"]
        queue = await make_queue(sqs, "q")
        for bus, other in (("a", b), ("b", a)):
            await rule_to(events, other, bus=bus, name="forward")
            await rule_to(events, queue, bus=bus, name="keep")
        await events("PutEvents", Entries=[entry(EventBusName="a")])
        assert len(await bodies(cloud, sqs, "q")) == 2

    async def test_events_for_a_bus_of_another_region_and_account_go_there(
        self, cloud: LocalCloud, events: Caller, sqs: Caller
    ) -> None:
        there = Scope("111111111111", "eu-central-1")
        await cloud.call(there, "sqs", "CreateQueue", {"QueueName": "q"})
        await cloud.call(there, "events", "PutRule", {"Name": "r", "EventPattern": '{"source": ["s"]}'})
        target = {"Id": "t", "Arn": "arn:aws:sqs:eu-central-1:111111111111:q"}
        await cloud.call(there, "events", "PutTargets", {"Rule": "r", "Targets": [target]})
        bus = "arn:aws:events:eu-central-1:111111111111:event-bus/default"
        await events("PutEvents", Entries=[entry(EventBusName=bus), entry()])
        await cloud.delivery.quiet()
        url = (await cloud.call(there, "sqs", "GetQueueUrl", {"QueueName": "q"}))["QueueUrl"]
        reply = await cloud.call(there, "sqs", "ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 10})
        (message,) = reply["Messages"]
        assert json.loads(message["Body"])["account"] == "000000000000"


class TestArchives:
    @pytest.mark.slow
    async def test_an_archive_keeps_what_matches_and_a_replay_sends_it_again(
        self, cloud: LocalCloud, clock: VirtualClock, events: Caller, sqs: Caller
    ) -> None:
        queue = await make_queue(sqs, "q")
        await rule_to(events, queue)
        bus = ARN.format("events", "event-bus/default")
        archive = await events(
            "CreateArchive", ArchiveName="a", EventSourceArn=bus, EventPattern='{"detail": {"keep": [true]}}'
        )
        start = clock.time()
        for number in range(0, 250, 10):
            entries = [entry({"keep": n % 2 == 0, "n": n}, Time=start + n) for n in range(number, number + 10)]
            await events("PutEvents", Entries=entries)
        assert len(await bodies(cloud, sqs, "q")) == 250
        described = await events("DescribeArchive", ArchiveName="a")
        assert described["EventCount"] == 125
        assert described["SizeBytes"] > 125 * 200
        await events(
            "StartReplay", ReplayName="again", EventSourceArn=archive["ArchiveArn"], Destination={"Arn": bus},
            EventStartTime=start + 10, EventEndTime=start + 240,
        )  # fmt: skip
        await clock.settle()
        replayed = await bodies(cloud, sqs, "q")
        assert [event["detail"]["n"] for event in replayed] == list(range(10, 240, 2))
        assert {event["replay-name"] for event in replayed} == {"again"}
        assert (await events("DescribeReplay", ReplayName="again"))["State"] == "COMPLETED"
        assert (await events("DescribeArchive", ArchiveName="a"))["EventCount"] == 125

    async def test_a_replay_can_be_for_some_rules_only(
        self, cloud: LocalCloud, clock: VirtualClock, events: Caller, sqs: Caller
    ) -> None:
        await rule_to(events, await make_queue(sqs, "q"), name="wanted")
        await rule_to(events, await make_queue(sqs, "p"), name="other")
        bus = ARN.format("events", "event-bus/default")
        archive = await events("CreateArchive", ArchiveName="a", EventSourceArn=bus)
        await events("PutEvents", Entries=[entry()])
        await bodies(cloud, sqs, "q")
        await bodies(cloud, sqs, "p")
        await events(
            "StartReplay", ReplayName="again", EventSourceArn=archive["ArchiveArn"],
            Destination={"Arn": bus, "FilterArns": [ARN.format("events", "rule/wanted")]},
            EventStartTime=clock.time() - 1, EventEndTime=clock.time() + 1,
        )  # fmt: skip
        await clock.settle()
        assert len(await bodies(cloud, sqs, "q")) == 1
        assert await bodies(cloud, sqs, "p") == []

    @pytest.mark.slow
    async def test_an_archive_forgets_after_its_retention(
        self, cloud: LocalCloud, clock: VirtualClock, events: Caller
    ) -> None:
        bus = ARN.format("events", "event-bus/default")
        await events("CreateArchive", ArchiveName="a", EventSourceArn=bus, RetentionDays=2)
        await events("PutEvents", Entries=[entry()])
        await clock.advance(DAY)
        await events("PutEvents", Entries=[entry()])
        assert (await events("DescribeArchive", ArchiveName="a"))["EventCount"] == 2
        await clock.advance(DAY + 1)
        assert (await events("DescribeArchive", ArchiveName="a"))["EventCount"] == 1
        await events("DeleteArchive", ArchiveName="a")
        assert (await events("ListRules"))["Rules"] == []
