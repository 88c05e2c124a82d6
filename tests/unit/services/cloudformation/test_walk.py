"""Visiting a graph, many nodes at once."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.cloudformation._walk import walk


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, set[str]]:
    names = [f"N{i}" for i in range(draw(st.integers(0, 12)))]
    return {name: set(draw(st.lists(st.sampled_from(names[:i]), max_size=3))) if i else set()
            for i, name in enumerate(names)}  # fmt: skip


@given(acyclic(), st.sets(st.integers(0, 11)), st.integers(1, 4))
def test_a_node_is_visited_once_after_all_it_needs_and_never_after_a_failure(
    needs: dict[str, set[str]], failing: set[int], limit: int
) -> None:
    bad = {f"N{i}" for i in failing}
    done: list[str] = []
    running = 0

    async def visit(name: str) -> bool:
        nonlocal running
        running += 1
        assert running <= limit
        assert needs[name] <= set(done) - bad
        await asyncio.sleep(0)
        running -= 1
        done.append(name)
        return name not in bad

    asyncio.run(walk(needs, visit, lambda: False, limit=limit))
    assert len(done) == len(set(done))
    unreachable = set(bad)
    for name, needed in needs.items():  # names are in dependency order
        if needed & unreachable:
            unreachable.add(name)
    assert set(done) == {name for name in needs if not needs[name] & unreachable}


async def test_nothing_is_begun_once_halted() -> None:
    done: list[str] = []

    async def visit(name: str) -> bool:
        done.append(name)
        return True

    await walk({"A": set(), "B": {"A"}, "C": {"B"}}, visit, lambda: len(done) >= 2)
    assert done == ["A", "B"]
