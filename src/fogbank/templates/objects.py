"""Texts that a template points at: objects in buckets, and files of this machine that a local build points at."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

from fogbank.core.call import Cloud, Principal
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.templates.errors import TemplateError
from fogbank.templates.loader import MAX_BYTES

PRINCIPAL = Principal(service="cloudformation.amazonaws.com")
LOCAL_BUCKET = "fogbank-local"
"""A bucket that is none: its keys are absolute paths on this machine. Lambda takes folders from it, and CloudFormation
templates, included documents and definitions."""


class Objects:
    """Reads them; `local_files` says whether this machine's files may be read (only with `--auth local`)."""

    def __init__(self, cloud: Cloud, *, local_files: bool) -> None:
        self._cloud = cloud
        self._local_files = local_files

    async def at(self, scope: Scope, url: str) -> str:
        """The text at `s3://bucket/key`, or at an https URL in one of S3's forms; see `text`."""
        return await self.text(scope, *_location(url))

    async def text(self, scope: Scope, bucket: str, key: str, version: str | None = None) -> str:
        """The text of an object, of this version or the latest; `TemplateError` if it cannot be read."""
        if bucket == LOCAL_BUCKET:
            return self._read(key)
        request = {"Bucket": bucket, "Key": key}
        if version is not None:
            request["VersionId"] = version
        try:
            reply = await self._cloud.call(scope, "s3", "GetObject", request, principal=PRINCIPAL)
        except ApiError as error:
            raise TemplateError(f"S3 error: {error.message}") from error
        body = reply["Body"]
        data = body if isinstance(body, bytes) else b"".join([piece async for piece in body])
        return data.decode("utf-8", "replace")

    def _read(self, key: str) -> str:
        if not self._local_files:
            raise TemplateError(f"templates from local files ({LOCAL_BUCKET}) are read only with --auth local")
        path = Path("/" + key.lstrip("/"))
        try:
            if path.stat().st_size > MAX_BYTES:
                raise TemplateError(f"{path}: expected at most {MAX_BYTES} bytes")
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateError(f"S3 error: {path} cannot be read: {error}") from None


def _location(url: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`, `https://bucket.s3….amazonaws.com/key` or `https://s3….amazonaws.com/bucket/key`."""
    parts = urllib.parse.urlsplit(url)
    path = urllib.parse.unquote(parts.path.removeprefix("/"))
    host = parts.hostname or ""
    if parts.scheme == "s3":
        bucket, key = parts.netloc, path
    elif ".s3." in host or ".s3-" in host:
        bucket, key = host.split(".s3", 1)[0], path
    else:
        bucket, _, key = path.partition("/")
    if not bucket or not key:
        raise TemplateError("TemplateURL must be a supported URL.")
    return bucket, key
