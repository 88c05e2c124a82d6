"""From a publication to the messages that bring it to those who subscribed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fogbank.core.trace import Trace
from fogbank.delivery import Message
from fogbank.services.sns._envelopes import Stamp, function_event, notification, to_sign
from fogbank.services.sns._filters import Verdict
from fogbank.services.sns._messages import Attributes, Publication
from fogbank.services.sns._topics import Audience, Subscriber
from fogbank.services.sns.model import Protocol, Subscription, Topic

TARGET = "sns.target"
WEB = "sns.http"
PRINCIPAL = "sns.amazonaws.com"
SUBSCRIPTION, TOPIC, TOPIC_POLICY, OWN_POLICY = "SUBSCRIPTION", "TOPIC", "TOPIC_POLICY", "OWN_POLICY"
"""What a message carries for its route: `dead_letter_attributes` of its own, which are not sent."""

Judged = Callable[[Verdict], None]
Sign = Callable[[str], str]


class Sender:
    """Makes the messages of one publication; a text is signed once."""

    def __init__(self, audience: Audience, publication: Publication, stamp: Stamp, sign: Sign) -> None:
        self._topic = audience.topic
        self._publication = publication
        self._stamp = stamp
        self._sign = sign
        self._signed: dict[str, str] = {}

    def message(self, subscriber: Subscriber, trace: Trace) -> Message:
        """What goes to one subscriber."""
        subscription = subscriber.subscription
        protocol = subscription.protocol
        body = self._publication.body_for(protocol)
        return Message(
            target=subscription.endpoint,
            payload=self._payload(subscription, body),
            scope=self._topic.key.scope,
            trace=trace,
            route=WEB if protocol.is_web else TARGET,
            source=PRINCIPAL,
            parameters=self._web_parameters(subscription) if protocol.is_web else self._parameters(subscription),
            policy=subscriber.policy,
            dead_letter=subscriber.dead_letter,
            dead_letter_attributes=carried(self._topic, subscription),
        )

    def _payload(self, subscription: Subscription, body: str) -> bytes:
        if subscription.raw:
            return body.encode()
        signature = self._signed.get(body)
        if signature is None:
            signature = self._sign(to_sign(self._topic, self._publication, self._stamp, body))
            self._signed[body] = signature
        make = function_event if subscription.protocol is Protocol.LAMBDA else notification
        return make(self._topic, self._publication, self._stamp, subscription, body, signature)

    def _parameters(self, subscription: Subscription) -> dict[str, Any]:
        """What a queue gets beside the body; a function gets nothing."""
        if subscription.protocol is not Protocol.SQS:
            return {}
        found: dict[str, Any] = {}
        publication = self._publication
        if subscription.raw and publication.attributes:
            found["MessageAttributes"] = queue_attributes(publication.attributes)
        if publication.group is not None:
            found["MessageGroupId"] = publication.group
        if publication.deduplication is not None and subscription.endpoint.endswith(".fifo"):
            found["MessageDeduplicationId"] = publication.deduplication
        return found

    def _web_parameters(self, subscription: Subscription) -> dict[str, Any]:
        return web_parameters("Notification", self._stamp.message_id, self._topic, subscription)


def judge(audience: Audience, publication: Publication, judged: Judged) -> list[Subscriber]:
    """Those whose filter lets a publication through; `judged` is told of the others."""
    found = []
    for subscriber in audience.subscribers:
        if subscriber.filter is not None:
            body = publication.body_for(subscriber.subscription.protocol)
            verdict = subscriber.filter(publication.attributes, body)
            if verdict is not Verdict.PASSES:
                judged(verdict)
                continue
        found.append(subscriber)
    return found


def signs(subscribers: list[Subscriber]) -> bool:
    """Whether any of them gets a text that is signed."""
    return any(not subscriber.subscription.raw for subscriber in subscribers)


def carried(topic: Topic, subscription: Subscription) -> dict[str, str]:
    """What a message carries for its route."""
    found = {TOPIC: topic.arn, SUBSCRIPTION: subscription.arn}
    if subscription.protocol.is_web:
        found[TOPIC_POLICY] = topic.attributes.get("DeliveryPolicy", "")
        found[OWN_POLICY] = subscription.attributes.get("DeliveryPolicy", "")
    return found


def web_parameters(kind: str, message_id: str, topic: Topic, subscription: Subscription) -> dict[str, Any]:
    """The headers that web servers get."""
    headers = {"x-amz-sns-message-type": kind, "x-amz-sns-message-id": message_id, "x-amz-sns-topic-arn": topic.arn}
    if kind != "SubscriptionConfirmation":
        headers["x-amz-sns-subscription-arn"] = subscription.arn
    if kind == "Notification" and subscription.raw:
        headers["x-amz-sns-rawdelivery"] = "true"
    return {"headers": headers}


def queue_attributes(attributes: Attributes) -> dict[str, dict[str, Any]]:
    """Attributes as SendMessage takes them. `String.Array` is a `String` to a queue."""
    return dict(_queue_attributes(attributes))


def _queue_attributes(attributes: Attributes) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in attributes.items():
        if value.data is not None:
            yield name, {"DataType": value.data_type, "BinaryValue": value.data}
        else:
            yield name, {"DataType": value.data_type, "StringValue": value.text}
