"""Asynchronous invocation: what follows an attempt, and the records that destinations get. Pure functions.

    attempt ──success──▶ OnSuccess
       │ ──function error──▶ wait 1, then 2 minutes, while retries and age allow ──▶ OnFailure, dead-letter queue
       └ ──throttled, or a fault of ours──▶ wait 1 s doubling to 5 minutes, while age allows ──▶ the same

Sources: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html,
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from fogbank.core.arn import Arn
from fogbank.runtime.records import timestamp

MAX_RETRIES = 2
MAX_AGE = 21_600
_RETRY_DELAYS = (60.0, 120.0)
_MAX_BACKOFF = 300.0
MAX_ERROR_MESSAGE = 1024
"""Bytes of the error in a dead letter's attribute."""


class Condition(StrEnum):
    """Why an invocation record was written."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    AGE_EXCEEDED = "EventAgeExceeded"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an event has come. It travels with the event: `accepted` is in clock seconds."""

    request_id: str
    accepted: float
    invokes: int = 0
    """Invocations that the function failed."""
    throttles: int = 0
    client_context: str | None = None

    def pack(self) -> dict[str, Any]:
        """As parameters of a delivery."""
        return {
            "request_id": self.request_id,
            "accepted": self.accepted,
            "invokes": self.invokes,
            "throttles": self.throttles,
            "client_context": self.client_context,
        }

    @classmethod
    def unpack(cls, parameters: Mapping[str, Any]) -> Progress:
        """The reverse of `pack`."""
        return cls(**parameters)


@dataclass(frozen=True, slots=True)
class Settings:
    """A function's settings for asynchronous invocation."""

    retries: int = MAX_RETRIES
    max_age: int = MAX_AGE
    on_success: str | None = None
    on_failure: str | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Settings:
        """From an event invoke configuration."""
        destinations = settings.get("DestinationConfig", {})
        return cls(
            settings.get("MaximumRetryAttempts", MAX_RETRIES),
            settings.get("MaximumEventAgeInSeconds", MAX_AGE),
            destinations.get("OnSuccess", {}).get("Destination") or None,
            destinations.get("OnFailure", {}).get("Destination") or None,
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of an attempt: `error` as X-Amz-Function-Error; `throttled` if the function was not run."""

    payload: bytes = b""
    error: str | None = None
    executed: str = "$LATEST"
    throttled: bool = False
    recursive: bool = False
    """It was stopped as part of a loop; the function was not run, and is not to be."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after `delay` seconds."""

    delay: float
    progress: Progress


@dataclass(frozen=True, slots=True)
class Done:
    """No further attempt."""

    condition: Condition
    progress: Progress


def after(tried: Tried, progress: Progress, settings: Settings, now: float) -> Again | Done:
    """What follows an attempt that ended at `now` (clock seconds)."""
    if tried.throttled:
        delay = min(_MAX_BACKOFF, 2.0 ** min(progress.throttles, 16))
        waited = replace(progress, throttles=progress.throttles + 1)
        return _again(delay, waited, settings, now)
    if tried.recursive:
        return Done(Condition.RETRIES_EXHAUSTED, progress)
    invoked = replace(progress, invokes=progress.invokes + 1)
    if tried.error is None:
        return Done(Condition.SUCCESS, invoked)
    if invoked.invokes > settings.retries:
        return Done(Condition.RETRIES_EXHAUSTED, invoked)
    return _again(_RETRY_DELAYS[min(invoked.invokes, len(_RETRY_DELAYS)) - 1], invoked, settings, now)


def _again(delay: float, progress: Progress, settings: Settings, now: float) -> Again | Done:
    if now + delay - progress.accepted > settings.max_age:
        return Done(Condition.AGE_EXCEEDED, progress)
    return Again(delay, progress)


def record(done: Done, tried: Tried, event: bytes, function_arn: str, now: float) -> dict[str, Any]:
    """The invocation record that a destination gets."""
    shown: dict[str, Any] = {
        "version": "1.0",
        "timestamp": timestamp(int(now * 1000)),
        "requestContext": {
            "requestId": done.progress.request_id,
            "functionArn": function_arn,
            "condition": done.condition.value,
            "approximateInvokeCount": done.progress.invokes,
        },
        "requestPayload": _json(event),
    }
    if tried.throttled or tried.recursive:
        return shown
    context: dict[str, Any] = {"statusCode": 200, "executedVersion": tried.executed}
    if tried.error is not None:
        context["functionError"] = tried.error
    shown["responseContext"] = context
    shown["responsePayload"] = _json(tried.payload)
    return shown


def _json(payload: bytes) -> Any:
    """A payload as it stands in a record: JSON where it is JSON, text where it is not."""
    try:
        return msgspec.Raw(msgspec.json.decode(payload, type=msgspec.Raw))
    except msgspec.DecodeError:
        return payload.decode("utf-8", "replace")


def destination_parameters(destination: str, done: Done, function_arn: str) -> dict[str, Any]:
    """What the delivery to a destination needs beside the record."""
    if Arn.parse(destination).service != "events":
        return {}
    outcome = "Success" if done.condition is Condition.SUCCESS else "Failure"
    return {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {outcome}",
        "Resources": [function_arn, destination],
    }


def dead_letter_parameters(target: str, tried: Tried, request_id: str) -> dict[str, Any]:
    """The attributes of a dead letter: its body is the event as it came."""
    message = _error_message(tried)
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": _error_code(tried)},
        "ErrorMessage": {"DataType": "String", "StringValue": message},
    }
    assert Arn.parse(target).service in ("sqs", "sns")
    return {"MessageAttributes": attributes}


def _error_code(tried: Tried) -> str:
    """The status of the last attempt."""
    if tried.throttled:
        return "429"
    return "400" if tried.recursive else "200"


def _error_message(tried: Tried) -> str:
    if tried.throttled:
        return "Rate Exceeded."
    try:
        found = msgspec.json.decode(tried.payload)
    except msgspec.DecodeError:
        found = None
    text = found.get("errorMessage") if isinstance(found, dict) else None
    text = text if isinstance(text, str) and text else tried.payload.decode("utf-8", "replace") or "Unknown error"
    return text.encode()[:MAX_ERROR_MESSAGE].decode(errors="ignore")
