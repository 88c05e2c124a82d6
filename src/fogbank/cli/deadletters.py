"""Dead-letter queues: whose they are, and why a message is in one.

Five kinds of owner send dead letters, each in its own form:

| owner | what lies in the queue | reason | attempts |
| --- | --- | --- | --- |
| a queue's redrive policy | the message as it was | received too often | its maxReceiveCount |
| a rule's target, a schedule | the event or input | ERROR_CODE, ERROR_MESSAGE | RETRY_ATTEMPTS and the first |
| a function's failure destination | a record with the event in it | condition, errorMessage | approximateInvokeCount |
| a function's dead-letter queue | the event | ErrorCode, ErrorMessage | its MaximumRetryAttempts and the first |
| a topic's subscription | the notification, or the raw message | ErrorCode, ErrorMessage | unknown |

Source: the Lambda, EventBridge, Scheduler, SNS and SQS developer guides. Values and pure functions; no calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class OwnerKind(StrEnum):
    """Who sends dead letters."""

    QUEUE = "queue"
    RULE = "rule"
    SCHEDULE = "schedule"
    FUNCTION = "function"
    TOPIC = "topic"


@dataclass(frozen=True, slots=True)
class Owner:
    """Something whose failures go to a queue: its name and ARN, and how often it tries.

    A topic stands for one of its subscriptions: the ARN is that one's, and `endpoint` what it delivers to.
    """

    kind: OwnerKind
    name: str
    arn: str
    attempts: int | None = None
    endpoint: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Redelivery:
    """Where a dead letter goes to be tried again: an ARN, and the text that it gets. `arn` is a bus for an event."""

    arn: str
    body: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in a dead-letter queue, explained. `again` is `None` where only a move task can send it back."""

    message_id: str
    owner: str
    reason: str
    attempts: str
    body: str
    sent: float
    again: Redelivery | None = None

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "messageId": self.message_id,
            "from": self.owner,
            "reason": self.reason,
            "attempts": self.attempts,
            "sent": self.sent,
            "body": self.body,
        }


def explain(message: Mapping[str, Any], owners: Sequence[Owner]) -> DeadLetter:
    """Why a message, as ReceiveMessage gives it with all attributes, is in a queue that serves `owners`."""
    attributes = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    system = message.get("Attributes", {})
    if "DeadLetterQueueSourceArn" in system:
        return _from_queue(message, system["DeadLetterQueueSourceArn"], owners)
    if "RULE_ARN" in attributes or "SCHEDULE_ARN" in attributes or "TARGET_ARN" in attributes:
        return _from_target(message, attributes)
    record = _invocation_record(message["Body"])
    if record is not None:
        return _from_destination(message, record)
    if "RequestID" in attributes and "ErrorCode" in attributes:
        topic = _topic_of(message["Body"], owners)
        if topic is not None:
            return _from_topic(message, attributes, topic)
        return _from_function(message, attributes, owners)
    queues = [owner for owner in owners if owner.kind is OwnerKind.QUEUE]
    if len(queues) == 1:
        return _from_queue(message, queues[0].arn, owners)
    return DeadLetter(
        message["MessageId"], "unknown", "the message does not say", "unknown", message["Body"], _sent(message)
    )


def _sent(message: Mapping[str, Any]) -> float:
    return int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000


def _name(arn: str) -> str:
    return arn.rpartition(":")[2].rpartition("/")[2]


def _from_queue(message: Mapping[str, Any], source: str, owners: Sequence[Owner]) -> DeadLetter:
    limit = next((owner.attempts for owner in owners if owner.arn == source), None)
    reason = f"received {limit} times (maxReceiveCount) and never deleted" if limit else "received too often"
    return DeadLetter(
        message["MessageId"],
        f"queue {_name(source)}",
        reason,
        str(limit or "unknown"),
        message["Body"],
        _sent(message),
    )


