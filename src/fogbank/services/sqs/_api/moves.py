"""Message move tasks: starting, listing and cancelling them. `worker.py` does the moving."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.core.call import Call, Reply
from fogbank.services.kit import Kit
from fogbank.services.sqs._api.base import SqsBase
from fogbank.services.sqs._moves.model import (
    MAXIMUM_LISTED,
    MAXIMUM_RATE,
    MoveTask,
    Status,
    queue_of,
    source_of,
    write_handle,
)
from fogbank.services.sqs._moves.storage import MoveStorage
from fogbank.services.sqs.errors import (
    InvalidParameterValueError,
    ResourceNotFoundError,
    UnsupportedOperationError,
)
from fogbank.services.sqs.model import Queue
from fogbank.storage import Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        CancelMessageMoveTaskRequestTypeDef,
        ListMessageMoveTasksRequestTypeDef,
        StartMessageMoveTaskRequestTypeDef,
    )

TOPIC = "sqs.moves"


class MoveOperations(SqsBase):
    """What is called to redrive a dead-letter queue."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.moves = MoveStorage()

    async def start_message_move_task(self, call: Call, request: StartMessageMoveTaskRequestTypeDef) -> Reply:  # noqa: ARG002
        """Begin to move the messages of a dead-letter queue."""
        source_arn, destination_arn = request["SourceArn"], request.get("DestinationArn")
        rate = request.get("MaxNumberOfMessagesPerSecond")
        if rate is not None and not 1 <= rate <= MAXIMUM_RATE:
            raise InvalidParameterValueError(
                "Value for parameter MaxNumberOfMessagesPerSecond is invalid. "
                f"Reason: You must specify a value between 1 and {MAXIMUM_RATE}."
            )
        if source_arn == destination_arn:
            raise InvalidParameterValueError("Source queue arn and destination queue arn cannot be the same.")
        handle = write_handle(self.kit.ids.uuid(), source_arn)
        now = self.clock.millis()

        async def body(tx: Tx) -> None:
            source = await self._resource(tx, "SourceArn", source_arn)
            if not await self.store.sources(tx, source, "", 1):
                raise InvalidParameterValueError("Source queue must be configured as a Dead Letter Queue.")
            if destination_arn is not None:
                destination = await self._resource(tx, "DestinationArn", destination_arn)
                if destination.fifo != source.fifo:
                    raise InvalidParameterValueError("Source queue and destination queue must be of the same type.")
            if await self.moves.is_active(tx, source_arn):
                raise InvalidParameterValueError(
                    "There is already a task running. "
                    "Only one active task is allowed for a source queue arn at a given time."
                )
            await self.moves.start(tx, handle, source, destination_arn, rate, now)
            tx.wake(TOPIC)

        await self.kit.storage.transact(body)
        return {"TaskHandle": handle}

    async def cancel_message_move_task(self, call: Call, request: CancelMessageMoveTaskRequestTypeDef) -> Reply:  # noqa: ARG002
        """Have a running task end."""
        handle = request["TaskHandle"]
        source_arn = source_of(handle)
        now = self.clock.millis()

        async def body(tx: Tx) -> int:
            task = await self.moves.find(tx, handle)
            if task is None:
                await self._resource(tx, "SourceArn", source_arn)
                raise ResourceNotFoundError("Task does not exist.")
            if task.status is not Status.RUNNING:
                raise UnsupportedOperationError("Only active tasks can be cancelled.")
            await self.moves.update(tx, replace(task, status=Status.CANCELLING, next_at=now))
            tx.wake(TOPIC)
            return task.moved

        return {"ApproximateNumberOfMessagesMoved": await self.kit.storage.transact(body)}

    async def list_message_move_tasks(self, call: Call, request: ListMessageMoveTasksRequestTypeDef) -> Reply:  # noqa: ARG002
        """A source queue's latest tasks, the newest first."""
        limit = request.get("MaxResults", 1)
        if not 1 <= limit <= MAXIMUM_LISTED:
            raise InvalidParameterValueError(
                "Value for parameter MaxResults is invalid. "
                f"Reason: You must specify a value between 1 and {MAXIMUM_LISTED}."
            )

        async def body(tx: Tx) -> list[MoveTask]:
            source = await self._resource(tx, "SourceArn", request["SourceArn"])
            return await self.moves.latest(tx, source.arn, limit)

        return {"Results": [task.shape for task in await self.kit.storage.read(body)]}

    async def _resource(self, tx: Tx, parameter: str, arn: str) -> Queue:
        queue = await self.store.find(tx, queue_of(parameter, arn))
        if queue is None:
            raise ResourceNotFoundError(f"The resource that you specified for the {parameter} parameter doesn't exist.")
        return queue
