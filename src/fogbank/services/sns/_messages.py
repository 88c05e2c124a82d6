"""What is published: whether it is in order, and what each protocol gets of it.

Sources: Publish and PublishBatch in the service model;
https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fogbank.core.message_attributes import name_problem
from fogbank.services.sns.errors import (
    BatchEntryIdsNotDistinctError,
    EmptyBatchRequestError,
    InvalidBatchEntryIdError,
    InvalidParameterError,
    InvalidValueError,
    TooManyEntriesInBatchRequestError,
    UnorderedError,
)
from fogbank.services.sns.model import MAXIMUM_ENTRIES, Protocol, Topic

_TOKEN = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KINDS = frozenset({"String", "Number", "Binary"})


class Attribute(NamedTuple):
    """A message attribute: `text`, or `data` of the type Binary."""

    data_type: str
    text: str | None
    data: bytes | None

    @property
    def size(self) -> int:
        """Bytes of its type and its value."""
        value = self.data if self.data is not None else (self.text or "").encode()
        return len(self.data_type) + len(value)


Attributes = Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class Publication:
    """A message that may be published. `bodies` are those of single protocols; the others get `body`."""

    body: str
    subject: str | None
    attributes: Attributes
    group: str | None
    deduplication: str | None
    size: int
    bodies: Mapping[str, str] = field(default_factory=dict)

    def body_for(self, protocol: Protocol) -> str:
        """What a protocol's endpoints get."""
        return self.bodies.get(protocol, self.body) if self.bodies else self.body


def check_publication(topic: Topic, request: Mapping[str, Any]) -> Publication:
    """A message, or an entry of a batch; `InvalidParameterError` and `InvalidValueError` say what is wrong."""
    text = request["Message"]
    if not text:
        raise InvalidParameterError("Empty message")
    subject = request.get("Subject")
    if subject is not None:
        _check_subject(subject)
    attributes = check_attributes(request.get("MessageAttributes") or {})
    size = _length(text) + sum(_length(name) + value.size for name, value in attributes.items())
    if size > topic.maximum_message:
        raise InvalidParameterError("Message too long")
    structure = request.get("MessageStructure")
    bodies = {} if structure is None else _bodies(text, structure)
    body = bodies.pop("default") if bodies else text
    group, deduplication = _order(topic, request, text)
    return Publication(body, subject, attributes, group, deduplication, size, bodies)


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _check_subject(subject: str) -> None:
    if not 1 <= len(subject) <= 100 or _CONTROL.search(subject) or subject[0] == " ":
        raise InvalidParameterError("Subject")


def _bodies(text: str, structure: str) -> dict[str, str]:
    """The texts of a message that has several: values that are no text are ignored, names must be distinct."""
    if structure != "json":
        raise InvalidParameterError("MessageStructure")

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("duplicate keys")
        return found

    try:
        document = json.loads(text, object_pairs_hook=distinct)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidParameterError("Message Structure - JSON message body failed to parse")
    if not isinstance(document.get("default"), str):
        raise InvalidParameterError("Message Structure - No default entry in JSON message body")
    return {name: value for name, value in document.items() if isinstance(value, str)}


def _order(topic: Topic, request: Mapping[str, Any], text: str) -> tuple[str | None, str | None]:
    """The message group and the deduplication id."""
    group, deduplication = request.get("MessageGroupId"), request.get("MessageDeduplicationId")
    if group is not None:
        _check_token("MessageGroupId", group)
    if not topic.fifo:
        if deduplication is not None:
            raise InvalidParameterError(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not "
                "valid for this topic type"
            )
        return group, None
    if group is None:
        raise UnorderedError("The MessageGroupId parameter is required for FIFO topics")
    if deduplication is not None:
        _check_token("MessageDeduplicationId", deduplication)
        return group, deduplication
    if not topic.deduplicates_by_content:
        raise UnorderedError(
            "The topic should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )
    return group, hashlib.sha256(text.encode()).hexdigest()


def _check_token(parameter: str, value: str) -> None:
    if not _TOKEN.fullmatch(value):
        raise InvalidParameterError(
            f"{parameter} Reason: {parameter} can only include alphanumeric and punctuation characters. "
            "1 to 128 in length"
        )


# -- attributes -----------------------------------------------------------------------------------------------------


def check_attributes(given: Mapping[str, Mapping[str, Any]]) -> Attributes:
    """A message's attributes."""
    return {name: _check_attribute(name, value) for name, value in given.items()} if given else {}


def _check_attribute(name: str, value: Mapping[str, Any]) -> Attribute:
    problem = name_problem(name)
    if problem is not None:
        raise InvalidValueError(problem)
    data_type = value.get("DataType") or ""
    if not data_type:
        raise InvalidValueError(f"The message attribute '{name}' must contain non-empty message attribute type.")
    kind = data_type.partition(".")[0]
    if kind not in _KINDS or len(data_type) > 256:
        raise InvalidValueError(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type "
            "prefixes is Binary, Number, and String."
        )
    text, data = value.get("StringValue"), value.get("BinaryValue")
    if text and data:
        raise InvalidValueError(f"The message attribute '{name}' has multiple values.")
    wanted = data if kind == "Binary" else text
    if not wanted:
        raise InvalidValueError(
            f"The message attribute '{name}' must contain non-empty message attribute value for message attribute "
            f"type '{data_type}'."
        )
    if kind == "Binary":
        return Attribute(data_type, None, wanted)
    if kind == "Number" and not _NUMBER.fullmatch(wanted.strip()):
        raise InvalidValueError(f"Could not cast message attribute '{name}' value to number.")
    return Attribute(data_type, wanted, None)


# -- batches --------------------------------------------------------------------------------------------------------


def check_entries(entries: Sequence[Mapping[str, Any]]) -> None:
    """What makes a batch unacceptable as a whole: its number of entries, and their ids."""
    if not entries:
        raise EmptyBatchRequestError
    if len(entries) > MAXIMUM_ENTRIES:
        raise TooManyEntriesInBatchRequestError
    for entry_id in _ids(entries):
        if not _BATCH_ID.fullmatch(entry_id):
            raise InvalidBatchEntryIdError
    if len(set(_ids(entries))) != len(entries):
        raise BatchEntryIdsNotDistinctError


def _ids(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    return (entry["Id"] for entry in entries)


def entry_size(entry: Mapping[str, Any]) -> int:
    """Bytes of an entry of a batch, whatever is wrong with it."""
    total = _length(entry.get("Message") or "")
    for name, value in (entry.get("MessageAttributes") or {}).items():
        total += _length(name) + _length(value.get("DataType") or "")
        total += _length(value.get("StringValue") or "") + len(value.get("BinaryValue") or b"")
    return total
