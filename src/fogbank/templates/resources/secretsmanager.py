"""AWS::SecretsManager: secrets, their policies and rotation.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SecretsManager.html
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, json_text, tag_list

_TOKEN = 32
_TEMPLATE = ("SecretStringTemplate", "GenerateStringKey")


class SecretPropertiesError(ApiError):
    """Properties of a secret contradict each other."""

    code = "InvalidRequest"


class Secret(ResourceType):
    """A secret; `Ref` gives its ARN. It is deleted without a recovery window, as on AWS."""

    type = "AWS::SecretsManager::Secret"
    service = "secretsmanager"
    name = Name("Name", 512)
    attributes = ("Id",)
    taken = frozenset({"ResourceExistsException"})
    lacking = frozenset({"ReplicaRegions", "Type"})

    async def make(self, work: Work) -> Standing:
        request = {
            "Name": work.name,
            **work.take("Description", "KmsKeyId"),
            "SecretString": await self._value(work),
            "Tags": tag_list(work.tags()),
        }
        reply = await work.call("CreateSecret", request)
        return Standing(reply["ARN"], {"Id": reply["ARN"]})

    @staticmethod
    async def _value(work: Work) -> str | None:
        """The secret's value: as it is given, or generated; `None` for neither."""
        given = work.properties.get("GenerateSecretString")
        if given is None:
            return work.properties.get("SecretString")
        if "SecretString" in work.properties:
            raise SecretPropertiesError("You can't specify both SecretString and GenerateSecretString.")
        template, key = (given.get(name) for name in _TEMPLATE)
        if (template is None) != (key is None):
            raise SecretPropertiesError("SecretStringTemplate and GenerateStringKey must be specified together.")
        request = {name: value for name, value in given.items() if name not in _TEMPLATE}
        password: str = (await work.call("GetRandomPassword", request))["RandomPassword"]
        if template is None:
            return password
        try:
            document = msgspec.json.decode(template)
        except msgspec.DecodeError:
            document = None
        if not isinstance(document, dict):
            raise SecretPropertiesError("SecretStringTemplate must be a JSON object.")
        return json.dumps({**document, key: password}, separators=(",", ":"), ensure_ascii=False)

    async def adopt(self, work: Work) -> Standing:
        arn = (await self.read(work))["ARN"]
        return Standing(arn, {"Id": arn})

    async def update(self, work: Work) -> Standing:
        arn = work.physical_id
        request: dict[str, Any] = {"SecretId": arn}
        if work.changed("Description", "KmsKeyId"):
            request["Description"] = work.properties.get("Description", "")
            request["KmsKeyId"] = work.properties.get("KmsKeyId", "")
        if work.changed("SecretString", "GenerateSecretString"):
            request["SecretString"] = await self._value(work)
            request["ClientRequestToken"] = work.step.token[:64].ljust(_TOKEN, "0")
        if len(request) > 1:
            await self._bring(work, request)
        tags, removed = work.tag_changes()
        if tags:
            await work.call("TagResource", {"SecretId": arn, "Tags": tag_list(tags)})
        if removed:
            await work.call("UntagResource", {"SecretId": arn, "TagKeys": removed})
        return Standing(arn, {"Id": arn})

    async def _bring(self, work: Work, request: dict[str, Any]) -> None:
        """Update; a value that an earlier attempt at this step has put is not generated again."""
        try:
            await work.call("UpdateSecret", request)
        except ApiError as error:
            if not (work.resuming and error.code in self.taken):
                raise

    async def read(self, work: Work) -> Reply:
        return await work.call("DescribeSecret", {"SecretId": work.name})

    async def remove(self, work: Work) -> None:
        secret = work.physical_id or work.name
        await work.call("DeleteSecret", {"SecretId": secret, "ForceDeleteWithoutRecovery": True})


class ResourcePolicy(ResourceType):
    """The policy of a secret; `Ref` gives the secret's ARN."""

    type = "AWS::SecretsManager::ResourcePolicy"
    service = "secretsmanager"
    attributes = ("Id",)

    async def make(self, work: Work) -> Standing:
        request = {
            "SecretId": work.properties["SecretId"],
            "ResourcePolicy": json_text(work.properties["ResourcePolicy"]),
            **work.take("BlockPublicPolicy"),
        }
        arn = (await work.call("PutResourcePolicy", request))["ARN"]
        return Standing(arn, {"Id": arn})

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        await work.call("DeleteResourcePolicy", {"SecretId": work.properties["SecretId"]})


class RotationSchedule(ResourceType):
    """How a secret is rotated; `Ref` gives the secret's ARN."""

    type = "AWS::SecretsManager::RotationSchedule"
    service = "secretsmanager"
    attributes = ("Id",)
    lacking = frozenset({"HostedRotationLambda", "ExternalSecretRotationMetadata", "ExternalSecretRotationRoleArn"})

    async def make(self, work: Work) -> Standing:
        request = {
            **work.take("SecretId", "RotationLambdaARN", "RotationRules"),
            "RotateImmediately": work.properties.get("RotateImmediatelyOnUpdate", True),
            "ClientRequestToken": work.step.token[:64].ljust(_TOKEN, "0"),
        }
        arn = (await work.call("RotateSecret", request))["ARN"]
        return Standing(arn, {"Id": arn})

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        await work.call("CancelRotateSecret", {"SecretId": work.properties["SecretId"]})


TYPES = (Secret, ResourcePolicy, RotationSchedule)
