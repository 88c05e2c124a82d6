"""What a run showed of an application's resources, by their logical ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fogbank.insight.cost import MONTH_HOURS
from fogbank.insight.prices import PriceBook, price_book


@dataclass(frozen=True, slots=True)
class FunctionRun:
    """What a function's REPORT lines say: milliseconds and MB."""

    invocations: int
    memory: int
    used: int
    """The most that an invocation used."""
    durations: Sequence[float]
    """Sorted."""
    inits: Sequence[float] = ()
    """Sorted."""

    @property
    def p50(self) -> float:
        """Half of the invocations were quicker."""
        return self.durations[len(self.durations) // 2] if self.durations else 0.0

    @property
    def busy(self) -> float:
        """Seconds of all invocations together."""
        return sum(self.durations) / 1000 * (self.invocations / len(self.durations) if self.durations else 0)

    @property
    def init(self) -> float:
        """Half of the init phases were quicker."""
        return self.inits[len(self.inits) // 2] if self.inits else 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A run: how long it was, and what it showed. Without a run every mapping is empty and `hours` is 0."""

    hours: float = 0.0
    scale: float = 0.0
    """What a quantity of the run is multiplied with for a month; 0: by the hours."""
    functions: Mapping[str, FunctionRun] = field(default_factory=dict)
    matches: Mapping[str, int] = field(default_factory=dict)
    """Events that each rule matched; only rules of buses that events came to are here."""
    events: Mapping[str, float] = field(default_factory=dict)
    """Events that came to each bus."""
    large: Mapping[str, int] = field(default_factory=dict)
    """Payloads past three quarters of 256 KB, by the resource that took them."""
    logged: Mapping[str, float] = field(default_factory=dict)
    """GB of log that each function wrote."""
    repeats: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What `fogbank chaos` saw to differ when a function's events came more than once."""
    book: PriceBook = field(default_factory=lambda: price_book("us-east-1"))

    def month(self, quantity: float) -> float:
        """A quantity of the run, for a month."""
        if self.scale:
            return quantity * self.scale
        return quantity / max(self.hours, 1 / 60) * MONTH_HOURS

    def dollars(self, unit: str, monthly: float) -> float:
        """What a monthly quantity costs at the first tier, without free tiers: what more of it costs."""
        return self.book.price(unit).list_price(monthly)


NO_RUN = Evidence()
"""Nothing was run."""
