"""Queues: making, finding, listing, purging and deleting them; attributes, permissions and tags."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fogbank.core.arn import Arn
from fogbank.core.call import Call, Reply
from fogbank.services.sqs._api.base import SqsBase, queue_key
from fogbank.services.sqs._attributes import (
    KNOWN,
    check_attributes,
    check_queue_name,
    check_type_kept,
    fifo_wanted,
    first_difference,
    merge,
    parse_redrive,
)
from fogbank.services.sqs._policy import add_permission, check_permission, check_tags, remove_permission
from fogbank.services.sqs.errors import (
    InvalidAttributeNameError,
    InvalidParameterValueError,
    MissingParameterError,
    PurgeQueueInProgressError,
    QueueNameExistsError,
    invalid_value,
)
from fogbank.services.sqs.model import PURGE_INTERVAL, Counts, Queue, QueueKey, wants_counts
from fogbank.services.sqs.storage import START
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        AddPermissionRequestTypeDef,
        CreateQueueRequestTypeDef,
        DeleteQueueRequestTypeDef,
        GetQueueAttributesRequestTypeDef,
        GetQueueUrlRequestTypeDef,
        ListDeadLetterSourceQueuesRequestTypeDef,
        ListQueuesRequestTypeDef,
        ListQueueTagsRequestTypeDef,
        PurgeQueueRequestTypeDef,
        RemovePermissionRequestTypeDef,
        SetQueueAttributesRequestTypeDef,
        TagQueueRequestTypeDef,
        UntagQueueRequestTypeDef,
    )

MAXIMUM_LISTED = 1000
_Change = Callable[[Queue], str]


def _page(limit: int | None, token: str | None) -> tuple[int, str]:
    """How many results to return, and the name behind which to go on."""
    if limit is not None and not 1 <= limit <= MAXIMUM_LISTED:
        raise InvalidParameterValueError(
            "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."
        )
    if token is None:
        return limit or MAXIMUM_LISTED, ""
    try:
        return limit or MAXIMUM_LISTED, binascii.a2b_base64(token, strict_mode=True).decode()
    except ValueError:
        raise InvalidParameterValueError("Invalid or expired next token.") from None


def _token(name: str) -> str:
    return binascii.b2a_base64(name.encode(), newline=False).decode()


class QueueOperations(SqsBase):
    """What administrators call."""

    async def create_queue(self, call: Call, request: CreateQueueRequestTypeDef) -> Reply:
        """Make a queue, or find the one that has this name and the attributes that are asked for.

        A name can be used again at once after DeleteQueue: AWS's wait of 60 seconds (QueueDeletedRecently) only covers
        the time that its own deletion takes, and here a deletion is complete when it is answered.
        """
        name, given, tags = request["QueueName"], request.get("Attributes", {}), request.get("tags", {})
        key = QueueKey(call.scope.account, call.scope.region, name)
        fifo = fifo_wanted(given)
        check_queue_name(name, fifo=fifo)
        asked = check_attributes({k: v for k, v in given.items() if k != "FifoQueue"}, fifo=fifo)
        kept = merge({}, asked)
        check_tags(tags)
        now = self.clock.millis()

        async def body(tx: Tx) -> None:
            queue = await self.store.find(tx, key)
            if queue is not None:
                different = first_difference(queue.kept, asked, fifo=fifo)
                if different is not None:
                    raise QueueNameExistsError(different)
                return
            await self._check_redrive(tx, key, asked)
            await self.store.create(tx, key, kept, tags, now)
            tx.wake("sqs.queues")

        await self.kit.storage.transact(body)
        return {"QueueUrl": self.queue_url(key)}

    async def _check_redrive(self, tx: Tx, key: QueueKey, attributes: Mapping[str, str]) -> None:
        """Refuse a redrive policy whose dead-letter queue is missing, of another kind, or does not allow it."""
        text = attributes.get("RedrivePolicy")
        if not text:
            return
        arn = Arn.parse(parse_redrive(text).target)
        if (arn.account, arn.region) != (key.account, key.region):
            raise invalid_value("RedrivePolicy", text, "Dead letter target owner should be same as the source.")
        target_key = QueueKey(arn.account, arn.region, arn.resource)
        target = await self.store.find(tx, target_key)
        if target is None:
            raise invalid_value("RedrivePolicy", text, "Dead letter target does not exist.")
        if target_key.name.endswith(".fifo") != key.name.endswith(".fifo"):
            raise invalid_value("RedrivePolicy", text, "Dead-letter queue must be same type of queue as the source.")
        if target.redrive_allow is not None and not target.redrive_allow.allows(key.arn):
            raise invalid_value(
                "RedrivePolicy", text, "The dead-letter queue's redrive allow policy does not allow this source queue."
            )

    async def get_queue_url(self, call: Call, request: GetQueueUrlRequestTypeDef) -> Reply:
        """The URL of a queue by its name, in the caller's account or another's."""
        account = request.get("QueueOwnerAWSAccountId") or call.scope.account
        key = QueueKey(account, call.scope.region, request["QueueName"])
        await self.find_queue(key)
        return {"QueueUrl": self.queue_url(key)}

    async def list_queues(self, call: Call, request: ListQueuesRequestTypeDef) -> Reply:
        """The URLs of the caller's queues, by name."""
        limit, after = _page(request.get("MaxResults"), request.get("NextToken"))
        scope = call.scope
        prefix = request.get("QueueNamePrefix", "")
        names = await self.kit.storage.read(
            lambda tx: self.store.names(tx, scope.account, scope.region, prefix, after, limit + 1)
        )
        urls = [self.queue_url(QueueKey(scope.account, scope.region, name)) for name in names[:limit]]
        reply: Reply = {"QueueUrls": urls} if urls else {}
        if request.get("MaxResults") is not None and len(names) > limit:
            reply["NextToken"] = _token(names[limit - 1])
        return reply

    async def list_dead_letter_source_queues(
        self, call: Call, request: ListDeadLetterSourceQueuesRequestTypeDef
    ) -> Reply:
        """The queues whose redrive policy names this one."""
        limit, after = _page(request.get("MaxResults"), request.get("NextToken"))
        key = queue_key(call.scope, request["QueueUrl"])

        async def body(tx: Tx) -> list[QueueKey]:
            return await self.store.sources(tx, await self.store.get(tx, key), after, limit + 1)

        keys = await self.kit.storage.read(body)
        reply: Reply = {"queueUrls": [self.queue_url(source) for source in keys[:limit]]}
        if request.get("MaxResults") is not None and len(keys) > limit:
            reply["NextToken"] = _token(keys[limit - 1].name)
        return reply

    async def delete_queue(self, call: Call, request: DeleteQueueRequestTypeDef) -> Reply:
        """Delete a queue with all its messages."""
        key = queue_key(call.scope, request["QueueUrl"])
        now = self.clock.millis()

        async def body(tx: Tx) -> None:
            queue = await self.store.get(tx, key)
            await self.store.delete(tx, queue, now)
            tx.wake(queue.topic)
            tx.wake("sqs.queues")

        await self.kit.storage.transact(body)
        return {}

    async def purge_queue(self, call: Call, request: PurgeQueueRequestTypeDef) -> Reply:
        """Delete all messages of a queue; once in 60 seconds."""
        key = queue_key(call.scope, request["QueueUrl"])
        now = self.clock.millis()

        async def body(tx: Tx) -> None:
            queue = await self.store.get(tx, key)
            if queue.purged_at is not None and now < queue.purged_at + PURGE_INTERVAL:
                raise PurgeQueueInProgressError(key.name)
            await self.store.purge(tx, queue, now)
            tx.wake(queue.topic)
            tx.wake("sqs.queues")

        await self.kit.storage.transact(body)
        return {}

    # -- attributes ----------------------------------------------

    async def get_queue_attributes(self, call: Call, request: GetQueueAttributesRequestTypeDef) -> Reply:
        """A queue's attributes, by name or all of them."""
        names = request.get("AttributeNames", ())
        for name in names:
            if name not in KNOWN:
                raise InvalidAttributeNameError(name)
        queue = await self.find_queue(queue_key(call.scope, request["QueueUrl"]))
        if not names:
            return {}
        counts = await self._count(queue) if wants_counts(names) else None
        found = queue.attributes(counts)
        if "All" not in names:
            found = {name: found[name] for name in names if name in found}
        return {"Attributes": found} if found else {}

    async def _count(self, queue: Queue) -> Counts:
        """Count a queue's messages, a page at a time so that a long queue holds nobody up."""
        total = Counts(0, 0, 0)
        place: tuple[int, int] | None = START
        while place is not None:
            after, now = place, self.clock.millis()
            page, place = await self.kit.storage.read(lambda tx: self.store.count(tx, queue, now, after))  # noqa: B023
            total = Counts(*map(sum, zip(total, page, strict=True)))
            if place is not None:
                await self.clock.sleep(0)
        return total

    async def set_queue_attributes(self, call: Call, request: SetQueueAttributesRequestTypeDef) -> Reply:
        """Change attributes of a queue; an empty policy is taken away."""
        key = queue_key(call.scope, request["QueueUrl"])
        now = self.clock.millis()
        if not request["Attributes"]:
            raise MissingParameterError("Attribute.Name")

        async def body(tx: Tx) -> None:
            queue = await self.store.get(tx, key)
            given = request["Attributes"]
            check_type_kept(given, fifo=queue.fifo)
            changes = check_attributes({k: v for k, v in given.items() if k != "FifoQueue"}, fifo=queue.fifo)
            await self._check_redrive(tx, key, changes)
            await self.store.set_attributes(tx, queue, merge(queue.kept, changes), now)
            tx.wake(queue.topic)
            tx.wake("sqs.queues")

        await self.kit.storage.transact(body)
        return {}

    async def add_permission(self, call: Call, request: AddPermissionRequestTypeDef) -> Reply:
        """Allow other accounts to do something with a queue: a statement of its policy."""
        label, accounts, actions = request["Label"], request["AWSAccountIds"], request["Actions"]
        check_permission(label, accounts, actions)
        await self._change_policy(call, request["QueueUrl"], lambda q: add_permission(q, label, accounts, actions))
        return {}

    async def remove_permission(self, call: Call, request: RemovePermissionRequestTypeDef) -> Reply:
        """Take a statement out of a queue's policy by its label."""
        await self._change_policy(call, request["QueueUrl"], lambda q: remove_permission(q, request["Label"]))
        return {}

    async def _change_policy(self, call: Call, url: str, change: _Change) -> None:
        key = queue_key(call.scope, url)
        now = self.clock.millis()

        async def body(tx: Tx) -> None:
            queue = await self.store.get(tx, key)
            await self.store.set_attributes(tx, queue, merge(queue.kept, {"Policy": change(queue)}), now)

        await self.kit.storage.transact(body)

    # -- tags ----------------------------------------------

    async def tag_queue(self, call: Call, request: TagQueueRequestTypeDef) -> Reply:
        """Add tags to a queue; a key that it has gets the new value."""
        key, tags = queue_key(call.scope, request["QueueUrl"]), request["Tags"]
        if not tags:
            raise MissingParameterError("Tags")
        check_tags(tags)

        async def body(tx: Tx) -> None:
            queue = await self.store.get(tx, key)
            await self.store.set_tags(tx, queue, {**queue.tags, **tags})

        await self.kit.storage.transact(body)
        return {}

    async def untag_queue(self, call: Call, request: UntagQueueRequestTypeDef) -> Reply:
        """Take tags from a queue; keys that it does not have are no error."""
        key, keys = queue_key(call.scope, request["QueueUrl"]), set(request["TagKeys"])
        if not keys:
            raise InvalidParameterValueError("Tag keys can't be empty.")

        async def body(tx: Tx) -> None:
            queue = await self.store.get(tx, key)
            await self.store.set_tags(tx, queue, {k: v for k, v in queue.tags.items() if k not in keys})

        await self.kit.storage.transact(body)
        return {}

    async def list_queue_tags(self, call: Call, request: ListQueueTagsRequestTypeDef) -> Reply:
        """A queue's tags."""
        queue = await self.find_queue(queue_key(call.scope, request["QueueUrl"]))
        return {"Tags": dict(queue.tags)} if queue.tags else {}
