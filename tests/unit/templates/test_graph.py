"""The order of resources."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.templates.errors import TemplateError
from fogbank.templates.graph import order


def test_what_is_needed_comes_first() -> None:
    assert order({"A": {"B"}, "B": {"C"}, "C": set(), "D": set()}) == ["C", "D", "B", "A"]


def test_a_cycle_is_named_without_those_who_only_wait_for_it() -> None:
    needs = {"A": {"B"}, "B": {"C"}, "C": {"A"}, "Waits": {"A"}, "Free": set()}
    with pytest.raises(TemplateError) as caught:
        order(needs)
    assert caught.value.message == "Circular dependency between resources: [A, B, C]"


def test_a_resource_that_needs_itself_is_a_cycle() -> None:
    with pytest.raises(TemplateError, match=r"Circular dependency between resources: \[A\]"):
        order({"A": {"A"}})


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, set[str]]:
    names = [f"N{i}" for i in range(draw(st.integers(0, 12)))]
    needs = {}
    for i, name in enumerate(names):
        needs[name] = set(draw(st.lists(st.sampled_from(names[:i]), max_size=4))) if i else set()
    return dict(draw(st.permutations(list(needs.items()))))


@given(acyclic())
def test_every_acyclic_graph_is_ordered(needs: dict[str, set[str]]) -> None:
    ordered = order(needs)
    assert sorted(ordered) == sorted(needs)
    places = {name: place for place, name in enumerate(ordered)}
    assert all(places[need] < places[name] for name, needed in needs.items() for need in needed)


@given(acyclic(), st.integers(2, 5))
def test_every_ring_is_found(needs: dict[str, set[str]], length: int) -> None:
    ring = [f"R{i}" for i in range(length)]
    for i, name in enumerate(ring):
        needs[name] = {ring[(i + 1) % length], *needs.keys()} - set(ring) | {ring[(i + 1) % length]}
    with pytest.raises(TemplateError) as caught:
        order(needs)
    assert caught.value.message == f"Circular dependency between resources: [{', '.join(sorted(ring))}]"
