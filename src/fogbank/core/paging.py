"""Page tokens: where a listing goes on, in a form that callers hand back and do not read.

A listing is ordered by a key; its token holds the last key of the page, and the next page begins after it.
Tokens so survive restarts, and what was added or removed meanwhile is neither repeated nor skipped.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


class InvalidTokenError(ValueError):
    """A token that this listing did not hand out."""


def encode_token(position: object) -> str:
    """The token of a position (JSON values)."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def decode_token(token: str, kind: type[T]) -> T:
    """The position of a token; `InvalidTokenError` if it is not one of `kind`."""
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(text, type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise InvalidTokenError("not a token of this listing") from error


def cut_page(rows: Sequence[T], limit: int) -> tuple[Sequence[T], bool]:
    """A page out of what was asked for with `limit + 1`: its rows, and whether there are more."""
    return rows[:limit], len(rows) > limit
