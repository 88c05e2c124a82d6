"""Listings: keys in order, those with a common prefix up to the delimiter rolled up into one entry.

A listing reads on in steps, and leaps over what it has rolled up, so that a page over a folder of a million keys costs
a page. Order is that of the keys' UTF-8 bytes, which is that of their code points.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_KEYS = 1000
_STEP = 1000
_LAST = 0x10FFFF


@dataclass(slots=True)
class Page(Generic[T]):
    """One page: entries and common prefixes, in order; `last` is where the next begins, if there is one."""

    entries: list[T] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str = ""
    truncated: bool = False

    @property
    def count(self) -> int:
        """Entries and prefixes together, which are counted against the limit."""
        return len(self.entries) + len(self.prefixes)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a reading begins: at `key`, or behind it; behind one of its entries, if `entry` says which."""

    key: str
    inclusive: bool
    entry: str = ""


Fetch = Callable[[Start, int], Awaitable[Sequence[T]]]
"""Entries from a start on, in order, at most so many."""


def after_prefix(prefix: str) -> str | None:
    """The first text behind all that begin with `prefix`; `None` if there is none."""
    while prefix:
        last = ord(prefix[-1])
        if last < _LAST:
            following = 0xE000 if 0xD7FF <= last < 0xE000 else last + 1
            return prefix[:-1] + chr(following)
        prefix = prefix[:-1]
    return None


async def collect(
    fetch: Fetch[T],
    key_of: Callable[[T], str],
    *,
    prefix: str,
    delimiter: str,
    start: Start,
    limit: int,
    place_of: Callable[[T], str] = lambda _row: "",
) -> Page[T]:
    """One page of a listing. `start` is as the caller said; keys outside `prefix` are passed over.

    `place_of` tells entries of one key apart (versions, uploads), in the order in which `fetch` has them.
    """
    page: Page[T] = Page()
    if limit <= 0:
        return page
    at = _beginning(start, prefix, delimiter)
    if at is None:
        return page
    while True:
        rows = await fetch(at, min(_STEP, limit - page.count + 1))
        if not rows:
            return page
        leap = None
        for row in rows:
            key = key_of(row)
            if not key.startswith(prefix):
                return page
            if leap is not None and key < leap:
                continue
            rolled = _rolled(key, prefix, delimiter)
            if page.count >= limit:
                page.truncated = True
                return page
            if rolled is None:
                page.entries.append(row)
                page.last = key
                leap = None
            else:
                page.prefixes.append(rolled)
                page.last = rolled
                leap = after_prefix(rolled)
                if leap is None:
                    return page
        last = rows[-1]
        at = (
            Start(leap, inclusive=True)
            if leap is not None
            else Start(key_of(last), inclusive=False, entry=place_of(last))
        )


def _beginning(start: Start, prefix: str, delimiter: str) -> Start | None:
    """Where to begin to read: within the prefix, and behind a common prefix that the page before ended with."""
    if start.key < prefix:
        return Start(prefix, inclusive=True)
    ended_rolled = (
        not start.entry and start.key.startswith(prefix) and _rolled(start.key, prefix, delimiter) == start.key
    )
    if not ended_rolled:
        return start
    leap = after_prefix(start.key)
    return None if leap is None else Start(leap, inclusive=True)


def _rolled(key: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix that a key is rolled up into, if any."""
    if not delimiter:
        return None
    found = key.find(delimiter, len(prefix))
    return None if found < 0 else key[: found + len(delimiter)]
