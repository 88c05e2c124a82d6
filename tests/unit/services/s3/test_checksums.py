"""Checksums and ETags, of wholes and of parts."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.s3 import _checksums as checksums

CHECK = b"123456789"


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [("CRC32", "cbf43926"), ("CRC32C", "e3069283"), ("CRC64NVME", "ae8b14860a799888")],
)
def test_check_values(algorithm: str, value: str) -> None:
    """Those of the catalogue of parametrised CRC algorithms."""
    assert base64.b64decode(checksums.checksum(algorithm, CHECK)).hex() == value


@given(st.lists(st.binary(max_size=40), max_size=5), st.sampled_from(checksums.ALGORITHMS))
def test_pieces_make_the_whole(pieces: list[bytes], algorithm: str) -> None:
    """Bytes that come one after the other have the checksum of all of them."""
    hasher = checksums.Hasher(algorithm)
    for piece in pieces:
        hasher.update(piece)
    assert hasher.text == checksums.checksum(algorithm, b"".join(pieces))


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]))
def test_a_full_checksum_is_that_of_the_whole(parts: list[bytes], algorithm: str) -> None:
    """Combined out of the parts', without their bytes."""
    pairs = [(checksums.checksum(algorithm, part), len(part)) for part in parts]
    found = checksums.of_parts(algorithm, composite=False, parts=pairs)
    assert found.value == checksums.checksum(algorithm, b"".join(parts))


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_composites_are_of_the_parts(parts: list[bytes]) -> None:
    """The checksum of the checksums, and the ETag the MD5 of the MD5s, each with the number of parts."""
    pairs = [(checksums.checksum("CRC32", part), len(part)) for part in parts]
    joined = b"".join(zlib.crc32(part).to_bytes(4, "big") for part in parts)
    text = base64.b64encode(zlib.crc32(joined).to_bytes(4, "big")).decode()
    assert checksums.of_parts("CRC32", composite=True, parts=pairs).value == f"{text}-{len(parts)}"
    md5s = [hashlib.md5(part).hexdigest() for part in parts]
    joined = b"".join(bytes.fromhex(md5) for md5 in md5s)
    assert checksums.etag_of_parts(md5s) == f"{hashlib.md5(joined).hexdigest()}-{len(parts)}"
