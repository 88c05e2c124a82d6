"""What all operations share: finding entities, pages, tags, and the shapes of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.core.paging import InvalidTokenError, cut_page, decode_token, encode_token
from fogbank.services.iam import storage
from fogbank.services.iam._api.wording import word
from fogbank.services.iam._linked import check_modifiable
from fogbank.services.iam.errors import IamValidationError, InvalidInputError, NoSuchEntityError
from fogbank.services.iam.model import (
    RULES,
    Entity,
    Kind,
    Policy,
    aws_policy,
    is_policy_arn,
    missing,
    quota,
    tag_list,
    tags_of,
    taken,
)
from fogbank.services.kit import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fogbank.core.call import Call, Reply
    from fogbank.core.errors import ApiError
    from fogbank.core.models import OperationModel
    from fogbank.core.scope import Scope
    from fogbank.core.validation import Problem
    from fogbank.storage import Tx

T = TypeVar("T")


class IamService(Service):
    """The part of the service that every group of operations builds on."""

    name = "iam"
    is_global = True

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError:
        """IAM calls what breaks its model `ValidationError`."""
        return IamValidationError(word(operation, problems))

    async def create_entity(self, call: Call, entity: Entity) -> None:
        """Store a new entity, if the name is free and the quota allows."""
        account = call.scope.account
        rules = RULES[entity.kind]

        async def body(tx: Tx) -> None:
            if entity.boundary is not None:
                await check_boundary(tx, entity.boundary)
            if await storage.count_entities(tx, account, entity.kind) >= rules.quota:
                raise quota(rules.quota_name, rules.quota)
            if not await storage.insert_entity(tx, account, entity):
                raise taken(entity.kind, entity.name)

        await self.kit.storage.transact(body)

    async def change_entity(self, call: Call, kind: Kind, name: str, change: Callable[[Entity], Entity]) -> Entity:
        """Store what `change` makes of an entity."""
        account = call.scope.account

        async def body(tx: Tx) -> Entity:
            entity = change(await entity_of(tx, account, kind, name))
            await storage.update_entity(tx, account, entity)
            return entity

        return await self.kit.storage.transact(body)

    async def read_entity(self, call: Call, kind: Kind, name: str) -> Entity:
        """The entity of a name."""

        async def body(tx: Tx) -> Entity:
            return await entity_of(tx, call.scope.account, kind, name)

        return await self.kit.storage.read(body)

    async def list_page(self, call: Call, kind: Kind, request: Mapping[str, Any]) -> tuple[Sequence[Entity], Reply]:
        """A page of the entities of a kind below the request's path prefix."""
        prefix = request.get("PathPrefix", "/")

        async def body(tx: Tx) -> list[Entity]:
            return await storage.list_entities(tx, call.scope.account, kind, "")

        entities = [each for each in await self.kit.storage.read(body) if each.path.startswith(prefix)]
        return page(request, entities, lambda entity: entity.name.lower())

    def new_id(self, kind: Kind) -> str:
        """A unique id: the kind's four letters and 17 more."""
        return RULES[kind].id_prefix + self.kit.ids.code(17)


async def entity_of(tx: Tx, account: str, kind: Kind, name: str) -> Entity:
    """The entity of a name; `NoSuchEntityError` if there is none."""
    entity = await storage.find_entity(tx, account, kind, name)
    if entity is None:
        raise missing(kind, name)
    return entity


async def modifiable(tx: Tx, account: str, kind: Kind, name: str) -> Entity:
    """The same, of what is to be changed: not a service-linked role."""
    entity = await entity_of(tx, account, kind, name)
    check_modifiable(entity)
    return entity


async def policy_of(tx: Tx, arn: str) -> Policy:
    """The managed policy of an ARN, AWS's own included; `NoSuchEntityError` if there is none."""
    policy = aws_policy(arn) or await storage.find_policy(tx, arn)
    if policy is None:
        raise NoSuchEntityError(f"Policy {arn} was not found.")
    return policy


async def attachable(tx: Tx, arn: str) -> Policy:
    """The same, worded as the operations that attach it do."""
    check_policy_arn(arn)
    policy = aws_policy(arn) or await storage.find_policy(tx, arn)
    if policy is None:
        raise NoSuchEntityError(f"Policy {arn} does not exist or is not attachable.")
    return policy


