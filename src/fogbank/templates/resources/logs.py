"""AWS::Logs: groups, streams, metric and subscription filters.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Logs.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, json_text, lower_first

_TAKEN = frozenset({"ResourceAlreadyExistsException"})


class LogGroup(ResourceType):
    """A log group; `Ref` gives its name."""

    type = "AWS::Logs::LogGroup"
    service = "logs"
    name = Name("LogGroupName", 512)
    attributes = ("Arn",)
    taken = _TAKEN
    lacking = frozenset({"BearerTokenAuthenticationEnabled", "FieldIndexPolicies", "ResourcePolicyDocument"})
    needed_by: ClassVar[Mapping[str, str]] = {
        "DataProtectionPolicy": "PutDataProtectionPolicy",
        "KmsKeyId": "AssociateKmsKey",
    }

    async def make(self, work: Work) -> Standing:
        properties = work.properties
        request = {
            "logGroupName": work.name,
            "kmsKeyId": properties.get("KmsKeyId"),
            "logGroupClass": properties.get("LogGroupClass"),
            "deletionProtectionEnabled": properties.get("DeletionProtectionEnabled"),
            "tags": work.tags() or None,
        }
        await work.call("CreateLogGroup", request)
        return await self._bring(work)

    async def update(self, work: Work) -> Standing:
        group = {"logGroupName": work.name}
        properties = work.properties
        if work.previous and work.changed("KmsKeyId"):
            if "KmsKeyId" in properties:
                await work.call("AssociateKmsKey", {**group, "kmsKeyId": properties["KmsKeyId"]})
            else:
                await work.call("DisassociateKmsKey", group)
        if work.changed("DeletionProtectionEnabled"):
            protected = bool(properties.get("DeletionProtectionEnabled"))
            request = {"logGroupIdentifier": work.name, "deletionProtectionEnabled": protected}
            await work.call("PutLogGroupDeletionProtection", request)
        tags, removed = work.tag_changes()
        if tags:
            await work.call("TagResource", {"resourceArn": self._arn(work), "tags": tags})
        if removed:
            await work.call("UntagResource", {"resourceArn": self._arn(work), "tagKeys": removed})
        return await self._bring(work)

    async def _bring(self, work: Work) -> Standing:
        days = work.properties.get("RetentionInDays")
        if days is not None:
            await work.call("PutRetentionPolicy", {"logGroupName": work.name, "retentionInDays": days})
        elif work.previous.get("RetentionInDays") is not None:
            await work.call("DeleteRetentionPolicy", {"logGroupName": work.name})
        policy = work.properties.get("DataProtectionPolicy")
        if policy is not None:
            request = {"logGroupIdentifier": work.name, "policyDocument": json_text(policy)}
            await work.call("PutDataProtectionPolicy", request)
        elif work.previous.get("DataProtectionPolicy") is not None:
            await work.call("DeleteDataProtectionPolicy", {"logGroupIdentifier": work.name})
        return Standing(work.name, {"Arn": self._arn(work) + ":*"})

    @staticmethod
    def _arn(work: Work) -> str:
        return work.scope.arn("logs", f"log-group:{work.name}")

    async def exists(self, work: Work) -> bool:
        reply = await work.call("DescribeLogGroups", {"logGroupNamePrefix": work.name})
        return any(group["logGroupName"] == work.name for group in reply.get("logGroups", ()))

    async def remove(self, work: Work) -> None:
        await work.call("DeleteLogGroup", {"logGroupName": work.name})


class LogStream(ResourceType):
    """A log stream; `Ref` gives its name."""

    type = "AWS::Logs::LogStream"
    service = "logs"
    name = Name("LogStreamName", 512)
    attributes = ()
    taken = _TAKEN

    @staticmethod
    def _key(work: Work) -> dict[str, Any]:
        return {"logGroupName": work.properties["LogGroupName"], "logStreamName": work.name}

    async def make(self, work: Work) -> Standing:
        await work.call("CreateLogStream", self._key(work))
        return Standing(work.name, {})

    async def adopt(self, work: Work) -> Standing:
        return Standing(work.name, {})

    async def exists(self, work: Work) -> bool:
        group = work.properties["LogGroupName"]
        reply = await work.call("DescribeLogStreams", {"logGroupName": group, "logStreamNamePrefix": work.name})
        return any(stream["logStreamName"] == work.name for stream in reply.get("logStreams", ()))

    async def remove(self, work: Work) -> None:
        await work.call("DeleteLogStream", self._key(work))


class MetricFilter(ResourceType):
    """A metric filter; `Ref` gives its name. Putting one is safe to repeat."""

    type = "AWS::Logs::MetricFilter"
    service = "logs"
    name = Name("FilterName", 512)
    attributes = ()
    put = "PutMetricFilter"
    delete_operation = "DeleteMetricFilter"
    read_operation = "DescribeMetricFilters"
    listed = "metricFilters"

    @staticmethod
    def _key(work: Work) -> dict[str, Any]:
        return {"logGroupName": work.properties["LogGroupName"], "filterName": work.name}

    async def make(self, work: Work) -> Standing:
        request = {**lower_first(self._settings(work)), **self._key(work)}
        await work.call(self.put, request)
        return Standing(work.name, {})

    @staticmethod
    def _settings(work: Work) -> dict[str, Any]:
        """The settings; a metric's dimensions are a list here and a mapping in the API."""
        settings = dict(work.properties)
        settings["MetricTransformations"] = [
            {**each, "Dimensions": {d["Key"]: d["Value"] for d in each["Dimensions"]}} if "Dimensions" in each else each
            for each in work.properties["MetricTransformations"]
        ]
        return settings

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def exists(self, work: Work) -> bool:
        group = work.properties["LogGroupName"]
        reply = await work.call(self.read_operation, {"logGroupName": group, "filterNamePrefix": work.name})
        return any(each["filterName"] == work.name for each in reply.get(self.listed, ()))

    async def remove(self, work: Work) -> None:
        await work.call(self.delete_operation, self._key(work))


