"""Which of many patterns match an event, without trying them all.

Most rules ask for a string in some field, exactly: a source, a detail type, a status. The index looks for the
field by which the most patterns can be told apart, sorts them by its values, and does the same again within
each heap; an event then walks down by its own values and tries the few patterns that are left.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fogbank.core.patterns._addresses import address
from fogbank.core.patterns._matching import plain
from fogbank.core.patterns._pattern import Pattern
from fogbank.core.patterns._values import Exactly

K = TypeVar("K", bound=Hashable)

_FEW = 2
"""Patterns that are quicker tried than told apart."""
_DEPTH = 4
"""Fields that are looked at in turn."""


@dataclass(frozen=True, slots=True)
class _Node(Generic[K]):
    """The patterns to try at once, and the field by which the others are found."""

    tried: tuple[tuple[K, Pattern], ...]
    path: tuple[str, ...] = ()
    heaps: Mapping[str, _Node[K]] = field(default_factory=dict)
    otherwise: _Node[K] | None = None


class RuleIndex(Generic[K]):
    """Patterns with the keys of their rules, sorted for matching. It does not change; build a new one."""

    def __init__(self, patterns: Iterable[tuple[K, Pattern]]) -> None:
        self._all: tuple[tuple[K, Pattern], ...] = tuple(patterns)
        self._root: _Node[K] = _build(self._all, {key: _exact_fields(p) for key, p in self._all}, _DEPTH)

    def __len__(self) -> int:
        return len(self._all)

    def matching(self, event: dict[str, Any]) -> list[K]:
        """The keys of the patterns that match an event, in no particular order."""
        event = plain(event)
        found: list[K] = []
        below: _Node[K] | None = self._root
        while below is not None:
            node: _Node[K] = below
            for key, pattern in node.tried:
                if pattern.matches_plain(event):
                    found.append(key)
            below = _descend(node, event, found) if node.heaps else None
        return found


def _descend(node: _Node[K], event: dict[str, Any], found: list[K]) -> _Node[K] | None:
    """The heap that the event's value leads to; a field with several values leads to several heaps."""
    value: Any = event
    for name in node.path:
        if type(value) is not dict:
            break
        value = value.get(name)
    if type(value) is str:
        return node.heaps.get(value, node.otherwise)
    if value is None or type(value) in {int, float, bool}:
        return node.otherwise
    _try_all(node, event, found)
    return None


def _try_all(node: _Node[K], event: dict[str, Any], found: list[K]) -> None:
    for key, pattern in _below(node).items():
        if pattern.matches_plain(event):
            found.append(key)


def _below(node: _Node[K]) -> dict[K, Pattern]:
    patterns: dict[K, Pattern] = {}
    for heap in (*node.heaps.values(), *((node.otherwise,) if node.otherwise else ())):
        patterns.update(heap.tried)
        patterns.update(_below(heap))
    return patterns


def _exact_fields(pattern: Pattern) -> dict[str, frozenset[str]]:
    """The fields for which a pattern accepts a few strings and nothing else, whatever its branch."""
    fields: dict[str, frozenset[str]] | None = None
    for branch in pattern.branches:
        here = {}
        for name, values in branch.items():
            strings = [v.value for v in values if isinstance(v, Exactly) and address(v.value) is None]
            if len(strings) == len(values):
                here[name] = frozenset(strings)
        if fields is None:
            fields = here
        else:
            fields = {name: fields[name] | here[name] for name in fields if name in here}
    return fields or {}


def _build(
    patterns: tuple[tuple[K, Pattern], ...], exact: Mapping[K, Mapping[str, frozenset[str]]], depth: int
) -> _Node[K]:
    name = _best_field(patterns, exact) if len(patterns) > _FEW and depth else None
    if name is None:
        return _Node(patterns)
    heaps: dict[str, list[tuple[K, Pattern]]] = {}
    rest: list[tuple[K, Pattern]] = []
    for key, pattern in patterns:
        if name in exact[key]:
            for value in exact[key][name]:
                heaps.setdefault(value, []).append((key, pattern))
        else:
            rest.append((key, pattern))
    return _Node(
        (),
        tuple(name.split(".")),
        {value: _build((*heap, *rest), _without(exact, name, heap), depth - 1) for value, heap in heaps.items()},
        _build(tuple(rest), exact, depth - 1),
    )


def _without(
    exact: Mapping[K, Mapping[str, frozenset[str]]], name: str, heap: list[tuple[K, Pattern]]
) -> dict[K, Mapping[str, frozenset[str]]]:
    settled = {key for key, _ in heap}
    return {
        key: {n: v for n, v in fields.items() if n != name} if key in settled else fields
        for key, fields in exact.items()
    }


def _best_field(patterns: tuple[tuple[K, Pattern], ...], exact: Mapping[K, Mapping[str, frozenset[str]]]) -> str | None:
    """The field that leaves the fewest patterns to try; `None` if no field tells any apart."""
    heaps: dict[str, dict[str, int]] = {}
    telling: dict[str, int] = {}
    for key, _ in patterns:
        for name, values in exact[key].items():
            telling[name] = telling.get(name, 0) + 1
            counts = heaps.setdefault(name, {})
            for value in values:
                counts[value] = counts.get(value, 0) + 1
    best, fewest = None, len(patterns)
    for name, counts in heaps.items():
        left = len(patterns) - telling[name] + max(counts.values())
        if left < fewest:
            best, fewest = name, left
    return best
