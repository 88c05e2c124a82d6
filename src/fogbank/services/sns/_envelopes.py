"""What endpoints get: the notification as JSON text, the event of a function, and the texts that are signed.

Sources: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html,
https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from fogbank.services.sns._messages import Attributes, Publication
from fogbank.services.sns.model import Subscription, Topic

_encode = msgspec.json.Encoder().encode
Sign = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a message is told by beside what was published: id, time, signer. `endpoint` is the server's URL."""

    message_id: str
    timestamp: str
    endpoint: str
    version: str = "1"
    certificate_url: str = ""
    sequence: str | None = None

    def unsubscribe_url(self, subscription: Subscription) -> str:
        """What ends a subscription when it is visited."""
        return f"{self.endpoint}/?Action=Unsubscribe&SubscriptionArn={subscription.arn}"


def timestamp(now: float) -> str:
    """A moment as SNS writes it: `2012-03-29T05:12:16.901Z`."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text_to_sign(fields: Mapping[str, str | None], names: tuple[str, ...]) -> str:
    """Names and values, a line each; those that are absent are left out."""
    return "".join(f"{name}\n{fields[name]}\n" for name in names if fields.get(name) is not None)


NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def to_sign(topic: Topic, publication: Publication, stamp: Stamp, body: str) -> str:
    """The text of a notification that is signed."""
    fields = {
        "Message": body,
        "MessageId": stamp.message_id,
        "Subject": publication.subject,
        "Timestamp": stamp.timestamp,
        "TopicArn": topic.arn,
        "Type": "Notification",
    }
    return text_to_sign(fields, NOTIFICATION)


def notification(
    topic: Topic, publication: Publication, stamp: Stamp, subscription: Subscription, body: str, signature: str
) -> bytes:
    """The JSON text that queues and web servers get."""
    fields: dict[str, Any] = {"Type": "Notification", "MessageId": stamp.message_id}
    if stamp.sequence is not None:
        fields["SequenceNumber"] = stamp.sequence
    fields["TopicArn"] = topic.arn
    if publication.subject is not None:
        fields["Subject"] = publication.subject
    fields |= {
        "Message": body,
        "Timestamp": stamp.timestamp,
        "SignatureVersion": stamp.version,
        "Signature": signature,
        "SigningCertURL": stamp.certificate_url,
        "UnsubscribeURL": stamp.unsubscribe_url(subscription),
    }
    return render(fields, publication.attributes)


def render(fields: Mapping[str, Any], attributes: Attributes | None = None) -> bytes:
    """A document as SNS lays it out: a line for each member, and for each attribute."""
    lines = [b'  "%s" : %s' % (name.encode(), _encode(value)) for name, value in fields.items()]
    if attributes:
        inner = b",\n".join(
            b"    %s : %s" % (_encode(name), _encode(value)) for name, value in shown(attributes).items()
        )
        lines.append(b'  "MessageAttributes" : {\n%s\n  }' % inner)
    return b"{\n%s\n}" % b",\n".join(lines)


def shown(attributes: Attributes) -> dict[str, dict[str, str]]:
    """Attributes as a notification has them: Binary in base64."""
    return {
        name: {
            "Type": value.data_type,
            "Value": base64.b64encode(value.data).decode() if value.data is not None else value.text or "",
        }
        for name, value in attributes.items()
    }


def function_event(
    topic: Topic, publication: Publication, stamp: Stamp, subscription: Subscription, body: str, signature: str
) -> bytes:
    """What a function is invoked with."""
    record = {
        "Type": "Notification",
        "MessageId": stamp.message_id,
        "TopicArn": topic.arn,
        "Subject": publication.subject,
        "Message": body,
        "Timestamp": stamp.timestamp,
        "SignatureVersion": stamp.version,
        "Signature": signature,
        "SigningCertUrl": stamp.certificate_url,
        "UnsubscribeUrl": stamp.unsubscribe_url(subscription),
        "MessageAttributes": shown(publication.attributes),
    }
    about = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription.arn}
    return _encode({"Records": [{**about, "Sns": record}]})


def notification_of(event: bytes) -> bytes:
    """The notification that a function's event was made of: what its dead-letter queue gets."""
    record = msgspec.json.decode(event)["Records"][0]["Sns"]
    names = {"SigningCertUrl": "SigningCertURL", "UnsubscribeUrl": "UnsubscribeURL"}
    attributes = record.pop("MessageAttributes")
    fields = {names.get(name, name): value for name, value in record.items() if value is not None}
    if attributes:
        fields["MessageAttributes"] = attributes
    return render(fields)


def invitation(topic: Topic, subscription: Subscription, stamp: Stamp, sign: Sign) -> bytes:
    """What asks an endpoint to confirm its subscription."""
    return _handshake(
        topic, subscription, stamp, sign, "SubscriptionConfirmation",
        f"You have chosen to subscribe to the topic {topic.arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message.",
    )  # fmt: skip


def farewell(topic: Topic, subscription: Subscription, stamp: Stamp, sign: Sign) -> bytes:
    """What tells an endpoint that its subscription has ended, and how to renew it."""
    return _handshake(
        topic, subscription, stamp, sign, "UnsubscribeConfirmation",
        f"You have chosen to deactivate subscription {subscription.arn}.\n"
        "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message.",
    )  # fmt: skip


def _handshake(topic: Topic, subscription: Subscription, stamp: Stamp, sign: Sign, kind: str, text: str) -> bytes:
    token = subscription.token
    query = f"Action=ConfirmSubscription&TopicArn={quote(topic.arn, safe=':')}&Token={token}"
    fields: dict[str, str] = {
        "Type": kind,
        "MessageId": stamp.message_id,
        "Token": token,
        "TopicArn": topic.arn,
        "Message": text,
        "SubscribeURL": f"{stamp.endpoint}/?{query}",
        "Timestamp": stamp.timestamp,
        "SignatureVersion": stamp.version,
    }
    signature = sign(text_to_sign(fields, CONFIRMATION))
    return render({**fields, "Signature": signature, "SigningCertURL": stamp.certificate_url})
