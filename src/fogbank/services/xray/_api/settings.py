"""Groups and sampling rules, with their tags; and what clients are told to sample."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from fogbank.core.call import Call, Reply
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.core.models import OperationModel
from fogbank.core.scope import Scope
from fogbank.core.validation import Problem, describe
from fogbank.services.kit import Service
from fogbank.services.xray import storage as rows
from fogbank.services.xray._filters import compile_filter
from fogbank.services.xray.errors import InvalidRequestError, ResourceNotFoundError, RuleLimitExceededError
from fogbank.services.xray.model import (
    DEFAULT,
    DEFAULT_CHANGES,
    MAX_GROUPS,
    MAX_RULES,
    Group,
    Rule,
    default_group,
    default_rule,
    rule_arn,
    target_of,
)
from fogbank.storage import Tx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_xray import type_defs as t

    from fogbank.services.kit import Kit

_MAX_STATISTICS = 1_000
_MAX_TAGS = 50


class SettingsOperations(Service):
    """What an account sets."""

    name: ClassVar[str] = "xray"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._statistics: OrderedDict[tuple[str, str, str, int], list[int]] = OrderedDict()

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError | None:  # noqa: ARG002
        return InvalidRequestError(describe(problems))

    # -- groups -------------------------------------------------------------------------------------------------

    async def _groups(self, scope: Scope) -> list[Group]:
        return [default_group(scope), *await self.kit.storage.read(lambda tx: rows.groups(tx, scope))]

    async def group_filters(self, scope: Scope) -> dict[str, str]:
        """The filter expressions of groups, by name and by ARN; the default group's holds for every trace."""
        found: dict[str, str] = {}
        for group in await self._groups(scope):
            found[group.name] = found[group.arn] = group.filter or "ok OR !ok"
        return found

    async def find_group(self, scope: Scope, given: Mapping[str, Any]) -> Group:
        """The group that a request names, by name or by ARN."""
        name, arn = given.get("GroupName"), given.get("GroupARN")
        if (name is None) == (arn is None):
            raise InvalidRequestError("Either GroupName or GroupARN must be specified, and not both.")
        for group in await self._groups(scope):
            if name == group.name or arn == group.arn:
                return group
        raise InvalidRequestError("Group not found.")

    async def create_group(self, call: Call, request: t.CreateGroupRequestTypeDef) -> Reply:
        """CreateGroup."""
        _no_insights(request)
        name, text = request["GroupName"], request.get("FilterExpression", "")
        known = await self._groups(call.scope)
        if any(group.name == name for group in known):
            raise InvalidRequestError(f"Group {name} already exists.")
        if len(known) > MAX_GROUPS:
            raise InvalidRequestError(f"An account may have {MAX_GROUPS} groups.")
        await self._check_filter(call.scope, text)
        arn = call.scope.arn("xray", f"group/{name}/{self.kit.ids.code(26)}")
        group = Group(name, arn, text, _tags(request.get("Tags", ())))
        await self.kit.storage.transact(lambda tx: rows.put_group(tx, call.scope, group))
        return {"Group": group.shape}

    async def _check_filter(self, scope: Scope, text: str) -> None:
        if text:
            compile_filter(text, await self.group_filters(scope))

    async def get_group(self, call: Call, request: t.GetGroupRequestTypeDef) -> Reply:
        """GetGroup."""
        return {"Group": (await self.find_group(call.scope, request)).shape}

    async def get_groups(self, call: Call, request: t.GetGroupsRequestTypeDef) -> Reply:  # noqa: ARG002
        """GetGroups: there are so few that they are one page."""
        return {"Groups": [group.shape for group in await self._groups(call.scope)]}

    async def update_group(self, call: Call, request: t.UpdateGroupRequestTypeDef) -> Reply:
        """UpdateGroup."""
        _no_insights(request)
        group = await self._own_group(call.scope, request)
        text = request.get("FilterExpression")
        if text is not None:
            await self._check_filter(call.scope, text)
            group = replace(group, filter=text)
        await self.kit.storage.transact(lambda tx: rows.put_group(tx, call.scope, group))
        return {"Group": group.shape}

    async def delete_group(self, call: Call, request: t.DeleteGroupRequestTypeDef) -> Reply:
        """DeleteGroup."""
        group = await self._own_group(call.scope, request)
        await self.kit.storage.transact(lambda tx: rows.delete_group(tx, call.scope, group.name))
        return {}

    async def _own_group(self, scope: Scope, given: Mapping[str, Any]) -> Group:
        group = await self.find_group(scope, given)
        if group.name == DEFAULT:
            raise InvalidRequestError("The default group cannot be changed or deleted.")
        return group

    # -- sampling rules -----------------------------------------------------------------------------------------

    async def _rules(self, scope: Scope) -> dict[str, Rule]:
        """By name, the first to be applied first."""
        found = {rule.name: rule for rule in await self.kit.storage.read(lambda tx: rows.rules(tx, scope))}
        found.setdefault(DEFAULT, default_rule(scope))
        return dict(sorted(found.items(), key=lambda item: (item[1].settings["Priority"], item[0])))

    async def _rule(self, scope: Scope, given: Mapping[str, Any]) -> Rule:
        name, arn = given.get("RuleName"), given.get("RuleARN")
        if (name is None) == (arn is None):
            raise InvalidRequestError("Either RuleName or RuleARN must be specified, and not both.")
        for rule in (await self._rules(scope)).values():
            if rule.name == name or rule.settings["RuleARN"] == arn:
                return rule
        raise InvalidRequestError("Sampling rule does not exist.")

    async def create_sampling_rule(self, call: Call, request: t.CreateSamplingRuleRequestTypeDef) -> Reply:
        """CreateSamplingRule."""
        given: Mapping[str, Any] = request["SamplingRule"]
        _no_boost(given)
        name = given.get("RuleName")
        if not name:
            raise InvalidRequestError("RuleName must be specified.")
        if given["Version"] != 1:
            raise InvalidRequestError("The only supported rule version is 1.")
        known = await self._rules(call.scope)
        if name in known:
            raise InvalidRequestError(f"Sampling rule {name} already exists.")
        if len(known) > MAX_RULES:
            raise RuleLimitExceededError(f"An account may have {MAX_RULES} sampling rules.")
        settings = {"Attributes": {}, **given, "RuleARN": rule_arn(call.scope, name)}
        now = self.kit.clock.millis()
        rule = Rule(settings, _tags(request.get("Tags", ())), now, now)
        await self.kit.storage.transact(lambda tx: rows.put_rule(tx, call.scope, rule))
        return {"SamplingRuleRecord": rule.shape}

    async def update_sampling_rule(self, call: Call, request: t.UpdateSamplingRuleRequestTypeDef) -> Reply:
        """UpdateSamplingRule. Of the default rule only rate and reservoir can be changed."""
        given: Mapping[str, Any] = request["SamplingRuleUpdate"]
        _no_boost(given)
        rule = await self._rule(call.scope, given)
        changes = {key: value for key, value in given.items() if key not in {"RuleName", "RuleARN"}}
        if rule.name == DEFAULT and not given.keys() <= DEFAULT_CHANGES:
            raise InvalidRequestError("Only FixedRate and ReservoirSize of the default rule can be changed.")
        _check_numbers(changes)
        rule = replace(rule, settings={**rule.settings, **changes}, modified=self.kit.clock.millis())
        await self.kit.storage.transact(lambda tx: rows.put_rule(tx, call.scope, rule))
        return {"SamplingRuleRecord": rule.shape}

    async def delete_sampling_rule(self, call: Call, request: t.DeleteSamplingRuleRequestTypeDef) -> Reply:
        """DeleteSamplingRule."""
        rule = await self._rule(call.scope, request)
        if rule.name == DEFAULT:
            raise InvalidRequestError("The default rule cannot be deleted.")
        await self.kit.storage.transact(lambda tx: rows.delete_rule(tx, call.scope, rule.name))
        return {"SamplingRuleRecord": rule.shape}

    async def get_sampling_rules(self, call: Call, request: t.GetSamplingRulesRequestTypeDef) -> Reply:  # noqa: ARG002
        """GetSamplingRules."""
        return {"SamplingRuleRecords": [rule.shape for rule in (await self._rules(call.scope)).values()]}

    async def get_sampling_targets(self, call: Call, request: t.GetSamplingTargetsRequestTypeDef) -> Reply:
        """GetSamplingTargets: takes what clients sampled, and tells them what to sample."""
        if request.get("SamplingBoostStatisticsDocuments"):
            raise NotImplementedByFogbank("Fogbank does not implement sampling boosts of X-Ray yet")
        known = await self._rules(call.scope)
        now = self.kit.clock.time()
        targets, unknown = [], []
        for document in request["SamplingStatisticsDocuments"]:
            rule = known.get(document["RuleName"])
            if rule is None:
                unknown.append({"RuleName": document["RuleName"], "ErrorCode": "400", "Message": "Unknown rule"})
                continue
            targets.append(target_of(rule, now))
            self._count(call.scope, rule.name, now, document)
        modified = max(rule.modified for rule in known.values()) / 1000
        return {
            "SamplingTargetDocuments": targets,
            "LastRuleModification": modified,
            "UnprocessedStatistics": unknown,
            "UnprocessedBoostStatistics": [],
        }

    def _count(self, scope: Scope, rule: str, now: float, document: Mapping[str, Any]) -> None:
        key = (scope.account, scope.region, rule, int(now // 10) * 10)
        counts = self._statistics.setdefault(key, [0, 0, 0])
        for number, name in enumerate(("RequestCount", "BorrowCount", "SampledCount")):
            counts[number] += int(document.get(name) or 0)
        while len(self._statistics) > _MAX_STATISTICS:
            self._statistics.popitem(last=False)

    async def get_sampling_statistic_summaries(
        self,
        call: Call,
        request: t.GetSamplingStatisticSummariesRequestTypeDef,  # noqa: ARG002
    ) -> Reply:
        """GetSamplingStatisticSummaries: what clients told of the last requests, in pieces of ten seconds."""
        return {
            "SamplingStatisticSummaries": [
                {
                    "RuleName": rule,
                    "Timestamp": float(moment),
                    "RequestCount": counts[0],
                    "BorrowCount": counts[1],
                    "SampledCount": counts[2],
                }
                for (account, region, rule, moment), counts in self._statistics.items()
                if (account, region) == (call.scope.account, call.scope.region)
            ]
        }

    # -- tags ---------------------------------------------------------------------------------------------------

    async def tag_resource(self, call: Call, request: t.TagResourceRequestTypeDef) -> Reply:
        """TagResource."""
        added = _tags(request["Tags"])
        await self._retag(call.scope, request["ResourceARN"], lambda tags: {**tags, **added})
        return {}

    async def untag_resource(self, call: Call, request: t.UntagResourceRequestTypeDef) -> Reply:
        """UntagResource."""
        gone = set(request["TagKeys"])
        await self._retag(
            call.scope, request["ResourceARN"], lambda tags: {k: v for k, v in tags.items() if k not in gone}
        )
        return {}

    async def list_tags_for_resource(self, call: Call, request: t.ListTagsForResourceRequestTypeDef) -> Reply:
        """ListTagsForResource."""
        found = await self._tagged(call.scope, request["ResourceARN"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.tags.items()]}

    async def _tagged(self, scope: Scope, arn: str) -> Group | Rule:
        for group in await self._groups(scope):
            if group.arn == arn and group.name != DEFAULT:
                return group
        for rule in (await self._rules(scope)).values():
            if rule.settings["RuleARN"] == arn:
                return rule
        raise ResourceNotFoundError(f"Resource {arn} not found.", ResourceName=arn)

    async def _retag(self, scope: Scope, arn: str, change: Any) -> None:
        found = await self._tagged(scope, arn)
        tags = change(found.tags)
        if len(tags) > _MAX_TAGS:
            raise InvalidRequestError(f"A resource may have {_MAX_TAGS} tags.")
        changed = replace(found, tags=tags)

        async def body(tx: Tx) -> None:
            if isinstance(changed, Group):
                await rows.put_group(tx, scope, changed)
            else:
                await rows.put_rule(tx, scope, changed)

        await self.kit.storage.transact(body)


def _tags(given: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in given}


def _no_insights(given: Mapping[str, Any]) -> None:
    wanted = given.get("InsightsConfiguration") or {}
    if wanted.get("InsightsEnabled") or wanted.get("NotificationsEnabled"):
        raise NotImplementedByFogbank("Fogbank does not implement insights of X-Ray yet")


def _no_boost(given: Mapping[str, Any]) -> None:
    if given.get("SamplingRateBoost"):
        raise NotImplementedByFogbank("Fogbank does not implement SamplingRateBoost of X-Ray yet")


def _check_numbers(changes: Mapping[str, Any]) -> None:
    """The model leaves the numbers of an update unbounded; they are those of a rule."""
    rate, size, priority = (changes.get(name) for name in ("FixedRate", "ReservoirSize", "Priority"))
    if rate is not None and not 0 <= rate <= 1:
        raise InvalidRequestError("FixedRate must be between 0 and 1.")
    if size is not None and size < 0:
        raise InvalidRequestError("ReservoirSize must not be negative.")
    if priority is not None and not 1 <= priority <= 9999:
        raise InvalidRequestError("Priority must be between 1 and 9999.")
