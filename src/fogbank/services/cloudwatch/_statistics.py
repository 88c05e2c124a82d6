"""Statistics over a period's samples: the five simple ones, percentiles, trimmed and winsorized means, ranks.

    Average, Sum, Minimum, Maximum, SampleCount
    p99.9                        the value that 99.9% of the samples do not pass
    tm99, TM(10%:90%), TM(1:50)  the mean of the samples within bounds: percentiles, or values (the lower excluded)
    wm99, WM(…)                  the mean with the samples outside put on the bound
    tc99, TC(…); ts99, TS(…)     how many are within; their sum
    PR(:300), PR(1:9)            per cent of the samples within values
    IQM                          TM(25%:75%)

Where a period's samples are not known (it was put as a statistic set of several values) or one is negative,
only the first five can be told.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from fogbank.telemetry.metrics import bound

_NUMBER = r"\d+(?:\.\d{1,10})?"
_SHORT = re.compile(rf"(p|tm|tc|ts|wm)({_NUMBER})")
_LONG = re.compile(rf"(TM|TC|TS|WM|PR)\((?:({_NUMBER})(%?))?:(?:({_NUMBER})(%?))?\)")
_SIMPLE = frozenset({"SampleCount", "Average", "Sum", "Minimum", "Maximum"})

Spread = Mapping[float, float]
"""Each distinct value with how often it came."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of the samples of a period: their number, sum and bounds, and the values where they are known."""

    samples: float
    total: float
    low: float
    high: float
    spread: Spread | None

    @classmethod
    def of_values(cls, spread: Spread) -> Summary:
        """The summary of values with their counts; at least one."""
        samples = sum(spread.values())
        total = sum(value * count for value, count in spread.items())
        return cls(samples, total, min(spread), max(spread), spread)

    def merge(self, other: Summary) -> Summary:
        """The summary of both."""
        spread: Spread | None = None
        if self.spread is not None and other.spread is not None:
            joined = dict(self.spread)
            for value, count in other.spread.items():
                joined[value] = joined.get(value, 0.0) + count
            spread = bound(joined)
        return Summary(
            self.samples + other.samples,
            self.total + other.total,
            min(self.low, other.low),
            max(self.high, other.high),
            spread,
        )


Statistic = Callable[[Summary], float | None]
"""The value of a statistic; `None` where it cannot be told."""


@lru_cache(maxsize=1024)
def compile_statistic(text: str) -> Statistic | None:
    """The statistic of a name; `None` if it is none."""
    if text in _SIMPLE:
        return _SIMPLE_STATISTICS[text]
    if text == "IQM":
        text = "TM(25%:75%)"
    match = _SHORT.fullmatch(text)
    if match:
        kind, top = match[1], float(match[2])
        if top > 100:
            return None
        if kind == "p":
            return _of_samples(lambda ranks: ranks.at(top))
        return _of_samples(_BY_KIND[kind.upper()](_Bounds(0.0, top, relative=True)))
    match = _LONG.fullmatch(text)
    return _compile_long(match) if match else None


def _compile_long(match: re.Match[str]) -> Statistic | None:
    kind, low, low_sign, high, high_sign = match.groups()
    if low is None and high is None:
        return None
    relative = (low_sign or high_sign) == "%"
    if (low is not None and bool(low_sign) != relative) or (high is not None and bool(high_sign) != relative):
        return None
    ceiling = 100.0 if relative else math.inf
    bounds = _Bounds(float(low or 0) if low or relative else -math.inf, float(high) if high else ceiling, relative)
    if bounds.low >= bounds.high or (relative and bounds.high > 100) or (kind == "PR" and relative):
        return None
    return _of_samples(_BY_KIND[kind](bounds))


def is_percentile(text: str) -> bool:
    """Whether a statistic is of the form `p99`."""
    return compile_statistic(text) is not None and text.startswith("p")


_SIMPLE_STATISTICS: dict[str, Statistic] = {
    "SampleCount": lambda summary: summary.samples,
    "Sum": lambda summary: summary.total,
    "Minimum": lambda summary: summary.low,
    "Maximum": lambda summary: summary.high,
    "Average": lambda summary: summary.total / summary.samples if summary.samples else None,
}


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: float
    high: float
    relative: bool


class _Ranks:
    """The samples in order."""

    def __init__(self, spread: Spread) -> None:
        self.pairs = sorted(spread.items())
        self.count = sum(count for _, count in self.pairs)

    def at(self, percent: float) -> float:
        """The percentile by nearest rank."""
        wanted = max(1.0, math.ceil(round(percent / 100 * self.count, 9)))
        passed = 0.0
        for value, count in self.pairs:
            passed += count
            if passed >= wanted:
                return value
        return self.pairs[-1][0]

    def within(self, bounds: _Bounds) -> list[tuple[float, float]]:
        """(value, count) of the samples within the bounds."""
        if not bounds.relative:
            return [(value, count) for value, count in self.pairs if bounds.low < value <= bounds.high]
        first = math.floor(round(bounds.low / 100 * self.count, 9))
        last = math.ceil(round(bounds.high / 100 * self.count, 9))
        found, passed = [], 0.0
        for value, count in self.pairs:
            kept = min(passed + count, last) - max(passed, first)
            if kept > 0:
                found.append((value, kept))
            passed += count
        return found


Reading = Callable[[_Ranks], float | None]


def _of_samples(reading: Reading) -> Statistic:
    def statistic(summary: Summary) -> float | None:
        if not summary.spread or summary.low < 0:
            return None
        return reading(_Ranks(summary.spread))

    return statistic


def _trimmed(bounds: _Bounds) -> Reading:
    def mean(ranks: _Ranks) -> float | None:
        kept = ranks.within(bounds)
        count = sum(each for _, each in kept)
        return sum(value * each for value, each in kept) / count if count else None

    return mean


def _count(bounds: _Bounds) -> Reading:
    return lambda ranks: sum(count for _, count in ranks.within(bounds))


def _sum(bounds: _Bounds) -> Reading:
    return lambda ranks: sum(value * count for value, count in ranks.within(bounds))


def _winsorized(bounds: _Bounds) -> Reading:
    def mean(ranks: _Ranks) -> float | None:
        low, high = bounds.low, bounds.high
        if bounds.relative:
            kept = ranks.within(bounds)
            low, high = kept[0][0], kept[-1][0]
        return sum(min(max(value, low), high) * count for value, count in ranks.pairs) / ranks.count

    return mean


def _rank(bounds: _Bounds) -> Reading:
    return lambda ranks: 100.0 * sum(count for _, count in ranks.within(bounds)) / ranks.count


_BY_KIND: dict[str, Callable[[_Bounds], Reading]] = {
    "TM": _trimmed,
    "TC": _count,
    "TS": _sum,
    "WM": _winsorized,
    "PR": _rank,
}
