"""A definition becomes a program: states with all of their templates and paths compiled.

`load` gives the program or all of the problems at once; a problem has AWS's code, a message and a JSON pointer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from fogbank.services.states._language._batches import Batcher, Reader, Writer
from fogbank.services.states._language.choice import Test
from fogbank.services.states._language.paths import Path
from fogbank.services.states._language.templates import Query, Template

Json = Any


class Kind(StrEnum):
    """The types of state."""

    TASK = "Task"
    PASS = "Pass"  # noqa: S105 - a type of state
    CHOICE = "Choice"
    WAIT = "Wait"
    SUCCEED = "Succeed"
    FAIL = "Fail"
    PARALLEL = "Parallel"
    MAP = "Map"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a definition, in AWS's terms."""

    code: str
    message: str
    location: str | None = None
    severity: str = "ERROR"

    def __str__(self) -> str:
        return f"{self.code}: {self.message} at {'null' if self.location is None else self.location}"


@dataclass(frozen=True, slots=True)
class Retrier:
    """One entry of Retry; times in seconds."""

    errors: tuple[str, ...]
    interval: float = 1.0
    attempts: int = 3
    backoff: float = 2.0
    ceiling: float | None = None
    jitter: bool = False

    def delay(self, attempt: int, fraction: float) -> float:
        """Seconds before attempt number `attempt` (from 0); `fraction` in [0, 1) is the dice of full jitter."""
        try:
            seconds = self.interval * self.backoff**attempt
        except OverflowError:
            seconds = 99_999_999.0
        seconds = min(seconds, self.ceiling if self.ceiling is not None else 99_999_999.0)
        return seconds * fraction if self.jitter else seconds


@dataclass(frozen=True, slots=True)
class Catcher:
    """One entry of Catch."""

    errors: tuple[str, ...]
    next: str
    result_path: Path | None = None
    """Where the error output goes; `None` replaces the input by it."""
    discard: bool = False
    """`ResultPath: null`: the error output is dropped."""
    output: Query | None = None
    assign: Template | Query | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of Choices: a test (JSONPath) or a condition (JSONata)."""

    next: str
    test: Test | None = None
    condition: Query | None = None
    output: Query | None = None
    assign: Template | Query | None = None


@dataclass(slots=True)
class Program:
    """A state machine, a branch, or the processor of a Map: its states by name. Complete after loading."""

    start: str
    states: dict[str, State]
    timeout: int | None = None
    distributed: bool = False
    execution_type: str = "STANDARD"
    variables: dict[str, list[str]] = field(default_factory=dict)
    """Variables that each state refers to, where it refers to any."""
    comment: str | None = None


@dataclass(slots=True, eq=False)
class State:
    """One state, compiled. What a type does not have stays `None`."""

    name: str
    kind: Kind
    jsonata: bool
    next: str | None = None
    input_path: Path | None = None
    drop_input: bool = False
    output_path: Path | None = None
    drop_output: bool = False
    parameters: Template | None = None
    selector: Template | None = None
    result_path: Path | None = None
    drop_result: bool = False
    arguments: Query | None = None
    output: Query | None = None
    assign: Template | Query | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()
    result: Json = None
    has_result: bool = False
    resource: str = ""
    timeout: int | None = None
    timeout_path: Path | None = None
    timeout_query: Query | None = None
    heartbeat: int | None = None
    heartbeat_path: Path | None = None
    heartbeat_query: Query | None = None
    credentials: Template | Query | None = None
    rules: tuple[Rule, ...] = ()
    default: str | None = None
    seconds: int | None = None
    timestamp: str | None = None
    wait_path: Path | None = None
    wait_query: Query | None = None
    wait_field: str = ""
    error: str | None = None
    cause: str | None = None
    error_of: Template | Query | None = None
    cause_of: Template | Query | None = None
    branches: tuple[Program, ...] = ()
    items_path: Path | None = None
    items_query: Query | None = None
    item_selector: Template | Query | None = None
    concurrency: int = 0
    concurrency_path: Path | None = None
    concurrency_query: Query | None = None
    tolerated_count: int | None = None
    tolerated_percentage: float | None = None
    tolerated_count_path: Path | None = None
    tolerated_percentage_path: Path | None = None
    tolerated_count_query: Query | None = None
    tolerated_percentage_query: Query | None = None
    reader: Reader | None = None
    batcher: Batcher | None = None
    writer: Writer | None = None
    label: str | None = None
    document: Json = None
    """The state as it was written."""

    @property
    def is_last(self) -> bool:
        """Whether the execution or branch ends here."""
        return self.next is None
