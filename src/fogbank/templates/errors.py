"""What is wrong with a template or its parameters.

    TemplateError            a template that CloudFormation would refuse: `ValidationError`, status 400
    ├── PropertiesError      a resource's properties do not fit its type; the resource fails with this reason
    └── UnsupportedError     AWS would accept it and Fogbank cannot do it; said by name, before anything happens
    DeploymentError          the request is well formed, and its change set or stack fails with this reason
    ├── TransformError       a macro of the template failed
    └── MissingExportError   a template imports what nobody exports

The messages are CloudFormation's own where it has one.
"""

from __future__ import annotations

from fogbank.core.errors import InvalidParameterError
from fogbank.services.cloudformation.engine import DeploymentError


class TemplateError(InvalidParameterError):
    """A template, or a parameter for it, that CloudFormation would refuse."""


class TransformError(DeploymentError):
    """A macro (`AWS::Serverless-2016-10-31`, `AWS::Include`) failed on the template."""

    def __init__(self, transform: str, reason: str) -> None:
        super().__init__(f"Transform {transform} failed with: {reason}")
        self.transform = transform
        self.reason = reason


class PropertiesError(TemplateError):
    """A resource's properties do not fit the schema of its type."""


class UnsupportedError(TemplateError):
    """AWS would accept it; Fogbank does not do it, and does nothing rather than something else."""


class MissingExportError(DeploymentError):
    """A template imports a value that no stack exports."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No export named {name} found.")
