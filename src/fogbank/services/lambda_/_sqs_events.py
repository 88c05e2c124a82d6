"""The event that an SQS mapping hands to its function, and what the answer says of each message. Pure functions.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fogbank.core.arn import Arn
from fogbank.core.patterns import Pattern

Received = Mapping[str, Any]
"""A message as ReceiveMessage answers it."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def record(message: Received, source: Arn) -> dict[str, Any]:
    """One record of the event."""
    shown: dict[str, Any] = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
    }
    if "MD5OfMessageAttributes" in message:
        shown["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    shown["md5OfBody"] = message["MD5OfBody"]
    shown["eventSource"] = "aws:sqs"
    shown["eventSourceARN"] = str(source)
    shown["awsRegion"] = source.region
    return shown


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if value.get("StringValue") is not None:
        shown["stringValue"] = value["StringValue"]
    if value.get("BinaryValue") is not None:
        shown["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return {**shown, "stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}


def event(messages: Sequence[Received], source: Arn) -> bytes:
    """The event of a batch."""
    return _encode({"Records": [record(message, source) for message in messages]})


def matches(patterns: Sequence[Pattern], message: Received, source: Arn) -> bool:
    """Whether a message passes a mapping's filters: any of them; all messages pass where there are none."""
    if not patterns:
        return True
    shown = record(message, source)
    try:
        shown["body"] = _decode(message["Body"])
    except msgspec.DecodeError:
        shown["body"] = message["Body"]
    return any(pattern.matches(shown) for pattern in patterns)


def succeeded(messages: Sequence[Received], answer: bytes, *, partial: bool) -> list[Received]:
    """The messages that are done with: all of them, or with partial batch responses those not named as failed.

    An answer that names a message which is not in the batch, or that is not of the documented form, fails them all.
    """
    if not partial:
        return list(messages)
    failed = failed_items(answer)
    if failed is None:
        return []
    known = {message["MessageId"] for message in messages}
    if not failed <= known:
        return []
    return [message for message in messages if message["MessageId"] not in failed]


def failed_items(answer: bytes) -> set[str] | None:
    """The identifiers of failed messages; `None` where the answer means nothing good."""
    try:
        found = _decode(answer or b"null")
    except msgspec.DecodeError:
        return None
    if found is None or found == {}:
        return set()
    if not isinstance(found, dict):
        return set()
    failures = found.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return None
    identifiers = set()
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, str) or not identifier:
            return None
        identifiers.add(identifier)
    return identifiers
