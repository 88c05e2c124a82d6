"""The service graph: what it counts, what it looks through, and when causes come later than what they caused."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.scope import Scope
from fogbank.storage import SqliteStorage
from fogbank.telemetry import Kind, Span, Status, Telemetry
from fogbank.telemetry.graph import EDGES, FORGET, Graph
from fogbank.telemetry.histogram import Histogram, bucket_of, merge, percentile

ROOT = "1-5759e988-bd862e3fe1be46a994272793"


@pytest_asyncio.fixture
async def telemetry(tmp_path: Path, clock: VirtualClock) -> AsyncIterator[Telemetry]:
    telemetry = Telemetry(Config(data=tmp_path), clock, inline_commit=True)
    await telemetry.start()
    yield telemetry
    await telemetry.stop()


@pytest.fixture
def graph(telemetry: Telemetry, clock: VirtualClock) -> Graph:
    return Graph(telemetry, clock, "run")


def span(
    clock: VirtualClock,
    name: str,
    parent: str,
    what: tuple[Kind, str, str, str],
    *,
    took: float = 0.1,
    status: Status = Status.OK,
) -> Span:
    kind, service, operation, resource = what
    now = clock.time()
    return Span(ROOT, name, parent, kind, operation, service, operation, resource, Scope(), now - took, now, status)


PUT = (Kind.API, "events", "PutEvents", "default")
RULE = (Kind.RULE, "events", "rule", "arn:aws:events:us-east-1:0:rule/placed")
SEND = (Kind.API, "sqs", "SendMessage", "https://sqs.us-east-1.amazonaws.com/0/orders")
POLL = (Kind.POLL, "sqs", "poll", "arn:aws:sqs:us-east-1:0:orders")
RUN = (Kind.INVOCATION, "lambda", "invocation", "arn:aws:lambda:us-east-1:0:function:take:live")
ITEM = (Kind.API, "dynamodb", "PutItem", "orders")
INVOKE = (Kind.API, "lambda", "Invoke", "take")


async def shown(graph: Graph, clock: VirtualClock) -> dict[tuple[str, str], tuple[int, int]]:
    edges = await graph.edges(clock.time() - 3600, clock.time())
    return {(e.source, e.target): (e.calls, e.errors + e.throttles + e.faults) for e in edges}


async def test_an_order_is_a_chain_of_edges(graph: Graph, telemetry: Telemetry, clock: VirtualClock) -> None:
    """From the client over bus, queue and function to the table; a rule belongs to its bus, a poll to its queue."""
    for each in (
        span(clock, "b", "a", RULE),
        span(clock, "c", "b", SEND),
        span(clock, "a", "", PUT),
        span(clock, "e", "d", RUN),
        span(clock, "d", "c", POLL),
        span(clock, "f", "e", ITEM, status=Status.ERROR),
    ):
        telemetry.record(each)
    assert await shown(graph, clock) == {
        ("client", "events/default"): (1, 0),
        ("events/default", "sqs/orders"): (1, 0),
        ("sqs/orders", "lambda/take"): (1, 0),
        ("lambda/take", "dynamodb/orders"): (1, 1),
    }


async def test_what_a_running_function_does_is_put_under_it(
    graph: Graph, telemetry: Telemetry, clock: VirtualClock
) -> None:
    """Its own span comes at its end; that it began was told."""
    telemetry.begun(ROOT, "run", "", "lambda/take")
    telemetry.record(span(clock, "item", "run", ITEM))
    assert await shown(graph, clock) == {("lambda/take", "dynamodb/orders"): (1, 0)}


async def test_a_cause_that_is_never_seen_is_a_client(graph: Graph, telemetry: Telemetry, clock: VirtualClock) -> None:
    """A client's own spans stay with the client."""
    telemetry.record(span(clock, "a", "53995c3f42cd8ad8", PUT))
    assert await shown(graph, clock) == {("client", "events/default"): (1, 0)}


async def test_a_refused_invocation_is_counted_and_one_that_ran_is_not_counted_twice(
    graph: Graph, telemetry: Telemetry, clock: VirtualClock
) -> None:
    """The function's work is its invocations; a throttled Invoke has none."""
    telemetry.record(span(clock, "a", "", INVOKE))
    telemetry.record(span(clock, "b", "a", RUN))
    telemetry.record(span(clock, "c", "", INVOKE, status=Status.THROTTLE))
    assert await shown(graph, clock) == {("client", "lambda/take"): (2, 1)}


async def test_edges_add_up_over_minutes_and_flushes(graph: Graph, telemetry: Telemetry, clock: VirtualClock) -> None:
    """And what is before the span of time asked for is not in them."""
    for _ in range(3):
        telemetry.record(span(clock, "a", "", PUT))
        await telemetry.flush()
        telemetry.record(span(clock, "b", "", PUT))
        await clock.advance(600)
    assert await shown(graph, clock) == {("client", "events/default"): (6, 0)}
    (edge,) = await graph.edges(clock.time() - 700, clock.time())
    assert edge.calls == 2
    assert edge.percentile(0.95) == pytest.approx(0.1, rel=0.125)


async def test_questions_use_an_index(graph: Graph, telemetry: Telemetry, clock: VirtualClock) -> None:
    """Only the minutes that are asked for are read."""
    await graph.edges(0, 1)
    storage = telemetry._storage
    assert isinstance(storage, SqliteStorage)
    for sql in (EDGES, FORGET):
        assert not [line for line in storage.plan(sql) if line.startswith("SCAN")]


@given(st.lists(st.floats(2e-6, 1e5), min_size=1), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_within_an_eighth(durations: list[float], share: float) -> None:
    """Of the duration that stands there when all are sorted."""
    histogram: Histogram = {}
    for each in durations:
        merge(histogram, {bucket_of(each): 1})
    exact = sorted(durations)[max(0, math.ceil(share * len(durations)) - 1)]
    assert percentile(histogram, share) == pytest.approx(exact, rel=0.125)


def test_nothing_has_no_duration() -> None:
    assert percentile({}, 0.95) == 0.0
