"""What every write does, in its transaction: the new version, what becomes of the old one, who is told.

    versioning     a put                                     a delete without a version's id
    off            replaces the null version                 removes the null version
    Enabled        adds a version above the others           adds a delete marker above the others
    Suspended      replaces the null version, now on top     replaces the null version by a delete marker

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fogbank.services.s3 import storage as rows
from fogbank.services.s3._notifications import PRINCIPAL
from fogbank.services.s3.model import NULL, Attributes, Bucket, Checksum, ObjectVersion, Versioning

if TYPE_CHECKING:
    from fogbank.core.call import Call
    from fogbank.core.clock import Clock
    from fogbank.core.ids import Ids
    from fogbank.services.s3._notifications import Notifier
    from fogbank.services.s3._pieces import Pieces, Taken
    from fogbank.storage import Tx

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._"
VERSION_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a delete did: the version that it removed, or the marker that it made."""

    version: str | None
    marker: bool


class Writer:
    """Adds and removes versions."""

    def __init__(self, pieces: Pieces, notifier: Notifier, clock: Clock, ids: Ids) -> None:
        self._pieces = pieces
        self._notifier = notifier
        self._clock = clock
        self._ids = ids

    async def put(
        self, tx: Tx, call: Call, bucket: Bucket, draft: ObjectVersion, current: ObjectVersion | None, event: str
    ) -> ObjectVersion:
        """Make `draft` the current version of its object; as it was stored. `event` is what it is told as."""
        stored = await self._place(tx, bucket, draft, current)
        if bucket.notifies:
            await self._notifier.tell(tx, call, bucket, stored, f"ObjectCreated:{event}")
        return stored

    async def delete(self, tx: Tx, call: Call, bucket: Bucket, key: str, current: ObjectVersion | None) -> Deleted:
        """Delete an object, no version named."""
        if bucket.versioning is Versioning.OFF:
            if current is not None:
                await self._remove(tx, current)
                await self._tell_removed(tx, call, bucket, current, "Delete")
            return Deleted(None, marker=False)
        draft = self.blank(key, marker=True)
        stored = await self._place(tx, bucket, draft, current)
        await self._tell_removed(tx, call, bucket, stored, "DeleteMarkerCreated")
        return Deleted(stored.version, marker=True)

    async def delete_version(self, tx: Tx, call: Call, bucket: Bucket, key: str, version_id: str) -> Deleted:
        """Delete one version for good; the one before it becomes the current one. One that is not there is no error."""
        found = await rows.version(tx, bucket.id, key, version_id)
        if found is None:
            return Deleted(version_id, marker=False)
        await self._remove(tx, found)
        if found.latest:
            newest = await rows.newest(tx, bucket.id, key)
            if newest is not None:
                await rows.promote(tx, newest.seq)
        await self._tell_removed(tx, call, bucket, found, "Delete")
        return Deleted(version_id, marker=found.marker)

    def draft(self, key: str, attributes: Attributes, taken: Taken, checksum: Checksum) -> ObjectVersion:
        """A version that was put whole and is not stored yet."""
        piece = taken.piece
        return ObjectVersion(
            0, key, NULL, True, False, piece.size, taken.digest.md5, self._clock.millis(), (piece,), attributes,
            checksum,
        )  # fmt: skip

    def blank(self, key: str, *, marker: bool = False, attributes: Attributes | None = None) -> ObjectVersion:
        """A version without bytes, or a delete marker, that is not stored yet."""
        return ObjectVersion(
            0, key, NULL, latest=True, marker=marker, size=0, etag="", modified=self._clock.millis(),
            attributes=attributes or Attributes(),
        )  # fmt: skip

    async def _place(
        self, tx: Tx, bucket: Bucket, draft: ObjectVersion, current: ObjectVersion | None
    ) -> ObjectVersion:
        """Put a version on top of the others, in place of the null version where that is the rule."""
        if bucket.versioning is Versioning.ENABLED:
            draft = replace(draft, version=self.token(VERSION_LENGTH))
            replaced = None
        elif current is not None and current.version == NULL:
            replaced = current
        elif current is not None:
            replaced = await rows.version(tx, bucket.id, draft.key, NULL)
        else:
            replaced = None
        if replaced is not None:
            await self._remove(tx, replaced)
        if current is not None and current is not replaced:
            await rows.outdate(tx, bucket.id, draft.key)
        seq = await rows.insert_version(tx, bucket.id, draft)
        return replace(draft, seq=seq) if bucket.notifies else draft  # who is told wants its place in the order

    async def _remove(self, tx: Tx, version: ObjectVersion) -> None:
        await rows.delete_version(tx, version.seq)
        await self._pieces.drop(tx, version.pieces)

    async def _tell_removed(self, tx: Tx, call: Call, bucket: Bucket, version: ObjectVersion, event: str) -> None:
        if bucket.notifies:
            family = "LifecycleExpiration" if call.principal.service == PRINCIPAL else "ObjectRemoved"
            await self._notifier.tell(tx, call, bucket, version, f"{family}:{event}")

    def token(self, length: int) -> str:
        """Letters, digits, dots and underscores, as the ids of versions and uploads are made of."""
        return "".join(_DIGITS[byte & 63] for byte in self._ids.bytes(length))


def version_shown(bucket: Bucket, version: str) -> str | None:
    """A version's id as replies show it: not at all in a bucket that never had versions."""
    return None if bucket.versioning is Versioning.OFF else version
