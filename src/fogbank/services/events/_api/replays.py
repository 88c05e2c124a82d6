"""Replays of archives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.services.events import storage as rows
from fogbank.services.events._api.operations import Operations, Page
from fogbank.services.events.errors import (
    IllegalStatusError,
    LimitExceededError,
    ResourceAlreadyExistsError,
    ResourceNotFoundError,
    ValidationError,
)
from fogbank.services.events.model import LAST_TIME, BusKey, Replay, ReplayState, target_arn
from fogbank.services.events.worker import REPLAYS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_events.type_defs import (
        CancelReplayRequestTypeDef,
        DescribeReplayRequestTypeDef,
        ListReplaysRequestTypeDef,
        StartReplayRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.core.scope import Scope
    from fogbank.storage import Tx

MAX_ACTIVE = 10
"""Replays of an account that are under way."""


class ReplayOperations(Operations):
    """Start, describe, list and cancel replays."""

    async def start_replay(self, call: Call, request: StartReplayRequestTypeDef) -> Reply:
        """Begin to send an archive's events to its bus again."""
        destination = _destination(request["Destination"]["Arn"])
        archive_name = _archive_name(request["EventSourceArn"])
        starts, ends = _millis(request["EventStartTime"]), _millis(request["EventEndTime"])
        for name, moment in (("EventStartTime", starts), ("EventEndTime", ends)):
            if not 0 <= moment < LAST_TIME * 1000:
                raise ValidationError(f"Parameter {name} is not valid. Reason: {name} is out of range.")
        if starts >= ends:
            raise ValidationError(
                "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime."
            )
        now = self._clock.millis()

        async def body(tx: Tx) -> Replay:
            await self._require_bus(tx, destination)
            archive = await rows.get_archive(tx, call.scope, archive_name)
            if archive is None:
                raise ValidationError(
                    f"Parameter EventSourceArn is not valid. Reason: Archive {archive_name} does not exist."
                )
            if archive.bus != destination.name:
                raise ValidationError(
                    "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted."
                )
            if await rows.get_replay(tx, call.scope, request["ReplayName"]) is not None:
                raise ResourceAlreadyExistsError(f"Replay {request['ReplayName']} already exists.")
            if await rows.count_active_replays(tx, call.scope) >= MAX_ACTIVE:
                raise LimitExceededError
            replay = Replay(
                call.scope, request["ReplayName"], request.get("Description"), archive.name, archive.rule,
                archive.bus, tuple(request["Destination"].get("FilterArns", ())), ReplayState.STARTING, starts, ends,
                starts, 0, None, now, None,
            )  # fmt: skip
            await rows.put_replay(tx, replay)
            tx.wake(REPLAYS_TOPIC)
            return replay

        replay = await self._storage.transact(body)
        return {"ReplayArn": replay.arn, "State": replay.state.value, "ReplayStartTime": now / 1000}

    async def describe_replay(self, call: Call, request: DescribeReplayRequestTypeDef) -> Reply:
        """Describe one replay and how far it is."""
        replay = await self._storage.read(lambda tx: self._replay(tx, call.scope, request["ReplayName"]))
        bus = BusKey(replay.scope.account, replay.scope.region, replay.bus)
        return _document(replay) | {
            "ReplayArn": replay.arn,
            "Description": replay.description,
            "Destination": {"Arn": bus.arn, "FilterArns": list(replay.filters)},
        }

    async def list_replays(self, call: Call, request: ListReplaysRequestTypeDef) -> Reply:
        """List replays by one of: a prefix of the name, the archive, the state."""
        if sum(name in request for name in ("NamePrefix", "EventSourceArn", "State")) > 1:
            raise ValidationError(
                "At most one filter is allowed for ListReplays. Use either : State, EventSourceArn, or NamePrefix."
            )
        page = Page(request.get("NextToken"), request.get("Limit"), request.get("NamePrefix"))
        found = await self._storage.read(
            lambda tx: rows.list_replays(tx, call.scope, start=page.start, limit=page.limit + 1)
        )
        replays, token = page.cut(found, [replay.name for replay in found])
        documents = [_document(replay) for replay in replays]
        return {"Replays": [d for d in documents if _fits(d, request)], "NextToken": token}

    async def cancel_replay(self, call: Call, request: CancelReplayRequestTypeDef) -> Reply:
        """Stop a replay that is starting or running."""

        async def body(tx: Tx) -> Replay:
            replay = await self._replay(tx, call.scope, request["ReplayName"])
            if replay.state not in {ReplayState.STARTING, ReplayState.RUNNING}:
                raise IllegalStatusError(f"Replay {replay.name} is not in a valid state for this operation.")
            cancelling = replace(replay, state=ReplayState.CANCELLING)
            await rows.put_replay(tx, cancelling)
            tx.wake(REPLAYS_TOPIC)
            return cancelling

        replay = await self._storage.transact(body)
        return {"ReplayArn": replay.arn, "State": replay.state.value}

    async def _replay(self, tx: Tx, scope: Scope, name: str) -> Replay:
        replay = await rows.get_replay(tx, scope, name)
        if replay is None:
            raise ResourceNotFoundError(f"Replay {name} does not exist.")
        return replay


def _destination(text: str) -> BusKey:
    arn = target_arn(text)
    if arn is None or arn.service != "events" or not arn.resource.startswith("event-bus/"):
        raise ValidationError("Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.")
    return BusKey(arn.account, arn.region, arn.resource.removeprefix("event-bus/"))


def _archive_name(text: str) -> str:
    arn = target_arn(text)
    if arn is None or not arn.resource.startswith("archive/"):
        raise ValidationError("Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN.")
    return arn.resource.removeprefix("archive/").partition(":")[0]


def _fits(document: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    return all(request[name] == document[name] for name in ("EventSourceArn", "State") if name in request)


def _millis(seconds: Any) -> int:
    return round(float(seconds) * 1000)


def _seconds(millis: int | None) -> float | None:
    return None if millis is None else millis / 1000


def _document(replay: Replay) -> dict[str, Any]:
    return {
        "ReplayName": replay.name,
        "EventSourceArn": replay.scope.arn("events", f"archive/{replay.archive}"),
        "State": replay.state.value,
        "EventStartTime": replay.starts / 1000,
        "EventEndTime": replay.ends / 1000,
        "EventLastReplayedTime": _seconds(replay.last_replayed),
        "ReplayStartTime": replay.started / 1000,
        "ReplayEndTime": _seconds(replay.finished),
    }
