"""Rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.patterns import InvalidPatternError, compile_pattern
from fogbank.services.events import storage as rows
from fogbank.services.events._api.operations import Operations, Page
from fogbank.services.events._schedules import anchored, check_schedule, next_fire
from fogbank.services.events._tags import check_tags
from fogbank.services.events.errors import (
    InvalidEventPatternError,
    LimitExceededError,
    ManagedRuleError,
    ValidationError,
)
from fogbank.services.events.model import DEFAULT_BUS, MAX_RULES, BusKey, Rule, RuleState
from fogbank.services.events.worker import RULES_TOPIC

if TYPE_CHECKING:
    from types_boto3_events.type_defs import (
        DeleteRuleRequestTypeDef,
        DescribeRuleRequestTypeDef,
        DisableRuleRequestTypeDef,
        EnableRuleRequestTypeDef,
        ListRulesRequestTypeDef,
        PutRuleRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

MANAGING = frozenset({"states.amazonaws.com", "pipes.amazonaws.com", "schemas.amazonaws.com"})
"""Services that make rules for themselves; nobody else may change those."""


def check_pattern(text: str) -> None:
    """Refuse a pattern with EventBridge's reason."""
    try:
        compile_pattern(text)
    except InvalidPatternError as error:
        raise InvalidEventPatternError(error.reason) from None


class RuleOperations(Operations):
    """Put, describe, list, enable, disable and delete rules."""

    async def put_rule(self, call: Call, request: PutRuleRequestTypeDef) -> Reply:
        """Create a rule, or replace all of it but its tags."""
        bus = BusKey.of(call.scope, request.get("EventBusName"))
        pattern, schedule = request.get("EventPattern") or None, request.get("ScheduleExpression") or None
        if not pattern and not schedule:
            raise ValidationError("Parameter(s) EventPattern or ScheduleExpression must be specified.")
        if schedule and bus.name != DEFAULT_BUS:
            raise ValidationError("ScheduleExpression is supported only on the default event bus.")
        if schedule:
            check_schedule(schedule)
        if pattern:
            check_pattern(pattern)
        tags = check_tags(rows.tags_of(request.get("Tags", ())), by_service=bool(call.principal.service))
        maker = call.principal.service if call.principal.service in MANAGING else None
        now = self._clock.millis()
        rule = Rule(
            0, bus, request["Name"], pattern, schedule, RuleState(request.get("State", "ENABLED")),
            request.get("Description"), request.get("RoleArn"), maker, call.scope.account, tags, now,
        )  # fmt: skip

        async def body(tx: Tx) -> None:
            await self._require_bus(tx, bus)
            before = await rows.get_rule(tx, bus, rule.name)
            if before is None and await rows.count_rules(tx, bus) >= MAX_RULES:
                raise LimitExceededError
            if before is not None:
                _check_manager(before, call)
            await self._save(tx, rule, before, now)

        await self._storage.transact(body)
        return {"RuleArn": rule.arn}

    async def describe_rule(self, call: Call, request: DescribeRuleRequestTypeDef) -> Reply:
        """Describe one rule."""
        bus = BusKey.of(call.scope, request.get("EventBusName"))

        async def body(tx: Tx) -> Rule:
            await self._require_bus(tx, bus)
            return await self._rule(tx, bus, request["Name"])

        rule = await self._storage.read(body)
        return _document(rule) | {"CreatedBy": rule.created_by}

    async def list_rules(self, call: Call, request: ListRulesRequestTypeDef) -> Reply:
        """List the rules of a bus by name."""
        bus = BusKey.of(call.scope, request.get("EventBusName"))
        page = Page(request.get("NextToken"), request.get("Limit"), request.get("NamePrefix"))

        async def body(tx: Tx) -> list[Rule]:
            await self._require_bus(tx, bus)
            return await rows.list_rules(tx, bus, start=page.start, limit=page.limit + 1)

        found = await self._storage.read(body)
        rules, token = page.cut(found, [rule.name for rule in found])
        return {"Rules": [_document(rule) for rule in rules], "NextToken": token}

    async def enable_rule(self, call: Call, request: EnableRuleRequestTypeDef) -> Reply:
        """Let a rule match and fire."""
        bus = BusKey.of(call.scope, request.get("EventBusName"))
        return await self._set_state(call, bus, request["Name"], RuleState.ENABLED)

    async def disable_rule(self, call: Call, request: DisableRuleRequestTypeDef) -> Reply:
        """Keep a rule from matching and firing."""
        bus = BusKey.of(call.scope, request.get("EventBusName"))
        return await self._set_state(call, bus, request["Name"], RuleState.DISABLED)

    async def delete_rule(self, call: Call, request: DeleteRuleRequestTypeDef) -> Reply:
        """Delete a rule without targets; one that does not exist is as good as deleted."""
        bus = BusKey.of(call.scope, request.get("EventBusName"))

        async def body(tx: Tx) -> None:
            await self._require_bus(tx, bus)
            rule = await rows.get_rule(tx, bus, request["Name"])
            if rule is None:
                return
            if not request.get("Force"):
                _check_manager(rule, call)
            if await rows.count_targets(tx, rule.id):
                raise ValidationError("Rule can't be deleted since it has targets.")
            await rows.delete_rule(tx, rule.id)
            self._router.changed(tx, bus)

        await self._storage.transact(body)
        return {}

    async def _set_state(self, call: Call, bus: BusKey, name: str, state: RuleState) -> Reply:
        now = self._clock.millis()

        async def body(tx: Tx) -> None:
            await self._require_bus(tx, bus)
            before = await self._rule(tx, bus, name)
            _check_manager(before, call)
            await self._save(tx, replace(before, state=state), before, now)

        await self._storage.transact(body)
        return {}

    async def _save(self, tx: Tx, rule: Rule, before: Rule | None, now: int) -> None:
        """Write a rule, and let its schedule and the router know."""
        rule = anchored(rule, before, now)
        if before is not None:
            rule = replace(rule, tags=before.tags)
        await rows.put_rule(tx, rule, next_fire(rule, now))
        self._router.changed(tx, rule.bus)
        if rule.schedule:
            tx.wake(RULES_TOPIC)


def _check_manager(rule: Rule, call: Call) -> None:
    if rule.managed_by is not None and rule.managed_by != call.principal.service:
        raise ManagedRuleError(rule.name)


def _document(rule: Rule) -> dict[str, Any]:
    return {
        "Name": rule.name,
        "Arn": rule.arn,
        "EventPattern": rule.pattern,
        "ScheduleExpression": rule.schedule,
        "State": rule.state.value,
        "Description": rule.description,
        "RoleArn": rule.role_arn,
        "ManagedBy": rule.managed_by,
        "EventBusName": rule.bus.name,
    }
