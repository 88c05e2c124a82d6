"""What AWS would bill, metered where it happens, in virtual time."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.test_cli import make_function

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.scope import Scope

SCOPE = Scope()
ROLE = "arn:aws:iam::000000000000:role/any"


async def used(cloud: LocalCloud) -> dict[str, float]:
    """Quantities by unit."""
    sums: dict[str, float] = {}
    for each in (await cloud.usage.report()).totals:
        sums[each.unit] = sums.get(each.unit, 0.0) + each.quantity
    return sums


async def run_machine(cloud: LocalCloud, states: dict[str, Any], kind: str = "STANDARD") -> None:
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    request = {"name": "m", "definition": definition, "roleArn": ROLE, "type": kind}
    machine = await cloud.call(SCOPE, "stepfunctions", "CreateStateMachine", request)
    operation = "StartExecution" if kind == "STANDARD" else "StartSyncExecution"
    await cloud.call(SCOPE, "stepfunctions", operation, {"stateMachineArn": machine["stateMachineArn"], "input": "{}"})


async def test_each_state_that_is_entered_is_a_transition(cloud: LocalCloud) -> None:
    """Two states are two; an Express execution is a request and its time instead."""
    await run_machine(cloud, {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "End": True}})
    assert (await used(cloud))["stepfunctions.transitions"] == 2


async def test_an_express_execution_is_billed_by_its_time(cloud: LocalCloud) -> None:
    """At least 100 ms of 64 MB."""
    await run_machine(cloud, {"A": {"Type": "Pass", "End": True}}, "EXPRESS")
    found = await used(cloud)
    assert "stepfunctions.transitions" not in found
    assert found["stepfunctions.express-requests"] == 1
    assert found["stepfunctions.express-gb-seconds"] == pytest.approx(0.1 * 64 / 1024)


async def test_each_retry_is_one_transition_more(cloud: LocalCloud, clock: VirtualClock) -> None:
    """A task that fails, is tried twice more, and whose failure is caught: 1 + 2, and the state after it."""
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl",
        "Parameters": {"QueueName": "missing"},
        "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "IntervalSeconds": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}],
        "End": True,
    }
    await run_machine(cloud, {"A": task, "B": {"Type": "Pass", "End": True}})
    for _ in range(4):
        await clock.advance(3)
    assert (await used(cloud))["stepfunctions.transitions"] == 4


async def test_schedules_are_billed_and_scheduled_rules_are_not(cloud: LocalCloud, clock: VirtualClock) -> None:
    """Each for three minutes, into a queue."""
    queue = "arn:aws:sqs:us-east-1:000000000000:q"
    await cloud.call(SCOPE, "sqs", "CreateQueue", {"QueueName": "q"})
    await cloud.call(SCOPE, "scheduler", "CreateSchedule", {
        "Name": "s", "ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": queue, "RoleArn": ROLE, "Input": "{}"}})  # fmt: skip
    await cloud.call(SCOPE, "events", "PutRule", {"Name": "r", "ScheduleExpression": "rate(1 minute)"})
    await cloud.call(SCOPE, "events", "PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Arn": queue}]})
    for _ in range(3):
        await clock.advance(60)
    found = await used(cloud)
    assert found["scheduler.invocations"] in (3, 4)  # the first may come at once
    assert found["events.scheduled"] == 3


async def test_rules_count_what_they_match(cloud: LocalCloud) -> None:
    """For the audit; it costs nothing."""
    queue = "arn:aws:sqs:us-east-1:000000000000:q"
    await cloud.call(SCOPE, "sqs", "CreateQueue", {"QueueName": "q"})
    await cloud.call(SCOPE, "events", "PutRule", {"Name": "r", "EventPattern": '{"source": ["shop"]}'})
    await cloud.call(SCOPE, "events", "PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Arn": queue}]})
    for source in ("shop", "other", "shop"):
        await cloud.call(SCOPE, "events", "PutEvents", {
            "Entries": [{"Source": source, "DetailType": "t", "Detail": "{}"}]})  # fmt: skip
    found = await used(cloud)
    assert found["observed.matches"] == 2
    assert found["events.custom"] == 3


async def test_archives_and_replays_are_metered(cloud: LocalCloud, clock: VirtualClock) -> None:
    """What is archived by its size, what is replayed by the event."""
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    await cloud.call(SCOPE, "events", "CreateArchive", {"ArchiveName": "a", "EventSourceArn": bus})
    begin = clock.time()
    for _ in range(2):
        await cloud.call(SCOPE, "events", "PutEvents", {
            "Entries": [{"Source": "shop", "DetailType": "t", "Detail": json.dumps({"x": "y" * 1000})}]})  # fmt: skip
    await clock.advance(1)
    archive = "arn:aws:events:us-east-1:000000000000:archive/a"
    await cloud.call(SCOPE, "events", "StartReplay", {
        "ReplayName": "again", "EventSourceArn": archive, "EventStartTime": begin - 1, "EventEndTime": clock.time(),
        "Destination": {"Arn": bus}})  # fmt: skip
    await clock.advance(10)
    found = await used(cloud)
    assert 2000 < found["events.archived-gb"] * 1024**3 < 4000
    assert found["events.replayed"] == 2


async def test_a_restored_table_is_billed_by_its_size(cloud: LocalCloud) -> None:
    """One item of 1,000 bytes and its key."""
    table = {
        "TableName": "orders", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    }  # fmt: skip
    await cloud.call(SCOPE, "dynamodb", "CreateTable", table)
    item = {"id": {"S": "1"}, "text": {"S": "x" * 1000}}
    await cloud.call(SCOPE, "dynamodb", "PutItem", {"TableName": "orders", "Item": item})
    made = await cloud.call(SCOPE, "dynamodb", "CreateBackup", {"TableName": "orders", "BackupName": "back"})
    arn = made["BackupDetails"]["BackupArn"]
    request = {"TargetTableName": "copy", "BackupArn": arn}
    await cloud.call(SCOPE, "dynamodb", "RestoreTableFromBackup", request)
    assert (await used(cloud))["dynamodb.restored-gb"] * 1024**3 == pytest.approx(1007, abs=1)


@pytest.mark.slow
def test_an_invocation_is_metered_by_what_its_report_says(server: ServerProcess) -> None:
    """On Arm with ephemeral storage: a request, GB-seconds of Arm, GB-seconds of storage, and its log."""
    make_function(
        server, "f", "def handler(event, context):\n    return 1\n",
        Architectures=["arm64"], MemorySize=512, EphemeralStorage={"Size": 1536},
    )  # fmt: skip
    reply = server.client("lambda").invoke(FunctionName="f", Payload=b"{}", LogType="Tail")
    assert reply["StatusCode"] == 200
    with urllib.request.urlopen(f"{server.endpoint}/_fogbank/usage", timeout=30) as answer:
        document = json.loads(answer.read())
    found = {each["unit"]: each["quantity"] for each in document["totals"]}
    assert found["lambda.requests"] == 1
    assert found["lambda.gb-seconds.arm64"] * 2 == pytest.approx(found["lambda.storage-gb-seconds"])
    (trace,) = [each for each in document["traces"] if any(u["unit"] == "lambda.requests" for u in each["uses"])]
    assert {use["unit"] for use in trace["uses"]} >= {"lambda.requests", "lambda.gb-seconds.arm64"}
