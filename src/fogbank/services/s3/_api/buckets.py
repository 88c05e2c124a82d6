"""Buckets: create, delete, find, list; their versioning.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/creating-buckets-s3.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fogbank.core import paging
from fogbank.core.scope import Scope
from fogbank.services.s3 import storage as rows
from fogbank.services.s3._api.frame import S3Base, need_bucket, owner_id, position_of, refuse_members
from fogbank.services.s3.errors import (
    BucketAlreadyExistsError,
    BucketAlreadyOwnedByYouError,
    BucketNotEmptyError,
    IllegalLocationConstraintError,
    InvalidLocationConstraintError,
    MalformedXmlError,
    TooManyBucketsError,
)
from fogbank.services.s3.model import MAX_BUCKETS, Bucket, Versioning, bucket_arn, check_bucket_name

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import (
        CreateBucketRequestTypeDef,
        DeleteBucketRequestTypeDef,
        GetBucketLocationRequestTypeDef,
        GetBucketVersioningRequestTypeDef,
        HeadBucketRequestTypeDef,
        ListBucketsRequestTypeDef,
        PutBucketVersioningRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_HOME = "us-east-1"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_MAX_LISTED = 10_000
_OWNERSHIP = "BucketOwnerEnforced"
_BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
"""The public access block of every new bucket, since 2023."""


class BucketOperations(S3Base):
    """The operations on buckets themselves."""

    async def create_bucket(self, call: Call, request: CreateBucketRequestTypeDef) -> Reply:
        """Create a bucket in the region that the request was sent to."""
        name = request["Bucket"]
        settings: Any = request.get("CreateBucketConfiguration") or {}
        refuse_members(
            call,
            request,
            (
                "GrantFullControl",
                "GrantRead",
                "GrantReadACP",
                "GrantWrite",
                "GrantWriteACP",
                "ObjectLockEnabledForBucket",
            ),
        )
        refuse_members(call, settings, ("Location", "Bucket"))
        if request.get("BucketNamespace", "global") != "global":
            refuse_members(call, request, ("BucketNamespace",))
        if request.get("ACL", "private") != "private":
            refuse_members(call, request, ("ACL",))
        check_bucket_name(name)
        where = Scope(call.scope.account, _region(call.scope.region, settings.get("LocationConstraint")))
        ownership = request.get("ObjectOwnership", _OWNERSHIP)
        tags = self.read_bucket_tags(call, settings.get("Tags", ()))

        async def body(tx: Tx) -> None:
            found = await rows.bucket(tx, name)
            if found is not None:
                _refuse_second(where, found)
                return
            if await rows.count_buckets(tx, call.scope.account) >= MAX_BUCKETS:
                raise TooManyBucketsError
            await rows.insert_bucket(tx, name, where, self.clock.millis())
            created = await rows.bucket(tx, name)
            assert created is not None, "it was inserted in this transaction"
            await rows.put_setting(tx, created.id, "ownership", {"Rules": [{"ObjectOwnership": ownership}]})
            await rows.put_setting(tx, created.id, "public", _BLOCKED)
            if tags:
                await rows.put_setting(tx, created.id, "tagging", {"TagSet": tags})

        await self.storage.transact(body)
        location = f"/{name}" if where.region == _HOME else f"http://{name}.s3.amazonaws.com/"
        return {"Location": location, "BucketArn": bucket_arn(name, where.region)}

    def read_bucket_tags(self, call: Call, tags: Any) -> list[dict[str, str]]:
        """Tags as they are stored; `_api/settings.py` says what they may be."""
        raise NotImplementedError

    async def delete_bucket(self, call: Call, request: DeleteBucketRequestTypeDef) -> Reply:
        """Delete a bucket that is empty. Its multipart uploads are aborted."""

        async def body(tx: Tx) -> None:
            bucket = await need_bucket(tx, call, request)
            if await rows.holds_versions(tx, bucket.id):
                raise BucketNotEmptyError(bucket.name, versioned=bucket.versioning is not Versioning.OFF)
            await self.abort_all(tx, bucket)
            await rows.delete_bucket(tx, bucket.id)

        await self.storage.transact(body)
        return {}

    async def abort_all(self, tx: Tx, bucket: Bucket) -> None:
        """Abort every upload of a bucket; see `_api/multipart.py`."""
        raise NotImplementedError

    async def head_bucket(self, call: Call, request: HeadBucketRequestTypeDef) -> Reply:
        """Whether a bucket is there."""
        bucket = await self.storage.read(lambda tx: need_bucket(tx, call, request))
        return {"BucketRegion": bucket.scope.region, "AccessPointAlias": False, "BucketArn": bucket.arn}

    async def get_bucket_location(self, call: Call, request: GetBucketLocationRequestTypeDef) -> Reply:
        """The region of a bucket; of one in us-east-1, nothing."""
        bucket = await self.storage.read(lambda tx: need_bucket(tx, call, request))
        return {"LocationConstraint": None if bucket.scope.region == _HOME else bucket.scope.region}

    async def list_buckets(self, call: Call, request: ListBucketsRequestTypeDef) -> Reply:
        """An account's buckets in all regions, by name."""
        limit = request.get("MaxBuckets")
        region = request.get("BucketRegion")
        prefix = request.get("Prefix", "")
        token = request.get("ContinuationToken")
        after = "" if token is None else position_of(token)

        async def body(tx: Tx) -> list[Bucket]:
            found = await rows.list_buckets(tx, call.scope.account, after, _MAX_LISTED)
            return [b for b in found if b.name.startswith(prefix) and region in {None, b.scope.region}]

        buckets, more = paging.cut_page(await self.storage.read(body), limit or _MAX_LISTED)
        shown = [_shown(bucket, paged=bool(limit or region or prefix or after)) for bucket in buckets]
        return {
            "Buckets": shown,
            "Owner": {"ID": owner_id(call.scope.account)},
            "Prefix": prefix or None,
            "ContinuationToken": paging.encode_token(buckets[-1].name) if more else None,
        }

    async def put_bucket_versioning(self, call: Call, request: PutBucketVersioningRequestTypeDef) -> Reply:
        """Turn versioning on, or suspend it; it cannot be turned off again."""
        settings = request["VersioningConfiguration"]
        if settings.get("MFADelete") == "Enabled" or request.get("MFA"):
            refuse_members(call, {"MFADelete": True}, ("MFADelete",))
        status = settings.get("Status")
        if status is None:
            raise MalformedXmlError("The Versioning element must be specified")

        async def body(tx: Tx) -> None:
            bucket = await need_bucket(tx, call, request)
            await rows.set_versioning(tx, bucket.id, Versioning(status))

        await self.storage.transact(body)
        return {}

    async def get_bucket_versioning(self, call: Call, request: GetBucketVersioningRequestTypeDef) -> Reply:
        """Whether versioning is on; of a bucket that never had it, nothing."""
        bucket = await self.storage.read(lambda tx: need_bucket(tx, call, request))
        return {"Status": bucket.versioning.value or None}


