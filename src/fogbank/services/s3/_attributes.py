"""What a write says of the new object: headers, metadata, storage class, encryption, tags; and the rules of these.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from fogbank.core.call import Call
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.s3.errors import (
    InvalidArgumentError,
    InvalidRequestError,
    InvalidStorageClassError,
    InvalidTagError,
    S3Error,
)
from fogbank.services.s3.model import Attributes, check_metadata

HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
)
"""Members of a write that are answered as they came."""
DEFAULT_TYPE = "binary/octet-stream"
ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes whose objects must be restored before they can be read."""
_ELSEWHERE = frozenset(
    {"OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP", "AWS_BACKUP_WARM", "AWS_BACKUP_LOW_COST_WARM"}
)
_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP", "GrantWrite")
_LACKING = (
    "SSECustomerAlgorithm",
    "SSECustomerKey",
    "SSECustomerKeyMD5",
    "SSEKMSKeyId",
    "SSEKMSEncryptionContext",
    "BucketKeyEnabled",
    "CopySourceSSECustomerAlgorithm",
    "CopySourceSSECustomerKey",
    "CopySourceSSECustomerKeyMD5",
    "WriteOffsetBytes",
)
_LOCKS = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus", "ObjectLockEventHold")
MAX_OBJECT_TAGS = 10
MAX_BUCKET_TAGS = 50
_TAG = re.compile(r"[\w\s.:/=+\-@]*")


class AccessControlListNotSupportedError(S3Error):
    """The bucket's owner owns all its objects, so nobody can be granted anything by a list."""

    code = "AccessControlListNotSupported"
    message_text = "The bucket does not allow ACLs"


class BadRequestError(S3Error):
    """Too many tags."""

    code = "BadRequest"


def asks_for_access(request: Mapping[str, Any]) -> bool:
    """Whether a request says anything of who may do what."""
    return request.get("ACL") is not None or any(request.get(name) is not None for name in _GRANTS)


def check_access(call: Call, request: Mapping[str, Any], ownership: str) -> None:
    """Refuse a canned ACL or grants: where the bucket allows none, as S3 does; elsewhere because they are not here."""
    acl = request.get("ACL")
    grants = [name for name in _GRANTS if request.get(name)]
    if not grants and acl in {None, "bucket-owner-full-control"}:
        return
    if ownership == "BucketOwnerEnforced":
        raise AccessControlListNotSupportedError
    if grants or acl != "private":
        raise NotImplementedByFogbank(
            f"Fogbank does not implement {grants[0] if grants else 'ACL'} of s3.{call.operation} yet: objects are "
            "their bucket owner's"
        )


def read_attributes(call: Call, request: Mapping[str, Any]) -> Attributes:
    """What a write says of the object."""
    check_encryption(call, request)
    if any(request.get(name) is not None for name in _LOCKS):
        raise InvalidRequestError("Bucket is missing Object Lock Configuration")
    metadata = request.get("Metadata") or {}
    check_metadata(metadata)
    return Attributes(
        headers={name: request[name] for name in HEADERS if request.get(name) is not None},
        metadata=dict(metadata),
        storage_class=read_storage_class(request),
        tags=read_tagging_header(request.get("Tagging")),
    )


def read_storage_class(request: Mapping[str, Any]) -> str:
    """The storage class that a write names."""
    found: str = request.get("StorageClass") or "STANDARD"
    if found in _ELSEWHERE:
        raise InvalidStorageClassError(found)
    return found


def check_encryption(call: Call, request: Mapping[str, Any]) -> None:
    """Everything is answered as encrypted with S3's own keys; what asks for others is refused."""
    for name in _LACKING:
        if request.get(name):
            raise NotImplementedByFogbank(f"Fogbank does not implement {name} of s3.{call.operation} yet")
    kind = request.get("ServerSideEncryption")
    if kind not in {None, "AES256"}:
        raise NotImplementedByFogbank(
            f"Fogbank does not implement ServerSideEncryption {kind} of s3.{call.operation} yet"
        )


def read_tagging_header(text: str | None) -> dict[str, str]:
    """The tags of an `x-amz-tagging` header."""
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        pairs = [(part, "") for part in text.split("&")]
    names = [key for key, _ in pairs]
    if len(set(names)) < len(names):
        raise InvalidArgumentError(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
            "name duplicates.",
            "x-amz-tagging",
            text,
        )
    return check_tags(pairs, MAX_OBJECT_TAGS)


def read_tag_set(tags: Sequence[Mapping[str, str]], limit: int, *, by_service: bool = False) -> dict[str, str]:
    """The tags of a `Tagging` document."""
    names = [tag["Key"] for tag in tags]
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InvalidTagError("Cannot provide multiple Tags with the same key", TagKey=twice)
    return check_tags([(tag["Key"], tag["Value"]) for tag in tags], limit, by_service=by_service)


def check_tags(pairs: Iterable[tuple[str, str]], limit: int, *, by_service: bool = False) -> dict[str, str]:
    """The tags, if they keep to the rules of tags; AWS's own can be set by its services only, beyond the limit."""
    tags = dict(pairs)
    if len([key for key in tags if not key.startswith("aws:")]) > limit:
        if limit == MAX_OBJECT_TAGS:
            raise BadRequestError(f"Object tags cannot be greater than {limit}")
        raise BadRequestError(f"Bucket tag count cannot be greater than {limit}")
    for key, value in tags.items():
        if key.lower().startswith("aws:") and not by_service:
            raise InvalidTagError("System tags cannot be added/updated by requester", TagKey=key)
        if not 1 <= len(key) <= 128 or not _TAG.fullmatch(key):
            raise InvalidTagError("The TagKey you have provided is invalid", TagKey=key)
        if len(value) > 256 or not _TAG.fullmatch(value):
            raise InvalidTagError("The TagValue you have provided is invalid", TagKey=key, TagValue=value)
    return tags
