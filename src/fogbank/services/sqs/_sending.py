"""From a producer's request to a message that can be stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from fogbank.services.sqs._attributes import MAXIMUM_MESSAGE_SIZE
from fogbank.services.sqs._messages import (
    attributes_md5,
    check_body,
    check_delay,
    check_message_attributes,
    check_system_attributes,
    check_token,
    md5,
    pack_attributes,
)
from fogbank.services.sqs.errors import (
    BatchRequestTooLongError,
    MessageTooLongError,
    MissingParameterError,
    SqsError,
    UnsendableEntryError,
    invalid_value,
)
from fogbank.services.sqs.model import UNSEEN, Outgoing, Queue

_WRONG_TYPE = "The request include parameter that is not valid for this queue type."


def check_message(
    queue: Queue, request: Mapping[str, Any], context: str | None = None, *, alone: bool = True
) -> Outgoing:
    """The message of a SendMessage (`alone`) or of an entry of a batch; refuses what the documentation forbids.

    `context` is the trace of a message for which the request names none.
    """
    raw = check_body(request["MessageBody"])
    size = len(raw)
    packed = digest = trace_md5 = delay = None
    trace = context
    group: str | None
    deduplication: str | None
    given = request.get("MessageAttributes")
    if given:
        attributes, extra = check_message_attributes(given)
        size += extra
        packed, digest = pack_attributes(attributes), attributes_md5(attributes)
    if size > queue.maximum_message_size:
        raise MessageTooLongError(size, queue.maximum_message_size, alone=alone)
    given = request.get("MessageSystemAttributes")
    if given:
        system = check_system_attributes(given)
        trace, trace_md5 = _with_context(system["AWSTraceHeader"].text or "", context), attributes_md5(system)
    if queue.fifo:
        group, deduplication = _fifo_parameters(queue, request, raw, alone=alone)
    else:
        group, deduplication = _standard_parameters(request), None
        seconds = request.get("DelaySeconds")
        delay = None if seconds is None else check_delay(seconds) * 1000
    return Outgoing(
        request["MessageBody"], md5(raw), packed, digest, trace, trace_md5, delay, group, deduplication, size
    )


def _with_context(header: str, context: str | None) -> str:
    """The header that a message came with, and the unseen context behind it where that is of the same trace."""
    unseen = (context or "").rpartition(UNSEEN)[2]
    root = unseen.partition(";")[0]
    return f"{header}{UNSEEN}{unseen}" if root and root in header else header


def _standard_parameters(request: Mapping[str, Any]) -> str | None:
    """A standard queue's message group id: the tenant of a fair queue."""
    deduplication = request.get("MessageDeduplicationId")
    if deduplication is not None:
        raise invalid_value("MessageDeduplicationId", deduplication, _WRONG_TYPE)
    group = request.get("MessageGroupId")
    return None if group is None else check_token("MessageGroupId", group)


def _fifo_parameters(queue: Queue, request: Mapping[str, Any], raw: bytes, *, alone: bool) -> tuple[str, str]:
    """A FIFO message's group and deduplication ids."""
    group = request.get("MessageGroupId")
    if group is None:
        absent = MissingParameterError("MessageGroupId")
        raise absent if alone else UnsendableEntryError(absent.message)
    check_token("MessageGroupId", group)
    delay = request.get("DelaySeconds")
    if delay:
        raise invalid_value("DelaySeconds", delay, _WRONG_TYPE)
    deduplication = request.get("MessageDeduplicationId")
    if deduplication is not None:
        return group, check_token("MessageDeduplicationId", deduplication)
    if not queue.deduplicates_by_content:
        raise UnsendableEntryError(
            "The queue should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )
    return group, hashlib.sha256(raw).hexdigest()


def check_messages(
    queue: Queue, entries: Sequence[Mapping[str, Any]], context: str | None = None
) -> tuple[list[tuple[str, Outgoing]], list[tuple[str, SqsError]]]:
    """The entries of a batch that can be sent, by id, and those that cannot, with why.

    An absent parameter, and a batch that is too long, make the whole request fail. How long a batch may be does not
    depend on the queue.
    """
    good: list[tuple[str, Outgoing]] = []
    bad: list[tuple[str, SqsError]] = []
    total = 0
    for entry in entries:
        try:
            good.append((entry["Id"], check_message(queue, entry, context, alone=False)))
        except (MissingParameterError, UnsendableEntryError):
            raise
        except SqsError as error:
            bad.append((entry["Id"], error))
            if isinstance(error, MessageTooLongError):
                total += error.size
    total += sum(message.size for _, message in good)
    if total > MAXIMUM_MESSAGE_SIZE:
        raise BatchRequestTooLongError(MAXIMUM_MESSAGE_SIZE, total)
    return good, bad


def sent_shape(message: Outgoing, message_id: str, sequence_number: str | None = None) -> dict[str, Any]:
    """What a producer is told of a message that was sent."""
    shape: dict[str, Any] = {"MD5OfMessageBody": message.body_md5, "MessageId": message_id}
    if message.attributes_md5 is not None:
        shape["MD5OfMessageAttributes"] = message.attributes_md5
    if message.trace_md5 is not None:
        shape["MD5OfMessageSystemAttributes"] = message.trace_md5
    if sequence_number is not None:
        shape["SequenceNumber"] = sequence_number
    return shape


def failed_shape(entry_id: str, error: SqsError) -> dict[str, Any]:
    """What the sender of a batch is told of an entry that failed; the code is the query protocol's, as on AWS."""
    return {"Id": entry_id, "SenderFault": error.sender_fault, "Code": error.query_code, "Message": error.message}


def batch_shape(successful: Sequence[Mapping[str, Any]], failed: Sequence[tuple[str, SqsError]]) -> dict[str, Any]:
    """The answer to a batch; a list without entries is left out, as AWS does."""
    shape: dict[str, Any] = {}
    if successful:
        shape["Successful"] = list(successful)
    if failed:
        shape["Failed"] = [failed_shape(entry_id, error) for entry_id, error in failed]
    return shape
