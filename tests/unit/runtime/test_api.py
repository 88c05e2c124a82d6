"""The Runtime API takes whatever a function's code sends to it, and holds no more of it than is bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.runtime.api import ApiRequest, Connection


class Pipe(asyncio.Transport):
    """The client's end: what was sent to it, and whether it is read from."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False
        self.reading = True

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Runtime:
    """An environment that parks the question for the next event, and accepts the rest."""

    max_body = 1000

    def __init__(self) -> None:
        self.parked: list[Connection] = []
        self.seen: list[ApiRequest] = []

    def streamed(self, connection: Connection, head: ApiRequest) -> None:
        """Nothing is streamed."""

    def asked(self, connection: Connection, request: ApiRequest) -> None:
        self.seen.append(request)
        if request.path.endswith(b"/next"):
            self.parked.append(connection)
        else:
            connection.accept()


def connected() -> tuple[Connection, Pipe, Runtime]:
    runtime, pipe = Runtime(), Pipe()
    connection = Connection(runtime)
    connection.connection_made(pipe)
    return connection, pipe, runtime


NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"
ANSWER = (
    b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}\r\n0\r\n\r\n"
)


@given(pieces=st.lists(st.binary(max_size=200), max_size=8))
def test_no_bytes_break_it(pieces: list[bytes]) -> None:
    connection, pipe, _ = connected()
    for piece in pieces:
        if not pipe.closed:
            connection.data_received(piece)


@given(at=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(1, 400))
def test_no_damage_breaks_it(at: int, value: int, cut: int) -> None:
    """A valid conversation with one byte of it changed, in two pieces."""
    data = bytearray(ANSWER + NEXT)
    data[at % len(data)] = value
    connection, pipe, _ = connected()
    for piece in (bytes(data[:cut]), bytes(data[cut:])):
        if not pipe.closed:
            connection.data_received(piece)


@pytest.mark.parametrize(
    "data",
    [
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_what_is_no_request_of_ours_is_hung_up_on(data: bytes) -> None:
    connection, pipe, _ = connected()
    connection.data_received(data)
    assert pipe.closed
    assert pipe.sent == b"" or pipe.sent.startswith(b"HTTP/1.1 ")


def test_requests_behind_one_that_waits_are_bounded() -> None:
    connection, pipe, runtime = connected()
    connection.data_received(NEXT * 1000)
    assert pipe.closed
    assert len(runtime.seen) == 1
    connection.answer(200, b"{}")
    assert len(runtime.seen) <= 17


def test_a_body_past_the_limit_is_not_kept() -> None:
    connection, _, runtime = connected()
    connection.data_received(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n")
    for _ in range(50):
        connection.data_received(b"x" * 100)
    assert [(request.oversized, request.body) for request in runtime.seen] == [(True, b"")]


def test_a_client_that_asks_and_does_not_listen_is_not_read_from() -> None:
    """Its answers would pile up in our memory."""
    connection, pipe, _ = connected()
    connection.pause_writing()
    assert not pipe.reading
    connection.flow(True)
    assert not pipe.reading
    connection.resume_writing()
    assert pipe.reading
