"""An object out of the parts of an upload: which parts, in which order, and what is computed of them. Pure.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from fogbank.services.s3 import _checksums as checksums
from fogbank.services.s3.errors import (
    BadDigestError,
    EntityTooLargeError,
    EntityTooSmallError,
    InvalidPartError,
    InvalidPartOrderError,
    InvalidRequestError,
    MalformedXmlError,
)
from fogbank.services.s3.model import MAX_OBJECT, MIN_PART, Checksum, ObjectVersion, Part, PartInfo, Upload


def assemble(upload: Upload, parts: Sequence[Part], request: Mapping[str, Any], draft: ObjectVersion) -> ObjectVersion:
    """`draft` with the bytes of the parts that a request names."""
    chosen = _chosen(upload, parts, request)
    size = sum(part.piece.size for part in chosen)
    _check_size(size, request)
    found = _checksum(upload, chosen, request)
    algorithm = found.algorithm
    shown = upload.settings["algorithm"] is not None
    return replace(
        draft,
        size=size,
        etag=checksums.etag_of_parts([part.etag for part in chosen]),
        pieces=tuple(part.piece for part in chosen),
        checksum=found,
        parts=tuple(
            PartInfo(number, part.piece.size, part.checksums[algorithm] if shown else None)
            for number, part in enumerate(chosen, 1)
        ),
    )


def _chosen(upload: Upload, parts: Sequence[Part], request: Mapping[str, Any]) -> list[Part]:
    """The named parts, which must be there, in order, and large enough."""
    named = (request.get("MultipartUpload") or {}).get("Parts") or ()
    if not named:
        raise MalformedXmlError
    numbers = [one.get("PartNumber", 0) for one in named]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise InvalidPartOrderError(UploadId=upload.id)
    there = {part.number: part for part in parts}
    chosen = []
    for one in named:
        part = there.get(one.get("PartNumber", 0))
        if part is None or str(one.get("ETag", "")).strip('"') != part.etag:
            raise InvalidPartError(UploadId=upload.id, PartNumber=one.get("PartNumber"), ETag=one.get("ETag"))
        _check_checksum(upload, part, one)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.piece.size < MIN_PART:
            raise EntityTooSmallError(
                ProposedSize=part.piece.size, MinSizeAllowed=MIN_PART, PartNumber=part.number, ETag=part.etag
            )
    return chosen


def _check_checksum(upload: Upload, part: Part, one: Mapping[str, Any]) -> None:
    """A composite checksum is made of those that the request repeats; what it repeats must be right in any case."""
    algorithm = upload.settings["algorithm"]
    for name, value in checksums.sent(one).items():
        if part.checksums.get(name) != value:
            raise InvalidPartError(UploadId=upload.id, PartNumber=part.number, ETag=part.etag)
    composite = upload.settings["type"] == checksums.COMPOSITE
    if composite and one.get(f"Checksum{algorithm}") is None:
        raise InvalidRequestError(
            f"The upload was created using a {algorithm.lower()} checksum. The complete request must include the "
            f"checksum for each part. It was missing for part {part.number} in the request."
        )


def _check_size(size: int, request: Mapping[str, Any]) -> None:
    if size > MAX_OBJECT:
        raise EntityTooLargeError(ProposedSize=size, MaxSizeAllowed=MAX_OBJECT)
    expected = request.get("MpuObjectSize")
    if expected is not None and expected != size:
        raise InvalidRequestError(
            f"The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {size}"
        )


def _checksum(upload: Upload, chosen: Sequence[Part], request: Mapping[str, Any]) -> Checksum:
    """The object's checksum, compared with what the request says of it."""
    algorithm = upload.settings["algorithm"] or checksums.CRC64
    kind = upload.settings["type"] or checksums.FULL
    asked = request.get("ChecksumType")
    if asked is not None and asked != kind:
        raise InvalidRequestError(
            f"The upload was created using the {kind} checksum mode. The complete request must use the same checksum "
            "mode."
        )
    pairs = [(part.checksums[algorithm], part.piece.size) for part in chosen]
    found = checksums.of_parts(algorithm, composite=kind == checksums.COMPOSITE, parts=pairs)
    given = checksums.sent(request).get(algorithm)
    if given is not None and given.partition("-")[0] != found.value.partition("-")[0]:
        raise BadDigestError(f"The {algorithm} you specified did not match the calculated checksum.")
    return found
