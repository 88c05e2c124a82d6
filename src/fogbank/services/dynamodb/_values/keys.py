"""Bytes that sort as key values do, so that a Query is one range of an index.

Each component of a key becomes bytes of which none is the beginning of another's, so that several in a row (a
global secondary index has up to four and four) still sort as the tuple does:

| type | bytes |
| --- | --- |
| number | `numbers.sort_key` |
| string, binary | the (UTF-8) bytes, 00 written as 00 FF, and 00 01 at the end |

A partition key is preceded by four bytes of hash: a Scan then visits the partitions in an order that looks
random, as DynamoDB's does, and a segment of a parallel Scan is a range too.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from fogbank.services.dynamodb._values import numbers

HASH_BITS = 32


def component(kind: str, content: Any) -> bytes:
    """The bytes of one key value of type S, N or B."""
    if kind == "N":
        return numbers.sort_key(content)
    raw: bytes = content.encode() if kind == "S" else content
    return raw.replace(b"\x00", b"\x00\xff") + b"\x00\x01"


def beginning(kind: str, content: Any) -> bytes:
    """The bytes that every string (binary) value beginning with `content` has at its beginning."""
    raw: bytes = content.encode() if kind == "S" else content
    return raw.replace(b"\x00", b"\x00\xff")


def partition(components: bytes) -> bytes:
    """The partition key as it is stored: its hash, then its components."""
    return zlib.crc32(components).to_bytes(4, "big") + components


def after(prefix: bytes) -> bytes | None:
    """The least bytes greater than all that begin with `prefix`; `None` if there are none."""
    stripped = prefix.rstrip(b"\xff")
    if not stripped:
        return None
    return stripped[:-1] + bytes((stripped[-1] + 1,))


def segment(number: int, total: int) -> tuple[bytes, bytes | None]:
    """The range of stored partition keys, from and up to but not including, of one segment of a Scan."""
    first = (number << HASH_BITS) // total
    last = ((number + 1) << HASH_BITS) // total
    end = None if last >> HASH_BITS else last.to_bytes(4, "big")
    return first.to_bytes(4, "big"), end


def joined(components: Sequence[bytes]) -> bytes:
    """Several components as one key."""
    return components[0] if len(components) == 1 else b"".join(components)
