"""Items as they are stored: the API's own form as JSON, with binary values in base64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import msgspec

if TYPE_CHECKING:
    from fogbank.services.dynamodb._values.attributes import Item


class StoredValue(TypedDict, total=False):
    """Tells the decoder which strings are base64."""

    S: str
    N: str
    B: bytes
    BOOL: bool
    NULL: bool
    L: list[StoredValue]
    M: dict[str, StoredValue]
    SS: list[str]
    NS: list[str]
    BS: list[bytes]


_encode = msgspec.json.Encoder().encode
_decode: Any = msgspec.json.Decoder(dict[str, StoredValue]).decode


def encode(item: Item) -> bytes:
    """The bytes that stand for an item."""
    return _encode(item)


def decode(data: bytes) -> Item:
    """The item that `encode` was given."""
    item: Item = _decode(data)
    return item
