"""AWS::SNS: topics, subscriptions and policies.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SNS.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogbank.core.call import Reply
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, json_text, tag_list
from fogbank.templates.sections import scalar_text

_TOPIC = (
    "ContentBasedDeduplication", "DisplayName", "FifoThroughputScope", "KmsMasterKeyId", "MaximumMessageSize",
    "SignatureVersion", "TracingConfig",
)  # fmt: skip
_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DisplayName": "",
    "FifoThroughputScope": "Topic",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "262144",
    "SignatureVersion": "1",
    "TracingConfig": "PassThrough",
}
"""What a property that was taken out of the template goes back to."""
_SUBSCRIPTION = ("DeliveryPolicy", "FilterPolicyScope", "FilterPolicy", "RawMessageDelivery", "RedrivePolicy")
"""In the order in which they are set: the scope before the policy that needs it."""
_CLEARED = {"RawMessageDelivery": "false", "FilterPolicyScope": "MessageAttributes"}
_MISSING = frozenset({"NotFoundException", "ResourceNotFoundException"})


def _is_fifo(properties: Mapping[str, Any]) -> str:
    return ".fifo" if properties.get("FifoTopic") else ""


def _text(value: Any) -> str:
    return str(json_text(value)) if isinstance(value, dict | list) else scalar_text(value)


class Topic(ResourceType):
    """A topic; `Ref` gives its ARN."""

    type = "AWS::SNS::Topic"
    service = "sns"
    name = Name("TopicName", 256, suffix=_is_fifo)
    attributes = ("TopicArn", "TopicName")
    missing = _MISSING
    lacking = frozenset({"ArchivePolicy", "DataProtectionPolicy", "DeliveryStatusLogging"})

    async def make(self, work: Work) -> Standing:
        attributes = {name: _text(work.properties[name]) for name in _TOPIC if name in work.properties}
        if work.properties.get("FifoTopic"):
            attributes["FifoTopic"] = "true"
        request = {"Name": work.name, "Attributes": attributes or None, "Tags": tag_list(work.tags())}
        arn: str = (await work.call("CreateTopic", request))["TopicArn"]
        await self._subscribe(work, arn, work.properties.get("Subscription") or ())
        return self._standing(work, arn)

    @staticmethod
    async def _subscribe(work: Work, arn: str, wanted: Any) -> None:
        for each in wanted:
            await work.call("Subscribe", {"TopicArn": arn, "Protocol": each["Protocol"], "Endpoint": each["Endpoint"]})

    @staticmethod
    def _standing(work: Work, arn: str) -> Standing:
        return Standing(arn, {"TopicArn": arn, "TopicName": work.name or arn.rpartition(":")[2]})

    async def update(self, work: Work) -> Standing:
        arn = work.physical_id
        for name in _TOPIC:
            if work.changed(name):
                value = _text(work.properties[name]) if name in work.properties else _DEFAULTS[name]
                await work.call("SetTopicAttributes", {"TopicArn": arn, "AttributeName": name, "AttributeValue": value})
        before, after = work.previous.get("Subscription") or [], work.properties.get("Subscription") or []
        await self._subscribe(work, arn, [each for each in after if each not in before])
        for each in before:
            if each not in after:
                await _unsubscribe(work, arn, each)
        tags, removed = work.tag_changes()
        if tags:
            await work.call("TagResource", {"ResourceArn": arn, "Tags": tag_list(tags)})
        if removed:
            await work.call("UntagResource", {"ResourceArn": arn, "TagKeys": removed})
        return self._standing(work, arn)

    async def adopt(self, work: Work) -> Standing:
        return await self.make(work)

    async def read(self, work: Work) -> Reply:
        return await work.call("GetTopicAttributes", {"TopicArn": work.scope.arn("sns", work.name)})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteTopic", {"TopicArn": work.physical_id or work.scope.arn("sns", work.name)})


async def _unsubscribe(work: Work, arn: str, subscription: Mapping[str, Any]) -> None:
    """End the subscription of an endpoint that a topic's `Subscription` no longer names."""
    request: dict[str, Any] = {"TopicArn": arn}
    while True:
        reply = await work.call("ListSubscriptionsByTopic", request)
        for each in reply.get("Subscriptions", ()):
            same = all(each[name] == subscription[name] for name in ("Endpoint", "Protocol"))
            if same and each["SubscriptionArn"].startswith("arn:"):
                await work.call("Unsubscribe", {"SubscriptionArn": each["SubscriptionArn"]})
                return
        if not reply.get("NextToken"):
            return
        request["NextToken"] = reply["NextToken"]


