"""SNS: the operations, and what runs beside them."""

from __future__ import annotations

from fogbank.core.arn import Arn
from fogbank.services.kit import Kit
from fogbank.services.sns._api.publishing import PublishingOperations
from fogbank.services.sns._api.subscriptions import SubscriptionOperations
from fogbank.services.sns._api.topics import TopicOperations
from fogbank.services.sns._routes import DEAD_LETTER, DeadLetterRoute, SubscriptionRoute, WebRoute
from fogbank.services.sns._sending import TARGET, WEB
from fogbank.services.sns._signing import PATH
from fogbank.services.sns.model import Subscription, TopicKey
from fogbank.services.sns.worker import EXPIRY_TOPIC, Sweeper
from fogbank.storage import Tx
from fogbank.storage.due import DueWorker


class Sns(TopicOperations, SubscriptionOperations, PublishingOperations):
    """Amazon Simple Notification Service: standard and FIFO topics."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        kit.delivery.route(TARGET, SubscriptionRoute(kit, self.counts))
        kit.delivery.route(WEB, WebRoute(kit, self.counts))
        kit.delivery.route(DEAD_LETTER, DeadLetterRoute(kit, self.counts))
        sweeper = Sweeper(kit.storage, kit.clock, self._gone, self._idle)
        self._worker = DueWorker("sns-expiry", kit.storage, kit.clock, EXPIRY_TOPIC, sweeper.act)

    def _gone(self, tx: Tx, subscription: Subscription) -> None:
        """A subscription was never confirmed."""
        arn = Arn.parse(subscription.topic_arn)
        self.topics.changed(tx, TopicKey(arn.account, arn.region, arn.resource))

    def _idle(self, idle: bool) -> None:
        self.forgetting = not idle

    async def download(self, path: str) -> bytes | None:
        """The certificate of what is signed (see `fogbank.core.downloads.Downloads`)."""
        name = path.removeprefix(PATH)
        return None if name == path else await self.signer.certificate(name)

    async def on_start(self) -> None:
        await self._worker.start()

    async def on_stop(self) -> None:
        await self._worker.stop()

    async def on_reset(self) -> None:
        self.topics.forget()
        self.signer.forget()
        self.forgetting = False
        self.kit.storage.wake(EXPIRY_TOPIC)
