"""Multipart uploads: an object in parts that come in any order and count only when the upload is completed.

    created ──parts──▶ completed: the named parts are the object; the others are gone
       └─────────────▶ aborted: all are gone

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fogbank.core.errors import ApiError
from fogbank.services.s3 import _checksums as checksums
from fogbank.services.s3 import storage as rows
from fogbank.services.s3._api.copies import CopyOperations, read_source
from fogbank.services.s3._api.frame import need_bucket, owner_id
from fogbank.services.s3._api.listings import read_limit, writer
from fogbank.services.s3._api.objects import ENCRYPTED, check_ownership, expiration_of
from fogbank.services.s3._assembly import assemble
from fogbank.services.s3._attributes import check_encryption, read_attributes
from fogbank.services.s3._conditions import check_write
from fogbank.services.s3._listing import MAX_KEYS, Start, collect
from fogbank.services.s3._pieces import PieceLostError, Taken
from fogbank.services.s3._writing import version_shown
from fogbank.services.s3.errors import InvalidArgumentError, InvalidRequestError, NoSuchUploadError
from fogbank.services.s3.model import MAX_PARTS, Bucket, Part, Upload, check_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_BATCH = 1000
_TRIES = 5


class MultipartOperations(CopyOperations):
    """The operations on multipart uploads."""

    async def create_multipart_upload(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Begin an upload."""
        check_key(request["Key"])
        algorithm, kind = request.get("ChecksumAlgorithm"), request.get("ChecksumType")
        checksums.check_algorithm(algorithm)
        checksums.check_type(algorithm, kind)
        if algorithm is not None:
            kind = kind or checksums.default_type(algorithm)
        settings = {"algorithm": algorithm, "type": kind}
        attributes = read_attributes(call, request)
        upload_id = self.writer.token(64)

        async def body(tx: Tx) -> None:
            bucket = await need_bucket(tx, call, request)
            await check_ownership(tx, call, request, bucket)
            upload = Upload(upload_id, bucket.id, request["Key"], self.clock.millis(), attributes, settings)
            await rows.insert_upload(tx, upload)

        await self.storage.transact(body)
        return {
            "Bucket": request["Bucket"],
            "Key": request["Key"],
            "UploadId": upload_id,
            "ChecksumAlgorithm": algorithm,
            "ChecksumType": kind,
            **ENCRYPTED,
        }

    async def upload_part(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Take in a part; one of the same number is replaced."""
        check_encryption(call, request)
        check_number(request["PartNumber"])
        upload = await self.storage.read(lambda tx: _need_upload(tx, call, request))
        algorithms = _algorithms(upload, request)
        taken = await self.pieces.take(request.get("Body", b""), algorithms)
        try:
            checksums.verify(request, taken.digest)
            part = await self.storage.transact(partial(self._put_part, call=call, request=request, taken=taken))
        except ApiError:
            await self.pieces.discard(taken)
            raise
        return {"ETag": f'"{part.etag}"', **_of_part(part, algorithms[0]), **ENCRYPTED}

    async def upload_part_copy(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Take a part from an object, or a range of it."""
        check_encryption(call, request)
        check_number(request["PartNumber"])
        source = read_source(request["CopySource"])
        upload = await self.storage.read(lambda tx: _need_upload(tx, call, request))
        algorithm = upload.settings["algorithm"] or checksums.CRC64
        for _ in range(_TRIES):
            found = await self.find_source(call, request, source, request.get("CopySourceRange") or "")
            try:
                taken = await self.pieces.take(await self.pieces.open(found.cuts, found.small), [algorithm])
            except PieceLostError:
                continue
            try:
                part = await self.storage.transact(partial(self._put_part, call=call, request=request, taken=taken))
            except ApiError:
                await self.pieces.discard(taken)
                raise
            result = {"ETag": f'"{part.etag}"', "LastModified": part.modified // 1000, **_of_part(part, algorithm)}
            version = version_shown(found.bucket, found.version.version)
            return {"CopyPartResult": result, "CopySourceVersionId": version, **ENCRYPTED}
        raise InvalidRequestError("The source changes faster than it can be read")

    async def _put_part(self, tx: Tx, call: Call, request: Mapping[str, Any], taken: Taken) -> Part:
        upload = await _need_upload(tx, call, request)
        number = request["PartNumber"]
        before = await rows.part(tx, upload.id, number)
        if before is not None:
            await self.pieces.drop(tx, [before.piece])
        await self.pieces.keep(tx, taken)
        part = Part(number, taken.piece, taken.digest.md5, self.clock.millis(), taken.digest.checksums)
        await rows.put_part(tx, upload.id, part)
        return part

    async def complete_multipart_upload(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Make the object of the named parts."""

        async def body(tx: Tx) -> Reply:
            upload = await _need_upload(tx, call, request)
            bucket = await need_bucket(tx, call, request)
            current = await rows.current(tx, bucket.id, upload.key)
            check_write(request, upload.key, current)
            parts = await _all_parts(tx, upload.id)
            draft = self.writer.blank(upload.key, attributes=upload.attributes)
            made = assemble(upload, parts, request, draft)
            kept = {piece.name for piece in made.pieces}
            await self.pieces.drop(tx, [part.piece for part in parts if part.piece.name not in kept])
            await rows.delete_upload(tx, upload.id)
            stored = await self.writer.put(tx, call, bucket, made, current, "CompleteMultipartUpload")
            return {
                "Location": f"{self.kit.config.endpoint}/{bucket.name}/{quote(upload.key)}",
                "Bucket": bucket.name,
                "Key": upload.key,
                "ETag": stored.quoted_etag,
                "VersionId": version_shown(bucket, stored.version),
                "Expiration": await expiration_of(tx, bucket, stored),
                **checksums.members(stored.checksum),
                **ENCRYPTED,
            }

        return await self.storage.transact(body)

    async def abort_multipart_upload(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """Give an upload up."""

        async def body(tx: Tx) -> None:
            await self.abort(tx, (await _need_upload(tx, call, request)).id)

        await self.storage.transact(body)
        return {}

    async def abort_all(self, tx: Tx, bucket: Bucket) -> None:
        """Abort every upload of a bucket that is deleted."""
        while uploads := await rows.uploads_of(tx, bucket.id, _BATCH):
            for upload in uploads:
                await self.abort(tx, upload.id)

    async def abort(self, tx: Tx, upload_id: str) -> None:
        """Forget an upload and the bytes of its parts."""
        await self.pieces.drop(tx, [part.piece for part in await _all_parts(tx, upload_id)])
        await rows.delete_upload(tx, upload_id)

    async def list_parts(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """The parts that are there, by number."""
        limit = read_limit(request.get("MaxParts"), "max-parts")
        after = request.get("PartNumberMarker") or 0
        shown = min(limit, MAX_KEYS)

        async def body(tx: Tx) -> tuple[Upload, list[Part]]:
            upload = await _need_upload(tx, call, request)
            return upload, await rows.list_parts(tx, upload.id, after, shown + 1)

        upload, found = await self.storage.read(body)
        parts = found[:shown]
        owner = {"ID": owner_id(call.scope.account)}
        algorithm = upload.settings["algorithm"]
        return {
            "Bucket": request["Bucket"],
            "Key": upload.key,
            "UploadId": upload.id,
            "PartNumberMarker": after,
            "NextPartNumberMarker": parts[-1].number if parts else 0,
            "MaxParts": shown,
            "IsTruncated": len(found) > shown,
            "Parts": [_shown_part(part, algorithm) for part in parts],
            "Initiator": owner,
            "Owner": owner,
            "StorageClass": upload.attributes.storage_class,
            "ChecksumAlgorithm": algorithm,
            "ChecksumType": upload.settings["type"],
        }

    async def list_multipart_uploads(self, call: Call, request: Mapping[str, Any]) -> Reply:
        """The uploads that are under way, by key."""
        limit = min(read_limit(request.get("MaxUploads"), "max-uploads"), MAX_KEYS)
        marker, id_marker = request.get("KeyMarker", ""), request.get("UploadIdMarker", "")

        async def body(tx: Tx) -> Any:
            bucket = await need_bucket(tx, call, request)
            return await collect(
                partial(rows.list_uploads, tx, bucket.id),
                _key,
                prefix=request.get("Prefix", ""),
                delimiter=request.get("Delimiter", ""),
                start=Start(marker, inclusive=not marker, entry=id_marker if marker else ""),
                limit=limit,
                place_of=_id,
            )

        page = await self.storage.read(body)
        write = writer(request)
        delimiter = request.get("Delimiter")
        last = page.entries[-1] if page.entries and page.entries[-1].key == page.last else None
        return {
            "Bucket": request["Bucket"],
            "KeyMarker": write(marker),
            "UploadIdMarker": id_marker,
            "NextKeyMarker": write(page.last) if page.truncated else None,
            "NextUploadIdMarker": last.id if page.truncated and last is not None else None,
            "Prefix": write(request.get("Prefix", "")),
            "Delimiter": write(delimiter) if delimiter else None,
            "EncodingType": request.get("EncodingType"),
            "MaxUploads": limit,
            "IsTruncated": page.truncated,
            "Uploads": [_shown_upload(upload, write(upload.key), call.scope.account) for upload in page.entries],
            "CommonPrefixes": [{"Prefix": write(prefix)} for prefix in page.prefixes],
        }


def check_number(number: int) -> None:
    """Parts are numbered from 1 to 10,000."""
    if not 1 <= number <= MAX_PARTS:
        raise InvalidArgumentError(
            f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive", "partNumber", str(number)
        )


async def _need_upload(tx: Tx, call: Call, request: Mapping[str, Any]) -> Upload:
    """The upload of a request, which is of its bucket and key."""
    bucket = await need_bucket(tx, call, request)
    found = await rows.upload(tx, request["UploadId"])
    if found is None or found.bucket != bucket.id or found.key != request["Key"]:
        raise NoSuchUploadError(request["UploadId"])
    return found


async def _all_parts(tx: Tx, upload_id: str) -> list[Part]:
    return await rows.list_parts(tx, upload_id, 0, MAX_PARTS)


def _algorithms(upload: Upload, request: Mapping[str, Any]) -> list[str]:
    """What a part's bytes are run through: the upload's algorithm first, which is the only one that may be sent."""
    asked = checksums.wanted(request)[0]
    given = checksums.sent(request) or request.get("ChecksumAlgorithm")
    expected = upload.settings["algorithm"]
    if expected is None:
        return [asked, checksums.CRC64] if asked != checksums.CRC64 else [asked]
    if given and asked != expected:
        raise InvalidRequestError(
            f"Checksum Type mismatch occurred, expected checksum Type: {expected.lower()}, actual checksum Type: "
            f"{asked.lower()}"
        )
    return [expected]


def _of_part(part: Part, algorithm: str) -> dict[str, str]:
    return {f"Checksum{algorithm}": part.checksums[algorithm]}


def _shown_part(part: Part, algorithm: str | None) -> dict[str, Any]:
    found = {
        "PartNumber": part.number,
        "LastModified": part.modified // 1000,
        "ETag": f'"{part.etag}"',
        "Size": part.piece.size,
    }
    return found if algorithm is None else {**found, **_of_part(part, algorithm)}


def _shown_upload(upload: Upload, key: str, account: str) -> dict[str, Any]:
    owner = {"ID": owner_id(account)}
    return {
        "UploadId": upload.id,
        "Key": key,
        "Initiated": upload.initiated // 1000,
        "StorageClass": upload.attributes.storage_class,
        "Owner": owner,
        "Initiator": owner,
        "ChecksumAlgorithm": upload.settings["algorithm"],
        "ChecksumType": upload.settings["type"],
    }


def _key(upload: Upload) -> str:
    return upload.key


def _id(upload: Upload) -> str:
    return upload.id
