"""Timestamps in their three forms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.models import TimestampFormat
from fogbank.gateway.protocols.timestamps import format_timestamp, parse_timestamp

ISO, RFC, UNIX = TimestampFormat.ISO8601, TimestampFormat.RFC822, TimestampFormat.UNIX


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2014-04-29T18:30:38Z", 1398796238),
        ("2014-04-29T18:30:38.123Z", 1398796238.123),
        ("2014-04-29T18:30:38.123456789Z", 1398796238.123456),
        ("2014-04-29T20:30:38+02:00", 1398796238),
        ("2014-04-29T10:30:38-0800", 1398796238),
        ("2014-04-29 18:30:38", 1398796238),
        ("Tue, 29 Apr 2014 18:30:38 GMT", 1398796238),
        ("Tue, 29 Apr 2014 18:30:38.5 GMT", 1398796238.5),
        ("1398796238", 1398796238),
        ("1398796238.5", 1398796238.5),
        ("-1.5", -1.5),
        ("1e3", 1000),
    ],
)
def test_every_form_is_read(text: str, seconds: float) -> None:
    assert parse_timestamp(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "2014-13-01T00:00:00Z", "2014-04-29", "yesterday", "1e99", "nan", "inf"])
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError, IndexError)):
        parse_timestamp(text)


@pytest.mark.parametrize(
    ("seconds", "form", "text"),
    [
        (1398796238, ISO, "2014-04-29T18:30:38Z"),
        (1398796238.5, ISO, "2014-04-29T18:30:38.500Z"),
        (1398796238.9999, ISO, "2014-04-29T18:30:39Z"),
        (0, ISO, "1970-01-01T00:00:00Z"),
        (1398796238.9, RFC, "Tue, 29 Apr 2014 18:30:38 GMT"),
        (1398796238, UNIX, "1398796238"),
        (1398796238.25, UNIX, "1398796238.25"),
    ],
)
def test_writing(seconds: float, form: TimestampFormat, text: str) -> None:
    assert format_timestamp(seconds, form) == text


@given(st.integers(-10_000_000_000, 100_000_000_000), st.sampled_from([ISO, UNIX]))
def test_milliseconds_come_back(millis: int, form: TimestampFormat) -> None:
    assert round(parse_timestamp(format_timestamp(millis / 1000, form)) * 1000) == millis
