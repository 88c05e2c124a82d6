"""Schedule groups, their tags, and requests that are repeated with their client token."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.services.kit import Kit, Service
from fogbank.services.scheduler import storage as rows
from fogbank.services.scheduler._pages import NamePage
from fogbank.services.scheduler.errors import (
    ConflictError,
    QuotaExceededError,
    ValidationError,
    group_not_found,
)
from fogbank.services.scheduler.model import DEFAULT_GROUP, MAX_GROUPS, MAX_TAGS, Group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_scheduler.type_defs import (
        CreateScheduleGroupInputTypeDef,
        DeleteScheduleGroupInputTypeDef,
        GetScheduleGroupInputTypeDef,
        ListScheduleGroupsInputTypeDef,
        ListTagsForResourceInputTypeDef,
        TagResourceInputTypeDef,
        UntagResourceInputTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.core.scope import Scope
    from fogbank.storage import Tx

TOKEN_LIFE = 86_400_000
"""Milliseconds for which a client token is remembered."""
_encode = msgspec.json.Encoder(order="deterministic").encode


class GroupOperations(Service):
    """Create, get, list and delete groups; tags, which only groups have."""

    name = "scheduler"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._storage = kit.storage
        self._clock = kit.clock
        self._ids = kit.ids

    async def create_schedule_group(self, call: Call, request: CreateScheduleGroupInputTypeDef) -> Reply:
        """Create a group; a repeated request with the same client token gets the first one's answer."""
        now = self._clock.millis()
        group = Group(call.scope, request["Name"], _checked(call, _tags(request.get("Tags", ()))), now, now)

        async def body(tx: Tx) -> Reply:
            if group.name == DEFAULT_GROUP or await rows.get_group(tx, call.scope, group.name) is not None:
                raise ConflictError(f"Schedule group {group.name} already exists.")
            if await rows.count_groups(tx, call.scope) >= MAX_GROUPS:
                raise QuotaExceededError(f"An account can have at most {MAX_GROUPS} schedule groups.")
            await rows.put_group(tx, group)
            return {"ScheduleGroupArn": group.arn}

        return await self._once(call, request, body)

    async def get_schedule_group(self, call: Call, request: GetScheduleGroupInputTypeDef) -> Reply:
        """One group."""
        return _document(await self._storage.transact(lambda tx: self._group(tx, call.scope, request["Name"])))

    async def list_schedule_groups(self, call: Call, request: ListScheduleGroupsInputTypeDef) -> Reply:
        """List groups by name."""
        page = NamePage(request.get("NextToken"), request.get("MaxResults"), request.get("NamePrefix", ""))

        async def body(tx: Tx) -> list[Group]:
            await self._group(tx, call.scope, DEFAULT_GROUP)
            return await rows.list_groups(tx, call.scope, start=page.start, limit=page.limit + 1)

        groups, token = page.cut(await self._storage.transact(body))
        return {"ScheduleGroups": [_document(group) for group in groups], "NextToken": token}

    async def delete_schedule_group(self, call: Call, request: DeleteScheduleGroupInputTypeDef) -> Reply:
        """Delete a group and its schedules, at once."""
        if request["Name"] == DEFAULT_GROUP:
            raise ValidationError("The default schedule group cannot be deleted.")

        async def body(tx: Tx) -> Reply:
            await rows.delete_group(tx, await self._group(tx, call.scope, request["Name"]))
            return {}

        return await self._once(call, request, body)

    async def tag_resource(self, call: Call, request: TagResourceInputTypeDef) -> Reply:
        """Add tags to a group, or replace those with the same keys."""
        added = _tags(request["Tags"])
        await self._retag(call, request["ResourceArn"], lambda tags: _checked(call, {**tags, **added}, added))
        return {}

    async def untag_resource(self, call: Call, request: UntagResourceInputTypeDef) -> Reply:
        """Remove tags of a group by their keys."""
        gone = set(request["TagKeys"])
        await self._retag(call, request["ResourceArn"], lambda tags: {k: v for k, v in tags.items() if k not in gone})
        return {}

    async def list_tags_for_resource(self, call: Call, request: ListTagsForResourceInputTypeDef) -> Reply:
        """The tags of a group."""
        name = _group_name(request["ResourceArn"])
        group = await self._storage.transact(lambda tx: self._group(tx, call.scope, name))
        return {"Tags": [{"Key": key, "Value": value} for key, value in group.tags.items()]}

    async def _retag(self, call: Call, arn: str, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
        async def body(tx: Tx) -> None:
            group = await self._group(tx, call.scope, _group_name(arn))
            await rows.put_group(tx, replace(group, tags=change(group.tags)))

        await self._storage.transact(body)

    async def _group(self, tx: Tx, scope: Scope, name: str) -> Group:
        """A group that must be there; the default one becomes a row when it is first asked for."""
        group = await rows.get_group(tx, scope, name)
        if group is None and name == DEFAULT_GROUP:
            now = self._clock.millis()
            group = Group(scope, name, {}, now, now)
            await rows.put_group(tx, group)
        if group is None:
            raise group_not_found(name)
        return group

    async def _once(self, call: Call, request: Any, body: Callable[[Tx], Awaitable[Reply]]) -> Reply:
        """Run `body`, unless its client token has been used: then the first answer is given again."""
        token = request.get("ClientToken")
        if token is None:
            return await self._storage.transact(body)
        fingerprint = _fingerprint(call.operation, request)
        now = self._clock.millis()

        async def once(tx: Tx) -> Reply:
            used = await rows.get_token(tx, call.scope, token, now)
            if used is not None and used[0] != fingerprint:
                raise ConflictError("The client token was used for a request with other parameters.")
            if used is not None:
                return used[1]
            reply = await body(tx)
            expires = now + TOKEN_LIFE
            await rows.put_token(tx, call.scope, token, fingerprint, reply, now=now, expires=expires)
            return reply

        return await self._storage.transact(once)


def _fingerprint(operation: str, request: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in request.items() if name != "ClientToken"}
    return hashlib.sha256(_encode([operation, rest])).hexdigest()


def _tags(pairs: Any) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in pairs}


def _checked(call: Call, tags: Mapping[str, str], added: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """The tags, if they keep to the limits; AWS's own can be added by its services only."""
    if len(tags) > MAX_TAGS:
        raise ValidationError(f"A schedule group can have at most {MAX_TAGS} tags.")
    for key in () if call.principal.service else tags if added is None else added:
        if key.lower().startswith("aws:"):
            raise ValidationError(f"Tag key {key} is not valid: the prefix aws: is reserved.")
    return tags


def _group_name(arn: str) -> str:
    return arn.rpartition(":schedule-group/")[2]


def _document(group: Group) -> dict[str, Any]:
    return {
        "Arn": group.arn,
        "Name": group.name,
        "State": "ACTIVE",
        "CreationDate": group.created / 1000,
        "LastModificationDate": group.modified / 1000,
    }
