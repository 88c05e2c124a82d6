"""S3 over the wire: buckets and objects."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from fogbank.cli.connection import Connection
from fogbank.cli.options import Options
from fogbank.cli.standing import standing

LARGE = bytes(range(256)) * 1024
"""A body of 256 KiB, which is a file on disk."""


@pytest.fixture
def s3(aws: Callable[..., Any]) -> Any:
    """A client."""
    return aws("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket."""
    s3.create_bucket(Bucket="bucket-1")
    return "bucket-1"


def error(call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    found: Any = caught.value.response["Error"]
    return {**found, "status": caught.value.response["ResponseMetadata"]["HTTPStatusCode"]}


def body(reply: Any) -> bytes:
    data: bytes = reply["Body"].read()
    return data


class TestBuckets:
    """Buckets themselves."""

    def test_in_us_east_1_a_name_may_be_repeated_by_its_owner(self, s3: Any, bucket: str) -> None:
        """The second request is answered as the first was."""
        assert s3.create_bucket(Bucket=bucket)["Location"] == f"/{bucket}"

    def test_elsewhere_it_may_not(self, aws: Callable[..., Any]) -> None:
        """A bucket of another region names it; a repetition is a conflict."""
        there = aws("s3", region_name="eu-west-1")
        where = {"LocationConstraint": "eu-west-1"}
        there.create_bucket(Bucket="b-eu", CreateBucketConfiguration=where)
        found = error(there.create_bucket, Bucket="b-eu", CreateBucketConfiguration=where)
        assert (found["Code"], found["status"], found["BucketName"]) == ("BucketAlreadyOwnedByYou", 409, "b-eu")
        assert there.get_bucket_location(Bucket="b-eu")["LocationConstraint"] == "eu-west-1"
        assert there.head_bucket(Bucket="b-eu")["BucketRegion"] == "eu-west-1"
        assert error(there.create_bucket, Bucket="b-no")["Code"] == "IllegalLocationConstraintException"

    def test_names_are_everybodys(self, aws: Callable[..., Any], bucket: str) -> None:
        """Another account can neither take a bucket's name nor use it."""
        other = aws("s3", aws_access_key_id="111111111111")
        assert error(other.create_bucket, Bucket=bucket)["Code"] == "BucketAlreadyExists"
        assert error(other.list_objects_v2, Bucket=bucket)["Code"] == "AccessDenied"
        assert other.list_buckets()["Buckets"] == []

    @pytest.mark.parametrize("name", ["ab", "A-b", "a..b", "192.168.5.4", "xn--abc", "a" * 64, "abc-", "abc-s3alias"])
    def test_names_have_rules(self, aws: Callable[..., Any], name: str) -> None:
        """What cannot be a host's name cannot be a bucket's."""
        lenient = aws("s3", config=BotoConfig(parameter_validation=False, s3={"addressing_style": "path"}))
        assert error(lenient.create_bucket, Bucket=name)["Code"] == "InvalidBucketName"

    def test_only_empty_buckets_go(self, s3: Any, bucket: str) -> None:
        """Objects keep a bucket."""
        s3.put_object(Bucket=bucket, Key="k", Body=b"")
        assert error(s3.delete_bucket, Bucket=bucket)["Code"] == "BucketNotEmpty"
        s3.delete_object(Bucket=bucket, Key="k")
        s3.delete_bucket(Bucket=bucket)
        assert error(s3.head_bucket, Bucket=bucket)["status"] == 404

    def test_listings_have_pages(self, s3: Any) -> None:
        """Buckets by name, with a prefix, page by page."""
        for name in ("aa-1", "aa-2", "bb-1"):
            s3.create_bucket(Bucket=name)
        assert [found["Name"] for found in s3.list_buckets()["Buckets"]] == ["aa-1", "aa-2", "bb-1"]
        first = s3.list_buckets(MaxBuckets=1, Prefix="aa")
        rest = s3.list_buckets(Prefix="aa", ContinuationToken=first["ContinuationToken"])
        assert [found["Name"] for found in first["Buckets"] + rest["Buckets"]] == ["aa-1", "aa-2"]


class TestObjects:
    """Put, get, head, delete."""

    @pytest.mark.parametrize("data", [b"", b"hello", LARGE], ids=["empty", "small", "large"])
    def test_what_is_put_is_got(self, s3: Any, bucket: str, data: bytes) -> None:
        """Bodies, their length and their ETag, small as rows and large as files."""
        put = s3.put_object(Bucket=bucket, Key="a/ü b.txt", Body=data, ContentType="text/plain", Metadata={"x": "y"})
        got = s3.get_object(Bucket=bucket, Key="a/ü b.txt", ChecksumMode="ENABLED")
        assert body(got) == data
        assert (got["ETag"], got["ContentLength"], got["ContentType"]) == (put["ETag"], len(data), "text/plain")
        assert (got["Metadata"], got["ServerSideEncryption"]) == ({"x": "y"}, "AES256")
        assert got["ChecksumCRC32"] == put["ChecksumCRC32"]
        head = s3.head_object(Bucket=bucket, Key="a/ü b.txt")
        assert (head["ContentLength"], head["ETag"]) == (len(data), put["ETag"])

    @pytest.mark.parametrize(
        "key",
        ["a//b", "/lead", "end/", "日本", "pl+us", "per%25cent", "q?m=1&n", "h#ash", "a b", "c;d:e,f", "'\"<&>", "~*"],
    )
    def test_keys_are_any_text(self, s3: Any, bucket: str, key: str) -> None:
        """Nothing in a key means anything but itself."""
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert body(s3.get_object(Bucket=bucket, Key=key)) == key.encode()
        assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": "copy"}]})
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    def test_answers_say_what_the_caller_wants(self, s3: Any, bucket: str) -> None:
        """Headers of an answer may be replaced."""
        s3.put_object(Bucket=bucket, Key="k", Body=b"", ContentType="text/x", Expires=datetime(2030, 1, 1, tzinfo=UTC))
        assert s3.head_object(Bucket=bucket, Key="k")["ExpiresString"] == "Tue, 01 Jan 2030 00:00:00 GMT"
        wanted = {"ResponseContentType": "a/b", "ResponseExpires": datetime(2031, 1, 1, tzinfo=UTC)}
        got = s3.get_object(Bucket=bucket, Key="k", ResponseContentDisposition="attachment", **wanted)
        assert (got["ContentType"], got["ContentDisposition"]) == ("a/b", "attachment")
        assert got["ExpiresString"] == "Wed, 01 Jan 2031 00:00:00 GMT"

    def test_what_is_not_there(self, s3: Any, bucket: str) -> None:
        """Errors name the key or the bucket."""
        found = error(s3.get_object, Bucket=bucket, Key="none")
        assert (found["Code"], found["Key"], found["status"]) == ("NoSuchKey", "none", 404)
        assert error(s3.head_object, Bucket=bucket, Key="none")["Code"] == "404"
        assert error(s3.get_object, Bucket="not-there", Key="k")["BucketName"] == "not-there"
        s3.delete_object(Bucket=bucket, Key="none")

    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [("bytes=0-0", 0, 1), ("bytes=100-", 100, len(LARGE)), ("bytes=-7", len(LARGE) - 7, len(LARGE))],
    )
    def test_ranges(self, s3: Any, bucket: str, asked: str, start: int, end: int) -> None:
        """A part of an object is answered 206 with its place."""
        s3.put_object(Bucket=bucket, Key="k", Body=LARGE)
        got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["ContentRange"] == f"bytes {start}-{end - 1}/{len(LARGE)}"
        assert body(got) == LARGE[start:end]

    def test_ranges_past_the_end(self, s3: Any, bucket: str) -> None:
        """No byte of it is there."""
        s3.put_object(Bucket=bucket, Key="k", Body=b"abc")
        found = error(s3.get_object, Bucket=bucket, Key="k", Range="bytes=3-")
        assert (found["Code"], found["status"], found["ActualObjectSize"]) == ("InvalidRange", 416, "3")

    def test_conditions(self, s3: Any, bucket: str) -> None:
        """Reads and writes on what is, or is not, as the caller says."""
        etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
        assert error(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")["status"] == 412
        assert error(s3.get_object, Bucket=bucket, Key="k", IfMatch='"no"')["Condition"] == "If-Match"
        assert error(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag)["status"] == 304
        s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
        assert error(s3.put_object, Bucket=bucket, Key="k", Body=b"4", IfMatch=etag)["status"] == 412
        assert error(s3.put_object, Bucket=bucket, Key="new", Body=b"4", IfMatch=etag)["Code"] == "NoSuchKey"
        assert body(s3.get_object(Bucket=bucket, Key="k")) == b"3"

    @pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
    def test_checksums_are_compared(self, s3: Any, bucket: str, algorithm: str) -> None:
        """A body that is not what its checksum says is refused and not stored."""
        s3.put_object(Bucket=bucket, Key="k", Body=b"abc", ChecksumAlgorithm=algorithm)
        got = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        value = got[f"Checksum{algorithm}"]
        found = error(s3.put_object, Bucket=bucket, Key="k2", Body=b"abd", **{f"Checksum{algorithm}": value})
        assert (found["Code"], found["status"]) == ("BadDigest", 400)
        assert error(s3.head_object, Bucket=bucket, Key="k2")["status"] == 404

    def test_without_a_checksum_s3_computes_one(self, aws: Callable[..., Any], bucket: str) -> None:
        """CRC64NVME, of the whole object."""
        plain = aws("s3", config=BotoConfig(request_checksum_calculation="when_required"))
        put = plain.put_object(Bucket=bucket, Key="k", Body=b"123456789")
        assert (put["ChecksumCRC64NVME"], put["ChecksumType"]) == ("rosUhgp5mIg=", "FULL_OBJECT")

    def test_many_are_deleted_at_once(self, s3: Any, bucket: str) -> None:
        """Those that are not there are deleted too."""
        s3.put_object(Bucket=bucket, Key="k", Body=b"")
        reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}, {"Key": "none"}]})
        assert [found["Key"] for found in reply["Deleted"]] == ["k", "none"]
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    def test_what_is_not_here_is_refused_by_name(self, s3: Any, bucket: str) -> None:
        """No parameter is ignored."""
        refused = {"SSEKMSKeyId": "k", "ServerSideEncryption": "aws:kms"}
        for name, value in refused.items():
            found = error(s3.put_object, Bucket=bucket, Key="k", Body=b"", **{name: value})
            assert (found["Code"], name in found["Message"]) == ("NotImplemented", True)
        assert (
            error(s3.put_object, Bucket=bucket, Key="k", ACL="public-read")["Code"] == "AccessControlListNotSupported"
        )
        found = error(s3.put_object, Bucket=bucket, Key="k", StorageClass="OUTPOSTS")
        assert (found["Code"], found["StorageClassRequested"]) == ("InvalidStorageClass", "OUTPOSTS")
        assert error(s3.get_object_torrent, Bucket=bucket, Key="k")["Code"] == "NotImplemented"

    def test_a_request_has_its_limit(self, s3: Any, bucket: str, server: Any) -> None:
        """What one request cannot hold is refused before it is read, in S3's form."""
        host, port = server.endpoint.removeprefix("http://").split(":")
        scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        connection = http.client.HTTPConnection(host, int(port), timeout=20)
        connection.putrequest("PUT", f"/{bucket}/k")
        connection.putheader("authorization", scope)
        connection.putheader("content-length", str(2**40))
        connection.endheaders()
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 400
        assert b"<Code>EntityTooLarge</Code>" in text
        assert b"<MaxSizeAllowed>104857600</MaxSizeAllowed>" in text

    def test_what_lies_there_is_billed(self, s3: Any, bucket: str, server: Any) -> None:
        """By what its storage class costs; requests by their kind."""
        s3.put_object(Bucket=bucket, Key="a", Body=LARGE)
        s3.put_object(Bucket=bucket, Key="b", Body=LARGE, StorageClass="STANDARD_IA")
        lines = {line.unit: line.quantity for line in standing(Connection(Options(endpoint=server.endpoint)))}
        assert lines["s3.stored-gb-hours"] == lines["s3.infrequent-gb-hours"] == len(LARGE) / 2**30


