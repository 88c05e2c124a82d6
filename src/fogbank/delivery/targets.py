"""The API call that fits a target ARN, and the dead letters of what rules, schedules and topics could not deliver.

Sources: the target tables of the EventBridge and Scheduler user guides; for dead letters
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.call import Cloud, Principal, Request
from fogbank.core.clock import Clock
from fogbank.core.errors import ApiError
from fogbank.core.trace import Trace
from fogbank.delivery.message import DAY, Attempt, Failure, Message, PermanentError, RetryPolicy
from fogbank.delivery.pump import Delivery, Route
from fogbank.storage import Tx

DEAD_LETTER_POLICY = RetryPolicy(max_retries=1_000, max_age=14 * DAY)
"""A dead letter is tried until its queue would have forgotten it."""
_JOINED = tuple(f"arn:{partition}:{kind}:" for partition in ("aws", "aws-cn", "aws-us-gov") for kind in ("sqs", "sns"))
"""How the ARNs of queues and topics begin."""
MAX_TRANSFORMED = 256 * 1024
"""Bytes of a payload that may be a log event's `timestamp` and `message`."""


@dataclass(frozen=True, slots=True)
class TargetCall:
    """An API call: botocore's service name, the operation, and its request."""

    service: str
    operation: str
    request: Request


Builder = Callable[[Arn, Message, float, Trace], TargetCall]


def _queue(arn: Arn, message: Message, now: float, trace: Trace) -> TargetCall:  # noqa: ARG001
    request: dict[str, Any] = {
        "QueueUrl": f"https://sqs.{arn.region}.amazonaws.com/{arn.account}/{arn.resource}",
        "MessageBody": message.payload.decode(),
        **message.parameters,
    }
    upstream = trace.upstream
    if upstream is not None:
        request["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": upstream}}
    return TargetCall("sqs", "SendMessage", request)


def _function(arn: Arn, message: Message, now: float, trace: Trace) -> TargetCall:  # noqa: ARG001
    request = {"FunctionName": str(arn), "InvocationType": "Event", "Payload": message.payload}
    return TargetCall("lambda", "Invoke", request)


def _bus(arn: Arn, message: Message, now: float, trace: Trace) -> TargetCall:  # noqa: ARG001
    """Forward an event as it is, or wrap another payload (a destination's record) by the given parameters."""
    entry: dict[str, Any] = {"EventBusName": str(arn), "TraceHeader": trace.header}
    if "DetailType" in message.parameters:
        entry |= {"Detail": message.payload.decode(), **message.parameters}
    else:
        event = msgspec.json.decode(message.payload)
        entry |= {
            "Source": event.get("source", ""),
            "DetailType": event.get("detail-type", ""),
            "Detail": msgspec.json.encode(event.get("detail", {})).decode(),
            "Resources": event.get("resources", []),
        }
    return TargetCall("events", "PutEvents", {"Entries": [entry]})


def _topic(arn: Arn, message: Message, now: float, trace: Trace) -> TargetCall:  # noqa: ARG001
    return TargetCall(
        "sns", "Publish", {"TopicArn": str(arn), "Message": message.payload.decode(), **message.parameters}
    )


def _state_machine(arn: Arn, message: Message, now: float, trace: Trace) -> TargetCall:  # noqa: ARG001
    request = {"stateMachineArn": str(arn), "input": message.payload.decode(), **message.parameters}
    return TargetCall("stepfunctions", "StartExecution", request)


def _log_group(arn: Arn, message: Message, now: float, trace: Trace) -> TargetCall:  # noqa: ARG001
    """A log event of the payload, or of its `timestamp` and `message` where an input transformer made just those."""
    request = {
        "logGroupName": arn.resource.removeprefix("log-group:").removesuffix(":*"),
        "logStreamName": message.parameters.get("LogStreamName", "events"),
        "logEvents": [_log_event(message.payload, now)],
    }
    return TargetCall("logs", "PutLogEvents", request)


def _log_event(payload: bytes, now: float) -> dict[str, Any]:
    event: dict[str, Any] = {"timestamp": int(now * 1000), "message": payload.decode()}
    if not payload.startswith(b"{") or len(payload) > MAX_TRANSFORMED:
        return event
    try:
        document = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return event
    if document.keys() != {"timestamp", "message"}:
        return event
    text = document["message"]
    event["message"] = text if isinstance(text, str) else msgspec.json.encode(text).decode()
    moment = document["timestamp"]
    if isinstance(moment, int):
        event["timestamp"] = moment
    elif isinstance(moment, str):
        with contextlib.suppress(ValueError):
            event["timestamp"] = int(datetime.fromisoformat(moment).timestamp() * 1000)
    return event


def _stream(arn: Arn, message: Message, now: float, trace: Trace) -> TargetCall:  # noqa: ARG001
    request = {"StreamARN": str(arn), "Data": message.payload, "PartitionKey": message.trace.root}
    return TargetCall("kinesis", "PutRecord", request | dict(message.parameters))


