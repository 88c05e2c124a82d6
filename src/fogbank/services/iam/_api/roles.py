"""Roles: create, read, change, delete, trust policy, boundary, tags."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.services.iam import storage
from fogbank.services.iam._api.service import (
    IamService,
    check_boundary,
    describe_listed_role,
    describe_role,
    modifiable,
    role_extras,
    tag_page,
    with_tags,
    without_tags,
)
from fogbank.services.iam._documents import check_trust_policy
from fogbank.services.iam._linked import check_modifiable
from fogbank.services.iam.errors import DeleteConflictError
from fogbank.services.iam.model import DEFAULT_MAX_SESSION, Entity, Kind, check_trust_size, tags_of

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class RoleOperations(IamService):
    """The operations on roles."""

    async def create_role(self, call: Call, request: t.CreateRoleRequestTypeDef) -> Reply:
        """Create a role."""
        document = request["AssumeRolePolicyDocument"]
        check_trust_policy(document)
        check_trust_size(document)
        role = Entity(
            kind=Kind.ROLE,
            name=request["RoleName"],
            id=self.new_id(Kind.ROLE),
            path=request.get("Path", "/"),
            created_at=self.kit.clock.millis(),
            description=request.get("Description"),
            trust_policy=document,
            max_session=request.get("MaxSessionDuration", DEFAULT_MAX_SESSION),
            boundary=request.get("PermissionsBoundary"),
            tags=tags_of(request.get("Tags", [])),
        )
        await self.create_entity(call, role)
        return {"Role": describe_role(call.scope, role) | role_extras(role)}

    async def get_role(self, call: Call, request: t.GetRoleRequestTypeDef) -> Reply:
        """A role, with all that is known of it."""
        role = await self.read_entity(call, Kind.ROLE, request["RoleName"])
        return {"Role": describe_listed_role(call.scope, role) | role_extras(role) | {"RoleLastUsed": {}}}

    async def list_roles(self, call: Call, request: t.ListRolesRequestTypeDef) -> Reply:
        """List the roles below a path."""
        roles, end = await self.list_page(call, Kind.ROLE, request)
        return {"Roles": [describe_listed_role(call.scope, role) for role in roles], **end}

    async def update_role(self, call: Call, request: t.UpdateRoleRequestTypeDef) -> Reply:
        """Change a role's description and longest session; what is not given stays."""

        def change(role: Entity) -> Entity:
            return replace(
                role,
                description=request.get("Description", role.description),
                max_session=request.get("MaxSessionDuration", role.max_session),
            )

        await self.change_entity(call, Kind.ROLE, request["RoleName"], change)
        return {}

    async def update_role_description(self, call: Call, request: t.UpdateRoleDescriptionRequestTypeDef) -> Reply:
        """Change a role's description."""
        role = await self.change_entity(
            call, Kind.ROLE, request["RoleName"], lambda role: replace(role, description=request["Description"])
        )
        described = describe_role(call.scope, role) | {"Description": role.description}
        return {"Role": described | role_extras(role)}

    async def update_assume_role_policy(self, call: Call, request: t.UpdateAssumeRolePolicyRequestTypeDef) -> Reply:
        """Replace a role's trust policy."""
        document = request["PolicyDocument"]
        check_trust_policy(document)
        check_trust_size(document)

        def change(role: Entity) -> Entity:
            check_modifiable(role)
            return replace(role, trust_policy=document)

        await self.change_entity(call, Kind.ROLE, request["RoleName"], change)
        return {}

    async def delete_role(self, call: Call, request: t.DeleteRoleRequestTypeDef) -> Reply:
        """Delete a role to which nothing belongs any more."""
        account, name = call.scope.account, request["RoleName"]

        async def body(tx: Tx) -> None:
            await modifiable(tx, account, Kind.ROLE, name)
            if await storage.list_owners(tx, account, Kind.PROFILE, name):
                raise DeleteConflictError("Cannot delete entity, must remove roles from instance profile first.")
            if await storage.list_attached(tx, account, Kind.ROLE, name):
                raise DeleteConflictError("Cannot delete entity, must detach all policies first.")
            if await storage.list_inline(tx, account, Kind.ROLE, name):
                raise DeleteConflictError("Cannot delete entity, must delete policies first.")
            await storage.delete_entity(tx, account, Kind.ROLE, name)

        await self.kit.storage.transact(body)
        return {}

    async def put_role_permissions_boundary(
        self, call: Call, request: t.PutRolePermissionsBoundaryRequestTypeDef
    ) -> Reply:
        """Set a role's boundary."""
        await self.set_boundary(call, Kind.ROLE, request["RoleName"], request["PermissionsBoundary"])
        return {}

    async def delete_role_permissions_boundary(
        self, call: Call, request: t.DeleteRolePermissionsBoundaryRequestTypeDef
    ) -> Reply:
        """Remove a role's boundary."""
        await self.set_boundary(call, Kind.ROLE, request["RoleName"], None)
        return {}

    async def set_boundary(self, call: Call, kind: Kind, name: str, arn: str | None) -> None:
        """Set or remove the boundary of a role or user."""
        account = call.scope.account

        async def body(tx: Tx) -> None:
            entity = await modifiable(tx, account, kind, name)
            if arn is not None:
                await check_boundary(tx, arn)
            await storage.update_entity(tx, account, replace(entity, boundary=arn))

        await self.kit.storage.transact(body)

    async def tag_role(self, call: Call, request: t.TagRoleRequestTypeDef) -> Reply:
        """Add or replace a role's tags."""
        await self.change_entity(
            call, Kind.ROLE, request["RoleName"], lambda role: replace(role, tags=with_tags(request, role.tags))
        )
        return {}

    async def untag_role(self, call: Call, request: t.UntagRoleRequestTypeDef) -> Reply:
        """Remove tags of a role."""
        await self.change_entity(
            call,
            Kind.ROLE,
            request["RoleName"],
            lambda role: replace(role, tags=without_tags(request, role.tags)),
        )
        return {}

    async def list_role_tags(self, call: Call, request: t.ListRoleTagsRequestTypeDef) -> Reply:
        """A role's tags."""
        role = await self.read_entity(call, Kind.ROLE, request["RoleName"])
        return tag_page(request, role.tags)
