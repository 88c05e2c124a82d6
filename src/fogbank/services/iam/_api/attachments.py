"""What roles, users and groups have in common: inline policies, and managed policies attached to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.services.iam import storage
from fogbank.services.iam._api.service import (
    IamService,
    attachable,
    check_policy_arn,
    encode_document,
    entity_of,
    modifiable,
    page,
)
from fogbank.services.iam._documents import check_identity_policy
from fogbank.services.iam.errors import NoSuchEntityError
from fogbank.services.iam.model import MAX_ATTACHED, Kind, aws_policy, check_inline_size, quota

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_iam import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_QUOTAS = {Kind.ROLE: "PoliciesPerRole", Kind.USER: "PoliciesPerUser", Kind.GROUP: "PoliciesPerGroup"}


class AttachmentOperations(IamService):
    """The operations on the policies of roles, users and groups."""

    async def put_role_policy(self, call: Call, request: t.PutRolePolicyRequestTypeDef) -> Reply:
        """Add or replace an inline policy of a role."""
        return await self._put(call, Kind.ROLE, request["RoleName"], request)

    async def put_user_policy(self, call: Call, request: t.PutUserPolicyRequestTypeDef) -> Reply:
        """Add or replace an inline policy of a user."""
        return await self._put(call, Kind.USER, request["UserName"], request)

    async def put_group_policy(self, call: Call, request: t.PutGroupPolicyRequestTypeDef) -> Reply:
        """Add or replace an inline policy of a group."""
        return await self._put(call, Kind.GROUP, request["GroupName"], request)

    async def get_role_policy(self, call: Call, request: t.GetRolePolicyRequestTypeDef) -> Reply:
        """An inline policy of a role."""
        return await self._get(call, Kind.ROLE, request["RoleName"], request["PolicyName"])

    async def get_user_policy(self, call: Call, request: t.GetUserPolicyRequestTypeDef) -> Reply:
        """An inline policy of a user."""
        return await self._get(call, Kind.USER, request["UserName"], request["PolicyName"])

    async def get_group_policy(self, call: Call, request: t.GetGroupPolicyRequestTypeDef) -> Reply:
        """An inline policy of a group."""
        return await self._get(call, Kind.GROUP, request["GroupName"], request["PolicyName"])

    async def delete_role_policy(self, call: Call, request: t.DeleteRolePolicyRequestTypeDef) -> Reply:
        """Delete an inline policy of a role."""
        return await self._delete(call, Kind.ROLE, request["RoleName"], request["PolicyName"])

    async def delete_user_policy(self, call: Call, request: t.DeleteUserPolicyRequestTypeDef) -> Reply:
        """Delete an inline policy of a user."""
        return await self._delete(call, Kind.USER, request["UserName"], request["PolicyName"])

    async def delete_group_policy(self, call: Call, request: t.DeleteGroupPolicyRequestTypeDef) -> Reply:
        """Delete an inline policy of a group."""
        return await self._delete(call, Kind.GROUP, request["GroupName"], request["PolicyName"])

    async def list_role_policies(self, call: Call, request: t.ListRolePoliciesRequestTypeDef) -> Reply:
        """The names of a role's inline policies."""
        return await self._list(call, Kind.ROLE, request["RoleName"], request)

    async def list_user_policies(self, call: Call, request: t.ListUserPoliciesRequestTypeDef) -> Reply:
        """The names of a user's inline policies."""
        return await self._list(call, Kind.USER, request["UserName"], request)

    async def list_group_policies(self, call: Call, request: t.ListGroupPoliciesRequestTypeDef) -> Reply:
        """The names of a group's inline policies."""
        return await self._list(call, Kind.GROUP, request["GroupName"], request)

    async def attach_role_policy(self, call: Call, request: t.AttachRolePolicyRequestTypeDef) -> Reply:
        """Attach a managed policy to a role."""
        return await self._attach(call, Kind.ROLE, request["RoleName"], request["PolicyArn"])

    async def attach_user_policy(self, call: Call, request: t.AttachUserPolicyRequestTypeDef) -> Reply:
        """Attach a managed policy to a user."""
        return await self._attach(call, Kind.USER, request["UserName"], request["PolicyArn"])

    async def attach_group_policy(self, call: Call, request: t.AttachGroupPolicyRequestTypeDef) -> Reply:
        """Attach a managed policy to a group."""
        return await self._attach(call, Kind.GROUP, request["GroupName"], request["PolicyArn"])

    async def detach_role_policy(self, call: Call, request: t.DetachRolePolicyRequestTypeDef) -> Reply:
        """Detach a managed policy from a role."""
        return await self._detach(call, Kind.ROLE, request["RoleName"], request["PolicyArn"])

    async def detach_user_policy(self, call: Call, request: t.DetachUserPolicyRequestTypeDef) -> Reply:
        """Detach a managed policy from a user."""
        return await self._detach(call, Kind.USER, request["UserName"], request["PolicyArn"])

    async def detach_group_policy(self, call: Call, request: t.DetachGroupPolicyRequestTypeDef) -> Reply:
        """Detach a managed policy from a group."""
        return await self._detach(call, Kind.GROUP, request["GroupName"], request["PolicyArn"])

    async def list_attached_role_policies(self, call: Call, request: t.ListAttachedRolePoliciesRequestTypeDef) -> Reply:
        """The managed policies of a role."""
        return await self._attached(call, Kind.ROLE, request["RoleName"], request)

    async def list_attached_user_policies(self, call: Call, request: t.ListAttachedUserPoliciesRequestTypeDef) -> Reply:
        """The managed policies of a user."""
        return await self._attached(call, Kind.USER, request["UserName"], request)

    async def list_attached_group_policies(
        self, call: Call, request: t.ListAttachedGroupPoliciesRequestTypeDef
    ) -> Reply:
        """The managed policies of a group."""
        return await self._attached(call, Kind.GROUP, request["GroupName"], request)

    # -- what they do -------------------------------------------------------------------------------------

    async def _put(self, call: Call, kind: Kind, owner: str, request: Mapping[str, Any]) -> Reply:
        account, name, document = call.scope.account, request["PolicyName"], request["PolicyDocument"]
        check_identity_policy(document, inline=True)

        async def body(tx: Tx) -> None:
            await modifiable(tx, account, kind, owner)
            documents = await storage.list_inline(tx, account, kind, owner)
            check_inline_size(kind, owner, list((documents | {name: document}).values()))
            await storage.put_inline(tx, account, kind, owner, name=name, document=document)

        await self.kit.storage.transact(body)
        return {}

    async def _get(self, call: Call, kind: Kind, owner: str, name: str) -> Reply:
        async def body(tx: Tx) -> str:
            await entity_of(tx, call.scope.account, kind, owner)
            document = (await storage.list_inline(tx, call.scope.account, kind, owner)).get(name)
            if document is None:
                raise _no_inline(kind, name)
            return document

        document = await self.kit.storage.read(body)
        return {
            f"{kind.capitalize()}Name": owner,
            "PolicyName": name,
            "PolicyDocument": encode_document(document),
        }

    async def _delete(self, call: Call, kind: Kind, owner: str, name: str) -> Reply:
        async def body(tx: Tx) -> None:
            await modifiable(tx, call.scope.account, kind, owner)
            if not await storage.delete_inline(tx, call.scope.account, kind, owner, name):
                raise _no_inline(kind, name)

        await self.kit.storage.transact(body)
        return {}

    async def _list(self, call: Call, kind: Kind, owner: str, request: Mapping[str, Any]) -> Reply:
        async def body(tx: Tx) -> list[str]:
            await entity_of(tx, call.scope.account, kind, owner)
            return list(await storage.list_inline(tx, call.scope.account, kind, owner))

        names, end = page(request, await self.kit.storage.read(body), lambda name: name)
        return {"PolicyNames": names, **end}

    async def _attach(self, call: Call, kind: Kind, owner: str, arn: str) -> Reply:
        account = call.scope.account
        check_policy_arn(arn)

        async def body(tx: Tx) -> None:
            await modifiable(tx, account, kind, owner)
            await attachable(tx, arn)
            attached = await storage.list_attached(tx, account, kind, owner)
            if arn not in attached and len(attached) >= MAX_ATTACHED:
                raise quota(_QUOTAS[kind], MAX_ATTACHED)
            await storage.attach(tx, account, kind, owner, arn)

        await self.kit.storage.transact(body)
        return {}

    async def _detach(self, call: Call, kind: Kind, owner: str, arn: str) -> Reply:
        check_policy_arn(arn)

        async def body(tx: Tx) -> None:
            await modifiable(tx, call.scope.account, kind, owner)
            if not await storage.detach(tx, call.scope.account, kind, owner, arn):
                raise NoSuchEntityError(f"Policy {arn} was not found.")

        await self.kit.storage.transact(body)
        return {}

    async def _attached(self, call: Call, kind: Kind, owner: str, request: Mapping[str, Any]) -> Reply:
        prefix = request.get("PathPrefix", "/")

        async def body(tx: Tx) -> list[Reply]:
            await entity_of(tx, call.scope.account, kind, owner)
            found = []
            for arn in await storage.list_attached(tx, call.scope.account, kind, owner):
                policy = aws_policy(arn) or await storage.find_policy(tx, arn)
                if policy is not None and policy.path.startswith(prefix):
                    found.append({"PolicyName": policy.name, "PolicyArn": arn})
            return found

        found = sorted(await self.kit.storage.read(body), key=_order)
        policies, end = page(request, found, _order)
        return {"AttachedPolicies": policies, **end}


def _order(policy: Reply) -> str:
    return str(policy["PolicyName"]).lower()


def _no_inline(kind: Kind, name: str) -> NoSuchEntityError:
    return NoSuchEntityError(f"The {kind} policy with name {name} cannot be found.")
