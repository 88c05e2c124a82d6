"""AWS::CodeDeploy, as far as SAM's DeploymentPreference needs it: aliases that are moved all at once.

Moving all traffic at once is what an update of the alias does, so these two are names that `Ref` gives and nothing runs
behind them. What CodeDeploy would do on its own (shifting little by little, watching alarms, telling topics) is refused
by name before anything is created.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CodeDeploy.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work

_AT_ONCE = "CodeDeployDefault.LambdaAllAtOnce"


class Application(ResourceType):
    """An application; `Ref` gives its name."""

    type = "AWS::CodeDeploy::Application"
    service = "codedeploy"
    name = Name("ApplicationName", 100)

    def lacks(self, properties: Mapping[str, Any]) -> str | None:
        platform = properties.get("ComputePlatform")
        return None if platform == "Lambda" else f"the compute platform {platform or 'Server'}"

    async def exists(self, work: Work) -> bool:  # noqa: ARG002 - nothing is kept outside the stack
        return False

    async def make(self, work: Work) -> Standing:
        return Standing(work.name, {})

    async def update(self, work: Work) -> Standing:
        return Standing(work.name, {})

    async def remove(self, work: Work) -> None:
        """There is nothing to delete."""


class DeploymentGroup(Application):
    """A deployment group; `Ref` gives its name."""

    type = "AWS::CodeDeploy::DeploymentGroup"
    name = Name("DeploymentGroupName", 100)
    lacking = frozenset(
        {"AutoScalingGroups", "Deployment", "ECSServices", "Ec2TagFilters", "Ec2TagSet", "LoadBalancerInfo",
         "OnPremisesInstanceTagFilters", "OnPremisesTagSet", "TriggerConfigurations"}
    )  # fmt: skip

    def lacks(self, properties: Mapping[str, Any]) -> str | None:
        configuration = properties.get("DeploymentConfigName")
        if configuration != _AT_ONCE:
            return f"deployments by {configuration or 'CodeDeployDefault.OneAtATime'}: only {_AT_ONCE}"
        alarms = properties.get("AlarmConfiguration") or {}
        return "AlarmConfiguration" if isinstance(alarms, Mapping) and alarms.get("Alarms") else None


TYPES = (Application, DeploymentGroup)
