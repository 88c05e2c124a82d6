"""What the tests of SNS share: topics, subscriptions, what arrives in queues, and its signature."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@contextmanager
def refused(code: str, message: str = "") -> Iterator[None]:
    """What is done within is refused with this code, and this message where one is given."""
    with pytest.raises(ClientError) as info:
        yield
    error = info.value.response["Error"]
    assert error["Code"] == code
    assert error["Message"] == (message or error["Message"])


def queue(sqs: Any, name: str = "q") -> tuple[str, str]:
    """A queue's URL and ARN."""
    fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    url = sqs.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:000000000000:{name}"


def topic(sns: Any, name: str = "t", **attributes: str) -> str:
    """A topic's ARN."""
    if name.endswith(".fifo"):
        attributes["FifoTopic"] = "true"
    return str(sns.create_topic(Name=name, Attributes=attributes)["TopicArn"])


def subscribe(sns: Any, topic_arn: str, target: str, protocol: str = "sqs", **attributes: str) -> str:
    """A subscription's ARN."""
    reply = sns.subscribe(
        TopicArn=topic_arn, Protocol=protocol, Endpoint=target, Attributes=attributes, ReturnSubscriptionArn=True
    )
    return str(reply["SubscriptionArn"])


def received(sqs: Any, url: str) -> list[dict[str, Any]]:
    """All messages of a queue, with what they carry."""
    reply = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )
    return list(reply.get("Messages", []))


def bodies(sqs: Any, url: str) -> list[str]:
    return [message["Body"] for message in received(sqs, url)]


def verify(server_url: str, document: dict[str, Any], *names: str) -> None:
    """Check a message's signature as AWS's documentation tells receivers to do."""
    assert document["SigningCertURL"].startswith(f"{server_url}/_fogbank/sns/SimpleNotificationService-")
    with urllib.request.urlopen(document["SigningCertURL"], timeout=10) as reply:
        certificate = x509.load_pem_x509_certificate(reply.read())
    text = "".join(f"{name}\n{document[name]}\n" for name in names if name in document)
    kind = {"1": hashes.SHA1(), "2": hashes.SHA256()}[document["SignatureVersion"]]
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(base64.b64decode(document["Signature"]), text.encode(), padding.PKCS1v15(), kind)