class SubscriptionFilter(MetricFilter):
    """A subscription filter; `Ref` gives its name."""

    type = "AWS::Logs::SubscriptionFilter"
    put = "PutSubscriptionFilter"
    delete_operation = "DeleteSubscriptionFilter"
    read_operation = "DescribeSubscriptionFilters"
    listed = "subscriptionFilters"

    @staticmethod
    def _settings(work: Work) -> dict[str, Any]:
        return dict(work.properties)


class ResourcePolicy(ResourceType):
    """A policy that lets services write to log groups; `Ref` gives its name. Putting one is safe to repeat."""

    type = "AWS::Logs::ResourcePolicy"
    service = "logs"
    attributes = ()

    async def make(self, work: Work) -> Standing:
        name = work.properties["PolicyName"]
        document = json_text(work.properties["PolicyDocument"])
        await work.call("PutResourcePolicy", {"policyName": name, "policyDocument": document})
        return Standing(name, {})

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        await work.call("DeleteResourcePolicy", {"policyName": work.properties["PolicyName"]})


class QueryDefinition(ResourceType):
    """A saved query; `Ref` gives its id."""

    type = "AWS::Logs::QueryDefinition"
    service = "logs"
    attributes = ("QueryDefinitionId",)

    async def make(self, work: Work) -> Standing:
        request = {**lower_first(work.properties), "queryDefinitionId": work.physical_id or None}
        if not work.physical_id:  # made twice with one token, it is made once
            request["clientToken"] = work.step.token.ljust(36, "0")[:128]
        key = (await work.call("PutQueryDefinition", request))["queryDefinitionId"]
        return Standing(key, {"QueryDefinitionId": key})

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        if work.physical_id:
            await work.call("DeleteQueryDefinition", {"queryDefinitionId": work.physical_id})


TYPES = (LogGroup, LogStream, MetricFilter, SubscriptionFilter, ResourcePolicy, QueryDefinition)
