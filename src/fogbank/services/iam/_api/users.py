"""Users, their access keys, and the groups that they are in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.core.credentials import LONG_TERM, Credentials, new_access_key, new_secret_key
from fogbank.core.scope import Scope
from fogbank.services.iam import storage
from fogbank.services.iam._api.roles import RoleOperations
from fogbank.services.iam._api.service import (
    describe_group,
    describe_user,
    entity_of,
    page,
    seconds,
    tag_page,
    with_tags,
    without_tags,
)
from fogbank.services.iam.errors import AccessDeniedError, DeleteConflictError, IamValidationError, NoSuchEntityError
from fogbank.services.iam.model import (
    MAX_ACCESS_KEYS,
    MAX_GROUPS_PER_USER,
    AccessKey,
    Entity,
    Kind,
    quota,
    tags_of,
    taken,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from types_boto3_iam import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class UserOperations(RoleOperations):
    """The operations on users, groups' members and access keys."""

    async def create_user(self, call: Call, request: t.CreateUserRequestTypeDef) -> Reply:
        """Create a user."""
        user = Entity(
            kind=Kind.USER,
            name=request["UserName"],
            id=self.new_id(Kind.USER),
            path=request.get("Path", "/"),
            created_at=self.kit.clock.millis(),
            description=None,
            trust_policy=None,
            max_session=0,
            boundary=request.get("PermissionsBoundary"),
            tags=tags_of(request.get("Tags", [])),
        )
        await self.create_entity(call, user)
        return {"User": describe_user(call.scope, user)}

    async def get_user(self, call: Call, request: t.GetUserRequestTypeDef) -> Reply:
        """A user; without a name, the one whose access key signed the request, else the account's root."""
        name = request.get("UserName") or await self._signer(call)
        if name is None:
            return {"User": _root(call.scope)}
        user = await self.read_entity(call, Kind.USER, name)
        return {"User": describe_user(call.scope, user)}

    async def list_users(self, call: Call, request: t.ListUsersRequestTypeDef) -> Reply:
        """List the users below a path."""
        users, end = await self.list_page(call, Kind.USER, request)
        return {"Users": [describe_user(call.scope, user, full=False) for user in users], **end}

    async def update_user(self, call: Call, request: t.UpdateUserRequestTypeDef) -> Reply:
        """Give a user another name or path."""
        name, path = request.get("NewUserName"), request.get("NewPath")
        await self._rename(call, Kind.USER, request["UserName"], name, path)
        return {}

    async def delete_user(self, call: Call, request: t.DeleteUserRequestTypeDef) -> Reply:
        """Delete a user to whom nothing belongs any more."""
        account, name = call.scope.account, request["UserName"]

        async def body(tx: Tx) -> None:
            user = await entity_of(tx, account, Kind.USER, name)
            if await storage.find_login(tx, account, user.name):
                raise DeleteConflictError("Cannot delete entity, must delete login profile first.")
            if await storage.list_keys(tx, account, user.name):
                raise DeleteConflictError("Cannot delete entity, must delete access keys first.")
            if await storage.list_attached(tx, account, Kind.USER, name):
                raise DeleteConflictError("Cannot delete entity, must detach all policies first.")
            if await storage.list_inline(tx, account, Kind.USER, name):
                raise DeleteConflictError("Cannot delete entity, must delete policies first.")
            if await storage.list_owners(tx, account, Kind.GROUP, name):
                raise DeleteConflictError("Cannot delete entity, must remove users from group first.")
            await storage.delete_entity(tx, account, Kind.USER, name)

        await self.kit.storage.transact(body)
        return {}

    async def put_user_permissions_boundary(
        self, call: Call, request: t.PutUserPermissionsBoundaryRequestTypeDef
    ) -> Reply:
        """Set a user's boundary."""
        await self.set_boundary(call, Kind.USER, request["UserName"], request["PermissionsBoundary"])
        return {}

    async def delete_user_permissions_boundary(
        self, call: Call, request: t.DeleteUserPermissionsBoundaryRequestTypeDef
    ) -> Reply:
        """Remove a user's boundary."""
        await self.set_boundary(call, Kind.USER, request["UserName"], None)
        return {}

    async def tag_user(self, call: Call, request: t.TagUserRequestTypeDef) -> Reply:
        """Add or replace a user's tags."""
        await self.change_entity(
            call, Kind.USER, request["UserName"], lambda user: replace(user, tags=with_tags(request, user.tags))
        )
        return {}

    async def untag_user(self, call: Call, request: t.UntagUserRequestTypeDef) -> Reply:
        """Remove tags of a user."""
        await self.change_entity(
            call,
            Kind.USER,
            request["UserName"],
            lambda user: replace(user, tags=without_tags(request, user.tags)),
        )
        return {}

    async def list_user_tags(self, call: Call, request: t.ListUserTagsRequestTypeDef) -> Reply:
        """A user's tags."""
        user = await self.read_entity(call, Kind.USER, request["UserName"])
        return tag_page(request, user.tags)

    async def _rename(self, call: Call, kind: Kind, old: str, name: str | None, path: str | None) -> None:
        account = call.scope.account

        async def body(tx: Tx) -> None:
            entity = await entity_of(tx, account, kind, old)
            new = name or entity.name
            if new.lower() != entity.name.lower() and await storage.find_entity(tx, account, kind, new):
                raise taken(kind, new)
            await storage.rename_entity(tx, account, entity, new, path or entity.path)

        await self.kit.storage.transact(body)

    # -- groups -------------------------------------------------------------------------------------------

    async def create_group(self, call: Call, request: t.CreateGroupRequestTypeDef) -> Reply:
        """Create a group."""
        group = Entity(
            kind=Kind.GROUP,
            name=request["GroupName"],
            id=self.new_id(Kind.GROUP),
            path=request.get("Path", "/"),
            created_at=self.kit.clock.millis(),
            description=None,
            trust_policy=None,
            max_session=0,
            boundary=None,
            tags={},
        )
        await self.create_entity(call, group)
        return {"Group": describe_group(call.scope, group)}

    async def get_group(self, call: Call, request: t.GetGroupRequestTypeDef) -> Reply:
        """A group and a page of its users."""
        account, name = call.scope.account, request["GroupName"]

        async def body(tx: Tx) -> tuple[Entity, list[Entity]]:
            group = await entity_of(tx, account, Kind.GROUP, name)
            return group, await storage.list_members(tx, account, Kind.GROUP, name, Kind.USER)

        group, members = await self.kit.storage.read(body)
        users, end = page(request, members, lambda user: user.name.lower())
        return {
            "Group": describe_group(call.scope, group),
            "Users": [describe_user(call.scope, user, full=False) for user in users],
            **end,
        }

    async def list_groups(self, call: Call, request: t.ListGroupsRequestTypeDef) -> Reply:
        """List the groups below a path."""
        groups, end = await self.list_page(call, Kind.GROUP, request)
        return {"Groups": [describe_group(call.scope, group) for group in groups], **end}

    async def update_group(self, call: Call, request: t.UpdateGroupRequestTypeDef) -> Reply:
        """Give a group another name or path."""
        name, path = request.get("NewGroupName"), request.get("NewPath")
        await self._rename(call, Kind.GROUP, request["GroupName"], name, path)
        return {}

    async def delete_group(self, call: Call, request: t.DeleteGroupRequestTypeDef) -> Reply:
        """Delete a group that has neither users nor policies."""
        account, name = call.scope.account, request["GroupName"]

        async def body(tx: Tx) -> None:
            await entity_of(tx, account, Kind.GROUP, name)
            if await storage.list_members(tx, account, Kind.GROUP, name, Kind.USER):
                raise DeleteConflictError("Cannot delete entity, must remove users from group first.")
            if await storage.list_attached(tx, account, Kind.GROUP, name):
                raise DeleteConflictError("Cannot delete entity, must detach all policies first.")
            if await storage.list_inline(tx, account, Kind.GROUP, name):
                raise DeleteConflictError("Cannot delete entity, must delete policies first.")
            await storage.delete_entity(tx, account, Kind.GROUP, name)

        await self.kit.storage.transact(body)
        return {}

    async def add_user_to_group(self, call: Call, request: t.AddUserToGroupRequestTypeDef) -> Reply:
        """Put a user into a group; being in it already changes nothing."""
        account, name, user = call.scope.account, request["GroupName"], request["UserName"]

        async def body(tx: Tx) -> None:
            await entity_of(tx, account, Kind.GROUP, name)
            await entity_of(tx, account, Kind.USER, user)
            groups = await storage.list_owners(tx, account, Kind.GROUP, user)
            if len(groups) >= MAX_GROUPS_PER_USER and name.lower() not in {g.name.lower() for g in groups}:
                raise quota("GroupsPerUser", MAX_GROUPS_PER_USER)
            await storage.add_member(tx, account, Kind.GROUP, name, user)

        await self.kit.storage.transact(body)
        return {}

    async def remove_user_from_group(self, call: Call, request: t.RemoveUserFromGroupRequestTypeDef) -> Reply:
        """Take a user out of a group; not being in it changes nothing."""
        account, name, user = call.scope.account, request["GroupName"], request["UserName"]

        async def body(tx: Tx) -> None:
            await entity_of(tx, account, Kind.USER, user)
            await entity_of(tx, account, Kind.GROUP, name)
            await storage.remove_member(tx, account, Kind.GROUP, name, user)

        await self.kit.storage.transact(body)
        return {}

    async def list_groups_for_user(self, call: Call, request: t.ListGroupsForUserRequestTypeDef) -> Reply:
        """The groups that a user is in."""
        account, name = call.scope.account, request["UserName"]

        async def body(tx: Tx) -> list[Entity]:
            await entity_of(tx, account, Kind.USER, name)
            return await storage.list_owners(tx, account, Kind.GROUP, name)

        groups, end = page(request, await self.kit.storage.read(body), lambda group: group.name.lower())
        return {"Groups": [describe_group(call.scope, group) for group in groups], **end}

    # -- access keys --------------------------------------------------------------------------------------

    async def create_access_key(self, call: Call, request: t.CreateAccessKeyRequestTypeDef) -> Reply:
        """Make an access key for a user: the only time that its secret is told."""
        name = await self._named(call, request)
        account, ids = call.scope.account, self.kit.ids
        secret = new_secret_key(ids)
        key_id = new_access_key(LONG_TERM, account, ids)
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> AccessKey:
            user = await entity_of(tx, account, Kind.USER, name)
            if len(await storage.list_keys(tx, account, user.name)) >= MAX_ACCESS_KEYS:
                raise quota("AccessKeysPerUser", MAX_ACCESS_KEYS)
            key = AccessKey(key_id, account, user.name, secret, "Active", now)
            await storage.insert_key(tx, key)
            return key

        key = await self.kit.storage.transact(body)
        return {"AccessKey": _describe_key(key) | {"SecretAccessKey": key.secret}}

    async def list_access_keys(self, call: Call, request: t.ListAccessKeysRequestTypeDef) -> Reply:
        """A user's access keys, without their secrets."""
        name = await self._named(call, request)

        async def body(tx: Tx) -> list[AccessKey]:
            user = await entity_of(tx, call.scope.account, Kind.USER, name)
            return await storage.list_keys(tx, call.scope.account, user.name)

        found = sorted(await self.kit.storage.read(body), key=lambda key: key.id)
        keys, end = page(request, found, lambda key: key.id)
        return {"AccessKeyMetadata": [_describe_key(key) for key in keys], **end}

    async def update_access_key(self, call: Call, request: t.UpdateAccessKeyRequestTypeDef) -> Reply:
        """Activate or deactivate an access key."""
        name = await self._named(call, request)

        async def body(tx: Tx) -> None:
            key = await _key_of(tx, call.scope.account, name, request["AccessKeyId"])
            await storage.set_key_status(tx, key.id, request["Status"])

        await self.kit.storage.transact(body)
        return {}

    async def delete_access_key(self, call: Call, request: t.DeleteAccessKeyRequestTypeDef) -> Reply:
        """Delete an access key."""
        name = await self._named(call, request)

        async def body(tx: Tx) -> None:
            key = await _key_of(tx, call.scope.account, name, request["AccessKeyId"])
            await storage.delete_key(tx, key.id)

        await self.kit.storage.transact(body)
        return {}

    async def get_access_key_last_used(self, call: Call, request: t.GetAccessKeyLastUsedRequestTypeDef) -> Reply:
        """Whose an access key is. Uses are not recorded, and are told as AWS tells that there is no
        information.
        """
        key = await self._key(request["AccessKeyId"])
        if key is None or key.account != call.scope.account:
            raise AccessDeniedError(
                f"User: {await self._caller_arn(call)} is not authorized to perform iam:GetAccessKeyLastUsed on "
                f"resource: access key {request['AccessKeyId']}"
            )
        return {"UserName": key.user, "AccessKeyLastUsed": {"ServiceName": "N/A", "Region": "N/A"}}

    async def find_credentials(self, access_key: str) -> Credentials | None:
        """What is known of a user's active access key; see `fogbank.core.credentials.CredentialSource`."""
        key = await self._key(access_key)
        if key is None or key.status != "Active":
            return None

        async def body(tx: Tx) -> Entity | None:
            return await storage.find_entity(tx, key.account, Kind.USER, key.user)

        user = await self.kit.storage.read(body)
        if user is None:
            return None
        return Credentials(key.id, key.secret, key.account, user.arn(Scope(key.account)), user.id)

    async def _key(self, key_id: str) -> AccessKey | None:
        async def body(tx: Tx) -> AccessKey | None:
            return await storage.find_key(tx, key_id)

        return await self.kit.storage.read(body)

    async def _signer(self, call: Call) -> str | None:
        """The user whose access key signed the request; `None` for any other."""
        key = await self._key(call.principal.access_key)
        return key.user if key is not None and key.account == call.scope.account else None

    async def _caller_arn(self, call: Call) -> str:
        """Whom the access key that signed the request stands for."""
        known = await self.find_credentials(call.principal.access_key)
        return call.scope.global_arn("iam", "root") if known is None else known.arn

    async def _named(self, call: Call, request: Mapping[str, Any]) -> str:
        """The user that a request names, or else who signed it."""
        name = request.get("UserName") or await self._signer(call)
        if name is None:
            raise IamValidationError("Must specify userName when calling with non-User credentials")
        return str(name)


async def _key_of(tx: Tx, account: str, user: str, key_id: str) -> AccessKey:
    await entity_of(tx, account, Kind.USER, user)
    key = await storage.find_key(tx, key_id)
    if key is None or key.account != account or key.user.lower() != user.lower():
        raise NoSuchEntityError(f"The Access Key with id {key_id} cannot be found.")
    return key


def _describe_key(key: AccessKey) -> Reply:
    return {
        "UserName": key.user,
        "AccessKeyId": key.id,
        "Status": key.status,
        "CreateDate": seconds(key.created_at),
    }


def _root(scope: Scope) -> Reply:
    """The account's root: who calls with a key that no user has, as local mode allows."""
    return {"UserId": scope.account, "Arn": scope.global_arn("iam", "root"), "CreateDate": 0.0}
