"""Operations that only tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.call import Call, Reply
from fogbank.services.cloudformation._api.change_sets import ChangeSetOperations, _change_set
from fogbank.services.cloudformation._api.frame import page, read_stack
from fogbank.services.cloudformation._api.shapes import (
    declaration_shape,
    event_shape,
    resource_detail_shape,
    resource_shape,
    resource_summary_shape,
    stack_shape,
    stack_summary_shape,
    template_parameter_shape,
)
from fogbank.services.cloudformation.errors import StackValidationError
from fogbank.services.cloudformation.model import Resource, Stack, StackStatus
from fogbank.services.cloudformation.storage import Rows
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import (
        DescribeStackEventsInputTypeDef,
        DescribeStackResourceInputTypeDef,
        DescribeStackResourcesInputTypeDef,
        DescribeStacksInputTypeDef,
        GetStackPolicyInputTypeDef,
        GetTemplateInputTypeDef,
        GetTemplateSummaryInputTypeDef,
        ListExportsInputTypeDef,
        ListImportsInputTypeDef,
        ListStackResourcesInputTypeDef,
        ListStacksInputTypeDef,
        ValidateTemplateInputTypeDef,
    )

_PAGE = 100
_REMEMBERED = 90 * 86_400_000
"""Milliseconds for which ListStacks tells of deleted stacks."""
_NEWEST = 2**62


class Descriptions(ChangeSetOperations):
    """Describe, list and get."""

    async def describe_stacks(self, call: Call, request: DescribeStacksInputTypeDef) -> Reply:
        """One stack, deleted ones by ARN only, or all live ones."""
        name = request.get("StackName")
        if name:
            return {"Stacks": [stack_shape(await self._stack(call.scope, name))]}
        stacks = await self.kit.storage.read(lambda tx: Rows(tx).live_stacks(call.scope))
        shown, token = page(stacks, request.get("NextToken"), _PAGE)
        return {"Stacks": [stack_shape(stack) for stack in shown], "NextToken": token}

    async def list_stacks(self, call: Call, request: ListStacksInputTypeDef) -> Reply:
        """Summaries of all stacks, those deleted in the last 90 days as well."""
        since = self.kit.clock.millis() - _REMEMBERED
        stacks = await self.kit.storage.read(lambda tx: Rows(tx).all_stacks(call.scope, 0))
        wanted = set(request.get("StackStatusFilter", ()))
        chosen = [s for s in stacks if (s.deleted or since) >= since and (not wanted or s.status in wanted)]
        shown, token = page(chosen, request.get("NextToken"), _PAGE)
        return {"StackSummaries": [stack_summary_shape(stack) for stack in shown], "NextToken": token}

    async def describe_stack_events(self, call: Call, request: DescribeStackEventsInputTypeDef) -> Reply:
        """A stack's history, newest first."""
        token = request.get("NextToken")
        if token is not None and not token.isdigit():
            raise StackValidationError("Invalid NextToken")

        async def body(tx: Tx) -> Reply:
            stack = await Rows(tx).stack(call.scope, request["StackName"])
            if stack is None:
                raise StackValidationError(f"Stack [{request['StackName']}] does not exist")
            events = await Rows(tx).events(stack.id, int(token) if token else _NEWEST, _PAGE + 1)
            following = str(events[_PAGE - 1].number) if len(events) > _PAGE else None
            return {"StackEvents": [event_shape(stack, e) for e in events[:_PAGE]], "NextToken": following}

        return await self.kit.storage.read(body)

    async def describe_stack_resource(self, call: Call, request: DescribeStackResourceInputTypeDef) -> Reply:
        """One resource of a stack."""
        stack, resources = await self.kit.storage.read(lambda tx: self._resources(tx, call, request["StackName"]))
        resource = resources.get(request["LogicalResourceId"])
        if resource is None:
            raise StackValidationError(
                f"Resource {request['LogicalResourceId']} does not exist for stack {request['StackName']}"
            )
        return {"StackResourceDetail": resource_detail_shape(stack, resource)}

    @staticmethod
    async def _resources(tx: Tx, call: Call, name: str) -> tuple[Stack, dict[str, Resource]]:
        stack = await read_stack(tx, call.scope, name)
        return stack, await Rows(tx).resources(stack.id)

    async def describe_stack_resources(self, call: Call, request: DescribeStackResourcesInputTypeDef) -> Reply:
        """A stack's resources, by the stack or by the physical id of one of them."""
        name, physical_id = request.get("StackName"), request.get("PhysicalResourceId")
        if (name is None) == (physical_id is None):
            raise StackValidationError("Exactly one of StackName or PhysicalResourceId must be specified")

        async def body(tx: Tx) -> tuple[Stack, dict[str, Resource]]:
            if name is not None:
                return await self._resources(tx, call, name)
            stacks = await Rows(tx).stacks_with(call.scope, physical_id or "")
            if not stacks:
                raise StackValidationError(f"Stack for {physical_id} does not exist")
            return stacks[0], await Rows(tx).resources(stacks[0].id)

        stack, resources = await self.kit.storage.read(body)
        wanted = request.get("LogicalResourceId")
        shown = [r for r in resources.values() if wanted is None or r.logical_id == wanted]
        if wanted is not None and not shown:
            raise StackValidationError(f"Resource {wanted} does not exist for stack {name or physical_id}")
        return {"StackResources": [resource_shape(stack, resource) for resource in shown[:_PAGE]]}

    async def list_stack_resources(self, call: Call, request: ListStackResourcesInputTypeDef) -> Reply:
        """Summaries of a stack's resources."""
        stack, resources = await self.kit.storage.read(lambda tx: self._resources(tx, call, request["StackName"]))
        shown, token = page(list(resources.values()), request.get("NextToken"), _PAGE)
        return {"StackResourceSummaries": [resource_summary_shape(stack, r) for r in shown], "NextToken": token}

    async def get_template(self, call: Call, request: GetTemplateInputTypeDef) -> Reply:
        """The template of a stack or a change set: as it was given, or with its macros expanded."""
        stage = request.get("TemplateStage", "Original")
        if "ChangeSetName" in request:
            if "StackName" not in request and not request["ChangeSetName"].startswith("arn:"):
                raise StackValidationError("StackName is a required parameter.")
            change_set = await self.kit.storage.read(lambda tx: _change_set(tx, call.scope, request))
            definition = change_set.definition
        elif "StackName" in request:
            definition = (await self._stack(call.scope, request["StackName"])).definition
        else:
            raise StackValidationError("StackName is a required parameter.")
        body = definition.processed if stage == "Processed" and definition.transforms else definition.body
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    async def get_template_summary(self, call: Call, request: GetTemplateSummaryInputTypeDef) -> Reply:
        """What a template declares: its parameters, resource types and capabilities."""
        if "StackName" in request:
            stack = await self._stack(call.scope, request["StackName"])
            if stack.status is StackStatus.REVIEW_IN_PROGRESS:
                raise StackValidationError("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
            body = stack.definition.body
        else:
            body = await self._body(call.scope, request)
        summary = await self.engine.summarize(call.scope, body)
        types = [type_name for _, type_name in summary.resources]
        return {
            "Parameters": [declaration_shape(parameter) for parameter in summary.parameters],
            "Description": summary.description,
            "Capabilities": list(summary.capabilities) or None,
            "CapabilitiesReason": summary.capabilities_reason,
            "ResourceTypes": types,
            "Version": summary.version,
            "Metadata": summary.metadata,
            "DeclaredTransforms": list(summary.transforms) or None,
            "ResourceIdentifierSummaries": [
                {"ResourceType": type_name, "LogicalResourceIds": [n for n, t in summary.resources if t == type_name]}
                for type_name in dict.fromkeys(types)
            ],
        }

    async def validate_template(self, call: Call, request: ValidateTemplateInputTypeDef) -> Reply:
        """Check a template and say what it declares."""
        summary = await self.engine.summarize(call.scope, await self._body(call.scope, request))
        return {
            "Parameters": [template_parameter_shape(parameter) for parameter in summary.parameters],
            "Description": summary.description,
            "Capabilities": list(summary.capabilities) or None,
            "CapabilitiesReason": summary.capabilities_reason,
            "DeclaredTransforms": list(summary.transforms) or None,
        }

    async def get_stack_policy(self, call: Call, request: GetStackPolicyInputTypeDef) -> Reply:
        """A stack's policy, if it has one."""
        return {"StackPolicyBody": (await self._stack(call.scope, request["StackName"])).policy}

    async def list_exports(self, call: Call, request: ListExportsInputTypeDef) -> Reply:
        """What the stacks of this account and region export."""
        exports = await self.kit.storage.read(lambda tx: Rows(tx).exports(call.scope))
        shown, token = page(exports, request.get("NextToken"), _PAGE)
        return {
            "Exports": [{"ExportingStackId": e.stack_id, "Name": e.name, "Value": e.value} for e in shown],
            "NextToken": token,
        }

    async def list_imports(self, call: Call, request: ListImportsInputTypeDef) -> Reply:
        """The stacks that import a value; an error if none does."""
        name = request["ExportName"]
        importers = await self.kit.storage.read(lambda tx: Rows(tx).importers(call.scope, name))
        if not importers:
            raise StackValidationError(f"Export '{name}' is not imported by any stack.")
        shown, token = page(importers, request.get("NextToken"), _PAGE)
        return {"Imports": list(shown), "NextToken": token}
