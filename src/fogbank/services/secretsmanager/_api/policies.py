"""Resource policies. They are kept and answered, not enforced."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.core.call import Call, Reply
from fogbank.services.secretsmanager import storage as rows
from fogbank.services.secretsmanager._api.frame import SecretsFrame, find, find_live, head, lacking
from fogbank.services.secretsmanager._policies import is_public, parse_policy
from fogbank.services.secretsmanager.errors import MalformedPolicyError, PublicPolicyError
from fogbank.services.secretsmanager.model import Secret
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_secretsmanager import type_defs as t


class PolicyOperations(SecretsFrame):
    """What says who may use a secret."""

    async def put_resource_policy(self, call: Call, request: t.PutResourcePolicyRequestTypeDef) -> Reply:
        """Give a secret a policy."""
        lacking(request, "PutResourcePolicy", "PolicyName")
        text = request["ResourcePolicy"]
        statements = parse_policy(text)
        if request.get("BlockPublicPolicy") and is_public(statements):
            raise PublicPolicyError
        return head(await self._set(call, request["SecretId"], text))

    async def delete_resource_policy(self, call: Call, request: t.DeleteResourcePolicyRequestTypeDef) -> Reply:
        """Take a secret's policy away."""
        lacking(request, "DeleteResourcePolicy", "PolicyName")
        return head(await self._set(call, request["SecretId"], None))

    async def _set(self, call: Call, secret_id: str, policy: str | None) -> Secret:
        async def body(tx: Tx) -> Secret:
            secret = await find_live(tx, call.scope, secret_id)
            await rows.update(tx, replace(secret, policy=policy))
            return secret

        return await self.kit.storage.transact(body)

    async def get_resource_policy(self, call: Call, request: t.GetResourcePolicyRequestTypeDef) -> Reply:
        """A secret's policy."""
        lacking(request, "GetResourcePolicy", "PolicyName")
        secret = await self.kit.storage.read(lambda tx: find_live(tx, call.scope, request["SecretId"]))
        return {**head(secret), "ResourcePolicy": secret.policy}

    async def validate_resource_policy(self, call: Call, request: t.ValidateResourcePolicyRequestTypeDef) -> Reply:
        """Whether a policy is well formed, and lets not everybody in."""
        secret_id = request.get("SecretId")
        if secret_id:
            await self.kit.storage.read(lambda tx: find(tx, call.scope, secret_id))
        try:
            statements = parse_policy(request["ResourcePolicy"])
        except MalformedPolicyError as error:
            return _judged("POLICY_SYNTAX", error.message)
        if is_public(statements):
            return _judged("PUBLIC_POLICY", PublicPolicyError().message)
        return {"PolicyValidationPassed": True, "ValidationErrors": []}


def _judged(check: str, message: str) -> Reply:
    return {"PolicyValidationPassed": False, "ValidationErrors": [{"CheckName": check, "ErrorMessage": message}]}
