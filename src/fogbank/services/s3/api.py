"""S3's operations put together: see `_api/`."""

from __future__ import annotations

from fogbank.services.kit import Kit
from fogbank.services.s3._api.buckets import BucketOperations
from fogbank.services.s3._api.lifecycle import LifecycleOperations
from fogbank.services.s3._api.listings import ListingOperations
from fogbank.services.s3._api.multipart import MultipartOperations
from fogbank.services.s3._api.notifications import NotificationOperations
from fogbank.services.s3._api.objects import ObjectOperations
from fogbank.services.s3._api.settings import SettingOperations
from fogbank.services.s3._api.tagging import TaggingOperations
from fogbank.services.s3.worker import TOPIC, Lifecycle, Sweeper
from fogbank.storage.due import DueWorker


class S3(
    SettingOperations,
    NotificationOperations,
    LifecycleOperations,
    MultipartOperations,
    TaggingOperations,
    BucketOperations,
    ObjectOperations,
    ListingOperations,
):
    """Amazon Simple Storage Service."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._sweeper = Sweeper(kit.storage, self.pieces)
        lifecycle = Lifecycle(kit, self.writer, self.notifier, self.abort)
        self._lifecycle = DueWorker("s3-lifecycle", kit.storage, kit.clock, TOPIC, lifecycle.act)

    async def on_start(self) -> None:
        self.spawn(self._sweeper.run(), name="s3-sweeper")
        await self._lifecycle.start()

    async def on_stop(self) -> None:
        await self._lifecycle.stop()
        await self.pieces.settle()

    async def on_reset(self) -> None:
        await self.pieces.clear()
