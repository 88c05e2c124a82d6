"""AWS::CloudFormation: nested stacks, custom resources, wait conditions; and the CDK's metadata.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CloudFormation.html
"""

from __future__ import annotations

from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources._custom import CustomResource
from fogbank.templates.resources._nested import NestedStack
from fogbank.templates.resources._waiting import WaitCondition, WaitConditionHandle
from fogbank.templates.resources.resource_type import ResourceType, Work
from fogbank.templates.schema import ResourceSchema


class CdkMetadata(ResourceType):
    """What the CDK writes into every template: AWS counts constructs by it, and makes nothing."""

    type = "AWS::CDK::Metadata"
    service = "cloudformation"

    @property
    def schema(self) -> ResourceSchema | None:
        return None

    async def make(self, work: Work) -> Standing:
        return Standing(work.step.token, {})

    async def remove(self, work: Work) -> None:
        """There is nothing to delete."""


TYPES = (CdkMetadata, CustomResource, NestedStack, WaitCondition, WaitConditionHandle)
