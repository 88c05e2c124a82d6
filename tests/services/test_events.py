"""EventBridge over the wire: boto3 against a server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

Aws = Callable[..., Any]
ARN = "arn:aws:{}:us-east-1:000000000000:{}"
QUEUE = ARN.format("sqs", "q")
PATTERN = '{"source": ["s"]}'


@pytest.fixture
def events(aws: Aws) -> Any:
    return aws("events")


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    """The code and message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def received(sqs: Any, url: str, count: int) -> list[dict[str, Any]]:
    """`count` messages, waited for by long polls."""
    messages: list[dict[str, Any]] = []
    deadline = time.monotonic() + 20
    while len(messages) < count and time.monotonic() < deadline:
        reply = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2, MessageAttributeNames=["All"]
        )
        messages += reply.get("Messages", [])
    return messages


class TestBuses:
    def test_the_default_bus_is_always_there(self, events: Any) -> None:
        bus = events.describe_event_bus()
        assert bus["Name"] == "default"
        assert bus["Arn"] == ARN.format("events", "event-bus/default")
        assert [b["Name"] for b in events.list_event_buses()["EventBuses"]] == ["default"]

    def test_the_life_of_a_bus(self, events: Any) -> None:
        arn = events.create_event_bus(Name="b", Description="d", Tags=[{"Key": "k", "Value": "v"}])["EventBusArn"]
        assert arn == ARN.format("events", "event-bus/b")
        bus = events.describe_event_bus(Name=arn)
        assert bus["Description"] == "d"
        assert isinstance(bus["CreationTime"], datetime)
        assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
        assert events.update_event_bus(Name="b", Description="e")["Description"] == "e"
        assert events.describe_event_bus(Name="b")["Description"] == "e"
        events.delete_event_bus(Name="b")
        assert refused(events.describe_event_bus, Name="b") == (
            "ResourceNotFoundException",
            "Event bus b does not exist.",
        )
        events.delete_event_bus(Name="b")

    def test_names_are_taken_once(self, events: Any) -> None:
        events.create_event_bus(Name="b")
        exists = "ResourceAlreadyExistsException"
        assert refused(events.create_event_bus, Name="b") == (exists, "Event bus b already exists.")
        assert refused(events.create_event_bus, Name="default") == (exists, "Event bus default already exists.")

    def test_what_cannot_be(self, events: Any) -> None:
        assert refused(events.create_event_bus, Name="a/b") == (
            "ValidationException",
            "Event bus name must not contain '/'.",
        )
        assert refused(events.create_event_bus, Name="no blanks")[0] == "ValidationException"
        assert refused(events.delete_event_bus, Name="default") == (
            "ValidationException",
            "Cannot delete event bus default.",
        )
        events.create_event_bus(Name="b")
        events.put_rule(Name="r", EventBusName="b", EventPattern=PATTERN)
        assert refused(events.delete_event_bus, Name="b") == (
            "ValidationException",
            "EventBus can't be deleted since it has rules.",
        )
        code, message = refused(events.create_event_bus, Name="c", KmsKeyIdentifier="k")
        assert code == "NotImplemented"
        assert "KmsKeyIdentifier" in message

    def test_buses_are_listed_in_pages(self, events: Any) -> None:
        for name in ("b-1", "b-10", "b-2", "c"):
            events.create_event_bus(Name=name)
        first = events.list_event_buses(NamePrefix="b", Limit=2)
        assert [b["Name"] for b in first["EventBuses"]] == ["b-1", "b-10"]
        second = events.list_event_buses(NamePrefix="b", Limit=2, NextToken=first["NextToken"])
        assert [b["Name"] for b in second["EventBuses"]] == ["b-2"]
        assert "NextToken" not in second
        assert refused(events.list_event_buses, NextToken="nonsense")[0] == "InvalidToken"

    def test_permissions_are_a_policy(self, events: Any) -> None:
        events.put_permission(Action="events:PutEvents", Principal="111111111111", StatementId="one")
        events.put_permission(Action="events:PutEvents", Principal="*", StatementId="two")
        policy = json.loads(events.describe_event_bus()["Policy"])
        assert [s["Sid"] for s in policy["Statement"]] == ["one", "two"]
        events.remove_permission(StatementId="one")
        assert refused(events.remove_permission, StatementId="one") == (
            "ResourceNotFoundException",
            "Statement with the provided id does not exist.",
        )
        events.remove_permission(RemoveAllPermissions=True)
        assert "Policy" not in events.describe_event_bus()
        assert refused(events.remove_permission, StatementId="one") == (
            "ResourceNotFoundException",
            "Statement with the provided id does not exist.",
        )
        whole = '{"Version": "2012-10-17", "Statement": []}'
        events.put_permission(Policy=whole)
        assert events.describe_event_bus()["Policy"] == whole
        assert refused(events.put_permission, Policy="{")[0] == "ValidationException"
        assert refused(events.put_permission, EventBusName="none", Policy=whole)[0] == "ResourceNotFoundException"
        assert refused(events.put_permission, Action="events:PutRule", Principal="*", StatementId="x") == (
            "ValidationException",
            "Provided value in parameter 'action' is not supported.",
        )


