"""The rows of S3: one function for each question. Times are milliseconds."""
# ruff: noqa: S608 - statements are constants, and so are the column lists put into them

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fogbank.core.scope import Scope
from fogbank.services.s3._listing import Start
from fogbank.services.s3.model import (
    Attributes,
    Bucket,
    Checksum,
    ObjectVersion,
    Part,
    PartInfo,
    Piece,
    Upload,
    Versioning,
)
from fogbank.storage import Tx

_BUCKET = "id, name, account, region, created, versioning, notifies, lifecycle"
_VERSION = "seq, key, version, latest, marker, size, etag, modified, details"

GET_BUCKET = f"SELECT {_BUCKET} FROM s3_buckets WHERE name = $1"
LIST_BUCKETS = f"SELECT {_BUCKET} FROM s3_buckets WHERE account = $1 AND name > $2 ORDER BY name LIMIT $3"
COUNT_BUCKETS = "SELECT COUNT(*) FROM s3_buckets WHERE account = $1"
INSERT_BUCKET = """
INSERT INTO s3_buckets (name, account, region, created, versioning, notifies) VALUES ($1, $2, $3, $4, '', 0)
"""
DELETE_BUCKET = "DELETE FROM s3_buckets WHERE id = $1"
DELETE_SETTINGS = "DELETE FROM s3_settings WHERE bucket = $1"
SET_VERSIONING = "UPDATE s3_buckets SET versioning = $2 WHERE id = $1"
SET_NOTIFIES = "UPDATE s3_buckets SET notifies = $2 WHERE id = $1"
SET_LIFECYCLE = "UPDATE s3_buckets SET lifecycle = $2 WHERE id = $1"
WITH_LIFECYCLE = f"SELECT {_BUCKET} FROM s3_buckets WHERE lifecycle = 1 AND id > $1 ORDER BY id"

GET_SETTING = "SELECT document FROM s3_settings WHERE bucket = $1 AND kind = $2"
PUT_SETTING = """
INSERT INTO s3_settings (bucket, kind, document) VALUES ($1, $2, $3)
ON CONFLICT (bucket, kind) DO UPDATE SET document = excluded.document
"""
DELETE_SETTING = "DELETE FROM s3_settings WHERE bucket = $1 AND kind = $2"

CURRENT = f"SELECT {_VERSION} FROM s3_versions WHERE bucket = $1 AND key = $2 AND latest = 1"
NEWEST = f"SELECT {_VERSION} FROM s3_versions WHERE bucket = $1 AND key = $2 ORDER BY seq DESC LIMIT 1"
VERSION = f"SELECT {_VERSION} FROM s3_versions WHERE bucket = $1 AND key = $2 AND version = $3"
ANY_VERSION = "SELECT marker FROM s3_versions WHERE bucket = $1 LIMIT 1"
INSERT_VERSION = """
INSERT INTO s3_versions (bucket, key, version, latest, marker, size, etag, modified, details)
VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8) RETURNING seq
"""
OUTDATE = "UPDATE s3_versions SET latest = 0 WHERE bucket = $1 AND key = $2 AND latest = 1"
PROMOTE = "UPDATE s3_versions SET latest = 1 WHERE seq = $1"
DELETE_VERSION = "DELETE FROM s3_versions WHERE seq = $1"
SET_DETAILS = "UPDATE s3_versions SET details = $2 WHERE seq = $1"
LIST_CURRENT = (
    f"SELECT {_VERSION} FROM s3_versions WHERE bucket = $1 AND latest = 1 AND key >= $2 AND marker = 0 "
    "ORDER BY key LIMIT $3"
)
LIST_CURRENT_AFTER = (
    f"SELECT {_VERSION} FROM s3_versions WHERE bucket = $1 AND latest = 1 AND key > $2 AND marker = 0 "
    "ORDER BY key LIMIT $3"
)
LIST_VERSIONS = f"SELECT {_VERSION} FROM s3_versions WHERE bucket = $1 AND key >= $2 ORDER BY key, seq DESC LIMIT $3"
LIST_VERSIONS_AFTER = (
    f"SELECT {_VERSION} FROM s3_versions WHERE bucket = $1 AND key > $2 ORDER BY key, seq DESC LIMIT $3"
)
LIST_OLDER_VERSIONS = (
    f"SELECT {_VERSION} FROM s3_versions WHERE bucket = $1 AND key = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4"
)
KEYS = "SELECT DISTINCT key FROM s3_versions WHERE bucket = $1 AND key > $2 ORDER BY key LIMIT $3"
VERSIONS_OF = f"SELECT {_VERSION} FROM s3_versions WHERE bucket = $1 AND key = $2 ORDER BY seq DESC"

