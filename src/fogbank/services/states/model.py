"""The values of Step Functions: state machines and what belongs to them.

machine ──has──▶ revisions (one of them current) ◀── versions ◀── aliases (weighted)
   │                 ▲
   └── executions ───┘ each runs by the revision that was current, or that its version names
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fogbank.core.scope import Scope

MAX_TAGS = 50
MAX_INPUT = 262_144
UNSUCCESSFUL = frozenset({"FAILED", "ABORTED", "TIMED_OUT"})
NOT_REDRIVABLE = "NOT_REDRIVABLE"
REDRIVABLE_FOR = 14 * 86_400_000
"""Milliseconds after its end in which an execution can be redriven."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A state machine; `revision` is the current one's row."""

    arn: str
    scope: Scope
    name: str
    kind: str
    revision: int
    next_version: int
    tags: dict[str, str]
    created: int


@dataclass(frozen=True, slots=True)
class Revision:
    """A definition with its role and settings. `name` is the revision's id; the first one has none."""

    id: int
    machine: str
    name: str | None
    definition: str
    role: str
    settings: dict[str, Any]
    created: int


@dataclass(frozen=True, slots=True)
class Version:
    """A published revision."""

    arn: str
    machine: str
    number: int
    revision: int
    description: str
    created: int


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for one version or two with weights."""

    arn: str
    machine: str
    name: str
    description: str | None
    routing: list[dict[str, Any]]
    created: int
    updated: int


@dataclass(frozen=True, slots=True)
class Activity:
    """A kind of work that polling workers do."""

    arn: str
    name: str
    tags: dict[str, str]
    created: int


@dataclass(frozen=True, slots=True)
class Record:
    """An execution as it is stored."""

    id: int
    arn: str
    machine: str
    revision: int
    name: str
    seed: str
    qualified: str | None
    alias: str | None
    trace: str | None
    input: str
    status: str
    started: int
    stopped: int | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    redrives: int = 0
    redriven: int | None = None
    redrive_token: str | None = None
    map_run: str | None = None
    """Of a child execution of a distributed Map: the map run that started it."""

    def redrivable(self, now: int) -> tuple[str, str | None]:
        """Whether it can be redriven at a moment (milliseconds), and if not why, as `DescribeExecution` says it."""
        if self.status not in UNSUCCESSFUL:
            return NOT_REDRIVABLE, f"Execution is {self.status} and cannot be redriven"
        if now - (self.stopped or now) > REDRIVABLE_FOR:
            return NOT_REDRIVABLE, "Execution has exceeded the redrivable period of 14 days"
        return ("REDRIVABLE" if self.map_run is None else "REDRIVABLE_BY_MAP_RUN"), None