class TestRules:
    def test_the_life_of_a_rule(self, events: Any) -> None:
        arn = events.put_rule(Name="r", EventPattern=PATTERN, Description="d", Tags=[{"Key": "k", "Value": "v"}])[
            "RuleArn"
        ]
        assert arn == ARN.format("events", "rule/r")
        rule = events.describe_rule(Name="r")
        rule.pop("ResponseMetadata")
        assert rule == {
            "Name": "r",
            "Arn": arn,
            "EventPattern": PATTERN,
            "State": "ENABLED",
            "Description": "d",
            "EventBusName": "default",
            "CreatedBy": "000000000000",
        }
        events.disable_rule(Name="r")
        assert events.describe_rule(Name="r")["State"] == "DISABLED"
        events.enable_rule(Name="r")
        assert events.describe_rule(Name="r")["State"] == "ENABLED"
        events.put_rule(Name="r", ScheduleExpression="rate(1 day)", State="DISABLED")
        rule = events.describe_rule(Name="r")
        assert rule["ScheduleExpression"] == "rate(1 day)"
        assert rule["State"] == "DISABLED"
        assert "EventPattern" not in rule
        assert "Description" not in rule
        assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
        events.delete_rule(Name="r")
        events.delete_rule(Name="r")
        message = "Rule r does not exist on EventBus default."
        assert refused(events.describe_rule, Name="r") == ("ResourceNotFoundException", message)
        assert refused(events.enable_rule, Name="r") == ("ResourceNotFoundException", message)
        assert refused(events.disable_rule, Name="r") == ("ResourceNotFoundException", message)

    def test_a_rule_of_a_custom_bus_has_the_bus_in_its_arn(self, events: Any) -> None:
        bus = events.create_event_bus(Name="b")["EventBusArn"]
        arn = events.put_rule(Name="r", EventBusName=bus, EventPattern=PATTERN)["RuleArn"]
        assert arn == ARN.format("events", "rule/b/r")
        events.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        events.untag_resource(ResourceARN=arn, TagKeys=["a"])
        assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
        assert [r["Name"] for r in events.list_rules(EventBusName="b")["Rules"]] == ["r"]
        assert events.list_rules()["Rules"] == []

    @pytest.mark.parametrize(
        ("request_", "code", "message"),
        [
            ({}, "ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified."),
            (
                {"ScheduleExpression": "rate(1 minutes)"},
                "ValidationException",
                "Parameter ScheduleExpression is not valid.",
            ),
            (
                {"ScheduleExpression": "cron(0 0 * * *)"},
                "ValidationException",
                "Parameter ScheduleExpression is not valid.",
            ),
            (
                {"EventBusName": "none", "EventPattern": PATTERN},
                "ResourceNotFoundException",
                "Event bus none does not exist.",
            ),
            (
                {"EventPattern": '{"source": "s"}'},
                "InvalidEventPatternException",
                (
                    'Event pattern is not valid. Reason: "source" must be an object or an array\n'
                    ' at [Source: (String)"{"source": "s"}"; line: 1, column: 13]'
                ),
            ),
        ],
    )
    def test_rules_that_are_refused(self, events: Any, request_: dict[str, str], code: str, message: str) -> None:
        assert refused(events.put_rule, Name="r", **request_) == (code, message)

    def test_schedules_are_for_the_default_bus(self, events: Any) -> None:
        events.create_event_bus(Name="b")
        assert refused(events.put_rule, Name="r", EventBusName="b", ScheduleExpression="rate(1 day)") == (
            "ValidationException",
            "ScheduleExpression is supported only on the default event bus.",
        )

    def test_constraints_of_the_model_hold(self, events: Any) -> None:
        code, message = refused(events.put_rule, Name="no blanks", EventPattern=PATTERN)
        assert code == "ValidationException"
        assert "at 'name' failed to satisfy constraint" in message
        assert refused(events.put_rule, Name="r", EventPattern=PATTERN, State="ON")[0] == "ValidationException"
        assert refused(events.put_rule, Name="r", EventPattern="x" * 4097)[0] == "ValidationException"

    def test_rules_are_listed_in_pages(self, events: Any) -> None:
        for number in range(7):
            events.put_rule(Name=f"r{number}", EventPattern=PATTERN)
        pages = events.get_paginator("list_rules").paginate(NamePrefix="r", PaginationConfig={"PageSize": 3})
        assert [[rule["Name"] for rule in page["Rules"]] for page in pages] == [
            ["r0", "r1", "r2"],
            ["r3", "r4", "r5"],
            ["r6"],
        ]


