"""Timestamps as text and numbers, from and to floats of seconds since the epoch.

ISO8601    2014-04-29T18:30:38Z, with milliseconds where there are any
RFC822     Tue, 29 Apr 2014 18:30:38 GMT
UNIX       1398796238 or 1398796238.123
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import formatdate, parsedate_to_datetime

from fogbank.core.models import TimestampFormat

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))?")
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?([eE]\d{1,3})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def parse_timestamp(text: str) -> float:
    """Read a timestamp in whichever form it is; `ValueError` or `TypeError` if it is none."""
    text = text.strip()
    found = _ISO.fullmatch(text)
    if found is not None:
        return _of_iso(found)
    if _NUMBER.fullmatch(text):
        return _of_number(text)
    plain, fraction = _without_fraction(text)
    return _seconds(parsedate_to_datetime(plain)) + fraction


def format_timestamp(value: float, form: TimestampFormat) -> str:
    """Write a timestamp."""
    if form is TimestampFormat.ISO8601:
        return _to_iso(value)
    if form is TimestampFormat.RFC822:
        return formatdate(int(value // 1), usegmt=True)
    return format_number(value)


def format_number(value: float) -> str:
    """Seconds, with at most milliseconds, without an exponent."""
    if value == int(value):
        return str(int(value))
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _to_iso(value: float) -> str:
    millis = round(value * 1000)
    moment = _EPOCH + timedelta(milliseconds=millis)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    fraction = millis % 1000
    return f"{text}.{fraction:03d}Z" if fraction else f"{text}Z"


def _of_iso(found: re.Match[str]) -> float:
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    zone: timezone = UTC
    if found[9]:
        offset = timedelta(hours=int(found[10]), minutes=int(found[11]))
        zone = timezone(offset if found[9] == "+" else -offset)
    fraction = int((found[7] or "0").ljust(6, "0")[:6])
    return _seconds(datetime(year, month, day, hour, minute, second, fraction, tzinfo=zone))


def _of_number(text: str) -> float:
    value = float(text)
    if not -1e12 < value < 1e12:
        raise ValueError(f"no moment: {text}")
    return int(value) if value == int(value) else value


_FRACTION = re.compile(r"(:\d\d)(\.\d+)( )")


def _without_fraction(text: str) -> tuple[str, float]:
    """An RFC 822 date may have a fraction behind its seconds, which the standard library does not read."""
    found = _FRACTION.search(text)
    if found is None:
        return text, 0.0
    return text[: found.start(2)] + text[found.end(2) :], float(found[2])


def _seconds(moment: datetime) -> float:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    micros = (moment - _EPOCH) // _MICROSECOND
    return micros // 1_000_000 if micros % 1_000_000 == 0 else micros / 1_000_000
