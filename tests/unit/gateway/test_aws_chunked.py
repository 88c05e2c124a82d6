"""Bodies in pieces within themselves: put together, compared with their checksums, their signatures verified."""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.http import HttpRequest
from fogbank.gateway.aws_chunked import IncompleteBodyError, is_aws_chunked, signed_pieces_are_right, unchunk
from fogbank.gateway.protocols.faults import BadDigestError, SerializationError
from fogbank.gateway.signature import Signature

UNSIGNED = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "content-encoding": "aws-chunked"}


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def request(body: bytes, **headers: str) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("PUT", "/b/k", headers=UNSIGNED | named, body=body)


def pieces(*parts: bytes, trailers: str = "") -> bytes:
    joined = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return joined + b"0\r\n" + trailers.encode() + b"\r\n"


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_pieces_are_put_together(parts: list[bytes]) -> None:
    data = b"".join(parts)
    sent = request(
        pieces(*parts, trailers=f"x-amz-checksum-crc32:{crc32(data)}\r\n"),
        x_amz_decoded_content_length=str(len(data)),
    )
    assert is_aws_chunked(sent)
    plain = unchunk(sent)
    assert plain.body == data
    assert plain.headers["x-amz-checksum-crc32"] == crc32(data)
    assert "content-encoding" not in plain.headers


def test_another_encoding_is_kept() -> None:
    plain = unchunk(request(pieces(b"x"), content_encoding="gzip, aws-chunked"))
    assert plain.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5\r\nhel",
        b"5\r\nhelloXX0\r\n\r\n",
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"-1\r\nhello\r\n0\r\n\r\n",
        b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
        b"ffffffffffffffffffff\r\n",
        b"5\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\nno trailer\r\n\r\n",
        b"5" + b" " * 10_000 + b"\r\n",
    ],
)
def test_malformed_pieces_are_refused(body: bytes) -> None:
    with pytest.raises(IncompleteBodyError):
        unchunk(request(body))


def test_the_announced_length_counts() -> None:
    for length in ("4", "x", "-5"):
        with pytest.raises(IncompleteBodyError):
            unchunk(request(pieces(b"hello"), x_amz_decoded_content_length=length))


@pytest.mark.parametrize("name", ["crc32", "sha1", "sha256"])
def test_checksums_are_compared(name: str) -> None:
    good = {
        "crc32": crc32(b"hello"),
        "sha1": base64.b64encode(hashlib.sha1(b"hello", usedforsecurity=False).digest()).decode(),
        "sha256": base64.b64encode(hashlib.sha256(b"hello").digest()).decode(),
    }[name]
    trailers = f"x-amz-checksum-{name}:{good}\r\n"
    assert unchunk(request(pieces(b"hello", trailers=trailers))).body == b"hello"
    with pytest.raises(BadDigestError):
        unchunk(request(pieces(b"other", trailers=trailers)))


@given(st.binary(max_size=80))
def test_random_bodies_are_refused_or_read(body: bytes) -> None:
    try:
        unchunk(request(body))
    except SerializationError:
        return


# Signed pieces. Source: the example of AWS's page on chunked uploads, "Signature Calculations ... (Chunked Upload)".

SEED = Signature(
    access_key="AKIAIOSFODNN7EXAMPLE",
    date="20130524",
    region="us-east-1",
    service="s3",
    signed_headers=("host",),
    signature="4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    moment="20130524T000000Z",
    token=None,
    expires=None,
)
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CHUNKS = [
    (b"a" * 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (b"a" * 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
]


def signed_body(chunks: list[tuple[bytes, str]], trailers: str = "") -> bytes:
    body = b""
    for data, signature in chunks:
        line = f"{len(data):x};chunk-signature={signature}\r\n".encode()
        body += line + (data + b"\r\n" if data else trailers.encode() + b"\r\n")
    return body


def signed_request(body: bytes, kind: str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD") -> HttpRequest:
    return HttpRequest("PUT", "/b/k", headers={"x-amz-content-sha256": kind}, body=body)


def test_signed_pieces_of_aws_s_example() -> None:
    sent = signed_request(signed_body(CHUNKS))
    assert signed_pieces_are_right(sent, SEED, SECRET)
    assert not signed_pieces_are_right(sent, SEED, SECRET + "x")
    assert unchunk(sent).body == b"a" * 66560


@pytest.mark.parametrize("tampered", [0, 1, 2])
def test_each_piece_counts(tampered: int) -> None:
    chunks = list(CHUNKS)
    chunks[tampered] = (chunks[tampered][0], "0" * 64)
    assert not signed_pieces_are_right(signed_request(signed_body(chunks)), SEED, SECRET)
    assert not signed_pieces_are_right(signed_request(signed_body(CHUNKS)[:-100]), SEED, SECRET)


def test_trailing_headers_are_signed_too() -> None:
    def key() -> bytes:
        found: bytes = ("AWS4" + SECRET).encode()
        for part in ("20130524", "us-east-1", "s3", "aws4_request"):
            found = hmac.new(found, part.encode(), hashlib.sha256).digest()
        return found

    def sign(text: str) -> str:
        return hmac.new(key(), text.encode(), hashlib.sha256).hexdigest()

    block = "x-amz-checksum-crc32:AAAA\n"
    digest = hashlib.sha256(block.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256-TRAILER\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n{CHUNKS[-1][1]}\n{digest}"

    def sent(signature: str) -> Any:
        trailers = f"x-amz-checksum-crc32:AAAA\r\nx-amz-trailer-signature:{signature}\r\n"
        return signed_request(signed_body(CHUNKS, trailers), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")

    assert signed_pieces_are_right(sent(sign(text)), SEED, SECRET)
    assert not signed_pieces_are_right(sent("0" * 64), SEED, SECRET)
