"""Cold starts: where their time goes, and what would make them shorter. Pure functions over measurements.

A start is split into

| part | from | to |
| --- | --- | --- |
| environment | the request | the process is there |
| runtime | | the handler's module begins to be imported |
| imports | | what that module imports, all together |
| init | | the module's own code |
| first event | | the answer |

Runtimes other than Python show environment and the rest of the init phase only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

PARTS = ("environment", "runtime", "imports", "init", "first_event")
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")


@dataclass(frozen=True, slots=True)
class Start:
    """One cold start, in seconds."""

    environment: float
    runtime: float
    imports: float
    init: float
    first_event: float

    @property
    def total(self) -> float:
        """From the request to the answer."""
        return self.environment + self.runtime + self.imports + self.init + self.first_event


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 99th percentile, in seconds."""

    median: float
    p99: float


@dataclass(frozen=True, slots=True)
class Import:
    """A top-level package: seconds of its own modules, and of all that its import brought with it."""

    name: str
    own: float
    cumulative: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed package: what it puts at the top level, its size in bytes, and what it requires."""

    name: str
    modules: frozenset[str]
    size: int
    requires: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pruned:
    """The function without what it never imports: whether it still starts, and how it does."""

    packages: tuple[str, ...]
    size: int
    """Bytes that it would lose."""
    problem: str | None = None
    """Why it does not start any more."""
    total: Spread | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """All that was found out about one function. `problem` says why it does not start."""

    name: str
    runtime: str
    package: int
    """Bytes of its code, unpacked, with its layers."""
    starts: Sequence[Start] = ()
    note: str | None = None
    problem: str | None = None
    restored: Sequence[float] = ()
    """Seconds of starts from a snapshot."""
    warm: Sequence[float] = ()
    """Seconds of events in an environment that is ready, as with provisioned concurrency."""
    without_snapshot: str | None = None
    """Why there is none."""
    imports: Sequence[Import] = ()
    pruned: Pruned | None = None
    parts: Mapping[str, Spread] = field(default_factory=dict)

    @property
    def total(self) -> Spread:
        """Of the starts."""
        return spread([start.total for start in self.starts])


def spread(seconds: Sequence[float]) -> Spread:
    """The median and the 99th percentile (the largest of fewer than a hundred)."""
    ordered = sorted(seconds)
    return Spread(ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))])


def parts_of(starts: Sequence[Start]) -> dict[str, Spread]:
    """Each part of the starts."""
    return {part: spread([getattr(start, part) for start in starts]) for part in PARTS}


def saving(before: Sequence[float], after: Sequence[float]) -> float:
    """What the median loses, in seconds; not below nothing."""
    return max(0.0, spread(before).median - spread(after).median)


def imports_of(text: str, root: str) -> list[Import]:
    """What `-X importtime` printed of what the module `root` imports, by top-level package, the dearest first.

    A line tells of one module: microseconds of its own, with all that it imported, and how deep it stands; it comes
    after those that it imported. A package's cumulative time is that of its modules which no other of it imported.
    """
    own: dict[str, int] = {}
    cumulative: dict[str, int] = {}
    above: list[tuple[int, str]] = []  # depth and package of the lines after this one, read backwards
    for found in reversed(list(_LINE.finditer(text))):
        depth, package = len(found[3]), found[4].partition(".")[0]
        if not above:
            if found[4] == root:
                above.append((depth, ""))
            continue
        if depth <= above[0][0]:
            break  # before the root was imported
        while above[-1][0] >= depth:
            above.pop()
        own[package] = own.get(package, 0) + int(found[1])
        if all(name != package for _, name in above):
            cumulative[package] = cumulative.get(package, 0) + int(found[2])
        above.append((depth, package))
    every = [Import(name, own[name] / 1e6, cumulative.get(name, 0) / 1e6) for name in own]
    return sorted(every, key=lambda one: (-one.cumulative, one.name))


def never_imported(
    distributions: Iterable[Distribution], loaded: Iterable[str], named: Iterable[str]
) -> list[Distribution]:
    """Installed packages that the init phase did not load, no code of the function's own names, and nothing needs.

    `loaded` are modules, `named` those that stand in an import statement anywhere, also within functions.
    """
    every = {one.name: one for one in distributions}
    seen = {name.partition(".")[0] for name in (*loaded, *named)}
    needed = [one.name for one in every.values() if one.modules & seen]
    used: set[str] = set()
    while needed:
        name = needed.pop()
        if name in used or name not in every:
            continue
        used.add(name)
        needed += every[name].requires
    return sorted((one for one in every.values() if one.name not in used), key=lambda one: (-one.size, one.name))


def document(subjects: Sequence[Subject], runs: int) -> dict[str, Any]:
    """The report for machines: seconds and bytes."""
    return {"runs": runs, "functions": [_shown(subject) for subject in subjects]}


def _shown(subject: Subject) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": subject.name, "runtime": subject.runtime, "package": subject.package}
    for name in ("note", "problem"):
        if getattr(subject, name):
            shown[name] = getattr(subject, name)
    if not subject.starts:
        return shown
    totals = [start.total for start in subject.starts]
    shown["total"] = asdict(subject.total)
    shown["parts"] = {part: asdict(found) for part, found in parts_of(subject.starts).items()}
    shown["imports"] = [asdict(one) for one in subject.imports]
    if subject.restored:
        shown["snapStart"] = {**asdict(spread(subject.restored)), "saves": saving(totals, subject.restored)}
    elif subject.without_snapshot:
        shown["snapStart"] = {"problem": subject.without_snapshot}
    if subject.warm:
        shown["provisionedConcurrency"] = {**asdict(spread(subject.warm)), "saves": saving(totals, subject.warm)}
    if subject.pruned is not None:
        pruned = subject.pruned
        found: dict[str, Any] = {"packages": list(pruned.packages), "bytes": pruned.size}
        if pruned.problem is not None:
            found["problem"] = pruned.problem
        if pruned.total is not None:
            found |= {**asdict(pruned.total), "saves": max(0.0, subject.total.median - pruned.total.median)}
        shown["pruned"] = found
    return shown
