"""What SNS counts, under AWS's names, for each topic.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
"""

from __future__ import annotations

from fogbank.core.arn import Arn
from fogbank.services.sns._filters import Verdict
from fogbank.telemetry.metrics import Metrics, Panel, Panels


class TopicMetrics:
    """Counts what goes through topics. A topic is named by its ARN."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._of = Panels(metrics, self._panel)

    def _panel(self, arn: str) -> Panel:
        parsed = Arn.parse(arn)
        return self._metrics.panel(parsed.scope, "AWS/SNS", (("TopicName", parsed.resource),))

    def published(self, arn: str, size: int) -> None:
        """A message was published."""
        panel = self._of(arn)
        panel.add("NumberOfMessagesPublished")
        panel.add("PublishSize", float(size), "Bytes")

    def delivered(self, arn: str) -> None:
        """A subscription's endpoint has a message."""
        self._of(arn).add("NumberOfNotificationsDelivered")

    def failed(self, arn: str) -> None:
        """An endpoint never got a message."""
        self._of(arn).add("NumberOfNotificationsFailed")

    def redriven(self, arn: str, *, arrived: bool) -> None:
        """A message went, or could not go, to a dead-letter queue."""
        self._of(arn).add(f"NumberOfNotifications{'RedrivenToDlq' if arrived else 'FailedToRedriveToDlq'}")

    def filtered(self, arn: str, verdict: Verdict) -> None:
        """A filter policy held a message back."""
        panel = self._of(arn)
        panel.add("NumberOfNotificationsFilteredOut")
        panel.add(f"NumberOfNotificationsFilteredOut{verdict.value}")