class Subscription(ResourceType):
    """A subscription; `Ref` gives its ARN."""

    type = "AWS::SNS::Subscription"
    service = "sns"
    attributes = ("Arn",)
    missing = _MISSING
    lacking = frozenset({"ReplayPolicy", "SubscriptionRoleArn"})

    async def make(self, work: Work) -> Standing:
        region = work.properties.get("Region")
        if region and region != work.scope.region:
            raise NotImplementedByFogbank(f"Fogbank does not implement {self.type} for a topic of another region")
        attributes = {name: _text(work.properties[name]) for name in _SUBSCRIPTION if name in work.properties}
        request = {
            **work.take("TopicArn", "Protocol", "Endpoint"),
            "Attributes": attributes or None,
            "ReturnSubscriptionArn": True,
        }
        arn = (await work.call("Subscribe", request))["SubscriptionArn"]
        return Standing(arn, {"Arn": arn})

    async def update(self, work: Work) -> Standing:
        arn = work.physical_id
        if "FilterPolicy" in work.previous and work.changed("FilterPolicyScope"):
            await self._set(work, arn, "FilterPolicy", "")
        for name in _SUBSCRIPTION:
            if work.changed(name) or (name == "FilterPolicy" and work.changed("FilterPolicyScope")):
                value = _text(work.properties[name]) if name in work.properties else _CLEARED.get(name, "")
                await self._set(work, arn, name, value)
        return Standing(arn, {"Arn": arn})

    @staticmethod
    async def _set(work: Work, arn: str, name: str, value: str) -> None:
        request = {"SubscriptionArn": arn, "AttributeName": name, "AttributeValue": value}
        await work.call("SetSubscriptionAttributes", request)

    async def remove(self, work: Work) -> None:
        if work.physical_id.startswith("arn:"):
            await work.call("Unsubscribe", {"SubscriptionArn": work.physical_id})


class TopicPolicy(ResourceType):
    """A policy put on topics."""

    type = "AWS::SNS::TopicPolicy"
    service = "sns"
    attributes = ("Id",)
    missing = _MISSING

    async def make(self, work: Work) -> Standing:
        identifier = work.physical_id or f"{work.step.stack.name}-{work.step.logical_id}-{work.step.token[:12]}"
        for arn in work.properties["Topics"]:
            await _set_policy(work, arn, _text(work.properties["PolicyDocument"]))
        return Standing(identifier, {"Id": identifier})

    async def update(self, work: Work) -> Standing:
        for arn in work.previous.get("Topics", ()):
            if arn not in work.properties["Topics"]:
                await _set_policy(work, arn, "")
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        for arn in work.properties["Topics"]:
            await _set_policy(work, arn, "")


class TopicInlinePolicy(ResourceType):
    """The policy of one topic; `Ref` gives the topic's ARN."""

    type = "AWS::SNS::TopicInlinePolicy"
    service = "sns"
    missing = _MISSING

    async def make(self, work: Work) -> Standing:
        arn = work.properties["TopicArn"]
        await _set_policy(work, arn, _text(work.properties["PolicyDocument"]))
        return Standing(arn, {})

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        await _set_policy(work, work.properties["TopicArn"], "")


async def _set_policy(work: Work, arn: str, policy: str) -> None:
    await work.call("SetTopicAttributes", {"TopicArn": arn, "AttributeName": "Policy", "AttributeValue": policy})


TYPES = (Topic, Subscription, TopicPolicy, TopicInlinePolicy)
