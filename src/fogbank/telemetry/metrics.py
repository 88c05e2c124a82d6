"""What the services count: samples gathered in memory by the minute, for CloudWatch's metrics and Prometheus.

A service asks once for the `Series` of what it counts and keeps it; `series.add(value)` then costs a fifth of a
microsecond and writes nothing. Whoever stores the samples (CloudWatch) drains them; what has no event of its own
(how long a queue is) is sampled at the minute by functions that services register. Names, dimensions and units are
those of AWS's metric tables.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

from fogbank.core.clock import Clock
from fogbank.core.scope import Scope

MINUTE = 60
MAX_SERIES = 50_000
"""Series that are remembered; past it the oldest are forgotten, with what they counted since the start."""
MAX_SPREAD = 512
"""Distinct values that one period keeps apart; past it they are rounded to three digits, then to two."""

MAX_PANELS = 10_000

K = TypeVar("K", bound=Hashable)
Dimensions = tuple[tuple[str, str], ...]
Sampler = Callable[[], Awaitable[None]]
"""Adds the present value of what it watches to its series."""


class Drained(NamedTuple):
    """The samples that a series got in one minute. `spread` is how often each value came."""

    series: Series
    moment: int
    samples: float
    total: float
    low: float
    high: float
    spread: dict[float, float]


class Series:
    """Samples of one metric. `gauge` says that the last one counts, not their sum.

    Each value with how often it came is all that is kept: what is asked of the samples is computed when they are handed
    over. Where there are too many different values, what they come to is put aside first.
    """

    __slots__ = (
        "_aside", "_clock", "_metrics", "_moment", "_spread", "all_samples", "all_total", "dimensions", "gauge", "last",
        "name", "namespace", "scope", "unit",
    )  # fmt: skip

    def __init__(
        self,
        metrics: Metrics,
        clock: Clock,
        place: tuple[Scope, str, str, Dimensions, str],
        *,
        gauge: bool,
    ) -> None:
        self.scope, self.namespace, self.name, self.dimensions, self.unit = place
        self.gauge = gauge
        self._metrics = metrics
        self._clock = clock
        self._moment = 0
        self._spread: dict[float, float] = {}
        self._aside: Drained | None = None
        self.all_samples = 0.0
        self.all_total = 0.0
        self.last = 0.0

    def add(self, value: float = 1.0) -> None:
        """Take one sample."""
        spread = self._spread
        if value in spread:
            spread[value] += 1.0
        else:
            self._add_new(value)

    def level(self, value: float) -> None:
        """Take one sample of a gauge."""
        self.last = value
        self.add(value)

    def _add_new(self, value: float) -> None:
        """Take a value that is new since the last time, or the first of all."""
        if not self._spread and self._aside is None:
            self._moment = int(self._clock.time()) // MINUTE * MINUTE
            self._metrics.touch(self)
        self._spread[value] = 1.0
        if len(self._spread) > 4 * MAX_SPREAD:
            self._aside = self._sum()
            self._spread = {}

    def _sum(self) -> Drained:
        """What the samples come to."""
        spread, aside = self._spread, self._aside
        samples = sum(spread.values())
        total = sum(value * count for value, count in spread.items())
        low, high = (min(spread), max(spread)) if spread else (float("inf"), float("-inf"))
        if aside is None:
            return Drained(self, self._moment, samples, total, low, high, bound(spread))
        joined = dict(aside.spread)
        for value, count in spread.items():
            joined[value] = joined.get(value, 0.0) + count
        return Drained(
            self, self._moment, samples + aside.samples, total + aside.total, min(low, aside.low),
            max(high, aside.high), bound(joined),
        )  # fmt: skip

    def totals(self) -> tuple[float, float]:
        """The number and the sum of all samples since the start."""
        now = self._sum()
        return self.all_samples + now.samples, self.all_total + now.total

    def drain(self) -> Drained:
        """Hand over the samples and begin anew."""
        taken = self._sum()
        self.all_samples += taken.samples
        self.all_total += taken.total
        self._spread = {}
        self._aside = None
        return taken


def bound(spread: dict[float, float]) -> dict[float, float]:
    """Values with their counts, rounded as far as it takes to keep them few."""
    for digits in (3, 2, 1):
        if len(spread) <= MAX_SPREAD:
            return spread
        rounded: dict[float, float] = {}
        for value, count in spread.items():
            near = float(f"{value:.{digits - 1}e}")
            rounded[near] = rounded.get(near, 0.0) + count
        spread = rounded
    return spread


class Panel:
    """The series of one thing (a queue, a function): by name, under each of its sets of dimensions."""

    __slots__ = ("_metrics", "_namespace", "_scope", "_series", "_sets")

    def __init__(self, metrics: Metrics, scope: Scope, namespace: str, sets: tuple[Dimensions, ...]) -> None:
        self._metrics = metrics
        self._scope = scope
        self._namespace = namespace
        self._sets = sets
        self._series: dict[str, tuple[Series, ...]] = {}

    def add(self, name: str, value: float = 1.0, unit: str = "Count") -> None:
        """Take one sample of a metric."""
        for series in self._series.get(name) or self._find(name, unit, gauge=False):
            series.add(value)

    def gauge(self, name: str, value: float, unit: str = "Count") -> None:
        """Take one sample of a metric whose last value counts."""
        for series in self._series.get(name) or self._find(name, unit, gauge=True):
            series.level(value)

    def series(self, name: str, unit: str = "Count") -> tuple[Series, ...]:
        """The series of a metric, for who adds to it again and again."""
        return self._series.get(name) or self._find(name, unit, gauge=False)

    def _find(self, name: str, unit: str, *, gauge: bool) -> tuple[Series, ...]:
        find = self._metrics.gauge if gauge else self._metrics.series
        found = self._series[name] = tuple(find(self._scope, self._namespace, name, each, unit) for each in self._sets)
        return found


class Panels(Generic[K]):
    """The panels of a service's things, by what tells those apart. Bounded; forgotten when everything is emptied."""

    def __init__(self, metrics: Metrics, make: Callable[[K], Panel]) -> None:
        self._make = make
        self._panels: dict[K, Panel] = {}
        metrics.on_reset.append(self._panels.clear)

    def __call__(self, key: K) -> Panel:
        """The panel of a thing."""
        found = self._panels.get(key)
        if found is None:
            if len(self._panels) >= MAX_PANELS:
                del self._panels[next(iter(self._panels))]
            found = self._panels[key] = self._make(key)
        return found

    def drop(self, key: K) -> None:
        """Forget the panel of a thing; it is made anew when it is asked for."""
        self._panels.pop(key, None)


