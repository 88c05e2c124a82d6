"""How what topics send is delivered: to queues and functions by the API call that fits, to web servers by POST.

Sources: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html,
https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html (headers, 15 seconds),
https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn
from fogbank.core.http.client import HttpError, HttpTimeoutError, send
from fogbank.delivery import Attempt, Failure, Message, PermanentError
from fogbank.delivery.message import RetryLaterError
from fogbank.delivery.targets import DEAD_LETTER_POLICY, TargetRoute
from fogbank.services.sns._envelopes import notification_of
from fogbank.services.sns._metrics import TopicMetrics
from fogbank.services.sns._retries import web_policy
from fogbank.services.sns._sending import OWN_POLICY, SUBSCRIPTION, TARGET, TOPIC, TOPIC_POLICY
from fogbank.storage import Tx
from fogbank.telemetry.usage import Use

if TYPE_CHECKING:
    from fogbank.services.kit import Kit

DEAD_LETTER = "sns.dead-letter"
TIMEOUT = 15.0
LIMIT = 1_048_576
"""Bytes of an answer that are read."""
_MAX_ATTRIBUTES = 10
_AGENT = "Amazon Simple Notification Service Agent"
_KEPT = 2_000


class SubscriptionRoute(TargetRoute):
    """Delivers to queues and functions, and counts."""

    def __init__(self, kit: Kit, counts: TopicMetrics) -> None:
        super().__init__(kit.cloud, kit.delivery, kit.clock)
        self.kit = kit
        self.counts = counts

    async def join(self, tx: Tx, message: Message) -> bool:
        """Send to a queue within the publisher's transaction."""
        joined = await super().join(tx, message)
        if joined:
            topic = message.dead_letter_attributes[TOPIC]
            tx.after_commit(lambda: self.counts.delivered(topic))
        return joined

    async def attempt(self, attempt: Attempt) -> Any:
        message = attempt.message
        given = message.parameters
        if "MessageAttributes" in given:
            parameters = {**given, "MessageAttributes": _binaries(given["MessageAttributes"])}
            attempt = replace(attempt, message=replace(message, parameters=parameters))
        reply = await self.deliver(attempt)
        self.counts.delivered(message.dead_letter_attributes[TOPIC])
        return reply

    async def deliver(self, attempt: Attempt) -> Any:
        """Try once."""
        return await super().attempt(attempt)

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        """Count the failure; send what could not be delivered to the dead-letter queue, if there is one."""
        message = attempt.message
        self.counts.failed(message.dead_letter_attributes[TOPIC])
        if message.dead_letter is not None:
            await self._delivery.enqueue(tx, _dead_letter(message, failure, self.kit.ids.uuid()))


class WebRoute(SubscriptionRoute):
    """Delivers to web servers."""

    def __init__(self, kit: Kit, counts: TopicMetrics) -> None:
        super().__init__(kit, counts)
        self._slots: OrderedDict[str, float] = OrderedDict()

    async def join(self, tx: Tx, message: Message) -> bool:  # noqa: ARG002
        """A web server is never called within a transaction."""
        return False

    async def deliver(self, attempt: Attempt) -> Any:
        message = attempt.message
        carried = message.dead_letter_attributes
        policy = web_policy(carried[TOPIC_POLICY], carried[OWN_POLICY])
        if policy.rate:
            await self._take_turn(carried[SUBSCRIPTION], policy.rate)
        headers = [("Content-Type", policy.content_type), ("User-Agent", _AGENT)]
        headers += message.parameters["headers"].items()
        try:
            reply = await send(
                "POST", message.target, headers, message.payload, within=TIMEOUT, limit=LIMIT, clear=True
            )
        except HttpTimeoutError as error:
            raise RetryLaterError("TIMEOUT", str(error)) from None
        except HttpError as error:
            raise RetryLaterError("CONNECTION_FAILURE", str(error)) from None
        topic = carried[TOPIC]
        self.kit.usage.add(message.scope, message.trace.root, (Use("sns.http-notifications", topic, 1),))
        _check(reply.status)

    async def _take_turn(self, subscription: str, rate: int) -> None:
        """Wait until the throttle lets another call go."""
        clock = self.kit.clock
        now = clock.time()
        turn = max(now, self._slots.get(subscription, 0.0))
        self._slots[subscription] = turn + 1 / rate
        self._slots.move_to_end(subscription)
        if len(self._slots) > _KEPT:
            self._slots.popitem(last=False)
        if turn > now:
            await clock.sleep_until(turn)


class DeadLetterRoute(TargetRoute):
    """Delivers to dead-letter queues, and counts."""

    def __init__(self, kit: Kit, counts: TopicMetrics) -> None:
        super().__init__(kit.cloud, kit.delivery, kit.clock)
        self._counts = counts

    async def join(self, tx: Tx, message: Message) -> bool:
        """Send within the transaction that gives the message up."""
        joined = await super().join(tx, message)
        if joined:
            self._counts.redriven(message.dead_letter_attributes[TOPIC], arrived=True)
        return joined

    async def attempt(self, attempt: Attempt) -> Any:
        message = attempt.message
        parameters = {**message.parameters, "MessageAttributes": _binaries(message.parameters["MessageAttributes"])}
        reply = await super().attempt(replace(attempt, message=replace(message, parameters=parameters)))
        self._counts.redriven(message.dead_letter_attributes[TOPIC], arrived=True)
        return reply

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:  # noqa: ARG002
        """It is lost; that is counted."""
        self._counts.redriven(attempt.message.dead_letter_attributes[TOPIC], arrived=False)


def _check(status: int) -> None:
    """Raise what an answer's status asks for: what the caller must mend is not tried again, but for 429."""
    if 200 <= status < 300:
        return
    text = f"The endpoint answered with status {status}"
    if status == 429 or status < 200 or status >= 500:
        raise RetryLaterError(str(status), text)
    raise PermanentError(str(status), text)


def _binaries(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Binary attributes as bytes: in the outbox's table they are base64."""
    return {
        name: {**value, "BinaryValue": base64.b64decode(value["BinaryValue"])}
        if isinstance(value.get("BinaryValue"), str)
        else value
        for name, value in attributes.items()
    }


def _dead_letter(message: Message, failure: Failure, request_id: str) -> Message:
    """What goes to the dead-letter queue: what a queue would have got, and why it is there where there is room."""
    assert message.dead_letter is not None, "asked for only where there is a queue"
    payload = message.payload
    if message.route == TARGET and Arn.parse(message.target).service == "lambda":
        payload = notification_of(payload)
    why = {"RequestID": request_id, "ErrorCode": failure.code, "ErrorMessage": failure.message or failure.code}
    attributes = dict(message.parameters.get("MessageAttributes", {}))
    if len(attributes) + len(why) <= _MAX_ATTRIBUTES:
        attributes |= {name: {"DataType": "String", "StringValue": value} for name, value in why.items()}
    parameters: dict[str, Any] = {"MessageAttributes": attributes}
    if message.dead_letter.endswith(".fifo"):
        parameters |= {name: message.parameters[name] for name in _ORDER if name in message.parameters}
        parameters.setdefault("MessageDeduplicationId", request_id)
    return Message(
        target=message.dead_letter,
        payload=payload,
        scope=message.scope,
        trace=message.trace,
        route=DEAD_LETTER,
        source=message.source,
        policy=DEAD_LETTER_POLICY,
        parameters=parameters,
        dead_letter_attributes=message.dead_letter_attributes,
    )


_ORDER = ("MessageGroupId", "MessageDeduplicationId")
