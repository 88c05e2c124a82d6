"""Checksums of objects and parts: computed, compared, and put together from those of parts.

A full-object checksum is of all bytes; a composite one, `<checksum>-<parts>`, of the parts' checksums. CRCs are linear,
so a full-object CRC is combined from those of the parts without reading them again.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.s3.errors import BadDigestError, InvalidRequestError
from fogbank.services.s3.model import Checksum

CRC64 = "CRC64NVME"
"""What S3 computes of every upload that says no checksum itself."""
_CRCS = {"CRC32": ("CRC32-ISO-HDLC", 4), "CRC32C": ("CRC32-ISCSI", 4), CRC64: ("CRC64-NVME", 8)}
_HASHES: Mapping[str, Callable[..., Any]] = {
    "SHA1": hashlib.sha1,
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
    "MD5": hashlib.md5,
}
ALGORITHMS = (*_CRCS, *_HASHES)
_LACKING = ("XXHASH64", "XXHASH3", "XXHASH128")
COMPOSITE, FULL = "COMPOSITE", "FULL_OBJECT"


@cache
def _crc(algorithm: str) -> Any:
    """The CRC, from a library that is loaded when the first is asked for: a start needs none."""
    return import_module("anycrc").Model(_CRCS[algorithm][0])


class Hasher:
    """Computes one checksum of bytes that come one after the other."""

    def __init__(self, algorithm: str) -> None:
        self._algorithm = algorithm
        self._value: int | None = None
        self._hash = _HASHES[algorithm](usedforsecurity=False) if algorithm in _HASHES else None

    def update(self, data: bytes) -> None:
        """Take further bytes."""
        if self._hash is not None:
            self._hash.update(data)
        elif self._value is None:
            self._value = _crc(self._algorithm).calc(data)
        else:
            self._value = _crc(self._algorithm).calc(data, self._value)

    @property
    def raw(self) -> bytes:
        """The checksum's bytes."""
        if self._hash is not None:
            return bytes(self._hash.digest())
        value: int = _crc(self._algorithm).calc(b"") if self._value is None else self._value
        return value.to_bytes(_CRCS[self._algorithm][1], "big")

    @property
    def text(self) -> str:
        """The same in base64, as it travels."""
        return base64.b64encode(self.raw).decode()


def checksum(algorithm: str, data: bytes) -> str:
    """A checksum of bytes, in base64."""
    hasher = Hasher(algorithm)
    hasher.update(data)
    return hasher.text


@dataclass(frozen=True, slots=True)
class Digest:
    """What was found of an upload's bytes: their MD5 in hexadecimal, and checksums by algorithm."""

    md5: str
    checksums: Mapping[str, str]


def sent(request: Mapping[str, Any]) -> dict[str, str]:
    """The checksums that came with a request, by algorithm."""
    for name in _LACKING:
        if request.get(f"Checksum{name}") is not None:
            raise NotImplementedByFogbank(f"Fogbank does not compute checksums of the kind {name} yet")
    return {name: request[f"Checksum{name}"] for name in ALGORITHMS if request.get(f"Checksum{name}") is not None}


def wanted(request: Mapping[str, Any]) -> tuple[str, ...]:
    """The algorithms that an upload's bytes are to be run through, the one that is kept first."""
    found = sent(request)
    if len(found) > 1:
        raise InvalidRequestError("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    named = request.get("ChecksumAlgorithm")
    check_algorithm(named)
    for name, value in found.items():
        if named is not None and named != name:
            raise InvalidRequestError("Value for x-amz-sdk-checksum-algorithm header is invalid.")
        _check_form(name, value)
    if found:
        return tuple(found)
    return (named,) if named is not None else (CRC64,)


def check_algorithm(name: str | None) -> None:
    """Refuse an algorithm that is not here."""
    if name in _LACKING:
        raise NotImplementedByFogbank(f"Fogbank does not compute checksums of the kind {name} yet")


def verify(request: Mapping[str, Any], digest: Digest) -> None:
    """Compare what was sent with what was found; `BadDigestError` if they differ."""
    for name, value in sent(request).items():
        if digest.checksums[name] != value:
            raise BadDigestError(f"The {name} you specified did not match the calculated checksum.")
    md5 = request.get("ContentMD5")
    if md5 is not None:
        _verify_md5(md5, digest)


class InvalidDigestError(BadDigestError):
    """`Content-MD5` is no MD5."""

    code = "InvalidDigest"


def _verify_md5(text: str, digest: Digest) -> None:
    try:
        given = base64.b64decode(text, validate=True)
    except binascii.Error:
        given = b""
    if len(given) != 16:
        raise InvalidDigestError("The Content-MD5 you specified was invalid.")
    if given.hex() != digest.md5:
        raise BadDigestError("The Content-MD5 you specified did not match what we received.")


def _check_form(algorithm: str, value: str) -> None:
    """Refuse what is no checksum of its kind."""
    size = _CRCS[algorithm][1] if algorithm in _CRCS else _HASHES[algorithm]().digest_size
    try:
        good = len(base64.b64decode(value, validate=True)) == size
    except binascii.Error:
        good = False
    if not good:
        raise InvalidRequestError(f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.")


def default_type(algorithm: str) -> str:
    """The type of a multipart upload's checksum where the caller names none."""
    return FULL if algorithm == CRC64 else COMPOSITE


def check_type(algorithm: str | None, kind: str | None) -> None:
    """Refuse a type that an algorithm does not have."""
    if kind is None:
        return
    if algorithm is None:
        raise InvalidRequestError(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
        )
    if (kind == COMPOSITE and algorithm == CRC64) or (kind == FULL and algorithm not in _CRCS):
        raise InvalidRequestError(
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        )


def of_parts(algorithm: str, *, composite: bool, parts: Sequence[tuple[str, int]]) -> Checksum:
    """The checksum of an object, of its parts' checksums (base64) and sizes."""
    raws = [(base64.b64decode(value), size) for value, size in parts]
    if composite:
        text = checksum(algorithm, b"".join(raw for raw, _ in raws))
        return Checksum(algorithm, f"{text}-{len(parts)}", composite=True)
    model = _crc(algorithm)
    value = int.from_bytes(raws[0][0], "big")
    for raw, size in raws[1:]:
        value = model.combine(value, int.from_bytes(raw, "big"), size)
    return Checksum(algorithm, base64.b64encode(value.to_bytes(_CRCS[algorithm][1], "big")).decode())


def etag_of_parts(etags: Sequence[str]) -> str:
    """The ETag of an object that was uploaded in parts: the MD5 of the parts' MD5s, and their number."""
    joined = b"".join(bytes.fromhex(etag) for etag in etags)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(etags)}"


def members(found: Checksum | None) -> dict[str, str]:
    """A checksum as members of a reply."""
    if found is None:
        return {}
    return {f"Checksum{found.algorithm}": found.value, "ChecksumType": COMPOSITE if found.composite else FULL}
