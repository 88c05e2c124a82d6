"""AWS::StepFunctions: state machines and activities.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_StepFunctions.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fogbank.core.call import Reply
from fogbank.core.errors import InvalidParameterError
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, json_text, lower_first

_SUBSTITUTION = re.compile(r"\$\{([^${}]+)\}")
_SETTINGS = ("RoleArn", "LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration")


class StateMachine(ResourceType):
    """A state machine; `Ref` gives its ARN."""

    type = "AWS::StepFunctions::StateMachine"
    service = "stepfunctions"
    name = Name("StateMachineName", 80)
    attributes = ("Arn", "Name", "StateMachineRevisionId")
    missing = frozenset({"StateMachineDoesNotExist"})
    taken = frozenset({"StateMachineAlreadyExists"})
    lacking = frozenset({"DefinitionS3Location"})

    async def make(self, work: Work) -> Standing:
        kind = work.properties.get("StateMachineType")
        request = {"name": work.name, "type": kind, "tags": _tags(work.tags()), **self._settings(work)}
        return await self._standing(work, (await work.call("CreateStateMachine", request))["stateMachineArn"])

    async def update(self, work: Work) -> Standing:
        arn = self._arn(work)
        await work.call("UpdateStateMachine", {"stateMachineArn": arn, **self._settings(work)})
        await _retag(work, arn)
        return await self._standing(work, arn)

    @staticmethod
    def _settings(work: Work) -> dict[str, Any]:
        settings: dict[str, Any] = lower_first(work.take(*_SETTINGS))
        return {**settings, "definition": definition_of(work.properties)}

    @staticmethod
    def _arn(work: Work) -> str:
        return work.scope.arn("states", f"stateMachine:{work.name}")

    @staticmethod
    async def _standing(work: Work, arn: str) -> Standing:
        found = await work.call("DescribeStateMachine", {"stateMachineArn": arn})
        revision = found.get("revisionId") or "INITIAL"
        return Standing(arn, {"Arn": arn, "Name": work.name, "StateMachineRevisionId": revision})

    async def read(self, work: Work) -> Reply:
        return await work.call("DescribeStateMachine", {"stateMachineArn": self._arn(work)})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteStateMachine", {"stateMachineArn": work.physical_id})


def definition_of(properties: Mapping[str, Any]) -> str:
    """The definition's text, with `DefinitionSubstitutions` in place."""
    given = properties.get("DefinitionString", properties.get("Definition"))
    if given is None:
        raise InvalidParameterError("One of DefinitionString, Definition or DefinitionS3Location must be specified")
    substitutions = properties.get("DefinitionSubstitutions") or {}

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        return str(json_text(substitutions[name])) if name in substitutions else found[0]

    return _SUBSTITUTION.sub(value, str(json_text(given)))


class Activity(ResourceType):
    """An activity; `Ref` gives its ARN."""

    type = "AWS::StepFunctions::Activity"
    service = "stepfunctions"
    name = Name("Name", 80)
    attributes = ("Arn", "Name")
    missing = frozenset({"ActivityDoesNotExist"})

    async def make(self, work: Work) -> Standing:
        request = {"name": work.name, "tags": _tags(work.tags())}
        arn = (await work.call("CreateActivity", request))["activityArn"]
        return Standing(arn, {"Arn": arn, "Name": work.name})

    async def update(self, work: Work) -> Standing:
        arn = work.scope.arn("states", f"activity:{work.name}")
        await _retag(work, arn)
        return Standing(arn, {"Arn": arn, "Name": work.name})

    async def read(self, work: Work) -> Reply:
        arn = work.scope.arn("states", f"activity:{work.name}")
        return await work.call("DescribeActivity", {"activityArn": arn})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteActivity", {"activityArn": work.physical_id})


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]] | None:
    return [{"key": key, "value": value} for key, value in tags.items()] or None


async def _retag(work: Work, arn: str) -> None:
    tags, removed = work.tag_changes()
    if tags:
        await work.call("TagResource", {"resourceArn": arn, "tags": _tags(tags)})
    if removed:
        await work.call("UntagResource", {"resourceArn": arn, "tagKeys": removed})


TYPES = (StateMachine, Activity)
