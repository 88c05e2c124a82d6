"""Tags of buses and rules, by ARN."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.services.events import storage as rows
from fogbank.services.events._api.buses import BusOperations
from fogbank.services.events._tags import check_tags
from fogbank.services.events.errors import ManagedRuleError, ValidationError
from fogbank.services.events.model import DEFAULT_BUS, BusKey, target_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_events.type_defs import (
        ListTagsForResourceRequestTypeDef,
        TagResourceRequestTypeDef,
        UntagResourceRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

    Change = Callable[[Mapping[str, str]], Mapping[str, str]]


class TagOperations(BusOperations):
    """Tag, untag, list tags."""

    async def tag_resource(self, call: Call, request: TagResourceRequestTypeDef) -> Reply:
        """Add tags, or replace those with the same keys."""
        added = rows.tags_of(request["Tags"])
        by_service = bool(call.principal.service)
        await self._retag(
            call, request["ResourceARN"], lambda tags: check_tags({**tags, **added}, added, by_service=by_service)
        )
        return {}

    async def untag_resource(self, call: Call, request: UntagResourceRequestTypeDef) -> Reply:
        """Remove tags by their keys."""
        gone = set(request["TagKeys"])
        await self._retag(call, request["ResourceARN"], lambda tags: {k: v for k, v in tags.items() if k not in gone})
        return {}

    async def list_tags_for_resource(
        self,
        call: Call,  # noqa: ARG002 - the ARN says whose
        request: ListTagsForResourceRequestTypeDef,
    ) -> Reply:
        """The tags of a bus or rule."""

        async def body(tx: Tx) -> Mapping[str, str]:
            bus, name = _resource(request["ResourceARN"])
            if name is None:
                return (await self._bus(tx, bus)).tags
            return (await self._rule(tx, bus, name)).tags

        tags = await self._storage.transact(body)
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    async def _retag(self, call: Call, arn: str, change: Change) -> None:
        async def body(tx: Tx) -> None:
            bus, name = _resource(arn)
            if name is None:
                found = await self._bus(tx, bus)
                await rows.put_bus(tx, replace(found, tags=change(found.tags)))
                return
            rule = await self._rule(tx, bus, name)
            if rule.managed_by is not None and rule.managed_by != call.principal.service:
                raise ManagedRuleError(rule.name)
            await rows.set_rule_tags(tx, rule.id, change(rule.tags))

        await self._storage.transact(body)


def _resource(text: str) -> tuple[BusKey, str | None]:
    """The bus of an ARN, and the rule if it is a rule's."""
    arn = target_arn(text)
    if arn is not None and arn.service == "events":
        kind, _, rest = arn.resource.partition("/")
        if kind == "event-bus" and rest:
            return BusKey(arn.account, arn.region, rest), None
        if kind == "rule" and rest:
            bus, _, name = rest.rpartition("/")
            return BusKey(arn.account, arn.region, bus or DEFAULT_BUS), name
    raise ValidationError(f"Parameter {text} is not valid. Reason: Provided Arn is not in correct format.")
