"""Copies of objects, whole or as a part of an upload.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from fogbank.core.errors import ApiError
from fogbank.services.s3 import _checksums as checksums
from fogbank.services.s3._api.frame import S3Base, need_bucket, need_version
from fogbank.services.s3._api.objects import ENCRYPTED, expiration_of, write_object
from fogbank.services.s3._attributes import ARCHIVED, read_attributes
from fogbank.services.s3._conditions import Conditions
from fogbank.services.s3._pieces import PieceLostError, Taken
from fogbank.services.s3._ranges import Cut, Span, cuts
from fogbank.services.s3._writing import version_shown
from fogbank.services.s3.errors import (
    InvalidArgumentError,
    InvalidObjectStateError,
    InvalidRequestError,
    MethodNotAllowedError,
)
from fogbank.services.s3.model import MAX_PUT, Attributes, Bucket, ObjectVersion, check_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_s3.type_defs import CopyObjectRequestTypeDef

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_TRIES = 5
_ITSELF = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a copy is from."""

    bucket: str
    key: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """A source that was read: what it is, and its small pieces."""

    bucket: Bucket
    version: ObjectVersion
    cuts: Sequence[Cut]
    small: dict[str, bytes]


def read_source(text: str) -> Source:
    """`bucket/key`, percent-encoded, perhaps with a `?versionId=`."""
    path, _, query = text.partition("?versionId=")
    bucket, found, key = unquote(path).removeprefix("/").partition("/")
    if not bucket or not found or not key:
        raise InvalidArgumentError(
            "Invalid copy source object key"
            if found
            else "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            "x-amz-copy-source",
            text,
        )
    return Source(bucket, key, unquote(query) or None)


class CopyOperations(S3Base):
    """What is made of what is there."""

    async def copy_object(self, call: Call, request: CopyObjectRequestTypeDef) -> Reply:
        """Copy an object, with its metadata and tags or with new ones."""
        check_key(request["Key"])
        given: Any = request
        source = read_source(given["CopySource"])
        wanted = read_attributes(call, request)
        for _ in range(_TRIES):
            found = await self.find_source(call, given, source)
            _check_size(found.version.size)
            attributes = _attributes(given, wanted, found.version)
            _check_itself(given, source, found, attributes)
            try:
                taken = await self._take(found, given.get("ChecksumAlgorithm"))
            except PieceLostError:
                continue
            try:
                made = partial(self._finish_copy, call=call, request=given, taken=taken, about=attributes, found=found)
                return await self.storage.transact(made)
            except ApiError:
                await self.pieces.discard(taken)
                raise
        raise InvalidRequestError("The source changes faster than it can be read")

    async def find_source(self, call: Call, request: Mapping[str, Any], source: Source, text: str = "") -> Found:
        """The source of a copy, if it is as the caller says. `text` is the range of it, if not all is meant."""

        async def body(tx: Tx) -> Found:
            expected = {"Bucket": source.bucket, "ExpectedBucketOwner": request.get("ExpectedSourceBucketOwner")}
            bucket = await need_bucket(tx, call, expected)
            try:
                version = await need_version(tx, bucket, source.key, source.version)
            except MethodNotAllowedError:
                raise InvalidRequestError(
                    "The source of a copy request may not specifically refer to a delete marker by version id."
                ) from None
            if version.attributes.storage_class in ARCHIVED:
                raise InvalidObjectStateError("Operation is not valid for the source object's storage class")
            Conditions.of_source(request).check(version)
            parts = cuts(version.pieces, _span(text, version.size))
            return Found(bucket, version, parts, await self.pieces.load(tx, parts))

        return await self.storage.read(body)

    async def _take(self, found: Found, algorithm: str | None) -> Taken:
        """The source's bytes as a piece of the copy's own, computed anew only where what is known will not do."""
        checksums.check_algorithm(algorithm)
        version = found.version
        known = version.checksum
        if (
            len(version.pieces) == 1
            and not version.parts
            and known is not None
            and algorithm in {None, known.algorithm}
        ):
            digest = checksums.Digest(version.etag, {known.algorithm: known.value})
            return await self.pieces.clone(version.pieces[0], found.small, digest)
        body = await self.pieces.open(found.cuts, found.small)
        return await self.pieces.take(body, [algorithm or (known.algorithm if known else checksums.CRC64)])

    async def _finish_copy(
        self, tx: Tx, call: Call, request: Mapping[str, Any], taken: Taken, about: Attributes, found: Found
    ) -> Reply:
        bucket, stored = await write_object(self, tx, call, request, taken, about, "Copy")
        return {
            "CopyObjectResult": {
                "ETag": stored.quoted_etag,
                "LastModified": stored.modified // 1000,
                **checksums.members(stored.checksum),
            },
            "CopySourceVersionId": version_shown(found.bucket, found.version.version),
            "VersionId": version_shown(bucket, stored.version),
            "Expiration": await expiration_of(tx, bucket, stored),
            **ENCRYPTED,
        }


def _attributes(request: Mapping[str, Any], wanted: Attributes, source: ObjectVersion) -> Attributes:
    """What the copy says of itself: the source's headers, metadata and tags, unless others are to replace them."""
    old = source.attributes
    if request.get("MetadataDirective", "COPY") == "COPY":
        headers = {name: value for name, value in old.headers.items() if name != "WebsiteRedirectLocation"}
        if "WebsiteRedirectLocation" in wanted.headers:
            headers["WebsiteRedirectLocation"] = wanted.headers["WebsiteRedirectLocation"]
        wanted = replace(wanted, headers=headers, metadata=old.metadata)
    return wanted if request.get("TaggingDirective") == "REPLACE" else replace(wanted, tags=old.tags)


def _check_itself(request: Mapping[str, Any], source: Source, found: Found, attributes: Attributes) -> None:
    """A copy of an object onto itself must change something."""
    if source.bucket != request["Bucket"] or source.key != request["Key"] or source.version is not None:
        return
    changed = (
        request.get("MetadataDirective") == "REPLACE"
        or request.get("ServerSideEncryption") is not None
        or request.get("WebsiteRedirectLocation") is not None
        or (request.get("StorageClass") and attributes.storage_class != found.version.attributes.storage_class)
    )
    if not changed:
        raise InvalidRequestError(_ITSELF)


def _check_size(size: int) -> None:
    if size > MAX_PUT:
        raise InvalidRequestError(
            f"The specified copy source is larger than the maximum allowable size for a copy source: {MAX_PUT}"
        )


def _span(text: str, size: int) -> Span:
    """The bytes of a `x-amz-copy-source-range`, which must be there; all if there is none."""
    if not text:
        return Span(0, size)
    found = _RANGE.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        raise InvalidArgumentError(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            text,
        )
    if int(found[2]) >= size:
        raise InvalidArgumentError(
            f"Range specified is not valid for source object of size: {size}", "x-amz-copy-source-range", text
        )
    return Span(int(found[1]), int(found[2]) + 1)
