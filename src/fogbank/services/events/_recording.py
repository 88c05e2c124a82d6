"""What EventBridge records: each match of a rule, and each firing of one that has a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fogbank.core.arn import Arn
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.services.events._metrics import RuleMetrics
from fogbank.telemetry import Kind, Span, Status
from fogbank.telemetry.correlation import correlation_ids

if TYPE_CHECKING:
    from fogbank.services.events._router import CompiledRule
    from fogbank.services.kit import Kit


class Recorder:
    """Makes the spans of rules; each gives the context for what follows."""

    def __init__(self, kit: Kit, counts: RuleMetrics) -> None:
        self._telemetry = kit.telemetry
        self._clock = kit.clock
        self._ids = kit.ids
        self._counts = counts

    def matched(self, rule: CompiledRule, event: Mapping[str, Any], trace: Trace) -> Trace:
        """An event matched a rule."""
        self._counts.matched(rule.arn)
        if not self._telemetry.wants(trace.root):
            return trace
        return self._span(Kind.RULE, rule, event, trace, trace.parent)

    def fired(self, rule: CompiledRule, event: Mapping[str, Any], trace: Trace) -> Trace:
        """A rule's schedule came due: the trace begins with it."""
        self._counts.fired(rule.arn)
        return self._span(Kind.SCHEDULE, rule, event, trace, "")

    def _span(self, kind: Kind, rule: CompiledRule, event: Mapping[str, Any], trace: Trace, parent: str) -> Trace:
        if not self._telemetry.on:
            return trace
        inner = trace.child(self._ids)
        now = self._clock.time()
        keys = [event["id"], *correlation_ids(event.get("detail"))]
        attributes = {"keys": keys, "detail-type": event["detail-type"], "source": event["source"]}
        self._telemetry.record(
            Span(
                *(
                    trace.root,
                    inner.parent,
                    parent,
                    kind,
                    rule.name,
                    "events",
                    kind.value,
                    rule.arn,
                    _scope_of(rule.arn),
                ),
                *(now, now, Status.OK, "", attributes),
            )
        )
        return inner


@lru_cache(maxsize=1000)
def _scope_of(arn: str) -> Scope:
    return Arn.parse(arn).scope
