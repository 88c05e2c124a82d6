"""Buckets, object versions, pieces, uploads; the rules of names. Times are milliseconds since the epoch.

    put ──▶ current version ──put──▶ noncurrent version (versioning on) or gone (off)
                │
                └─delete──▶ delete marker on top (versioning on or suspended) or gone (off)

A version's bytes are pieces: one for an object that was put whole, one for each part of a multipart upload. A piece
has a name of its own, belongs to one version or part alone, and goes with it; small ones lie in a row, large ones in a
file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fogbank.core.scope import Scope, partition_of
from fogbank.services.s3.errors import InvalidBucketNameError, KeyTooLongError, MetadataTooLargeError

NULL = "null"
"""The id of the version that was written while versioning was not on."""
MAX_BUCKETS = 10_000
"""General purpose buckets of an account (the default quota)."""
MAX_KEY = 1024
MAX_METADATA = 2048
MAX_OBJECT = 50 * 1024**4
"""Bytes of an object (the quota of 2025: 50 TB)."""
MAX_PUT = 5 * 1024**3
"""Bytes of one PutObject, UploadPart or CopyObject."""
MIN_PART = 5 * 1024 * 1024
MAX_PARTS = 10_000

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


class Versioning(StrEnum):
    """Whether a bucket keeps what is replaced."""

    OFF = ""
    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket. Names are unique over all accounts of a partition, as on AWS."""

    id: int
    name: str
    scope: Scope
    """Its owner's account and its own region."""
    created: int
    versioning: Versioning
    notifies: bool
    """Whether anything is told of what happens to its objects."""
    lifecycle: bool = False
    """Whether it has lifecycle rules."""

    @property
    def arn(self) -> str:
        """The bucket's ARN, which has neither region nor account."""
        return bucket_arn(self.name, self.scope.region)


def bucket_arn(name: str, region: str) -> str:
    """The ARN of a bucket."""
    return f"arn:{partition_of(region)}:s3:::{name}"


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes under a name."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class PartInfo:
    """A part of an object that was uploaded in parts: its size and its checksum, if it has one."""

    number: int
    size: int
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Checksum:
    """An object's or part's checksum: `value` in base64, with `-<parts>` behind it where it is composite."""

    algorithm: str
    value: str
    composite: bool = False


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a version says of itself beside its bytes.

    `headers` are members of GetObject's reply (`ContentType`, `CacheControl`, …), `metadata` the `x-amz-meta-`
    headers without their prefix.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "STANDARD"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object, or a delete marker. `seq` orders the versions of all objects by their age."""

    seq: int
    key: str
    version: str
    latest: bool
    marker: bool
    size: int
    etag: str
    modified: int
    pieces: tuple[Piece, ...] = ()
    attributes: Attributes = field(default_factory=Attributes)
    checksum: Checksum | None = None
    parts: tuple[PartInfo, ...] = ()

    @property
    def quoted_etag(self) -> str:
        """The ETag as it travels."""
        return f'"{self.etag}"'


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload under way. `settings` are the checksum's algorithm and type, as they were asked for."""

    id: str
    bucket: int
    key: str
    initiated: int
    attributes: Attributes
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """An uploaded part."""

    number: int
    piece: Piece
    etag: str
    modified: int
    checksums: Mapping[str, str]
    """By algorithm, in base64: what the client sent, and CRC64NVME."""


def check_bucket_name(name: str) -> None:
    """Refuse a name that no bucket can be created with (bucketnamingrules.html)."""
    fits = (
        _NAME.fullmatch(name)
        and ".." not in name
        and not _ADDRESS.fullmatch(name)
        and not name.startswith(_PREFIXES)
        and not name.endswith(_SUFFIXES)
    )
    if not fits:
        raise InvalidBucketNameError(name)


def check_key(key: str) -> None:
    """Refuse a key that is too long."""
    size = len(key.encode("utf-8", "surrogatepass"))
    if size > MAX_KEY:
        raise KeyTooLongError(size)


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Refuse more than 2 KB of names and values together."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items())
    if size > MAX_METADATA:
        raise MetadataTooLargeError(size)
