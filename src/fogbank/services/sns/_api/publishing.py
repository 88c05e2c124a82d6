"""Publish and PublishBatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from fogbank.core.call import Call, Reply
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.services.sns import storage as rows
from fogbank.services.sns._api.frame import SnsBase
from fogbank.services.sns._envelopes import Stamp, timestamp
from fogbank.services.sns._messages import Publication, check_entries, check_publication, entry_size
from fogbank.services.sns._sending import Sender, judge, signs
from fogbank.services.sns._topics import Audience, Subscriber
from fogbank.services.sns.errors import (
    BatchRequestTooLongError,
    InvalidParameterError,
    InvalidValueError,
    TopicDoesNotExistError,
    UnorderedError,
)
from fogbank.services.sns.model import (
    DEDUPLICATION_INTERVAL,
    MAXIMUM_MESSAGE,
    TopicKey,
    parse_arn,
    sequence_number,
    topic_key,
)
from fogbank.services.sns.worker import EXPIRY_TOPIC
from fogbank.storage import Tx
from fogbank.telemetry.usage import Use

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as t

_GIGABYTE = 1024**3


class _Ready(NamedTuple):
    """A publication that can go: what it is, its id, and who gets it."""

    publication: Publication
    message_id: str
    subscribers: list[Subscriber]


class _Published(NamedTuple):
    """What the publisher is told."""

    message_id: str
    sequence: str | None

    def shape(self) -> Reply:
        """The members of the answer."""
        return {"MessageId": self.message_id, "SequenceNumber": self.sequence}


class PublishingOperations(SnsBase):
    """What publishers call."""

    forgetting = False
    """Whether somebody will look for deduplication ids that can be forgotten."""

    async def publish(self, call: Call, request: t.PublishInputTypeDef) -> Reply:
        """Publish a message: with the answer, all that it is to reach is in the outbox, or has it."""
        audience = await self.topics.audience(_target(call, request))
        publication = check_publication(audience.topic, request)
        (published,) = await self._publish(call, audience, [publication])
        return published.shape()

    async def publish_batch(self, call: Call, request: t.PublishBatchInputTypeDef) -> Reply:
        """Publish up to ten messages; each succeeds or fails on its own."""
        entries = request["PublishBatchRequestEntries"]
        check_entries(entries)
        audience = await self.topics.audience(topic_key(request["TopicArn"], call.scope))
        longest = max(MAXIMUM_MESSAGE, audience.topic.maximum_message)
        if sum(map(entry_size, entries)) > longest:
            raise BatchRequestTooLongError
        good, failed = _check_entries(audience, entries)
        published = await self._publish(call, audience, [publication for _, publication in good])
        successful = [{"Id": name, **each.shape()} for (name, _), each in zip(good, published, strict=True)]
        return {"Successful": successful, "Failed": failed}

    async def _publish(self, call: Call, audience: Audience, publications: Sequence[Publication]) -> list[_Published]:
        topic = audience.topic
        ready = []
        for publication in publications:
            subscribers = judge(audience, publication, partial(self.counts.filtered, topic.arn))
            ready.append(_Ready(publication, self.kit.ids.uuid(), subscribers))
        published = [_Published(each.message_id, None) for each in ready]
        if topic.fifo or any(each.subscribers for each in ready):
            published = await self._store(call, audience, ready)
        for publication in publications:
            self.counts.published(topic.arn, publication.size)
        return published

    async def _store(self, call: Call, audience: Audience, ready: Sequence[_Ready]) -> list[_Published]:
        """Enqueue all that follows from publications, in one transaction."""
        topic = audience.topic
        send = await self._sending(call, audience, ready)

        async def body(tx: Tx) -> list[_Published]:
            if topic.fifo:
                return [await self._number(tx, audience, each, send) for each in ready]
            for each in ready:
                await send(tx, each, None)
            return [_Published(each.message_id, None) for each in ready]

        published = await self.kit.storage.transact(body)
        if topic.fifo:
            self._meter(call, audience, ready, published)
        return published

    def _meter(self, call: Call, audience: Audience, ready: Sequence[_Ready], published: Sequence[_Published]) -> None:
        """Note what a FIFO topic delivers, which AWS bills; queues and functions of standard topics are free."""
        for each, told in zip(ready, published, strict=True):
            count = len(each.subscribers)
            if count and told.message_id == each.message_id:
                arn = audience.topic.arn
                size = count * each.publication.size / _GIGABYTE
                uses = (Use("sns.fifo-deliveries", arn, count), Use("sns.fifo-delivered-gb", arn, size))
                self.kit.usage.add(call.scope, call.trace.root, uses)

    async def _sending(self, call: Call, audience: Audience, ready: Sequence[_Ready]) -> Any:
        """What enqueues the messages of a publication; signatures are made where somebody gets them."""
        version = audience.topic.signature_version
        key = await self.signer.key() if any(signs(each.subscribers) for each in ready) else None
        stamp = Stamp(
            "",
            timestamp(self.clock.time()),
            self.kit.config.endpoint,
            version,
            self.signer.url(key) if key is not None else "",
        )

        def sign(text: str) -> str:
            assert key is not None, "asked for only where somebody gets it"
            return key.sign(text, version)

        async def send(tx: Tx, each: _Ready, sequence: str | None) -> None:
            own = replace(stamp, message_id=each.message_id, sequence=sequence)
            sender = Sender(audience, each.publication, own, sign)
            for subscriber in each.subscribers:
                await self.kit.delivery.enqueue(tx, sender.message(subscriber, call.trace))

        return send

    async def _number(self, tx: Tx, audience: Audience, each: _Ready, send: Any) -> _Published:
        """Publish to a FIFO topic: numbered, and once for each deduplication id."""
        topic, publication, now = audience.topic, each.publication, self.clock.millis()
        key = f"{publication.group}\n{publication.deduplication}" if topic.groups_deduplicate_apart else (
            publication.deduplication or ""
        )  # fmt: skip
        original = await rows.find_duplicate(tx, topic, key, now)
        if original is not None:
            return _Published(original[0], sequence_number(original[1]))
        number = await rows.next_sequence(tx, topic)
        if number is None:
            raise TopicDoesNotExistError
        await rows.remember(tx, topic, key, now + DEDUPLICATION_INTERVAL, each.message_id, number)
        if not self.forgetting:
            self.forgetting = True
            tx.wake(EXPIRY_TOPIC)
        sequence = sequence_number(number)
        await send(tx, each, sequence)
        return _Published(each.message_id, sequence)


def _target(call: Call, request: Mapping[str, Any]) -> TopicKey:
    """The topic that is published to."""
    if request.get("PhoneNumber"):
        raise NotImplementedByFogbank("Fogbank does not implement text messages to phones (PhoneNumber of Publish)")
    arn = request.get("TopicArn") or request.get("TargetArn")
    if not arn:
        raise InvalidParameterError("TopicArn or TargetArn Reason: no value for required parameter")
    parameter = "TopicArn" if request.get("TopicArn") else "TargetArn"
    if parse_arn(arn, parameter).resource.startswith("endpoint/"):
        raise NotImplementedByFogbank("Fogbank does not implement mobile push endpoints (TargetArn of Publish)")
    return topic_key(arn, call.scope, parameter)


def _check_entries(
    audience: Audience, entries: Sequence[Mapping[str, Any]]
) -> tuple[list[tuple[str, Publication]], list[dict[str, Any]]]:
    """The entries that can be published, by id, and those that cannot, with why."""
    good: list[tuple[str, Publication]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            good.append((entry["Id"], check_publication(audience.topic, entry)))
        except UnorderedError:
            raise
        except (InvalidParameterError, InvalidValueError) as error:
            failed.append(_failed(entry["Id"], error))
    return good, failed


def _failed(entry_id: str, error: ApiError) -> dict[str, Any]:
    code = "InvalidParameter" if isinstance(error, InvalidParameterError) else "ParameterValueInvalid"
    return {"Id": entry_id, "Code": code, "Message": error.message, "SenderFault": True}
