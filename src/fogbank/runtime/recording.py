"""What the runtime records: each invocation, and the phases of the cold start that it waited for."""

from __future__ import annotations

from typing import Any

from fogbank.core.clock import Clock
from fogbank.core.ids import Ids
from fogbank.core.trace import Trace
from fogbank.runtime.environment import Environment
from fogbank.runtime.model import Event, FunctionVersion, Initialization, Outcome
from fogbank.telemetry import Kind, Span, Status, Telemetry
from fogbank.telemetry.correlation import ids_of_payload

FREE_EPHEMERAL = 512
"""MB of ephemeral storage that every function has; more of it is billed."""


class Recorder:
    """Makes the spans of invocations."""

    def __init__(self, telemetry: Telemetry, clock: Clock, ids: Ids) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._ids = ids

    def begin(self, version: FunctionVersion, event: Event) -> tuple[Event, Trace, str]:
        """The event with the context that the function is to see, that context, and its parent.

        With active tracing a trace for which nobody has decided is sampled; with PassThrough it is not
        (https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html).
        """
        outer = Trace.parse(event.trace)
        if outer is None:
            outer = Trace.begin(self._clock, self._ids)._replace(parent="")
        sampled = version.traced if outer.sampled is None else outer.sampled
        inner = Trace(outer.root, self._ids.hex(16), sampled, lineage=outer.lineage)
        if self._telemetry.on and self._telemetry.wants(inner.root):
            self._telemetry.begun(inner.root, inner.parent, outer.parent, f"lambda/{version.name}")
        return event.with_trace(inner.header), inner, outer.parent

    def ended(
        self,
        version: FunctionVersion,
        event: Event,
        context: tuple[Trace, str, float],
        outcome: Outcome,
        environment: Environment | None,
    ) -> None:
        """An invocation ended. `context` is its own, its parent, and when it began."""
        inner, _, begin = context
        telemetry = self._telemetry
        attributes = _billing(version, event, inner, outcome, environment)
        begun = environment is not None and bool(environment.phases)
        if not (begun or outcome.error is not None or telemetry.wants(inner.root)):
            telemetry.count(self._span(version, event, context, outcome, attributes))
            return
        correlation = ids_of_payload(event.payload)
        attributes |= {
            "request_id": event.request_id,
            "keys": (event.request_id, *correlation),
            "version": version.version,
            "runtime": version.runtime,
            "duration": outcome.duration,
            "used": outcome.memory,
        }
        if outcome.init is not None:
            attributes["init"] = outcome.init
        if correlation:
            attributes["correlation"] = correlation
        if environment is not None:
            attributes["environment"] = environment.id
            attributes["log_group"] = version.logging.group
            attributes["log_stream"] = environment.log_stream
            if begun:
                attributes["cold"] = self._phases(version, inner, environment, begin)
        telemetry.record(self._span(version, event, context, outcome, attributes))

    def _span(
        self,
        version: FunctionVersion,
        event: Event,
        context: tuple[Trace, str, float],
        outcome: Outcome,
        attributes: dict[str, Any],
    ) -> Span:
        inner, parent, begin = context
        return Span(
            *(inner.root, inner.parent, parent, Kind.INVOCATION, version.name, "lambda", "invocation"),
            *(event.function_arn, version.scope, begin, self._clock.time()),
            *(Status.OK if outcome.error is None else Status.FAULT, outcome.error_type or outcome.error or ""),
            attributes,
        )

    def _phases(self, version: FunctionVersion, inner: Trace, environment: Environment, begin: float) -> bool:
        """The phases of the cold start that the invocation waited for, if it did: not those that were over before."""
        phases, environment.phases = environment.phases, []
        waited = [phase for phase in phases if phase[2] > begin]
        for name, since, until in waited:
            self._telemetry.record(
                Span(
                    *(inner.root, self._ids.hex(16), inner.parent, Kind.PHASE, name, "lambda", name),
                    *(version.name, version.scope, since, until),
                )
            )
        return bool(waited)


def _billing(
    version: FunctionVersion, event: Event, inner: Trace, outcome: Outcome, environment: Environment | None
) -> dict[str, Any]:
    """What the meter reads of an invocation."""
    attributes: dict[str, Any] = {"memory": version.memory, "billed": outcome.billed}
    if event.stream is not None and event.stream.size:
        attributes["streamed"] = event.stream.size
    if version.traced and inner.sampled:
        attributes["traced"] = True
    if version.processors is not None:
        attributes["trial"] = True
    if version.architecture != "x86_64":
        attributes["architecture"] = version.architecture
    if version.ephemeral > FREE_EPHEMERAL:
        attributes["ephemeral"] = version.ephemeral
    if environment is not None:
        if environment.how is Initialization.PROVISIONED:
            attributes["provisioned"] = True
        if any(name == "restore" for name, _, _ in environment.phases):
            attributes["restored"] = True
    return attributes
