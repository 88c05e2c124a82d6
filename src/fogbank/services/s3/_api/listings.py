"""Listings of objects and of their versions.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ListingKeysUsingAPIs.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from fogbank.core import paging
from fogbank.services.s3 import storage as rows
from fogbank.services.s3._api.frame import S3Base, check_version_id, need_bucket, owner_id, position_of
from fogbank.services.s3._listing import MAX_KEYS, Page, Start, collect
from fogbank.services.s3.errors import InvalidArgumentError
from fogbank.services.s3.model import Bucket, ObjectVersion

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        ListObjectsRequestTypeDef,
        ListObjectsV2RequestTypeDef,
        ListObjectVersionsRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_BAD_LIMIT = "Argument maxKeys must be an integer between 0 and 2147483647"
_MAX_INTEGER = 2**31 - 1
Write = Callable[[str], str]


class ListingOperations(S3Base):
    """The operations that list."""

    async def list_objects(self, call: Call, request: ListObjectsRequestTypeDef) -> Reply:
        """The objects of a bucket from a marker on."""
        marker = request.get("Marker", "")
        limit, page, _ = await self._page(call, request, marker)
        write = writer(request)
        rolled = bool(request.get("Delimiter"))
        return {
            **_frame(request, limit, page, write),
            "Marker": write(marker),
            "NextMarker": write(page.last) if page.truncated and rolled else None,
            "Contents": [_content(version, write, owner_id(call.scope.account)) for version in page.entries],
        }

    async def list_objects_v2(self, call: Call, request: ListObjectsV2RequestTypeDef) -> Reply:
        """The objects of a bucket, from a continuation token or a key on."""
        token = request.get("ContinuationToken")
        after = request.get("StartAfter", "")
        limit, page, _ = await self._page(call, request, position_of(token) if token is not None else after)
        write = writer(request)
        owner = owner_id(call.scope.account) if request.get("FetchOwner") else None
        return {
            **_frame(request, limit, page, write),
            "KeyCount": page.count,
            "ContinuationToken": token,
            "NextContinuationToken": paging.encode_token(page.last) if page.truncated else None,
            "StartAfter": write(after) if after else None,
            "Contents": [_content(version, write, owner) for version in page.entries],
        }

    async def _page(self, call: Call, request: Any, after: str) -> tuple[int, Page[ObjectVersion], Bucket]:
        limit = read_limit(request.get("MaxKeys"))

        async def body(tx: Tx) -> tuple[int, Page[ObjectVersion], Bucket]:
            bucket = await need_bucket(tx, call, request)
            page = await collect(
                partial(rows.list_current, tx, bucket.id),
                _key,
                prefix=request.get("Prefix", ""),
                delimiter=request.get("Delimiter", ""),
                start=Start(after, inclusive=not after),
                limit=min(limit, MAX_KEYS),
            )
            return limit, page, bucket

        return await self.storage.read(body)

    async def list_object_versions(self, call: Call, request: ListObjectVersionsRequestTypeDef) -> Reply:
        """Every version and delete marker: by key, of one key the newest first."""
        limit = read_limit(request.get("MaxKeys"))
        marker, version_marker = request.get("KeyMarker", ""), request.get("VersionIdMarker")
        if version_marker is not None:
            if not marker:
                raise InvalidArgumentError(
                    "A version-id marker cannot be specified without a key marker.", "version-id-marker", version_marker
                )
            check_version_id(version_marker)

        async def body(tx: Tx) -> Page[ObjectVersion]:
            bucket = await need_bucket(tx, call, request)
            found = await rows.version(tx, bucket.id, marker, version_marker) if version_marker else None
            return await collect(
                partial(rows.list_versions, tx, bucket.id),
                _key,
                prefix=request.get("Prefix", ""),
                delimiter=request.get("Delimiter", ""),
                start=Start(marker, inclusive=not marker, entry=str(found.seq) if found else ""),
                limit=min(limit, MAX_KEYS),
                place_of=_place,
            )

        page = await self.storage.read(body)
        write = writer(request)
        owner = owner_id(call.scope.account)
        last = page.entries[-1] if page.entries else None
        ends_in_entry = last is not None and last.key == page.last
        return {
            **_frame(request, limit, page, write),
            "KeyMarker": write(marker),
            "VersionIdMarker": version_marker or "",
            "NextKeyMarker": write(page.last) if page.truncated else None,
            "NextVersionIdMarker": last.version if page.truncated and last is not None and ends_in_entry else None,
            "Versions": [_version(found, write, owner) for found in page.entries if not found.marker],
            "DeleteMarkers": [_marker(found, write, owner) for found in page.entries if found.marker],
        }


def read_limit(limit: int | None, name: str = "maxKeys") -> int:
    """How many entries a page may have; more than 1,000 are never given."""
    if limit is None:
        return MAX_KEYS
    if not 0 <= limit <= _MAX_INTEGER:
        raise InvalidArgumentError(_BAD_LIMIT.replace("maxKeys", name), name.replace("maxK", "max-k"), str(limit))
    return limit


def writer(request: Any) -> Write:
    """How keys are written: as they are, or percent-encoded where the caller asks for that."""
    if request.get("EncodingType") == "url":
        return lambda text: quote_plus(text, safe="/*", errors="surrogatepass")
    return lambda text: text


def _frame(request: Any, limit: int, page: Page[Any], write: Write) -> dict[str, Any]:
    delimiter = request.get("Delimiter")
    return {
        "Name": request["Bucket"],
        "Prefix": write(request.get("Prefix", "")),
        "Delimiter": write(delimiter) if delimiter else None,
        "MaxKeys": limit,
        "EncodingType": request.get("EncodingType"),
        "IsTruncated": page.truncated,
        "CommonPrefixes": [{"Prefix": write(prefix)} for prefix in page.prefixes],
    }


def _content(version: ObjectVersion, write: Write, owner: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Key": write(version.key),
        "LastModified": version.modified // 1000,
        "ETag": version.quoted_etag,
        "Size": version.size,
        "StorageClass": version.attributes.storage_class,
        "Owner": {"ID": owner} if owner is not None else None,
    }
    if version.checksum is not None:
        found["ChecksumAlgorithm"] = [version.checksum.algorithm]
        found["ChecksumType"] = "COMPOSITE" if version.checksum.composite else "FULL_OBJECT"
    return found


def _version(version: ObjectVersion, write: Write, owner: str) -> dict[str, Any]:
    return {**_content(version, write, owner), "VersionId": version.version, "IsLatest": version.latest}


def _marker(version: ObjectVersion, write: Write, owner: str) -> dict[str, Any]:
    return {
        "Key": write(version.key),
        "LastModified": version.modified // 1000,
        "VersionId": version.version,
        "IsLatest": version.latest,
        "Owner": {"ID": owner},
    }


def _key(version: ObjectVersion) -> str:
    return version.key


def _place(version: ObjectVersion) -> str:
    return str(version.seq)
