"""S3 over the wire: versions, copies, multipart uploads, tags, attributes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config as BotoConfig
from tests.services.test_s3 import LARGE, body, bucket, error, s3

__all__ = ["bucket", "s3"]

MIB = 1024 * 1024
FIRST = b"a" * (5 * MIB)


def versioned(s3: Any, bucket: str, status: str = "Enabled") -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


class TestVersions:
    """Versions and delete markers."""

    def test_nothing_is_replaced(self, s3: Any, bucket: str) -> None:
        """Every put adds a version; each can be read."""
        assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
        versioned(s3, bucket)
        one = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
        two = s3.put_object(Bucket=bucket, Key="k", Body=b"2")["VersionId"]
        assert body(s3.get_object(Bucket=bucket, Key="k", VersionId=one)) == b"1"
        current = s3.get_object(Bucket=bucket, Key="k")
        assert (body(current), current["VersionId"]) == (b"2", two)
        listed = s3.list_object_versions(Bucket=bucket)["Versions"]
        assert [(found["VersionId"], found["IsLatest"]) for found in listed] == [(two, True), (one, False)]

    def test_a_delete_is_a_marker(self, s3: Any, bucket: str) -> None:
        """The object is hidden; removing the marker brings it back, removing versions is for good."""
        versioned(s3, bucket)
        one = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
        gone = s3.delete_object(Bucket=bucket, Key="k")
        assert gone["DeleteMarker"] is True
        found = error(s3.get_object, Bucket=bucket, Key="k")
        assert (found["Code"], found["status"]) == ("NoSuchKey", 404)
        assert error(s3.get_object, Bucket=bucket, Key="k", VersionId=gone["VersionId"])["Code"] == "MethodNotAllowed"
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
        assert error(s3.delete_bucket, Bucket=bucket)["Message"].endswith("delete all versions in the bucket.")
        back = s3.delete_object(Bucket=bucket, Key="k", VersionId=gone["VersionId"])
        assert (back["DeleteMarker"], back["VersionId"]) == (True, gone["VersionId"])
        assert body(s3.get_object(Bucket=bucket, Key="k")) == b"1"
        s3.delete_object(Bucket=bucket, Key="k", VersionId=one)
        s3.delete_bucket(Bucket=bucket)

    def test_suspended(self, s3: Any, bucket: str) -> None:
        """The null version is replaced, the others stay."""
        s3.put_object(Bucket=bucket, Key="k", Body=b"null")
        versioned(s3, bucket)
        one = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
        versioned(s3, bucket, "Suspended")
        assert s3.put_object(Bucket=bucket, Key="k", Body=b"new")["VersionId"] == "null"
        listed = s3.list_object_versions(Bucket=bucket)["Versions"]
        assert [found["VersionId"] for found in listed] == ["null", one]
        assert body(s3.get_object(Bucket=bucket, Key="k", VersionId="null")) == b"new"
        assert s3.delete_object(Bucket=bucket, Key="k")["VersionId"] == "null"
        assert [found["VersionId"] for found in s3.list_object_versions(Bucket=bucket)["Versions"]] == [one]

    def test_bad_ids(self, s3: Any, bucket: str) -> None:
        """What cannot be an id is another error than what is not there."""
        s3.put_object(Bucket=bucket, Key="k", Body=b"")
        assert error(s3.get_object, Bucket=bucket, Key="k", VersionId="x")["Message"] == "Invalid version id specified"
        assert error(s3.get_object, Bucket=bucket, Key="k", VersionId="x" * 32)["Code"] == "NoSuchVersion"

    def test_pages(self, s3: Any, bucket: str) -> None:
        """Pages may end between two versions of a key."""
        versioned(s3, bucket)
        for key in ("a", "b", "b", "b", "c/1"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
        s3.delete_object(Bucket=bucket, Key="a")
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}
        )
        found = [
            (len(page.get("Versions", [])), len(page.get("DeleteMarkers", [])), len(page.get("CommonPrefixes", [])))
            for page in pages
        ]
        assert found == [(1, 1, 0), (2, 0, 0), (1, 0, 1)]

    def test_many_versions_are_deleted_at_once(self, s3: Any, bucket: str) -> None:
        """Versions and markers by their ids."""
        versioned(s3, bucket)
        version = s3.put_object(Bucket=bucket, Key="k", Body=b"")["VersionId"]
        marker = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})["Deleted"][0]
        assert marker["DeleteMarker"] is True
        reply = s3.delete_objects(
            Bucket=bucket,
            Delete={
                "Objects": [
                    {"Key": "k", "VersionId": version},
                    {"Key": "k", "VersionId": marker["DeleteMarkerVersionId"]},
                    {"Key": "k", "VersionId": "bad"},
                ]
            },
        )
        assert len(reply["Deleted"]) == 2
        assert reply["Errors"][0]["Code"] == "InvalidArgument"
        s3.delete_bucket(Bucket=bucket)


class TestCopies:
    """CopyObject."""

    @pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "small", "large"])
    def test_a_copy_stands_alone(self, s3: Any, bucket: str, data: bytes) -> None:
        """Bytes, metadata and tags are copied; the source may go."""
        put = s3.put_object(
            Bucket=bucket, Key="a ü", Body=data, Metadata={"m": "1"}, Tagging="t=1", ContentType="text/x"
        )
        reply = s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a ü"})
        assert reply["CopyObjectResult"]["ETag"] == put["ETag"]
        s3.delete_object(Bucket=bucket, Key="a ü")
        got = s3.get_object(Bucket=bucket, Key="b")
        assert (body(got), got["Metadata"], got["TagCount"], got["ContentType"]) == (data, {"m": "1"}, 1, "text/x")

    def test_replacing(self, s3: Any, bucket: str) -> None:
        """New metadata instead of the old; onto itself only with a change."""
        s3.put_object(Bucket=bucket, Key="k", Body=b"1", Metadata={"m": "1"})
        source = {"Bucket": bucket, "Key": "k"}
        assert "illegal" in error(s3.copy_object, Bucket=bucket, Key="k", CopySource=source)["Message"]
        s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"n": "2"})
        assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"n": "2"}

    def test_conditions_and_errors(self, s3: Any, bucket: str) -> None:
        """The source must be there and be as the caller says."""
        source = {"Bucket": bucket, "Key": "k"}
        assert error(s3.copy_object, Bucket=bucket, Key="b", CopySource=source)["Code"] == "NoSuchKey"
        etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
        found = error(s3.copy_object, Bucket=bucket, Key="b", CopySource=source, CopySourceIfNoneMatch=etag)
        assert (found["status"], found["Condition"]) == (412, "x-amz-copy-source-If-None-Match")


class TestMultipart:
    """Uploads in parts."""

    def test_a_file_in_parts(self, s3: Any, bucket: str) -> None:
        """boto3's own transfer: parts, a composite ETag and checksum, and the bytes back."""
        data = FIRST + b"b" * (MIB + 1)
        settings = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=2)
        s3.upload_fileobj(io.BytesIO(data), bucket, "k", Config=settings)
        head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        md5s = b"".join(hashlib.md5(part).digest() for part in (FIRST, data[len(FIRST) :]))
        assert head["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-2"'
        assert (head["ContentLength"], head["ChecksumType"]) == (len(data), "COMPOSITE")
        out = io.BytesIO()
        s3.download_fileobj(bucket, "k", out, Config=settings)
        assert out.getvalue() == data
        part = s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
        assert (part["PartsCount"], body(part)) == (2, data[len(FIRST) :])
        over = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={len(FIRST) - 1}-{len(FIRST)}")
        assert body(over) == b"ab"
        found = s3.get_object_attributes(
            Bucket=bucket, Key="k", ObjectAttributes=["ETag", "ObjectParts", "ObjectSize", "Checksum", "StorageClass"]
        )
        assert (found["ObjectSize"], found["ObjectParts"]["TotalPartsCount"]) == (len(data), 2)
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
        assert s3.head_object(Bucket=bucket, Key="c")["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'

    def test_a_full_checksum_is_combined(self, aws: Callable[..., Any], bucket: str) -> None:
        """An upload that asks for no checksum gets CRC64NVME of all its bytes, as if they had been put at once."""
        plain = aws("s3", config=BotoConfig(request_checksum_calculation="when_required"))
        upload = plain.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        here = {"Bucket": bucket, "Key": "k", "UploadId": upload}
        parts = [
            {"PartNumber": number, "ETag": plain.upload_part(**here, PartNumber=number, Body=data)["ETag"]}
            for number, data in ((3, FIRST), (7, b"end"))
        ]
        done = plain.complete_multipart_upload(**here, MultipartUpload={"Parts": parts})
        whole = plain.put_object(Bucket=bucket, Key="whole", Body=FIRST + b"end")
        assert (done["ChecksumCRC64NVME"], done["ChecksumType"]) == (whole["ChecksumCRC64NVME"], "FULL_OBJECT")
        assert body(plain.get_object(Bucket=bucket, Key="k")) == FIRST + b"end"

    def test_what_completes_no_upload(self, aws: Callable[..., Any], bucket: str) -> None:
        """Parts that are missing, out of order or too small."""
        plain = aws("s3", config=BotoConfig(request_checksum_calculation="when_required"))
        upload = plain.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        here = {"Bucket": bucket, "Key": "k", "UploadId": upload}
        one, two = (plain.upload_part(**here, PartNumber=n, Body=b"x")["ETag"] for n in (1, 2))
        complete = plain.complete_multipart_upload

        def code(*parts: tuple[int, str]) -> Any:
            named = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
            return error(complete, **here, MultipartUpload={"Parts": named})["Code"]

        assert code((1, one), (2, two)) == "EntityTooSmall"
        assert code((2, two), (1, one)) == "InvalidPartOrder"
        assert code((1, '"no"')) == "InvalidPart"
        assert code((3, one)) == "InvalidPart"
        assert code() == "MalformedXML"
        assert error(plain.upload_part, **here, PartNumber=10_001, Body=b"")["Code"] == "InvalidArgument"
        listed = plain.list_parts(**here, MaxParts=1)
        assert (listed["Parts"][0]["ETag"], listed["IsTruncated"], listed["NextPartNumberMarker"]) == (one, True, 1)
        (under_way,) = plain.list_multipart_uploads(Bucket=bucket)["Uploads"]
        assert under_way["UploadId"] == upload
        plain.abort_multipart_upload(**here)
        assert error(plain.list_parts, **here)["Code"] == "NoSuchUpload"
        assert "Uploads" not in plain.list_multipart_uploads(Bucket=bucket)

    def test_a_composite_checksum_wants_those_of_its_parts(self, s3: Any, bucket: str) -> None:
        """The request to complete repeats them."""
        upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
        here = {"Bucket": bucket, "Key": "k", "UploadId": upload}
        part = s3.upload_part(**here, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
        bare = {"PartNumber": 1, "ETag": part["ETag"]}
        found = error(s3.complete_multipart_upload, **here, MultipartUpload={"Parts": [bare]})
        assert "It was missing for part 1 in the request." in found["Message"]
        whole = {**bare, "ChecksumSHA256": part["ChecksumSHA256"]}
        done = s3.complete_multipart_upload(**here, MultipartUpload={"Parts": [whole]})
        assert (done["ChecksumSHA256"].endswith("-1"), done["ChecksumType"]) == (True, "COMPOSITE")

    def test_parts_from_an_object(self, aws: Callable[..., Any], bucket: str) -> None:
        """A range of another object as a part."""
        plain = aws("s3", config=BotoConfig(request_checksum_calculation="when_required"))
        plain.put_object(Bucket=bucket, Key="from", Body=b"0123456789")
        upload = plain.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
        here = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1}
        source = {"CopySource": f"{bucket}/from"}
        assert (
            error(plain.upload_part_copy, **here, **source, CopySourceRange="bytes=5-20")["Code"] == "InvalidArgument"
        )
        part = plain.upload_part_copy(**here, **source, CopySourceRange="bytes=5-7")["CopyPartResult"]
        here.pop("PartNumber")
        named = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        plain.complete_multipart_upload(**here, MultipartUpload=named)
        assert body(plain.get_object(Bucket=bucket, Key="k")) == b"567"


class TestTags:
    """Tags of objects and buckets."""

    def test_of_objects(self, s3: Any, bucket: str) -> None:
        """Put with the object, replaced, removed."""
        s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=1&b=x%20y")
        here = {"Bucket": bucket, "Key": "k"}
        tags = s3.get_object_tagging(**here)["TagSet"]
        assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "x y"}]
        s3.put_object_tagging(**here, Tagging={"TagSet": [{"Key": "c", "Value": ""}]})
        assert s3.get_object_tagging(**here)["TagSet"] == [{"Key": "c", "Value": ""}]
        s3.delete_object_tagging(**here)
        assert s3.get_object_tagging(**here)["TagSet"] == []
        many = [{"Key": str(n), "Value": ""} for n in range(11)]
        assert error(s3.put_object_tagging, **here, Tagging={"TagSet": many})["Code"] == "BadRequest"
        own = {"TagSet": [{"Key": "aws:x", "Value": ""}]}
        assert error(s3.put_object_tagging, **here, Tagging=own)["Code"] == "InvalidTag"

    def test_of_buckets(self, s3: Any, bucket: str) -> None:
        """None is an error of its own."""
        assert error(s3.get_bucket_tagging, Bucket=bucket)["Code"] == "NoSuchTagSet"
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
        assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "1"}]
        s3.delete_bucket_tagging(Bucket=bucket)


