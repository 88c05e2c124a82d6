"""Power tuning: time against cost over memory sizes, and which to choose. Pure functions.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html, the price book.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from statistics import median

from fogbank.insight.prices import PriceBook

SIZES = (128, 256, 512, 1024, 1769, 3008)
"""MB that are tried where nothing else is asked for; 1,769 is one whole virtual processor."""
LEAST, MOST = 128, 10_240
MILLION = 1_000_000

UNTOLD = (
    "how fast your code is on AWS's processors: only how its time changes with its share of this one",
    "how fast it is on Arm: the price is known, the duration is assumed to be the same; measure it there",
    "how long calls to real AWS services take: here they take as long as Fogbank, on this machine, takes",
    "network bandwidth, which grows with memory on Lambda as well",
    "more than one processor, where the size asks for more than this machine has free",
)
"""What a measurement on this machine cannot tell."""


class Strategy(StrEnum):
    """What matters."""

    COST = "cost"
    SPEED = "speed"
    BALANCED = "balanced"


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds, MB that were used, the init phase in seconds, an error's kind."""

    duration: float
    used: int
    init: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """What the runs of one memory size come to: milliseconds, and dollars for a million invocations."""

    memory: int
    runs: int
    duration: float
    """The median."""
    slowest: float
    used: int
    init: float | None
    errors: tuple[str, ...]
    x86: float
    arm: float

    @property
    def works(self) -> bool:
        """Whether every run succeeded."""
        return not self.errors


def size_of(memory: int, samples: Sequence[Sample], book: PriceBook) -> Size:
    """Sum up the runs of a memory size; durations are billed by the millisecond, requests on top."""
    durations = [sample.duration * 1000 for sample in samples]
    billed = [max(1, ceil(round(duration, 6))) for duration in durations]
    seconds = sum(billed) / len(billed) / 1000 * memory / 1024 * MILLION
    requests = book.price("lambda.requests").list_price(MILLION)
    inits = [sample.init * 1000 for sample in samples if sample.init is not None]
    return Size(
        memory,
        len(samples),
        median(durations),
        max(durations),
        max(sample.used for sample in samples),
        inits[0] if inits else None,
        tuple(sorted({sample.error for sample in samples if sample.error})),
        book.price("lambda.gb-seconds.x86_64").list_price(seconds) + requests,
        book.price("lambda.gb-seconds.arm64").list_price(seconds) + requests,
    )


def unsteady(sizes: Sequence[Size]) -> bool:
    """Whether runs of one size differ so much that something else must have been at work on this machine."""
    return any(size.works and size.slowest > 1.5 * size.duration + 5 for size in sizes)


def recommend(sizes: Sequence[Size], strategy: Strategy) -> Size | None:
    """The size to choose; `None` if none works.

    `cost` takes the cheapest, and of those within 2% the fastest; `speed` the fastest, and of those within 5% the
    cheapest; `balanced` the one whose cost and time, as shares of the least of each, multiply to the least.
    """
    working = [size for size in sizes if size.works]
    if not working:
        return None
    cheapest = min(size.x86 for size in working)
    fastest = max(min(size.duration for size in working), 0.001)
    match strategy:
        case Strategy.COST:
            return min((s for s in working if s.x86 <= cheapest * 1.02), key=lambda s: s.duration)
        case Strategy.SPEED:
            return min((s for s in working if s.duration <= fastest * 1.05), key=lambda s: s.x86)
        case Strategy.BALANCED:
            return min(working, key=lambda s: (s.x86 / cheapest) * (max(s.duration, 0.001) / fastest))


def reason(chosen: Size, sizes: Sequence[Size], now: int) -> str:
    """Why a size, against the one that the function has."""
    current = next((size for size in sizes if size.memory == now), None)
    if current is None or current.memory == chosen.memory:
        return "it has it already" if current is not None else f"it has {now} MB, which was not tried"
    time = 100 * (chosen.duration / max(current.duration, 0.001) - 1)
    cost = 100 * (chosen.x86 / current.x86 - 1)
    return f"against the {now} MB that it has: {time:+.0f}% time, {cost:+.0f}% cost"
