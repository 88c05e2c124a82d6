"""What Lambda counts, under AWS's names: by function, by function and resource (its name, or name and alias), by
executed version where an alias chose it, and of all functions.

Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.scope import Scope
from fogbank.delivery import Attempt, Failure
from fogbank.delivery.targets import TargetRoute
from fogbank.storage import Tx
from fogbank.telemetry.metrics import Panel, Panels

if TYPE_CHECKING:
    from fogbank.runtime import Outcome
    from fogbank.services.kit import Kit
    from fogbank.services.lambda_._concurrency import FunctionLoad

Key = tuple[Scope, str, str, str]
"""Scope, function name, resource, executed version (empty where no alias chose it)."""


class FunctionMetrics:
    """Counts invocations."""

    def __init__(self, kit: Kit) -> None:
        self._metrics = kit.metrics
        self._panels = Panels(kit.metrics, self._panel)
        self._functions = Panels(kit.metrics, self._function)
        self._accounts = Panels(kit.metrics, self._account)

    def _panel(self, key: Key) -> Panel:
        scope, name, resource, executed = key
        function = ("FunctionName", name)
        sets = [(), (function,), (function, ("Resource", resource))]
        if executed:
            sets.append((("ExecutedVersion", executed), function, ("Resource", resource)))
        return self._metrics.panel(scope, "AWS/Lambda", *sets)

    def _function(self, key: tuple[Scope, str]) -> Panel:
        return self._metrics.panel(key[0], "AWS/Lambda", (), (("FunctionName", key[1]),))

    def _account(self, scope: Scope) -> Panel:
        return self._metrics.panel(scope, "AWS/Lambda", ())

    def began(self, key: Key, load: FunctionLoad, *, shared: bool) -> None:
        """An event has its place, of its own or of the account's `shared` ones: so many run now."""
        scope, name, _, _ = key
        self._functions((scope, name)).gauge("ConcurrentExecutions", float(load.running))
        self._accounts(scope).gauge("UnreservedConcurrentExecutions", float(load.account.running))
        if not load.provisioned:
            return
        panel = self._panels(key)
        panel.add("ProvisionedConcurrencySpilloverInvocations" if shared else "ProvisionedConcurrencyInvocations")
        used = min(load.running - load.spilled, load.provisioned)
        panel.gauge("ProvisionedConcurrentExecutions", float(used))
        panel.gauge("ProvisionedConcurrencyUtilization", used / load.provisioned)

    def ended(self, key: Key, outcome: Outcome) -> None:
        """An event was run. Errors and throttles are told as 0 too, so that a rate can be computed."""
        panel = self._panels(key)
        panel.add("Invocations")
        panel.add("Errors", 0.0 if outcome.error is None else 1.0)
        panel.add("Throttles", 0.0)
        panel.add("Duration", round(outcome.duration * 1000, 2), "Milliseconds")

    def throttled(self, key: Key) -> None:
        """There was no place for an event."""
        self._panels(key).add("Throttles")

    def recursive(self, key: Key) -> None:
        """An event was stopped because it is part of a loop."""
        self._panels(key).add("RecursiveInvocationsDropped")

    def accepted(self, scope: Scope, name: str) -> None:
        """An asynchronous event was taken."""
        self._functions((scope, name)).add("AsyncEventsReceived")

    def attempted(self, scope: Scope, name: str, age: float) -> None:
        """An asynchronous event is being run, so many seconds after it was taken."""
        self._functions((scope, name)).add("AsyncEventAge", round(max(0.0, age) * 1000, 1), "Milliseconds")

    def dropped(self, scope: Scope, name: str) -> None:
        """An asynchronous event was given up."""
        self._functions((scope, name)).add("AsyncEventsDropped")

    def undelivered(self, scope: Scope, name: str, what: str) -> None:
        """A dead letter (`DeadLetterErrors`) or a record (`DestinationDeliveryFailures`) did not arrive."""
        self._functions((scope, name)).add(what)

    def aged(self, scope: Scope, name: str, seconds: float) -> None:
        """A batch of stream records was run whose last record is so old."""
        self._functions((scope, name)).add("IteratorAge", round(max(0.0, seconds) * 1000, 1), "Milliseconds")


class OutcomeRoute(TargetRoute):
    """Delivers what follows an asynchronous event, and counts what does not arrive."""

    def __init__(self, kit: Kit, counts: FunctionMetrics, what: str) -> None:
        super().__init__(kit.cloud, kit.delivery, kit.clock)
        self._counts = counts
        self._what = what

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        """Count it for the function that the event was for."""
        name = attempt.message.dead_letter_attributes.get("FUNCTION", "")
        self._counts.undelivered(attempt.message.scope, name, self._what)
        await super().exhausted(tx, attempt, failure)
