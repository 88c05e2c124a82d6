"""Objects: put, get, head, delete.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html and its neighbours
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from fogbank.core.errors import ApiError
from fogbank.services.s3 import _checksums as checksums
from fogbank.services.s3 import _lifecycle
from fogbank.services.s3 import storage as rows
from fogbank.services.s3._api.frame import S3Base, check_version_id, need_bucket, need_version, refuse_members
from fogbank.services.s3._attributes import (
    ARCHIVED,
    DEFAULT_TYPE,
    asks_for_access,
    check_access,
    check_encryption,
    read_attributes,
)
from fogbank.services.s3._conditions import Conditions, check_write
from fogbank.services.s3._pieces import PieceLostError, Taken
from fogbank.services.s3._ranges import Span, cuts, span_of_part, span_of_range
from fogbank.services.s3._writing import version_shown
from fogbank.services.s3.errors import (
    EntityTooLargeError,
    InvalidObjectStateError,
    InvalidRequestError,
    MalformedXmlError,
)
from fogbank.services.s3.model import MAX_PUT, Attributes, Bucket, Checksum, ObjectVersion, check_key

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        DeleteObjectRequestTypeDef,
        DeleteObjectsRequestTypeDef,
        GetObjectRequestTypeDef,
        HeadObjectRequestTypeDef,
        PutObjectRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.services.s3._pieces import Taken
    from fogbank.storage import Tx

ENCRYPTED = {"ServerSideEncryption": "AES256"}
"""Every object is answered as encrypted with S3's own keys, as on AWS since 2023."""
MAX_DELETED = 1000
"""Keys of one DeleteObjects."""
_TRIES = 5
_OVERRIDES: Mapping[str, str] = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
}


