"""Lifecycle configurations of buckets; `worker.py` acts on them.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.services.s3 import storage as rows
from fogbank.services.s3._api.frame import S3Base, need_bucket
from fogbank.services.s3._lifecycle import SETTING, SIZES, read_rules
from fogbank.services.s3.errors import MissingConfigurationError
from fogbank.services.s3.worker import TOPIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class LifecycleOperations(S3Base):
    """The operations on what becomes of old objects."""

    async def put_bucket_lifecycle_configuration(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Replace a bucket's lifecycle rules."""
        smallest = request.get(SIZES) or "all_storage_classes_128K"
        given = (request.get("LifecycleConfiguration") or {}).get("Rules") or ()
        document = {"Rules": read_rules(given, self.kit.ids.uuid), SIZES: smallest}

        async def body(tx: Tx) -> None:
            bucket = await need_bucket(tx, call, request)
            await rows.put_setting(tx, bucket.id, SETTING, document)
            await rows.set_lifecycle(tx, bucket.id, lifecycle=True)
            tx.wake(TOPIC)

        await self.storage.transact(body)
        return {SIZES: smallest}

    async def get_bucket_lifecycle_configuration(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """A bucket's lifecycle rules."""

        async def body(tx: Tx) -> dict[str, Any]:
            bucket = await need_bucket(tx, call, request)
            found = await rows.setting(tx, bucket.id, SETTING)
            if found is None:
                raise MissingConfigurationError(
                    "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", bucket.name
                )
            return found

        return await self.storage.read(body)

    async def delete_bucket_lifecycle(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Remove a bucket's lifecycle rules."""

        async def body(tx: Tx) -> None:
            bucket = await need_bucket(tx, call, request)
            await rows.delete_setting(tx, bucket.id, SETTING)
            await rows.set_lifecycle(tx, bucket.id, lifecycle=False)

        await self.storage.transact(body)
        return {}
