"""What a run, an order and a month cost, computed by hand."""

from __future__ import annotations

import pytest

from fogbank.insight.cost import Line, changes, curve, month_cost, run_cost
from fogbank.insight.plots import bar, svg_of
from fogbank.insight.prices import price_book
from fogbank.telemetry.usage import TraceUse, Used

BOOK = price_book("us-east-1")
FUNCTION = "arn:aws:lambda:us-east-1:0:function:orders"
QUEUE = "arn:aws:sqs:us-east-1:0:payments"
LOGS = "arn:aws:logs:us-east-1:0:log-group:/aws/lambda/orders"
BUS = "arn:aws:events:us-east-1:0:event-bus/orders"


def use(unit: str, resource: str, quantity: float) -> Used:
    return Used("0", "us-east-1", unit, resource, quantity)


def trace(root: str, *uses: Used) -> TraceUse:
    return TraceUse(root, 0.0, uses)


ORDERS = [
    trace(f"order-{n}", use("events.custom", BUS, 1), use("lambda.requests", FUNCTION, 1),
          use("lambda.gb-seconds.x86_64", FUNCTION, 0.05), use("sqs.requests.standard", QUEUE, 1))
    for n in range(4)
]  # fmt: skip
LOGGED = trace("logs", use("logs.ingested-gb", LOGS, 0.004))
POLLED = trace("poll", use("sqs.requests.standard", QUEUE, 8))
SWEEP = trace("sweep", use("scheduler.invocations", "every-minute", 1), use("lambda.requests", FUNCTION, 2))


def run(*traces: TraceUse, seconds: float = 3600.0):  # type: ignore[no-untyped-def]
    totals = [used for each in traces for used in each.uses]
    return run_cost(BOOK, totals, traces, seconds=seconds)


def test_one_order() -> None:
    """$1 a million events + $0.20 a million requests + 0.05 × $0.0000166667 + $0.40 a million messages."""
    found = run(*ORDERS)
    (entry,) = found.entries
    by_hand = 0.000001 + 0.0000002 + 0.05 * 0.0000166667 + 0.0000004
    assert entry.traces == 4
    assert [entry.mean, entry.p50, entry.p95] == [pytest.approx(by_hand)] * 3
    assert found.total == pytest.approx(4 * by_hand)
    assert list(found.by_service()) == ["lambda", "events", "sqs"]
    assert found.by_resource()[FUNCTION] == pytest.approx(4 * (0.0000002 + 0.05 * 0.0000166667))


def test_what_is_done_in_batches_is_shared_out() -> None:
    """0.004 GB of logs for 4 invocations, 8 polls for 4 messages: each order gets a quarter."""
    (entry,) = run(*ORDERS, LOGGED, POLLED).entries
    quantities: dict[str, float] = {}
    for line in entry.lines:
        quantities[line.unit] = quantities.get(line.unit, 0) + line.quantity
    assert quantities["logs.ingested-gb"] == pytest.approx(0.001)
    assert quantities["sqs.requests.standard"] == pytest.approx(1 + 2)


def test_what_cannot_be_shared_out_stays_by_itself() -> None:
    """Polls of a queue that nobody sent to."""
    (entry,) = run(POLLED).entries
    assert entry.unit == "sqs.requests.standard"


def test_a_month_has_free_tiers_and_goes_on_by_the_clock() -> None:
    """Two million orders: events $2; 2 M + 1,460 requests of which 1 M are free; 100,000 GB-s and 1 M messages free."""
    found = run(*ORDERS, SWEEP)
    month = month_cost(BOOK, found, found.entries[0], [], traces=2e6)
    bill = month.by_service()
    assert bill["events"] == pytest.approx(2.00)
    assert bill["lambda"] == pytest.approx((2e6 + 2 * 730 - 1e6) * 0.2e-6)
    assert bill["sqs"] == pytest.approx(0.40)
    assert bill["scheduler"] == 0
    assert month.free == pytest.approx(0.20 + 100_000 * 0.0000166667 + 0.40 + 730e-6)


def test_a_month_without_free_tiers() -> None:
    """All of it is paid for."""
    found = run(*ORDERS)
    month = month_cost(BOOK, found, found.entries[0], [], traces=1e6, free_tier=False)
    assert month.total == pytest.approx(1.00 + 0.20 + 50_000 * 0.0000166667 + 0.40)
    assert month.free == 0


def test_what_stands_is_billed_by_the_hour() -> None:
    """5 write units provisioned, 25 free: nothing; 30 of them: 5 × 730 × $0.00065."""
    found = run(*ORDERS)
    for units, dollars in ((5, 0.0), (30, 5 * 730 * 0.00065)):
        there = [Line("dynamodb.write-capacity-hours", "table", units, 0.0)]
        month = month_cost(BOOK, found, found.entries[0], there, traces=1)
        assert month.by_service()["dynamodb"] == pytest.approx(dollars)


def test_free_tiers_that_are_shared_are_given_once() -> None:
    """x86 and Arm share 400,000 GB-seconds: 300,000 of each leave 200,000 to pay."""
    both = trace("t", use("lambda.gb-seconds.x86_64", "f", 300_000), use("lambda.gb-seconds.arm64", "g", 300_000))
    found = run(both)
    month = month_cost(BOOK, found, found.entries[0], [], traces=1)
    assert month.total == pytest.approx(200_000 * 0.0000133334)


def test_prices_of_another_region_are_named() -> None:
    """Streaming has no price in the book of Ireland."""
    book = price_book("eu-west-1")
    found = run_cost(book, [use("lambda.streamed-gb", "f", 1), use("lambda.requests", "f", 1)], [], seconds=1)
    assert found.borrowed == ("lambda.streamed-gb",)
    assert found.unpriced == ()


def test_two_runs_are_compared_by_what_differs_most() -> None:
    """What is new has no percentage."""
    found = changes({"sqs": 1.0, "lambda": 2.0}, {"lambda": 1.0, "sqs": 1.1, "events": 3.0})
    assert [(c.name, c.percent) for c in found] == [("events", None), ("lambda", -50.0), ("sqs", pytest.approx(10))]


def test_the_plot_has_every_service_and_grows() -> None:
    """SVG, stacked by service over a hundredfold of traffic; what it is given as a title is text."""
    found = run(*ORDERS)
    months = curve(BOOK, found, found.entries[0], [], traces=1e6)
    assert [month.total for month in months] == sorted(month.total for month in months)
    drawn = svg_of(months, title="a < b")
    assert drawn.startswith("<svg")
    assert "a &lt; b" in drawn
    assert drawn.count("<polygon") == 3
    assert "10M" in drawn


def test_bars() -> None:
    """To an eighth; something is never nothing."""
    assert bar(1, 1, 4) == "████"
    assert bar(0.0001, 1, 4) == "▏"
    assert bar(0, 1, 4) == bar(1, 0, 4) == ""
