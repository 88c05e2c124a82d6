"""Whatever comes, the answer is a well-formed AWS error or a well-formed reply; nothing is ever a defect."""

from __future__ import annotations

import json
from typing import Any, Protocol
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.gateway.protocols.cbor import Moment, format_cbor, parse_cbor
from fogbank.gateway.protocols.faults import SerializationError


class Rig(Protocol):
    cloud: Any

    def handle(self, request: HttpRequest) -> HttpResponse: ...


def signed(service: str) -> dict[str, str]:
    return {
        "authorization": f"AWS4-HMAC-SHA256 Credential=test/20231114/eu-west-1/{service}/aws4_request, "
        "SignedHeaders=host, Signature=00",
        "host": "127.0.0.1:4566",
    }


JSON = {"content-type": "application/x-amz-json-1.0"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
CBOR = {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
CBOR_BODY = format_cbor(
    {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.5, "Timestamp": Moment(3), "Dimensions": []}]}
)
XML_BODY = (
    b'<?xml version="1.0"?><Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>a</Key>'
    b"<Value>b&amp;c</Value></Tag></TagSet></Tagging>"
)
VALID = [
    HttpRequest(
        "POST",
        "/",
        "",
        signed("sqs") | JSON | {"x-amz-target": "AmazonSQS.SendMessage"},
        b'{"QueueUrl":"http://q","MessageBody":"x","MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"AAAA"}}}',
    ),
    HttpRequest(
        "POST",
        "/",
        "",
        signed("dynamodb") | JSON | {"x-amz-target": "DynamoDB_20120810.PutItem"},
        b'{"TableName":"orders","Item":{"a":{"M":{"b":{"L":[{"N":"1"},{"B":"AAAA"},{"NULL":true}]}}}}}',
    ),
    HttpRequest(
        "POST",
        "/",
        "",
        signed("iam") | FORM,
        b"Action=TagRole&Version=2010-05-08&RoleName=r&Tags.member.1.Key=a&Tags.member.1.Value=b",
    ),
    HttpRequest(
        "POST",
        "/",
        "",
        signed("sqs") | FORM,
        b"Action=SendMessage&QueueUrl=q&MessageBody=x&MessageAttribute.1.Name=a&MessageAttribute.1.Value.DataType=String",
    ),
    HttpRequest(
        "POST",
        "/2015-03-31/functions",
        "",
        signed("lambda") | {"content-type": "application/json"},
        b'{"FunctionName":"f","Role":"arn:aws:iam::1:role/r","Code":{"ZipFile":"AAAA"},"Timeout":3,"Tags":{"a":"b"}}',
    ),
    HttpRequest("GET", "/2015-03-31/functions/f/aliases", "FunctionVersion=1&MaxItems=3", signed("lambda"), b""),
    HttpRequest("PUT", "/bucket/key", "tagging&versionId=3", signed("s3"), XML_BODY),
    HttpRequest(
        "PUT",
        "/bucket/a%20b",
        "",
        signed("s3") | {"x-amz-meta-a": "b", "expires": "Wed, 21 Oct 2015 07:28:00 GMT"},
        b"data",
    ),
    HttpRequest(
        "PUT",
        "/bucket/key",
        "",
        signed("s3")
        | {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "5"},
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
    ),
    HttpRequest(
        "POST",
        "/service/GraniteServiceVersion20100801/operation/PutMetricData",
        "",
        signed("monitoring") | CBOR,
        CBOR_BODY,
    ),
]


def well_formed(answer: HttpResponse) -> bool:
    """Whether an answer can be read; a defect (500) is none."""
    assert isinstance(answer.body, bytes)
    kind = {name.lower(): value for name, value in answer.headers}.get("content-type", "")
    assert 200 <= answer.status < 500 or answer.status == 501, answer
    if "json" in kind:
        found = json.loads(answer.body)
        return answer.status < 400 or isinstance(found, dict)
    if "xml" in kind:
        ET.fromstring(answer.body)
    elif "cbor" in kind:
        assert answer.status < 400 or "__type" in parse_cbor(answer.body)
    return True


@st.composite
def mutated(draw: Any) -> HttpRequest:
    """A valid request with something changed."""
    request = draw(st.sampled_from(VALID))
    headers = dict(request.headers)
    method, path, query, body = request.method, request.path, request.query, request.body
    for _ in range(draw(st.integers(1, 3))):
        what = draw(st.sampled_from(["body", "cut", "insert", "path", "query", "header", "drop", "method", "random"]))
        at = draw(st.integers(0, max(len(body), 1)))
        if what == "body" and body:
            at = min(at, len(body) - 1)
            body = body[:at] + draw(st.binary(min_size=1, max_size=3)) + body[at + 1 :]
        elif what == "cut":
            body = body[:at]
        elif what == "insert":
            body = body[:at] + draw(st.sampled_from(TOKENS)) + body[at:]
        elif what == "random":
            body = draw(st.binary(max_size=60))
        elif what == "path":
            path = path + draw(URL_TEXT) if draw(st.booleans()) else "/" + draw(URL_TEXT)
        elif what == "query":
            query = draw(URL_TEXT)
        elif what == "method":
            method = draw(st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW"]))
        elif what == "drop" and headers:
            headers.pop(draw(st.sampled_from(sorted(headers))), None)
        else:
            headers[draw(st.sampled_from(HEADERS))] = draw(HEADER_TEXT)
    return HttpRequest(method, path, query, headers, body)


TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"1e999",
    b'"',
    b"\\u0000",
    b'"\\ud800"',
    b"&#0;",
    b"\xff",
    b"&",
    b"=",
    b".",
    b"%",
    b"<!DOCTYPE x>",
    b"<",
    b"9" * 400,
]
URL_TEXT = st.text("abc/{}%+&=?.0\xff:~", max_size=20)
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
HEADERS = [
    "authorization",
    "content-type",
    "x-amz-target",
    "host",
    "smithy-protocol",
    "content-encoding",
    "content-md5",
    "x-amz-content-sha256",
    "x-amz-decoded-content-length",
    "x-amzn-trace-id",
    "x-amzn-query-mode",
    "x-amz-copy-source-if-modified-since",
    "x-amz-invocation-type",
    "x-amz-date",
]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=mutated())
def test_mutated_requests_never_find_a_defect(rig: Rig, request: HttpRequest) -> None:
    assert well_formed(rig.handle(request))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=mutated())
def test_nor_do_they_when_signatures_are_verified(strict: Rig, request: HttpRequest) -> None:
    assert well_formed(strict.handle(request))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    path=URL_TEXT.map(lambda text: "/" + text),
    query=URL_TEXT,
    headers=st.dictionaries(st.sampled_from(HEADERS), HEADER_TEXT),
    body=st.binary(max_size=100),
)
def test_random_requests_never_find_a_defect(
    rig: Rig, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    assert well_formed(rig.handle(HttpRequest(method, path, query, headers, body)))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_random_cbor_is_a_value_or_an_error(data: bytes) -> None:
    try:
        parse_cbor(data)
    except SerializationError:
        return


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES)
def test_cbor_comes_back_as_it_was(value: Any) -> None:
    assert parse_cbor(format_cbor(value)) == value
