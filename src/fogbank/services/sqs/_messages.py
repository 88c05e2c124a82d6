"""What a producer sends: bodies, message attributes, their checks, sizes and digests.

Sources: SendMessage and MessageAttributeValue in the service model;
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html (names, types and
the MD5 of message attributes).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from fogbank.core.message_attributes import name_problem
from fogbank.services.sqs._attributes import MAXIMUM_VISIBILITY_TIMEOUT
from fogbank.services.sqs.errors import (
    BatchEntryIdsNotDistinctError,
    EmptyBatchRequestError,
    InvalidBatchEntryIdError,
    InvalidMessageContentsError,
    InvalidParameterValueError,
    MissingParameterError,
    TooManyEntriesInBatchRequestError,
    invalid_value,
)

MAXIMUM_BATCH = 10
"""Entries of a batch, and messages of one ReceiveMessage."""
MAXIMUM_ATTRIBUTES = 10

_ALLOWED_ASCII = bytes([0x09, 0x0A, 0x0D, *range(0x20, 0x80)])
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TOKEN = re.compile(r"[\x21-\x7e]{1,128}")
_BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ALL = frozenset({"All", ".*", "*"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Attribute(msgspec.Struct, frozen=True, array_like=True):
    """A message attribute as it is kept: its type, and its text or its bytes."""

    data_type: str
    text: str | None = None
    data: bytes | None = None

    @property
    def shape(self) -> dict[str, Any]:
        """The attribute as the service model has it."""
        if self.data is not None:
            return {"BinaryValue": self.data, "DataType": self.data_type}
        return {"StringValue": self.text, "DataType": self.data_type}


Attributes = dict[str, Attribute]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Attributes).decode


def pack_attributes(attributes: Attributes) -> bytes | None:
    """Message attributes as they are stored; `None` for none."""
    return _encode(attributes) if attributes else None


def unpack_attributes(stored: bytes) -> Attributes:
    """The inverse of `pack_attributes`."""
    return _decode(stored)


# -- bodies --------------------------------------------------


def check_body(body: str) -> bytes:
    """A body in UTF-8; refuses an empty one and characters that XML 1.0 does not have."""
    if not body:
        raise MissingParameterError("MessageBody")
    if body.isascii():
        raw = body.encode()
        # Deleting what is allowed costs a sixth of a search by regular expression.
        if not raw.translate(None, _ALLOWED_ASCII):
            return raw
    found = _FORBIDDEN.search(body)
    if found is not None:
        raise _forbidden(found[0], "message body")
    return body.encode()


def _forbidden(character: str, where: str) -> InvalidMessageContentsError:
    return InvalidMessageContentsError(
        f"Invalid binary character '#x{ord(character):X}' was found in the {where}, the set of allowed characters is "
        "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."
    )


def md5(data: bytes) -> str:
    """The hexadecimal MD5 digest: what the service's replies carry, no security hangs on it."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


# -- message attributes --------------------------------------------------


def check_message_attributes(given: Mapping[str, Mapping[str, Any]]) -> tuple[Attributes, int]:
    """A message's attributes, and their size in bytes (names, types and values)."""
    if len(given) > MAXIMUM_ATTRIBUTES:
        raise InvalidParameterValueError(
            f"Number of message attributes [{len(given)}] exceeds the allowed maximum [{MAXIMUM_ATTRIBUTES}]."
        )
    attributes: Attributes = {}
    size = 0
    for name, value in given.items():
        problem = name_problem(name)
        if problem is not None:
            raise InvalidParameterValueError(problem)
        attribute = _check_value(name, value, "message (user) attribute")
        attributes[name] = attribute
        size += len(name) + len(attribute.data_type.encode()) + len(_raw(attribute))
    return attributes, size


def check_system_attributes(given: Mapping[str, Mapping[str, Any]]) -> Attributes:
    """A message's system attributes: `AWSTraceHeader` is the only one; its size is not counted."""
    attributes = {}
    for name, value in given.items():
        if name != "AWSTraceHeader":
            raise InvalidParameterValueError(
                f"Message system attribute name '{name}' is invalid. You must use only the following supported "
                "message system attribute names: AWSTraceHeader."
            )
        attribute = _check_value(name, value, "message system attribute")
        if attribute.data_type != "String":
            raise InvalidParameterValueError(
                f"The type of message system attribute '{name}' is invalid. You must use only the String type."
            )
        attributes[name] = attribute
    return attributes


