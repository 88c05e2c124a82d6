"""A projection as a function of an item: which parts of it are given back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fogbank.services.dynamodb._expressions.conditions import CACHE_SIZE
from fogbank.services.dynamodb._expressions.naming import Names, Steps, check_paths
from fogbank.services.dynamodb._expressions.parser import parse_projection
from fogbank.services.dynamodb._expressions.placeholders import NameItems, Placeholders
from fogbank.services.dynamodb._expressions.syntax import Step
from fogbank.services.dynamodb._expressions.tokens import Kind
from fogbank.services.dynamodb._values.attributes import Item, Value

_Tree = dict[Step, Any]
"""Steps to what is wanted below them; an empty tree wants all."""


class Projection:
    """Some paths of an item. The parts that they name are given back in their places: `a.b[2]` as a map with `b`,
    a list of that one element.
    """

    __slots__ = ("_plain", "_tree", "attributes", "nested")

    def __init__(self, paths: Iterable[Steps]) -> None:
        self._tree: _Tree = {}
        for path in paths:
            branch = self._tree
            for step in path:
                branch = branch.setdefault(step, {})
        self._plain = not any(self._tree.values())
        self.attributes = frozenset(str(name) for name in self._tree)
        """The top-level attributes that it names."""
        self.nested = frozenset(str(name) for name, branch in self._tree.items() if branch)
        """Those of them that it wants only parts of."""

    def of(self, item: Item) -> Item:
        """The parts of `item` that it names and that are there."""
        if self._plain:
            return {name: value for name, value in item.items() if name in self.attributes}
        found = {}
        for name, branch in self._tree.items():
            value = item.get(str(name))
            part = None if value is None else _part(value, branch)
            if part is not None:
                found[str(name)] = part
        return found


def _part(value: Value, branch: _Tree) -> Value | None:
    if not branch:
        return value
    if "M" in value:
        members = {
            name: part
            for name, below in branch.items()
            if name in value["M"] and (part := _part(value["M"][name], below)) is not None
        }
        return {"M": members} if members else None
    if "L" in value:
        elements = [
            part
            for index, below in sorted(branch.items(), key=lambda entry: str(entry[0]).zfill(12))
            if isinstance(index, int)
            and index < len(value["L"])
            and (part := _part(value["L"][index], below)) is not None
        ]
        return {"L": elements} if elements else None
    return None


@dataclass(frozen=True, slots=True)
class _Compiled:
    projection: Projection
    names: frozenset[str]


def projection(text: str, placeholders: Placeholders) -> Projection:
    """The projection that `text` states."""
    compiled = _compiled(text, placeholders.names)
    placeholders.use(compiled.names, ())
    return compiled.projection


@lru_cache(maxsize=CACHE_SIZE)
def _compiled(text: str, names: NameItems) -> _Compiled:
    paths, references = parse_projection(text)
    resolver = Names(Kind.PROJECTION, dict(names))
    resolver.check(references)
    resolved = [resolver.resolve(path) for path in paths]
    check_paths(Kind.PROJECTION, resolved)
    return _Compiled(Projection(resolved), frozenset(resolver.used))
