"""What Step Functions records: each execution, and each state of it, from being entered to being left.

The ids of these spans follow from the execution's seed, so that an execution that goes on after a crash goes on in its
spans as well: what was entered before is closed after.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fogbank.core.trace import Trace
from fogbank.telemetry import Kind, Span, Status

if TYPE_CHECKING:
    from fogbank.core.scope import Scope
    from fogbank.services.kit import Kit
    from fogbank.services.states.model import Record, Revision

_FAILURES = ("Failed", "TimedOut", "Aborted")
_MAX_OPEN = 10_000
_MAX_MESSAGE = 500


def span_id(seed: str, number: int) -> str:
    """The id of the span that an execution's event number `number` opens; 0 is the execution itself."""
    return hashlib.blake2b(f"{seed}{number}".encode(), digest_size=8).hexdigest()


def context_of(seed: str, caller: Trace, number: int = 0) -> Trace:
    """The context for what an execution, or the state that event `number` entered, causes."""
    return Trace(caller.root, span_id(seed, number), caller.sampled)


def trace_of(record: Record, revision: Revision, caller: Trace) -> Trace:
    """The trace of an execution: the one of its StartExecution's `traceHeader`, else its caller's.

    Where nobody has decided whether it is sampled, a state machine with tracing enabled does: it is.
    """
    given = caller if record.trace in {None, caller.header} else Trace.parse(record.trace) or caller
    if given.sampled is None and revision.settings.get("tracing", {}).get("enabled"):
        return given._replace(sampled=True)
    return given


class Recorder:
    """Makes the spans of executions; one for each execution under way, from the events of its history."""

    def __init__(
        self, kit: Kit, record: Record, scope: Scope, trace: Trace, express: int | None = None, *, traced: bool = False
    ) -> None:
        """`express` is the length of the definition of an Express execution; its time is billed with it.

        `traced` says whether the state machine has tracing enabled: a sampled trace is billed then.
        """
        self._traced = traced and bool(trace.sampled)
        self._express = express
        self._largest = len(record.input)
        self._telemetry = kit.telemetry
        self._record = record
        self._scope = scope
        self._trace = trace
        self._open: dict[int, tuple[str, str, float]] = {}
        """By its event's number: a state's name and kind, and when it was entered."""
        self._before: dict[int, int] = {}
        """Which entered state each event of the last ones belongs to."""
        self._retries: dict[int, int] = {}
        """How often each entered state has failed."""
        self._repeats: dict[int, int] = {}
        """How often it was tried again: each time is billed as a transition."""
        self._recalling = False
        if self._telemetry.on:
            machine = record.machine.rpartition(":")[2]
            self._telemetry.begun(trace.root, span_id(record.seed, 0), trace.parent, f"stepfunctions/{machine}")

    def follow(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take events that are safe."""
        if self._telemetry.on:
            self._take(events)

    def recall(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take events that were recorded before a restart: only what is still open matters."""
        self._recalling = True
        self._take(events)
        self._recalling = False

    def _take(self, events: Sequence[Mapping[str, Any]]) -> None:
        for event in events:
            kind: str = event["type"]
            number, previous = event["id"], event["previousEventId"]
            if kind.endswith("StateEntered"):
                self._open[number] = (_details(event)["name"], kind.removesuffix("StateEntered"), event["timestamp"])
                self._before[number] = number
                if self._telemetry.on:
                    seed = self._record.seed
                    self._telemetry.begun(self._trace.root, span_id(seed, number), span_id(seed, 0), "")
                if len(self._open) > _MAX_OPEN:
                    self._open.clear()
                continue
            state = self._before.get(previous)
            if state is not None:
                self._before[number] = state
            if state in self._retries and kind.endswith(("Scheduled", "StateStarted")):
                self._repeats[state] = self._repeats.get(state, 0) + 1
            if kind.endswith("StateExited"):
                self._close(state, event["timestamp"], "", "")
            elif kind.endswith(_FAILURES) and state is not None and not kind.startswith("Execution"):
                self._failed(state, number, event)
            if len(self._before) > 4 * _MAX_OPEN:
                self._before.clear()

    def _failed(self, state: int, number: int, event: Mapping[str, Any]) -> None:
        """An attempt of a state failed: a retry may follow."""
        details = _details(event)
        self._retries[state] = self._retries.get(state, 0) + 1
        name, kind, _ = self._open.get(state, ("", "", 0.0))
        now = event["timestamp"]
        self._span(
            span_id(self._record.seed, -number),
            span_id(self._record.seed, state),
            Kind.STATE,
            f"{name} attempt {self._retries[state]}",
            now,
            now,
            details.get("error") or str(event["type"]),
            {"type": kind, "message": str(details.get("cause") or "")[:_MAX_MESSAGE], "event": event["type"]},
        )

    def _close(self, state: int | None, end: float, error: str, message: str) -> None:
        opened = self._open.pop(state, None) if state is not None else None
        if opened is None or state is None:
            return
        name, kind, start = opened
        attributes: dict[str, Any] = {"type": kind}
        retries = self._retries.pop(state, 0)
        if retries:
            attributes["failures"] = retries
            attributes["retries"] = self._repeats.pop(state, 0)
        if self._express is not None:
            attributes["express"] = True
        if message:
            attributes["message"] = message[:_MAX_MESSAGE]
        seed = self._record.seed
        self._span(span_id(seed, state), span_id(seed, 0), Kind.STATE, name, start, end, error, attributes)

    def ended(self, record: Record) -> None:
        """The execution has ended: so have the states that were not left."""
        if not self._telemetry.on:
            return
        end = (record.stopped or record.started) / 1000
        failed = record.status != "SUCCEEDED"
        error = (record.error or record.status) if failed else ""
        for state in list(self._open):
            self._close(state, end, error or "Aborted", record.cause or "")
        attributes: dict[str, Any] = {
            "keys": (record.arn, record.name),
            "execution": record.arn,
            "status": record.status,
        }
        if self._traced:
            attributes["traced"] = True
        if record.cause:
            attributes["message"] = record.cause[:_MAX_MESSAGE]
        if self._express is not None:
            payload = max(self._largest, len(record.output or ""))
            attributes |= {"express": True, "definition": self._express, "payload": payload}
        name = record.machine.rpartition(":")[2]
        self._span(
            span_id(record.seed, 0),
            self._trace.parent,
            Kind.EXECUTION,
            name,
            record.started / 1000,
            end,
            error,
            attributes,
        )

    def _span(
        self, name: str, parent: str, kind: Kind, title: str, start: float, end: float, error: str, more: dict[str, Any]
    ) -> None:
        if self._recalling:
            return
        self._telemetry.record(
            Span(
                trace=self._trace.root,
                id=name,
                parent=parent,
                kind=kind,
                name=title,
                service="stepfunctions",
                operation=kind.value,
                resource=self._record.machine,
                scope=self._scope,
                start=start,
                end=end,
                status=Status.FAULT if error else Status.OK,
                error=error,
                attributes=more,
            )
        )


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    for name, value in event.items():
        if name.endswith("EventDetails") and isinstance(value, Mapping):
            return value
    return {}
