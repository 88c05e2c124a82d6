"""Which bytes of an object a request is for.

Sources: RFC 9110, section 14, and https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fogbank.services.s3.errors import InvalidPartNumberError, InvalidRangeError
from fogbank.services.s3.model import ObjectVersion, Piece

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` up to, not including, `end` of an object."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many they are."""
        return self.end - self.start

    def header(self, size: int) -> str:
        """The `Content-Range` of an object of `size` bytes."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def span_of_range(text: str, size: int) -> Span | None:
    """The bytes that a `Range` header means; `None` if it is none that S3 heeds: then the whole is meant."""
    found = _RANGE.fullmatch(text.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        wanted = int(found[2])
        if wanted == 0 or size == 0:
            raise InvalidRangeError(text, size)
        return Span(max(0, size - wanted), size)
    start = int(found[1])
    if found[2] and int(found[2]) < start:
        return None
    if start >= size:
        raise InvalidRangeError(text, size)
    end = int(found[2]) + 1 if found[2] else size
    return Span(start, min(end, size))


def span_of_part(version: ObjectVersion, number: int) -> Span:
    """The bytes of a part. An object that was put whole is its own part 1."""
    if not version.parts:
        if number != 1:
            raise InvalidPartNumberError(number, 1)
        return Span(0, version.size)
    if not 1 <= number <= len(version.parts):
        raise InvalidPartNumberError(number, len(version.parts))
    start = sum(part.size for part in version.parts[: number - 1])
    return Span(start, start + version.parts[number - 1].size)


@dataclass(frozen=True, slots=True)
class Cut:
    """Bytes `start` up to `end` of one piece."""

    piece: Piece
    start: int
    end: int


def cuts(pieces: Sequence[Piece], span: Span) -> list[Cut]:
    """The parts of pieces, in order, that make up a span."""
    found = []
    at = 0
    for piece in pieces:
        start, end = max(span.start - at, 0), min(span.end - at, piece.size)
        if start < end:
            found.append(Cut(piece, start, end))
        at += piece.size
        if at >= span.end:
            break
    return found
