"""What an execution under way is made of: threads, joins, what they wait for, and where their events go."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fogbank.services.states._language.definition import Program, State
from fogbank.services.states._language.failures import Failure
from fogbank.services.states._language.jsonata import Question, Reply

if TYPE_CHECKING:
    from fogbank.services.states._language._batches import Batch
    from fogbank.services.states._language._map_runs import MapRun

Json = Any


def iso(millis: int) -> str:
    """A moment as the context object writes it."""
    whole = datetime.fromtimestamp(millis // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{millis % 1000:03d}Z"


NONE_YET: list[tuple[bytes, Reply]] = []
"""No replies: what most steps have. It stays empty."""


class Dice:
    """An execution's own random sequence: the same again when its journal is replayed. A `jsonata.Source`."""

    defers = False
    evaluated = 0
    halts: frozenset[int] = frozenset()
    halted: tuple[int, ...] = ()

    def __init__(self, seed: str) -> None:
        self.replies: list[tuple[bytes, Reply]] = NONE_YET
        self.now = 0
        """The moment of the input that is applied, in milliseconds: what `$now()` gives, in a replay as before."""
        self._seed = seed
        self._drawn: random.Random | None = None

    @property
    def _random(self) -> random.Random:
        """Made when it is needed first: it takes 3 KB, and most executions never do."""
        if self._drawn is None:
            self._drawn = random.Random(self._seed)  # noqa: S311 - replayable on purpose; the seed itself is secret
        return self._drawn

    def uuid(self) -> str:
        """A version 4 UUID."""
        bits = f"{self._random.getrandbits(128):032x}"
        variant = "89ab"[int(bits[16], 16) & 3]
        return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-{variant}{bits[17:20]}-{bits[20:]}"

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` up to, not including, `high`."""
        return self._random.randrange(low, high)

    def fraction(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an execution is: what the context object and the events say of it."""

    arn: str
    name: str
    role: str
    machine: str
    machine_name: str
    region: str
    started: int
    """Milliseconds since the epoch."""
    seed: str


class Sink:
    """Numbers events and collects them."""

    __slots__ = ("count", "events")

    def __init__(self, events: list[dict[str, Any]], count: int = 0) -> None:
        self.events = events
        self.count = count

    def add(self, kind: str, previous: int, now: int, details: Mapping[str, Any] | None) -> int:
        """Record an event; its id."""
        self.count += 1
        event = {"timestamp": now / 1000, "type": kind, "id": self.count, "previousEventId": previous}
        if details is not None:
            event[DETAILS.get(kind) or _details_name(kind)] = details
        self.events.append(event)
        return self.count


def _details_name(kind: str) -> str:
    if kind.endswith("StateEntered"):
        name = "stateEnteredEventDetails"
    elif kind.endswith("StateExited"):
        name = "stateExitedEventDetails"
    else:
        name = f"{kind[0].lower()}{kind[1:]}EventDetails"
    DETAILS[kind] = name
    return name


DETAILS: dict[str, str] = {}
"""The member that holds an event type's details."""


@dataclass(slots=True, eq=False)
class Join:
    """A Parallel or Map state under way: its children, and what it waits for."""

    owner: Thread
    cursor: int
    """The event that the next child follows on."""
    results: list[Json]
    items: list[Json] = field(default_factory=list)
    limit: int = 0
    """How many children may run at once; 0 is any number."""
    started: int = 0
    finished: int = 0
    failed: int = 0
    last: int = 0
    """The last event of a child that succeeded."""
    children: dict[int, Thread] = field(default_factory=dict)
    selected: Json = None
    """A Map's effective input."""
    texts: dict[int, str] = field(default_factory=dict)
    """The results of a Parallel's branches, as they were written."""
    broken: dict[int, Thread] = field(default_factory=dict)
    """Children that failed or were aborted: where a redrive goes on."""
    run: MapRun | None = None
    """A distributed Map's run. Its children are executions of their own; what follows is about them."""
    unread: Json = None
    """What is still to be read: the items are in objects."""
    failure: Failure | None = None
    """What the run fails with when its results are written."""
    batched: bool = False
    """Whether it is known what its child executions are given."""
    batches: list[Batch] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    under_way: dict[int, int] = field(default_factory=dict)
    """By task: which batch it works on."""
    unsuccessful: dict[int, str] = field(default_factory=dict)
    """Batches whose execution ended without success, with how it ended."""
    again: list[int] = field(default_factory=list)
    """Batches that a redrive is still to start again, last first."""

    @property
    def writes_all(self) -> bool:
        """Whether the results are to tell everything about the child executions; files do of those that failed."""
        writer = self.owner.state.writer
        return writer is not None and (writer.given is not None or writer.transformation == "NONE")


@dataclass(slots=True, eq=False)
class Thread:
    """One line of states: the execution itself, a branch, or an iteration. It is a `templates.Frame`."""

    program: Program
    sink: Sink
    identity: Identity
    source: Dice
    state: State
    data: Json
    variables: dict[str, Json]
    cursor: int
    execution_input: Json
    parent: Join | None = None
    index: int = 0
    raw: str | None = None
    """The text of `data`, where it was given as a text."""
    before: int = 0
    entered: int = 0
    entered_at: int = 0
    attempts: dict[int, int] = field(default_factory=dict)
    retried: int = 0
    item: Json = None
    """`Map` of the context object."""
    token: str | None = None
    waiting: int | None = None
    """The id of the task or alarm that it waits for."""
    join: Join | None = None
    broken: Join | None = None
    """The children of a state that failed or was aborted: where a redrive goes on."""
    failed: str | None = None
    """The error that its state failed with."""
    redriven: int = 0

    def describe(self) -> str:
        """How errors of this state begin."""
        return f"An error occurred while executing the state '{self.state.name}' (entered at the event id #{self.entered})."  # noqa: E501

    def context(self) -> Json:
        """The context object."""
        who = self.identity
        state: dict[str, Json] = {"Name": self.state.name, "EnteredTime": iso(self.entered_at)}
        if self.state.kind in {"Task", "Parallel", "Map"}:
            state["RetryCount"] = self.retried
        context: dict[str, Json] = {
            "Execution": {
                "Id": who.arn,
                "Input": self.execution_input,
                "StartTime": iso(who.started),
                "Name": who.name,
                "RoleArn": who.role,
                "RedriveCount": self.redriven,
            },
            "StateMachine": {"Id": who.machine, "Name": who.machine_name},
            "State": state,
        }
        if self.token is not None:
            context["Task"] = {"Token": self.token}
        if self.item is not None:
            context["Map"] = {"Item": self.item}
        return context


class TaskKind(StrEnum):
    """What performs a task."""

    FUNCTION = "function"
    SERVICE = "service"
    ACTIVITY = "activity"
    CHILD = "child"
    """A child execution of a distributed Map."""
    READER = "reader"
    """The items of a distributed Map, which are in objects."""
    WRITER = "writer"
    """The results of a distributed Map, which go to a bucket."""


@dataclass(slots=True, eq=False)
class Task:
    """Work outside the interpreter. `deadline` and `beat_by` are milliseconds since the epoch."""

    id: int
    kind: TaskKind
    resource: str
    """The ARN of the function or activity; of an integration `sqs:sendMessage.waitForTaskToken`."""
    parameters: Json
    token: str | None
    state: str
    credentials: Json = None
    heartbeat: int | None = None
    deadline: int | None = None
    beat_by: int | None = None
    submitted: bool = False
    started: bool = True
    early: tuple[Any, ...] | None = None
    """What came in by its token before the call that handed out the token had returned."""
    reply: Json = None
    """What the call that began it answered, where it tells what is waited for."""
    child: tuple[str, int] = ("", 0)
    """The name of a child execution, and how many items it is given."""

    @property
    def waits(self) -> bool:
        """Whether it goes on after the call that begins it."""
        return self.resource.endswith((".waitForTaskToken", ".sync", ".sync:2"))


@dataclass(frozen=True, slots=True)
class Perform:
    """Command: do this task, and hand in what came of it."""

    task: Task


@dataclass(frozen=True, slots=True)
class Alarm:
    """Command: hand in `time` for this id at a moment (milliseconds)."""

    id: int
    when: int


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Command: evaluate an expression that takes long, and hand in `evaluated` for this id."""

    id: int
    question: Question


@dataclass(frozen=True, slots=True)
class Drop:
    """Command: this task is not waited for any more."""

    id: int


Command = Perform | Alarm | Evaluate | Drop


@dataclass(slots=True, eq=False)
class Halted:
    """A step of a thread that is done again when the answer to its question is there; with the answers of before."""

    thread: Thread
    step: Callable[[], None]
    question: Question
    replies: list[tuple[bytes, Reply]]


@dataclass(slots=True, eq=False)
class Waiting:
    """A thread that waits for an alarm: a Wait state, or a retry that is due."""

    thread: Thread
    when: int
    retry: bool
