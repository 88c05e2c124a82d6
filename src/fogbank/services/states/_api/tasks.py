"""Callbacks of tasks, and activities."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.services.states import errors
from fogbank.services.states import storage as rows
from fogbank.services.states._api.frame import (
    Frame,
    check_name,
    decode_position,
    page_of,
    page_size,
    refuse_keys,
    tags_of,
)
from fogbank.services.states._language._threads import Task
from fogbank.services.states._resolve import parse
from fogbank.services.states.model import MAX_INPUT, Activity
from fogbank.services.states.worker import Run

if TYPE_CHECKING:
    from types_boto3_stepfunctions.type_defs import (
        CreateActivityInputTypeDef,
        DeleteActivityInputTypeDef,
        DescribeActivityInputTypeDef,
        GetActivityTaskInputTypeDef,
        ListActivitiesInputTypeDef,
        SendTaskFailureInputTypeDef,
        SendTaskHeartbeatInputTypeDef,
        SendTaskSuccessInputTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

POLL = 60.0
"""Seconds that GetActivityTask waits for a task."""
_any_json = msgspec.json.Decoder(msgspec.Raw)


class TaskOperations(Frame):
    """The operations on tasks and activities."""

    async def send_task_success(self, call: Call, request: SendTaskSuccessInputTypeDef) -> Reply:  # noqa: ARG002
        """SendTaskSuccess: the task's output."""
        text = request["output"]
        if len(text.encode()) > MAX_INPUT:
            raise errors.InvalidOutputError(f"Invalid Output: 'Output size exceeds the limit of {MAX_INPUT} bytes'")
        try:
            _any_json.decode(text)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise errors.InvalidOutputError(f"Invalid Output: '{error}'") from None
        run, task = self._task(request["taskToken"])
        await self._runner.settle(run, ("done", self.kit.clock.millis(), task.id, text))
        return {}

    async def send_task_failure(self, call: Call, request: SendTaskFailureInputTypeDef) -> Reply:  # noqa: ARG002
        """SendTaskFailure: the error that the task failed with."""
        run, task = self._task(request["taskToken"])
        now = self.kit.clock.millis()
        await self._runner.settle(run, ("fail", now, task.id, request.get("error"), request.get("cause"), "token"))
        return {}

    async def send_task_heartbeat(self, call: Call, request: SendTaskHeartbeatInputTypeDef) -> Reply:  # noqa: ARG002
        """SendTaskHeartbeat."""
        run, task = self._task(request["taskToken"])
        await self._runner.settle(run, ("beat", self.kit.clock.millis(), task.id))
        return {}

    def _task(self, token: str) -> tuple[Run, Task]:
        """The task of a token, which must still be waited for."""
        try:
            arn, number, _ = base64.b64decode(token, validate=True).decode().split("|")
            key = int(number)
        except (binascii.Error, ValueError):
            raise errors.InvalidTokenError("Invalid Token: 'Invalid token'") from None
        run = self._runner.find(arn)
        found = None if run is None else run.execution.tasks.get(key)
        if run is None or found is None:
            raise errors.TaskTimedOutError("Task Timed Out: 'Provided task does not exist anymore'")
        if found[1].token != token:
            raise errors.InvalidTokenError("Invalid Token: 'Invalid token'")
        return run, found[1]

    # -- activities

    async def create_activity(self, call: Call, request: CreateActivityInputTypeDef) -> Reply:
        """CreateActivity: again with the same name it answers as the first time."""
        check_name(request["name"])
        refuse_keys(request, call.operation)
        arn = call.scope.arn("states", f"activity:{request['name']}")
        made = Activity(arn, request["name"], tags_of(request.get("tags", ())), self.kit.clock.millis())

        async def body(tx: Tx) -> Activity:
            found = await rows.get_activity(tx, arn)
            if found is not None:
                return found
            await rows.put_activity(tx, call.scope, made)
            return made

        activity = await self.kit.storage.transact(body)
        return {"activityArn": arn, "creationDate": activity.created / 1000}

    async def describe_activity(self, call: Call, request: DescribeActivityInputTypeDef) -> Reply:  # noqa: ARG002
        """DescribeActivity."""
        found = await self._activity(request["activityArn"])
        return {
            "activityArn": found.arn,
            "name": found.name,
            "creationDate": found.created / 1000,
            "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
        }

    async def delete_activity(self, call: Call, request: DeleteActivityInputTypeDef) -> Reply:  # noqa: ARG002
        """DeleteActivity: no error if it is not there."""
        arn = request["activityArn"]
        parse(arn, "activity")
        await self.kit.storage.transact(lambda tx: rows.delete_activity(tx, arn))
        return {}

    async def list_activities(self, call: Call, request: ListActivitiesInputTypeDef) -> Reply:
        """ListActivities."""
        limit = page_size(request)
        after = decode_position(request.get("nextToken"), str, "")
        found = await self.kit.storage.read(lambda tx: rows.list_activities(tx, call.scope, after, limit + 1))
        page, token = page_of(found, limit, lambda activity: activity.arn)
        shown: list[dict[str, Any]] = [
            {"activityArn": a.arn, "name": a.name, "creationDate": a.created / 1000} for a in page
        ]
        return {"activities": shown, "nextToken": token}

    async def get_activity_task(self, call: Call, request: GetActivityTaskInputTypeDef) -> Reply:  # noqa: ARG002
        """GetActivityTask: waits up to a minute for a task."""
        found = await self._activity(request["activityArn"])
        taken = await self._runner.take(found.arn, request.get("workerName"), POLL)
        return {} if taken is None else {"taskToken": taken[0], "input": taken[1]}

    async def _activity(self, arn: str) -> Activity:
        parse(arn, "activity")
        found = await self.kit.storage.read(lambda tx: rows.get_activity(tx, arn))
        if found is None:
            raise errors.ActivityNotFoundError(f"Activity Does Not Exist: '{arn}'")
        return found
