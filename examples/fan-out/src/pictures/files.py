"""Where pictures are: a bucket."""

import os

import boto3

_bucket = boto3.resource("s3").Bucket(os.environ["FILES_BUCKET"])
_missing = _bucket.meta.client.exceptions.NoSuchKey


class NoFileError(Exception):
    """There is no file of this name."""


def get(name: str) -> bytes:
    """A file's bytes."""
    try:
        return bytes(_bucket.Object(name).get()["Body"].read())
    except _missing:
        raise NoFileError(f"there is no file {name}") from None


def put(name: str, content: bytes) -> None:
    """Store a file; the same again changes nothing."""
    _bucket.Object(name).put(Body=content)
