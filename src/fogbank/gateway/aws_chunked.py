r"""Bodies sent as `aws-chunked`: in pieces within the body, with checksums or signatures behind them.

    400;chunk-signature=…\r\n ‹1024 bytes› \r\n 0;chunk-signature=…\r\n x-amz-checksum-crc32:…\r\n \r\n

SDKs send uploads so when they compute a checksum on the way.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from collections.abc import Mapping
from dataclasses import replace

from fogbank.core.http import HttpRequest
from fogbank.gateway.protocols.faults import BadDigestError, SerializationError
from fogbank.gateway.signature import Signature, sign

_LONGEST_LINE = 8 * 1024
_SIGNED_PIECES = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_EMPTY = hashlib.sha256(b"").hexdigest()


class IncompleteBodyError(SerializationError):
    """The pieces end too early, or are not as long as announced."""

    code = "IncompleteBody"


class InvalidDigestError(SerializationError):
    """`Content-MD5` is no MD5."""

    code = "InvalidDigest"


def is_aws_chunked(request: HttpRequest) -> bool:
    """Whether a body is in pieces within itself."""
    headers = request.headers
    return headers.get("x-amz-content-sha256", "").startswith("STREAMING-") or "aws-chunked" in headers.get(
        "content-encoding", ""
    )


def unchunk(request: HttpRequest) -> HttpRequest:
    """The same request with its body put together and the trailing headers among its headers."""
    body, trailers = _joined(request.body)
    announced = request.headers.get("x-amz-decoded-content-length")
    if announced is not None and (not announced.isdigit() or int(announced) != len(body)):
        raise IncompleteBodyError(f"The body has {len(body)} bytes, x-amz-decoded-content-length says {announced[:20]}")
    encodings = [text.strip() for text in request.headers.get("content-encoding", "").split(",")]
    kept = ",".join(text for text in encodings if text and text != "aws-chunked")
    headers = {name: value for name, value in request.headers.items() if name != "content-encoding"}
    if kept:
        headers["content-encoding"] = kept
    check_checksums(body, trailers)
    return replace(request, body=body, headers={**headers, **trailers})


def signed_pieces_are_right(request: HttpRequest, signature: Signature, secret: str) -> bool:
    """Whether each piece of a body whose pieces are signed carries the right signature.

    Each signature is chained to the one before, the first to the request's own. Bodies without such pieces
    are right as they are: their hash is in the request's signature.
    """
    if not request.headers.get("x-amz-content-sha256", "").startswith(_SIGNED_PIECES):
        return True
    previous = signature.signature
    try:
        pieces, trailers, lines = _pieces(request.body)
    except SerializationError:
        return False
    for line, piece in zip(lines, [*pieces, b""], strict=True):
        text = _chained("AWS4-HMAC-SHA256-PAYLOAD", signature, previous, hashlib.sha256(piece).hexdigest())
        expected = sign(secret, signature, text)
        sent = line.partition(b"chunk-signature=")[2].strip()
        if not hmac.compare_digest(sent, expected.encode()):
            return False
        previous = expected
    if not request.headers["x-amz-content-sha256"].endswith("-TRAILER"):
        return True
    sent_last = trailers.pop("x-amz-trailer-signature", "")
    block = "".join(f"{name}:{value}\n" for name, value in trailers.items())
    digest = hashlib.sha256(block.encode("latin-1")).hexdigest()
    text = f"AWS4-HMAC-SHA256-TRAILER\n{signature.moment}\n{signature.scope}\n{previous}\n{digest}"
    return hmac.compare_digest(sent_last.encode(), sign(secret, signature, text).encode())


def _chained(kind: str, signature: Signature, previous: str, digest: str) -> str:
    return f"{kind}\n{signature.moment}\n{signature.scope}\n{previous}\n{_EMPTY}\n{digest}"


def _joined(data: bytes) -> tuple[bytes, dict[str, str]]:
    pieces, trailers, _ = _pieces(data)
    return b"".join(pieces), trailers


def _pieces(data: bytes) -> tuple[list[bytes], dict[str, str], list[bytes]]:
    """The pieces, the trailing headers, and the line before each piece, the last empty one's included."""
    pieces: list[bytes] = []
    lines: list[bytes] = []
    at = 0
    while True:
        line, at = _line(data, at)
        lines.append(line)
        size = line.partition(b";")[0].strip()
        try:
            length = int(size, 16) if size and len(size) <= 16 and b"_" not in size else -1
        except ValueError:
            length = -1
        if length < 0 or at + length > len(data):
            raise IncompleteBodyError("A piece of the body is malformed or missing")
        if length == 0:
            return pieces, _trailers(data, at), lines
        pieces.append(data[at : at + length])
        at += length
        if data[at : at + 2] != b"\r\n":
            raise IncompleteBodyError("A piece of the body is not as long as announced")
        at += 2


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\r\n", at, at + _LONGEST_LINE)
    if end < 0:
        raise IncompleteBodyError("The pieces of the body end too early")
    return data[at:end], end + 2


def _trailers(data: bytes, at: int) -> dict[str, str]:
    trailers: dict[str, str] = {}
    while at < len(data):
        line, at = _line(data, at)
        if not line:
            break
        name, found, value = line.partition(b":")
        if not found:
            raise IncompleteBodyError("A trailing header is malformed")
        trailers[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
    return trailers


_HASHES = {"x-amz-checksum-sha1": hashlib.sha1, "x-amz-checksum-sha256": hashlib.sha256}


def check_checksums(body: bytes, headers: Mapping[str, str]) -> None:
    """Compare a body with the checksums among headers that can be computed here (CRC32, SHA-1, SHA-256).

    `BadDigestError` if one differs. CRC32C and CRC64NVME are left to the service.
    """
    crc = headers.get("x-amz-checksum-crc32")
    if crc is not None and crc != base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode():
        raise BadDigestError("The CRC32 you specified did not match the calculated checksum.")
    for name, algorithm in _HASHES.items():
        sent = headers.get(name)
        if sent is not None and sent != base64.b64encode(algorithm(body).digest()).decode():
            kind = name.rpartition("-")[2].upper()
            raise BadDigestError(f"The {kind} you specified did not match the calculated checksum.")


def check_md5(request: HttpRequest) -> None:
    """Compare the body with `Content-MD5`, if that was sent."""
    sent = request.headers.get("content-md5")
    if sent is None:
        return
    try:
        digest = base64.b64decode(sent, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != 16:
        raise InvalidDigestError("The Content-MD5 you specified was invalid.")
    if digest != hashlib.md5(request.body, usedforsecurity=False).digest():
        raise BadDigestError("The Content-MD5 you specified did not match what we received.")
