"""What spans of invocations, states and schedules used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.scope import Scope
from fogbank.insight.spans import SpanMeter, uses_of
from fogbank.telemetry import Kind, Span, Status, Telemetry
from fogbank.telemetry.usage import Usage

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:orders"


def span(kind: Kind, service: str, *, duration: float = 1.0, **attributes: Any) -> Span:
    return Span("1-0-0", "a", "", kind, "x", service, "x", FUNCTION, Scope(), 0.0, duration, Status.OK, "", attributes)


def test_an_invocation_is_metered_by_what_its_report_says() -> None:
    """Milliseconds as billed, on the architecture that the function has."""
    found = uses_of(span(Kind.INVOCATION, "lambda", memory=2048, billed=500, architecture="arm64"))
    assert {use.unit: use.quantity for use in found} == {"lambda.requests": 1, "lambda.gb-seconds.arm64": 1.0}


def test_what_did_not_run_is_not_billed() -> None:
    """A throttled invocation has no billed duration."""
    assert uses_of(span(Kind.INVOCATION, "lambda", memory=128)) == ()


def test_states_of_standard_executions_are_transitions_and_retries_count() -> None:
    """An Express execution is billed by its time instead."""
    assert uses_of(span(Kind.STATE, "stepfunctions", retries=2))[0].quantity == 3
    assert uses_of(span(Kind.STATE, "stepfunctions", express=True)) == ()
    assert uses_of(span(Kind.EXECUTION, "stepfunctions")) == ()
    express = uses_of(span(Kind.EXECUTION, "stepfunctions", duration=0.35, express=True))
    assert {use.unit: use.quantity for use in express} == {
        "stepfunctions.express-requests": 1,
        "stepfunctions.express-gb-seconds": 0.4 * 64 / 1024,
    }


def test_schedules_are_billed_and_scheduled_rules_are_not() -> None:
    """Both come by the clock."""
    assert uses_of(span(Kind.SCHEDULE, "scheduler"))[0].unit == "scheduler.invocations"
    assert uses_of(span(Kind.SCHEDULE, "events"))[0].unit == "events.scheduled"


async def test_a_trace_that_x_ray_records_is_billed_once(tmp_path: Path, clock: VirtualClock) -> None:
    """However many functions with active tracing it runs through."""
    telemetry = Telemetry(Config(data=tmp_path), clock, inline_commit=True)
    usage = Usage(telemetry, clock)
    meter = SpanMeter(usage)
    await telemetry.start()
    for _ in range(2):
        meter([span(Kind.INVOCATION, "lambda", billed=1, traced=True), span(Kind.INVOCATION, "lambda", billed=1)])
    found = {used.unit: used.quantity for used in (await usage.report()).totals}
    await telemetry.stop()
    assert found["lambda.requests"] == 4
    assert found["xray.traces-recorded"] == 1


def test_requests_are_metered_at_the_door() -> None:
    """Their spans add nothing."""
    assert uses_of(span(Kind.API, "sqs")) == ()
