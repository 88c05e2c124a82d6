"""Presigned URLs of S3 in AWS Signature Version 2: what boto3 makes unless it is told to use version 4.

    ?AWSAccessKeyId=…&Signature=…&Expires=<seconds since the epoch>

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl

from fogbank.core.http import HttpRequest

_SUBRESOURCES = frozenset(
    {
        "accelerate",
        "acl",
        "analytics",
        "attributes",
        "cors",
        "defaultObjectAcl",
        "delete",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "partNumber",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "retention",
        "select",
        "select-type",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    }
)
"""The query parameters that are a part of what is signed."""


@dataclass(frozen=True, slots=True)
class UrlSignature:
    """What such a URL says. `expires` is in seconds since the epoch."""

    access_key: str
    signature: str
    expires: int
    token: str | None


def is_signed_so(query: str) -> bool:
    """Whether a query string has such a signature."""
    return "AWSAccessKeyId=" in query and "Signature=" in query and "Expires=" in query


def read_url_signature(request: HttpRequest) -> UrlSignature | None:
    """The signature of a URL; `None` if there is none of this version."""
    if not is_signed_so(request.query):
        return None
    found = dict(parse_qsl(request.query, keep_blank_values=True))
    expires = found.get("Expires", "")
    if not expires.isdecimal() or len(expires) > 12:
        return None
    token = found.get("x-amz-security-token") or request.headers.get("x-amz-security-token")
    return UrlSignature(found.get("AWSAccessKeyId", ""), found.get("Signature", ""), int(expires), token)


def is_right(request: HttpRequest, signature: UrlSignature, secret: str, bucket: str | None) -> bool:
    """Whether a signature is that of a request. `bucket`: the one that the host names, which is signed as a path."""
    text = _signed_text(request, signature, bucket)
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return hmac.compare_digest(base64.b64encode(digest), signature.signature.encode())


def _signed_text(request: HttpRequest, signature: UrlSignature, bucket: str | None) -> str:
    pairs = parse_qsl(request.query, keep_blank_values=True)
    amazon = {name: value.strip() for name, value in request.headers.items() if name.startswith("x-amz-")}
    amazon |= {name.lower(): value for name, value in pairs if name.lower().startswith("x-amz-")}
    headers = "".join(f"{name}:{amazon[name]}\n" for name in sorted(amazon))
    named = sorted((name, value) for name, value in pairs if name in _SUBRESOURCES)
    resource = (f"/{bucket}" if bucket else "") + request.path
    if named:
        resource += "?" + "&".join(f"{name}={value}" if value else name for name, value in named)
    first = (
        request.method,
        request.headers.get("content-md5", ""),
        request.headers.get("content-type", ""),
        str(signature.expires),
    )
    return "\n".join(first) + f"\n{headers}{resource}"
