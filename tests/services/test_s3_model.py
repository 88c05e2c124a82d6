"""Versions against a reference: whatever is put, deleted and turned on and off, the same versions are there."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.s3 import S3
from fogbank.storage import SqliteStorage, Tx

KEYS = st.sampled_from(["a", "b"])
SMALL, LARGE = b"s", b"L" * 100_000
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.sampled_from([SMALL, LARGE])),
        st.tuples(st.just("delete"), KEYS, st.none()),
        st.tuples(st.just("remove"), KEYS, st.integers(0, 3)),
        st.tuples(st.just("copy"), KEYS, st.none()),
        st.tuples(st.just("turn"), st.just(""), st.sampled_from(["Enabled", "Suspended"])),
    ),
    max_size=14,
)
Entry = tuple[str, bytes | None]
"""A version's id and its bytes; a delete marker has none."""


@dataclass
class Reference:
    """What should be there: of each key the newest first."""

    status: str = ""
    versions: dict[str, list[Entry]] = field(default_factory=dict)

    def add(self, key: str, version: str, data: bytes | None) -> None:
        """Put a version on top; the null version is there once."""
        found = self.versions.setdefault(key, [])
        if version == "null":
            found[:] = [entry for entry in found if entry[0] != "null"]
        found.insert(0, (version, data))

    def delete(self, key: str, marker: str | None) -> None:
        """Delete without a version's id."""
        if self.status:
            assert marker is not None
            self.add(key, marker, None)
        else:
            self.versions[key] = []

    def listed(self) -> list[Any]:
        """What a listing of versions shows."""
        return [(key, *entry) for key in sorted(self.versions) for entry in self.versions[key]]


async def run(steps: list[Any], folder: Path) -> None:
    """Take the steps on both, and compare."""
    clock = VirtualClock()
    config = Config(data=folder, port=0, telemetry=False)
    storage = SqliteStorage(config.data, clock, inline_commit=True)
    cloud = LocalCloud(config, clock, Ids(seed=1), storage, services={"s3": S3})
    await cloud.start()
    reference = Reference()

    async def s3(operation: str, **request: Any) -> Any:
        return await cloud.call(Scope(), "s3", operation, {"Bucket": "bkt", **request})

    await s3("CreateBucket")
    for step in steps:
        await take(step, s3, reference)
    await compare(s3, reference)
    pieces = await storage.read(count_pieces)
    await cloud.stop()
    data = [entry[1] for entries in reference.versions.values() for entry in entries if entry[1] is not None]
    assert pieces == len(data), "a piece without a version, or a version without its piece"
    assert len(list((folder / "objects").glob("??/*"))) == data.count(LARGE)


async def take(step: Any, s3: Any, reference: Reference) -> None:
    """One step on both."""
    name, key, value = step
    if name == "turn":
        reference.status = value
        await s3("PutBucketVersioning", VersioningConfiguration={"Status": value})
    elif name == "put":
        reply = await s3("PutObject", Key=key, Body=value)
        reference.add(key, reply["VersionId"] or "null", value)
    elif name == "delete":
        reference.delete(key, (await s3("DeleteObject", Key=key))["VersionId"])
    elif name == "remove":
        entries = reference.versions.get(key, [])
        if value < len(entries):
            await s3("DeleteObject", Key=key, VersionId=entries.pop(value)[0])
    else:
        entries = reference.versions.get(key, [])
        if entries and entries[0][1] is not None:
            other = "b" if key == "a" else "a"
            reply = await s3("CopyObject", Key=other, CopySource=f"bkt/{key}")
            reference.add(other, reply["VersionId"] or "null", entries[0][1])


async def compare(s3: Any, reference: Reference) -> None:
    """Every version can be read; the newest is the current one."""
    reply = await s3("ListObjectVersions")
    shown = [(found["Key"], found["VersionId"]) for found in reply["Versions"] + reply["DeleteMarkers"]]
    assert sorted(shown) == sorted((key, version) for key, version, _ in reference.listed())
    for key, version, data in reference.listed():
        if data is not None:
            assert await whole((await s3("GetObject", Key=key, VersionId=version))["Body"]) == data
    for key in ("a", "b"):
        entries = reference.versions.get(key, [])
        if entries and entries[0][1] is not None:
            assert await whole((await s3("GetObject", Key=key))["Body"]) == entries[0][1]
        else:
            with pytest.raises(ApiError, match="does not exist"):
                await s3("GetObject", Key=key)


async def whole(body: Any) -> bytes:
    """The bytes of a body."""
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])


async def count_pieces(tx: Tx) -> int:
    """How many pieces are kept."""
    row = await tx.fetch_one("SELECT COUNT(*) FROM s3_pieces")
    assert row is not None
    return int(row[0])


@settings(max_examples=20)
@given(STEPS)
def test_versions_are_those_of_the_reference(steps: list[Any]) -> None:
    """And no byte is kept that no version has."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(steps, Path(folder)))
