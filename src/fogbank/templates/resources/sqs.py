"""AWS::SQS: queues and their policies.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SQS.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogbank.core.call import Reply
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, json_text
from fogbank.templates.sections import scalar_text

_ATTRIBUTES = (
    "ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize", "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled", "VisibilityTimeout",
)  # fmt: skip
_DEFAULTS = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "DelaySeconds": "0",
    "FifoThroughputLimit": "perQueue",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "262144",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}
"""What a property that was taken out of the template goes back to."""
_MISSING = frozenset({"QueueDoesNotExist"})


def _is_fifo(properties: Mapping[str, Any]) -> str:
    return ".fifo" if properties.get("FifoQueue") else ""


class Queue(ResourceType):
    """A queue; `Ref` gives its URL."""

    type = "AWS::SQS::Queue"
    service = "sqs"
    name = Name("QueueName", 80, suffix=_is_fifo)
    attributes = ("Arn", "QueueName", "QueueUrl")
    missing = _MISSING
    taken = frozenset({"QueueNameExists"})

    async def make(self, work: Work) -> Standing:
        attributes = self._attributes(work)
        if work.properties.get("FifoQueue"):
            attributes["FifoQueue"] = "true"
        request = {"QueueName": work.name, "Attributes": attributes or None, "tags": work.tags() or None}
        reply = await work.call("CreateQueue", request)
        return await self._standing(work, reply["QueueUrl"])

    @staticmethod
    def _attributes(work: Work) -> dict[str, str]:
        found = {}
        for name in _ATTRIBUTES:
            if name in work.properties:
                value = work.properties[name]
                found[name] = json_text(value) if isinstance(value, dict) else scalar_text(value)
            elif name in work.previous:
                found[name] = _DEFAULTS[name]
        return found

    async def _standing(self, work: Work, url: str) -> Standing:
        reply = await work.call("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["QueueArn"]})
        arn: str = reply["Attributes"]["QueueArn"]
        return Standing(url, {"Arn": arn, "QueueName": work.name or arn.rpartition(":")[2], "QueueUrl": url})

    async def adopt(self, work: Work) -> Standing:
        reply = await self.read(work)
        return await self._bring(work, reply["QueueUrl"])

    async def update(self, work: Work) -> Standing:
        return await self._bring(work, work.physical_id)

    async def _bring(self, work: Work, url: str) -> Standing:
        attributes = self._attributes(work)
        if attributes:
            await work.call("SetQueueAttributes", {"QueueUrl": url, "Attributes": attributes})
        tags, removed = work.tag_changes()
        if tags:
            await work.call("TagQueue", {"QueueUrl": url, "Tags": tags})
        if removed:
            await work.call("UntagQueue", {"QueueUrl": url, "TagKeys": removed})
        return await self._standing(work, url)

    async def read(self, work: Work) -> Reply:
        return await work.call("GetQueueUrl", {"QueueName": work.name})

    async def remove(self, work: Work) -> None:
        url = work.physical_id or (await self.read(work))["QueueUrl"]
        await work.call("DeleteQueue", {"QueueUrl": url})


class QueuePolicy(ResourceType):
    """A policy put on queues."""

    type = "AWS::SQS::QueuePolicy"
    service = "sqs"
    attributes = ("Id",)
    missing = _MISSING

    async def make(self, work: Work) -> Standing:
        identifier = work.physical_id or f"{work.step.stack.name}-{work.step.logical_id}-{work.step.token[:12]}"
        policy = json_text(work.properties["PolicyDocument"])
        for url in work.properties["Queues"]:
            await work.call("SetQueueAttributes", {"QueueUrl": url, "Attributes": {"Policy": policy}})
        return Standing(identifier, {"Id": identifier})

    async def update(self, work: Work) -> Standing:
        for url in work.previous.get("Queues", ()):
            if url not in work.properties["Queues"]:
                await self._clear(work, url)
        return await self.make(work)

    async def _clear(self, work: Work, url: str) -> None:
        await work.call("SetQueueAttributes", {"QueueUrl": url, "Attributes": {"Policy": ""}})

    async def remove(self, work: Work) -> None:
        for url in work.properties["Queues"]:
            await self._clear(work, url)


TYPES = (Queue, QueuePolicy)
