"""What delivery records: the time in the outbox, each attempt, and what was given up."""

from __future__ import annotations

from typing import Any

from fogbank.core.clock import Clock
from fogbank.core.ids import Ids
from fogbank.delivery.message import Attempt, Exhaustion, error_code
from fogbank.telemetry import Kind, Span, Status, Telemetry
from fogbank.telemetry.model import status_of

NOTED_WAIT = 0.01
"""Seconds in the outbox from which on the wait is a span of its own."""
_REMEMBERED = 10_000
_MAX_MESSAGE = 500


class Recorder:
    """Makes the spans of deliveries."""

    def __init__(self, telemetry: Telemetry, clock: Clock, ids: Ids) -> None:
        self._telemetry = telemetry
        self._clock = clock
        self._ids = ids
        self._failed_at: dict[int, float] = {}
        """When the last attempt of a message failed."""

    def arrived(self, attempt: Attempt, begin: float) -> None:
        """An attempt succeeded."""
        if attempt.number > 1 or self._telemetry.wants(attempt.message.trace.root):
            self._tried(attempt, begin, Status.OK, "", "")

    def failed(self, attempt: Attempt, begin: float, error: Exception) -> None:
        """An attempt failed; another may follow."""
        self._tried(attempt, begin, status_of(error), error_code(error), str(error)[:_MAX_MESSAGE])
        if len(self._failed_at) >= _REMEMBERED:
            self._failed_at.clear()
        self._failed_at[attempt.id] = self._clock.time()

    def given_up(self, attempt: Attempt, moment: float, code: str, reason: Exhaustion) -> None:
        """No further attempt will be made."""
        self._failed_at.pop(attempt.id, None)
        message = attempt.message
        attributes: dict[str, Any] = {"attempts": attempt.number, "reason": reason.name.lower()}
        if message.dead_letter is not None:
            attributes["dead_letter"] = message.dead_letter
        self._telemetry.record(
            Span(
                trace=message.trace.root,
                id=self._ids.hex(16),
                parent=message.trace.parent,
                kind=Kind.DEAD_LETTER,
                name="dead letter",
                service=_service(message.target),
                operation="",
                resource=message.target,
                scope=message.scope,
                start=moment,
                end=moment,
                status=Status.FAULT,
                error=code,
                attributes=attributes,
            )
        )

    def _tried(self, attempt: Attempt, begin: float, status: Status, error: str, text: str) -> None:
        message = attempt.message
        context = message.trace
        since = attempt.enqueued + message.delay
        if attempt.number > 1:
            since = self._failed_at.pop(attempt.id, since)
        service = _service(message.target)
        if begin - since >= NOTED_WAIT:
            self._telemetry.record(
                Span(
                    trace=context.root,
                    id=self._ids.hex(16),
                    parent=context.parent,
                    kind=Kind.WAIT,
                    name="outbox",
                    service=service,
                    operation="",
                    resource=message.target,
                    scope=message.scope,
                    start=since,
                    end=begin,
                    attributes={"attempt": attempt.number},
                )
            )
        attributes: dict[str, Any] = {"attempt": attempt.number, "route": message.route, "source": message.source}
        if text:
            attributes["message"] = text
        self._telemetry.record(
            Span(
                context.root,
                attempt.trace.parent,
                context.parent,
                Kind.DELIVERY,
                "delivery",
                service,
                message.route,
                message.target,
                message.scope,
                begin,
                self._clock.time(),
                status,
                error,
                attributes,
            )
        )


_SERVICES = {"states": "stepfunctions"}


def _service(arn: str) -> str:
    """The name that botocore has for the service of an ARN."""
    parts = arn.split(":", 3)
    name = parts[2] if len(parts) > 2 else ""
    return _SERVICES.get(name, name)
