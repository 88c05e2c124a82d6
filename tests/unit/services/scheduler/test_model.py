"""Schedules and universal targets, without I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.services.scheduler._targets import read_target
from fogbank.services.scheduler._universal import parse_universal
from fogbank.services.scheduler.model import Firing, Schedule, next_firing, read_settings

ROLE = "arn:aws:iam::000000000000:role/r"
NOW = 1_700_000_000.0


def request(**changes: Any) -> dict[str, Any]:
    return {"Name": "s", "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"}, **changes}


def schedule(**changes: Any) -> Schedule:
    settings = read_settings(request(**changes), NOW)
    return Schedule(1, Scope(), "default", "s", settings, 0, 0, int(NOW * 1000))


def refused(**changes: Any) -> str:
    with pytest.raises(ApiError) as caught:
        read_settings(request(**changes), NOW)
    assert caught.value.code == "ValidationException"
    return caught.value.message


def refused_target(**target: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read_target({"RoleArn": ROLE, **target})
    return caught.value


def test_defaults_are_put_in_place() -> None:
    settings = read_settings(request(), NOW)
    assert settings["State"] == "ENABLED"
    assert settings["ScheduleExpressionTimezone"] == "UTC"
    assert settings["ActionAfterCompletion"] == "NONE"
    target = read_target({"Arn": "arn:aws:sqs:us-east-1:000000000000:q", "RoleArn": ROLE})
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


def test_a_window_comes_after_the_moment() -> None:
    flexible = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10}
    found = next_firing(schedule(FlexibleTimeWindow=flexible), int(NOW * 1000), 0.5)
    assert found == Firing(int((NOW + 3600) * 1000), int((NOW + 3600 + 300) * 1000))


def test_nothing_comes_after_the_end() -> None:
    ends = schedule(EndDate=NOW + 7200)
    assert next_firing(ends, int((NOW + 3600) * 1000), 0) == Firing(*[int((NOW + 7200) * 1000)] * 2)
    assert next_firing(ends, int((NOW + 7200) * 1000), 0) is None


def test_cron_waits_for_the_start() -> None:
    starts = schedule(ScheduleExpression="cron(0 * * * ? *)", StartDate=1_700_006_400.0)
    found = next_firing(starts, int(NOW * 1000), 0)
    assert found is not None
    assert found.moment == 1_700_006_400_000


def test_one_time_schedules_ignore_start_and_end() -> None:
    once = schedule(ScheduleExpression="at(2023-11-15T00:00:00)", StartDate=5.0, EndDate=6.0)
    assert next_firing(once, int(NOW * 1000), 0) is not None
    assert next_firing(replace(once, settings={**once.settings, "State": "DISABLED"}), 0, 0) is None


def test_what_is_out_of_order_is_refused() -> None:
    assert refused(ScheduleExpression="cron(0 0 * * * *)") == "Invalid Schedule Expression cron(0 0 * * * *)."
    assert "Mars" in refused(ScheduleExpressionTimezone="Mars/Base")
    assert "must be specified" in refused(FlexibleTimeWindow={"Mode": "FLEXIBLE"})
    assert "must not be specified" in refused(FlexibleTimeWindow={"Mode": "OFF", "MaximumWindowInMinutes": 5})
    assert refused(StartDate=NOW - 301) == "The StartDate you specify cannot be earlier than 5 minutes ago."
    assert "EndDate" in refused(EndDate=NOW - 1)
    assert "EndDate" in refused(StartDate=NOW + 10, EndDate=NOW + 5)


@pytest.mark.parametrize(
    "target",
    [
        {"Arn": "no-arn"},
        {"Arn": "arn:aws:sqs:us-east-1:000000000000:q.fifo"},
        {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "Input": "no json"},
        {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "SqsParameters": {"MessageGroupId": "g"}},
        {"Arn": "arn:aws:events:us-east-1:000000000000:event-bus/default"},
        {"Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"},
        {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:getQueueUrl"},
        {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:noSuchAction"},
        {"Arn": "arn:aws:scheduler:::aws-sdk:sqs"},
        {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "Input": "[]"},
        {"Arn": "arn:aws:sqs:us-east-1:000000000000:q", "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:0:d.fifo"}},
        {"Arn": "arn:aws:sqs:us-east-1:000000000000:q", "Input": "x" * (256 * 1024 + 1)},
    ],
)
def test_targets_that_are_out_of_order_are_refused(target: dict[str, Any]) -> None:
    assert refused_target(**target).code == "ValidationException"


@pytest.mark.parametrize(
    "target",
    [
        {"Arn": "arn:aws:ecs:us-east-1:000000000000:cluster/c"},
        {"Arn": "arn:aws:sqs:us-east-1:000000000000:q", "EcsParameters": {"TaskDefinitionArn": "a"}},
        {"Arn": "arn:aws:scheduler:::aws-sdk:sagemaker:createTransformJob"},
    ],
)
def test_targets_that_fogbank_lacks_are_refused_by_name(target: dict[str, Any]) -> None:
    assert refused_target(**target).code == "NotImplemented"


def test_universal_targets_name_services_as_the_sdks_do() -> None:
    call = parse_universal("arn:aws:scheduler:::aws-sdk:sfn:startExecution")
    assert (call.service, call.operation.name) == ("stepfunctions", "StartExecution")
    assert call.request({"StateMachineArn": "a", "input": "b"}) == {"stateMachineArn": "a", "input": "b"}
    assert parse_universal("arn:aws:scheduler:::aws-sdk:eventbridge:putEvents").service == "events"
    assert parse_universal("arn:aws:scheduler:::aws-sdk:cloudwatchlogs:putLogEvents").service == "logs"


def test_a_universal_input_becomes_a_request_in_the_models_types() -> None:
    invoke = parse_universal("arn:aws:scheduler:::aws-sdk:lambda:invoke")
    assert invoke.request({"FunctionName": "f", "Payload": '{"a": 1}'}) == {"FunctionName": "f", "Payload": b'{"a": 1}'}
    assert invoke.request({"Payload": {"a": 1}}) == {"Payload": b'{"a":1}'}
    put = parse_universal("arn:aws:scheduler:::aws-sdk:eventbridge:putEvents")
    document = {"Entries": [{"Time": "2020-01-01T00:00:00Z", "Detail": {"a": 1}}]}
    assert put.request(document) == {"Entries": [{"Time": 1_577_836_800.0, "Detail": '{"a":1}'}]}