class TestPages:
    """Pages of browsers, and a bucket's CORS rules."""

    @pytest.fixture
    def ruled(self, s3: Any, bucket: str) -> str:
        """A bucket that lets one origin put and get."""
        rule = {
            "AllowedMethods": ["GET", "PUT"],
            "AllowedOrigins": ["http://localhost:3*"],
            "AllowedHeaders": ["x-amz-*"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 60,
        }
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
        return bucket

    def ask(self, url: str, method: str, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return urllib.request.urlopen(urllib.request.Request(url, method=method, headers=named))

    def test_browsers_ask_first(self, server: Any, ruled: str) -> None:
        """And are told what the rule allows, or that none does."""
        url = f"{server.endpoint}/{ruled}/k"
        asked = {"access_control_request_method": "PUT", "access_control_request_headers": "X-Amz-Date"}
        with self.ask(url, "OPTIONS", origin="http://localhost:3000", **asked) as answer:
            assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
            assert answer.headers["access-control-allow-headers"] == "x-amz-date"
            assert answer.headers["access-control-max-age"] == "60"
        for origin, method in (("http://localhost:4000", "PUT"), ("http://localhost:3000", "DELETE")):
            with pytest.raises(urllib.error.HTTPError) as caught:
                self.ask(url, "OPTIONS", origin=origin, **{**asked, "access_control_request_method": method})
            assert b"<Code>AccessForbidden</Code>" in caught.value.read()
            caught.value.close()

    def test_answers_are_for_whom_a_rule_names(self, s3: Any, ruled: str) -> None:
        """Others get them without the headers that a browser looks for."""
        s3.put_object(Bucket=ruled, Key="k", Body=b"x")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": ruled, "Key": "k"})
        with self.ask(url, "GET", origin="http://localhost:3000") as answer:
            assert answer.headers["access-control-expose-headers"] == "ETag"
        with self.ask(url, "GET", origin="http://localhost:4000") as answer:
            assert answer.headers["access-control-allow-origin"] is None

    def test_without_rules_the_server_decides(self, s3: Any, server: Any, bucket: str) -> None:
        """Pages of this machine may."""
        asked = {"access_control_request_method": "PUT", "origin": "http://localhost:4000"}
        with self.ask(f"{server.endpoint}/{bucket}/k", "OPTIONS", **asked) as answer:
            assert answer.headers["access-control-allow-origin"] == "http://localhost:4000"


class TestListings:
    """ListObjects and ListObjectsV2."""

    def test_folders_and_pages(self, s3: Any, bucket: str) -> None:
        """Keys in the order of their bytes, common prefixes rolled up, page by page."""
        for key in ("a/1", "a/2", "b", "c/1", "é", "z z"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"")
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}
        )
        found = [
            [*(p["Prefix"] for p in page.get("CommonPrefixes", [])), *(c["Key"] for c in page.get("Contents", []))]
            for page in pages
        ]
        assert found == [["a/", "b"], ["c/", "z z"], ["é"]]
        old = s3.get_paginator("list_objects").paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1})
        assert sum(len(page.get("CommonPrefixes", [])) + len(page.get("Contents", [])) for page in old) == 5
        inner = s3.list_objects_v2(Bucket=bucket, Prefix="a/", StartAfter="a/1", FetchOwner=True)
        assert [content["Key"] for content in inner["Contents"]] == ["a/2"]
        assert len(inner["Contents"][0]["Owner"]["ID"]) == 64

    def test_bad_limits(self, s3: Any, bucket: str) -> None:
        """A page has 0 or more entries."""
        assert error(s3.list_objects_v2, Bucket=bucket, MaxKeys=-1)["Code"] == "InvalidArgument"
        assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["IsTruncated"] is False


