"""What SQS records: each message's time in its queue, and what went to a dead-letter queue; and how the context of a
send stays with the message.

Where the sender's request came with a trace header, or names an AWSTraceHeader, consumers see it. Every message carries
the context of its SendMessage as well, unseen, so that what follows from it is found by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.services.sqs.model import UNSEEN, Message, Queue
from fogbank.telemetry import Kind, Span, Status

if TYPE_CHECKING:
    from fogbank.core.call import Call
    from fogbank.services.kit import Kit


def context_of(stored: str | None) -> Trace | None:
    """The context that is stored with a message."""
    return None if stored is None else Trace.parse(stored.rpartition(UNSEEN)[2])


class Recorder:
    """Makes the spans of messages."""

    def __init__(self, kit: Kit) -> None:
        self._telemetry = kit.telemetry
        self._clock = kit.clock
        self._ids = kit.ids

    def context(self, call: Call) -> str | None:
        """What is stored with a message for which its sender names no AWSTraceHeader."""
        trace = call.trace
        shown = trace.upstream
        if not (self._telemetry.on and self._telemetry.wants(trace.root)):
            return shown
        return f"{shown or ''}{UNSEEN}{trace.header}"

    def received(self, queue: Queue, messages: Sequence[Message]) -> None:
        """Messages leave a queue: from their sending, or for those that come again from their first receipt."""
        if not self._telemetry.on:
            return
        now = self._clock.time()
        for message in messages:
            trace = context_of(message.trace)
            if trace is None or not self._telemetry.wants(trace.root):
                continue
            since = message.first_received_at if message.receives > 1 else message.sent_at
            attributes = {"keys": (message.message_id,), "message_id": message.message_id, "receives": message.receives}
            self._telemetry.record(
                Span(
                    *(trace.root, self._ids.hex(16), trace.parent, Kind.QUEUE, "in queue", "sqs", "", queue.arn),
                    *(_scope_of(queue), (since or message.sent_at) / 1000, now, Status.OK, "", attributes),
                )
            )

    def spent(self, queue: Queue, messages: Sequence[Message], target: Queue) -> None:
        """Messages that were received too often go to the dead-letter queue."""
        if not self._telemetry.on:
            return
        now = self._clock.time()
        for message in messages:
            trace = context_of(message.trace)
            if trace is None:
                continue
            attributes = {
                "keys": (message.message_id,),
                "message_id": message.message_id,
                "receives": message.receives,
                "dead_letter": target.arn,
            }
            self._telemetry.record(
                Span(
                    *(
                        trace.root,
                        self._ids.hex(16),
                        trace.parent,
                        Kind.DEAD_LETTER,
                        "dead letter",
                        "sqs",
                        "",
                        queue.arn,
                    ),
                    *(_scope_of(queue), now, now, Status.FAULT, "MaximumReceives", attributes),
                )
            )


def _scope_of(queue: Queue) -> Scope:
    return Scope(queue.key.account, queue.key.region)
