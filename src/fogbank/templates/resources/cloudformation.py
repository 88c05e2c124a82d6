"""AWS::CloudFormation: nested stacks, custom resources, wait condition handles; and the CDK's metadata.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CloudFormation.html
"""

from __future__ import annotations

from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources._custom import CustomResource
from fogbank.templates.resources._nested import NestedStack
from fogbank.templates.resources.resource_type import ResourceType, Work
from fogbank.templates.schema import ResourceSchema


class WaitConditionHandle(ResourceType):
    """A handle; `Ref` gives its URL. Templates use one as a resource that is nothing; signals to it are not taken."""

    type = "AWS::CloudFormation::WaitConditionHandle"
    service = "cloudformation"
    attributes = ("Id",)

    async def make(self, work: Work) -> Standing:
        stack = work.step.stack.stack_id
        region = work.scope.region
        url = f"https://cloudformation-waitcondition-{region}.s3.{region}.amazonaws.com/{stack}/{work.step.logical_id}"
        return Standing(url, {"Id": url})

    async def remove(self, work: Work) -> None:
        """There is nothing to delete."""


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


TYPES = (CdkMetadata, CustomResource, NestedStack, WaitConditionHandle)
