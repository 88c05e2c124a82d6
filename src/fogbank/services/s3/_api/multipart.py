"""Multipart uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.services.s3 import storage as rows
from fogbank.services.s3._api.frame import S3Base

if TYPE_CHECKING:
    from fogbank.services.s3.model import Bucket
    from fogbank.storage import Tx

_BATCH = 1000


class MultipartOperations(S3Base):
    """The operations on multipart uploads."""

    async def abort_all(self, tx: Tx, bucket: Bucket) -> None:
        """Abort every upload of a bucket that is deleted."""
        while uploads := await rows.uploads_of(tx, bucket.id, _BATCH):
            for upload in uploads:
                await self._abort(tx, upload.id)

    async def _abort(self, tx: Tx, upload_id: str) -> None:
        """Forget an upload and the bytes of its parts."""
        number = 0
        while parts := await rows.list_parts(tx, upload_id, number, _BATCH):
            await self.pieces.drop(tx, [part.piece for part in parts])
            number = parts[-1].number
        await rows.delete_upload(tx, upload_id)
