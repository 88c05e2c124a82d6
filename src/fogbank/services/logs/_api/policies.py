"""Resource policies: which services may write logs. Stored and answered; not enforced yet, as IAM is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fogbank.core.paging import cut_page, encode_token
from fogbank.services.logs import storage
from fogbank.services.logs._api.service import LogsService, position_of, refuse_parameters
from fogbank.services.logs.errors import InvalidParameterError, LimitExceededError, NoSuchPolicyError
from fogbank.services.logs.model import MAX_RESOURCE_POLICIES

if TYPE_CHECKING:
    from types_boto3_logs import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class PolicyOperations(LogsService):
    """The operations on resource policies."""

    async def put_resource_policy(self, call: Call, request: t.PutResourcePolicyRequestTypeDef) -> Reply:
        """Create or replace a policy of the account."""
        refuse_parameters("PutResourcePolicy", request, ["resourceArn", "expectedRevisionId"])
        name, document = request.get("policyName"), request.get("policyDocument")
        if not name:
            raise InvalidParameterError("policyName is required.")
        if document is None:
            raise InvalidParameterError("policyDocument is required.")
        _check_document(document)
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> None:
            names = {row[0] for row in await storage.list_policies(tx, call.scope)}
            if name not in names and len(names) >= MAX_RESOURCE_POLICIES:
                raise LimitExceededError
            await storage.put_policy(tx, call.scope, name, document, now)

        await self.kit.storage.transact(body)
        return {"resourcePolicy": _describe(name, document, now)}

    async def describe_resource_policies(self, call: Call, request: t.DescribeResourcePoliciesRequestTypeDef) -> Reply:
        """List the account's policies by name."""
        refuse_parameters("DescribeResourcePolicies", request, ["resourceArn"])
        if request.get("policyScope") == "RESOURCE":
            return {"resourcePolicies": []}
        after, limit = position_of(request, str) or "", request.get("limit", 50)

        async def body(tx: Tx) -> list[tuple[str, str, int]]:
            return await storage.list_policies(tx, call.scope)

        rows = [row for row in await self.kit.storage.read(body) if row[0] > after]
        page, more = cut_page(rows, limit)
        return {
            "resourcePolicies": [_describe(*row) for row in page],
            "nextToken": encode_token(page[-1][0]) if more else None,
        }

    async def delete_resource_policy(self, call: Call, request: t.DeleteResourcePolicyRequestTypeDef) -> Reply:
        """Delete a policy of the account."""
        refuse_parameters("DeleteResourcePolicy", request, ["resourceArn", "expectedRevisionId"])
        name = request.get("policyName")
        if not name:
            raise InvalidParameterError("policyName is required.")

        async def body(tx: Tx) -> None:
            if not await storage.delete_policy(tx, call.scope, name):
                raise NoSuchPolicyError(name)

        await self.kit.storage.transact(body)
        return {}


def _describe(name: str, document: str, updated_at: int) -> Reply:
    return {
        "policyName": name,
        "policyDocument": document,
        "lastUpdatedTime": updated_at,
        "policyScope": "ACCOUNT",
    }


def _check_document(document: str) -> None:
    try:
        policy = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError):
        policy = None
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise InvalidParameterError("The policy document is not a valid JSON policy with a Statement.")
