"""SIGKILL and S3: what was acknowledged is there, what was not is not, and no file is left of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError
from tests.conftest import ServerProcess

SMALL = b"small"
LARGE = bytes(range(256)) * 4096
PART = b"p" * (5 * 1024 * 1024)


def files(server: ServerProcess) -> set[Path]:
    return set((server.data / "objects").glob("??/*"))


def until(server: ServerProcess, count: int) -> None:
    """Files go behind the answers, and by a sweep that runs beside the first requests."""
    pause = threading.Event()
    while len(files(server)) != count:
        pause.wait(0.02)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_objects_outlive_a_kill(new_server: Callable[..., ServerProcess]) -> None:
    """Objects, versions, the parts of an upload and a configuration; then a kill between a file and its row."""
    server = new_server()
    s3 = server.client("s3")
    s3.create_bucket(Bucket="bkt")
    s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="bkt", Key="small", Body=SMALL)
    old = s3.put_object(Bucket="bkt", Key="large", Body=LARGE)["VersionId"]
    s3.put_object(Bucket="bkt", Key="large", Body=LARGE[::-1])
    upload = {"Bucket": "bkt", "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=PART)
    gone = s3.put_object(Bucket="bkt", Key="gone", Body=LARGE)["VersionId"]
    s3.delete_object(Bucket="bkt", Key="gone", VersionId=gone)
    until(server, 3)  # the deleted version's file goes behind the answer
    server.kill()
    server.environment["FOGBANK_FAULT"] = "s3.after-file:1"
    server.start()
    before = files(server)
    assert len(before) == 3, "two versions and a part"
    with pytest.raises(BotoCoreError):
        server.client("s3").put_object(Bucket="bkt", Key="never", Body=LARGE)
    assert server.process is not None
    assert server.process.wait(timeout=60) == -signal.SIGKILL
    server.kill()
    assert len(files(server)) == len(before) + 1, "a file without a row"
    server.environment.clear()
    server.start()
    until(server, 3)
    assert files(server) == before
    s3 = server.client("s3")
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="bkt")["Contents"]] == ["large", "small"]
    assert s3.get_object(Bucket="bkt", Key="small")["Body"].read() == SMALL
    assert s3.get_object(Bucket="bkt", Key="large")["Body"].read() == LARGE[::-1]
    assert s3.get_object(Bucket="bkt", Key="large", VersionId=old)["Body"].read() == LARGE
    named = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]}
    s3.complete_multipart_upload(**upload, MultipartUpload=named)
    assert s3.get_object(Bucket="bkt", Key="parts")["Body"].read() == PART
