"""Rotation of secrets: the four steps by a real function, schedules in virtual time, failures, cancellation."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from tests.services.lambda_code import ROLE, RUNTIME, package
from tests.services.topics import refused

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope

Aws = Callable[..., Any]
SCOPE = Scope()
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:rotate"
ROTATE = """
import boto3, os
def handler(event, context):
    secrets = boto3.client("secretsmanager", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    arn, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    if step == "createSecret":
        secrets.get_secret_value(SecretId=arn, VersionStage="AWSCURRENT")
        assert "AWSPENDING" in stages[token]
        secrets.put_secret_value(
            SecretId=arn, ClientRequestToken=token, SecretString="new", VersionStages=["AWSPENDING"])
    if step == "testSecret":
        assert secrets.get_secret_value(SecretId=arn, VersionId=token, VersionStage="AWSPENDING")
    if step == "finishSecret":
        (current,) = [name for name, found in stages.items() if "AWSCURRENT" in found]
        secrets.update_secret_version_stage(
            SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current)
"""


@pytest.mark.slow
def test_a_function_rotates_a_secret(aws: Aws) -> None:
    """As AWS's templates of rotation functions do it."""
    secrets = aws("secretsmanager")
    arn = aws("lambda").create_function(
        FunctionName="rotate", Runtime=RUNTIME, Role=ROLE, Handler="app.handler", Timeout=30,
        Code={"ZipFile": package(app=ROTATE)},
    )["FunctionArn"]  # fmt: skip
    secrets.create_secret(Name="a", SecretString="old")
    with refused("InvalidRequestException", "No Lambda rotation function ARN is associated with this secret."):
        secrets.rotate_secret(SecretId="a")
    with refused("InvalidRequestException"):
        secrets.rotate_secret(SecretId="a", RotationLambdaARN=f"{arn}-none")
    version = secrets.rotate_secret(SecretId="a", RotationLambdaARN=arn, RotationRules={"AutomaticallyAfterDays": 30})[
        "VersionId"
    ]
    while "LastRotatedDate" not in (found := secrets.describe_secret(SecretId="a")):
        pass
    assert secrets.get_secret_value(SecretId="a")["SecretString"] == "new"
    assert "AWSCURRENT" in found["VersionIdsToStages"][version]
    assert (found["RotationEnabled"], found["RotationLambdaARN"]) == (True, arn)
    assert found["RotationRules"] == {"AutomaticallyAfterDays": 30}
    assert 29 <= (found["NextRotationDate"] - found["LastRotatedDate"]).days <= 30
    assert secrets.get_secret_value(SecretId="a", VersionStage="AWSPREVIOUS")["SecretString"] == "old"


class Function:
    """Stands for the rotation function: remembers its steps, fails as often as it is told, and does what it must."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.steps: list[str] = []
        self.failures = 0
        self.real = cloud.call
        cloud.call = self.call  # type: ignore[method-assign]

    async def call(self, scope: Scope, service: str, operation: str, request: Any, **more: Any) -> Any:
        if service != "lambda":
            return await self.real(scope, service, operation, request, **more)
        if operation != "Invoke":
            return {}
        event = msgspec.json.decode(request["Payload"])
        step, token = event["Step"], event["ClientRequestToken"]
        self.steps.append(step)
        if self.failures:
            self.failures -= 1
            return {"FunctionError": "Unhandled"}
        if step == "createSecret":
            put = {"SecretId": event["SecretId"], "ClientRequestToken": token, "SecretString": token}
            await self.real(scope, service_name, "PutSecretValue", {**put, "VersionStages": ["AWSPENDING"]})
        if step == "finishSecret":
            stages = (await self.real(scope, service_name, "DescribeSecret", {"SecretId": "a"}))["VersionIdsToStages"]
            (current,) = [name for name, labels in stages.items() if "AWSCURRENT" in labels]
            moved = {"SecretId": "a", "VersionStage": "AWSCURRENT", "MoveToVersionId": token}
            await self.real(scope, service_name, "UpdateSecretVersionStage", {**moved, "RemoveFromVersionId": current})
        return {}


service_name = "secretsmanager"
ALL = ["createSecret", "setSecret", "testSecret", "finishSecret"]
Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def function(cloud: LocalCloud) -> Function:
    return Function(cloud)


@pytest.fixture
def call(cloud: LocalCloud, function: Function) -> Call:
    """Calls of Secrets Manager: `await call("CreateSecret", …)`."""

    async def make(operation: str, **request: Any) -> Any:
        return await cloud.call(SCOPE, service_name, operation, request)

    return make


async def rotate(cloud: LocalCloud, call: Call, **rules: Any) -> None:
    await call("CreateSecret", Name="a", SecretString="old")
    await call("RotateSecret", SecretId="a", RotationLambdaARN=FUNCTION, RotationRules=rules)
    await cloud.delivery.quiet()


async def test_a_schedule_rotates_again_and_again(
    cloud: LocalCloud, clock: VirtualClock, call: Call, function: Function
) -> None:
    """Every four hours, from the full hour on."""
    await rotate(cloud, call, ScheduleExpression="rate(4 hours)")
    assert function.steps == ALL
    first = (await call("GetSecretValue", SecretId="a"))["VersionId"]
    await clock.advance(4 * 3600)
    await cloud.delivery.quiet()
    assert function.steps == ALL * 2
    second = (await call("GetSecretValue", SecretId="a"))["VersionId"]
    assert second != first
    due = (await call("DescribeSecret", SecretId="a"))["NextRotationDate"]
    assert due % 3600 == 0
    assert 3 * 3600 < due - clock.time() <= 4 * 3600


async def test_a_failed_rotation_is_tried_again_from_its_first_step(
    cloud: LocalCloud, clock: VirtualClock, call: Call, function: Function
) -> None:
    """Until then the value is the old one, and a second rotation is refused."""
    function.failures = 1
    await rotate(cloud, call)
    assert function.steps == ["createSecret"]
    with pytest.raises(ApiError) as info:
        await call("RotateSecret", SecretId="a")
    assert info.value.message == "A previous rotation isn't complete. That rotation will be reattempted."
    assert (await call("GetSecretValue", SecretId="a"))["SecretString"] == "old"
    assert len((await call("ListSecretVersionIds", SecretId="a"))["Versions"]) == 1
    await clock.advance(61)
    await cloud.delivery.quiet()
    assert function.steps == ["createSecret", *ALL]
    assert (await call("GetSecretValue", SecretId="a"))["SecretString"] != "old"


async def test_a_cancelled_rotation_does_not_go_on(
    cloud: LocalCloud, clock: VirtualClock, call: Call, function: Function
) -> None:
    """Its version keeps AWSPENDING, as on AWS; no schedule is left."""
    function.failures = 1
    await rotate(cloud, call, AutomaticallyAfterDays=1)
    assert (await call("CancelRotateSecret", SecretId="a"))["VersionId"]
    found = await call("DescribeSecret", SecretId="a")
    assert (found["RotationEnabled"], found.get("NextRotationDate")) == (False, None)
    await clock.advance(900)
    await cloud.delivery.quiet()
    assert function.steps == ["createSecret"]


async def test_a_rotation_that_waits_is_tried_first(
    cloud: LocalCloud, clock: VirtualClock, call: Call, function: Function
) -> None:
    """RotateImmediately false: only the test step runs now, and the rest when the schedule says so."""
    await call("CreateSecret", Name="a", SecretString="old")
    reply = await call(
        "RotateSecret", SecretId="a", RotationLambdaARN=FUNCTION, RotateImmediately=False,
        RotationRules={"ScheduleExpression": "cron(0 23 * * ? *)", "Duration": "2h"},
    )  # fmt: skip
    await cloud.delivery.quiet()
    assert reply.get("VersionId") is None
    assert function.steps == ["testSecret"]
    await clock.advance(3600)
    await cloud.delivery.quiet()
    assert function.steps == ["testSecret", *ALL]


@pytest.mark.parametrize(
    "rules",
    [
        {"AutomaticallyAfterDays": 1, "ScheduleExpression": "rate(1 day)"},
        {"ScheduleExpression": "rate(3 hours)"},
        {"ScheduleExpression": "rate(300 minutes)"},
        {"ScheduleExpression": "cron(0)"},
        {"ScheduleExpression": "rate(1 day)", "Duration": "25h"},
    ],
)
async def test_rules_that_are_refused(call: Call, rules: dict[str, Any]) -> None:
    """InvalidParameterException, before anything is set."""
    await call("CreateSecret", Name="a", SecretString="x")
    with pytest.raises(ApiError) as info:
        await call("RotateSecret", SecretId="a", RotationLambdaARN=FUNCTION, RotationRules=rules)
    assert info.value.code == "InvalidParameterException"
    assert "RotationEnabled" not in json.dumps(await call("DescribeSecret", SecretId="a")).replace(
        '"RotationEnabled": null', ""
    )
