"""EventBridge: the operations, and what runs beside them."""

from __future__ import annotations

from fogbank.core.scope import Scope
from fogbank.services.events._api.archives import ArchiveOperations
from fogbank.services.events._api.destinations import DestinationOperations
from fogbank.services.events._api.publishing import PublishingOperations
from fogbank.services.events._api.replays import ReplayOperations
from fogbank.services.events._api.rules import RuleOperations
from fogbank.services.events._api.tags import TagOperations
from fogbank.services.events._api.targets import TargetOperations
from fogbank.services.events._destinations.route import ROUTE as DESTINATION
from fogbank.services.events._destinations.storage import authorizing
from fogbank.services.events._routes import CountedDestinations, CountedForwarding, RuleRoute
from fogbank.services.events._targets import FORWARD, TARGET
from fogbank.services.events.model import BusKey
from fogbank.services.events.worker import (
    ARCHIVES_TOPIC,
    REPLAYS_TOPIC,
    RULES_TOPIC,
    ArchiveReaper,
    Replayer,
    RuleTimer,
)
from fogbank.services.kit import Kit
from fogbank.storage.due import DueWorker


class Events(
    TagOperations,
    RuleOperations,
    TargetOperations,
    PublishingOperations,
    ArchiveOperations,
    ReplayOperations,
    DestinationOperations,
):
    """Amazon EventBridge."""

    name = "events"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        storage, clock = kit.storage, kit.clock
        timer = RuleTimer(storage, clock, kit.ids, kit.delivery, self._recorder.fired)
        replayer = Replayer(storage, clock, kit.ids, kit.delivery, self._router, kit.usage, self._recorder.matched)
        reaper = ArchiveReaper(storage, clock)
        self._workers = (
            DueWorker("events-schedules", storage, clock, RULES_TOPIC, timer.act),
            DueWorker("events-replays", storage, clock, REPLAYS_TOPIC, replayer.act),
            DueWorker("events-archives", storage, clock, ARCHIVES_TOPIC, reaper.act),
        )
        forwarding = CountedForwarding(self)
        forwarding.counts = self._counts
        kit.delivery.route(FORWARD, forwarding)
        route = CountedDestinations(kit.cloud, kit.delivery, clock, storage, self._keeper, kit.usage)
        route.counts = self._counts
        kit.delivery.route(DESTINATION, route)
        kit.delivery.connections = self._keeper
        kit.delivery.route(TARGET, RuleRoute(kit, self._counts))
        kit.delivery.listen(self._hears)

    def _hears(self, scope: Scope, source: str) -> bool:
        """Whether a rule of an account's default bus may match events of a source."""
        return self._router.hears(BusKey.of(scope, None), source)

    async def on_start(self) -> None:
        for connection in await self.kit.storage.read(authorizing):
            self._authorize(connection)
        for worker in self._workers:
            await worker.start()

    async def on_stop(self) -> None:
        for worker in self._workers:
            await worker.stop()

    async def on_reset(self) -> None:
        self._router.forget()
        self._keeper.forget()
        for topic in (RULES_TOPIC, REPLAYS_TOPIC, ARCHIVES_TOPIC):
            self.kit.storage.wake(topic)