class TestUrls:
    """Presigned URLs, in both versions of the signature."""

    def test_forms_are_refused(self, s3: Any, bucket: str) -> None:
        """By name, in S3's form."""
        url = s3.generate_presigned_post(bucket, "k")["url"]
        headers = {"content-type": "multipart/form-data; boundary=x"}
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(urllib.request.Request(url, data=b"--x--", headers=headers))
        text = caught.value.read()
        caught.value.close()
        assert caught.value.code == 501
        assert b"<Code>NotImplemented</Code>" in text

    @pytest.mark.parametrize("version", ["s3", "s3v4"])
    def test_they_put_and_get(self, aws: Callable[..., Any], bucket: str, version: str) -> None:
        """Without a client."""
        signer = aws("s3", config=BotoConfig(signature_version=version))
        place = {"Bucket": bucket, "Key": "k"}
        put = urllib.request.Request(
            signer.generate_presigned_url("put_object", Params=place), data=b"by url", method="PUT",
            headers={"content-type": ""},
        )  # fmt: skip
        assert urllib.request.urlopen(put).status == 200
        url = signer.generate_presigned_url("get_object", Params={**place, "ResponseContentType": "text/css"})
        with urllib.request.urlopen(url) as got:
            assert (got.read(), got.headers["content-type"]) == (b"by url", "text/css")

    @pytest.mark.parametrize("version", ["s3", "s3v4"])
    def test_they_expire(self, aws: Callable[..., Any], bucket: str, version: str) -> None:
        """After their time nothing is answered."""
        signer = aws("s3", config=BotoConfig(signature_version=version))
        url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=-1)
        if version == "s3v4":
            url = url.replace("X-Amz-Expires=-1", "X-Amz-Expires=0").replace("X-Amz-Date=2", "X-Amz-Date=1")
            url = url.replace("%2F20", "%2F10")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url)
        assert caught.value.code == 403
        assert b"<Message>Request has expired</Message>" in caught.value.read()

    @pytest.mark.parametrize("host", ["bucket-1.localhost", "bucket-1.s3.localhost", "bucket-1.s3.us-east-1.localhost"])
    def test_hosts_name_buckets(self, server: Any, aws: Callable[..., Any], bucket: str, host: str) -> None:
        """A bucket may be a part of the host's name."""
        aws("s3").put_object(Bucket=bucket, Key="k", Body=b"hosted")
        url = aws("s3", config=BotoConfig(signature_version="s3v4")).generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "k"}
        )
        request = urllib.request.Request(url.replace(f"/{bucket}/k", "/k"), headers={"host": host})
        assert urllib.request.urlopen(request).read() == b"hosted"