GET_PIECE = "SELECT data FROM s3_pieces WHERE name = $1"
HAS_PIECE = "SELECT 1 FROM s3_pieces WHERE name = $1"
INSERT_PIECE = "INSERT INTO s3_pieces (name, data) VALUES ($1, $2)"
DELETE_PIECE = "DELETE FROM s3_pieces WHERE name = $1"

_UPLOAD = "id, bucket, key, initiated, details"
GET_UPLOAD = f"SELECT {_UPLOAD} FROM s3_uploads WHERE id = $1"
INSERT_UPLOAD = "INSERT INTO s3_uploads (id, bucket, key, initiated, details) VALUES ($1, $2, $3, $4, $5)"
DELETE_UPLOAD = "DELETE FROM s3_uploads WHERE id = $1"
LIST_UPLOADS = f"SELECT {_UPLOAD} FROM s3_uploads WHERE bucket = $1 AND key >= $2 ORDER BY key, id LIMIT $3"
LIST_UPLOADS_AFTER = f"SELECT {_UPLOAD} FROM s3_uploads WHERE bucket = $1 AND key > $2 ORDER BY key, id LIMIT $3"
LIST_LATER_UPLOADS = f"SELECT {_UPLOAD} FROM s3_uploads WHERE bucket = $1 AND key = $2 AND id > $3 ORDER BY id LIMIT $4"
BUCKETS_UPLOADS = f"SELECT {_UPLOAD} FROM s3_uploads WHERE bucket = $1 LIMIT $2"

_PART = "number, piece, size, etag, modified, checksums"
GET_PART = f"SELECT {_PART} FROM s3_parts WHERE upload = $1 AND number = $2"
PUT_PART = """
INSERT INTO s3_parts (upload, number, piece, size, etag, modified, checksums) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (upload, number) DO UPDATE SET piece = excluded.piece, size = excluded.size, etag = excluded.etag,
    modified = excluded.modified, checksums = excluded.checksums
"""
LIST_PARTS = f"SELECT {_PART} FROM s3_parts WHERE upload = $1 AND number > $2 ORDER BY number LIMIT $3"
DELETE_PARTS = "DELETE FROM s3_parts WHERE upload = $1"


class _Details(msgspec.Struct, array_like=True):
    """What a version's row keeps beside its columns; first what listings show."""

    storage_class: str
    checksum: Checksum | None
    pieces: tuple[Piece, ...]
    headers: Mapping[str, str]
    metadata: Mapping[str, str]
    tags: Mapping[str, str]
    parts: tuple[PartInfo, ...]


class _Shown(msgspec.Struct, array_like=True):
    """The beginning of the same, which is all that a listing reads."""

    storage_class: str
    checksum: Checksum | None


class _UploadDetails(msgspec.Struct, array_like=True):
    """What an upload's row keeps beside its columns."""

    attributes: Attributes
    settings: Mapping[str, Any]


_encode = msgspec.json.Encoder().encode
_details = msgspec.json.Decoder(_Details).decode
_shown = msgspec.json.Decoder(_Shown).decode
_upload_details = msgspec.json.Decoder(_UploadDetails).decode
_checksums = msgspec.json.Decoder(dict[str, str]).decode
_document = msgspec.json.Decoder(dict[str, Any]).decode


# -- buckets ----------------------------------------------------------------------------------------------


def _bucket(row: Sequence[Any]) -> Bucket:
    key, name, account, region, created, versioning, notifies, lifecycle = row
    return Bucket(key, name, Scope(account, region), created, Versioning(versioning), bool(notifies), bool(lifecycle))


async def bucket(tx: Tx, name: str) -> Bucket | None:
    """One bucket."""
    row = await tx.fetch_one(GET_BUCKET, name)
    return None if row is None else _bucket(row)


async def list_buckets(tx: Tx, account: str, after: str, limit: int) -> list[Bucket]:
    """An account's buckets behind a name, by name."""
    return [_bucket(row) for row in await tx.fetch(LIST_BUCKETS, account, after, limit)]


async def count_buckets(tx: Tx, account: str) -> int:
    """How many buckets an account has."""
    row = await tx.fetch_one(COUNT_BUCKETS, account)
    return int(row[0]) if row else 0


async def insert_bucket(tx: Tx, name: str, scope: Scope, now: int) -> None:
    """Add a bucket."""
    await tx.execute(INSERT_BUCKET, name, scope.account, scope.region, now)


async def delete_bucket(tx: Tx, key: int) -> None:
    """Remove a bucket, which is empty, and its settings."""
    await tx.execute(DELETE_SETTINGS, key)
    await tx.execute(DELETE_BUCKET, key)


async def set_versioning(tx: Tx, key: int, versioning: Versioning) -> None:
    """Whether a bucket keeps what is replaced."""
    await tx.execute(SET_VERSIONING, key, versioning.value)


