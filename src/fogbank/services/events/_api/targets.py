"""The targets of rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.services.events import storage as rows
from fogbank.services.events._api.operations import Operations, Page
from fogbank.services.events._targets import check_target
from fogbank.services.events.errors import LimitExceededError, ManagedRuleError, ValidationError
from fogbank.services.events.model import MAX_TARGETS, BusKey, Rule, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_events.type_defs import (
        ListRuleNamesByTargetRequestTypeDef,
        ListTargetsByRuleRequestTypeDef,
        PutTargetsRequestTypeDef,
        RemoveTargetsRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

MAX_ENTRIES = 10
"""Targets in one request."""


class TargetOperations(Operations):
    """Put, list and remove targets."""

    async def put_targets(self, call: Call, request: PutTargetsRequestTypeDef) -> Reply:
        """Add targets to a rule, or replace those with the same ids: all of them or none."""
        bus = BusKey.of(call.scope, request.get("EventBusName"))
        targets = {target["Id"]: _target(target) for target in request["Targets"]}
        if len(request["Targets"]) > MAX_ENTRIES:
            raise LimitExceededError

        async def body(tx: Tx) -> None:
            rule = await self._target_rule(tx, call, bus, request["Rule"])
            for target in targets.values():
                check_target(rule, target)
                await rows.put_target(tx, rule.id, target)
            if await rows.count_targets(tx, rule.id) > MAX_TARGETS:
                raise LimitExceededError
            self._router.changed(tx, bus)

        await self._storage.transact(body)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    async def remove_targets(self, call: Call, request: RemoveTargetsRequestTypeDef) -> Reply:
        """Remove targets by their ids; those that the rule does not have are reported."""
        bus = BusKey.of(call.scope, request.get("EventBusName"))
        if len(request["Ids"]) > MAX_ENTRIES:
            raise ValidationError(f"At most {MAX_ENTRIES} targets can be removed in one request.")

        async def body(tx: Tx) -> list[str]:
            rule = await self._target_rule(tx, call, bus, request["Rule"], force=request.get("Force", False))
            self._router.changed(tx, bus)
            return [key for key in request["Ids"] if not await rows.delete_target(tx, rule.id, key)]

        missing = await self._storage.transact(body)
        failed = [
            {
                "TargetId": key,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": f"Rule {request['Rule']} does not have a target with the Id {key}.",
            }
            for key in missing
        ]
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    async def list_targets_by_rule(self, call: Call, request: ListTargetsByRuleRequestTypeDef) -> Reply:
        """List the targets of a rule by their ids."""
        bus = BusKey.of(call.scope, request.get("EventBusName"))
        page = Page(request.get("NextToken"), request.get("Limit"))

        async def body(tx: Tx) -> list[Target]:
            await self._require_bus(tx, bus)
            rule = await self._rule(tx, bus, request["Rule"])
            return await rows.list_targets(tx, rule.id, start=page.start, limit=page.limit + 1)

        found = await self._storage.read(body)
        targets, token = page.cut(found, [target.id for target in found])
        return {"Targets": [target.document for target in targets], "NextToken": token}

    async def list_rule_names_by_target(self, call: Call, request: ListRuleNamesByTargetRequestTypeDef) -> Reply:
        """List the rules of a bus that have a target."""
        bus = BusKey.of(call.scope, request.get("EventBusName"))
        page = Page(request.get("NextToken"), request.get("Limit"))

        async def body(tx: Tx) -> list[str]:
            await self._require_bus(tx, bus)
            return await rows.rules_of_target(tx, bus, request["TargetArn"], start=page.start, limit=page.limit + 1)

        found = await self._storage.read(body)
        names, token = page.cut(found, found)
        return {"RuleNames": names, "NextToken": token}

    async def _target_rule(self, tx: Tx, call: Call, bus: BusKey, name: str, *, force: bool = False) -> Rule:
        """The rule whose targets are to be changed."""
        await self._require_bus(tx, bus)
        rule = await self._rule(tx, bus, name)
        if rule.managed_by is not None and rule.managed_by != call.principal.service and not force:
            raise ManagedRuleError(rule.name)
        return rule


def _target(document: Mapping[str, object]) -> Target:
    settings = {name: value for name, value in document.items() if name not in {"Id", "Arn"}}
    return Target(str(document["Id"]), str(document["Arn"]), settings)
