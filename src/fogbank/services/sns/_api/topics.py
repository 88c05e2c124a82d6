"""Topics: making, listing and deleting them; attributes, permissions and tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Call, Reply
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.paging import cut_page, encode_token
from fogbank.services.sns import storage as rows
from fogbank.services.sns._api.frame import SnsBase, after, need_topic
from fogbank.services.sns._attributes import (
    allows_large,
    check_topic_attribute,
    check_topic_attributes,
    fifo_wanted,
    topic_attributes,
)
from fogbank.services.sns._policy import add_permission, check_tags, remove_permission, tags_of
from fogbank.services.sns.errors import InvalidParameterError, ResourceNotFoundError
from fogbank.services.sns.model import (
    MAXIMUM_SUBSCRIPTIONS_LARGE,
    PAGE,
    Counts,
    Topic,
    TopicKey,
    check_name,
    topic_key,
)
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as t


class TopicOperations(SnsBase):
    """What administrators of topics call."""

    async def create_topic(self, call: Call, request: t.CreateTopicInputTypeDef) -> Reply:
        """Make a topic, or find the one that has this name and what is asked for."""
        if request.get("DataProtectionPolicy"):
            raise NotImplementedByFogbank("Fogbank does not implement data protection policies of topics yet")
        given = request.get("Attributes") or {}
        fifo = fifo_wanted(given)
        key = TopicKey(*_place(call), check_name(request["Name"], fifo=fifo))
        asked = check_topic_attributes(given, fifo=fifo)
        tags = tags_of(request.get("Tags") or (), reserved=_may_reserve(call))
        check_tags(tags)

        async def body(tx: Tx) -> None:
            topic = await rows.find_topic(tx, key)
            if topic is None:
                await rows.insert_topic(tx, key, asked, tags)
                self.topics.changed(tx, key)
                return
            present = topic_attributes(topic, Counts(0, 0))
            if any(present.get(name) != value for name, value in asked.items()):
                raise InvalidParameterError("Attributes Reason: Topic already exists with different attributes")
            if request.get("Tags") and dict(topic.tags) != tags:
                raise InvalidParameterError("Tags Reason: Topic already exists with different tags")

        await self.kit.storage.transact(body)
        return {"TopicArn": key.arn}

    async def delete_topic(self, call: Call, request: t.DeleteTopicInputTypeDef) -> Reply:
        """Delete a topic with its subscriptions; one that is not there is deleted."""
        key = topic_key(request["TopicArn"], call.scope)

        async def body(tx: Tx) -> None:
            topic = await rows.find_topic(tx, key)
            if topic is not None:
                await rows.delete_topic(tx, topic)
                self.topics.changed(tx, key)

        await self.kit.storage.transact(body)
        return {}

    async def list_topics(self, call: Call, request: t.ListTopicsInputTypeDef) -> Reply:
        """The ARNs of the caller's topics, a hundred at a time."""
        account, region = _place(call)
        begin = after(request)
        names = await self.kit.storage.read(lambda tx: rows.list_topics(tx, account, region, begin, PAGE + 1))
        page, more = cut_page(names, PAGE)
        return {
            "Topics": [{"TopicArn": TopicKey(account, region, name).arn} for name in page],
            "NextToken": encode_token(page[-1]) if more else None,
        }

    # -- attributes ---------------------------------------------------------------------------------------

    async def get_topic_attributes(self, call: Call, request: t.GetTopicAttributesInputTypeDef) -> Reply:
        """All attributes of a topic."""
        key = topic_key(request["TopicArn"], call.scope)

        async def body(tx: Tx) -> dict[str, str]:
            topic = await need_topic(tx, key)
            return topic_attributes(topic, await rows.count(tx, topic))

        return {"Attributes": await self.kit.storage.read(body)}

    async def set_topic_attributes(self, call: Call, request: t.SetTopicAttributesInputTypeDef) -> Reply:
        """Set one attribute; an empty value takes it away."""
        key = topic_key(request["TopicArn"], call.scope)
        name, value = request["AttributeName"], request.get("AttributeValue", "")

        async def body(tx: Tx) -> None:
            topic = await need_topic(tx, key)
            attributes = {other: text for other, text in topic.attributes.items() if other != name}
            if value or name not in _CLEARED:
                attributes[name] = check_topic_attribute(name, value, fifo=topic.fifo)
            if name == "MaximumMessageSize" and allows_large(attributes):
                await _check_audience(tx, topic)
            await rows.set_attributes(tx, topic, attributes)
            self.topics.changed(tx, key)

        await self.kit.storage.transact(body)
        return {}

    async def add_permission(self, call: Call, request: t.AddPermissionInputTypeDef) -> Reply:
        """Allow other accounts to do something with a topic: a statement of its policy."""
        label, accounts, actions = request["Label"], request["AWSAccountId"], request["ActionName"]
        await self._change_policy(
            call, request["TopicArn"], lambda topic: add_permission(topic, label, accounts, actions)
        )
        return {}

    async def remove_permission(self, call: Call, request: t.RemovePermissionInputTypeDef) -> Reply:
        """Take a statement out of a topic's policy by its label."""
        await self._change_policy(call, request["TopicArn"], lambda topic: remove_permission(topic, request["Label"]))
        return {}

    async def _change_policy(self, call: Call, arn: str, change: Callable[[Topic], str]) -> None:
        key = topic_key(arn, call.scope)

        async def body(tx: Tx) -> None:
            topic = await need_topic(tx, key)
            await rows.set_attributes(tx, topic, {**topic.attributes, "Policy": change(topic)})
            self.topics.changed(tx, key)

        await self.kit.storage.transact(body)

    # -- tags ---------------------------------------------------------------------------------------------

    async def tag_resource(self, call: Call, request: t.TagResourceRequestTypeDef) -> Reply:
        """Add tags to a topic; a key that it has gets the new value."""
        tags = tags_of(request["Tags"], reserved=_may_reserve(call))
        await self._change_tags(call, request, lambda present: {**present, **tags})
        return {}

    async def untag_resource(self, call: Call, request: t.UntagResourceRequestTypeDef) -> Reply:
        """Take tags from a topic."""
        keys = set(request["TagKeys"])
        await self._change_tags(
            call, request, lambda present: {key: value for key, value in present.items() if key not in keys}
        )
        return {}

    async def list_tags_for_resource(self, call: Call, request: t.ListTagsForResourceRequestTypeDef) -> Reply:
        """A topic's tags."""
        key = topic_key(request["ResourceArn"], call.scope, "ResourceArn")
        topic = await self.kit.storage.read(lambda tx: _tagged(tx, key))
        return {"Tags": [{"Key": name, "Value": value} for name, value in topic.tags.items()]}

    async def _change_tags(
        self, call: Call, request: Mapping[str, Any], change: Callable[[Mapping[str, str]], dict[str, str]]
    ) -> None:
        key = topic_key(request["ResourceArn"], call.scope, "ResourceArn")

        async def body(tx: Tx) -> None:
            topic = await _tagged(tx, key)
            tags = change(topic.tags)
            check_tags(tags)
            await rows.set_tags(tx, topic, tags)

        await self.kit.storage.transact(body)