class ObjectOperations(S3Base):
    """The operations on single objects."""

    async def put_object(self, call: Call, request: PutObjectRequestTypeDef) -> Reply:
        """Store an object; `Body` is bytes, or a stream of them."""
        check_key(request["Key"])
        attributes = read_attributes(call, request)
        size = request.get("ContentLength")
        if size is not None and size > MAX_PUT:
            raise EntityTooLargeError(ProposedSize=size, MaxSizeAllowed=MAX_PUT)
        body: Any = request.get("Body", b"")
        taken = await self.pieces.take(body, checksums.wanted(request))
        try:
            checksums.verify(request, taken.digest)
            return await self.storage.transact(lambda tx: self._store(tx, call, request, taken, attributes))
        except ApiError:  # of all else, a cancelled request among it, nobody knows whether it will commit
            await self.pieces.discard(taken)
            raise

    async def _store(self, tx: Tx, call: Call, request: Any, taken: Taken, attributes: Any) -> Reply:
        bucket, stored = await write_object(self, tx, call, request, taken, attributes, "Put")
        return {
            "ETag": stored.quoted_etag,
            "VersionId": version_shown(bucket, stored.version),
            "Expiration": await expiration_of(tx, bucket, stored),
            **checksums.members(stored.checksum),
            **ENCRYPTED,
        }

    async def get_object(self, call: Call, request: GetObjectRequestTypeDef) -> Reply:
        """An object, or a range of it. `Body` is bytes where it is small, else an asynchronous iterator of bytes."""
        for _ in range(_TRIES):
            try:
                return await self._read(call, request)
            except PieceLostError:
                continue  # it was replaced or deleted between the row and the file: what is there now?
        raise InvalidRequestError("The object changes faster than it can be read")

    async def _read(self, call: Call, request: Any) -> Reply:
        async def body(tx: Tx) -> tuple[Reply, list[Any], dict[str, bytes]]:
            bucket, version = await self._find(tx, call, request, "GET")
            if version.attributes.storage_class in ARCHIVED:
                raise InvalidObjectStateError(StorageClass=version.attributes.storage_class)
            reply, span = describe(request, bucket, version)
            reply["Expiration"] = await expiration_of(tx, bucket, version)
            parts = cuts(version.pieces, span)
            return reply, parts, await self.pieces.load(tx, parts)

        reply, parts, small = await self.storage.read(body)
        reply["Body"] = await self.pieces.open(parts, small)
        return reply

    async def head_object(self, call: Call, request: HeadObjectRequestTypeDef) -> Reply:
        """What GetObject would answer, without the body."""

        async def body(tx: Tx) -> Reply:
            bucket, version = await self._find(tx, call, request, "HEAD")
            reply, _ = describe(request, bucket, version)
            reply["Expiration"] = await expiration_of(tx, bucket, version)
            return reply

        return await self.storage.read(body)

    async def _find(self, tx: Tx, call: Call, request: Any, method: str) -> tuple[Bucket, ObjectVersion]:
        check_encryption(call, request)
        bucket = await need_bucket(tx, call, request)
        version = await need_version(tx, bucket, request["Key"], request.get("VersionId"), method=method)
        Conditions.of(request).check(version)
        return bucket, version

    async def delete_object(self, call: Call, request: DeleteObjectRequestTypeDef) -> Reply:
        """Delete an object, or one version of it. What is not there is deleted already."""
        refuse_members(call, request, ("MFA", "IfMatchLastModifiedTime", "IfMatchSize"))
        version_id = request.get("VersionId")
        if version_id is not None:
            check_version_id(version_id)

        async def body(tx: Tx) -> Reply:
            bucket = await need_bucket(tx, call, request)
            return await self._delete(tx, call, bucket, request)

        return await self.storage.transact(body)

    async def _delete(self, tx: Tx, call: Call, bucket: Bucket, request: Mapping[str, Any] | Any) -> Reply:
        key, version_id = request["Key"], request.get("VersionId")
        if version_id is not None:
            if request.get("IfMatch") is not None:
                check_write(request, key, await rows.version(tx, bucket.id, key, version_id))
            done = await self.writer.delete_version(tx, call, bucket, key, version_id)
            return {"VersionId": version_shown(bucket, version_id), "DeleteMarker": done.marker or None}
        current = await rows.current(tx, bucket.id, key)
        if request.get("IfMatch") is not None:
            check_write(request, key, current)
        done = await self.writer.delete(tx, call, bucket, key, current)
        return {"VersionId": done.version, "DeleteMarker": done.marker or None}

    async def delete_objects(self, call: Call, request: DeleteObjectsRequestTypeDef) -> Reply:
        """Delete up to 1,000 objects or versions, each for itself."""
        refuse_members(call, request, ("MFA",))
        named = request["Delete"].get("Objects", ())
        if not 1 <= len(named) <= MAX_DELETED:
            raise MalformedXmlError

        async def body(tx: Tx) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
            bucket = await need_bucket(tx, call, request)
            deleted: list[dict[str, Any]] = []
            errors: list[dict[str, Any]] = []
            for one in named:
                try:
                    deleted.append(await self._delete_one(tx, call, bucket, one))
                except ApiError as error:
                    errors.append(_failed(one, error))
            return deleted, errors

        deleted, errors = await self.storage.transact(body)
        quiet = request["Delete"].get("Quiet", False)
        return {"Deleted": None if quiet else deleted, "Errors": errors}

    async def _delete_one(self, tx: Tx, call: Call, bucket: Bucket, one: Mapping[str, Any] | Any) -> dict[str, Any]:
        refuse_members(call, one, ("LastModifiedTime", "Size"))
        version_id = one.get("VersionId")
        if version_id is not None:
            check_version_id(version_id)
        done = await self._delete(tx, call, bucket, {**one, "IfMatch": one.get("ETag")})
        found = {"Key": one["Key"], "VersionId": version_id}
        if done["DeleteMarker"]:
            found |= {"DeleteMarker": True, "DeleteMarkerVersionId": done["VersionId"]}
        return found


