"""The rules of log batches, positions and pages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.logs._subscriptions import MAX_PAYLOAD, payloads
from fogbank.services.logs.errors import InvalidParameterError
from fogbank.services.logs.model import (
    DAY,
    HOUR,
    OVERHEAD,
    Cursor,
    Event,
    Position,
    check_batch,
    check_retention,
    event_id,
    fit_page,
    page_cursors,
)

NOW = 1_700_000_000_000
POSITIONS = st.builds(Position, st.integers(0, 2**41), st.integers(0, 2**62))


def batch(*times: int) -> list[dict[str, Any]]:
    return [{"timestamp": at, "message": "m"} for at in times]


@pytest.mark.parametrize(
    ("times", "retention", "rejected", "kept"),
    [
        ([NOW], None, None, 1),
        ([NOW - 14 * DAY, NOW - 13 * DAY - HOUR], None, None, 2),
        ([NOW - 14 * DAY - 1, NOW], None, {"tooOldLogEventEndIndex": 1}, 1),
        ([NOW, NOW + 2 * HOUR], None, None, 2),
        ([NOW, NOW + 2 * HOUR + 1], None, {"tooNewLogEventStartIndex": 1}, 1),
        ([NOW - 3 * DAY, NOW], 1, {"expiredLogEventEndIndex": 1}, 1),
        ([NOW - 20 * DAY, NOW - 3 * DAY, NOW], 1, {"tooOldLogEventEndIndex": 1, "expiredLogEventEndIndex": 2}, 1),
        ([NOW - 20 * DAY], 30, {"tooOldLogEventEndIndex": 1}, 0),
        ([NOW - 20 * DAY, NOW + DAY], None, {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 1}, 0),
    ],
)
def test_what_of_a_batch_is_rejected(
    times: list[int], retention: int | None, rejected: dict[str, int] | None, kept: int
) -> None:
    """Too old, past the retention, too new: told by index; the rest is stored, if its span is within a day."""
    checked = check_batch(batch(*times), NOW, retention)
    assert checked.rejected == rejected
    assert len(checked.events) == kept
    assert checked.size == kept * (1 + OVERHEAD)


@given(st.lists(st.integers(NOW - 30 * DAY, NOW + DAY), min_size=1, max_size=20), st.sampled_from([None, 1, 7, 30]))
def test_a_batch_is_refused_or_cut_at_both_ends(times: list[int], retention: int | None) -> None:
    """What is stored is what is neither too old, nor expired, nor too new; never out of order."""
    try:
        checked = check_batch(batch(*times), NOW, retention)
    except InvalidParameterError:
        return
    oldest = NOW - min(14, retention or 14) * DAY
    assert [at for at, _ in checked.events] == [at for at in times if oldest <= at <= NOW + 2 * HOUR]
    assert times == sorted(times)


def test_retention_has_documented_values() -> None:
    """Others are refused with all that are allowed."""
    check_retention(3653)
    with pytest.raises(InvalidParameterError, match=r"enum value set: \[1, 3, 5, .*3653\]"):
        check_retention(2)


@given(POSITIONS, st.booleans())
def test_a_cursor_survives_its_token(position: Position, forward: bool) -> None:
    """What is read is what was written."""
    cursor = Cursor(forward=forward, position=position)
    assert Cursor.parse(cursor.token) == cursor


@given(POSITIONS, POSITIONS)
def test_numbers_are_in_the_order_of_positions(one: Position, other: Position) -> None:
    """Event ids sort as events do."""
    assert (one < other) is (int(one.number) < int(other.number))


def test_event_ids_are_those_of_aws() -> None:
    """56 digits whose upper part is the time, as in the sample event of the subscriptions guide."""
    sample = int("31953106606966983378809025079804211143289615424298221568")
    assert sample >> 144 == 1432826855000
    event = Event(id=7, stream_id=1, timestamp=NOW, ingested_at=NOW, message="m")
    assert len(event_id(event)) == 56
    assert int(event_id(event)) >> 144 == NOW


@pytest.mark.parametrize("token", ["", "f/1/s", "x/" + "1" * 56 + "/s", "f/" + "1" * 56, "f/" + "1" * 56 + "/s "])
def test_what_is_no_token_is_refused(token: str) -> None:
    """Only what a page handed out is taken."""
    with pytest.raises(InvalidParameterError, match="nextToken is invalid"):
        Cursor.parse(token)


def test_an_empty_page_hands_its_token_back() -> None:
    """In the direction that was asked for; the other one includes where it stands."""
    forward = Cursor(forward=True, position=Position(NOW, 5))
    assert page_cursors([], forward) == (forward, Cursor(forward=False, position=Position(NOW, 6)))
    backward = Cursor(forward=False, position=Position(NOW, 5))
    assert page_cursors([], backward) == (Cursor(forward=True, position=Position(NOW, 4)), backward)


def test_a_page_has_room() -> None:
    """Each event counts its bytes and 26 more."""
    events = [Event(i, 1, NOW, NOW, "é") for i in range(5)]
    assert fit_page(events, 5 * 28) == 5
    assert fit_page(events, 5 * 28 - 1) == 4
    assert fit_page(events, 0) == 0


def test_payloads_that_would_be_too_large_are_divided() -> None:
    """Every event arrives once, in order, in payloads that a function takes."""
    noise = "".join(chr(33 + (i * i * 7919 + i) % 90) for i in range(200_000))
    events = [Event(i, 1, NOW + i, NOW, noise[i:] + noise[:i] + str(i)) for i in range(12)]
    made = payloads("000000000000", "g", "s", "f", events)
    assert all(len(payload) <= MAX_PAYLOAD for payload in made)
    assert payloads("000000000000", "g", "s", "f", []) == []
