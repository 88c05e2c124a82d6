"""Time zones by name, and the two awkward hours of a year."""

from __future__ import annotations

from datetime import UTC as _UTC
from datetime import datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UTC: tzinfo = _UTC


class UnknownZoneError(ValueError):
    """A name that the time zone database does not have."""


@lru_cache(maxsize=700)
def zone(name: str) -> tzinfo:
    """The zone of an IANA name such as `Europe/Berlin`; `UnknownZoneError` if there is none."""
    if name in {"UTC", "Etc/UTC"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZoneError(name) from error


def moment(local: datetime, where: tzinfo) -> float | None:
    """The moment of a clock's reading (without zone) in a zone, in seconds since the epoch.

    A reading that the clock skips when it is put forward has none. One that it shows twice, when it is put
    back, is its first showing: a schedule runs once.
    """
    aware = local.replace(tzinfo=where, fold=0)
    seconds = aware.timestamp()
    if where is UTC:
        return seconds
    shown = datetime.fromtimestamp(seconds, where).replace(tzinfo=None, fold=0)
    return seconds if shown == local else None


def reading(seconds: float, where: tzinfo) -> datetime:
    """What a clock in a zone shows at a moment (without zone)."""
    return datetime.fromtimestamp(seconds, where).replace(tzinfo=None, fold=0)
