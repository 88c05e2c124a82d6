"""Where pictures are: a table, by name. With a bucket, `get_object` and `put_object` go here, and nothing elsewhere."""

import os

import boto3

_files = boto3.resource("dynamodb").Table(os.environ["FILES_TABLE"])


class NoFileError(Exception):
    """There is no file of this name."""


def get(name: str) -> bytes:
    """A file's bytes."""
    item = _files.get_item(Key={"name": name}, ConsistentRead=True).get("Item")
    if item is None:
        raise NoFileError(f"there is no file {name}")
    return bytes(item["content"].value)


def put(name: str, content: bytes) -> None:
    """Store a file; the same again changes nothing."""
    _files.put_item(Item={"name": name, "content": content})
