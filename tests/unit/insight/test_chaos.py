"""Final states compared: what differs by itself is left out, what differs otherwise is named."""

from __future__ import annotations

from typing import Any

import pytest

from fogbank.insight.chaos import State, differences, ignored, named, noise_of, scrubbed

UUIDS = ("0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7")


def table(**items: dict[str, Any]) -> State:
    return State(tables={"Orders": items})


def test_what_differs_between_undisturbed_runs_is_left_out() -> None:
    """A time of confirmation; what else differs is a difference, with its item and both values."""
    one = table(a={"at": 1, "charges": 1}, b={"at": 2, "charges": 1})
    two = table(a={"at": 3, "charges": 1}, b={"at": 4, "charges": 1})
    noise = noise_of(one, two)
    assert noise.attributes == {("Orders", "at")}
    assert differences(one, two, noise, "twice") == []
    (found,) = differences(one, table(a={"at": 5, "charges": 2}, b={"at": 5, "charges": 1}), noise, "twice")
    assert (found.mode, found.kind, found.resource, found.item) == ("twice", "table", "Orders", "a")
    assert found.what == "Orders a: charges 1 → 2"


def test_items_that_are_missing_or_too_many_are_named() -> None:
    """By their keys."""
    one, two = table(a={"x": 1}), table(b={"x": 1})
    found = differences(one, two, noise_of(one, one), "late")
    assert [each.what for each in found] == ["Orders a: it is missing", "Orders b: it should not be there"]


def test_what_a_person_says_is_left_out() -> None:
    """An attribute everywhere, or of one table."""
    one, two = table(a={"count": 1, "seen": 1}), table(a={"count": 2, "seen": 2})
    assert differences(one, two, noise_of(one, one, ignored(["Orders.count", "seen"])), "twice") == []
    assert len(differences(one, two, noise_of(one, one, ignored(["Other.count", "seen"])), "twice")) == 1


def test_items_whose_keys_are_ids_are_compared_without_them() -> None:
    """One item more is still seen."""
    one = table(**{f"id={UUIDS[0]}": {"id": UUIDS[0], "order": "o-1"}})
    two = table(**{f"id={UUIDS[1]}": {"id": UUIDS[1], "order": "o-1"}})
    noise = noise_of(one, two)
    assert noise.unkeyed == {"Orders"}
    assert noise.incomparable == frozenset()
    doubled = table(x={"id": UUIDS[0], "order": "o-1"}, y={"id": UUIDS[1], "order": "o-1"})
    (found,) = differences(one, doubled, noise, "twice")
    assert "1 → 2 times" in found.what


def test_what_ends_differently_each_time_cannot_be_compared() -> None:
    """It is said, not reported as a difference."""
    one, two = State(queues={"Q": ["roll 5"]}), State(queues={"Q": ["roll 6"]})
    noise = noise_of(one, two)
    assert noise.incomparable == {"Q"}
    assert differences(one, State(queues={"Q": ["roll 1", "roll 2"]}), noise, "twice") == []


@pytest.mark.parametrize("kind", ["queue", "execution"])
def test_messages_and_executions_are_counted(kind: str) -> None:
    """Their order does not matter; ids and times in them neither."""

    def state(*texts: str) -> State:
        return State(queues={"Q": texts}) if kind == "queue" else State(executions={"Q": texts})

    first, second = (f'{{"order": 1, "id": "{uuid}"}}' for uuid in UUIDS)
    one, same = state(first, "b"), state("b", second)
    noise = noise_of(one, same)
    assert differences(one, same, noise, "disorder") == []
    (found,) = differences(one, state("b", "b", second), noise, "twice")
    assert found.what == "Q: 1 → 2 times b"
    assert found.kind == kind


def test_names_are_replaced_by_logical_ids() -> None:
    """The longer ones first, so that none is cut."""
    assert (
        named("orders-T-1.handler#x orders-T", {"orders-T": "Bus", "orders-T-1": "Table"}) == "<Table>.handler#x <Bus>"
    )


def test_what_changes_from_run_to_run() -> None:
    """Ids and times; other numbers and words stay."""
    changing = f"{UUIDS[0]} 2026-11-23T18:00:00.123Z 1795458180 1795458180123 1-6b048491-f27846e7f05acea52af901bc"
    assert scrubbed(changing) == "<uuid> <time> <time> <time> <trace>"
    assert scrubbed("order 450 of 2026, o-1") == "order 450 of 2026, o-1"