async def setting(tx: Tx, bucket_id: int, kind: str) -> dict[str, Any] | None:
    """What is configured of one kind."""
    row = await tx.fetch_one(GET_SETTING, bucket_id, kind)
    return None if row is None else _document(row[0])


async def put_setting(tx: Tx, bucket_id: int, kind: str, document: Mapping[str, Any]) -> None:
    """Configure one kind."""
    await tx.execute(PUT_SETTING, bucket_id, kind, _encode(document).decode())


async def delete_setting(tx: Tx, bucket_id: int, kind: str) -> None:
    """Forget what is configured of one kind."""
    await tx.execute(DELETE_SETTING, bucket_id, kind)


async def set_notifies(tx: Tx, bucket_id: int, *, notifies: bool) -> None:
    """Whether anything is told of what happens to a bucket's objects."""
    await tx.execute(SET_NOTIFIES, bucket_id, int(notifies))


async def set_lifecycle(tx: Tx, bucket_id: int, *, lifecycle: bool) -> None:
    """Whether a bucket has lifecycle rules."""
    await tx.execute(SET_LIFECYCLE, bucket_id, int(lifecycle))


async def buckets_with_lifecycle(tx: Tx) -> list[Bucket]:
    """Every bucket that has lifecycle rules."""
    return [_bucket(row) for row in await tx.fetch(WITH_LIFECYCLE, 0)]


# -- versions ---------------------------------------------------------------------------------------------


def _version(row: Sequence[Any]) -> ObjectVersion:
    seq, key, version, latest, marker, size, etag, modified, details = row
    d = _details(details)
    attributes = Attributes(d.headers, d.metadata, d.storage_class, d.tags)
    return ObjectVersion(
        seq, key, version, bool(latest), bool(marker), size, etag, modified, d.pieces, attributes, d.checksum, d.parts
    )


def _encoded(version: ObjectVersion) -> bytes:
    a = version.attributes
    return _encode(
        _Details(a.storage_class, version.checksum, version.pieces, a.headers, a.metadata, a.tags, version.parts)
    )


def _listed(row: Sequence[Any]) -> ObjectVersion:
    """A version as a listing shows it: without its pieces, headers, metadata and tags."""
    seq, key, version, latest, marker, size, etag, modified, details = row
    d = _shown(details)
    attributes = _LISTED.get(d.storage_class)
    if attributes is None:
        attributes = _LISTED[d.storage_class] = Attributes(storage_class=d.storage_class)
    return ObjectVersion(
        seq, key, version, bool(latest), bool(marker), size, etag, modified, (), attributes, d.checksum
    )


_LISTED: dict[str, Attributes] = {}
"""Attributes of listed versions by their storage class, of which there are few."""


async def current(tx: Tx, bucket_id: int, key: str) -> ObjectVersion | None:
    """The newest version of an object, which may be a delete marker."""
    row = await tx.fetch_one(CURRENT, bucket_id, key)
    return None if row is None else _version(row)


async def newest(tx: Tx, bucket_id: int, key: str) -> ObjectVersion | None:
    """The version that is to be the current one after the current one is gone."""
    row = await tx.fetch_one(NEWEST, bucket_id, key)
    return None if row is None else _version(row)


async def version(tx: Tx, bucket_id: int, key: str, version_id: str) -> ObjectVersion | None:
    """One version of an object."""
    row = await tx.fetch_one(VERSION, bucket_id, key, version_id)
    return None if row is None else _version(row)


async def holds_versions(tx: Tx, bucket_id: int) -> bool:
    """Whether a bucket holds anything."""
    return await tx.fetch_one(ANY_VERSION, bucket_id) is not None


async def insert_version(tx: Tx, bucket_id: int, version: ObjectVersion) -> int:
    """Add the newest version of an object; its place in the order of all."""
    row = await tx.fetch_one(
        INSERT_VERSION,
        bucket_id,
        version.key,
        version.version,
        int(version.marker),
        version.size,
        version.etag,
        version.modified,
        _encoded(version),
    )
    assert row is not None, "INSERT … RETURNING gives a row"
    return int(row[0])


async def outdate(tx: Tx, bucket_id: int, key: str) -> None:
    """The current version of an object is that no more."""
    await tx.execute(OUTDATE, bucket_id, key)


async def promote(tx: Tx, seq: int) -> None:
    """Make a version the current one."""
    await tx.execute(PROMOTE, seq)


async def delete_version(tx: Tx, seq: int) -> None:
    """Remove a version's row."""
    await tx.execute(DELETE_VERSION, seq)


async def set_details(tx: Tx, version: ObjectVersion) -> None:
    """Change what a version says of itself."""
    await tx.execute(SET_DETAILS, version.seq, _encoded(version))


async def list_current(tx: Tx, bucket_id: int, start: Start, limit: int) -> list[ObjectVersion]:
    """The objects from a key on, by key."""
    statement = LIST_CURRENT if start.inclusive else LIST_CURRENT_AFTER
    return [_listed(row) for row in await tx.fetch(statement, bucket_id, start.key, limit)]


