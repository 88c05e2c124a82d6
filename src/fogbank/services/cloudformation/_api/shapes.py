"""Values in the shapes of the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fogbank.core.call import Reply
from fogbank.services.cloudformation.engine import ParameterSummary, ParameterValue
from fogbank.services.cloudformation.model import Resource, Stack
from fogbank.services.cloudformation.storage import StoredEvent

HIDDEN = "****"
"""What is shown for a parameter with NoEcho."""
_NOT_CHECKED = {"StackDriftStatus": "NOT_CHECKED"}
_RESOURCE_NOT_CHECKED = {"StackResourceDriftStatus": "NOT_CHECKED"}


def seconds(millis: int | None) -> float | None:
    """Milliseconds as the API's seconds."""
    return None if millis is None else millis / 1000


def tags_shape(tags: Mapping[str, str]) -> list[Reply]:
    """Tags as a list."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def parameters_shape(parameters: Iterable[ParameterValue]) -> list[Reply]:
    """Parameters with their values, hidden ones hidden."""
    return [
        {
            "ParameterKey": each.name,
            "ParameterValue": HIDDEN if each.no_echo else each.value,
            "ResolvedValue": each.resolved,
        }
        for each in parameters
    ]


def stack_shape(stack: Stack) -> Reply:
    """A stack as DescribeStacks gives it."""
    definition = stack.definition
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set_id,
        "Description": definition.description,
        "Parameters": parameters_shape(definition.parameters),
        "CreationTime": seconds(stack.created),
        "DeletionTime": seconds(stack.deleted),
        "LastUpdatedTime": seconds(stack.updated),
        "RollbackConfiguration": {},
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": list(definition.notified),
        "TimeoutInMinutes": stack.timeout,
        "Capabilities": list(definition.capabilities),
        "Outputs": [
            {
                "OutputKey": output.name,
                "OutputValue": output.value,
                "Description": output.description,
                "ExportName": output.export,
            }
            for output in stack.outputs
        ],
        "RoleARN": definition.role_arn,
        "Tags": tags_shape(definition.tags),
        "EnableTerminationProtection": stack.protected,
        "ParentId": stack.parent,
        "RootId": stack.root,
        "DriftInformation": _NOT_CHECKED,
        "RetainExceptOnCreate": stack.retain_except_on_create or None,
    }


def stack_summary_shape(stack: Stack) -> Reply:
    """A stack as ListStacks gives it."""
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "TemplateDescription": stack.definition.description,
        "CreationTime": seconds(stack.created),
        "LastUpdatedTime": seconds(stack.updated),
        "DeletionTime": seconds(stack.deleted),
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "ParentId": stack.parent,
        "RootId": stack.root,
        "DriftInformation": _NOT_CHECKED,
    }


def event_shape(stack: Stack, stored: StoredEvent) -> Reply:
    """A line of a stack's history."""
    event = stored.event
    return {
        "StackId": stack.id,
        "EventId": stored.event_id,
        "StackName": stack.name,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.type,
        "Timestamp": seconds(stored.time),
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason or None,
        "ResourceProperties": event.properties,
        "ClientRequestToken": event.token,
    }


def resource_shape(stack: Stack, resource: Resource) -> Reply:
    """A resource as DescribeStackResources gives it."""
    return {
        "StackName": stack.name,
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id or None,
        "ResourceType": resource.type,
        "Timestamp": seconds(resource.updated),
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
        "DriftInformation": _RESOURCE_NOT_CHECKED,
    }


def resource_detail_shape(stack: Stack, resource: Resource) -> Reply:
    """A resource as DescribeStackResource gives it."""
    shape = resource_shape(stack, resource)
    shape["LastUpdatedTimestamp"] = shape.pop("Timestamp")
    return {**shape, "Metadata": resource.metadata or "{}"}


def resource_summary_shape(stack: Stack, resource: Resource) -> Reply:
    """A resource as ListStackResources gives it."""
    shape = resource_shape(stack, resource)
    del shape["StackName"], shape["StackId"]
    shape["LastUpdatedTimestamp"] = shape.pop("Timestamp")
    return shape


def declaration_shape(parameter: ParameterSummary) -> Reply:
    """A parameter's declaration as GetTemplateSummary gives it."""
    constraints = {
        "AllowedValues": list(parameter.allowed) if parameter.allowed is not None else None,
    }
    return {
        "ParameterKey": parameter.name,
        "DefaultValue": parameter.default,
        "ParameterType": parameter.type,
        "NoEcho": parameter.no_echo,
        "Description": parameter.description,
        "ParameterConstraints": {key: value for key, value in constraints.items() if value is not None},
    }


def template_parameter_shape(parameter: ParameterSummary) -> Reply:
    """A parameter's declaration as ValidateTemplate gives it."""
    return {
        "ParameterKey": parameter.name,
        "DefaultValue": parameter.default,
        "NoEcho": parameter.no_echo,
        "Description": parameter.description,
    }
