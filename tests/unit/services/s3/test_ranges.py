"""Ranges and parts: which bytes a request is for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.s3._ranges import Span, cuts, span_of_range
from fogbank.services.s3.errors import InvalidRangeError
from fogbank.services.s3.model import Piece

SIZES = st.lists(st.integers(0, 9), max_size=6)


@given(SIZES, st.integers(0, 60), st.integers(0, 60))
def test_cuts_are_the_bytes_of_a_span(sizes: list[int], start: int, length: int) -> None:
    """Over the pieces of an object, whatever their sizes."""
    pieces = [Piece(str(number), size) for number, size in enumerate(sizes)]
    data = {piece.name: bytes([65 + number]) * piece.size for number, piece in enumerate(pieces)}
    whole = b"".join(data.values())
    end = min(start + length, len(whole))
    found = b"".join(data[cut.piece.name][cut.start : cut.end] for cut in cuts(pieces, Span(start, max(start, end))))
    assert found == whole[start:end]


@given(st.integers(0, 20), st.integers(0, 25), st.integers(0, 25))
def test_ranges_are_slices(size: int, first: int, last: int) -> None:
    """`bytes=a-b` is `data[a : b + 1]` where a byte of that is there; backwards ones are not heeded."""
    text = f"bytes={first}-{last}"
    if last < first:
        assert span_of_range(text, size) is None
    elif first >= size:
        with pytest.raises(InvalidRangeError):
            span_of_range(text, size)
    else:
        span = span_of_range(text, size)
        assert span is not None
        data = bytes(range(size))
        assert data[span.start : span.end] == data[first : last + 1]


@pytest.mark.parametrize("text", ["bytes=", "bytes=-", "items=0-1", "bytes=0-1,3-4", "bytes=a-b", "0-1", ""])
def test_what_is_no_range_is_not_heeded(text: str) -> None:
    assert span_of_range(text, 10) is None


@pytest.mark.parametrize(("text", "size"), [("bytes=-0", 5), ("bytes=-1", 0), ("bytes=0-", 0), ("bytes=5-", 5)])
def test_what_is_not_there_is_refused(text: str, size: int) -> None:
    with pytest.raises(InvalidRangeError):
        span_of_range(text, size)