class Metrics:
    """All series of a process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._series: dict[tuple[Scope, str, str, Dimensions, str], Series] = {}
        self._active: list[Series] = []
        self._samplers: list[Sampler] = []
        self._sampled_at = 0.0
        self.on_reset: list[Callable[[], None]] = []
        """Called when all series are forgotten."""
        self.on_pending: Callable[[], None] | None = None
        """Called with the first sample after all were drained."""

    def series(
        self, scope: Scope, namespace: str, name: str, dimensions: Dimensions = (), unit: str = "Count"
    ) -> Series:
        """The series of a metric; dimensions are (name, value) pairs by name."""
        return self._find((scope, namespace, name, dimensions, unit), gauge=False)

    def gauge(
        self, scope: Scope, namespace: str, name: str, dimensions: Dimensions = (), unit: str = "Count"
    ) -> Series:
        """The same for a value that is sampled: how many there are now."""
        return self._find((scope, namespace, name, dimensions, unit), gauge=True)

    def _find(self, place: tuple[Scope, str, str, Dimensions, str], *, gauge: bool) -> Series:
        found = self._series.get(place)
        if found is None:
            if len(self._series) >= MAX_SERIES:
                del self._series[next(iter(self._series))]
            found = self._series[place] = Series(self, self._clock, place, gauge=gauge)
        return found

    def touch(self, series: Series) -> None:
        """A series has its first sample since it was drained."""
        if not self._active and self.on_pending is not None:
            self.on_pending()
        self._active.append(series)

    def panel(self, scope: Scope, namespace: str, *sets: Dimensions) -> Panel:
        """The series of one thing, under each of these sets of dimensions."""
        return Panel(self, scope, namespace, sets)

    def every_minute(self, sampler: Sampler) -> None:
        """Have a function called at each minute."""
        self._samplers.append(sampler)

    async def sample(self) -> None:
        """Have every registered function add its values, once a minute however often this is called."""
        now = self._clock.time()
        if now // MINUTE == self._sampled_at // MINUTE:
            return
        self._sampled_at = now
        for sampler in self._samplers:
            await sampler()

    @property
    def pending(self) -> bool:
        """Whether there are samples to drain."""
        return bool(self._active)

    def drain(self) -> list[Drained]:
        """The samples since the last time."""
        taken = [series.drain() for series in self._active]
        self._active.clear()
        return taken

    def __iter__(self) -> Iterator[Series]:
        return iter(list(self._series.values()))

    def reset(self) -> None:
        """Forget all samples and all series: everything was emptied. Those that are held go on counting."""
        self.drain()
        self._sampled_at = 0.0
        self._series.clear()
        for forget in self.on_reset:
            forget()
