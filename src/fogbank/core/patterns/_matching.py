"""From branches to closures over an event.

An event's arrays are crushed out: an element stands for the field itself. But two fields of a branch that lie
within objects in different elements of one array do not count together ("array consistency"): the pattern
`{"a": {"x": [1], "y": [2]}}` refuses `{"a": [{"x": 1}, {"y": 2}]}`. So the fields of a branch are compiled
as one tree, and where the event has an array the whole rest of the tree must be satisfied within one element.

Names are joined with dots: `{"detail": {"a.b": [1]}}` and `{"detail": {"a": {"b": [1]}}}` are one pattern,
and so are the events that look like them. Sources: the user guide, "Arrays in event patterns"; event-ruler's
README, "JSON Array Matching" and "Compiled rules and JSON keys with dots".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fogbank.core.patterns._grammar import Branch
from fogbank.core.patterns._values import Exists, Test, compile_values

_MISSING = object()
_VARIANTS = 64
"""How many trees of one branch are kept for the different sets of its fields that events lack."""


class Either:
    """Several values of one name, which an event can have when names are joined with dots."""

    __slots__ = ("values",)

    def __init__(self, *values: Any) -> None:
        self.values = values


@dataclass(slots=True)
class _Tree:
    """What is asked of one name: of its own value, and of the names below it."""

    leaf: Test | None = None
    below: dict[str, _Tree] = field(default_factory=dict)

    def add(self, path: tuple[str, ...], test: Test) -> None:
        node = self
        for name in path:
            node = node.below.setdefault(name, _Tree())
        node.leaf = test


def compile_branch(branch: Branch) -> Callable[[Any], bool]:
    """The test of an event (with plain names, see `plain`) against one branch."""
    tests: dict[tuple[str, ...], Test] = {}
    optional: set[tuple[str, ...]] = set()
    absent: set[tuple[str, ...]] = set()
    for name, values in branch.items():
        path = tuple(name.split("."))
        others = [value for value in values if value != Exists(present=False)]
        if len(others) < len(values):
            (optional if others else absent).add(path)
        if others:
            tests[path] = compile_values(others)
    if not optional and not absent:
        return _compile_tree(tests)
    return _BranchWithAbsence(tests, frozenset(optional), frozenset(absent))


class _BranchWithAbsence:
    """A branch that asks for fields to be absent, some of them as one choice among others."""

    __slots__ = ("_absent", "_optional", "_tests", "_variants")

    def __init__(
        self,
        tests: dict[tuple[str, ...], Test],
        optional: frozenset[tuple[str, ...]],
        absent: frozenset[tuple[str, ...]],
    ) -> None:
        self._tests = tests
        self._optional = optional
        self._absent = absent
        self._variants: dict[frozenset[tuple[str, ...]], Callable[[Any], bool]] = {}

    def __call__(self, event: Any) -> bool:
        if any(has_leaf(event, path) for path in self._absent):
            return False
        missing = frozenset(path for path in self._optional if not has_leaf(event, path))
        variant = self._variants.get(missing)
        if variant is None:
            if len(self._variants) >= _VARIANTS:
                self._variants.clear()
            variant = _compile_tree({p: t for p, t in self._tests.items() if p not in missing})
            self._variants[missing] = variant
        return variant(event)


def _compile_tree(tests: Mapping[tuple[str, ...], Test]) -> Callable[[Any], bool]:
    root = _Tree()
    for path, test in tests.items():
        root.add(path, test)
    return _compile_node(root)


def _compile_node(tree: _Tree) -> Callable[[Any], bool]:
    below = _compile_names(tree.below) if tree.below else None
    leaf = _compile_leaf(tree.leaf) if tree.leaf else None
    if leaf is None:
        return below or (lambda _: True)
    if below is None:
        return leaf
    return lambda value: leaf(value) and below(value)


def _compile_leaf(test: Test) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        kind = type(value)
        if kind is list or kind is Either:
            return any(test(scalar) for scalar in _scalars(value))
        return kind is not dict and test(value)

    return accepts


def _compile_names(below: Mapping[str, _Tree]) -> Callable[[Any], bool]:
    """The test that one object has all of the names below, each with a value that is accepted."""
    items = tuple((name, _compile_node(tree)) for name, tree in below.items())
    if len(items) == 1:
        return _compile_name(*items[0])

    def accepts(value: Any) -> bool:
        if type(value) is dict:
            for name, test in items:
                found = value.get(name, _MISSING)
                if found is _MISSING or not test(found):
                    return False
            return True
        if type(value) is Either:
            return all(any(_compile_one(o, name, test) for o in _objects(value)) for name, test in items)
        return type(value) is list and any(accepts(element) for element in _objects(value))

    return accepts


def _compile_name(name: str, test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        if type(value) is dict:
            found = value.get(name, _MISSING)
            return found is not _MISSING and test(found)
        kind = type(value)
        return (kind is list or kind is Either) and any(accepts(element) for element in _objects(value))

    return accepts


def _compile_one(holder: dict[str, Any], name: str, test: Callable[[Any], bool]) -> bool:
    found = holder.get(name, _MISSING)
    return found is not _MISSING and test(found)


def _elements(value: Any) -> Iterator[Any]:
    """What an array holds when the arrays within it are crushed out; without recursion, it may be deep."""
    stack = [iter(value.values if type(value) is Either else value)]
    while stack:
        for element in stack[-1]:
            kind = type(element)
            if kind is list or kind is Either:
                stack.append(iter(element.values if kind is Either else element))
                break
            yield element
        else:
            stack.pop()


def _scalars(value: Any) -> Iterator[Any]:
    return (element for element in _elements(value) if type(element) is not dict)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (element for element in _elements(value) if type(element) is dict)


def has_leaf(event: Any, path: tuple[str, ...]) -> bool:
    """Whether an event has a scalar at a path: neither an empty array nor an object counts."""
    values = [event]
    for name in path:
        found = []
        for value in values:
            holders = [value] if type(value) is dict else _holders(value)
            found += [holder[name] for holder in holders if name in holder]
        values = found
    return any(_is_leaf(value) for value in values)


def _holders(value: Any) -> Iterator[dict[str, Any]]:
    return _objects(value) if type(value) in {list, Either} else iter(())


def _is_leaf(value: Any) -> bool:
    if type(value) in {list, Either}:
        return any(True for _ in _scalars(value))
    return type(value) is not dict


def plain(event: dict[str, Any]) -> dict[str, Any]:
    """An event in which no name has a dot: the same object if it is so already."""
    return _nest(event) if _has_dots(event) else event


def _has_dots(event: dict[str, Any]) -> bool:
    nodes: list[Any] = [event]
    for node in nodes:  # grows while it is walked
        if type(node) is dict:
            for name, value in node.items():
                if "." in name:
                    return True
                kind = type(value)
                if kind is dict or kind is list:
                    nodes.append(value)
        else:
            nodes += [value for value in node if type(value) is dict or type(value) is list]
    return False


def _nest(event: dict[str, Any]) -> dict[str, Any]:
    """The same with names of one part each; without recursion, for events may be deep."""
    nested: dict[str, Any] = {}
    work: list[tuple[Any, Any]] = [(event, nested)]
    while work:
        source, target = work.pop()
        if type(source) is list:
            target.extend(_shell(element, work) for element in source)
            continue
        for name, value in source.items():
            *outer, last = name.split(".")
            holder = _descend(target, outer)
            shell = _shell(value, work)
            holder[last] = shell if last not in holder else Either(holder[last], shell)
    return nested


def _shell(value: Any, work: list[tuple[Any, Any]]) -> Any:
    """An empty container to fill later, for a container; a scalar itself."""
    if type(value) is not dict and type(value) is not list:
        return value
    shell: dict[str, Any] | list[Any] = {} if type(value) is dict else []
    work.append((value, shell))
    return shell


def _descend(holder: dict[str, Any], names: list[str]) -> dict[str, Any]:
    for name in names:
        inner = holder.get(name)
        if type(inner) is not dict:
            fresh: dict[str, Any] = {}
            holder[name] = fresh if name not in holder else Either(inner, fresh)
            inner = fresh
        holder = inner
    return holder
