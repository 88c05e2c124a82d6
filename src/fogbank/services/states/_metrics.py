"""What Step Functions counts, under AWS's names: executions of each state machine, by how they ended.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.scope import Scope
from fogbank.telemetry.metrics import Panel, Panels

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.services.states.model import Record

_ENDS = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}


class ExecutionMetrics:
    """Counts executions."""

    def __init__(self, kit: Kit) -> None:
        self._metrics = kit.metrics
        self._panels = Panels(kit.metrics, self._panel)

    def _panel(self, key: tuple[Scope, str]) -> Panel:
        return self._metrics.panel(key[0], "AWS/States", (("StateMachineArn", key[1]),))

    def started(self, scope: Scope, machine: str) -> None:
        """An execution has begun."""
        self._panels((scope, machine)).add("ExecutionsStarted")

    def ended(self, scope: Scope, record: Record) -> None:
        """An execution is over."""
        panel = self._panels((scope, record.machine))
        name = _ENDS.get(record.status)
        if name is not None:
            panel.add(name)
            panel.add("ExecutionTime", float((record.stopped or record.started) - record.started), "Milliseconds")
