"""Signature Version 4 against AWS's own vectors, which botocore's source distribution carries."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fogbank.core.http import HttpRequest
from fogbank.gateway.signature import (
    IncompleteSignatureError,
    canonical_request,
    is_right,
    payload_hash,
    read_signature,
    string_to_sign,
)

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def read_request(path: Path) -> HttpRequest:
    """A request of the vectors, as the server would have read it."""
    head, _, body = path.read_text().replace("\r", "").partition("\n\n")
    lines = head.replace("\n ", " ").split("\n")
    method, rest = lines[0].split(" ", 1)
    target = rest.rpartition(" ")[0].encode().decode("latin-1")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        key = name.lower()
        headers[key] = f"{headers[key]},{value.strip()}" if key in headers else value.strip()
    path_part, _, query = target.partition("?")
    return HttpRequest(method, path_part, query, headers, body.encode())


def test_aws_s_vectors(botocore_tests: Path) -> None:
    """Canonical request, string to sign and signature are right in every vector, and wrong for another body."""
    vectors = sorted((botocore_tests / "auth" / "aws4_testsuite").rglob("*.sreq"))
    assert len(vectors) > 30
    for path in vectors:
        request = read_request(path)
        authorization = path.with_suffix(".authz").read_text().strip()  # one signed request has another's
        request = dataclasses.replace(request, headers={**request.headers, "authorization": authorization})
        signature = read_signature(request)
        assert signature is not None
        hashed = payload_hash(request, signature)
        assert hashed is not None
        canonical = canonical_request(request, signature, hashed)
        assert canonical == path.with_suffix(".creq").read_text().replace("\r", ""), path.name
        assert string_to_sign(signature, canonical) == path.with_suffix(".sts").read_text().replace("\r", "")
        assert is_right(request, signature, SECRET), path.name
        assert not is_right(request, signature, SECRET + "x")
        assert not is_right(dataclasses.replace(request, body=b"another"), signature, SECRET)


GOOD = (
    "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/service/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=00"
)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("Basic abc", "Unsupported AWS 'algorithm': 'Basic'"),
        ("AWS4-HMAC-SHA256", "requires 'Credential' parameter"),
        (GOOD.replace("Credential=", "X="), "requires 'Credential' parameter"),
        (GOOD.replace("SignedHeaders=", "X="), "requires 'SignedHeaders' parameter"),
        (GOOD.replace("Signature=00", ""), "requires 'Signature' parameter"),
        (GOOD.replace("/us-east-1", ""), "at least 5 slash-delimited elements"),
        (GOOD.replace("aws4_request", "aws3"), "valid terminator"),
        (GOOD.replace("20150830", "20150831"), "Date in Credential scope does not match"),
        (GOOD.replace("host;", ""), "must be a 'SignedHeader'"),
    ],
)
def test_an_incomplete_header_is_refused(header: str, message: str) -> None:
    headers = {"authorization": header, "x-amz-date": "20150830T123600Z", "host": "h"}
    with pytest.raises(IncompleteSignatureError, match=message):
        read_signature(HttpRequest("GET", "/", headers=headers))


def test_a_header_without_a_date_is_refused() -> None:
    with pytest.raises(IncompleteSignatureError, match="X-Amz-Date"):
        read_signature(HttpRequest("GET", "/", headers={"authorization": GOOD}))
    with pytest.raises(IncompleteSignatureError, match="ISO-8601"):
        read_signature(HttpRequest("GET", "/", headers={"authorization": GOOD, "x-amz-date": "today"}))


QUERY = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20150830%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
)


def test_a_presigned_request_is_read() -> None:
    signature = read_signature(HttpRequest("GET", "/", QUERY))
    assert signature is not None
    assert (signature.access_key, signature.service, signature.expires) == ("AKID", "s3", 60)


@pytest.mark.parametrize(
    "query",
    [
        QUERY.replace("X-Amz-Credential", "X"),
        QUERY.replace("X-Amz-SignedHeaders", "X"),
        QUERY.replace("Expires=60", "Expires=604801"),
        QUERY.replace("Expires=60", "Expires=-1"),
        QUERY.replace("HMAC", "RSA"),
        QUERY.replace("X-Amz-Signature=00", ""),
    ],
)
def test_an_incomplete_query_is_refused(query: str) -> None:
    with pytest.raises(IncompleteSignatureError):
        read_signature(HttpRequest("GET", "/", query))


def test_no_signature_is_none() -> None:
    assert read_signature(HttpRequest("GET", "/", "a=b")) is None
