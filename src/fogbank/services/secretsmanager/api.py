"""Secrets Manager: the operations, and what runs beside them."""

from __future__ import annotations

from fogbank.services.kit import Kit
from fogbank.services.secretsmanager._api.policies import PolicyOperations
from fogbank.services.secretsmanager._api.rotation import RotationOperations
from fogbank.services.secretsmanager._api.values import ValueOperations
from fogbank.services.secretsmanager._metrics import SecretMetrics
from fogbank.services.secretsmanager._route import ROUTE, TOPIC, RotationRoute
from fogbank.services.secretsmanager.worker import Timer
from fogbank.storage.due import DueWorker


class SecretsManager(ValueOperations, PolicyOperations, RotationOperations):
    """AWS Secrets Manager."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        kit.delivery.route(ROUTE, RotationRoute(kit))
        timer = Timer(kit.storage, kit.clock, kit.ids, kit.delivery)
        self._worker = DueWorker("secretsmanager-timer", kit.storage, kit.clock, TOPIC, timer.act)
        SecretMetrics(kit)

    async def on_start(self) -> None:
        await self._worker.start()

    async def on_stop(self) -> None:
        await self._worker.stop()

    async def on_reset(self) -> None:
        self.kit.storage.wake(TOPIC)
