"""Groups and sampling rules: values, and the rules for them. Pure functions.

Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fogbank.core.scope import Scope

DEFAULT = "Default"
"""The name of the group and of the rule that every account has."""
MAX_RULES = 25
"""Sampling rules of an account and region, beside the default one."""
MAX_GROUPS = 25
INTERVAL = 10
"""Seconds after which a client asks for its sampling targets again."""
DEFAULT_RULE: Mapping[str, Any] = {
    "RuleName": DEFAULT,
    "ResourceARN": "*",
    "Priority": 10_000,
    "FixedRate": 0.05,
    "ReservoirSize": 1,
    "ServiceName": "*",
    "ServiceType": "*",
    "Host": "*",
    "HTTPMethod": "*",
    "URLPath": "*",
    "Version": 1,
    "Attributes": {},
}
DEFAULT_CHANGES = frozenset({"RuleName", "RuleARN", "FixedRate", "ReservoirSize"})
"""What of the default rule may be changed."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group: a name for a filter expression."""

    name: str
    arn: str
    filter: str
    tags: Mapping[str, str]

    @property
    def shape(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "GroupName": self.name,
            "GroupARN": self.arn,
            "FilterExpression": self.filter or None,
            "InsightsConfiguration": {"InsightsEnabled": False, "NotificationsEnabled": False},
        }


@dataclass(frozen=True, slots=True)
class Rule:
    """A sampling rule. `settings` are those of SamplingRule; times are milliseconds."""

    settings: Mapping[str, Any]
    tags: Mapping[str, str]
    created: int
    modified: int

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.settings["RuleName"])

    @property
    def shape(self) -> dict[str, Any]:
        """A SamplingRuleRecord."""
        return {
            "SamplingRule": dict(self.settings),
            "CreatedAt": self.created / 1000,
            "ModifiedAt": self.modified / 1000,
        }


def rule_arn(scope: Scope, name: str) -> str:
    """The ARN of a sampling rule."""
    return scope.arn("xray", f"sampling-rule/{name}")


def default_rule(scope: Scope) -> Rule:
    """The rule of an account that has changed nothing: one request a second, and 5% of the others."""
    return Rule({**DEFAULT_RULE, "RuleARN": rule_arn(scope, DEFAULT)}, {}, 0, 0)


def default_group(scope: Scope) -> Group:
    """The group that every account has: all traces."""
    return Group(DEFAULT, scope.arn("xray", "group/Default"), "", {})


def target_of(rule: Rule, now: float) -> dict[str, Any]:
    """A SamplingTargetDocument: one client has the rule's whole reservoir."""
    return {
        "RuleName": rule.name,
        "FixedRate": rule.settings["FixedRate"],
        "ReservoirQuota": rule.settings["ReservoirSize"],
        "ReservoirQuotaTTL": now + INTERVAL,
        "Interval": INTERVAL,
    }
