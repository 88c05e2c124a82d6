"""What environments print is cut into log events, whatever the pieces in which it comes."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from fogbank.runtime.output import MAX_EVENT, Splitter

FRAME = 0xA55A0003


def frame(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">IIQ", FRAME, len(data), 1) + data


def test_lines_are_cut_at_line_ends_and_the_rest_waits() -> None:
    splitter = Splitter()
    assert splitter.feed(b"one\ntwo\nthr") == ["one", "two"]
    assert splitter.feed(b"ee\n") == ["three"]
    assert splitter.flush() == []


def test_an_unfinished_line_is_an_event_when_the_invocation_ends() -> None:
    splitter = Splitter()
    assert splitter.feed(b"no end") == []
    assert splitter.flush() == ["no end"]


def test_a_telemetry_record_of_several_lines_is_one_event_in_its_place() -> None:
    splitter = Splitter()
    assert splitter.feed(b"before\n" + frame("a\nb\n") + b"after\n") == ["before", "a\nb", "after"]


def test_a_record_may_come_in_pieces() -> None:
    splitter = Splitter()
    data = frame("hello\nworld")
    events = [event for at in range(len(data)) for event in splitter.feed(data[at : at + 1])]
    assert events == ["hello\nworld"]


def test_a_record_that_claims_too_much_is_text() -> None:
    splitter = Splitter()
    splitter.feed(struct.pack(">IIQ", FRAME, MAX_EVENT + 1, 1))
    events = splitter.feed(b"text\n") + splitter.flush()
    assert any("text" in event for event in events)


def test_a_line_without_end_is_cut_at_the_limit() -> None:
    splitter = Splitter()
    events = splitter.feed(b"x" * (3 * MAX_EVENT)) + splitter.flush()
    assert "".join(events) == "x" * (3 * MAX_EVENT)
    assert max(map(len, events)) <= MAX_EVENT


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert Splitter().feed(b"\xff\xfe\n") == ["\ufffd\ufffd"]


@given(
    parts=st.lists(
        st.one_of(
            st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1).map(
                lambda t: (t, t.encode() + b"\n")
            ),
            st.text(alphabet="ab\n", min_size=1).map(lambda t: (t, frame(t))),
        )
    ),
    cuts=st.lists(st.integers(1, 50)),
)
def test_pieces_do_not_matter(parts: list[tuple[str, bytes]], cuts: list[int]) -> None:
    """However the bytes are cut on their way, the events are those that were printed."""
    data = b"".join(encoded for _, encoded in parts)
    splitter = Splitter()
    events = []
    at = 0
    for cut in [*cuts, len(data)]:
        if at < len(data):
            events += splitter.feed(data[at : at + cut])
        at += cut
    assert events == [text.rstrip("\r\n") for text, _ in parts]


@given(st.lists(st.binary(max_size=200)))
def test_no_bytes_break_it(pieces: list[bytes]) -> None:
    splitter = Splitter()
    for piece in pieces:
        splitter.feed(piece)
    splitter.flush()
