"""AWS::StepFunctions: state machines, their versions and aliases, and activities.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_StepFunctions.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

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

    async def make(self, work: Work) -> Standing:
        kind = work.properties.get("StateMachineType")
        request = {"name": work.name, "type": kind, "tags": _tags(work.tags()), **await self._settings(work)}
        return await self._standing(work, (await work.call("CreateStateMachine", request))["stateMachineArn"])

    async def update(self, work: Work) -> Standing:
        arn = self._arn(work)
        await work.call("UpdateStateMachine", {"stateMachineArn": arn, **await self._settings(work)})
        await _retag(work, arn)
        return await self._standing(work, arn)

    @staticmethod
    async def _settings(work: Work) -> dict[str, Any]:
        settings: dict[str, Any] = lower_first(work.take(*_SETTINGS))
        place = work.properties.get("DefinitionS3Location")
        text = None
        if place is not None:
            text = await work.objects.text(work.scope, place["Bucket"], place["Key"], place.get("Version"))
        return {**settings, "definition": definition_of(work.properties, text)}

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
        await work.call("DeleteStateMachine", {"stateMachineArn": work.physical_id or self._arn(work)})


def definition_of(properties: Mapping[str, Any], stored: str | None = None) -> str:
    """The definition's text, with `DefinitionSubstitutions` in place; `stored` is that of `DefinitionS3Location`."""
    given = properties.get("DefinitionString", properties.get("Definition", stored))
    if given is None:
        raise InvalidParameterError("One of DefinitionString, Definition or DefinitionS3Location must be specified")
    substitutions = properties.get("DefinitionSubstitutions") or {}

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        return str(json_text(substitutions[name])) if name in substitutions else found[0]

    text = _SUBSTITUTION.sub(value, str(json_text(given)))
    return text if stored is None else _as_json(text)


def _as_json(text: str) -> str:
    """A stored definition in JSON, which it is or, written in YAML, becomes."""
    try:
        json.loads(text)
    except ValueError:
        try:
            return json.dumps(yaml.safe_load(text))
        except (yaml.YAMLError, TypeError):
            return text  # Step Functions says what is wrong with it
    return text


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
        arn = work.physical_id or work.scope.arn("states", f"activity:{work.name}")
        await work.call("DeleteActivity", {"activityArn": arn})


class StateMachineVersion(ResourceType):
    """A version of a state machine; `Ref` gives its ARN."""

    type = "AWS::StepFunctions::StateMachineVersion"
    service = "stepfunctions"
    attributes = ("Arn",)
    missing = frozenset({"StateMachineDoesNotExist"})

    async def make(self, work: Work) -> Standing:
        given = work.properties
        request = {
            "stateMachineArn": given["StateMachineArn"],
            "revisionId": given.get("StateMachineRevisionId"),
            "description": given.get("Description"),
        }
        arn = (await work.call("PublishStateMachineVersion", request))["stateMachineVersionArn"]
        return Standing(arn, {"Arn": arn})

    async def remove(self, work: Work) -> None:
        if work.physical_id:
            await work.call("DeleteStateMachineVersion", {"stateMachineVersionArn": work.physical_id})


class StateMachineAlias(ResourceType):
    """An alias; `Ref` gives its ARN. Its DeploymentPreference moves it to a version at once, or little by little."""

    type = "AWS::StepFunctions::StateMachineAlias"
    service = "stepfunctions"
    name = Name("Name", 80)
    attributes = ("Arn",)
    missing = frozenset({"ResourceNotFound", "StateMachineDoesNotExist"})
    taken = frozenset({"ConflictException"})

    def lacks(self, properties: Mapping[str, Any]) -> str | None:
        preference = properties.get("DeploymentPreference") or {}
        return "Alarms of DeploymentPreference" if preference.get("Alarms") else None

    async def make(self, work: Work) -> Standing:
        routing = _routing(work.properties)
        reply = await work.call(
            "CreateStateMachineAlias",
            {"name": work.name, "description": work.properties.get("Description"), "routingConfiguration": routing},
        )
        arn = reply["stateMachineAliasArn"]
        return Standing(arn, {"Arn": arn})

    async def adopt(self, work: Work) -> Standing:
        arn = f"{_machine(work.properties)}:{work.name}"
        await self._route(work, arn, _routing(work.properties))
        return Standing(arn, {"Arn": arn})

    async def update(self, work: Work) -> Standing:
        arn = work.physical_id
        preference = work.properties.get("DeploymentPreference")
        if preference is None:
            await self._route(work, arn, _routing(work.properties))
        else:
            await self._shift(work, arn, preference)
        return Standing(arn, {"Arn": arn})

    @staticmethod
    async def _route(work: Work, arn: str, routing: list[dict[str, Any]]) -> None:
        request = {
            "stateMachineAliasArn": arn,
            "description": work.properties.get("Description"),
            "routingConfiguration": routing,
        }
        await work.call("UpdateStateMachineAlias", request)

    async def _shift(self, work: Work, arn: str, preference: Mapping[str, Any]) -> None:
        """Move the alias from the version that most goes to, to another one."""
        wanted = preference["StateMachineVersionArn"]
        found = await work.call("DescribeStateMachineAlias", {"stateMachineAliasArn": arn})
        before = max(found["routingConfiguration"], key=lambda route: int(route["weight"]))["stateMachineVersionArn"]
        if before != wanted:
            share, pause = int(preference.get("Percentage", 100)), 60.0 * int(preference.get("Interval", 0))
            for weight in _steps(preference["Type"], share):
                routing = [_route_of(wanted, weight), _route_of(before, 100 - weight)]
                await self._route(work, arn, routing)
                await work.clock.sleep(pause)
        await self._route(work, arn, [_route_of(wanted, 100)])

    async def read(self, work: Work) -> Reply:
        arn = f"{_machine(work.properties)}:{work.name}"
        return await work.call("DescribeStateMachineAlias", {"stateMachineAliasArn": arn})

    async def remove(self, work: Work) -> None:
        arn = work.physical_id or f"{_machine(work.properties)}:{work.name}"
        await work.call("DeleteStateMachineAlias", {"stateMachineAliasArn": arn})


def _steps(kind: str, share: int) -> list[int]:
    """The weights of the new version before all goes to it."""
    if kind == "CANARY":
        return [share]
    return list(range(share, 100, share)) if kind == "LINEAR" else []


def _route_of(version: str, weight: int) -> dict[str, Any]:
    return {"stateMachineVersionArn": version, "weight": weight}


def _routing(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    preference = properties.get("DeploymentPreference")
    if preference is not None:
        return [_route_of(preference["StateMachineVersionArn"], 100)]
    given = properties.get("RoutingConfiguration")
    if not given:
        raise InvalidParameterError("One of RoutingConfiguration or DeploymentPreference must be specified")
    return [_route_of(route["StateMachineVersionArn"], int(route["Weight"])) for route in given]


def _machine(properties: Mapping[str, Any]) -> str:
    version: str = _routing(properties)[0]["stateMachineVersionArn"]
    return version.rpartition(":")[0]


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]] | None:
    return [{"key": key, "value": value} for key, value in tags.items()] or None


async def _retag(work: Work, arn: str) -> None:
    tags, removed = work.tag_changes()
    if tags:
        await work.call("TagResource", {"resourceArn": arn, "tags": _tags(tags)})
    if removed:
        await work.call("UntagResource", {"resourceArn": arn, "tagKeys": removed})


TYPES = (StateMachine, StateMachineVersion, StateMachineAlias, Activity)
