"""What Secrets Manager counts: how many secrets there are.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-cloudwatch.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.scope import Scope
from fogbank.services.secretsmanager import storage as rows

if TYPE_CHECKING:
    from fogbank.services.kit import Kit

_DIMENSIONS = (
    ("Service", "Secrets Manager"), ("Type", "Resource"), ("Resource", "SecretCount"), ("Class", "None"),
)  # fmt: skip


class SecretMetrics:
    """Samples the number of secrets."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        kit.metrics.every_minute(self.sample)

    async def sample(self) -> None:
        """One value for each account and region that has secrets."""
        for account, region, count in await self._kit.storage.read(rows.counts):
            panel = self._kit.metrics.panel(Scope(account, region), "AWS/SecretsManager", _DIMENSIONS)
            panel.gauge("ResourceCount", float(count))
