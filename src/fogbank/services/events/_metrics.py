"""What EventBridge counts, under AWS's names: matches of each rule, and what came of its invocations.

Rules of the default bus have their metrics by `RuleName`, those of others by `EventBusName` and `RuleName`; beside them
stand those of all rules, without dimensions.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn
from fogbank.delivery import Attempt, Failure, Message
from fogbank.delivery.targets import TargetRoute
from fogbank.storage import Tx
from fogbank.telemetry.metrics import Metrics, Panel, Panels

if TYPE_CHECKING:
    from fogbank.services.kit import Kit


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


class RuleRoute(TargetRoute):
    """Delivers to the targets of rules by the API call that fits, and counts what comes of it."""

    def __init__(self, kit: Kit, counts: RuleMetrics) -> None:
        super().__init__(kit.cloud, kit.delivery, kit.clock)
        self._counts = counts

    def _add(self, message: Message, name: str) -> None:
        rule = message.dead_letter_attributes.get("RULE_ARN")
        if rule is not None:
            self._counts.of(rule).add(name)

    async def join(self, tx: Tx, message: Message) -> bool:
        """The first attempt, where that needs no hop."""
        joined = await super().join(tx, message)
        if joined:
            self._add(message, "Invocations")
        return joined

    async def attempt(self, attempt: Attempt) -> Any:
        self._add(attempt.message, "Invocations" if attempt.number == 1 else "RetryInvocationAttempts")
        return await super().attempt(attempt)

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        """Count the failure, and the dead letter that follows."""
        self._add(attempt.message, "FailedInvocations")
        if attempt.message.dead_letter is not None:
            self._add(attempt.message, "InvocationsSentToDlq")
        await super().exhausted(tx, attempt, failure)
