"""A streamed response is bounded in size, in what waits, and in its rate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fogbank.runtime import ResponseStream


async def test_what_the_reader_has_not_taken_closes_the_valve() -> None:
    turns: list[bool] = []
    stream = ResponseStream()
    stream.begin("text/plain", turns.append)
    assert await stream.begun()
    for _ in range(5):
        assert stream.write(b"x" * 64 * 1024)
    assert turns == [False]
    assert await stream.next() == b"x" * 64 * 1024
    assert turns == [False, True]
    stream.end()
    assert len([piece async for piece in _rest(stream)]) == 4


async def test_a_piece_past_the_limit_is_not_taken() -> None:
    stream = ResponseStream(limit=10)
    stream.begin("text/plain", lambda _: None)
    assert stream.write(b"x" * 10)
    assert not stream.write(b"x")
    stream.end()
    assert [piece async for piece in _rest(stream)] == [b"x" * 10]


async def test_past_the_first_part_the_rate_is_kept() -> None:
    turned = asyncio.Event()
    turns: list[bool] = []

    def turn(wanted: bool) -> None:
        turns.append(wanted)
        if wanted:
            turned.set()

    stream = ResponseStream(uncapped=10, rate=1000)
    stream.begin("text/plain", turn)
    stream.write(b"x" * 10)
    assert turns == []
    stream.write(b"x")
    assert turns == [False]
    await turned.wait()
    assert turns == [False, True]


async def test_an_abandoned_stream_is_written_to_the_end_and_dropped() -> None:
    turns: list[bool] = []
    stream = ResponseStream()
    stream.begin("text/plain", turns.append)
    stream.write(b"x" * 300 * 1024)
    stream.abandon()
    stream.write(b"x" * 300 * 1024)
    assert turns == [False, True]
    assert stream.size == 600 * 1024
    stream.end()
    assert await stream.next() is None


async def test_an_answer_that_is_not_streamed_never_begins() -> None:
    stream = ResponseStream()
    begun = asyncio.ensure_future(stream.begun())
    await asyncio.sleep(0)
    stream.end()
    assert not await begun


async def _rest(stream: ResponseStream) -> AsyncIterator[bytes]:
    while (piece := await stream.next()) is not None:
        yield piece