class TestTargets:
    def test_the_life_of_targets(self, events: Any) -> None:
        events.put_rule(Name="r", EventPattern=PATTERN)
        target = {
            "Id": "one",
            "Arn": QUEUE,
            "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60},
            "DeadLetterConfig": {"Arn": ARN.format("sqs", "d")},
            "InputTransformer": {"InputPathsMap": {"a": "$.id"}, "InputTemplate": '"<a>"'},
        }
        reply = events.put_targets(Rule="r", Targets=[target, {"Id": "two", "Arn": QUEUE}])
        assert reply["FailedEntryCount"] == 0
        assert events.list_targets_by_rule(Rule="r")["Targets"] == [target, {"Id": "two", "Arn": QUEUE}]
        assert events.list_rule_names_by_target(TargetArn=QUEUE)["RuleNames"] == ["r"]
        assert refused(events.delete_rule, Name="r") == (
            "ValidationException",
            "Rule can't be deleted since it has targets.",
        )
        reply = events.remove_targets(Rule="r", Ids=["one", "three"])
        assert reply["FailedEntryCount"] == 1
        assert reply["FailedEntries"] == [
            {
                "TargetId": "three",
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": "Rule r does not have a target with the Id three.",
            }
        ]
        events.remove_targets(Rule="r", Ids=["two"])
        events.delete_rule(Name="r")

    def test_a_rule_has_at_most_five_targets(self, events: Any) -> None:
        events.put_rule(Name="r", EventPattern=PATTERN)
        targets = [{"Id": str(n), "Arn": QUEUE} for n in range(6)]
        code, message = refused(events.put_targets, Rule="r", Targets=targets)
        assert (code, message) == (
            "LimitExceededException",
            "The requested resource exceeds the maximum number allowed.",
        )
        assert events.list_targets_by_rule(Rule="r")["Targets"] == []
        events.put_targets(Rule="r", Targets=targets[:5])
        page = events.list_targets_by_rule(Rule="r", Limit=3)
        rest = events.list_targets_by_rule(Rule="r", Limit=3, NextToken=page["NextToken"])
        assert [t["Id"] for t in [*page["Targets"], *rest["Targets"]]] == ["0", "1", "2", "3", "4"]

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            (
                {"Arn": "nonsense"},
                "Parameter nonsense is not valid. Reason: Provided Arn is not in correct format.",
            ),
            ({"Arn": QUEUE + ".fifo"}, "Parameter(s) SqsParameters must be specified for target: t."),
            (
                {"Arn": ARN.format("states", "stateMachine:m")},
                "RoleArn is required for target arn:aws:states:us-east-1:000000000000:stateMachine:m.",
            ),
            ({"Arn": QUEUE, "Input": "{"}, "Input for target t is not a valid JSON text."),
            (
                {"Arn": QUEUE, "Input": "{}", "InputPath": "$.a"},
                "Only one of Input, InputPath, or InputTransformer must be provided for target t.",
            ),
            (
                {"Arn": QUEUE, "InputTransformer": {"InputTemplate": '"<x>"'}},
                "InputTemplate for target t contains invalid placeholder x.",
            ),
        ],
    )
    def test_targets_that_are_refused(self, events: Any, target: dict[str, Any], message: str) -> None:
        events.put_rule(Name="r", EventPattern=PATTERN)
        assert refused(events.put_targets, Rule="r", Targets=[{"Id": "t", **target}]) == (
            "ValidationException",
            message,
        )

    def test_what_is_not_delivered_yet_is_refused_by_name(self, events: Any) -> None:
        events.put_rule(Name="r", EventPattern=PATTERN)
        cluster = {"Id": "t", "Arn": ARN.format("ecs", "cluster/c"), "RoleArn": "arn:aws:iam::000000000000:role/r"}
        for target in (
            cluster,
            {"Id": "t", "Arn": QUEUE, "EcsParameters": {"TaskDefinitionArn": "a"}},
        ):
            code, message = refused(events.put_targets, Rule="r", Targets=[target])
            assert code == "NotImplemented"
            assert "Fogbank" in message

    def test_the_rule_must_exist(self, events: Any) -> None:
        missing = ("ResourceNotFoundException", "Rule r does not exist on EventBus default.")
        assert refused(events.put_targets, Rule="r", Targets=[{"Id": "t", "Arn": QUEUE}]) == missing
        assert refused(events.remove_targets, Rule="r", Ids=["t"]) == missing
        assert refused(events.list_targets_by_rule, Rule="r") == missing


