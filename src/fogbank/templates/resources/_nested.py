"""AWS::CloudFormation::Stack: a stack within a stack.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html
"""

from __future__ import annotations

from typing import Any

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError
from fogbank.services.cloudformation.engine import ReasonError, Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, tag_list, tag_map
from fogbank.templates.sections import scalar_text

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
"""What the parent's user acknowledged holds for what it contains."""
_DONE = {"created": "CREATE_COMPLETE", "updated": "UPDATE_COMPLETE"}
_LIMIT = 6 * 3600.0


class NestedStack(ResourceType):
    """A stack; `Ref` gives its id, `Fn::GetAtt` its outputs as `Outputs.Name`."""

    type = "AWS::CloudFormation::Stack"
    service = "cloudformation"
    name = Name("StackName", 128)
    attributes = None
    taken = frozenset({"AlreadyExistsException"})

    @staticmethod
    def _request(work: Work) -> dict[str, Any]:
        given = work.properties.get("Parameters", {})
        return {
            "TemplateURL": work.properties["TemplateURL"],
            "Parameters": [{"ParameterKey": key, "ParameterValue": _text(value)} for key, value in given.items()],
            "Tags": tag_list(tag_map(work.properties.get("Tags"))) or [],
            "Capabilities": _CAPABILITIES,
            "NotificationARNs": list(work.properties.get("NotificationARNs", ())),
        }

    async def make(self, work: Work) -> Standing:
        request = {
            "StackName": work.name,
            **self._request(work),
            "TimeoutInMinutes": work.properties.get("TimeoutInMinutes"),
            "ClientRequestToken": work.step.token,
        }
        stack_id = (await work.call("CreateStack", request))["StackId"]
        return await self._finished(work, stack_id, "created")

    async def update(self, work: Work) -> Standing:
        stack_id = work.physical_id
        try:
            await work.call("UpdateStack", {"StackName": stack_id, **self._request(work)})
        except ApiError as error:
            if "No updates are to be performed" not in error.message:
                raise
            # When the parent is rolled back the inner stack has rolled itself back already.
            return _standing(await self._stack(work, stack_id))
        return await self._finished(work, stack_id, "updated")

    async def adopt(self, work: Work) -> Standing:
        """The inner stack of an earlier attempt goes on by itself."""
        stack = await self._stack(work, work.name)
        return await self._finished(work, stack["StackId"], "created")

    async def _finished(self, work: Work, stack_id: str, verb: str) -> Standing:
        stack = await self._settled(work, stack_id)
        status = str(stack["StackStatus"])
        if status != _DONE[verb]:
            raise ReasonError(
                f"Embedded stack {stack_id} was not successfully {verb}. Currently in {status} with reason: "
                f"{stack.get('StackStatusReason')}"
            )
        return _standing(stack)

    async def _settled(self, work: Work, stack_id: str) -> Reply:
        found: list[Reply] = []

        async def still() -> bool:
            found.append(await self._stack(work, stack_id))
            return not str(found[-1]["StackStatus"]).endswith("_IN_PROGRESS")

        await work.until(still, limit=_LIMIT)
        return found[-1]

    @staticmethod
    async def _stack(work: Work, name: str) -> Reply:
        reply = await work.call("DescribeStacks", {"StackName": name})
        stack: Reply = reply["Stacks"][0]
        return stack

    async def exists(self, work: Work) -> bool:  # noqa: ARG002 - nothing needs to be asked
        return False  # the name is made up, always

    async def delete(self, work: Work) -> None:
        try:
            stack_id = (await self._stack(work, work.physical_id or work.name))["StackId"]
        except ApiError as error:
            if "does not exist" in error.message:
                return
            raise
        await work.call("DeleteStack", {"StackName": stack_id})
        stack = await self._settled(work, stack_id)
        if stack["StackStatus"] != "DELETE_COMPLETE":
            raise ReasonError(
                f"Embedded stack {stack_id} was not successfully deleted: {stack.get('StackStatusReason')}"
            )


def _standing(stack: Reply) -> Standing:
    outputs = {f"Outputs.{output['OutputKey']}": output["OutputValue"] for output in stack.get("Outputs", ())}
    return Standing(stack["StackId"], outputs)


def _text(value: Any) -> str:
    """A parameter's value; a list as it is given on the command line."""
    return ",".join(scalar_text(each) for each in value) if isinstance(value, list) else scalar_text(value)
