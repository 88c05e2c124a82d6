"""Recursive loops: how often each function has handled what came of one first event. Pure functions.

The trace header carries a lineage, `Lineage=<mark of a function>:<times>|…`. AWS's SDKs pass it on from within
functions; queues and topics keep it. An event that a function would handle for the 17th time is stopped.
Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import lru_cache

MAX_TIMES = 16
"""How often a function may handle what came of one event."""
_FIELD = ";Lineage="
_MAX_FUNCTIONS = 16
"""Functions that a lineage names; those seen longest ago are forgotten."""
_MOST = 99_999


@lru_cache(maxsize=10_000)
def mark(arn: str) -> str:
    """What stands for a function in lineages."""
    return f"{zlib.crc32(arn.encode()):08x}"


def step(header: str, arn: str) -> tuple[str, int]:
    """The trace header of an event as the function with this ARN is to see it, and the how-many-eth time that is."""
    context, _, lineage = header.partition(_FIELD)
    if not context:
        return header, 1
    own = mark(arn)
    if not lineage:
        return f"{context}{_FIELD}{own}:1", 1
    times = 1
    others = []
    for part in lineage.split("|"):
        name, _, count = part.partition(":")
        if name == own:
            times = min(int(count) + 1, _MOST)
        else:
            others.append(part)
    return f"{context}{_FIELD}{'|'.join([*others[-_MAX_FUNCTIONS + 1 :], f'{own}:{times}'])}", times


def join(lineages: Iterable[str]) -> str:
    """The lineage of what came of several: of each function the highest count."""
    found: dict[str, int] = {}
    for lineage in lineages:
        for part in lineage.split("|"):
            name, _, count = part.partition(":")
            found[name] = max(found.get(name, 0), int(count))
    return "|".join(f"{name}:{count}" for name, count in list(found.items())[-_MAX_FUNCTIONS:])
