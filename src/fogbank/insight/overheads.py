"""What is done for many at once, shared out among those for whom it was done. Pure functions.

A function's log lines are written in batches, and a queue's messages are taken and deleted in batches: such requests
have traces of their own, although an order causes them. They are shared out: log bytes by invocations of the function,
a queue's other requests by the requests that the traces made of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from fogbank.telemetry.usage import TraceUse, Used

_LOGS = "logs.ingested-gb"
_QUEUES = ("sqs.requests.standard", "sqs.requests.fifo")
_GROUP = "log-group:/aws/lambda/"
Cause = tuple[str, str]
"""The unit and resource by whose quantity an overhead is shared out."""


def share_out(traces: Sequence[TraceUse]) -> list[TraceUse]:
    """The traces with what was done for them; what cannot be shared out stays a trace by itself."""
    pools: dict[Cause, list[TraceUse]] = defaultdict(list)
    rest: list[TraceUse] = []
    for trace in traces:
        cause = _cause(trace)
        if cause is None:
            rest.append(trace)
        else:
            pools[cause].append(trace)
    weights: dict[Cause, float] = defaultdict(float)
    for trace in rest:
        for used in trace.uses:
            weights[used.unit, used.resource] += used.quantity
    unshared = [trace for cause, pool in pools.items() if not weights.get(cause) for trace in pool]
    pooled = {cause: _sum(pool) for cause, pool in pools.items() if weights.get(cause)}
    shared = [replace(trace, uses=(*trace.uses, *_share(trace, pooled, weights))) for trace in rest]
    return [*shared, *unshared]


def _cause(trace: TraceUse) -> Cause | None:
    """By what a trace that is nothing but overhead is shared out; `None` if it is more."""
    units = {(used.unit, used.resource) for used in trace.uses}
    if len(units) != 1:
        return None
    ((unit, resource),) = units
    if unit == _LOGS and _GROUP in resource:
        return ("lambda.requests", resource.replace(":logs:", ":lambda:").replace(_GROUP, "function:"))
    return (unit, resource) if unit in _QUEUES else None


def _sum(pool: Sequence[TraceUse]) -> Used:
    first = pool[0].uses[0]
    return replace(first, quantity=sum(used.quantity for trace in pool for used in trace.uses))


def _share(trace: TraceUse, pooled: dict[Cause, Used], weights: dict[Cause, float]) -> list[Used]:
    found = []
    for used in trace.uses:
        cause = (used.unit, used.resource)
        overhead = pooled.get(cause)
        if overhead is not None:
            found.append(replace(overhead, quantity=overhead.quantity * used.quantity / weights[cause]))
    return found
