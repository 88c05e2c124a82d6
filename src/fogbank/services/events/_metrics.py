"""What EventBridge counts, under AWS's names: matches of each rule, and what came of its invocations.

Rules of the default bus have their metrics by `RuleName`, those of others by `EventBusName` and `RuleName`; beside them
stand those of all rules, without dimensions.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
"""

from __future__ import annotations

from fogbank.core.arn import Arn
from fogbank.telemetry.metrics import Metrics, Panel, Panels


class RuleMetrics:
    """Counts what rules do. A rule is named by its ARN."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.of = Panels(metrics, self._panel)

    def _panel(self, arn: str) -> Panel:
        parsed = Arn.parse(arn)
        bus, _, name = parsed.resource.removeprefix("rule/").rpartition("/")
        own = (("EventBusName", bus), ("RuleName", name)) if bus else (("RuleName", name),)
        return self._metrics.panel(parsed.scope, "AWS/Events", (), own)

    def matched(self, arn: str) -> None:
        """An event matched a rule."""
        panel = self.of(arn)
        panel.add("MatchedEvents")
        panel.add("TriggeredRules")

    def fired(self, arn: str) -> None:
        """A rule's schedule came due."""
        self.of(arn).add("TriggeredRules")