@pytest.mark.slow
def test_signatures_are_checked(new_server: Callable[..., Any]) -> None:
    """With `--auth verify`: of requests, of bodies in pieces, and of presigned URLs of both versions."""
    server = new_server()
    iam = server.client("iam")
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    server.stop()
    server = new_server("--auth", "verify", data=server.data)

    def client(secret: str = key["SecretAccessKey"], **options: Any) -> Any:
        return server.client(
            "s3",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=secret,
            config=BotoConfig(retries={"max_attempts": 0}, **options),
        )

    good, bad = client(), client("wrong")
    good.create_bucket(Bucket="bkt")
    for payload in (b"small", LARGE):
        good.put_object(Bucket="bkt", Key="a/k ü", Body=payload)
        assert body(good.get_object(Bucket="bkt", Key="a/k ü")) == payload
    assert error(bad.list_objects_v2, Bucket="bkt")["Code"] == "SignatureDoesNotMatch"
    assert error(bad.put_object, Bucket="bkt", Key="k", Body=LARGE)["Code"] == "SignatureDoesNotMatch"
    for version in ("s3", "s3v4"):
        place = {"Bucket": "bkt", "Key": "a/k ü", "ResponseContentType": "text/x"}
        url = client(signature_version=version).generate_presigned_url("get_object", Params=place)
        with urllib.request.urlopen(url) as got:
            assert (got.read(), got.headers["content-type"]) == (LARGE, "text/x")
        forged = client("wrong", signature_version=version).generate_presigned_url("get_object", Params=place)
        for refused in (forged, url.replace("a/k", "a/l"), url.partition("?")[0]):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(refused)
            caught.value.close()
            assert caught.value.code == 403
