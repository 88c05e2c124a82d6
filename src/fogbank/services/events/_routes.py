"""How what rules send is delivered, and counted: to targets, to API destinations, to other buses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.delivery import Attempt, Failure, Message, Route
from fogbank.delivery.targets import TargetRoute
from fogbank.services.events._api.publishing import ForwardRoute
from fogbank.services.events._destinations.route import DestinationRoute
from fogbank.services.events._metrics import RuleMetrics
from fogbank.storage import Tx

if TYPE_CHECKING:
    from fogbank.services.kit import Kit


class _Counting(Route):
    """What the routes of rules add to others: they count what comes of each message."""

    counts: RuleMetrics

    def count(self, message: Message, name: str) -> None:
        """Add one to a metric of the rule that a message comes from."""
        rule = message.dead_letter_attributes.get("RULE_ARN")
        if rule is not None:
            self.counts.of(rule).add(name)

    async def attempt(self, attempt: Attempt) -> Any:
        self.count(attempt.message, "Invocations" if attempt.number == 1 else "RetryInvocationAttempts")
        return await super().attempt(attempt)

    async def exhausted(self, tx: Tx, attempt: Attempt, failure: Failure) -> None:
        """Count the failure, and the dead letter that follows."""
        self.count(attempt.message, "FailedInvocations")
        if attempt.message.dead_letter is not None:
            self.count(attempt.message, "InvocationsSentToDlq")
        await super().exhausted(tx, attempt, failure)


class RuleRoute(_Counting, TargetRoute):
    """Delivers to the targets of rules by the API call that fits."""

    def __init__(self, kit: Kit, counts: RuleMetrics) -> None:
        super().__init__(kit.cloud, kit.delivery, kit.clock)
        self.counts = counts

    async def join(self, tx: Tx, message: Message) -> bool:
        """The first attempt, where that needs no hop."""
        joined = await super().join(tx, message)
        if joined:
            self.count(message, "Invocations")
        return joined


class CountedDestinations(_Counting, DestinationRoute):
    """Calls the API destinations of rules."""


class CountedForwarding(_Counting, ForwardRoute):
    """Hands events on to other buses."""
