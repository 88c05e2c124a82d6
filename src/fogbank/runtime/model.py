"""What is run, what it is given, and what comes of it. Pure values.

An execution environment's life:

    STARTING ──ready──▶ IDLE ──event──▶ BUSY ──answer──▶ IDLE …
        │                 │               │
        └──init fails─────┴─reaped────────┴──exit, time-out, out of memory──▶ ENDED

With extensions the last arrow leads through ENDING, in which they have up to two seconds. "Ready" and "answer" are
when the runtime and all extensions ask for the next event.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import NamedTuple

from fogbank.core.scope import Scope
from fogbank.runtime.streaming import ResponseStream

MAX_RESPONSE = 6 * 1024 * 1024 + 100
"""Bytes of a synchronous response. Source: the Lambda quotas page, and the text of the error itself."""
INIT_TIMEOUT = 10.0
"""Seconds that the init phase may take; past them it is repeated within the invocation."""
PREPARED_INIT_TIMEOUT = 130.0
"""The same where no event waits, or the function's timeout where that is longer: for SnapStart and provisioned
concurrency. Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""
RESTORE_TIMEOUT = 10.0
"""Seconds that a restore may take with its after-restore hooks. Source: the page on SnapStart's runtime hooks."""


class State(Enum):
    """Where an environment is in its life."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    ENDING = "ending"
    ENDED = "ended"


class Initialization(StrEnum):
    """How an environment came to be: the value of AWS_LAMBDA_INITIALIZATION_TYPE."""

    ON_DEMAND = "on-demand"
    PROVISIONED = "provisioned-concurrency"
    SNAP_START = "snap-start"


class Role(Enum):
    """What a process is started for."""

    SERVE = "to be initialized and to handle events"
    SNAPSHOT = "to be initialized and to be forked"
    RESTORED = "to go on from a snapshot and to handle events"


class LogFormat(StrEnum):
    """How a function's log is written."""

    TEXT = "Text"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class Logging:
    """A function's logging configuration."""

    group: str
    format: LogFormat = LogFormat.TEXT
    application_level: str | None = None
    system_level: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """All that an environment must know of the version that it runs.

    `key` differs whenever anything here does: environments are shared by key. `task` is the unpacked code
    (LAMBDA_TASK_ROOT), `layers` the merged layers (what AWS mounts at /opt). `memory` and `ephemeral` are in MB,
    `timeout` in seconds.
    """

    key: str
    scope: Scope
    name: str
    version: str
    runtime: str
    handler: str
    task: Path
    logging: Logging
    role: str = ""
    layers: Path | None = None
    memory: int = 128
    timeout: float = 3.0
    ephemeral: int = 512
    environment: Mapping[str, str] = field(default_factory=dict)
    traced: bool = False
    architecture: str = "x86_64"
    """What it is billed as; everything runs on the machine's own."""
    processors: float | None = None
    """Virtual processors that it may use; `None` is no limit. Set in trials only (`throttle.py`)."""
    snap_start: bool = False
    """Whether its environments are restored from a snapshot of one that has been initialized."""


@dataclass(frozen=True, slots=True)
class Event:
    """One invocation's input. `client_context` is JSON text; `trace` is the value of X-Amzn-Trace-Id."""

    request_id: str
    payload: bytes
    function_arn: str
    trace: str = ""
    client_context: str | None = None
    cognito_identity: str | None = None
    tail: bool = False
    """Whether the caller wants the end of the log."""
    stream: ResponseStream | None = None
    """Where a streamed response goes; without it the response is read whole, streamed or not."""

    def with_trace(self, trace: str) -> Event:
        """The same in another context. Not `dataclasses.replace`: this is a quarter of its cost."""
        return Event(
            self.request_id,
            self.payload,
            self.function_arn,
            trace,
            self.client_context,
            self.cognito_identity,
            self.tail,
            self.stream,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an invocation: the function's answer, or the error document that stands in its place.

    `error` is the value of X-Amz-Function-Error (`Unhandled`), `log` the last 4 KB of the log if it was asked for.
    """

    payload: bytes
    error: str | None = None
    log: bytes = b""
    duration: float = 0.0
    """Seconds from the event's being handed over to the answer."""
    error_type: str | None = None
    """What kind of error: the runtime's `Lambda-Runtime-Function-Error-Type`, or ours."""
    billed: int = 0
    """Milliseconds."""
    memory: int = 0
    """Bytes that were used at the most."""
    init: float | None = None
    """Seconds of the init phase, where this was the environment's first event."""


@dataclass(frozen=True, slots=True)
class InitFailure:
    """An init phase that failed: the error document for the caller, and what kind it is."""

    error_type: str
    payload: bytes | None
    """The runtime's own document; `None` where the process ended without one."""
    text: str = ""
    restoring: bool = False
    """Whether it was restored from a snapshot that had been initialized well."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: with a status, or by a signal. `resident` is its largest resident size in bytes."""

    status: int | None
    signal: int | None
    resident: int = 0


@dataclass(frozen=True, slots=True)
class Provision:
    """How far the provisioning of a version's concurrency has come: environments initialized, and those idle."""

    allocated: int = 0
    available: int = 0
    failure: str | None = None
    """Why no more can be had; AWS's code where it has one."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What boto3 inside a function signs with."""

    access_key: str
    secret_key: str
    session_token: str
    expires: float | None = None
    """Clock seconds at which they are no longer good."""


class LogLine(NamedTuple):
    """One log event: clock milliseconds and text without its line end. A tuple: several are made for every event."""

    time: int
    text: str


class RuntimeUnavailableError(Exception):
    """No interpreter on this machine can run a runtime; the message says what to install."""


class RestoreError(Exception):
    """An environment could not be restored from its snapshot; `late` if it took too long."""

    def __init__(self, message: str, *, late: bool) -> None:
        super().__init__(message)
        self.late = late


class EnvironmentLimitError(Exception):
    """As many environments as the configuration allows are busy."""


class StartError(Exception):
    """The operating system or the prepared parent could not start an environment: a fault of ours, not the code's."""
