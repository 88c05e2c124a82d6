"""What is kept under pressure, and what a resource is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.telemetry import Kind, Span, Status
from fogbank.telemetry.recorder import Sampler
from fogbank.telemetry.resources import name_of, node_of

IDS = Ids(seed=5)


def span(trace: str = "", *, status: Status = Status.OK, resource: str = "") -> Span:
    trace = trace or f"1-5759e988-{IDS.hex(24)}"
    return Span(trace, IDS.hex(16), "", Kind.API, "X", "sqs", "X", resource, Scope(), 1.0, 2.0, status)


def test_all_is_kept_up_to_the_rate() -> None:
    """Nothing is left out while there is no pressure."""
    sampler = Sampler(100)
    spans = [span() for _ in range(100)]
    assert sampler.keep(spans, 1.0) == spans
    assert sampler.dropped == 0


def test_past_the_rate_whole_traces_are_left_out() -> None:
    """About as many as the rate allows stay, and of a trace all or nothing."""
    sampler = Sampler(1000)
    traces = [f"1-5759e988-{IDS.hex(24)}" for _ in range(2000)]
    spans = [span(trace) for trace in traces for _ in range(4)]
    kept = sampler.keep(spans, 1.0)
    assert 700 < len(kept) < 1300
    assert sampler.dropped == len(spans) - len(kept)
    assert len(kept) == 4 * len({s.trace for s in kept})


def test_under_pressure_some_traces_are_wanted_and_all_when_it_is_over() -> None:
    """What is made is about what is kept, and a trace is wanted at every hop or at none."""
    sampler = Sampler(1000)
    traces = [f"1-5759e988-{IDS.hex(24)}" for _ in range(4000)]
    sampler.keep([span(trace) for trace in traces], 1.0)
    wanted = [trace for trace in traces if sampler.wants(trace)]
    assert 700 < len(wanted) < 1300
    sampler.keep([span(trace) for trace in wanted], 1.0)
    assert 600 < sum(sampler.wants(trace) for trace in traces) < 1400
    sampler.keep([span(trace) for trace in wanted[:100]], 1.0)
    assert all(sampler.wants(trace) for trace in traces)


def test_a_few_spans_in_a_moment_are_no_pressure() -> None:
    """Somebody who looks has what there is handed on at once."""
    sampler = Sampler(500)
    for _ in range(20):
        sampler.keep([span() for _ in range(20)], 0.001)
        assert sampler.wants_all
    sampler.keep([span() for _ in range(100)], 0.001)
    assert not sampler.wants_all


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(Status)), max_size=60), st.integers(1, 5))
def test_what_failed_is_never_left_out(steps: list[tuple[int, Status]], rate: int) -> None:
    """Nor is what comes later of a trace that has failed."""
    sampler = Sampler(rate)
    failed: set[str] = set()
    for number, status in steps:
        trace = f"1-5759e988-{number:024x}"
        batch = [span(trace, status=status), span(), span(), span()]
        if status:
            failed.add(trace)
        kept = sampler.keep(batch, 0.0)
        assert trace not in failed or batch[0] in kept


@pytest.mark.parametrize(
    ("service", "resource", "name"),
    [
        ("sqs", "https://sqs.us-east-1.amazonaws.com/000000000000/orders.fifo", "orders.fifo"),
        ("sqs", "arn:aws:sqs:us-east-1:000000000000:orders", "orders"),
        ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:take:live", "take"),
        ("lambda", "000000000000:function:take:3", "take"),
        ("lambda", "take:live", "take"),
        ("events", "arn:aws:events:us-east-1:000000000000:event-bus/orders", "orders"),
        ("events", "arn:aws:events:us-east-1:000000000000:rule/orders/placed", "placed"),
        ("dynamodb", "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026", "orders"),
        ("dynamodbstreams", "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026", "orders"),
        ("stepfunctions", "arn:aws:states:us-east-1:000000000000:stateMachine:saga", "saga"),
        ("stepfunctions", "arn:aws:states:us-east-1:000000000000:execution:saga:one", "saga"),
        ("logs", "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*", "/aws/lambda/f"),
        ("logs", "/aws/lambda/f", "/aws/lambda/f"),
        ("scheduler", "arn:aws:scheduler:us-east-1:000000000000:schedule/default/nightly", "nightly"),
        ("ssm", "/orders/table", "/orders/table"),
        ("sns", "arn:aws:sns:us-east-1:000000000000:news", "news"),
    ],
)
def test_a_resource_has_one_name(service: str, resource: str, name: str) -> None:
    """However it is given."""
    assert name_of(service, resource) == name


def test_a_node_is_a_service_and_a_resource() -> None:
    """What the service graph shows as one."""
    assert node_of(span(resource="arn:aws:sqs:us-east-1:000000000000:orders")) == ("sqs", "orders")
    assert node_of(span()) == ("sqs", "")
