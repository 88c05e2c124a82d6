"""Spans to uses: what the telemetry saw happen, in the units that AWS bills.

Invocations, state transitions and schedules are no requests of a client; the spans that the runtime, the state
machines and the timers record of them carry what a bill needs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from fogbank.insight.meter import express, invocation
from fogbank.telemetry import Kind, Span
from fogbank.telemetry.usage import Usage, Use

NOTHING: tuple[Use, ...] = ()
MAX_TRACED = 10_000
"""Traces of functions with active tracing that are remembered, to bill each once."""


def uses_of(span: Span) -> Sequence[Use]:
    """What a span's happening used."""
    meter = _METERS.get(span.kind)
    return NOTHING if meter is None else meter(span)


def _invocation(span: Span) -> Sequence[Use]:
    """A function ran. What was refused before it ran (a throttle) has no `billed`; trials are free."""
    about = span.attributes
    billed = about.get("billed")
    if billed is None or about.get("trial"):
        return NOTHING
    return invocation(
        span.resource,
        memory=about.get("memory", 128),
        billed=int(billed),
        architecture=about.get("architecture", "x86_64"),
        ephemeral=about.get("ephemeral", 512),
        provisioned=bool(about.get("provisioned")),
        restored=bool(about.get("restored")),
        streamed=about.get("streamed", 0),
    )


def _state(span: Span) -> Sequence[Use]:
    """A state of a Standard execution was entered; "each retry will be charged as an additional state transition"."""
    if span.attributes.get("express") or "event" in span.attributes:  # an attempt that failed is within its state
        return NOTHING
    return (Use("stepfunctions.transitions", span.resource, 1 + int(span.attributes.get("retries", 0))),)


def _execution(span: Span) -> Sequence[Use]:
    about = span.attributes
    if not about.get("express"):
        return NOTHING
    return express(
        span.resource,
        duration=span.duration,
        definition=about.get("definition", 0),
        payload=about.get("payload", 0),
        parallel=about.get("parallel", 1),
    )


def _schedule(span: Span) -> Sequence[Use]:
    unit = "scheduler.invocations" if span.service == "scheduler" else "events.scheduled"
    return (Use(unit, span.resource, 1),)


def _match(span: Span) -> Sequence[Use]:
    """No charge; the audit asks which rules match nothing."""
    return (Use("observed.matches", span.resource, 1),)


_METERS: dict[Kind, Callable[[Span], Sequence[Use]]] = {
    Kind.INVOCATION: _invocation,
    Kind.STATE: _state,
    Kind.EXECUTION: _execution,
    Kind.SCHEDULE: _schedule,
    Kind.RULE: _match,
}


class SpanMeter:
    """An observer of the telemetry that adds what spans used."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._traced: OrderedDict[str, None] = OrderedDict()

    def __call__(self, spans: Sequence[Span]) -> None:
        for span in spans:
            if span.kind in _METERS:
                uses = uses_of(span)
                if uses:
                    self._usage.add(span.scope, span.trace, uses)
                if "traced" in span.attributes and self._is_new(span.trace):
                    self._usage.add(span.scope, span.trace, (Use("xray.traces-recorded", "", 1),))

    def _is_new(self, root: str) -> bool:
        """Whether X-Ray records a trace here for the first time: it bills a trace once, however long."""
        if root in self._traced:
            return False
        self._traced[root] = None
        if len(self._traced) > MAX_TRACED:
            self._traced.popitem(last=False)
        return True