_CLEARED = frozenset({"DeliveryPolicy", "DisplayName", "KmsMasterKeyId", "Policy", "TracingConfig"})
"""Attributes that an empty value takes away."""


async def _check_audience(tx: Tx, topic: Topic) -> None:
    """Messages past 256 KiB go to a hundred queues and functions at most."""
    subscriptions = await rows.of_topic(tx, topic, "", MAXIMUM_SUBSCRIPTIONS_LARGE + 1)
    if len(subscriptions) > MAXIMUM_SUBSCRIPTIONS_LARGE or any(each.protocol.is_web for each in subscriptions):
        raise InvalidParameterError(
            "MaximumMessageSize Reason: a topic with messages above 256 KiB must have 100 or fewer subscriptions, "
            "each of them an Amazon SQS, Amazon Data Firehose, or Lambda subscription"
        )


def _place(call: Call) -> tuple[str, str]:
    return call.scope.account, call.scope.region


def _may_reserve(call: Call) -> bool:
    """CloudFormation sets tags of its own on the topics that it makes."""
    return call.principal.service == "cloudformation.amazonaws.com"


async def _tagged(tx: Tx, key: TopicKey) -> Topic:
    topic = await rows.find_topic(tx, key)
    if topic is None:
        raise ResourceNotFoundError
    return topic
