"""Conditional requests: whether the object is as the caller says.

Sources: RFC 9110, section 13, and https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.s3.errors import NoSuchKeyError, NotModifiedError, PreconditionFailedError
from fogbank.services.s3.model import ObjectVersion

_ANY = "*"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a request wants of an object. Moments are seconds; `source` says that they are of a copy's source."""

    match: str | None = None
    none_match: str | None = None
    modified_since: float | None = None
    unmodified_since: float | None = None
    source: bool = False

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Conditions:
        """Those of a read."""
        return cls(
            request.get("IfMatch"),
            request.get("IfNoneMatch"),
            request.get("IfModifiedSince"),
            request.get("IfUnmodifiedSince"),
        )

    @classmethod
    def of_source(cls, request: Mapping[str, Any]) -> Conditions:
        """Those of the source of a copy."""
        return cls(
            request.get("CopySourceIfMatch"),
            request.get("CopySourceIfNoneMatch"),
            request.get("CopySourceIfModifiedSince"),
            request.get("CopySourceIfUnmodifiedSince"),
            source=True,
        )

    def check(self, version: ObjectVersion) -> None:
        """Refuse a read of what is not as the caller says: `PreconditionFailedError`, or `NotModifiedError`."""
        seconds = version.modified // 1000
        if self.match is not None:
            if not names(self.match, version.etag):
                raise self._failed("If-Match")
        elif self.unmodified_since is not None and seconds > self.unmodified_since:
            raise self._failed("If-Unmodified-Since")
        if self.none_match is not None:
            if names(self.none_match, version.etag):
                raise self._unchanged(version, "If-None-Match")
        elif self.modified_since is not None and seconds <= self.modified_since:
            raise self._unchanged(version, "If-Modified-Since")

    def _unchanged(self, version: ObjectVersion, header: str) -> Exception:
        if self.source:
            return self._failed(header)
        headers = [("ETag", version.quoted_etag)]
        if version.version:
            headers += [("x-amz-version-id", version.version)] if version.version != "null" else []
        return NotModifiedError(headers=tuple(headers))

    def _failed(self, header: str) -> PreconditionFailedError:
        return PreconditionFailedError(f"x-amz-copy-source-{header}" if self.source else header)


def names(header: str, etag: str) -> bool:
    """Whether an `If-Match` or `If-None-Match` header names an ETag."""
    text = header.strip()
    return text == _ANY or any(item.strip().strip('"') == etag for item in text.split(","))


def check_write(request: Mapping[str, Any], key: str, current: ObjectVersion | None) -> None:
    """Refuse a write onto what is not as the caller says. A delete marker counts as no object."""
    match, none_match = request.get("IfMatch"), request.get("IfNoneMatch")
    if none_match is not None and none_match.strip() != _ANY:
        raise NotImplementedByFogbank(
            "A header you provided implies functionality that is not implemented", Header="If-None-Match"
        )
    there = current if current is not None and not current.marker else None
    if none_match is not None and there is not None:
        raise PreconditionFailedError("If-None-Match")
    if match is None:
        return
    if there is None:
        raise NoSuchKeyError(key)
    if not names(match, there.etag):
        raise PreconditionFailedError("If-Match")
