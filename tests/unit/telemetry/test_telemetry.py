"""`Telemetry`: spans are handed to observers, written down, found again, and forgotten in time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.storage import SqliteStorage
from fogbank.telemetry import Kind, Link, Span, Status, Telemetry
from fogbank.telemetry import storage as rows

IDS = Ids(seed=7)
ROOT = "1-5759e988-bd862e3fe1be46a994272793"


def span(trace: str = ROOT, start: float = 10.0, end: float = 11.0, **more: object) -> Span:
    made = Span(trace, IDS.hex(16), "", Kind.API, "SendMessage", "sqs", "SendMessage", "orders", Scope(), start, end)
    return made._replace(**more)  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def telemetry(tmp_path: Path, clock: VirtualClock) -> AsyncIterator[Telemetry]:
    telemetry = Telemetry(Config(data=tmp_path, telemetry_size=1), clock, inline_commit=True)
    await telemetry.start()
    yield telemetry
    await telemetry.stop()


async def test_a_span_is_read_as_it_was_recorded(telemetry: Telemetry) -> None:
    """All of it: status, attributes, links."""
    links = (Link(ROOT, "53995c3f42cd8ad8"),)
    made = [
        span(status=Status.FAULT, error="Boom", attributes={"attempt": 2, "keys": ["m-1"]}, links=links),
        span(parent="53995c3f42cd8ad8", kind=Kind.QUEUE),
    ]
    for each in made:
        telemetry.record(each)
    assert await telemetry.read(partial(rows.spans_of, trace=ROOT)) == made


async def test_observers_are_given_every_span_once(telemetry: Telemetry) -> None:
    """In batches, before sampling, however many there are."""
    seen: list[Span] = []
    sizes: list[int] = []

    def observer(spans: Sequence[Span]) -> None:
        seen.extend(spans)
        sizes.append(len(spans))

    telemetry.observe(observer)
    made = [span(f"1-5759e988-{n:024x}") for n in range(9_000)]
    for each in made:
        telemetry.record(each)
    await telemetry.flush()
    assert seen == made
    assert max(sizes) <= 4_000
    assert telemetry.dropped > 0


async def test_what_is_only_counted_is_shown_to_those_who_count(telemetry: Telemetry) -> None:
    """It is not written down."""
    counting: list[Span] = []
    others: list[Span] = []
    telemetry.observe(counting.extend, counts=True)
    telemetry.observe(others.extend)
    counted, recorded = span(), span()
    telemetry.count(counted)
    telemetry.record(recorded)
    assert await telemetry.read(partial(rows.spans_of, trace=ROOT)) == [recorded]
    assert counting == [counted, recorded]
    assert others == [recorded]


async def test_a_trace_is_summed_up_over_batches(telemetry: Telemetry) -> None:
    """From its first moment to its last, with its worst status, by the name of its root."""
    telemetry.record(span(start=12.0, end=13.0, name="later", parent="1" * 16))
    await telemetry.flush()
    telemetry.record(span(start=10.0, end=10.5, name="root"))
    telemetry.record(span(start=11.0, end=20.0, name="child", parent="1" * 16, status=Status.ERROR))
    found = await telemetry.read(partial(rows.find_trace, trace=ROOT))
    assert found == rows.TraceRow(ROOT, 10.0, 20.0, 3, Status.ERROR, "root")


async def test_traces_are_found_by_status_duration_resource_and_id(telemetry: Telemetry) -> None:
    """And by when they began; the newest first."""
    one, two, three = (f"1-5759e988-{n:024x}" for n in range(3))
    telemetry.record(span(one, 1.0, 2.0))
    telemetry.record(span(two, 2.0, 9.0, status=Status.FAULT, attributes={"keys": ["order-1"]}))
    telemetry.record(span(three, 3.0, 4.0, service="lambda", resource="arn:aws:lambda:r:a:function:take:live"))

    async def find(**filters: object) -> list[str]:
        settings = {"since": 0.0, "until": 99.0, "limit": 10, **filters}
        found = await telemetry.read(partial(rows.find_traces, **settings))  # type: ignore[arg-type]
        return [row.trace for row in found]

    assert await find() == [three, two, one]
    assert await find(limit=1) == [three]
    assert await find(status=Status.ERROR) == [two]
    assert await find(duration=5.0) == [two]
    assert await find(since=1.5, until=3.0) == [two]
    assert await find(key="lambda/take") == [three]
    assert await find(key="=order-1") == [two]
    assert await find(key="=order-2") == []


async def test_what_is_past_its_age_is_forgotten(telemetry: Telemetry, clock: VirtualClock) -> None:
    """By the clock; callbacks are told the moment."""
    told: list[float] = []

    async def pruned(moment: float) -> None:
        told.append(moment)

    telemetry.on_prune(pruned)
    now = clock.time()
    telemetry.record(span(start=now, end=now + 1))
    await clock.advance(20 * 86_400.0)
    young = f"1-5759e988-{1:024x}"
    telemetry.record(span(young, start=clock.time(), end=clock.time()))
    await clock.advance(15 * 86_400.0)
    await telemetry.flush()
    await telemetry.prune()
    assert await telemetry.read(partial(rows.find_trace, trace=ROOT)) is None
    assert await telemetry.read(partial(rows.spans_of, trace=ROOT)) == []
    assert len(await telemetry.read(partial(rows.spans_of, trace=young))) == 1
    assert told == [pytest.approx(clock.time() - 30 * 86_400.0)]


async def test_the_oldest_go_when_the_file_is_too_large(telemetry: Telemetry, clock: VirtualClock) -> None:
    """A tenth of them at a time, until it is small enough."""
    now = clock.time()
    names = [f"1-5759e988-{n:024x}" for n in range(400)]

    async def fill(tx: object) -> None:
        await rows.insert(
            tx,  # type: ignore[arg-type]
            [span(t, now + n, now + n, attributes={"text": "x" * 4000}) for n, t in enumerate(names)],
        )

    await telemetry.transact(fill)
    await telemetry.prune()
    assert await telemetry.read(partial(rows.find_trace, trace=names[0])) is None
    assert await telemetry.read(partial(rows.find_trace, trace=names[-1])) is not None


async def test_a_stop_writes_down_what_is_in_memory(tmp_path: Path, clock: VirtualClock) -> None:
    """And a later start finds it."""
    first = Telemetry(Config(data=tmp_path), clock)
    await first.start()
    first.record(span())
    await first.stop()
    second = Telemetry(Config(data=tmp_path), clock)
    await second.start()
    assert await second.read(partial(rows.find_trace, trace=ROOT)) is not None
    await second.reset()
    assert await second.read(partial(rows.find_trace, trace=ROOT)) is None
    await second.stop()


async def test_without_telemetry_nothing_is_kept_and_no_file_is_made(tmp_path: Path, clock: VirtualClock) -> None:
    """`--no-telemetry`."""
    telemetry = Telemetry(Config(data=tmp_path, telemetry=False), clock)
    await telemetry.start()
    assert not telemetry.on
    await telemetry.flush()
    await telemetry.stop()
    assert not (tmp_path / "telemetry.db").exists()


async def test_questions_use_an_index(telemetry: Telemetry) -> None:
    """A million spans are asked as quickly as a hundred."""
    await telemetry.flush()
    await telemetry.read(partial(rows.find_trace, trace=ROOT))
    storage = telemetry._storage
    assert isinstance(storage, SqliteStorage)
    for sql in (rows.SPANS_OF, rows.TRACE, rows.RECENT, rows.RECENT_FAILED, rows.BY_KEY, rows.DROP_TRACES):
        plan = storage.plan(sql)
        assert not [line for line in plan if line.startswith("SCAN")], (sql, plan)
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan, (sql, plan)
