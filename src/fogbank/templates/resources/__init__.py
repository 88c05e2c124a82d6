"""The table of resource types. To add one: a class in the file of its service, and its name in that file's `TYPES`.

The schema must be there: `tools/resource_schemas.py` writes those of every service that it lists.
"""

from __future__ import annotations

from fogbank.templates.resources import (
    cloudformation,
    cloudwatch,
    codedeploy,
    dynamodb,
    events,
    iam,
    lambda_,
    logs,
    s3,
    scheduler,
    secretsmanager,
    sns,
    sqs,
    ssm,
    stepfunctions,
)
from fogbank.templates.resources.resource_type import ResourceType, Work

__all__ = ["RESOURCE_TYPES", "ResourceType", "Work"]

_MODULES = (
    cloudformation,
    cloudwatch,
    codedeploy,
    dynamodb,
    events,
    iam,
    lambda_,
    logs,
    s3,
    scheduler,
    secretsmanager,
    sns,
    sqs,
    ssm,
    stepfunctions,
)

RESOURCE_TYPES: dict[str, ResourceType] = {kind.type: kind() for module in _MODULES for kind in module.TYPES}
"""Every resource type that Fogbank has, by its name."""
