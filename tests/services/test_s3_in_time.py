"""What S3 does as time passes, in virtual time: lifecycle rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.s3 import S3
from fogbank.storage import SqliteStorage

SCOPE = Scope()
DAY = 86_400
LARGE = b"x" * 200_000


class LeapingClock(VirtualClock):
    """Leaps, as a server's clock does that is moved: whoever waits for a moment on the way wakes late."""

    async def advance(self, seconds: float) -> None:
        self._now += seconds
        await super().advance(0)


class Bucket:
    """A bucket of a cloud in virtual time."""

    def __init__(self, cloud: LocalCloud, clock: VirtualClock) -> None:
        self._cloud = cloud
        self._clock = clock

    async def __call__(self, operation: str, **request: Any) -> Any:
        """Make a call about it."""
        return await self._cloud.call(SCOPE, "s3", operation, {"Bucket": "bkt", **request})

    async def rules(self, *rules: dict[str, Any]) -> None:
        """Give it lifecycle rules."""
        documents = [{"Status": "Enabled", "Filter": {"Prefix": ""}, **rule} for rule in rules]
        await self("PutBucketLifecycleConfiguration", LifecycleConfiguration={"Rules": documents})

    async def pass_days(self, days: int) -> None:
        """Let days pass, one by one."""
        for _ in range(days):
            await self._clock.advance(DAY)
            await self._cloud.storage.transact(nothing)  # behind what the night does

    async def keys(self) -> list[str]:
        """The keys that are there."""
        return [found["Key"] for found in (await self("ListObjectsV2"))["Contents"]]


async def nothing(_tx: Any) -> None:
    """A transaction."""


@pytest_asyncio.fixture
async def bucket(tmp_path: Path) -> AsyncIterator[Bucket]:
    """A bucket of a cloud that has nothing but S3, and leaps from day to day."""
    clock = LeapingClock()
    config = Config(data=tmp_path / "data", port=0, telemetry=False)
    storage = SqliteStorage(config.data, clock, inline_commit=True)
    cloud = LocalCloud(config, clock, Ids(seed=1), storage, services={"s3": S3})
    await cloud.start()
    found = Bucket(cloud, clock)
    await found("CreateBucket")
    yield found
    await cloud.stop()


@pytest.mark.asyncio
async def test_objects_expire_at_a_midnight(bucket: Bucket) -> None:
    """Those that the filter is about, when their days are over; and they say so before."""
    await bucket.rules({"ID": "old logs", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 2}})
    put = await bucket("PutObject", Key="logs/a", Body=b"")
    await bucket("PutObject", Key="kept", Body=b"")
    assert put["Expiration"].startswith('expiry-date="')
    assert put["Expiration"].endswith('GMT", rule-id="old%20logs"')
    assert (await bucket("HeadObject", Key="kept"))["Expiration"] is None
    await bucket.pass_days(1)
    assert await bucket.keys() == ["kept", "logs/a"]
    await bucket.pass_days(2)
    assert await bucket.keys() == ["kept"]


@pytest.mark.asyncio
async def test_versions_expire_in_two_steps(bucket: Bucket) -> None:
    """The current one goes below a marker, noncurrent ones for good, and a marker that hides nothing with them."""
    await bucket("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})
    noncurrent = {"NoncurrentDays": 3, "NewerNoncurrentVersions": 1}
    await bucket.rules({"Expiration": {"Days": 1}, "NoncurrentVersionExpiration": noncurrent})
    for number in range(3):
        await bucket("PutObject", Key="k", Body=b"%d" % number)
    await bucket.pass_days(2)
    listed = await bucket("ListObjectVersions")
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (3, 1)
    await bucket.pass_days(4)
    assert len((await bucket("ListObjectVersions"))["Versions"]) == 1, "one noncurrent version is kept"
    await bucket.rules({"Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}})
    await bucket.pass_days(2)
    listed = await bucket("ListObjectVersions")
    assert (listed["Versions"], listed["DeleteMarkers"]) == ([], [])
    await bucket("DeleteBucket")


@pytest.mark.asyncio
async def test_objects_grow_cold(bucket: Bucket) -> None:
    """Small ones stay; what lies in an archive cannot be read."""
    await bucket.rules(
        {"Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 60, "StorageClass": "GLACIER"}]}
    )
    await bucket("PutObject", Key="large", Body=LARGE)
    await bucket("PutObject", Key="small", Body=b"")
    await bucket.pass_days(31)
    assert (await bucket("HeadObject", Key="large"))["StorageClass"] == "STANDARD_IA"
    await bucket.pass_days(30)
    assert [found["StorageClass"] for found in (await bucket("ListObjectsV2"))["Contents"]] == ["GLACIER", "STANDARD"]
    with pytest.raises(ApiError, match="not valid for the object's storage class"):
        await bucket("GetObject", Key="large")


@pytest.mark.asyncio
async def test_uploads_are_given_up(bucket: Bucket) -> None:
    """With the bytes of their parts."""
    await bucket.rules({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}})
    upload = (await bucket("CreateMultipartUpload", Key="k"))["UploadId"]
    await bucket("UploadPart", Key="k", UploadId=upload, PartNumber=1, Body=LARGE)
    await bucket.pass_days(2)
    assert (await bucket("ListMultipartUploads"))["Uploads"] == []


@pytest.mark.asyncio
async def test_removed_and_disabled_rules_do_nothing(bucket: Bucket) -> None:
    """And an object that expired is told of."""
    await bucket.rules({"Expiration": {"Days": 1}, "Status": "Disabled"})
    await bucket("PutObject", Key="k", Body=b"")
    await bucket.pass_days(3)
    await bucket.rules({"Expiration": {"Days": 1}})
    await bucket("DeleteBucketLifecycle")
    await bucket.pass_days(3)
    assert await bucket.keys() == ["k"]
    with pytest.raises(ApiError, match="does not exist"):
        await bucket("GetBucketLifecycleConfiguration")


@pytest.mark.asyncio
async def test_bodies_within(bucket: Bucket) -> None:
    """A call from inside gets bytes of a small object, and a stream of a large one; it may put a stream."""

    async def stream() -> Any:
        for _ in range(3):
            yield LARGE

    assert (await bucket("PutObject", Key="small", Body=b"abc"))["ETag"]
    await bucket("PutObject", Key="large", Body=stream())
    assert (await bucket("GetObject", Key="small"))["Body"] == b"abc"
    body = (await bucket("GetObject", Key="large"))["Body"]
    await bucket("DeleteObject", Key="large")
    assert b"".join([piece async for piece in body]) == LARGE * 3, "what was opened is read to its end"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({}, "At least one action"),
        ({"Expiration": {"Days": 0}}, "'Days' for Expiration action must be a positive integer"),
        ({"Expiration": {"Date": 5}}, "midnight GMT"),
        ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "did not validate"),
        ({"Expiration": {"Days": 1}, "Prefix": "a"}, "did not validate"),
        ({"Transitions": [{"Days": 3, "StorageClass": "STANDARD_IA"}]}, "greater than or equal to 30"),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 0}}, "positive integer"),
    ],
)
async def test_bad_rules(bucket: Bucket, rule: dict[str, Any], text: str) -> None:
    """What S3 does not take."""
    with pytest.raises(ApiError, match=text):
        await bucket.rules(rule)
