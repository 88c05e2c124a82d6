"""EventBridge Scheduler over the wire: boto3 against a server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

Aws = Callable[..., Any]
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
ROLE = "arn:aws:iam::000000000000:role/r"
TARGET = {"Arn": QUEUE, "RoleArn": ROLE}
OFF = {"Mode": "OFF"}
RETRY = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


@pytest.fixture
def scheduler(aws: Aws) -> Any:
    return aws("scheduler")


def settings(**changes: Any) -> dict[str, Any]:
    base = {"Name": "s", "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": OFF, "Target": TARGET}
    return {name: value for name, value in (base | changes).items() if value is not None}


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, int, str]:
    """The code, status and message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def test_the_life_of_a_schedule(scheduler: Any) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    arn = scheduler.create_schedule(
        **settings(Description="d", State="DISABLED", StartDate=later, ActionAfterCompletion="DELETE")
    )["ScheduleArn"]
    assert arn == "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s"
    schedule = scheduler.get_schedule(Name="s")
    schedule.pop("ResponseMetadata")
    assert schedule.pop("CreationDate") == schedule.pop("LastModificationDate")
    assert schedule == {
        "Arn": arn,
        "Name": "s",
        "GroupName": "default",
        "Description": "d",
        "State": "DISABLED",
        "ScheduleExpression": "rate(1 day)",
        "ScheduleExpressionTimezone": "UTC",
        "StartDate": later,
        "FlexibleTimeWindow": OFF,
        "ActionAfterCompletion": "DELETE",
        "Target": {**TARGET, "RetryPolicy": RETRY},
    }
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}
    scheduler.update_schedule(**settings(FlexibleTimeWindow=window, ScheduleExpressionTimezone="Europe/Berlin"))
    schedule = scheduler.get_schedule(Name="s", GroupName="default")
    assert schedule["State"] == "ENABLED"
    assert schedule["FlexibleTimeWindow"] == window
    assert schedule["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert "Description" not in schedule
    assert "StartDate" not in schedule
    scheduler.delete_schedule(Name="s")
    missing = ("ResourceNotFoundException", 404, "Schedule s does not exist.")
    assert refused(scheduler.get_schedule, Name="s") == missing
    assert refused(scheduler.delete_schedule, Name="s") == missing
    assert refused(scheduler.update_schedule, **settings()) == missing


def test_names_are_taken_once_in_a_group(scheduler: Any) -> None:
    scheduler.create_schedule_group(Name="g")
    scheduler.create_schedule(**settings())
    scheduler.create_schedule(**settings(GroupName="g"))
    assert refused(scheduler.create_schedule, **settings()) == ("ConflictException", 409, "Schedule s already exists.")
    assert refused(scheduler.create_schedule_group, Name="g") == (
        "ConflictException",
        409,
        "Schedule group g already exists.",
    )
    assert refused(scheduler.create_schedule, **settings(GroupName="none")) == (
        "ResourceNotFoundException",
        404,
        "Schedule group none does not exist.",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ScheduleExpression": "rate(5 seconds)"}, "Invalid Schedule Expression rate(5 seconds)."),
        ({"ScheduleExpression": "at(2030-01-01T00:00)"}, "Invalid Schedule Expression at(2030-01-01T00:00)."),
        (
            {"StartDate": datetime(2020, 1, 1, tzinfo=UTC)},
            "The StartDate you specify cannot be earlier than 5 minutes ago.",
        ),
        ({"Target": {**TARGET, "Arn": "nonsense"}}, "Provided Arn is not in correct format."),
    ],
)
def test_schedules_that_are_refused(scheduler: Any, changes: dict[str, Any], message: str) -> None:
    assert refused(scheduler.create_schedule, **settings(**changes)) == ("ValidationException", 400, message)


@pytest.mark.parametrize(
    "changes",
    [
        {"Name": "no blanks"},
        {"Name": "x" * 65},
        {"State": "ON"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}},
        {"ScheduleExpressionTimezone": "Mars/Base"},
        {"Target": {**TARGET, "RoleArn": "nonsense"}},
        {"Target": {**TARGET, "RetryPolicy": {"MaximumRetryAttempts": 186}}},
        {"Target": {**TARGET, "DeadLetterConfig": {"Arn": "arn:aws:sns:us-east-1:000000000000:t"}}},
        {"Description": "x" * 513},
        {"EndDate": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
def test_constraints_hold(scheduler: Any, changes: dict[str, Any]) -> None:
    code, status, _ = refused(scheduler.create_schedule, **settings(**changes))
    assert (code, status) == ("ValidationException", 400)


def test_what_is_not_there_yet_says_so(scheduler: Any) -> None:
    key = "arn:aws:kms:us-east-1:000000000000:key/k"
    code, status, message = refused(scheduler.create_schedule, **settings(KmsKeyArn=key))
    assert (code, status) == ("NotImplemented", 501)
    assert "KmsKeyArn" in message


def test_groups_and_their_tags(scheduler: Any) -> None:
    arn = scheduler.create_schedule_group(Name="g", Tags=[{"Key": "a", "Value": "1"}])["ScheduleGroupArn"]
    assert arn == "arn:aws:scheduler:us-east-1:000000000000:schedule-group/g"
    group = scheduler.get_schedule_group(Name="g")
    assert group["State"] == "ACTIVE"
    assert isinstance(group["CreationDate"], datetime)
    assert [g["Name"] for g in scheduler.list_schedule_groups()["ScheduleGroups"]] == ["default", "g"]
    assert [g["Name"] for g in scheduler.list_schedule_groups(NamePrefix="g")["ScheduleGroups"]] == ["g"]
    scheduler.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    scheduler.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    scheduler.delete_schedule_group(Name="g")
    missing = ("ResourceNotFoundException", 404, "Schedule group g does not exist.")
    assert refused(scheduler.get_schedule_group, Name="g") == missing
    assert refused(scheduler.delete_schedule_group, Name="g") == missing
    assert refused(scheduler.list_tags_for_resource, ResourceArn=arn) == missing
    assert refused(scheduler.list_schedules, GroupName="g") == missing
    assert refused(scheduler.delete_schedule_group, Name="default")[0] == "ValidationException"


def test_schedules_are_listed_in_pages_and_filtered(scheduler: Any) -> None:
    for group in ("g1", "g2"):
        scheduler.create_schedule_group(Name=group)
        for name in ("a-1", "a-10", "b"):
            state = "DISABLED" if name == "b" else "ENABLED"
            scheduler.create_schedule(**settings(Name=name, GroupName=group, State=state))
    pages = scheduler.get_paginator("list_schedules").paginate(PaginationConfig={"PageSize": 4})
    names = [[f"{s['GroupName']}/{s['Name']}" for s in page["Schedules"]] for page in pages]
    assert names == [["g1/a-1", "g1/a-10", "g1/b", "g2/a-1"], ["g2/a-10", "g2/b"]]
    (only,) = scheduler.list_schedules(GroupName="g2", State="DISABLED")["Schedules"]
    assert only["Name"] == "b"
    assert only["Target"] == {"Arn": QUEUE}
    assert len(scheduler.list_schedules(NamePrefix="a")["Schedules"]) == 4
    assert refused(scheduler.list_schedules, NextToken="nonsense")[0] == "ValidationException"


def test_a_schedule_reaches_its_queue(aws: Aws, scheduler: Any) -> None:
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    scheduler.create_schedule(**settings(Target={**TARGET, "Input": "hello"}))
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert message["Body"] == "hello"