def _region(region: str, location: str | None) -> str:
    """The region of a new bucket: the one that the request was sent to, which it must name.

    Requests to us-east-1, which is the global endpoint too, may name any other instead.
    """
    if location is None:
        if region != _HOME:
            raise IllegalLocationConstraintError(
                "The unspecified location constraint is incompatible for the region specific endpoint this request was "
                "sent to."
            )
        return region
    named = "eu-west-1" if location == "EU" else location
    if named == _HOME or not _REGION.fullmatch(named):
        raise InvalidLocationConstraintError(location)
    if region not in {_HOME, named}:
        raise IllegalLocationConstraintError(
            f"The {location} location constraint is incompatible for the region specific endpoint this request was "
            "sent to."
        )
    return named


def _refuse_second(where: Scope, found: Bucket) -> None:
    """A name that is taken: in us-east-1 an owner's repetition is answered as the first request was."""
    if found.scope.account != where.account:
        raise BucketAlreadyExistsError(found.name)
    if where.region != _HOME or found.scope.region != _HOME:
        raise BucketAlreadyOwnedByYouError(found.name)


def _shown(bucket: Bucket, *, paged: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"Name": bucket.name, "CreationDate": bucket.created // 1000, "BucketArn": bucket.arn}
    return {**shown, "BucketRegion": bucket.scope.region} if paged else shown
