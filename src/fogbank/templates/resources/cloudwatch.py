"""AWS::CloudWatch: alarms, composite alarms, dashboards. Putting one is safe to repeat.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CloudWatch.html
"""

from __future__ import annotations

from fogbank.core.call import Reply
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, json_text, tag_list, without

_MISSING = frozenset({"ResourceNotFound", "DashboardNotFoundError"})


class Alarm(ResourceType):
    """An alarm on a metric or an expression; `Ref` gives its name."""

    type = "AWS::CloudWatch::Alarm"
    service = "cloudwatch"
    name = Name("AlarmName", 255)
    attributes = ("Arn",)
    missing = _MISSING
    lacking = frozenset(
        {
            "ActionConfiguration", "EvaluationCriteria", "EvaluationInterval", "EvaluationWindow", "ThresholdMetricId",
            "WarmUpConfiguration",
        }
    )  # fmt: skip
    put = "PutMetricAlarm"
    kind = "MetricAlarm"

    async def make(self, work: Work) -> Standing:
        request = {**without(work.properties, {"Tags"}), "AlarmName": work.name, "Tags": tag_list(work.tags())}
        await work.call(self.put, request)
        return self._standing(work)

    def _standing(self, work: Work) -> Standing:
        return Standing(work.name, {"Arn": work.scope.arn("cloudwatch", f"alarm:{work.name}")})

    async def update(self, work: Work) -> Standing:
        standing = await self.make(work)
        arn = standing.attributes["Arn"]
        tags, removed = work.tag_changes()
        if tags:
            await work.call("TagResource", {"ResourceARN": arn, "Tags": tag_list(tags)})
        if removed:
            await work.call("UntagResource", {"ResourceARN": arn, "TagKeys": removed})
        return standing

    async def exists(self, work: Work) -> bool:
        reply = await work.call("DescribeAlarms", {"AlarmNames": [work.name], "AlarmTypes": [self.kind]})
        return bool(reply.get(f"{self.kind}s"))

    async def remove(self, work: Work) -> None:
        await work.call("DeleteAlarms", {"AlarmNames": [work.physical_id or work.name]})


class CompositeAlarm(Alarm):
    """An alarm over alarms; `Ref` gives its name."""

    type = "AWS::CloudWatch::CompositeAlarm"
    lacking = frozenset({"ActionConfiguration"})
    put = "PutCompositeAlarm"
    kind = "CompositeAlarm"


class Dashboard(ResourceType):
    """A dashboard; `Ref` gives its name."""

    type = "AWS::CloudWatch::Dashboard"
    service = "cloudwatch"
    name = Name("DashboardName", 255)
    attributes = ()
    missing = _MISSING

    async def make(self, work: Work) -> Standing:
        body = json_text(work.properties["DashboardBody"])
        request = {"DashboardName": work.name, "DashboardBody": body, "Tags": tag_list(work.tags())}
        await work.call("PutDashboard", request)
        return Standing(work.name, {})

    async def update(self, work: Work) -> Standing:
        standing = await self.make(work)
        arn = work.scope.global_arn("cloudwatch", f"dashboard/{work.name}")
        tags, removed = work.tag_changes()
        if tags:
            await work.call("TagResource", {"ResourceARN": arn, "Tags": tag_list(tags)})
        if removed:
            await work.call("UntagResource", {"ResourceARN": arn, "TagKeys": removed})
        return standing

    async def read(self, work: Work) -> Reply:
        return await work.call("GetDashboard", {"DashboardName": work.name})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteDashboards", {"DashboardNames": [work.physical_id or work.name]})


TYPES = (Alarm, CompositeAlarm, Dashboard)
