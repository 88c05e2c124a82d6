"""AWS Signature Version 4: what a request signs, and whether its signature is right.

The signature is an HMAC of a text that names the moment, the scope and the hash of the canonical request:
method, path, query, the signed headers and the hash of the body. Header signatures are in `Authorization`,
presigned ones in the query string.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from fogbank.core.http import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-"
_SAFE = "-_.~"
_SPACES = re.compile(r" +")
_DATE = re.compile(r"\d{8}T\d{6}Z")
_PART = re.compile(r"\s*(Credential|SignedHeaders|Signature)=([^,]*)(?:,|$)")


class IncompleteSignatureError(ValueError):
    """A part of the signature is missing or malformed; the message says which, in AWS's words."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request says of its signature.

    `moment` is as sent (`20261123T101500Z`); `expires` is in seconds, for presigned requests only.
    """

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    moment: str
    token: str | None
    expires: int | None

    @property
    def scope(self) -> str:
        """The credential scope without the key."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    @property
    def presigned(self) -> bool:
        """Whether the signature is in the query string."""
        return self.expires is not None


def read_signature(request: HttpRequest) -> Signature | None:
    """The signature of a request; `None` if it has none, `IncompleteSignatureError` if a part is missing."""
    header = request.headers.get("authorization")
    if header is not None:
        return _from_header(header, request.headers)
    if "X-Amz-Algorithm=" in request.query or "X-Amz-Signature=" in request.query:
        pairs = _query_pairs(request.query)
        return _from_query({key.decode("latin-1"): value.decode("latin-1") for key, value in pairs})
    return None


