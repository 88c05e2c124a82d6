"""The service: its operations are in `_api/`, by what they are about."""

from __future__ import annotations

from fogbank.services.cloudwatch._api.alarms import AlarmOperations
from fogbank.services.cloudwatch._api.dashboards import DashboardOperations
from fogbank.services.cloudwatch._api.data import DataOperations
from fogbank.services.cloudwatch._api.metrics import MetricOperations
from fogbank.services.cloudwatch._api.tags import TagOperations
from fogbank.services.cloudwatch._changes import TOPIC
from fogbank.services.cloudwatch._notices import ROUTE
from fogbank.services.cloudwatch.worker import BEAT, ActionRoute, AlarmTimer, Beat
from fogbank.services.kit import Kit
from fogbank.storage.due import DueWorker


class CloudWatch(MetricOperations, DataOperations, AlarmOperations, DashboardOperations, TagOperations):
    """Amazon CloudWatch."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._beat = Beat(kit, self._flusher)
        timer = AlarmTimer(kit, self._flusher)
        self._workers = (
            DueWorker("cloudwatch-beat", kit.storage, kit.clock, BEAT, self._beat.act),
            DueWorker("cloudwatch-alarms", kit.storage, kit.clock, TOPIC, timer.act),
        )
        kit.delivery.route(ROUTE, ActionRoute(kit))

    async def on_start(self) -> None:
        """Begin to store what is recorded, and to evaluate alarms."""
        for worker in self._workers:
            await worker.start()

    async def on_stop(self) -> None:
        """Store what was recorded last."""
        for worker in self._workers:
            await worker.stop()
        await self._flusher.flush()

    async def on_reset(self) -> None:
        """Forget which rows metrics had."""
        self._directory.clear()
        self._beat.reset()
        self.kit.storage.wake(TOPIC)
