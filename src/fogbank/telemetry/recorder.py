"""The buffer in memory, and what is kept of it under pressure. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from fogbank.telemetry.model import Kind, Span, Status

MAX_BUFFER = 500
"""Spans in memory before they are handed on at once."""
_REMEMBERED = 10_000
"""Failed traces that are remembered, so that what belongs to them is kept as well."""
_HASHES = 1 << 16
_ALL = "~"
"""Behind every id."""
_WINDOW = 0.5
"""Seconds over which a rate is taken, unless what one second may bring comes in less: a few spans are no pressure."""


def is_routine(span: Span) -> bool:
    """Whether a span without a parent is a service's own call, which is no part of anything that a user began.

    A poller looks for messages, Lambda writes logs; even what is refused (a group is there already) is routine.
    """
    return span.kind is Kind.API and "caller" in span.attributes and span.status is not Status.FAULT


class Sampler:
    """Decides which spans are written down: all of them up to a rate, then whole traces by a hash of their id.

    What failed is always kept, and what belongs to a trace that failed is kept from then on. `wants` is the same
    decision beforehand, for spans so frequent that making them costs more than their rate is worth.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        """Spans a second that are kept."""
        self.dropped = 0
        """Spans that were left out since the start."""
        self._credit = rate
        self._share = _HASHES
        """Of so many hashes of a trace, those below are wanted; it follows the rate of the last batch."""
        self._below = _ALL
        """The same as text, to compare the end of a trace's id with."""
        self._gathered = 0
        self._gathering = 0.0
        """Spans since the rate was last taken, and in how many seconds."""
        self._failed: dict[str, None] = {}

    def keep(self, spans: Sequence[Span], elapsed: float) -> Sequence[Span]:
        """What is to be written of a batch that gathered in `elapsed` seconds since the one before."""
        self._credit = min(self.rate, self._credit + self.rate * elapsed)
        self._adjust(len(spans), elapsed)
        spans = [span for span in spans if span.parent or not is_routine(span)]
        for span in spans:
            if span.status:
                self._remember(span.trace)
        if len(spans) <= self._credit:
            self._credit -= len(spans)
            return spans
        share = self._credit / len(spans) * _HASHES
        failed = self._failed
        kept = [s for s in spans if int(s.trace[-4:], 16) < share or s.trace in failed]
        self._credit = max(0.0, self._credit - len(kept))
        self.dropped += len(spans) - len(kept)
        return kept

    def wants(self, trace: str) -> bool:
        """Whether a span of this trace (X-Ray's form) that did not fail is worth making."""
        return trace[-4:] < self._below

    @property
    def wants_all(self) -> bool:
        """Whether every trace is wanted: there is no pressure."""
        return self._below is _ALL

    @property
    def weight(self) -> float:
        """How many spans each stands for that `wants` decided on."""
        return _HASHES / max(self._share, 1)

    def relax(self) -> None:
        """Want every trace again: there is no pressure any more."""
        self._share = _HASHES
        self._below = _ALL

    def _adjust(self, spans: int, elapsed: float) -> None:
        """Want so many traces that at the present rate about as many spans are made as are kept."""
        self._gathered += spans
        self._gathering += elapsed
        if self._gathering <= 0.0 or (self._gathered < self.rate and self._gathering < _WINDOW):
            return
        offered = self._gathered * _HASHES / max(self._share, 1) / self._gathering
        self._gathered, self._gathering = 0, 0.0
        if offered <= self.rate:
            self.relax()
        else:
            self._share = max(1, int(self.rate / offered * _HASHES))
            self._below = f"{self._share:04x}"

    def _remember(self, trace: str) -> None:
        if trace not in self._failed:
            if len(self._failed) >= _REMEMBERED:
                del self._failed[next(iter(self._failed))]
            self._failed[trace] = None