def _firehose(arn: Arn, message: Message, now: float, trace: Trace) -> TargetCall:  # noqa: ARG001
    return TargetCall("firehose", "PutRecord", {"DeliveryStreamName": arn.name, "Record": {"Data": message.payload}})


_BUILDERS: dict[str, Builder] = {
    "sqs": _queue,
    "lambda": _function,
    "events": _bus,
    "sns": _topic,
    "states": _state_machine,
    "logs": _log_group,
    "kinesis": _stream,
    "firehose": _firehose,
}

DELIVERABLE = frozenset(_BUILDERS)
"""The services (as ARNs name them) whose resources can be targets."""


def target_call(message: Message, now: float, trace: Trace) -> tuple[Arn, TargetCall]:
    """The call that delivers `message`; `PermanentError` if its target is none that can be called."""
    try:
        arn = Arn.parse(message.target)
    except MalformedArnError as error:
        raise PermanentError("INVALID_PARAMETER", str(error)) from None
    builder = _BUILDERS.get(arn.service)
    if builder is None:
        raise PermanentError("INVALID_PARAMETER", f"{message.target} is not a target that Fogbank can deliver to")
    return arn, builder(arn, message, now, trace)


class TargetRoute(Route):
    """Delivers by the API call that fits the target's ARN."""

    def __init__(self, cloud: Cloud, delivery: Delivery, clock: Clock) -> None:
        self._cloud = cloud
        self._delivery = delivery
        self._clock = clock

    async def join(self, tx: Tx, message: Message) -> bool:
        """Send to a queue or a topic at once: what that does is one transaction, which joins the sender's.

        What it refuses goes the ordinary way, to be attempted again and dead-lettered by its policy.
        """
        if not message.target.startswith(_JOINED):
            return False
        try:
            arn, call = target_call(message, self._clock.time(), message.trace)
            await tx.within(partial(self._make, arn, call, message, message.trace))
        except (ApiError, PermanentError):
            return False
        return True

    async def attempt(self, attempt: Attempt) -> Any:
        message = attempt.message
        arn, call = target_call(message, self._clock.time(), attempt.trace)
        try:
            reply = await self._make(arn, call, message, attempt.trace)
        except ApiError as error:
            if call.operation != "PutLogEvents" or error.code != "ResourceNotFoundException":
                raise
            # A log group that is a target gets its stream with the first event; one that is missing fails here.
            names = {name: call.request[name] for name in ("logGroupName", "logStreamName")}
            await self._make(arn, TargetCall("logs", "CreateLogStream", names), message, attempt.trace)
            reply = await self._make(arn, call, message, attempt.trace)
        if reply.get("FailedEntryCount"):
            entry = reply["Entries"][0]
            raise PermanentError(entry.get("ErrorCode", "UNKNOWN"), entry.get("ErrorMessage", ""))
        return reply

    async def _make(self, arn: Arn, call: TargetCall, message: Message, trace: Trace) -> Any:
        return await self._cloud.call(
            arn.scope,
            call.service,
            call.operation,
            call.request,
            trace=trace,
            principal=Principal(service=message.source),
        )

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        message = attempt.message
        if message.dead_letter is not None:
            await self._delivery.enqueue(tx, dead_letter(message, failure))


def dead_letter(message: Message, failure: Failure) -> Message:
    """What is sent to the dead-letter queue: the payload, with why it is there as message attributes."""
    assert message.dead_letter is not None, "asked for only where there is a queue"
    attributes = {
        **message.dead_letter_attributes,
        "ERROR_CODE": _DEAD_LETTER_CODES.get(failure.code, failure.code),
        "ERROR_MESSAGE": failure.message or failure.code,
        "RETRY_ATTEMPTS": str(failure.retries),
    }
    if failure.exhaustion:
        attributes["EXHAUSTED_RETRY_CONDITION"] = failure.exhaustion.value
    return Message(
        target=message.dead_letter,
        payload=message.payload,
        scope=message.scope,
        trace=message.trace,
        source=message.source,
        policy=DEAD_LETTER_POLICY,
        parameters={
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
            }
        },
    )


_DEAD_LETTER_CODES = {
    "AccessDeniedException": "NO_PERMISSIONS",
    "QueueDoesNotExist": "NO_RESOURCE",
    "ResourceNotFoundException": "NO_RESOURCE",
    "NotFoundException": "NO_RESOURCE",
    "StateMachineDoesNotExist": "NO_RESOURCE",
    "ThrottlingException": "THROTTLING",
    "TooManyRequestsException": "THROTTLING",
    "ValidationException": "INVALID_PARAMETER",
    "InternalFailure": "INTERNAL_ERROR",
    "ServiceUnavailable": "INTERNAL_ERROR",
}
