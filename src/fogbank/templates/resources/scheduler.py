"""AWS::Scheduler: schedules and their groups.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Scheduler.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fogbank.core.call import Reply
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, moment, tag_list


class Schedule(ResourceType):
    """A schedule; `Ref` gives its name."""

    type = "AWS::Scheduler::Schedule"
    service = "scheduler"
    name = Name("Name", 64)
    attributes = ("Arn",)
    replaced_by = frozenset({"GroupName"})
    _settings = ("GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "Description", "State", "KmsKeyArn",
                 "Target", "FlexibleTimeWindow")  # fmt: skip

    def _request(self, work: Work) -> dict[str, Any]:
        return {
            "Name": work.name,
            **work.take(*self._settings),
            "StartDate": _moment(work, "StartDate"),
            "EndDate": _moment(work, "EndDate"),
            "ClientToken": work.step.token,
        }

    async def make(self, work: Work) -> Standing:
        return Standing(work.name, {"Arn": (await work.call("CreateSchedule", self._request(work)))["ScheduleArn"]})

    async def update(self, work: Work) -> Standing:
        return Standing(work.name, {"Arn": (await work.call("UpdateSchedule", self._request(work)))["ScheduleArn"]})

    async def read(self, work: Work) -> Reply:
        return await work.call("GetSchedule", {"Name": work.name, **work.take("GroupName")})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteSchedule", {"Name": work.name, **work.take("GroupName")})


def _moment(work: Work, name: str) -> float | None:
    """A date and time as the API's timestamp; UTC where nothing else is said."""
    text = work.properties.get(name)
    return None if text is None else moment(name, text)


class ScheduleGroup(ResourceType):
    """A group of schedules; `Ref` gives its name."""

    type = "AWS::Scheduler::ScheduleGroup"
    service = "scheduler"
    name = Name("Name", 64)
    attributes = ("Arn", "CreationDate", "LastModificationDate", "State")

    async def make(self, work: Work) -> Standing:
        request = {"Name": work.name, "Tags": tag_list(work.tags()), "ClientToken": work.step.token}
        await work.call("CreateScheduleGroup", request)
        return await self._standing(work)

    async def update(self, work: Work) -> Standing:
        standing = await self._standing(work)
        tags, removed = work.tag_changes()
        arn = standing.attributes["Arn"]
        if tags:
            await work.call("TagResource", {"ResourceArn": arn, "Tags": tag_list(tags)})
        if removed:
            await work.call("UntagResource", {"ResourceArn": arn, "TagKeys": removed})
        return standing

    async def _standing(self, work: Work) -> Standing:
        reply = await self.read(work)
        attributes = {"Arn": reply["Arn"], "State": reply["State"]}
        for name in ("CreationDate", "LastModificationDate"):
            if reply.get(name) is not None:
                attributes[name] = datetime.fromtimestamp(reply[name], UTC).isoformat().replace("+00:00", "Z")
        return Standing(work.name, attributes)

    async def read(self, work: Work) -> Reply:
        return await work.call("GetScheduleGroup", {"Name": work.name})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteScheduleGroup", {"Name": work.name})


TYPES = (Schedule, ScheduleGroup)
