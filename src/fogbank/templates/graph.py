"""The order of things that need each other: pure functions over `name → names that it needs`."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from fogbank.templates.errors import TemplateError


def order(needs: Mapping[str, AbstractSet[str]]) -> list[str]:
    """Every name after all that it needs, otherwise in the mapping's order.

    Raises `TemplateError` with the names that are in a cycle, as CloudFormation words it. What is needed and is no
    name of the mapping is ignored.
    """
    waiting = {name: {need for need in needed if need in needs} for name, needed in needs.items()}
    needed_by: dict[str, list[str]] = {name: [] for name in needs}
    for name, needed in waiting.items():
        for need in needed:
            needed_by[need].append(name)
    ready = [name for name, needed in waiting.items() if not needed]
    ordered: list[str] = []
    for name in ready:  # grows while it is walked
        ordered.append(name)
        for follower in needed_by[name]:
            waiting[follower].discard(name)
            if not waiting[follower]:
                ready.append(follower)
    if len(ordered) < len(waiting):
        stuck = {name: needed for name, needed in waiting.items() if needed}
        raise TemplateError(f"Circular dependency between resources: [{', '.join(sorted(_cyclic(stuck)))}]")
    return ordered


def _cyclic(stuck: Mapping[str, AbstractSet[str]]) -> set[str]:
    """Of names that wait for each other, those in a cycle: not those that only wait for one."""
    remaining = {name: set(needed) for name, needed in stuck.items()}
    while True:
        needed_by_any = set().union(*remaining.values())
        outside = [name for name in remaining if name not in needed_by_any]
        if not outside:
            return set(remaining)
        for name in outside:
            del remaining[name]
