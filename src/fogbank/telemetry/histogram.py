"""Durations, counted in buckets of growing width: percentiles within a tenth, in little room."""

from __future__ import annotations

import math
from collections.abc import Mapping

_WIDTH = 5.0
"""Buckets for each factor of e: each is a factor of 1.22 wide."""
_UNIT = 1e6

Histogram = dict[int, int]
"""How many durations fell into each bucket."""


def bucket_of(seconds: float) -> int:
    """The bucket of a duration."""
    return int(math.log(seconds * _UNIT) * _WIDTH) if seconds * _UNIT > 1 else 0


def middle_of(bucket: int) -> float:
    """The duration, in seconds, that stands for a bucket."""
    return math.exp((bucket + 0.5) / _WIDTH) / _UNIT if bucket else 0.0


def percentile(histogram: Mapping[int, int], share: float) -> float:
    """The duration, in seconds, within which `share` (0 to 1) of all fell; 0 of nothing."""
    wanted = share * sum(histogram.values())
    seen = 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if seen >= wanted:
            return middle_of(bucket)
    return 0.0


def merge(into: Histogram, other: Mapping[int, int]) -> None:
    """Add one to another."""
    for bucket, count in other.items():
        into[bucket] = into.get(bucket, 0) + count
