"""AWS::Events: buses, rules with their targets, archives, connections, API destinations.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Events.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, json_text, tag_list

_TAKEN = frozenset({"ResourceAlreadyExistsException"})
_BATCH = 10


class TargetsError(ApiError):
    """Some targets of a rule were refused."""

    code = "InvalidRequest"


class EventBus(ResourceType):
    """An event bus; `Ref` gives its name."""

    type = "AWS::Events::EventBus"
    service = "events"
    name = Name("Name", 256)
    attributes = ("Arn", "Name", "Policy")
    taken = _TAKEN

    async def make(self, work: Work) -> Standing:
        settings = work.take("EventSourceName", "Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig")
        await work.call("CreateEventBus", {"Name": work.name, "Tags": tag_list(work.tags()), **settings})
        return await self._bring(work)

    async def update(self, work: Work) -> Standing:
        if work.changed("Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"):
            settings = work.take("Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig")
            await work.call("UpdateEventBus", {"Name": work.name, **settings})
        arn = (await self.read(work))["Arn"]
        await change_tags(work, arn)
        return await self._bring(work)

    async def _bring(self, work: Work) -> Standing:
        policy = work.properties.get("Policy")
        if policy is not None:
            await work.call("PutPermission", {"EventBusName": work.name, "Policy": json_text(policy)})
        elif work.previous.get("Policy") is not None:
            await work.call("RemovePermission", {"EventBusName": work.name, "RemoveAllPermissions": True})
        reply = await self.read(work)
        attributes = {"Arn": reply["Arn"], "Name": work.name}
        if reply.get("Policy") is not None:
            attributes["Policy"] = reply["Policy"]
        return Standing(work.name, attributes)

    async def read(self, work: Work) -> Reply:
        return await work.call("DescribeEventBus", {"Name": work.name})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteEventBus", {"Name": work.name})


async def change_tags(work: Work, arn: str) -> None:
    """Bring the tags of an EventBridge resource to what they shall be."""
    tags, removed = work.tag_changes()
    if tags:
        await work.call("TagResource", {"ResourceARN": arn, "Tags": tag_list(tags)})
    if removed:
        await work.call("UntagResource", {"ResourceARN": arn, "TagKeys": removed})


def _pieces(items: list[Any]) -> Iterable[list[Any]]:
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))


class Rule(ResourceType):
    """A rule with its targets. `Ref` gives its name, on a custom bus with the bus's before it."""

    type = "AWS::Events::Rule"
    service = "events"
    name = Name("Name", 64)
    attributes = ("Arn", "RuleName")
    replaced_by = frozenset({"EventBusName"})

    async def make(self, work: Work) -> Standing:
        return await self._put(work, tags=tag_list(work.tags()))

    async def update(self, work: Work) -> Standing:
        standing = await self._put(work, tags=None)
        await change_tags(work, standing.attributes["Arn"])
        return standing

    async def _put(self, work: Work, tags: Any) -> Standing:
        request: dict[str, Any] = {
            "Name": work.name,
            **work.take("Description", "EventBusName", "RoleArn", "ScheduleExpression", "State"),
            "EventPattern": json_text(work.properties.get("EventPattern")),
            "Tags": tags,
        }
        arn = (await work.call("PutRule", request))["RuleArn"]
        targets = work.properties.get("Targets", [])
        kept = {target["Id"] for target in targets}
        gone = [target["Id"] for target in work.previous.get("Targets", ()) if target["Id"] not in kept]
        await self._remove_targets(work, gone, work.properties)
        for piece in _pieces(targets):
            reply = await work.call("PutTargets", {**self._key(work, work.properties), "Targets": piece})
            _check(reply)
        bus = str(work.properties.get("EventBusName", "default")).rpartition("/")[2]
        identifier = work.name if bus == "default" else f"{bus}|{work.name}"
        return Standing(identifier, {"Arn": arn, "RuleName": work.name})

    @staticmethod
    def _key(work: Work, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {"Rule": work.name, "EventBusName": properties.get("EventBusName")}

    async def _remove_targets(self, work: Work, identifiers: list[str], properties: Mapping[str, Any]) -> None:
        for piece in _pieces(identifiers):
            _check(await work.call("RemoveTargets", {**self._key(work, properties), "Ids": piece}))

    async def read(self, work: Work) -> Reply:
        request = {"Name": work.name, "EventBusName": work.properties.get("EventBusName")}
        return await work.call("DescribeRule", request)

    async def remove(self, work: Work) -> None:
        reply = await work.call("ListTargetsByRule", self._key(work, work.properties))
        await self._remove_targets(work, [target["Id"] for target in reply.get("Targets", ())], work.properties)
        await work.call("DeleteRule", {"Name": work.name, "EventBusName": work.properties.get("EventBusName")})


def _check(reply: Reply) -> None:
    if reply.get("FailedEntryCount"):
        failed = "; ".join(f"{e.get('TargetId')}: {e.get('ErrorMessage')}" for e in reply.get("FailedEntries", ()))
        raise TargetsError(failed)


class EventBusPolicy(ResourceType):
    """A statement of a bus's policy."""

    type = "AWS::Events::EventBusPolicy"
    service = "events"
    attributes = ()

    async def make(self, work: Work) -> Standing:
        statement_id = work.properties["StatementId"]
        if "Statement" in work.properties:
            await self._put_statement(work)
        else:
            await work.call(
                "PutPermission", work.take("EventBusName", "StatementId", "Action", "Principal", "Condition")
            )
        return Standing(statement_id, {})

    async def _put_statement(self, work: Work) -> None:
        """A whole statement goes into the bus's policy, beside the others."""
        bus = work.properties.get("EventBusName", "default")
        policy = await self._policy(work, bus)
        statement = {**work.properties["Statement"], "Sid": work.properties["StatementId"]}
        others = [each for each in policy["Statement"] if each.get("Sid") != statement["Sid"]]
        policy["Statement"] = [*others, statement]
        await work.call("PutPermission", {"EventBusName": bus, "Policy": json_text(policy)})

    @staticmethod
    async def _policy(work: Work, bus: str) -> dict[str, Any]:
        reply = await work.call("DescribeEventBus", {"Name": bus})
        text = reply.get("Policy")
        parsed: dict[str, Any] = json.loads(text) if text else {"Version": "2012-10-17", "Statement": []}
        return parsed

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        await work.call("RemovePermission", work.take("EventBusName", "StatementId"))


class Archive(ResourceType):
    """An archive of a bus's events; `Ref` gives its name."""

    type = "AWS::Events::Archive"
    service = "events"
    name = Name("ArchiveName", 48)
    attributes = ("Arn",)
    taken = _TAKEN

    async def make(self, work: Work) -> Standing:
        request = {**self._settings(work), "EventSourceArn": work.properties["SourceArn"]}
        return Standing(work.name, {"Arn": (await work.call("CreateArchive", request))["ArchiveArn"]})

    @staticmethod
    def _settings(work: Work) -> dict[str, Any]:
        pattern = json_text(work.properties.get("EventPattern"))
        return {"ArchiveName": work.name, **work.take("Description", "RetentionDays", "KmsKeyIdentifier"),
                "EventPattern": pattern}  # fmt: skip

    async def update(self, work: Work) -> Standing:
        return Standing(work.name, {"Arn": (await work.call("UpdateArchive", self._settings(work)))["ArchiveArn"]})

    async def read(self, work: Work) -> Reply:
        return await work.call("DescribeArchive", {"ArchiveName": work.name})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteArchive", {"ArchiveName": work.name})


class Connection(ResourceType):
    """How to sign in to an HTTP endpoint; `Ref` gives its name."""

    type = "AWS::Events::Connection"
    needs = ("CreateConnection",)
    service = "events"
    name = Name("Name", 64)
    attributes = ("Arn", "ArnForPolicy", "SecretArn")
    taken = _TAKEN
    _settings = ("Description", "AuthorizationType", "AuthParameters", "KmsKeyIdentifier",
                 "InvocationConnectivityParameters")  # fmt: skip

    async def make(self, work: Work) -> Standing:
        await work.call("CreateConnection", {"Name": work.name, **work.take(*self._settings)})
        return await self._standing(work)

    async def update(self, work: Work) -> Standing:
        await work.call("UpdateConnection", {"Name": work.name, **work.take(*self._settings)})
        return await self._standing(work)

    async def _standing(self, work: Work) -> Standing:
        reply = await self.read(work)
        arn: str = reply["ConnectionArn"]
        attributes = {"Arn": arn, "ArnForPolicy": arn.rpartition("/")[0]}
        if reply.get("SecretArn"):
            attributes["SecretArn"] = reply["SecretArn"]
        return Standing(work.name, attributes)

    async def read(self, work: Work) -> Reply:
        return await work.call("DescribeConnection", {"Name": work.name})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteConnection", {"Name": work.name})


class ApiDestination(ResourceType):
    """An HTTP endpoint as a target; `Ref` gives its name."""

    type = "AWS::Events::ApiDestination"
    needs = ("CreateApiDestination",)
    service = "events"
    name = Name("Name", 64)
    attributes = ("Arn", "ArnForPolicy")
    taken = _TAKEN
    _settings = ("Description", "ConnectionArn", "InvocationEndpoint", "HttpMethod", "InvocationRateLimitPerSecond")

    async def make(self, work: Work) -> Standing:
        return self._standing(work, await work.call("CreateApiDestination", self._request(work)))

    async def update(self, work: Work) -> Standing:
        return self._standing(work, await work.call("UpdateApiDestination", self._request(work)))

    def _request(self, work: Work) -> dict[str, Any]:
        return {"Name": work.name, **work.take(*self._settings)}

    @staticmethod
    def _standing(work: Work, reply: Reply) -> Standing:
        arn: str = reply["ApiDestinationArn"]
        return Standing(work.name, {"Arn": arn, "ArnForPolicy": arn.rpartition("/")[0]})

    async def read(self, work: Work) -> Reply:
        return await work.call("DescribeApiDestination", {"Name": work.name})

    async def remove(self, work: Work) -> None:
        await work.call("DeleteApiDestination", {"Name": work.name})


TYPES = (EventBus, Rule, EventBusPolicy, Archive, Connection, ApiDestination)
