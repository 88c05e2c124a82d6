"""What Lambda's pollers record: each batch, and the traces that it joins; and the end of asynchronous events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fogbank.core.trace import Trace
from fogbank.services.lambda_._lineage import join
from fogbank.telemetry import Kind, Link, Span, Status

if TYPE_CHECKING:
    from fogbank.core.arn import Arn
    from fogbank.services.kit import Kit
    from fogbank.services.lambda_.storage import SourceMapping

_SERVICES = {"dynamodb": "dynamodbstreams"}


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch under way: its context, where that comes from, and the traces of what is in it."""

    trace: Trace
    parent: str
    members: tuple[Trace, ...]
    begin: float
    size: int


class Recorder:
    """Makes the spans of batches.

    A batch whose messages are all of one trace goes on with it. Any other begins a trace of its own, with links to
    those of its messages, and each of these gets a span with a link to it: many became one.
    """

    def __init__(self, kit: Kit, mapping: SourceMapping, source: Arn) -> None:
        self._telemetry = kit.telemetry
        self._clock = kit.clock
        self._ids = kit.ids
        self._mapping = mapping
        self._source = source

    def begin(self, contexts: Sequence[Trace], size: int) -> Batch:
        """A batch of so many records is about to be handed on."""
        now = self._clock.time()
        members = tuple(dict.fromkeys(contexts))
        roots = {trace.root for trace in members}
        lineage = join(trace.lineage for trace in members if trace.lineage)
        if len(roots) == 1 and len(contexts) == size:
            begun = members[0].child(self._ids)._replace(lineage=lineage)
            return Batch(begun, members[0].parent, members, now, size)
        begun = Trace.begin(self._clock, self._ids)._replace(lineage=lineage)
        return Batch(begun, "", members, now, size)

    def end(self, batch: Batch, error: str) -> None:
        """It was handled, or failed."""
        if not self._telemetry.on:
            return
        trace = batch.trace
        links = tuple(Link(one.root, one.parent) for one in batch.members if one.root != trace.root)
        self._record(trace, trace.parent, batch.parent, batch, error, links)
        for one in batch.members if links else ():
            self._record(one, self._ids.hex(16), one.parent, batch, error, (Link(trace.root, trace.parent),))

    def _record(self, trace: Trace, name: str, parent: str, batch: Batch, error: str, links: tuple[Link, ...]) -> None:
        service = _SERVICES.get(self._source.service, self._source.service)
        attributes = {"size": batch.size, "mapping": self._mapping.uuid, "function": self._mapping.function.name}
        self._telemetry.record(
            Span(
                trace=trace.root,
                id=name,
                parent=parent,
                kind=Kind.POLL,
                name="batch",
                service=service,
                operation="poll",
                resource=self._mapping.source,
                scope=self._mapping.function.scope,
                start=batch.begin,
                end=self._clock.time(),
                status=Status.FAULT if error else Status.OK,
                error=error,
                attributes=attributes,
                links=links,
            )
        )
