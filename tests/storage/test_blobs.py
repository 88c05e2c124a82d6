"""Blobs are whole or absent, named by their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fogbank.storage import BlobNotFoundError, Blobs


async def test_a_blob_is_found_by_its_digest(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = await blobs.put(b"hello")
    assert digest == hashlib.sha256(b"hello").hexdigest()
    assert await blobs.get(digest) == b"hello"
    assert await blobs.put(b"hello") == digest


async def test_a_missing_or_malformed_digest_is_refused(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    with pytest.raises(BlobNotFoundError):
        await blobs.get("0" * 64)
    with pytest.raises(BlobNotFoundError):
        await blobs.get("../../etc/passwd")


async def test_a_deleted_blob_is_gone_and_deleting_again_is_no_error(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = await blobs.put(b"x")
    await blobs.delete(digest)
    await blobs.delete(digest)
    with pytest.raises(BlobNotFoundError):
        await blobs.get(digest)


async def test_what_a_crash_left_half_written_is_removed(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = await blobs.put(b"whole")
    half = blobs.path(digest).parent / ".tmp-1-0"
    half.write_bytes(b"hal")
    again = Blobs(tmp_path)
    assert not half.exists()
    assert await again.get(digest) == b"whole"