def _from_header(header: str, headers: Mapping[str, str]) -> Signature:
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise IncompleteSignatureError(f"Unsupported AWS 'algorithm': '{algorithm[:50]}'")
    parts = dict(_PART.findall(rest))
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not parts.get(name):
            raise IncompleteSignatureError(f"Authorization header requires '{name}' parameter.")
    moment = headers.get("x-amz-date") or headers.get("date")
    if moment is None:
        raise IncompleteSignatureError(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    return _signature(parts, moment, headers.get("x-amz-security-token"), None)


def _from_query(params: Mapping[str, str]) -> Signature:
    wanted = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")
    for name in wanted:
        if not params.get(name):
            raise IncompleteSignatureError(f"AWS query-string parameters must include '{name}'.")
    if params["X-Amz-Algorithm"] != ALGORITHM:
        raise IncompleteSignatureError(f"Unsupported AWS 'algorithm': '{params['X-Amz-Algorithm'][:50]}'")
    expires = params.get("X-Amz-Expires", "900")
    if not expires.isascii() or not expires.isdigit() or int(expires[:9]) > 604800:
        raise IncompleteSignatureError("X-Amz-Expires must be a number of seconds, at most 604800")
    parts = {
        "Credential": params["X-Amz-Credential"],
        "SignedHeaders": params["X-Amz-SignedHeaders"],
        "Signature": params["X-Amz-Signature"],
    }
    return _signature(parts, params["X-Amz-Date"], params.get("X-Amz-Security-Token"), int(expires))


def _signature(parts: Mapping[str, str], moment: str, token: str | None, expires: int | None) -> Signature:
    if not _DATE.fullmatch(moment):
        raise IncompleteSignatureError(
            f"Date must be in ISO-8601 'basic format'. Got '{moment[:50]}'. See http://en.wikipedia.org/wiki/ISO_8601"
        )
    scope = parts["Credential"].strip().split("/")
    if len(scope) < 5:
        raise IncompleteSignatureError(
            "Credential must have at least 5 slash-delimited elements, "
            f"e.g. keyid/date/region/service/term, got '{parts['Credential'][:200]}'"
        )
    key, date, region, service, term = "/".join(scope[:-4]), *scope[-4:]
    if term != "aws4_request":
        raise IncompleteSignatureError("Credential should be scoped with a valid terminator: 'aws4_request'.")
    if date != moment[:8]:
        raise IncompleteSignatureError(
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{date[:20]}' != '{moment[:8]}', from '{moment}'."
        )
    signed = tuple(parts["SignedHeaders"].strip().lower().split(";"))
    if "host" not in signed:
        raise IncompleteSignatureError("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    return Signature(key, date, region, service, signed, parts["Signature"].strip(), moment, token, expires)


def canonical_request(request: HttpRequest, signature: Signature, payload_hash: str) -> str:
    """The text that stands for the request in its signature."""
    s3 = signature.service in {"s3", "s3express"}
    return "\n".join(
        (
            request.method,
            _canonical_path(request.path, s3=s3),
            _canonical_query(request.query),
            *(f"{name}:{_trimmed(request.headers.get(name, ''))}" for name in signature.signed_headers),
            "",
            ";".join(signature.signed_headers),
            payload_hash,
        )
    )


def string_to_sign(signature: Signature, canonical: str) -> str:
    """The text that is signed."""
    # Header values came as bytes and are kept as latin-1; all else in a canonical request is ASCII.
    digest = hashlib.sha256(canonical.encode("latin-1", "replace")).hexdigest()
    return f"{ALGORITHM}\n{signature.moment}\n{signature.scope}\n{digest}"


def sign(secret: str, signature: Signature, text: str) -> str:
    """The signature, in hexadecimal, that the owner of `secret` would give to a text."""
    key = _signing_key(secret, signature.date, signature.region, signature.service)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def payload_hash(request: HttpRequest, signature: Signature) -> str | None:
    """The hash of the body as the signature counts it; `None` if a hash was sent that the body does not have."""
    if signature.presigned and signature.service in {"s3", "s3express"}:
        return UNSIGNED_PAYLOAD
    sent = request.headers.get("x-amz-content-sha256")
    if sent is not None and (sent == UNSIGNED_PAYLOAD or sent.startswith(STREAMING)):
        return sent
    actual = hashlib.sha256(request.body).hexdigest()
    if sent is not None and not hmac.compare_digest(sent.encode("utf-8", "replace"), actual.encode()):
        return None
    return actual


def is_right(request: HttpRequest, signature: Signature, secret: str) -> bool:
    """Whether the request was signed with this secret, as it is."""
    hashed = payload_hash(request, signature)
    if hashed is None:
        return False
    text = string_to_sign(signature, canonical_request(request, signature, hashed))
    expected = sign(secret, signature, text)
    return hmac.compare_digest(expected.encode(), signature.signature.encode("utf-8", "replace"))


@lru_cache(maxsize=256)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_path(path: str, *, s3: bool) -> str:
    """S3 signs the path as it is; the others its normal form, encoded once more."""
    if s3:
        return quote(unquote_to_bytes(path.encode("latin-1", "replace")), safe="/" + _SAFE)
    return quote(_normalised(path).encode("latin-1", "replace"), safe="/" + _SAFE)


def _normalised(path: str) -> str:
    """A path without empty, `.` and `..` segments (RFC 3986, section 5.2.4); a last slash stays."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in {"", "."}:
            kept.append(segment)
    slash = "/" if kept and path.endswith(("/", "/.", "/..")) else ""
    return "/" + "/".join(kept) + slash


def _query_pairs(query: str) -> Iterable[tuple[bytes, bytes]]:
    for part in query.split("&"):
        if part:
            key, _, value = part.partition("=")
            yield _plain(key), _plain(value)


def _plain(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", "%20").encode("latin-1", "replace"))


def _canonical_query(query: str) -> str:
    pairs = [(quote(key, safe=_SAFE), quote(value, safe=_SAFE)) for key, value in _query_pairs(query)]
    return "&".join(f"{key}={value}" for key, value in sorted(pairs) if key != "X-Amz-Signature")


def _trimmed(value: str) -> str:
    return _SPACES.sub(" ", value.strip())
