"""Did it end as it should? Final states of tables, queues and executions, compared. Pure functions.

Two undisturbed runs of the same input say what differs by itself: times, ids, what depends on chance. That is left out.
What else differs after a disturbed run differs because events came twice, late, in another order, or after a time-out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_CHANGING = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"\b1-[0-9a-f]{8}-[0-9a-f]{24}\b"), "<trace>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b1[6-9]\d{8}(?:\.\d+|\d{3}|\d{6})?\b"), "<time>"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "<hex>"),
)
Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """How a run ended, by logical ids. Texts name resources by their logical ids as well."""

    tables: Mapping[str, Mapping[str, Item]] = field(default_factory=dict)
    """Items by their keys (`orderId=o-1`)."""
    queues: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Bodies of the messages that are left."""
    executions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What each execution was given and came to, as text."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that ended differently."""

    mode: str
    kind: str
    """`table`, `queue`, `execution` or `failure`."""
    resource: str
    item: str
    what: str
    """In words, with the resource and the item."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What differs between two undisturbed runs."""

    attributes: frozenset[tuple[str, str]] = frozenset()
    """(table, attribute)."""
    unkeyed: frozenset[str] = frozenset()
    """Tables whose keys differ: their items are compared by what is left of them."""
    incomparable: frozenset[str] = frozenset()
    """Resources that end differently each time, whatever one leaves out."""

    def ignores(self, table: str, attribute: str) -> bool:
        """Whether an attribute of a table is left out."""
        return (table, attribute) in self.attributes or ("*", attribute) in self.attributes


def named(text: str, names: Mapping[str, str]) -> str:
    """A text with each name of a resource replaced by its logical id, longer names first."""
    for name in sorted(names, key=len, reverse=True):
        if name in text:
            text = text.replace(name, f"<{names[name]}>")
    return text


def scrubbed(text: str) -> str:
    """A text without what changes from run to run: ids, times."""
    for pattern, stand_in in _CHANGING:
        text = pattern.sub(stand_in, text)
    return text


def ignored(given: Sequence[str]) -> frozenset[tuple[str, str]]:
    """What a person says to leave out: `attribute`, or `Table.attribute`."""
    found = set()
    for each in given:
        table, dot, attribute = each.partition(".")
        found.add((table, attribute) if dot else ("*", each))
    return frozenset(found)


def noise_of(one: State, other: State, given: frozenset[tuple[str, str]] = frozenset()) -> Noise:
    """What differs by itself, with what is given to be left out."""
    attributes = set(given)
    unkeyed = set()
    for table in one.tables.keys() & other.tables.keys():
        left, right = one.tables[table], other.tables[table]
        if left.keys() != right.keys():
            unkeyed.add(table)
            continue
        for key, item in left.items():
            attributes |= {(table, name) for name in _differing(item, right[key])}
    noise = Noise(frozenset(attributes), frozenset(unkeyed))
    still = {difference.resource for difference in _differences(one, other, noise, "none")}
    return Noise(noise.attributes, noise.unkeyed, frozenset(still))


def differences(expected: State, found: State, noise: Noise, mode: str) -> list[Difference]:
    """What ended differently, but for what differs by itself."""
    return [each for each in _differences(expected, found, noise, mode) if each.resource not in noise.incomparable]


def _differences(expected: State, found: State, noise: Noise, mode: str) -> Iterator[Difference]:
    for table, items in expected.tables.items():
        others = found.tables.get(table, {})
        if table in noise.unkeyed:
            yield from _counted(mode, "table", table, _texts(table, items, noise), _texts(table, others, noise))
        else:
            yield from _of_table(mode, table, items, others, noise)
    for kind, one, other in (
        ("queue", expected.queues, found.queues),
        ("execution", expected.executions, found.executions),
    ):
        for resource, texts in one.items():
            left, right = Counter(map(scrubbed, texts)), Counter(map(scrubbed, other.get(resource, ())))
            yield from _counted(mode, kind, resource, left, right)


def _texts(table: str, items: Mapping[str, Item], noise: Noise) -> Counter[str]:
    return Counter(
        scrubbed(json.dumps({n: v for n, v in item.items() if not noise.ignores(table, n)}, sort_keys=True))
        for item in items.values()
    )


def _of_table(
    mode: str, table: str, items: Mapping[str, Item], others: Mapping[str, Item], noise: Noise
) -> Iterator[Difference]:
    for key in sorted(items.keys() | others.keys()):
        if key not in others:
            yield Difference(mode, "table", table, key, f"{table} {key}: it is missing")
        elif key not in items:
            yield Difference(mode, "table", table, key, f"{table} {key}: it should not be there")
        else:
            for name in sorted(_differing(items[key], others[key])):
                if not noise.ignores(table, name):
                    before, after = _short(items[key].get(name)), _short(others[key].get(name))
                    yield Difference(mode, "table", table, key, f"{table} {key}: {name} {before} → {after}")


def _counted(mode: str, kind: str, resource: str, one: Counter[str], other: Counter[str]) -> Iterator[Difference]:
    for text in sorted(one.keys() | other.keys()):
        if one[text] != other[text]:
            what = f"{resource}: {one[text]} → {other[text]} times {_short(text)}"
            yield Difference(mode, kind, resource, text, what)


def _differing(one: Item, other: Item) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 120 else f"{text[:117]}…"