class TestSettings:
    """What a bucket is configured with."""

    def test_a_new_bucket(self, s3: Any, bucket: str) -> None:
        """Private, its owner's, encrypted, and nothing else."""
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert all(block.values())
        rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        for ask, code in (
            (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
            (s3.get_bucket_policy, "NoSuchBucketPolicy"),
            (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
            (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        ):
            assert error(ask, Bucket=bucket)["Code"] == code
        assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"

    def test_policies(self, s3: Any, bucket: str) -> None:
        """Public ones only where they are not blocked."""
        policy = (
            '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",'
            f'"Resource":"arn:aws:s3:::{bucket}/*"}}]}}'
        )
        assert error(s3.put_bucket_policy, Bucket=bucket, Policy=policy)["Code"] == "AccessDenied"
        s3.delete_public_access_block(Bucket=bucket)
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
        assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
        other = policy.replace(bucket, "other")
        assert error(s3.put_bucket_policy, Bucket=bucket, Policy=other)["Message"] == "Policy has invalid resource"
        assert error(s3.put_bucket_policy, Bucket=bucket, Policy="[]")["Code"] == "MalformedPolicy"

    def test_cors(self, s3: Any, bucket: str) -> None:
        """Stored as it is; bad methods are named."""
        rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["http://*.example.com"], "MaxAgeSeconds": 5}
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
        assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
        bad = {"CORSRules": [{**rule, "AllowedMethods": ["PATCH"]}]}
        assert error(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration=bad)["Message"].endswith("is PATCH")
