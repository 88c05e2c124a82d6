"""Event buses, and who may put events on them.

Policies are stored and answered; they are not enforced yet, as IAM's are not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.events import storage as rows
from fogbank.services.events._api.operations import Operations, Page, refuse_parameters
from fogbank.services.events._policies import add_statement, check_policy, remove_statement, statement_of
from fogbank.services.events.errors import (
    LimitExceededError,
    ResourceAlreadyExistsError,
    ResourceNotFoundError,
    ValidationError,
    bus_not_found,
)
from fogbank.services.events.model import DEFAULT_BUS, MAX_BUSES, Bus, BusKey

if TYPE_CHECKING:
    from types_boto3_events.type_defs import (
        CreateEventBusRequestTypeDef,
        DeleteEventBusRequestTypeDef,
        DescribeEventBusRequestTypeDef,
        ListEventBusesRequestTypeDef,
        PutPermissionRequestTypeDef,
        RemovePermissionRequestTypeDef,
        UpdateEventBusRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_NOT_YET = ("KmsKeyIdentifier",)


class BusOperations(Operations):
    """Create, describe, list, update and delete buses; permissions."""

    async def create_event_bus(self, call: Call, request: CreateEventBusRequestTypeDef) -> Reply:
        """Create a custom bus."""
        name = request["Name"]
        refuse_parameters(call, _NOT_YET, request)
        _check_log_config(call, request.get("LogConfig"))
        if request.get("EventSourceName") or name.startswith("aws.partner/"):
            raise ResourceNotFoundError(f"Event source {request.get('EventSourceName', name)} does not exist.")
        if "/" in name:
            raise ValidationError("Event bus name must not contain '/'.")
        key = BusKey(call.scope.account, call.scope.region, name)
        now = self._clock.millis()
        bus = Bus(
            key, request.get("Description"), None, (request.get("DeadLetterConfig") or {}).get("Arn"),
            rows.tags_of(request.get("Tags", ())), now, now,
        )  # fmt: skip

        async def body(tx: Tx) -> None:
            if await rows.bus_exists(tx, key):
                raise ResourceAlreadyExistsError(f"Event bus {name} already exists.")
            if await rows.count_buses(tx, call.scope) >= MAX_BUSES:
                raise LimitExceededError
            await rows.put_bus(tx, bus)
            self._router.changed(tx, key)

        await self._storage.transact(body)
        return {"EventBusArn": key.arn, "Description": bus.description, "DeadLetterConfig": _dead_letter(bus)}

    async def describe_event_bus(self, call: Call, request: DescribeEventBusRequestTypeDef) -> Reply:
        """Describe one bus."""
        key = BusKey.of(call.scope, request.get("Name"))
        bus = await self._storage.transact(lambda tx: self._bus(tx, key))
        return _document(bus) | {"DeadLetterConfig": _dead_letter(bus)}

    async def list_event_buses(self, call: Call, request: ListEventBusesRequestTypeDef) -> Reply:
        """List buses by name."""
        page = Page(request.get("NextToken"), request.get("Limit"), request.get("NamePrefix"))

        async def body(tx: Tx) -> list[Bus]:
            await self._bus(tx, BusKey(call.scope.account, call.scope.region))
            return await rows.list_buses(tx, call.scope, start=page.start, limit=page.limit + 1)

        found = await self._storage.transact(body)
        buses, token = page.cut(found, [bus.key.name for bus in found])
        return {"EventBuses": [_document(bus) for bus in buses], "NextToken": token}

    async def update_event_bus(self, call: Call, request: UpdateEventBusRequestTypeDef) -> Reply:
        """Change a bus's settings; those that are not given are kept."""
        refuse_parameters(call, _NOT_YET, request)
        _check_log_config(call, request.get("LogConfig"))
        key = BusKey.of(call.scope, request.get("Name"))

        async def body(tx: Tx) -> Bus:
            bus = await self._bus(tx, key)
            changed = replace(bus, modified=self._clock.millis())
            if "Description" in request:
                changed = replace(changed, description=request["Description"])
            if "DeadLetterConfig" in request:
                changed = replace(changed, dead_letter=request["DeadLetterConfig"].get("Arn"))
            await rows.put_bus(tx, changed)
            return changed

        bus = await self._storage.transact(body)
        return {
            "Arn": key.arn,
            "Name": key.name,
            "Description": bus.description,
            "DeadLetterConfig": _dead_letter(bus),
        }

    async def delete_event_bus(self, call: Call, request: DeleteEventBusRequestTypeDef) -> Reply:
        """Delete a bus without rules; one that does not exist is as good as deleted."""
        key = BusKey(call.scope.account, call.scope.region, request["Name"])
        if key.name == DEFAULT_BUS:
            raise ValidationError(f"Cannot delete event bus {DEFAULT_BUS}.")

        async def body(tx: Tx) -> None:
            if await rows.count_rules(tx, key):
                raise ValidationError("EventBus can't be deleted since it has rules.")
            await rows.delete_bus(tx, key)
            self._router.changed(tx, key)

        await self._storage.transact(body)
        return {}

    async def put_permission(self, call: Call, request: PutPermissionRequestTypeDef) -> Reply:
        """Set a bus's policy, or one statement of it."""
        key = BusKey.of(call.scope, request.get("EventBusName"))
        statement = None if "Policy" in request else statement_of(key, request)
        if "Policy" in request:
            check_policy(request)

        async def body(tx: Tx) -> None:
            bus = await self._bus(tx, key)
            policy = request["Policy"] if statement is None else add_statement(bus.policy, statement)
            await self._set_policy(tx, bus, policy)

        await self._storage.transact(body)
        return {}

    async def remove_permission(self, call: Call, request: RemovePermissionRequestTypeDef) -> Reply:
        """Remove a statement of a bus's policy, or all of it."""
        key = BusKey.of(call.scope, request.get("EventBusName"))
        statement = request.get("StatementId")
        everything = request.get("RemoveAllPermissions", False)
        if statement is None and not everything:
            raise ValidationError("Parameter(s) StatementId or RemoveAllPermissions must be specified.")

        async def body(tx: Tx) -> None:
            bus = await self._bus(tx, key)
            await self._set_policy(tx, bus, None if everything else remove_statement(bus.policy, statement or ""))

        await self._storage.transact(body)
        return {}

    async def _set_policy(self, tx: Tx, bus: Bus, policy: str | None) -> None:
        await rows.put_bus(tx, replace(bus, policy=policy, modified=self._clock.millis()))

    async def _bus(self, tx: Tx, key: BusKey) -> Bus:
        """A bus that must be there; the default one becomes a row when it is first asked for."""
        bus = await rows.get_bus(tx, key)
        if bus is None and key.name == DEFAULT_BUS:
            now = self._clock.millis()
            bus = Bus(key, None, None, None, {}, now, now)
            await rows.put_bus(tx, bus)
        if bus is None:
            raise bus_not_found(key.name)
        return bus


def _dead_letter(bus: Bus) -> dict[str, str] | None:
    return {"Arn": bus.dead_letter} if bus.dead_letter else None


def _document(bus: Bus) -> dict[str, Any]:
    return {
        "Name": bus.key.name,
        "Arn": bus.key.arn,
        "Description": bus.description,
        "Policy": bus.policy,
        "CreationTime": bus.created / 1000,
        "LastModifiedTime": bus.modified / 1000,
    }


def _check_log_config(call: Call, config: Any) -> None:
    if config and (config.get("Level", "OFF") != "OFF" or config.get("IncludeDetail", "NONE") != "NONE"):
        raise NotImplementedByFogbank(f"Fogbank does not implement LogConfig of events.{call.operation} yet")