def _check_value(name: str, value: Mapping[str, Any], what: str) -> Attribute:
    if value.get("StringListValues") or value.get("BinaryListValues"):
        raise InvalidParameterValueError("Message attribute list values in SendMessage operation are not supported.")
    data_type = value.get("DataType") or ""
    if not data_type:
        raise InvalidParameterValueError(f"The {what} '{name}' must contain non-empty message attribute type.")
    kind = data_type.partition(".")[0]
    if kind not in {"String", "Number", "Binary"}:
        raise InvalidParameterValueError(
            f"The type of {what} '{name}' is invalid. You must use only the following supported type prefixes: "
            "Binary, Number, String."
        )
    if len(data_type) > 256:
        raise InvalidParameterValueError(f"The length of the type of {what} '{name}' must be at most 256 characters.")
    if _FORBIDDEN.search(data_type):
        raise InvalidParameterValueError(f"The type of {what} '{name}' contains characters that are not allowed.")
    text, data = value.get("StringValue"), value.get("BinaryValue")
    wanted, other = (data, text) if kind == "Binary" else (text, data)
    if other and wanted:
        raise InvalidParameterValueError(f"{_subject(what, name)} has multiple values.")
    if not wanted:
        raise InvalidParameterValueError(f"{_subject(what, name)} must contain a non-empty value of type '{kind}'.")
    if kind == "Binary":
        return Attribute(data_type, None, wanted)
    return Attribute(data_type, _check_text(wanted, name, kind, what))


def _subject(what: str, name: str) -> str:
    return f"{what[0].upper()}{what[1:]} '{name}'"


def _check_text(text: str, name: str, kind: str, what: str) -> str:
    found = _FORBIDDEN.search(text)
    if found is not None:
        raise _forbidden(found[0], f"{what} '{name}'")
    if kind == "Number" and not _NUMBER.fullmatch(text.strip()):
        raise InvalidParameterValueError(f"Could not cast {what} '{name}' value to number.")
    return text


def _raw(attribute: Attribute) -> bytes:
    return attribute.data if attribute.data is not None else (attribute.text or "").encode()


def attributes_md5(attributes: Attributes) -> str | None:
    """The MD5 digest of message attributes; `None` for none.

    In the order of their names each contributes name, type, one byte for the kind of value (1 text, 2 bytes) and value;
    all but the byte behind their length in four bytes.
    """
    if not attributes:
        return None
    parts: list[bytes] = []
    for name in sorted(attributes):
        attribute = attributes[name]
        value = _raw(attribute)
        parts += (
            _type_prefix(name, attribute.data_type),
            b"\x01" if attribute.data is None else b"\x02",
            len(value).to_bytes(4, "big"),
            value,
        )
    return md5(b"".join(parts))


@lru_cache(maxsize=1024)
def _type_prefix(name: str, data_type: str) -> bytes:
    """What an attribute's name and type add to the digest; producers use few of them."""
    raw_name, raw_type = name.encode(), data_type.encode()
    return b"".join((len(raw_name).to_bytes(4, "big"), raw_name, len(raw_type).to_bytes(4, "big"), raw_type))


def select_attributes(attributes: Attributes, wanted: Sequence[str]) -> Attributes:
    """The attributes that a consumer asks for: by name, by prefix (`bar.*`), or all (`All`, `.*`, `*`)."""
    if not _ALL.isdisjoint(wanted):
        return attributes
    names = frozenset(wanted)
    prefixes = tuple(name[:-2] for name in wanted if name.endswith(".*"))
    return {
        name: value for name, value in attributes.items() if name in names or (prefixes and name.startswith(prefixes))
    }


# -- the other parameters --------------------------------------------------


def check_token(parameter: str, value: str) -> str:
    """A message group id, deduplication id or receive request attempt id."""
    if not _TOKEN.fullmatch(value):
        raise InvalidParameterValueError(
            f"Value {value} for parameter {parameter} is invalid. "
            f"Reason: {parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."
        )
    return value


def check_delay(seconds: int) -> int:
    """A message's delay in seconds."""
    if not 0 <= seconds <= 900:
        raise invalid_value("DelaySeconds", seconds, "DelaySeconds must be >= 0 and <= 900.")
    return seconds


def check_receive(maximum: int | None, visibility: int | None, wait: int | None) -> None:
    """The numbers of a ReceiveMessage."""
    if maximum is not None and not 1 <= maximum <= MAXIMUM_BATCH:
        raise invalid_value("MaxNumberOfMessages", maximum, "Must be between 1 and 10, if provided.")
    if visibility is not None and not 0 <= visibility <= MAXIMUM_VISIBILITY_TIMEOUT:
        raise invalid_value("VisibilityTimeout", visibility, "Must be >= 0 and <= 43200, if provided.")
    if wait is not None and not 0 <= wait <= 20:
        raise invalid_value("WaitTimeSeconds", wait, "Must be >= 0 and <= 20, if provided.")


def check_visibility(seconds: int) -> int:
    """A new visibility timeout in seconds."""
    if not 0 <= seconds <= MAXIMUM_VISIBILITY_TIMEOUT:
        raise invalid_value("VisibilityTimeout", seconds, "Must be between 0 and 43200.")
    return seconds


def check_batch(entries: Sequence[Mapping[str, Any]], entry_type: str) -> None:
    """What makes a batch unacceptable as a whole: its number of entries and their ids."""
    if not entries:
        raise EmptyBatchRequestError(entry_type)
    if len(entries) > MAXIMUM_BATCH:
        raise TooManyEntriesInBatchRequestError(len(entries))
    seen = set()
    for entry in entries:
        entry_id = entry.get("Id", "")
        if not _BATCH_ID.fullmatch(entry_id):
            raise InvalidBatchEntryIdError
        if entry_id in seen:
            raise BatchEntryIdsNotDistinctError(entry_id)
        seen.add(entry_id)
