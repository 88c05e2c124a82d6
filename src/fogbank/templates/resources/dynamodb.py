"""AWS::DynamoDB: tables.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from fogbank.core.call import Reply
from fogbank.core.errors import InvalidParameterError
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, json_text, tag_list

_CREATED_WITH = (
    "AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput", "LocalSecondaryIndexes", "TableClass",
    "DeletionProtectionEnabled", "OnDemandThroughput", "WarmThroughput", "VectorIndexes",
)  # fmt: skip
_UPDATED = ("BillingMode", "ProvisionedThroughput", "TableClass", "DeletionProtectionEnabled", "OnDemandThroughput",
            "WarmThroughput")  # fmt: skip
_APART = ("ContributorInsightsSpecification", "KinesisStreamSpecification")


class Table(ResourceType):
    """A table; `Ref` gives its name."""

    type = "AWS::DynamoDB::Table"
    service = "dynamodb"
    name = Name("TableName", 255)
    attributes = ("Arn", "StreamArn")
    taken = frozenset({"ResourceInUseException"})
    replaced_by = frozenset({"KeySchema", "LocalSecondaryIndexes"})
    lacking = frozenset({"ImportSourceSpecification"})
    needed_by: ClassVar[Mapping[str, str]] = {
        "ContributorInsightsSpecification": "UpdateContributorInsights",
        "KinesisStreamSpecification": "EnableKinesisStreamingDestination",
    }
    defaults: ClassVar[Mapping[str, Any]] = {"ContributorInsightsSpecification": {"Enabled": False}}

    async def make(self, work: Work) -> Standing:
        properties = work.properties
        request: dict[str, Any] = {
            "TableName": work.name,
            **work.take(*_CREATED_WITH),
            "GlobalSecondaryIndexes": [_index(each) for each in properties.get("GlobalSecondaryIndexes", ())] or None,
            "StreamSpecification": _stream(properties),
            "SSESpecification": _encryption(properties),
            "ResourcePolicy": json_text(properties.get("ResourcePolicy", {}).get("PolicyDocument")),
            "Tags": tag_list(work.tags()),
        }
        await work.call("CreateTable", request)
        await self._active(work)
        await self._beside(work)
        return await self._standing(work)

    async def adopt(self, work: Work) -> Standing:
        await self._active(work)
        await self._beside(work)
        return await self._standing(work)

    async def _active(self, work: Work) -> None:
        async def ready() -> bool:
            table = (await self.read(work))["Table"]
            indexes = table.get("GlobalSecondaryIndexes") or ()
            return table["TableStatus"] == "ACTIVE" and all(i["IndexStatus"] == "ACTIVE" for i in indexes)

        await work.until(ready)

    async def update(self, work: Work) -> Standing:
        changes = [name for name in _UPDATED if work.changed(name)]
        if changes:
            # A throughput without its billing mode says little: what goes together is sent together.
            together = {"BillingMode", "ProvisionedThroughput"} & set(changes)
            names = [*changes, *({"BillingMode", "ProvisionedThroughput"} if together else ())]
            await self._change(work, self._defaulted(work.take(*names), changes))
        if work.changed("StreamSpecification"):
            await self._change_stream(work)
        if work.changed("SSESpecification"):
            await self._change(work, {"SSESpecification": _encryption(work.properties) or {"Enabled": False}})
        await self._change_indexes(work)
        await self._beside(work)
        await self._change_tags(work)
        return await self._standing(work)

    @staticmethod
    def _defaulted(settings: dict[str, Any], changes: list[str]) -> dict[str, Any]:
        """Settings that were taken out go back to what they are by default."""
        defaults = {"BillingMode": "PROVISIONED", "TableClass": "STANDARD", "DeletionProtectionEnabled": False}
        return {**{name: defaults[name] for name in changes if name in defaults}, **settings}

    async def _change(self, work: Work, settings: Mapping[str, Any]) -> None:
        await work.call("UpdateTable", {"TableName": work.name, **settings})
        await self._active(work)

    async def _change_stream(self, work: Work) -> None:
        """A stream's view type cannot be changed: the stream is ended and a new one begun."""
        if work.previous.get("StreamSpecification") and _stream(work.previous) is not None:
            await self._change(work, {"StreamSpecification": {"StreamEnabled": False}})
        wanted = _stream(work.properties)
        if wanted is not None:
            await self._change(work, {"StreamSpecification": wanted})

    async def _change_indexes(self, work: Work) -> None:
        """One index is created or deleted at a time, as DynamoDB demands."""
        before = {each["IndexName"]: each for each in work.previous.get("GlobalSecondaryIndexes", ())}
        after = {each["IndexName"]: each for each in work.properties.get("GlobalSecondaryIndexes", ())}
        definitions = {"AttributeDefinitions": work.properties.get("AttributeDefinitions", [])}
        for name, index in before.items():
            if name not in after:
                await self._change(work, {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]})
            elif any(index.get(key) != after[name].get(key) for key in ("KeySchema", "Projection")):
                raise InvalidParameterError(
                    f"Cannot update GSI's properties other than Provisioned Throughput and Contributor Insights "
                    f"Specification. You can create a new GSI with a different name. (index {name})"
                )
        for name, index in after.items():
            if name not in before:
                update = {"Create": _index(index)}
            elif index.get("ProvisionedThroughput") != before[name].get("ProvisionedThroughput"):
                throughput = index.get("ProvisionedThroughput")
                if throughput is None:
                    continue
                update = {"Update": {"IndexName": name, "ProvisionedThroughput": throughput}}
            else:
                continue
            await self._change(work, {**definitions, "GlobalSecondaryIndexUpdates": [update]})

    async def _beside(self, work: Work) -> None:
        """What has calls of its own: time to live, backups, resource policy, insights, Kinesis."""
        table = {"TableName": work.name}
        await self._time_to_live(work)
        if work.changed("PointInTimeRecoverySpecification"):
            wanted = work.properties.get("PointInTimeRecoverySpecification") or {"PointInTimeRecoveryEnabled": False}
            await work.call("UpdateContinuousBackups", {**table, "PointInTimeRecoverySpecification": wanted})
        if work.previous and work.changed("ResourcePolicy"):
            await self._change_policy(work)
        if self.differs(work, "ContributorInsightsSpecification"):
            wanted = work.properties.get("ContributorInsightsSpecification") or {}
            action = "ENABLE" if wanted.get("Enabled") else "DISABLE"
            request = {**table, "ContributorInsightsAction": action, "ContributorInsightsMode": wanted.get("Mode")}
            await work.call("UpdateContributorInsights", request)
        if work.changed("KinesisStreamSpecification"):
            await self._change_kinesis(work)

    @staticmethod
    async def _time_to_live(work: Work) -> None:
        wanted = work.properties.get("TimeToLiveSpecification")
        had = work.previous.get("TimeToLiveSpecification")
        if wanted == had:
            return
        if wanted is None:
            wanted = {"Enabled": False, "AttributeName": had["AttributeName"]} if had and had["Enabled"] else None
        if wanted is None:
            return
        if not wanted["Enabled"] and not (had or {}).get("Enabled"):
            return
        reply = await work.call("DescribeTimeToLive", {"TableName": work.name})
        status = reply["TimeToLiveDescription"].get("TimeToLiveStatus", "DISABLED")
        if wanted["Enabled"] == status.startswith("ENABL") and (
            not wanted["Enabled"] or reply["TimeToLiveDescription"].get("AttributeName") == wanted.get("AttributeName")
        ):
            return
        attribute = wanted.get("AttributeName") or (had or {}).get("AttributeName")
        specification = {"Enabled": wanted["Enabled"], "AttributeName": attribute}
        await work.call("UpdateTimeToLive", {"TableName": work.name, "TimeToLiveSpecification": specification})

    async def _change_policy(self, work: Work) -> None:
        arn = (await self.read(work))["Table"]["TableArn"]
        policy = work.properties.get("ResourcePolicy")
        if policy is None:
            await work.call("DeleteResourcePolicy", {"ResourceArn": arn})
        else:
            await work.call("PutResourcePolicy", {"ResourceArn": arn, "Policy": json_text(policy["PolicyDocument"])})

    @staticmethod
    async def _change_kinesis(work: Work) -> None:
        had, wanted = work.previous.get("KinesisStreamSpecification"), work.properties.get("KinesisStreamSpecification")
        if had:
            request = {"TableName": work.name, "StreamArn": had["StreamArn"]}
            await work.call("DisableKinesisStreamingDestination", request)
        if wanted:
            request = {"TableName": work.name, "StreamArn": wanted["StreamArn"]}
            await work.call("EnableKinesisStreamingDestination", request)

    async def _change_tags(self, work: Work) -> None:
        tags, removed = work.tag_changes()
        if not tags and not removed:
            return
        arn = (await self.read(work))["Table"]["TableArn"]
        if tags:
            await work.call("TagResource", {"ResourceArn": arn, "Tags": tag_list(tags)})
        if removed:
            await work.call("UntagResource", {"ResourceArn": arn, "TagKeys": removed})

    async def _standing(self, work: Work) -> Standing:
        table = (await self.read(work))["Table"]
        attributes = {"Arn": table["TableArn"]}
        if table.get("LatestStreamArn"):
            attributes["StreamArn"] = table["LatestStreamArn"]
        return Standing(work.name, attributes)

    async def read(self, work: Work) -> Reply:
        return await work.call("DescribeTable", {"TableName": work.name})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteTable", {"TableName": work.name})

        async def gone() -> bool:
            return not await self.exists(work)

        await work.until(gone)


def _index(index: Mapping[str, Any]) -> dict[str, Any]:
    """An index as CreateTable wants it, without what has calls of its own."""
    return {key: value for key, value in index.items() if key not in (*_APART, "ResourcePolicy")}


def _stream(properties: Mapping[str, Any]) -> dict[str, Any] | None:
    """The stream: in a template it is enabled by being there."""
    specification = properties.get("StreamSpecification")
    if not specification:
        return None
    return {"StreamEnabled": True, "StreamViewType": specification["StreamViewType"]}


def _encryption(properties: Mapping[str, Any]) -> dict[str, Any] | None:
    """The encryption's settings under the API's names."""
    specification = properties.get("SSESpecification")
    if not specification:
        return None
    names = {"SSEEnabled": "Enabled", "SSEType": "SSEType", "KMSMasterKeyId": "KMSMasterKeyId"}
    return {names[key]: value for key, value in specification.items()}


TYPES = (Table,)
