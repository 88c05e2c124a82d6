"""One order is one trace: over buses, queues, schedules, retries and executions, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.telemetry import Kind, Span, Status
from fogbank.telemetry import storage as rows

SCOPE = Scope()
ORDERS = "https://sqs.us-east-1.amazonaws.com/000000000000/orders"
HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
GIVEN = Trace.parse(HEADER)


async def make_queue(cloud: LocalCloud, name: str, **attributes: str) -> str:
    await cloud.call(SCOPE, "sqs", "CreateQueue", {"QueueName": name, "Attributes": attributes})
    return SCOPE.arn("sqs", name)


async def make_rule(cloud: LocalCloud, target: str, **more: Any) -> None:
    request = {"Name": "placed", "EventPattern": '{"source": ["shop"]}', **more}
    await cloud.call(SCOPE, "events", "PutRule", request)
    targets = {"Rule": "placed", "Targets": [{"Id": "t", "Arn": target}]}
    await cloud.call(SCOPE, "events", "PutTargets", targets)


async def publish(cloud: LocalCloud, trace: Trace | None = None) -> str:
    entry = {"Source": "shop", "DetailType": "Placed", "Detail": '{"metadata": {"correlation_id": "order-7"}}'}
    reply = await cloud.call(SCOPE, "events", "PutEvents", {"Entries": [entry]}, trace=trace)
    await cloud.delivery.quiet()
    event_id: str = reply["Entries"][0]["EventId"]
    return event_id


async def receive(cloud: LocalCloud, url: str = ORDERS) -> list[dict[str, Any]]:
    request = {"QueueUrl": url, "MessageSystemAttributeNames": ["All"], "MaxNumberOfMessages": 10}
    reply = await cloud.call(SCOPE, "sqs", "ReceiveMessage", request)
    messages: list[dict[str, Any]] = reply.get("Messages", [])
    return messages


async def spans_of(cloud: LocalCloud, trace: str) -> list[Span]:
    return await cloud.telemetry.read(partial(rows.spans_of, trace=trace))


async def trace_of(cloud: LocalCloud, key: str) -> list[Span]:
    """The spans of the one trace that an id leads to."""
    found = await cloud.telemetry.read(partial(rows.find_traces, since=0, until=9e12, limit=10, key=f"={key}"))
    assert len(found) == 1, found
    return await spans_of(cloud, found[0].trace)


def path(spans: Sequence[Span], leaf: Span) -> list[str]:
    """From the root to a span: what they are."""
    by_id = {span.id: span for span in spans}
    names = []
    at: Span | None = leaf
    while at is not None:
        names.append(at.operation if at.kind is Kind.API else at.kind.value)
        at = by_id.get(at.parent)
    return names[::-1]


def only(spans: Sequence[Span], kind: Kind, name: str = "") -> Span:
    (found,) = [span for span in spans if span.kind is kind and name in {"", span.name}]
    return found


async def test_an_event_is_followed_into_its_queue_and_out(cloud: LocalCloud, clock: VirtualClock) -> None:
    """Request, match, send, and the hour that the message waits."""
    await make_rule(cloud, await make_queue(cloud, "orders"))
    event_id = await publish(cloud)
    await clock.advance(3_600)
    (message,) = await receive(cloud)
    assert "AWSTraceHeader" not in message["Attributes"], "no client gave one"
    spans = await trace_of(cloud, event_id)
    wait = only(spans, Kind.QUEUE)
    assert path(spans, wait) == ["PutEvents", "rule", "SendMessage", "queue"]
    assert wait.duration > 3_599
    assert wait.resource == SCOPE.arn("sqs", "orders")
    assert spans == await trace_of(cloud, "order-7"), "the correlation id leads there as well"
    assert spans == await trace_of(cloud, message["MessageId"])


async def test_a_context_that_a_client_gives_is_gone_on_with_and_passed_on(cloud: LocalCloud) -> None:
    """AWSTraceHeader names the client's span; Fogbank's own lie between."""
    assert GIVEN is not None
    await make_rule(cloud, await make_queue(cloud, "orders"))
    await publish(cloud, GIVEN)
    (message,) = await receive(cloud)
    assert message["Attributes"]["AWSTraceHeader"] == HEADER
    spans = await spans_of(cloud, GIVEN.root)
    assert only(spans, Kind.API, "PutEvents").parent == GIVEN.parent
    assert path(spans, only(spans, Kind.QUEUE)) == ["PutEvents", "rule", "SendMessage", "queue"]


async def test_retries_and_the_dead_letter_are_in_the_trace(cloud: LocalCloud, clock: VirtualClock) -> None:
    """Each attempt a span, the waits between them, and where it ended."""
    letters = await make_queue(cloud, "letters")
    await make_rule(cloud, await make_queue(cloud, "orders"))
    target = {"Id": "t", "Arn": SCOPE.arn("lambda", "function:gone"), "DeadLetterConfig": {"Arn": letters}}
    await cloud.call(SCOPE, "events", "PutTargets", {"Rule": "placed", "Targets": [target]})
    event_id = await publish(cloud)
    spans = await trace_of(cloud, event_id)
    failed = [span for span in spans if span.kind is Kind.DELIVERY and span.status]
    assert [span.error for span in failed] == ["ResourceNotFoundException"]
    letter = only(spans, Kind.DEAD_LETTER)
    assert (letter.status, letter.attributes["reason"]) == (Status.FAULT, "permanent")
    assert [m["Body"] for m in await receive(cloud, ORDERS.replace("orders", "letters"))]
    assert path(spans, only(await trace_of(cloud, event_id), Kind.QUEUE))[-2:] == ["SendMessage", "queue"]


async def test_a_message_that_nobody_handles_ends_in_its_trace(cloud: LocalCloud, clock: VirtualClock) -> None:
    """Every receipt is seen, and the move to the dead-letter queue."""
    letters = await make_queue(cloud, "letters")
    redrive = json.dumps({"deadLetterTargetArn": letters, "maxReceiveCount": 2})
    await make_queue(cloud, "orders", RedrivePolicy=redrive)
    assert GIVEN is not None
    await cloud.call(SCOPE, "sqs", "SendMessage", {"QueueUrl": ORDERS, "MessageBody": "x"}, trace=GIVEN)
    for _ in range(3):
        await receive(cloud)
        await clock.advance(31)
    spans = await spans_of(cloud, GIVEN.root)
    assert [span.attributes["receives"] for span in spans if span.kind is Kind.QUEUE] == [1, 2]
    assert only(spans, Kind.DEAD_LETTER).attributes["dead_letter"] == letters
    await receive(cloud, ORDERS.replace("orders", "letters"))
    spans = await spans_of(cloud, GIVEN.root)
    assert spans[-1].resource == letters


async def test_a_schedule_begins_a_trace(cloud: LocalCloud, clock: VirtualClock) -> None:
    """From its firing to the queue."""
    await make_queue(cloud, "orders")
    await cloud.call(
        SCOPE,
        "scheduler",
        "CreateSchedule",
        {
            "Name": "nightly",
            "ScheduleExpression": "rate(1 hour)",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": SCOPE.arn("sqs", "orders"), "RoleArn": "arn:aws:iam::000000000000:role/r"},
        },
    )
    await clock.advance(3_700)
    await cloud.delivery.quiet()
    (message, *_) = await receive(cloud)
    spans = await trace_of(cloud, message["MessageId"])
    assert path(spans, only(spans, Kind.QUEUE)) == ["schedule", "SendMessage", "queue"]


async def test_an_execution_shows_its_states_and_their_retries(cloud: LocalCloud, clock: VirtualClock) -> None:
    """What a state calls belongs to it; what fails is retried under it."""
    await make_queue(cloud, "orders")
    definition = {
        "StartAt": "Send",
        "States": {
            "Send": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage",
                "Parameters": {"QueueUrl": ORDERS, "MessageBody": "x"},
                "Next": "Fail",
            },
            "Fail": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage",
                "Parameters": {"QueueUrl": ORDERS + "-gone", "MessageBody": "x"},
                "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
                "End": True,
            },
        },
    }
    role = "arn:aws:iam::000000000000:role/r"
    request = {"name": "saga", "definition": json.dumps(definition), "roleArn": role}
    machine = (await cloud.call(SCOPE, "stepfunctions", "CreateStateMachine", request))["stateMachineArn"]
    assert GIVEN is not None
    reply = await cloud.call(SCOPE, "stepfunctions", "StartExecution", {"stateMachineArn": machine}, trace=GIVEN)
    status = "RUNNING"
    while status == "RUNNING":
        await clock.advance(1)
        found = await cloud.call(SCOPE, "stepfunctions", "DescribeExecution", {"executionArn": reply["executionArn"]})
        status = found["status"]
    spans = await spans_of(cloud, GIVEN.root)
    execution = only(spans, Kind.EXECUTION)
    assert (execution.name, execution.status) == ("saga", Status.FAULT)
    assert path(spans, execution) == ["StartExecution", "execution"]
    sent = [span for span in spans if span.operation == "SendMessage"]
    assert [path(spans, span)[2:] for span in sent] == [["state", "SendMessage"]] * 3
    assert [span.status for span in sent] == [Status.OK, Status.ERROR, Status.ERROR]
    states = {span.name: span for span in spans if span.kind is Kind.STATE}
    assert states.keys() == {"Send", "Fail", "Fail attempt 1", "Fail attempt 2"}
    assert states["Fail"].attributes["failures"] == 2
    assert states["Fail attempt 1"].parent == states["Fail"].id


async def test_telemetry_may_be_off(cloud: LocalCloud) -> None:
    """Contexts that clients give are passed on all the same."""
    cloud.telemetry.on = False
    await make_rule(cloud, await make_queue(cloud, "orders"))
    await publish(cloud, GIVEN)
    (message,) = await receive(cloud)
    assert message["Attributes"]["AWSTraceHeader"] == HEADER
    cloud.telemetry.on = True
    assert GIVEN is not None
    assert await spans_of(cloud, GIVEN.root) == []


@pytest.mark.parametrize(
    ("enabled", "given", "sampled"), [(True, "", "1"), (False, "", None), (True, ";Sampled=0", "0")]
)
async def test_a_state_machine_with_tracing_decides_where_nobody_has(
    cloud: LocalCloud, enabled: bool, given: str, sampled: str | None
) -> None:
    queue = (await cloud.call(SCOPE, "sqs", "CreateQueue", {"QueueName": "traced"}))["QueueUrl"]
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": queue, "MessageBody": "m"},
        "End": True,
    }
    request = {
        "name": "traced",
        "definition": json.dumps({"StartAt": "A", "States": {"A": task}}),
        "roleArn": "arn:aws:iam::000000000000:role/r",
        "tracingConfiguration": {"enabled": enabled},
    }
    machine = (await cloud.call(SCOPE, "stepfunctions", "CreateStateMachine", request))["stateMachineArn"]
    root = "1-5759e988-bd862e3fe1be46a994272793"
    header = f"Root={root};Parent=53995c3f42cd8ad8{given}"
    await cloud.call(SCOPE, "stepfunctions", "StartExecution", {"stateMachineArn": machine, "traceHeader": header})
    wanted = {"QueueUrl": queue, "WaitTimeSeconds": 20, "MessageSystemAttributeNames": ["AWSTraceHeader"]}
    (message,) = (await cloud.call(SCOPE, "sqs", "ReceiveMessage", wanted))["Messages"]
    found = message.get("Attributes", {}).get("AWSTraceHeader", "")
    assert f"Root={root}" in found or sampled is None
    assert (found.partition("Sampled=")[2] or None) == sampled
    documents = (await cloud.call(SCOPE, "xray", "BatchGetTraces", {"TraceIds": [root]}))["Traces"][0]["Segments"]
    segments = [json.loads(document["Document"]) for document in documents]
    (segment,) = [found for found in segments if found["name"] == "traced" and "resource_arn" in found]
    assert segment["origin"] == "AWS::StepFunctions::StateMachine"
    assert [part["name"] for part in segment["subsegments"]] == ["A"]