class TestPutEvents:
    def test_an_event_reaches_its_queue(self, aws: Aws, events: Any) -> None:
        sqs = aws("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        events.put_rule(Name="r", EventPattern='{"source": ["s"], "detail": {"n": [{"numeric": [">", 1]}]}}')
        events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": QUEUE}])
        reply = events.put_events(
            Entries=[
                {
                    "Source": "s",
                    "DetailType": "d",
                    "Detail": json.dumps({"n": n, "é": "ü"}),
                    "Resources": ["r"],
                    "Time": datetime(2020, 1, 2, 3, 4, 5, 999_000, tzinfo=UTC),
                }
                for n in (1, 2)
            ]
        )
        assert reply["FailedEntryCount"] == 0
        (message,) = received(sqs, url, 1)
        assert json.loads(message["Body"]) == {
            "version": "0",
            "id": reply["Entries"][1]["EventId"],
            "detail-type": "d",
            "source": "s",
            "account": "000000000000",
            "time": "2020-01-02T03:04:05Z",
            "region": "us-east-1",
            "resources": ["r"],
            "detail": {"n": 2, "é": "ü"},
        }

    @pytest.mark.parametrize(
        ("changes", "code", "message"),
        [
            (
                {"Source": ""},
                "InvalidArgument",
                "Parameter Source is not valid. Reason: Source is a required argument.",
            ),
            (
                {"DetailType": None},
                "InvalidArgument",
                "Parameter DetailType is not valid. Reason: DetailType is a required argument.",
            ),
            (
                {"Detail": None},
                "InvalidArgument",
                "Parameter Detail is not valid. Reason: Detail is a required argument.",
            ),
            ({"Detail": "{"}, "MalformedDetail", "Detail is malformed."),
            ({"Detail": "[]"}, "MalformedDetail", "Detail is malformed."),
            ({"Detail": '"text"'}, "MalformedDetail", "Detail is malformed."),
            ({"Detail": '{"a":' * 2000 + "1" + "}" * 2000}, "MalformedDetail", "Detail is malformed."),
            ({"Source": "aws.s3"}, "NotAuthorizedForSourceException", "Not authorized for the source."),
        ],
    )
    def test_an_entry_that_is_not_in_order_is_refused_by_itself(
        self, events: Any, changes: dict[str, Any], code: str, message: str
    ) -> None:
        good = {"Source": "s", "DetailType": "d", "Detail": "{}"}
        bad = {name: value for name, value in (good | changes).items() if value is not None}
        reply = events.put_events(Entries=[bad, good])
        assert reply["FailedEntryCount"] == 1
        assert reply["Entries"][0] == {"ErrorCode": code, "ErrorMessage": message}
        assert "EventId" in reply["Entries"][1]

    def test_an_event_for_a_bus_that_does_not_exist_is_taken_and_goes_nowhere(self, events: Any) -> None:
        """As AWS does: https://github.com/aws/aws-sdk-java-v2/issues/3173."""
        entry = {"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": "none"}
        reply = events.put_events(Entries=[entry])
        assert reply["FailedEntryCount"] == 0
        assert reply["Entries"][0]["EventId"]

    def test_a_request_has_at_most_ten_entries_and_less_than_a_megabyte(self, events: Any) -> None:
        entry = {"Source": "s", "DetailType": "d", "Detail": "{}"}
        code, message = refused(events.put_events, Entries=[entry] * 11)
        assert code == "ValidationException"
        assert "Member must have length less than or equal to 10" in message
        big = entry | {"Detail": json.dumps({"x": "y" * (1024 * 1024 - 10)})}
        assert refused(events.put_events, Entries=[big]) == (
            "ValidationException",
            "Total size of the entries in the request is over the limit.",
        )
        assert events.put_events(Entries=[entry | {"Detail": json.dumps({"x": "y" * 1_000_000})}])


class TestTestEventPattern:
    EVENT: ClassVar[dict[str, Any]] = {
        "id": "1", "account": "1", "source": "s", "time": "2020-01-01T00:00:00Z", "region": "r", "resources": [],
        "detail-type": "d", "detail": {"a": 1},
    }  # fmt: skip

    def test_a_pattern_is_tried(self, events: Any) -> None:
        event = json.dumps(self.EVENT)
        assert events.test_event_pattern(EventPattern=PATTERN, Event=event)["Result"] is True
        assert events.test_event_pattern(EventPattern='{"source": ["t"]}', Event=event)["Result"] is False

    def test_what_is_refused(self, events: Any) -> None:
        event = json.dumps(self.EVENT)
        code, message = refused(events.test_event_pattern, EventPattern='{"a": [{"x": 1}]}', Event=event)
        assert code == "InvalidEventPatternException"
        assert message.startswith("Event pattern is not valid. Reason: Unrecognized match type x\n at [Source: ")
        assert refused(events.test_event_pattern, EventPattern=PATTERN, Event="{")[0] == "ValidationException"
        for name in ("id", "account", "source", "time", "region", "detail-type"):
            partial = json.dumps({k: v for k, v in self.EVENT.items() if k != name})
            assert refused(events.test_event_pattern, EventPattern=PATTERN, Event=partial) == (
                "ValidationException",
                "Parameter Event is not valid.",
            )


class TestArchives:
    BUS = ARN.format("events", "event-bus/default")

    def test_the_life_of_an_archive(self, events: Any) -> None:
        arn = events.create_archive(ArchiveName="a", EventSourceArn=self.BUS, EventPattern=PATTERN)["ArchiveArn"]
        archive = events.describe_archive(ArchiveName="a")
        assert archive["State"] == "ENABLED"
        assert archive["EventPattern"] == PATTERN
        assert archive["EventSourceArn"] == self.BUS
        (rule,) = events.list_rules()["Rules"]
        assert rule["Name"] == "Events-Archive-a"
        assert rule["ManagedBy"] == "prod.vhs.events.aws.internal"
        assert json.loads(rule["EventPattern"]) == {"source": ["s"], "replay-name": [{"exists": False}]}
        assert refused(events.delete_rule, Name=rule["Name"])[0] == "ManagedRuleException"
        assert refused(events.put_rule, Name=rule["Name"], EventPattern=PATTERN)[0] == "ManagedRuleException"
        assert refused(events.create_archive, ArchiveName="a", EventSourceArn=self.BUS) == (
            "ResourceAlreadyExistsException",
            "Archive a already exists.",
        )
        assert events.update_archive(ArchiveName="a", RetentionDays=5)["ArchiveArn"] == arn
        assert [a["RetentionDays"] for a in events.list_archives(NamePrefix="a")["Archives"]] == [5]
        assert events.list_archives(State="DISABLED")["Archives"] == []
        events.delete_archive(ArchiveName="a")
        gone = ("ResourceNotFoundException", "Archive a does not exist.")
        assert refused(events.describe_archive, ArchiveName="a") == gone
        assert refused(events.delete_archive, ArchiveName="a") == gone
        assert events.list_rules()["Rules"] == []

    def test_replays_that_are_refused(self, events: Any) -> None:
        arn = events.create_archive(ArchiveName="a", EventSourceArn=self.BUS)["ArchiveArn"]
        other = events.create_event_bus(Name="b")["EventBusArn"]
        start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
        good = {
            "ReplayName": "x", "EventSourceArn": arn, "EventStartTime": start, "EventEndTime": end,
            "Destination": {"Arn": self.BUS},
        }  # fmt: skip
        for changes, message in (
            (
                {"EventStartTime": end, "EventEndTime": start},
                "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.",
            ),
            (
                {"Destination": {"Arn": QUEUE}},
                "Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.",
            ),
            (
                {"Destination": {"Arn": other}},
                "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.",
            ),
            (
                {"EventSourceArn": arn + "2"},
                "Parameter EventSourceArn is not valid. Reason: Archive a2 does not exist.",
            ),
        ):
            assert refused(events.start_replay, **(good | changes)) == ("ValidationException", message)
        assert events.start_replay(**good)["State"] == "STARTING"
        assert refused(events.start_replay, **good) == (
            "ResourceAlreadyExistsException",
            "Replay x already exists.",
        )
        assert [r["ReplayName"] for r in events.list_replays()["Replays"]] == ["x"]
        assert refused(events.describe_replay, ReplayName="y") == (
            "ResourceNotFoundException",
            "Replay y does not exist.",
        )


def test_what_is_not_there_yet_says_so(events: Any) -> None:
    code, message = refused(events.list_endpoints)
    assert code == "NotImplemented"
    assert "ListEndpoints" in message


def test_accounts_and_regions_are_apart(server: Any) -> None:
    here = server.client("events")
    there = server.client("events", region_name="eu-central-1", aws_access_key_id="111111111111")
    here.put_rule(Name="r", EventPattern=PATTERN)
    assert there.list_rules()["Rules"] == []
    assert there.describe_event_bus()["Arn"] == "arn:aws:events:eu-central-1:111111111111:event-bus/default"
