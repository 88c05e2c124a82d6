"""Tags of objects, and what GetObjectAttributes tells of them.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.services.s3 import _checksums as checksums
from fogbank.services.s3 import storage as rows
from fogbank.services.s3._api.frame import S3Base, need_bucket, need_version
from fogbank.services.s3._attributes import MAX_OBJECT_TAGS, check_encryption, read_tag_set
from fogbank.services.s3._listing import MAX_KEYS
from fogbank.services.s3._writing import version_shown
from fogbank.services.s3.model import Bucket, ObjectVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class TaggingOperations(S3Base):
    """The operations on what is known of an object beside its bytes."""

    async def put_object_tagging(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Replace an object's tags."""
        tags = read_tag_set(request["Tagging"]["TagSet"], MAX_OBJECT_TAGS)
        return await self._retag(call, request, tags, "Put")

    async def delete_object_tagging(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Remove an object's tags."""
        return await self._retag(call, request, {}, "Delete")

    async def _retag(self, call: Call, request: Mapping[str, Any], tags: Mapping[str, str], event: str) -> Reply:
        async def body(tx: Tx) -> Reply:
            bucket, version = await _find(tx, call, request)
            changed = replace(version, attributes=replace(version.attributes, tags=tags))
            await rows.set_details(tx, changed)
            if bucket.notifies:
                await self.notifier.tell(tx, call, bucket, changed, f"ObjectTagging:{event}")
            return {"VersionId": version_shown(bucket, version.version)}

        return await self.storage.transact(body)

    async def get_object_tagging(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """An object's tags."""
        bucket, version = await self.storage.read(lambda tx: _find(tx, call, request))
        tags = [{"Key": key, "Value": value} for key, value in version.attributes.tags.items()]
        return {"TagSet": tags, "VersionId": version_shown(bucket, version.version)}

    async def get_object_attributes(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Those attributes of an object that are asked for."""
        check_encryption(call, request)
        bucket, version = await self.storage.read(lambda tx: _find(tx, call, request))
        found: dict[str, Any] = {
            "ETag": version.etag,
            "Checksum": checksums.members(version.checksum),
            "ObjectParts": _parts(request, version) if version.parts else None,
            "StorageClass": version.attributes.storage_class,
            "ObjectSize": version.size,
        }
        reply = {name: found[name] for name in request["ObjectAttributes"] if name in found}
        reply |= {"LastModified": version.modified // 1000, "VersionId": version_shown(bucket, version.version)}
        return reply


async def _find(tx: Tx, call: Call, request: Mapping[str, Any]) -> tuple[Bucket, ObjectVersion]:
    bucket = await need_bucket(tx, call, request)
    return bucket, await need_version(tx, bucket, request["Key"], request.get("VersionId"))


def _parts(request: Mapping[str, Any], version: ObjectVersion) -> dict[str, Any]:
    """A page of an object's parts: their number, and, if they have checksums that were asked for, each of them."""
    marker = request.get("PartNumberMarker") or 0
    limit = min(request.get("MaxParts") or MAX_KEYS, MAX_KEYS)
    page = version.parts[marker : marker + limit]
    found: dict[str, Any] = {"TotalPartsCount": len(version.parts)}
    if version.checksum is None or version.parts[0].checksum is None:
        return found
    return found | {
        "PartNumberMarker": marker,
        "NextPartNumberMarker": page[-1].number if page else 0,
        "MaxParts": limit,
        "IsTruncated": marker + limit < len(version.parts),
        "Parts": [
            {"PartNumber": part.number, "Size": part.size, f"Checksum{version.checksum.algorithm}": part.checksum}
            for part in page
        ],
    }
