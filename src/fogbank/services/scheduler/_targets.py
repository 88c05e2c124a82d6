"""A schedule's target: whether it is in order, and the message that an invocation makes of it.

Sources: the service model (Target); https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html,
managing-schedule-context-attributes.html and configuring-schedule-dlq.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.trace import Trace
from fogbank.delivery import Message, RetryPolicy
from fogbank.delivery.targets import DELIVERABLE
from fogbank.services.scheduler._universal import PREFIX, parse_universal
from fogbank.services.scheduler.errors import ValidationError
from fogbank.services.scheduler.model import Schedule, timestamp

ROUTE = "scheduler.target"
SOURCE = "scheduler.amazonaws.com"
ATTEMPT_NUMBER = "<aws.scheduler.attempt-number>"
MAX_INPUT = 256 * 1024
"""Bytes of a target's Input."""

DEFAULT_RETRY = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
_NEEDS_JSON = frozenset({"lambda", "states", "events"})
_PARAMETERS = {
    "SqsParameters": "sqs",
    "KinesisParameters": "kinesis",
    "EventBridgeParameters": "events",
}
_NOT_YET = (
    "EcsParameters",
    "SageMakerPipelineParameters",
    "EventBridgePutEventsV2Parameters",
    "EventBridgePutRawEventsParameters",
)
_encode = msgspec.json.Encoder().encode


def read_target(target: Mapping[str, Any]) -> dict[str, Any]:
    """A target from a request, with the default retry policy in place; refused if it is not in order."""
    for name in _NOT_YET:
        if name in target:
            raise NotImplementedByFogbank(f"Fogbank does not implement {name} of a schedule's Target yet")
    text = target.get("Input")
    if text is not None and len(text.encode()) > MAX_INPUT:
        raise ValidationError(f"Input for the target is larger than {MAX_INPUT} bytes.")
    dead_letter = (target.get("DeadLetterConfig") or {}).get("Arn", "")
    if dead_letter.endswith(".fifo"):
        raise ValidationError(f"{dead_letter} is not a valid dead-letter queue: FIFO queues are not supported.")
    if PREFIX in target["Arn"]:
        _check_universal(target)
    else:
        _check_templated(target)
    return {**target, "RetryPolicy": DEFAULT_RETRY | dict(target.get("RetryPolicy") or {})}


def _check_universal(target: Mapping[str, Any]) -> None:
    parse_universal(target["Arn"])
    for name in _PARAMETERS:
        if name in target:
            raise ValidationError(f"{name} is not supported for the universal target {target['Arn']}.")
    try:
        document = json.loads(target.get("Input", "{}"))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValidationError(f"The Input for the target {target['Arn']} must be a well-formed JSON object.")


def _check_templated(target: Mapping[str, Any]) -> None:
    try:
        arn = Arn.parse(target["Arn"])
    except MalformedArnError:
        raise ValidationError("Provided Arn is not in correct format.") from None
    if arn.service not in DELIVERABLE:
        raise NotImplementedByFogbank(
            f"Fogbank does not invoke targets like {target['Arn']} yet; "
            f"it knows those of {', '.join(sorted(DELIVERABLE))}, and universal targets"
        )
    for name, service in _PARAMETERS.items():
        if name in target and arn.service != service:
            raise ValidationError(f"{name} is not supported for the target {target['Arn']}.")
    if arn.service == "events" and "EventBridgeParameters" not in target:
        raise ValidationError(f"EventBridgeParameters must be specified for the target {target['Arn']}.")
    if arn.service == "kinesis" and "KinesisParameters" not in target:
        raise ValidationError(f"KinesisParameters must be specified for the target {target['Arn']}.")
    fifo = arn.service == "sqs" and arn.resource.endswith(".fifo")
    if fifo and not (target.get("SqsParameters") or {}).get("MessageGroupId"):
        raise ValidationError(f"SqsParameters must be specified for the FIFO queue {target['Arn']}.")
    if arn.service in _NEEDS_JSON and "Input" in target and not _is_json(target["Input"], arn.service):
        raise ValidationError(f"The Input for the target {target['Arn']} must be well-formed JSON.")


def _is_json(text: str, service: str) -> bool:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return service != "events" or isinstance(document, dict)


def invocation(schedule: Schedule, moment: int, execution: str, trace: Trace, event_id: str) -> Message:
    """The message that invokes a schedule's target for a moment (ms)."""
    target = schedule.settings["Target"]
    text = target.get("Input")
    payload = _default_input(schedule, moment, event_id) if text is None else _filled(text, schedule, moment, execution)
    retry = target["RetryPolicy"]
    return Message(
        target=target["Arn"],
        payload=payload,
        scope=schedule.scope,
        trace=trace,
        route=ROUTE,
        source=SOURCE,
        parameters=_call_parameters(target),
        policy=RetryPolicy(max_retries=retry["MaximumRetryAttempts"], max_age=retry["MaximumEventAgeInSeconds"]),
        dead_letter=(target.get("DeadLetterConfig") or {}).get("Arn"),
        dead_letter_attributes={
            "SCHEDULE_ARN": schedule.arn,
            "TARGET_ARN": target["Arn"],
            "SCHEDULED_TIME": timestamp(moment),
            "EXECUTION_ID": execution,
            "IS_PAYLOAD_TRUNCATED": "false",
        },
    )


def _filled(text: str, schedule: Schedule, moment: int, execution: str) -> bytes:
    """The Input with its context attributes, but the attempt's number: that differs from attempt to attempt."""
    if "<aws.scheduler." in text:
        text = text.replace("<aws.scheduler.schedule-arn>", schedule.arn)
        text = text.replace("<aws.scheduler.scheduled-time>", timestamp(moment))
        text = text.replace("<aws.scheduler.execution-id>", execution)
    return text.encode()


def with_attempt_number(payload: bytes, number: int) -> bytes:
    """The payload of one attempt."""
    return payload.replace(ATTEMPT_NUMBER.encode(), str(number).encode())


def _default_input(schedule: Schedule, moment: int, event_id: str) -> bytes:
    """The notification that a target without Input gets; its detail is a text."""
    return _encode(
        {
            "version": "0",
            "id": event_id,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": schedule.scope.account,
            "time": timestamp(moment),
            "region": schedule.scope.region,
            "resources": [schedule.arn],
            "detail": "{}",
        }
    )


def _call_parameters(target: Mapping[str, Any]) -> dict[str, Any]:
    """The members of the target's API call beside its payload."""
    parameters: dict[str, Any] = {}
    for name in _PARAMETERS:
        parameters |= target.get(name) or {}
    return parameters