def _from_target(message: Mapping[str, Any], attributes: Mapping[str, str]) -> DeadLetter:
    rule = attributes.get("RULE_ARN")
    schedule = attributes.get("SCHEDULE_ARN")
    owner = f"rule {_name(rule)}" if rule else f"schedule {_name(schedule)}" if schedule else "a target"
    target = attributes.get("TARGET_ARN", "")
    retries = attributes.get("RETRY_ATTEMPTS", "0")
    reason = f"{attributes.get('ERROR_CODE', 'unknown')}: {attributes.get('ERROR_MESSAGE', '')}".rstrip(": ")
    return DeadLetter(
        message["MessageId"],
        owner,
        reason,
        str(int(retries) + 1) if retries.isdigit() else retries,
        message["Body"],
        _sent(message),
        Redelivery(target, message["Body"]) if target else None,
    )


def _invocation_record(body: str) -> dict[str, Any] | None:
    """The record that a function's failure destination gets, if `body` is one."""
    try:
        record = json.loads(body)
    except ValueError:
        return None
    if isinstance(record, dict) and isinstance(record.get("requestContext"), dict) and "requestPayload" in record:
        return record
    return None


def _from_destination(message: Mapping[str, Any], record: Mapping[str, Any]) -> DeadLetter:
    context = record["requestContext"]
    answer = record.get("responsePayload")
    condition = context.get("condition", "failed")
    reason = condition
    if isinstance(answer, dict) and answer.get("errorMessage"):
        reason = f"{answer.get('errorType', 'Error')}: {answer['errorMessage']} ({condition})"
    arn = str(context.get("functionArn", ""))
    return DeadLetter(
        message["MessageId"],
        f"function {arn.partition(':function:')[2].partition(':')[0]}",
        reason,
        str(context.get("approximateInvokeCount", "unknown")),
        json.dumps(record["requestPayload"]),
        _sent(message),
        Redelivery(arn, json.dumps(record["requestPayload"])) if arn else None,
    )


def _from_function(message: Mapping[str, Any], attributes: Mapping[str, str], owners: Sequence[Owner]) -> DeadLetter:
    functions = [owner for owner in owners if owner.kind is OwnerKind.FUNCTION]
    one = functions[0] if len(functions) == 1 else None
    return DeadLetter(
        message["MessageId"],
        str(one) if one else "a function",
        attributes.get("ErrorMessage") or f"error {attributes['ErrorCode']}",
        str(one.attempts if one and one.attempts else "unknown"),
        message["Body"],
        _sent(message),
        Redelivery(one.arn, message["Body"]) if one else None,
    )


def _notification(body: str) -> dict[str, Any] | None:
    """The notification of a topic, if `body` is one."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("Type") == "Notification" and "TopicArn" in found else None


def _topic_of(body: str, owners: Sequence[Owner]) -> Owner | None:
    """The subscription that a message was for: a notification names it; a raw message is of the only one there is."""
    topics = [owner for owner in owners if owner.kind is OwnerKind.TOPIC]
    found = _notification(body)
    if found is not None:
        subscription = str(found.get("UnsubscribeURL", "")).rpartition("SubscriptionArn=")[2]
        return next((owner for owner in topics if owner.arn == subscription), None)
    others = [owner for owner in owners if owner.kind is OwnerKind.FUNCTION]
    return topics[0] if len(topics) == 1 and not others else None


def _from_topic(message: Mapping[str, Any], attributes: Mapping[str, str], topic: Owner) -> DeadLetter:
    """A raw message cannot be given again: its attributes would be lost."""
    found = _notification(message["Body"])
    service = topic.endpoint.split(":")[2] if topic.endpoint.startswith("arn:") else ""
    again = None
    if found is not None and service == "sqs":
        again = Redelivery(topic.endpoint, message["Body"])
    elif found is not None and service == "lambda":
        again = Redelivery(topic.endpoint, json.dumps(_event(found, topic.arn)))
    reason = f"{attributes['ErrorCode']}: {attributes.get('ErrorMessage', '')}".rstrip(": ")
    return DeadLetter(message["MessageId"], str(topic), reason, "unknown", message["Body"], _sent(message), again)


def _event(notification: Mapping[str, Any], subscription: str) -> dict[str, Any]:
    """What a function is invoked with for a notification."""
    names = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
    record: dict[str, Any] = {"Subject": None, "MessageAttributes": {}}
    record |= {names.get(name, name): value for name, value in notification.items()}
    about = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription}
    return {"Records": [{**about, "Sns": record}]}
