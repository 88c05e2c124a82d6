"""Shard iterators: a place in a stream as an opaque token, good for fifteen minutes."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import msgspec

from fogbank.core.errors import ValidationError

LIFE = 15 * 60
"""Seconds."""


@dataclass(frozen=True, slots=True)
class ShardIterator:
    """Just after the record with this number of a stream; made at a moment (seconds since the epoch)."""

    stream: str
    after: int
    made: float

    def token(self) -> str:
        """What the caller is given."""
        return base64.urlsafe_b64encode(_encode(self)).decode()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ShardIterator).decode


def parse(token: str) -> ShardIterator:
    """The iterator that a token stands for; `ValidationError` if it is none of ours."""
    try:
        return _decode(base64.urlsafe_b64decode(token))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise ValidationError("Invalid ShardIterator") from None
