"""Instance profiles: a name for the one role that a machine takes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.services.iam import storage
from fogbank.services.iam._api.service import (
    IamService,
    describe_profile,
    entity_of,
    modifiable,
    page,
    tag_page,
    with_tags,
    without_tags,
)
from fogbank.services.iam.errors import DeleteConflictError, NoSuchEntityError
from fogbank.services.iam.model import Entity, Kind, quota, tag_list, tags_of

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class ProfileOperations(IamService):
    """The operations on instance profiles."""

    async def create_instance_profile(self, call: Call, request: t.CreateInstanceProfileRequestTypeDef) -> Reply:
        """Create an instance profile, still without a role."""
        profile = Entity(
            kind=Kind.PROFILE,
            name=request["InstanceProfileName"],
            id=self.new_id(Kind.PROFILE),
            path=request.get("Path", "/"),
            created_at=self.kit.clock.millis(),
            description=None,
            trust_policy=None,
            max_session=0,
            boundary=None,
            tags=tags_of(request.get("Tags", [])),
        )
        await self.create_entity(call, profile)
        described = describe_profile(call.scope, profile, [])
        return {"InstanceProfile": described | {"Tags": tag_list(profile.tags) or None}}

    async def get_instance_profile(self, call: Call, request: t.GetInstanceProfileRequestTypeDef) -> Reply:
        """An instance profile and its role."""
        account, name = call.scope.account, request["InstanceProfileName"]

        async def body(tx: Tx) -> Reply:
            profile = await entity_of(tx, account, Kind.PROFILE, name)
            return await _describe(tx, call, profile) | {"Tags": tag_list(profile.tags)}

        return {"InstanceProfile": await self.kit.storage.read(body)}

    async def list_instance_profiles(self, call: Call, request: t.ListInstanceProfilesRequestTypeDef) -> Reply:
        """List the instance profiles below a path."""
        profiles, end = await self.list_page(call, Kind.PROFILE, request)

        async def body(tx: Tx) -> list[Reply]:
            return [await _describe(tx, call, profile) for profile in profiles]

        return {"InstanceProfiles": await self.kit.storage.read(body), **end}

    async def list_instance_profiles_for_role(
        self, call: Call, request: t.ListInstanceProfilesForRoleRequestTypeDef
    ) -> Reply:
        """The instance profiles that have a role."""
        account, name = call.scope.account, request["RoleName"]

        async def body(tx: Tx) -> list[Reply]:
            await entity_of(tx, account, Kind.ROLE, name)
            profiles = await storage.list_owners(tx, account, Kind.PROFILE, name)
            return [await _describe(tx, call, profile) for profile in profiles]

        described = await self.kit.storage.read(body)
        profiles, end = page(request, described, lambda profile: str(profile["InstanceProfileName"]).lower())
        return {"InstanceProfiles": profiles, **end}

    async def delete_instance_profile(self, call: Call, request: t.DeleteInstanceProfileRequestTypeDef) -> Reply:
        """Delete an instance profile that has no role."""
        account, name = call.scope.account, request["InstanceProfileName"]

        async def body(tx: Tx) -> None:
            await entity_of(tx, account, Kind.PROFILE, name)
            if await storage.list_members(tx, account, Kind.PROFILE, name, Kind.ROLE):
                raise DeleteConflictError("Cannot delete entity, must remove roles from instance profile first.")
            await storage.delete_entity(tx, account, Kind.PROFILE, name)

        await self.kit.storage.transact(body)
        return {}

    async def add_role_to_instance_profile(
        self, call: Call, request: t.AddRoleToInstanceProfileRequestTypeDef
    ) -> Reply:
        """Give an instance profile its role: it can have one."""
        account, name, role = call.scope.account, request["InstanceProfileName"], request["RoleName"]

        async def body(tx: Tx) -> None:
            await entity_of(tx, account, Kind.PROFILE, name)
            await modifiable(tx, account, Kind.ROLE, role)
            if await storage.list_members(tx, account, Kind.PROFILE, name, Kind.ROLE):
                raise quota("InstanceSessionsPerInstanceProfile", 1)
            await storage.add_member(tx, account, Kind.PROFILE, name, role)

        await self.kit.storage.transact(body)
        return {}

    async def remove_role_from_instance_profile(
        self, call: Call, request: t.RemoveRoleFromInstanceProfileRequestTypeDef
    ) -> Reply:
        """Take an instance profile's role away."""
        account, name, role = call.scope.account, request["InstanceProfileName"], request["RoleName"]

        async def body(tx: Tx) -> None:
            await entity_of(tx, account, Kind.PROFILE, name)
            await entity_of(tx, account, Kind.ROLE, role)
            if not await storage.remove_member(tx, account, Kind.PROFILE, name, role):
                raise NoSuchEntityError(f"Role {role} in Instance Profile {name} cannot be found.")

        await self.kit.storage.transact(body)
        return {}

    async def tag_instance_profile(self, call: Call, request: t.TagInstanceProfileRequestTypeDef) -> Reply:
        """Add or replace an instance profile's tags."""
        name = request["InstanceProfileName"]
        await self.change_entity(
            call, Kind.PROFILE, name, lambda profile: replace(profile, tags=with_tags(request, profile.tags))
        )
        return {}

    async def untag_instance_profile(self, call: Call, request: t.UntagInstanceProfileRequestTypeDef) -> Reply:
        """Remove tags of an instance profile."""
        name = request["InstanceProfileName"]
        await self.change_entity(
            call, Kind.PROFILE, name, lambda profile: replace(profile, tags=without_tags(request, profile.tags))
        )
        return {}

    async def list_instance_profile_tags(self, call: Call, request: t.ListInstanceProfileTagsRequestTypeDef) -> Reply:
        """An instance profile's tags."""
        profile = await self.read_entity(call, Kind.PROFILE, request["InstanceProfileName"])
        return tag_page(request, profile.tags)


async def _describe(tx: Tx, call: Call, profile: Entity) -> Reply:
    roles = await storage.list_members(tx, call.scope.account, Kind.PROFILE, profile.name, Kind.ROLE)
    return describe_profile(call.scope, profile, roles)