async def check_boundary(tx: Tx, arn: str) -> None:
    """A boundary is a managed policy that is there."""
    if not is_policy_arn(arn):
        raise InvalidInputError(f"ARN {arn} is not valid.")
    if (aws_policy(arn) or await storage.find_policy(tx, arn)) is None:
        raise NoSuchEntityError(f"Scope ARN: {arn} does not exist or is not attachable.")


def check_policy_arn(arn: str) -> None:
    """An ARN has at least the form of one."""
    if not arn.startswith("arn:"):
        raise IamValidationError(f"ARN {arn} is not valid.")


def page(request: Mapping[str, Any], items: Sequence[T], key: Callable[[T], str]) -> tuple[Sequence[T], Reply]:
    """The page of `items`, which are ordered by `key`, that the request asks for, and what says where it
    ends.
    """
    marker = request.get("Marker")
    if marker is not None:
        try:
            after = decode_token(marker, str)
        except InvalidTokenError:
            raise IamValidationError("Invalid Marker.") from None
        items = [item for item in items if key(item) > after]
    found, more = cut_page(items, request.get("MaxItems", 100))
    end: Reply = {"IsTruncated": more}
    if more:
        end["Marker"] = encode_token(key(found[-1]))
    return found, end


def tag_page(request: Mapping[str, Any], tags: Mapping[str, str], *, exact: bool = False) -> Reply:
    """A page of tags, by their keys; `exact` ones are told shortest key first, as AWS is recorded to tell a
    policy's.
    """

    def order(tag: tuple[str, str]) -> str:
        return f"{len(tag[0]):04d}{tag[0]}" if exact else tag[0]

    found, end = page(request, sorted(tags.items(), key=order), order)
    return {"Tags": tag_list(dict(found)), **end}


def with_tags(request: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, str]:
    """The tags with the request's added."""
    return tags_of(request["Tags"], tags)


def without_tags(request: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, str]:
    """The tags without the request's keys."""
    return {key: value for key, value in tags.items() if key not in request["TagKeys"]}


def encode_document(document: str) -> str:
    """Policy documents are sent percent-encoded (RFC 3986)."""
    return quote(document, safe="")


def seconds(millis: int) -> float:
    """A timestamp of the API; IAM's have whole seconds."""
    return float(millis // 1000)


def boundary_shape(arn: str | None) -> Reply | None:
    """`AttachedPermissionsBoundary`."""
    return None if arn is None else {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def describe_role(scope: Scope, role: Entity) -> Reply:
    """What is told of a role wherever it is told: in an instance profile, no more."""
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn(scope),
        "CreateDate": seconds(role.created_at),
        "AssumeRolePolicyDocument": encode_document(role.trust_policy or ""),
    }


def describe_listed_role(scope: Scope, role: Entity) -> Reply:
    """`Role` in a listing: without tags, boundary and last use."""
    return describe_role(scope, role) | {"Description": role.description, "MaxSessionDuration": role.max_session}


def role_extras(role: Entity) -> Reply:
    """What a listing does not tell."""
    return {"PermissionsBoundary": boundary_shape(role.boundary), "Tags": tag_list(role.tags) or None}


def describe_user(scope: Scope, user: Entity, *, full: bool = True) -> Reply:
    """`User`; listings leave out tags and boundary."""
    shape: Reply = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn(scope),
        "CreateDate": seconds(user.created_at),
    }
    if full:
        shape["PermissionsBoundary"] = boundary_shape(user.boundary)
        shape["Tags"] = tag_list(user.tags) or None
    return shape


def describe_group(scope: Scope, group: Entity) -> Reply:
    """`Group`."""
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn(scope),
        "CreateDate": seconds(group.created_at),
    }


def describe_profile(scope: Scope, profile: Entity, roles: Sequence[Entity]) -> Reply:
    """`InstanceProfile`, without its tags."""
    return {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn(scope),
        "CreateDate": seconds(profile.created_at),
        "Roles": [describe_role(scope, role) for role in roles],
    }


def lacking(what: str) -> NotImplementedByFogbank:
    """The error for what Fogbank does not have yet."""
    return NotImplementedByFogbank(f"Fogbank does not implement {what} yet")