async def list_versions(tx: Tx, bucket_id: int, start: Start, limit: int) -> list[ObjectVersion]:
    """Versions and delete markers by key, of one key the newest first; behind the one that `start.entry` numbers."""
    found: list[Any] = []
    if start.entry:
        found = await tx.fetch(LIST_OLDER_VERSIONS, bucket_id, start.key, int(start.entry), limit)
    if len(found) < limit:
        statement = LIST_VERSIONS if start.inclusive else LIST_VERSIONS_AFTER
        found += await tx.fetch(statement, bucket_id, start.key, limit - len(found))
    return [_listed(row) for row in found]


async def keys(tx: Tx, bucket_id: int, after: str, limit: int) -> list[str]:
    """Keys that have versions, behind one, in order."""
    return [row[0] for row in await tx.fetch(KEYS, bucket_id, after, limit)]


async def versions_of(tx: Tx, bucket_id: int, key: str) -> list[ObjectVersion]:
    """All versions of an object, the newest first."""
    return [_version(row) for row in await tx.fetch(VERSIONS_OF, bucket_id, key)]


# -- pieces -----------------------------------------------------------------------------------------------


async def piece(tx: Tx, name: str) -> bytes | None:
    """The bytes of a small piece."""
    row = await tx.fetch_one(GET_PIECE, name)
    return None if row is None or row[0] is None else bytes(row[0])


async def has_piece(tx: Tx, name: str) -> bool:
    """Whether a piece is referred to."""
    return await tx.fetch_one(HAS_PIECE, name) is not None


async def insert_piece(tx: Tx, name: str, data: bytes | None) -> None:
    """Add a piece; `data` where it is small."""
    await tx.execute(INSERT_PIECE, name, data)


async def delete_pieces(tx: Tx, names: Sequence[str]) -> None:
    """Forget pieces."""
    for name in names:
        await tx.execute(DELETE_PIECE, name)


# -- uploads ----------------------------------------------------------------------------------------------


def _upload(row: Sequence[Any]) -> Upload:
    key, bucket_id, name, initiated, details = row
    d = _upload_details(details)
    return Upload(key, bucket_id, name, initiated, d.attributes, d.settings)


async def upload(tx: Tx, upload_id: str) -> Upload | None:
    """One upload."""
    row = await tx.fetch_one(GET_UPLOAD, upload_id)
    return None if row is None else _upload(row)


async def insert_upload(tx: Tx, found: Upload) -> None:
    """Begin an upload."""
    details = _encode(_UploadDetails(found.attributes, found.settings))
    await tx.execute(INSERT_UPLOAD, found.id, found.bucket, found.key, found.initiated, details)


async def delete_upload(tx: Tx, upload_id: str) -> None:
    """End an upload; its parts' rows go too, their pieces do not."""
    await tx.execute(DELETE_PARTS, upload_id)
    await tx.execute(DELETE_UPLOAD, upload_id)


async def list_uploads(tx: Tx, bucket_id: int, start: Start, limit: int) -> list[Upload]:
    """Uploads by key and id; behind the one of the id `start.entry`."""
    found: list[Any] = []
    if start.entry:
        found = await tx.fetch(LIST_LATER_UPLOADS, bucket_id, start.key, start.entry, limit)
    if len(found) < limit:
        statement = LIST_UPLOADS if start.inclusive else LIST_UPLOADS_AFTER
        found += await tx.fetch(statement, bucket_id, start.key, limit - len(found))
    return [_upload(row) for row in found]


async def uploads_of(tx: Tx, bucket_id: int, limit: int) -> list[Upload]:
    """Some uploads of a bucket."""
    return [_upload(row) for row in await tx.fetch(BUCKETS_UPLOADS, bucket_id, limit)]


def _part(row: Sequence[Any]) -> Part:
    number, name, size, etag, modified, checksums = row
    return Part(number, Piece(name, size), etag, modified, _checksums(checksums))


async def part(tx: Tx, upload_id: str, number: int) -> Part | None:
    """One part."""
    row = await tx.fetch_one(GET_PART, upload_id, number)
    return None if row is None else _part(row)


async def put_part(tx: Tx, upload_id: str, found: Part) -> None:
    """Add a part, or replace it."""
    checksums = _encode(found.checksums).decode()
    piece_of = found.piece
    await tx.execute(
        PUT_PART, upload_id, found.number, piece_of.name, piece_of.size, found.etag, found.modified, checksums
    )


async def list_parts(tx: Tx, upload_id: str, after: int, limit: int) -> list[Part]:
    """Parts behind a number, by number."""
    return [_part(row) for row in await tx.fetch(LIST_PARTS, upload_id, after, limit)]