async def check_ownership(tx: Tx, call: Call, request: Mapping[str, Any] | Any, bucket: Bucket) -> None:
    """Refuse a write that would give rights to others."""
    if asks_for_access(request):
        check_access(call, request, await ownership(tx, bucket))


async def ownership(tx: Tx, bucket: Bucket) -> str:
    """Whose the objects of a bucket are."""
    document = await rows.setting(tx, bucket.id, "ownership")
    return str(document["Rules"][0]["ObjectOwnership"]) if document else "ObjectWriter"


async def expiration_of(tx: Tx, bucket: Bucket, version: ObjectVersion) -> str | None:
    """When lifecycle rules remove a version, in the words of the header that says so."""
    if not bucket.lifecycle or not version.latest:
        return None
    configuration = await rows.setting(tx, bucket.id, _lifecycle.SETTING)
    return _lifecycle.expiration(_lifecycle.rules_of(configuration), version) if configuration else None


def describe(request: Any, bucket: Bucket, version: ObjectVersion) -> tuple[Reply, Span]:
    """What a read answers beside the bytes, and which bytes it is for."""
    asked, number = request.get("Range"), request.get("PartNumber")
    if asked is not None and number is not None:
        raise InvalidRequestError("Cannot specify both Range header and partNumber query parameter")
    span = None
    if number is not None:
        span = span_of_part(version, number)
    elif asked is not None:
        span = span_of_range(asked, version.size)
    whole = Span(0, version.size)
    reply = {
        "AcceptRanges": "bytes",
        "LastModified": version.modified // 1000,
        "ContentLength": (span or whole).length,
        "ETag": version.quoted_etag,
        "VersionId": version_shown(bucket, version.version),
        "ContentType": DEFAULT_TYPE,
        **version.attributes.headers,
        "Metadata": dict(version.attributes.metadata),
        **ENCRYPTED,
    }
    if version.attributes.storage_class != "STANDARD":
        reply["StorageClass"] = version.attributes.storage_class
    if version.attributes.tags:
        reply["TagCount"] = len(version.attributes.tags)
    if number is not None and version.parts:
        reply["PartsCount"] = len(version.parts)
    if span is not None and version.size:
        reply["ContentRange"] = span.header(version.size)
    for name, member in _OVERRIDES.items():
        if request.get(name) is not None:
            reply[member] = request[name]
    if request.get("ResponseExpires") is not None:
        reply["Expires"] = formatdate(request["ResponseExpires"], usegmt=True)
    if request.get("ChecksumMode") == "ENABLED":
        reply |= _checksum_of(version, span, whole, number)
    return reply, span or whole


def _checksum_of(version: ObjectVersion, span: Span | None, whole: Span, number: int | None) -> dict[str, str]:
    """The checksum of what is answered: of the whole, or of a part that has one of its own."""
    if span is None or span == whole:
        return checksums.members(version.checksum)
    if number is not None and version.checksum is not None:
        value = version.parts[number - 1].checksum
        if value is not None:
            return checksums.members(replace(version.checksum, value=value))
    return {}


def _failed(one: Mapping[str, Any] | Any, error: ApiError) -> dict[str, Any]:
    return {"Key": one["Key"], "VersionId": one.get("VersionId"), "Code": error.code, "Message": error.message}


async def write_object(
    part: S3Base, tx: Tx, call: Call, request: Mapping[str, Any], taken: Taken, about: Attributes, cause: str
) -> tuple[Bucket, ObjectVersion]:
    """Put what was taken into the bucket of a request, if its conditions hold; `cause` is what notifications say."""
    bucket = await need_bucket(tx, call, request)
    await check_ownership(tx, call, request, bucket)
    current = await rows.current(tx, bucket.id, request["Key"])
    check_write(request, request["Key"], current)
    await part.pieces.keep(tx, taken)
    algorithm, value = next(iter(taken.digest.checksums.items()))
    draft = part.writer.draft(request["Key"], about, taken, Checksum(algorithm, value))
    return bucket, await part.writer.put(tx, call, bucket, draft, current, cause)
