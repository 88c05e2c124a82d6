"""AWS::SSM: parameters.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-parameter.html
"""

from __future__ import annotations

from typing import Any

from fogbank.core.call import Reply
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, tag_list

_SETTINGS = ("Type", "Value", "Description", "AllowedPattern", "Tier", "Policies", "DataType")


class Parameter(ResourceType):
    """A parameter; `Ref` gives its name."""

    type = "AWS::SSM::Parameter"
    service = "ssm"
    name = Name("Name", 1011)
    attributes = ("Type", "Value", "Arn")
    missing = frozenset({"ParameterNotFound"})
    taken = frozenset({"ParameterAlreadyExists"})

    async def make(self, work: Work) -> Standing:
        request: dict[str, Any] = {"Name": work.name, **work.take(*_SETTINGS), "Tags": tag_list(work.tags())}
        await work.call("PutParameter", request)
        return self._standing(work)

    async def update(self, work: Work) -> Standing:
        await work.call("PutParameter", {"Name": work.name, **work.take(*_SETTINGS), "Overwrite": True})
        tags, removed = work.tag_changes()
        key = {"ResourceType": "Parameter", "ResourceId": work.name}
        if tags:
            await work.call("AddTagsToResource", {**key, "Tags": tag_list(tags)})
        if removed:
            await work.call("RemoveTagsFromResource", {**key, "TagKeys": removed})
        return self._standing(work)

    @staticmethod
    def _standing(work: Work) -> Standing:
        arn = work.scope.arn("ssm", f"parameter/{work.name.removeprefix('/')}")
        attributes = {"Type": work.properties["Type"], "Value": work.properties["Value"], "Arn": arn}
        return Standing(work.name, attributes)

    async def read(self, work: Work) -> Reply:
        return await work.call("GetParameter", {"Name": work.name})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteParameter", {"Name": work.name})


TYPES = (Parameter,)
