"""The service: its operations put together, its workers, and its wording for requests that break the model."""

from __future__ import annotations

from collections.abc import Sequence

from fogbank.core.errors import ApiError
from fogbank.core.models import OperationModel
from fogbank.core.validation import Constraint, Problem
from fogbank.services.kit import Kit
from fogbank.services.sqs._api.moves import MoveOperations
from fogbank.services.sqs._api.queues import QueueOperations
from fogbank.services.sqs._api.receiving import ReceivingOperations
from fogbank.services.sqs._api.sending import SendingOperations
from fogbank.services.sqs._api.settling import SettlingOperations
from fogbank.services.sqs.errors import (
    EmptyBatchRequestError,
    InvalidAttributeNameError,
    InvalidParameterValueError,
    MissingParameterError,
)
from fogbank.services.sqs.worker import QUEUES_TOPIC, Mover, Sweeper


class Sqs(QueueOperations, SendingOperations, ReceivingOperations, SettlingOperations, MoveOperations):
    """Amazon Simple Queue Service: standard and FIFO queues."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.sweeper = Sweeper(kit, self.store, self.fifo)
        self.mover = Mover(kit, self.store, self.fifo, self.moves)

    async def on_start(self) -> None:
        self.spawn(self.sweeper.run(), name="sqs-sweeper")
        self.spawn(self.mover.run(), name="sqs-mover")

    def on_drain(self) -> None:
        self.lines.close()

    async def on_reset(self) -> None:
        self.store.forget()
        self.receiver.forget()
        self.lines.look_again()
        self.kit.storage.wake(QUEUES_TOPIC)

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError | None:
        """SQS's own words for a request that breaks the model; `None` if it may pass.

        The model gives `AttributeNames` of ReceiveMessage the queue attributes as its values, where the documentation
        gives it those of messages; so enumerations are left to the operations, which know the right names.
        """
        for problem in problems:
            if problem.constraint is Constraint.REQUIRED:
                return _missing(operation, problem)
            cause = problem.cause or problem
            if cause.constraint is not Constraint.ENUM:
                return InvalidParameterValueError(
                    f"Value {cause.value} for parameter {problem.member} is invalid. "
                    f"Reason: Must be of type {cause.shape.type}."
                )
            if problem.constraint is Constraint.MAP_KEY and operation.name not in _CHECKS_NAMES_ITSELF:
                return InvalidAttributeNameError(str(cause.value))
        return None


_CHECKS_NAMES_ITSELF = frozenset({"CreateQueue", "SetQueueAttributes", "SendMessage", "SendMessageBatch"})


_NAMES = {"AWSAccountIds": "PrincipalId", "Attributes": "Attribute.Name"}
"""Parameters that SQS calls otherwise when it misses them."""


def _missing(operation: OperationModel, problem: Problem) -> ApiError:
    """The error for a parameter that is missing: a batch without entries is an empty one, whatever the protocol."""
    entry = f"{operation.name}RequestEntry"
    if problem.path == ("Entries",):
        return EmptyBatchRequestError(entry)
    if problem.path[0] == "Entries" and isinstance(problem.path[1], int):
        return MissingParameterError(f"{entry}.{problem.path[1] + 1}.{problem.member}")
    return MissingParameterError(_NAMES.get(problem.member, problem.member))
